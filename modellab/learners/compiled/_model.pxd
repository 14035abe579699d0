# One linear model as plain C: its arrays, and the pieces that its loops are made of. Inline, so that
# each loop is compiled as a whole. kernel.py says what everything means.
from libc.math cimport fabs, sqrt
from libc.stdint cimport int64_t, uint16_t, uint64_t

from modellab.learners.compiled._math cimport exp_

cdef extern from "_vector.h" nogil:
    double lab_dot(const double *a, const double *b, Py_ssize_t n)
    void lab_two_dots(
        const double *w, const double *x, const double *z, Py_ssize_t n, double *first, double *second
    )
    void lab_step(double *w, const double *z, Py_ssize_t n, double shrink, double update)
    bint lab_usable(const double *x, Py_ssize_t d, double limit)
    void lab_see(
        const double *x, Py_ssize_t d, const double *mean, const double *inverse, double *z
    )
    void lab_copy(const double *x, Py_ssize_t d, double *z)
    void lab_scaler_learns(
        const double *x, Py_ssize_t d, double share, double *mean, double *variance,
        double *inverse, double *before, double *z
    )

cdef extern from "_lanes.h" nogil:
    bint lab_log_slopes(
        const double *score, double y, double lowest, double limit, double *steep
    )
    void lab_map_scores(
        const double *w, Py_ssize_t stride, const double *x, const double *z, Py_ssize_t d,
        const double *bias, double *first, double *second
    )
    void lab_map_step(
        double *w, Py_ssize_t stride, const double *z, Py_ssize_t d, const double *shrink,
        const double *update, const double *cut, bint cuts
    )

# The step sizes carried along, and the same rounded up to a whole number of vectors.
cdef enum:
    RATES = 9
    LANES = 12

# Places in `counters`; linear_settings.py has the same list.
cdef enum:
    STEPS = 0        # steps made, plus 1 (scikit-learn's t)
    SCALED = 1       # rows in the scaler
    WAITING = 2      # rows collected and not learned yet
    SKIPPED = 3      # rows never learned: not finite, or a label that is not in range
    ASKED_FIRST = 4  # predictions of the carried rates that wait for their label: a ring
    ASKED = 5
    ERRORS_NEXT = 6  # errors of the carried rates over the last rows: a ring
    ERRORS = 7
    MOMENT_STEPS = 8  # steps made by Adam since its moments were 0
    AVERAGED = 9      # steps in the averaged weights

# Places in `choices` and `settings`.
cdef enum:
    LOSS = 0
    SCHEDULE = 1
    PENALTY = 2
    SCALE = 3
    INTERCEPT = 4
    REGRESSION = 5
    CARRY = 6
    SOFTMAX = 7      # several classes: one distribution over all, not one against the rest
    AVERAGE = 8      # the mean of all weights so far is what predicts
cdef enum:
    ETA = 0
    ALPHA = 1
    L1_RATIO = 2
    EPSILON = 3
    POWER_T = 4
    OPTIMAL_START = 5
    CLIP = 6
    BETA_1 = 7
    BETA_2 = 8
    FTRL_BETA = 9

cdef enum:
    LOG = 0
    HINGE = 1
    SQUARED_HINGE = 2
    MODIFIED_HUBER = 3
    PERCEPTRON = 4
    SQUARED = 5
    HUBER = 6
    EPSILON_INSENSITIVE = 7
cdef enum:
    CONSTANT = 0
    INVSCALING = 1
    OPTIMAL = 2
    ADAGRAD = 3
    ADAM = 4
    FTRL = 5
    PA = 6           # passive-aggressive, and from here on
    PA1 = 7
    PA2 = 8
cdef enum:
    NO_PENALTY = 0
    L2 = 1
    L1 = 2
    ELASTICNET = 3

cdef enum:
    UNSCALED = 0
    ONLINE = 1
    HELD = 2         # standardises, but takes no rows in

cdef extern from *:
    """
    /* values beyond are treated as not finite: no sum can overflow */
    #define LARGEST 1e100
    #define ADAGRAD_FLOOR 1e-8
    #define ADAM_FLOOR 1e-8
    """
    const double LARGEST
    const double ADAGRAD_FLOOR
    const double ADAM_FLOOR

cdef struct Model:
    Py_ssize_t d, width, k
    Py_ssize_t span       # d, rounded up to whole vectors; at most width
    int64_t *choices
    double *settings
    int64_t *counters
    double *weights       # (k, width), columns d to width are 0
    double *bias          # (k)
    double *squares       # (k, width): sums (AdaGrad, FTRL) or means (Adam) of squared gradients
    double *bias_squares
    double *moments       # (k, width): means of gradients (Adam), the sums z (FTRL)
    double *bias_moments
    double *average       # (k, width): means of the weights after each step
    double *bias_average
    double *mean          # (width)
    double *variance
    double *inverse       # 1 / standard deviation; 0 while the variance is 0
    double *waiting       # (room, d)
    double *waiting_y
    Py_ssize_t room
    double *rates         # (LANES)
    double *rate_weights  # (k, d, LANES)
    double *rate_bias     # (k, LANES)
    double *rate_squares
    double *rate_bias_squares
    uint64_t *asked_key   # (asked_room)
    double *asked_value   # (asked_room, RATES)
    Py_ssize_t asked_room
    double *errors        # (window, RATES): numbers
    uint16_t *wrong       # (window): classes, nine bits each
    Py_ssize_t window
    double *z             # (width): the row at hand, as the weights see it
    double *ahead         # (8, width): rows on their way, before and after the scaler took them in
    double *score         # (k)
    double *steep         # (k): what each vector is to follow
    double *gradient      # (k, width)
    double *bias_gradient
    double *rate_score    # (k, LANES)
    double *rate_gradient
    double *rate_bias_gradient
    double *rate_asked    # (k, LANES): scores of a row before the scaler took it in
    double *rate_update   # (k, LANES): with rate_shrink, the step that is put off, along `due`
    double rate_shrink[LANES]
    double rate_back[LANES]  # the step sizes, times -1
    const double *due     # the row of that step, or NULL
    const double *at_hand  # the row seen last, while z and the scores are still its own; or NULL
    bint at_hand_usable


