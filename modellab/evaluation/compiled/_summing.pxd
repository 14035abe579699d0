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
