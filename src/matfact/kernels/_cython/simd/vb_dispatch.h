/* Posteriors of rows for every SIMD level, behind one table of function pointers.
 *
 * levels.h compiles vb_real.h for each level. A call treats some rows, so the indirection costs
 * nothing. Products in register tiles and the gathering are those of ALS:
 *
 *     lanes.h, als_tile.h, als_gather.h
 *     vb_together.h      factors and inverses of the matrices of several rows at once
 *     vb_columns.h       what the covariances of the columns add
 *     vb_normal.h        the equations of a row
 *     vb_place.h         the equations of several rows into the lanes of vectors
 *     vb_real.h          means and covariances of rows, or samples
 */
#ifndef MATFACT_VB_DISPATCH_H
#define MATFACT_VB_DISPATCH_H
#include "portable.h"
#include <math.h>
#include <string.h>

/* What all rows of a call have in common. Pointers to reals are `void`: the table is the same for
 * both real types. Matrices in panels (als_tile.h) are of n_features - 1 variables and filled up
 * with zeros to padded x padded. NULL: not there, or not wanted. */
typedef struct {
    ptrdiff_t n_features;
    ptrdiff_t padded; /* n_features - 1 in whole vectors */
    ptrdiff_t size;   /* n_features in whole tiles of vb_together.h */
    const int64_t *indptr;
    const int32_t *indices;
    const void *values, *weights;
    const void *other;     /* rows of `padded` factors, from cache lines on; without the last, 1 */
    const void *offsets;   /* one a row of other: subtracted from values */
    const void *precision; /* of the prior, in panels */
    const double *border;  /* its last row, n_features numbers */
    const void *mean_covariance; /* of the columns' factors, in panels; zeros: each has its own */
    const double *mean_correlation; /* of factors and offsets: n_features, the last of them 0 */
    const void *prior;     /* the precision in tiles, see multiply_together of vb_together.h */
    const void *columns;   /* covariances of factors and offsets, column_size reals for each */
    ptrdiff_t column_size; /* n_features squared, or n_features: diagonals */
    const void *last_rows; /* of each column's covariance, n_features reals, where one has zeros */
    int each;              /* there are columns' own; else one, of which the means above are made */
    const double *shift;   /* precision times the mean of the prior, shift_step numbers a row */
    ptrdiff_t shift_step;  /* n_features, or 0: one for all */
    double noise_precision;
    const void *noise; /* rows of n_features normal numbers */
    void *means;       /* rows of n_features */
    void *drawn;       /* as many */
    void *covariances; /* covariance_size reals a row: n_features squared, or n_features */
    ptrdiff_t covariance_size;
    void *bias_covariances; /* rows of n_features: the last of the covariances */
    double *uncertainties;  /* one a row */
} VbRows;

typedef struct {
    int pad, panel, side;
    int together; /* rows that are treated at a time */
    ptrdiff_t (*scratch)(const VbRows *rows);
    /* Means of n rows, at most `together`, into means[row ..], and what else is wanted of each. Adds
     * the logarithms of the determinants of their covariances to `sums` behind two matrices,
     * n_features x n_features. To these go the covariances, and the
     * same times the weights of the rows, when the sums are finished: the upper triangles; until
     * then they are in the scratch. Returns how many rows have something that is not finite. */
    ptrdiff_t (*posterior_some)(
        const VbRows *rows, ptrdiff_t row, ptrdiff_t n, void *scratch, double *sums);
    void (*start_sums)(const VbRows *rows, void *scratch);
    void (*finish_sums)(const VbRows *rows, void *scratch, double *sums); /* and starts others */
    /* Samples of n rows into drawn[row ..], and their means; the same without sums. */
    ptrdiff_t (*draw_some)(const VbRows *rows, ptrdiff_t row, ptrdiff_t n, void *scratch);
} VbKernels;

#define TABLE_TYPE VbKernels
#define KERNELS_OF_ONE_REAL "vb_real.h"
#define TABLE(type, bytes) \
    { \
        .pad = VECTOR_BYTES / (bytes) > 8 ? VECTOR_BYTES / (bytes) : 8, \
        .panel = JOIN3(panel_columns, type, LEVEL), \
        .side = SIDE, \
        .together = JOIN3(together, type, LEVEL), \
        .scratch = JOIN3(posterior_scratch, type, LEVEL), \
        .posterior_some = JOIN3(posterior_some, type, LEVEL), \
        .start_sums = JOIN3(start_sums, type, LEVEL), \
        .finish_sums = JOIN3(finish_sums, type, LEVEL), \
        .draw_some = JOIN3(draw_some, type, LEVEL), \
    }
#include "levels.h"
#endif
