# One linear model as plain C: its arrays, and the pieces that its loops are made of. Inline, so that
# each loop is compiled as a whole. kernel.py says what everything means.
from libc.math cimport fabs, sqrt
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcpy, memset

from modellab.learners.compiled._math cimport double_to_bits, exp_, power

# The step sizes carried along, and the same rounded up to a whole number of vectors.
cdef enum:
    RATES = 9
    LANES = 10

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
    double *errors        # (window, RATES)
    Py_ssize_t window
    double *z             # (width): the row at hand, as the weights see it
    double *score         # (k)
    double *steep         # (k): what each vector is to follow
    double *gradient      # (k, width)
    double *bias_gradient
    double *rate_score    # (k, LANES)
    double *rate_gradient
    double *rate_bias_gradient
    const double *at_hand  # the row seen last, while z and the scores are still its own; or NULL
    bint at_hand_usable


# ------------------------------------------------------------------ small pieces


cdef inline double dot(const double *a, const double *b, Py_ssize_t width) noexcept nogil:
    # Eight independent sums: no waiting for the last addition, and one order on every machine.
    cdef double s0 = 0, s1 = 0, s2 = 0, s3 = 0, s4 = 0, s5 = 0, s6 = 0, s7 = 0
    cdef Py_ssize_t j = 0
    while j < width:
        s0 += a[j] * b[j]
        s1 += a[j + 1] * b[j + 1]
        s2 += a[j + 2] * b[j + 2]
        s3 += a[j + 3] * b[j + 3]
        s4 += a[j + 4] * b[j + 4]
        s5 += a[j + 5] * b[j + 5]
        s6 += a[j + 6] * b[j + 6]
        s7 += a[j + 7] * b[j + 7]
        j += 8
    return ((s0 + s1) + (s2 + s3)) + ((s4 + s5) + (s6 + s7))


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
    # The sum of squares is in range exactly when no value is NaN, infinite or enormous.
    cdef double s0 = 0, s1 = 0
    cdef Py_ssize_t j = 0
    while j < d - 1:
        s0 += x[j] * x[j]
        s1 += x[j + 1] * x[j + 1]
        j += 2
    if j < d:
        s0 += x[j] * x[j]
    return s0 + s1 <= LARGEST * LARGEST


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


cdef inline uint64_t fingerprint(const double *x, Py_ssize_t d) noexcept nogil:
    cdef uint64_t key = 0, factor = <uint64_t>0x9E3779B97F4A7C15
    cdef Py_ssize_t j
    for j in range(d):
        key += double_to_bits(x[j]) * factor
        factor = factor + <uint64_t>0x5851F42D4C957F2E
    return key ^ (key >> 29)


# ------------------------------------------------------------------ scaling


cdef inline void see(Model *m, const double *x) noexcept nogil:
    # z from the statistics as they are.
    cdef Py_ssize_t j
    if m.choices[SCALE] != UNSCALED:
        for j in range(m.d):
            m.z[j] = (x[j] - m.mean[j]) * m.inverse[j]
    else:
        memcpy(m.z, x, m.d * sizeof(double))


cdef inline void see_to_predict(Model *m, const double *x) noexcept nogil:
    # The same, checked on the way; what is not finite counts as average.
    cdef double *z = m.z
    cdef const double *mean = m.mean
    cdef const double *inverse = m.inverse
    cdef double s0 = 0, s1 = 0, x0, x1
    cdef Py_ssize_t j = 0, d = m.d
    if m.choices[SCALE] != UNSCALED:
        while j < d - 1:
            x0, x1 = x[j], x[j + 1]
            s0 += x0 * x0
            s1 += x1 * x1
            z[j] = (x0 - mean[j]) * inverse[j]
            z[j + 1] = (x1 - mean[j + 1]) * inverse[j + 1]
            j += 2
        if j < d:
            s0 += x[j] * x[j]
            z[j] = (x[j] - mean[j]) * inverse[j]
    else:
        while j < d - 1:
            x0, x1 = x[j], x[j + 1]
            s0 += x0 * x0
            s1 += x1 * x1
            z[j] = x0
            z[j + 1] = x1
            j += 2
        if j < d:
            s0 += x[j] * x[j]
            z[j] = x[j]
    m.at_hand = x
    m.at_hand_usable = s0 + s1 <= LARGEST * LARGEST
    if not m.at_hand_usable:
        for j in range(d):
            if not (fabs(x[j]) <= LARGEST):
                z[j] = 0.0


