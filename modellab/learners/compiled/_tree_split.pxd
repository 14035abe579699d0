# How a leaf looks for a split, and decides.
from libc.math cimport sqrt
from libc.stdint cimport int32_t, uint64_t

from modellab.learners.compiled._math cimport bits_to_double, log_
from modellab.learners.compiled._tree cimport *
from modellab.learners.compiled._tree_leaf cimport columns_of, open_leaf, top

cdef extern from "_normal_table.h" nogil:
    const uint64_t modellab_normal_table[552]

cdef struct Split:
    double merit, threshold
    int32_t feature, form, slot


cdef inline double below(double z) noexcept nogil:
    # The normal distribution function, error below 1e-13: Taylor's series at the nearest entry.
    cdef double a = z if z >= 0.0 else -z, h, r, p
    cdef Py_ssize_t i
    if a != a or a >= 8.5:
        return 1.0 if z > 0.0 else 0.0
    i = <Py_ssize_t>(a * 32.0 + 0.5)
    h = <double>i * 0.03125
    r = a - h
    p = r * (1.0 + r * (-0.5 * h + r * ((h * h - 1.0) * (1.0 / 6.0) + r * (
        (3.0 - h * h) * h * (1.0 / 24.0)
        + r * ((h * h - 6.0) * (h * h) + 3.0) * (1.0 / 120.0)))))
    p = (bits_to_double(modellab_normal_table[2 * i])
         + bits_to_double(modellab_normal_table[2 * i + 1]) * p)
    return p if z >= 0.0 else 1.0 - p


cdef inline double xlogx(double x) noexcept nogil:
    return x * log_(x) if x > 0.0 else 0.0


cdef inline double impurity(const Tree *t, const double *weights, double *total) noexcept nogil:
    # Total weight times impurity of these class weights: entropy (in units of e), or Gini.
    cdef double s = 0.0, parts = 0.0, v
    cdef Py_ssize_t c
    for c in range(t.k):
        v = weights[c]
        if v > 0.0:
            s += v
            parts += v * log_(v) if t.criterion == INFO_GAIN else v * v
    total[0] = s
    if not (s > 0.0):
        return 0.0
    return s * log_(s) - parts if t.criterion == INFO_GAIN else s - parts / s


cdef inline double merit_unit(const Tree *t) noexcept nogil:
    return 1.4426950408889634 if t.criterion == INFO_GAIN else 1.0


cdef inline double merit_of_two(Tree *t, double before) noexcept nogil:
    # What is gained by dividing into `left` and `right`; -1 when one holds no more than 1 %.
    cdef double a = 0.0, b = 0.0, after
    after = impurity(t, t.left, &a) + impurity(t, t.right, &b)
    if a <= 0.01 * (a + b) or b <= 0.01 * (a + b):
        return -1.0
    return (before - after / (a + b)) * merit_unit(t)


cdef inline void divide(Tree *t, double threshold) noexcept nogil:
    # Weight of each class at or below the threshold, and above, by its bell curve.
    cdef const double *s
    cdef double share
    cdef Py_ssize_t c
    for c in range(t.k):
        s = t.scales + 5 * c
        if not (s[4] > 0.0) or threshold < s[2]:
            t.left[c] = 0.0
            t.right[c] = s[4]
        elif threshold >= s[3]:
            t.left[c] = s[4]
            t.right[c] = 0.0
        else:
            share = below((threshold - s[0]) * s[1]) * s[4]
            t.left[c] = share
            t.right[c] = s[4] - share


cdef inline bint read_number(
    Tree *t, Py_ssize_t leaf, Py_ssize_t j, double *low, double *high
) noexcept nogil:
    # The j-th number of a leaf in each class into `scales`: mean, 1 / deviation, least, greatest, weight.
    cdef Py_ssize_t c, room = t.numbers
    cdef const double *block
    cdef double *s
    cdef double n
    cdef bint found = False
    for c in range(t.k):
        block = block_of(t, leaf, c)
        s = t.scales + 5 * c
        s[4] = 0.0
        if block == NULL:
            continue
        n = block[0] - block[HEAD + 5 * room + j]
        if not (n > 0.0):
            continue
        s[0] = block[HEAD + j]
        s[1] = sqrt((n - 1.0) / block[HEAD + room + j]) if n > 1.0 and block[HEAD + room + j] > 0.0 else 0.0
        s[2] = block[HEAD + 3 * room + j]
        s[3] = block[HEAD + 4 * room + j]
        s[4] = n
        if not found or s[2] < low[0]:
            low[0] = s[2]
        if not found or s[3] > high[0]:
            high[0] = s[3]
        found = True
    return found


