"""Linear models on rows that are mostly zeros, one row at a time: the inner loops.

`Core` works on the arrays of a state made by `modellab.learners.compiled.sparse_kernel`, which says
what is computed. A step touches only the columns that its row has: a weight is kept as v and is
worth S tz(v, V - cut), where S is the product of all shrinkings so far, V the sum of all cuts (each
divided by S), `cut` what V was when the column was last touched, and tz moves towards 0.
"""
from libc.math cimport fabs, sqrt
from libc.stdint cimport int32_t, int64_t

from modellab.learners.compiled._math cimport power
from modellab.learners.compiled._model cimport (
    ADAGRAD, ADAGRAD_FLOOR, ALPHA, CLIP, ELASTICNET, EPSILON, ETA, HELD, INTERCEPT, INVSCALING, L1,
    L1_RATIO, L2, LARGEST, LOSS, ONLINE, OPTIMAL, OPTIMAL_START, PENALTY, POWER_T, REGRESSION,
    SCALE, SCHEDULE, UNSCALED, slope, towards_zero,
)

# Places in `counters`; sparse_kernel.py has the same list.
cdef enum:
    STEPS = 0     # steps made, plus 1
    SCALED = 1    # rows in the scaler
    SKIPPED = 2   # rows never learned

# Places in `shared`.
cdef enum:
    FACTOR = 0    # S
    CUTS = 1      # V

cdef struct Model:
    Py_ssize_t d, k, dense
    int64_t *counters
    int64_t *choices
    double *settings
    double *shared
    double *v          # (k, d)
    double *squares    # (k, d), of AdaGrad
    double *cut        # (d)
    double *bias
    double *bias_squares
    double *mean       # (dense)
    double *variance
    double *inverse
    double *x          # (dense): the row at hand, as it came
    double *z          # (dense): as the weights see it
    double *score      # (k)
    double *gradient   # (k, d), zeros between calls
    double *bias_gradient
    int32_t *touched   # (d)
    int32_t *stamp     # (d), zeros between calls


cdef struct Row:
    const double *values
    const int32_t *columns
    Py_ssize_t first   # the first cell of a word
    Py_ssize_t n


cdef inline double rate(const Model *m) noexcept nogil:
    if m.choices[SCHEDULE] == OPTIMAL:
        return 1.0 / (m.settings[ALPHA]
                      * (m.settings[OPTIMAL_START] + <double>m.counters[STEPS] - 1.0))
    if m.choices[SCHEDULE] == INVSCALING:
        return m.settings[ETA] / power(<double>m.counters[STEPS], m.settings[POWER_T])
    return m.settings[ETA]


cdef inline double l1_part(const Model *m) noexcept nogil:
    if m.choices[PENALTY] == L1:
        return m.settings[ALPHA]
    return m.settings[ALPHA] * m.settings[L1_RATIO] if m.choices[PENALTY] == ELASTICNET else 0.0


cdef inline double l2_part(const Model *m) noexcept nogil:
    if m.choices[PENALTY] == L2:
        return m.settings[ALPHA]
    if m.choices[PENALTY] == ELASTICNET:
        return m.settings[ALPHA] * (1.0 - m.settings[L1_RATIO])
    return 0.0


cdef inline double side(const Model *m, double y, Py_ssize_t c) noexcept nogil:
    if m.choices[REGRESSION]:
        return y
    if m.k == 1:
        return y + y - 1.0
    return 1.0 if y == <double>c else -1.0


cdef inline bint usable_label(const Model *m, double y) noexcept nogil:
    cdef double last
    if m.choices[REGRESSION]:
        return fabs(y) <= LARGEST
    last = 1.0 if m.k == 1 else <double>(m.k - 1)
    return 0.0 <= y <= last and y == <double>(<int64_t>y)


cdef inline double steepness(const Model *m, double y, double p) noexcept nogil:
    cdef double g = slope(m.choices[LOSS], y, p, m.settings[EPSILON])
    cdef double limit = m.settings[CLIP]
    return -limit if g < -limit else (limit if g > limit else g)


cdef inline Row row_at(
    const double *values, const int32_t *columns, const int64_t *ends, Py_ssize_t i,
    Py_ssize_t dense
) noexcept nogil:
    cdef Row row
    row.values = values + ends[i]
    row.columns = columns + ends[i]
    row.n = ends[i + 1] - ends[i]
    row.first = 0
    while row.first < row.n and row.columns[row.first] < dense:
        row.first += 1
    return row


