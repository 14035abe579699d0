# ADWIN (Bifet and Gavalda 2007) over a fixed piece of memory, with the arithmetic and the checks of
# river's ADWIN (clock 32, 5 buckets of a size, sub-windows of at least 5, nothing before 10 values).
from libc.math cimport fabs, sqrt
from libc.stdint cimport int32_t, int64_t
from libc.string cimport memmove, memset

from modellab.learners.compiled._math cimport log_

cdef enum:
    ADWIN_LEVELS = 32    # buckets of 2^0 to 2^31 values: over ten thousand million of them
    ADWIN_BUCKETS = 5    # two are joined when there is one more
    ADWIN_CLOCK = 32
    ADWIN_LEAST = 5
    ADWIN_GRACE = 10

cdef struct Adwin:
    double total[ADWIN_LEVELS][ADWIN_BUCKETS + 1]   # oldest first
    double spread[ADWIN_LEVELS][ADWIN_BUCKETS + 1]  # sums of squared differences from their mean
    double width, sum, variance
    int64_t ticks
    int32_t count[ADWIN_LEVELS]
    int32_t levels


cdef inline void adwin_reset(Adwin *a) noexcept nogil:
    memset(a, 0, sizeof(Adwin))
    a.levels = 1


cdef inline double adwin_mean(const Adwin *a) noexcept nogil:
    return a.sum / a.width if a.width > 0.0 else 0.0


cdef inline double bucket_size(Py_ssize_t level) noexcept nogil:
    return <double>(<int64_t>1 << level)


cdef inline void adwin_insert(Adwin *a, Py_ssize_t level, double total, double spread) noexcept nogil:
    a.total[level][a.count[level]] = total
    a.spread[level][a.count[level]] = spread
    a.count[level] += 1


cdef inline void adwin_remove(Adwin *a, Py_ssize_t level, Py_ssize_t n) noexcept nogil:
    # The n oldest buckets of a level.
    cdef size_t rest = (a.count[level] - n) * sizeof(double)
    memmove(&a.total[level][0], &a.total[level][n], rest)
    memmove(&a.spread[level][0], &a.spread[level][n], rest)
    a.count[level] -= <int32_t>n


cdef inline double adwin_drop(Adwin *a) noexcept nogil:
    # Forget the oldest bucket; returns how many values it held.
    cdef Py_ssize_t level = a.levels - 1
    cdef double n = bucket_size(level), u = a.total[level][0], apart
    a.width -= n
    a.sum -= u
    if a.width > 0.0:
        apart = u / n - a.sum / a.width
        a.variance -= a.spread[level][0] + n * a.width * apart * apart / (n + a.width)
    else:
        a.variance = 0.0
    adwin_remove(a, level, 1)
    while a.levels > 1 and a.count[a.levels - 1] == 0:
        a.levels -= 1
    return n


cdef inline void adwin_compress(Adwin *a) noexcept nogil:
    cdef Py_ssize_t level = 0
    cdef double n, apart
    while a.count[level] == ADWIN_BUCKETS + 1:
        if level == ADWIN_LEVELS - 1:
            adwin_drop(a)
            return
        if level + 1 == a.levels:
            a.levels += 1
        n = bucket_size(level)
        apart = a.total[level][0] / n - a.total[level][1] / n
        adwin_insert(
            a,
            level + 1,
            a.total[level][0] + a.total[level][1],
            a.spread[level][0] + a.spread[level][1] + n * n * apart * apart / (n + n),
        )
        adwin_remove(a, level, 2)
        level += 1


cdef inline bint adwin_cut(const Adwin *a, double n0, double n1, double apart, double delta) noexcept nogil:
    cdef double doubt = log_(2.0 * log_(a.width) / delta)
    cdef double share = 1.0 / (n0 - ADWIN_LEAST + 1.0) + 1.0 / (n1 - ADWIN_LEAST + 1.0)
    cdef double bound = sqrt(2.0 * share * (a.variance / a.width) * doubt) + 2.0 / 3.0 * doubt * share
    return fabs(apart) > bound


cdef inline bint adwin_scan(Adwin *a, double delta) noexcept nogil:
    # One walk over the cuts from the oldest; at the first that shows a change the oldest bucket goes.
    cdef double n0 = 0.0, n1 = a.width, u0 = 0.0, u1 = a.sum, n
    cdef Py_ssize_t level = a.levels - 1, k
    while level >= 0:
        n = bucket_size(level)
        for k in range(a.count[level] - (1 if level == 0 else 0)):
            n0 += n
            n1 -= n
            u0 += a.total[level][k]
            u1 -= a.total[level][k]
            if n0 >= ADWIN_LEAST and n1 >= ADWIN_LEAST:
                if adwin_cut(a, n0, n1, u0 / n0 - u1 / n1, delta):
                    adwin_drop(a)
                    return True
        level -= 1
    return False


cdef inline bint adwin_add(Adwin *a, double value, double delta) noexcept nogil:
    # Take a value in; True when the window was cut because its mean has changed.
    cdef bint changed = False
    cdef double apart
    a.width += 1.0
    if a.width > 1.0:
        apart = value - a.sum / (a.width - 1.0)
        a.variance += (a.width - 1.0) * apart * apart / a.width
    a.sum += value
    adwin_insert(a, 0, value, 0.0)
    adwin_compress(a)
    a.ticks += 1
    if a.ticks % ADWIN_CLOCK == 0 and a.width > ADWIN_GRACE:
        while a.width > ADWIN_GRACE and adwin_scan(a, delta):
            changed = True
    return changed


cdef inline bint adwin_is_sound(const Adwin *a) noexcept nogil:
    # Whether its buckets are where they can be: a loaded state may have been damaged.
    cdef Py_ssize_t level
    if not 1 <= a.levels <= ADWIN_LEVELS:
        return False
    for level in range(ADWIN_LEVELS):
        if not 0 <= a.count[level] <= (ADWIN_BUCKETS if level < a.levels else 0):
            return False
    return a.levels == 1 or a.count[a.levels - 1] > 0
