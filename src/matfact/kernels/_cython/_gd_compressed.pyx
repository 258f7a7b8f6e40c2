"""Gradient descent compressed to the short side of the ratings: compiled kernels, used by gd.pyx.

Let the long side have factors L (q x k) and ratings R' (q x p, R or its transpose), the short side
factors P (p x k). A sweep over L is affine, L <- R' P M + L C (simd/gd_maps.h), so L keeps the form

    L = R' X + L0 Y           X (p x k, "weights") starts at 0, Y (k x k, "carry") at I

    long side:   X <- X C + P M,   Y <- Y C                      M, C from P^T P
    short side:  Z = R'^T L = S X + B0 Y                         M', C' from H = L^T L
                 H = X^T Z + Y^T (B0^T X + C0 Y)
                 P <- Z M' + P C'

with S = R'^T R' ("gram", p x p), B0 = R'^T L0 ("cross", p x k) and C0 = L0^T L0 ("long_gram").
An iteration costs p^2 k multiply-adds, whatever q is, and the trajectory is that of the plain
iteration in exact arithmetic. `compress` costs q p^2 / 2 + q p k once, `expand` q p k.
Preconditions and promises are those of gd.pyx. S is summed in double precision.

An orthogonal factorization R' = Q T compresses as well, but an iteration on T takes two products
instead of one, and Q is as large as the ratings. The squared condition of S does no harm, because
no equation is solved with it: factors agree with those of plain iterations to 5e-15 after 20, and
to 5e-14 after 10,000 iterations.
"""
import numpy as np

from libc.string cimport memcpy

from matfact.kernels._cython._checks cimport check_matrix, check_not_empty
from matfact.kernels._cython._gd_compressed_iteration cimport Problem, iterate, lay_out
from matfact.kernels._cython._gd_compression cimport (
    Compression, Expansion, Ratings, add_gram, block_rows, lay_out_compression, lay_out_expansion,
    seen_from_long,
)
from matfact.kernels._cython._gd_steps cimport (
    Job, apply_square, gram as gram_of, multiply, new_job, pack, pack_square,
)
from matfact.kernels._cython._gd_table cimport use_level
from matfact.kernels._cython._gd_work cimport load, store
from matfact.kernels._cython._types cimport real
from matfact.kernels._cython._workspace cimport Space, counting, needed, space_of


def set_level(int level):
    """Use the code of one SIMD level; gd.set_simd_level has checked it."""
    use_level(level)


def compress(
    const real[:, ::1] ratings, bint long_is_users, const real[:, ::1] long_factors,
    real[:, ::1] gram, real[:, ::1] cross, double[:, ::1] long_gram,
    int n_threads,
):
    """Compute the products of ratings and starting factors that compressed iterations need."""
    cdef Py_ssize_t k = cross.shape[1], first = 0, count, i, j
    check_not_empty(ratings.shape[0], ratings.shape[1], k)
    cdef Ratings seen = seen_from_long(ratings, long_is_users)
    cdef Py_ssize_t p = seen.n_short
    check_compressed(p, k, gram, "cross", cross, "long_gram", long_gram)
    check_long("long_factors", long_factors, long_is_users, seen.n_long, k)
    cdef Job job = new_job(sizeof(real), k, n_threads)
    cdef Py_ssize_t block = block_rows(&seen)
    cdef Compression c
    cdef Space space = counting()
    lay_out_compression(&job, &seen, &c, &space)
    cdef unsigned char[::1] workspace = np.empty(needed(&space), dtype=np.uint8)
    cdef double[:, ::1] total = np.zeros((p, p), dtype=np.float64)
    space = space_of(workspace)
    lay_out_compression(&job, &seen, &c, &space)
    load(&job, long_factors, not long_is_users, c.factors)
    with nogil:
        while first < seen.n_long:
            count = min(block, seen.n_long - first)
            add_gram(&job, &seen, first, count, &c, &total[0, 0])
            first += count
        pack(&job, seen.n_long, c.factors, c.packed)
        multiply(
            &job, p, seen.n_long, seen.first, seen.short_step, seen.long_step,
            c.packed, c.product, False)
        gram_of(&job, seen.n_long, c.factors, c.factors, &long_gram[0, 0], c.gram_scratch)
        store(&job, c.product, False, cross)
        for i in range(p):
            for j in range(i, p):
                gram[i, j] = <real> total[i, j]
                gram[j, i] = <real> total[i, j]


