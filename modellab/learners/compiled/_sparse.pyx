"""Linear models on rows that are mostly zeros, one row at a time: the inner loops.

`Core` works on the arrays of a state made by `modellab.learners.compiled.sparse_kernel`, which says
what is computed. A step touches only the columns that its row has: a weight is kept as v and is
worth S tz(v, V - cut), where S is the product of all shrinkings so far, V the sum of all cuts (each
divided by S), `cut` what V was when the column was last touched, and tz moves towards 0.
"""
from libc.math cimport fabs, sqrt
from libc.stdint cimport int32_t, int64_t

from modellab.learners.compiled._model cimport *
from modellab.learners.compiled._steps cimport *

# Places in `shared`.
cdef enum:
    FACTOR = 0    # S
    CUTS = 1      # V
    MASS = 2      # the sum of S after each step, for the averages

cdef struct Sparse:
    Model m            # settings, counters, biases, scores, and the columns that are scaled: its d
    Py_ssize_t d, dense
    double *shared
    double *v          # (k, d)
    double *squares    # (k, d) of AdaGrad, Adam and FTRL, as of the dense kernel
    double *moments    # (k, d) of Adam and FTRL
    double *sums       # (k, d): of the weight after each step, up to when MASS was `since`
    double *since      # (d)
    double *cut        # (d)
    double *x          # (dense): the row at hand, as it came
    double *gradient   # (k, d), zeros between calls
    int32_t *touched   # (d)
    int32_t *stamp     # (d), zeros between calls


cdef struct Row:
    const double *values
    const int32_t *columns
    Py_ssize_t first   # the first cell of a word
    Py_ssize_t n


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


cdef inline bint usable_row(const Row *row) noexcept nogil:
    cdef Py_ssize_t p
    for p in range(row.n):
        if not (fabs(row.values[p]) <= LARGEST):
            return False
    return True


cdef inline void take_dense(Sparse *s, const Row *row) noexcept nogil:
    cdef Py_ssize_t j, p
    for j in range(s.dense):
        s.x[j] = 0.0
    for p in range(row.first):
        s.x[row.columns[p]] = row.values[p]


cdef inline void see_dense(Sparse *s) noexcept nogil:
    cdef Model *m = &s.m
    cdef Py_ssize_t j
    for j in range(s.dense):
        if not (fabs(s.x[j]) <= LARGEST):
            m.z[j] = 0.0
        elif m.choices[SCALE] == UNSCALED:
            m.z[j] = s.x[j]
        else:
            m.z[j] = (s.x[j] - m.mean[j]) * m.inverse[j]


cdef inline void dense_scaler_learns(Sparse *s) noexcept nogil:
    cdef Model *m = &s.m
    cdef Py_ssize_t j
    cdef double delta, share
    m.counters[SCALED] += 1
    share = 1.0 / <double>m.counters[SCALED]
    for j in range(s.dense):
        delta = s.x[j] - m.mean[j]
        m.mean[j] += delta * share
        m.variance[j] += (delta * (s.x[j] - m.mean[j]) - m.variance[j]) * share
        m.inverse[j] = 1.0 / sqrt(m.variance[j]) if m.variance[j] > 0.0 else 0.0


# ------------------------------------------------------------------ scores


cdef inline double weight(const Sparse *s, Py_ssize_t c, Py_ssize_t j) noexcept nogil:
    return s.shared[FACTOR] * towards_zero(s.v[c * s.d + j], s.shared[CUTS] - s.cut[j])


cdef inline double mean_weight(const Sparse *s, Py_ssize_t c, Py_ssize_t j) noexcept nogil:
    # The mean over all steps so far; nothing is ever cut lazily where it is wanted.
    cdef Py_ssize_t i = c * s.d + j
    return (s.sums[i] + s.v[i] * (s.shared[MASS] - s.since[j])) / <double>s.m.counters[AVERAGED]


cdef inline void score_sparse(Sparse *s, const Row *row) noexcept nogil:
    cdef Py_ssize_t c, j, p
    cdef double total, x
    for c in range(s.m.k):
        total = 0.0
        for j in range(s.dense):
            total += weight(s, c, j) * s.m.z[j]
        for p in range(row.first, row.n):
            x = row.values[p]
            if fabs(x) <= LARGEST:
                total += weight(s, c, row.columns[p]) * x
        s.m.score[c] = total + s.m.bias[c]


