/* What differs between compilers: gcc and clang as they are, others (MSVC) get the same loops without the hints. */
#ifndef MATFACT_PORTABLE_H
#define MATFACT_PORTABLE_H

#define MIN(a, b) ((a) < (b) ? (a) : (b))

#define DO_PRAGMA_(x) _Pragma(#x)
#define DO_PRAGMA(x) DO_PRAGMA_(x)

#if defined(__GNUC__)
#define ALWAYS_INLINE inline __attribute__((always_inline))
#define RESTRICT restrict
#define PREFETCH(p) __builtin_prefetch(p)
#define OMP_SIMD _Pragma("omp simd")
#define OMP_SIMD_SUM(sum) DO_PRAGMA(omp simd reduction(+ : sum))
#else
#define ALWAYS_INLINE __forceinline
#define RESTRICT __restrict
#define PREFETCH(p) ((void)0)
#define OMP_SIMD
#define OMP_SIMD_SUM(sum)
#endif

#if defined(__clang__)
#define UNROLL_ALL _Pragma("clang loop unroll(full)")
#define BEGIN_TARGET_V3 _Pragma("clang attribute push(__attribute__((target(\"avx2,fma,bmi,bmi2\"))), apply_to=function)")
#define BEGIN_TARGET_V4 _Pragma("clang attribute push(__attribute__((target(\"avx512f,avx512bw,avx512vl,avx512dq,avx2,fma,bmi,bmi2\"))), apply_to=function)")
#define END_TARGET _Pragma("clang attribute pop")
#elif defined(__GNUC__)
#define UNROLL_ALL _Pragma("GCC unroll 24")
#define BEGIN_TARGET_V3 _Pragma("GCC push_options") _Pragma("GCC target(\"avx2,fma,bmi,bmi2\")")
#define BEGIN_TARGET_V4 _Pragma("GCC push_options") _Pragma("GCC target(\"avx512f,avx512bw,avx512vl,avx512dq,avx2,fma,bmi,bmi2\")")
#define END_TARGET _Pragma("GCC pop_options")
#else
#define UNROLL_ALL
#endif

#if defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector)
#define HAVE_SHUFFLE_VECTOR
#endif
#endif
#endif
