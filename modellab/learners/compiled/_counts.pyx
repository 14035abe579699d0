"""Multinomial naive Bayes over rows that are mostly zeros: the inner loops.

`Core` works on the arrays of a state made by `modellab.learners.multinomial`, which says what is
computed. Everything that fades is kept divided by one common factor, so that fading costs one
multiplication a row.
"""
from libc.stdint cimport int32_t, int64_t, uint8_t

from modellab.learners.compiled._math cimport exp_, log_

# Places in `shared`.
cdef enum:
    FACTOR = 0   # what all counts are to be multiplied by
    WORDS = 1    # columns that have ever held more than 0
    ALPHA = 2
    FADING = 3

cdef extern from *:
    """
    #define SMALLEST_FACTOR 1e-100
    #define LARGEST_COUNT 1e100
    """
    const double SMALLEST_FACTOR
    const double LARGEST_COUNT

cdef struct Counts:
    Py_ssize_t d, k
    double *shared
    double *table     # (d, k): sums of the values by column and class
    double *classes   # (k): rows
    double *totals    # (k): sums of all values


cdef inline bint counted(double v) noexcept nogil:
    return 0.0 < v <= LARGEST_COUNT


cdef void predict_row(
    const Counts *m, const double *values, const int32_t *columns, Py_ssize_t n, double *out
) noexcept nogil:
    # Share of each class: log prior + sum of v log p(column | class), made to sum to 1.
    cdef double factor = m.shared[FACTOR], alpha = m.shared[ALPHA], rows = 0.0, mass = 0.0
    cdef double highest = 0.0, total = 0.0, v
    cdef Py_ssize_t i, c
    cdef bint any_class = False
    cdef const double *at
    for c in range(m.k):
        rows += m.classes[c]
    if not rows > 0.0:
        for c in range(m.k):
            out[c] = 1.0 / <double>m.k
        return
    for c in range(m.k):
        out[c] = 0.0
    for i in range(n):
        v = values[i]
        if not counted(v):
            continue
        mass += v
        at = m.table + columns[i] * m.k
        for c in range(m.k):
            if m.classes[c] > 0.0:
                out[c] += v * log_(max(at[c] * factor + alpha, 1e-300))
    for c in range(m.k):
        if m.classes[c] > 0.0:
            out[c] += log_(m.classes[c] / rows)
            if mass > 0.0:
                out[c] -= mass * log_(max(m.totals[c] * factor + alpha * m.shared[WORDS], 1e-300))
            if not any_class or out[c] > highest:
                highest = out[c]
            any_class = True
    for c in range(m.k):
        out[c] = exp_(out[c] - highest) if m.classes[c] > 0.0 else 0.0
        total += out[c]
    for c in range(m.k):
        out[c] /= total


cdef void learn_row(
    Counts *m, const double *values, const int32_t *columns, Py_ssize_t n, Py_ssize_t label,
    uint8_t *known
) noexcept nogil:
    cdef double one, v
    cdef Py_ssize_t i
    m.shared[FACTOR] *= m.shared[FADING]
    if m.shared[FACTOR] < SMALLEST_FACTOR:
        for i in range(m.d * m.k):
            m.table[i] *= m.shared[FACTOR]
        for i in range(m.k):
            m.classes[i] *= m.shared[FACTOR]
            m.totals[i] *= m.shared[FACTOR]
        m.shared[FACTOR] = 1.0
    one = 1.0 / m.shared[FACTOR]
    m.classes[label] += one
    for i in range(n):
        v = values[i]
        if not counted(v):
            continue
        if not known[columns[i]]:
            known[columns[i]] = 1
            m.shared[WORDS] += 1.0
        m.table[columns[i] * m.k + label] += v * one
        m.totals[label] += v * one


cdef class Core:
    """The loops over the arrays of one state (a dict)."""

    cdef Counts m
    cdef uint8_t *known
    cdef object _state

    def __init__(self, dict state):
        cdef double[:, ::1] table = state["table"]
        cdef double[::1] classes = state["classes"]
        cdef double[::1] totals = state["totals"]
        cdef double[::1] shared = state["shared"]
        cdef uint8_t[::1] known = state["known"]
        self._state = dict(state)  # keeps the arrays alive
        self.m.d, self.m.k = table.shape[0], table.shape[1]
        if classes.shape[0] != self.m.k or totals.shape[0] != self.m.k or known.shape[0] != self.m.d:
            raise ValueError("the arrays do not fit")
        self.m.table = &table[0, 0]
        self.m.classes = &classes[0]
        self.m.totals = &totals[0]
        self.m.shared = &shared[0]
        self.known = &known[0]

    def run(
        self,
        const double[::1] values,
        const int32_t[::1] columns,
        const int64_t[::1] ends,
        const double[::1] learn_values,
        const int32_t[::1] learn_columns,
        const int64_t[::1] learn_ends,
        const int64_t[::1] labels,
        const int64_t[::1] upto,
        double[:, ::1] out,
    ):
        """Predict each row into `out`, then learn the first `upto[i]` of the labelled rows."""
        cdef const double *v = &values[0] if values.shape[0] else NULL
        cdef const int32_t *c = &columns[0] if columns.shape[0] else NULL
        cdef const double *lv = &learn_values[0] if learn_values.shape[0] else NULL
        cdef const int32_t *lc = &learn_columns[0] if learn_columns.shape[0] else NULL
        cdef Py_ssize_t i, arrived = 0
        with nogil:
            for i in range(out.shape[0]):
                predict_row(&self.m, v + ends[i], c + ends[i], ends[i + 1] - ends[i], &out[i, 0])
                while arrived < upto[i]:
                    learn_row(
                        &self.m, lv + learn_ends[arrived], lc + learn_ends[arrived],
                        learn_ends[arrived + 1] - learn_ends[arrived], labels[arrived], self.known
                    )
                    arrived += 1

    def learn(
        self,
        const double[::1] values,
        const int32_t[::1] columns,
        const int64_t[::1] ends,
        const int64_t[::1] labels,
    ):
        """Learn all rows, in order."""
        cdef const double *v = &values[0] if values.shape[0] else NULL
        cdef const int32_t *c = &columns[0] if columns.shape[0] else NULL
        cdef Py_ssize_t i
        with nogil:
            for i in range(labels.shape[0]):
                learn_row(
                    &self.m, v + ends[i], c + ends[i], ends[i + 1] - ends[i], labels[i], self.known
                )
