/* Row by row along one vector of weights, one row ahead of it: the loop of the usual linear model.

   What is computed, and in which order, is that of `ask_and_follow` in _linear.pyx, to the bit. What
   one row needs to know of the one before it stays in registers where the row has few columns: the
   chain of such needs is what takes the time. */
#ifndef MODELLAB_AHEAD_H
#define MODELLAB_AHEAD_H
#include "_lanes.h"

typedef struct lab_plain {
    void *model;
    ptrdiff_t d, width;
    double *weights, *bias, *mean, *variance, *inverse;
    double *ahead; /* (8, width) */
    int64_t *scaled, *steps;
    double eta, shrink, l1, limit, largest; /* eta and shrink: written by `size`, if that is set */
    int scales, apart, regression, intercept, is_log;
    double *rate_weights, *rate_bias; /* NULL: no rates are carried */
    const double *rate_shrink, *rate_back;
    uint16_t *wrong; /* (window): nine bits each, a ring */
    ptrdiff_t window;
    int64_t *next_error, *errors_known, *asked;
    int signs; /* classes, and no delay: what they answer is told by the sign of a score */
    void (*size)(void *model, struct lab_plain *plain); /* or NULL: steps keep their size */
    double (*slope)(void *model, double y, double score);
    void (*far_slopes)(void *model, double y, const double *score, double *steep);
    void (*grade)(void *model, const double *x, const double *own, double y, const double *score);
} lab_plain;

/* The last columns of a row, as many as do not fill a vector, and 0. */
#if defined(__AVX2__) && defined(__GNUC__)
typedef __m256i lab_rest;
LAB_INLINE lab_rest lab_rest_of(ptrdiff_t d)
{
    const int64_t left = d & 3 ? d & 3 : 4;
    return _mm256_cmpgt_epi64(_mm256_set1_epi64x(left), _mm256_setr_epi64x(0, 1, 2, 3));
}
LAB_INLINE vec lab_rest_load(const double *p, lab_rest rest) { return _mm256_maskload_pd(p, rest); }
#else
typedef ptrdiff_t lab_rest;
LAB_INLINE lab_rest lab_rest_of(ptrdiff_t d) { return d & 3 ? d & 3 : 4; }
LAB_INLINE vec lab_rest_load(const double *p, lab_rest rest) { return vec_part(p, rest); }
#endif

/* ------------------------------------------------------------------ few columns, in registers */

#define LAB_FEW 4 /* vectors at most */

LAB_INLINE void lab_few_load(const double *x, int vectors, lab_rest rest, vec *v)
{
    int j;
    for (j = 0; j < vectors - 1; j++)
        v[j] = vec_load(x + 4 * j);
    v[j] = lab_rest_load(x + 4 * j, rest);
}

/* `lab_usable` */
LAB_INLINE int lab_few_usable(const vec *v, int vectors, double limit)
{
    vec s = vec_mul(v[0], v[0]), t = vec_all(0.0);
    if (vectors > 1)
        t = vec_mul(v[1], v[1]);
    if (vectors > 2)
        s = vec_add(s, vec_mul(v[2], v[2]));
    if (vectors > 3)
        t = vec_add(t, vec_mul(v[3], v[3]));
    return vec_sum(s, t) <= limit;
}

/* `lab_dot`, in all four places */
LAB_INLINE vec lab_few_dot(const vec *w, const double *z, int vectors)
{
    vec s = vec_mul(w[0], vec_load(z)), t = vec_all(0.0);
    if (vectors > 1)
        t = vec_mul(w[1], vec_load(z + 4));
    if (vectors > 2)
        s = vec_add(s, vec_mul(w[2], vec_load(z + 8)));
    if (vectors > 3)
        t = vec_add(t, vec_mul(w[3], vec_load(z + 12)));
    return vec_sum_all(s, t);
}

/* ------------------------------------------------------------------ a row on its way */

LAB_INLINE int lab_label_fits(const lab_plain *p, double y)
{
    if (p->regression)
        return fabs(y) <= p->largest;
    return y * (y - 1.0) == 0.0; /* 0 or 1, in one question: which of them cannot be foreseen */
}

/* Let the scaler take in `own`: x on the statistics before, `own` on those after. 0, and nothing
   done, where one of them or the label cannot be used. */
