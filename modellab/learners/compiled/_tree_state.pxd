# A tree made from settings, and its state in and out as plain values.
from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.stdlib cimport calloc
from libc.string cimport memcpy, memset

from modellab.learners.compiled._adwin cimport Adwin, adwin_is_sound
from modellab.learners.compiled._math cimport log_
from modellab.learners.compiled._tree cimport *
from modellab.learners.compiled._tree_leaf cimport open_leaf
from modellab.learners.compiled._tree_number cimport lay_out


cdef inline bint begin(Tree *t) noexcept nogil:
    # Nothing learned: one leaf. Keeps the memory of the pools; False if there is none.
    cdef Py_ssize_t i
    for i in range(LARGEST_GROUP + 1):
        t.free_group[i] = -1
    t.n_nodes = t.n_leaves = t.n_blocks = t.n_watches = 0
    t.free_leaf = t.free_block = t.free_watch = -1
    t.used_nodes = t.used_leaves = t.used_blocks = t.used_watches = 0
    t.rows = t.opened = t.splits = t.spares = t.switches = t.failed = 0
    t.hand = NULL
    memset(t.scale, 0, (3 + 3 * t.d) * sizeof(double))
    t.root = take_group(t, 1)
    return t.root >= 0 and open_leaf(t, t.root, NULL) >= 0


cdef inline void configure(Tree *t, dict settings) except *:
    t.criterion = settings["criterion"]
    t.answer = settings["answer"]
    t.deepest = min(<int64_t>settings["max_depth"], DEEPEST)
    t.binary = settings["binary"]
    t.adaptive = settings["adaptive"]
    t.bootstrap = settings["bootstrap"]
    t.grace = settings["grace_period"]
    t.doubt = -log_(settings["delta"])
    t.tie = settings["tau"]
    t.watch_delta = settings["watch_delta"]
    t.switch_doubt = log_(2.0 / <double>settings["switch_significance"])
    t.switch_rows = settings["switch_rows"]
    t.most_bytes = settings["most_bytes"]
    t.fading = settings["fading"]
    t.leaf_rate = settings["leaf_rate"]
    t.seed = settings["seed"]
    t.stream = settings["stream"]


cdef inline void make(Tree *t, const int32_t[::1] slots, Py_ssize_t classes, dict settings) except *:
    cdef Py_ssize_t d = slots.shape[0], j, n = 0
    memset(t, 0, sizeof(Tree))
    t.d = d
    t.k = classes
    t.subset = settings["subset"]
    t.regression = settings["regression"]
    configure(t, settings)
    t.columns = <int32_t *>calloc(d, sizeof(int32_t))
    t.slots = <int32_t *>calloc(d, sizeof(int32_t))
    t.offset = <int32_t *>calloc(d, sizeof(int32_t))
    t.z = <double *>calloc(d, sizeof(double))
    t.slot = <int32_t *>calloc(d, sizeof(int32_t))
    t.score = <double *>calloc(classes, sizeof(double))
    t.left = <double *>calloc(classes, sizeof(double))
    t.right = <double *>calloc(classes, sizeof(double))
    t.parts = <double *>calloc(LARGEST_GROUP * classes, sizeof(double))
    t.unit = <double *>calloc(d, sizeof(double))
    t.scale = <double *>calloc(3 + 3 * d, sizeof(double))
    t.place = <int32_t *>calloc(d, sizeof(int32_t))
    t.scales = <double *>calloc(5 * classes, sizeof(double))
    if (t.columns == NULL or t.slots == NULL or t.offset == NULL or t.z == NULL or t.slot == NULL
            or t.score == NULL or t.left == NULL or t.right == NULL or t.parts == NULL
            or t.scales == NULL or t.unit == NULL or t.scale == NULL or t.place == NULL):
        raise MemoryError
    for j in range(d):
        if not 0 <= slots[j] <= LARGEST_GROUP or slots[j] == 1:
            raise ValueError("a category must have between 2 and 64 slots")
        t.slots[j] = slots[j]
        if slots[j] == 0:
            t.columns[n] = <int32_t>j
            n += 1
    t.numbers = n
    t.categories = d - n
    if t.regression:
        for j in range(d):
            if slots[j]:
                t.columns[n] = <int32_t>j
                n += 1
        lay_out(t)
        if not begin(t):
            raise MemoryError
        return
    t.stride = HEAD + PER_NUMBER * n
    for j in range(d):
        if slots[j]:
            t.columns[n] = <int32_t>j
            n += 1
            t.offset[j] = <int32_t>t.stride
            t.stride += slots[j] + 1
    t.stride += 1  # whether anything was ever missing
    if not begin(t):
        raise MemoryError


