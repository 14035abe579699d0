"""The baselines of a classification along the stream: the inner loops.

Row `i` knows the labels before ``upto[i - 1]``, the first row none of them: what arrives after a
row serves the next one. `upto` must not decrease; all labels are classes.
"""
from libc.stdint cimport int64_t


cdef bint fits(
    const int64_t[::1] y, const int64_t[::1] upto, int64_t classes
) noexcept nogil:
    # Whether the labels that arrive are there, in order, and classes.
    cdef Py_ssize_t n = upto.shape[0], i
    cdef int64_t before = 0, wrong = 0
    for i in range(n):
        wrong |= upto[i] - before
        before = upto[i]
    wrong |= y.shape[0] - before
    if wrong < 0:
        return False
    for i in range(<Py_ssize_t>before):
        wrong |= y[i] | (classes - 1 - y[i])
    return wrong >= 0


def majorities(
    const int64_t[::1] y,
    const int64_t[::1] upto,
    int64_t[::1] counts,
    int64_t[::1] late,
    int64_t[::1] value,
    double[:, ::1] proba,
):
    """Write the most frequent class before each row (-1: none), and the share of each class.

    Of classes as frequent it is the one seen first. `counts` (K,): labels of each class so far;
    `late` (K,): how many classes were seen before it, -1 for one not seen yet. Both are brought to
    where the labels before ``upto[-1]`` are known. The shares are NaN before the first label.
    """
    cdef Py_ssize_t n = upto.shape[0], k = counts.shape[0], i, j = 0, c
    cdef int64_t seen = 0, total = 0, best = -1, most = -1, key, label
    cdef double rows
    cdef bint good
    if late.shape[0] != k or value.shape[0] != n or proba.shape[0] != n or proba.shape[1] != k:
        raise ValueError("there is no room for the answers")
    with nogil:
        good = fits(y, upto, k)
        for c in range(k):
            total += counts[c]
            seen += late[c] >= 0
            # Its count, then how early it was seen.
            key = counts[c] * k + (k - 1 - late[c])
            if counts[c] > 0 and key > best:
                best, most = key, c
        for i in range(n if good else 0):
            value[i] = most
            rows = <double>total
            for c in range(k):
                proba[i, c] = <double>counts[c] / rows
            while j < upto[i]:
                label = y[j]
                if late[label] < 0:
                    late[label] = seen
                    seen += 1
                counts[label] += 1
                total += 1
                key = counts[label] * k + (k - 1 - late[label])
                # Without a branch: which class is ahead is anybody's guess.
                most = label if key > best else most
                best = key if key > best else best
                j += 1
    if not good:
        raise ValueError("labels or arrivals do not fit the rows")


def last_labels(
    const int64_t[::1] y, const int64_t[::1] upto, int64_t last, int64_t[::1] value
):
    """Write the last label before each row, `last` before all of `y`; return that after them."""
    cdef Py_ssize_t n = upto.shape[0], i
    cdef int64_t wrong = 0, before = 0
    if value.shape[0] != n:
        raise ValueError("there is no room for the answers")
    with nogil:
        for i in range(n):
            wrong |= upto[i] - before
            before = upto[i]
        wrong |= y.shape[0] - before
        for i in range(n if wrong >= 0 else 0):
            value[i] = last
            if upto[i] > 0:
                last = y[upto[i] - 1]
    if wrong < 0:
        raise ValueError("labels or arrivals do not fit the rows")
    return last
