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


cdef inline void adwin_drop(Parts *p, Py_ssize_t row, Py_ssize_t count) noexcept nogil:
    # Take the oldest `count` buckets out of a row.
    cdef Py_ssize_t most = <Py_ssize_t>p.settings[AD_MOST] + 1, k
    cdef double *totals = p.table + row * most
    cdef double *variances = p.table + (AD_MAX_ROWS + row) * most
    p.counters[AD_BUCKETS + row] -= count
    for k in range(p.counters[AD_BUCKETS + row]):
        totals[k] = totals[k + count]
        variances[k] = variances[k + count]


cdef enum:
    AD_AT_ONCE = 64
    AD_HALF = 33    # pairs of a row, at most

cdef extern from *:
    """
    static const double ad_none[64] = {0.0};  /* single values have no variance */
    """
    const double ad_none[64]


cdef inline void adwin_moments(Parts *p, const double *values, Py_ssize_t n) noexcept nogil:
    # Total and variance with values put in one after the other, n at most AD_AT_ONCE. Divisions
    # wait for nothing, so they are done several at a time; the sums keep their order.
    cdef double totals[AD_AT_ONCE]
    cdef double more[AD_AT_ONCE]
    cdef double width = p.numbers[AD_WIDTH], total = p.numbers[AD_TOTAL]
    cdef double variance = p.numbers[AD_VARIANCE], before, apart
    cdef Py_ssize_t i
    for i in range(n):
        totals[i] = total
        total += values[i]
    for i in range(n):
        before = width + <double>(<int>i)
        apart = values[i] - totals[i] / before
        more[i] = before * apart * apart / (before + 1.0)
    if width == 0.0 and n:
        more[0] = 0.0
    for i in range(n):
        variance += more[i]
    p.numbers[AD_WIDTH] = width + <double>n
    p.numbers[AD_TOTAL], p.numbers[AD_VARIANCE] = total, variance


cdef inline void adwin_pair(
    const double *totals,
    const double *variances,
    Py_ssize_t pairs,
    Py_ssize_t row,
    double *out_totals,
    double *out_variances,
) noexcept nogil:
    # Make one bucket of each two of a row. Powers of two: what is divided by them is exact, and so
    # is what is multiplied.
    cdef double n = bucket_size(row), share = 1.0 / n, mu0, mu1
    cdef Py_ssize_t i
    for i in range(pairs):
        mu0, mu1 = totals[2 * i] * share, totals[2 * i + 1] * share
        out_totals[i] = totals[2 * i] + totals[2 * i + 1]
        out_variances[i] = (variances[2 * i] + variances[2 * i + 1]) + (
            n * n * (mu0 - mu1) * (mu0 - mu1) * (0.5 * share)
        )


