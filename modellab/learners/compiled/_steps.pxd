# How a linear model moves its weights: step sizes, slopes, penalties and optimisers. Inline, for the
# loops over one model (_linear.pyx) and over many at once (_rate_map.pyx); kernel.py says what is
# computed.
from libc.math cimport fabs, sqrt

from modellab.learners.compiled._math cimport exp_, log_, power
from modellab.learners.compiled._model cimport *


cdef inline double schedule_divisor(const Model *m) noexcept nogil:
    # What the step size is divided by at this step.
    cdef double t
    if m.choices[SCHEDULE] == INVSCALING:
        return power(<double>m.counters[STEPS], m.settings[POWER_T])
    if m.choices[SCHEDULE] == ADAM:
        t = <double>(m.counters[MOMENT_STEPS] + 1)
        return (1.0 - exp_(t * log_(m.settings[BETA_1]))) / sqrt(
            1.0 - exp_(t * log_(m.settings[BETA_2]))
        )
    return 1.0


cdef inline double step_size(const Model *m) noexcept nogil:
    if m.choices[SCHEDULE] == OPTIMAL:
        return 1.0 / (m.settings[ALPHA]
                      * (m.settings[OPTIMAL_START] + <double>m.counters[STEPS] - 1.0))
    if m.choices[SCHEDULE] >= PA:
        return 1.0  # the length of the step is in the slope
    return m.settings[ETA] / schedule_divisor(m)


cdef inline double l1_part(const Model *m) noexcept nogil:
    if m.choices[SCHEDULE] >= PA:
        return 0.0
    if m.choices[PENALTY] == L1:
        return m.settings[ALPHA]
    return m.settings[ALPHA] * m.settings[L1_RATIO] if m.choices[PENALTY] == ELASTICNET else 0.0


cdef inline double l2_part(const Model *m) noexcept nogil:
    if m.choices[SCHEDULE] >= PA:
        return 0.0
    if m.choices[PENALTY] == L2:
        return m.settings[ALPHA]
    if m.choices[PENALTY] == ELASTICNET:
        return m.settings[ALPHA] * (1.0 - m.settings[L1_RATIO])
    return 0.0


# ------------------------------------------------------------------ slopes


cdef inline double aggressive(const Model *m, double y, double p, double length) noexcept nogil:
    # The least change that makes the loss 0, held back by the rate (Crammer et al. 2006).
    # `length`: squared length of the row.
    cdef double loss, direction, tau
    if m.choices[REGRESSION]:
        loss = fabs(y - p) - m.settings[EPSILON]
        direction = -1.0 if y - p >= 0.0 else 1.0
    else:
        loss = 1.0 - p * y
        direction = -y
    if not loss > 0.0:
        return 0.0
    if m.choices[SCHEDULE] == PA2:
        return direction * (loss / (length + 0.5 / m.settings[ETA]))
    if length == 0.0:
        return 0.0
    tau = loss / length
    if m.choices[SCHEDULE] == PA1 and tau > m.settings[ETA]:
        tau = m.settings[ETA]
    return direction * tau


cdef inline void softmax_slopes(Model *m, double y) noexcept nogil:
    # Probability of each class, less 1 for the class of the row.
    cdef double highest = m.score[0], total = 0.0, g, limit = m.settings[CLIP]
    cdef Py_ssize_t c
    for c in range(1, m.k):
        if m.score[c] > highest:
            highest = m.score[c]
    for c in range(m.k):
        m.steep[c] = exp_(m.score[c] - highest)
        total += m.steep[c]
    for c in range(m.k):
        g = m.steep[c] / total - (1.0 if y == <double>c else 0.0)
        m.steep[c] = -limit if g < -limit else (limit if g > limit else g)


cdef inline void find_slopes(Model *m, double y) noexcept nogil:
    # What each weight vector is to follow at the row at hand, from its scores.
    cdef Py_ssize_t c
    cdef double length
    if m.choices[SOFTMAX]:
        softmax_slopes(m, y)
        return
    if m.choices[SCHEDULE] >= PA:
        length = lab_dot(m.z, m.z, m.span)
        for c in range(m.k):
            m.steep[c] = aggressive(m, side(m, y, c), m.score[c], length)
        return
    for c in range(m.k):
        m.steep[c] = clipped_slope(m, side(m, y, c), m.score[c])


# ------------------------------------------------------------------ optimisers


