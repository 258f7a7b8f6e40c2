# Factors, biases and squares of one side of the ratings in a workspace, one padded row and one
# state for each user or item: the way in and out of numpy arrays.
from cython.parallel cimport prange
from libc.math cimport isfinite
from libc.string cimport memcpy, memset

from matfact.kernels._cython._parallel cimport Threads, threads_for
from matfact.kernels._cython._sgd_table cimport SgdKernels
from matfact.kernels._cython._types cimport real
from matfact.kernels._cython._workspace cimport Space, take

cdef enum:
    COPY_CHUNK = 512    # rows that a thread copies at a time
    COPY_COST = 8       # multiply-adds in the time of copying one real

cdef enum:  # the parts of a state, and their number; see simd/sgd_adaptive.h
    SQUARE = 0, BIAS_SQUARE, NORM, BIAS, STATE


cdef struct Rows:
    char *factors
    char *states
    Py_ssize_t count        # rows
    Py_ssize_t n_features
    Py_ssize_t padded       # reals of a row: n_features, filled up to whole vectors


cdef inline Rows rows_in(
    Space *space, const SgdKernels *kernels, Py_ssize_t count, Py_ssize_t n_features,
    Py_ssize_t real_bytes,
) noexcept nogil:
    cdef inline Rows rows
    rows.count = count
    rows.n_features = n_features
    rows.padded = (n_features + kernels.lanes - 1) // kernels.lanes * kernels.lanes
    rows.factors = take(space, count * rows.padded * real_bytes)
    rows.states = take(space, count * STATE * real_bytes)
    return rows


cdef inline double copy_work(const Rows *rows) noexcept nogil:
    return <double> COPY_COST * rows.count * (rows.padded + STATE)


cdef inline void load_chunk(
    const SgdKernels *kernels, const Rows *rows, Py_ssize_t first,
    const real *factors, const real *biases, const real *squares,
) noexcept nogil:
    cdef Py_ssize_t i, n = rows.n_features
    cdef real *row
    cdef real *state
    for i in range(first, min(first + COPY_CHUNK, rows.count)):
        row = <real *> rows.factors + i * rows.padded
        state = <real *> rows.states + i * STATE
        memcpy(row, factors + i * n, n * sizeof(real))
        memset(row + n, 0, (rows.padded - n) * sizeof(real))
        state[SQUARE] = squares[2 * i]
        state[BIAS_SQUARE] = squares[2 * i + 1]
        state[NORM] = <real> kernels.squared_norm(rows.padded, row)
        state[BIAS] = biases[i]


cdef inline int load(
    const SgdKernels *kernels, const Threads *threads, const Rows *rows,
    const real *factors, const real *biases, const real *squares,
) except -1 nogil:
    cdef Py_ssize_t chunk
    for chunk in prange(
        (rows.count + COPY_CHUNK - 1) // COPY_CHUNK,
        schedule="static", num_threads=threads_for(threads, copy_work(rows)),
    ):
        load_chunk(kernels, rows, chunk * COPY_CHUNK, factors, biases, squares)
    return 0


cdef inline int are_finite(
    const SgdKernels *kernels, const Rows *rows, const real *_type
) noexcept nogil:
    """Whether all numbers are finite, and small enough for their squares to be."""
    cdef Py_ssize_t i
    cdef const real *state
    cdef double sum = 0
    for i in range(rows.count):
        state = <const real *> rows.states + i * STATE
        sum += kernels.squared_norm(rows.padded, <const real *> rows.factors + i * rows.padded)
        sum += <double> state[BIAS] * state[BIAS]
        sum += state[SQUARE] + state[BIAS_SQUARE]
    return isfinite(sum)


cdef inline void store_chunk(
    const Rows *rows, Py_ssize_t first, real *factors, real *biases, real *squares
) noexcept nogil:
    cdef Py_ssize_t i, n = rows.n_features
    cdef const real *state
    for i in range(first, min(first + COPY_CHUNK, rows.count)):
        state = <const real *> rows.states + i * STATE
        memcpy(
            factors + i * n, <const real *> rows.factors + i * rows.padded, n * sizeof(real))
        squares[2 * i] = state[SQUARE]
        squares[2 * i + 1] = state[BIAS_SQUARE]
        biases[i] = state[BIAS]


cdef inline int store(
    const Threads *threads, const Rows *rows, real *factors, real *biases, real *squares
) except -1 nogil:
    cdef Py_ssize_t chunk
    for chunk in prange(
        (rows.count + COPY_CHUNK - 1) // COPY_CHUNK,
        schedule="static", num_threads=threads_for(threads, copy_work(rows)),
    ):
        store_chunk(rows, chunk * COPY_CHUNK, factors, biases, squares)
    return 0
