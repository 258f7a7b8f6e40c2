"""Posteriors of rows against numpy.linalg.inv, row after row, in double precision."""

import os

import numpy as np
import pytest

from kernels.interruption import seconds_until_interrupted

DTYPES = pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])
N_FEATURES = [1, 2, 3, 4, 8, 9, 17, 34, 64, 70]  # tiles of 3, vectors of 2 to 16 without the bias


def problem(k, dtype=np.float64, *, n=13, m=40, longest=300, seed=0, **kinds):
    """Arguments of `posterior_rows` up to the results; row 3 has no entries.

    `kinds` may say weights=True, each=True (a covariance for each column), diagonal=True (of the
    columns' covariances), last=True (a last row of its own for each column, besides the mean) and
    shifts=True (another mean of the prior for each row).
    """
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, longest, n)
    counts[min(3, n - 1)] = 0
    indptr = np.concatenate([[0], np.cumsum(counts)])
    square = rng.normal(size=(k, k))
    roots = rng.normal(0, 0.2, (m if kinds.get("each") else 1, k, k))
    covariances = roots @ roots.transpose(0, 2, 1) / k
    if kinds.get("diagonal"):
        covariances = np.diagonal(covariances, axis1=1, axis2=2)[:, np.newaxis].copy()
    other = rng.normal(0, 0.4, (m, k))
    other[:, -1] = 1
    return {
        "indptr": indptr,
        "indices": rng.integers(0, m, indptr[-1]).astype(np.int32),
        "values": rng.normal(size=indptr[-1]).astype(dtype),
        "weights": rng.uniform(0.2, 2, indptr[-1]).astype(dtype) if kinds.get("weights") else None,
        "other": other.astype(dtype),
        "offsets": rng.normal(0, 0.3, m).astype(dtype),
        "noise_precision": 1.3,
        "precision": square @ square.T / k + 2 * np.eye(k),
        "shift": rng.normal(0, 0.4, (n if kinds.get("shifts") else 1, k)),
        "column_covariances": covariances.astype(dtype),
        "column_last_rows": rng.normal(0, 0.1, (m, k)).astype(dtype) if kinds.get("last") else None,
    }


def solved(kernel, p, n_threads=1):
    means = np.full((len(p["indptr"]) - 1, p["other"].shape[1]), np.nan, p["other"].dtype)
    return means, *kernel.posterior_rows(*p.values(), means, None, n_threads)


def drawn(kernel, p, noise, n_threads=1, *, with_means=True):
    """Means, samples and the number of failures of `draw_rows`; the columns are certain."""
    out = [np.full(noise.shape, np.nan, noise.dtype) for _ in range(2)]
    out[0] = out[0] if with_means else None
    arguments = [value for name, value in p.items() if not name.startswith("column_")]
    return *out, kernel.draw_rows(*arguments, noise, *out, n_threads)


def equations(p):
    """Yield weights, indices, A and b of each row, by loops over its entries."""
    k = p["other"].shape[1]
    for row in range(len(p["indptr"]) - 1):
        entries = slice(p["indptr"][row], p["indptr"][row + 1])
        columns = p["indices"][entries]
        w = np.ones(len(columns)) if p["weights"] is None else p["weights"][entries].astype(float)
        shift = p["shift"][row if len(p["shift"]) > 1 else 0]
        a, b = p["precision"].copy(), shift.copy()
        for j, weight, value in zip(columns, w, p["values"][entries].astype(float), strict=True):
            x = p["other"][j].astype(float)
            c = covariance_of(p, j)
            certain = np.zeros((k, k))
            certain[:-1, :-1] = c[:-1, :-1]
            common = np.append(c[:-1, -1], 0)
            a += p["noise_precision"] * weight * (np.outer(x, x) + certain)
            b += p["noise_precision"] * weight * ((value - p["offsets"][j]) * x - common)
        a[np.diag_indices(k)] *= 1 + (k + 32) * np.finfo(p["other"].dtype).eps
        yield w, columns, a, b


def covariance_of(p, column):
    c = p["column_covariances"][column if len(p["column_covariances"]) > 1 else 0].astype(float)
    c = c if c.shape[0] == c.shape[1] else np.diag(c[0])
    if p["column_last_rows"] is not None:
        c[-1] = c[:, -1] = p["column_last_rows"][column]
    return c


