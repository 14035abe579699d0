"""Linear models learned by stochastic gradient descent, one row at a time: the inner loops.

`Core` works on the arrays of a state made by `modellab.learners.compiled.kernel`, which also says
what everything means; nothing here allocates, and no loop holds the interpreter lock.
"""
from libc.math cimport fabs, sqrt
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcpy, memset

from modellab.learners.compiled._math cimport double_to_bits, exp_, power

# The step sizes carried along, and the same rounded up to a whole number of vectors.
cdef enum:
    RATES = 9
    LANES = 10

# Places in `counters`; kernel.py has the same list.
cdef enum:
    STEPS = 0        # steps made, plus 1 (scikit-learn's t)
    SCALED = 1       # rows in the scaler
    WAITING = 2      # rows collected and not learned yet
    SKIPPED = 3      # rows never learned: not finite, or a label that is not in range
    ASKED_FIRST = 4  # predictions of the carried rates that wait for their label: a ring
    ASKED = 5
    ERRORS_NEXT = 6  # errors of the carried rates over the last rows: a ring
    ERRORS = 7

# Places in `choices` and `settings`.
cdef enum:
    LOSS = 0
    SCHEDULE = 1
    PENALTY = 2
    SCALE = 3
    INTERCEPT = 4
    REGRESSION = 5
    CARRY = 6
