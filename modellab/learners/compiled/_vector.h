/* Four numbers at a time, for the loops of the linear models.

   Every operation is that of IEEE 754 on each of the four by itself, and the order of all sums is
   written out: the bits are those of the plain loop, whatever instructions the compiler has.
   Sizes `n` are multiples of 4; the columns that fill them up hold 0 everywhere. */
#ifndef MODELLAB_VECTOR_H
#define MODELLAB_VECTOR_H
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include "_exp_table.h"

#if defined(__AVX2__)
#include <immintrin.h>
#elif defined(__SSE2__)
#include <emmintrin.h>
#endif

#if defined(__GNUC__)
#define LAB_INLINE static inline __attribute__((always_inline))
#else
#define LAB_INLINE static __forceinline
#endif

#if defined(__AVX2__) && defined(__GNUC__)

/* ------------------------------------------------------------------ AVX2 */

typedef __m256d vec;
LAB_INLINE vec vec_of(double a, double b, double c, double d) { return _mm256_setr_pd(a, b, c, d); }
LAB_INLINE vec vec_all(double a) { return _mm256_set1_pd(a); }
LAB_INLINE vec vec_load(const double *p) { return _mm256_loadu_pd(p); }
LAB_INLINE void vec_store(double *p, vec a) { _mm256_storeu_pd(p, a); }
LAB_INLINE vec vec_add(vec a, vec b) { return _mm256_add_pd(a, b); }
LAB_INLINE vec vec_sub(vec a, vec b) { return _mm256_sub_pd(a, b); }
LAB_INLINE vec vec_mul(vec a, vec b) { return _mm256_mul_pd(a, b); }
LAB_INLINE vec vec_div(vec a, vec b) { return _mm256_div_pd(a, b); }
LAB_INLINE vec vec_sqrt(vec a) { return _mm256_sqrt_pd(a); }
LAB_INLINE vec vec_above(vec c, vec d, vec a, vec b)
{
    return _mm256_blendv_pd(b, a, _mm256_cmp_pd(c, d, _CMP_GT_OQ));
}
LAB_INLINE int vec_within(vec x, double low, double high)
{
    return _mm256_movemask_pd(_mm256_and_pd(_mm256_cmp_pd(x, vec_all(low), _CMP_GT_OQ),
                                            _mm256_cmp_pd(x, vec_all(high), _CMP_LT_OQ))) == 15;
}
/* whether all of them are nearer to 0 than `limit` */
LAB_INLINE int vec_near(vec a, vec b, vec c, double limit)
{
    const vec most = vec_all(limit), sign = vec_all(-0.0);
    const vec first = _mm256_cmp_pd(_mm256_andnot_pd(sign, a), most, _CMP_LT_OQ);
    const vec second = _mm256_cmp_pd(_mm256_andnot_pd(sign, b), most, _CMP_LT_OQ);
    const vec third = _mm256_cmp_pd(_mm256_andnot_pd(sign, c), most, _CMP_LT_OQ);
    return _mm256_movemask_pd(_mm256_and_pd(_mm256_and_pd(first, second), third)) == 15;
}
LAB_INLINE double vec_sum(vec a, vec b)
{
    vec pairs = _mm256_add_pd(_mm256_unpacklo_pd(a, b), _mm256_unpackhi_pd(a, b));
    __m128d both = _mm_add_pd(_mm256_castpd256_pd128(pairs), _mm256_extractf128_pd(pairs, 1));
    return _mm_cvtsd_f64(_mm_add_sd(both, _mm_unpackhi_pd(both, both)));
}
/* the same in all four places */
LAB_INLINE vec vec_sum_all(vec a, vec b)
{
    const vec pairs = _mm256_add_pd(_mm256_unpacklo_pd(a, b), _mm256_unpackhi_pd(a, b));
    const vec both = _mm256_add_pd(pairs, _mm256_permute2f128_pd(pairs, pairs, 1));
    return _mm256_add_pd(both, _mm256_permute_pd(both, 5));
}
LAB_INLINE vec vec_minus(vec a) { return _mm256_xor_pd(a, _mm256_set1_pd(-0.0)); }
LAB_INLINE double vec_first(vec a) { return _mm256_cvtsd_f64(a); }
LAB_INLINE void vec_store_first(double *p, vec a) { _mm_store_sd(p, _mm256_castpd256_pd128(a)); }
LAB_INLINE vec vec_all_second(vec a)
{
    return _mm256_broadcastsd_pd(_mm_permute_pd(_mm256_castpd256_pd128(a), 1));
}
/* a0, b0, a0, b0 */
LAB_INLINE vec vec_twice(vec a, vec b)
{
    const __m128d pair
        = _mm_unpacklo_pd(_mm256_castpd256_pd128(a), _mm256_castpd256_pd128(b));
    return _mm256_insertf128_pd(_mm256_castpd128_pd256(pair), pair, 1);
}
/* which of them are above those of b: four bits */
LAB_INLINE int vec_bits_above(vec a, vec b)
{
    return _mm256_movemask_pd(_mm256_cmp_pd(a, b, _CMP_GT_OQ));
}
/* a0, b0, a1, b1, ... */
LAB_INLINE void vec_store_pairs(double *p, vec a, vec b)
{
    const vec even = _mm256_unpacklo_pd(a, b), odd = _mm256_unpackhi_pd(a, b);
    vec_store(p, _mm256_permute2f128_pd(even, odd, 0x20));
    vec_store(p + 4, _mm256_permute2f128_pd(even, odd, 0x31));
}
LAB_INLINE vec vec_table(vec k, vec *rest)
{
    const __m256i low = _mm256_set1_epi64x(127);
    const __m256i bits = _mm256_castpd_si256(k); /* the rounding left 52 bits to the whole number */
    const __m256i index = _mm256_slli_epi64(_mm256_and_si256(bits, low), 1);
    const double *table = (const double *)modellab_exp_table;
    const int64_t i0 = _mm256_extract_epi64(index, 0), i1 = _mm256_extract_epi64(index, 1);
    const int64_t i2 = _mm256_extract_epi64(index, 2), i3 = _mm256_extract_epi64(index, 3);
    const vec a = _mm256_insertf128_pd(_mm256_castpd128_pd256(_mm_loadu_pd(table + i0)),
                                       _mm_loadu_pd(table + i2), 1);
    const vec b = _mm256_insertf128_pd(_mm256_castpd128_pd256(_mm_loadu_pd(table + i1)),
                                       _mm_loadu_pd(table + i3), 1);
    const __m256i power = _mm256_slli_epi64(
        _mm256_srli_epi64(_mm256_sub_epi64(bits, _mm256_set1_epi64x(0x4338000000000000)), 7), 52);
    *rest = _mm256_unpacklo_pd(a, b);
    return _mm256_castsi256_pd(
        _mm256_add_epi64(_mm256_castpd_si256(_mm256_unpackhi_pd(a, b)), power));
}
/* the same where all four are equal, and where the last two are the first two */
LAB_INLINE vec vec_table_all(vec k, vec *rest)
{
    const uint64_t bits = (uint64_t)_mm_cvtsi128_si64(
        _mm_castpd_si128(_mm256_castpd256_pd128(k))) - 0x4338000000000000u;
    const uint64_t *entry = modellab_exp_table + 2 * (bits & 127);
    *rest = _mm256_broadcast_sd((const double *)entry);
    return _mm256_castsi256_pd(_mm256_set1_epi64x((int64_t)(entry[1] + ((bits >> 7) << 52))));
}
LAB_INLINE vec vec_table_pair(vec k, vec *rest)
{
    const __m128i low = _mm_set1_epi64x(127);
    const __m128i bits = _mm_castpd_si128(_mm256_castpd256_pd128(k));
    const __m128i index = _mm_slli_epi64(_mm_and_si128(bits, low), 1);
    const double *table = (const double *)modellab_exp_table;
    const __m128d a = _mm_loadu_pd(table + _mm_cvtsi128_si64(index));
    const __m128d b = _mm_loadu_pd(table + _mm_extract_epi64(index, 1));
    const __m128i power = _mm_slli_epi64(
        _mm_srli_epi64(_mm_sub_epi64(bits, _mm_set1_epi64x(0x4338000000000000)), 7), 52);
    const __m128d found = _mm_castsi128_pd(
        _mm_add_epi64(_mm_castpd_si128(_mm_unpackhi_pd(a, b)), power));
    const __m128d left = _mm_unpacklo_pd(a, b);
    *rest = _mm256_insertf128_pd(_mm256_castpd128_pd256(left), left, 1);
    return _mm256_insertf128_pd(_mm256_castpd128_pd256(found), found, 1);
}

