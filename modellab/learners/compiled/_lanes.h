/* Many linear models beside one another, for the loops over them: what `_vector.h` is for one. */
#ifndef MODELLAB_LANES_H
#define MODELLAB_LANES_H
#include "_vector.h"

/* ------------------------------------------------------------------ the carried rates */

/* So many models beside one another; weights lie column by column, (d, LAB_LANES). */
#define LAB_LANES 12
#define LAB_ADAGRAD_FLOOR 1e-8

/* Three vectors, one for each four of the models. */
typedef struct { vec a, b, c; } lab_twelve;

LAB_INLINE lab_twelve lab_twelve_load(const double *p)
{
    lab_twelve t;
    t.a = vec_load(p);
    t.b = vec_load(p + 4);
    t.c = vec_load(p + 8);
    return t;
}

LAB_INLINE void lab_twelve_store(double *p, lab_twelve t)
{
    vec_store(p, t.a);
    vec_store(p + 4, t.b);
    vec_store(p + 8, t.c);
}

LAB_INLINE lab_twelve lab_twelve_add(lab_twelve s, lab_twelve t)
{
    s.a = vec_add(s.a, t.a);
    s.b = vec_add(s.b, t.b);
    s.c = vec_add(s.c, t.c);
    return s;
}

/* s + w x */
LAB_INLINE lab_twelve lab_twelve_more(lab_twelve s, lab_twelve w, vec x)
{
    s.a = vec_add(s.a, vec_mul(w.a, x));
    s.b = vec_add(s.b, vec_mul(w.b, x));
    s.c = vec_add(s.c, vec_mul(w.c, x));
    return s;
}

/* w shrink + update x */
LAB_INLINE lab_twelve lab_twelve_step(lab_twelve w, lab_twelve shrink, lab_twelve update, vec x)
{
    w.a = vec_add(vec_mul(w.a, shrink.a), vec_mul(update.a, x));
    w.b = vec_add(vec_mul(w.b, shrink.b), vec_mul(update.b, x));
    w.c = vec_add(vec_mul(w.c, shrink.c), vec_mul(update.c, x));
    return w;
}

/* score of each: its bias, then w z column by column */
LAB_INLINE void lab_rates_score(const double *w, const double *z, ptrdiff_t d, const double *bias,
                                double *score)
{
    lab_twelve s = lab_twelve_load(bias);
    ptrdiff_t j;
    for (j = 0; j < d; j++, w += LAB_LANES)
        s = lab_twelve_more(s, lab_twelve_load(w), vec_all(z[j]));
    lab_twelve_store(score, s);
}

/* w <- w shrink + update z */
LAB_INLINE void lab_rates_step(double *w, const double *z, ptrdiff_t d, const double *shrink,
                               const double *update)
{
    const lab_twelve s = lab_twelve_load(shrink), u = lab_twelve_load(update);
    ptrdiff_t j;
    for (j = 0; j < d; j++, w += LAB_LANES)
        lab_twelve_store(w, lab_twelve_step(lab_twelve_load(w), s, u, vec_all(z[j])));
}

/* Once over the weights: the step along `past` that is still due, then the scores of the rows x and
   z; of z alone, in `second`, where they are the same. */
LAB_INLINE void lab_rates_turn(double *w, const double *past, ptrdiff_t d, const double *shrink,
                               const double *update, const double *x, const double *z,
                               const double *bias, double *first, double *second)
{
    const lab_twelve s = lab_twelve_load(shrink), u = lab_twelve_load(update);
    lab_twelve one = lab_twelve_load(bias), two = one, v;
    ptrdiff_t j;
    if (x == z) {
        for (j = 0; j < d; j++, w += LAB_LANES) {
            v = lab_twelve_step(lab_twelve_load(w), s, u, vec_all(past[j]));
            lab_twelve_store(w, v);
            two = lab_twelve_more(two, v, vec_all(z[j]));
        }
        lab_twelve_store(second, two);
        return;
    }
    for (j = 0; j < d; j++, w += LAB_LANES) {
        v = lab_twelve_step(lab_twelve_load(w), s, u, vec_all(past[j]));
        lab_twelve_store(w, v);
        one = lab_twelve_more(one, v, vec_all(x[j]));
        two = lab_twelve_more(two, v, vec_all(z[j]));
    }
    lab_twelve_store(first, one);
    lab_twelve_store(second, two);
}

