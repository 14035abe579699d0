# What a leaf learns of a row, and what it answers.
from libc.math cimport fabs
from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.string cimport memcpy, memset

from modellab.learners.compiled._math cimport bits_to_double, double_to_bits, exp_, log_
from modellab.learners.compiled._random cimport draw, uniform
from modellab.learners.compiled._tree cimport *


cdef inline int32_t open_leaf(Tree *t, int32_t node, const double *counts) noexcept nogil:
    # Give a node a leaf record that begins with these class weights (NULL: none).
    cdef Py_ssize_t c, leaf = t.free_leaf
    cdef double total = 0.0
    if leaf >= 0:
        t.free_leaf = t.leaves[leaf].next
    else:
        if not room_for_leaves(t, t.n_leaves + 1):
            return -1
        leaf = t.n_leaves
        t.n_leaves += 1
    t.used_leaves += 1
    memset(&t.leaves[leaf], 0, sizeof(Leaf))
    for c in range(t.k):
        t.counts[leaf * t.k + c] = counts[c] if counts != NULL else 0.0
        total += t.counts[leaf * t.k + c]
        t.blocks_of[leaf * t.k + c] = -1
    t.leaves[leaf].active = 1
    t.leaves[leaf].last = total
    t.leaves[leaf].numbers = <int32_t>t.numbers
    t.leaves[leaf].categories = <int32_t>t.categories
    if t.subset:
        choose_columns(t, leaf)
    if t.regression:
        t.blocks_of[leaf] = take_block(t)
        if t.blocks_of[leaf] < 0:
            give_leaf(t, <int32_t>leaf)
            return -1
    t.nodes[node].leaf = <int32_t>leaf
    t.nodes[node].weight = total
    t.opened += 1
    return <int32_t>leaf


cdef inline void choose_columns(Tree *t, Py_ssize_t leaf) noexcept nogil:
    # `subset` columns without repetition (selection sampling, in order): a function of seed, tree and
    # how many leaves there have been.
    cdef int32_t *chosen = t.features_of + leaf * t.d
    cdef Py_ssize_t wanted = t.subset, j, n = 0, numbers = 0
    cdef uint64_t key = draw(t.seed ^ <uint64_t>0x5EEDC01A, t.stream, <uint64_t>t.opened)
    for j in range(t.d):
        if uniform(draw(key, 1, j)) * <double>(t.d - j) < <double>(wanted - n):
            chosen[n] = t.columns[j]
            n += 1
            if t.slots[t.columns[j]] == 0:
                numbers += 1
    t.leaves[leaf].numbers = <int32_t>numbers
    t.leaves[leaf].categories = <int32_t>(n - numbers)


cdef inline int32_t slot_of(double value, int32_t slots) noexcept nogil:
    # The last slot is for all that is not a known code.
    if value != value:
        return -1
    if 0.0 <= value < <double>(slots - 1):
        return <int32_t>value
    return slots - 1


cdef inline void see(Tree *t, Py_ssize_t leaf, const double *x) noexcept nogil:
    # The row as the leaf takes it, in z and slot.
    cdef const int32_t *columns = columns_of(t, leaf)
    cdef Py_ssize_t j, n = t.leaves[leaf].numbers, m = t.leaves[leaf].categories
    cdef double *z = t.z
    cdef double v, s = 0.0
    for j in range(n):
        v = x[columns[j]]
        z[j] = v
        s += v * v
    t.lacking = not (s <= LARGEST * LARGEST)
    if t.lacking:
        for j in range(n):
            if not (fabs(z[j]) <= LARGEST):
                z[j] = bits_to_double(<uint64_t>0x7FF8000000000000)
    columns += n
    for j in range(m):
        t.slot[j] = slot_of(x[columns[j]], t.slots[columns[j]])
        if t.slot[j] < 0:
            t.lacking = True


# ------------------------------------------------------------------ naive Bayes


cdef inline double mantissa(double v, int64_t *power) noexcept nogil:
    # v = result * 2^power, result in [1, 2); v positive and normal.
    cdef uint64_t bits = double_to_bits(v)
    power[0] += <int64_t>(bits >> 52) - 1023
    return bits_to_double((bits & <uint64_t>0x000FFFFFFFFFFFFF) | <uint64_t>0x3FF0000000000000)


