# Sums over rows of two classes, told by their codes, in the order of additions that is promised. Part
# of `_two_classes`.
from libc.math cimport NAN
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcpy, memset

from modellab.evaluation.compiled._summing cimport *
from modellab.evaluation.compiled._two_rows cimport wrong_of

cdef struct Counts:
    int64_t second, says_second, both, wrong, majority, nochange, shares, no_majority, no_nochange


cdef inline void count_codes(const unsigned char *codes, Py_ssize_t n, Counts *found) noexcept nogil:
    # How many rows have each bit; added to what was found. Eight rows at a time, in bytes that may
    # count up to 255.
    cdef uint64_t ones = <uint64_t>0x0101010101010101, x, wrong
    cdef uint64_t sums[9]
    cdef int64_t *totals[9]
    cdef Py_ssize_t i = 0, end, k, b
    totals[0], totals[1], totals[2] = &found.second, &found.says_second, &found.both
    totals[3], totals[4], totals[5] = &found.wrong, &found.majority, &found.nochange
    totals[6], totals[7], totals[8] = &found.shares, &found.no_majority, &found.no_nochange
    while n - i >= 8:
        for k in range(9):
            sums[k] = 0
        end = min(n - n % 8 - i, 255 * 8) + i
        while i < end:
            memcpy(&x, codes + i, 8)
            wrong = (x ^ (x >> 1)) & ones
            sums[0] += x & ones
            sums[1] += (x >> 1) & ones
            sums[2] += x & (x >> 1) & ones
            sums[3] += wrong
            sums[4] += (x >> 2) & ones
            sums[5] += (x >> 3) & ones
            sums[6] += (x >> 4) & ones
            sums[7] += (x >> 5) & ones
            sums[8] += (x >> 6) & ones
            i += 8
        for k in range(9):
            for b in range(8):
                totals[k][0] += <int64_t>((sums[k] >> (8 * b)) & 255)
    while i < n:
        found.second += codes[i] & 1
        found.says_second += (codes[i] >> 1) & 1
        found.both += codes[i] & (codes[i] >> 1) & 1
        found.wrong += wrong_of(codes[i])
        found.majority += (codes[i] >> 2) & 1
        found.nochange += (codes[i] >> 3) & 1
        found.shares += (codes[i] >> 4) & 1
        found.no_majority += (codes[i] >> 5) & 1
        found.no_nochange += (codes[i] >> 6) & 1
        i += 1


cdef inline double plain_sum(const double *a, Py_ssize_t n) noexcept nogil:
    # `pairwise` with weights of 1.
    cdef double r[8]
    cdef double total = 0.0
    cdef Py_ssize_t i, j, half
    if n < 8:
        for i in range(n):
            total = a[i] if i == 0 else total + a[i]
        return total
    if n <= 128:
        for j in range(8):
            r[j] = a[j]
        i = 8
        while i < n - (n % 8):
            for j in range(8):
                r[j] += a[i + j]
            i += 8
        total = ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]))
        while i < n:
            total += a[i]
            i += 1
        return total
    half = n // 2
    half -= half % 8
    return plain_sum(a, half) + plain_sum(a + half, n - half)


cdef inline void name_counts(const Counts *found, Py_ssize_t n, double *out) noexcept nogil:
    # All sums of rows that weigh 1 each, but those of the log loss and the Brier score.
    cdef double *counts = out + LABEL
    out[WRONG], out[ROWS], out[WITH_PROBA] = <double>found.wrong, <double>n, <double>found.shares
    out[LOG_LOSS] = out[BRIER] = 0.0
    out[MAJORITY_WRONG] = NAN if found.no_majority else <double>found.majority
    out[NOCHANGE_WRONG] = NAN if found.no_nochange else <double>found.nochange
    counts[1] = <double>found.second
    counts[0] = <double>n - counts[1]
    counts[3] = <double>found.says_second
    counts[2] = <double>n - counts[3]
    counts[5] = <double>found.both
    counts[4] = <double>n - out[WRONG] - counts[5]


cdef inline void fading_sums(
    const unsigned char *codes,
    const double *weights,
    const double *bits,
    const double *places,
    double *of_bits,
    double *of_places,
) noexcept nogil:
    # Of the rows of a tile: the weights of those that have each of four bits (`bits`: four for each
    # code), in the order of `pairwise`; and by class, as `count_two` adds them up (`places`: for
    # label and answer, to which of the six a row belongs).
    cdef double parts[8][4]
    cdef double r[8][4]
    cdef double s0 = 0.0, s1 = 0.0, s2 = 0.0, s3 = 0.0, s4 = 0.0, s5 = 0.0, w
    cdef const double *b
    cdef const double *p
    cdef Py_ssize_t part, i, j, f
    for part in range(8):
        memset(r, 0, sizeof(r))
        for i in range(128 * part, 128 * part + 128, 8):
            for j in range(8):
                w = weights[i + j]
                b = bits + 4 * <Py_ssize_t>codes[i + j]
                p = places + 6 * <Py_ssize_t>(codes[i + j] & 3)
                r[j][0] = r[j][0] + w * b[0]
                r[j][1] = r[j][1] + w * b[1]
                r[j][2] = r[j][2] + w * b[2]
                r[j][3] = r[j][3] + w * b[3]
                s0 = s0 + w * p[0]
                s1 = s1 + w * p[1]
                s2 = s2 + w * p[2]
                s3 = s3 + w * p[3]
                s4 = s4 + w * p[4]
                s5 = s5 + w * p[5]
        for f in range(4):
            parts[part][f] = ((r[0][f] + r[1][f]) + (r[2][f] + r[3][f])) + (
                (r[4][f] + r[5][f]) + (r[6][f] + r[7][f])
            )
    for f in range(4):
        of_bits[f] = (
            ((parts[0][f] + parts[1][f]) + (parts[2][f] + parts[3][f]))
            + ((parts[4][f] + parts[5][f]) + (parts[6][f] + parts[7][f]))
        )
    of_places[0], of_places[1], of_places[2] = s0, s1, s2
    of_places[3], of_places[4], of_places[5] = s3, s4, s5
