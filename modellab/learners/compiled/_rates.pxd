# The learning rates that a linear model carries along: twelve models side by side (nine are in use),
# taught by the rows that teach the model itself. Inline, for the loops of _linear.pyx; kernel.py
# says what everything means.
from libc.math cimport fabs, sqrt
from libc.stdint cimport uint16_t, uint64_t
from libc.string cimport memcpy

from modellab.learners.compiled._math cimport double_to_bits, exp_
from modellab.learners.compiled._model cimport *
from modellab.learners.compiled._steps cimport l1_part, l2_part, schedule_divisor

cdef extern from "_lanes.h" nogil:
    void lab_rates_score(
        const double *w, const double *z, Py_ssize_t d, const double *bias, double *score
    )
    void lab_rates_step(
        double *w, const double *z, Py_ssize_t d, const double *shrink, const double *update
    )
    void lab_rates_turn(
        double *w, const double *past, Py_ssize_t d, const double *shrink, const double *update,
        const double *x, const double *z, const double *bias, double *first, double *second
    )
    void lab_rates_sizes(
        const double *rates, double divisor, double l2, double *shrink, double *back
    )
    void lab_rates_update(
        const double *back, const double *steep, double *update, double *bias, bint intercept
    )
    bint lab_far_log_slopes(const double *score, double y, double limit, double *steep)
    void lab_rates_gradient(
        double *g, const double *z, Py_ssize_t d, const double *steep, bint fresh
    )
    void lab_rates_any_step(
        double *w, double *s, const double *gradient, Py_ssize_t d, double share,
        const double *eta, const double *shrink, double l1, double l2, bint adagrad
    )


# ------------------------------------------------------------------ what they say, and how they do


cdef inline uint64_t fingerprint(const double *x, Py_ssize_t d) noexcept nogil:
    cdef uint64_t key = 0, factor = <uint64_t>0x9E3779B97F4A7C15
    cdef Py_ssize_t j
    for j in range(d):
        key += double_to_bits(x[j]) * factor
        factor = factor + <uint64_t>0x5851F42D4C957F2E
    return key ^ (key >> 29)


cdef inline void score_rates(Model *m) noexcept nogil:
    cdef Py_ssize_t c
    for c in range(m.k):
        lab_rates_score(
            m.rate_weights + c * m.d * LANES, m.z, m.d, m.rate_bias + c * LANES,
            m.rate_score + c * LANES,
        )


cdef inline void answer_rates(const Model *m, const double *score, double *answer) noexcept nogil:
    # What each rate says of a row, from its scores: a class code or a number.
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
                answer[l] = <double>c if score[l] > best[l] else answer[l]
                best[l] = score[l] if score[l] > best[l] else best[l]


cdef inline Py_ssize_t wrapped(Py_ssize_t place, Py_ssize_t room) noexcept nogil:
    return place - room if place >= room else place


cdef inline void keep_answers(Model *m, const double *x, const double *score) noexcept nogil:
    # Remember what each rate answers for this row until its label comes.
    cdef Py_ssize_t place
    if m.counters[ASKED] == m.asked_room:  # the oldest never got a label in time
        m.counters[ASKED_FIRST] = wrapped(m.counters[ASKED_FIRST] + 1, m.asked_room)
        m.counters[ASKED] -= 1
    place = wrapped(m.counters[ASKED_FIRST] + m.counters[ASKED], m.asked_room)
    m.asked_key[place] = fingerprint(x, m.d)
    answer_rates(m, score, m.asked_value + place * RATES)
    m.counters[ASKED] += 1


cdef inline void ask_rates(Model *m, const double *x) noexcept nogil:
    score_rates(m)
    keep_answers(m, x, m.rate_score)