cdef inline void adwin_insert(Parts *p, const double *values, Py_ssize_t n) noexcept nogil:
    # Put values in, at most AD_AT_ONCE, between which nobody looks. Whenever a row has one bucket
    # too many, its two oldest become one of the next row. Which two these are does not depend on
    # when that is done, so it is done row by row for all values.
    cdef double pool[4][AD_HALF]
    cdef double joint[4]
    cdef const double *fresh = values      # of this row: totals, and variances
    cdef const double *spreads = ad_none
    cdef double *next_fresh
    cdef double *next_spreads
    cdef Py_ssize_t most = <Py_ssize_t>p.settings[AD_MOST], row = 0, have, pairs, old, used, left, i
    cdef double *totals
    cdef double *variances
    adwin_moments(p, values, n)
    while n:
        totals = p.table + row * (most + 1)
        variances = p.table + (AD_MAX_ROWS + row) * (most + 1)
        next_fresh, next_spreads = pool[2 * (row % 2)], pool[2 * (row % 2) + 1]
        have = p.counters[AD_BUCKETS + row]
        pairs = 0
        if have + n > most and row < AD_MAX_ROWS - 1:
            pairs = (have + n - most + 1) // 2
        # Those of the table, one of both kinds if they are odd in number, those that are new.
        old = min(have // 2, pairs)
        adwin_pair(totals, variances, old, row, next_fresh, next_spreads)
        used = 0
        if old < pairs and have % 2:
            joint[0], joint[1] = totals[have - 1], fresh[0]
            joint[2], joint[3] = variances[have - 1], spreads[0]
            adwin_pair(joint, joint + 2, 1, row, next_fresh + old, next_spreads + old)
            old += 1
            used = 1
        adwin_pair(
            fresh + used, spreads + used, pairs - old, row, next_fresh + old, next_spreads + old
        )
        # What is left of the table, then of what is new.
        left = max(have - 2 * pairs, 0)
        for i in range(left):
            totals[i], variances[i] = totals[have - left + i], variances[have - left + i]
        used = max(2 * pairs - have, 0)
        for i in range(n - used):
            totals[left + i], variances[left + i] = fresh[used + i], spreads[used + i]
        p.counters[AD_BUCKETS + row] = have + n - 2 * pairs
        n = pairs
        fresh, spreads = next_fresh, next_spreads
        row += 1
        if n and row == p.counters[AD_ROWS]:
            p.counters[AD_ROWS] += 1


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


# Most looks find nothing, far from anything: then the older cuts need not be compared each time. Of
# a cut that has n1 values behind it, k values that add up to d make (u0 / n0 - u1 / n1) into
# (that + (k u0 / n0 - d) / n1) n1 / (n1 + k), while the bound becomes at least (1 / n0 + 1 / n1 as
# it was: e) e n1 / (n1 + k), as the variance, which is a sum, and the logarithm only grow. So none
# of them differs while |k u0 / n0 - d| is at most n1 (e - |u0 / n0 - u1 / n1|) of each of them.

cdef enum:
    AD_RECENT = 128     # cuts with fewer values behind them are compared each time
    AD_MANY = 320       # older cuts; with more of them, all are compared each time
    AD_LASTS = 512      # values after which all are compared in any case

cdef struct Calm:
    bint there
    double width, total, mean, log_term     # as of the look that found it
    double room         # least of what |k u0 / n0 - d| may be
    double astray       # largest distance of u0 / n0 from the mean


cdef inline void adwin_calm(Parts *p, Calm *calm) noexcept nogil:
    # After a look that found nothing: how far the older cuts are from an alarm. Only for values in
    # [0, 1], where rounding is far less than the 1e-12 that is added for it.
    cdef double width = p.numbers[AD_WIDTH], total = p.numbers[AD_TOTAL], n0 = 0.0, u0 = 0.0, n, u
    cdef double spread = p.numbers[AD_VARIANCE] / width, mean = total / width, recip, apart, some
    cdef double log_term = log_(2.0 * log_(width) / p.settings[AD_DELTA]), least = width
    cdef double astray = 0.0
    cdef double ns[AD_MANY]
    cdef double us[AD_MANY]
    cdef Py_ssize_t most = <Py_ssize_t>p.settings[AD_MOST] + 1, row, k, found = 0
    cdef bint fits = True
    calm.there = False
    if p.settings[AD_SHORTEST] < 1.0 or width < 2 * AD_RECENT or not spread >= 0.0:
        return
    for row in range(p.counters[AD_ROWS] - 1, -1, -1):
        n = bucket_size(row)
        for k in range(p.counters[AD_BUCKETS + row]):
            u = p.table[row * most + k]
            fits = fits and 0.0 <= u <= n
            n0 += n
            u0 += u
            if width - n0 < AD_RECENT:
                continue
            if found == AD_MANY:
                return
            ns[found], us[found] = n0, u0
            found += 1
    if not fits:
        return
    for k in range(found):
        n, u = ns[k], us[k]
        recip = 1.0 / n + 1.0 / (width - n)
        apart = fabs(u / n - (total - u) / (width - n))
        some = (width - n) * (
            (1.0 - 1e-9) * (sqrt(2.0 * recip * spread * log_term) + 2.0 / 3.0 * log_term * recip)
            - apart
        )
        least = some if some < least else least
        apart = fabs(u / n - mean)
        astray = apart if apart > astray else astray
    calm.there = True
    calm.width, calm.total, calm.mean, calm.log_term = width, total, mean, log_term
    calm.room, calm.astray = least - 1e-9 - 1e-12 * width, astray + 1e-12


cdef inline bint adwin_still(Parts *p, const Calm *calm) noexcept nogil:
    # Whether it is certain that a look would find nothing.
    cdef double width = p.numbers[AD_WIDTH], total = p.numbers[AD_TOTAL], n1 = 0.0, u1 = 0.0, n
    cdef double more = width - calm.width, a, b, apart, slack = 1e-12 * total
    cdef double least = (1.0 - 1e-9) * 2.0 / 3.0 * calm.log_term * width
    cdef double most = (1.0 - 1e-9) * 2.0 * p.numbers[AD_VARIANCE] * calm.log_term
    cdef double ns[AD_AT_ONCE]
    cdef double us[AD_AT_ONCE]
    cdef double over[AD_AT_ONCE]
    cdef Py_ssize_t room = <Py_ssize_t>p.settings[AD_MOST] + 1, row = 0, k, found = 0
    if not calm.there or more > AD_LASTS:
        return False
    if fabs(more * calm.mean - (total - calm.total)) + more * calm.astray > calm.room:
        return False
    while n1 < AD_RECENT + more and row < p.counters[AD_ROWS]:
        n = bucket_size(row)
        if found + p.counters[AD_BUCKETS + row] > AD_AT_ONCE:
            return False
        for k in range(p.counters[AD_BUCKETS + row] - 1, -1, -1):
            n1 += n
            u1 += p.table[row * room + k]
            ns[found], us[found] = n1, u1
            found += 1
        row += 1
    for k in range(found):
        # As in `none_differs`.
        n = width - ns[k]
        a, b = (total - us[k]) * ns[k], us[k] * n
        apart = fabs(a - b) + (1e-12 * (a + b) + slack * n) - least
        apart = apart if apart > 0.0 else 0.0
        over[k] = apart * apart - most * (n * ns[k])
    for k in range(found):
        if over[k] > 0.0:
            return False
    return True


cdef inline Py_ssize_t adwin_run(Parts *p, const double *values, Py_ssize_t n) noexcept nogil:
    # Feed values up to the first alarm; its index, or -1.
    cdef int64_t clock = <int64_t>p.settings[AD_CLOCK], left = clock - p.counters[SEEN] % clock
    cdef double taken[AD_AT_ONCE]
    cdef const double *some
    cdef Py_ssize_t i = 0, found, j
    cdef int change, odd
    cdef Calm calm
    calm.there = False
    if p.counters[ALARMED]:
        while i < n and values[i] != values[i]:
            i += 1
        if i == n:
            return -1
        p.counters[ALARMED] = p.counters[WARNING] = p.counters[SEEN] = 0
        adwin_reset(p)
        left = clock
    while i < n:
        # As many as come before the next look; they lie there already, unless some are missing.
        some = values + i
        found = min(min(left, AD_AT_ONCE), n - i)
        odd = 0
        for j in range(found):
            odd |= not 0.0 <= some[j] <= 1.0
        if not odd:
            i += found
        else:
            found = 0
            while i < n and found < min(left, AD_AT_ONCE):
                taken[found] = values[i]
                found += values[i] == values[i]
                i += 1
            some = taken
            calm.there = False
        p.counters[SEEN] += found
        adwin_insert(p, some, found)
        left -= found
        if left:
            continue
        left = clock
        if adwin_still(p, &calm):
            continue
        change = adwin_look(p)
        if change:
            p.counters[ALARMED] = change
            return i - 1
        adwin_calm(p, &calm)
    return -1
