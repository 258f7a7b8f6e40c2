/* Alternating least squares for every SIMD level, behind one table of function pointers.
 *
 * levels.h compiles als_real.h for each level. A call solves one row, so the indirection costs
 * nothing.
 *
 *     lanes.h            vectors, and sums over their lanes
 *     als_tile.h         symmetric products in register tiles, in the layout of panels
 *     als_gather.h       factors and targets of the entries of a row
 *     als_cholesky.h     factorization and solution of the normal equations
 *     als_normal.h       a row by its normal equations: Cholesky, or non-negative
 *     als_conjugate.h    a row by conjugate gradients, without normal equations
 *     als_gram.h         sum of q q^T over all rows of a matrix of factors
 */
#ifndef MATFACT_ALS_DISPATCH_H
#define MATFACT_ALS_DISPATCH_H
#include "portable.h"
#include <math.h>
#include <string.h>

/* What all rows of a call have in common. Pointers to reals are `void`: the table is the same for
 * both real types. Rows of `other` are filled up with zeros to `padded` reals and start at cache
 * lines. NULL stands for: no weights, no biases, no gram matrix. */
typedef struct {
    ptrdiff_t n_features, padded, longest; /* longest: entries of the longest row */
    const int64_t *indptr;
    const int32_t *indices;
    const void *values, *weights;
    const void *other, *other_biases;
    double center;
    const void *ridge, *bias_ridge; /* one a row */
    const void *gram;               /* padded x padded, both triangles */
    const void *start;              /* rows of n_features: where the iterative methods start */
    void *solution, *solution_biases;
    int method;
    ptrdiff_t n_steps;
} AlsRows;

enum { ALS_CHOLESKY, ALS_CONJUGATE, ALS_NON_NEGATIVE };

typedef struct {
    int pad; /* rows of factors are filled up to a multiple of it */
    ptrdiff_t (*scratch)(const AlsRows *rows);
    int (*solve_row)(const AlsRows *rows, ptrdiff_t row, void *scratch);
    ptrdiff_t (*gram_scratch)(ptrdiff_t padded);
    void (*gram)(
        ptrdiff_t n_rows, ptrdiff_t n_features, ptrdiff_t padded,
        const void *factors, void *scratch, double *total);
} AlsKernels;

#define TABLE_TYPE AlsKernels
#define KERNELS_OF_ONE_REAL "als_real.h"
#define TABLE(type, bytes) \
    { \
        .pad = VECTOR_BYTES / (bytes) > 8 ? VECTOR_BYTES / (bytes) : 8, \
        .scratch = JOIN3(row_scratch, type, LEVEL), \
        .solve_row = JOIN3(solve_row, type, LEVEL), \
        .gram_scratch = JOIN3(gram_scratch, type, LEVEL), \
        .gram = JOIN3(gram, type, LEVEL), \
    }
#include "levels.h"
#endif
