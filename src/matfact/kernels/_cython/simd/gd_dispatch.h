/* Gradient descent kernels for every SIMD level, behind one table of function pointers.
 *
 * gd_level.h is compiled once a level under its own target; gd_set_level picks the level (at import, and in tests), gd_kernels
 * answers with the table to use. Calls are made a block of rows at a time, so the indirection costs nothing.
 *
 *     gd_product.h   the register-tiled product that nearly all the time goes into
 *     gd_cells.h     one row of a sweep over listed cells: observed ones, or missing ones as a correction
 *     gd_maps.h      the k x k matrices of the affine sweep
 *     gd_error.h     squared error without a prediction matrix; the check for non-finite values
 */
#ifndef MATFACT_GD_DISPATCH_H
#define MATFACT_GD_DISPATCH_H
#include <stddef.h>
#include <stdint.h>
#include "cpu.h"
#include "portable.h"

enum { WHOLE, UPPER_B, UPPER_C }; /* what `product` may skip */

typedef struct {
    int lanes; /* reals in a vector: factor rows are padded to whole vectors */
    void (*product)(ptrdiff_t rows, ptrdiff_t inner, int n_vectors, const void *a, ptrdiff_t a_row, ptrdiff_t a_inner,
                    const void *b, ptrdiff_t b_packed, void *c, ptrdiff_t c_stride, int accumulate, int upper);
    void (*pack)(ptrdiff_t rows, ptrdiff_t columns, int n_vectors, const void *a, ptrdiff_t a_row, ptrdiff_t a_column,
                 void *packed_matrix, ptrdiff_t packed, ptrdiff_t first_row);
    void (*affine_maps)(ptrdiff_t k, double step, const double *gram, double *inverse, double *own);
    void (*multiply_squares)(ptrdiff_t k, int transposed, const double *a, const double *b, double *c, int accumulate);
    void (*cells)(ptrdiff_t n_features, ptrdiff_t features, ptrdiff_t count, const int32_t *index, const void *value, const void *other,
                  double step, int sign, const void *linear, const void *gram, const void *old, void *own, void *scratch);
    double (*cells_error)(ptrdiff_t features, ptrdiff_t count, const int32_t *index, const void *value, const void *other, const void *own);
    void (*dense_error)(ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t n_features, const void *ratings, ptrdiff_t stride,
                        const void *own, ptrdiff_t own_stride, const void *panels, double *error);
    int (*not_finite)(ptrdiff_t count, const void *x);
    void (*add_to_double)(ptrdiff_t rows, ptrdiff_t columns, const void *tile, ptrdiff_t stride, double *total, ptrdiff_t total_stride);
    void (*from_double)(ptrdiff_t k, ptrdiff_t features, const double *source, double scale, void *rows);
} GdKernels;

/* Reals of scratch that `cells` needs for a row of up to `count` cells: zeros, linear term, residual and panel, whole vectors each. */
static inline ptrdiff_t gd_cells_scratch(ptrdiff_t features, ptrdiff_t count)
{
    return 2 * features + (count + 16) * (features + 1);
}

#define LEVEL base
#define VECTOR_BYTES 16
#if defined(__aarch64__)
#define TILE_VECTORS 24 /* 32 vector registers */
#else
#define TILE_VECTORS 12 /* 16 vector registers */
#endif
#include "gd_level.h"

#if MATFACT_X86_DISPATCH
BEGIN_TARGET_V3
#define LEVEL v3
#define VECTOR_BYTES 32
#define TILE_VECTORS 12
#include "gd_level.h"
END_TARGET

BEGIN_TARGET_V4
#define LEVEL v4
#define VECTOR_BYTES 64
#define TILE_VECTORS 24
#include "gd_level.h"
END_TARGET
#endif

static int gd_level = 0;

/* Level 0, 3 or 4; returns 0 when this build or this machine does not have it. */
static int gd_set_level(int level)
{
    if (level != 0 && (!MATFACT_X86_DISPATCH || level > matfact_cpu_level())) return 0;
    gd_level = level;
    return 1;
}

/* The table for reals of `real_bytes` and `n_features` features. Long vectors are given up where padding to them wastes more than a
 * tenth: 20 features fill 3 vectors of 8 float32, but only 1.25 of 16 (measured on Zen 4, where both widths have the same peak). */
static const GdKernels *gd_kernels(int real_bytes, ptrdiff_t n_features)
{
    const int type = real_bytes == 8;
#if MATFACT_X86_DISPATCH
    const ptrdiff_t in_v3 = (n_features * real_bytes + 31) / 32 * 32, in_v4 = (n_features * real_bytes + 63) / 64 * 64;
    if (gd_level >= 4 && 10 * in_v4 <= 11 * in_v3) return &kernels_of_v4[type];
    if (gd_level >= 3) return &kernels_of_v3[type];
#else
    (void)n_features;
#endif
    return &kernels_of_base[type];
}
#endif
