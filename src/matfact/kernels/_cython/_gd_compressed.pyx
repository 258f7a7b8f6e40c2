"""Gradient descent compressed to the short side of the ratings: compiled kernels, re-exported by gd.pyx.

Let the long side have factors L (q x k) and ratings R' (q x p, R or its transpose), the short side factors P (p x k). A sweep over L is
affine, L <- R' W + L C (simd/gd_maps.h), so L keeps the form

    L = R' X + L0 Y          X (p x k, "weights") starts at 0, Y (k x k, "carry") at I
    long side:   X <- X C + P M,  Y <- Y C                   M, C from P^T P
    short side:  Z = R'^T L = S X + B0 Y,  H = L^T L = X^T Z + Y^T (B0^T X + C0 Y),  P <- Z M' + P C'     M', C' from H

with S = R'^T R' ("gram", p x p), B0 = R'^T L0 ("cross", p x k), C0 = L0^T L0 ("long_gram"). An iteration costs p^2 k multiply-adds,
whatever q is, and the trajectory is that of the plain iteration in exact arithmetic. `compress` costs q p^2 / 2 + q p k once,
`expand` q p k. Preconditions and promises are those of gd.pyx. S is summed in double precision.
"""
import numpy as np

from cython.parallel cimport prange, threadid
from libc.string cimport memcpy

from matfact.kernels._cython._gd_steps cimport (
    CHUNK, TRANSPOSED_ROWS, UPPER_B, WHOLE, Job, answer_signals, gd_set_level, gram as gram_of, gram_scratch, multiply, new_job, pack,
    pack_square, threads_for,
)
from matfact.kernels._cython._gd_work cimport aligned, load, same, store, take
from matfact.kernels._cython._types cimport real

cdef enum:
    LARGEST_BLOCK = 6144  # long rows packed at a time, a multiple of TRANSPOSED_ROWS


def set_simd_level(str name):
    """Use the code of one SIMD level; gd.pyx has checked the name."""
    gd_set_level({"base": 0, "v3": 3, "v4": 4}[name])


