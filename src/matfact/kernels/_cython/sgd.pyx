"""Stochastic gradient descent on ratings, in place: compiled kernels.

A rating r of user u and item i is predicted as mean + b_u + c_i + p_u.q_i. One epoch visits every
rating once and moves what it touches against the gradient of its squared error e^2 / 2 with L2
penalties, with steps s:

    p_u += s_u (e q_i - regularization p_u)     b_u += t_u (e - bias_regularization b_u)
    q_i += s_i (e p_u - regularization q_i)     c_i += t_i (e - bias_regularization c_i)

where both right hand sides are those before the update. Constant steps are the two learning rates.
Adaptive ones are AdaGrad's with one sum for the factors of a row and one for its bias, which only
grow: s = learning_rate / sqrt(G), then G += mean over the features of (gradient of p)^2;
t = bias_learning_rate / sqrt(H), then H += (gradient of b)^2.

Order: users and items are cut into n_blocks parts each, so that the ratings fall into a grid of
blocks. A stratum is a generalized diagonal of the grid: its blocks have neither users nor items in
common, so threads take them in any order, and results are the same bits for any number of threads.
In a block ratings are sorted by user and then dealt out as from STREAMS places of that list in
turn: neighbours then have different users and the processor works on several at the same time.

argument            shape, dtype            meaning
user_indptr         (n_users + 1,) int64    ratings of each user
user_indices        (ratings,) int32        their items, ascending in a row
user_values         (ratings,) real         the ratings
nodes               (ratings,) record       user, item (int32), rating (real), in order of blocks
block_indptr        (n_blocks^2 + 1,) int64 nodes of each block, row-major
strata_order        (n_blocks,) int64       order of the strata: a permutation of 0 .. n_blocks - 1
*_factors           (rows, k) real          updated in place
*_biases            (rows,) real            updated in place; untouched at bias_learning_rate 0
*_squares           (rows, 2) real          G and H of each row, positive; updated in place if
                                            adaptive
n_threads           int                     0: what OpenMP says at this call

Preconditions, checked by the caller: C order, finite numbers, indices in range, nodes from
`arrange`. Shapes are checked here too. Memory: one copy of factors, biases and squares.
"""
import numpy as np

from libc.math cimport isfinite
from libc.stdint cimport int32_t, int64_t

from matfact.kernels._cython._checks cimport check, check_cells, check_matrix, check_not_empty
from matfact.kernels._cython._parallel cimport Threads, answer_signals, new_threads
from matfact.kernels._cython._sgd_rows cimport Rows, are_finite, load, rows_in, store
from matfact.kernels._cython._sgd_strata cimport train_strata
from matfact.kernels._cython._sgd_table cimport SgdKernels, SgdRun, kernels_for, use_level
from matfact.kernels._cython._types cimport real
from matfact.kernels._cython._workspace cimport Space, counting, needed, space_of

__all__ = ["arrange", "epoch", "set_simd_level"]

cdef enum:
    STREAMS = 8     # places of a block's list that ratings are dealt from


cdef packed struct Node32:
    int32_t user
    int32_t item
    float rating


cdef packed struct Node64:
    int32_t user
    int32_t item
    double rating


ctypedef fused Node:
    Node32
    Node64


def set_simd_level(str name):
    """Use the code of one SIMD level: "base", "v3" or "v4"."""
    levels = {"base": 0, "v3": 3, "v4": 4}
    if name not in levels or not use_level(levels[name]):
        raise ValueError(f"SIMD level {name!r} is not available on this machine")


def node_type(dtype):
    """Return the dtype of nodes with ratings of `dtype`."""
    return np.dtype([("user", np.int32), ("item", np.int32), ("rating", dtype)])


