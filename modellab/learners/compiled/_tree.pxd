# One incremental tree as plain C: its settings, its pools of nodes, leaves and statistics, and what
# takes them and gives them back. trees.py says what everything means.
from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy, memset

from modellab.learners.compiled._adwin cimport Adwin, adwin_reset

cdef enum:
    DEEPEST = 100          # questions in a row, whatever the setting
    LARGEST_GROUP = 64     # children of a node; so many slots may a category have
    CANDIDATES = 10        # thresholds tried for a number

cdef enum:                 # forms of a question
    BELOW = 0              # first child: value <= threshold
    EQUALS = 1             # first child: the category has this slot
    EACH = 2               # one child for each slot

cdef enum:
    INFO_GAIN = 0
    GINI = 1
cdef enum:
    MAJORITY = 0
    BAYES = 1
    ADAPTIVE = 2

cdef extern from *:
    """
    #define LARGEST 1e100              /* values beyond count as missing */
    #define CERTAIN 1e300              /* 1 / variance of a column that never varied */
    #define LEAST_VARIANCE 1e-290
    #define TWO_PI 6.283185307179586
    #define LN2 0.6931471805599453
    """
    const double LARGEST
    const double CERTAIN
    const double LEAST_VARIANCE
    const double TWO_PI
    const double LN2

cdef struct Node:
    double threshold
    double weight          # of the rows that came this way, or that it began with
    int32_t feature        # column asked for; -1: a leaf
    int32_t form
    int32_t child          # first of its children, which are neighbours; of a free group: the next
    int32_t children
    int32_t leaf           # its leaf record, or -1
    int32_t depth
    int32_t watch          # its ADWIN, or -1 (adaptive trees)
    int32_t spare          # root of the tree that grows in its place, or -1

cdef struct Leaf:
    double last            # weight at the last attempt to split
    double majority_right  # weight of rows that each way of answering got right
    double bayes_right
    double rows            # rows tested here, and how many were wrong (adaptive trees)
    double wrong
    int32_t active         # keeps statistics
    int32_t numbers        # columns it looks at: so many numbers, then so many categories
    int32_t categories
    int32_t next           # of a free record: the next

cdef struct Tree:
    # what it sees
    Py_ssize_t d, k
    Py_ssize_t numbers, categories   # how many of each
    int32_t *columns       # (d): the numbers, then the categories
    int32_t *slots         # (d): 0 for a number, else the slots of the category
    int32_t *offset        # (d): where a category's slots begin in a block; regression: any column's
    int32_t *place         # (d): where a column's weights are (regression)
    double *scale          # (4 + 3 d): of the target weight, mean, squares, of each number too
    Py_ssize_t stride      # doubles in a block
    # settings
    int64_t criterion, answer, deepest, subset
    bint binary, adaptive, bootstrap, regression
    double grace, doubt, tie, watch_delta, switch_doubt, switch_rows, most_bytes, fading, leaf_rate
    uint64_t seed, stream
    # pools
    Node *nodes
    Py_ssize_t node_room, n_nodes
    int32_t free_group[LARGEST_GROUP + 1]
    Leaf *leaves
    double *counts         # (leaves, k): weight of each class
    int32_t *blocks_of     # (leaves, k): its statistics, or -1
    int32_t *features_of   # (leaves, d), only with a subset
    Py_ssize_t leaf_room, n_leaves, free_leaf
    double *blocks         # (blocks, stride)
    int32_t *block_next
    Py_ssize_t block_room, n_blocks, free_block, used_blocks
    Adwin *watches
    int32_t *watch_next
    Py_ssize_t watch_room, n_watches, free_watch, used_watches
    int32_t root
    int64_t rows, opened, splits, spares, switches, failed, used_nodes, used_leaves
    # the row at hand
    const double *hand
    int32_t hand_leaf
    bint hand_scored, lacking
    double *z              # (d) numbers as the leaf takes them
    int32_t *slot          # (d) slots of its categories, -1 missing
    double *score          # (k)
    double *left           # (k)
    double *right          # (k)
    double *parts          # (LARGEST_GROUP, k)
    double *unit           # (d) numbers in deviations (regression)
    double target          # label of the row at hand (regression)
    double *scales         # (k, 5): the column at hand in each class


