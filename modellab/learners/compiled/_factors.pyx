"""Biased matrix factorisation, one row at a time.

The answer to a row of user *u* and item *i* is ``mean + b_u + b_i + p_u . q_i`` (Koren, Bell and
Volinsky 2009; Paterek 2007), and a step follows the slope of the squared error: with
``g = 2 (answer - y)``, cut off at `clip`, every bias moves by ``-eta (g + l2_bias b)``, every factor
of the user by ``-eta (g q + l2 p)`` and of the item by ``-eta (g p + l2 q)``, from the values before
the step; the mean takes in the label first. This is river's ``reco.BiasedMF``. A side that is unknown
(no such column, or a value that was not in the training window) adds nothing and learns nothing.
"""
from libc.stdint cimport uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

from modellab.learners.compiled._loop cimport RowLoop
from modellab.learners.compiled._random cimport draw, uniform

cdef enum:
    USER = 0
    ITEM = 1

cdef struct Factors:
    Py_ssize_t place[2]   # column of the codes; -1: there is none
    Py_ssize_t size[2]    # how many codes
    Py_ssize_t f          # factors
    double *table[2]      # (size, 1 + f): bias, then factors
    double mean, seen
    double eta, l2_bias, l2, clip


cdef inline double *side_of(const Factors *m, const double *x, Py_ssize_t s) noexcept nogil:
    # Bias and factors of the row's user or item; NULL where it is unknown.
    cdef double code
    if m.place[s] < 0:
        return NULL
    code = x[m.place[s]]
    if not (0.0 <= code < <double>m.size[s]):
        return NULL
    return m.table[s] + <Py_ssize_t>code * (1 + m.f)


cdef inline double answer(const Factors *m, const double *p, const double *q) noexcept nogil:
    cdef double total = m.mean, product = 0.0
    cdef Py_ssize_t j
    if p != NULL:
        total += p[0]
    if q != NULL:
        total += q[0]
    if p != NULL and q != NULL:
        for j in range(1, m.f + 1):
            product += p[j] * q[j]
    return total + product


cdef void factors_predict(void *model, const double *x, double *out) noexcept nogil:
    cdef const Factors *m = <const Factors *>model
    out[0] = answer(m, side_of(m, x, USER), side_of(m, x, ITEM))


cdef void factors_learn(void *model, const double *x, double y) noexcept nogil:
    cdef Factors *m = <Factors *>model
    cdef double *p = side_of(m, x, USER)
    cdef double *q = side_of(m, x, ITEM)
    cdef double g, old
    cdef Py_ssize_t j
    m.seen += 1.0
    m.mean += (y - m.mean) / m.seen
    g = 2.0 * (answer(m, p, q) - y)
    g = -m.clip if g < -m.clip else (m.clip if g > m.clip else g)
    if p != NULL:
        p[0] -= m.eta * (g + m.l2_bias * p[0])
    if q != NULL:
        q[0] -= m.eta * (g + m.l2_bias * q[0])
    if p == NULL or q == NULL:
        return
    for j in range(1, m.f + 1):
        old = p[j]
        p[j] -= m.eta * (g * q[j] + m.l2 * old)
        q[j] -= m.eta * (g * old + m.l2 * q[j])


cdef void factors_forget(void *model) noexcept nogil:
    pass


