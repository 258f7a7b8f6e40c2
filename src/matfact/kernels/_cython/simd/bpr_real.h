/* Steps on triples (user, item that was chosen, other item), for one SIMD level and one real type
 * (included by sgd_real.h). bpr.pyx describes the model.
 *
 * With s = 1 / (1 + exp(x)), x = c_i - c_j + p.(q_i - q_j), the gradients are
 *
 *     p: s (q_i - q_j) - penalty p    q_i: s p - penalty q_i    q_j: -s p - penalty q_j
 *
 * As for ratings, their squares and those of the new rows follow from dot products of the old ones,
 * so nothing passes over the rows a third time. */
#if REAL_BYTES == 4
#define EXP expf
#else
#define EXP exp
#endif

#ifndef MATFACT_BPR_REAL_H
#define MATFACT_BPR_REAL_H
#define LOSSES_AT_ONCE 64 /* logarithms of 1 + e <= 2 that are taken as one of their product */

typedef struct {
    int32_t user, item, other;
} Triple;
#endif

/* Dot products of the three rows of a triple: p.q_i, p.q_j and, if steps adapt, q_i.q_j. */
static ALWAYS_INLINE void NAME(dots)(
    const ptrdiff_t n, const int adaptive, const VECTOR *p, const VECTOR *q, const VECTOR *z,
    REAL *pq, REAL *pz, REAL *qz)
{
    VECTOR of_item = {0}, of_other = {0}, of_both = {0};
    for (ptrdiff_t v = 0; v < n; v++) {
        of_item += p[v] * q[v];
        of_other += p[v] * z[v];
        if (adaptive) of_both += q[v] * z[v];
    }
    *pq = NAME(sum_of)(of_item);
    *pz = NAME(sum_of)(of_other);
    *qz = adaptive ? NAME(sum_of)(of_both) : 0;
}

/* Steps of the three rows and two biases: user, item, other item, bias of the item, of the other. */
static ALWAYS_INLINE void NAME(steps)(
    const int adaptive, const NAME(Rates) *r, const NAME(State) *user, const NAME(State) *item,
    const NAME(State) *other, REAL *step)
{
    const REAL rates[8] = {r->rate, r->rate, r->rate, r->bias_rate, r->bias_rate, 0, 0, 0};
    REAL squares[8] = {1, 1, 1, 1, 1, 1, 1, 1};
    if (adaptive) {
        squares[0] = user->square, squares[1] = item->square, squares[2] = other->square;
        squares[3] = item->bias_square, squares[4] = other->bias_square;
    }
    OMP_SIMD for (int j = 0; j < 8; j++) step[j] = rates[j] / SQRT(squares[j]);
}

/* The state of a row after p' = keep p + add y, where the gradient of p is slope y - penalty p. */
static ALWAYS_INLINE void NAME(adapt_row)(
    const NAME(Rates) *r, NAME(State) *row, REAL keep, REAL add, REAL slope, REAL dot, REAL norm_y)
{
    const REAL p2 = row->norm;
    row->square += r->share
        * (slope * slope * norm_y - 2 * slope * r->penalty * dot + r->penalty * r->penalty * p2);
    row->norm = keep * (keep * p2 + 2 * add * dot) + add * add * norm_y;
}

static ALWAYS_INLINE void NAME(move_bias)(
    const int adaptive, const NAME(Rates) *r, NAME(State) *row, REAL step, REAL slope)
{
    const REAL gradient = slope - r->bias_penalty * row->bias;
    row->bias += step * gradient;
    if (adaptive) row->bias_square += gradient * gradient;
}

/* Train on `count` triples in their order; the sum of -log(1 - s) before the updates. */
static ALWAYS_INLINE double NAME(rank_rows)(
    const ptrdiff_t padded, const int adaptive, const SgdRun *run, ptrdiff_t count,
    const Triple *triples)
{
    const ptrdiff_t n = padded / REALS;
    REAL *user_rows = run->user_rows, *item_rows = run->item_rows;
    NAME(State) *user_states = run->user_states, *item_states = run->item_states;
    const NAME(Rates) r = {
        (REAL)run->learning_rate, (REAL)run->bias_learning_rate,
        (REAL)run->regularization, (REAL)run->bias_regularization,
        (REAL)(1.0 / (double)run->n_features)};
    double total = 0, product = 1;
    for (ptrdiff_t t = 0; t < count; t++) {
        const Triple *ahead = triples + smaller(t + PREFETCH_AHEAD, count - 1), *now = triples + t;
        NAME(prefetch_row)(padded, user_rows + ahead->user * padded);
        NAME(prefetch_row)(padded, item_rows + ahead->item * padded);
        NAME(prefetch_row)(padded, item_rows + ahead->other * padded);
        VECTOR *RESTRICT p = (VECTOR *)(user_rows + now->user * padded);
        VECTOR *RESTRICT q = (VECTOR *)(item_rows + now->item * padded);
        VECTOR *RESTRICT z = (VECTOR *)(item_rows + now->other * padded);
        NAME(State) *user = user_states + now->user;
        NAME(State) *item = item_states + now->item, *other = item_states + now->other;
        REAL pq, pz, qz, step[8];
        NAME(dots)(n, adaptive, p, q, z, &pq, &pz, &qz);
        const REAL x = item->bias - other->bias + pq - pz;
        const REAL e = EXP(x > 0 ? -x : x), share = 1 / (1 + e), slope = x > 0 ? e * share : share;
        product *= 1 + (double)e;
        if (!(x > 0)) total -= (double)x;
        if (t % LOSSES_AT_ONCE == LOSSES_AT_ONCE - 1) {
            total += log(product);
            product = 1;
        }
        NAME(steps)(adaptive, &r, user, item, other, step);
        const REAL keep_p = 1 - step[0] * r.penalty, add_p = step[0] * slope;
        const REAL keep_q = 1 - step[1] * r.penalty, add_q = step[1] * slope;
        const REAL keep_z = 1 - step[2] * r.penalty, add_z = step[2] * slope;
        if (adaptive) {
            const REAL difference2 = item->norm + other->norm - 2 * qz, p2 = user->norm;
            NAME(adapt_row)(&r, user, keep_p, add_p, slope, pq - pz, difference2);
            NAME(adapt_row)(&r, item, keep_q, add_q, slope, pq, p2);
            NAME(adapt_row)(&r, other, keep_z, -add_z, -slope, pz, p2);
        }
        NAME(move_bias)(adaptive, &r, item, step[3], slope);
        NAME(move_bias)(adaptive, &r, other, step[4], -slope);
        for (ptrdiff_t v = 0; v < n; v++) {
            const VECTOR old_p = p[v], old_q = q[v], old_z = z[v];
            p[v] = keep_p * old_p + add_p * (old_q - old_z);
            q[v] = keep_q * old_q + add_q * old_p;
            z[v] = keep_z * old_z - add_z * old_p;
        }
    }
    return total + log(product);
}

static double NAME(rank)(const SgdRun *run, ptrdiff_t count, const void *triples)
{
#define RANK(padded) \
    return run->adaptive ? NAME(rank_rows)(padded, 1, run, count, triples) \
                         : NAME(rank_rows)(padded, 0, run, count, triples)
    switch (run->padded) { /* the usual numbers of features, as constants */
    case 16: RANK(16);
    case 32: RANK(32);
    case 64: RANK(64);
    case 128: RANK(128);
    default: RANK(run->padded);
    }
#undef RANK
}
#undef EXP
