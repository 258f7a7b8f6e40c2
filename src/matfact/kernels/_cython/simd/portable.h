/* What differs between compilers. gcc and clang get hints and several targets in one file; others
 * (MSVC) compile the same loops without them. */
#ifndef MATFACT_PORTABLE_H
#define MATFACT_PORTABLE_H
#include <stddef.h>
#include <stdint.h>

#define DO_PRAGMA_(text) _Pragma(#text)
#define DO_PRAGMA(text) DO_PRAGMA_(text)

#if defined(__GNUC__)
#define ALWAYS_INLINE inline __attribute__((always_inline))
#define RESTRICT restrict
#define OMP_SIMD _Pragma("omp simd")
#define OMP_SIMD_SUM(sum) DO_PRAGMA(omp simd reduction(+ : sum))
/* base[offset], which may lie outside the array: hence no pointer arithmetic. */
#define PREFETCH(base, offset) \
    __builtin_prefetch((const void *)((uintptr_t)(base) + (size_t)(offset) * sizeof *(base)))
#else
#define ALWAYS_INLINE __forceinline
#define RESTRICT __restrict
#define OMP_SIMD
#define OMP_SIMD_SUM(sum)
#define PREFETCH(base, offset) ((void)0)
#endif

/* UNROLL_ALL stands before loops whose bounds are constants once functions are inlined; 24 is the
 * tallest tile of product.h. What stands between BEGIN_TARGET_* and END_TARGET is compiled for
 * that SIMD level. */
#define V3_FEATURES "avx2,fma,bmi,bmi2"
#define V4_FEATURES "avx512f,avx512bw,avx512vl,avx512dq,avx2,fma,bmi,bmi2"

#if defined(__clang__)
#define UNROLL_ALL _Pragma("clang loop unroll(full)")
#define BEGIN_TARGET(features) \
    DO_PRAGMA(clang attribute push(__attribute__((target(features))), apply_to = function))
#define END_TARGET _Pragma("clang attribute pop")
#elif defined(__GNUC__)
#define UNROLL_ALL _Pragma("GCC unroll 24")
#define BEGIN_TARGET(features) _Pragma("GCC push_options") DO_PRAGMA(GCC target(features))
#define END_TARGET _Pragma("GCC pop_options")
#else
#define UNROLL_ALL
#endif

#if defined(__GNUC__) && defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector)
#define HAVE_SHUFFLE_VECTOR
#endif
#endif

/* Reals side by side, for sums that have to stay in registers: a vector type where there is one
 * (clang keeps an array of reals in memory), else a single real, and loops over more of them. */
#if defined(__GNUC__)
#define VECTOR_TYPE(name, real, bytes) \
    typedef real name __attribute__((vector_size(bytes), aligned(sizeof(real)), may_alias))
#define REALS_OF_VECTOR(lanes) (lanes)
#else
#define VECTOR_TYPE(name, real, bytes) typedef real name
#define REALS_OF_VECTOR(lanes) 1
#endif

static inline ptrdiff_t smaller(ptrdiff_t a, ptrdiff_t b)
{
    return a < b ? a : b;
}

#endif
