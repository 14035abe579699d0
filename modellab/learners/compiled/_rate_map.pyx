"""Many linear models at once that differ in their step size alone: the inner loops.

`Core` works on the arrays made by `modellab.learners.compiled.rate_map`. Each model is taught by the
very functions that teach a single one, so that its bits are the same; row, scaler and step number
are shared. Plain steps (constant or falling step size, one model against the rest) go over eight
models at a time, side by side; all others over one model after another.
"""
from libc.math cimport fabs
from libc.stdint cimport int64_t, uint8_t

from modellab.learners.compiled._model cimport *
from modellab.learners.compiled._steps cimport *


cdef inline double answer(const Model *m) noexcept nogil:
    # A class code or a number, from the scores.
    cdef Py_ssize_t c, best = 0
    if m.choices[REGRESSION]:
        return m.score[0]
    if m.k == 1:
        return 1.0 if m.score[0] > 0.0 else 0.0
    for c in range(1, m.k):
        if m.score[c] > m.score[best]:
            best = c
    return <double>best


cdef inline void step_all(Model *models, Py_ssize_t n, const double *x, double y) noexcept nogil:
    cdef Model *m = models
    cdef Py_ssize_t i, c
    cdef double eta, divisor = schedule_divisor(m)
    cdef bint whole = m.choices[SCHEDULE] >= PA
    if m.choices[SCALE] == ONLINE:
        scaler_learns(m, x, m.z, m.z)
    if m.choices[SCALE] == ONLINE or m.choices[AVERAGE]:
        for i in range(n):
            score_row(models + i)
    for i in range(n):
        find_slopes(models + i, y)
    for i in range(n):
        m = models + i
        eta = 1.0 if whole else m.settings[ETA] / divisor
        for c in range(m.k):
            apply(m, c, m.steep[c], m.z, m.steep[c], eta)
    count_step(models)
    if models.choices[AVERAGE]:
        for i in range(n):
            take_average(models + i)


cdef bint any_row(
    Model *models, Py_ssize_t n, const double *x, double y, double *errors, bint ask
) noexcept nogil:
    # Any row under any settings, model by model; whether it was scored.
    cdef Model *m = models
    cdef Py_ssize_t l
    cdef bint good = usable_label(m, y)
    cdef double value
    see_to_predict(m, x)
    if ask or m.choices[SCALE] != ONLINE:
        for l in range(n):
            score_to_predict(models + l)
    if ask and good:
        if m.choices[REGRESSION]:
            for l in range(n):
                errors[l] += fabs(answer(models + l) - y)
        else:
            for l in range(n):
                value = answer(models + l)
                errors[l] += 0.0 if value == y else 1.0
    if good and m.at_hand_usable:
        step_all(models, n, x, y)
    else:
        m.counters[SKIPPED] += 1
    return ask and good


# ------------------------------------------------------------------ plain steps, eight at a time

cdef enum:
    EIGHT = 8
    ROWS_AHEAD = 16
    NEAR = 32768          # bytes of weights that stay near the processor


cdef struct Lanes:
    # The same models with the rates side by side, as long as a call lasts.
    Py_ssize_t stride     # rates, rounded up to eights; the last ones have a step size of 0
    double *weights       # (k, d, stride)
    double *bias          # (k, stride)
    double *rate          # (stride)
    double *errors        # (stride)
    double *said          # (k, EIGHT): scores of the row before its step
    double *ahead         # (2, ROWS_AHEAD, width): rows before and after the scaler took them in
    double divisor[ROWS_AHEAD]


cdef inline bint steps_are_plain(const Model *m) noexcept nogil:
    return m.choices[SCHEDULE] <= INVSCALING and not m.choices[SOFTMAX] and not m.choices[AVERAGE]


cdef void lay_out(const Model *models, Py_ssize_t n, Lanes *lanes) noexcept nogil:
    cdef const Model *m
    cdef Py_ssize_t i, c, j
    for i in range(n):
        m = models + i
        lanes.rate[i] = m.settings[ETA]
        lanes.errors[i] = 0.0
        for c in range(m.k):
            lanes.bias[c * lanes.stride + i] = m.bias[c]
            for j in range(m.d):
                lanes.weights[(c * m.d + j) * lanes.stride + i] = m.weights[c * m.width + j]


