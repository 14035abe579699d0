"""Many linear models at once that differ in their step size alone: the inner loops.

`Core` works on the arrays made by `modellab.learners.compiled.rate_map`. Each model is taught by the
very functions that teach a single one, so that its bits are the same; row, scaler and step number
are shared. A phase goes over all models before the next one starts: their sums and exponentials do
not wait for one another then.
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
        scaler_learns(m, x)
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


cdef class Core:
    """The loops over the arrays of a state (a dict): one set of weights for each step size."""

    cdef Model *models
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
        cdef uint8_t[::1] room
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

    def run(self, const double[:, ::1] rows, const double[::1] y, double[::1] errors, bint ask):
        """Answer each row (if `ask`), add each model's error to `errors`, then learn the row."""
        cdef Model *m = self.models
        cdef Py_ssize_t i, l, n = self.n, asked = 0
        cdef const double *x
        cdef bint good
        cdef double value
        with nogil:
            for i in range(rows.shape[0]):
                x = &rows[i, 0]
                good = usable_label(m, y[i])
                see_to_predict(m, x)
                if ask or m.choices[SCALE] != ONLINE:
                    for l in range(n):
                        score_to_predict(self.models + l)
                if ask and good:
                    asked += 1
                    if m.choices[REGRESSION]:
                        for l in range(n):
                            errors[l] += fabs(answer(self.models + l) - y[i])
                    else:
                        for l in range(n):
                            value = answer(self.models + l)
                            errors[l] += 0.0 if value == y[i] else 1.0
                if good and m.at_hand_usable:
                    step_all(self.models, n, x, y[i])
                else:
                    m.counters[SKIPPED] += 1
            m.at_hand = NULL
        return asked
