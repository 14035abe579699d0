"""What is added up of one lane's scored rows: sums along them, totals, and the last rows themselves.

One pass over the rows does all of it, in pieces that end with tiles of `TILE` rows. Every addition
happens in an order that follows from the number of rows so far alone, so the bits do not depend on
how rows are cut into calls.
"""
import numpy as np

from libc.math cimport NAN, isfinite
from libc.stdint cimport int64_t

from modellab.evaluation.compiled._summing cimport *

cdef enum:
    TILE = 1024     # rows that are added up together (`modellab.evaluation.sums.TILE`)

    # Fields of a row of a regression (`modellab.evaluation.losses.NumberField`).
    ABSOLUTE = 0
    # ROWS = 1
    SQUARED = 2
    ERROR = 3
    NUMBER = 4
    NUMBER_SQUARED = 5
    TRUTH = 6
    ANSWER = 7


# ------------------------------------------------------------------ the fields of rows


def codes_there(const int64_t[::1] y, const int64_t[::1] guess, int64_t classes):
    """Whether no label and no answer is missing (below 0).

    Raises `ValueError` if one is not a class.
    """
    cdef Py_ssize_t n = y.shape[0], i
    cdef int64_t signs = 0, beyond = 0
    if guess.shape[0] != n:
        raise ValueError("the rows differ in number")
    with nogil:
        for i in range(n):
            signs |= y[i] | guess[i]
            beyond |= (classes - 1 - y[i]) | (classes - 1 - guess[i])
    if beyond < 0:
        raise ValueError("a label or a prediction is not one of the classes")
    return signs >= 0


def own_shares(const int64_t[::1] y, const double[:, ::1] proba, double clip, double[::1] out):
    """Write the probability of each row's label, clipped; 1 where there are no probabilities."""
    cdef Py_ssize_t n = y.shape[0], k = proba.shape[1], i, c
    cdef double squares, own, high = 1.0 - clip
    cdef const double *shares
    cdef int64_t beyond = 0
    if proba.shape[0] != n or out.shape[0] != n:
        raise ValueError("the rows differ in number")
    if n == 0:
        return
    with nogil:
        for i in range(n):
            beyond |= y[i] | (k - 1 - y[i])
        if beyond >= 0 and k == 2:
            shares = &proba[0, 0]
            for i in range(n):
                squares = proba[i, 0] * proba[i, 0] + proba[i, 1] * proba[i, 1]
                own = shares[2 * i + y[i]]
                own = own if own > clip else clip
                own = own if own < high else high
                out[i] = own if squares - squares == 0.0 else 1.0
        elif beyond >= 0:
            for i in range(n):
                squares = squared(&proba[i, 0], k)
                own = min(max(proba[i, y[i]], clip), high)
                out[i] = own if isfinite(squares) else 1.0
    if beyond < 0:
        raise ValueError("a label is not one of the classes")


cdef inline double squared(const double *shares, Py_ssize_t k) noexcept nogil:
    # Sum of the squares, in NumPy's order.
    cdef double found
    cdef Py_ssize_t c
    if k > 8:
        return pairwise(shares, shares, k)
    found = shares[0] * shares[0]
    for c in range(1, k):
        found += shares[c] * shares[c]
    return found