cdef inline double adam_step(
    double *moment, double *square, double g, double eta, double b1, double b2
) noexcept nogil:
    # Take a gradient in; what its step size is (to be multiplied with the moment).
    moment[0] = b1 * moment[0] + (1.0 - b1) * g
    square[0] = b2 * square[0] + (1.0 - b2) * (g * g)
    return eta / (sqrt(square[0]) + ADAM_FLOOR)


cdef inline double ftrl_weight(
    double *z, double *n, double w, double g, double eta, double beta, double l1, double l2
) noexcept nogil:
    # One weight after the gradient g (McMahan et al. 2013, algorithm 1).
    cdef double before = sqrt(n[0]), after
    n[0] += g * g
    after = sqrt(n[0])
    z[0] += g - (after - before) / eta * w
    return (0.0 - towards_zero(z[0], l1)) / ((beta + after) / eta + l2)


cdef inline void adam(
    Model *m, Py_ssize_t c, double factor, const double *direction, double bias_gradient, double eta
) noexcept nogil:
    cdef double *w = m.weights + c * m.width
    cdef double *s = m.squares + c * m.width
    cdef double *mean = m.moments + c * m.width
    cdef double l1 = l1_part(m), l2 = l2_part(m), own
    cdef double b1 = m.settings[BETA_1], b2 = m.settings[BETA_2]
    cdef Py_ssize_t j
    for j in range(m.width):
        own = adam_step(mean + j, s + j, factor * direction[j] + l2 * w[j], eta, b1, b2)
        w[j] = towards_zero(w[j] - own * mean[j], own * l1)
    if m.choices[INTERCEPT]:
        own = adam_step(m.bias_moments + c, m.bias_squares + c, bias_gradient, eta, b1, b2)
        m.bias[c] -= own * m.bias_moments[c]


cdef inline void ftrl(
    Model *m, Py_ssize_t c, double factor, const double *direction, double bias_gradient, double eta
) noexcept nogil:
    cdef double *w = m.weights + c * m.width
    cdef double *n = m.squares + c * m.width
    cdef double *z = m.moments + c * m.width
    cdef double l1 = l1_part(m), l2 = l2_part(m), beta = m.settings[FTRL_BETA]
    cdef Py_ssize_t j
    for j in range(m.width):
        w[j] = ftrl_weight(z + j, n + j, w[j], factor * direction[j], eta, beta, l1, l2)
    if m.choices[INTERCEPT]:
        m.bias[c] = ftrl_weight(
            m.bias_moments + c, m.bias_squares + c, m.bias[c], bias_gradient, eta, beta, 0.0, 0.0
        )


cdef inline void apply(
    Model *m, Py_ssize_t c, double factor, const double *direction, double bias_gradient, double eta
) noexcept nogil:
    # One step of vector c along the gradient factor * direction.
    cdef double *w = m.weights + c * m.width
    cdef double *s = m.squares + c * m.width
    cdef double l1 = l1_part(m), l2 = l2_part(m), shrink, g, own
    cdef Py_ssize_t j
    if m.choices[SCHEDULE] == ADAM:
        adam(m, c, factor, direction, bias_gradient, eta)
        return
    if m.choices[SCHEDULE] == FTRL:
        ftrl(m, c, factor, direction, bias_gradient, eta)
        return
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
    lab_step(w, direction, m.span, shrink, -eta * factor)
    if l1 > 0.0:
        for j in range(m.width):
            w[j] = towards_zero(w[j], eta * l1)
    if m.choices[INTERCEPT]:
        m.bias[c] -= eta * bias_gradient


cdef inline void count_step(Model *m) noexcept nogil:
    m.counters[STEPS] += 1
    if m.choices[SCHEDULE] == ADAM:
        m.counters[MOMENT_STEPS] += 1
    if m.choices[AVERAGE]:
        m.counters[AVERAGED] += 1


cdef inline void take_average(Model *m) noexcept nogil:
    # The mean of the weights after every step so far (Polyak and Juditsky 1992).
    cdef Py_ssize_t i
    cdef double share
    if not m.choices[AVERAGE]:
        return
    share = 1.0 / <double>m.counters[AVERAGED]
    for i in range(m.k * m.width):
        m.average[i] += (m.weights[i] - m.average[i]) * share
    for i in range(m.k):
        m.bias_average[i] += (m.bias[i] - m.bias_average[i]) * share
