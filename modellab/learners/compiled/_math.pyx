"""Elementary functions that give the same bits on every system and processor.

The C libraries' `exp` and `log` differ between systems, and even between processors of one system;
the compiled learners must not. These need additions, multiplications, one division and a table.
"""

from libc.stdint cimport int64_t

cdef extern from "_cpu.h" nogil:
    bint lab_has_avx2()


def has_avx2():
    """Whether the twins of the compiled loops for AVX2 run here."""
    return lab_has_avx2() != 0


def exp(const double[::1] x, double[::1] out):
    """Write e to the power `x` into `out` (same length); error at most 0.51 ulp for normal results."""
    if x.shape[0] != out.shape[0]:
        raise ValueError("x and out differ in length")
    cdef Py_ssize_t i
    with nogil:
        for i in range(x.shape[0]):
            out[i] = exp_(x[i])


def log(const double[::1] x, double[::1] out):
    """Write the natural logarithm of `x` into `out` (same length); error below 1 ulp."""
    if x.shape[0] != out.shape[0]:
        raise ValueError("x and out differ in length")
    cdef Py_ssize_t i
    with nogil:
        for i in range(x.shape[0]):
            out[i] = log_(x[i])


def class_probabilities(const double[:, ::1] scores, double[:, ::1] out, bint huber):
    """Turn decision values into class probabilities.

    Parameters
    ----------
    scores
        (n, 1) for two classes (the second one is positive), else (n, K), one against the rest.
    out
        (n, 2) or (n, K), written.
    huber
        True: modified Huber loss, ``(clip(s, -1, 1) + 1) / 2`` (Zhang and Elkan 2002; the formula of
        scikit-learn's SGDClassifier), equal shares where all are 0. False: log loss, the logistic
        function of `s`, one-against-rest values divided by their sum.
    """
    cdef Py_ssize_t n = scores.shape[0], k = scores.shape[1], i, c
    cdef double p, total
    if out.shape[0] != n or out.shape[1] != (2 if k == 1 else k):
        raise ValueError("out has the wrong shape")
    with nogil:
        for i in range(n):
            total = 0.0
            for c in range(k):
                p = scores[i, c]
                if huber:
                    p = (min(max(p, -1.0), 1.0) + 1.0) / 2.0
                else:
                    p = sigmoid_(p)
                total += p
                out[i, c] = p
            if k == 1:
                out[i, 0] = 1.0 - p
                out[i, 1] = p
            elif total > 0.0:
                for c in range(k):
                    out[i, c] = out[i, c] / total
            else:
                for c in range(k):
                    out[i, c] = 1.0 / k


def two_class_answers(
    const double[:, ::1] scores, int64_t[::1] value, double[:, ::1] out, bint huber
):
    """Write the answers to decision values (n, 1), 1 above 0, and `class_probabilities`' (n, 2)."""
    cdef Py_ssize_t n = scores.shape[0], i
    cdef double s, p
    if scores.shape[1] != 1 or value.shape[0] != n or out.shape[0] != n or out.shape[1] != 2:
        raise ValueError("out has the wrong shape")
    with nogil:
        for i in range(n):
            s = scores[i, 0]
            p = (min(max(s, -1.0), 1.0) + 1.0) / 2.0 if huber else sigmoid_(s)
            value[i] = s > 0.0
            out[i, 0] = 1.0 - p
            out[i, 1] = p


def softmax(const double[:, ::1] scores, double[:, ::1] out):
    """Write e to the power of each score (n, K), divided by the sum of its row, into `out` (n, K)."""
    cdef Py_ssize_t n = scores.shape[0], k = scores.shape[1], i, c
    cdef double highest, total
    if out.shape[0] != n or out.shape[1] != k or k < 1:
        raise ValueError("out has the wrong shape")
    with nogil:
        for i in range(n):
            highest = scores[i, 0]
            for c in range(1, k):
                highest = max(highest, scores[i, c])
            total = 0.0
            for c in range(k):
                out[i, c] = exp_(scores[i, c] - highest)
                total += out[i, c]
            for c in range(k):
                out[i, c] = out[i, c] / total
