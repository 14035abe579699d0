"""The nearest of the newest rows; `compiled_entries` says how near is measured."""
from libc.math cimport fabs, sqrt
from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memmove, memset

from modellab.learners.compiled._loop cimport RowLoop
from modellab.learners.compiled._math cimport bits_to_double

cdef extern from *:
    """
    #define FARTHEST 1e300
    #define LARGEST_VALUE 1e100
    #define NEAREST 1e-9
    """
    const double FARTHEST
    const double LARGEST_VALUE
    const double NEAREST

cdef struct Window:
    Py_ssize_t d, k, room       # columns, outputs, rows kept at most
    int32_t *category           # (d)
    double *cells               # (d, room): a ring, column by column
    double *labels              # (room)
    double *count               # (d) values seen, running mean, sum of squared differences
    double *mean
    double *squares
    double *inverse             # (d) 1 / variance, 0 where there is none
    double *apart               # (room) squared distances of the row at hand
    double *best                # (MOST) squared distances and labels of the nearest
    double *best_label
    int64_t kept, next, neighbours
    bint by_distance, scaled

cdef enum:
    MOST = 500


cdef inline double cell(const Window *w, Py_ssize_t j, double v) noexcept nogil:
    # As it is kept: a missing number is no number, a missing category is -1.
    if fabs(v) <= LARGEST_VALUE:
        return v
    return -1.0 if w.category[j] else bits_to_double(<uint64_t>0x7FF8000000000000)


cdef inline void measure_all(Window *w, const double *x) noexcept nogil:
    # Squared distance of every kept row from x.
    cdef Py_ssize_t i, j, n = w.kept
    cdef const double *column
    cdef double *apart = w.apart
    cdef double v, q, inverse
    memset(apart, 0, n * sizeof(double))
    for j in range(w.d):
        column = w.cells + j * w.room
        v = cell(w, j, x[j])
        if w.category[j]:
            for i in range(n):
                apart[i] += 0.0 if column[i] == v else 1.0
            continue
        inverse = w.inverse[j] if w.scaled else 1.0
        for i in range(n):
            q = v - column[i]
            q = q * q * inverse
            apart[i] += q if q == q else 1.0


cdef inline Py_ssize_t nearest(Window *w) noexcept nogil:
    # The nearest rows, nearest first; of equally near ones the newest.
    cdef Py_ssize_t wanted = min(w.neighbours, w.kept), found = 0, i, at, place
    cdef double q, farthest = FARTHEST
    for i in range(w.kept):
        at = w.next - 1 - i
        if at < 0:
            at += w.room
        q = w.apart[at]
        if found == wanted and not (q < farthest):
            continue
        place = found if found < wanted else wanted - 1
        while place > 0 and w.best[place - 1] > q:
            w.best[place] = w.best[place - 1]
            w.best_label[place] = w.best_label[place - 1]
            place -= 1
        w.best[place] = q
        w.best_label[place] = w.labels[at]
        if found < wanted:
            found += 1
        farthest = w.best[found - 1]
    return found


cdef void window_predicts(void *model, const double *x, double *out) noexcept nogil:
    cdef Window *w = <Window *>model
    cdef Py_ssize_t found, i, c
    cdef double weight, total = 0.0
    for c in range(w.k):
        out[c] = 0.0
    if w.kept == 0:
        if w.k > 1:
            for c in range(w.k):
                out[c] = 1.0 / <double>w.k
        return
    measure_all(w, x)
    found = nearest(w)
    for i in range(found):
        weight = 1.0
        if w.by_distance:
            weight = 1.0 / max(sqrt(w.best[i]), NEAREST)
        total += weight
        if w.k > 1:
            out[<Py_ssize_t>w.best_label[i]] += weight
        else:
            out[0] += weight * w.best_label[i]
    for c in range(w.k):
        out[c] = out[c] / total


cdef void window_learns(void *model, const double *x, double y) noexcept nogil:
    cdef Window *w = <Window *>model
    cdef Py_ssize_t j, at = w.next
    cdef double v, apart
    for j in range(w.d):
        v = cell(w, j, x[j])
        w.cells[j * w.room + at] = v
        if w.category[j] or v != v:
            continue
        w.count[j] += 1.0
        apart = v - w.mean[j]
        w.mean[j] += apart / w.count[j]
        w.squares[j] += apart * (v - w.mean[j])
        w.inverse[j] = w.count[j] / w.squares[j] if w.squares[j] > 0.0 else 0.0
    w.labels[at] = y
    w.next = at + 1 if at + 1 < w.room else 0
    if w.kept < w.room:
        w.kept += 1


