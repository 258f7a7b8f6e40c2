"""Eigenvalues and eigenvectors of a symmetric matrix: compiled kernels.

Reflections make the matrix tridiagonal, the implicit QL method finds the rotations that make that
diagonal, and both together make eigenvectors of the identity, some columns at a time. LAPACK needs
less work, but its BLAS starts threads thousands of times: where cores are busy, it takes twenty
times as long.

argument    shape, dtype      meaning
matrix      (n, n) float64    symmetric, finite
values      (n,) float64      results: eigenvalues, ascending
vectors     (n, n) float64    results: an eigenvector a column
n_threads   int               0: what OpenMP says at this call

eigh returns whether the iteration converged. C order. Cost: 5 n^3 multiply-adds or so, 4/3 of them
on one thread. The same bits for any number of threads. Memory: a copy of the matrix, about 2 n^2
numbers for rotations, and n x 8 to 32 numbers a thread.
"""
import numpy as np

from cython.parallel cimport prange, threadid
from libc.stdint cimport int32_t

from matfact.kernels._cython._checks cimport check, check_matrix
from matfact.kernels._cython._eigen_table cimport (
    Eigen, EigenKernels, eigen_rotations, kernels_for, use_level,
)
from matfact.kernels._cython._parallel cimport Threads, answer_signals, new_threads, threads_for
from matfact.kernels._cython._watch cimport Watch, leave, new_watch, watch

__all__ = ["eigh", "set_simd_level"]


def set_simd_level(str name):
    """Use the code of one SIMD level: "base", "v3" or "v4"."""
    levels = {"base": 0, "v3": 3, "v4": 4}
    if name not in levels or not use_level(levels[name]):
        raise ValueError(f"SIMD level {name!r} is not available on this machine")


cdef int make_tridiagonal(
    const EigenKernels *kernels, Eigen *eigen, double *w, double *next_w, Threads *threads
) except -1 nogil:
    """Reduce the matrix by reflections; w and next_w have n zeros each."""
    cdef Py_ssize_t n = eigen.n, k
    cdef const double *v = w
    cdef double *a = eigen.a
    for k in range(n - 2):
        eigen.d[k] = a[k * n + k]
        eigen.e[k] = kernels.reflection(n - k - 1, a + k * n + k + 1, eigen.tau + k)
        kernels.update_rows(eigen, k, v, w, next_w)
        kernels.finish_update(eigen, k, next_w)
        w, next_w = next_w, w
        v = a + k * n
        answer_signals(threads, 3.0 * (n - k) * (n - k))
    if n > 1:
        eigen.d[n - 2] = a[(n - 2) * n + n - 2]
        eigen.e[n - 2] = a[(n - 2) * n + n - 1]
    eigen.d[n - 1] = a[n * n - 1] - 2 * v[n - 1] * w[n - 1]
    return 0


cdef int make_vectors(
    const EigenKernels *kernels, const Eigen *eigen, const Py_ssize_t[::1] places,
    double *panels, int n_threads, double[:, ::1] out,
) except -1 nogil:
    """Make the eigenvectors; places[i] is that of the i-th among the columns of `out`."""
    cdef Watch state = new_watch()
    cdef Py_ssize_t n = eigen.n, width = kernels.panel, number, first, count, i, j
    cdef double *panel
    for number in prange((n + width - 1) // width, schedule="dynamic", num_threads=n_threads):
        if not state.stopped:
            first = number * width
            count = min(width, n - first)
            panel = panels + threadid() * n * width
            kernels.vectors(eigen, first, count, panel)
            for j in range(count):
                for i in range(n):
                    out[first + j, places[i]] = panel[i * width + j]
            watch(&state, threadid(), 4.0 * n * n * width)
    return leave(&state)


def eigh(const double[:, ::1] matrix, double[::1] values, double[:, ::1] vectors, int n_threads):
    """Compute eigenvalues and eigenvectors; return whether that succeeded."""
    cdef Py_ssize_t n = matrix.shape[0], room = n * n + 64, sweep_room = 8 * n + 64
    cdef const EigenKernels *kernels = kernels_for(8, 64)
    cdef Threads threads = new_threads(n_threads)
    cdef Eigen eigen
    cdef int found = 0
    check("matrix", "columns", matrix.shape[1], n)
    check("values", "entries", values.shape[0], n)
    check_matrix("vectors", vectors, n, n)
    if n == 0:
        return True
    scale = np.abs(matrix).max()
    if not np.isfinite(scale):
        return False
    scale = max(scale, 1e-300)
    cdef double[:, ::1] a = np.asarray(matrix) / scale
    cdef double[:, ::1] small = np.zeros((5, n))
    cdef double[:, ::1] rotations
    cdef int32_t[:, ::1] sweeps
    eigen.n, eigen.a, eigen.tau = n, &a[0, 0], &small[0, 0]
    eigen.d, eigen.e = &small[1, 0], &small[2, 0]
    with nogil:
        make_tridiagonal(kernels, &eigen, &small[3, 0], &small[4, 0], &threads)
    cdef const double[:, ::1] tridiagonal = np.array(small[1:3])
    while not found:
        rotations, sweeps = np.empty((2, room)), np.empty((2, sweep_room), dtype=np.int32)
        small[1:3] = tridiagonal
        eigen.cosines, eigen.sines = &rotations[0, 0], &rotations[1, 0]
        eigen.starts, eigen.counts = &sweeps[0, 0], &sweeps[1, 0]
        found = eigen_rotations(&eigen, 1e-16, room, sweep_room)
        room, sweep_room = 2 * room, 2 * sweep_room
    if found < 0:
        return False
    order = np.argsort(small[1], kind="stable")
    cdef Py_ssize_t[::1] places = np.empty(n, dtype=np.intp)
    np.asarray(places)[order] = np.arange(n)
    np.asarray(values)[:] = np.asarray(small[1])[order] * scale
    threads.n_threads = threads_for(&threads, 4.0 * n * n * n)
    cdef double[::1] panels = np.empty(threads.n_threads * n * kernels.panel)
    with nogil:
        make_vectors(kernels, &eigen, places, &panels[0], threads.n_threads, vectors)
    return True