cdef cut(indptr, Py_ssize_t n_blocks):
    """Cut rows into blocks of about as many entries: where each block starts, and the end."""
    total = int(indptr[len(indptr) - 1])
    cuts = np.searchsorted(indptr, [total * block // n_blocks for block in range(n_blocks + 1)])
    cuts[n_blocks] = len(indptr) - 1
    return cuts.astype(np.int64)


def arrange(
    const int64_t[::1] user_indptr, const int32_t[::1] user_indices, const real[::1] user_values,
    Py_ssize_t n_items, Py_ssize_t n_blocks,
):
    """Sort ratings into a grid of blocks, in the order of training: (nodes, block_indptr)."""
    cdef Py_ssize_t n_users = user_indptr.shape[0] - 1, n = user_indices.shape[0]
    cdef Py_ssize_t block_row, block, user, i, place
    check_cells("user", user_indptr, user_indices, n_users)
    check("user_values", "entries as user_indices", user_values.shape[0], n)
    check_not_empty(n_users, n_items, n_blocks)
    dtype = np.float32 if real is float else np.float64
    nodes_array = np.empty(n, dtype=node_type(dtype))
    starts_array = np.zeros(n_blocks * n_blocks + 1, dtype=np.int64)
    if n == 0:
        return nodes_array, starts_array

    cdef int64_t[::1] item_indptr = np.zeros(n_items + 1, dtype=np.int64)
    with nogil:
        for i in range(n):
            item_indptr[user_indices[i] + 1] += 1
        for i in range(n_items):
            item_indptr[i + 1] += item_indptr[i]
    item_cuts = cut(np.asarray(item_indptr), n_blocks)
    cdef int64_t[::1] user_cuts = cut(np.asarray(user_indptr), n_blocks)
    cdef int32_t[::1] block_of_item = np.repeat(
        np.arange(n_blocks, dtype=np.int32), np.diff(item_cuts))

    cdef int64_t[::1] starts = starts_array
    cdef int64_t[::1] next_place = np.empty(n_blocks, dtype=np.int64)
    cdef int64_t[::1] next_stream = np.empty(n_blocks, dtype=np.int64)
    cdef unsigned char[::1] nodes_bytes = nodes_array.view(np.uint8)
    cdef Node32 *nodes32 = <Node32 *> &nodes_bytes[0]
    cdef Node64 *nodes64 = <Node64 *> &nodes_bytes[0]
    cdef Threads threads = new_threads(1)
    with nogil:
        for block_row in range(n_blocks):
            for i in range(user_indptr[user_cuts[block_row]],
                           user_indptr[user_cuts[block_row + 1]]):
                starts[block_row * n_blocks + block_of_item[user_indices[i]] + 1] += 1
            for block in range(block_row * n_blocks, (block_row + 1) * n_blocks):
                starts[block + 1] += starts[block]
        for block_row in range(n_blocks):
            for block in range(n_blocks):
                next_place[block] = starts[block_row * n_blocks + block]
                next_stream[block] = next_place[block] + 1
            for user in range(user_cuts[block_row], user_cuts[block_row + 1]):
                for i in range(user_indptr[user], user_indptr[user + 1]):
                    block = block_of_item[user_indices[i]]
                    place = next_place[block]
                    if real is float:
                        nodes32[place] = Node32(<int32_t> user, user_indices[i], user_values[i])
                    else:
                        nodes64[place] = Node64(<int32_t> user, user_indices[i], user_values[i])
                    place += STREAMS
                    if place >= starts[block_row * n_blocks + block + 1]:
                        place = next_stream[block]
                        next_stream[block] += 1
                    next_place[block] = place
                answer_signals(&threads, 40 * (user_indptr[user + 1] - user_indptr[user]))
    return nodes_array, starts_array


cdef largest_first(const int64_t[::1] block_indptr, Py_ssize_t n_blocks):
    """Return the blocks of each stratum, those with most ratings first: (n_blocks, n_blocks)."""
    rows = np.arange(n_blocks)
    blocks = rows * n_blocks + (rows + rows[:, None]) % n_blocks
    order = np.argsort(-np.diff(block_indptr)[blocks], axis=1, kind="stable")
    return np.take_along_axis(blocks, order, axis=1).astype(np.int64)


def epoch(
    nodes, const int64_t[::1] block_indptr, const int64_t[::1] strata_order,
    real[:, ::1] user_factors, real[:, ::1] item_factors,
    real[::1] user_biases, real[::1] item_biases,
    real[:, ::1] user_squares, real[:, ::1] item_squares,
    double mean, double learning_rate, double bias_learning_rate,
    double regularization, double bias_regularization, bint adaptive, int n_threads,
):
    """Train one epoch: the sum of squared errors, each before its update; nan if it fails.

    After a value that is not finite the result is nan and nothing has changed; nor has it after an
    exception (Ctrl-C).
    """
    cdef Py_ssize_t n_users = user_factors.shape[0], n_items = item_factors.shape[0]
    cdef Py_ssize_t k = user_factors.shape[1], n_blocks = strata_order.shape[0], block
    dtype = np.float32 if real is float else np.float64
    check_not_empty(n_users, n_items, k)
    check_matrix("item_factors", item_factors, n_items, k)
    check("user_biases", "entries", user_biases.shape[0], n_users)
    check("item_biases", "entries", item_biases.shape[0], n_items)
    check_matrix("user_squares", user_squares, n_users, 2)
    check_matrix("item_squares", item_squares, n_items, 2)
    check("block_indptr", "entries", block_indptr.shape[0], n_blocks * n_blocks + 1)
    check("nodes", "entries", nodes.shape[0], block_indptr[n_blocks * n_blocks])
    if nodes.dtype != node_type(dtype):
        raise ValueError(f"nodes and factors differ in dtype: {nodes.dtype} and {dtype.__name__}")
    if nodes.shape[0] == 0:
        return 0.0

    cdef const SgdKernels *kernels = kernels_for(sizeof(real), k)
    cdef Threads threads = new_threads(n_threads)
    cdef Space space = counting()
    cdef Rows users = rows_in(&space, kernels, n_users, k, sizeof(real))
    cdef Rows items = rows_in(&space, kernels, n_items, k, sizeof(real))
    cdef unsigned char[::1] workspace = np.empty(needed(&space), dtype=np.uint8)
    space = space_of(workspace)
    users = rows_in(&space, kernels, n_users, k, sizeof(real))
    items = rows_in(&space, kernels, n_items, k, sizeof(real))
    cdef SgdRun run = SgdRun(
        users.factors, items.factors, users.states, items.states, k, users.padded, mean,
        learning_rate, bias_learning_rate, regularization, bias_regularization, adaptive)

    cdef const unsigned char[::1] nodes_bytes = nodes.view(np.uint8)
    cdef Py_ssize_t node_bytes = nodes.itemsize
    cdef const int64_t[:, ::1] by_size = largest_first(block_indptr, n_blocks)
    cdef double[::1] errors = np.zeros(n_blocks * n_blocks, dtype=np.float64)
    cdef double total = 0
    cdef bint finite
    with nogil:
        load(kernels, &threads, &users, &user_factors[0, 0], &user_biases[0], &user_squares[0, 0])
        load(kernels, &threads, &items, &item_factors[0, 0], &item_biases[0], &item_squares[0, 0])
        train_strata(
            kernels, &run, &threads, &nodes_bytes[0], node_bytes, block_indptr, strata_order,
            by_size, errors)
        for block in range(n_blocks * n_blocks):
            total += errors[block]
        finite = (
            isfinite(total)
            and are_finite(kernels, &users, &user_factors[0, 0])
            and are_finite(kernels, &items, &user_factors[0, 0]))
        if finite:
            store(&threads, &users, &user_factors[0, 0], &user_biases[0], &user_squares[0, 0])
            store(&threads, &items, &item_factors[0, 0], &item_biases[0], &item_squares[0, 0])
    return total if finite else float("nan")