cdef inline void note_errors(Model *m, const double *value, double y) noexcept nogil:
    # What each rate answered, against the label: how far off it was, or nine bits, 1 if it was wrong.
    cdef Py_ssize_t l, place = m.counters[ERRORS_NEXT]
    cdef uint16_t wrong = 0
    m.counters[ERRORS_NEXT] = wrapped(place + 1, m.window)
    if m.counters[ERRORS] < m.window:
        m.counters[ERRORS] += 1
    if m.choices[REGRESSION]:
        for l in range(RATES):
            m.errors[place * RATES + l] = fabs(value[l] - y)
    else:
        for l in range(RATES):
            wrong |= <uint16_t>(value[l] != y) << l
        m.wrong[place] = wrong


cdef inline void grade_rates(Model *m, const double *x, double y) noexcept nogil:
    # Find this row among those asked (earlier ones got no label: forget them), score the answers.
    cdef Py_ssize_t i, place = m.counters[ASKED_FIRST]
    cdef uint64_t key = fingerprint(x, m.d)
    for i in range(m.counters[ASKED]):
        if m.asked_key[place] == key:
            note_errors(m, m.asked_value + place * RATES, y)
            m.counters[ASKED_FIRST] = wrapped(place + 1, m.asked_room)
            m.counters[ASKED] -= i + 1
            return
        place = wrapped(place + 1, m.asked_room)


cdef inline void ask_and_grade_rates(
    Model *m, const double *x, const double *own, double y, const double *score
) noexcept nogil:
    # Ask about x (its scores are known), then grade what was said of `own`, whose label has come.
    cdef double value[RATES]
    if x != own or m.counters[ASKED] > 0:
        keep_answers(m, x, score)
        grade_rates(m, own, y)
        return
    answer_rates(m, score, value)
    note_errors(m, value, y)
    m.counters[ASKED_FIRST] = wrapped(m.counters[ASKED_FIRST] + 1, m.asked_room)


# ------------------------------------------------------------------ slopes


cdef inline void far_slopes(const Model *m, double z, const double *score, double *steep) noexcept nogil:
    # Slopes of the log loss at four scores of any size, for z 0 or 1.
    cdef double e, limit = m.settings[CLIP]
    cdef Py_ssize_t l
    for l in range(4):
        e = exp_(-score[l] if score[l] > -700.0 else 700.0)
        steep[l] = ((1.0 - z) - z * e) / (1.0 + e)
        steep[l] = -limit if steep[l] < -limit else (limit if steep[l] > limit else steep[l])


cdef inline void four_slopes(
    const Model *m, double y, const double *score, double *steep
) noexcept nogil:
    # `clipped_slope` at four scores, for y as `side` says it.
    cdef Py_ssize_t l
    if m.choices[LOSS] != LOG:
        for l in range(4):
            steep[l] = clipped_slope(m, y, score[l])
    elif not lab_far_log_slopes(score, 0.5 + 0.5 * y, m.settings[CLIP], steep):
        far_slopes(m, 0.5 + 0.5 * y, score, steep)


cdef inline void rate_slopes(const Model *m, Py_ssize_t c, double y, double *steep) noexcept nogil:
    # `clipped_slope` for every carried rate.
    cdef const double *score = m.rate_score + c * LANES
    cdef double limit = m.settings[CLIP], g
    cdef Py_ssize_t l
    y = side(m, y, c)
    if m.choices[LOSS] == SQUARED:
        for l in range(LANES):
            g = score[l] - y
            g = -limit if g < -limit else g
            steep[l] = limit if g > limit else g
        return
    for l in range(0, LANES, 4):
        four_slopes(m, y, score + l, steep + l)


# ------------------------------------------------------------------ plain steps, put off

# A plain step (no L1, no AdaGrad) is put off until the scores of the next row are wanted: both then
# take one passage over the weights.


cdef inline bint rates_step_plainly(const Model *m) noexcept nogil:
    return m.choices[SCHEDULE] != ADAGRAD and l1_part(m) == 0.0


cdef inline void size_rates(Model *m) noexcept nogil:
    # How far plain steps go now: again at each step where the step size falls.
    lab_rates_sizes(m.rates, schedule_divisor(m), l2_part(m), m.rate_shrink, m.rate_back)


