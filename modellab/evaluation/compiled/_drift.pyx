"""Drift detectors, value by value: the inner loops.

`run` works on the arrays of a state made by `modellab.evaluation.detectors_compiled`, which also
names the places in them; nothing here allocates, and the loop does not hold the interpreter lock.
Every sum is done in river's order of operations, so that the alarms are the same to the row.
"""
from libc.math cimport fabs, sqrt
from libc.stdint cimport int64_t, uint32_t
from libc.stdlib cimport qsort

from modellab.evaluation.compiled._detector cimport *

cdef double INFINITE = float("inf")

cdef enum Kind:
    ADWIN = 0
    DDM = 1
    EDDM = 2
    HDDM_A = 3
    HDDM_W = 4
    PAGE_HINKLEY = 5
    KSWIN = 6

# ------------------------------------------------------------------ DDM, EDDM

cdef enum:
    DDM_WARM = 0
    DDM_WARN = 1
    DDM_DRIFT = 2

    DDM_MEAN = 0
    DDM_P_MIN = 1
    DDM_S_MIN = 2
    DDM_SUM_MIN = 3

    EDDM_WARM = 0
    EDDM_ALPHA = 1
    EDDM_BETA = 2

    EDDM_MEAN = 0
    EDDM_SQUARES = 1
    EDDM_MOST = 2

    EDDM_LAST = 3
    EDDM_ERRORS = 4


cdef bint ddm(Parts *p, double x) noexcept nogil:
    cdef double n = <double>p.counters[SEEN], mean, spread
    p.numbers[DDM_MEAN] += (1.0 / n) * (x - p.numbers[DDM_MEAN])
    mean = p.numbers[DDM_MEAN]
    if n <= p.settings[DDM_WARM]:
        return False
    spread = mean * (1.0 - mean) / n
    spread = sqrt(spread) if spread > 0.0 else 0.0
    if mean + spread <= p.numbers[DDM_SUM_MIN]:
        p.numbers[DDM_P_MIN] = mean
        p.numbers[DDM_S_MIN] = spread
        p.numbers[DDM_SUM_MIN] = mean + spread
    p.counters[WARNING] = (
        mean + spread > p.numbers[DDM_P_MIN] + p.settings[DDM_WARN] * p.numbers[DDM_S_MIN]
    )
    if mean + spread > p.numbers[DDM_P_MIN] + p.settings[DDM_DRIFT] * p.numbers[DDM_S_MIN]:
        p.counters[WARNING] = 0
        return True
    return False


cdef bint eddm(Parts *p, double x) noexcept nogil:
    cdef double gap, before, mean, spread, errors, level
    if x != 1.0:
        return False
    p.counters[EDDM_ERRORS] += 1
    errors = <double>p.counters[EDDM_ERRORS]
    gap = <double>(p.counters[SEEN] - p.counters[EDDM_LAST])
    p.counters[EDDM_LAST] = p.counters[SEEN]
    before = p.numbers[EDDM_MEAN]
    mean = before + (1.0 / errors) * (gap - before)
    p.numbers[EDDM_MEAN] = mean
    p.numbers[EDDM_SQUARES] += (gap - before) * (gap - mean)
    if <double>p.counters[SEEN] <= p.settings[EDDM_WARM]:
        return False
    spread = sqrt(p.numbers[EDDM_SQUARES] / (errors - 1.0)) if errors > 1.0 else 0.0
    level = mean + 2.0 * spread
    if level > p.numbers[EDDM_MOST]:
        p.numbers[EDDM_MOST] = level
    elif errors > p.settings[EDDM_WARM]:
        level = level / p.numbers[EDDM_MOST]
        if level < p.settings[EDDM_BETA]:
            return True
        p.counters[WARNING] = level < p.settings[EDDM_ALPHA]
    return False


# ------------------------------------------------------------------ HDDM-A, HDDM-W
# Settings hold the logarithms of the confidences (see detectors_compiled).

cdef enum:
    HA_CUT = 0        # ln(1 / drift confidence)
    HA_DRIFT = 1      # ln(2 / drift confidence)
    HA_WARN = 2       # ln(2 / warning confidence)

    HA_MEAN = 0
    HA_MIN_MEAN = 1

    HA_MIN_N = 3

    HW_CUT = 0        # ln(1 / drift confidence)
    HW_WARN = 1       # ln(1 / warning confidence)
    HW_LAMBDA = 2

    HW_MEAN = 0
    HW_IBC = 1
    HW_FIRST_MEAN = 2
    HW_FIRST_IBC = 3
    HW_SECOND_MEAN = 4
    HW_SECOND_IBC = 5
    HW_CUTPOINT = 6

    HW_SECOND_N = 3


