"""The baselines of a classification along the stream: the inner loops.

Row `i` knows the labels before ``upto[i - 1]``, the first row none of them: what arrives after a
row serves the next one. `upto` must not decrease, and is None where each label arrives right after
its row; all labels are classes.
"""
from libc.stdint cimport int64_t


cdef enum:
    LATE = 1    # labels arrive in order, but not each right after its row
    PROMPT = 2  # each label arrives right after its row


cdef int arrivals(
    const int64_t[::1] y, const int64_t[::1] upto, Py_ssize_t n, bint told
) noexcept nogil:
    # How labels arrive; 0 if not in order, or some of them are not there.
    cdef Py_ssize_t i
    cdef int64_t before = 0, wrong = 0, apart = 0
    for i in range(n if told else 0):
        apart |= upto[i] ^ (i + 1)
    if apart == 0 and n <= y.shape[0]:
        return PROMPT
    if not told:
        return 0
    for i in range(n):
        wrong |= upto[i] - before
        before = upto[i]
    wrong |= y.shape[0] - before
    return 0 if wrong < 0 else LATE


cdef bint are_classes(const int64_t[::1] y, Py_ssize_t n, int64_t classes) noexcept nogil:
    cdef Py_ssize_t i
    cdef int64_t wrong = 0
    for i in range(n):
        wrong |= y[i] | (classes - 1 - y[i])
    return wrong >= 0


cdef void of_two(
    const int64_t *y,
    Py_ssize_t n,
    int64_t[::1] counts,
    const int64_t[::1] late,
    int64_t *value,
    double *proba,
) noexcept nogil:
    # Both classes were seen; each label arrives right after its row.
    cdef int64_t ahead = counts[1] - counts[0], ones = 0
    # Of equally frequent ones it is that seen first.
    cdef int64_t needed = 1 if late[0] < late[1] else 0
    cdef double first = <double>counts[0], second = <double>counts[1], one
    cdef Py_ssize_t i
    for i in range(n):
        value[i] = ahead >= needed
        proba[2 * i] = first / (first + second)
        proba[2 * i + 1] = second / (first + second)
        ones += y[i]
        ahead += 2 * y[i] - 1
        one = <double>y[i]
        first += 1.0 - one
        second += one
    counts[0] += n - ones
    counts[1] += ones


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
    cdef Py_ssize_t n = value.shape[0], k = counts.shape[0], i, j = 0, c
    cdef int64_t seen = 0, total = 0, best = -1, most = -1, key, label
    cdef double rows
    cdef int come
    cdef bint good, told = upto is not None
    if told and upto.shape[0] != n:
        raise ValueError("there is no room for the answers")
    if late.shape[0] != k or proba.shape[0] != n or proba.shape[1] != k:
        raise ValueError("there is no room for the answers")
    with nogil:
        come = arrivals(y, upto, n, told)
        good = come > 0 and are_classes(y, n if come == PROMPT else upto[n - 1], k)
        for c in range(k):
            total += counts[c]
            seen += late[c] >= 0
            # Its count, then how early it was seen.
            key = counts[c] * k + (k - 1 - late[c])
            if counts[c] > 0 and key > best:
                best, most = key, c
        for i in range(n if good else 0):
            if come == PROMPT and k == 2 and seen == 2:
                of_two(&y[i], n - i, counts, late, &value[i], &proba[i, 0])
                break
            value[i] = most
            rows = <double>total
            for c in range(k):
                proba[i, c] = <double>counts[c] / rows
            while j < (i + 1 if come == PROMPT else upto[i]):
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
    cdef Py_ssize_t n = value.shape[0], i
    cdef int come
    cdef bint told = upto is not None
    if told and upto.shape[0] != n:
        raise ValueError("there is no room for the answers")
    if n == 0:
        return last
    with nogil:
        come = arrivals(y, upto, n, told)
        if come == PROMPT:
            value[0] = last
            for i in range(1, n):
                value[i] = y[i - 1]
            last = y[n - 1]
        elif come == LATE:
            for i in range(n):
                value[i] = last
                if upto[i] > 0:
                    last = y[upto[i] - 1]
    if not come:
        raise ValueError("labels or arrivals do not fit the rows")
    return last