#else

/* ------------------------------------------------------------------ pairs, or one by one */

#if defined(__GNUC__)
typedef double pair __attribute__((vector_size(16)));
typedef int64_t pairbits __attribute__((vector_size(16)));
LAB_INLINE pair pair_of(double a, double b) { return (pair){a, b}; }
LAB_INLINE pair pair_add(pair a, pair b) { return a + b; }
LAB_INLINE pair pair_sub(pair a, pair b) { return a - b; }
LAB_INLINE pair pair_mul(pair a, pair b) { return a * b; }
LAB_INLINE pair pair_div(pair a, pair b) { return a / b; }
LAB_INLINE double pair_at(pair a, int i) { return a[i]; }
LAB_INLINE pair pair_above(pair c, pair d, pair a, pair b)
{
    pairbits mask = c > d;
    return (pair)((mask & (pairbits)a) | (~mask & (pairbits)b));
}
#else
typedef struct { double v[2]; } pair;
LAB_INLINE pair pair_of(double a, double b)
{
    pair r;
    r.v[0] = a;
    r.v[1] = b;
    return r;
}
LAB_INLINE pair pair_add(pair a, pair b) { return pair_of(a.v[0] + b.v[0], a.v[1] + b.v[1]); }
LAB_INLINE pair pair_sub(pair a, pair b) { return pair_of(a.v[0] - b.v[0], a.v[1] - b.v[1]); }
LAB_INLINE pair pair_mul(pair a, pair b) { return pair_of(a.v[0] * b.v[0], a.v[1] * b.v[1]); }
LAB_INLINE pair pair_div(pair a, pair b) { return pair_of(a.v[0] / b.v[0], a.v[1] / b.v[1]); }
LAB_INLINE double pair_at(pair a, int i) { return a.v[i]; }
LAB_INLINE pair pair_above(pair c, pair d, pair a, pair b)
{
    return pair_of(c.v[0] > d.v[0] ? a.v[0] : b.v[0], c.v[1] > d.v[1] ? a.v[1] : b.v[1]);
}
#endif