def by_loops(p):
    """The same by the formulas, one row at a time."""
    n, k = len(p["indptr"]) - 1, p["other"].shape[1]
    means, total, weighted = np.zeros((n, k)), np.zeros((k, k)), np.zeros((k, k))
    log_determinants, last_rows, uncertainties = 0.0, np.zeros((n, k)), np.zeros(n)
    for row, (w, columns, a, b) in enumerate(equations(p)):
        covariance = np.linalg.inv(a)
        means[row] = covariance @ b
        total += covariance
        weighted += w.sum() * covariance
        log_determinants -= np.linalg.slogdet(a)[1]
        last_rows[row] = covariance[-1]
        for j, weight in zip(columns, w, strict=True):
            c, m, x = covariance_of(p, j), means[row][:-1], p["other"][j].astype(float)
            squares = m @ c[:-1, :-1] @ m + 2 * m @ c[:-1, -1] + c[-1, -1]
            squares += x @ covariance @ x + np.sum(c[:-1, :-1] * covariance[:-1, :-1])
            uncertainties[row] += weight * squares
    return means, 0, total, weighted, log_determinants, last_rows, uncertainties


def named(kinds):
    return "-".join(kinds) or "plain"


KINDS = [
    {},
    {"weights": True, "shifts": True},
    {"diagonal": True, "weights": True},
    {"last": True},
    {"last": True, "weights": True, "shifts": True},
    {"each": True, "shifts": True},
    {"each": True, "weights": True},
    {"each": True, "diagonal": True},
    {"each": True, "diagonal": True, "weights": True, "shifts": True},
]


@DTYPES
@pytest.mark.parametrize("kinds", KINDS, ids=named)
def test_posteriors_are_those_of_loops(vb_kernel, kinds, dtype):
    tolerance = 1e-11 if dtype == np.float64 else 1e-4
    for k in N_FEATURES:
        p = problem(k, dtype, longest=60, **kinds)
        for found, wanted in zip(solved(vb_kernel, p), by_loops(p), strict=True):
            scale = np.abs(wanted).max()
            if (
                np.ndim(wanted) == 1
            ):  # uncertainties are differences from k, of an A that was raised
                scale = max(scale, k)
            np.testing.assert_allclose(found, wanted, rtol=0, atol=tolerance * scale)


def test_long_rows(vb_kernel):
    """More entries than are gathered at a time."""
    for each in (False, True):
        p = problem(9, n=3, longest=700, each=each, weights=True)
        for found, wanted in zip(solved(vb_kernel, p), by_loops(p), strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-11)


@DTYPES
@pytest.mark.parametrize("kind", ["plain", "last", "each"])
def test_a_row_does_not_depend_on_its_company(compiled_vb, kind, dtype):
    """Rows share vectors and sums: alone, in part of a vector, in several."""
    k, n = 10, 37
    p = problem(k, dtype, n=n, longest=60, **{kind: True}, weights=True, shifts=True)
    means, covariances = np.zeros((n, k), dtype), np.zeros((n, k, k), dtype)
    noise = np.random.default_rng(1).normal(size=(n, k)).astype(dtype)
    total, weighted, *rest = compiled_vb.posterior_rows(*p.values(), means, covariances, 1)[1:]
    samples = drawn(compiled_vb, p, noise)[1]
    log_determinants, *of_rows = rest
    sums = [np.zeros_like(total), np.zeros_like(weighted), 0.0]
    start = 0
    for size in (1, 2, 3, 5, 9, 17):
        some = slice(start, start + size)
        ends = p["indptr"][start : start + size + 1]
        entries = slice(ends[0], ends[-1])
        part = p | {name: p[name][entries] for name in ("indices", "values", "weights")}
        part |= {"indptr": ends - ends[0], "shift": p["shift"][some]}
        found, each_found = np.zeros((size, k), dtype), np.zeros((size, k, k), dtype)
        results = compiled_vb.posterior_rows(*part.values(), found, each_found, 1)[1:]
        sums = [one + other for one, other in zip(sums, results[:3], strict=True)]
        for one, other in zip(results[3:], of_rows, strict=True):
            np.testing.assert_array_equal(one, other[some])
        np.testing.assert_array_equal(found, means[some])
        np.testing.assert_array_equal(each_found, covariances[some])
        np.testing.assert_array_equal(drawn(compiled_vb, part, noise[some])[1], samples[some])
        start += size
    assert start == n
    tolerance = 1e-12 if dtype == np.float64 else 1e-5
    for one, other in zip(sums, (total, weighted, log_determinants), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=tolerance * np.abs(other).max())


