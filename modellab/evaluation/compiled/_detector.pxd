# What all drift detectors work on, and ADWIN (Bifet and Gavalda 2007). Part of `_drift`.
from libc.math cimport fabs, sqrt
from libc.stdint cimport int64_t, uint32_t

from modellab.learners.compiled._math cimport log_

# Places in `counters` that all detectors share. At ALARMED: 0, or what the alarm was.
cdef enum:
    ALARMED = 0
    WARNING = 1
    SEEN = 2

cdef enum:
    FELL = 1
    ROSE = 2

cdef struct Parts:
    const double *settings
    double *numbers
    int64_t *counters
    double *table
    uint32_t *words


# ------------------------------------------------------------------ ADWIN
# `table`: totals of the buckets (64 rows, most + 1), then their variances. Row r holds buckets of
# 2^r values, oldest first; `counters` from BUCKETS on: how many of them.

cdef enum:
    AD_DELTA = 0
    AD_CLOCK = 1
    AD_MOST = 2
    AD_SHORTEST = 3
    AD_GRACE = 4

    AD_TOTAL = 0
    AD_VARIANCE = 1
    AD_WIDTH = 2

    AD_ROWS = 3
    AD_BUCKETS = 4

    AD_MAX_ROWS = 64


cdef inline double bucket_size(Py_ssize_t row) noexcept nogil:
    return <double>(<int64_t>1 << row)


cdef inline void adwin_reset(Parts *p) noexcept nogil:
    cdef Py_ssize_t r
    p.numbers[AD_TOTAL] = p.numbers[AD_VARIANCE] = p.numbers[AD_WIDTH] = 0.0
    p.counters[AD_ROWS] = 1
    for r in range(AD_MAX_ROWS):
        p.counters[AD_BUCKETS + r] = 0


cdef inline void adwin_put(Parts *p, Py_ssize_t row, double total, double variance) noexcept nogil:
    cdef Py_ssize_t most = <Py_ssize_t>p.settings[AD_MOST] + 1
    cdef Py_ssize_t at = row * most + p.counters[AD_BUCKETS + row]
    p.table[at] = total
    p.table[AD_MAX_ROWS * most + at] = variance
    p.counters[AD_BUCKETS + row] += 1


cdef inline void adwin_drop(Parts *p, Py_ssize_t row, Py_ssize_t count) noexcept nogil:
    # Take the oldest `count` buckets out of a row.
    cdef Py_ssize_t most = <Py_ssize_t>p.settings[AD_MOST] + 1, k
    cdef double *totals = p.table + row * most
    cdef double *variances = p.table + (AD_MAX_ROWS + row) * most
    p.counters[AD_BUCKETS + row] -= count
    for k in range(p.counters[AD_BUCKETS + row]):
        totals[k] = totals[k + count]
        variances[k] = variances[k + count]


cdef inline void adwin_insert(Parts *p, double x) noexcept nogil:
    cdef double before = p.numbers[AD_WIDTH], apart, n, u0, u1, mu0, mu1, between, share = 1.0
    cdef Py_ssize_t most = <Py_ssize_t>p.settings[AD_MOST], row = 0
    cdef double *totals
    cdef double *variances
    adwin_put(p, 0, x, 0.0)
    p.numbers[AD_WIDTH] = before + 1.0
    if before > 0.0:
        apart = x - p.numbers[AD_TOTAL] / before
        p.numbers[AD_VARIANCE] += before * apart * apart / p.numbers[AD_WIDTH]
    p.numbers[AD_TOTAL] += x
    # Two oldest buckets of a full row become one of the next.
    while row < AD_MAX_ROWS - 1 and p.counters[AD_BUCKETS + row] == most + 1:
        if row + 1 == p.counters[AD_ROWS]:
            p.counters[AD_ROWS] += 1
        totals = p.table + row * (most + 1)
        variances = p.table + (AD_MAX_ROWS + row) * (most + 1)
        # Powers of two: what is divided by them is exact, and so is what is multiplied.
        n = bucket_size(row)
        u0, u1 = totals[0], totals[1]
        mu0, mu1 = u0 * share, u1 * share
        between = n * n * (mu0 - mu1) * (mu0 - mu1) * (0.5 * share)
        share *= 0.5
        adwin_put(p, row + 1, u0 + u1, variances[0] + variances[1] + between)
        adwin_drop(p, row, 2)
        row += 1


cdef inline double adwin_delete(Parts *p) noexcept nogil:
    # Forget the oldest bucket; return how many values it held.
    cdef Py_ssize_t most = <Py_ssize_t>p.settings[AD_MOST] + 1, row = p.counters[AD_ROWS] - 1
    cdef double n = bucket_size(row), total = p.table[row * most], mean = total / n
    cdef double own = p.table[(AD_MAX_ROWS + row) * most], rest
    p.numbers[AD_WIDTH] -= n
    p.numbers[AD_TOTAL] -= total
    rest = p.numbers[AD_TOTAL] / p.numbers[AD_WIDTH]
    p.numbers[AD_VARIANCE] -= (
        own + n * p.numbers[AD_WIDTH] * (mean - rest) * (mean - rest) / (n + p.numbers[AD_WIDTH])
    )
    adwin_drop(p, row, 1)
    if p.counters[AD_BUCKETS + row] == 0 and row > 0:
        p.counters[AD_ROWS] -= 1
    return n


cdef enum:
    AD_AT_ONCE = 64