# A block holds what a leaf knows of one class: its weight, the constant of its score, then for each
# number mean, sum of squares, 1 / variance, least, greatest and missing weight, then for each category
# the weight of each slot and the missing weight.
cdef enum:
    HEAD = 2
    PER_NUMBER = 6


cdef inline double *block_of(const Tree *t, Py_ssize_t leaf, Py_ssize_t c) noexcept nogil:
    cdef Py_ssize_t b = t.blocks_of[leaf * t.k + c]
    return t.blocks + b * t.stride if b >= 0 else NULL


cdef inline const int32_t *columns_of(const Tree *t, Py_ssize_t leaf) noexcept nogil:
    return t.features_of + leaf * t.d if t.subset else t.columns


cdef inline double bytes_used(const Tree *t) noexcept nogil:
    cdef double per_leaf = sizeof(Leaf) + t.k * (sizeof(double) + sizeof(int32_t))
    if t.subset:
        per_leaf += t.d * sizeof(int32_t)
    return (<double>t.used_nodes * sizeof(Node) + <double>t.used_leaves * per_leaf
            + <double>t.used_blocks * t.stride * sizeof(double)
            + <double>t.used_watches * sizeof(Adwin))


cdef inline bint grow(void **place, Py_ssize_t room, Py_ssize_t more, size_t item) noexcept nogil:
    cdef void *p = realloc(place[0], more * item)
    if p == NULL:
        return False
    memset(<char *>p + room * item, 0, (more - room) * item)
    place[0] = p
    return True


