/* Adaptive steps of one rating, for one SIMD level and one real type (included by sgd_real.h). */

/* What is known of a user or item besides its factors p: G and H, the sums of squared gradients of
 * the factors (mean over the features) and of the bias; |p|^2; the bias. */
typedef struct {
    REAL square, bias_square, norm, bias;
} NAME(State);

/* The update of the factors p of a user and q of an item:
 * p' = keep_p p + add_q q, q' = keep_q q + add_p p. */
typedef struct {
    REAL keep_p, add_q, keep_q, add_p;
} NAME(Update);

/* Learning rates, penalties and 1 / features; the last stands for the mean over the features. */
typedef struct {
    REAL rate, bias_rate, penalty, bias_penalty, share;
} NAME(Rates);

/* Update both states; return the update of the factors.
 *
 * With a step s, p' = (1 - s penalty) p + s e q, and the gradient of p is e q - penalty p, so
 *
 *     |gradient|^2 = e^2 |q|^2 - 2 e penalty p.q + penalty^2 |p|^2
 *     |p'|^2 = keep^2 |p|^2 + 2 keep add p.q + add^2 |q|^2
 *
 * are a few operations: nothing passes over the rows a second time. */
#if defined(HAVE_SHUFFLE_VECTOR)
#define QUAD NAME(Quad)
VECTOR_TYPE(QUAD, REAL, 4 * REAL_BYTES);
#define PICK(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)

/* Four lanes: factors of the user and of the item, bias of the user and of the item. */
static ALWAYS_INLINE NAME(Update) NAME(adapt)(
    const NAME(Rates) *r, REAL error, REAL dot, NAME(State) *user, NAME(State) *item)
{
    const QUAD one = {1, 1, 1, 1}, zero = {0, 0, 0, 0};
    const QUAD rate = {r->rate, r->rate, r->bias_rate, r->bias_rate};
    const QUAD penalty = {r->penalty, r->penalty, r->bias_penalty, r->bias_penalty};
    const QUAD share = {r->share, r->share, 1, 1};
    const QUAD dots = one * dot;

    const QUAD u = *(const QUAD *)user, i = *(const QUAD *)item;
    const QUAD square = PICK(u, i, 0, 4, 1, 5);
    const QUAD own = PICK(u, i, 2, 6, 3, 7); /* norms, biases */
    QUAD root;
    OMP_SIMD for (int j = 0; j < 4; j++) root[j] = SQRT(square[j]);
    const QUAD step = rate / root;
    const QUAD add = step * error, keep = one - step * penalty;

    const QUAD other_or_1 = PICK(own, one, 1, 0, 4, 4), other_or_0 = PICK(own, zero, 1, 0, 4, 4);
    const QUAD dot_or_bias = PICK(own, dots, 4, 4, 2, 3);
    const QUAD norm_or_bias2 = own * PICK(own, one, 4, 4, 2, 3);
    const QUAD gradient2 = error * error * other_or_1 - 2 * error * penalty * dot_or_bias
        + penalty * penalty * norm_or_bias2;
    const QUAD new_square = square + share * gradient2;
    const QUAD moved = keep * own + add * PICK(dots + dots, one, 0, 1, 4, 4);
    const QUAD new_own = moved * PICK(keep, one, 0, 1, 4, 4) + add * add * other_or_0;

    *(QUAD *)user = PICK(new_square, new_own, 0, 2, 4, 6);
    *(QUAD *)item = PICK(new_square, new_own, 1, 3, 5, 7);
    const NAME(Update) update = {keep[0], add[0], keep[1], add[1]};
    return update;
}
#undef QUAD
#undef PICK

#else
static ALWAYS_INLINE NAME(Update) NAME(adapt)(
    const NAME(Rates) *r, REAL error, REAL dot, NAME(State) *user, NAME(State) *item)
{
    NAME(State) *const states[2] = {user, item};
    const REAL norms[2] = {user->norm, item->norm};
    REAL keep[2], add[2];
    for (int j = 0; j < 2; j++) {
        NAME(State) *own = states[j];
        const REAL other = norms[1 - j], step = r->rate / SQRT(own->square);
        const REAL bias_gradient = error - r->bias_penalty * own->bias;
        keep[j] = 1 - step * r->penalty;
        add[j] = step * error;
        own->square += r->share
            * (error * error * other - 2 * error * r->penalty * dot
               + r->penalty * r->penalty * own->norm);
        own->norm = keep[j] * (keep[j] * own->norm + 2 * add[j] * dot) + add[j] * add[j] * other;
        own->bias += r->bias_rate / SQRT(own->bias_square) * bias_gradient;
        own->bias_square += bias_gradient * bias_gradient;
    }
    const NAME(Update) update = {keep[0], add[0], keep[1], add[1]};
    return update;
}
#endif
