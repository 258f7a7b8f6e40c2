/* Gradient descent kernels for every SIMD level, behind one table of function pointers.
 *
 * levels.h compiles gd_real.h for each level. Calls are made a block of rows at a time, so the
 * indirection costs nothing.
 *
 *     product.h      the register-tiled product that nearly all the time goes into
 *     gd_cells.h     one row of a sweep over listed cells
 *     gd_error.h     squared error of dense rows, without a prediction matrix
 *     gd_convert.h   to and from double precision; the check for values that are not finite
 *     gd_maps.h      the k x k matrices of the affine sweep
 *
 * The functions are described where they are defined. In all of them `n_features` counts the
 * features and `padded` the reals of a factor row: n_features rounded up to whole vectors, the
 * rest zeros. Pointers to reals are `void` in the table, which is the same for both real types.
 */
#ifndef MATFACT_GD_DISPATCH_H
#define MATFACT_GD_DISPATCH_H
#include "portable.h"

typedef struct {
    int lanes; /* reals in a vector */

    void (*product)(
        ptrdiff_t rows, ptrdiff_t inner, int n_vectors,
        const void *a, ptrdiff_t a_row, ptrdiff_t a_inner,
        const void *b,
        void *c, ptrdiff_t c_stride,
        int accumulate, int upper);

    void (*pack)(
        ptrdiff_t rows, ptrdiff_t columns, int n_vectors,
        const void *a, ptrdiff_t a_row, ptrdiff_t a_column,
        void *packed);

    void (*cells)(
        ptrdiff_t n_features, ptrdiff_t padded,
        ptrdiff_t count, const int32_t *index, const void *value, int sign,
        const void *other, double step,
        const void *linear, const void *gram,
        const void *old, void *own, void *scratch);

    double (*cells_error)(
        ptrdiff_t padded,
        ptrdiff_t count, const int32_t *index, const void *value,
        const void *other, const void *own);

    void (*dense_error)(
        ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t n_features,
        const void *ratings, ptrdiff_t stride,
        const void *own, ptrdiff_t own_stride,
        const void *panels, double *error);

    void (*add_to_double)(
        ptrdiff_t rows, ptrdiff_t columns,
        const void *tile, ptrdiff_t stride,
        double *total, ptrdiff_t total_stride);

    void (*from_double)(
        ptrdiff_t n_features, ptrdiff_t padded,
        const double *square, double scale, void *rows);

    int (*not_finite)(ptrdiff_t count, const void *x);

    void (*affine_maps)(
        ptrdiff_t k, double step, const double *gram, double *inverse, double *own);

    void (*multiply_squares)(
        ptrdiff_t k, int transposed, const double *a, const double *b, double *c, int accumulate);
} GdKernels;

/* Reals of scratch that `cells` needs for a row of up to `count` cells: zeros and linear term of
 * `padded` reals, residual and `padded` panel rows of whole vectors of cells (at most 16). */
static inline ptrdiff_t gd_cells_scratch(ptrdiff_t padded, ptrdiff_t count)
{
    return 2 * padded + (count + 16) * (padded + 1);
}

#define TABLE_TYPE GdKernels
#define KERNELS_OF_ONE_REAL "gd_real.h"
#define TABLE(type, bytes) \
    { \
        .lanes = VECTOR_BYTES / (bytes), \
        .product = JOIN3(product, type, LEVEL), \
        .pack = JOIN3(pack, type, LEVEL), \
        .cells = JOIN3(cells, type, LEVEL), \
        .cells_error = JOIN3(cells_error, type, LEVEL), \
        .dense_error = JOIN3(dense_error, type, LEVEL), \
        .add_to_double = JOIN3(add_to_double, type, LEVEL), \
        .from_double = JOIN3(from_double, type, LEVEL), \
        .not_finite = JOIN3(not_finite, type, LEVEL), \
        .affine_maps = JOIN3(affine_maps, f64, LEVEL), \
        .multiply_squares = JOIN3(multiply_squares, f64, LEVEL), \
    }
#include "levels.h"
#endif
