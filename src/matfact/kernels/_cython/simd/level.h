/* All kernels of one SIMD level: both real types, and the table of each (included by levels.h).
 *
 * NAME(x) tells functions of the same name apart: product_f32_v3, product_f64_v3, ... */
#define JOIN3_(a, b, c) a##_##b##_##c
#define JOIN3(a, b, c) JOIN3_(a, b, c)
#define LANES (VECTOR_BYTES / REAL_BYTES) /* reals of a vector */

#define REAL float
#define REAL_BYTES 4
#define NAME(x) JOIN3(x, f32, LEVEL)
#include KERNELS_OF_ONE_REAL
#undef REAL
#undef REAL_BYTES
#undef NAME

#define REAL double
#define REAL_BYTES 8
#define NAME(x) JOIN3(x, f64, LEVEL)
#include KERNELS_OF_ONE_REAL
#undef REAL
#undef REAL_BYTES
#undef NAME

static const TABLE_TYPE JOIN3(kernels, of, LEVEL)[2] = {TABLE(f32, 4), TABLE(f64, 8)};

#undef JOIN3
#undef JOIN3_
#undef LANES
#undef LEVEL
#undef VECTOR_BYTES
#undef TILE_VECTORS
