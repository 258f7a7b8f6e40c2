/* Stochastic gradient descent of one SIMD level for one real type (included by level.h). */
#include "sgd_vectors.h"
#if REAL_BYTES == 4
#define SQRT sqrtf
#else
#define SQRT sqrt
#endif
#include "sgd_adaptive.h"
#define PREFETCH_AHEAD 12 /* ratings */

typedef struct {
    int32_t user, item;
    REAL rating;
} NAME(Node);

static ALWAYS_INLINE void NAME(prefetch_row)(const ptrdiff_t padded, const REAL *row)
{
    for (ptrdiff_t f = 0; f < padded; f += 64 / REAL_BYTES) PREFETCH(row, f);
}

/* The numbers that all ratings of a run have in common. */
typedef struct {
    REAL *user_rows, *item_rows;
    NAME(State) *user_states, *item_states;
    NAME(Rates) rates;
    REAL mean, keep, bias_keep;
} NAME(Shared);

/* Train on n ratings that have no row in common; add the squares of the errors before the updates
 * to `total`. Two at a time share the work of adaptive steps (measured on Zen 3: 10 to 15 % of an
 * epoch with 32 or 64 float32; with constant steps it would gain nothing). */
static ALWAYS_INLINE double NAME(visit)(
    const int n, const ptrdiff_t padded, const int adaptive, const NAME(Shared) *shared,
    const NAME(Node) *nodes, double total)
{
    const ptrdiff_t n_vectors = padded / REALS;
    const NAME(Rates) *r = &shared->rates;
    VECTOR *p[2], *q[2];
    NAME(State) *user[2], *item[2];
    REAL error[2], dot[2];
    NAME(Update) update[2];
    UNROLL_ALL for (int j = 0; j < n; j++) {
        p[j] = (VECTOR *)(shared->user_rows + nodes[j].user * padded);
        q[j] = (VECTOR *)(shared->item_rows + nodes[j].item * padded);
        dot[j] = NAME(dot)(n_vectors, p[j], q[j]);
    }
    UNROLL_ALL for (int j = 0; j < n; j++) {
        user[j] = shared->user_states + nodes[j].user;
        item[j] = shared->item_states + nodes[j].item;
        error[j] = nodes[j].rating - shared->mean - user[j]->bias - item[j]->bias - dot[j];
        total += (double)error[j] * (double)error[j];
    }
    if (adaptive) NAME(adapt)(n, r, error, dot, user, item, update);
    else UNROLL_ALL for (int j = 0; j < n; j++) {
        const REAL add = r->rate * error[j], bias_add = r->bias_rate * error[j];
        const NAME(Update) own_update = {shared->keep, add, shared->keep, add};
        update[j] = own_update;
        user[j]->bias = shared->bias_keep * user[j]->bias + bias_add;
        item[j]->bias = shared->bias_keep * item[j]->bias + bias_add;
    }
    UNROLL_ALL for (int j = 0; j < n; j++) {
        VECTOR *RESTRICT x = p[j], *RESTRICT y = q[j];
        for (ptrdiff_t v = 0; v < n_vectors; v++) {
            const VECTOR old_x = x[v], old_y = y[v];
            x[v] = update[j].keep_p * old_x + update[j].add_q * old_y;
            y[v] = update[j].keep_q * old_y + update[j].add_p * old_x;
        }
    }
    return total;
}

/* Train on `count` ratings in their order, two at a time where that pays and they have no row in
 * common; the sum of the squared errors before the updates. */
static ALWAYS_INLINE double NAME(train_rows)(
    const ptrdiff_t padded, const int adaptive, const SgdRun *run, ptrdiff_t count,
    const NAME(Node) *nodes)
{
    const NAME(Rates) rates = {
        (REAL)run->learning_rate, (REAL)run->bias_learning_rate,
        (REAL)run->regularization, (REAL)run->bias_regularization,
        (REAL)(1.0 / (double)run->n_features)};
    const NAME(Shared) shared = {
        run->user_rows, run->item_rows, run->user_states, run->item_states, rates,
        (REAL)run->mean, 1 - rates.rate * rates.penalty, 1 - rates.bias_rate * rates.bias_penalty};
    double total = 0;
    for (ptrdiff_t t = 0, n; t < count; t += n) {
        const NAME(Node) *node = nodes + t;
        n = adaptive && t + 1 < count && node[0].user != node[1].user && node[0].item != node[1].item
                ? 2 : 1;
        for (ptrdiff_t j = 0; j < n; j++) {
            const NAME(Node) *ahead = nodes + smaller(t + j + PREFETCH_AHEAD, count - 1);
            NAME(prefetch_row)(padded, shared.user_rows + ahead->user * padded);
            NAME(prefetch_row)(padded, shared.item_rows + ahead->item * padded);
        }
        total = n == 2 ? NAME(visit)(2, padded, adaptive, &shared, node, total)
                       : NAME(visit)(1, padded, adaptive, &shared, node, total);
    }
    return total;
}

static double NAME(train)(const SgdRun *run, ptrdiff_t count, const void *nodes)
{
#define TRAIN(padded) \
    return run->adaptive ? NAME(train_rows)(padded, 1, run, count, nodes) \
                         : NAME(train_rows)(padded, 0, run, count, nodes)
    switch (run->padded) { /* the usual numbers of features, as constants */
    case 8: TRAIN(8);
    case 16: TRAIN(16);
    case 32: TRAIN(32);
    case 48: TRAIN(48);
    case 64: TRAIN(64);
    case 96: TRAIN(96);
    case 128: TRAIN(128);
    default: TRAIN(run->padded);
    }
#undef TRAIN
}

#include "bpr_real.h"

/* The sum of the squares of whole vectors. */
static double NAME(squared_norm)(ptrdiff_t count, const void *x)
{
    return (double)NAME(dot)(count / REALS, x, x);
}

#undef VECTOR
#undef REALS
#undef SQRT
#undef PREFETCH_AHEAD
