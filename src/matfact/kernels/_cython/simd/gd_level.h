/* All gradient descent kernels of one SIMD level: both real types, and the table of each.
 *
 * Included by gd_dispatch.h once a level, with LEVEL, VECTOR_BYTES and TILE_VECTORS set. NAME(x)
 * tells functions of the same name apart: product_f32_v3, product_f64_v3, ... */
#define JOIN3_(a, b, c) a##_##b##_##c
#define JOIN3(a, b, c) JOIN3_(a, b, c)

#define REAL float
#define REAL_BYTES 4
#define NAME(x) JOIN3(x, f32, LEVEL)
#include "gd_real.h"
#undef REAL
#undef REAL_BYTES
#undef NAME

#define REAL double
#define REAL_BYTES 8
#define NAME(x) JOIN3(x, f64, LEVEL)
#include "gd_real.h"
#include "gd_maps.h" /* in double precision for both */
#undef REAL
#undef REAL_BYTES
#undef NAME

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
static const GdKernels JOIN3(kernels, of, LEVEL)[2] = {TABLE(f32, 4), TABLE(f64, 8)};
#undef TABLE

#undef JOIN3
#undef JOIN3_
#undef LEVEL
#undef VECTOR_BYTES
#undef TILE_VECTORS
