"""Ensembles of Hoeffding trees learned row by row; forests.py says what is computed."""
from libc.math cimport fabs
from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

from modellab.learners.compiled._adwin cimport Adwin, adwin_add, adwin_is_sound, adwin_mean, adwin_reset
from modellab.learners.compiled._loop cimport RowLoop
from modellab.learners.compiled._random cimport draw, poisson, uniform
from modellab.learners.compiled._tree cimport Tree, bytes_used, free_tree
from modellab.learners.compiled._tree_learn cimport tree_learns_weighted, tree_predicts
from modellab.learners.compiled._tree_leaf cimport top
from modellab.learners.compiled._tree_state cimport (
    begin, configure, dump, fill, load, make, measure, raw,
)

cdef enum:               # what happens when errors rise
    NOTHING = 0
    REPLACE_WORST = 1    # leveraging bagging
    REPLACE_OWN = 2      # adaptive random forest

cdef struct Member:
    Tree tree
    Tree young           # grows from a warning on, to take over at an alarm
    Adwin alarm
    Adwin warning
    double rows, right             # of the tree, since it was made
    double young_rows, young_right
    int64_t made                   # trees made for this place
    int64_t warnings, alarms
    int32_t growing

cdef struct Forest:
    Member *members
    Py_ssize_t n, k
    int64_t adapts
    bint weighted
    double mean, alarm_delta, warning_delta
    uint64_t seed
    int64_t rows, replaced
    const double *hand
    int64_t *answers     # (n) of the row at hand
    double *shares       # (k)


cdef inline Py_ssize_t ask(Tree *t, const double *x, double *shares) noexcept nogil:
    tree_predicts(t, x, shares)
    return top(shares, t.k)


cdef void forest_predicts(void *model, const double *x, double *out) noexcept nogil:
    cdef Forest *f = <Forest *>model
    cdef Member *m
    cdef Py_ssize_t i, c
    cdef double weight, total = 0.0
    for c in range(f.k):
        out[c] = 0.0
    for i in range(f.n):
        m = &f.members[i]
        f.answers[i] = ask(&m.tree, x, f.shares)
        # A tree has as many votes as it has been right; one that never was, or is new, has one.
        weight = m.right / m.rows if f.weighted and m.right > 0.0 else 1.0
        total += weight
        for c in range(f.k):
            out[c] += weight * f.shares[c]
    for c in range(f.k):
        out[c] = out[c] / total
    f.hand = x


cdef void forest_forgets(void *model) noexcept nogil:
    cdef Forest *f = <Forest *>model
    cdef Py_ssize_t i
    f.hand = NULL
    for i in range(f.n):
        f.members[i].tree.hand = NULL
        f.members[i].young.hand = NULL


cdef inline void fresh(Forest *f, Py_ssize_t i, Tree *t) noexcept nogil:
    # A new tree for this place, with random numbers of its own.
    t.stream = (<uint64_t>i << 32) + <uint64_t>f.members[i].made
    f.members[i].made += 1
    begin(t)


cdef inline bint rises(Adwin *a, double error, double delta) noexcept nogil:
    cdef double before = adwin_mean(a)
    return adwin_add(a, error, delta) and adwin_mean(a) >= before


cdef inline void replace_own(Forest *f, Py_ssize_t i) noexcept nogil:
    # The young tree takes over, or a new one where none grows.
    cdef Member *m = &f.members[i]
    cdef Tree old = m.tree
    m.alarms += 1
    f.replaced += 1
    if m.growing:
        m.tree = m.young
        m.young = old
        m.rows = m.young_rows
        m.right = m.young_right
        m.growing = 0
    else:
        fresh(f, i, &m.tree)
        m.rows = m.right = 0.0
    adwin_reset(&m.alarm)
    adwin_reset(&m.warning)


cdef inline void watch_own(Forest *f, Py_ssize_t i, double error) noexcept nogil:
    cdef Member *m = &f.members[i]
    if rises(&m.warning, error, f.warning_delta):
        m.warnings += 1
        m.growing = 1
        m.young_rows = m.young_right = 0.0
        fresh(f, i, &m.young)
        adwin_reset(&m.warning)
    if rises(&m.alarm, error, f.alarm_delta):
        replace_own(f, i)


