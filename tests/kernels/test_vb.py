"""Posteriors of rows against numpy.linalg.inv, row after row, in double precision."""

import os

import numpy as np
import pytest

from kernels.interruption import seconds_until_interrupted

DTYPES = pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])
N_FEATURES = [1, 7, 8, 17, 33, 64, 70]


def problem(k, dtype=np.float64, *, n=13, m=40, weights=False, longest=300, seed=0):
    """Arguments of `posterior_rows` up to the results; row 3 has no entries."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, longest, n)
    counts[min(3, n - 1)] = 0
    indptr = np.concatenate([[0], np.cumsum(counts)])
    square, root = rng.normal(size=(k, k)), rng.normal(0, 0.2, (k, k))
    return {
        "indptr": indptr,
        "indices": rng.integers(0, m, indptr[-1]).astype(np.int32),
        "values": rng.normal(size=indptr[-1]).astype(dtype),
        "weights": rng.uniform(0.2, 2, indptr[-1]).astype(dtype) if weights else None,
        "other": rng.normal(0, 0.4, (m, k)).astype(dtype),
        "offsets": rng.normal(0, 0.3, m).astype(dtype),
        "noise_precision": 1.3,
        "precision": square @ square.T / k + 2 * np.eye(k),
        "mean": rng.normal(0, 0.2, k),
        "covariance": root @ root.T / k,
        "correlation": rng.normal(0, 0.1, k),
    }


def solved(kernel, p, n_threads=1):
    means = np.full((len(p["indptr"]) - 1, p["other"].shape[1]), np.nan, p["other"].dtype)
    return means, *kernel.posterior_rows(*p.values(), means, None, n_threads)


def by_loops(p):
    """The same by the formulas, one row at a time."""
    k = p["other"].shape[1]
    n = len(p["indptr"]) - 1
    means, total, weighted, log_determinants = np.zeros((n, k)), np.zeros((k, k)), 0, 0.0
    for row in range(n):
        entries = slice(p["indptr"][row], p["indptr"][row + 1])
        columns = p["indices"][entries]
        x = p["other"][columns].astype(float)
        w = np.ones(len(columns)) if p["weights"] is None else p["weights"][entries].astype(float)
        rest = p["values"][entries].astype(float) - p["offsets"][columns]
        a = p["precision"] + p["noise_precision"] * ((x.T * w) @ x + w.sum() * p["covariance"])
        b = p["precision"] @ p["mean"] + p["noise_precision"] * (
            (w * rest) @ x - w.sum() * p["correlation"]
        )
        a[np.diag_indices(k)] *= 1 + (k + 32) * np.finfo(p["other"].dtype).eps
        covariance = np.linalg.inv(a)
        means[row] = covariance @ b
        total += covariance
        weighted = weighted + w.sum() * covariance
        log_determinants -= np.linalg.slogdet(a)[1]
    return means, 0, total, weighted, log_determinants


@DTYPES
@pytest.mark.parametrize("weights", [False, True])
def test_posteriors_are_those_of_loops(vb_kernel, weights, dtype):
    tolerance = 1e-11 if dtype == np.float64 else 1e-4
    for k in N_FEATURES:
        p = problem(k, dtype, weights=weights)
        for found, wanted in zip(solved(vb_kernel, p), by_loops(p), strict=True):
            scale = np.abs(wanted).max()
            np.testing.assert_allclose(found, wanted, rtol=0, atol=tolerance * scale)


@DTYPES
def test_covariances_of_each_row(vb_kernel, dtype):
    for k in (1, 7, 33):
        p = problem(k, dtype)
        means, covariances = np.zeros((13, k), dtype), np.full((13, k, k), np.nan, dtype)
        _, total, _, _ = vb_kernel.posterior_rows(*p.values(), means, covariances, 1)
        np.testing.assert_array_equal(covariances, covariances.transpose(0, 2, 1))
        tolerance = 1e-11 if dtype == np.float64 else 1e-4
        np.testing.assert_allclose(covariances.sum(axis=0), total, atol=tolerance * total.max())
        x = p["other"][p["indices"][: p["indptr"][1]]].astype(float)
        a = p["precision"] + 1.3 * (x.T @ x + len(x) * p["covariance"])
        np.testing.assert_allclose(covariances[0] @ a, np.eye(k), atol=100 * tolerance)


def test_a_row_without_entries_is_where_the_prior_is(vb_kernel):
    p = problem(9)
    np.testing.assert_allclose(solved(vb_kernel, p)[0][3], p["mean"], rtol=1e-9, atol=1e-12)
    nothing = p | {"indptr": np.zeros(3, dtype=np.int64)}
    nothing |= {name: p[name][:0] for name in ("indices", "values")}
    means, n_failed, total, weighted, _ = solved(vb_kernel, nothing)
    assert n_failed == 0
    np.testing.assert_allclose(means, [p["mean"]] * 2, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(total, 2 * np.linalg.inv(p["precision"]), rtol=1e-9, atol=1e-12)
    assert not weighted.any()


def test_a_weight_of_two_is_a_rating_twice(vb_kernel):
    p = problem(9)
    times = np.where(np.random.default_rng(1).random(len(p["values"])) < 0.3, 2, 1)
    repeated = {name: np.repeat(p[name], times) for name in ("indices", "values")}
    repeated["indptr"] = np.concatenate([[0], np.cumsum(times)])[p["indptr"]]
    weighted = solved(vb_kernel, p | {"weights": times.astype(float)})
    for one, other in zip(weighted, solved(vb_kernel, p | repeated), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-11)


@DTYPES
def test_same_bits_for_any_number_of_threads(compiled_vb, dtype):
    # above THREAD_WORK of _parallel.pxd, so that threads are started
    p = problem(33, dtype, n=700, longest=200)
    alone = solved(compiled_vb, p)
    for n_threads in (2, 3, 8, 0):
        for one, other in zip(alone, solved(compiled_vb, p, n_threads), strict=True):
            assert np.asarray(one).tobytes() == np.asarray(other).tobytes(), f"{n_threads} threads"


@DTYPES
@pytest.mark.parametrize("where", ["values", "other", "offsets"])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_rows_without_a_finite_posterior_are_counted(vb_kernel, where, bad, dtype):
    p = problem(6, dtype, weights=True)
    p[where][...] = bad
    assert solved(vb_kernel, p)[1] == 12  # all but the one without entries


def test_a_precision_that_is_not_positive_fails(vb_kernel):
    p = problem(6) | {"precision": -50 * np.eye(6)}
    assert solved(vb_kernel, p)[1] >= 1


@pytest.mark.skipif(os.name == "nt", reason="signals are sent the POSIX way")
@pytest.mark.parametrize("n_threads", [1, 2])
def test_interruptions(vb_kernel, n_threads):
    p = problem(150, np.float32, n=4000, longest=600)
    # 0.2 s are promised, but machines that run tests stall
    assert seconds_until_interrupted(lambda: solved(vb_kernel, p, n_threads)) < 2.0


@pytest.mark.parametrize(
    "name", ["indptr", "indices", "values", "offsets", "precision", "covariance", "mean"]
)
def test_shapes_are_checked(compiled_vb, name):
    p = problem(6)
    p[name] = np.ascontiguousarray(p[name][:-1])
    with pytest.raises(ValueError, match=name if name != "indptr" else "indptr|indices"):
        compiled_vb.posterior_rows(*p.values(), np.zeros((13, 6)), None, 1)


def test_noise_without_a_precision_is_refused(vb_kernel):
    for bad in (0.0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="noise_precision"):
            solved(vb_kernel, problem(6) | {"noise_precision": bad})