cdef void fields_of_classes(
    const int64_t *y,
    const int64_t *guess,
    const double *proba,
    Py_ssize_t k,
    const double *logs,
    const unsigned char *majority,
    const unsigned char *nochange,
    Py_ssize_t n,
    double *out,
    Py_ssize_t room,
) noexcept nogil:
    # `out`: row by row of fields, `room` apart. What is not known is NULL, k 0.
    cdef double first, second, squares, brier
    cdef bint known
    cdef Py_ssize_t i
    for i in range(n):
        out[WRONG * room + i] = y[i] != guess[i]
        out[ROWS * room + i] = 1.0
        out[LABEL * room + i] = <double>y[i]
        out[GUESS * room + i] = <double>guess[i]
    if majority is not NULL:
        for i in range(n):
            out[MAJORITY_WRONG * room + i] = 1.0 - majority[i]
    else:
        for i in range(n):
            out[MAJORITY_WRONG * room + i] = NAN
    if nochange is not NULL:
        for i in range(n):
            out[NOCHANGE_WRONG * room + i] = 1.0 - nochange[i]
    else:
        for i in range(n):
            out[NOCHANGE_WRONG * room + i] = NAN
    if k == 0:
        for i in range(n):
            out[WITH_PROBA * room + i] = out[LOG_LOSS * room + i] = out[BRIER * room + i] = 0.0
            out[POSITIVE * room + i] = NAN
        return
    for i in range(n):
        out[LOG_LOSS * room + i] = 0.0 - logs[i]
    if k == 2:
        for i in range(n):
            first, second = proba[2 * i], proba[2 * i + 1]
            squares = first * first + second * second
            known = squares - squares == 0.0
            brier = squares - 2.0 * proba[2 * i + y[i]] + 1.0
            brier = 0.5 * (brier if brier > 0.0 else 0.0)
            out[WITH_PROBA * room + i] = 1.0 if known else 0.0
            out[BRIER * room + i] = brier if known else 0.0
            out[POSITIVE * room + i] = second if known else NAN
        return
    for i in range(n):
        squares = squared(proba + i * k, k)
        known = isfinite(squares)
        brier = squares - 2.0 * proba[i * k + y[i]] + 1.0
        out[WITH_PROBA * room + i] = 1.0 if known else 0.0
        out[BRIER * room + i] = brier if known and brier > 0.0 else 0.0
        out[POSITIVE * room + i] = NAN


cdef void fields_of_numbers(
    const double *y, const double *guess, double origin, Py_ssize_t n, double *out, Py_ssize_t room
) noexcept nogil:
    cdef double error, label
    cdef Py_ssize_t i
    for i in range(n):
        error = guess[i] - y[i]
        label = y[i] - origin
        out[ABSOLUTE * room + i] = error if error > 0.0 else 0.0 - error
        out[ROWS * room + i] = 1.0
        out[SQUARED * room + i] = error * error
        out[ERROR * room + i] = error
        out[NUMBER * room + i] = label
        out[NUMBER_SQUARED * room + i] = label * label
        out[TRUTH * room + i] = y[i]
        out[ANSWER * room + i] = guess[i]


# ------------------------------------------------------------------ one lane


