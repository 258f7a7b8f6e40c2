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

/* Update the states of each rating's user and item; tell the update of their factors.
 *
 * With a step s, p' = (1 - s penalty) p + s e q, and the gradient of p is e q - penalty p, so
 *
 *     |gradient|^2 = e^2 |q|^2 - 2 e penalty p.q + penalty^2 |p|^2
 *     |p'|^2 = keep^2 |p|^2 + 2 keep add p.q + add^2 |q|^2
 *
 * are a few operations: nothing passes over the rows a second time. */
#if defined(HAVE_SHUFFLE_VECTOR)
#define QUADS NAME(Quads)
#if LANES >= 8 /* quads of two ratings in a vector; longer vectors than the level's are slow */
#define RATINGS 2
#define ALL(a, b, c, d) {a, b, c, d, a, b, c, d} /* the same numbers for all ratings */
#define FIRST(i) ((i) < 4 ? (i) : (i) + 4)
#define PICK(a, b, i, j, k, l) \
    __builtin_shufflevector( \
        a, b, FIRST(i), FIRST(j), FIRST(k), FIRST(l), \
        FIRST(i) + 4, FIRST(j) + 4, FIRST(k) + 4, FIRST(l) + 4)
#else
#define RATINGS 1
#define ALL(a, b, c, d) {a, b, c, d}
#define PICK(a, b, i, j, k, l) __builtin_shufflevector(a, b, i, j, k, l)
#endif
VECTOR_TYPE(QUADS, REAL, 4 * RATINGS * REAL_BYTES);
VECTOR_TYPE(NAME(Quad), REAL, 4 * REAL_BYTES);

/* Four lanes for each of RATINGS ratings: factors of the user and of the item, bias of the user and
 * of the item. */
static ALWAYS_INLINE void NAME(adapt_quads)(
    const NAME(Rates) *r, const REAL *errors, const REAL *products,
    NAME(State) *const *user, NAME(State) *const *item, NAME(Update) *update)
{
    const QUADS one = ALL(1, 1, 1, 1), zero = ALL(0, 0, 0, 0);
    const QUADS rate = ALL(r->rate, r->rate, r->bias_rate, r->bias_rate);
    const QUADS penalty = ALL(r->penalty, r->penalty, r->bias_penalty, r->bias_penalty);
    const QUADS share = ALL(r->share, r->share, 1, 1);
#if RATINGS == 2
#define BOTH(x, y) __builtin_shufflevector(x, y, 0, 1, 2, 3, 4, 5, 6, 7)
    const NAME(Quad) none = {0};
    const QUADS error = BOTH(none + errors[0], none + errors[1]);
    const QUADS dots = BOTH(none + products[0], none + products[1]);
    const QUADS u = BOTH(*(const NAME(Quad) *)user[0], *(const NAME(Quad) *)user[1]);
    const QUADS i = BOTH(*(const NAME(Quad) *)item[0], *(const NAME(Quad) *)item[1]);
#undef BOTH
#else
    const QUADS error = zero + errors[0], dots = zero + products[0];
    const QUADS u = *(const QUADS *)user[0], i = *(const QUADS *)item[0];
#endif
    const QUADS square = PICK(u, i, 0, 4, 1, 5);
    const QUADS own = PICK(u, i, 2, 6, 3, 7); /* norms, biases */
    QUADS root;
    OMP_SIMD for (int j = 0; j < 4 * RATINGS; j++) root[j] = SQRT(square[j]);
    const QUADS step = rate / root;
    const QUADS add = step * error, keep = one - step * penalty;

    const QUADS other_or_1 = PICK(own, one, 1, 0, 4, 4), other_or_0 = PICK(own, zero, 1, 0, 4, 4);
    const QUADS dot_or_bias = PICK(own, dots, 4, 4, 2, 3);
    const QUADS norm_or_bias2 = own * PICK(own, one, 4, 4, 2, 3);
    const QUADS gradient2 = error * error * other_or_1 - 2 * error * penalty * dot_or_bias
        + penalty * penalty * norm_or_bias2;
    const QUADS new_square = square + share * gradient2;
    const QUADS moved = keep * own + add * PICK(dots + dots, one, 0, 1, 4, 4);
    const QUADS new_own = moved * PICK(keep, one, 0, 1, 4, 4) + add * add * other_or_0;

    const QUADS users = PICK(new_square, new_own, 0, 2, 4, 6);
    const QUADS items = PICK(new_square, new_own, 1, 3, 5, 7);
    memcpy(user[0], &users, sizeof(NAME(State)));
    memcpy(item[0], &items, sizeof(NAME(State)));
    if (RATINGS == 2) { /* for a single rating these are the same states, and the same numbers */
        memcpy(user[RATINGS - 1], (const NAME(State) *)&users + RATINGS - 1, sizeof(NAME(State)));
        memcpy(item[RATINGS - 1], (const NAME(State) *)&items + RATINGS - 1, sizeof(NAME(State)));
    }
    UNROLL_ALL for (int t = 0; t < RATINGS; t++) {
        const NAME(Update) own_update = {keep[4 * t], add[4 * t], keep[4 * t + 1], add[4 * t + 1]};
        update[t] = own_update;
    }
}

/* For n ratings, 1 or 2, that have no user and no item in common. */
static ALWAYS_INLINE void NAME(adapt)(
    const int n, const NAME(Rates) *r, const REAL *errors, const REAL *products,
    NAME(State) *const *user, NAME(State) *const *item, NAME(Update) *update)
{
    if (n == 1 && RATINGS == 2) {
        const REAL error[2] = {errors[0], errors[0]}, product[2] = {products[0], products[0]};
        NAME(State) *const same_user[2] = {user[0], user[0]}, *const same_item[2] = {item[0], item[0]};
        NAME(Update) twice[2];
        NAME(adapt_quads)(r, error, product, same_user, same_item, twice);
        update[0] = twice[0];
        return;
    }
    for (int t = 0; t < n; t += RATINGS)
        NAME(adapt_quads)(r, errors + t, products + t, user + t, item + t, update + t);
}
#undef QUADS
#undef RATINGS
#undef ALL
#undef FIRST
#undef PICK

#else
static ALWAYS_INLINE void NAME(adapt)(
    const int n, const NAME(Rates) *r, const REAL *errors, const REAL *products,
    NAME(State) *const *user, NAME(State) *const *item, NAME(Update) *update)
{
    for (int t = 0; t < n; t++) {
        NAME(State) *const states[2] = {user[t], item[t]};
        const REAL norms[2] = {user[t]->norm, item[t]->norm}, error = errors[t], dot = products[t];
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
            own->norm =
                keep[j] * (keep[j] * own->norm + 2 * add[j] * dot) + add[j] * add[j] * other;
            own->bias += r->bias_rate / SQRT(own->bias_square) * bias_gradient;
            own->bias_square += bias_gradient * bias_gradient;
        }
        const NAME(Update) own_update = {keep[0], add[0], keep[1], add[1]};
        update[t] = own_update;
    }
}
#endif