cdef enum:
    ETA = 0
    ALPHA = 1
    L1_RATIO = 2
    EPSILON = 3
    POWER_T = 4
    OPTIMAL_START = 5

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
    /* the slope of a loss is cut off here, as in scikit-learn */
    #define STEEPEST 1e12
    #define ADAGRAD_FLOOR 1e-8
    """
    const double LARGEST
    const double STEEPEST
    const double ADAGRAD_FLOOR

cdef struct Model:
    Py_ssize_t d, width, k
    int64_t *choices
    double *settings
    int64_t *counters
    double *weights       # (k, width), columns d to width are 0
    double *bias          # (k)
    double *squares       # (k, width): sums of squared gradients (AdaGrad)
    double *bias_squares
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
    if g < -STEEPEST:
        return -STEEPEST
    if g > STEEPEST:
        return STEEPEST
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


# ------------------------------------------------------------------ steps


cdef inline double schedule_divisor(const Model *m) noexcept nogil:
    if m.choices[SCHEDULE] == INVSCALING:
        return power(<double>m.counters[STEPS], m.settings[POWER_T])
    return 1.0


cdef inline double step_size(const Model *m) noexcept nogil:
    if m.choices[SCHEDULE] == OPTIMAL:
        return 1.0 / (m.settings[ALPHA]
                      * (m.settings[OPTIMAL_START] + <double>m.counters[STEPS] - 1.0))
    return m.settings[ETA] / schedule_divisor(m)


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


cdef inline void apply(
    Model *m, Py_ssize_t c, double factor, const double *direction, double bias_gradient, double eta
) noexcept nogil:
    # One step of vector c along the gradient factor * direction.
    cdef double *w = m.weights + c * m.width
    cdef double *s = m.squares + c * m.width
    cdef double l1 = l1_part(m), l2 = l2_part(m), shrink, update, g, own
    cdef Py_ssize_t j
    if m.choices[SCHEDULE] == ADAGRAD:
        for j in range(m.width):
            g = factor * direction[j] + l2 * w[j]
            s[j] += g * g
            own = eta / sqrt(s[j] + ADAGRAD_FLOOR)
            w[j] = towards_zero(w[j] - own * g, own * l1)  # l1 may be 0: then it stays
        if m.choices[INTERCEPT]:
            m.bias_squares[c] += bias_gradient * bias_gradient
            m.bias[c] -= eta / sqrt(m.bias_squares[c] + ADAGRAD_FLOOR) * bias_gradient
        return
    shrink = 1.0 - eta * l2
    if shrink < 0.0:
        shrink = 0.0
    update = -eta * factor
    if shrink == 1.0:
        for j in range(m.width):
            w[j] += update * direction[j]
    else:
        for j in range(m.width):
            w[j] = w[j] * shrink + update * direction[j]
    if l1 > 0.0:
        for j in range(m.width):
            w[j] = towards_zero(w[j], eta * l1)
    if m.choices[INTERCEPT]:
        m.bias[c] -= eta * bias_gradient


cdef inline void rate_slopes(const Model *m, Py_ssize_t c, double y, double *steep) noexcept nogil:
    # `clipped_slope` for every carried rate.
    cdef const double *score = m.rate_score + c * LANES
    cdef double e[LANES]
    cdef double z
    cdef Py_ssize_t l
    y = side(m, y, c)
    if m.choices[LOSS] != LOG:
        for l in range(LANES):
            steep[l] = clipped_slope(m, y, score[l])
        return
    z = 0.5 + 0.5 * y
    for l in range(LANES):
        e[l] = exp_(-score[l] if score[l] > -700.0 else 700.0)
    for l in range(LANES):
        steep[l] = ((1.0 - z) - z * e[l]) / (1.0 + e[l])


cdef inline void apply_rates(Model *m, Py_ssize_t c, const double *steep) noexcept nogil:
    # One step of every carried rate of vector c along the row at hand (no L1, no AdaGrad).
    cdef double *w = m.rate_weights + c * m.d * LANES
    cdef double shrink[LANES]
    cdef double update[LANES]
    cdef double l2 = l2_part(m), divisor = schedule_divisor(m), eta, z
    cdef Py_ssize_t j, l
    for l in range(LANES):
        eta = m.rates[l] / divisor
        shrink[l] = 1.0 - eta * l2
        if shrink[l] < 0.0:
            shrink[l] = 0.0
        update[l] = -eta * steep[l]
        if m.choices[INTERCEPT]:
            m.rate_bias[c * LANES + l] += update[l]
    for j in range(m.d):
        z = m.z[j]
        for l in range(LANES):
            w[l] = w[l] * shrink[l] + update[l] * z
        w += LANES


cdef void apply_rate_gradients(Model *m, Py_ssize_t c, double share) noexcept nogil:
    # The same for any penalty and schedule, along share * the summed gradients.
    cdef double *w = m.rate_weights + c * m.d * LANES
    cdef double *s = m.rate_squares + c * m.d * LANES
    cdef double *bias = m.rate_bias + c * LANES
    cdef double *bias_squares = m.rate_bias_squares + c * LANES
    cdef const double *gradient = m.rate_gradient + c * m.d * LANES
    cdef const double *bias_gradient = m.rate_bias_gradient + c * LANES
    cdef double l1 = l1_part(m), l2 = l2_part(m), divisor = schedule_divisor(m), g
    cdef double eta[LANES]
    cdef double shrink[LANES]
    cdef double own[LANES]
    cdef bint adagrad = m.choices[SCHEDULE] == ADAGRAD
    cdef Py_ssize_t j, l
    for l in range(LANES):
        eta[l] = m.rates[l] / divisor
        own[l] = eta[l]
        shrink[l] = 1.0 - eta[l] * l2
        if shrink[l] < 0.0:
            shrink[l] = 0.0
    for j in range(m.d):
        if adagrad:
            for l in range(LANES):
                g = share * gradient[l] + l2 * w[l]
                s[l] += g * g
                own[l] = eta[l] / sqrt(s[l] + ADAGRAD_FLOOR)
                w[l] -= own[l] * g
        else:
            for l in range(LANES):
                w[l] = w[l] * shrink[l] - eta[l] * (share * gradient[l])
        if l1 > 0.0:
            for l in range(LANES):
                w[l] = towards_zero(w[l], own[l] * l1)
        w += LANES
        s += LANES
        gradient += LANES
    if m.choices[INTERCEPT]:
        for l in range(LANES):
            g = share * bias_gradient[l]
            if adagrad:
                bias_squares[l] += g * g
                bias[l] -= eta[l] / sqrt(bias_squares[l] + ADAGRAD_FLOOR) * g
            else:
                bias[l] -= eta[l] * g


cdef inline void collect_rates(Model *m, Py_ssize_t c, const double *steep) noexcept nogil:
    cdef double *g = m.rate_gradient + c * m.d * LANES
    cdef double own[LANES]
    cdef double z
    cdef Py_ssize_t j, l
    for l in range(LANES):
        own[l] = steep[l]
        m.rate_bias_gradient[c * LANES + l] += own[l]
    for j in range(m.d):
        z = m.z[j]
        for l in range(LANES):
            g[l] += own[l] * z
        g += LANES


cdef inline void clear_rate_gradients(Model *m) noexcept nogil:
    memset(m.rate_gradient, 0, m.k * m.d * LANES * sizeof(double))
    memset(m.rate_bias_gradient, 0, m.k * LANES * sizeof(double))


cdef void step_one(Model *m, const double *x, double y) noexcept nogil:
    # Learn one row: the scaler first, then every weight vector on the new statistics.
    cdef double eta = step_size(m), g
    cdef double steep[LANES]
    cdef Py_ssize_t c
    cdef bint known = m.at_hand == x
    cdef bint simple = l1_part(m) == 0.0 and m.choices[SCHEDULE] != ADAGRAD
    if m.choices[SCALE] == ONLINE:
        scaler_learns(m, x)
        known = False
    elif not known:
        see(m, x)
    if not known:
        score_row(m)
    for c in range(m.k):
        g = clipped_slope(m, side(m, y, c), m.score[c])
        apply(m, c, g, m.z, g, eta)
    if m.choices[CARRY]:
        if not known:
            score_rates(m)
        if not simple:
            clear_rate_gradients(m)
        for c in range(m.k):
            rate_slopes(m, c, y, steep)
            if simple:
                apply_rates(m, c, steep)
            else:
                collect_rates(m, c, steep)
                apply_rate_gradients(m, c, 1.0)
    m.at_hand = NULL
    m.counters[STEPS] += 1


cdef void step_group(Model *m, const double *rows, const double *y, Py_ssize_t n) noexcept nogil:
    # One step along the mean gradient of n rows: the scaler learns all of them first.
    cdef double eta, g
    cdef double share = 1.0 / <double>n
    cdef double steep[LANES]
    cdef double *sums
    cdef Py_ssize_t i, j, c
    if n == 1:
        step_one(m, rows, y[0])
        return
    eta = step_size(m)
    if m.choices[SCALE] == ONLINE:
        for i in range(n):
            scaler_learns(m, rows + i * m.d)
    memset(m.gradient, 0, m.k * m.width * sizeof(double))
    memset(m.bias_gradient, 0, m.k * sizeof(double))
    if m.choices[CARRY]:
        clear_rate_gradients(m)
    for i in range(n):
        see(m, rows + i * m.d)
        score_row(m)
        for c in range(m.k):
            g = clipped_slope(m, side(m, y[i], c), m.score[c])
            sums = m.gradient + c * m.width
            for j in range(m.width):
                sums[j] += g * m.z[j]
            m.bias_gradient[c] += g
        if m.choices[CARRY]:
            score_rates(m)
            for c in range(m.k):
                rate_slopes(m, c, y[i], steep)
                collect_rates(m, c, steep)
    for c in range(m.k):
        apply(m, c, share, m.gradient + c * m.width, share * m.bias_gradient[c], eta)
        if m.choices[CARRY]:
            apply_rate_gradients(m, c, share)
    m.at_hand = NULL
    m.counters[STEPS] += 1


cdef void learn_waiting(Model *m, Py_ssize_t batch) noexcept nogil:
    cdef Py_ssize_t start = 0, n = m.counters[WAITING]
    while start < n:
        step_group(m, m.waiting + start * m.d, m.waiting_y + start, min(batch, n - start))
        start += batch
    m.counters[WAITING] = 0


cdef inline void wait(Model *m, const double *x, double y) noexcept nogil:
    memcpy(m.waiting + m.counters[WAITING] * m.d, x, m.d * sizeof(double))
    m.waiting_y[m.counters[WAITING]] = y
    m.counters[WAITING] += 1


cdef inline void arrive(
    Model *m, const double *x, double y, Py_ssize_t every, Py_ssize_t batch, bint frozen
) noexcept nogil:
    # A label has come: grade the carried rates, then learn the row or keep it for the next update.
    cdef bint good = usable_label(m, y)
    if good and m.choices[CARRY] and m.counters[ASKED] > 0:
        grade_rates(m, x, y)
    if frozen:
        m.counters[WAITING] = 0
        return
    if not (good and (m.at_hand_usable if x == m.at_hand else usable(x, m.d))):
        m.counters[SKIPPED] += 1
        return
    if every <= 1 and m.counters[WAITING] == 0:
        step_one(m, x, y)
        return
    wait(m, x, y)
    if m.counters[WAITING] >= every:
        learn_waiting(m, batch)


# ------------------------------------------------------------------ the class that Python sees


cdef class Core:
    """The loops over the arrays of one state (a dict); made anew when an array is replaced."""

    cdef Model m
    cdef object _state
    cdef list _views

    def __init__(self, dict state):
        cdef int64_t[::1] counters = state["counters"]
        cdef int64_t[::1] choices = state["choices"]
        cdef double[::1] settings = state["settings"]
        cdef double[:, ::1] weights = state["weights"]
        cdef double[:, ::1] waiting = state["waiting"]
        cdef uint64_t[::1] asked_key = state["asked_key"]
        cdef double[:, ::1] errors = state["errors"]
        cdef double[::1] flat
        self._state = dict(state)  # keeps the arrays alive
        self.m.counters = &counters[0]
        self.m.choices = &choices[0]
        self.m.settings = &settings[0]
        self.m.k = weights.shape[0]
        self.m.width = weights.shape[1]
        self.m.d = waiting.shape[1]
        self.m.weights = &weights[0, 0]
        self.m.waiting = &waiting[0, 0]
        self.m.room = waiting.shape[0]
        self.m.asked_key = &asked_key[0]
        self.m.asked_room = asked_key.shape[0]
        self.m.errors = &errors[0, 0]
        self.m.window = errors.shape[0]
        self.m.at_hand = NULL
        flat = state["bias"]
        self.m.bias = &flat[0]
        flat = state["squares"].reshape(-1)
        self.m.squares = &flat[0]
        flat = state["bias_squares"]
        self.m.bias_squares = &flat[0]
        flat = state["mean"]
        self.m.mean = &flat[0]
        flat = state["variance"]
        self.m.variance = &flat[0]
        flat = state["inverse"]
        self.m.inverse = &flat[0]
        flat = state["waiting_y"]
        self.m.waiting_y = &flat[0]
        flat = state["rates"]
        self.m.rates = &flat[0]
        flat = state["rate_weights"].reshape(-1)
        self.m.rate_weights = &flat[0]
        flat = state["rate_bias"].reshape(-1)
        self.m.rate_bias = &flat[0]
        flat = state["rate_squares"].reshape(-1)
        self.m.rate_squares = &flat[0]
        flat = state["rate_bias_squares"].reshape(-1)
        self.m.rate_bias_squares = &flat[0]
        flat = state["asked_value"].reshape(-1)
        self.m.asked_value = &flat[0]
        flat = state["z"]
        self.m.z = &flat[0]
        flat = state["score"]
        self.m.score = &flat[0]
        flat = state["gradient"].reshape(-1)
        self.m.gradient = &flat[0]
        flat = state["bias_gradient"]
        self.m.bias_gradient = &flat[0]
        flat = state["rate_score"].reshape(-1)
        self.m.rate_score = &flat[0]
        flat = state["rate_gradient"].reshape(-1)
        self.m.rate_gradient = &flat[0]
        flat = state["rate_bias_gradient"].reshape(-1)
        self.m.rate_bias_gradient = &flat[0]

    def run(
        self,
        const double[:, ::1] rows,
        const double[:, ::1] learn_rows,
        const double[::1] learn_y,
        const int64_t[::1] upto,
        Py_ssize_t every,
        Py_ssize_t batch,
        bint frozen,
        double[:, ::1] scores,
    ):
        """Predict each row into `scores`, then let the first `upto[i]` labelled rows arrive."""
        cdef Py_ssize_t n = rows.shape[0], i, arrived = 0
        cdef const double *first = &learn_rows[0, 0] if learn_rows.shape[0] else NULL
        cdef const double *x
        cdef Model *m = &self.m
        with nogil:
            for i in range(n):
                x = &rows[i, 0]
                see_to_predict(m, x)
                score_row(m)
                memcpy(&scores[i, 0], m.score, m.k * sizeof(double))
                if m.choices[CARRY]:
                    ask_rates(m, x)
                while arrived < upto[i]:
                    arrive(m, first + arrived * m.d, learn_y[arrived], every, batch, frozen)
                    arrived += 1
            m.at_hand = NULL

    def learn(
        self, const double[:, ::1] rows, const double[::1] y, Py_ssize_t batch, bint hold_scaler
    ):
        """Learn all rows now, in order, in groups of `batch`; unusable rows are counted and left out."""
        cdef Py_ssize_t i
        cdef Model *m = &self.m
        cdef int64_t scale = m.choices[SCALE]
        with nogil:
            m.at_hand = NULL
            if hold_scaler and scale == ONLINE:
                m.choices[SCALE] = HELD
            learn_waiting(m, batch)
            for i in range(rows.shape[0]):
                arrive(m, &rows[i, 0], y[i], batch, batch, False)
            learn_waiting(m, batch)
            m.choices[SCALE] = scale

    def predict(self, const double[:, ::1] rows, double[:, ::1] scores):
        """Write the decision values of each row into `scores`; changes nothing."""
        cdef Py_ssize_t i
        cdef Model *m = &self.m
        with nogil:
            m.at_hand = NULL
            for i in range(rows.shape[0]):
                see_to_predict(m, &rows[i, 0])
                score_row(m)
                memcpy(&scores[i, 0], m.score, m.k * sizeof(double))
            m.at_hand = NULL