cdef inline void try_number(Tree *t, Py_ssize_t leaf, Py_ssize_t j, Split *best) noexcept nogil:
    # Evenly spaced thresholds between the extremes, as in MOA and river.
    cdef double low = 0.0, high = 0.0, step, threshold, merit, before, total = 0.0
    cdef Py_ssize_t i
    if not read_number(t, leaf, j, &low, &high) or not (low < high):
        return
    for i in range(t.k):
        t.left[i] = t.scales[5 * i + 4]
    before = impurity(t, t.left, &total) / total
    step = (high - low) / (CANDIDATES + 1.0)
    for i in range(CANDIDATES):
        threshold = step * <double>(i + 1) + low
        if not (low < threshold < high):
            continue
        divide(t, threshold)
        merit = merit_of_two(t, before)
        if merit > best.merit:
            best.merit = merit
            best.threshold = threshold
            best.form = BELOW


cdef inline void read_category(Tree *t, Py_ssize_t leaf, Py_ssize_t column) noexcept nogil:
    # Class weights of each slot into `parts`, (slots, k).
    cdef Py_ssize_t c, v
    cdef const double *block
    for c in range(t.k):
        block = block_of(t, leaf, c)
        for v in range(t.slots[column]):
            t.parts[v * t.k + c] = block[t.offset[column] + v] if block != NULL else 0.0


cdef inline void divide_category(Tree *t, Py_ssize_t column, Py_ssize_t slot) noexcept nogil:
    cdef Py_ssize_t c, v
    for c in range(t.k):
        t.left[c] = t.parts[slot * t.k + c]
        t.right[c] = 0.0
        for v in range(t.slots[column]):
            if v != slot:
                t.right[c] += t.parts[v * t.k + c]


cdef inline double merit_of_each(Tree *t, Py_ssize_t column, double before) noexcept nogil:
    cdef double total = 0.0, after = 0.0, s = 0.0
    cdef Py_ssize_t v, c, large = 0
    for v in range(t.slots[column]):
        after += impurity(t, t.parts + v * t.k, &s)
        total += s
    for v in range(t.slots[column]):
        s = 0.0
        for c in range(t.k):
            s += t.parts[v * t.k + c]
        if s > 0.01 * total:
            large += 1
    return (before - after / total) * merit_unit(t) if large >= 2 else -1.0


cdef inline void try_category(Tree *t, Py_ssize_t leaf, Py_ssize_t column, Split *best) noexcept nogil:
    # One branch for each category (unless all splits are to be binary), or one category against the rest.
    cdef Py_ssize_t v, c
    cdef double merit, there, before, total = 0.0
    read_category(t, leaf, column)
    for c in range(t.k):
        t.left[c] = 0.0
        for v in range(t.slots[column]):
            t.left[c] += t.parts[v * t.k + c]
    before = impurity(t, t.left, &total)
    if not (total > 0.0):
        return
    before = before / total
    if not t.binary:
        merit = merit_of_each(t, column, before)
        if merit > best.merit:
            best.merit = merit
            best.form = EACH
    for v in range(t.slots[column]):
        there = 0.0
        for c in range(t.k):
            there += t.parts[v * t.k + c]
        if not (there > 0.0):
            continue
        divide_category(t, column, v)
        merit = merit_of_two(t, before)
        if merit > best.merit:
            best.merit = merit
            best.form = EQUALS
            best.slot = <int32_t>v


