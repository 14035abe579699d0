/* Many linear models beside one another, for the loops over them: what `_vector.h` is for one. */
#ifndef MODELLAB_LANES_H
#define MODELLAB_LANES_H
#include "_vector.h"

/* ------------------------------------------------------------------ the carried rates */

/* So many models beside one another; weights lie column by column, (d, LAB_LANES). */
#define LAB_LANES 12

/* score of each: its bias, then w z column by column */
LAB_INLINE void lab_rates_score(const double *w, const double *z, ptrdiff_t d, const double *bias,
                                double *score)
{
    vec a = vec_load(bias), b = vec_load(bias + 4), c = vec_load(bias + 8);
    ptrdiff_t j;
    for (j = 0; j < d; j++, w += LAB_LANES) {
        const vec v = vec_all(z[j]);
        a = vec_add(a, vec_mul(vec_load(w), v));
        b = vec_add(b, vec_mul(vec_load(w + 4), v));
        c = vec_add(c, vec_mul(vec_load(w + 8), v));
    }
    vec_store(score, a);
    vec_store(score + 4, b);
    vec_store(score + 8, c);
}

/* w <- w shrink + update z */
LAB_INLINE void lab_rates_step(double *w, const double *z, ptrdiff_t d, const double *shrink,
                               const double *update)
{
    const vec s = vec_load(shrink), t = vec_load(shrink + 4), r = vec_load(shrink + 8);
    const vec u = vec_load(update), v = vec_load(update + 4), p = vec_load(update + 8);
    ptrdiff_t j;
    for (j = 0; j < d; j++, w += LAB_LANES) {
        const vec x = vec_all(z[j]);
        vec_store(w, vec_add(vec_mul(vec_load(w), s), vec_mul(u, x)));
        vec_store(w + 4, vec_add(vec_mul(vec_load(w + 4), t), vec_mul(v, x)));
        vec_store(w + 8, vec_add(vec_mul(vec_load(w + 8), r), vec_mul(p, x)));
    }
}

/* Slopes of the log loss at four scores, for the label y (0 or 1), cut off at `limit`; 0, and
   nothing written, where a score is not between `lowest` and 660: that takes another formula. */
LAB_INLINE int lab_log_slopes(const double *score, double y, double lowest, double limit,
                              double *steep)
{
    const vec p = vec_load(score), one = vec_all(1.0);
    vec e, g;
    if (!vec_within(p, lowest, 660.0))
        return 0;
    e = vec_exp(vec_mul(p, vec_all(-1.0)));
    g = vec_div(vec_sub(vec_all(1.0 - y), vec_mul(vec_all(y), e)), vec_add(one, e));
    g = vec_above(vec_all(-limit), g, vec_all(-limit), g);
    g = vec_above(g, vec_all(limit), vec_all(limit), g);
    vec_store(steep, g);
    return 1;
}

/* ------------------------------------------------------------------ the learning-rate map */

/* Eight models at a time; the weights of one column lie `stride` after those of the column before. */
typedef struct { vec a, b, p, q; } lab_four;

LAB_INLINE lab_four lab_four_add(lab_four x, lab_four y)
{
    x.a = vec_add(x.a, y.a);
    x.b = vec_add(x.b, y.b);
    x.p = vec_add(x.p, y.p);
    x.q = vec_add(x.q, y.q);
    return x;
}

/* One of the eight sums of `lab_dot`, that of the columns r, r + 8, ...; of x, and of z if `two`. */
LAB_INLINE lab_four lab_part_sums(const double *w, ptrdiff_t stride, const double *x,
                                  const double *z, ptrdiff_t r, ptrdiff_t d, int two)
{
    lab_four s;
    ptrdiff_t j;
    s.a = s.b = s.p = s.q = vec_all(0.0);
    for (j = r; j < d; j += 8) {
        const vec v = vec_load(w + j * stride), u = vec_load(w + j * stride + 4);
        const vec first = vec_all(x[j]), second = vec_all(z[j]);
        s.a = vec_add(s.a, vec_mul(v, first));
        s.b = vec_add(s.b, vec_mul(u, first));
        if (!two)
            continue;
        s.p = vec_add(s.p, vec_mul(v, second));
        s.q = vec_add(s.q, vec_mul(u, second));
    }
    return s;
}

LAB_INLINE lab_four lab_all_sums(const double *w, ptrdiff_t stride, const double *x,
                                 const double *z, ptrdiff_t d, int two)
{
#define LAB_PART(r) lab_part_sums(w, stride, x, z, r, d, two)
    lab_four s = lab_four_add(LAB_PART(0), LAB_PART(1)), t;
    s = lab_four_add(s, lab_four_add(LAB_PART(2), LAB_PART(3)));
    if (d > 4) {
        t = lab_four_add(LAB_PART(4), LAB_PART(5));
        s = lab_four_add(s, lab_four_add(t, lab_four_add(LAB_PART(6), LAB_PART(7))));
    }
#undef LAB_PART
    return s;
}

/* Scores of eight models for the rows x and z, which may be the same: each is `lab_dot` and its
   bias. */
LAB_INLINE void lab_map_scores(const double *w, ptrdiff_t stride, const double *x, const double *z,
                               ptrdiff_t d, const double *bias, double *first, double *second)
{
    lab_four s;
    if (x == z) {
        s = lab_all_sums(w, stride, x, z, d, 0);
        s.p = s.a;
        s.q = s.b;
    } else {
        s = lab_all_sums(w, stride, x, z, d, 1);
    }
    vec_store(first, vec_add(s.a, vec_load(bias)));
    vec_store(first + 4, vec_add(s.b, vec_load(bias + 4)));
    vec_store(second, vec_add(s.p, vec_load(bias)));
    vec_store(second + 4, vec_add(s.q, vec_load(bias + 4)));
}

/* w <- w shrink + update z, then (cut above 0) towards 0 by `cut` */
LAB_INLINE void lab_map_step(double *w, ptrdiff_t stride, const double *z, ptrdiff_t d,
                             const double *shrink, const double *update, const double *cut, int cuts)
{
    const vec s = vec_load(shrink), t = vec_load(shrink + 4);
    const vec u = vec_load(update), v = vec_load(update + 4);
    ptrdiff_t j;
    int i;
    for (j = 0; j < d; j++, w += stride) {
        const vec x = vec_all(z[j]);
        vec_store(w, vec_add(vec_mul(vec_load(w), s), vec_mul(u, x)));
        vec_store(w + 4, vec_add(vec_mul(vec_load(w + 4), t), vec_mul(v, x)));
        if (cuts)
            for (i = 0; i < 8; i++) {
                const double above = w[i] - cut[i], below = w[i] + cut[i];
                w[i] = (above > 0.0 ? above : 0.0) + (below < 0.0 ? below : 0.0);
            }
    }
}
#endif
