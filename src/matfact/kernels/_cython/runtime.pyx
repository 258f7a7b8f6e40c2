"""What the compiled kernels run on: CPU level, OpenMP, compiler.

The only place that asks OpenMP anything outside a kernel. Without OpenMP the same functions exist
and answer for one thread.
"""

cdef extern from *:
    """
    #ifdef _OPENMP
    #include <omp.h>
    #define MATFACT_HAS_OPENMP 1
    #define matfact_omp_max_threads() omp_get_max_threads()
    /* Part of OpenMP 5.0. libgomp has it since gcc 9, which still announces 4.5. */
    #if _OPENMP >= 201811 || (defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 9)
    #define matfact_omp_pause() omp_pause_resource_all(omp_pause_soft)
    #else
    #define matfact_omp_pause() 0
    #endif
    #else
    #define MATFACT_HAS_OPENMP 0
    #define matfact_omp_max_threads() 1
    #define matfact_omp_pause() 0
    #endif

    #define MATFACT_STRING_(x) #x
    #define MATFACT_STRING(x) MATFACT_STRING_(x)
    #if defined(__clang__)
    #define MATFACT_COMPILER "clang " __clang_version__
    #elif defined(__GNUC__)
    #define MATFACT_COMPILER "gcc " __VERSION__
    #elif defined(_MSC_VER)
    #define MATFACT_COMPILER "msvc " MATFACT_STRING(_MSC_VER)
    #else
    #define MATFACT_COMPILER "unknown"
    #endif
    """
    const int MATFACT_HAS_OPENMP
    const char *MATFACT_COMPILER
    int matfact_omp_max_threads() nogil
    int matfact_omp_pause() nogil

cdef extern from "simd/cpu.h":
    int matfact_cpu_level() nogil


def simd_levels():
    """Return the SIMD levels that this build holds and this machine can run, lowest first."""
    cdef int level = matfact_cpu_level()
    if level >= 4:
        return ("base", "v3", "v4")
    if level >= 3:
        return ("base", "v3")
    return ("base",)


def has_openmp():
    """Return whether the kernels can use more than one thread."""
    return bool(MATFACT_HAS_OPENMP)


def max_threads():
    """Return the number of threads that OpenMP would use now; 1 without OpenMP."""
    return matfact_omp_max_threads()


def pause_threads():
    """Let OpenMP end its idle threads, as it must before the process forks.

    It starts new ones when they are needed. Without this a parallel region in the forked child
    waits for ever for threads that only the parent has.
    """
    matfact_omp_pause()


def compiler():
    """Return name and version of the C compiler, or None if nothing was compiled."""
    return (<bytes>MATFACT_COMPILER).decode("ascii", "replace").strip()