cdef inline void replace_worst(Forest *f) noexcept nogil:
    cdef Py_ssize_t i, worst = 0
    for i in range(1, f.n):
        if adwin_mean(&f.members[i].alarm) > adwin_mean(&f.members[worst].alarm):
            worst = i
    fresh(f, worst, &f.members[worst].tree)
    adwin_reset(&f.members[worst].alarm)
    f.members[worst].rows = f.members[worst].right = 0.0
    f.replaced += 1


cdef void forest_learns(void *model, const double *x, double y) noexcept nogil:
    cdef Forest *f = <Forest *>model
    cdef Member *m
    cdef Py_ssize_t i, c = <Py_ssize_t>y
    cdef double k, error
    cdef bint known = f.hand == x, risen = False
    f.rows += 1
    for i in range(f.n):
        m = &f.members[i]
        error = 0.0 if (f.answers[i] if known else ask(&m.tree, x, f.shares)) == c else 1.0
        m.rows += 1.0
        m.right += 1.0 - error
        k = poisson(f.mean, uniform(draw(f.seed, <uint64_t>i, <uint64_t>f.rows)))
        if m.growing:
            m.young_rows += 1.0
            m.young_right += ask(&m.young, x, f.shares) == c
            if k > 0.0:
                tree_learns_weighted(&m.young, x, c, k)
        if k > 0.0:
            tree_learns_weighted(&m.tree, x, c, k)
        if f.adapts == REPLACE_OWN:
            watch_own(f, i, error)
        elif f.adapts == REPLACE_WORST and rises(&m.alarm, error, f.alarm_delta):
            m.alarms += 1
            risen = True
    if risen:
        replace_worst(f)
    f.hand = NULL


