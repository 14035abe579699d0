# The usual linear model, one vector of weights that takes plain steps: its loop is in _ahead.h, and
# here is what that asks for now and then. Inline, for the loops of _linear.pyx.
from libc.stdint cimport int64_t, uint16_t

from modellab.learners.compiled._model cimport *
from modellab.learners.compiled._rates cimport *
from modellab.learners.compiled._steps cimport l1_part, l2_part, step_size

cdef extern from "_ahead.h" nogil:
    ctypedef struct lab_plain:
        void *model
        Py_ssize_t d, width
        double *weights
        double *bias
        double *mean
        double *variance
        double *inverse
        double *ahead
        int64_t *scaled
        int64_t *steps
        double eta, shrink, l1, limit, largest
        bint scales, apart, regression, intercept, is_log, signs
        double *rate_weights
        double *rate_bias
        const double *rate_shrink
        const double *rate_back
        uint16_t *wrong
        Py_ssize_t window
        int64_t *next_error
        int64_t *errors_known
        int64_t *asked
        void (*size)(void *model, lab_plain *plain) noexcept nogil
        double (*slope)(void *model, double y, double score) noexcept nogil
        void (*far_slopes)(
            void *model, double y, const double *score, double *steep
        ) noexcept nogil
        void (*grade)(
            void *model, const double *x, const double *own, double y, const double *score
        ) noexcept nogil
    Py_ssize_t lab_run_plain(
        lab_plain *p, const double *rows, const double *own, const double *y, const int64_t *upto,
        int64_t arrived, Py_ssize_t n, double *scores
    )


cdef inline void size_plain(void *model, lab_plain *p) noexcept nogil:
    # How far the step goes, where that falls.
    cdef Model *m = <Model *>model
    p.eta = step_size(m)
    p.shrink = max(1.0 - p.eta * l2_part(m), 0.0)
    if m.choices[CARRY]:
        size_rates(m)


cdef inline double slope_plain(void *model, double y, double score) noexcept nogil:
    return clipped_slope(<Model *>model, y, score)


cdef inline void four_slopes_plain(
    void *model, double y, const double *score, double *steep
) noexcept nogil:
    four_slopes(<Model *>model, y, score, steep)


cdef inline void grade_plain(
    void *model, const double *x, const double *own, double y, const double *score
) noexcept nogil:
    ask_and_grade_rates(<Model *>model, x, own, y, score)


cdef inline bint plain(const Model *m) noexcept nogil:
    # Whether this is such a model.
    return (
        m.k == 1 and not m.choices[AVERAGE] and m.choices[SCHEDULE] < ADAGRAD
        and (not m.choices[CARRY] or rates_step_plainly(m))
    )


cdef inline Py_ssize_t run_plain(
    Model *m, const double *rows, const double *own, const double *y,
    const int64_t *upto, int64_t arrived, Py_ssize_t n, double *scores
) noexcept nogil:
    # `run_ahead` of such a model, whose carried rates know their sizes.
    cdef lab_plain p
    p.model = m
    p.d = m.d
    p.width = m.width
    p.weights = m.weights
    p.bias = m.bias
    p.mean = m.mean
    p.variance = m.variance
    p.inverse = m.inverse
    p.ahead = m.ahead
    p.scaled = m.counters + SCALED
    p.steps = m.counters + STEPS
    p.eta = m.settings[ETA]
    p.shrink = max(1.0 - p.eta * l2_part(m), 0.0)
    p.l1 = l1_part(m)
    p.limit = m.settings[CLIP]
    p.largest = LARGEST
    p.scales = m.choices[SCALE] == ONLINE
    p.apart = rows != own
    p.regression = m.choices[REGRESSION]
    p.intercept = m.choices[INTERCEPT]
    p.is_log = m.choices[LOSS] == LOG
    p.rate_weights = m.rate_weights if m.choices[CARRY] else NULL
    p.rate_bias = m.rate_bias
    p.rate_shrink = m.rate_shrink
    p.rate_back = m.rate_back
    p.wrong = m.wrong
    p.window = m.window
    p.next_error = m.counters + ERRORS_NEXT
    p.errors_known = m.counters + ERRORS
    p.asked = m.counters + ASKED
    p.signs = not p.apart and not p.regression
    p.size = &size_plain if m.choices[SCHEDULE] != CONSTANT else NULL
    p.slope = &slope_plain
    p.far_slopes = &four_slopes_plain
    p.grade = &grade_plain
    m.at_hand = NULL
    return lab_run_plain(&p, rows, own, y, upto, arrived, n, scores)
