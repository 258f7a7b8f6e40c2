"""Gradient descent in place: compiled kernels.

Model and update, for ratings R (n x m), user factors U (n x k), item factors V (k x m) and e = r - u.v, as a scalar program would
do it, one number after another, each step seeing the ones before it:

    users:  for every user, for f in 0 .. k-1:   u_f += user_step * sum_j e_j v_fj        (sum over the user's observed items)
    items:  for f in 0 .. k-1, for every item:   v_f += item_step * sum_i e_i u_if        (sum over the item's observed users)

A sweep over one side treats its rows independently and is affine in them (simd/gd_maps.h), so a half sweep is one product of R
with a small matrix: 2 n m k multiply-adds an iteration. Missing cells are a correction of that product, or, where most
cells are missing, only the observed ones are visited (simd/gd_cells.h).

argument         shape, dtype                 meaning
ratings          (n, m) real                  all finite; 0 in missing cells
user_factors     (n, k) real                  updated in place
item_factors     (k, m) real                  updated in place
*_indptr         (rows + 1,) int64            listed cells of each user (item): observed ones, or the missing ones
*_indices        (nnz,) int32                 their items (users), ascending in a row
*_values         (nnz,) real                  their ratings
*_step           float                        learning_rate * 2 / row length; 0 leaves that side as it is
n_threads        int                          0: what OpenMP says at this call

Preconditions, checked by the caller: C order, finite numbers, indices in range. Results are the same bits for any number of threads.
After an exception (Ctrl-C) and after a non-finite value, factors hold the last iteration that finished; the result is the number
of iterations that did. Memory: two copies of the factors, and V once more.
"""
import numpy as np

from cython.parallel cimport prange
from libc.string cimport memset

from matfact.kernels._cython._gd_compressed import compress, compressed_iterations, expand
from matfact.kernels._cython._gd_compressed import set_simd_level as _set_compressed_level

from matfact.kernels._cython._gd_steps cimport (
    CHUNK, CELL_CHUNK, UPPER_B, Cells, Job, answer_signals, gd_set_level, gram, int32_t, int64_t, multiply, new_job,
    pack, pack_square, rows_between_signals, sweep_cells, threads_for,
)
from matfact.kernels._cython._gd_work cimport (
    Side, Work, aligned, block_rows, lay_out, load, missing_cells, no_cells, observed_cells, same, store,
)
from matfact.kernels._cython._types cimport real

__all__ = [
    "compress", "compressed_iterations", "expand", "filled_iterations", "full_iterations", "observed_iterations",
    "observed_squared_error", "set_simd_level", "squared_error",
]

def set_simd_level(str name):
    """Use the code of one SIMD level: "base", "v3" or "v4"."""
    if name not in ("base", "v3", "v4") or not gd_set_level({"base": 0, "v3": 3, "v4": 4}[name]):
        raise ValueError(f"SIMD level {name!r} is not available on this machine")
    _set_compressed_level(name)


cdef int set_maps(Job *job, Work *w, const Side *side, const char *other, Py_ssize_t other_rows, char *inverse) except -1 nogil:
    """Prepare the maps of a sweep over `side`: new = (ratings x other) inverse + old own_map."""
    cdef Py_ssize_t k = job.n_features, i
    gram(job, other_rows, other, other, w.gram, w.gram_scratch)
    if side.cells.indptr == NULL:
        job.kernels.affine_maps(k, side.step, w.gram, w.inverse, w.own)
        pack_square(job, w.own, 1.0, w.own_map, w.square)
    else:  # the linear term of the cells: ratings x other - old gram
        memset(w.inverse, 0, k * k * sizeof(double))
        for i in range(k):
            w.inverse[i * k + i] = 1.0
        pack_square(job, w.gram, -1.0, w.own_map, w.square)
    pack_square(job, w.inverse, 1.0, inverse, w.square)
    job.kernels.from_double(k, job.features, w.gram, 1.0, w.square)
    return 0


