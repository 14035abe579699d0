# Leaves that answer with a number: what they learn, what they answer, how they split.
from libc.math cimport fabs, sqrt
from libc.stdint cimport int32_t
from libc.string cimport memcpy

from modellab.learners.compiled._tree cimport *
from modellab.learners.compiled._tree_leaf cimport open_leaf

# A block holds weight, mean and sum of squares of the target, the faded squared errors of mean and
# linear model, the value from which sums are taken, the intercept, a weight for each number and each
# slot; then for each number least value and bins per unit, and (weight, sum, squares) of each bin;
# for each category (weight, sum, squares) of each slot.
cdef enum:
    MEAN_ERROR = 3
    LINEAR_ERROR = 4
    ORIGIN = 5
    INTERCEPT = 6
    WEIGHTS = 7
    BINS = 40
    WARM = 100

cdef extern from *:
    """
    #define FADED 0.99
    #define FARTHEST_DEVIATION 10.0
    #define ERROR_UNIT 4.0
    #define LEAST_ROWS 5.0
    """
    const double FADED
    const double FARTHEST_DEVIATION
    const double ERROR_UNIT
    const double LEAST_ROWS

cdef struct NumberSplit:
    double merit, threshold
    int32_t feature, form, slot
    double left[3]
    double right[3]


cdef inline void lay_out(Tree *t) noexcept nogil:
    cdef Py_ssize_t j, at = WEIGHTS
    for j in range(t.d):
        t.place[j] = <int32_t>at
        at += t.slots[j] if t.slots[j] else 1
    for j in range(t.d):
        t.offset[j] = <int32_t>at
        at += 3 * t.slots[j] if t.slots[j] else 2 + 3 * BINS
    t.stride = at


# ------------------------------------------------------------------ scales of the whole tree


cdef inline void scale_learns(double *s, double v) noexcept nogil:
    # Welford: weight, mean, sum of squares.
    cdef double apart = v - s[1]
    s[0] += 1.0
    s[1] += apart / s[0]
    s[2] += apart * (v - s[1])


cdef inline double deviation(const double *s) noexcept nogil:
    return sqrt(s[2] / s[0]) if s[0] > 1.0 and s[2] > 0.0 else 0.0


cdef inline void scales_learn(Tree *t, const double *x, double y) noexcept nogil:
    # After the row was learned.
    cdef Py_ssize_t j, c
    scale_learns(t.scale, y)
    for j in range(t.numbers):
        c = t.columns[j]
        if fabs(x[c]) <= LARGEST:
            scale_learns(t.scale + 3 + 3 * c, x[c])


cdef inline void in_deviations(Tree *t) noexcept nogil:
    # The numbers of the row at hand for the linear models.
    cdef const double *s
    cdef double u, d
    cdef Py_ssize_t j
    for j in range(t.numbers):
        s = t.scale + 3 + 3 * t.columns[j]
        d = deviation(s)
        u = (t.z[j] - s[1]) / d if d > 0.0 else 0.0
        if u != u:
            u = 0.0
        t.unit[j] = max(-FARTHEST_DEVIATION, min(FARTHEST_DEVIATION, u))


# ------------------------------------------------------------------ answers


cdef inline double linear(const Tree *t, const double *block) noexcept nogil:
    # In deviations of the target from its mean.
    cdef double total = block[INTERCEPT]
    cdef Py_ssize_t j, c
    for j in range(t.numbers):
        total += block[t.place[t.columns[j]]] * t.unit[j]
    for j in range(t.categories):
        c = t.columns[t.numbers + j]
        if t.slot[j] >= 0:
            total += block[t.place[c] + t.slot[j]]
    return total


cdef inline double linear_answer(const Tree *t, const double *block) noexcept nogil:
    return t.scale[1] + deviation(t.scale) * linear(t, block)


cdef inline double number_answer(const Tree *t, Py_ssize_t leaf) noexcept nogil:
    cdef const double *block = block_of(t, leaf, 0)
    cdef double reach = FARTHEST_DEVIATION * deviation(t.scale), answer
    if t.answer == 0 or (t.answer == 2 and block[LINEAR_ERROR] > block[MEAN_ERROR]):
        return block[1] if block[0] > 0.0 else t.scale[1]
    answer = linear_answer(t, block)
    return max(t.scale[1] - reach, min(t.scale[1] + reach, answer))


cdef inline double number_error(const Tree *t, Py_ssize_t leaf) noexcept nogil:
    # Absolute error in units of four deviations of the target, at most 1.
    cdef double unit = ERROR_UNIT * deviation(t.scale)
    cdef double error = fabs(number_answer(t, leaf) - t.target)
    if not (error < unit):
        return 1.0 if error > 0.0 else 0.0
    return error / unit


