# length: the model and its schedule are described on top
"""Bayesian personalized ranking by stochastic gradient descent, in place: compiled kernels.

An item i that a user u has chosen should have a higher score than another one j that u has not:
x = score(u, i) - score(u, j) with score(u, i) = c_i + p_u.q_i. One epoch visits every triple
(u, i, j) once and moves what it touches against the gradient of -log sigmoid(x) with L2 penalties,
all right hand sides being those before the update; s = 1 / (1 + exp(x)):

    p_u += a_u (s (q_i - q_j) - regularization p_u)
    q_i += a_i (s p_u - regularization q_i)        c_i += b_i (s - bias_regularization c_i)
    q_j += a_j (-s p_u - regularization q_j)       c_j += b_j (-s - bias_regularization c_j)

Steps a and b are constant or adapt as those of sgd.pyx do.

Order: items are cut into n_blocks parts (an even number), users into half as many. The two item
blocks of a triple play against one another as in a tournament: in each round every block has one
opponent, and two further rounds are for items of the same block. A stratum is a round with the
users rotated over its pairs; its n_blocks / 2 tasks have neither users nor items in common, so
threads take them in any order, and results are the same bits for any number of threads. In a task
triples are sorted by user and dealt out as sgd.arrange does.

argument            shape, dtype            meaning
user_indptr         (n_users + 1,) int64    entries of each user
user_indices        (entries,) int32        items, ascending in a row
others              (entries,) int32        the other item of each entry; -1: no triple
triples             (triples,) record       user, item, other (int32), in order of tasks
task_indptr         (tasks + 1,) int64      triples of each task; tasks of a stratum are neighbours
strata_order        (strata,) int64         order of the strata: a permutation
*_factors           (rows, k) real          updated in place
item_biases         (n_items,) real         updated in place; untouched at bias_learning_rate 0
*_squares           (rows, 2) real          sums of squared gradients, of factors and of the bias;
                                            positive; updated in place if adaptive
n_threads           int                     0: what OpenMP says at this call

Preconditions, checked by the caller: C order, finite numbers, indices in range, triples from
`arrange`. Shapes are checked here too. Memory: one copy of factors, biases and squares.
"""
import numpy as np

from cython.parallel cimport prange
from libc.math cimport isfinite
from libc.stdint cimport int32_t, int64_t

from matfact.kernels._cython._checks cimport check, check_cells, check_matrix, check_not_empty
from matfact.kernels._cython._parallel cimport (
    SIGNAL_WORK, Threads, answer_signals, new_threads, threads_for,
)
from matfact.kernels._cython._sgd_rows cimport Rows, are_finite, load, rows_in, store
from matfact.kernels._cython._sgd_table cimport SgdKernels, SgdRun, kernels_for, use_level
from matfact.kernels._cython._types cimport real
from matfact.kernels._cython._workspace cimport Space, counting, needed, space_of

__all__ = ["arrange", "epoch", "is_taken", "set_simd_level"]

TRIPLE = np.dtype([("user", np.int32), ("item", np.int32), ("other", np.int32)])

cdef enum:
    STREAMS = 8         # places of a task's list that triples are dealt from
    FEATURE_WORK = 14   # multiply-adds of a product in the time of one feature of a triple
    TRIPLE_WORK = 400   # and of the rest of its update
    SEARCH_WORK = 40    # and of looking for an item in a row


cdef packed struct Triple:
    int32_t user
    int32_t item
    int32_t other


def set_simd_level(str name):
    """Use the code of one SIMD level: "base", "v3" or "v4"."""
    levels = {"base": 0, "v3": 3, "v4": 4}
    if name not in levels or not use_level(levels[name]):
        raise ValueError(f"SIMD level {name!r} is not available on this machine")


def is_taken(
    const int64_t[::1] user_indptr, const int32_t[::1] user_indices,
    const int32_t[::1] users, const int32_t[::1] others, int n_threads,
):
    """Tell for each pair of a user and an item whether the user has the item: uint8."""
    cdef Py_ssize_t n_users = user_indptr.shape[0] - 1, n = others.shape[0], pair
    cdef Py_ssize_t low, high, middle
    cdef unsigned char[::1] taken = np.zeros(n, dtype=np.uint8)
    cdef Threads threads = new_threads(n_threads)
    check_cells("user", user_indptr, user_indices, n_users)
    check("users", "entries as others", users.shape[0], n)
    for pair in prange(
        n, schedule="static", nogil=True,
        num_threads=threads_for(&threads, <double> SEARCH_WORK * n),
    ):
        low, high = user_indptr[users[pair]], user_indptr[users[pair] + 1]
        while low < high:
            middle = (low + high) // 2
            if user_indices[middle] < others[pair]:
                low = middle + 1
            else:
                high = middle
        taken[pair] = (
            low < user_indptr[users[pair] + 1] and user_indices[low] == others[pair])
    return np.asarray(taken)