cdef void take_back(Model *models, Py_ssize_t n, const Lanes *lanes, double *errors) noexcept nogil:
    cdef Model *m
    cdef Py_ssize_t i, c, j
    for i in range(n):
        m = models + i
        errors[i] += lanes.errors[i]
        for c in range(m.k):
            m.bias[c] = lanes.bias[c * lanes.stride + i]
            for j in range(m.d):
                m.weights[c * m.width + j] = lanes.weights[(c * m.d + j) * lanes.stride + i]


cdef inline void grade_eight(
    const Model *m, const Lanes *lanes, Py_ssize_t first, double y
) noexcept nogil:
    cdef double *errors = lanes.errors + first
    cdef const double *said = lanes.said
    cdef double best[EIGHT]
    cdef double answer[EIGHT]
    cdef double wrong_above = 0.0 if y == 1.0 else 1.0
    cdef Py_ssize_t l, c
    if m.choices[REGRESSION]:
        for l in range(EIGHT):
            errors[l] += fabs(said[l] - y)
        return
    if m.k == 1:
        for l in range(EIGHT):
            errors[l] += wrong_above if said[l] > 0.0 else 1.0 - wrong_above
        return
    for l in range(EIGHT):
        best[l] = said[l]
        answer[l] = 0.0
    for c in range(1, m.k):
        said += EIGHT
        for l in range(EIGHT):
            answer[l] = <double>c if said[l] > best[l] else answer[l]
            best[l] = said[l] if said[l] > best[l] else best[l]
    for l in range(EIGHT):
        errors[l] += 0.0 if answer[l] == y else 1.0


cdef inline void teach_eight(
    const Model *m, const Lanes *lanes, Py_ssize_t first, Py_ssize_t place, double y, bint ask,
    double l1, double l2
) noexcept nogil:
    # The row at this place of `ahead`, for eight rates.
    cdef const double *before = lanes.ahead + place * m.width
    cdef const double *after = before
    cdef double *bias
    cdef double score[EIGHT]
    cdef double steep[EIGHT]
    cdef double eta[EIGHT]
    cdef double shrink[EIGHT]
    cdef double update[EIGHT]
    cdef double cut[EIGHT]
    cdef double taught, limit = m.settings[CLIP]
    cdef Py_ssize_t c, l
    if m.choices[SCALE] == ONLINE:
        after += ROWS_AHEAD * m.width
    for l in range(EIGHT):
        eta[l] = lanes.rate[first + l] / lanes.divisor[place]
        shrink[l] = max(1.0 - eta[l] * l2, 0.0)
        cut[l] = eta[l] * l1
    for c in range(m.k):
        bias = lanes.bias + c * lanes.stride + first
        lab_map_scores(
            lanes.weights + c * m.d * lanes.stride + first, lanes.stride, before, after, m.d, bias,
            lanes.said + c * EIGHT, score
        )
        taught = side(m, y, c)
        for l in range(0, 8, 4):
            if m.choices[LOSS] != LOG or not lab_log_slopes(
                score + l, 0.5 + 0.5 * taught, -37.0, limit, steep + l
            ):
                steep[l] = clipped_slope(m, taught, score[l])
                steep[l + 1] = clipped_slope(m, taught, score[l + 1])
                steep[l + 2] = clipped_slope(m, taught, score[l + 2])
                steep[l + 3] = clipped_slope(m, taught, score[l + 3])
        for l in range(EIGHT):
            update[l] = -eta[l] * steep[l]
        lab_map_step(
            lanes.weights + c * m.d * lanes.stride + first, lanes.stride, after, m.d, shrink, update,
            cut, l1 > 0.0
        )
        if m.choices[INTERCEPT]:
            for l in range(EIGHT):
                bias[l] -= eta[l] * steep[l]
    if ask:
        grade_eight(m, lanes, first, y)


cdef Py_ssize_t run_ahead(
    Model *m, Lanes *lanes, const double *rows, const double *y, Py_ssize_t n, bint ask
) noexcept nogil:
    # Rows that every model can answer and learn; gives how many.
    cdef Py_ssize_t done = 0, taken, first, i, d = m.d
    cdef double l1 = l1_part(m), l2 = l2_part(m)
    cdef bint more = True
    cdef bint near = m.k * d * lanes.stride * <Py_ssize_t>sizeof(double) <= NEAR
    while more:
        taken = 0
        while taken < ROWS_AHEAD and done + taken < n and take_in(
            m, rows + (done + taken) * d, rows + (done + taken) * d, y[done + taken],
            lanes.ahead + taken * m.width, lanes.ahead + (ROWS_AHEAD + taken) * m.width
        ):
            lanes.divisor[taken] = schedule_divisor(m)
            count_step(m)
            taken += 1
        more = taken == ROWS_AHEAD
        if near:
            for i in range(taken):
                for first in range(0, lanes.stride, 8):
                    teach_eight(m, lanes, first, i, y[done + i], ask, l1, l2)
        else:
            for first in range(0, lanes.stride, 8):
                for i in range(taken):
                    teach_eight(m, lanes, first, i, y[done + i], ask, l1, l2)
        done += taken
    return done