cdef inline void scaler_learns(Model *m, const double *x) noexcept nogil:
    # Welford's running mean and variance (population); leaves z on the new statistics.
    cdef Py_ssize_t j
    cdef double delta, mean, variance, share, inverse
    m.counters[SCALED] += 1
    share = 1.0 / <double>m.counters[SCALED]
    for j in range(m.d):
        delta = x[j] - m.mean[j]
        mean = m.mean[j] + delta * share
        variance = m.variance[j] + (delta * (x[j] - mean) - m.variance[j]) * share
        inverse = 1.0 / sqrt(variance)
        inverse = inverse if variance > 0.0 else 0.0
        m.mean[j] = mean
        m.variance[j] = variance
        m.inverse[j] = inverse
        m.z[j] = (x[j] - mean) * inverse


# ------------------------------------------------------------------ scores


cdef inline void score_row(Model *m) noexcept nogil:
    cdef Py_ssize_t c
    for c in range(m.k):
        m.score[c] = dot(m.weights + c * m.width, m.z, m.width) + m.bias[c]


cdef inline void score_to_predict(Model *m) noexcept nogil:
    cdef Py_ssize_t c
    if not m.choices[AVERAGE]:
        score_row(m)
        return
    for c in range(m.k):
        m.score[c] = dot(m.average + c * m.width, m.z, m.width) + m.bias_average[c]


cdef inline void score_rates(Model *m) noexcept nogil:
    cdef Py_ssize_t c, j, l
    cdef double total[LANES]
    cdef double z
    cdef const double *w
    for c in range(m.k):
        w = m.rate_weights + c * m.d * LANES
        for l in range(LANES):
            total[l] = m.rate_bias[c * LANES + l]
        for j in range(m.d):
            z = m.z[j]
            for l in range(LANES):
                total[l] += w[l] * z
            w += LANES
        for l in range(LANES):
            m.rate_score[c * LANES + l] = total[l]


cdef inline void answer_rates(const Model *m, double *answer) noexcept nogil:
    # What each rate says of the row at hand: a class code or a number.
    cdef const double *score = m.rate_score
    cdef double best[RATES]
    cdef Py_ssize_t c, l
    if m.choices[REGRESSION]:
        memcpy(answer, score, RATES * sizeof(double))
    elif m.k == 1:
        for l in range(RATES):
            answer[l] = 1.0 if score[l] > 0.0 else 0.0
    else:
        for l in range(RATES):
            best[l] = score[l]
            answer[l] = 0.0
        for c in range(1, m.k):
            score += LANES
            for l in range(RATES):
                if score[l] > best[l]:
                    best[l] = score[l]
                    answer[l] = <double>c


cdef inline Py_ssize_t wrapped(Py_ssize_t place, Py_ssize_t room) noexcept nogil:
    return place - room if place >= room else place


cdef inline void ask_rates(Model *m, const double *x) noexcept nogil:
    # Remember what each rate answers for this row until its label comes.
    cdef Py_ssize_t place
    score_rates(m)
    if m.counters[ASKED] == m.asked_room:  # the oldest never got a label in time
        m.counters[ASKED_FIRST] = wrapped(m.counters[ASKED_FIRST] + 1, m.asked_room)
        m.counters[ASKED] -= 1
    place = wrapped(m.counters[ASKED_FIRST] + m.counters[ASKED], m.asked_room)
    m.asked_key[place] = fingerprint(x, m.d)
    answer_rates(m, m.asked_value + place * RATES)
    m.counters[ASKED] += 1


cdef inline void grade_rates(Model *m, const double *x, double y) noexcept nogil:
    # Find this row among those asked (earlier ones got no label: forget them), score the answers.
    cdef Py_ssize_t i, l, place = m.counters[ASKED_FIRST]
    cdef uint64_t key = fingerprint(x, m.d)
    cdef double *error
    cdef const double *value
    for i in range(m.counters[ASKED]):
        if m.asked_key[place] == key:
            value = m.asked_value + place * RATES
            error = m.errors + m.counters[ERRORS_NEXT] * RATES
            if m.choices[REGRESSION]:
                for l in range(RATES):
                    error[l] = fabs(value[l] - y)
            else:
                for l in range(RATES):
                    error[l] = 0.0 if value[l] == y else 1.0
            m.counters[ERRORS_NEXT] = wrapped(m.counters[ERRORS_NEXT] + 1, m.window)
            if m.counters[ERRORS] < m.window:
                m.counters[ERRORS] += 1
            m.counters[ASKED_FIRST] = wrapped(place + 1, m.asked_room)
            m.counters[ASKED] -= i + 1
            return
        place = wrapped(place + 1, m.asked_room)