cdef inline bint none_differs(
    const double *n0,
    const double *n1,
    const double *u0,
    const double *u1,
    Py_ssize_t count,
    double width,
    double spread,
    double log_term,
) noexcept nogil:
    # Whether it is certain that `differ` finds none, without its divisions and roots. Its bound is
    # at least that with the sides' whole lengths, as 1 / n0 + 1 / n1 is width / (n0 n1). Both are
    # multiplied by n0 n1; what rounding may do is far less than what is added and left out here.
    cdef double over[AD_AT_ONCE]
    cdef double least = (1.0 - 1e-9) * 2.0 / 3.0 * log_term * width
    cdef double most = (1.0 - 1e-9) * 2.0 * spread * log_term * width
    cdef double a, b, apart
    cdef Py_ssize_t i
    for i in range(count):
        a, b = u0[i] * n1[i], u1[i] * n0[i]
        apart = fabs(a - b) + 1e-12 * (fabs(a) + fabs(b)) - least
        apart = apart if apart > 0.0 else 0.0
        over[i] = apart * apart - most * (n0[i] * n1[i])
    for i in range(count):
        if over[i] > 0.0:
            return False
    return True


cdef inline bint differ(
    const double *n0,
    const double *n1,
    const double *u0,
    const double *u1,
    Py_ssize_t count,
    double shortest,
    double spread,
    double log_term,
) noexcept nogil:
    # Whether the means on both sides of any of the cuts are further apart than chance allows.
    cdef double apart[AD_AT_ONCE]
    cdef double recip
    cdef Py_ssize_t i
    for i in range(count):
        recip = 1.0 / (n0[i] - shortest + 1.0) + 1.0 / (n1[i] - shortest + 1.0)
        apart[i] = fabs(u0[i] / n0[i] - u1[i] / n1[i]) - (
            sqrt(2.0 * recip * spread * log_term) + 2.0 / 3.0 * log_term * recip
        )
    for i in range(count):
        if apart[i] > 0.0:
            return True
    return False


cdef inline bint adwin_cut(Parts *p) noexcept nogil:
    # Look for a cut of the window whose sides differ; if there is one, forget the oldest bucket.
    # Cuts are collected, then compared in groups: divisions and roots are done several at a time.
    cdef double shortest = p.settings[AD_SHORTEST], width = p.numbers[AD_WIDTH]
    cdef double log_term = log_(2.0 * log_(width) / p.settings[AD_DELTA])
    cdef double spread = p.numbers[AD_VARIANCE] / width
    cdef double n0 = 0.0, n1 = width, u0 = 0.0, u1 = p.numbers[AD_TOTAL], n, u
    cdef double ns0[AD_AT_ONCE]
    cdef double ns1[AD_AT_ONCE]
    cdef double us0[AD_AT_ONCE]
    cdef double us1[AD_AT_ONCE]
    cdef Py_ssize_t most = <Py_ssize_t>p.settings[AD_MOST] + 1, row, k, found = 0
    # Where numbers may become too large to tell, it is not asked for the quick answer.
    cdef bint quick = (
        shortest >= 1.0
        and fabs(p.numbers[AD_TOTAL]) < 1e60
        and 0.0 <= p.numbers[AD_VARIANCE] < 1e60
    )
    for row in range(p.counters[AD_ROWS] - 1, -1, -1):
        n = bucket_size(row)
        for k in range(p.counters[AD_BUCKETS + row]):
            u = p.table[row * most + k]
            n0 += n
            n1 -= n
            u0 += u
            u1 -= u
            if row == 0 and k == p.counters[AD_BUCKETS] - 1:
                break
            if n0 < shortest or n1 < shortest:
                continue
            ns0[found], ns1[found], us0[found], us1[found] = n0, n1, u0, u1
            found += 1
            if found == AD_AT_ONCE:
                if not (
                    quick and none_differs(ns0, ns1, us0, us1, found, width, spread, log_term)
                ) and differ(ns0, ns1, us0, us1, found, shortest, spread, log_term):
                    adwin_delete(p)
                    return True
                found = 0
    if quick and none_differs(ns0, ns1, us0, us1, found, width, spread, log_term):
        return False
    if differ(ns0, ns1, us0, us1, found, shortest, spread, log_term):
        adwin_delete(p)
        return True
    return False


cdef inline int adwin_look(Parts *p) noexcept nogil:
    # A rise: what it keeps lies higher than the whole did, and so than what it forgets.
    cdef bint changed = False
    cdef double before = p.numbers[AD_TOTAL] / p.numbers[AD_WIDTH]
    if p.numbers[AD_WIDTH] > p.settings[AD_GRACE]:
        while p.numbers[AD_WIDTH] > 1.0 and adwin_cut(p):
            changed = True
    if not changed:
        return 0
    return ROSE if p.numbers[AD_TOTAL] / p.numbers[AD_WIDTH] > before else FELL


cdef inline Py_ssize_t adwin_run(Parts *p, const double *values, Py_ssize_t n) noexcept nogil:
    # Feed values up to the first alarm; its index, or -1.
    cdef int64_t clock = <int64_t>p.settings[AD_CLOCK], left = clock - p.counters[SEEN] % clock
    cdef Py_ssize_t i
    cdef int change
    for i in range(n):
        if values[i] != values[i]:
            continue
        if p.counters[ALARMED]:
            p.counters[ALARMED] = p.counters[WARNING] = p.counters[SEEN] = 0
            adwin_reset(p)
            left = clock
        p.counters[SEEN] += 1
        adwin_insert(p, values[i])
        left -= 1
        if left:
            continue
        left = clock
        change = adwin_look(p)
        if change:
            p.counters[ALARMED] = change
            return i
    return -1
