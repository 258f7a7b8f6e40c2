/* Posteriors of rows for every SIMD level, behind one table of function pointers.
 *
 * levels.h compiles vb_real.h for each level. A call treats one row, so the indirection costs
 * nothing. Products in register tiles, the factorization and the gathering are those of ALS:
 *
 *     lanes.h, als_tile.h, als_gather.h, als_cholesky.h
 *     vb_inverse.h       the inverse of a factored matrix
 *     vb_real.h          mean and covariance of a row
 */
#ifndef MATFACT_VB_DISPATCH_H
#define MATFACT_VB_DISPATCH_H
#include "portable.h"
#include <math.h>
#include <string.h>

/* What all rows of a call have in common. Pointers to reals are `void`: the table is the same for
 * both real types. Vectors are filled up with zeros to `padded` reals, matrices to padded x padded
 * in panels (als_tile.h), the precision with ones on its diagonal. NULL: no weights. */
typedef struct {
    ptrdiff_t n_features, padded;
    const int64_t *indptr;
    const int32_t *indices;
    const void *values, *weights;
    const void *other;      /* rows of factors, from cache lines on */
    const void *offsets;    /* one a row of other: subtracted from values */
    const void *precision;  /* of the prior */
    const void *covariance; /* what an entry adds to the products of its factors */
    const void *correlation; /* what it takes from the right-hand side */
    const void *shift;      /* precision times the mean of the prior */
    double noise_precision;
    void *means;       /* rows of n_features */
    void *covariances; /* one of n_features x n_features a row, or NULL: not wanted */
} VbRows;

typedef struct {
    int pad, panel;
    ptrdiff_t (*scratch)(ptrdiff_t padded);
    /* Mean of one row into means[row]. Adds the upper triangle of its covariance, n_features x
     * n_features, to sums, the same times its weight behind that, and then the logarithm of its
     * determinant. Returns 1 if something is not finite. */
    int (*posterior_row)(const VbRows *rows, ptrdiff_t row, void *scratch, double *sums);
} VbKernels;

#define TABLE_TYPE VbKernels
#define KERNELS_OF_ONE_REAL "vb_real.h"
#define TABLE(type, bytes) \
    { \
        .pad = VECTOR_BYTES / (bytes) > 8 ? VECTOR_BYTES / (bytes) : 8, \
        .panel = JOIN3(panel_columns, type, LEVEL), \
        .scratch = JOIN3(posterior_scratch, type, LEVEL), \
        .posterior_row = JOIN3(posterior_row, type, LEVEL), \
    }
#include "levels.h"
#endif