cdef int dense_iteration(Job *job, Work *w) except -1 nogil:
    """One iteration over ratings held as a matrix. The item side's product is taken block by block after the users' sweep."""
    cdef Side *users = &w.users
    cdef Side *items = &w.items
    cdef Py_ssize_t m = items.rows, row_bytes = job.features * job.bytes
    cdef Py_ssize_t first = 0, count, block = block_rows(job, w)
    cdef Cells cells = users.cells
    if users.step != 0:
        set_maps(job, w, users, items.old, m, w.item_weights)
        multiply(job, m, job.n_features, items.old, job.features, 1, w.item_weights, w.transposed, False, UPPER_B)
        pack(job, m, w.transposed, w.weights)
        multiply(job, users.rows, job.n_features, users.old, job.features, 1, w.own_map, users.new, False)
    while first < users.rows:
        count = min(block, users.rows - first)
        if users.step != 0:
            multiply(job, count, m, w.ratings + first * m * job.bytes, m, 1, w.weights, users.new + first * row_bytes, True)
            if cells.indptr != NULL:
                cells.indptr = users.cells.indptr + first
                sweep_cells(job, count, &cells, users.step, items.old, w.square, users.old + first * row_bytes,
                            users.new + first * row_bytes, w.cells_scratch, w.cells_scratch_bytes)
        if items.step != 0:
            pack(job, count, users.new + first * row_bytes, w.packed_users)
            multiply(job, m, count, w.ratings + first * m * job.bytes, 1, m, w.packed_users, w.transposed, first > 0)
        first += count
    if items.step != 0:
        set_maps(job, w, items, users.new, users.rows, w.item_weights)
        multiply(job, m, job.n_features, items.old, job.features, 1, w.own_map, items.new, False)
        multiply(job, m, job.n_features, w.transposed, job.features, 1, w.item_weights, items.new, True, UPPER_B)
        if cells.indptr != NULL:
            sweep_cells(job, m, &items.cells, items.step, users.new, w.square, items.old, items.new, w.cells_scratch, w.cells_scratch_bytes)
    return 0


cdef int observed_iteration(Job *job, Work *w) except -1 nogil:
    """One iteration that visits the observed cells only."""
    if w.users.step != 0:
        sweep_cells(job, w.users.rows, &w.users.cells, w.users.step, w.items.old, NULL, w.users.old, w.users.new,
                    w.cells_scratch, w.cells_scratch_bytes)
    if w.items.step != 0:
        sweep_cells(job, w.items.rows, &w.items.cells, w.items.step, w.users.new, NULL, w.items.old, w.items.new,
                    w.cells_scratch, w.cells_scratch_bytes)
    return 0


cdef void finish(Side *side) noexcept nogil:
    side.old, side.new = side.new, side.old


cdef int iterate(Job *job, Work *w, Py_ssize_t n_iterations, Py_ssize_t *finished) except -1 nogil:
    cdef Py_ssize_t users = w.users.rows * job.features, items = w.items.rows * job.features
    while finished[0] < n_iterations:
        if w.ratings != NULL:
            dense_iteration(job, w)
        else:
            observed_iteration(job, w)
        if job.kernels.not_finite(users, w.users.new) or job.kernels.not_finite(items, w.items.new):
            break
        finish(&w.users)
        finish(&w.items)
        finished[0] += 1
    return 0


