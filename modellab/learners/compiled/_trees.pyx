"""Hoeffding trees learned row by row; modellab.learners.compiled.trees says what is computed."""
from libc.stdint cimport int32_t, int64_t
from libc.string cimport memset

from modellab.learners.compiled._adwin cimport Adwin, adwin_add, adwin_mean, adwin_reset
from modellab.learners.compiled._loop cimport RowLoop
from modellab.learners.compiled._tree cimport Tree, bytes_used, free_tree
from modellab.learners.compiled._tree_learn cimport (
    number_predicts, number_tree_learns, tree_forgets, tree_learns, tree_predicts,
)
from modellab.learners.compiled._tree_split cimport below
from modellab.learners.compiled._tree_state cimport begin, configure, dump, load, make, measure, questions


cdef class TreeCore(RowLoop):
    """One Hoeffding tree, adaptive or not.

    Parameters
    ----------
    slots
        For each column 0 (a number), or the slots of a category (2 to 64, the last for the others).
    classes
        Number of classes, at least 1.
    settings
        Plain values: see `trees.TreeKernel`.
    """

    cdef Tree t

    def __cinit__(self, const int32_t[::1] slots, Py_ssize_t classes, dict settings):
        memset(&self.t, 0, sizeof(Tree))
        make(&self.t, slots, classes, settings)
        self.prepare(slots.shape[0], classes)
        self.model = &self.t
        self.predict_one = number_predicts if self.t.regression else tree_predicts
        self.learn_one = number_tree_learns if self.t.regression else tree_learns
        self.forget = tree_forgets

    def __dealloc__(self):
        free_tree(&self.t)

    def configure(self, dict settings):
        """Change settings between two rows; what was learned stays."""
        configure(&self.t, settings)

    def reset(self):
        """Forget everything."""
        if not begin(&self.t):
            raise MemoryError
        self.waiting = self.learned = self.skipped = 0

    def state(self):
        """Everything that was learned, as plain values."""
        return {"tree": dump(&self.t), "loop": self.waiting_state()}

    def load_state(self, dict state):
        """Take over what `state` gave."""
        load(&self.t, state["tree"])
        self.load_waiting(state["loop"])

    def measure(self):
        """Nodes, leaves, active leaves, depth, splits, spares begun, replaced, bytes, failed."""
        cdef int64_t found[4]
        memset(found, 0, sizeof(found))
        measure(&self.t, self.t.root, found)
        return (
            found[0], found[1], found[2], found[3], self.t.splits, self.t.spares, self.t.switches,
            int(bytes_used(&self.t)), self.t.failed,
        )

    def bayes(self):
        """Of a single leaf: weights of the classes, faded."""
        return [self.t.counts[c] for c in range(self.t.k)]

    def questions(self):
        """The tree as plain values: [column, form, threshold or slot, children], leaves as class weights."""
        return questions(&self.t, self.t.root)


cdef class Watch:
    """ADWIN alone, for the tests: the detector that adaptive trees and forests have inside."""

    cdef Adwin a
    cdef double delta

    def __init__(self, double delta):
        self.delta = delta
        adwin_reset(&self.a)

    def add(self, double value):
        """Take a value in; True when a change was found."""
        return bool(adwin_add(&self.a, value, self.delta))

    def reset(self):
        """Forget everything."""
        adwin_reset(&self.a)

    @property
    def width(self):
        """Values in the window."""
        return self.a.width

    @property
    def mean(self):
        """Their mean."""
        return adwin_mean(&self.a)


def normal_below(const double[::1] z, double[::1] out):
    """Write the normal distribution function of `z` into `out`."""
    cdef Py_ssize_t i
    for i in range(z.shape[0]):
        out[i] = below(z[i])
