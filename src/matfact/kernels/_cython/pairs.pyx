"""Predictions and errors of single pairs: compiled kernels.

A prediction is center + b_u + c_i + p_u.q_i. The dot product is made in the precision of the
factors, the rest in double precision.

argument         shape, dtype         meaning
users, items     (p,) int32 or int64  places of the pairs, both of one dtype
indptr           (n + 1,) int64       ratings of each row (a row may be a user or an item)
indices          (ratings,) int32     their columns
values           (ratings,) real      the ratings
weights          (ratings,) real      their weights, or None: 1
*_factors        (rows, k) real       factors of a side
*_biases         (rows,) real         biases of a side, or None: 0
n_threads        int                  0: what OpenMP says at this call

Preconditions, checked by the caller: C order, places and indices in range. Results are the same
bits for any number of threads, and a prediction does not depend on the other pairs of the call.
"""
import numpy as np

from cython.parallel cimport prange, threadid
from libc.stdint cimport int32_t, int64_t
from libc.string cimport memset

from matfact.kernels._cython._checks cimport check
from matfact.kernels._cython._padding cimport pad_rows
from matfact.kernels._cython._pairs_table cimport PairsKernels, PairsModel, kernels_for, use_level
from matfact.kernels._cython._parallel cimport Threads, new_threads, threads_for
from matfact.kernels._cython._types cimport real
from matfact.kernels._cython._watch cimport Watch, leave, new_watch, watch
from matfact.kernels._cython._workspace cimport Space, counting, needed, space_of, take

__all__ = ["predict_pairs", "residuals", "set_simd_level", "squared_errors"]

cdef enum:
    PAIRS = 4096    # that a thread predicts at a time
    ROWS = 16       # whose errors a thread sums at a time
    PAIR_COST = 4   # multiply-adds of a product in the time of one of these, and of 8 more a pair

ctypedef fused place:
    int32_t
    int64_t


def set_simd_level(str name):
    """Use the code of one SIMD level: "base", "v3" or "v4"."""
    levels = {"base": 0, "v3": 3, "v4": 4}
    if name not in levels or not use_level(levels[name]):
        raise ValueError(f"SIMD level {name!r} is not available on this machine")


cdef PairsModel new_model(
    const real[:, ::1] user_factors, const real[:, ::1] item_factors,
    const real[::1] user_biases, const real[::1] item_biases, double center,
) except *:
    cdef PairsModel model
    memset(&model, 0, sizeof(PairsModel))
    check("factors of the columns", "columns as those of the rows",
          item_factors.shape[1], user_factors.shape[1])
    if user_biases is not None:
        check("biases of the rows", "entries", user_biases.shape[0], user_factors.shape[0])
    if item_biases is not None:
        check("biases of the columns", "entries", item_biases.shape[0], item_factors.shape[0])
    model.n_features, model.center = user_factors.shape[1], center
    if user_factors.shape[0]:
        model.user_factors = &user_factors[0, 0]
        model.user_biases = &user_biases[0] if user_biases is not None else NULL
    if item_factors.shape[0]:
        model.item_factors = &item_factors[0, 0]
        model.item_biases = &item_biases[0] if item_biases is not None else NULL
    return model


def predict_pairs(
    const place[::1] users, const place[::1] items,
    const real[:, ::1] user_factors, const real[:, ::1] item_factors,
    const real[::1] user_biases, const real[::1] item_biases,
    double center, int n_threads,
):
    """Return the predictions of pairs of users and items, in double precision."""
    cdef PairsModel model = new_model(
        user_factors, item_factors, user_biases, item_biases, center)
    cdef Py_ssize_t n = users.shape[0], chunk, first
    cdef const PairsKernels *kernels = kernels_for(sizeof(real), model.n_features)
    cdef double work = PAIR_COST * (model.n_features + 8.)
    cdef Threads threads = new_threads(n_threads)
    cdef Watch state = new_watch()
    cdef double[::1] out = np.empty(n)
    check("items", "entries as users", items.shape[0], n)
    if n == 0:
        return np.asarray(out)
    with nogil:
        for chunk in prange(
            (n + PAIRS - 1) // PAIRS, schedule="dynamic",
            num_threads=threads_for(&threads, work * n),
        ):
            first = chunk * PAIRS
            if not state.stopped:
                kernels.predict(
                    &model, min(PAIRS, n - first), &users[first], &items[first], sizeof(place),
                    &out[first])
                watch(&state, threadid(), work * PAIRS)
        leave(&state)
    return np.asarray(out)