cdef Py_ssize_t descend(const real *ratings, Cells users, Cells items, real[:, ::1] user_factors, real[:, ::1] item_factors,
                        double user_step, double item_step, Py_ssize_t n_iterations, int n_threads) except -1:
    cdef Job job = new_job(sizeof(real), user_factors.shape[1], n_threads)
    cdef Work w
    cdef Py_ssize_t finished = 0
    cdef unsigned char[::1] workspace
    memset(&w, 0, sizeof(Work))
    w.ratings = <const char *> ratings
    w.users = Side(user_factors.shape[0], user_step, NULL, NULL, users)
    w.items = Side(item_factors.shape[1], item_step, NULL, NULL, items)
    workspace = np.empty(lay_out(&job, &w, NULL) - <char *> NULL + 64, dtype=np.uint8)
    lay_out(&job, &w, aligned(workspace))
    load(&job, user_factors, False, w.users.old)
    load(&job, item_factors, True, w.items.old)
    try:
        with nogil:
            iterate(&job, &w, n_iterations, &finished)
    finally:
        store(&job, w.users.old, False, user_factors)
        store(&job, w.items.old, True, item_factors)
    return finished


cdef int check_shapes(Py_ssize_t n_users, Py_ssize_t n_items, const real[:, ::1] user_factors,
                      const real[:, ::1] item_factors) except -1:
    same("rows of user_factors", user_factors.shape[0], n_users)
    same("columns of item_factors", item_factors.shape[1], n_items)
    same("rows of item_factors", item_factors.shape[0], user_factors.shape[1])
    if min(n_users, n_items, user_factors.shape[1]) < 1:
        raise ValueError("there must be at least one user, one item and one feature")
    return 0


cdef int check_cells(str side, const int64_t[::1] indptr, const int32_t[::1] indices, Py_ssize_t rows) except -1:
    same(f"length of {side}_indptr", indptr.shape[0], rows + 1)
    same(f"last entry of {side}_indptr", indptr[rows], indices.shape[0])
    return 0


def full_iterations(const real[:, ::1] ratings, real[:, ::1] user_factors, real[:, ::1] item_factors, double user_step,
                    double item_step, Py_ssize_t n_iterations, int n_threads):
    """Run iterations over ratings without missing cells."""
    check_shapes(ratings.shape[0], ratings.shape[1], user_factors, item_factors)
    return descend(&ratings[0, 0], no_cells(), no_cells(), user_factors, item_factors, user_step, item_step, n_iterations, n_threads)


def filled_iterations(const real[:, ::1] ratings, const int64_t[::1] user_indptr, const int32_t[::1] user_indices,
                      const int64_t[::1] item_indptr, const int32_t[::1] item_indices, real[:, ::1] user_factors,
                      real[:, ::1] item_factors, double user_step, double item_step, Py_ssize_t n_iterations, int n_threads):
    """Run iterations over ratings with some missing cells, which are zero there and listed."""
    check_shapes(ratings.shape[0], ratings.shape[1], user_factors, item_factors)
    check_cells("user", user_indptr, user_indices, ratings.shape[0])
    check_cells("item", item_indptr, item_indices, ratings.shape[1])
    return descend(&ratings[0, 0], missing_cells(user_indptr, user_indices), missing_cells(item_indptr, item_indices),
                   user_factors, item_factors, user_step, item_step, n_iterations, n_threads)


def observed_iterations(const int64_t[::1] user_indptr, const int32_t[::1] user_indices, const real[::1] user_values,
                        const int64_t[::1] item_indptr, const int32_t[::1] item_indices, const real[::1] item_values,
                        real[:, ::1] user_factors, real[:, ::1] item_factors, double user_step, double item_step,
                        Py_ssize_t n_iterations, int n_threads):
    """Run iterations over the observed cells only."""
    check_shapes(user_indptr.shape[0] - 1, item_indptr.shape[0] - 1, user_factors, item_factors)
    check_cells("user", user_indptr, user_indices, user_factors.shape[0])
    check_cells("item", item_indptr, item_indices, item_factors.shape[1])
    same("length of user_values", user_values.shape[0], user_indices.shape[0])
    same("length of item_values", item_values.shape[0], item_indices.shape[0])
    return descend(<const real *> NULL, observed_cells(user_indptr, user_indices, user_values),
                   observed_cells(item_indptr, item_indices, item_values), user_factors, item_factors, user_step,
                   item_step, n_iterations, n_threads)