LAB_INLINE pair pair_sqrt(pair a)
{
#if defined(__SSE2__)
    return (pair)_mm_sqrt_pd((__m128d)a);
#else
    return pair_of(sqrt(pair_at(a, 0)), sqrt(pair_at(a, 1)));
#endif
}

typedef struct { pair lo, hi; } vec;
LAB_INLINE vec vec_join(pair lo, pair hi)
{
    vec r;
    r.lo = lo;
    r.hi = hi;
    return r;
}
LAB_INLINE vec vec_of(double a, double b, double c, double d)
{
    return vec_join(pair_of(a, b), pair_of(c, d));
}
LAB_INLINE vec vec_all(double a) { return vec_join(pair_of(a, a), pair_of(a, a)); }
LAB_INLINE vec vec_load(const double *p)
{
    vec r;
    memcpy(&r.lo, p, sizeof r.lo);
    memcpy(&r.hi, p + 2, sizeof r.hi);
    return r;
}
LAB_INLINE void vec_store(double *p, vec a)
{
    memcpy(p, &a.lo, sizeof a.lo);
    memcpy(p + 2, &a.hi, sizeof a.hi);
}
LAB_INLINE vec vec_add(vec a, vec b) { return vec_join(pair_add(a.lo, b.lo), pair_add(a.hi, b.hi)); }
LAB_INLINE vec vec_sub(vec a, vec b) { return vec_join(pair_sub(a.lo, b.lo), pair_sub(a.hi, b.hi)); }
LAB_INLINE vec vec_mul(vec a, vec b) { return vec_join(pair_mul(a.lo, b.lo), pair_mul(a.hi, b.hi)); }
LAB_INLINE vec vec_div(vec a, vec b) { return vec_join(pair_div(a.lo, b.lo), pair_div(a.hi, b.hi)); }
LAB_INLINE vec vec_sqrt(vec a) { return vec_join(pair_sqrt(a.lo), pair_sqrt(a.hi)); }
/* a where c > d, else b */
LAB_INLINE vec vec_above(vec c, vec d, vec a, vec b)
{
    return vec_join(pair_above(c.lo, d.lo, a.lo, b.lo), pair_above(c.hi, d.hi, a.hi, b.hi));
}
/* whether low < x < high in all four (a value that is no number is not) */
LAB_INLINE int vec_within(vec x, double low, double high)
{
    int first = pair_at(x.lo, 0) > low && pair_at(x.lo, 0) < high;
    int second = pair_at(x.lo, 1) > low && pair_at(x.lo, 1) < high;
    int third = pair_at(x.hi, 0) > low && pair_at(x.hi, 0) < high;
    int fourth = pair_at(x.hi, 1) > low && pair_at(x.hi, 1) < high;
    return first & second & third & fourth;
}
/* whether all of them are nearer to 0 than `limit` */
LAB_INLINE int vec_near(vec a, vec b, vec c, double limit)
{
    return vec_within(a, -limit, limit) & vec_within(b, -limit, limit)
           & vec_within(c, -limit, limit);
}
/* ((a0 + a1) + (a2 + a3)) + ((b0 + b1) + (b2 + b3)) */
LAB_INLINE double vec_sum(vec a, vec b)
{
    return ((pair_at(a.lo, 0) + pair_at(a.lo, 1)) + (pair_at(a.hi, 0) + pair_at(a.hi, 1)))
           + ((pair_at(b.lo, 0) + pair_at(b.lo, 1)) + (pair_at(b.hi, 0) + pair_at(b.hi, 1)));
}
LAB_INLINE vec vec_sum_all(vec a, vec b) { return vec_all(vec_sum(a, b)); }
LAB_INLINE vec vec_minus(vec a) { return vec_mul(a, vec_all(-1.0)); }
LAB_INLINE double vec_first(vec a) { return pair_at(a.lo, 0); }
LAB_INLINE void vec_store_first(double *p, vec a) { *p = pair_at(a.lo, 0); }
LAB_INLINE vec vec_all_second(vec a) { return vec_all(pair_at(a.lo, 1)); }
/* a0, b0, a0, b0 */
LAB_INLINE vec vec_twice(vec a, vec b)
{
    const pair both = pair_of(pair_at(a.lo, 0), pair_at(b.lo, 0));
    return vec_join(both, both);
}
/* which of them are above those of b: four bits */
LAB_INLINE int vec_bits_above(vec a, vec b)
{
    return (pair_at(a.lo, 0) > pair_at(b.lo, 0)) | (pair_at(a.lo, 1) > pair_at(b.lo, 1)) << 1
           | (pair_at(a.hi, 0) > pair_at(b.hi, 0)) << 2
           | (pair_at(a.hi, 1) > pair_at(b.hi, 1)) << 3;
}
/* a0, b0, a1, b1, ... */
LAB_INLINE void vec_store_pairs(double *p, vec a, vec b)
{
    vec_store(p, vec_of(pair_at(a.lo, 0), pair_at(b.lo, 0), pair_at(a.lo, 1), pair_at(b.lo, 1)));
    vec_store(p + 4, vec_of(pair_at(a.hi, 0), pair_at(b.hi, 0), pair_at(a.hi, 1), pair_at(b.hi, 1)));
}
/* what `exp_part` looks up for the rounded k: the powers of two; `rest` of the table's entries */
LAB_INLINE vec vec_table(vec k, vec *rest)
{
    double whole[4], low[4], high[4];
    int i;
    vec_store(whole, k);
    for (i = 0; i < 4; i++) {
        uint64_t bits, index, power;
        memcpy(&bits, whole + i, sizeof bits);
        bits -= 0x4338000000000000u;
        index = 2 * (bits & 127);
        power = modellab_exp_table[index + 1] + ((bits >> 7) << 52);
        memcpy(low + i, modellab_exp_table + index, sizeof(double));
        memcpy(high + i, &power, sizeof(double));
    }
    *rest = vec_load(low);
    return vec_load(high);
}
/* the same where all four are equal, and where the last two are the first two */
LAB_INLINE vec vec_table_all(vec k, vec *rest) { return vec_table(k, rest); }
LAB_INLINE vec vec_table_pair(vec k, vec *rest) { return vec_table(k, rest); }
#endif