cdef inline bint usable(const Row *row) noexcept nogil:
    cdef Py_ssize_t p
    for p in range(row.n):
        if not (fabs(row.values[p]) <= LARGEST):
            return False
    return True


cdef inline void take_dense(Model *m, const Row *row) noexcept nogil:
    cdef Py_ssize_t j, p
    for j in range(m.dense):
        m.x[j] = 0.0
    for p in range(row.first):
        m.x[row.columns[p]] = row.values[p]


cdef inline void see(Model *m) noexcept nogil:
    cdef Py_ssize_t j
    for j in range(m.dense):
        if not (fabs(m.x[j]) <= LARGEST):
            m.z[j] = 0.0
        elif m.choices[SCALE] == UNSCALED:
            m.z[j] = m.x[j]
        else:
            m.z[j] = (m.x[j] - m.mean[j]) * m.inverse[j]


cdef inline void scaler_learns(Model *m) noexcept nogil:
    cdef Py_ssize_t j
    cdef double delta, share
    m.counters[SCALED] += 1
    share = 1.0 / <double>m.counters[SCALED]
    for j in range(m.dense):
        delta = m.x[j] - m.mean[j]
        m.mean[j] += delta * share
        m.variance[j] += (delta * (m.x[j] - m.mean[j]) - m.variance[j]) * share
        m.inverse[j] = 1.0 / sqrt(m.variance[j]) if m.variance[j] > 0.0 else 0.0


cdef inline double weight(const Model *m, Py_ssize_t c, Py_ssize_t j) noexcept nogil:
    return m.shared[FACTOR] * towards_zero(m.v[c * m.d + j], m.shared[CUTS] - m.cut[j])


cdef inline void score_row(Model *m, const Row *row) noexcept nogil:
    cdef Py_ssize_t c, j, p
    cdef double total, x
    for c in range(m.k):
        total = 0.0
        for j in range(m.dense):
            total += weight(m, c, j) * m.z[j]
        for p in range(row.first, row.n):
            x = row.values[p]
            if fabs(x) <= LARGEST:
                total += weight(m, c, row.columns[p]) * x
        m.score[c] = total + m.bias[c]


cdef void level(Model *m) noexcept nogil:
    # Work everything that waits into the weights: S is 1 and V is 0 again.
    cdef Py_ssize_t c, j
    for c in range(m.k):
        for j in range(m.d):
            m.v[c * m.d + j] = weight(m, c, j)
    for j in range(m.d):
        m.cut[j] = 0.0
    m.shared[FACTOR] = 1.0
    m.shared[CUTS] = 0.0


cdef inline void touch(Model *m, Py_ssize_t j) noexcept nogil:
    # Cut what was to be cut since the column was last touched.
    cdef double waiting = m.shared[CUTS] - m.cut[j]
    cdef Py_ssize_t c
    if waiting > 0.0:
        for c in range(m.k):
            m.v[c * m.d + j] = towards_zero(m.v[c * m.d + j], waiting)
        m.cut[j] = m.shared[CUTS]


cdef inline void shrink(Model *m, double eta, double l2) noexcept nogil:
    cdef double left = 1.0 - eta * l2
    cdef Py_ssize_t i
    if left == 1.0:
        return
    if left <= 0.0:
        for i in range(m.k * m.d):
            m.v[i] = 0.0
        level(m)
        return
    if m.shared[FACTOR] * left < 1e-6:
        level(m)
    m.shared[FACTOR] *= left


cdef inline void move(Model *m, Py_ssize_t c, Py_ssize_t j, double g, double eta,
                      double l1, double l2) noexcept nogil:
    # One weight along its gradient g (the penalty's part left out).
    cdef double *v = m.v + c * m.d + j
    cdef double *s
    cdef double w, own
    if m.choices[SCHEDULE] != ADAGRAD:
        v[0] -= eta * g / m.shared[FACTOR]
        return
    s = m.squares + c * m.d + j
    w = m.shared[FACTOR] * v[0]
    g = g + l2 * w
    s[0] += g * g
    own = eta / sqrt(s[0] + ADAGRAD_FLOOR)
    v[0] = towards_zero(w - own * g, own * l1) / m.shared[FACTOR]


cdef inline void move_bias(Model *m, Py_ssize_t c, double g, double eta) noexcept nogil:
    if not m.choices[INTERCEPT]:
        return
    if m.choices[SCHEDULE] == ADAGRAD:
        m.bias_squares[c] += g * g
        eta = eta / sqrt(m.bias_squares[c] + ADAGRAD_FLOOR)
    m.bias[c] -= eta * g


