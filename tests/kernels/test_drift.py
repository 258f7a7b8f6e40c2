"""The drift kernels: both implementations against dense matrices."""

import itertools
from importlib import import_module

import numpy as np
import pytest

from kernels import implementations
from matfact.kernels._numpy import drift as numpy_drift

if implementations.compiled is None:
    COMPILED = pytest.param(None, id="cython", marks=implementations.without)
else:
    COMPILED = pytest.param(import_module("matfact.kernels._cython.drift"), id="cython")
each_kernel = pytest.mark.parametrize("kernel", [pytest.param(numpy_drift, id="numpy"), COMPILED])
needs_compiled = pytest.mark.parametrize("kernel", [COMPILED])


def problem(counts, seed=0, gap=1.0):
    """Users with these numbers of states: (indptr, times, precisions, pulls)."""
    rng = np.random.default_rng(seed)
    indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    n = indptr[-1]
    times = np.concatenate(
        [rng.normal(0, 1e3) + np.cumsum(rng.exponential(gap, count)) for count in counts]
    )
    return indptr, times, rng.exponential(2, n) * (rng.random(n) < 0.8), rng.normal(0, 3, n)


def naive(indptr, times, precisions, pulls, variance, time):
    """Posterior and evidence from the covariance matrix of each user's states."""
    evidence, means, spread, beside = 0.0, [], [], []
    for a, b in itertools.pairwise(indptr):
        gaps = np.abs(times[a:b, np.newaxis] - times[a:b])
        prior = variance * np.exp(-gaps / time)
        covariance = np.linalg.inv(np.linalg.inv(prior) + np.diag(precisions[a:b]))
        mean = covariance @ pulls[a:b]
        evidence += 0.5 * pulls[a:b] @ mean
        # log|A| - log|P| = log|1 + prior diag(precisions)|
        evidence -= 0.5 * np.linalg.slogdet(np.eye(b - a) + prior * precisions[a:b])[1]
        means.extend(mean)
        spread.extend(np.diag(covariance))
        beside.extend([*np.diag(covariance, 1), 0.0][: b - a])
    return evidence, np.array(means), np.array([spread, beside])


def found(kernel, arrays, variance, time, n_threads=1):
    n = len(arrays[1])
    means, covariances = np.full(n, np.nan), np.full((2, n), np.nan)
    evidence = kernel.posterior_levels(*arrays, variance, time, means, covariances, n_threads)
    alone = kernel.posterior_levels(*arrays, variance, time, None, None, n_threads)
    assert alone == pytest.approx(evidence, rel=1e-12)
    return evidence, means, covariances


def assert_close(one, other, tolerance=1e-9):
    assert one[0] == pytest.approx(other[0], rel=tolerance, abs=tolerance)
    for a, b in zip(one[1:], other[1:], strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


@each_kernel
@pytest.mark.parametrize("counts", [[1], [2], [5], [3, 0, 1, 0, 7, 2, 1], [0, 0, 4], [0], [40]])
@pytest.mark.parametrize(("variance", "time"), [(0.03, 1.0), (2.0, 5.0), (1e-6, 0.2)])
def test_posteriors_and_evidence(kernel, counts, variance, time):
    arrays = problem(counts)
    assert_close(found(kernel, arrays, variance, time), naive(*arrays, variance, time))


@each_kernel
def test_times_far_apart_know_nothing_of_one_another(kernel):
    indptr, times, precisions, pulls = problem([4, 3])
    for far in (times * 1e6, times * 1e300):
        evidence, means, covariances = found(kernel, (indptr, far, precisions, pulls), 0.5, 1e-3)
        np.testing.assert_allclose(means, pulls / (precisions + 2), rtol=1e-12)
        np.testing.assert_allclose(covariances, [1 / (precisions + 2), np.zeros(7)], atol=1e-12)
        expected = 0.5 * np.sum(pulls**2 / (precisions + 2) - np.log1p(precisions / 2))
        assert evidence == pytest.approx(expected)


@each_kernel
@pytest.mark.parametrize("gap", [0.0, 1e-12, 1e-300])
def test_times_that_are_one(kernel, gap):
    """States that hardly differ in time have one level."""
    indptr, _, precisions, pulls = problem([5, 1])
    times = np.arange(6) * gap
    evidence, means, covariances = found(kernel, (indptr, times, precisions, pulls), 0.5, 1.0)
    level = pulls[:5].sum() / (precisions[:5].sum() + 2)
    np.testing.assert_allclose(means[:5], level, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(covariances[0, :5], 1 / (precisions[:5].sum() + 2), rtol=1e-3)
    np.testing.assert_allclose(covariances[1, :4], covariances[0, 0], rtol=1e-3)
    assert np.isfinite(evidence)


@each_kernel
@pytest.mark.parametrize("time", [1e-300, 1e-9, 1e9, 1e300])
@pytest.mark.parametrize("variance", [1e-9, 1.0, 1e9])
def test_extreme_parameters_give_finite_numbers(kernel, time, variance):
    for result in found(kernel, problem([6, 2, 0, 3]), variance, time):
        assert np.isfinite(result).all()


@each_kernel
def test_without_observations_there_is_the_prior(kernel):
    indptr, times, *_ = problem([6])
    nothing = np.zeros(6)
    evidence, means, covariances = found(kernel, (indptr, times, nothing, nothing), 0.7, 2.0)
    assert evidence == pytest.approx(0, abs=1e-12)
    assert (means == 0).all()
    np.testing.assert_allclose(covariances[0], 0.7)
    np.testing.assert_allclose(covariances[1, :-1], 0.7 * np.exp(-np.diff(times) / 2))


@each_kernel
def test_no_states_at_all(kernel):
    nothing = np.zeros(0)
    arrays = np.zeros(4, dtype=np.int64), nothing, nothing, nothing
    assert kernel.posterior_levels(*arrays, 1.0, 1.0, None, None, 1) == 0
    assert kernel.posterior_levels(*arrays, 1.0, 1.0, nothing, np.zeros((2, 0)), 1) == 0


@needs_compiled
def test_same_bits_for_any_number_of_threads(kernel):
    counts = np.random.default_rng(1).integers(0, 60, 4000)  # more than one thread's work
    arrays = problem(counts)

    def run(n_threads):
        evidence, means, covariances = found(kernel, arrays, 0.1, 3.0, n_threads)
        return evidence, means.tobytes(), covariances.tobytes()

    alone = run(1)
    for n_threads in (2, 3, 8, 0):
        assert run(n_threads) == alone
    assert_close(found(kernel, arrays, 0.1, 3.0), found(numpy_drift, arrays, 0.1, 3.0))


@needs_compiled
@pytest.mark.parametrize("place", [1, 2, 3, 4, 5])
def test_wrong_lengths_are_refused(kernel, place):
    arrays = [*problem([2, 3]), np.zeros(5), np.zeros((2, 5))]
    arrays[place] = np.ascontiguousarray(arrays[place][..., 1:])
    with pytest.raises(ValueError, match="must have"):
        kernel.posterior_levels(*arrays[:4], 1.0, 1.0, *arrays[4:], 1)
