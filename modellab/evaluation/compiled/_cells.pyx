"""Feature drift row by row: which cell a number lies in, and how many of each cell runs hold.

A cell of a number is found by counting the cuts below it, without a branch that depends on it:
either among the few cuts that share its place of a table of evenly spaced places, or by halving.
Both only compare the number with the cuts, so they find the same.
"""
from libc.math cimport INFINITY, fabs, isfinite
from libc.stdint cimport int32_t, int64_t

cdef enum:
    LEAST_PLACES = 1024  # of the table: so many, or twice or eight times as many
    PLACES = 8192
    FEW = 2         # so many cuts may share a place, else cuts are halved
    ROOM = 256      # cuts and what follows them: a power of two, above every count of cuts
    BLOCK = 256     # rows gone through together
    SIDES = 4       # rows of the same cell would wait for each other at one count


cdef inline double place_of(double x, double low, double scale, double last) noexcept nogil:
    # Never falls as x rises, so cuts at lower places lie below x, those at higher ones do not.
    cdef double at = (x - low) * scale
    at = at if at > 0.0 else 0.0  # a missing number comes to lie at the first
    return at if at < last else last


cdef bint runs_fit(const int64_t[::1] edges, int64_t n) noexcept nogil:
    cdef Py_ssize_t k
    cdef int64_t wrong = edges[0] | (n - edges[edges.shape[0] - 1])
    for k in range(edges.shape[0] - 1):
        wrong |= edges[k + 1] - edges[k]
    return wrong >= 0