LAB_INLINE int lab_take_in(lab_plain *p, const double *x, const double *own, double y,
                           lab_rest rest, double *before, double *after, int vectors)
{
    const double limit = p->largest * p->largest;
    vec v[LAB_FEW];
    if (!lab_label_fits(p, y))
        return 0;
    if (vectors && !p->apart) {
        lab_few_load(x, vectors, rest, v);
        if (!lab_few_usable(v, vectors, limit))
            return 0;
    } else if (!lab_usable(x, p->d, limit) || (p->apart && !lab_usable(own, p->d, limit))) {
        return 0;
    }
    if (!p->scales) {
        lab_copy(x, p->d, before);
        if (p->apart)
            lab_copy(own, p->d, after);
        return 1;
    }
    *p->scaled += 1;
    {
        const double share = 1.0 / (double)*p->scaled;
        if (p->apart) {
            lab_see(x, p->d, p->mean, p->inverse, before);
            lab_scaler_learns(own, p->d, share, p->mean, p->variance, p->inverse, after, after);
        } else if (vectors) {
            const vec part = vec_all(share);
            int j;
            for (j = 0; j < vectors; j++)
                lab_scale_four(v[j], part, p->mean + 4 * j, p->variance + 4 * j,
                               p->inverse + 4 * j, before + 4 * j, after + 4 * j);
        } else {
            lab_scaler_learns(x, p->d, share, p->mean, p->variance, p->inverse, before, after);
        }
    }
    return 1;
}

/* ------------------------------------------------------------------ the slope of one score */

LAB_INLINE vec lab_own_slope(const lab_plain *p, double y, vec score)
{
    if (p->is_log && vec_within(score, -37.0, 660.0))
        return vec_log_slope_of(vec_exp_all(vec_minus(score)), y, p->limit);
    return vec_all(p->slope(p->model, p->regression ? y : y + y - 1.0, vec_first(score)));
}

/* ------------------------------------------------------------------ the carried rates */

/* What they say of a row before the scaler took it in, and of that which they follow. */
typedef struct { lab_twelve asked, score; } lab_said;

/* `lab_rates_turn`, in registers; `past` NULL: no step is due. */
LAB_INLINE lab_said lab_turn(const lab_plain *p, const double *past, lab_twelve update,
                             const double *x, const double *z, int two)
{
    const lab_twelve s = lab_twelve_load(p->rate_shrink);
    double *w = p->rate_weights;
    lab_said said;
    ptrdiff_t j;
    said.asked = said.score = lab_twelve_load(p->rate_bias);
    for (j = 0; j < p->d; j++, w += LAB_LANES) {
        lab_twelve v = lab_twelve_load(w);
        if (past) {
            v = lab_twelve_step(v, s, update, vec_all(past[j]));
            lab_twelve_store(w, v);
        }
        if (two)
            said.asked = lab_twelve_more(said.asked, v, vec_all(x[j]));
        said.score = lab_twelve_more(said.score, v, vec_all(z[j]));
    }
    if (!two)
        said.asked = said.score;
    return said;
}

/* Slopes at four scores, one by one where they are far out. */
LAB_INLINE vec lab_rate_slope(const lab_plain *p, double y, vec score)
{
    double four[4], steep[4];
    if (p->is_log && vec_within(score, -700.0, 660.0))
        return vec_log_slope_of(vec_exp(vec_minus(score)), y, p->limit);
    vec_store(four, score);
    p->far_slopes(p->model, p->regression ? y : y + y - 1.0, four, steep);
    return vec_load(steep);
}

/* The update of twelve rates at their scores; the intercepts move at once. */
LAB_INLINE lab_twelve lab_rate_moves(const lab_plain *p, lab_twelve steep)
{
    const lab_twelve back = lab_twelve_load(p->rate_back);
    lab_twelve move;
    move.a = vec_mul(back.a, steep.a);
    move.b = vec_mul(back.b, steep.b);
    move.c = vec_mul(back.c, steep.c);
    if (p->intercept)
        lab_twelve_store(p->rate_bias, lab_twelve_add(lab_twelve_load(p->rate_bias), move));
    return move;
}

/* How right they were about `own`, whose label has come. */
LAB_INLINE void lab_grade(const lab_plain *p, const double *x, const double *own, double y,
                          lab_twelve asked)
{
    if (p->signs && *p->asked == 0) {
        p->wrong[*p->next_error] = (uint16_t)lab_rates_wrong(asked, y);
        *p->next_error = *p->next_error + 1 == p->window ? 0 : *p->next_error + 1;
        if (*p->errors_known < p->window)
            *p->errors_known += 1;
        return;
    }
    {
        double score[LAB_LANES];
        lab_twelve_store(score, asked);
        p->grade(p->model, x, own, y, score);
    }
}

/* ------------------------------------------------------------------ the loop */

