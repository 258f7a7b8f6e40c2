/* Gradient descent kernels for every SIMD level, behind one table of function pointers.
 *
 * gd_level.h is compiled once a level under its own target. gd_set_level picks the level (at
 * import, and in tests), gd_kernels answers with the table to use. Calls are made a block of rows
 * at a time, so the indirection costs nothing.
 *
 *     gd_product.h   the register-tiled product that nearly all the time goes into
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
#include "cpu.h"
#include "portable.h"

/* What `product` may leave out, where B or C is a square of which half is known beforehand. */
enum {
    WHOLE,   /* nothing */
    UPPER_B, /* multiplications with what is below the diagonal of B: B is upper triangular */
    UPPER_C  /* elements below the diagonal of C: C is symmetric, and the caller mirrors it */
};

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

/* Vectors of the next panel of columns when `remaining` are left: two; one or three at the end of
 * an odd number, for a panel of three uses the registers better than a two and a one. */
static inline int gd_panel_vectors(int remaining)
{
    return remaining == 1 || remaining == 3 ? remaining : 2;
}

/* Reals of scratch that `cells` needs for a row of up to `count` cells: zeros and linear term of
 * `padded` reals, residual and `padded` panel rows of whole vectors of cells (at most 16). */
static inline ptrdiff_t gd_cells_scratch(ptrdiff_t padded, ptrdiff_t count)
{
    return 2 * padded + (count + 16) * (padded + 1);
}

/* TILE_VECTORS: accumulators of a register tile, some registers less than there are. */
#define LEVEL base
#define VECTOR_BYTES 16
#if defined(__aarch64__)
#define TILE_VECTORS 24 /* of 32 registers */
#else
#define TILE_VECTORS 12 /* of 16 registers */
#endif
#include "gd_level.h"

#if MATFACT_X86_DISPATCH
BEGIN_TARGET(V3_FEATURES)
#define LEVEL v3
#define VECTOR_BYTES 32
#define TILE_VECTORS 12
#include "gd_level.h"
END_TARGET

BEGIN_TARGET(V4_FEATURES)
#define LEVEL v4
#define VECTOR_BYTES 64
#define TILE_VECTORS 24
#include "gd_level.h"
END_TARGET
#endif

static int gd_level = 0;

/* Level 0, 3 or 4; returns 0 when this build or this machine does not have it. */
static inline int gd_set_level(int level)
{
    if (level != 0 && (!MATFACT_X86_DISPATCH || level > matfact_cpu_level())) return 0;
    gd_level = level;
    return 1;
}

/* The table for reals of `real_bytes` and `n_features` features. Long vectors are given up where
 * padding to them wastes more than a tenth: 20 features fill 3 vectors of 8 float32, but only 1.25
 * of 16 (measured on Zen 4, where both widths have the same peak). */
static inline const GdKernels *gd_kernels(int real_bytes, ptrdiff_t n_features)
{
    const int type = real_bytes == 8;
#if MATFACT_X86_DISPATCH
    const ptrdiff_t bytes = n_features * real_bytes;
    const ptrdiff_t in_v3 = (bytes + 31) / 32 * 32, in_v4 = (bytes + 63) / 64 * 64;
    if (gd_level >= 4 && 10 * in_v4 <= 11 * in_v3) return &kernels_of_v4[type];
    if (gd_level >= 3) return &kernels_of_v3[type];
#else
    (void)n_features;
#endif
    return &kernels_of_base[type];
}
#endif