cdef class NumberCells:
    """The cells of a column of numbers: 0 for a missing one, else 1 plus the cuts below it.

    Several threads may use one. Parameter `cuts`: (m,) rising, at most 254 of them.
    """

    cdef Py_ssize_t m, half, places, most
    cdef double low, scale
    cdef double padded[ROOM + FEW]
    cdef unsigned char first[PLACES]

    def __init__(self, const double[::1] cuts):
        cdef Py_ssize_t m = cuts.shape[0], k
        if m > ROOM - 2:
            raise ValueError(f"there are {m} cuts, more than {ROOM - 2}")
        self.m = m
        for k in range(ROOM + FEW):
            self.padded[k] = cuts[k] if k < m else INFINITY
        self.half = 1
        while 2 * self.half <= m:
            self.half *= 2
        self.most = FEW + 1
        self.places = LEAST_PLACES
        if m > 2 and isfinite(cuts[0]):
            self.low = cuts[0]
            self.tabulate()
            while self.most > 1 and self.places < PLACES:
                self.places *= 2
                self.tabulate()

    cdef void tabulate(self) noexcept nogil:
        # Which cut is the first at each place, and the most that any of them has.
        cdef Py_ssize_t k = 0, at
        self.most = FEW + 1
        self.scale = self.places / (self.padded[self.m - 1] - self.low)
        if not (isfinite(self.scale) and self.scale > 0.0):
            return
        self.most = 0
        for at in range(self.places):
            self.first[at] = <unsigned char>k
            while k < self.m and at == <Py_ssize_t>place_of(
                self.padded[k], self.low, self.scale, self.places - 1.0
            ):
                k += 1
            self.most = max(self.most, k - self.first[at])

    cdef void find(self, const double *x, Py_ssize_t n, unsigned char *out) noexcept nogil:
        # At most BLOCK values; 1 for a missing number.
        cdef Py_ssize_t i, j, k
        cdef int32_t at[BLOCK]
        cdef double low = self.low, scale = self.scale, last = self.places - 1.0
        cdef double xs[4]
        cdef Py_ssize_t below[4]
        cdef Py_ssize_t cell
        if self.most <= FEW:
            for i in range(n):
                at[i] = <int32_t>place_of(x[i], low, scale, last)
            if self.most <= 1:
                for i in range(n):
                    cell = self.first[at[i]]
                    out[i] = <unsigned char>(cell + (self.padded[cell] < x[i]) + 1)
            else:
                for i in range(n):
                    cell = self.first[at[i]]
                    cell += (self.padded[cell] < x[i]) + (self.padded[cell + 1] < x[i])
                    out[i] = <unsigned char>(cell + 1)
            return
        i = 0
        while i < n:
            # Four at a time: each step of a number waits for the one before it.
            for j in range(4):
                xs[j] = x[min(i + j, n - 1)]
                below[j] = 0
            k = self.half
            while k > 0:
                for j in range(4):
                    below[j] += k & -<Py_ssize_t>(self.padded[below[j] + k - 1] < xs[j])
                k //= 2
            for j in range(min(4, n - i)):
                out[i + j] = <unsigned char>(below[j] + 1)
            i += 4

    def cells(self, const double[::1] values, unsigned char[::1] out):
        """Write the cell of each value (n,), NaN where missing, into `out` (n,)."""
        cdef Py_ssize_t n = values.shape[0], i
        if out.shape[0] != n:
            raise ValueError("there is no room for the cells")
        with nogil:
            i = 0
            while i < n:
                self.find(&values[i], min(BLOCK, n - i), &out[i])
                i += BLOCK
            for i in range(n):
                out[i] = out[i] if values[i] == values[i] else 0

    def count(self, const double[::1] values, const int64_t[::1] edges, int64_t[:, ::1] counts):
        """Add the number of values in each cell to `counts` (e, K), for each run of rows.

        `edges` (e + 1,) where runs begin, and the last ends: never falling, within `values` (n,).
        """
        cdef Py_ssize_t e = counts.shape[0], cell_count = counts.shape[1], run, i, j, rows
        cdef int64_t missing, firsts, before
        cdef unsigned char held[BLOCK]
        cdef int32_t parts[SIDES][ROOM]
        if edges.shape[0] != e + 1 or cell_count != self.m + 2:
            raise ValueError("the counts do not fit the runs and the cells")
        if not runs_fit(edges, values.shape[0]):
            raise ValueError("a run lies outside")
        with nogil:
            for run in range(e):
                nothing(parts, cell_count)
                missing = before = 0
                i = edges[run]
                while i < edges[run + 1]:
                    # Counted apart: what is looked up would wait for what is added up.
                    rows = min(BLOCK, edges[run + 1] - i)
                    self.find(&values[i], rows, held)
                    add_up(held, rows, parts)
                    firsts = parts[0][1] + parts[1][1] + parts[2][1] + parts[3][1]
                    if firsts > before:  # missing ones are among those of the first cell
                        missing += absent(&values[i], rows)
                    before = firsts
                    i += rows
                for i in range(cell_count):
                    for j in range(SIDES):
                        counts[run, i] += parts[j][i]
                counts[run, 0] += missing
                counts[run, 1] -= missing


cdef int64_t absent(const double *x, Py_ssize_t n) noexcept nogil:
    # How many values are missing: exact, and several at a time.
    cdef double sums[4]
    cdef Py_ssize_t i = 0
    sums[0] = sums[1] = sums[2] = sums[3] = 0.0
    while i + 4 <= n:
        sums[0] += 0.0 if x[i] == x[i] else 1.0
        sums[1] += 0.0 if x[i + 1] == x[i + 1] else 1.0
        sums[2] += 0.0 if x[i + 2] == x[i + 2] else 1.0
        sums[3] += 0.0 if x[i + 3] == x[i + 3] else 1.0
        i += 4
    while i < n:
        sums[0] += 0.0 if x[i] == x[i] else 1.0
        i += 1
    return <int64_t>(sums[0] + sums[1] + sums[2] + sums[3])


cdef inline void nothing(int32_t parts[SIDES][ROOM], Py_ssize_t cell_count) noexcept nogil:
    cdef Py_ssize_t i, j
    for j in range(SIDES):
        for i in range(cell_count):
            parts[j][i] = 0


