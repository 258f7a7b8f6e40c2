"""Gradient descent in place: compiled kernels.

Model and update, for ratings R (n x m), user factors U (n x k), item factors V (k x m) and
e = r - u.v, as a scalar program would do it, one number after another, each step seeing the ones
before it:

    users:  for every user, for f in 0 .. k-1:   u_f += user_step * sum_j e_j v_fj
    items:  for f in 0 .. k-1, for every item:   v_f += item_step * sum_i e_i u_if

with sums over the observed cells of the user or item. A sweep over one side treats its rows
independently and is affine in them (simd/gd_maps.h), so a half sweep is one product of R with a
small matrix: 2 n m k multiply-adds an iteration. Missing cells are a correction of that product,
or, where most cells are missing, only the observed ones are visited (simd/gd_cells.h).

argument         shape, dtype         meaning
ratings          (n, m) real          all finite; 0 in missing cells
user_factors     (n, k) real          updated in place
item_factors     (k, m) real          updated in place
*_indptr         (rows + 1,) int64    listed cells of each user (item): observed or missing ones
*_indices        (cells,) int32       their items (users), ascending in a row
*_values         (cells,) real        their ratings
*_step           float                learning_rate * 2 / row length; 0 leaves that side as it is
n_threads        int                  0: what OpenMP says at this call

Preconditions, checked by the caller: C order, finite numbers, indices in range. Shapes are checked
here too. Results are the same bits for any number of threads. After an exception (Ctrl-C) and
after a value that is not finite, factors hold the last iteration that finished; the result is the
number of iterations that did. Memory: two copies of the factors, and twice V.
"""
import numpy as np

from cython.parallel cimport prange
from libc.stdint cimport int32_t, int64_t
from libc.string cimport memset

from matfact.kernels._cython._gd_compressed import compress, compressed_iterations, expand
from matfact.kernels._cython._gd_compressed import set_level as _set_compressed_level

from matfact.kernels._cython._checks cimport check, check_cells
from matfact.kernels._cython._gd_cells cimport (
    CELL_CHUNK, Cells, missing_cells, no_cells, observed_cells,
)
from matfact.kernels._cython._gd_iteration cimport Side, Work, iterate, lay_out
from matfact.kernels._cython._gd_steps cimport CHUNK, Job, new_job
from matfact.kernels._cython._gd_table cimport use_level
from matfact.kernels._cython._gd_work cimport check_factors, load, store
from matfact.kernels._cython._parallel cimport answer_signals, rows_between_signals, threads_for
from matfact.kernels._cython._types cimport real
from matfact.kernels._cython._workspace cimport Space, counting, needed, space_of

__all__ = [
    "compress",
    "compressed_iterations",
    "expand",
    "filled_iterations",
    "full_iterations",
    "observed_iterations",
    "observed_squared_error",
    "set_simd_level",
    "squared_error",
]


def set_simd_level(str name):
    """Use the code of one SIMD level: "base", "v3" or "v4"."""
    levels = {"base": 0, "v3": 3, "v4": 4}
    if name not in levels or not use_level(levels[name]):
        raise ValueError(f"SIMD level {name!r} is not available on this machine")
    _set_compressed_level(levels[name])


cdef Py_ssize_t descend(
    const real *ratings, Cells users, Cells items,
    real[:, ::1] user_factors, real[:, ::1] item_factors,
    double user_step, double item_step, Py_ssize_t n_iterations, int n_threads,
) except -1:
    """Run iterations in a workspace; without `ratings` over the cells alone."""
    cdef Job job = new_job(sizeof(real), user_factors.shape[1], n_threads)
    cdef Space space = counting()
    cdef Work work
    cdef Py_ssize_t finished = 0
    cdef unsigned char[::1] workspace
    memset(&work, 0, sizeof(Work))
    work.ratings = <const char *> ratings
    work.users = Side(user_factors.shape[0], user_step, NULL, NULL, users)
    work.items = Side(item_factors.shape[1], item_step, NULL, NULL, items)
    lay_out(&job, &work, &space)
    workspace = np.empty(needed(&space), dtype=np.uint8)
    space = space_of(workspace)
    lay_out(&job, &work, &space)
    load(&job, user_factors, False, work.users.old)
    load(&job, item_factors, True, work.items.old)
    try:
        with nogil:
            iterate(&job, &work, n_iterations, &finished)
    finally:
        store(&job, work.users.old, False, user_factors)
        store(&job, work.items.old, True, item_factors)
    return finished


def full_iterations(
    const real[:, ::1] ratings,
    real[:, ::1] user_factors, real[:, ::1] item_factors,
    double user_step, double item_step, Py_ssize_t n_iterations, int n_threads,
):
    """Run iterations over ratings without missing cells."""
    check_factors(user_factors, item_factors, ratings.shape[0], ratings.shape[1])
    return descend(
        &ratings[0, 0], no_cells(), no_cells(),
        user_factors, item_factors, user_step, item_step, n_iterations, n_threads)


def filled_iterations(
    const real[:, ::1] ratings,
    const int64_t[::1] user_indptr, const int32_t[::1] user_indices,
    const int64_t[::1] item_indptr, const int32_t[::1] item_indices,
    real[:, ::1] user_factors, real[:, ::1] item_factors,
    double user_step, double item_step, Py_ssize_t n_iterations, int n_threads,
):
    """Run iterations over ratings with some missing cells, which are zero there and listed."""
    check_factors(user_factors, item_factors, ratings.shape[0], ratings.shape[1])
    check_cells("user", user_indptr, user_indices, ratings.shape[0])
    check_cells("item", item_indptr, item_indices, ratings.shape[1])
    return descend(
        &ratings[0, 0],
        missing_cells(user_indptr, user_indices), missing_cells(item_indptr, item_indices),
        user_factors, item_factors, user_step, item_step, n_iterations, n_threads)