cdef inline void penalise(Model *m, double eta, double l1, double l2) noexcept nogil:
    # What concerns every weight: done at once for all by S, before the step; cuts come after it.
    if m.choices[SCHEDULE] != ADAGRAD:
        shrink(m, eta, l2)


cdef inline void cut_all(Model *m, double eta, double l1) noexcept nogil:
    if l1 > 0.0 and m.choices[SCHEDULE] != ADAGRAD:
        m.shared[CUTS] += eta * l1 / m.shared[FACTOR]


cdef void step_one(Model *m, const Row *row, double y) noexcept nogil:
    cdef double eta = rate(m), l1 = l1_part(m), l2 = l2_part(m), g
    cdef Py_ssize_t c, j, p
    take_dense(m, row)
    if m.choices[SCALE] == ONLINE:
        scaler_learns(m)
    see(m)
    for j in range(m.dense):
        touch(m, j)
    for p in range(row.first, row.n):
        touch(m, row.columns[p])
    score_row(m, row)
    penalise(m, eta, l1, l2)
    for c in range(m.k):
        g = steepness(m, side(m, y, c), m.score[c])
        for j in range(m.dense):
            move(m, c, j, g * m.z[j], eta, l1, l2)
        for p in range(row.first, row.n):
            move(m, c, row.columns[p], g * row.values[p], eta, l1, l2)
        move_bias(m, c, g, eta)
    cut_all(m, eta, l1)
    m.counters[STEPS] += 1


cdef void step_group(
    Model *m, const double *values, const int32_t *columns, const int64_t *ends, const double *y,
    Py_ssize_t start, Py_ssize_t stop
) noexcept nogil:
    # One step along the mean gradient of rows [start, stop): the scaler learns all of them first.
    cdef double eta = rate(m), l1 = l1_part(m), l2 = l2_part(m), g
    cdef double share = 1.0 / <double>(stop - start)
    cdef Py_ssize_t c, i, j, p, n = 0
    cdef Row row
    if m.choices[SCALE] == ONLINE:
        for i in range(start, stop):
            row = row_at(values, columns, ends, i, m.dense)
            take_dense(m, &row)
            scaler_learns(m)
    for c in range(m.k):
        m.bias_gradient[c] = 0.0
    for j in range(m.dense):
        m.touched[n] = <int32_t>j
        m.stamp[j] = 1
        n += 1
        touch(m, j)
    for i in range(start, stop):
        row = row_at(values, columns, ends, i, m.dense)
        take_dense(m, &row)
        see(m)
        for p in range(row.first, row.n):
            j = row.columns[p]
            if not m.stamp[j]:
                m.stamp[j] = 1
                m.touched[n] = <int32_t>j
                n += 1
                touch(m, j)
        score_row(m, &row)
        for c in range(m.k):
            g = steepness(m, side(m, y[i], c), m.score[c])
            for j in range(m.dense):
                m.gradient[c * m.d + j] += g * m.z[j]
            for p in range(row.first, row.n):
                m.gradient[c * m.d + row.columns[p]] += g * row.values[p]
            m.bias_gradient[c] += g
    penalise(m, eta, l1, l2)
    for i in range(n):
        j = m.touched[i]
        m.stamp[j] = 0
        for c in range(m.k):
            move(m, c, j, share * m.gradient[c * m.d + j], eta, l1, l2)
            m.gradient[c * m.d + j] = 0.0
    for c in range(m.k):
        move_bias(m, c, share * m.bias_gradient[c], eta)
    cut_all(m, eta, l1)
    m.counters[STEPS] += 1