/* One step makes w shrink + update z of a weight. What of it the row does not say: shrink, and what
   a slope is multiplied with. */
LAB_INLINE void lab_rates_sizes(const double *rates, double divisor, double l2, double *shrink,
                                double *back)
{
    const vec none = vec_all(0.0), one = vec_all(1.0), part = vec_all(l2), by = vec_all(divisor);
    int l;
    for (l = 0; l < LAB_LANES; l += 4) {
        const vec eta = vec_div(vec_load(rates + l), by), left = vec_sub(one, vec_mul(eta, part));
        vec_store(shrink + l, vec_above(none, left, none, left));
        vec_store(back + l, vec_mul(eta, vec_all(-1.0)));
    }
}

/* What the row says of it: the update; the intercept moves at once. */
LAB_INLINE void lab_rates_update(const double *back, const double *steep, double *update,
                                 double *bias, int intercept)
{
    int l;
    for (l = 0; l < LAB_LANES; l += 4) {
        const vec move = vec_mul(vec_load(back + l), vec_load(steep + l));
        vec_store(update + l, move);
        if (intercept)
            vec_store(bias + l, vec_add(vec_load(bias + l), move));
    }
}

/* g <- g + steep z, from 0 if it is `fresh` */
LAB_INLINE void lab_rates_gradient(double *g, const double *z, ptrdiff_t d, const double *steep,
                                   int fresh)
{
    const lab_twelve s = lab_twelve_load(steep);
    lab_twelve none;
    ptrdiff_t j;
    none.a = none.b = none.c = vec_all(0.0);
    for (j = 0; j < d; j++, g += LAB_LANES)
        lab_twelve_store(g, lab_twelve_more(fresh ? none : lab_twelve_load(g), s, vec_all(z[j])));
}

/* Four weights along share * gradient under any penalty; with AdaGrad s is what it has summed up. */
LAB_INLINE vec lab_any_step(vec w, vec *s, vec gradient, vec share, vec eta, vec shrink, vec l1,
                            vec l2, int adagrad, int cuts)
{
    vec g = vec_mul(share, gradient), own = eta;
    if (adagrad) {
        g = vec_add(g, vec_mul(l2, w));
        *s = vec_add(*s, vec_mul(g, g));
        own = vec_div(eta, vec_sqrt(vec_add(*s, vec_all(LAB_ADAGRAD_FLOOR))));
        w = vec_sub(w, vec_mul(own, g));
    } else {
        w = vec_sub(vec_mul(w, shrink), vec_mul(eta, g));
    }
    return cuts ? vec_towards_zero(w, vec_mul(own, l1)) : w;
}

LAB_INLINE void lab_any_steps(double *w, double *s, const double *gradient, ptrdiff_t n,
                              double share, const double *eta, const double *shrink, double l1,
                              double l2, int adagrad, int cuts)
{
    const vec part = vec_all(share), one = vec_all(l1), two = vec_all(l2);
    ptrdiff_t j, l;
    for (j = 0; j < n; j += LAB_LANES)
        for (l = 0; l < LAB_LANES; l += 4) {
            vec sum = adagrad ? vec_load(s + j + l) : part;
            vec_store(w + j + l,
                      lab_any_step(vec_load(w + j + l), &sum, vec_load(gradient + j + l), part,
                                   vec_load(eta + l), vec_load(shrink + l), one, two, adagrad,
                                   cuts));
            if (adagrad)
                vec_store(s + j + l, sum);
        }
}