cdef void add_up(
    const unsigned char *cells, Py_ssize_t n, int32_t parts[SIDES][ROOM]
) noexcept nogil:
    cdef Py_ssize_t i = 0
    while i + 4 <= n:
        parts[0][cells[i]] += 1
        parts[1][cells[i + 1]] += 1
        parts[2][cells[i + 2]] += 1
        parts[3][cells[i + 3]] += 1
        i += 4
    while i < n:
        parts[0][cells[i]] += 1
        i += 1


def count_cells(
    const unsigned char[::1] cells, const int64_t[::1] edges, int64_t[:, ::1] counts
):
    """Add the number of rows in each cell to `counts` (e, K), for each run of rows.

    Parameters
    ----------
    cells
        (n,) cells, below K.
    edges
        (e + 1,) where runs begin, and the last ends: never falling, within `cells`.
    """
    cdef Py_ssize_t e = counts.shape[0], n = cells.shape[0], run, i, j
    cdef Py_ssize_t cell_count = counts.shape[1]
    cdef int32_t parts[SIDES][ROOM]
    cdef bint bad = False
    if edges.shape[0] != e + 1:
        raise ValueError("the counts do not fit the runs and the cells")
    if not runs_fit(edges, n):
        raise ValueError("a run lies outside")
    with nogil:
        for i in range(n):
            bad |= cells[i] >= cell_count
    if bad or cell_count > ROOM:
        raise ValueError("the counts do not fit the runs and the cells")
    with nogil:
        for run in range(e):
            nothing(parts, cell_count)
            if edges[run] < edges[run + 1]:
                add_up(&cells[edges[run]], edges[run + 1] - edges[run], parts)
            for i in range(cell_count):
                for j in range(SIDES):
                    counts[run, i] += parts[j][i]


def furthest_apart(
    const int64_t[:, ::1] counts,
    const double[::1] rows,
    const double[::1] expected,
    double[:] out,
):
    """Write the largest distance of the distribution functions of windows from that expected.

    Parameters
    ----------
    counts, rows
        (m, K) rows of each window in each cell, and (m,) in all.
    expected
        (K,) shares.
    out
        (m,) distances: at the upper ends of all cells but the last.
    """
    cdef Py_ssize_t m = counts.shape[0], cell_count = counts.shape[1], w, k
    cdef double apart[ROOM]
    cdef double along, most
    if rows.shape[0] != m or out.shape[0] != m or expected.shape[0] != cell_count:
        raise ValueError("windows or cells differ in number")
    if cell_count > ROOM:
        raise ValueError(f"there are {cell_count} cells, more than {ROOM}")
    with nogil:
        for w in range(m):
            for k in range(cell_count):
                apart[k] = <double>counts[w, k] / rows[w] - expected[k]
            along = most = 0.0
            for k in range(cell_count - 1):
                along += apart[k]
                most = max(most, fabs(along))
            out[w] = most


def sums_of_cells(const int64_t[:, ::1] counts, const int64_t[::1] starts, double[:, ::1] out):
    """Write the sums of neighbouring cells: from each of `starts` (c,), rising from 0, to the next.

    `counts` (m, K), `out` (m, c).
    """
    cdef Py_ssize_t m = counts.shape[0], c = starts.shape[0], w, k, part, last
    cdef int64_t total
    cdef bint bad = out.shape[0] != m or out.shape[1] != c or c == 0 or starts[0] != 0
    for part in range(1, c):
        bad |= starts[part] <= starts[part - 1]
    if bad or starts[c - 1] >= counts.shape[1]:
        raise ValueError("the sums do not fit the cells")
    with nogil:
        for w in range(m):
            for part in range(c):
                last = starts[part + 1] if part + 1 < c else counts.shape[1]
                total = 0
                for k in range(starts[part], last):
                    total += counts[w, k]
                out[w, part] = <double>total