# ------------------------------------------------------------------ learning


cdef inline void tally(double *bin, double y) noexcept nogil:
    bin[0] += 1.0
    bin[1] += y
    bin[2] += y * y


cdef inline void bins_learn(Tree *t, double *block, double y) noexcept nogil:
    cdef Py_ssize_t j, c, i
    cdef double *bins
    cdef const double *s
    cdef double v, d
    for j in range(t.numbers):
        c = t.columns[j]
        if t.z[j] != t.z[j]:
            continue
        bins = block + t.offset[c]
        if bins[1] == 0.0:
            s = t.scale + 3 + 3 * c
            d = deviation(s)
            if s[0] < WARM or not (d > 0.0):
                continue
            bins[0] = s[1] - 3.0 * d
            bins[1] = BINS / (6.0 * d)
        # A value on an edge belongs below it, as it will when the edge is a threshold.
        v = (t.z[j] - bins[0]) * bins[1]
        if not (v > 0.0):
            i = 0
        elif v >= BINS:
            i = BINS - 1
        else:
            i = <Py_ssize_t>v
            if <double>i == v and i > 0:
                i -= 1
        tally(bins + 2 + 3 * i, y)
    for j in range(t.categories):
        if t.slot[j] >= 0:
            tally(block + t.offset[t.columns[t.numbers + j]] + 3 * t.slot[j], y)


cdef inline void linear_learns(Tree *t, double *block, double y) noexcept nogil:
    # One normalised step (Widrow and Hoff; Nagumo and Noda 1967) in deviations.
    cdef double unit = deviation(t.scale), length = 2.0, step
    cdef Py_ssize_t j, c
    if not (unit > 0.0):
        return
    for j in range(t.numbers):
        length += t.unit[j] * t.unit[j]
    length += <double>t.categories
    step = (y - t.scale[1]) / unit - linear(t, block)
    step = t.leaf_rate * max(-FARTHEST_DEVIATION, min(FARTHEST_DEVIATION, step)) / length
    block[INTERCEPT] += step
    for j in range(t.numbers):
        block[t.place[t.columns[j]]] += step * t.unit[j]
    for j in range(t.categories):
        c = t.columns[t.numbers + j]
        if t.slot[j] >= 0:
            block[t.place[c] + t.slot[j]] += step


cdef inline void number_learns(Tree *t, Py_ssize_t leaf, double y) noexcept nogil:
    # The row at hand, seen.
    cdef double *block = block_of(t, leaf, 0)
    cdef double apart
    if block[0] > 0.0:
        apart = y - block[1]
        block[MEAN_ERROR] = FADED * block[MEAN_ERROR] + (1.0 - FADED) * apart * apart
        apart = y - linear_answer(t, block)
        block[LINEAR_ERROR] = FADED * block[LINEAR_ERROR] + (1.0 - FADED) * apart * apart
    else:
        block[ORIGIN] = y
    scale_learns(block, y)
    t.counts[leaf] = block[0]
    linear_learns(t, block, y)
    bins_learn(t, block, y - block[ORIGIN])


# ------------------------------------------------------------------ splitting


cdef inline double spread(const double *bin) noexcept nogil:
    # Standard deviation of what was tallied.
    cdef double v
    if not (bin[0] > 0.0):
        return 0.0
    v = bin[2] / bin[0] - (bin[1] / bin[0]) * (bin[1] / bin[0])
    return sqrt(v) if v > 0.0 else 0.0


cdef inline void weigh(
    const double *all_, const double *left, double whole, double threshold, int32_t slot, NumberSplit *best
) noexcept nogil:
    # One candidate: `left` of `all_`; kept if it is the best so far.
    cdef double right[3]
    cdef double merit, least = max(LEAST_ROWS, 0.01 * all_[0])
    cdef Py_ssize_t i
    for i in range(3):
        right[i] = all_[i] - left[i]
    if left[0] < least or right[0] < least:
        return
    merit = whole - (left[0] * spread(left) + right[0] * spread(right)) / all_[0]
    if merit > best.merit:
        best.merit = merit
        best.threshold = threshold
        best.slot = slot
        memcpy(best.left, left, 3 * sizeof(double))
        memcpy(best.right, right, 3 * sizeof(double))