def test_sums_over_many_rows(vb_kernel):
    """More batches than are summed in the working precision."""
    p = problem(4, np.float32, n=5000, longest=3, weights=True)
    found = solved(vb_kernel, p)
    p |= {name: p[name].astype(float) for name in ("values", "weights", "other", "offsets")}
    p["column_covariances"] = p["column_covariances"].astype(float)
    for one, other in zip(found[2:5], solved(vb_kernel, p)[2:5], strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-5 * np.abs(other).max())


@DTYPES
@pytest.mark.parametrize("each", [False, True])
def test_covariances_of_each_row(vb_kernel, each, dtype):
    for k in (1, 7, 33):
        p = problem(k, dtype, each=each, longest=60)
        means, covariances = np.zeros((13, k), dtype), np.full((13, k, k), np.nan, dtype)
        total = vb_kernel.posterior_rows(*p.values(), means, covariances, 1)[1]
        np.testing.assert_array_equal(covariances, covariances.transpose(0, 2, 1))
        tolerance = 1e-11 if dtype == np.float64 else 1e-4
        np.testing.assert_allclose(covariances.sum(axis=0), total, atol=tolerance * total.max())
        for covariance, (_, _, a, _) in zip(covariances, equations(p), strict=True):
            np.testing.assert_allclose(covariance @ a, np.eye(k), atol=100 * tolerance)
        diagonals = np.full((13, 1, k), np.nan, dtype)
        vb_kernel.posterior_rows(*p.values(), means, diagonals, 1)
        np.testing.assert_array_equal(diagonals[:, 0], np.diagonal(covariances, axis1=1, axis2=2))


@DTYPES
@pytest.mark.parametrize("kinds", [{}, {"weights": True, "shifts": True}], ids=named)
def test_samples_are_those_of_loops(vb_kernel, kinds, dtype):
    tolerance = 1e-11 if dtype == np.float64 else 2e-4
    for k in N_FEATURES:
        p = problem(k, dtype, longest=60, **kinds)
        p["column_covariances"][...] = 0
        noise = np.random.default_rng(1).normal(size=(13, k)).astype(dtype)
        means, samples, n_failed = drawn(vb_kernel, p, noise)
        assert n_failed == 0
        np.testing.assert_array_equal(drawn(vb_kernel, p, noise, with_means=False)[1], samples)
        for row, (_, _, a, b) in enumerate(equations(p)):
            mean, upper = np.linalg.solve(a, b), np.linalg.cholesky(a).T
            np.testing.assert_allclose(means[row], mean, rtol=0, atol=tolerance)
            sample = mean + np.linalg.solve(upper, noise[row].astype(float))
            np.testing.assert_allclose(samples[row], sample, rtol=0, atol=tolerance)


