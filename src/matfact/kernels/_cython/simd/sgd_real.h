/* Stochastic gradient descent of one SIMD level for one real type (included by level.h). */
#include "sgd_vectors.h"
#if REAL_BYTES == 4
#define SQRT sqrtf
#else
#define SQRT sqrt
#endif
#define PREFETCH_AHEAD 8 /* ratings */

typedef struct {
    int32_t user, item;
    REAL rating;
} NAME(Node);

/* What is known of a user or item besides its factors p: bias, sums of squared gradients of the
 * factors (mean over the features) and of the bias, and |p|^2. */
typedef struct {
    REAL bias, square, bias_square, norm;
} NAME(State);

/* Steps of the factors and of the bias: constant, or those of AdaGrad with one sum a row. */
typedef struct {
    REAL user, user_bias, item, item_bias;
} NAME(Steps);

static ALWAYS_INLINE NAME(Steps) NAME(adaptive_steps)(
    REAL rate, REAL bias_rate, const NAME(State) *user, const NAME(State) *item)
{
    REAL step[4] = {user->square, user->bias_square, item->square, item->bias_square};
    const REAL rates[4] = {rate, bias_rate, rate, bias_rate};
    OMP_SIMD for (int j = 0; j < 4; j++) step[j] = rates[j] / SQRT(step[j]);
    const NAME(Steps) steps = {step[0], step[1], step[2], step[3]};
    return steps;
}

/* Train on `count` ratings, one after another; the sum of the squared errors before the updates.
 *
 * With e the error, p and q the factors and s the steps:
 *
 *     p += s_user (e q - regularization p)        b += s_bias (e - bias_regularization b)
 *
 * and the same for q with the old p. Adaptive steps need |gradient of p|^2 = e^2 |q|^2 - 2 e
 * regularization p.q + regularization^2 |p|^2: the norms are carried along, which costs a few
 * operations instead of passes over the rows. */
static ALWAYS_INLINE double NAME(train_rows)(
    const ptrdiff_t padded, const int adaptive, const SgdRun *run, ptrdiff_t count,
    const NAME(Node) *nodes)
{
    const ptrdiff_t n = padded / REALS;
    REAL *user_rows = run->user_rows, *item_rows = run->item_rows;
    NAME(State) *user_states = run->user_states, *item_states = run->item_states;
    const REAL mean = (REAL)run->mean;
    const REAL rate = (REAL)run->learning_rate, bias_rate = (REAL)run->bias_learning_rate;
    const REAL regularization = (REAL)run->regularization;
    const REAL bias_regularization = (REAL)run->bias_regularization;
    const REAL per_feature = (REAL)(1.0 / (double)run->n_features);
    double total = 0;
    for (ptrdiff_t t = 0; t < count; t++) {
        const NAME(Node) *node = nodes + t;
        VECTOR *RESTRICT p = (VECTOR *)(user_rows + node->user * padded);
        VECTOR *RESTRICT q = (VECTOR *)(item_rows + node->item * padded);
        NAME(State) *user = user_states + node->user, *item = item_states + node->item;

        const REAL product = NAME(dot)(n, p, q);
        const REAL error = node->rating - mean - user->bias - item->bias - product;
        total += (double)error * (double)error;

        NAME(Steps) s = {rate, bias_rate, rate, bias_rate};
        if (adaptive) s = NAME(adaptive_steps)(rate, bias_rate, user, item);
        const REAL keep_p = 1 - s.user * regularization, add_q = s.user * error;
        const REAL keep_q = 1 - s.item * regularization, add_p = s.item * error;
        UNROLL_ALL for (ptrdiff_t v = 0; v < n; v++)
        {
            const VECTOR old_p = p[v], old_q = q[v];
            p[v] = keep_p * old_p + add_q * old_q;
            q[v] = keep_q * old_q + add_p * old_p;
        }

        const REAL user_bias_gradient = error - bias_regularization * user->bias;
        const REAL item_bias_gradient = error - bias_regularization * item->bias;
        user->bias += s.user_bias * user_bias_gradient;
        item->bias += s.item_bias * item_bias_gradient;
        if (adaptive) {
            const REAL p2 = user->norm, q2 = item->norm, both = 2 * product;
            const REAL e2 = error * error, r2 = regularization * regularization;
            const REAL cross = error * regularization * both;
            user->square += per_feature * (e2 * q2 - cross + r2 * p2);
            item->square += per_feature * (e2 * p2 - cross + r2 * q2);
            user->bias_square += user_bias_gradient * user_bias_gradient;
            item->bias_square += item_bias_gradient * item_bias_gradient;
            user->norm = keep_p * keep_p * p2 + keep_p * add_q * both + add_q * add_q * q2;
            item->norm = keep_q * keep_q * q2 + keep_q * add_p * both + add_p * add_p * p2;
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