/* the first `left` of four, and 0 */
LAB_INLINE vec vec_part(const double *p, ptrdiff_t left)
{
    if (left >= 4)
        return vec_load(p);
    return vec_of(p[0], left > 1 ? p[1] : 0.0, left > 2 ? p[2] : 0.0, 0.0);
}

/* e to the power of each, as `exp_` of _math.pxd to the bit; all within (-660, 709). */
#define LAB_EXP_SHIFT 6755399441055744.0 /* 1.5 * 2^52: adding it rounds to a whole number */
LAB_INLINE vec vec_exp_steps(vec x)
{
    return vec_add(vec_mul(x, vec_all(MODELLAB_EXP_STEPS_PER_UNIT)), vec_all(LAB_EXP_SHIFT));
}
LAB_INLINE vec vec_exp_of(vec x, vec k, vec scale, vec rest)
{
    vec r, r2, part;
    k = vec_sub(k, vec_all(LAB_EXP_SHIFT));
    r = vec_sub(vec_sub(x, vec_mul(k, vec_all(MODELLAB_EXP_STEP_HIGH))),
                vec_mul(k, vec_all(MODELLAB_EXP_STEP_LOW)));
    r2 = vec_mul(r, r);
    part = vec_add(
        vec_add(rest, r),
        vec_add(vec_mul(r2, vec_add(vec_all(0.5), vec_mul(r, vec_all(0.16666666666666666)))),
                vec_mul(vec_mul(r2, r2),
                        vec_add(vec_all(0.041666666666666664),
                                vec_mul(r, vec_all(0.008333333333333333))))));
    return vec_add(scale, vec_mul(scale, part));
}
LAB_INLINE vec vec_exp(vec x)
{
    const vec k = vec_exp_steps(x);
    vec rest, scale = vec_table(k, &rest);
    return vec_exp_of(x, k, scale, rest);
}
/* The same where all four are equal, and where the last two are the first two. */
LAB_INLINE vec vec_exp_all(vec x)
{
    const vec k = vec_exp_steps(x);
    vec rest, scale = vec_table_all(k, &rest);
    return vec_exp_of(x, k, scale, rest);
}
LAB_INLINE vec vec_exp_pair(vec x)
{
    const vec k = vec_exp_steps(x);
    vec rest, scale = vec_table_pair(k, &rest);
    return vec_exp_of(x, k, scale, rest);
}