cdef bint hddm_a(Parts *p, double x) noexcept nogil:
    cdef double n = <double>p.counters[SEEN], low, mean, m
    p.numbers[HA_MEAN] += (1.0 / n) * (x - p.numbers[HA_MEAN])
    mean = p.numbers[HA_MEAN]
    low = <double>p.counters[HA_MIN_N]
    if low == 0.0 or (
        p.numbers[HA_MIN_MEAN] + sqrt(1.0 / (2.0 * low) * p.settings[HA_CUT])
        >= mean + sqrt(1.0 / (2.0 * n) * p.settings[HA_CUT])
    ):
        p.numbers[HA_MIN_MEAN] = mean
        p.counters[HA_MIN_N] = p.counters[SEEN]
        p.counters[WARNING] = 0
        return False
    m = (n - low) / low * (1.0 / n)
    p.counters[WARNING] = 0
    if mean - p.numbers[HA_MIN_MEAN] >= sqrt(m / 2.0 * p.settings[HA_DRIFT]):
        return True
    if mean - p.numbers[HA_MIN_MEAN] >= sqrt(m / 2.0 * p.settings[HA_WARN]):
        p.counters[WARNING] = 1
    return False


cdef inline double faded(double mean, double x, double rate) noexcept nogil:
    return rate * x + (1.0 - rate) * mean


cdef bint hddm_w(Parts *p, double x) noexcept nogil:
    cdef double rate = p.settings[HW_LAMBDA], squared = rate * rate
    cdef double kept = (1.0 - rate) * (1.0 - rate), bound, both, apart
    p.numbers[HW_MEAN] = x if p.counters[SEEN] == 1 else faded(p.numbers[HW_MEAN], x, rate)
    p.numbers[HW_IBC] = squared + kept * p.numbers[HW_IBC]
    p.counters[WARNING] = 0
    bound = p.numbers[HW_MEAN] + sqrt(p.numbers[HW_IBC] * p.settings[HW_CUT] / 2.0)
    if bound < p.numbers[HW_CUTPOINT]:
        p.numbers[HW_CUTPOINT] = bound
        p.numbers[HW_FIRST_MEAN] = p.numbers[HW_MEAN]
        p.numbers[HW_FIRST_IBC] = p.numbers[HW_IBC]
        p.numbers[HW_SECOND_IBC] = 1.0
        p.counters[HW_SECOND_N] = 0
        return False
    p.numbers[HW_SECOND_MEAN] = (
        x if p.counters[HW_SECOND_N] == 0 else faded(p.numbers[HW_SECOND_MEAN], x, rate)
    )
    p.numbers[HW_SECOND_IBC] = squared + kept * p.numbers[HW_SECOND_IBC]
    p.counters[HW_SECOND_N] += 1
    both = p.numbers[HW_FIRST_IBC] + p.numbers[HW_SECOND_IBC]
    apart = p.numbers[HW_SECOND_MEAN] - p.numbers[HW_FIRST_MEAN]
    if apart > sqrt(both * p.settings[HW_CUT] / 2.0):
        return True
    if apart > sqrt(both * p.settings[HW_WARN] / 2.0):
        p.counters[WARNING] = 1
    return False


# ------------------------------------------------------------------ Page-Hinkley

cdef enum:
    PH_FIRST = 0
    PH_DELTA = 1
    PH_THRESHOLD = 2
    PH_ALPHA = 3

    PH_MEAN = 0
    PH_UP = 1
    PH_DOWN = 2
    PH_LOWEST = 3
    PH_HIGHEST = 4


cdef int page_hinkley(Parts *p, double x) noexcept nogil:
    # Of its two sums, the one that went further says which way.
    cdef double n = <double>p.counters[SEEN], apart, up, down
    p.numbers[PH_MEAN] += (1.0 / n) * (x - p.numbers[PH_MEAN])
    apart = x - p.numbers[PH_MEAN]
    p.numbers[PH_UP] = p.settings[PH_ALPHA] * p.numbers[PH_UP] + apart - p.settings[PH_DELTA]
    p.numbers[PH_DOWN] = p.settings[PH_ALPHA] * p.numbers[PH_DOWN] + apart + p.settings[PH_DELTA]
    if p.numbers[PH_UP] < p.numbers[PH_LOWEST]:
        p.numbers[PH_LOWEST] = p.numbers[PH_UP]
    if p.numbers[PH_DOWN] > p.numbers[PH_HIGHEST]:
        p.numbers[PH_HIGHEST] = p.numbers[PH_DOWN]
    if n < p.settings[PH_FIRST]:
        return 0
    up = p.numbers[PH_UP] - p.numbers[PH_LOWEST]
    down = p.numbers[PH_HIGHEST] - p.numbers[PH_DOWN]
    if not (up > p.settings[PH_THRESHOLD] or down > p.settings[PH_THRESHOLD]):
        return 0
    return ROSE if up > down else FELL


