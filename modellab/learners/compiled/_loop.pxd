# Test-then-train over rows for any model given as three functions: see _loop.pyx.
from libc.stdint cimport int64_t

ctypedef void (*Predict)(void *model, const double *x, double *out) noexcept nogil
ctypedef void (*Learn)(void *model, const double *x, double y) noexcept nogil
ctypedef void (*Forget)(void *model) noexcept nogil

cdef class RowLoop:
    cdef void *model
    cdef Predict predict_one
    cdef Learn learn_one
    cdef Forget forget
    cdef readonly Py_ssize_t columns, outputs
    cdef readonly int64_t learned, skipped, waiting
    cdef double *waiting_rows
    cdef double *waiting_y
    cdef Py_ssize_t room

    cdef void prepare(self, Py_ssize_t columns, Py_ssize_t outputs) except *
    cdef bint usable(self, double y) noexcept nogil
    cdef bint make_room(self, Py_ssize_t need) noexcept nogil
    cdef void arrive(self, const double *x, double y, Py_ssize_t every, bint frozen) noexcept nogil
    cdef void learn_waiting(self) noexcept nogil
    cdef dict waiting_state(self)
    cdef void load_waiting(self, dict state) except *
