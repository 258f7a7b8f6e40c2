/* All gradient descent kernels of one SIMD level: both real types, and the table that hands them out.
 * Included by gd_dispatch.h once a level with LEVEL, VECTOR_BYTES, TILE_VECTORS set. */
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
#include "gd_maps.h"

static const GdKernels JOIN3(kernels, of, LEVEL)[2] = {
#define TABLE(type, bytes) \
    {VECTOR_BYTES / (bytes), JOIN3(product, type, LEVEL), JOIN3(pack, type, LEVEL), JOIN3(affine_maps, f64, LEVEL), JOIN3(multiply_squares, f64, LEVEL), \
     JOIN3(cells, type, LEVEL), JOIN3(cells_error, type, LEVEL), JOIN3(dense_error, type, LEVEL), JOIN3(not_finite, type, LEVEL), \
     JOIN3(add_to_double, type, LEVEL), JOIN3(from_double, type, LEVEL)}
    TABLE(f32, 4),
    TABLE(f64, 8),
#undef TABLE
};

#undef REAL
#undef REAL_BYTES
#undef NAME
#undef JOIN3
#undef JOIN3_
#undef LEVEL
#undef VECTOR_BYTES
#undef TILE_VECTORS