cdef inline Py_ssize_t roomier(Py_ssize_t room, Py_ssize_t need) noexcept nogil:
    return max(need, room + room // 2 + 8)


cdef inline bint room_for_nodes(Tree *t, Py_ssize_t need) noexcept nogil:
    cdef Py_ssize_t more
    if need <= t.node_room:
        return True
    more = roomier(t.node_room, need)
    if not grow(<void **>&t.nodes, t.node_room, more, sizeof(Node)):
        return False
    t.node_room = more
    return True


cdef inline bint room_for_leaves(Tree *t, Py_ssize_t need) noexcept nogil:
    cdef Py_ssize_t more
    if need <= t.leaf_room:
        return True
    more = roomier(t.leaf_room, need)
    if not grow(<void **>&t.leaves, t.leaf_room, more, sizeof(Leaf)):
        return False
    if not grow(<void **>&t.counts, t.leaf_room * t.k, more * t.k, sizeof(double)):
        return False
    if not grow(<void **>&t.blocks_of, t.leaf_room * t.k, more * t.k, sizeof(int32_t)):
        return False
    if t.subset:
        if not grow(<void **>&t.features_of, t.leaf_room * t.d, more * t.d, sizeof(int32_t)):
            return False
    t.leaf_room = more
    return True


cdef inline bint room_for_blocks(Tree *t, Py_ssize_t need) noexcept nogil:
    cdef Py_ssize_t more
    if need <= t.block_room:
        return True
    more = roomier(t.block_room, need)
    if not grow(<void **>&t.blocks, t.block_room * t.stride, more * t.stride, sizeof(double)):
        return False
    if not grow(<void **>&t.block_next, t.block_room, more, sizeof(int32_t)):
        return False
    t.block_room = more
    return True


cdef inline bint room_for_watches(Tree *t, Py_ssize_t need) noexcept nogil:
    cdef Py_ssize_t more
    if need <= t.watch_room:
        return True
    more = roomier(t.watch_room, need)
    if not grow(<void **>&t.watches, t.watch_room, more, sizeof(Adwin)):
        return False
    if not grow(<void **>&t.watch_next, t.watch_room, more, sizeof(int32_t)):
        return False
    t.watch_room = more
    return True


cdef inline int32_t take_group(Tree *t, Py_ssize_t size) noexcept nogil:
    # `size` neighbouring nodes, empty; -1 if there is no memory.
    cdef int32_t first = t.free_group[size], i
    if first >= 0:
        t.free_group[size] = t.nodes[first].child
    else:
        if not room_for_nodes(t, t.n_nodes + size):
            return -1
        first = <int32_t>t.n_nodes
        t.n_nodes += size
    t.used_nodes += size
    for i in range(first, first + <int32_t>size):
        memset(&t.nodes[i], 0, sizeof(Node))
        t.nodes[i].feature = -1
        t.nodes[i].child = -1
        t.nodes[i].leaf = -1
        t.nodes[i].watch = -1
        t.nodes[i].spare = -1
    return first


cdef inline void give_group(Tree *t, int32_t first, Py_ssize_t size) noexcept nogil:
    t.nodes[first].child = t.free_group[size]
    t.free_group[size] = first
    t.used_nodes -= size


cdef inline int32_t take_block(Tree *t) noexcept nogil:
    cdef Py_ssize_t b = t.free_block
    if b >= 0:
        t.free_block = t.block_next[b]
    else:
        if not room_for_blocks(t, t.n_blocks + 1):
            return -1
        b = t.n_blocks
        t.n_blocks += 1
    t.used_blocks += 1
    memset(t.blocks + b * t.stride, 0, t.stride * sizeof(double))
    return <int32_t>b


cdef inline void give_blocks(Tree *t, Py_ssize_t leaf) noexcept nogil:
    cdef Py_ssize_t c
    cdef int32_t b
    for c in range(t.k):
        b = t.blocks_of[leaf * t.k + c]
        if b >= 0:
            t.block_next[b] = <int32_t>t.free_block
            t.free_block = b
            t.used_blocks -= 1
            t.blocks_of[leaf * t.k + c] = -1


cdef inline int32_t take_watch(Tree *t) noexcept nogil:
    cdef Py_ssize_t a = t.free_watch
    if a >= 0:
        t.free_watch = t.watch_next[a]
    else:
        if not room_for_watches(t, t.n_watches + 1):
            return -1
        a = t.n_watches
        t.n_watches += 1
    t.used_watches += 1
    adwin_reset(&t.watches[a])
    return <int32_t>a


cdef inline void give_watch(Tree *t, int32_t a) noexcept nogil:
    t.watch_next[a] = <int32_t>t.free_watch
    t.free_watch = a
    t.used_watches -= 1


cdef inline void give_leaf(Tree *t, int32_t leaf) noexcept nogil:
    give_blocks(t, leaf)
    t.leaves[leaf].active = 0
    t.leaves[leaf].next = <int32_t>t.free_leaf
    t.free_leaf = leaf
    t.used_leaves -= 1


cdef inline void release(Tree *t, int32_t node) noexcept nogil:
    # Give back all that hangs below a node, and its own records; not its place.
    cdef Node *n = &t.nodes[node]
    cdef int32_t i
    if n.leaf >= 0:
        give_leaf(t, n.leaf)
        n.leaf = -1
    if n.watch >= 0:
        give_watch(t, n.watch)
        n.watch = -1
    if n.spare >= 0:
        release(t, n.spare)
        give_group(t, n.spare, 1)
        n.spare = -1
    if n.feature >= 0:
        for i in range(n.child, n.child + n.children):
            release(t, i)
        give_group(t, n.child, n.children)
        n.feature = -1
        n.child = -1


cdef inline void free_tree(Tree *t) noexcept nogil:
    free(t.nodes)
    free(t.leaves)
    free(t.counts)
    free(t.blocks_of)
    free(t.features_of)
    free(t.blocks)
    free(t.block_next)
    free(t.watches)
    free(t.watch_next)
    free(t.z)
    free(t.slot)
    free(t.score)
    free(t.left)
    free(t.right)
    free(t.parts)
    free(t.scales)
    free(t.unit)
    free(t.scale)
    free(t.place)
    free(t.columns)
    free(t.slots)
    free(t.offset)
    memset(t, 0, sizeof(Tree))
