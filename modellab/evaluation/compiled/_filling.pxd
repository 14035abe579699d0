# The buckets of a history (`modellab.evaluation.history.Series`): count, sum, least, most, last.
from libc.stdint cimport int64_t


cdef inline void fill_bucket(
    double *bucket, Py_ssize_t room, const double *values, Py_ssize_t n
) noexcept nogil:
    # Values of one bucket, NaN skipped, one addition after the other.
    cdef double count = bucket[0], total = bucket[room], least = bucket[2 * room]
    cdef double most = bucket[3 * room], last = bucket[4 * room], x
    cdef Py_ssize_t i
    for i in range(n):
        x = values[i]
        if x != x:
            continue
        count += 1.0
        total += x
        least = x if x < least else least
        most = x if x > most else most
        last = x
    bucket[0], bucket[room], bucket[2 * room] = count, total, least
    bucket[3 * room], bucket[4 * room] = most, last


cdef inline void fill_both(
    double *one, double *other, Py_ssize_t room, const double *a, const double *b, Py_ssize_t n
) noexcept nogil:
    # `fill_bucket` of two histories where no value is missing: their sums wait for nothing else.
    cdef double sum0 = one[room], sum1 = other[room]
    cdef double least0 = one[2 * room], least1 = other[2 * room]
    cdef double most0 = one[3 * room], most1 = other[3 * room]
    cdef Py_ssize_t i
    for i in range(n):
        sum0 += a[i]
        sum1 += b[i]
        least0 = a[i] if a[i] < least0 else least0
        least1 = b[i] if b[i] < least1 else least1
        most0 = a[i] if a[i] > most0 else most0
        most1 = b[i] if b[i] > most1 else most1
    one[0] += <double>n
    other[0] += <double>n
    one[room], one[2 * room], one[3 * room], one[4 * room] = sum0, least0, most0, a[n - 1]
    other[room], other[2 * room], other[3 * room], other[4 * room] = sum1, least1, most1, b[n - 1]


cdef inline void fill_buckets(
    double *one,
    double *other,
    Py_ssize_t room,
    int64_t base,
    int64_t width,
    int64_t start,
    const double *a,
    const double *b,
    Py_ssize_t n,
    bint holes,
) noexcept nogil:
    # Values of the rows from `start` on, of two histories with buckets alike. `holes`: whether any
    # may be NaN.
    cdef Py_ssize_t i = 0, end, at = <Py_ssize_t>(start // width - base)
    while i < n:
        end = <Py_ssize_t>min((at + base + 1) * width - start, <int64_t>n)
        if holes:
            fill_bucket(one + at, room, a + i, end - i)
            fill_bucket(other + at, room, b + i, end - i)
        else:
            fill_both(one + at, other + at, room, a + i, b + i, end - i)
        i = end
        at += 1