cdef inline bytes raw(const void *place, size_t size):
    return (<const char *>place)[:size] if size else b""


cdef inline void fill(void *place, bytes source, size_t size) except *:
    if <size_t>len(source) != size:
        raise ValueError("a part of the state has another size")
    if size:
        memcpy(place, <const char *>source, size)


cdef inline tuple tallies(const Tree *t):
    return (
        t.n_nodes, t.n_leaves, t.n_blocks, t.n_watches, t.free_leaf, t.free_block, t.free_watch,
        t.used_nodes, t.used_leaves, t.used_blocks, t.used_watches, t.rows, t.opened, t.splits,
        t.spares, t.switches, t.failed, t.root,
    )


cdef inline dict dump(const Tree *t):
    cdef dict state = {
        "shape": (t.d, t.k, t.stride, t.subset),
        "tallies": tallies(t),
        "free_group": raw(t.free_group, sizeof(t.free_group)),
        "nodes": raw(t.nodes, t.n_nodes * sizeof(Node)),
        "leaves": raw(t.leaves, t.n_leaves * sizeof(Leaf)),
        "counts": raw(t.counts, t.n_leaves * t.k * sizeof(double)),
        "blocks_of": raw(t.blocks_of, t.n_leaves * t.k * sizeof(int32_t)),
        "blocks": raw(t.blocks, t.n_blocks * t.stride * sizeof(double)),
        "block_next": raw(t.block_next, t.n_blocks * sizeof(int32_t)),
        "watches": raw(t.watches, t.n_watches * sizeof(Adwin)),
        "scale": raw(t.scale, (3 + 3 * t.d) * sizeof(double)),
        "watch_next": raw(t.watch_next, t.n_watches * sizeof(int32_t)),
    }
    if t.subset:
        state["features_of"] = raw(t.features_of, t.n_leaves * t.d * sizeof(int32_t))
    return state


cdef inline void load(Tree *t, dict state) except *:
    # Only states of this program's own processes come here; sizes are checked all the same.
    cdef tuple shape = tuple(state["shape"])
    if shape != (t.d, t.k, t.stride, t.subset):
        raise ValueError("the state is of another model")
    n_nodes, n_leaves, n_blocks, n_watches = state["tallies"][:4]
    if min(n_nodes, n_leaves, n_blocks, n_watches) < 0:
        raise ValueError("the state is damaged")
    if not (room_for_nodes(t, n_nodes) and room_for_leaves(t, n_leaves)
            and room_for_blocks(t, n_blocks) and room_for_watches(t, n_watches)):
        raise MemoryError
    fill(t.free_group, state["free_group"], sizeof(t.free_group))
    fill(t.nodes, state["nodes"], n_nodes * sizeof(Node))
    fill(t.leaves, state["leaves"], n_leaves * sizeof(Leaf))
    fill(t.counts, state["counts"], n_leaves * t.k * sizeof(double))
    fill(t.blocks_of, state["blocks_of"], n_leaves * t.k * sizeof(int32_t))
    fill(t.blocks, state["blocks"], n_blocks * t.stride * sizeof(double))
    fill(t.block_next, state["block_next"], n_blocks * sizeof(int32_t))
    fill(t.watches, state["watches"], n_watches * sizeof(Adwin))
    fill(t.scale, state["scale"], (3 + 3 * t.d) * sizeof(double))
    fill(t.watch_next, state["watch_next"], n_watches * sizeof(int32_t))
    if t.subset:
        fill(t.features_of, state["features_of"], n_leaves * t.d * sizeof(int32_t))
    (
        t.n_nodes, t.n_leaves, t.n_blocks, t.n_watches, t.free_leaf, t.free_block, t.free_watch,
        t.used_nodes, t.used_leaves, t.used_blocks, t.used_watches, t.rows, t.opened, t.splits,
        t.spares, t.switches, t.failed, t.root,
    ) = state["tallies"]
    t.hand = NULL
    if not sound(t):
        begin(t)
        raise ValueError("the state is damaged")