cdef void window_forgets(void *model) noexcept nogil:
    pass


cdef class NeighboursCore(RowLoop):
    """A window of rows and their labels.

    Parameters
    ----------
    category
        For each column, not 0 if it holds codes of a category.
    outputs
        1 for numbers, else the number of classes.
    settings
        ``window``, ``neighbours``, ``by_distance``, ``scaled``.
    """

    cdef Window w

    def __cinit__(self, const int32_t[::1] category, Py_ssize_t outputs, dict settings):
        cdef Py_ssize_t d = category.shape[0], j
        memset(&self.w, 0, sizeof(Window))
        self.w.d = d
        self.w.k = outputs
        self.w.room = settings["window"]
        self.w.category = <int32_t *>calloc(d, sizeof(int32_t))
        self.w.cells = <double *>calloc(d * self.w.room, sizeof(double))
        self.w.labels = <double *>calloc(self.w.room, sizeof(double))
        self.w.apart = <double *>calloc(self.w.room, sizeof(double))
        self.w.count = <double *>calloc(4 * d, sizeof(double))
        self.w.best = <double *>calloc(2 * MOST, sizeof(double))
        if (self.w.category == NULL or self.w.cells == NULL or self.w.labels == NULL
                or self.w.apart == NULL or self.w.count == NULL or self.w.best == NULL):
            raise MemoryError
        self.w.mean = self.w.count + d
        self.w.squares = self.w.count + 2 * d
        self.w.inverse = self.w.count + 3 * d
        self.w.best_label = self.w.best + MOST
        for j in range(d):
            self.w.category[j] = category[j] != 0
        self.prepare(d, outputs)
        self.model = &self.w
        self.predict_one = window_predicts
        self.learn_one = window_learns
        self.forget = window_forgets
        self.configure(settings)

    def __dealloc__(self):
        free(self.w.category)
        free(self.w.cells)
        free(self.w.labels)
        free(self.w.apart)
        free(self.w.count)
        free(self.w.best)

    def configure(self, dict settings):
        """Change settings between two rows; what was learned stays."""
        self.w.neighbours = min(<int64_t>settings["neighbours"], MOST)
        self.w.by_distance = settings["by_distance"]
        self.w.scaled = settings["scaled"]

    def reset(self):
        """Forget everything."""
        memset(self.w.count, 0, 4 * self.w.d * sizeof(double))
        self.w.kept = self.w.next = 0
        self.waiting = self.learned = self.skipped = 0

    def state(self):
        """Everything that was learned, as plain values: the kept rows oldest place first."""
        cdef Py_ssize_t n = self.w.kept, j
        cdef const double *column
        cells = []
        for j in range(self.w.d):
            column = self.w.cells + j * self.w.room
            cells.append((<const char *>column)[:n * sizeof(double)] if n else b"")
        return {
            "room": self.w.room,
            "kept": n,
            "next": self.w.next,
            "cells": cells,
            "labels": (<const char *>self.w.labels)[:n * sizeof(double)] if n else b"",
            "scales": (<const char *>self.w.count)[:4 * self.w.d * sizeof(double)],
            "loop": self.waiting_state(),
        }

    def load_state(self, dict state):
        """Take over what `state` gave."""
        cdef Py_ssize_t n = state["kept"], j
        cdef bytes part
        parts = [*state["cells"], state["labels"]]
        if (state["room"] != self.w.room or len(state["cells"]) != self.w.d
                or not 0 <= n <= self.w.room or not 0 <= state["next"] < self.w.room
                or any(len(p) != n * <Py_ssize_t>sizeof(double) for p in parts)
                or len(state["scales"]) != 4 * self.w.d * <Py_ssize_t>sizeof(double)):
            raise ValueError("the state is of another model")
        self.load_waiting(state["loop"])
        if n:
            for j in range(self.w.d):
                part = parts[j]
                memcpy(self.w.cells + j * self.w.room, <const char *>part, len(part))
            part = parts[self.w.d]
            memcpy(self.w.labels, <const char *>part, len(part))
        self.w.kept = 0
        for j in range(n):
            if not self.usable(self.w.labels[j]):
                raise ValueError("a kept label is none")
        part = state["scales"]
        memcpy(self.w.count, <const char *>part, len(part))
        self.w.kept = n
        self.w.next = state["next"]

    def measure(self):
        """Rows kept, and bytes."""
        return self.w.kept, self.w.kept * (self.w.d + 1) * 8 + 4 * self.w.d * 8