def compressed_iterations(
    const real[:, ::1] gram, const real[:, ::1] cross, const double[:, ::1] long_gram,
    bint long_is_users,
    real[:, ::1] short_factors, real[:, ::1] weights, double[:, ::1] carry,
    double user_step, double item_step, Py_ssize_t n_iterations, int n_threads,
):
    """Run iterations on compressed ratings; expand gives the factors of the long side."""
    cdef Py_ssize_t p = short_factors.shape[0], k = short_factors.shape[1], finished = 0
    cdef Py_ssize_t square_bytes = k * k * sizeof(double)
    check_not_empty(p, p, k)
    check_compressed(p, k, gram, "cross", cross, "long_gram", long_gram)
    check_compressed(p, k, gram, "weights", weights, "carry", carry)
    cdef Job job = new_job(sizeof(real), k, n_threads)
    cdef Space space = counting()
    cdef Problem c
    c.n_short = p
    c.gram = <const char *> &gram[0, 0]
    c.long_gram = &long_gram[0, 0]
    c.long_step = user_step if long_is_users else item_step
    c.short_step = item_step if long_is_users else user_step
    lay_out(&job, &c, &space)
    cdef unsigned char[::1] workspace = np.empty(needed(&space), dtype=np.uint8)
    space = space_of(workspace)
    lay_out(&job, &c, &space)
    load(&job, cross, False, c.cross)
    load(&job, short_factors, False, c.old.short)
    load(&job, weights, False, c.old.weights)
    memcpy(c.old.carry, &carry[0, 0], square_bytes)
    try:
        with nogil:
            iterate(&job, &c, long_is_users, n_iterations, &finished)
    finally:
        store(&job, c.old.short, False, short_factors)
        store(&job, c.old.weights, False, weights)
        memcpy(&carry[0, 0], c.old.carry, square_bytes)
    return finished


def expand(
    const real[:, ::1] ratings, bint long_is_users,
    const real[:, ::1] weights, const double[:, ::1] carry,
    const real[:, ::1] initial_long_factors, real[:, ::1] out_long_factors,
    int n_threads,
):
    """Compute the factors of the long side after compressed iterations."""
    cdef Py_ssize_t k = weights.shape[1]
    check_not_empty(ratings.shape[0], ratings.shape[1], k)
    cdef Ratings seen = seen_from_long(ratings, long_is_users)
    cdef Py_ssize_t q = seen.n_long, p = seen.n_short
    check_matrix("weights", weights, p, k)
    check_matrix("carry", carry, k, k)
    check_long("initial_long_factors", initial_long_factors, long_is_users, q, k)
    check_long("out_long_factors", out_long_factors, long_is_users, q, k)
    cdef Job job = new_job(sizeof(real), k, n_threads)
    cdef Expansion e
    cdef Space space = counting()
    lay_out_expansion(&job, &seen, &e, &space)
    cdef unsigned char[::1] workspace = np.empty(needed(&space), dtype=np.uint8)
    space = space_of(workspace)
    lay_out_expansion(&job, &seen, &e, &space)
    load(&job, initial_long_factors, not long_is_users, e.initial)
    load(&job, weights, False, e.weights)
    with nogil:
        pack_square(&job, &carry[0, 0], 1.0, e.packed_carry, e.carry_rows)
        apply_square(&job, q, e.initial, e.packed_carry, e.factors, False)
        pack(&job, p, e.weights, e.packed_weights)
        multiply(
            &job, q, p, seen.first, seen.long_step, seen.short_step,
            e.packed_weights, e.factors, True)
    store(&job, e.factors, not long_is_users, out_long_factors)


cdef int check_compressed(
    Py_ssize_t p, Py_ssize_t k, const real[:, ::1] gram,
    str name, const real[:, ::1] like_factors, str square_name, const double[:, ::1] square,
) except -1:
    check_matrix("gram", gram, p, p)
    check_matrix(name, like_factors, p, k)
    check_matrix(square_name, square, k, k)
    return 0


cdef int check_long(
    str name, const real[:, ::1] factors, bint long_is_users, Py_ssize_t q, Py_ssize_t k
) except -1:
    check_matrix(name, factors, q if long_is_users else k, k if long_is_users else q)
    return 0
