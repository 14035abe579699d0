# Rows through a tree: to a leaf, and into it; with adaptive trees also into what grows beside it.
from libc.math cimport fabs, sqrt
from libc.stdint cimport int32_t

from modellab.learners.compiled._adwin cimport adwin_add, adwin_mean
from modellab.learners.compiled._math cimport log_
from modellab.learners.compiled._random cimport draw, poisson, uniform
from modellab.learners.compiled._tree cimport *
from modellab.learners.compiled._tree_leaf cimport (
    bayes_shares,
    leaf_answer,
    leaf_fades,
    leaf_learns,
    majority_shares,
    by_bayes,
    open_leaf,
    score_classes,
    see,
    slot_of,
)
from modellab.learners.compiled._tree_number cimport (
    in_deviations,
    number_answer,
    number_error,
    number_learns,
    scales_learn,
    try_to_split_number,
)
from modellab.learners.compiled._tree_split cimport try_to_split


cdef inline int32_t next_node(const Tree *t, const Node *n, const double *x) noexcept nogil:
    # Where a row goes on; where the value is missing, with the greatest weight (the first of equals).
    cdef double v = x[n.feature]
    cdef int32_t i, best
    if n.form == BELOW:
        if v <= n.threshold and v >= -LARGEST:
            return n.child
        if n.threshold < v <= LARGEST:
            return n.child + 1
    elif v == v:
        i = slot_of(v, t.slots[n.feature])
        if n.form == EACH:
            return n.child + i
        return n.child if <double>i == n.threshold else n.child + 1
    best = n.child
    for i in range(n.child + 1, n.child + n.children):
        if t.nodes[i].weight > t.nodes[best].weight:
            best = i
    return best


cdef inline int32_t find_leaf(const Tree *t, int32_t node, const double *x) noexcept nogil:
    while t.nodes[node].feature >= 0:
        node = next_node(t, &t.nodes[node], x)
    return node


cdef inline void tree_forgets(void *model) noexcept nogil:
    (<Tree *>model).hand = NULL


cdef inline void tree_predicts(void *model, const double *x, double *out) noexcept nogil:
    cdef Tree *t = <Tree *>model
    cdef int32_t leaf = t.nodes[find_leaf(t, t.root, x)].leaf
    t.hand = x
    t.hand_leaf = leaf
    t.hand_scored = by_bayes(t, leaf)
    if t.hand_scored:
        see(t, leaf, x)
        score_classes(t, leaf)
        bayes_shares(t, leaf, out)
    else:
        majority_shares(t, leaf, out)


cdef inline void take_up(Tree *t, int32_t leaf, const double *x) noexcept nogil:
    # The row as the leaf takes it, scored if the leaf needs that (or known from the prediction).
    if t.hand == x and t.hand_leaf == leaf and t.hand_scored:
        return
    t.hand = x
    t.hand_leaf = leaf
    t.hand_scored = True
    see(t, leaf, x)
    if t.regression:
        in_deviations(t)
        return
    if t.answer != MAJORITY and t.leaves[leaf].active:
        score_classes(t, leaf)


cdef inline void into_leaf(Tree *t, int32_t node, Py_ssize_t c, double w) noexcept nogil:
    if t.regression:
        number_learns(t, t.nodes[node].leaf, t.target)
        t.hand = NULL
        try_to_split_number(t, node)
        return
    leaf_learns(t, t.nodes[node].leaf, c, w)
    t.hand = NULL
    try_to_split(t, node)


cdef inline void tree_learns_weighted(Tree *t, const double *x, Py_ssize_t c, double w) noexcept nogil:
    cdef int32_t node = t.root
    t.rows += 1
    if t.adaptive:
        if t.bootstrap:
            w *= max(1.0, poisson(1.0, uniform(draw(t.seed, t.stream, <uint64_t>t.rows))))
        adaptive_learns(t, x, c, w)
        return
    t.nodes[node].weight += w
    while t.nodes[node].feature >= 0:
        node = next_node(t, &t.nodes[node], x)
        t.nodes[node].weight += w
    take_up(t, t.nodes[node].leaf, x)
    if t.fading < 1.0:
        leaf_fades(t, t.nodes[node].leaf)
    into_leaf(t, node, c, w)


cdef inline void tree_learns(void *model, const double *x, double y) noexcept nogil:
    tree_learns_weighted(<Tree *>model, x, <Py_ssize_t>y, 1.0)


cdef inline void number_predicts(void *model, const double *x, double *out) noexcept nogil:
    cdef Tree *t = <Tree *>model
    cdef int32_t leaf = t.nodes[find_leaf(t, t.root, x)].leaf
    take_up(t, leaf, x)
    out[0] = number_answer(t, leaf)


cdef inline void number_tree_learns(void *model, const double *x, double y) noexcept nogil:
    cdef Tree *t = <Tree *>model
    t.target = y
    tree_learns_weighted(t, x, 0, 1.0)
    scales_learn(t, x, y)


# ------------------------------------------------------------------ adaptive trees


