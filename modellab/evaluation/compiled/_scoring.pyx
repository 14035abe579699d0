"""Scoring of many rows at once: the inner loops of metrics, histories and references.

Every function does what the class that calls it says, in the order of additions that the class
promises (`modellab.evaluation.sums`, `history`, `paired`, `references`, `losses`), so the bits do
not depend on how rows are cut into calls. Nothing here allocates, and no loop holds the
interpreter lock.
"""
from libc.math cimport NAN, isfinite
from libc.stdint cimport int64_t, uint64_t

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


# ------------------------------------------------------------------ the fields of rows


cdef double pairwise(const double *a, const double *w, Py_ssize_t n) noexcept nogil:
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


cdef bint two_classes(
    const int64_t *y, const double *proba, Py_ssize_t n, double clip, double *out
) noexcept nogil:
    # The fields that rest on probabilities of two classes: written so that they are done in groups.
    cdef double first, second, squares, own, brier, high = 1.0 - clip
    cdef bint known
    cdef int64_t wrong = 0
    cdef Py_ssize_t i
    for i in range(n):
        wrong |= y[i] & ~<int64_t>1
        first, second = proba[2 * i], proba[2 * i + 1]
        squares = first * first + second * second
        known = squares - squares == 0.0
        own = second if y[i] else first
        brier = squares - 2.0 * own + 1.0
        brier = 0.5 * (brier if brier > 0.0 else 0.0)
        own = own if own > clip else clip
        own = own if own < high else high
        out[WITH_PROBA * n + i] = 1.0 if known else 0.0
        out[LOG_LOSS * n + i] = own if known else 1.0
        out[BRIER * n + i] = brier if known else 0.0
        out[POSITIVE * n + i] = second if known else NAN
    return wrong != 0


cdef bint any_classes(
    const int64_t[::1] y, const double[:, ::1] proba, double clip, double[:, ::1] out
) noexcept nogil:
    # The same for any number of classes, or without probabilities.
    cdef Py_ssize_t i, c, k = proba.shape[1]
    cdef double squares, own, brier
    for i in range(y.shape[0]):
        out[POSITIVE, i] = NAN
        out[WITH_PROBA, i] = 0.0
        out[LOG_LOSS, i] = 1.0
        out[BRIER, i] = 0.0
        if k == 0:
            continue
        squares = proba[i, 0] * proba[i, 0]
        if k > 8:
            squares = pairwise(&proba[i, 0], &proba[i, 0], k)
        else:
            for c in range(1, k):
                squares += proba[i, c] * proba[i, c]
        if not isfinite(squares):
            continue
        if not 0 <= y[i] < k:
            return True
        own = proba[i, y[i]]
        brier = squares - 2.0 * own + 1.0
        out[WITH_PROBA, i] = 1.0
        out[LOG_LOSS, i] = min(max(own, clip), 1.0 - clip)
        out[BRIER, i] = brier if brier > 0.0 else 0.0
    return False


def class_rows(
    const int64_t[::1] y,
    const int64_t[::1] guess,
    const double[:, ::1] proba,
    const unsigned char[::1] majority,
    const unsigned char[::1] nochange,
    double clip,
    double[:, ::1] out,
):
    """Fill the fields of n scored rows, (10, n); the log loss gets the probability, clipped.

    `proba` has no column where there are no probabilities; `majority` and `nochange` (whether they
    are right) have no entry where that is not known.
    """
    cdef Py_ssize_t n = y.shape[0], k = proba.shape[1], i
    cdef bint likely = k > 0, has_majority = majority.shape[0] > 0, has_last = nochange.shape[0] > 0
    cdef bint bad = False
    if guess.shape[0] != n or out.shape[0] != 10 or out.shape[1] != n:
        raise ValueError("the rows differ in number")
    if (likely and proba.shape[0] != n) or (has_majority and majority.shape[0] != n) or (
        has_last and nochange.shape[0] != n
    ):
        raise ValueError("the rows differ in number")
    with nogil:
        for i in range(n):
            out[WRONG, i] = y[i] != guess[i]
            out[ROWS, i] = 1.0
            out[MAJORITY_WRONG, i] = (not majority[i]) if has_majority else NAN
            out[NOCHANGE_WRONG, i] = (not nochange[i]) if has_last else NAN
            out[LABEL, i] = <double>y[i]
            out[GUESS, i] = <double>guess[i]
        if k == 2 and n > 0:
            bad = two_classes(&y[0], &proba[0, 0], n, clip, &out[0, 0])
        else:
            bad = any_classes(y, proba, clip, out)
    if bad:
        raise ValueError("a label is not one of the classes")


