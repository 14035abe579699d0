"""Scoring of many rows at once: the inner loops of metrics, histories and references.

Every function does what the class that calls it says, in the order of additions that the class
promises (`modellab.evaluation.sums`, `history`, `paired`, `references`, `losses`), so the bits do
not depend on how rows are cut into calls. Nothing here allocates, and no loop holds the
interpreter lock.
"""
from libc.math cimport INFINITY, NAN
from libc.stdint cimport int64_t, uint64_t

from modellab.evaluation.compiled._filling cimport fill_bucket


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


# ------------------------------------------------------------------ histories


def fill_series(
    double[:, ::1] buckets, Py_ssize_t base, Py_ssize_t width, int64_t start,
    const double[::1] values,
):
    """Add values of the rows from `start` on to the buckets: count, sum, min, max, last (5, m)."""
    cdef Py_ssize_t n = values.shape[0], i = 0, end, at
    if n == 0:
        return
    if start // width < base or (start + n - 1) // width - base >= buckets.shape[1]:
        raise ValueError("the rows lie outside of the buckets")
    with nogil:
        at = <Py_ssize_t>(start // width - base)
        while i < n:
            end = <Py_ssize_t>min((at + base + 1) * <int64_t>width - start, n)
            fill_bucket(&buckets[0, at], buckets.shape[1], &values[i], end - i)
            i = end
            at += 1


def merge_series(
    const double[:, ::1] old, double[:, ::1] merged, int64_t base, Py_ssize_t count
):
    """Merge pairs of buckets (5, m), the first of them with number `base`, into `merged`.

    Bucket `k` goes into bucket ``k // 2``, the earlier of each pair first; `merged` is filled as
    far as that goes. Returns how many buckets there are then.
    """
    cdef Py_ssize_t k, to
    cdef int64_t first = base // 2
    if count > old.shape[1] or merged.shape[1] < (base + count - 1) // 2 - first + 1:
        raise ValueError("there is no room for the buckets")
    with nogil:
        for k in range(count):
            to = <Py_ssize_t>((base + k) // 2 - first)
            if k == 0 or (base + k) % 2 == 0:
                merged[0, to] = merged[1, to] = 0.0
                merged[2, to], merged[3, to], merged[4, to] = INFINITY, -INFINITY, NAN
            merged[0, to] += old[0, k]
            merged[1, to] += old[1, k]
            merged[2, to] = merged[2, to] if merged[2, to] <= old[2, k] else old[2, k]
            merged[3, to] = merged[3, to] if merged[3, to] >= old[3, k] else old[3, k]
            if old[0, k] > 0.0:
                merged[4, to] = old[4, k]
    return (base + count - 1) // 2 - first + 1


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


def choose_rows(uint64_t key, int level, int64_t start, int64_t[::1] positions):
    """Write the positions, from `start` on, whose hash is below ``2 ** (64 - level)``.

    The hash is `modellab.evaluation.paired.position_hash` with the seed's `key`; `level` is 0 (all
    rows) to 63. As many rows are looked at as there is room for. Returns how many were chosen.
    """
    cdef Py_ssize_t n = positions.shape[0], i, count = 0
    cdef uint64_t x, limit
    if not 0 <= level <= 63:
        raise ValueError("a sample of one row in so many cannot be chosen")
    with nogil:
        if level == 0:
            for i in range(n):
                positions[i] = start + i
            count = n
        else:
            limit = <uint64_t>1 << (64 - level)
            for i in range(n):
                x = <uint64_t>(start + i) * <uint64_t>0x9E3779B97F4A7C15 + key
                x = (x ^ (x >> 30)) * <uint64_t>0xBF58476D1CE4E5B9
                x = (x ^ (x >> 27)) * <uint64_t>0x94D049BB133111EB
                x = x ^ (x >> 31)
                # Without a branch: what is not chosen is written over.
                positions[count] = start + i
                count += x < limit
    return count


# ------------------------------------------------------------------ losses of rows


def wrong_rows(const int64_t[::1] value, const int64_t[::1] y, double[::1] out):
    """Write 1 where the answer is wrong, 0 where it is right, NaN where either is missing (< 0)."""
    cdef Py_ssize_t n = value.shape[0], i
    if y.shape[0] != n or out.shape[0] != n:
        raise ValueError("the rows differ in number")
    with nogil:
        for i in range(n):
            out[i] = NAN if (value[i] | y[i]) < 0 else <double>(value[i] != y[i])


# ------------------------------------------------------------------ references


cdef struct Known:
    int64_t best    # of the majority: its count, then how early it was seen
    int64_t seen    # classes
    int64_t most, newest


cdef inline Known known_of(
    const int64_t[::1] counts, const int64_t[::1] late, const int64_t[::1] now
) noexcept nogil:
    cdef Known found
    cdef int64_t k = counts.shape[0], c
    found.best, found.seen, found.most, found.newest = -1, 0, now[0], now[1]
    for c in range(k):
        found.seen += late[c] >= 0
        if counts[c] > 0:
            found.best = max(found.best, counts[c] * k + (k - 1 - late[c]))
    return found


cdef inline void take_label(
    Known *known, int64_t c, int64_t[::1] counts, int64_t[::1] late
) noexcept nogil:
    cdef int64_t k = counts.shape[0], key
    if c < 0:
        return
    if late[c] < 0:
        late[c] = known.seen
        known.seen += 1
    counts[c] += 1
    known.newest = c
    key = counts[c] * k + (k - 1 - late[c])
    # Without a branch: which class is ahead is anybody's guess.
    known.most = c if key > known.best else known.most
    known.best = key if key > known.best else known.best


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
    cdef Py_ssize_t n = before.shape[0], m = y.shape[0], k = counts.shape[0], i, j = 0, end
    cdef Known known
    cdef bint bad = False
    if late.shape[0] != k or now.shape[0] != 2 or common.shape[0] != n or last.shape[0] != n:
        raise ValueError("there is no room for the answers")
    with nogil:
        known = known_of(counts, late, now)
        for i in range(n + 1):
            end = before[i] if i < n else m
            while j < end:
                if j >= m or y[j] >= k:
                    bad = True
                    break
                take_label(&known, y[j], counts, late)
                j += 1
            if bad:
                break
            if i < n:
                common[i] = known.most
                last[i] = known.newest
        now[0], now[1] = known.most, known.newest
    if bad:
        raise ValueError("a label is not one of the classes, or not there")


cdef bint two_right(
    const int64_t[::1] y,
    const int64_t[::1] upto,
    int64_t first,
    const int64_t[::1] labels,
    int64_t[::1] counts,
    const int64_t[::1] late,
    int64_t[::1] now,
    unsigned char[:, ::1] right,
) noexcept nogil:
    # `both_right` of two classes that were both seen; returns whether something is wrong.
    cdef Py_ssize_t n = labels.shape[0], m = y.shape[0], i, j = 0, end
    # How far the second class is ahead; where both are as frequent, the one that was seen first.
    cdef int64_t ahead = 2 * (counts[1] - counts[0]) + late[0] - late[1], before = ahead
    cdef int64_t newest = now[1], taken = 0, c, label, beyond = 0
    if upto.shape[0] == 0:
        for i in range(n):
            label = labels[i]
            beyond |= 1 - label
            right[0, i] = label == <int64_t>(ahead > 0)
            right[1, i] = label == newest
            # Without a branch: a label that is missing changes nothing.
            ahead += 4 * label - 2 if label >= 0 else 0
            newest = label if label >= 0 else newest
            taken += label >= 0
        if beyond < 0:
            return True
    for i in range(n + 1 if upto.shape[0] else 0):
        end = 0 if i == 0 else m if i == n else <Py_ssize_t>(upto[i - 1] - first)
        while j < end:
            if j >= m or y[j] >= 2:
                return True
            c = y[j]
            j += 1
            if c < 0:
                continue
            ahead += 4 * c - 2
            newest = c
            taken += 1
        if i < n:
            label = labels[i]
            right[0, i] = label == <int64_t>(ahead > 0)
            right[1, i] = label == newest
    now[0], now[1] = ahead > 0, newest
    # Of those taken, (ahead - before) / 2 more were of the second class than of the first.
    c = (taken + (ahead - before) // 2) // 2
    counts[0] += taken - c
    counts[1] += c
    return False


def both_right(
    const int64_t[::1] y,
    const int64_t[::1] upto,
    int64_t first,
    const int64_t[::1] labels,
    int64_t[::1] counts,
    int64_t[::1] late,
    int64_t[::1] now,
    unsigned char[:, ::1] right,
):
    """Write whether majority class and last label are right at rows with these `labels`.

    Row `i` knows the labels of `y` before ``upto[i - 1] - first``, the first row none of them; the
    other arguments are as for `majorities`. Nothing is right where there is no label (< 0). Without
    an entry in `upto`, each label is known after its own row, and `y` are the `labels`.
    """
    cdef Py_ssize_t n = labels.shape[0], m = y.shape[0], k = counts.shape[0], i, j = 0, end
    cdef bint prompt = upto.shape[0] == 0
    cdef Known known
    cdef bint bad = False
    if late.shape[0] != k or now.shape[0] != 2 or (m if prompt else upto.shape[0]) != n:
        raise ValueError("there is no room for the answers")
    if right.shape[0] != 2 or right.shape[1] != n:
        raise ValueError("there is no room for the answers")
    if k == 2 and late[0] >= 0 and late[1] >= 0:
        with nogil:
            bad = two_right(y, upto, first, labels, counts, late, now, right)
        if bad:
            raise ValueError("a label is not one of the classes, or not there")
        return
    with nogil:
        known = known_of(counts, late, now)
        for i in range(n + 1):
            end = 0 if i == 0 else i if prompt else m if i == n else upto[i - 1] - first
            while j < end:
                if j >= m or y[j] >= k:
                    bad = True
                    break
                take_label(&known, y[j], counts, late)
                j += 1
            if bad:
                break
            if i < n:
                right[0, i] = (known.most == labels[i]) & (labels[i] >= 0)
                right[1, i] = (known.newest == labels[i]) & (labels[i] >= 0)
        now[0], now[1] = known.most, known.newest
    if bad:
        raise ValueError("a label is not one of the classes, or not there")