def observed_iterations(
    const int64_t[::1] user_indptr, const int32_t[::1] user_indices, const real[::1] user_values,
    const int64_t[::1] item_indptr, const int32_t[::1] item_indices, const real[::1] item_values,
    real[:, ::1] user_factors, real[:, ::1] item_factors,
    double user_step, double item_step, Py_ssize_t n_iterations, int n_threads,
):
    """Run iterations over the observed cells only."""
    check_factors(user_factors, item_factors, user_factors.shape[0], item_factors.shape[1])
    check_cells("user", user_indptr, user_indices, user_factors.shape[0])
    check_cells("item", item_indptr, item_indices, item_factors.shape[1])
    check("user_values", "entries as user_indices", user_values.shape[0], user_indices.shape[0])
    check("item_values", "entries as item_indices", item_values.shape[0], item_indices.shape[0])
    return descend(
        <const real *> NULL,
        observed_cells(user_indptr, user_indices, user_values),
        observed_cells(item_indptr, item_indices, item_values),
        user_factors, item_factors, user_step, item_step, n_iterations, n_threads)


def squared_error(
    const real[:, ::1] ratings,
    const real[:, ::1] user_factors, const real[:, ::1] item_factors,
    int n_threads,
):
    """Return the sum of squared errors over the cells that are not NaN."""
    check_factors(user_factors, item_factors, ratings.shape[0], ratings.shape[1])
    cdef Job job = new_job(sizeof(real), user_factors.shape[1], n_threads)
    cdef Py_ssize_t n_users = ratings.shape[0], n_items = ratings.shape[1]
    cdef Py_ssize_t k = job.n_features, first = 0, last, chunk, i
    cdef double work = <double> n_items * k
    cdef Py_ssize_t block = rows_between_signals(work, CHUNK)
    cdef Py_ssize_t pair = 2 * job.kernels.lanes, n_pairs = (n_items + pair - 1) // pair
    dtype = np.float32 if real is float else np.float64
    cdef real[::1] panels = np.empty(n_pairs * pair * k, dtype=dtype)
    cdef double[::1] errors = np.empty(n_users, dtype=np.float64)
    with nogil:
        job.kernels.pack(
            k, n_items, <int> (2 * n_pairs), &item_factors[0, 0], n_items, 1, &panels[0])
        while first < n_users:
            last = min(first + block, n_users)
            for chunk in prange(
                (last - first + CHUNK - 1) // CHUNK,
                schedule="dynamic", num_threads=threads_for(&job.threads, work * (last - first)),
            ):
                i = first + chunk * CHUNK
                job.kernels.dense_error(
                    min(CHUNK, last - i), n_items, k,
                    &ratings[i, 0], n_items, &user_factors[i, 0], k, &panels[0], &errors[i])
            answer_signals(&job.threads, work * (last - first))
            first = last
    return total(errors)


def observed_squared_error(
    const int64_t[::1] user_indptr, const int32_t[::1] user_indices, const real[::1] user_values,
    const real[:, ::1] user_factors, const real[:, ::1] item_factors,
    int n_threads,
):
    """Return the sum of squared errors over the observed cells."""
    check_factors(user_factors, item_factors, user_factors.shape[0], item_factors.shape[1])
    check_cells("user", user_indptr, user_indices, user_factors.shape[0])
    check("user_values", "entries as user_indices", user_values.shape[0], user_indices.shape[0])
    cdef Job job = new_job(sizeof(real), user_factors.shape[1], n_threads)
    cdef Py_ssize_t n_users = user_factors.shape[0], n_items = item_factors.shape[1]
    cdef Py_ssize_t first = 0, last, chunk, i, cell
    cdef double work = <double> CELL_CHUNK * user_indices.shape[0] * job.padded / n_users
    cdef Py_ssize_t block = rows_between_signals(work, CELL_CHUNK)
    cdef Cells cells = observed_cells(user_indptr, user_indices, user_values)
    dtype = np.float32 if real is float else np.float64
    cdef real[:, ::1] users = np.empty((n_users, job.padded), dtype=dtype)
    cdef real[:, ::1] items = np.empty((n_items, job.padded), dtype=dtype)
    cdef double[::1] errors = np.empty(n_users, dtype=np.float64)
    load(&job, user_factors, False, <char *> &users[0, 0])
    load(&job, item_factors, True, <char *> &items[0, 0])
    with nogil:
        while first < n_users:
            last = min(first + block, n_users)
            for chunk in prange(
                (last - first + CELL_CHUNK - 1) // CELL_CHUNK,
                schedule="dynamic", num_threads=threads_for(&job.threads, work * (last - first)),
            ):
                for i in range(
                    first + chunk * CELL_CHUNK, min(first + (chunk + 1) * CELL_CHUNK, last)
                ):
                    cell = cells.indptr[i]
                    errors[i] = job.kernels.cells_error(
                        job.padded,
                        cells.indptr[i + 1] - cell, cells.indices + cell,
                        cells.values + cell * sizeof(real),
                        &items[0, 0], &users[i, 0])
            answer_signals(&job.threads, work * (last - first))
            first = last
    return total(errors)


cdef double total(const double[::1] errors) noexcept:
    """The sum, in the order of the users."""
    cdef Py_ssize_t i
    cdef double result = 0
    for i in range(errors.shape[0]):
        result += errors[i]
    return result