cdef int errors_of_rows(
    const int64_t[::1] indptr, const int32_t[::1] indices,
    const real[::1] values, const real[::1] weights,
    const real[:, ::1] row_factors, const real[:, ::1] column_factors,
    const real[::1] row_biases, const real[::1] column_biases,
    double center, int n_threads, double[::1] totals, real[::1] out,
) except -1:
    """Fill in the squared errors of each row, and the errors themselves unless `out` is None."""
    cdef PairsModel model = new_model(
        row_factors, column_factors, row_biases, column_biases, center)
    cdef Py_ssize_t n = row_factors.shape[0], k = model.n_features, chunk, row, first
    check("indptr", "entries", indptr.shape[0], n + 1)
    check("indices", "entries as indptr ends", indices.shape[0], indptr[n])
    check("values", "entries as indices", values.shape[0], indices.shape[0])
    if weights is not None:
        check("weights", "entries as indices", weights.shape[0], indices.shape[0])
    if indices.shape[0] == 0:
        return 0
    cdef const PairsKernels *kernels = kernels_for(sizeof(real), k)
    cdef Py_ssize_t padded = (k + kernels.lanes - 1) // kernels.lanes * kernels.lanes
    cdef Py_ssize_t own_bytes = padded * sizeof(real) + 64
    cdef double work = PAIR_COST * (padded + 8.)
    cdef Threads threads = new_threads(n_threads)
    cdef Watch state = new_watch()
    cdef Space space = counting()
    cdef unsigned char[::1] workspace
    cdef const void *columns = NULL
    cdef char *own = NULL
    threads.n_threads = threads_for(&threads, work * indices.shape[0])
    for _ in range(2):
        columns = pad_rows(column_factors, padded, &space)
        own = take(&space, threads.n_threads * own_bytes)
        if space.base == NULL:
            workspace = np.empty(needed(&space), dtype=np.uint8)
            space = space_of(workspace)
    with nogil:
        for chunk in prange(
            (n + ROWS - 1) // ROWS, schedule="dynamic", num_threads=threads.n_threads,
        ):
            for row in range(chunk * ROWS, min((chunk + 1) * ROWS, n)):
                first = indptr[row]
                if not state.stopped and first < indptr[row + 1]:
                    totals[row] = kernels.row_errors(
                        &model, padded, row, indptr[row + 1] - first,
                        &indices[first], &values[first],
                        &weights[first] if weights is not None else NULL,
                        columns, own + threadid() * own_bytes,
                        &out[first] if out is not None else NULL)
                    watch(&state, threadid(), work * (indptr[row + 1] - first))
        leave(&state)
    return 0


def squared_errors(
    const int64_t[::1] indptr, const int32_t[::1] indices,
    const real[::1] values, const real[::1] weights,
    const real[:, ::1] row_factors, const real[:, ::1] column_factors,
    const real[::1] row_biases, const real[::1] column_biases,
    double center, int n_threads,
):
    """Return the weighted sum of squared errors of each row, in double precision."""
    cdef double[::1] totals = np.zeros(row_factors.shape[0])
    cdef real[::1] no_out = None
    errors_of_rows(
        indptr, indices, values, weights, row_factors, column_factors, row_biases, column_biases,
        center, n_threads, totals, no_out)
    return np.asarray(totals)


def residuals(
    const int64_t[::1] indptr, const int32_t[::1] indices, const real[::1] values,
    const real[:, ::1] row_factors, const real[:, ::1] column_factors,
    const real[::1] row_biases, const real[::1] column_biases,
    double center, int n_threads,
):
    """Return rating - prediction of every rating."""
    cdef double[::1] totals = np.zeros(row_factors.shape[0])
    cdef real[::1] out = np.empty(
        values.shape[0], dtype=np.float32 if real is float else np.float64)
    cdef const real[::1] no_weights = None
    errors_of_rows(
        indptr, indices, values, no_weights, row_factors, column_factors,
        row_biases, column_biases, center, n_threads, totals, out)
    return np.asarray(out)
