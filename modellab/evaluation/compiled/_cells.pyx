"""Feature drift row by row: which cell a number lies in, and how many of each cell windows hold.

A cell of a number is found by counting the cuts below it, without a branch that depends on it:
either among the few cuts that share its place of a table of evenly spaced places, or by halving.
Both only compare the number with the cuts, so they find the same.
"""
from libc.math cimport INFINITY, isfinite
from libc.stdint cimport int64_t

cdef enum:
    PLACES = 2048   # of the table
    FEW = 2         # so many cuts may share a place, else cuts are halved
    ROOM = 256      # cuts and what follows them: a power of two, above every count of cuts


cdef inline double place_of(double x, double low, double scale) noexcept nogil:
    # Never falls as x rises, so cuts at lower places lie below x, those at higher ones do not.
    cdef double at = (x - low) * scale
    at = at if at > 0.0 else 0.0  # a missing number comes to lie at the first
    return at if at < PLACES - 1.0 else PLACES - 1.0


def number_cells(const double[::1] values, const double[::1] cuts, unsigned char[::1] out):
    """Write the cell of each value: 0 where it is missing, else 1 plus the number of cuts below it.

    Parameters
    ----------
    values
        (n,), NaN where missing.
    cuts
        (m,) rising, at most 254 of them.
    out
        (n,) cells.
    """
    cdef Py_ssize_t n = values.shape[0], m = cuts.shape[0], i, j, k, most = 0, half
    cdef Py_ssize_t below[4]
    cdef double xs[4]
    cdef double padded[ROOM + FEW]
    cdef unsigned char first[PLACES + 1]
    cdef double x, low = 0.0, scale = 0.0
    cdef int at, found
    if out.shape[0] != n:
        raise ValueError("there is no room for the cells")
    if m > ROOM - 2:
        raise ValueError(f"there are {m} cuts, more than {ROOM - 2}")
    with nogil:
        for k in range(m):
            padded[k] = cuts[k]
        for k in range(m, ROOM + FEW):
            padded[k] = INFINITY
        most = FEW + 1
        # The table pays for itself where there are more values than it has places.
        if m > 2 and n > 1000:
            low = cuts[0]
            scale = PLACES / (cuts[m - 1] - low)
            if isfinite(low) and isfinite(scale) and scale > 0.0:
                k = most = 0
                for at in range(PLACES):
                    first[at] = <unsigned char>k
                    while k < m and <int>place_of(cuts[k], low, scale) == at:
                        k += 1
                    most = max(most, k - first[at])
        if most <= FEW:
            for i in range(n):
                x = values[i]
                at = <int>place_of(x, low, scale)
                found = first[at]
                found += (padded[found] < x) + (padded[found + 1] < x)
                out[i] = <unsigned char>(found + 1 if x == x else 0)
        else:
            half = 1
            while 2 * half <= m:
                half *= 2
            i = 0
            while i < n:
                # Four at a time: each step of a number waits for the one before it.
                for j in range(4):
                    xs[j] = values[min(i + j, n - 1)]
                    below[j] = 0
                k = half
                while k > 0:
                    for j in range(4):
                        below[j] += k & -<Py_ssize_t>(padded[below[j] + k - 1] < xs[j])
                    k //= 2
                for j in range(min(4, n - i)):
                    out[i + j] = <unsigned char>(below[j] + 1 if xs[j] == xs[j] else 0)
                i += 4


def window_counts(
    const unsigned char[::1] cells,
    const int64_t[::1] starts,
    const int64_t[::1] stops,
    int64_t[:, ::1] counts,
):
    """Count the cells in each window [start, stop) of `cells`; add them to `counts` (m, K).

    Windows may overlap; neither starts nor stops may fall. What a window shares with the one before
    it is not counted again: `counts` must hold nothing then.
    """
    cdef Py_ssize_t m = starts.shape[0], n = cells.shape[0], w, k, cell_count = counts.shape[1]
    cdef int64_t i, at = 0, since = 0
    cdef int64_t parts[4][256]
    cdef bint bad = False
    if stops.shape[0] != m or counts.shape[0] != m:
        raise ValueError("the windows differ in number")
    with nogil:
        for w in range(m):
            if not (0 <= starts[w] <= stops[w] <= n) or (
                w > 0 and (starts[w] < starts[w - 1] or stops[w] < stops[w - 1])
            ):
                bad = True
        for i in range(n):
            if cells[i] >= cell_count:
                bad = True
    if bad:
        raise ValueError("a window or a cell lies outside")
    with nogil:
        for w in range(m):
            since = starts[w]
            if w > 0 and stops[w - 1] > starts[w] and stops[w - 1] - starts[w] > (
                starts[w] - starts[w - 1]
            ):
                # Most of it was in the window before: what left is taken away.
                for k in range(cell_count):
                    counts[w, k] += counts[w - 1, k]
                for i in range(starts[w - 1], starts[w]):
                    counts[w, cells[i]] -= 1
                since = stops[w - 1]
            # Rows of the same cell would wait for each other at one count.
            for k in range(cell_count):
                parts[0][k] = parts[1][k] = parts[2][k] = parts[3][k] = 0
            i = since
            at = stops[w] - (stops[w] - since) % 4
            while i < at:
                parts[0][cells[i]] += 1
                parts[1][cells[i + 1]] += 1
                parts[2][cells[i + 2]] += 1
                parts[3][cells[i + 3]] += 1
                i += 4
            while i < stops[w]:
                parts[0][cells[i]] += 1
                i += 1
            for k in range(cell_count):
                counts[w, k] += parts[0][k] + parts[1][k] + parts[2][k] + parts[3][k]