# ------------------------------------------------------------------ sums along the rows


def window_sums(
    const double[::1] values,
    Py_ssize_t window,
    int64_t count,
    double prefix,
    double[::1] run,
    double[::1] suffix,
    double[::1] out,
):
    """Sum of the last `window` values after each value; returns the prefix sum of the last run.

    `count` values came before; `run` has room for all that this call puts into it, `suffix` for
    ``window + 1`` once a run is over (see `modellab.evaluation.sums.WindowSums`).
    """
    cdef Py_ssize_t n = values.shape[0], i, j, at = <Py_ssize_t>(count % window)
    cdef bint over = count >= window
    cdef double x
    if out.shape[0] != n or run.shape[0] < min(window, at + n):
        raise ValueError("there is no room for the values")
    if (over or count + n >= window) and suffix.shape[0] != window + 1:
        raise ValueError("there is no room for the run before")
    with nogil:
        for i in range(n):
            x = values[i]
            run[at] = x
            prefix = prefix + x
            out[i] = prefix + suffix[at + 1] if over else prefix
            at += 1
            if at == window:
                suffix[window] = 0.0
                suffix[window - 1] = run[window - 1]
                for j in range(window - 2, -1, -1):
                    suffix[j] = suffix[j + 1] + run[j]
                prefix = 0.0
                at = 0
                over = True
    return prefix


def fading_means(
    const double[::1] values,
    const double[::1] up,
    const double[::1] down,
    Py_ssize_t at,
    double[::1] before,
    double[::1] within,
    double[::1] out,
):
    """Fading mean after each value; returns the place in the tile after the last.

    `before` and `within` (2,) are changed in place (see `modellab.evaluation.sums.FadingMean`).
    """
    cdef Py_ssize_t n = values.shape[0], length = down.shape[0], i
    cdef double w0, w1, b0, b1, s0, s1
    if out.shape[0] != n or up.shape[0] != length + 1:
        raise ValueError("there is no room for the values")
    with nogil:
        w0, w1, b0, b1 = within[0], within[1], before[0], before[1]
        for i in range(n):
            w0 = w0 + values[i] * down[at]
            w1 = w1 + down[at]
            s0 = w0 * up[at] + b0 * up[at + 1]
            s1 = w1 * up[at] + b1 * up[at + 1]
            out[i] = s0 / s1
            at += 1
            if at == length:
                b0, b1 = s0, s1
                w0 = w1 = 0.0
                at = 0
        within[0], within[1], before[0], before[1] = w0, w1, b0, b1
    return at


def running_means(const double[::1] values, double total, int64_t count, double[::1] out):
    """Mean of all values after each one, given sum and number of those before; returns the sum."""
    cdef Py_ssize_t n = values.shape[0], i
    if out.shape[0] != n:
        raise ValueError("there is no room for the values")
    with nogil:
        for i in range(n):
            total = total + values[i]
            out[i] = total / <double>(count + 1 + i)
    return total


def over_counts(double[::1] sums, int64_t count, int64_t most):
    """Divide each sum by how many values it holds: `count` came before, at most `most` count."""
    cdef Py_ssize_t i
    with nogil:
        for i in range(sums.shape[0]):
            sums[i] = sums[i] / <double>min(count + 1 + i, most)


# ------------------------------------------------------------------ totals


cdef void count_two(
    const double *label,
    const double *guess,
    const double *wrong,
    const double *weights,
    Py_ssize_t n,
    double *counts,
) noexcept nogil:
    # Weights by class, one after the other; where a row is of the other class, 0 is added.
    cdef double l0 = 0.0, l1 = 0.0, g0 = 0.0, g1 = 0.0, r0 = 0.0, r1 = 0.0, w, right
    cdef bint second
    cdef Py_ssize_t i
    for i in range(n):
        w = weights[i]
        right = w * (1.0 - wrong[i])
        second = label[i] != 0.0
        l0 += 0.0 if second else w
        l1 += w if second else 0.0
        r0 += 0.0 if second else right
        r1 += right if second else 0.0
        second = guess[i] != 0.0
        g0 += 0.0 if second else w
        g1 += w if second else 0.0
    counts[0], counts[1], counts[2], counts[3], counts[4], counts[5] = l0, l1, g0, g1, r0, r1


