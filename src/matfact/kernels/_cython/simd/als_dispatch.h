/* Alternating least squares for every SIMD level, behind one table of function pointers.
 *
 * levels.h compiles als_real.h for each level. A call solves one row or some, so the
 * indirection costs nothing.
 *
 *     lanes.h            vectors, and sums over their lanes
 *     als_tile.h         symmetric products in register tiles, in the layout of panels
 *     als_gather.h       factors and targets of the entries of a row
 *     als_cholesky.h     factorization and solution of the normal equations
 *     als_normal.h       a row by its normal equations: Cholesky, or non-negative
 *     als_symmetric.h    products of a symmetric matrix with vectors
 *     als_conjugate.h    rows by conjugate gradients, without normal equations
 *     als_subspace.h     a row by blocks of its variables, one after another
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
    const void *gram;               /* padded x padded, all of it, in panels (als_tile.h) */
    const void *start;              /* rows of n_features: where the iterative methods start */
    void *solution, *solution_biases;
    int method;
    ptrdiff_t n_steps;
    ptrdiff_t together; /* rows of a call of solve_some that may go in lockstep; 1: none */
} AlsRows;

enum { ALS_CHOLESKY, ALS_CONJUGATE, ALS_NON_NEGATIVE, ALS_SUBSPACE };

typedef struct {
    int pad; /* rows of factors are filled up to a multiple of it */
    ptrdiff_t (*scratch)(const AlsRows *rows);
    int panel; /* columns of a panel */
    int together; /* rows that go in lockstep, at most */
    ptrdiff_t (*solve_some)(
        const AlsRows *rows, const int64_t *row, ptrdiff_t n, void *scratch);
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
        .panel = JOIN3(panel_columns, type, LEVEL), \
        .together = TOGETHER, \
        .solve_some = JOIN3(solve_some, type, LEVEL), \
        .gram_scratch = JOIN3(gram_scratch, type, LEVEL), \
        .gram = JOIN3(gram, type, LEVEL), \
    }
#include "levels.h"
#endif
