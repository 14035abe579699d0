# Fields of scored rows, and their weighted sums in the order of additions that is promised. Part of
# `_tally`.

# Fields of a row of a classification (`modellab.evaluation.losses.ClassField`).
cdef enum:
    WRONG = 0
    ROWS = 1
    WITH_PROBA = 2
    LOG_LOSS = 3
    BRIER = 4
    MAJORITY_WRONG = 5
    NOCHANGE_WRONG = 6
    LABEL = 7
    GUESS = 8
    POSITIVE = 9


cdef inline double pairwise(const double *a, const double *w, Py_ssize_t n) noexcept nogil:
    # Sum of a * w in the order of additions of NumPy's sum over a contiguous axis.
    cdef double r[8]
    cdef double total
    cdef Py_ssize_t i, j, half
    if n < 8:
        total = 0.0
        for i in range(n):
            total = a[i] * w[i] if i == 0 else total + a[i] * w[i]
        return total
    if n <= 128:
        for j in range(8):
            r[j] = a[j] * w[j]
        i = 8
        while i < n - (n % 8):
            for j in range(8):
                r[j] += a[i + j] * w[i + j]
            i += 8
        total = ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]))
        while i < n:
            total += a[i] * w[i]
            i += 1
        return total
    half = n // 2
    half -= half % 8
    return pairwise(a, w, half) + pairwise(a + half, w + half, n - half)


cdef inline double whole(const double *a, Py_ssize_t n) noexcept nogil:
    # Sum of whole numbers: exact in any order.
    cdef double r0 = 0.0, r1 = 0.0, r2 = 0.0, r3 = 0.0
    cdef Py_ssize_t i = 0
    while i < n - n % 4:
        r0 += a[i]
        r1 += a[i + 1]
        r2 += a[i + 2]
        r3 += a[i + 3]
        i += 4
    while i < n:
        r0 += a[i]
        i += 1
    return (r0 + r1) + (r2 + r3)


cdef inline double both(const double *a, const double *b, Py_ssize_t n) noexcept nogil:
    # In how many rows the one is 1 and the other 0.
    cdef double r0 = 0.0, r1 = 0.0
    cdef Py_ssize_t i = 0
    while i < n - n % 2:
        r0 += a[i] * (1.0 - b[i])
        r1 += a[i + 1] * (1.0 - b[i + 1])
        i += 2
    if i < n:
        r0 += a[i] * (1.0 - b[i])
    return r0 + r1


cdef inline void of_two(
    const double *rows, Py_ssize_t room, Py_ssize_t n, const double *weights, double *out
) noexcept nogil:
    # `summarise` of two classes where each row weighs 1: all but two of the sums are counts.
    cdef double *counts = out + LABEL
    out[WRONG] = whole(rows + WRONG * room, n)
    out[ROWS] = <double>n
    out[WITH_PROBA] = whole(rows + WITH_PROBA * room, n)
    out[LOG_LOSS] = out[BRIER] = 0.0
    if out[WITH_PROBA] > 0.0:
        out[LOG_LOSS] = pairwise(rows + LOG_LOSS * room, weights, n)
        out[BRIER] = pairwise(rows + BRIER * room, weights, n)
    out[MAJORITY_WRONG] = whole(rows + MAJORITY_WRONG * room, n)
    out[NOCHANGE_WRONG] = whole(rows + NOCHANGE_WRONG * room, n)
    counts[1] = whole(rows + LABEL * room, n)
    counts[0] = <double>n - counts[1]
    counts[3] = whole(rows + GUESS * room, n)
    counts[2] = <double>n - counts[3]
    counts[5] = both(rows + LABEL * room, rows + WRONG * room, n)
    counts[4] = <double>n - out[WRONG] - counts[5]


cdef inline void of_two_fading(
    const double *rows,
    Py_ssize_t room,
    Py_ssize_t n,
    const double *weights,
    double there,
    double *out,
) noexcept nogil:
    # `summarise` of two classes; `there`: how many rows have probabilities.
    out[WRONG] = pairwise(rows + WRONG * room, weights, n)
    out[ROWS] = pairwise(rows + ROWS * room, weights, n)
    out[WITH_PROBA] = out[ROWS]  # of the same ones
    out[LOG_LOSS] = out[BRIER] = 0.0
    if there != <double>n:
        out[WITH_PROBA] = pairwise(rows + WITH_PROBA * room, weights, n)
    if there > 0.0:
        out[LOG_LOSS] = pairwise(rows + LOG_LOSS * room, weights, n)
        out[BRIER] = pairwise(rows + BRIER * room, weights, n)
    out[MAJORITY_WRONG] = pairwise(rows + MAJORITY_WRONG * room, weights, n)
    out[NOCHANGE_WRONG] = pairwise(rows + NOCHANGE_WRONG * room, weights, n)
    count_two(
        rows + LABEL * room, rows + GUESS * room, rows + WRONG * room, weights, n, out + LABEL
    )


cdef inline void count_two(
    const double *label,
    const double *guess,
    const double *wrong,
    const double *weights,
    Py_ssize_t n,
    double *counts,
) noexcept nogil:
    # Weights by class, one after the other; where a row is of the other class, 0 is added.
    cdef double sums[6]
    cdef double w, right
    cdef Py_ssize_t i
    for i in range(6):
        sums[i] = 0.0
    for i in range(n):
        w = weights[i]
        right = w * (1.0 - wrong[i])
        sums[0] += w * (1.0 - label[i])
        sums[1] += w * label[i]
        sums[2] += w * (1.0 - guess[i])
        sums[3] += w * guess[i]
        sums[4] += right * (1.0 - label[i])
        sums[5] += right * label[i]
    for i in range(6):
        counts[i] = sums[i]


cdef inline void summarise(
    const double *rows,
    Py_ssize_t room,
    Py_ssize_t n,
    const double *weights,
    Py_ssize_t sums,
    Py_ssize_t classes,
    double *out,
) noexcept nogil:
    # Weighted sums of the first `sums` fields; then, for classes, weights of labels, of guesses,
    # and of both where they agree.
    cdef Py_ssize_t f, i, y, g
    cdef double *counts = out + sums
    for f in range(sums):
        out[f] = pairwise(rows + f * room, weights, n)
    if classes == 0:
        return
    if classes == 2:
        count_two(
            rows + LABEL * room, rows + GUESS * room, rows + WRONG * room, weights, n, counts
        )
        return
    for i in range(3 * classes):
        counts[i] = 0.0
    for i in range(n):
        y = <Py_ssize_t>rows[LABEL * room + i]
        g = <Py_ssize_t>rows[GUESS * room + i]
        counts[y] += weights[i]
        counts[classes + g] += weights[i]
        counts[2 * classes + y] += weights[i] * (1.0 - rows[WRONG * room + i])