def squared_error(const real[:, ::1] ratings, const real[:, ::1] user_factors, const real[:, ::1] item_factors, int n_threads):
    """Return the sum of squared errors over the cells that are not NaN."""
    check_shapes(ratings.shape[0], ratings.shape[1], user_factors, item_factors)
    cdef Job job = new_job(sizeof(real), user_factors.shape[1], n_threads)
    cdef Py_ssize_t n = ratings.shape[0], m = ratings.shape[1], k = job.n_features, lanes = job.kernels.lanes
    cdef Py_ssize_t first = 0, last, chunk, i, block = rows_between_signals(<double> m * k, CHUNK)
    cdef int n_vectors = <int> (2 * ((m + 2 * lanes - 1) // (2 * lanes)))
    cdef real[::1] panels = np.empty(n_vectors * lanes * k, dtype=np.float32 if real is float else np.float64)
    cdef double[::1] errors = np.empty(n, dtype=np.float64)
    cdef double total = 0
    with nogil:
        job.kernels.pack(k, m, n_vectors, &item_factors[0, 0], m, 1, &panels[0], k, 0)
        while first < n:
            last = min(first + block, n)
            for chunk in prange((last - first + CHUNK - 1) // CHUNK, schedule="dynamic",
                                num_threads=threads_for(&job, <double> m * k * (last - first))):
                i = first + chunk * CHUNK
                job.kernels.dense_error(min(CHUNK, last - i), m, k, &ratings[i, 0], m, &user_factors[i, 0], k, &panels[0], &errors[i])
            answer_signals(&job, <double> m * k * (last - first))
            first = last
        for i in range(n):
            total += errors[i]
    return total


def observed_squared_error(const int64_t[::1] user_indptr, const int32_t[::1] user_indices, const real[::1] user_values,
                           const real[:, ::1] user_factors, const real[:, ::1] item_factors, int n_threads):
    """Return the sum of squared errors over the observed cells."""
    check_shapes(user_indptr.shape[0] - 1, item_factors.shape[1], user_factors, item_factors)
    check_cells("user", user_indptr, user_indices, user_factors.shape[0])
    same("length of user_values", user_values.shape[0], user_indices.shape[0])
    cdef Job job = new_job(sizeof(real), user_factors.shape[1], n_threads)
    cdef Py_ssize_t n = user_factors.shape[0], m = item_factors.shape[1], first = 0, last, chunk, i, j
    cdef Py_ssize_t block = rows_between_signals(<double> CELL_CHUNK * user_indices.shape[0] * job.features / n, CELL_CHUNK)
    dtype = np.float32 if real is float else np.float64
    cdef real[:, ::1] users = np.empty((n, job.features), dtype=dtype)
    cdef real[:, ::1] items = np.empty((m, job.features), dtype=dtype)
    cdef Cells cells = observed_cells(user_indptr, user_indices, user_values)
    cdef double[::1] errors = np.empty(n, dtype=np.float64)
    cdef double total = 0
    load(&job, user_factors, False, <char *> &users[0, 0])
    load(&job, item_factors, True, <char *> &items[0, 0])
    with nogil:
        while first < n:
            last = min(first + block, n)
            for chunk in prange((last - first + CELL_CHUNK - 1) // CELL_CHUNK, schedule="dynamic",
                                num_threads=threads_for(&job, <double> CELL_CHUNK * user_indices.shape[0] * job.features * (last - first) / n)):
                for i in range(first + chunk * CELL_CHUNK, min(first + (chunk + 1) * CELL_CHUNK, last)):
                    j = cells.indptr[i]
                    errors[i] = job.kernels.cells_error(job.features, cells.indptr[i + 1] - j, cells.indices + j,
                                                        cells.values + j * sizeof(real), &items[0, 0], &users[i, 0])
            answer_signals(&job, <double> CELL_CHUNK * user_indices.shape[0] * job.features * (last - first) / n)
            first = last
        for i in range(n):
            total += errors[i]
    return total