# ------------------------------------------------------------------ small pieces


cdef inline double slope(int64_t loss, double y, double p, double epsilon) noexcept nogil:
    # Derivative of the loss by the score p; y is -1 or 1, or the number to predict.
    cdef double z, e
    if loss == LOG:
        z = 0.5 + 0.5 * y  # 0 or 1; by arithmetic, since labels are what a processor cannot foresee
        if p > -37.0:
            e = exp_(-p)
            return ((1.0 - z) - z * e) / (1.0 + e)
        return exp_(p) - z
    if loss == HINGE:
        return -y if p * y <= 1.0 else 0.0
    if loss == SQUARED_HINGE:
        z = 1.0 - p * y
        return -2.0 * y * z if z > 0.0 else 0.0
    if loss == MODIFIED_HUBER:
        z = p * y
        if z >= 1.0:
            return 0.0
        return -2.0 * y * (1.0 - z) if z >= -1.0 else -4.0 * y
    if loss == PERCEPTRON:
        return -y if p * y <= 0.0 else 0.0
    if loss == SQUARED:
        return p - y
    z = p - y
    if loss == HUBER:
        if fabs(z) <= epsilon:
            return z
        return epsilon if z >= 0.0 else -epsilon
    if z < -epsilon:
        return -1.0
    return 1.0 if z > epsilon else 0.0


cdef inline double clipped_slope(const Model *m, double y, double p) noexcept nogil:
    cdef double g = slope(m.choices[LOSS], y, p, m.settings[EPSILON])
    if g < -m.settings[CLIP]:
        return -m.settings[CLIP]
    if g > m.settings[CLIP]:
        return m.settings[CLIP]
    return g


cdef inline double side(const Model *m, double y, Py_ssize_t c) noexcept nogil:
    # What vector c is taught by label y.
    if m.choices[REGRESSION]:
        return y
    if m.k == 1:
        return y + y - 1.0
    return 1.0 if y == <double>c else -1.0


cdef inline bint usable(const double *x, Py_ssize_t d) noexcept nogil:
    return lab_usable(x, d, LARGEST * LARGEST)


cdef inline bint usable_label(const Model *m, double y) noexcept nogil:
    cdef double last
    if m.choices[REGRESSION]:
        return fabs(y) <= LARGEST
    last = 1.0 if m.k == 1 else <double>(m.k - 1)
    return 0.0 <= y <= last and y == <double>(<int64_t>y)


cdef inline double towards_zero(double w, double cut) noexcept nogil:
    # Soft threshold; one of the two terms is 0. Without branches, so that it vectorises.
    cdef double above = w - cut, below = w + cut
    return (above if above > 0.0 else 0.0) + (below if below < 0.0 else 0.0)


# ------------------------------------------------------------------ scaling


cdef inline void see(Model *m, const double *x) noexcept nogil:
    # z from the statistics as they are.
    if m.choices[SCALE] != UNSCALED:
        lab_see(x, m.d, m.mean, m.inverse, m.z)
    else:
        lab_copy(x, m.d, m.z)


cdef inline void see_to_predict(Model *m, const double *x) noexcept nogil:
    # The same, checked; what is not finite counts as average.
    cdef Py_ssize_t j
    see(m, x)
    m.at_hand = x
    m.at_hand_usable = usable(x, m.d)
    if not m.at_hand_usable:
        for j in range(m.d):
            if not (fabs(x[j]) <= LARGEST):
                m.z[j] = 0.0


cdef inline void scaler_learns(Model *m, const double *x, double *before, double *z) noexcept nogil:
    # Leaves x on the statistics before and after.
    m.counters[SCALED] += 1
    lab_scaler_learns(
        x, m.d, 1.0 / <double>m.counters[SCALED], m.mean, m.variance, m.inverse, before, z
    )


cdef inline bint take_in(
    Model *m, const double *x, const double *own, double y, double *before, double *after
) noexcept nogil:
    # Let the scaler take in `own`: x on the statistics before, `own` on those after. False, and
    # nothing done, where one of them or the label cannot be used. No weight is read, so that this
    # is done while the step of the row before is still under way.
    if not (usable_label(m, y) and usable(x, m.d) and (own == x or usable(own, m.d))):
        return False
    if m.choices[SCALE] == ONLINE:
        if own != x:
            lab_see(x, m.d, m.mean, m.inverse, before)
            scaler_learns(m, own, after, after)
        else:
            scaler_learns(m, own, before, after)
    else:
        lab_copy(x, m.d, before)
        if own != x:
            lab_copy(own, m.d, after)
    return True


# ------------------------------------------------------------------ scores


cdef inline void score_row(Model *m) noexcept nogil:
    cdef Py_ssize_t c
    for c in range(m.k):
        m.score[c] = lab_dot(m.weights + c * m.width, m.z, m.span) + m.bias[c]


cdef inline void score_to_predict(Model *m) noexcept nogil:
    cdef Py_ssize_t c
    if not m.choices[AVERAGE]:
        score_row(m)
        return
    for c in range(m.k):
        m.score[c] = lab_dot(m.average + c * m.width, m.z, m.span) + m.bias_average[c]