cdef class Core:
    """The loops over the arrays of one state (a dict); made anew when an array is replaced."""

    cdef Model m
    cdef object _state

    def __init__(self, dict state):
        cdef int64_t[::1] counters = state["counters"]
        cdef int64_t[::1] choices = state["choices"]
        cdef double[:, ::1] v = state["v"]
        cdef int32_t[::1] touched = state["touched"]
        cdef int32_t[::1] stamp = state["stamp"]
        cdef double[::1] flat
        self._state = dict(state)  # keeps the arrays alive
        self.m.counters = &counters[0]
        self.m.choices = &choices[0]
        self.m.k = v.shape[0]
        self.m.d = v.shape[1]
        self.m.v = &v[0, 0]
        self.m.touched = &touched[0]
        self.m.stamp = &stamp[0]
        self.m.dense = state["dense"]
        flat = state["settings"]
        self.m.settings = &flat[0]
        flat = state["shared"]
        self.m.shared = &flat[0]
        flat = state["squares"].reshape(-1)
        self.m.squares = &flat[0]
        flat = state["gradient"].reshape(-1)
        self.m.gradient = &flat[0]
        flat = state["cut"]
        self.m.cut = &flat[0]
        flat = state["bias"]
        self.m.bias = &flat[0]
        flat = state["bias_squares"]
        self.m.bias_squares = &flat[0]
        flat = state["bias_gradient"]
        self.m.bias_gradient = &flat[0]
        flat = state["mean"]
        self.m.mean = &flat[0]
        flat = state["variance"]
        self.m.variance = &flat[0]
        flat = state["inverse"]
        self.m.inverse = &flat[0]
        flat = state["x"]
        self.m.x = &flat[0]
        flat = state["z"]
        self.m.z = &flat[0]
        flat = state["score"]
        self.m.score = &flat[0]

    cdef inline void _predict(self, const Row *row, double *scores) noexcept nogil:
        cdef Model *m = &self.m
        cdef Py_ssize_t c
        take_dense(m, row)
        see(m)
        score_row(m, row)
        for c in range(m.k):
            scores[c] = m.score[c]

    def predict(
        self,
        const double[::1] values,
        const int32_t[::1] columns,
        const int64_t[::1] ends,
        double[:, ::1] scores,
    ):
        """Write the decision values of each row into `scores`; changes nothing."""
        cdef Py_ssize_t i
        cdef Row row
        cdef const double *x = &values[0] if values.shape[0] else NULL
        cdef const int32_t *at = &columns[0] if columns.shape[0] else NULL
        with nogil:
            for i in range(ends.shape[0] - 1):
                row = row_at(x, at, &ends[0], i, self.m.dense)
                self._predict(&row, &scores[i, 0])

    def run(
        self,
        const double[::1] values,
        const int32_t[::1] columns,
        const int64_t[::1] ends,
        const double[::1] learn_values,
        const int32_t[::1] learn_columns,
        const int64_t[::1] learn_ends,
        const double[::1] learn_y,
        const int64_t[::1] upto,
        double[:, ::1] scores,
    ):
        """Predict each row into `scores`, then learn the first `upto[i]` labelled rows, each alone."""
        cdef Py_ssize_t i, arrived = 0
        cdef Row row
        cdef const double *x = &values[0] if values.shape[0] else NULL
        cdef const int32_t *at = &columns[0] if columns.shape[0] else NULL
        cdef const double *lx = &learn_values[0] if learn_values.shape[0] else NULL
        cdef const int32_t *lat = &learn_columns[0] if learn_columns.shape[0] else NULL
        with nogil:
            for i in range(ends.shape[0] - 1):
                row = row_at(x, at, &ends[0], i, self.m.dense)
                self._predict(&row, &scores[i, 0])
                while arrived < upto[i]:
                    row = row_at(lx, lat, &learn_ends[0], arrived, self.m.dense)
                    if usable_label(&self.m, learn_y[arrived]) and usable(&row):
                        step_one(&self.m, &row, learn_y[arrived])
                    else:
                        self.m.counters[SKIPPED] += 1
                    arrived += 1

    def learn(
        self,
        const double[::1] values,
        const int32_t[::1] columns,
        const int64_t[::1] ends,
        const double[::1] y,
        Py_ssize_t batch,
        bint hold_scaler,
    ):
        """Learn all rows now, in order, in groups of `batch`; all must be usable."""
        cdef Py_ssize_t start = 0, stop, n = ends.shape[0] - 1
        cdef Row row
        cdef Model *m = &self.m
        cdef const double *x = &values[0] if values.shape[0] else NULL
        cdef const int32_t *at = &columns[0] if columns.shape[0] else NULL
        cdef int64_t scale = m.choices[SCALE]
        with nogil:
            if hold_scaler and scale == ONLINE:
                m.choices[SCALE] = HELD
            while start < n:
                stop = min(start + batch, n)
                if stop - start == 1:
                    row = row_at(x, at, &ends[0], start, m.dense)
                    step_one(m, &row, y[start])
                else:
                    step_group(m, x, at, &ends[0], &y[0], start, stop)
                start = stop
            m.choices[SCALE] = scale

    def level(self):
        """Work everything that waits into the weights, so that `v` holds them."""
        with nogil:
            level(&self.m)
