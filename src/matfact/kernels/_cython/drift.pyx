"""Levels of users that drift with time: posteriors and evidence: compiled kernels.

The level of a user is a stationary Ornstein-Uhlenbeck process: levels at the times s and t have
the covariance variance exp(-|s - t| / time). States are its values at ascending times. With
f_k = exp(-(t_{k+1} - t_k) / time) and w_k = 1 / (1 - f_k^2) the precision of the prior, P, has

    (1 + [w_{k-1} - 1] + [f_k^2 w_k]) / variance on the diagonal, -f_k w_k / variance beside it,

without what is in brackets where there is no neighbour. Given observations that add `precisions`
to the diagonal, and `pulls` on the right, A = P + diag(precisions) = L D L' is solved forwards and
backwards. The evidence is (pulls' A^-1 pulls - log|A| + log|P|) / 2, summed over users.

argument      shape, dtype         meaning
indptr        (users + 1,) int64   states of each user
times         (states,) float64    ascending within a user
precisions    (states,) float64    at least 0
pulls         (states,) float64
variance      float                of a level; above 0
time          float                in which levels forget: above 0
means         (states,) float64    out, or None with covariances: the evidence is all that is wanted
covariances   (2, states) float64  out: variance of each state; covariance with the next one of the
                                   same user, 0 for the last
n_threads     int                  0: what OpenMP says at this call

Preconditions, checked by the caller: C order, finite numbers, indptr ascending. Gaps are taken as
1e-6 of `time` at least: below, the matrices would be singular. Results are the same bits for any
number of threads.
"""
import numpy as np

from cython.parallel cimport prange, threadid
from libc.math cimport expm1, log
from libc.stdint cimport int64_t

from matfact.kernels._cython._checks cimport check
from matfact.kernels._cython._parallel cimport Threads, new_threads, threads_for
from matfact.kernels._cython._watch cimport Watch, leave, new_watch, watch

__all__ = ["posterior_levels"]

cdef enum:
    USERS = 32          # that a thread takes at a time
    # Multiply-adds of a product in a sixth of the time of one state: several of these short regions
    # follow on one another, and below 100000 states waiting threads cost more than they save.
    STATE_WORK = 400

cdef double LEAST_GAP = 1e-6


cdef double levels_of_user(
    Py_ssize_t first, Py_ssize_t n, const double *times, const double *precisions,
    const double *pulls, double variance, double time,
    double *means, double *variances, double *beside,
) noexcept nogil:
    """Return the evidence of the user of n states; fill in the posterior unless `means` is NULL."""
    cdef double evidence = 0, forgotten, pivot, solved, kept
    cdef double left = 0, right, off, next_off = 0, ratio = 0
    cdef Py_ssize_t k
    times, precisions, pulls = times + first, precisions + first, pulls + first
    if means != NULL:
        means, variances, beside = means + first, variances + first, beside + first
    pivot = solved = 0
    for k in range(n):
        # off: element of A beside the diagonal; ratio: that of L, negative
        off, right, next_off, forgotten = next_off, 0, 0, 1
        if k + 1 < n:
            kept = (times[k + 1] - times[k]) / time
            kept = expm1(-(kept if kept > LEAST_GAP else LEAST_GAP))  # f - 1
            forgotten = -kept * (2 + kept)  # 1 - f^2
            kept += 1
            next_off = -kept / (forgotten * variance)
            right = kept * kept / forgotten  # f^2 w, which is w - 1 as well
        if k:
            ratio = off / pivot
        solved = pulls[k] - ratio * solved
        pivot = (1 + left + right) / variance + precisions[k] - off * ratio
        evidence += solved * solved / pivot - log(forgotten * pivot * variance)
        left = right
        if means != NULL:
            means[k], variances[k] = solved / pivot, 1 / pivot
            if k:
                beside[k - 1] = -ratio
    if means != NULL and n:
        beside[n - 1] = 0
        for k in range(n - 2, -1, -1):
            means[k] += beside[k] * means[k + 1]
            variances[k] += beside[k] * beside[k] * variances[k + 1]
            beside[k] *= variances[k + 1]
    return evidence / 2


def posterior_levels(
    const int64_t[::1] indptr, const double[::1] times,
    const double[::1] precisions, const double[::1] pulls,
    double variance, double time,
    double[::1] means, double[:, ::1] covariances, int n_threads,
):
    """Compute the posterior of all states; return the evidence."""
    cdef Py_ssize_t n_users = indptr.shape[0] - 1, n = times.shape[0], chunk, user, count
    cdef double[::1] evidences = np.zeros(n_users)
    cdef double *mean = NULL
    cdef double *spread = NULL
    cdef double *beside = NULL
    cdef double total = 0
    cdef Threads threads = new_threads(n_threads)
    cdef Watch state = new_watch()
    check("times", "entries as indptr ends", n, indptr[n_users])
    check("precisions", "entries as times", precisions.shape[0], n)
    check("pulls", "entries as times", pulls.shape[0], n)
    if means is not None:
        check("means", "entries as times", means.shape[0], n)
        check("covariances", "rows", covariances.shape[0], 2)
        check("covariances", "columns as times", covariances.shape[1], n)
    if n == 0:
        return total
    if means is not None:
        mean, spread, beside = &means[0], &covariances[0, 0], &covariances[1, 0]
    with nogil:
        for chunk in prange(
            (n_users + USERS - 1) // USERS, schedule="dynamic",
            num_threads=threads_for(&threads, <double> STATE_WORK * n),
        ):
            for user in range(chunk * USERS, min((chunk + 1) * USERS, n_users)):
                count = indptr[user + 1] - indptr[user]
                if count and not state.stopped:
                    evidences[user] = levels_of_user(
                        indptr[user], count, &times[0], &precisions[0], &pulls[0], variance, time,
                        mean, spread, beside)
                    watch(&state, threadid(), <double> STATE_WORK * count)
        leave(&state)
    for user in range(n_users):
        total += evidences[user]
    return total