cdef inline void score_by_means(Sparse *s, const Row *row) noexcept nogil:
    cdef Py_ssize_t c, j, p
    cdef double total, x, n = <double>s.m.counters[AVERAGED]
    for c in range(s.m.k):
        total = 0.0
        s.m.score[c] = 0.0
        if n == 0.0:
            continue
        for j in range(s.dense):
            total += mean_weight(s, c, j) * s.m.z[j]
        for p in range(row.first, row.n):
            x = row.values[p]
            if fabs(x) <= LARGEST:
                total += mean_weight(s, c, row.columns[p]) * x
        s.m.score[c] = total + s.m.bias_average[c] / n


# ------------------------------------------------------------------ what waits, worked in


cdef inline void sum_up(Sparse *s, Py_ssize_t j) noexcept nogil:
    # Add what the weights of a column were worth after each step since it was last done.
    cdef double steps = s.shared[MASS] - s.since[j]
    cdef Py_ssize_t c
    for c in range(s.m.k):
        s.sums[c * s.d + j] += s.v[c * s.d + j] * steps
    s.since[j] = s.shared[MASS]


cdef inline void level(Sparse *s) noexcept nogil:
    # Work everything that waits into the weights: S is 1 and V is 0 again.
    cdef Py_ssize_t c, j
    if s.m.choices[AVERAGE]:
        for j in range(s.d):
            sum_up(s, j)
    for c in range(s.m.k):
        for j in range(s.d):
            s.v[c * s.d + j] = weight(s, c, j)
    for j in range(s.d):
        s.cut[j] = 0.0
    s.shared[FACTOR] = 1.0
    s.shared[CUTS] = 0.0


cdef inline void touch(Sparse *s, Py_ssize_t j) noexcept nogil:
    # Cut what was to be cut since the column was last touched.
    cdef double waiting = s.shared[CUTS] - s.cut[j]
    cdef Py_ssize_t c
    if s.m.choices[AVERAGE]:
        sum_up(s, j)
    if waiting > 0.0:
        for c in range(s.m.k):
            s.v[c * s.d + j] = towards_zero(s.v[c * s.d + j], waiting)
        s.cut[j] = s.shared[CUTS]


cdef inline void shrink(Sparse *s, double eta, double l2) noexcept nogil:
    # What L2 does to every weight at a plain step: done at once for all by S, before the step.
    cdef double left = 1.0 - eta * l2
    cdef Py_ssize_t i
    if s.m.choices[SCHEDULE] >= ADAGRAD or left == 1.0:
        return
    if left <= 0.0:
        level(s)
        for i in range(s.m.k * s.d):
            s.v[i] = 0.0
        return
    if s.shared[FACTOR] * left < 1e-6:
        level(s)
    s.shared[FACTOR] *= left


cdef inline void finish_step(Sparse *s, double eta, double l1) noexcept nogil:
    # What L1 cuts of every weight at a plain step is cut later; means go on by S.
    cdef Py_ssize_t c
    if l1 > 0.0 and s.m.choices[SCHEDULE] < ADAGRAD:
        s.shared[CUTS] += eta * l1 / s.shared[FACTOR]
    count_step(&s.m)
    if s.m.choices[AVERAGE]:
        s.shared[MASS] += s.shared[FACTOR]
        for c in range(s.m.k):
            s.m.bias_average[c] += s.m.bias[c]


# ------------------------------------------------------------------ steps


cdef inline void move(
    Sparse *s, Py_ssize_t c, Py_ssize_t j, double g, double eta, double l1, double l2
) noexcept nogil:
    # One weight along its gradient g (the penalty's part left out).
    cdef Model *m = &s.m
    cdef Py_ssize_t i = c * s.d + j
    cdef int64_t schedule = m.choices[SCHEDULE]
    cdef double w, own
    if schedule < ADAGRAD or schedule >= PA:
        s.v[i] -= eta * g / s.shared[FACTOR]
        return
    w = s.shared[FACTOR] * s.v[i]
    if schedule == FTRL:
        w = ftrl_weight(s.moments + i, s.squares + i, w, g, eta, m.settings[FTRL_BETA], l1, l2)
    elif schedule == ADAM:
        own = adam_step(
            s.moments + i, s.squares + i, g + l2 * w, eta, m.settings[BETA_1], m.settings[BETA_2]
        )
        w = towards_zero(w - own * s.moments[i], own * l1)
    else:
        g = g + l2 * w
        s.squares[i] += g * g
        own = eta / sqrt(s.squares[i] + ADAGRAD_FLOOR)
        w = towards_zero(w - own * g, own * l1)
    s.v[i] = w / s.shared[FACTOR]


