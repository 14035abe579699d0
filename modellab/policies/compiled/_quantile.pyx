"""The loop over values that join a window one by one (see `modellab.policies.guard_window`)."""

from libc.string cimport memmove


cdef inline Py_ssize_t place(const double *order, Py_ssize_t n, double x) noexcept nogil:
    """How many of n ascending values are less than x."""
    cdef Py_ssize_t low = 0, high = n, middle
    while low < high:
        middle = (low + high) // 2
        if order[middle] < x:
            low = middle + 1
        else:
            high = middle
    return low


cdef Py_ssize_t join(
    const double *values,
    double *order,
    Py_ssize_t window,
    Py_ssize_t rank,
    const double *part,
    Py_ssize_t count,
    unsigned char *over,
    bint first,
) noexcept nogil:
    cdef Py_ssize_t i, gone, came
    cdef double x, old
    for i in range(count):
        x = part[i]
        # As many as `rank` lie below it if the one of this rank does.
        over[i] = order[rank - 1] < x
        if first and over[i]:
            return i
        old = values[i] if i < window else part[i - window]
        gone = place(order, window, old)
        came = place(order, window, x)
        if came > gone:
            came -= 1
            memmove(order + gone, order + gone + 1, (came - gone) * sizeof(double))
        elif came < gone:
            memmove(order + came + 1, order + came, (gone - came) * sizeof(double))
        order[came] = x
    return count


def judge(
    const double[::1] values,
    double[::1] order,
    Py_ssize_t rank,
    const double[::1] part,
    unsigned char[::1] over,
    bint first,
):
    """Tell which of the next values exceed the value of a rank, each before it joins the window.

    Parameters
    ----------
    values, order
        The w values of a full window, as they came and ascending; `order` is brought up to date.
    rank
        1 to w.
    part, over
        The next values (n,), and where to tell.
    first
        Whether to stop before the first that exceeds it.

    Returns
    -------
    How many have joined.
    """
    cdef Py_ssize_t done, window = values.shape[0], count = part.shape[0]
    if order.shape[0] != window or over.shape[0] != count or not 1 <= rank <= window:
        raise ValueError("the window does not fit")
    if not count:
        return 0
    with nogil:
        done = join(&values[0], &order[0], window, rank, &part[0], count, &over[0], first)
    return done