cdef inline double log_product(const double *values, Py_ssize_t n, Py_ssize_t *counted) noexcept nogil:
    # Logarithm of the product of all values in (0, CERTAIN), and how many there were.
    cdef double p0 = 1.0, p1 = 1.0, v
    cdef int64_t power = 0
    cdef Py_ssize_t j, used = 0
    for j in range(n):
        v = values[j]
        if 0.0 < v < CERTAIN:
            used += 1
            if j & 1:
                p1 *= mantissa(v, &power)
            else:
                p0 *= mantissa(v, &power)
            if (used & 255) == 255:
                p0 = mantissa(p0, &power)
                p1 = mantissa(p1, &power)
    p0 = mantissa(p0, &power) * mantissa(p1, &power)
    counted[0] = used
    return log_(p0) + <double>power * LN2


cdef inline void set_constant(Tree *t, Py_ssize_t leaf, Py_ssize_t c, double *block) noexcept nogil:
    # All of a class's score that doesn't depend on the row: its prior and the densities' heights.
    cdef Py_ssize_t n = t.leaves[leaf].numbers, m = t.leaves[leaf].categories, j, used = 0
    cdef const int32_t *columns = columns_of(t, leaf) + n
    cdef const double *slots
    cdef double product = 1.0
    cdef int64_t power = 0
    block[1] = log_(t.counts[leaf * t.k + c])
    if n:
        block[1] += 0.5 * log_product(block + HEAD + 2 * t.numbers, n, &used)
        block[1] -= 0.5 * 1.8378770664093453 * <double>used
    for j in range(m):
        slots = block + t.offset[columns[j]]
        product = mantissa(
            product * (block[0] - slots[t.slots[columns[j]]] + <double>t.slots[columns[j]]), &power
        )
    if m:
        block[1] -= log_(product) + <double>power * LN2


cdef inline double distance(
    const double *z, const double *mean, const double *inverse, Py_ssize_t n
) noexcept nogil:
    # Sum of squared standardised differences, in four partial sums.
    cdef double s0 = 0, s1 = 0, s2 = 0, s3 = 0, d0, d1, d2, d3
    cdef Py_ssize_t j = 0
    while j < n - 3:
        d0 = z[j] - mean[j]
        d1 = z[j + 1] - mean[j + 1]
        d2 = z[j + 2] - mean[j + 2]
        d3 = z[j + 3] - mean[j + 3]
        s0 += d0 * d0 * inverse[j]
        s1 += d1 * d1 * inverse[j + 1]
        s2 += d2 * d2 * inverse[j + 2]
        s3 += d3 * d3 * inverse[j + 3]
        j += 4
    while j < n:
        d0 = z[j] - mean[j]
        s0 += d0 * d0 * inverse[j]
        j += 1
    return (s0 + s2) + (s1 + s3)


cdef inline double class_score(Tree *t, Py_ssize_t leaf, const double *block) noexcept nogil:
    # Logarithm of prior times densities at the row in z and slot.
    cdef Py_ssize_t n = t.leaves[leaf].numbers, m = t.leaves[leaf].categories, j
    cdef const int32_t *columns = columns_of(t, leaf) + n
    cdef const double *mean = block + HEAD
    cdef const double *inverse = mean + 2 * t.numbers
    cdef const double *slots
    cdef double score = block[1], apart, product = 1.0
    cdef int64_t power = 0
    if not t.lacking:
        score -= 0.5 * distance(t.z, mean, inverse, n)
    else:
        for j in range(n):
            if t.z[j] == t.z[j]:
                apart = t.z[j] - mean[j]
                score -= 0.5 * (apart * apart * inverse[j])
            elif 0.0 < inverse[j] < CERTAIN:
                score -= 0.5 * (log_(inverse[j]) - 1.8378770664093453)
    for j in range(m):
        slots = block + t.offset[columns[j]]
        if t.slot[j] >= 0:
            product = mantissa(product * (slots[t.slot[j]] + 1.0), &power)
        else:
            product = mantissa(
                product * (block[0] - slots[t.slots[columns[j]]] + <double>t.slots[columns[j]]),
                &power,
            )
    if m:
        score += log_(product) + <double>power * LN2
    return score