cdef inline void move_bias(Sparse *s, Py_ssize_t c, double g, double eta) noexcept nogil:
    cdef Model *m = &s.m
    cdef int64_t schedule = m.choices[SCHEDULE]
    if not m.choices[INTERCEPT]:
        return
    if schedule == FTRL:
        m.bias[c] = ftrl_weight(
            m.bias_moments + c, m.bias_squares + c, m.bias[c], g, eta, m.settings[FTRL_BETA],
            0.0, 0.0
        )
        return
    if schedule == ADAM:
        eta = adam_step(
            m.bias_moments + c, m.bias_squares + c, g, eta, m.settings[BETA_1], m.settings[BETA_2]
        )
        g = m.bias_moments[c]
    elif schedule == ADAGRAD:
        m.bias_squares[c] += g * g
        eta = eta / sqrt(m.bias_squares[c] + ADAGRAD_FLOOR)
    m.bias[c] -= eta * g


cdef inline void find_sparse_slopes(Sparse *s, const Row *row, double y) noexcept nogil:
    # What each weight vector is to follow at the row at hand, from its scores.
    cdef Model *m = &s.m
    cdef double length = 0.0
    cdef Py_ssize_t c, j, p
    if m.choices[SCHEDULE] < PA or m.choices[SOFTMAX]:
        find_slopes(m, y)
        return
    for j in range(s.dense):
        length += m.z[j] * m.z[j]
    for p in range(row.first, row.n):
        length += row.values[p] * row.values[p]
    for c in range(m.k):
        m.steep[c] = aggressive(m, side(m, y, c), m.score[c], length)


cdef void step_one(Sparse *s, const Row *row, double y) noexcept nogil:
    cdef Model *m = &s.m
    cdef double eta = step_size(m), l1 = l1_part(m), l2 = l2_part(m), g
    cdef Py_ssize_t c, j, p
    take_dense(s, row)
    if m.choices[SCALE] == ONLINE:
        dense_scaler_learns(s)
    see_dense(s)
    for j in range(s.dense):
        touch(s, j)
    for p in range(row.first, row.n):
        touch(s, row.columns[p])
    score_sparse(s, row)
    find_sparse_slopes(s, row, y)
    shrink(s, eta, l2)
    for c in range(m.k):
        g = m.steep[c]
        for j in range(s.dense):
            move(s, c, j, g * m.z[j], eta, l1, l2)
        for p in range(row.first, row.n):
            move(s, c, row.columns[p], g * row.values[p], eta, l1, l2)
        move_bias(s, c, g, eta)
    finish_step(s, eta, l1)


cdef void step_group(
    Sparse *s, const double *values, const int32_t *columns, const int64_t *ends, const double *y,
    Py_ssize_t start, Py_ssize_t stop
) noexcept nogil:
    # One step along the mean gradient of rows [start, stop): the scaler learns all of them first.
    cdef Model *m = &s.m
    cdef double eta = step_size(m), l1 = l1_part(m), l2 = l2_part(m), g
    cdef double share = 1.0 / <double>(stop - start)
    cdef Py_ssize_t c, i, j, p, n = 0
    cdef Row row
    if m.choices[SCALE] == ONLINE:
        for i in range(start, stop):
            row = row_at(values, columns, ends, i, s.dense)
            take_dense(s, &row)
            dense_scaler_learns(s)
    for c in range(m.k):
        m.bias_gradient[c] = 0.0
    for j in range(s.dense):
        s.touched[n] = <int32_t>j
        s.stamp[j] = 1
        n += 1
        touch(s, j)
    for i in range(start, stop):
        row = row_at(values, columns, ends, i, s.dense)
        take_dense(s, &row)
        see_dense(s)
        for p in range(row.first, row.n):
            j = row.columns[p]
            if not s.stamp[j]:
                s.stamp[j] = 1
                s.touched[n] = <int32_t>j
                n += 1
                touch(s, j)
        score_sparse(s, &row)
        find_sparse_slopes(s, &row, y[i])
        for c in range(m.k):
            g = m.steep[c]
            for j in range(s.dense):
                s.gradient[c * s.d + j] += g * m.z[j]
            for p in range(row.first, row.n):
                s.gradient[c * s.d + row.columns[p]] += g * row.values[p]
            m.bias_gradient[c] += g
    shrink(s, eta, l2)
    for i in range(n):
        j = s.touched[i]
        s.stamp[j] = 0
        for c in range(m.k):
            move(s, c, j, share * s.gradient[c * s.d + j], eta, l1, l2)
            s.gradient[c * s.d + j] = 0.0
    for c in range(m.k):
        move_bias(s, c, share * m.bias_gradient[c], eta)
    finish_step(s, eta, l1)