cdef class FactorsCore(RowLoop):
    """Biases and factors of users and items.

    Parameters
    ----------
    columns
        How many columns a row has.
    user, item
        The columns that hold their codes; -1: there is none.
    users, items
        How many codes there are; larger ones are unknown.
    settings
        ``factors``, ``seed`` (fixed); ``eta``, ``l2_bias``, ``l2``, ``clip``.
    """

    cdef Factors m
    cdef uint64_t seed

    def __cinit__(
        self, Py_ssize_t columns, Py_ssize_t user, Py_ssize_t item, Py_ssize_t users,
        Py_ssize_t items, dict settings
    ):
        cdef Py_ssize_t s
        memset(&self.m, 0, sizeof(Factors))
        if not (-1 <= user < columns and -1 <= item < columns and users >= 0 and items >= 0):
            raise ValueError("there is no such column")
        self.m.f = settings["factors"]
        if self.m.f < 0:
            raise ValueError("factors must be 0 or more")
        self.seed = settings["seed"]
        self.m.place[USER], self.m.place[ITEM] = user, item
        self.m.size[USER], self.m.size[ITEM] = users, items
        for s in range(2):
            self.m.table[s] = <double *>calloc(max(1, self.m.size[s] * (1 + self.m.f)), sizeof(double))
            if self.m.table[s] == NULL:
                raise MemoryError
        self.prepare(columns, 1)
        self.model = &self.m
        self.predict_one = factors_predict
        self.learn_one = factors_learn
        self.forget = factors_forget
        self.configure(settings)
        self.reset()

    def __dealloc__(self):
        free(self.m.table[USER])
        free(self.m.table[ITEM])

    def configure(self, dict settings):
        """Change settings between two rows; what was learned stays."""
        self.m.eta = settings["eta"]
        self.m.l2_bias = settings["l2_bias"]
        self.m.l2 = settings["l2"]
        self.m.clip = settings["clip"]

    def reset(self):
        """Forget everything: biases 0, factors drawn anew (normal, deviation 0.1)."""
        cdef Py_ssize_t s, i, j, k
        cdef double total
        cdef double *row
        self.m.mean = self.m.seen = 0.0
        self.waiting = self.learned = self.skipped = 0
        for s in range(2):
            for i in range(self.m.size[s]):
                row = self.m.table[s] + i * (1 + self.m.f)
                row[0] = 0.0
                for j in range(self.m.f):
                    # Twelve uniform numbers less 6 are as good as normal, and the same everywhere.
                    total = -6.0
                    for k in range(12):
                        total += uniform(draw(self.seed, s, (i * self.m.f + j) * 12 + k))
                    row[1 + j] = 0.1 * total

    cdef bytes table_bytes(self, Py_ssize_t s):
        return (<const char *>self.m.table[s])[:self.m.size[s] * (1 + self.m.f) * sizeof(double)]

    def tables(self):
        """Biases and factors of users, and of items, as bytes of float64 (codes, 1 + factors)."""
        return self.table_bytes(USER), self.table_bytes(ITEM)

    def state(self):
        """Everything that was learned, as plain values."""
        return {
            "shape": [self.m.size[USER], self.m.size[ITEM], self.m.f],
            "mean": self.m.mean,
            "seen": self.m.seen,
            "users": self.table_bytes(USER),
            "items": self.table_bytes(ITEM),
            "loop": self.waiting_state(),
        }

    def load_state(self, dict state):
        """Take over what `state` gave."""
        cdef Py_ssize_t s, unit = (1 + self.m.f) * <Py_ssize_t>sizeof(double)
        cdef bytes part
        cdef double mean = state["mean"], seen = state["seen"]
        parts = [state["users"], state["items"]]
        if list(state["shape"]) != [self.m.size[USER], self.m.size[ITEM], self.m.f]:
            raise ValueError("the state is of another model")
        if any(len(parts[s]) != self.m.size[s] * unit for s in range(2)):
            raise ValueError("the tables do not fit")
        self.load_waiting(state["loop"])
        self.m.mean, self.m.seen = mean, seen
        for s in range(2):
            part = parts[s]
            if len(part):
                memcpy(self.m.table[s], <const char *>part, len(part))

    def measure(self):
        """Mean of the labels, users, items, factors, and bytes."""
        cdef Py_ssize_t cells = (self.m.size[USER] + self.m.size[ITEM]) * (1 + self.m.f)
        return self.m.mean, self.m.size[USER], self.m.size[ITEM], self.m.f, cells * 8
