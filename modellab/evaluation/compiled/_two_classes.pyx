"""Scores of one lane where there are two classes, in one pass over its rows.

What is added up, and in which order, is what `_tally` does for any number of classes, to the bit;
but a row's label, answer and references are a byte, sums of losses are counts, and the errors after
each row need not be written down: they go into the buckets of their histories at once. Rows are
taken in pieces that stay in the nearest cache.
"""
import numpy as np

from libc.math cimport NAN
from libc.stdint cimport int64_t
from libc.string cimport memcpy, memset

from modellab.evaluation.compiled._filling cimport fill_buckets
from modellab.evaluation.compiled._summing cimport *
from modellab.evaluation.compiled._two_rows cimport *
from modellab.evaluation.compiled._two_sums cimport *

def own_shares(
    const int64_t[::1] y, const double[:, ::1] proba, double clip, double[::1] out
):
    """Write the probability of each row's label, clipped; 1 where there are none.

    What is written for a row without a label means nothing. `proba`: (n, 2).
    """
    cdef Py_ssize_t n = y.shape[0], done = 0, take
    if proba.shape[0] != n or out.shape[0] != n or proba.shape[1] != 2:
        raise ValueError("the rows differ in number, or there are other classes")
    with nogil:
        while done < n:
            take = min(n - done, PIECE)
            clip_own(&y[done], &proba[done, 0], take, clip, 1.0 - clip, &out[done])
            done += take


# ------------------------------------------------------------------ one lane


cdef enum:
    MANY = 65536    # rows of a window up to which its means are looked up, not divided


