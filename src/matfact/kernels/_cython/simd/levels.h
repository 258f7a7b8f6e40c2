/* Compiles the kernels of an extension once a SIMD level, each under its own target, and picks the
 * level when the program runs.
 *
 * The includer (*_dispatch.h, once an extension) has set
 *
 *     KERNELS_OF_ONE_REAL   the header with the functions, which are named NAME(x)
 *     TABLE_TYPE            a struct of function pointers
 *     TABLE(type, bytes)    its initializer for one real type: f32 or f64, of that many bytes
 *
 * use_level picks the level (at import, and in tests), kernels_for answers with the table to use.
 * Pointers to reals are `void` in the tables, which are the same for both real types.
 */
#include "cpu.h"

/* TILE_VECTORS: accumulators of a register tile, some registers less than there are. */
#define LEVEL base
#define VECTOR_BYTES 16
#if defined(__aarch64__)
#define TILE_VECTORS 24 /* of 32 registers */
#else
#define TILE_VECTORS 12 /* of 16 registers */
#endif
#include "level.h"

#if MATFACT_X86_DISPATCH
BEGIN_TARGET(V3_FEATURES)
#define LEVEL v3
#define VECTOR_BYTES 32
#define TILE_VECTORS 12
#include "level.h"
END_TARGET

BEGIN_TARGET(V4_FEATURES)
#define LEVEL v4
#define VECTOR_BYTES 64
#define TILE_VECTORS 24
#include "level.h"
END_TARGET
#endif

static int simd_level = 0;

/* Level 0, 3 or 4; returns 0 when this build or this machine does not have it. */
static inline int use_level(int level)
{
    if (level != 0 && (!MATFACT_X86_DISPATCH || level > matfact_cpu_level())) return 0;
    simd_level = level;
    return 1;
}

/* The table for reals of `real_bytes` and rows of `n_reals` of them. Long vectors are given up
 * where padding to them wastes more than a tenth: 20 features fill 3 vectors of 8 float32, but
 * only 1.25 of 16 (measured on Zen 4, where both widths have the same peak). */
static inline const TABLE_TYPE *kernels_for(int real_bytes, ptrdiff_t n_reals)
{
    const int type = real_bytes == 8;
#if MATFACT_X86_DISPATCH
    const ptrdiff_t bytes = n_reals * real_bytes;
    const ptrdiff_t in_v3 = (bytes + 31) / 32 * 32, in_v4 = (bytes + 63) / 64 * 64;
    if (simd_level >= 4 && 10 * in_v4 <= 11 * in_v3) return &kernels_of_v4[type];
    if (simd_level >= 3) return &kernels_of_v3[type];
#else
    (void)n_reals;
#endif
    return &kernels_of_base[type];
}