cdef void summarise(
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


def totals(
    const double[:, ::1] rows,
    const double[::1] weights,
    Py_ssize_t sums,
    Py_ssize_t classes,
    double[::1] out,
):
    """Weighted totals of rows (fields, n): of `sums` fields, and three counts for each class."""
    if weights.shape[0] < rows.shape[1] or out.shape[0] != sums + 3 * classes:
        raise ValueError("there is no room for the totals")
    if rows.shape[0] < (10 if classes else sums):
        raise ValueError("fields are missing")
    if rows.shape[1] == 0:
        out[:] = 0.0
        return
    if classes:
        check_codes(rows, classes)
    with nogil:
        summarise(
            &rows[0, 0], rows.shape[1], rows.shape[1], &weights[0], sums, classes, &out[0]
        )


cdef check_codes(const double[:, ::1] rows, Py_ssize_t classes):
    # Labels and guesses must be codes: they are used as places.
    cdef Py_ssize_t i
    cdef bint bad = False
    with nogil:
        for i in range(rows.shape[1]):
            if not (0.0 <= rows[LABEL, i] < classes and 0.0 <= rows[GUESS, i] < classes):
                bad = True
    if bad:
        raise ValueError("a label or a prediction is not one of the classes")


def append_totals(
    const double[:, ::1] rows,
    double[:, ::1] waiting,
    Py_ssize_t waits,
    const double[:, ::1] weights,
    Py_ssize_t sums,
    Py_ssize_t classes,
    double[:, ::1] before,
    double[::1] scratch,
):
    """Add rows (fields, n) to the tile that waits; whole tiles go into the totals `before`.

    `weights` (kinds, tile + 1): powers of each kind's factor, the largest first, so that the last
    `m` before the end are those of `m` rows. Returns how many rows wait then.
    """
    cdef Py_ssize_t n = rows.shape[1], fields = rows.shape[0], tile = waiting.shape[1]
    cdef Py_ssize_t width = before.shape[1], done = 0, take, f, i, k
    cdef double factor
    if waiting.shape[0] != fields or weights.shape[1] != tile + 1:
        raise ValueError("the tile has another shape")
    if width != sums + 3 * classes or scratch.shape[0] != width:
        raise ValueError("there is no room for the totals")
    if before.shape[0] != weights.shape[0] or fields < (10 if classes else sums):
        raise ValueError("the totals have another shape")
    if classes:
        check_codes(rows, classes)
    with nogil:
        while done < n:
            take = min(n - done, tile - waits)
            for f in range(fields):
                for i in range(take):
                    waiting[f, waits + i] = rows[f, done + i]
            waits += take
            done += take
            if waits < tile:
                break
            for k in range(weights.shape[0]):
                summarise(&waiting[0, 0], tile, tile, &weights[k, 1], sums, classes, &scratch[0])
                factor = weights[k, 0]
                for i in range(width):
                    # What weighs nothing any more is left out: it might have been infinite.
                    before[k, i] = (
                        scratch[i] + before[k, i] * factor if factor != 0.0 else scratch[i]
                    )
            waits = 0
    return waits


# ------------------------------------------------------------------ histories


def fill_series(
    double[:, ::1] buckets, Py_ssize_t base, Py_ssize_t width, int64_t start,
    const double[::1] values,
):
    """Add values of the rows from `start` on to the buckets: count, sum, min, max, last (5, m)."""
    cdef Py_ssize_t n = values.shape[0], i = 0, end, at
    cdef double count, total, least, most, last, x
    if n == 0:
        return
    if start // width < base or (start + n - 1) // width - base >= buckets.shape[1]:
        raise ValueError("the rows lie outside of the buckets")
    with nogil:
        at = <Py_ssize_t>(start // width - base)
        while i < n:
            end = <Py_ssize_t>min((at + base + 1) * <int64_t>width - start, n)
            count, total = buckets[0, at], buckets[1, at]
            least, most, last = buckets[2, at], buckets[3, at], buckets[4, at]
            while i < end:
                x = values[i]
                i += 1
                if x != x:
                    continue
                count += 1.0
                total += x
                least = x if x < least else least
                most = x if x > most else most
                last = x
            buckets[0, at], buckets[1, at] = count, total
            buckets[2, at], buckets[3, at], buckets[4, at] = least, most, last
            at += 1


def fill_tiles(
    double[::1] sums, int64_t[::1] counts, int64_t base, int64_t width, int64_t start,
    const double[::1] losses,
):
    """Add losses of the rows from `start` on to the sums and counts of their tiles."""
    cdef Py_ssize_t n = losses.shape[0], i = 0, end, at
    cdef int64_t count
    cdef double total
    if n == 0:
        return
    if start // width < base or (start + n - 1) // width - base >= sums.shape[0]:
        raise ValueError("the rows lie outside of the tiles")
    if counts.shape[0] != sums.shape[0]:
        raise ValueError("sums and counts differ in number")
    with nogil:
        at = <Py_ssize_t>(start // width - base)
        while i < n:
            end = <Py_ssize_t>min((at + base + 1) * width - start, n)
            count, total = counts[at], sums[at]
            while i < end:
                if losses[i] == losses[i]:
                    total += losses[i]
                    count += 1
                i += 1
            counts[at], sums[at] = count, total
            at += 1


def chosen_rows(
    uint64_t key, int level, int64_t start, const double[::1] losses,
    int64_t[::1] positions, double[::1] kept,
):
    """Write position and loss of each row whose hash is below ``2 ** (64 - level)``; return how many.

    The hash is `modellab.evaluation.paired.position_hash` with the seed's `key`; `level` is 1 to 63.
    """
    cdef Py_ssize_t n = losses.shape[0], i, found = 0
    cdef uint64_t x, limit
    if positions.shape[0] < n or kept.shape[0] < n or not 1 <= level <= 63:
        raise ValueError("there is no room for the rows")
    with nogil:
        limit = <uint64_t>1 << (64 - level)
        for i in range(n):
            x = <uint64_t>(start + i) * <uint64_t>0x9E3779B97F4A7C15 + key
            x = (x ^ (x >> 30)) * <uint64_t>0xBF58476D1CE4E5B9
            x = (x ^ (x >> 27)) * <uint64_t>0x94D049BB133111EB
            x = x ^ (x >> 31)
            if x < limit:
                positions[found] = start + i
                kept[found] = losses[i]
                found += 1
    return found


# ------------------------------------------------------------------ references


def majorities(
    const int64_t[::1] y,
    const int64_t[::1] before,
    int64_t[::1] counts,
    int64_t[::1] late,
    int64_t[::1] now,
    int64_t[::1] common,
    int64_t[::1] last,
):
    """Majority class and last label, each after the first ``before[i]`` of the labels `y`.

    `counts` (K,) of the labels so far; `late` (K,): how many classes were seen before this one, -1
    for a class not seen yet; `now` (2,): both answers of now. All three are brought to where all
    of `y` is known. Labels below 0 are missing. `before` must not decrease.
    """
    cdef Py_ssize_t n = before.shape[0], m = y.shape[0], k = counts.shape[0], i, j = 0, c
    cdef int64_t best = -1, key, seen = 0
    cdef bint bad = False
    if late.shape[0] != k or now.shape[0] != 2 or common.shape[0] != n or last.shape[0] != n:
        raise ValueError("there is no room for the answers")
    with nogil:
        for c in range(k):
            if late[c] >= 0:
                seen += 1
            if counts[c] > 0:
                best = max(best, counts[c] * k + (k - 1 - late[c]))
        for i in range(n + 1):
            while j < (before[i] if i < n else m):
                if j >= m or y[j] >= k:
                    bad = True
                    break
                c = <Py_ssize_t>y[j]
                j += 1
                if c < 0:
                    continue
                if late[c] < 0:
                    late[c] = seen
                    seen += 1
                counts[c] += 1
                now[1] = c
                key = counts[c] * k + (k - 1 - late[c])
                if key > best:
                    best = key
                    now[0] = c
            if bad:
                break
            if i < n:
                common[i] = now[0]
                last[i] = now[1]
    if bad:
        raise ValueError("a label is not one of the classes, or not there")


# ------------------------------------------------------------------ the window


def curve_places(const double[::1] ordered, const double[::1] positive):
    """Twice the sum of the mid-ranks of `positive` (sorted) among `ordered` (all, sorted)."""
    cdef Py_ssize_t n = ordered.shape[0], i, left = 0, right = 0
    cdef int64_t places = 0
    with nogil:
        for i in range(positive.shape[0]):
            while left < n and ordered[left] < positive[i]:
                left += 1
            while right < n and ordered[right] <= positive[i]:
                right += 1
            places += left + right
    return places
