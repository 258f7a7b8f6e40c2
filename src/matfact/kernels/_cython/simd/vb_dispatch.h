/* Posteriors of rows for every SIMD level, behind one table of function pointers.
 *
 * levels.h compiles vb_real.h for each level. A call treats one row, so the indirection costs
 * nothing. Products in register tiles, the factorization and the gathering are those of ALS:
 *
 *     lanes.h, als_tile.h, als_gather.h, als_cholesky.h
 *     vb_inverse.h       the inverse of a factored matrix
 *     vb_columns.h       what the covariances of the columns add
 *     vb_real.h          mean and covariance of a row, or a sample
 */
#ifndef MATFACT_VB_DISPATCH_H
#define MATFACT_VB_DISPATCH_H
#include "portable.h"
#include <math.h>
#include <string.h>

/* What all rows of a call have in common. Pointers to reals are `void`: the table is the same for
 * both real types. Matrices in panels (als_tile.h) are filled up with zeros to padded x padded, the
 * precision with ones on its diagonal. NULL: not there, or not wanted. */
typedef struct {
    ptrdiff_t n_features, padded;
    const int64_t *indptr;
    const int32_t *indices;
    const void *values, *weights;
    const void *other;     /* rows of `padded` factors, from cache lines on */
    const void *offsets;   /* one a row of other: subtracted from values */
    const void *precision; /* of the prior, in panels */
    const void *mean_covariance; /* of the columns' factors, in panels; zeros: each has its own */
    const double *mean_correlation; /* of factors and offsets: n_features, the last of them 0 */
    const void *columns;   /* covariances of factors and offsets, column_size reals for each */
    ptrdiff_t column_size; /* n_features squared, or n_features: diagonals */
    int each;              /* there are columns' own; else one, of which the means above are made */
    const double *shift;   /* precision times the mean of the prior, shift_step numbers a row */
    ptrdiff_t shift_step;  /* n_features, or 0: one for all */
    double noise_precision;
    const void *noise; /* rows of n_features normal numbers */
    void *means;       /* rows of n_features */
    void *drawn;       /* as many */
    void *covariances; /* covariance_size reals a row: n_features squared, or n_features */
    ptrdiff_t covariance_size;
} VbRows;

typedef struct {
    int pad, panel;
    ptrdiff_t (*scratch)(ptrdiff_t padded);
    /* Mean of one row into means[row]. Adds the upper triangle of its covariance, n_features x
     * n_features, to sums, the same times its weight behind that, then the logarithm of its
     * determinant, and the squared error that the columns' covariances add. Returns 1 if something
     * is not finite. */
    int (*posterior_row)(const VbRows *rows, ptrdiff_t row, void *scratch, double *sums);
    /* A sample of one row into drawn[row], and its mean; the same without sums. */
    int (*draw_row)(const VbRows *rows, ptrdiff_t row, void *scratch);
} VbKernels;

#define TABLE_TYPE VbKernels
#define KERNELS_OF_ONE_REAL "vb_real.h"
#define TABLE(type, bytes) \
    { \
        .pad = VECTOR_BYTES / (bytes) > 8 ? VECTOR_BYTES / (bytes) : 8, \
        .panel = JOIN3(panel_columns, type, LEVEL), \
        .scratch = JOIN3(posterior_scratch, type, LEVEL), \
        .posterior_row = JOIN3(posterior_row, type, LEVEL), \
        .draw_row = JOIN3(draw_row, type, LEVEL), \
    }
#include "levels.h"
#endif