/* The same for all weights of the twelve models. */
LAB_INLINE void lab_rates_any_step(double *w, double *s, const double *gradient, ptrdiff_t d,
                                   double share, const double *eta, const double *shrink,
                                   double l1, double l2, int adagrad)
{
    const ptrdiff_t n = d * LAB_LANES;
    if (adagrad && l1 > 0.0)
        lab_any_steps(w, s, gradient, n, share, eta, shrink, l1, l2, 1, 1);
    else if (adagrad)
        lab_any_steps(w, s, gradient, n, share, eta, shrink, l1, l2, 1, 0);
    else if (l1 > 0.0)
        lab_any_steps(w, s, gradient, n, share, eta, shrink, l1, l2, 0, 1);
    else
        lab_any_steps(w, s, gradient, n, share, eta, shrink, l1, l2, 0, 0);
}

/* For which of nine scores the sign is wrong, for the label y (0 or 1): nine bits. */
LAB_INLINE int lab_rates_wrong(lab_twelve score, double y)
{
    const vec none = vec_all(0.0);
    const int above = vec_bits_above(score.a, none) | vec_bits_above(score.b, none) << 4
                      | vec_bits_above(score.c, none) << 8;
    return (above ^ -(int)y) & 511;
}

/* Slopes of the log loss from e to the power of minus each score, for the label y (0 or 1), cut off
   at `limit`: (1 - y - y e) / (1 + e), which never is beyond 1. */
LAB_INLINE vec vec_log_slope_of(vec e, double y, double limit)
{
    const vec one = vec_all(1.0);
    vec g = vec_div(vec_above(vec_all(y), vec_all(0.5), vec_minus(e), one), vec_add(one, e));
    if (limit < 1.0) {
        g = vec_above(vec_all(-limit), g, vec_all(-limit), g);
        g = vec_above(g, vec_all(limit), vec_all(limit), g);
    }
    return g;
}

/* The same of four scores between -709 and 660. */
LAB_INLINE vec vec_log_slopes(vec p, double y, double limit)
{
    return vec_log_slope_of(vec_exp(vec_minus(p)), y, limit);
}

/* The same; 0, and nothing written, where a score is not between `lowest` and 660: that takes
   another formula. */
LAB_INLINE int lab_log_slopes(const double *score, double y, double lowest, double limit,
                              double *steep)
{
    const vec p = vec_load(score);
    if (!vec_within(p, lowest, 660.0))
        return 0;
    vec_store(steep, vec_log_slopes(p, y, limit));
    return 1;
}

/* The same at four scores of any size, as far as e to their power can be told; those between 660 and
   746, where that is hardly a number any more, are left: 0, and nothing written. */
LAB_INLINE int lab_far_log_slopes(const double *score, double y, double limit, double *steep)
{
    const vec p = vec_load(score), none = vec_all(0.0), one = vec_all(1.0), far = vec_all(746.0);
    const vec hardly = vec_above(p, vec_all(660.0), vec_above(p, far, none, one), none);
    vec x = vec_above(p, vec_all(-700.0), vec_mul(p, vec_all(-1.0)), vec_all(700.0)), e, g;
    if (vec_sum(hardly, none) != 0.0)
        return 0;
    e = vec_above(p, far, none, vec_exp(vec_above(p, far, none, x)));
    g = vec_div(vec_sub(vec_all(1.0 - y), vec_mul(vec_all(y), e)), vec_add(one, e));
    g = vec_above(vec_all(-limit), g, vec_all(-limit), g);
    vec_store(steep, vec_above(g, vec_all(limit), vec_all(limit), g));
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
    for (j = 0; j < d; j++, w += stride) {
        const vec x = vec_all(z[j]);
        vec_store(w, vec_add(vec_mul(vec_load(w), s), vec_mul(u, x)));
        vec_store(w + 4, vec_add(vec_mul(vec_load(w + 4), t), vec_mul(v, x)));
        if (cuts) {
            vec_store(w, vec_towards_zero(vec_load(w), vec_load(cut)));
            vec_store(w + 4, vec_towards_zero(vec_load(w + 4), vec_load(cut + 4)));
        }
    }
}
#endif