LAB_INLINE ptrdiff_t lab_go_ahead(lab_plain *p, const double *rows, const double *own,
                                  const double *y, const int64_t *upto, int64_t arrived,
                                  ptrdiff_t n, double *scores, int vectors, int carry)
{
    const ptrdiff_t d = p->d, width = p->width, span = (d + 3) / 4 * 4;
    const lab_rest rest = lab_rest_of(d);
    const int two = p->apart || p->scales;
    double *ahead = p->ahead;
    const double *past = NULL;
    vec w[LAB_FEW], bias = vec_all(p->bias[0]);
    lab_twelve update;
    ptrdiff_t i = 0;
    int j, more;
    for (j = 0; j < vectors; j++)
        w[j] = vec_load(p->weights + 4 * j);
    update.a = update.b = update.c = vec_all(0.0);
    more = n > 0 && (upto == NULL || upto[0] == arrived + 1)
           && lab_take_in(p, rows, own, y[0], rest, ahead, ahead + 4 * width, vectors);
    while (more) {
        const double label = y[i], *x = rows + i * d, *taught = own + i * d;
        const double *before = ahead + (i & 3) * width;
        const double *after = two ? before + 4 * width : before;
        vec asked, score, g, u;
        lab_said said;
        i++;
        {
            double *place = ahead + (i & 3) * width;
            more = i < n && (upto == NULL || upto[i] == arrived + i + 1)
                   && lab_take_in(p, x + d, taught + d, y[i], rest, place, place + 4 * width,
                                  vectors);
        }
        if (vectors) {
            score = vec_add(lab_few_dot(w, after, vectors), bias);
            asked = two ? vec_add(lab_few_dot(w, before, vectors), bias) : score;
            vec_store_first(scores + i - 1, asked);
        } else {
            double first, second;
            if (two)
                lab_two_dots(p->weights, before, after, span, &first, &second);
            else
                first = second = lab_dot(p->weights, before, span);
            scores[i - 1] = first + vec_first(bias);
            score = vec_all(second + vec_first(bias));
        }
        if (carry)
            said = lab_turn(p, past, update, before, after, two);
        if (p->size)
            p->size(p->model, p);
        if (carry) {
            lab_twelve steep;
            const vec both = vec_twice(said.score.c, score);
            if (p->is_log && vec_first(score) > -37.0
                && vec_near(said.score.a, said.score.b, both, 660.0)) {
                steep.a = vec_log_slopes(said.score.a, label, p->limit);
                steep.b = vec_log_slopes(said.score.b, label, p->limit);
                steep.c = vec_log_slope_of(vec_exp_pair(vec_minus(both)), label, p->limit);
                g = vec_all_second(steep.c);
            } else {
                steep.a = lab_rate_slope(p, label, said.score.a);
                steep.b = lab_rate_slope(p, label, said.score.b);
                steep.c = lab_rate_slope(p, label, said.score.c);
                g = lab_own_slope(p, label, score);
            }
            lab_grade(p, x, taught, label, said.asked);
            update = lab_rate_moves(p, steep);
            past = after;
        } else {
            g = lab_own_slope(p, label, score);
        }
        u = vec_mul(vec_all(-p->eta), g);
        if (vectors) {
            const vec s = vec_all(p->shrink);
            for (j = 0; j < vectors; j++)
                w[j] = vec_add(vec_mul(w[j], s), vec_mul(u, vec_load(after + 4 * j)));
            if (p->l1 > 0.0)
                for (j = 0; j < vectors; j++)
                    w[j] = vec_towards_zero(w[j], vec_all(p->eta * p->l1));
        } else {
            lab_step(p->weights, after, span, p->shrink, vec_first(u));
            if (p->l1 > 0.0)
                for (j = 0; j < span; j += 4)
                    vec_store(p->weights + j,
                              vec_towards_zero(vec_load(p->weights + j), vec_all(p->eta * p->l1)));
        }
        if (p->intercept)
            bias = vec_add(bias, u);
        *p->steps += 1;
    }
    for (j = 0; j < vectors; j++)
        vec_store(p->weights + 4 * j, w[j]);
    p->bias[0] = vec_first(bias);
    if (carry && past) {
        double moves[LAB_LANES];
        lab_twelve_store(moves, update);
        lab_rates_step(p->rate_weights, past, d, p->rate_shrink, moves);
    }
    return i;
}

/* Predict and learn each of up to n rows whose prediction is followed by the arrival of exactly one
   label (`upto` NULL: all), as far as rows and labels can be used; how many. */
static ptrdiff_t lab_run_plain(lab_plain *p, const double *rows, const double *own,
                               const double *y, const int64_t *upto, int64_t arrived, ptrdiff_t n,
                               double *scores)
{
    const ptrdiff_t vectors = (p->d + 3) / 4;
#define LAB_GO(vectors)                                                                       \
    (p->rate_weights ? lab_go_ahead(p, rows, own, y, upto, arrived, n, scores, vectors, 1)   \
                     : lab_go_ahead(p, rows, own, y, upto, arrived, n, scores, vectors, 0))
    switch (vectors) {
    case 1: return LAB_GO(1);
    case 2: return LAB_GO(2);
    case 3: return LAB_GO(3);
    case 4: return LAB_GO(4);
    default: return LAB_GO(0);
    }
#undef LAB_GO
}
#endif