/* ------------------------------------------------------------------ one model */

/* Eight independent sums, added up as a tree. A sum of nothing but -0 is -0, where one that begins
   at 0 is 0; what is added next is a bias, which never is -0, and makes both the same. */
LAB_INLINE double lab_dot(const double *a, const double *b, ptrdiff_t n)
{
    vec s = vec_mul(vec_load(a), vec_load(b)), t = vec_all(0.0);
    ptrdiff_t j = 8;
    if (n > 4)
        t = vec_mul(vec_load(a + 4), vec_load(b + 4));
    for (; j + 8 <= n; j += 8) {
        s = vec_add(s, vec_mul(vec_load(a + j), vec_load(b + j)));
        t = vec_add(t, vec_mul(vec_load(a + j + 4), vec_load(b + j + 4)));
    }
    if (j < n)
        s = vec_add(s, vec_mul(vec_load(a + j), vec_load(b + j)));
    return vec_sum(s, t);
}

/* The same of one vector of weights with two rows. */
LAB_INLINE void lab_two_dots(const double *w, const double *x, const double *z, ptrdiff_t n,
                             double *first, double *second)
{
    vec v = vec_load(w), a = vec_mul(v, vec_load(x)), s = vec_mul(v, vec_load(z));
    vec b = vec_all(0.0), t = b;
    ptrdiff_t j = 8;
    if (n > 4) {
        v = vec_load(w + 4);
        b = vec_mul(v, vec_load(x + 4));
        t = vec_mul(v, vec_load(z + 4));
    }
    for (; j + 8 <= n; j += 8) {
        v = vec_load(w + j);
        a = vec_add(a, vec_mul(v, vec_load(x + j)));
        s = vec_add(s, vec_mul(v, vec_load(z + j)));
        v = vec_load(w + j + 4);
        b = vec_add(b, vec_mul(v, vec_load(x + j + 4)));
        t = vec_add(t, vec_mul(v, vec_load(z + j + 4)));
    }
    if (j < n) {
        v = vec_load(w + j);
        a = vec_add(a, vec_mul(v, vec_load(x + j)));
        s = vec_add(s, vec_mul(v, vec_load(z + j)));
    }
    *first = vec_sum(a, b);
    *second = vec_sum(s, t);
}

/* w <- w shrink + update z */
LAB_INLINE void lab_step(double *w, const double *z, ptrdiff_t n, double shrink, double update)
{
    const vec s = vec_all(shrink), u = vec_all(update);
    ptrdiff_t j = 0;
    if (shrink == 1.0) {
        for (; j + 8 <= n; j += 8) {
            vec_store(w + j, vec_add(vec_load(w + j), vec_mul(u, vec_load(z + j))));
            vec_store(w + j + 4, vec_add(vec_load(w + j + 4), vec_mul(u, vec_load(z + j + 4))));
        }
        if (j < n)
            vec_store(w + j, vec_add(vec_load(w + j), vec_mul(u, vec_load(z + j))));
        return;
    }
    for (; j + 8 <= n; j += 8) {
        vec_store(w + j, vec_add(vec_mul(vec_load(w + j), s), vec_mul(u, vec_load(z + j))));
        vec_store(w + j + 4,
                  vec_add(vec_mul(vec_load(w + j + 4), s), vec_mul(u, vec_load(z + j + 4))));
    }
    if (j < n)
        vec_store(w + j, vec_add(vec_mul(vec_load(w + j), s), vec_mul(u, vec_load(z + j))));
}