cdef class Core:
    """Sums and last rows of one lane; see `modellab.evaluation.tally_two`.

    Parameters
    ----------
    window
        Rows of the window.
    weights
        (TILE + 1,): powers of the fading factor, the largest first.
    up, down
        As for `_tally.Core`.
    """

    cdef public unsigned char[::1] codes    # the ring of the last rows
    cdef public double[:, ::1] shares       # and what follows from their probabilities
    cdef public double[:, ::1] before       # totals of whole tiles, cumulative and fading
    cdef public double within, faded, weighed
    cdef public int64_t count, wrong, recent    # rows; losses in all of them, and in the window
    cdef public Py_ssize_t place
    cdef public bint shared     # whether any row had probabilities
    cdef const double[::1] weights
    cdef const double[::1] up
    cdef const double[::1] down
    cdef double[::1] ones
    cdef double[:, ::1] bits
    cdef double[:, ::1] places
    cdef double[::1] parts      # of the window: so many wrong rows make such a mean
    cdef double tile_weight
    cdef int64_t window

    def __init__(
        self,
        int64_t window,
        const double[::1] weights,
        const double[::1] up,
        const double[::1] down,
    ):
        cdef double one = 0.0
        cdef Py_ssize_t i, code, y, g
        if weights.shape[0] != TILE + 1 or not 1 <= down.shape[0] <= TILE:
            raise ValueError("the weights have another shape")
        if up.shape[0] != down.shape[0] + 1 or window < 1:
            raise ValueError("the weights have another shape")
        self.window, self.weights, self.up, self.down = window, weights, up, down
        self.ones = np.empty(down.shape[0])
        for i in range(down.shape[0]):
            one = one + down[i]
            self.ones[i] = one
        self.codes = np.zeros(TILE, dtype=np.uint8)
        self.shares = np.zeros((3, TILE))
        self.before = np.zeros((2, LABEL + 6))
        self.parts = np.arange(min(window, MANY) + 1) / float(window)
        self.bits = np.empty((CODES, 4))
        for code in range(CODES):
            self.bits[code, 0] = wrong_of(<unsigned char>code)
            for i in range(3):
                self.bits[code, 1 + i] = (code >> (2 + i)) & 1
        self.places = np.zeros((4, 6))
        for code in range(4):
            y, g = code & 1, code >> 1
            self.places[code, y] = self.places[code, 2 + g] = 1.0
            self.places[code, 4 + y] = 1.0 if y == g else 0.0
        units = np.ones(TILE)
        cdef const double[::1] one_each = units
        self.tile_weight = pairwise(&one_each[0], &self.weights[1], TILE)
        self.within = self.faded = self.weighed = 0.0
        self.count = self.wrong = self.recent = 0
        self.place = 0
        self.shared = False

    def add(
        self,
        const int64_t[::1] y,
        const int64_t[::1] guess,
        const double[:, ::1] proba,
        const double[::1] logs,
        const unsigned char[::1] majority,
        const unsigned char[::1] nochange,
        double[::1] losses,
        double[:, :] out,
        double[:, ::1] error,
        double[:, ::1] cumulative,
        int64_t base,
        int64_t width,
        int64_t start,
    ):
        """Add rows; `losses` and the mean losses after each are written, NaN where not scored.

        `proba` has no column where there are no probabilities, and `majority` and `nochange`
        (whether they are right) no entry where that is not known. `logs`: logarithms of
        `own_shares`. `out` (2, n) takes the mean losses over
        the window and over all rows, (3, n) the fading ones, too; without a column they are not
        written. `error` and `cumulative` (5, m) are the buckets of the histories that take them,
        `width` rows wide, the first with number `base`; or have no column. `start`: position of the
        first row.

        Returns how many rows have no label, and how many a label, but no answer. Raises
        `ValueError` if a label or an answer is not a class; rows before it may have been added.
        """
        cdef Py_ssize_t n = y.shape[0], k = proba.shape[1], done = 0, take, m, slot, i
        cdef Py_ssize_t unlabelled = 0, unanswered = 0
        cdef int64_t bits
        cdef bint beyond = False
        cdef double values[3][PIECE]
        cdef double *told
        cdef Rows rows
        cdef Kept kept
        cdef bint fades = out.shape[0] == 3 and out.shape[1] > 0, notes = error.shape[1] > 0
        cdef Py_ssize_t lines = min(out.shape[0], 3) if out.shape[1] else 0
        if guess.shape[0] != n or (k and (proba.shape[0] != n or logs.shape[0] != n)):
            raise ValueError("the rows differ in number")
        if majority.shape[0] not in (0, n) or nochange.shape[0] not in (0, n) or k not in (0, 2):
            raise ValueError("the rows differ in number")
        if losses.shape[0] != n or (out.shape[1] and (out.shape[1] != n or out.shape[0] < 2)):
            raise ValueError("there is no room for the errors")
        if out.shape[1] > 1 and out.strides[1] != sizeof(double):
            raise ValueError("the errors do not lie one after the other")
        self.check_room()
        if notes and n and (
            error.shape[0] != 5
            or cumulative.shape[0] != 5
            or cumulative.shape[1] != error.shape[1]
            or width < 1
            or start // width < base
            or (start + n - 1) // width - base >= error.shape[1]
        ):
            raise ValueError("the rows lie outside of the buckets")
        if n == 0:
            return 0, 0
        self.shared = self.shared or k > 0
        with nogil:
            while done < n:
                take = min(min(n - done, PIECE), TILE - <Py_ssize_t>(self.count % TILE))
                rows.y, rows.guess = &y[done], &guess[done]
                rows.proba = &proba[done, 0] if k else NULL
                rows.logs = &logs[done] if k else NULL
                rows.majority = &majority[done] if majority.shape[0] else NULL
                rows.nochange = &nochange[done] if nochange.shape[0] else NULL
                bits = 0
                for i in range(take):
                    bits |= rows.y[i] | rows.guess[i]
                m = take
                if bits < 0:
                    for i in range(take):
                        beyond = beyond or rows.y[i] > 1 or rows.guess[i] > 1
                        unlabelled += rows.y[i] < 0
                        unanswered += rows.y[i] >= 0 and rows.guess[i] < 0
                    m = keep_scored(&rows, take, &kept)
                elif bits > 1:
                    beyond = True
                if beyond:
                    break
                slot = <Py_ssize_t>(self.count % self.codes.shape[0])
                code_rows(&rows, m, &self.codes[slot])
                if k:
                    share_rows(
                        &rows, m, &self.codes[slot], &self.shares[0, slot], self.shares.shape[1]
                    )
                elif self.shared:
                    for i in range(3):
                        memset(&self.shares[i, slot], 0, m * sizeof(double))
                told = &losses[done]
                for i in range(m):
                    told[i] = <double>(<int>wrong_of(self.codes[slot + i]))
                self.follow(slot, m, told, values, fades)
                if m < take:
                    # The rows that were kept are not needed any more.
                    memcpy(kept.proba, told, m * sizeof(double))
                    spread(kept.proba, kept.at, m, take, told)
                    for i in range(3 if fades else 2):
                        memcpy(kept.proba, values[i], m * sizeof(double))
                        spread(kept.proba, kept.at, m, take, values[i])
                for i in range(lines):
                    memcpy(&out[i, done], values[i], take * sizeof(double))
                if notes:
                    fill_buckets(
                        &error[0, 0], &cumulative[0, 0], error.shape[1], base, width, start + done,
                        values[0], values[1], take, m < take,
                    )
                done += take
        if beyond:
            raise ValueError("a label or a prediction is not one of the classes")
        return unlabelled, unanswered

    cdef check_room(self):
        cdef Py_ssize_t room = self.codes.shape[0]
        if self.shares.shape[0] != 3 or self.shares.shape[1] != room or room % TILE or not room:
            raise ValueError("there is no room for the rows")
        if self.before.shape[0] != 2 or self.before.shape[1] != LABEL + 6:
            raise ValueError("there is no room for the totals")

    cdef void follow(
        self, Py_ssize_t slot, Py_ssize_t n, const double *losses, double[3][PIECE] out, bint fades
    ) noexcept nogil:
        # Take in n rows whose codes lie at `slot`: they end where a tile ends at the latest. `out`:
        # mean losses after each, over the window, over all, and fading.
        cdef const unsigned char *codes = &self.codes[slot]
        cdef unsigned char gone[PIECE]
        cdef int recent[PIECE]
        cdef int total[PIECE]
        cdef const double *up = &self.up[0]
        cdef const double *down = &self.down[0]
        cdef const double *ones = &self.ones[0]
        cdef double w = self.within, x, before = <double>self.count + 1.0, most
        cdef double in_all = <double>self.wrong, in_window = <double>self.recent
        cdef Py_ssize_t length = self.down.shape[0], room = self.codes.shape[0], i = 0, j, take, at
        cdef Py_ssize_t place = self.place, first, whole
        cdef int came = 0, went = 0
        # The rows that the window leaves behind; as long as it leaves none, they are as if right.
        first = <Py_ssize_t>min(max(self.window - self.count, 0), n)
        memset(gone, 0, first)
        if first < n:
            at = <Py_ssize_t>((self.count + first - self.window) % room)
            whole = min(n - first, room - at)
            memcpy(gone + first, &self.codes[at], whole)
            memcpy(gone + first + whole, &self.codes[0], n - first - whole)
        while i < n:
            take = min(n - i, length - place)
            for j in range(take):
                came += wrong_of(codes[i + j])
                went += wrong_of(gone[i + j])
                w = w + losses[i + j] * down[place + j]
                total[i + j] = came
                recent[i + j] = came - went
                out[2][i + j] = w
            for j in range(take if fades else 0):
                out[2][i + j] = (out[2][i + j] * up[place + j] + self.faded * up[place + j + 1]) / (
                    ones[place + j] * up[place + j] + self.weighed * up[place + j + 1]
                )
            i += take
            place += take
            if place == length:
                self.faded = w * up[length - 1] + self.faded * up[length]
                self.weighed = ones[length - 1] * up[length - 1] + self.weighed * up[length]
                w = 0.0
                place = 0
        most = <double>self.window
        # Whole numbers: all of this is exact but the division.
        for j in range(<int>n):
            out[1][j] = (in_all + <double>total[j]) / (before + <double>(<int>j))
        if before >= most and self.window <= MANY:
            for j in range(n):
                out[0][j] = self.parts[self.recent + recent[j]]
        else:
            for j in range(<int>n):
                x = before + <double>(<int>j)
                out[0][j] = (in_window + <double>recent[j]) / (x if x < most else most)
        self.wrong += came
        self.recent += came - went
        self.within, self.place = w, place
        self.count += n
        if n and self.count % TILE == 0:
            self.add_up(slot + n - TILE)

    cdef void add_up(self, Py_ssize_t slot) noexcept nogil:
        # A tile is whole: it goes into the totals.
        cdef const unsigned char *codes = &self.codes[slot]
        cdef const double *weights = &self.weights[1]
        cdef double sums[LABEL + 6]
        cdef double four[4]
        cdef double factor = self.weights[0]
        cdef Counts found
        cdef Py_ssize_t i
        memset(&found, 0, sizeof(Counts))
        count_codes(codes, TILE, &found)
        name_counts(&found, TILE, sums)
        if found.shares:
            sums[LOG_LOSS] = plain_sum(&self.shares[LOSS, slot], TILE)
            sums[BRIER] = plain_sum(&self.shares[SQUARES, slot], TILE)
        for i in range(LABEL + 6):
            self.before[0, i] = sums[i] + self.before[0, i]
        fading_sums(
            codes, weights, &self.bits[0, 0], &self.places[0, 0], four, sums + LABEL
        )
        sums[WRONG], sums[ROWS] = four[0], self.tile_weight
        sums[WITH_PROBA] = self.tile_weight if found.shares == TILE else four[3]
        if found.shares:
            sums[LOG_LOSS] = pairwise(&self.shares[LOSS, slot], weights, TILE)
            sums[BRIER] = pairwise(&self.shares[SQUARES, slot], weights, TILE)
        sums[MAJORITY_WRONG] = NAN if found.no_majority else four[1]
        sums[NOCHANGE_WRONG] = NAN if found.no_nochange else four[2]
        for i in range(LABEL + 6):
            # What weighs nothing any more is left out: it might have been infinite.
            self.before[1, i] = (
                sums[i] + self.before[1, i] * factor if factor != 0.0 else sums[i]
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

    def last_totals(self, Py_ssize_t n, double[::1] out):
        """Write the totals of the last `n` rows, each weighing 1."""
        cdef Py_ssize_t room = self.codes.shape[0], at, whole, f
        cdef Counts found
        cdef double[:, ::1] lined
        self.check_room()
        if not 0 <= n <= min(<int64_t>room, self.count) or out.shape[0] != LABEL + 6:
            raise ValueError("so many rows are not there")
        if n == 0:
            out[:] = 0.0
            return
        memset(&found, 0, sizeof(Counts))
        at = <Py_ssize_t>((self.count - n) % room)
        whole = min(n, room - at)
        with nogil:
            count_codes(&self.codes[at], whole, &found)
            count_codes(&self.codes[0], n - whole, &found)
            name_counts(&found, n, &out[0])
        if not found.shares:
            return
        if whole == n:
            out[LOG_LOSS] = plain_sum(&self.shares[LOSS, at], n)
            out[BRIER] = plain_sum(&self.shares[SQUARES, at], n)
            return
        lined = np.empty((2, n))
        for f in range(2):
            memcpy(&lined[f, 0], &self.shares[f, at], whole * sizeof(double))
            memcpy(&lined[f, whole], &self.shares[f, 0], (n - whole) * sizeof(double))
            out[LOG_LOSS + f] = plain_sum(&lined[f, 0], n)

    def last_shares(self, Py_ssize_t n, double[::1] negative, double[::1] positive):
        """Write the second class's probability in the last `n` rows that have one, by their label.

        Returns how many rows are of the first class, and of the second. There must be room for one
        more of either than there are rows.
        """
        cdef Py_ssize_t room = self.codes.shape[0], i, at, none = 0, some = 0
        cdef unsigned char code
        cdef double share
        self.check_room()
        if not 0 <= n <= min(<int64_t>room, self.count):
            raise ValueError("so many rows are not there")
        if negative.shape[0] <= n or positive.shape[0] <= n:
            raise ValueError("there is no room for the rows")
        at = <Py_ssize_t>((self.count - n) % room)
        with nogil:
            for i in range(n):
                # Without a branch: which class comes next is anybody's guess.
                code, share = self.codes[at], self.shares[SECOND, at]
                positive[some] = negative[none] = share
                some += (code & IS_SECOND) & (code >> 4)
                none += ((code & IS_SECOND) ^ 1) & (code >> 4)
                at = at + 1 if at + 1 < room else 0
        return none, some