cdef class Core:
    """The loops over the arrays of one state (a dict); made anew when an array is replaced."""

    cdef Sparse s
    cdef object _state

    def __init__(self, dict state):
        cdef int64_t[::1] counters = state["counters"]
        cdef int64_t[::1] choices = state["choices"]
        cdef double[:, ::1] v = state["v"]
        cdef int32_t[::1] touched = state["touched"]
        cdef int32_t[::1] stamp = state["stamp"]
        cdef double[::1] flat
        cdef Sparse *s = &self.s
        cdef Model *m = &s.m
        self._state = dict(state)  # keeps the arrays alive
        m.counters = &counters[0]
        m.choices = &choices[0]
        m.k = v.shape[0]
        s.d = v.shape[1]
        s.v = &v[0, 0]
        s.touched = &touched[0]
        s.stamp = &stamp[0]
        s.dense = m.d = state["dense"]
        flat = state["settings"]
        m.settings = &flat[0]
        flat = state["shared"]
        s.shared = &flat[0]
        flat = state["squares"].reshape(-1)
        s.squares = &flat[0]
        flat = state["moments"].reshape(-1)
        s.moments = &flat[0]
        flat = state["sums"].reshape(-1)
        s.sums = &flat[0]
        flat = state["since"]
        s.since = &flat[0]
        flat = state["gradient"].reshape(-1)
        s.gradient = &flat[0]
        flat = state["cut"]
        s.cut = &flat[0]
        flat = state["bias"]
        m.bias = &flat[0]
        flat = state["bias_squares"]
        m.bias_squares = &flat[0]
        flat = state["bias_moments"]
        m.bias_moments = &flat[0]
        flat = state["bias_sums"]
        m.bias_average = &flat[0]
        flat = state["bias_gradient"]
        m.bias_gradient = &flat[0]
        flat = state["mean"]
        m.mean = &flat[0]
        flat = state["variance"]
        m.variance = &flat[0]
        flat = state["inverse"]
        m.inverse = &flat[0]
        flat = state["x"]
        s.x = &flat[0]
        flat = state["z"]
        m.z = &flat[0]
        flat = state["score"]
        m.score = &flat[0]
        flat = state["steep"]
        m.steep = &flat[0]

    cdef inline void _predict(self, const Row *row, double *scores) noexcept nogil:
        cdef Sparse *s = &self.s
        cdef Py_ssize_t c
        take_dense(s, row)
        see_dense(s)
        if s.m.choices[AVERAGE]:
            score_by_means(s, row)
        else:
            score_sparse(s, row)
        for c in range(s.m.k):
            scores[c] = s.m.score[c]

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
                row = row_at(x, at, &ends[0], i, self.s.dense)
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
                row = row_at(x, at, &ends[0], i, self.s.dense)
                self._predict(&row, &scores[i, 0])
                while arrived < upto[i]:
                    row = row_at(lx, lat, &learn_ends[0], arrived, self.s.dense)
                    if usable_label(&self.s.m, learn_y[arrived]) and usable_row(&row):
                        step_one(&self.s, &row, learn_y[arrived])
                    else:
                        self.s.m.counters[SKIPPED] += 1
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
        cdef Sparse *s = &self.s
        cdef const double *x = &values[0] if values.shape[0] else NULL
        cdef const int32_t *at = &columns[0] if columns.shape[0] else NULL
        cdef int64_t scale = s.m.choices[SCALE]
        with nogil:
            if hold_scaler and scale == ONLINE:
                s.m.choices[SCALE] = HELD
            while start < n:
                stop = min(start + batch, n)
                if stop - start == 1:
                    row = row_at(x, at, &ends[0], start, s.dense)
                    step_one(s, &row, y[start])
                else:
                    step_group(s, x, at, &ends[0], &y[0], start, stop)
                start = stop
            s.m.choices[SCALE] = scale

    def level(self):
        """Work everything that waits into the weights, so that `v` holds them."""
        with nogil:
            level(&self.s)
