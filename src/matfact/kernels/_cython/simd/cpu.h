/* Which SIMD level this CPU and operating system can run.
 *
 * Levels are cumulative: base (what the compiler assumes anyway), 3 (AVX2, FMA, BMI1, BMI2) and
 * 4 (AVX-512 F, DQ, BW, VL). Kernels have code for levels 3 and 4 only where MATFACT_X86_DISPATCH
 * is 1: x86-64 with gcc or clang, which can switch the target within one file.
 *
 * The probe is our own because __builtin_cpu_supports answers 0 for everything under some
 * toolchains (zig cc). Instruction manual: Intel SDM vol. 1, 14.3 and 15.2-15.4.
 */
#ifndef MATFACT_CPU_H
#define MATFACT_CPU_H

#if defined(__x86_64__) && defined(__GNUC__)
#define MATFACT_X86_DISPATCH 1
#include <cpuid.h>
#else
#define MATFACT_X86_DISPATCH 0
#endif

#if MATFACT_X86_DISPATCH

/* cpuid leaf 1, ecx */
#define MATFACT_CPUID_FMA (1u << 12)
#define MATFACT_CPUID_OSXSAVE (1u << 27)
#define MATFACT_CPUID_AVX (1u << 28)
/* cpuid leaf 7, ebx */
#define MATFACT_CPUID_BMI1 (1u << 3)
#define MATFACT_CPUID_AVX2 (1u << 5)
#define MATFACT_CPUID_BMI2 (1u << 8)
#define MATFACT_CPUID_AVX512F (1u << 16)
#define MATFACT_CPUID_AVX512DQ (1u << 17)
#define MATFACT_CPUID_AVX512BW (1u << 30)
#define MATFACT_CPUID_AVX512VL (1u << 31)
/* xcr0: register files that the operating system saves at a task switch */
#define MATFACT_XCR0_AVX 0x06u
#define MATFACT_XCR0_AVX512 0xe6u

static inline int matfact_has_all(unsigned value, unsigned bits) { return (value & bits) == bits; }

static inline unsigned matfact_xcr0(void) {
    unsigned low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    (void)high;
    return low;
}

static inline int matfact_cpu_level(void) {
    const unsigned leaf1_v3 = MATFACT_CPUID_FMA | MATFACT_CPUID_OSXSAVE | MATFACT_CPUID_AVX;
    const unsigned leaf7_v3 = MATFACT_CPUID_BMI1 | MATFACT_CPUID_AVX2 | MATFACT_CPUID_BMI2;
    const unsigned leaf7_v4 = MATFACT_CPUID_AVX512F | MATFACT_CPUID_AVX512DQ |
                              MATFACT_CPUID_AVX512BW | MATFACT_CPUID_AVX512VL;
    unsigned eax, ebx, ecx, edx, xcr0;

    if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || !matfact_has_all(ecx, leaf1_v3)) return 0;
    xcr0 = matfact_xcr0(); /* allowed: OSXSAVE is set */
    if (!matfact_has_all(xcr0, MATFACT_XCR0_AVX)) return 0;
    if (!__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx)) return 0;
    if (!matfact_has_all(ebx, leaf7_v3)) return 0;
    /* macOS switches the AVX-512 bits of xcr0 on at first use only, so it gets level 3. */
    if (!matfact_has_all(xcr0, MATFACT_XCR0_AVX512)) return 3;
    return matfact_has_all(ebx, leaf7_v4) ? 4 : 3;
}

#else

static inline int matfact_cpu_level(void) { return 0; }

#endif

#endif