cdef inline void put_off_rates(Model *m, double y, const double *z) noexcept nogil:
    # One step along the row z, whose scores are known; `z` must stay until it is made.
    cdef double steep[LANES]
    cdef Py_ssize_t c
    for c in range(m.k):
        rate_slopes(m, c, y, steep)
        lab_rates_update(
            m.rate_back, steep, m.rate_update + c * LANES, m.rate_bias + c * LANES,
            m.choices[INTERCEPT]
        )
    m.due = z


cdef inline void settle_rates(Model *m) noexcept nogil:
    # Make the step that was put off.
    cdef Py_ssize_t c
    if m.due == NULL:
        return
    for c in range(m.k):
        lab_rates_step(
            m.rate_weights + c * m.d * LANES, m.due, m.d, m.rate_shrink, m.rate_update + c * LANES
        )
    m.due = NULL


cdef inline const double *turn_rates(
    Model *m, const double *before, const double *after
) noexcept nogil:
    # The same, then the scores: gives those of `before`, and leaves those of `after` in rate_score.
    cdef Py_ssize_t c
    if m.due == NULL:
        if before != after:
            m.z = <double *>before
            score_rates(m)
            memcpy(m.rate_asked, m.rate_score, m.k * LANES * sizeof(double))
        m.z = <double *>after
        score_rates(m)
    else:
        for c in range(m.k):
            lab_rates_turn(
                m.rate_weights + c * m.d * LANES, m.due, m.d, m.rate_shrink,
                m.rate_update + c * LANES, before, after, m.rate_bias + c * LANES,
                m.rate_asked + c * LANES, m.rate_score + c * LANES
            )
        m.due = NULL
    return m.rate_score if before == after else m.rate_asked


# ------------------------------------------------------------------ any step


cdef inline void apply_rate_gradients(Model *m, Py_ssize_t c, double share) noexcept nogil:
    # One step of every carried rate of vector c for any penalty and schedule, along share * the
    # summed gradients.
    cdef double *bias = m.rate_bias + c * LANES
    cdef double *bias_squares = m.rate_bias_squares + c * LANES
    cdef const double *bias_gradient = m.rate_bias_gradient + c * LANES
    cdef double divisor = schedule_divisor(m), g
    cdef double eta[LANES]
    cdef bint adagrad = m.choices[SCHEDULE] == ADAGRAD
    cdef Py_ssize_t l, first = c * m.d * LANES
    for l in range(LANES):
        eta[l] = m.rates[l] / divisor
    size_rates(m)
    lab_rates_any_step(
        m.rate_weights + first, m.rate_squares + first, m.rate_gradient + first, m.d, share, eta,
        m.rate_shrink, l1_part(m), l2_part(m), adagrad
    )
    if m.choices[INTERCEPT]:
        for l in range(LANES):
            g = share * bias_gradient[l]
            if adagrad:
                bias_squares[l] += g * g
                bias[l] -= eta[l] / sqrt(bias_squares[l] + ADAGRAD_FLOOR) * g
            else:
                bias[l] -= eta[l] * g


cdef inline void collect_rates(
    Model *m, Py_ssize_t c, const double *steep, bint fresh
) noexcept nogil:
    # Add the gradient of the row at hand to what is there, or (`fresh`) to 0.
    cdef double *bias = m.rate_bias_gradient + c * LANES
    cdef Py_ssize_t l
    for l in range(LANES):
        bias[l] = (0.0 if fresh else bias[l]) + steep[l]
    lab_rates_gradient(m.rate_gradient + c * m.d * LANES, m.z, m.d, steep, fresh)


cdef inline void step_rates(Model *m, double y, bint known) noexcept nogil:
    # One step of every carried rate along the row at hand; `known`: their scores are its own.
    cdef double steep[LANES]
    cdef Py_ssize_t c
    if not known:
        score_rates(m)
    if rates_step_plainly(m):
        size_rates(m)
        put_off_rates(m, y, m.z)
        settle_rates(m)
        return
    for c in range(m.k):
        rate_slopes(m, c, y, steep)
        collect_rates(m, c, steep, True)
        apply_rate_gradients(m, c, 1.0)
