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

/* Train on `count` ratings, one after another; the sum of the squared errors before the updates.
 *
 * The processor works on several ratings at a time as long as they have different rows. */
static ALWAYS_INLINE double NAME(train_rows)(
    const ptrdiff_t padded, const int adaptive, const SgdRun *run, ptrdiff_t count,
    const NAME(Node) *nodes)
{
    const ptrdiff_t n = padded / REALS;
    REAL *user_rows = run->user_rows, *item_rows = run->item_rows;
    NAME(State) *user_states = run->user_states, *item_states = run->item_states;
    const REAL mean = (REAL)run->mean;
    const NAME(Rates) r = {
        (REAL)run->learning_rate, (REAL)run->bias_learning_rate,
        (REAL)run->regularization, (REAL)run->bias_regularization,
        (REAL)(1.0 / (double)run->n_features)};
    const REAL keep = 1 - r.rate * r.penalty, bias_keep = 1 - r.bias_rate * r.bias_penalty;
    double total = 0;
    for (ptrdiff_t t = 0; t < count; t++) {
        const NAME(Node) *ahead = nodes + smaller(t + PREFETCH_AHEAD, count - 1);
        NAME(prefetch_row)(padded, user_rows + ahead->user * padded);
        NAME(prefetch_row)(padded, item_rows + ahead->item * padded);

        const NAME(Node) *node = nodes + t;
        VECTOR *RESTRICT p = (VECTOR *)(user_rows + node->user * padded);
        VECTOR *RESTRICT q = (VECTOR *)(item_rows + node->item * padded);
        NAME(State) *user = user_states + node->user, *item = item_states + node->item;
        const REAL dot = NAME(dot)(n, p, q);
        const REAL error = node->rating - mean - user->bias - item->bias - dot;
        total += (double)error * (double)error;

        NAME(Update) update = {keep, r.rate * error, keep, r.rate * error};
        if (adaptive)
            update = NAME(adapt)(&r, error, dot, user, item);
        else {
            user->bias = bias_keep * user->bias + r.bias_rate * error;
            item->bias = bias_keep * item->bias + r.bias_rate * error;
        }
        for (ptrdiff_t v = 0; v < n; v++) {
            const VECTOR old_p = p[v], old_q = q[v];
            p[v] = update.keep_p * old_p + update.add_q * old_q;
            q[v] = update.keep_q * old_q + update.add_p * old_p;
        }
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

/* The sum of the squares of whole vectors. */
static double NAME(squared_norm)(ptrdiff_t count, const void *x)
{
    return (double)NAME(dot)(count / REALS, x, x);
}

#undef VECTOR
#undef REALS
#undef SQRT
#undef PREFETCH_AHEAD