cdef class Core:
    """Sums and last rows of one lane; what they mean is told in `modellab.evaluation.tally`.

    Parameters
    ----------
    fields, sums, classes
        Fields of a row; how many of them are summed; classes that are counted (0: none).
    window
        Rows of the window, or 0 where its sums are done elsewhere.
    weights
        (kinds, TILE + 1): powers of each kind's factor, the largest first; those of the first kind
        are all 1.
    up, down
        (length + 1,), (length,): powers of the fading mean's factor, and what they are undone by.
    """

    cdef public double[:, ::1] ring
    cdef public double[:, ::1] before
    cdef public double[::1] run
    cdef public double[::1] suffix
    cdef public double prefix, total, within, faded, weighed
    cdef public int64_t count
    cdef public Py_ssize_t place
    cdef const double[:, ::1] weights
    cdef const double[::1] up
    cdef const double[::1] down
    cdef double[::1] ones
    cdef double[::1] scratch
    cdef double[::1] units
    cdef Py_ssize_t fields, sums, classes, window

    def __init__(
        self,
        Py_ssize_t fields,
        Py_ssize_t sums,
        Py_ssize_t classes,
        Py_ssize_t window,
        const double[:, ::1] weights,
        const double[::1] up,
        const double[::1] down,
    ):
        cdef double one = 0.0
        cdef Py_ssize_t i
        if weights.shape[1] != TILE + 1 or not 1 <= down.shape[0] <= TILE:
            raise ValueError("the weights have another shape")
        if up.shape[0] != down.shape[0] + 1 or window < 0 or fields < sums:
            raise ValueError("the weights have another shape")
        self.fields, self.sums, self.classes, self.window = fields, sums, classes, window
        self.weights, self.up, self.down = weights, up, down
        self.ones = np.empty(down.shape[0])
        for i in range(down.shape[0]):
            one = one + down[i]
            self.ones[i] = one
        self.ring = np.empty((fields, TILE))
        self.before = np.zeros((weights.shape[0], sums + 3 * classes))
        self.scratch = np.empty(sums + 3 * classes)
        self.run = self.suffix = self.units = np.empty(0)
        self.prefix = self.total = self.within = self.faded = self.weighed = 0.0
        self.count = 0
        self.place = 0

    def add_classes(
        self,
        const int64_t[::1] y,
        const int64_t[::1] guess,
        const double[:, ::1] proba,
        const double[::1] logs,
        const unsigned char[::1] majority,
        const unsigned char[::1] nochange,
        double[:, ::1] out,
    ):
        """Add scored rows of a classification; the mean loss after each is written to `out` (2, n).

        Over the window, and over all rows; with a third line of `out`, the fading one too.
        `proba` has no column where there are no probabilities, and `majority` and `nochange`
        (whether they are right) no entry where that is not known. `logs`: see `own_shares`. Labels
        and answers must have been looked at by `codes_there`.
        """
        cdef Py_ssize_t n = y.shape[0], k = proba.shape[1], done = 0, take, slot
        cdef const unsigned char *most = NULL
        cdef const unsigned char *last = NULL
        if guess.shape[0] != n or (k and (proba.shape[0] != n or logs.shape[0] != n)):
            raise ValueError("the rows differ in number")
        if majority.shape[0] not in (0, n) or nochange.shape[0] not in (0, n) or not self.classes:
            raise ValueError("the rows differ in number")
        self.check(out, n)
        if n == 0:
            return
        most = &majority[0] if majority.shape[0] else NULL
        last = &nochange[0] if nochange.shape[0] else NULL
        with nogil:
            while done < n:
                take = min(n - done, TILE - <Py_ssize_t>(self.count % TILE))
                slot = <Py_ssize_t>(self.count % self.ring.shape[1])
                fields_of_classes(
                    &y[done],
                    &guess[done],
                    &proba[done, 0] if k else NULL,
                    k,
                    &logs[done] if k else NULL,
                    most + done if most is not NULL else NULL,
                    last + done if last is not NULL else NULL,
                    take,
                    &self.ring[0, slot],
                    self.ring.shape[1],
                )
                self.follow(slot, take, &out[0, done], n, out.shape[0] == 3)
                done += take

    def add_numbers(
        self, const double[::1] y, const double[::1] guess, double origin, double[:, ::1] out
    ):
        """Add scored rows of a regression, labels counted from `origin`, as `add_classes` does."""
        cdef Py_ssize_t n = y.shape[0], done = 0, take, slot
        if guess.shape[0] != n or self.classes:
            raise ValueError("the rows differ in number")
        self.check(out, n)
        with nogil:
            while done < n:
                take = min(n - done, TILE - <Py_ssize_t>(self.count % TILE))
                slot = <Py_ssize_t>(self.count % self.ring.shape[1])
                fields_of_numbers(
                    &y[done], &guess[done], origin, take, &self.ring[0, slot], self.ring.shape[1]
                )
                self.follow(slot, take, &out[0, done], n, out.shape[0] == 3)
                done += take

    cdef check(self, double[:, ::1] out, Py_ssize_t n):
        # Whether there is room for so many rows.
        cdef int64_t at
        if not 2 <= out.shape[0] <= 3 or out.shape[1] != n:
            raise ValueError("there is no room for the errors")
        if self.ring.shape[0] != self.fields or self.ring.shape[1] % TILE or not self.ring.shape[1]:
            raise ValueError("there is no room for the rows")
        if self.window:
            at = self.count % self.window
            if self.run.shape[0] < min(<int64_t>self.window, at + n):
                raise ValueError("there is no room for the values")
            if self.count + n >= self.window and self.suffix.shape[0] != self.window + 1:
                raise ValueError("there is no room for the run before")

    cdef void follow(
        self, Py_ssize_t slot, Py_ssize_t n, double *out, Py_ssize_t apart, bint fades
    ) noexcept nogil:
        # Take in n rows whose fields lie at `slot`: they end where a tile ends at the latest.
        # `fades`: whether the fading means are wanted, too.
        cdef const double *loss = &self.ring[0, slot]
        cdef double *window_sum = out
        cdef double *mean = out + apart
        cdef double spare[TILE]
        cdef double faint[TILE]
        cdef double *fading = out + 2 * apart if fades else faint
        cdef double *run = spare
        cdef const double *up = &self.up[0]
        cdef const double *down = &self.down[0]
        cdef const double *ones = &self.ones[0]
        cdef double p = self.prefix, t = self.total, w = self.within, b0 = self.faded
        cdef double b1 = self.weighed, x, before = <double>self.count + 1.0, most
        cdef Py_ssize_t length = self.down.shape[0], at = 0, place = self.place, i = 0, j, take
        cdef bint over = self.window > 0 and self.count >= self.window
        if self.window:
            at = <Py_ssize_t>(self.count % self.window)
        while i < n:
            take = min(n - i, length - place)
            if self.window:
                take = min(take, self.window - at)
                run = &self.run[at]
            for j in range(take):
                x = loss[i + j]
                p = p + x
                t = t + x
                w = w + x * down[place + j]
                run[j] = x
                window_sum[i + j] = p
                mean[i + j] = t
                fading[i + j] = w
            if over:
                for j in range(take):
                    window_sum[i + j] = window_sum[i + j] + self.suffix[at + j + 1]
            for j in range(take if fades else 0):
                fading[i + j] = (fading[i + j] * up[place + j] + b0 * up[place + j + 1]) / (
                    ones[place + j] * up[place + j] + b1 * up[place + j + 1]
                )
            i += take
            at += take
            place += take
            if place == length:
                b0 = w * up[length - 1] + b0 * up[length]
                b1 = ones[length - 1] * up[length - 1] + b1 * up[length]
                w = 0.0
                place = 0
            if self.window and at == self.window:
                self.turn()
                p = 0.0
                at = 0
                over = True
        most = <double>self.window
        for j in range(<int>n):
            x = before + <double>(<int>j)
            mean[j] = mean[j] / x
        if self.window:
            for j in range(<int>n):
                x = before + <double>(<int>j)
                window_sum[j] = window_sum[j] / (x if x < most else most)
        self.prefix, self.total, self.within, self.faded, self.weighed = p, t, w, b0, b1
        self.place = place
        self.count += n
        if self.count % TILE == 0:
            self.add_up(slot + n - TILE)

    cdef void turn(self) noexcept nogil:
        # A run of the window is over: the sums of its ends.
        cdef Py_ssize_t j
        self.suffix[self.window] = 0.0
        self.suffix[self.window - 1] = self.run[self.window - 1]
        for j in range(self.window - 2, -1, -1):
            self.suffix[j] = self.suffix[j + 1] + self.run[j]

    cdef void add_up(self, Py_ssize_t slot) noexcept nogil:
        # A tile is whole: it goes into the totals.
        cdef const double *rows = &self.ring[0, slot]
        cdef Py_ssize_t room = self.ring.shape[1], k, i
        cdef double factor
        for k in range(self.before.shape[0]):
            factor = self.weights[k, 0]
            summarise(
                rows, room, TILE, &self.weights[k, 1], self.sums, self.classes, &self.scratch[0]
            )
            for i in range(self.before.shape[1]):
                # What weighs nothing any more is left out: it might have been infinite.
                self.before[k, i] = (
                    self.scratch[i] + self.before[k, i] * factor
                    if factor != 0.0
                    else self.scratch[i]
                )

    def fading(self):
        """Return the fading mean after the last row; NaN before the first."""
        cdef Py_ssize_t at = self.place - 1
        if self.count == 0:
            return NAN
        if at < 0:
            return self.faded / self.weighed
        return (self.within * self.up[at] + self.faded * self.up[at + 1]) / (
            self.ones[at] * self.up[at] + self.weighed * self.up[at + 1]
        )

    def within_ones(self):
        """What `within` is of ones."""
        return self.ones[self.place - 1] if self.place else 0.0

    def last_totals(self, Py_ssize_t n, double[::1] out):
        """Write the totals of the last `n` rows, each weighing 1."""
        cdef Py_ssize_t room = self.ring.shape[1], at, f, i
        cdef double[:, ::1] rows
        if not 0 <= n <= min(<int64_t>room, self.count) or out.shape[0] != self.scratch.shape[0]:
            raise ValueError("so many rows are not there")
        out[:] = 0.0
        if n == 0:
            return
        if self.units.shape[0] < n:
            self.units = np.ones(n)
        at = <Py_ssize_t>((self.count - n) % room)
        if at + n <= room:
            with nogil:
                self.plain_totals(&self.ring[0, at], room, n, &out[0])
            return
        rows = np.empty((self.fields, n))
        with nogil:
            for f in range(self.fields):
                for i in range(room - at):
                    rows[f, i] = self.ring[f, at + i]
                for i in range(room - at, n):
                    rows[f, i] = self.ring[f, at + i - room]
            self.plain_totals(&rows[0, 0], n, n, &out[0])

    cdef void plain_totals(
        self, const double *rows, Py_ssize_t room, Py_ssize_t n, double *out
    ) noexcept nogil:
        summarise(rows, room, n, &self.units[0], self.sums, self.classes, out)


