"""Exact test-then-train, row by row, for any compiled model.

A model is a pointer and three functions: predict a row into `outputs` numbers, learn a row, and
forget what it remembers of the row at hand. With one output the model predicts a number; otherwise
the outputs are shares of the classes, and the answer is the greatest (the first of equals).
"""
from libc.math cimport fabs
from libc.stdint cimport int64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy

cdef double LARGEST_LABEL = 1e100


cdef class RowLoop:
    """Rows in order through a model; rows that wait for the next update are kept between calls."""

    def __dealloc__(self):
        free(self.waiting_rows)
        free(self.waiting_y)

    cdef void prepare(self, Py_ssize_t columns, Py_ssize_t outputs) except *:
        self.columns = columns
        self.outputs = outputs

    cdef bint make_room(self, Py_ssize_t need) noexcept nogil:
        cdef double *rows
        cdef double *y
        cdef Py_ssize_t room = max(need, 2 * self.room)
        if need <= self.room:
            return True
        rows = <double *> realloc(self.waiting_rows, room * self.columns * sizeof(double))
        if rows == NULL:
            return False
        self.waiting_rows = rows
        y = <double *> realloc(self.waiting_y, room * sizeof(double))
        if y == NULL:
            return False
        self.waiting_y = y
        self.room = room
        return True

    cdef bint usable(self, double y) noexcept nogil:
        if self.outputs > 1:
            return 0.0 <= y < <double> self.outputs and y == <double> (<int64_t> y)
        return fabs(y) <= LARGEST_LABEL

    cdef void learn_waiting(self) noexcept nogil:
        cdef Py_ssize_t i
        for i in range(self.waiting):
            self.learn_one(self.model, self.waiting_rows + i * self.columns, self.waiting_y[i])
        self.learned += self.waiting
        self.waiting = 0

    cdef void arrive(self, const double *x, double y, Py_ssize_t every, bint frozen) noexcept nogil:
        if frozen:
            self.waiting = 0
            return
        if not self.usable(y):
            self.skipped += 1
            return
        if every <= 1 and self.waiting == 0:
            self.learn_one(self.model, x, y)
            self.learned += 1
            return
        if not self.make_room(self.waiting + 1):
            self.learn_waiting()  # no memory to wait in: better early than never
            self.learn_one(self.model, x, y)
            self.learned += 1
            return
        memcpy(self.waiting_rows + self.waiting * self.columns, x, self.columns * sizeof(double))
        self.waiting_y[self.waiting] = y
        self.waiting += 1
        if self.waiting >= every:
            self.learn_waiting()

    def run(
        self,
        const double[:, ::1] rows,
        const double[:, ::1] learn_rows,
        const double[::1] learn_y,
        const int64_t[::1] upto,
        Py_ssize_t every,
        bint frozen,
        int64_t[::1] codes,
        double[:, ::1] out,
    ):
        """Predict each row into `out` (and `codes`), then let the first `upto[i]` rows arrive."""
        cdef Py_ssize_t i, arrived = 0
        cdef const double *first = &learn_rows[0, 0] if learn_rows.shape[0] else NULL
        with nogil:
            self.forget(self.model)
            for i in range(rows.shape[0]):
                self.predict_one(self.model, &rows[i, 0], &out[i, 0])
                if self.outputs > 1:
                    codes[i] = greatest(&out[i, 0], self.outputs)
                while arrived < upto[i]:
                    self.arrive(first + arrived * self.columns, learn_y[arrived], every, frozen)
                    arrived += 1
            self.forget(self.model)

    def learn(self, const double[:, ::1] rows, const double[::1] y):
        """Learn what waits, then all rows, in order."""
        cdef Py_ssize_t i
        with nogil:
            self.forget(self.model)
            self.learn_waiting()
            for i in range(rows.shape[0]):
                self.arrive(&rows[i, 0], y[i], 1, False)
            self.forget(self.model)

    def predict(self, const double[:, ::1] rows, int64_t[::1] codes, double[:, ::1] out):
        """Predict each row into `out` (and `codes`); changes nothing."""
        cdef Py_ssize_t i
        with nogil:
            self.forget(self.model)
            for i in range(rows.shape[0]):
                self.predict_one(self.model, &rows[i, 0], &out[i, 0])
                if self.outputs > 1:
                    codes[i] = greatest(&out[i, 0], self.outputs)
            self.forget(self.model)

    cdef dict waiting_state(self):
        cdef Py_ssize_t n = self.waiting
        return {
            "learned": self.learned,
            "skipped": self.skipped,
            "waiting": n,
            "waiting_rows": (<char *> self.waiting_rows)[:n * self.columns * sizeof(double)] if n else b"",
            "waiting_y": (<char *> self.waiting_y)[:n * sizeof(double)] if n else b"",
        }

    cdef void load_waiting(self, dict state) except *:
        cdef bytes rows = state["waiting_rows"]
        cdef bytes y = state["waiting_y"]
        cdef Py_ssize_t n = state["waiting"], i
        if len(rows) != <Py_ssize_t> (n * self.columns * sizeof(double)):
            raise ValueError("the rows that wait do not fit")
        if len(y) != <Py_ssize_t> (n * sizeof(double)):
            raise ValueError("the labels that wait do not fit")
        if not self.make_room(n):
            raise MemoryError
        self.waiting = 0
        if n:
            memcpy(self.waiting_rows, <const char *> rows, len(rows))
            memcpy(self.waiting_y, <const char *> y, len(y))
        for i in range(n):
            if not self.usable(self.waiting_y[i]):
                raise ValueError("a label that waits is none")
        self.waiting = n
        self.learned = state["learned"]
        self.skipped = state["skipped"]


cdef inline int64_t greatest(const double *shares, Py_ssize_t n) noexcept nogil:
    cdef int64_t best = 0
    cdef Py_ssize_t c
    for c in range(1, n):
        if shares[c] > shares[best]:
            best = c
    return best