cdef inline double node_rows(const Tree *t, const Node *n) noexcept nogil:
    # Over how many rows a node's error is known.
    if n.watch >= 0:
        return t.watches[n.watch].width
    return t.leaves[n.leaf].rows if n.leaf >= 0 else 0.0


cdef inline double node_error(const Tree *t, const Node *n) noexcept nogil:
    if n.watch >= 0:
        return adwin_mean(&t.watches[n.watch])
    if n.leaf >= 0 and t.leaves[n.leaf].rows > 0.0:
        return t.leaves[n.leaf].wrong / t.leaves[n.leaf].rows
    return 0.0


cdef inline bint error_rises(Tree *t, int32_t node, double error) noexcept nogil:
    # A branch's detector takes the error in; True for a change to the worse.
    cdef int32_t w = t.nodes[node].watch
    cdef double before
    if w < 0:
        return False
    before = adwin_mean(&t.watches[w])
    return adwin_add(&t.watches[w], error, t.watch_delta) and adwin_mean(&t.watches[w]) >= before


cdef inline void drop_spare(Tree *t, int32_t node) noexcept nogil:
    release(t, t.nodes[node].spare)
    give_group(t, t.nodes[node].spare, 1)
    t.nodes[node].spare = -1


cdef inline void start_spare(Tree *t, int32_t node) noexcept nogil:
    cdef int32_t spare
    if t.nodes[node].spare >= 0:
        drop_spare(t, node)
    spare = take_group(t, 1)
    if spare < 0:
        t.failed = 1
        return
    t.nodes[spare].depth = t.nodes[node].depth
    if open_leaf(t, spare, NULL) < 0:
        give_group(t, spare, 1)
        t.failed = 1
        return
    t.nodes[node].spare = spare
    t.spares += 1


cdef inline int compare_spare(const Tree *t, int32_t node) noexcept nogil:
    # 1: the spare is better, -1: it is worse, 0: not known yet (Bifet and Gavalda 2009).
    cdef const Node *old = &t.nodes[node]
    cdef const Node *new = &t.nodes[old.spare]
    cdef double n_old = node_rows(t, old), n_new = node_rows(t, new), e_old, e_new, bound
    if n_old <= t.switch_rows or n_new <= t.switch_rows:
        return 0
    e_old = node_error(t, old)
    e_new = node_error(t, new)
    bound = sqrt(2.0 * e_old * (1.0 - e_old) * t.switch_doubt * (1.0 / n_old + 1.0 / n_new))
    if bound < e_old - e_new:
        return 1
    return -1 if bound < e_new - e_old else 0


cdef inline void switch_over(Tree *t, int32_t node) noexcept nogil:
    # The spare takes the node's place.
    cdef int32_t spare = t.nodes[node].spare
    t.nodes[node].spare = -1
    release(t, node)
    t.nodes[node] = t.nodes[spare]
    t.nodes[spare].feature = -1
    t.nodes[spare].leaf = -1
    t.nodes[spare].watch = -1
    t.nodes[spare].spare = -1
    give_group(t, spare, 1)
    t.switches += 1


cdef inline double error_of(Tree *t, int32_t node, const double *x, Py_ssize_t c) noexcept nogil:
    # Of the subtree below a node at this row, before it learns; leaves the row at hand.
    cdef int32_t leaf = t.nodes[find_leaf(t, node, x)].leaf
    take_up(t, leaf, x)
    if t.regression:
        return number_error(t, leaf)
    return 0.0 if leaf_answer(t, leaf) == c else 1.0


cdef inline void spare_learns(Tree *t, int32_t node, const double *x, Py_ssize_t c, double w) noexcept nogil:
    # A spare tree grows, and watches its errors; it has no spares of its own.
    cdef double error = error_of(t, node, x, c)
    cdef int32_t at = node
    t.nodes[at].weight += w
    while t.nodes[at].feature >= 0:
        error_rises(t, at, error)
        at = next_node(t, &t.nodes[at], x)
        t.nodes[at].weight += w
    t.leaves[t.nodes[at].leaf].rows += 1.0
    t.leaves[t.nodes[at].leaf].wrong += error
    into_leaf(t, at, c, w)


cdef inline void adaptive_learns(Tree *t, const double *x, Py_ssize_t c, double w) noexcept nogil:
    cdef int32_t node = t.root
    cdef double error = error_of(t, node, x, c)
    cdef int better
    while t.nodes[node].feature >= 0:
        t.nodes[node].weight += w
        if error_rises(t, node, error):
            start_spare(t, node)
        elif t.nodes[node].spare >= 0:
            better = compare_spare(t, node)
            if better > 0:
                switch_over(t, node)
                t.hand = NULL
                error = error_of(t, node, x, c)
                continue
            if better < 0:
                drop_spare(t, node)
        if t.nodes[node].spare >= 0:
            spare_learns(t, t.nodes[node].spare, x, c, w)
        node = next_node(t, &t.nodes[node], x)
    t.nodes[node].weight += w
    take_up(t, t.nodes[node].leaf, x)
    t.leaves[t.nodes[node].leaf].rows += 1.0
    t.leaves[t.nodes[node].leaf].wrong += error
    into_leaf(t, node, c, w)
