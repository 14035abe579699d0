"""The loop that writes number columns into rows of encoded cells (see `modellab.data.encoding`).

Every cell is computed from its own value alone: one subtraction and one division, in this order.
"""

from libc.math cimport isfinite
from libc.stdint cimport int64_t
from libc.stdlib cimport free, malloc


cdef struct Column:
    const double *values
    double median
    double mean
    double std
    Py_ssize_t place
    bint flagged


cdef void fill(
    const Column *columns,
    Py_ssize_t d,
    Py_ssize_t n,
    Py_ssize_t width,
    bint scaled,
    double *out,
) noexcept nogil:
    cdef Py_ssize_t at, end, i, j
    cdef const double *values
    cdef double *cell
    cdef double x, median, mean, std
    for at in range(0, n, 64):  # so few rows stay in the nearest cache while all columns come
        end = min(at + 64, n)
        for j in range(d):
            values = columns[j].values
            median, mean, std = columns[j].median, columns[j].mean, columns[j].std
            cell = out + at * width + columns[j].place
            for i in range(at, end):
                x = values[i]
                if columns[j].flagged:
                    cell[1] = 0.0 if isfinite(x) else 1.0
                if not isfinite(x):
                    x = median
                if scaled:
                    x = (x - mean) / std
                cell[0] = x
                cell += width


def fill_numbers(
    list arrays,
    const double[:, ::1] numbers,
    const int64_t[::1] places,
    const unsigned char[::1] flagged,
    bint scaled,
    double[:, :] out,
):
    """Write columns of numbers, NaN or infinite where missing, into rows of cells.

    Parameters
    ----------
    arrays
        For each of d columns its values, float64 (n,).
    numbers
        (d, 3): median, mean and standard deviation of each.
    places, flagged
        Which cell of a row each becomes, and whether the next one tells that it was missing.
    scaled
        Whether mean and deviation are applied.
    out
        (n, width), the cells of a row side by side.
    """
    cdef Py_ssize_t d = len(arrays), n = out.shape[0], j
    cdef const double[::1] view
    if numbers.shape[0] != d or places.shape[0] != d or flagged.shape[0] != d:
        raise ValueError("every column needs its numbers, its place and its flag")
    if d == 0 or n == 0:
        return
    if out.strides[1] != sizeof(double) or out.strides[0] % sizeof(double):
        raise ValueError("the cells of a row must lie side by side")
    cdef Column *columns = <Column *> malloc(d * sizeof(Column))
    if columns == NULL:
        raise MemoryError
    try:
        for j in range(d):
            view = arrays[j]
            if view.shape[0] != n:
                raise ValueError("a column does not fit the rows")
            if not 0 <= places[j] <= out.shape[1] - 1 - (1 if flagged[j] else 0):
                raise ValueError("a column does not fit the cells")
            columns[j].values = &view[0]
            columns[j].median, columns[j].mean = numbers[j, 0], numbers[j, 1]
            columns[j].std = numbers[j, 2]
            columns[j].place, columns[j].flagged = places[j], flagged[j]
        with nogil:
            fill(columns, d, n, out.strides[0] // sizeof(double), scaled, &out[0, 0])
    finally:
        free(columns)