# ------------------------------------------------------------------ KSWIN
# `table`: the window as a ring, then room for the two samples. `words`: the generator (MT19937,
# 624 words and the next place), then room for the drawing of samples.

cdef enum:
    KS_WINDOW = 0
    KS_STAT = 1
    KS_APART = 2      # smallest number of steps between the two staircases that is an alarm
    KS_POOL = 3       # up to this population the sample is drawn out of a pool, as Python does

    KS_NEXT = 3       # where the next value goes

    MT_N = 624
    MT_M = 397


cdef uint32_t mt_word(uint32_t *mt) noexcept nogil:
    cdef uint32_t y
    cdef Py_ssize_t k
    if mt[MT_N] >= MT_N:
        for k in range(MT_N):
            y = (mt[k] & <uint32_t>0x80000000) | (mt[(k + 1) % MT_N] & <uint32_t>0x7FFFFFFF)
            mt[k] = mt[(k + MT_M) % MT_N] ^ (y >> 1) ^ (<uint32_t>0x9908B0DF if y & 1 else 0)
        mt[MT_N] = 0
    y = mt[mt[MT_N]]
    mt[MT_N] += 1
    y ^= y >> 11
    y ^= (y << 7) & <uint32_t>0x9D2C5680
    y ^= (y << 15) & <uint32_t>0xEFC60000
    return y ^ (y >> 18)


cdef uint32_t mt_below(uint32_t *mt, uint32_t n) noexcept nogil:
    cdef int shift = 32
    cdef uint32_t rest = n, found
    while rest:
        shift -= 1
        rest >>= 1
    found = mt_word(mt) >> shift
    while found >= n:
        found = mt_word(mt) >> shift
    return found


cdef int by_value(const void *a, const void *b) noexcept nogil:
    cdef double x = (<const double *>a)[0], y = (<const double *>b)[0]
    return (x > y) - (x < y)