cdef inline double find_split(Tree *t, Py_ssize_t leaf, Split *best) noexcept nogil:
    # The best column's best split (of equals the last column, as in MOA); returns the merit of the
    # second best column. Not to split is a candidate too, with merit 0. What is gained is told by the
    # rows that the leaf has seen itself; what it began with only makes it surer.
    cdef const int32_t *columns = columns_of(t, leaf)
    cdef Py_ssize_t n = t.leaves[leaf].numbers, m = t.leaves[leaf].categories, j
    cdef double second = 0.0
    cdef Split own
    best.merit = 0.0
    best.feature = -1
    for j in range(n + m):
        own.merit = -1.0
        own.slot = 0
        own.threshold = 0.0
        own.form = BELOW
        own.feature = columns[j]
        if j < n:
            try_number(t, leaf, j, &own)
        else:
            try_category(t, leaf, columns[j], &own)
        if own.merit > 0.0 and own.merit >= best.merit:
            second = best.merit
            best[0] = own
        elif own.merit > second:
            second = own.merit
    return second


cdef inline double hoeffding_bound(const Tree *t, Py_ssize_t leaf, double weight) noexcept nogil:
    # sqrt(R^2 ln(1 / delta) / 2n), R = log2 of the classes seen (at least 2) for information gain.
    cdef Py_ssize_t c, seen = 0
    cdef double range_ = 1.0
    if t.criterion == INFO_GAIN:
        for c in range(t.k):
            seen += t.counts[leaf * t.k + c] > 0.0
        range_ = log_(<double>seen) * 1.4426950408889634 if seen > 2 else 1.0
    return sqrt(range_ * range_ * t.doubt / (2.0 * weight))


cdef inline bint pure(const Tree *t, Py_ssize_t leaf) noexcept nogil:
    cdef Py_ssize_t c, seen = 0
    for c in range(t.k):
        seen += t.counts[leaf * t.k + c] > 0.0
    return seen < 2


cdef inline void open_branch(Tree *t, int32_t node, Py_ssize_t j, const Split *s) noexcept nogil:
    # The leaf becomes a question; its children begin with the class weights that the split gives them.
    cdef int32_t leaf = t.nodes[node].leaf, first, i, size = 2
    cdef double low, high
    if s.form == EACH:
        size = t.slots[s.feature]
    first = take_group(t, size)
    if first < 0:
        t.failed = 1
        return
    if s.form == BELOW:
        read_number(t, leaf, j, &low, &high)
        divide(t, s.threshold)
    else:
        read_category(t, leaf, s.feature)
        if s.form == EQUALS:
            divide_category(t, s.feature, s.slot)
    for i in range(size):
        t.nodes[first + i].depth = t.nodes[node].depth + 1
        if s.form == EACH:
            open_leaf(t, first + i, t.parts + i * t.k)
        else:
            open_leaf(t, first + i, t.right if i else t.left)
        if t.nodes[first + i].leaf < 0:
            t.failed = 1
            release_group(t, first, size)
            return
    t.nodes[node].leaf = -1
    give_leaf(t, leaf)
    t.nodes[node].feature = s.feature
    t.nodes[node].form = s.form
    t.nodes[node].threshold = s.threshold if s.form == BELOW else <double>s.slot
    t.nodes[node].child = first
    t.nodes[node].children = size
    t.splits += 1
    if t.adaptive:
        t.nodes[node].watch = take_watch(t)
        if t.nodes[node].watch < 0:
            t.failed = 1


cdef inline void release_group(Tree *t, int32_t first, int32_t size) noexcept nogil:
    cdef int32_t i
    for i in range(first, first + size):
        release(t, i)
    give_group(t, first, size)


cdef inline void try_to_split(Tree *t, int32_t node) noexcept nogil:
    # After a leaf has learned: is it time, is it sure enough, is there memory?
    cdef int32_t leaf = t.nodes[node].leaf
    cdef double weight = t.nodes[node].weight, second, bound
    cdef const int32_t *columns
    cdef Split best
    cdef Py_ssize_t j
    # The weights that a leaf began with are no whole numbers: a rounding must not cost a row.
    if weight - t.leaves[leaf].last < t.grace - 1e-6 or not t.leaves[leaf].active:
        return
    t.leaves[leaf].last = weight
    if t.nodes[node].depth >= t.deepest or pure(t, leaf):
        return
    if t.most_bytes > 0.0 and bytes_used(t) > t.most_bytes:
        return
    second = find_split(t, leaf, &best)
    if best.feature < 0:
        return
    bound = hoeffding_bound(t, leaf, weight)
    if best.merit - second > bound or bound < t.tie:
        columns = columns_of(t, leaf)
        j = 0
        while columns[j] != best.feature:
            j += 1
        open_branch(t, node, j, &best)