cdef inline void try_column(const Tree *t, const double *block, Py_ssize_t c, NumberSplit *best) noexcept nogil:
    cdef const double *bins = block + t.offset[c]
    cdef Py_ssize_t n = t.slots[c] if t.slots[c] else BINS, i, k
    cdef double all_[3]
    cdef double left[3]
    cdef double whole, low = 0.0, per = 1.0
    cdef bint number = t.slots[c] == 0
    if number:
        low = bins[0]
        per = bins[1]
        if per == 0.0:
            return
        bins += 2
    for k in range(3):
        all_[k] = 0.0
        left[k] = 0.0
        for i in range(n):
            all_[k] += bins[3 * i + k]
    whole = spread(all_)
    for i in range(n - 1 if number else n):
        if number:
            for k in range(3):
                left[k] += bins[3 * i + k]
            if bins[3 * i] > 0.0:
                weigh(all_, left, whole, low + <double>(i + 1) / per, 0, best)
        else:
            weigh(all_, bins + 3 * i, whole, 0.0, <int32_t>i, best)


cdef inline void begin_child(
    Tree *t, int32_t node, const double *parent, const double *tallied
) noexcept nogil:
    # What a new leaf knows from its parent: the split's tallies, the linear model, the bins' ranges.
    cdef double *block = block_of(t, t.nodes[node].leaf, 0)
    cdef Py_ssize_t j, c
    block[0] = tallied[0]
    block[1] = parent[ORIGIN] + tallied[1] / tallied[0]
    block[2] = tallied[0] * spread(tallied) * spread(tallied)
    block[MEAN_ERROR] = block[2] / block[0]
    block[LINEAR_ERROR] = min(parent[LINEAR_ERROR], block[MEAN_ERROR])
    block[ORIGIN] = block[1]
    memcpy(block + INTERCEPT, parent + INTERCEPT, (t.offset[0] - INTERCEPT) * sizeof(double))
    for j in range(t.numbers):
        c = t.columns[j]
        block[t.offset[c]] = parent[t.offset[c]]
        block[t.offset[c] + 1] = parent[t.offset[c] + 1]
    t.counts[t.nodes[node].leaf] = block[0]
    t.nodes[node].weight = block[0]
    t.leaves[t.nodes[node].leaf].last = block[0]


cdef inline void open_number_branch(Tree *t, int32_t node, const NumberSplit *s) noexcept nogil:
    cdef int32_t leaf = t.nodes[node].leaf, first = take_group(t, 2), i
    cdef const double *parent
    cdef double *bins
    cdef double low, high
    if first < 0:
        t.failed = 1
        return
    for i in range(2):
        t.nodes[first + i].depth = t.nodes[node].depth + 1
        if open_leaf(t, first + i, NULL) < 0:
            t.failed = 1
            release(t, first)
            give_group(t, first, 2)
            return
    parent = block_of(t, leaf, 0)
    for i in range(2):
        begin_child(t, first + i, parent, &s.right[0] if i else &s.left[0])
        if s.form == BELOW:
            bins = block_of(t, t.nodes[first + i].leaf, 0) + t.offset[s.feature]
            low = bins[0]
            high = low + BINS / bins[1]
            bins[0] = s.threshold if i else low
            bins[1] = BINS / (high - s.threshold if i else s.threshold - low)
    t.nodes[node].leaf = -1
    give_leaf(t, leaf)
    t.nodes[node].feature = s.feature
    t.nodes[node].form = s.form
    t.nodes[node].threshold = s.threshold if s.form == BELOW else <double>s.slot
    t.nodes[node].child = first
    t.nodes[node].children = 2
    t.splits += 1
    if t.adaptive:
        t.nodes[node].watch = take_watch(t)
        if t.nodes[node].watch < 0:
            t.failed = 1


cdef inline void try_to_split_number(Tree *t, int32_t node) noexcept nogil:
    cdef int32_t leaf = t.nodes[node].leaf
    cdef const double *block = block_of(t, leaf, 0)
    cdef double second = 0.0, bound
    cdef NumberSplit best, own
    cdef Py_ssize_t j
    if block[0] - t.leaves[leaf].last < t.grace - 1e-6:
        return
    t.leaves[leaf].last = block[0]
    if t.nodes[node].depth >= t.deepest:
        return
    if t.most_bytes > 0.0 and bytes_used(t) + 2.0 * t.stride * sizeof(double) > t.most_bytes:
        return
    best.merit = 0.0
    best.feature = -1
    for j in range(t.d):
        own.merit = 0.0
        own.feature = t.columns[j]
        own.form = EQUALS if t.slots[own.feature] else BELOW
        try_column(t, block, own.feature, &own)
        if own.merit > best.merit:
            second = best.merit
            best = own
        elif own.merit > second:
            second = own.merit
    if best.feature < 0:
        return
    bound = sqrt(t.doubt / (2.0 * block[0]))
    if second < (1.0 - bound) * best.merit or bound < t.tie:
        open_number_branch(t, node, &best)
