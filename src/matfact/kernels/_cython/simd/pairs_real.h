/* Predictions of one SIMD level for one real type (included by level.h). Dot products are made in
 * the working precision, four at a time; everything else is added in double precision. A prediction
 * is the same bits wherever its pair stands. */
#include "lanes.h"

#ifndef MATFACT_PAIRS_REAL_H
#define MATFACT_PAIRS_REAL_H
#define AHEAD 8 /* pairs whose factors are on their way while others are treated */

static ALWAYS_INLINE ptrdiff_t id_at(const void *ids, ptrdiff_t place, int bytes)
{
    return bytes == 4 ? (ptrdiff_t)((const int32_t *)ids)[place]
                      : (ptrdiff_t)((const int64_t *)ids)[place];
}
#endif

/* out[j] = center + b_u + c_i + p_u.q_i for `count` pairs of places of id_bytes. */
static void NAME(predict)(
    const PairsModel *model, ptrdiff_t count,
    const void *users, const void *items, int id_bytes, double *out)
{
    const ptrdiff_t k = model->n_features, whole = k / LANES * LANES;
    const REAL *user_factors = model->user_factors, *item_factors = model->item_factors;
    const REAL *user_biases = model->user_biases, *item_biases = model->item_biases;
    ptrdiff_t j = 0;
#define PREDICT(n) \
    for (; j + (n) <= count; j += (n)) { \
        const REAL *p[n], *q[n]; \
        NAME(reals) sum[4] = {{0}}; \
        REAL dots[4]; \
        for (int t = 0; t < (n); t++) { \
            p[t] = user_factors + id_at(users, j + t, id_bytes) * k; \
            q[t] = item_factors + id_at(items, j + t, id_bytes) * k; \
            if (j + t + AHEAD < count) { \
                const ptrdiff_t user = id_at(users, j + t + AHEAD, id_bytes) * k; \
                const ptrdiff_t item = id_at(items, j + t + AHEAD, id_bytes) * k; \
                for (ptrdiff_t f = 0; f < k; f += 64 / REAL_BYTES) { \
                    PREFETCH(user_factors, user + f); \
                    PREFETCH(item_factors, item + f); \
                } \
            } \
        } \
        for (ptrdiff_t f = 0; f < whole; f += REALS_OF_VECTOR(LANES)) \
            UNROLL_ALL for (int t = 0; t < (n); t++) \
                sum[t] += *(const NAME(reals) *)(p[t] + f) * *(const NAME(reals) *)(q[t] + f); \
        NAME(sum_lanes)(sum, dots); \
        for (ptrdiff_t f = whole; f < k; f++) \
            UNROLL_ALL for (int t = 0; t < (n); t++) dots[t] += p[t][f] * q[t][f]; \
        for (int t = 0; t < (n); t++) { \
            double offset = model->center; \
            if (user_biases) offset += (double)user_biases[id_at(users, j + t, id_bytes)]; \
            if (item_biases) offset += (double)item_biases[id_at(items, j + t, id_bytes)]; \
            out[j + t] = offset + (double)dots[t]; \
        } \
    }
    PREDICT(4)
    PREDICT(1)
#undef PREDICT
}

/* The weighted sum of squared errors of the ratings of one row; the errors r - prediction themselves
 * are stored in `out` unless it is NULL. The factors of the columns are filled up with zeros to
 * `padded` reals; `own` has room for as many. */
static double NAME(row_errors)(
    const PairsModel *model, ptrdiff_t padded, ptrdiff_t row,
    ptrdiff_t count, const int32_t *index, const void *value_, const void *weight_,
    const void *columns_, void *own_, void *out_)
{
    const ptrdiff_t k = model->n_features;
    const REAL *value = value_, *weight = weight_, *columns = columns_;
    const REAL *biases = model->item_biases;
    REAL *own = own_, *out = out_;
    const double offset =
        model->center + (model->user_biases ? (double)((const REAL *)model->user_biases)[row] : 0);
    double total = 0;
    ptrdiff_t j = 0;
    memcpy(own, (const REAL *)model->user_factors + row * k, (size_t)k * sizeof(REAL));
    for (ptrdiff_t f = k; f < padded; f++) own[f] = 0;
#define ERRORS(n) \
    for (; j + (n) <= count; j += (n)) { \
        const REAL *q[n]; \
        NAME(reals) sum[4] = {{0}}; \
        REAL dots[4]; \
        for (int t = 0; t < (n); t++) { \
            q[t] = columns + index[j + t] * padded; \
            if (j + t + AHEAD < count) \
                for (ptrdiff_t f = 0; f < padded; f += 64 / REAL_BYTES) \
                    PREFETCH(columns, index[j + t + AHEAD] * padded + f); \
        } \
        for (ptrdiff_t f = 0; f < padded; f += REALS_OF_VECTOR(LANES)) { \
            const NAME(reals) own_f = *(const NAME(reals) *)(own + f); \
            UNROLL_ALL for (int t = 0; t < (n); t++) \
                sum[t] += own_f * *(const NAME(reals) *)(q[t] + f); \
        } \
        NAME(sum_lanes)(sum, dots); \
        for (int t = 0; t < (n); t++) { \
            const double bias = biases ? (double)biases[index[j + t]] : 0; \
            const double error = (double)value[j + t] - (offset + bias + (double)dots[t]); \
            total += error * error * (weight ? (double)weight[j + t] : 1); \
            if (out) out[j + t] = (REAL)error; \
        } \
    }
    ERRORS(4)
    ERRORS(1)
#undef ERRORS
    return total;
}