/* Whether the d values of x have a sum of squares of at most `limit`: exactly when none is NaN,
   infinite or enormous. */
LAB_INLINE int lab_usable(const double *x, ptrdiff_t d, double limit)
{
    vec s = vec_all(0.0), t = s, v;
    ptrdiff_t j = 0;
    for (; j + 8 <= d; j += 8) {
        v = vec_load(x + j);
        s = vec_add(s, vec_mul(v, v));
        v = vec_load(x + j + 4);
        t = vec_add(t, vec_mul(v, v));
    }
    for (; j < d; j += 4) {
        v = vec_part(x + j, d - j);
        s = vec_add(s, vec_mul(v, v));
    }
    return vec_sum(s, t) <= limit;
}

/* z <- x on the statistics as they are */
LAB_INLINE void lab_see(const double *x, ptrdiff_t d, const double *mean, const double *inverse,
                        double *z)
{
    ptrdiff_t j = 0;
    for (; j + 4 <= d; j += 4)
        vec_store(z + j, vec_mul(vec_sub(vec_load(x + j), vec_load(mean + j)),
                                 vec_load(inverse + j)));
    if (j < d)
        vec_store(z + j, vec_mul(vec_sub(vec_part(x + j, d - j), vec_load(mean + j)),
                                 vec_load(inverse + j)));
}

/* towards 0 by `cut`, and no further: one of the two terms is 0 */
LAB_INLINE vec vec_towards_zero(vec w, vec cut)
{
    const vec none = vec_all(0.0), above = vec_sub(w, cut), below = vec_add(w, cut);
    return vec_add(vec_above(above, none, above, none), vec_above(none, below, below, none));
}

LAB_INLINE void lab_copy(const double *x, ptrdiff_t d, double *z)
{
    ptrdiff_t j = 0;
    for (; j + 4 <= d; j += 4)
        vec_store(z + j, vec_load(x + j));
    if (j < d)
        vec_store(z + j, vec_part(x + j, d - j));
}

/* Four columns of `lab_scaler_learns`. */
LAB_INLINE void lab_scale_four(vec x, vec share, double *mean, double *variance, double *inverse,
                               double *before, double *z)
{
    const vec none = vec_all(0.0);
    vec m = vec_load(mean), s = vec_load(variance), delta = vec_sub(x, m), i = vec_load(inverse);
    vec apart;
    vec_store(before, vec_mul(delta, i));
    m = vec_add(m, vec_mul(delta, share));
    apart = vec_sub(x, m);
    s = vec_add(s, vec_mul(vec_sub(vec_mul(delta, apart), s), share));
    i = vec_above(s, none, vec_div(vec_all(1.0), vec_sqrt(s)), none);
    vec_store(mean, m);
    vec_store(variance, s);
    vec_store(inverse, i);
    vec_store(z, vec_mul(apart, i));
}

/* Welford's running mean and variance take in x: `before` is x on the old statistics, `z` on the
   new ones. */
LAB_INLINE void lab_scaler_learns(const double *x, ptrdiff_t d, double share, double *mean,
                                  double *variance, double *inverse, double *before, double *z)
{
    const vec part = vec_all(share);
    ptrdiff_t j;
    for (j = 0; j < d; j += 4)
        lab_scale_four(vec_part(x + j, d - j), part, mean + j, variance + j, inverse + j,
                       before + j, z + j);
}

/* ------------------------------------------------------------------ answers of two classes */

/* The shares of both classes, in pairs, at four scores; 0, and nothing written, where one is far out
   and takes another formula. */
LAB_INLINE int lab_near_shares(const double *score, double *shares)
{
    const vec p = vec_load(score), one = vec_all(1.0);
    vec second;
    if (!vec_within(p, -37.0, 660.0))
        return 0;
    second = vec_div(one, vec_add(one, vec_exp(vec_mul(p, vec_all(-1.0)))));
    vec_store_pairs(shares, vec_sub(one, second), second);
    return 1;
}
#endif