cdef class ForestCore(RowLoop):
    """An ensemble of trees.

    Parameters
    ----------
    slots, classes
        As for `_trees.TreeCore`.
    settings
        Plain values: see `forests.DEFAULTS`; ``tree`` holds those of the trees.
    """

    cdef Forest f

    def __cinit__(self, const int32_t[::1] slots, Py_ssize_t classes, dict settings):
        cdef Py_ssize_t i
        memset(&self.f, 0, sizeof(Forest))
        cdef Py_ssize_t n = settings["n_models"]
        self.f.members = <Member *>calloc(n, sizeof(Member))
        self.f.answers = <int64_t *>calloc(n, sizeof(int64_t))
        self.f.shares = <double *>calloc(classes, sizeof(double))
        if self.f.members == NULL or self.f.answers == NULL or self.f.shares == NULL:
            raise MemoryError
        self.f.n = n
        self.f.k = classes
        for i in range(n):
            make(&self.f.members[i].tree, slots, classes, settings["tree"])
            make(&self.f.members[i].young, slots, classes, settings["tree"])
        self.prepare(slots.shape[0], classes)
        self.model = &self.f
        self.predict_one = forest_predicts
        self.learn_one = forest_learns
        self.forget = forest_forgets
        self.configure(settings)
        self.reset()

    def __dealloc__(self):
        cdef Py_ssize_t i
        for i in range(self.f.n):
            free_tree(&self.f.members[i].tree)
            free_tree(&self.f.members[i].young)
        free(self.f.members)
        free(self.f.answers)
        free(self.f.shares)

    def configure(self, dict settings):
        """Change settings between two rows; what was learned stays."""
        cdef Py_ssize_t i
        cdef uint64_t stream
        self.f.adapts = settings["adapts"]
        self.f.weighted = settings["weighted"]
        self.f.mean = settings["mean_weight"]
        self.f.alarm_delta = settings["alarm_delta"]
        self.f.warning_delta = settings["warning_delta"]
        self.f.seed = settings["tree"]["seed"]
        for i in range(self.f.n):
            stream = self.f.members[i].tree.stream
            configure(&self.f.members[i].tree, settings["tree"])
            self.f.members[i].tree.stream = stream
            stream = self.f.members[i].young.stream
            configure(&self.f.members[i].young, settings["tree"])
            self.f.members[i].young.stream = stream

    def reset(self):
        """Forget everything."""
        cdef Py_ssize_t i
        cdef Member *m
        self.f.rows = self.f.replaced = 0
        for i in range(self.f.n):
            m = &self.f.members[i]
            m.made = m.warnings = m.alarms = 0
            m.rows = m.right = m.young_rows = m.young_right = 0.0
            m.growing = 0
            adwin_reset(&m.alarm)
            adwin_reset(&m.warning)
            fresh(&self.f, i, &m.tree)
            m.young.stream = 0
            begin(&m.young)
        forest_forgets(&self.f)
        self.waiting = self.learned = self.skipped = 0

    def state(self):
        """Everything that was learned, as plain values."""
        cdef Py_ssize_t i
        cdef Member *m
        members = []
        for i in range(self.f.n):
            m = &self.f.members[i]
            members.append({
                "tree": dump(&m.tree),
                "young": dump(&m.young) if m.growing else None,
                "streams": (m.tree.stream, m.young.stream if m.growing else 0),
                "alarm": raw(&m.alarm, sizeof(Adwin)),
                "warning": raw(&m.warning, sizeof(Adwin)),
                "rows": (m.rows, m.right, m.young_rows, m.young_right),
                "made": (m.made, m.warnings, m.alarms, m.growing),
            })
        return {
            "members": members,
            "rows": (self.f.rows, self.f.replaced),
            "loop": self.waiting_state(),
        }

    def load_state(self, dict state):
        """Take over what `state` gave."""
        cdef Py_ssize_t i
        cdef Member *m
        if len(state["members"]) != self.f.n:
            raise ValueError("the state is of another model")
        for i in range(self.f.n):
            m = &self.f.members[i]
            kept = state["members"][i]
            load(&m.tree, kept["tree"])
            m.made, m.warnings, m.alarms, m.growing = kept["made"]
            begin(&m.young)
            if m.growing:
                load(&m.young, kept["young"])
            m.tree.stream, m.young.stream = kept["streams"]
            fill(&m.alarm, kept["alarm"], sizeof(Adwin))
            fill(&m.warning, kept["warning"], sizeof(Adwin))
            if not (adwin_is_sound(&m.alarm) and adwin_is_sound(&m.warning)):
                adwin_reset(&m.alarm)
                adwin_reset(&m.warning)
                raise ValueError("the state is damaged")
            m.rows, m.right, m.young_rows, m.young_right = kept["rows"]
        self.f.rows, self.f.replaced = state["rows"]
        self.load_waiting(state["loop"])
        forest_forgets(&self.f)

    def measure(self):
        """Trees, mean depth, leaves, nodes, trees growing up, warnings, alarms, replaced, bytes."""
        cdef int64_t found[4]
        cdef Py_ssize_t i
        cdef double size = 0.0
        depths = leaves = nodes = growing = warnings = alarms = 0
        for i in range(self.f.n):
            memset(found, 0, sizeof(found))
            measure(&self.f.members[i].tree, self.f.members[i].tree.root, found)
            nodes += found[0]
            leaves += found[1]
            depths += found[3]
            growing += self.f.members[i].growing
            warnings += self.f.members[i].warnings
            alarms += self.f.members[i].alarms
            size += bytes_used(&self.f.members[i].tree) + sizeof(Member)
            if self.f.members[i].growing:
                size += bytes_used(&self.f.members[i].young)
        return (
            self.f.n, depths / self.f.n, leaves, nodes, growing, warnings, alarms,
            self.f.replaced, int(size),
        )


def weights_of_rows(uint64_t seed, uint64_t member, double mean, double[::1] out):
    """Write the weights with which a member's tree learns rows 1, 2, ... into `out`."""
    cdef Py_ssize_t i
    for i in range(out.shape[0]):
        out[i] = poisson(mean, uniform(draw(seed, member, <uint64_t>(i + 1))))
