/* Predictions of single pairs and of all ratings of a row, for every SIMD level, behind one table
 * of function pointers. levels.h compiles pairs_real.h for each level. */
#ifndef MATFACT_PAIRS_DISPATCH_H
#define MATFACT_PAIRS_DISPATCH_H
#include "portable.h"
#include <string.h>

/* Factors and biases of both sides; NULL stands for no biases. */
typedef struct {
    ptrdiff_t n_features;
    const void *user_factors, *item_factors;
    const void *user_biases, *item_biases;
    double center;
} PairsModel;

typedef struct {
    int lanes;
    void (*predict)(
        const PairsModel *model, ptrdiff_t count,
        const void *users, const void *items, int id_bytes, double *out);
    double (*row_errors)(
        const PairsModel *model, ptrdiff_t padded, ptrdiff_t row,
        ptrdiff_t count, const int32_t *index, const void *value, const void *weight,
        const void *columns, void *own, void *out);
} PairsKernels;

#define TABLE_TYPE PairsKernels
#define KERNELS_OF_ONE_REAL "pairs_real.h"
#define TABLE(type, bytes) \
    { \
        .lanes = VECTOR_BYTES / (bytes), \
        .predict = JOIN3(predict, type, LEVEL), \
        .row_errors = JOIN3(row_errors, type, LEVEL), \
    }
#include "levels.h"
#endif