cdef inline void score_classes(Tree *t, Py_ssize_t leaf) noexcept nogil:
    # Naive Bayes into `score`, as logarithms. A class that the leaf has not seen itself is out; when
    # it has seen none, the weights that it began with decide.
    cdef Py_ssize_t c
    cdef const double *block
    cdef bint seen = False
    cdef double lowest = bits_to_double(<uint64_t>0xFFF0000000000000)
    for c in range(t.k):
        block = block_of(t, leaf, c)
        if block == NULL:
            t.score[c] = lowest
        else:
            t.score[c] = class_score(t, leaf, block)
            seen = True
    if not seen:
        for c in range(t.k):
            t.score[c] = log_(t.counts[leaf * t.k + c])


cdef inline Py_ssize_t top(const double *values, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t best = 0, c
    for c in range(1, n):
        if values[c] > values[best]:
            best = c
    return best


cdef inline bint by_bayes(const Tree *t, Py_ssize_t leaf) noexcept nogil:
    # Which way of answering is used now.
    if t.answer == MAJORITY or not t.leaves[leaf].active:
        return False
    return t.answer == BAYES or t.leaves[leaf].bayes_right >= t.leaves[leaf].majority_right


cdef inline void majority_shares(const Tree *t, Py_ssize_t leaf, double *out) noexcept nogil:
    cdef Py_ssize_t c
    cdef double total = 0.0
    for c in range(t.k):
        total += t.counts[leaf * t.k + c]
    for c in range(t.k):
        out[c] = t.counts[leaf * t.k + c] / total if total > 0.0 else 1.0 / <double>t.k


cdef inline void bayes_shares(const Tree *t, Py_ssize_t leaf, double *out) noexcept nogil:
    cdef Py_ssize_t c, best = top(t.score, t.k)
    cdef double highest = t.score[best], total = 0.0
    if not (highest > -1e300):
        majority_shares(t, leaf, out)
        return
    for c in range(t.k):
        out[c] = 1.0 if c == best else exp_(t.score[c] - highest)
        total += out[c]
    for c in range(t.k):
        out[c] = out[c] / total


cdef inline Py_ssize_t leaf_answer(Tree *t, Py_ssize_t leaf) noexcept nogil:
    # The class that the leaf gives to the row at hand (naive Bayes must be scored).
    if by_bayes(t, leaf):
        return top(t.score, t.k)
    return top(t.counts + leaf * t.k, t.k)


# ------------------------------------------------------------------ learning


cdef inline void inverse_variances(double *block, Py_ssize_t room, Py_ssize_t n) noexcept nogil:
    # After an update without anything missing: sample variances, as in MOA and river.
    cdef double *squares = block + HEAD + room
    cdef double *inverse = squares + room
    cdef double rest = block[0] - 1.0, least = rest * LEAST_VARIANCE, q
    cdef Py_ssize_t j
    if not (rest > 0.0):
        for j in range(n):
            inverse[j] = CERTAIN
        return
    for j in range(n):
        q = rest / squares[j]
        inverse[j] = q if squares[j] > least else CERTAIN


cdef inline void block_learns(Tree *t, Py_ssize_t leaf, double *block, double w) noexcept nogil:
    # Weighted running mean and sum of squares of each number (West 1979), extremes, slot weights.
    cdef Py_ssize_t n = t.leaves[leaf].numbers, m = t.leaves[leaf].categories, room = t.numbers, j
    cdef const int32_t *columns = columns_of(t, leaf) + n
    cdef double *z = t.z
    cdef double *mean = block + HEAD
    cdef double *squares = mean + room
    cdef double *inverse = squares + room
    cdef double *least = inverse + room
    cdef double *greatest = least + room
    cdef double *gap = greatest + room
    cdef double *slots
    cdef bint first = block[0] == 0.0
    cdef double share, apart, to, own
    if first:
        for j in range(n):
            least[j] = 2.0 * LARGEST
            greatest[j] = -2.0 * LARGEST
    block[0] += w
    # The last place says whether anything was ever missing here.
    if not t.lacking and block[t.stride - 1] == 0.0:
        share = w / block[0]
        for j in range(n):
            apart = z[j] - mean[j]
            to = mean[j] + apart * share
            squares[j] += w * apart * (z[j] - to)
            mean[j] = to
            least[j] = z[j] if z[j] < least[j] else least[j]
            greatest[j] = z[j] if z[j] > greatest[j] else greatest[j]
        if t.answer != MAJORITY:
            inverse_variances(block, room, n)
    else:
        for j in range(n):
            if z[j] != z[j]:
                gap[j] += w
                block[t.stride - 1] = 1.0
                continue
            own = block[0] - gap[j]
            apart = z[j] - mean[j]
            mean[j] += apart * (w / own)
            squares[j] += w * apart * (z[j] - mean[j])
            least[j] = z[j] if z[j] < least[j] else least[j]
            greatest[j] = z[j] if z[j] > greatest[j] else greatest[j]
            if own > 1.0 and squares[j] > (own - 1.0) * LEAST_VARIANCE:
                inverse[j] = (own - 1.0) / squares[j]
            else:
                inverse[j] = CERTAIN
    for j in range(m):
        slots = block + t.offset[columns[j]]
        slots[t.slot[j] if t.slot[j] >= 0 else t.slots[columns[j]]] += w


cdef inline void spare_a_leaf(Tree *t) noexcept nogil:
    # The memory bound: the active leaf with least to gain (weight outside its majority class) stops
    # keeping statistics; it goes on counting classes.
    cdef Py_ssize_t i, c, worst = -1
    cdef double promise, least = 0.0, total
    for i in range(t.n_leaves):
        if not t.leaves[i].active or i == t.hand_leaf:
            continue
        total = 0.0
        for c in range(t.k):
            total += t.counts[i * t.k + c]
        promise = total - t.counts[i * t.k + top(t.counts + i * t.k, t.k)]
        if worst < 0 or promise < least:
            for c in range(t.k):
                if t.blocks_of[i * t.k + c] >= 0:
                    worst = i
                    least = promise
                    break
    if worst >= 0:
        t.leaves[worst].active = 0
        give_blocks(t, worst)


cdef inline void leaf_learns(Tree *t, Py_ssize_t leaf, Py_ssize_t c, double w) noexcept nogil:
    # The row at hand (seen, and scored if the leaf may answer by naive Bayes) with its class.
    cdef Leaf *l = &t.leaves[leaf]
    cdef double *counts = t.counts + leaf * t.k
    cdef double *block
    cdef int32_t b
    if t.answer == ADAPTIVE and l.active:
        if counts[top(counts, t.k)] > 0.0:
            if top(counts, t.k) == c:
                l.majority_right += w
            if top(t.score, t.k) == c:
                l.bayes_right += w
    counts[c] += w
    if not l.active:
        return
    b = t.blocks_of[leaf * t.k + c]
    if b < 0:
        if t.most_bytes > 0.0 and bytes_used(t) + t.stride * sizeof(double) > t.most_bytes:
            spare_a_leaf(t)
            if bytes_used(t) + t.stride * sizeof(double) > t.most_bytes:
                l.active = 0
                give_blocks(t, leaf)
                return
        b = take_block(t)
        if b < 0:
            t.failed = 1
            return
        t.blocks_of[leaf * t.k + c] = b
    block = t.blocks + b * t.stride
    block_learns(t, leaf, block, w)
    if t.answer != MAJORITY:
        set_constant(t, leaf, c, block)


cdef inline void leaf_fades(Tree *t, Py_ssize_t leaf) noexcept nogil:
    # All that was learned counts a little less. A class's variances are worked out anew only when
    # a row of it comes; until then only its prior falls, as everyone's does.
    cdef double f = t.fading, lower = log_(t.fading)
    cdef double *block
    cdef Py_ssize_t c, j, first = HEAD + PER_NUMBER * t.numbers
    for c in range(t.k):
        t.counts[leaf * t.k + c] = t.counts[leaf * t.k + c] * f
        block = block_of(t, leaf, c)
        if block == NULL:
            continue
        block[0] = block[0] * f
        block[1] += lower
        for j in range(t.numbers):
            block[HEAD + t.numbers + j] = block[HEAD + t.numbers + j] * f
            block[HEAD + 5 * t.numbers + j] = block[HEAD + 5 * t.numbers + j] * f
        for j in range(first, t.stride - 1):
            block[j] = block[j] * f