cdef void sort_values(double *values, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i, k
    cdef double x
    if n > 64:
        qsort(values, n, sizeof(double), by_value)
        return
    for i in range(1, n):
        x = values[i]
        k = i
        while k > 0 and values[k - 1] > x:
            values[k] = values[k - 1]
            k -= 1
        values[k] = x


cdef Py_ssize_t steps_apart(const double *a, const double *b, Py_ssize_t n) noexcept nogil:
    # Two sorted samples of the same size: largest distance of their staircases, in steps of 1/n.
    cdef Py_ssize_t i = 0, k = 0, most = 0, apart
    cdef double x
    while i < n and k < n:
        x = a[i] if a[i] < b[k] else b[k]
        while i < n and a[i] == x:
            i += 1
        while k < n and b[k] == x:
            k += 1
        apart = i - k if i > k else k - i
        if apart > most:
            most = apart
    return most


cdef bint newest_are_higher(const Parts *p) noexcept nogil:
    # Whether the newest values of a full window lie higher on average than all those before them.
    cdef Py_ssize_t window = <Py_ssize_t>p.settings[KS_WINDOW], size = <Py_ssize_t>p.settings[KS_STAT]
    cdef Py_ssize_t old = window - size, k, at
    cdef double before = 0.0, newest = 0.0
    for k in range(window):
        at = p.counters[KS_NEXT] + k
        if at >= window:
            at -= window
        if k < old:
            before += p.table[at]
        else:
            newest += p.table[at]
    return newest * <double>old > before * <double>size


cdef int kswin(Parts *p, double x) noexcept nogil:
    cdef Py_ssize_t window = <Py_ssize_t>p.settings[KS_WINDOW], size = <Py_ssize_t>p.settings[KS_STAT]
    cdef Py_ssize_t old = window - size, k, at, first
    cdef double *drawn = p.table + window
    cdef double *recent = p.table + window + size
    cdef uint32_t *pool = p.words + MT_N + 1
    cdef uint32_t place, taken
    p.table[p.counters[KS_NEXT]] = x
    p.counters[KS_NEXT] = (p.counters[KS_NEXT] + 1) % window
    if p.counters[SEEN] < window:
        return 0
    first = p.counters[KS_NEXT]  # of the full ring: the oldest value
    if <double>old <= p.settings[KS_POOL]:
        for k in range(old):
            pool[k] = <uint32_t>k
        for k in range(size):
            place = mt_below(p.words, <uint32_t>(old - k))
            at = first + pool[place]
            drawn[k] = p.table[at - window if at >= window else at]
            pool[place] = pool[old - k - 1]
    else:
        # Places already taken carry the mark of this row.
        if p.counters[SEEN] == window:
            for k in range(old):
                pool[k] = 0
        taken = <uint32_t>p.counters[SEEN]
        for k in range(size):
            place = mt_below(p.words, <uint32_t>old)
            while pool[place] == taken:
                place = mt_below(p.words, <uint32_t>old)
            pool[place] = taken
            at = first + place
            drawn[k] = p.table[at - window if at >= window else at]
    for k in range(size):
        at = first + old + k
        recent[k] = p.table[at - window if at >= window else at]
    sort_values(drawn, size)
    sort_values(recent, size)
    if <double>steps_apart(drawn, recent, size) < p.settings[KS_APART]:
        return 0
    return ROSE if newest_are_higher(p) else FELL


# ------------------------------------------------------------------ all of them


cdef void begin(int kind, Parts *p) noexcept nogil:
    # As new (the generator of KSWIN is set by the caller).
    cdef Py_ssize_t k
    p.counters[ALARMED] = p.counters[WARNING] = p.counters[SEEN] = 0
    if kind == ADWIN:
        adwin_reset(p)
        return
    for k in range(8):
        p.numbers[k] = 0.0
    for k in range(3, 5):
        p.counters[k] = 0
    if kind == DDM:
        p.numbers[DDM_SUM_MIN] = INFINITE
    elif kind == EDDM:
        p.numbers[EDDM_MOST] = -1.0
    elif kind == HDDM_W:
        p.numbers[HW_IBC] = p.numbers[HW_SECOND_IBC] = 1.0
        p.numbers[HW_CUTPOINT] = INFINITE
    elif kind == PAGE_HINKLEY:
        p.numbers[PH_LOWEST] = INFINITE
        p.numbers[PH_HIGHEST] = -1.0


cdef inline int one(int kind, Parts *p, double x) noexcept nogil:
    p.counters[SEEN] += 1
    # These look for rises only.
    if kind == DDM:
        return ROSE if ddm(p, x) else 0
    if kind == EDDM:
        return ROSE if eddm(p, x) else 0
    if kind == HDDM_A:
        return ROSE if hddm_a(p, x) else 0
    if kind == HDDM_W:
        return ROSE if hddm_w(p, x) else 0
    if kind == PAGE_HINKLEY:
        return page_hinkley(p, x)
    return kswin(p, x)


def run(
    int kind,
    const double[::1] settings,
    double[::1] numbers,
    int64_t[::1] counters,
    double[::1] table,
    uint32_t[::1] words,
    const uint32_t[::1] seeded,
    const double[::1] values,
):
    """Feed `values` in order up to the first alarm; return its index, or -1.

    The arrays are those of a state (`modellab.evaluation.detectors_compiled`) and are changed in
    place; `seeded` is what `words` begins with. NaN is skipped.
    """
    cdef Parts p
    cdef Py_ssize_t i, n = values.shape[0], k, found = -1
    cdef int change
    cdef double x
    p.settings = &settings[0]
    p.numbers = &numbers[0]
    p.counters = &counters[0]
    p.table = &table[0]
    p.words = &words[0]
    if kind == ADWIN:
        with nogil:
            found = adwin_run(&p, &values[0], n) if n else -1
        return found
    with nogil:
        for i in range(n):
            x = values[i]
            if x != x:
                continue
            if p.counters[ALARMED]:
                begin(kind, &p)
                for k in range(seeded.shape[0]):
                    p.words[k] = seeded[k]
            change = one(kind, &p, x)
            if change:
                p.counters[ALARMED] = change
                found = i
                break
    return found


def reset(
    int kind,
    double[::1] numbers,
    int64_t[::1] counters,
    uint32_t[::1] words,
    const uint32_t[::1] seeded,
):
    """Put the arrays of a state back to what they are before the first value."""
    cdef Parts p
    cdef Py_ssize_t k
    p.numbers = &numbers[0]
    p.counters = &counters[0]
    p.words = &words[0]
    begin(kind, &p)
    for k in range(seeded.shape[0]):
        p.words[k] = seeded[k]
