# One iteration of compressed gradient descent; _gd_compressed.pyx has the equations.
from libc.string cimport memcpy

from matfact.kernels._cython._gd_steps cimport (
    Job, apply_square, gram as gram_of, gram_scratch, multiply, pack, pack_square,
)
from matfact.kernels._cython._gd_table cimport UPPER_B
from matfact.kernels._cython._gd_work cimport take_square
from matfact.kernels._cython._workspace cimport Space, take


cdef struct State:
    # After the last finished iteration, or in the making.
    char *short           # P
    char *weights         # X
    double *carry         # Y


cdef struct Problem:
    Py_ssize_t n_short
    const char *gram      # S
    const double *long_gram
    double long_step
    double short_step
    State old
    State new
    char *cross           # B0
    char *z               # Z
    double *h             # H
    double *inverse       # M, and below C, of the sweep at hand
    double *own
    double *square        # scratch
    char *packed          # a matrix like P, packed
    char *packed_square
    char *square_rows     # scratch of pack_square
    char *gram_scratch


cdef inline State take_state(const Job *job, Py_ssize_t n_short, Space *space) noexcept nogil:
    cdef State state
    state.short = take(space, n_short * job.row_bytes)
    state.weights = take(space, n_short * job.row_bytes)
    state.carry = take_square(space, job)
    return state


cdef inline void lay_out(const Job *job, Problem *c, Space *space) noexcept nogil:
    c.old = take_state(job, c.n_short, space)
    c.new = take_state(job, c.n_short, space)
    c.cross = take(space, c.n_short * job.row_bytes)
    c.z = take(space, c.n_short * job.row_bytes)
    c.h = take_square(space, job)
    c.inverse = take_square(space, job)
    c.own = take_square(space, job)
    c.square = take_square(space, job)
    c.packed = take(space, c.n_short * job.row_bytes)
    c.packed_square = take(space, job.n_features * job.row_bytes)
    c.square_rows = take(space, job.n_features * job.row_bytes)
    c.gram_scratch = take(space, gram_scratch(job))


cdef inline int apply_maps(
    Job *job, Problem *c, double step, const double *gram,
    const char *left, const char *old, char *new,
) except -1 nogil:
    """new = left M + old C, the maps of a sweep whose other side has this gram matrix."""
    job.kernels.affine_maps(job.n_features, step, gram, c.inverse, c.own)
    pack_square(job, c.own, 1.0, c.packed_square, c.square_rows)
    apply_square(job, c.n_short, old, c.packed_square, new, False)
    pack_square(job, c.inverse, 1.0, c.packed_square, c.square_rows)
    apply_square(job, c.n_short, left, c.packed_square, new, True, UPPER_B)
    return 0


cdef inline int sweep_long(Job *job, Problem *c, const char *short) except -1 nogil:
    gram_of(job, c.n_short, short, short, c.square, c.gram_scratch)
    apply_maps(job, c, c.long_step, c.square, short, c.old.weights, c.new.weights)
    job.kernels.multiply_squares(
        job.n_features, False, c.old.carry, c.own, c.new.carry, False)
    return 0


cdef inline int sweep_short(Job *job, Problem *c, const State *long_side) except -1 nogil:
    cdef Py_ssize_t p = c.n_short, k = job.n_features
    cdef double *carry = long_side.carry
    # Z = B0 Y + S X
    pack_square(job, carry, 1.0, c.packed_square, c.square_rows)
    apply_square(job, p, c.cross, c.packed_square, c.z, False)
    pack(job, p, long_side.weights, c.packed)
    multiply(job, p, p, c.gram, p, 1, c.packed, c.z, True)
    # H = X^T Z + Y^T (B0^T X + C0 Y)
    gram_of(job, p, c.cross, long_side.weights, c.square, c.gram_scratch)
    job.kernels.multiply_squares(k, False, c.long_gram, carry, c.square, True)
    gram_of(job, p, long_side.weights, c.z, c.h, c.gram_scratch)
    job.kernels.multiply_squares(k, True, carry, c.square, c.h, True)
    apply_maps(job, c, c.short_step, c.h, c.z, c.old.short, c.new.short)
    return 0


cdef inline int iterate(
    Job *job, Problem *c, bint long_first, Py_ssize_t n_iterations, Py_ssize_t *finished
) except -1 nogil:
    cdef Py_ssize_t reals = c.n_short * job.padded
    cdef Py_ssize_t square_bytes = job.n_features * job.n_features * sizeof(double)
    while finished[0] < n_iterations:
        memcpy(c.new.short, c.old.short, reals * job.real_bytes)
        memcpy(c.new.weights, c.old.weights, reals * job.real_bytes)
        memcpy(c.new.carry, c.old.carry, square_bytes)
        if long_first and c.long_step != 0:
            sweep_long(job, c, c.old.short)
        if c.short_step != 0:
            sweep_short(job, c, &c.new)
        if not long_first and c.long_step != 0:
            sweep_long(job, c, c.new.short)
        if (
            job.kernels.not_finite(reals, c.new.short)
            or job.kernels.not_finite(reals, c.new.weights)
        ):
            break
        c.old, c.new = c.new, c.old
        finished[0] += 1
    return 0