cdef cut(indptr, Py_ssize_t n_blocks):
    """Return the block of each row, blocks being cut so that they have about as many entries."""
    total = int(indptr[len(indptr) - 1])
    cuts = np.searchsorted(indptr, [total * block // n_blocks for block in range(n_blocks + 1)])
    cuts[n_blocks] = len(indptr) - 1
    return np.repeat(np.arange(n_blocks, dtype=np.int32), np.diff(cuts))


cdef tasks_of_blocks(Py_ssize_t n_blocks):
    """Return the task of (user block, item block, other item block), and the number of tasks.

    Rounds of a tournament by the circle method; its pairs are numbered 0 .. n_blocks / 2 - 1.
    """
    cdef Py_ssize_t pairs = n_blocks // 2, last = n_blocks - 1
    b, c = np.sort(np.indices((n_blocks, n_blocks)), axis=0)
    rounds = np.where(c == last, b, (b + c) * pairs % last)
    away = (b - rounds) % last
    pair = np.where(c == last, 0, np.minimum(away, last - away))
    rounds, pair = np.where(b == c, (last + b // pairs, b % pairs), (rounds, pair))
    stratum = rounds * pairs + (np.arange(pairs)[:, None, None] - pair) % pairs
    return (stratum * pairs + pair).astype(np.int32), (n_blocks + 1) * pairs * pairs


def arrange(
    const int64_t[::1] user_indptr, const int32_t[::1] user_indices, const int32_t[::1] others,
    Py_ssize_t n_items, Py_ssize_t n_blocks,
):
    """Sort triples into tasks, in the order of training: (triples, task_indptr)."""
    cdef Py_ssize_t n_users = user_indptr.shape[0] - 1, n = user_indices.shape[0]
    cdef Py_ssize_t user, i, place, task, n_tasks
    check_cells("user", user_indptr, user_indices, n_users)
    check("others", "entries as user_indices", others.shape[0], n)
    check_not_empty(n_users, n_items, n_blocks)
    if n_blocks % 2:
        raise ValueError(f"n_blocks is {n_blocks}; it must be even")
    task_table, n_tasks = tasks_of_blocks(n_blocks)
    cdef const int32_t[:, :, ::1] task_of = task_table
    counts = np.bincount(user_indices, minlength=n_items) + max(1, n // n_items)
    cdef const int32_t[::1] item_block = cut(np.concatenate([[0], np.cumsum(counts)]), n_blocks)
    cdef const int32_t[::1] user_block = cut(np.asarray(user_indptr), n_blocks // 2)
    starts_array = np.zeros(n_tasks + 1, dtype=np.int64)
    cdef int64_t[::1] starts = starts_array, next_place, next_stream
    cdef int32_t[::1] task_of_entry = np.full(n, -1, dtype=np.int32)
    with nogil:
        for user in range(n_users):
            for i in range(user_indptr[user], user_indptr[user + 1]):
                if others[i] >= 0:
                    task = task_of[
                        user_block[user], item_block[user_indices[i]], item_block[others[i]]]
                    task_of_entry[i] = <int32_t> task
                    starts[task + 1] += 1
        for task in range(n_tasks):
            starts[task + 1] += starts[task]
    triples_array = np.empty(starts[n_tasks], dtype=TRIPLE)
    if starts[n_tasks] == 0:
        return triples_array, starts_array
    next_place, next_stream = starts_array[:n_tasks].copy(), starts_array[:n_tasks] + 1
    cdef unsigned char[::1] triples_bytes = triples_array.view(np.uint8)
    cdef Triple *triples = <Triple *> &triples_bytes[0]
    with nogil:
        for user in range(n_users):
            for i in range(user_indptr[user], user_indptr[user + 1]):
                task = task_of_entry[i]
                if task < 0:
                    continue
                place = next_place[task]
                triples[place] = Triple(<int32_t> user, user_indices[i], others[i])
                place += STREAMS
                if place >= starts[task + 1]:
                    place = next_stream[task]
                    next_stream[task] += 1
                next_place[task] = place
    return triples_array, starts_array


cdef int train_tasks(
    const SgdKernels *kernels, const SgdRun *run, Threads *threads, const Triple *triples,
    const int64_t[::1] task_indptr, const int64_t[::1] strata_order, Py_ssize_t n_pairs,
    double[::1] losses,
) except -1 nogil:
    """Visit the strata. Long ones come in pieces, between which signals are answered."""
    cdef Py_ssize_t s, task, first_task, piece, n_pieces, first, last, count
    cdef double work
    for s in range(strata_order.shape[0]):
        first_task = strata_order[s] * n_pairs
        count = task_indptr[first_task + n_pairs] - task_indptr[first_task]
        work = <double> count * (FEATURE_WORK * run.padded + TRIPLE_WORK)
        n_pieces = 1 + <Py_ssize_t> (work / (4.0 * SIGNAL_WORK))
        for piece in range(n_pieces):
            for task in prange(
                first_task, first_task + n_pairs, schedule="dynamic", chunksize=1,
                num_threads=threads_for(threads, work / n_pieces),
            ):
                count = task_indptr[task + 1] - task_indptr[task]
                first = task_indptr[task] + count * piece // n_pieces
                last = task_indptr[task] + count * (piece + 1) // n_pieces
                if first < last:
                    losses[task] += kernels.rank(run, last - first, triples + first)
            answer_signals(threads, work / n_pieces)
    return 0


def epoch(
    triples, const int64_t[::1] task_indptr, const int64_t[::1] strata_order,
    real[:, ::1] user_factors, real[:, ::1] item_factors, real[::1] item_biases,
    real[:, ::1] user_squares, real[:, ::1] item_squares,
    double learning_rate, double bias_learning_rate,
    double regularization, double bias_regularization, bint adaptive, int n_threads,
):
    """Train one epoch: the sum of -log sigmoid(x), each before its update; nan if it fails.

    After a value that is not finite the result is nan and nothing has changed; nor has it after an
    exception (Ctrl-C).
    """
    cdef Py_ssize_t n_users = user_factors.shape[0], n_items = item_factors.shape[0]
    cdef Py_ssize_t k = user_factors.shape[1], n_tasks = task_indptr.shape[0] - 1, task
    check_not_empty(n_users, n_items, k)
    check_matrix("item_factors", item_factors, n_items, k)
    check("item_biases", "entries", item_biases.shape[0], n_items)
    check_matrix("user_squares", user_squares, n_users, 2)
    check_matrix("item_squares", item_squares, n_items, 2)
    check("triples", "entries", triples.shape[0], task_indptr[n_tasks])
    if strata_order.shape[0] == 0 or n_tasks % strata_order.shape[0] or triples.dtype != TRIPLE:
        raise ValueError("triples, task_indptr and strata_order must be those of arrange")
    if triples.shape[0] == 0:
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
        users.factors, items.factors, users.states, items.states, k, users.padded, 0,
        learning_rate, bias_learning_rate, regularization, bias_regularization, adaptive)
    cdef const unsigned char[::1] triples_bytes = triples.view(np.uint8)
    cdef real[::1] no_biases = np.zeros(n_users, np.float32 if real is float else np.float64)
    cdef double[::1] losses = np.zeros(n_tasks)
    cdef double total = 0
    cdef bint finite
    with nogil:
        load(kernels, &threads, &users, &user_factors[0, 0], &no_biases[0], &user_squares[0, 0])
        load(kernels, &threads, &items, &item_factors[0, 0], &item_biases[0], &item_squares[0, 0])
        train_tasks(
            kernels, &run, &threads, <const Triple *> &triples_bytes[0], task_indptr, strata_order,
            n_tasks // strata_order.shape[0], losses)
        for task in range(n_tasks):
            total += losses[task]
        finite = (
            isfinite(total)
            and are_finite(kernels, &users, &user_factors[0, 0])
            and are_finite(kernels, &items, &user_factors[0, 0]))
        if finite:
            store(&threads, &users, &user_factors[0, 0], &no_biases[0], &user_squares[0, 0])
            store(&threads, &items, &item_factors[0, 0], &item_biases[0], &item_squares[0, 0])
    return total if finite else float("nan")