# ------------------------------------------------------------------ the class that Python sees


cdef class Core:
    """The loops over the arrays of a state (a dict): one set of weights for each step size."""

    cdef Model *models
    cdef Lanes lanes
    cdef Py_ssize_t n
    cdef object _state

    def __init__(self, dict state):
        cdef int64_t[::1] counters = state["counters"]
        cdef int64_t[::1] choices = state["choices"]
        cdef double[:, ::1] settings = state["settings"]
        cdef double[:, :, ::1] weights = state["weights"]
        cdef double[:, :, ::1] squares = state["squares"]
        cdef double[:, :, ::1] moments = state["moments"]
        cdef double[:, :, ::1] average = state["average"]
        cdef double[:, ::1] bias = state["bias"]
        cdef double[:, ::1] bias_squares = state["bias_squares"]
        cdef double[:, ::1] bias_moments = state["bias_moments"]
        cdef double[:, ::1] bias_average = state["bias_average"]
        cdef double[:, ::1] score = state["score"]
        cdef double[:, ::1] steep = state["steep"]
        cdef double[::1] mean = state["mean"]
        cdef double[::1] variance = state["variance"]
        cdef double[::1] inverse = state["inverse"]
        cdef double[::1] z = state["z"]
        cdef double[::1] lanes = state["lanes"]
        cdef uint8_t[::1] room
        cdef double *place
        cdef Py_ssize_t i
        cdef Model *m
        self.n = weights.shape[0]
        self._state = dict(state)  # keeps the arrays alive
        self._state["models"] = bytearray(self.n * sizeof(Model))
        room = self._state["models"]
        self.models = <Model *>&room[0]
        for i in range(self.n):
            m = self.models + i
            m.d = state["features"]
            m.span = (m.d + 3) // 4 * 4
            m.k = weights.shape[1]
            m.width = weights.shape[2]
            m.counters = &counters[0]
            m.choices = &choices[0]
            m.settings = &settings[i, 0]
            m.weights = &weights[i, 0, 0]
            m.squares = &squares[i, 0, 0]
            m.moments = &moments[i, 0, 0]
            m.average = &average[i, 0, 0]
            m.bias = &bias[i, 0]
            m.bias_squares = &bias_squares[i, 0]
            m.bias_moments = &bias_moments[i, 0]
            m.bias_average = &bias_average[i, 0]
            m.score = &score[i, 0]
            m.steep = &steep[i, 0]
            m.mean = &mean[0]
            m.variance = &variance[0]
            m.inverse = &inverse[0]
            m.z = &z[0]
        m = self.models
        self.lanes.stride = (self.n + EIGHT - 1) // EIGHT * EIGHT
        place = &lanes[0]
        self.lanes.weights = place
        place += m.k * m.d * self.lanes.stride
        self.lanes.bias = place
        place += m.k * self.lanes.stride
        self.lanes.rate = place
        place += self.lanes.stride
        self.lanes.errors = place
        place += self.lanes.stride
        self.lanes.said = place
        place += m.k * EIGHT
        self.lanes.ahead = place
        place += 2 * ROWS_AHEAD * m.width
        if place > &lanes[0] + lanes.shape[0]:
            raise ValueError("lanes is too small")

    def run(self, const double[:, ::1] rows, const double[::1] y, double[::1] errors, bint ask):
        """Answer each row (if `ask`), add each model's error to `errors`, then learn the row."""
        cdef Model *m = self.models
        cdef Py_ssize_t i = 0, passed, asked = 0
        cdef bint plain = steps_are_plain(m)
        with nogil:
            while i < rows.shape[0]:
                if plain:
                    lay_out(m, self.n, &self.lanes)
                    passed = run_ahead(m, &self.lanes, &rows[i, 0], &y[i], rows.shape[0] - i, ask)
                    take_back(m, self.n, &self.lanes, &errors[0])
                    i += passed
                    asked += passed if ask else 0
                    if i == rows.shape[0]:
                        break
                asked += any_row(m, self.n, &rows[i, 0], y[i], &errors[0], ask)
                i += 1
            m.at_hand = NULL
        return asked