cdef inline bint chain_is_sound(const int32_t *next_, Py_ssize_t first, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t left = n
    while first >= 0:
        if first >= n or left == 0:
            return False
        left -= 1
        first = next_[first]
    return True


cdef inline bint branch_is_sound(
    const Tree *t, int32_t node, Py_ssize_t level, Py_ssize_t *left
) noexcept nogil:
    # Every place that a row can come to is there, and none twice over and over.
    cdef const Node *n
    cdef int32_t i
    if not 0 <= node < t.n_nodes or level > 2 * DEEPEST + 2 or left[0] == 0:
        return False
    left[0] -= 1
    n = &t.nodes[node]
    if not -1 <= n.watch < t.n_watches or n.feature < -1 or n.feature >= t.d:
        return False
    if n.spare >= 0 and not branch_is_sound(t, n.spare, level + 1, left):
        return False
    if n.feature < 0:
        return 0 <= n.leaf < t.n_leaves and (not t.regression or t.blocks_of[n.leaf] >= 0)
    if not 2 <= n.children <= LARGEST_GROUP or n.child < 0 or n.child + n.children > t.n_nodes:
        return False
    if n.leaf != -1 or not BELOW <= n.form <= EACH:
        return False
    if (n.form == BELOW) != (t.slots[n.feature] == 0):
        return False
    if n.children != (t.slots[n.feature] if n.form == EACH else 2):
        return False
    for i in range(n.child, n.child + n.children):
        if not branch_is_sound(t, i, level + 1, left):
            return False
    return True


cdef inline bint leaf_is_sound(const Tree *t, Py_ssize_t leaf) noexcept nogil:
    cdef const Leaf *l = &t.leaves[leaf]
    cdef const int32_t *columns
    cdef Py_ssize_t j
    for j in range(t.k):
        if not -1 <= t.blocks_of[leaf * t.k + j] < t.n_blocks:
            return False
    if not t.subset:
        return l.numbers == t.numbers and l.categories == t.categories
    if l.numbers < 0 or l.categories < 0 or l.numbers + l.categories > t.d:
        return False
    columns = t.features_of + leaf * t.d
    for j in range(l.numbers + l.categories):
        if not 0 <= columns[j] < t.d or (t.slots[columns[j]] == 0) != (j < l.numbers):
            return False
    return True


cdef inline bint sound(const Tree *t) noexcept nogil:
    # Whether a loaded state points only at what is there: it may have been damaged on a disk.
    cdef Py_ssize_t left = t.n_nodes, size, i
    cdef int32_t first
    if not branch_is_sound(t, t.root, 0, &left):
        return False
    for size in range(LARGEST_GROUP + 1):
        first = t.free_group[size]
        left = t.n_nodes
        while first >= 0:
            if first + size > t.n_nodes or left == 0:
                return False
            left -= 1
            first = t.nodes[first].child
    left = t.n_leaves
    i = t.free_leaf
    while i >= 0:
        if i >= t.n_leaves or left == 0:
            return False
        left -= 1
        i = t.leaves[i].next
    for i in range(t.n_leaves):
        if not leaf_is_sound(t, i):
            return False
    for i in range(t.n_watches):
        if not adwin_is_sound(&t.watches[i]):
            return False
    return (chain_is_sound(t.block_next, t.free_block, t.n_blocks)
            and chain_is_sound(t.watch_next, t.free_watch, t.n_watches))


cdef inline void measure(const Tree *t, int32_t node, int64_t *found) noexcept nogil:
    # Nodes, leaves, active leaves and depth of what hangs below a node, spares left out.
    cdef int32_t i
    found[0] += 1
    if t.nodes[node].depth > found[3]:
        found[3] = t.nodes[node].depth
    if t.nodes[node].feature < 0:
        found[1] += 1
        found[2] += t.leaves[t.nodes[node].leaf].active
        return
    for i in range(t.nodes[node].child, t.nodes[node].child + t.nodes[node].children):
        measure(t, i, found)


cdef inline list questions(const Tree *t, int32_t node):
    # The tree below a node as plain values: [feature, form, threshold or slot, [children]] or a list
    # of class weights (regression: weight and mean).
    cdef int32_t i
    cdef const Node *n = &t.nodes[node]
    if n.feature < 0 and t.regression:
        return [block_of(t, n.leaf, 0)[0], block_of(t, n.leaf, 0)[1]]
    if n.feature < 0:
        return [t.counts[n.leaf * t.k + i] for i in range(t.k)]
    below = [questions(t, i) for i in range(n.child, n.child + n.children)]
    return [n.feature, n.form, n.threshold, below]