cdef int gram_block(Job *job, Py_ssize_t p, Py_ssize_t count, const char *a, Py_ssize_t short_step, Py_ssize_t long_step,
                    char *panels, char *tiles, double *total) except -1 nogil:
    """total (p x p, upper triangle) += A^T A for `count` long rows, read at a[long * long_step + short * short_step]."""
    cdef Py_ssize_t width = 2 * job.kernels.lanes, first, last = 0, chunk, i, j, rows, columns, span
    cdef char *tile
    job.kernels.pack(count, p, <int> (2 * ((p + width - 1) // width)), a, long_step, short_step, panels, count, 0)
    span = CHUNK * max(1, <Py_ssize_t> (1e8 / (<double> count * p * CHUNK)))
    while last < p:
        first = last
        last = min(first + span, p)
        for chunk in prange((last - first + CHUNK - 1) // CHUNK, schedule="dynamic",
                            num_threads=threads_for(job, <double> count * p * (last - first) / 2)):
            i = first + chunk * CHUNK
            rows = min(CHUNK, last - i)
            tile = tiles + threadid() * CHUNK * width * job.bytes
            for j in range(i // width, (p + width - 1) // width):
                columns = min(width, p - j * width)
                job.kernels.product(rows, count, 2, a + i * short_step * job.bytes, short_step, long_step,
                                    panels + j * width * count * job.bytes, count, tile, width, False, WHOLE)
                job.kernels.add_to_double(rows, columns, tile, width, total + i * p + j * width, p)
        answer_signals(job, <double> count * p * (last - first) / 2)
    return 0


def compress(const real[:, ::1] ratings, bint long_is_users, const real[:, ::1] long_factors, real[:, ::1] gram, real[:, ::1] cross,
             double[:, ::1] long_gram, int n_threads):
    """Compute the products of ratings and starting factors that compressed iterations need."""
    cdef Py_ssize_t n = ratings.shape[0], m = ratings.shape[1], k = cross.shape[1]
    cdef Py_ssize_t q = n if long_is_users else m, p = m if long_is_users else n
    cdef Py_ssize_t short_step = 1 if long_is_users else m, long_step = m if long_is_users else 1
    check_compressed(p, k, gram, cross, long_gram)
    same("users of long_factors" if long_is_users else "items of long_factors", long_factors.shape[0 if long_is_users else 1], q)
    same("features of long_factors", long_factors.shape[1 if long_is_users else 0], k)
    cdef Job job = new_job(sizeof(real), k, n_threads)
    cdef Py_ssize_t width = 2 * job.kernels.lanes, row = job.features * job.bytes, first = 0, count, i, j
    cdef Py_ssize_t block = min(LARGEST_BLOCK, TRANSPOSED_ROWS * max(1, <Py_ssize_t> (8e7 / (<double> p * p * TRANSPOSED_ROWS))))
    cdef unsigned char[::1] workspace = np.empty(
        2 * q * row + p * row + gram_scratch(&job) + block * (p + width) * job.bytes + job.n_threads * CHUNK * width * job.bytes
        + 7 * 64, dtype=np.uint8)
    cdef double[:, ::1] total = np.zeros((p, p), dtype=np.float64)
    cdef char *free = aligned(workspace)
    cdef char *factors = take(&free, q * row)
    cdef char *packed = take(&free, q * row)
    cdef char *product = take(&free, p * row)
    cdef char *scratch = take(&free, gram_scratch(&job))
    cdef char *panels = take(&free, block * (p + width) * job.bytes)
    cdef char *tiles = take(&free, job.n_threads * CHUNK * width * job.bytes)
    load(&job, long_factors, not long_is_users, factors)
    with nogil:
        while first < q:
            count = min(block, q - first)
            gram_block(&job, p, count, <const char *> (&ratings[0, 0] + first * long_step), short_step, long_step, panels, tiles, &total[0, 0])
            first += count
        pack(&job, q, factors, packed)
        multiply(&job, p, q, <const char *> &ratings[0, 0], short_step, long_step, packed, product, False)
        gram_of(&job, q, factors, factors, &long_gram[0, 0], scratch)
        store(&job, product, False, cross)
        for i in range(p):
            for j in range(i, p):
                gram[i, j] = <real> total[i, j]
                gram[j, i] = <real> total[i, j]


cdef struct State:
    # Of the last finished iteration, and the one in the making.
    char *short
    char *weights
    double *carry


cdef struct Problem:
    Py_ssize_t p
    const char *gram
    char *cross
    const double *long_gram
    double long_step
    double short_step
    char *z                # Z, the ratings times the long factors
    double *h              # H, their gram matrix
    double *inverse
    double *own
    double *square         # scratch, k x k
    char *packed           # scratch, p rows
    char *packed_square
    char *rows             # scratch, k rows
    char *gram_scratch


cdef int apply_maps(Job *job, Problem *c, double step, const double *gram, const char *left, const char *old, char *new) except -1 nogil:
    """new = left M + old C, with the maps M, C of a sweep whose other side has this gram matrix."""
    job.kernels.affine_maps(job.n_features, step, gram, c.inverse, c.own)
    pack_square(job, c.own, 1.0, c.packed_square, c.rows)
    multiply(job, c.p, job.n_features, old, job.features, 1, c.packed_square, new, False)
    pack_square(job, c.inverse, 1.0, c.packed_square, c.rows)
    multiply(job, c.p, job.n_features, left, job.features, 1, c.packed_square, new, True, UPPER_B)
    return 0


cdef int long_sweep(Job *job, Problem *c, const char *short, State *old, State *new) except -1 nogil:
    gram_of(job, c.p, short, short, c.square, c.gram_scratch)
    apply_maps(job, c, c.long_step, c.square, short, old.weights, new.weights)
    job.kernels.multiply_squares(job.n_features, False, old.carry, c.own, new.carry, False)
    return 0


cdef int short_sweep(Job *job, Problem *c, State *long_side, State *old, State *new) except -1 nogil:
    cdef Py_ssize_t k = job.n_features
    pack_square(job, long_side.carry, 1.0, c.packed_square, c.rows)
    multiply(job, c.p, k, c.cross, job.features, 1, c.packed_square, c.z, False)
    pack(job, c.p, long_side.weights, c.packed)
    multiply(job, c.p, c.p, c.gram, c.p, 1, c.packed, c.z, True)
    gram_of(job, c.p, c.cross, long_side.weights, c.square, c.gram_scratch)
    job.kernels.multiply_squares(k, False, c.long_gram, long_side.carry, c.square, True)
    gram_of(job, c.p, long_side.weights, c.z, c.h, c.gram_scratch)
    job.kernels.multiply_squares(k, True, long_side.carry, c.square, c.h, True)
    apply_maps(job, c, c.short_step, c.h, c.z, old.short, new.short)
    return 0


cdef int iterate(Job *job, Problem *c, bint long_first, State *old, State *new, Py_ssize_t n_iterations,
                 Py_ssize_t *finished) except -1 nogil:
    cdef Py_ssize_t reals = c.p * job.features, squares = job.n_features * job.n_features
    while finished[0] < n_iterations:
        memcpy(new.short, old.short, reals * job.bytes)
        memcpy(new.weights, old.weights, reals * job.bytes)
        memcpy(new.carry, old.carry, squares * 8)
        if long_first and c.long_step != 0:
            long_sweep(job, c, old.short, old, new)
        if c.short_step != 0:
            short_sweep(job, c, new, old, new)
        if not long_first and c.long_step != 0:
            long_sweep(job, c, new.short, old, new)
        if job.kernels.not_finite(reals, new.short) or job.kernels.not_finite(reals, new.weights):
            break
        old[0], new[0] = new[0], old[0]
        finished[0] += 1
    return 0


cdef int check_compressed(Py_ssize_t p, Py_ssize_t k, const real[:, ::1] gram, const real[:, ::1] cross,
                          const double[:, ::1] square) except -1:
    same("rows of gram", gram.shape[0], p)
    same("columns of gram", gram.shape[1], p)
    same("rows of cross", cross.shape[0], p)
    same("features of cross", cross.shape[1], k)
    same("rows of a k x k matrix", square.shape[0], k)
    same("columns of a k x k matrix", square.shape[1], k)
    return 0


def compressed_iterations(const real[:, ::1] gram, const real[:, ::1] cross, const double[:, ::1] long_gram, bint long_is_users,
                          real[:, ::1] short_factors, real[:, ::1] weights, double[:, ::1] carry, double user_step,
                          double item_step, Py_ssize_t n_iterations, int n_threads):
    """Run iterations on compressed ratings; expand gives the factors of the long side."""
    cdef Py_ssize_t p = short_factors.shape[0], k = short_factors.shape[1], finished = 0
    check_compressed(p, k, gram, cross, long_gram)
    check_compressed(p, k, gram, weights, carry)
    cdef Job job = new_job(sizeof(real), k, n_threads)
    cdef Py_ssize_t row = job.features * job.bytes, square = k * k * 8
    cdef unsigned char[::1] workspace = np.empty(7 * p * row + 2 * k * row + 6 * square + gram_scratch(&job) + 18 * 64, dtype=np.uint8)
    cdef char *free = aligned(workspace)
    cdef State old = State(take(&free, p * row), take(&free, p * row), <double *> take(&free, square))
    cdef State new = State(take(&free, p * row), take(&free, p * row), <double *> take(&free, square))
    cdef Problem c = Problem(
        p, <const char *> &gram[0, 0], take(&free, p * row), &long_gram[0, 0],
        user_step if long_is_users else item_step, item_step if long_is_users else user_step,
        take(&free, p * row), <double *> take(&free, square), <double *> take(&free, square), <double *> take(&free, square),
        <double *> take(&free, square), take(&free, p * row), take(&free, k * row), take(&free, k * row),
        take(&free, gram_scratch(&job)))
    load(&job, cross, False, c.cross)
    load(&job, short_factors, False, old.short)
    load(&job, weights, False, old.weights)
    memcpy(old.carry, &carry[0, 0], square)
    try:
        with nogil:
            iterate(&job, &c, long_is_users, &old, &new, n_iterations, &finished)
    finally:
        store(&job, old.short, False, short_factors)
        store(&job, old.weights, False, weights)
        memcpy(&carry[0, 0], old.carry, square)
    return finished


def expand(const real[:, ::1] ratings, bint long_is_users, const real[:, ::1] weights, const double[:, ::1] carry,
           const real[:, ::1] initial_long_factors, real[:, ::1] out_long_factors, int n_threads):
    """Compute the factors of the long side after compressed iterations."""
    cdef Py_ssize_t n = ratings.shape[0], m = ratings.shape[1], k = weights.shape[1]
    cdef Py_ssize_t q = n if long_is_users else m, p = m if long_is_users else n, side = 0 if long_is_users else 1
    same("rows of weights", weights.shape[0], p)
    same("rows of carry", carry.shape[0], k)
    same("columns of carry", carry.shape[1], k)
    same("long side of initial_long_factors", initial_long_factors.shape[side], q)
    same("features of initial_long_factors", initial_long_factors.shape[1 - side], k)
    same("long side of out_long_factors", out_long_factors.shape[side], q)
    same("features of out_long_factors", out_long_factors.shape[1 - side], k)
    cdef Job job = new_job(sizeof(real), k, n_threads)
    cdef Py_ssize_t row = job.features * job.bytes
    cdef unsigned char[::1] workspace = np.empty(2 * q * row + 2 * p * row + 2 * k * row + 7 * 64, dtype=np.uint8)
    cdef char *free = aligned(workspace)
    cdef char *initial = take(&free, q * row)
    cdef char *factors = take(&free, q * row)
    cdef char *weight_rows = take(&free, p * row)
    cdef char *packed = take(&free, p * row)
    cdef char *packed_carry = take(&free, k * row)
    cdef char *carry_rows = take(&free, k * row)
    load(&job, initial_long_factors, not long_is_users, initial)
    load(&job, weights, False, weight_rows)
    with nogil:
        pack_square(&job, &carry[0, 0], 1.0, packed_carry, carry_rows)
        multiply(&job, q, k, initial, job.features, 1, packed_carry, factors, False)
        pack(&job, p, weight_rows, packed)
        multiply(&job, q, p, <const char *> &ratings[0, 0], m if long_is_users else 1, 1 if long_is_users else m, packed, factors, True)
    store(&job, factors, not long_is_users, out_long_factors)
