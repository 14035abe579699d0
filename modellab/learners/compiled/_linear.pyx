"""Linear models learned by stochastic gradient descent, one row at a time: the inner loops.

`Core` works on the arrays of a state made by `modellab.learners.compiled.kernel`, which also says
what everything means; nothing here allocates, and no loop holds the interpreter lock.
"""
from libc.stdint cimport int64_t, uint16_t, uint64_t
from libc.string cimport memcpy, memset

from modellab.learners.compiled._math cimport sigmoid_
from modellab.learners.compiled._model cimport *
from modellab.learners.compiled._plain cimport plain, run_plain
from modellab.learners.compiled._rates cimport *
from modellab.learners.compiled._steps cimport *

cdef extern from "_vector.h" nogil:
    bint lab_near_shares(const double *score, double *shares)

# ------------------------------------------------------------------ steps


cdef inline void follow(Model *m, double y) noexcept nogil:
    # One step of every weight vector along the row at hand, whose scores are known.
    cdef double eta = step_size(m)
    cdef Py_ssize_t c
    find_slopes(m, y)
    for c in range(m.k):
        apply(m, c, m.steep[c], m.z, m.steep[c], eta)


cdef inline void finish_step(Model *m) noexcept nogil:
    count_step(m)
    take_average(m)


cdef void step_one(Model *m, const double *x, double y) noexcept nogil:
    # Learn one row: the scaler first, then every weight vector on the new statistics.
    cdef bint known = m.at_hand == x and not m.choices[AVERAGE]
    if m.choices[SCALE] == ONLINE:
        scaler_learns(m, x, m.z, m.z)
        known = False
    elif not known:
        see(m, x)
    if not known:
        score_row(m)
    follow(m, y)
    if m.choices[CARRY]:
        step_rates(m, y, known)
    finish_step(m)
    m.at_hand = NULL


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
            scaler_learns(m, rows + i * m.d, m.z, m.z)
    memset(m.gradient, 0, m.k * m.width * sizeof(double))
    memset(m.bias_gradient, 0, m.k * sizeof(double))
    for i in range(n):
        see(m, rows + i * m.d)
        score_row(m)
        find_slopes(m, y[i])
        for c in range(m.k):
            g = m.steep[c]
            sums = m.gradient + c * m.width
            for j in range(m.width):
                sums[j] += g * m.z[j]
            m.bias_gradient[c] += g
        if m.choices[CARRY]:
            score_rates(m)
            for c in range(m.k):
                rate_slopes(m, c, y[i], steep)
                collect_rates(m, c, steep, i == 0)
    for c in range(m.k):
        apply(m, c, share, m.gradient + c * m.width, share * m.bias_gradient[c], eta)
        if m.choices[CARRY]:
            apply_rate_gradients(m, c, share)
    m.at_hand = NULL
    finish_step(m)


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


# ------------------------------------------------------------------ row by row, one row ahead


cdef struct Rule:
    # What `Model` says of a step, read once.
    bint falls, carry, put_off


cdef inline void read_rule(Model *m, Rule *rule) noexcept nogil:
    rule.falls = m.choices[SCHEDULE] != CONSTANT
    rule.carry = m.choices[CARRY]
    rule.put_off = rule.carry and rates_step_plainly(m)
    if rule.put_off:
        size_rates(m)


cdef inline void ask_carried(
    Model *m, const Rule *rule, const double *x, const double *own, double y, const double *before,
    const double *after
) noexcept nogil:
    # What the carried rates say of x, and how right they were about `own`.
    if rule.put_off:
        ask_and_grade_rates(m, x, own, y, turn_rates(m, before, after))
        return
    m.z = <double *>before
    score_rates(m)
    ask_and_grade_rates(m, x, own, y, m.rate_score)


cdef inline void teach_carried(
    Model *m, const Rule *rule, double y, const double *after, bint known
) noexcept nogil:
    # Their step along `after`, at once or later; `known`: a step at once finds its scores.
    if rule.put_off:
        if rule.falls:
            size_rates(m)
        put_off_rates(m, y, after)
        return
    m.z = <double *>after
    step_rates(m, y, known)


cdef inline void ask_and_follow(
    Model *m, const Rule *rule, const double *x, const double *own, double y, double *before,
    double *after, double *scores
) noexcept nogil:
    # Predict x into `scores`, then one step along `own`; both as `take_in` left them.
    cdef Py_ssize_t c
    cdef bint same = own == x and m.choices[SCALE] != ONLINE
    if same:
        after = before
    if rule.carry:
        ask_carried(m, rule, x, own, y, before, after)
    m.z = before
    if m.choices[AVERAGE]:
        score_to_predict(m)
        memcpy(scores, m.score, m.k * sizeof(double))
        m.z = after
        score_row(m)
    elif same:
        score_row(m)
        memcpy(scores, m.score, m.k * sizeof(double))
    else:
        m.z = after
        for c in range(m.k):
            lab_two_dots(m.weights + c * m.width, before, after, m.span, scores + c, m.score + c)
            scores[c] += m.bias[c]
            m.score[c] += m.bias[c]
    follow(m, y)
    if rule.carry:
        teach_carried(m, rule, y, after, same)
    finish_step(m)