# ------------------------------------------------------------------ totals


def totals(
    const double[:, ::1] rows,
    const double[::1] weights,
    Py_ssize_t sums,
    Py_ssize_t classes,
    double[::1] out,
):
    """Weighted totals of rows (fields, n): of `sums` fields, and three counts for each class."""
    if weights.shape[0] < rows.shape[1] or out.shape[0] != sums + 3 * classes:
        raise ValueError("there is no room for the totals")
    if rows.shape[0] < (10 if classes else sums):
        raise ValueError("fields are missing")
    if rows.shape[1] == 0:
        out[:] = 0.0
        return
    if classes:
        check_codes(rows, classes)
    with nogil:
        summarise(
            &rows[0, 0], rows.shape[1], rows.shape[1], &weights[0], sums, classes, &out[0]
        )


cdef check_codes(const double[:, ::1] rows, Py_ssize_t classes):
    # Labels and guesses must be codes: they are used as places.
    cdef Py_ssize_t i
    cdef bint bad = False
    with nogil:
        for i in range(rows.shape[1]):
            if not (0.0 <= rows[LABEL, i] < classes and 0.0 <= rows[GUESS, i] < classes):
                bad = True
    if bad:
        raise ValueError("a label or a prediction is not one of the classes")


# ------------------------------------------------------------------ the window


def curve_places(const double[::1] negative, const double[::1] positive):
    """Over all of `positive`: twice how many of `negative` lie below it, plus how many equal it.

    Both are sorted.
    """
    cdef Py_ssize_t n = negative.shape[0], i, left = 0, right = 0
    cdef int64_t places = 0
    with nogil:
        for i in range(positive.shape[0]):
            while left < n and negative[left] < positive[i]:
                left += 1
            right = max(left, right)
            while right < n and negative[right] <= positive[i]:
                right += 1
            places += left + right
    return places