def test_a_row_without_entries_is_where_the_prior_is(vb_kernel):
    p = problem(9)
    mean = np.linalg.solve(p["precision"], p["shift"][0])
    np.testing.assert_allclose(solved(vb_kernel, p)[0][3], mean, rtol=1e-9, atol=1e-12)
    for columns in (p["column_covariances"], np.zeros((40, 9, 9)), np.zeros((40, 1, 9))):
        nothing = p | {"indptr": np.zeros(3, dtype=np.int64), "column_covariances": columns}
        nothing |= {name: p[name][:0] for name in ("indices", "values")}
        means, n_failed, total, weighted, _, _, uncertainties = solved(vb_kernel, nothing)
        assert n_failed == 0
        np.testing.assert_allclose(uncertainties, 0, atol=1e-12)
        np.testing.assert_allclose(means, [mean] * 2, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(total, 2 * np.linalg.inv(p["precision"]), rtol=1e-9, atol=1e-12)
        assert not weighted.any()


def test_no_rows(vb_kernel):
    p = problem(5) | {"indptr": np.zeros(1, dtype=np.int64)}
    p |= {name: p[name][:0] for name in ("indices", "values")}
    assert drawn(vb_kernel, p, np.zeros((0, 5)))[2] == 0
    assert solved(vb_kernel, p)[1] == 0


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
    for each in (False, True):
        p = problem(33, dtype, n=700, longest=200, each=each)
        noise = np.random.default_rng(1).normal(size=(700, 33)).astype(dtype)
        alone = (*solved(compiled_vb, p), *drawn(compiled_vb, p, noise))
        for n_threads in (2, 3, 8, 0):
            found = *solved(compiled_vb, p, n_threads), *drawn(compiled_vb, p, noise, n_threads)
            for one, other in zip(alone, found, strict=True):
                assert np.asarray(one).tobytes() == np.asarray(other).tobytes(), n_threads


@DTYPES
@pytest.mark.parametrize("where", ["values", "other", "offsets", "column_covariances"])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_rows_without_a_finite_posterior_are_counted(vb_kernel, where, bad, dtype):
    p = problem(6, dtype, weights=True, each=True)
    p[where][...] = bad
    assert solved(vb_kernel, p)[1] == 12  # all but the one without entries
    if where != "column_covariances":
        assert drawn(vb_kernel, p, np.zeros((13, 6), dtype))[2] == 12


def test_a_precision_that_is_not_positive_fails(vb_kernel):
    p = problem(6) | {"precision": -50 * np.eye(6)}
    assert solved(vb_kernel, p)[1] >= 1
    assert drawn(vb_kernel, p, np.zeros((13, 6)))[2] >= 1


@pytest.mark.skipif(os.name == "nt", reason="signals are sent the POSIX way")
@pytest.mark.parametrize("n_threads", [1, 2])
def test_interruptions(vb_kernel, n_threads):
    p = problem(150, np.float32, n=4000, longest=600)
    # 0.2 s are promised, but machines that run tests stall
    assert seconds_until_interrupted(lambda: solved(vb_kernel, p, n_threads)) < 2.0


@pytest.mark.parametrize(
    "name", ["indptr", "indices", "values", "offsets", "precision", "shift", "column_covariances"]
)
def test_shapes_are_checked(compiled_vb, name):
    p = problem(6, each=True, shifts=True)
    p[name] = np.ascontiguousarray(p[name][:-1])
    match = name if name != "indptr" else "indptr|indices"
    with pytest.raises(ValueError, match=match):
        compiled_vb.posterior_rows(*p.values(), np.zeros((13, 6)), None, 1)
    if name != "column_covariances":
        with pytest.raises(ValueError, match=match):
            drawn(compiled_vb, p, np.zeros((13, 6)))


@pytest.mark.parametrize("shape", [(12, 6, 6), (13, 5, 6), (13, 2, 6), (13, 1, 5)])
def test_shapes_of_covariances_are_checked(compiled_vb, shape):
    p = problem(6, m=13, each=True)
    with pytest.raises(ValueError, match="covariances must have"):
        compiled_vb.posterior_rows(*p.values(), np.zeros((13, 6)), np.zeros(shape), 1)
    p["column_covariances"] = np.zeros(shape)
    with pytest.raises(ValueError, match="column_covariances must have"):
        compiled_vb.posterior_rows(*p.values(), np.zeros((13, 6)), None, 1)


def test_last_rows_go_with_a_mean_only(compiled_vb):
    p = problem(6, last=True)
    for name, wrong in (
        ("column_covariances", np.zeros((40, 6, 6))),
        ("column_covariances", np.zeros((1, 1, 6))),
        ("column_last_rows", np.zeros((40, 5))),
        ("column_last_rows", np.zeros((39, 6))),
    ):
        with pytest.raises(ValueError, match="column_last_rows"):
            solved(compiled_vb, p | {name: wrong})


@pytest.mark.parametrize("wrong", ["noise", "means"])
def test_shapes_of_samples_are_checked(compiled_vb, wrong):
    out = {name: np.zeros((13, 6)) for name in ("noise", "means", "drawn")}
    out[wrong] = np.zeros((13, 5))
    arguments = list(problem(6).values())[:-2]
    with pytest.raises(ValueError, match=wrong):
        compiled_vb.draw_rows(*arguments, *out.values(), 1)


def test_noise_without_a_precision_is_refused(vb_kernel):
    for bad in (0.0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="noise_precision"):
            solved(vb_kernel, problem(6) | {"noise_precision": bad})
        with pytest.raises(ValueError, match="noise_precision"):
            drawn(vb_kernel, problem(6) | {"noise_precision": bad}, np.zeros((13, 6)))