cdef Py_ssize_t run_ahead(
    Model *m, const double *rows, const double *own, const double *y, const int64_t *upto,
    int64_t arrived, Py_ssize_t n, double *scores
) noexcept nogil:
    # Rows whose prediction is followed by the arrival of exactly one label (`upto` NULL: all);
    # gives how many.
    cdef double *z = m.z
    cdef double *before = m.ahead
    cdef double *after = m.ahead + 4 * m.width
    cdef Py_ssize_t i = 0, d = m.d, side = 0, coming = 0, width = m.width
    cdef Rule rule
    cdef bint more
    read_rule(m, &rule)
    if plain(m):
        return run_plain(m, rows, own, y, upto, arrived, n, scores)
    more = (
        n > 0 and (upto == NULL or upto[0] == arrived + 1)
        and take_in(m, rows, own, y[0], before, after)
    )
    while more:
        side = coming  # a row stays until two more have come: a step may have been put off
        i += 1
        coming = (i & 3) * width
        more = (
            i < n and (upto == NULL or upto[i] == arrived + i + 1)
            and take_in(m, rows + i * d, own + i * d, y[i], before + coming, after + coming)
        )
        ask_and_follow(
            m, &rule, rows + (i - 1) * d, own + (i - 1) * d, y[i - 1], before + side, after + side,
            scores + (i - 1) * m.k
        )
    settle_rates(m)
    m.z = z
    m.at_hand = NULL
    return i


cdef void go_over(
    Model *m, const double *rows, const double *own, const double *y, const int64_t *upto,
    Py_ssize_t n, Py_ssize_t every, Py_ssize_t batch, bint frozen, double *scores
) noexcept nogil:
    # Predict each row, then let the first `upto[i]` labelled rows arrive; `upto` NULL: one each.
    cdef Py_ssize_t i = 0, arrived = 0, passed
    cdef int64_t until
    cdef const double *x
    cdef bint at_once = every <= 1 and not frozen
    while i < n:
        x = rows + i * m.d
        until = i + 1 if upto == NULL else upto[i]
        if at_once and m.counters[WAITING] == 0 and until == arrived + 1:
            passed = run_ahead(
                m, x, own + arrived * m.d, y + arrived, NULL if upto == NULL else upto + i, arrived,
                n - i, scores + i * m.k,
            )
            arrived += passed
            i += passed
            if passed:
                continue
        see_to_predict(m, x)
        score_to_predict(m)
        memcpy(scores + i * m.k, m.score, m.k * sizeof(double))
        if m.choices[CARRY]:
            ask_rates(m, x)
        while arrived < until:
            arrive(m, own + arrived * m.d, y[arrived], every, batch, frozen)
            arrived += 1
        i += 1
    m.at_hand = NULL


# ------------------------------------------------------------------ answers, looks


cdef inline void answer_two(
    const double *score, Py_ssize_t n, bint huber, int64_t *answer, double *shares
) noexcept nogil:
    # Answers and shares of two classes; to the bit those of `two_class_answers` in _math.pyx.
    cdef Py_ssize_t i, l
    cdef double p
    for i in range(n):
        answer[i] = score[i] > 0.0
    for i in range(0, n, 4):
        if i + 4 <= n and not huber and lab_near_shares(score + i, shares + 2 * i):
            continue
        for l in range(i, min(i + 4, n)):
            p = score[l]
            p = (min(max(p, -1.0), 1.0) + 1.0) / 2.0 if huber else sigmoid_(p)
            shares[2 * l] = 1.0 - p
            shares[2 * l + 1] = p


cdef inline void note_look(const Model *m, double *look) noexcept nogil:
    # What predicts, and on which statistics: weights, biases, means, inverse deviations.
    cdef bint average = m.choices[AVERAGE]
    cdef Py_ssize_t whole = m.k * m.width
    memcpy(look, m.average if average else m.weights, whole * sizeof(double))
    look += whole
    memcpy(look, m.bias_average if average else m.bias, m.k * sizeof(double))
    look += m.k
    memcpy(look, m.mean, m.width * sizeof(double))
    memcpy(look + m.width, m.inverse, m.width * sizeof(double))


cdef inline void take_look(Model *m, double *look, double *room) noexcept nogil:
    # Be, to predict, what was noted; `room`: width + k numbers, 0.
    m.weights = m.average = look
    look += m.k * m.width
    m.bias = m.bias_average = look
    look += m.k
    m.mean = look
    m.inverse = look + m.width
    m.z = room
    m.score = room + m.width


cdef inline void predict_rows(
    Model *m, const double *rows, Py_ssize_t n, double *scores
) noexcept nogil:
    cdef Py_ssize_t i
    m.at_hand = NULL
    for i in range(n):
        see_to_predict(m, rows + i * m.d)
        score_to_predict(m)
        memcpy(scores + i * m.k, m.score, m.k * sizeof(double))
    m.at_hand = NULL


# So many rows are gone over before their answers are written: their scores are still near by then.
cdef enum:
    BLOCK = 2048


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
        cdef uint16_t[::1] wrong = state["wrong"]
        cdef double[::1] flat
        self._state = dict(state)  # keeps the arrays alive
        self.m.counters = &counters[0]
        self.m.choices = &choices[0]
        self.m.settings = &settings[0]
        self.m.k = weights.shape[0]
        self.m.width = weights.shape[1]
        self.m.d = waiting.shape[1]
        self.m.span = (self.m.d + 3) // 4 * 4
        self.m.weights = &weights[0, 0]
        self.m.waiting = &waiting[0, 0]
        self.m.room = waiting.shape[0]
        self.m.asked_key = &asked_key[0]
        self.m.asked_room = asked_key.shape[0]
        self.m.errors = &errors[0, 0]
        self.m.wrong = &wrong[0]
        self.m.window = max(errors.shape[0], wrong.shape[0])
        self.m.at_hand = NULL
        flat = state["bias"]
        self.m.bias = &flat[0]
        flat = state["squares"].reshape(-1)
        self.m.squares = &flat[0]
        flat = state["bias_squares"]
        self.m.bias_squares = &flat[0]
        flat = state["moments"].reshape(-1)
        self.m.moments = &flat[0]
        flat = state["bias_moments"]
        self.m.bias_moments = &flat[0]
        flat = state["average"].reshape(-1)
        self.m.average = &flat[0]
        flat = state["bias_average"]
        self.m.bias_average = &flat[0]
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
        flat = state["ahead"].reshape(-1)
        self.m.ahead = &flat[0]
        flat = state["score"]
        self.m.score = &flat[0]
        flat = state["steep"]
        self.m.steep = &flat[0]
        flat = state["gradient"].reshape(-1)
        self.m.gradient = &flat[0]
        flat = state["bias_gradient"]
        self.m.bias_gradient = &flat[0]
        flat = state["rate_score"].reshape(-1)
        self.m.rate_score = &flat[0]
        flat = state["rate_asked"].reshape(-1)
        self.m.rate_asked = &flat[0]
        flat = state["rate_update"].reshape(-1)
        self.m.rate_update = &flat[0]
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
        cdef const double *own = &learn_rows[0, 0] if learn_rows.shape[0] else NULL
        cdef const double *labels = &learn_y[0] if learn_y.shape[0] else NULL
        cdef Model *m = &self.m
        if rows.shape[0]:
            with nogil:
                go_over(
                    m, &rows[0, 0], own, labels, &upto[0], rows.shape[0], every, batch, frozen,
                    &scores[0, 0],
                )

    def run_looked(
        self,
        const double[:, ::1] rows,
        const double[::1] y,
        Py_ssize_t batch,
        const int64_t[::1] at,
        double[:, ::1] looks,
        int64_t[::1] steps,
        double[:, ::1] scores,
        int64_t[::1] answers,
        double[:, ::1] shares,
        bint huber,
    ):
        """Predict each row, then learn it; note the model after `at[j]` rows in `looks`.

        With `answers` and `shares` (not empty: two classes), these are written, and `scores` is
        room for `BLOCK` of them.
        """
        cdef Py_ssize_t n = rows.shape[0], i = 0, end, j = 0
        cdef bint two = answers.shape[0] > 0
        cdef double *place = &scores[0, 0] if scores.shape[0] else NULL
        cdef Model *m = &self.m
        with nogil:
            while i < n:
                end = min(i + BLOCK, n)
                if j < at.shape[0] and at[j] < end:
                    end = at[j]
                go_over(m, &rows[i, 0], &rows[i, 0], &y[i], NULL, end - i, 1, batch, False, place)
                if two:
                    answer_two(place, end - i, huber, &answers[i], &shares[i, 0])
                else:
                    place += (end - i) * m.k
                i = end
                if j < at.shape[0] and at[j] == i:
                    note_look(m, &looks[j, 0])
                    steps[j] = m.counters[STEPS]
                    j += 1

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
        if rows.shape[0]:
            with nogil:
                predict_rows(&self.m, &rows[0, 0], rows.shape[0], &scores[0, 0])

    def predict_at(
        self, const double[:, ::1] rows, double[::1] look, double[::1] room, double[:, ::1] scores
    ):
        """`predict`, as the model was at `look`; `room`: width + k numbers, 0."""
        cdef Model then = self.m
        if rows.shape[0]:
            with nogil:
                take_look(&then, &look[0], &room[0])
                predict_rows(&then, &rows[0, 0], rows.shape[0], &scores[0, 0])
