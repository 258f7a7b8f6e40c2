"""The maths of links: designs and their decompositions, steps and draws against dense algebra."""

import numpy as np
import pytest

from matfact import Ratings, make_ratings
from matfact.models import _designs
from matfact.models._data import Rows
from matfact.models._designs import Design
from matfact.models._links import COEFFICIENT_VARIANCE, Link

SIZE = 3


def step(link, deviations, row_precision, row_covariance, coefficients, precision):
    means = link.means(coefficients)
    return link.step(deviations, means, row_precision, row_covariance, precision)


def compressed(n, p, n_entries, seed):
    """Ratings without any in the last row and the last column."""
    rng = np.random.default_rng(seed)
    cells = rng.choice((n - 1) * (p - 1), n_entries, replace=False)
    rows, columns = np.divmod(cells, p - 1)
    values = rng.normal(size=n_entries) + 2
    return Ratings.from_triples(rows, columns, values, shape=(n, p), dtype=np.float64)


def rated(n=9, p=7, n_entries=25, seed=0):
    """A design of what was rated, and the same in dense loops."""
    ratings = compressed(n, p, n_entries, seed)
    dense = np.zeros((n, p))
    for row in range(n):
        columns = ratings.user_indices[ratings.users == row]
        for column in columns:
            dense[row, column] = 1 / np.sqrt(len(columns))
    return Design.of_rated(Rows.of(ratings), Rows.of(ratings.transpose()), 2), dense


def featured(n=9, p=7, n_entries=25, seed=0):
    """A design of features, and the same in dense loops."""
    ratings = compressed(n, p, n_entries, seed)
    design, unit = Design.of_features(Rows.of(ratings), Rows.of(ratings.transpose()), 1)
    dense = np.zeros((n, p))
    for row, column, value in zip(
        ratings.users, ratings.user_indices, ratings.user_values, strict=True
    ):
        dense[row, column] = value * unit
    return design, dense, unit


@pytest.mark.parametrize("make", [rated, featured])
def test_products(make):
    design, dense, *_ = make()
    rng = np.random.default_rng(1)
    right, left = rng.normal(size=(7, SIZE)), rng.normal(size=(9, SIZE))
    assert design.shape == dense.shape == (9, 7)
    np.testing.assert_allclose(design.times(right), dense @ right, atol=1e-13)
    np.testing.assert_allclose(design.transposed_times(left), dense.T @ left, atol=1e-13)
    there = np.arange(9) % 3 > 0
    only, kept = design.only(there), dense * there[:, np.newaxis]
    np.testing.assert_allclose(only.times(right), kept @ right, atol=1e-13)
    np.testing.assert_allclose(only.transposed_times(left), kept.T @ left, atol=1e-13)


def test_rows_of_designs_have_unit_length_on_average():
    _, dense = rated()
    lengths = np.linalg.norm(dense, axis=1)
    np.testing.assert_allclose(lengths[lengths > 0], 1)
    _, dense, unit = featured()
    squares = (dense**2).sum(axis=1)
    assert squares[squares > 0].mean() == pytest.approx(1)
    assert unit > 0


def test_features_that_are_all_zero():
    rows = Rows.empty(4, np.float64), Rows.empty(2, np.float64)
    design, unit = Design.of_features(*rows, 1)
    assert unit == 1
    left, squares = design.decomposed(0)
    assert left.shape == (4, 0)
    assert squares.shape == (0,)


@pytest.mark.parametrize(("n", "p", "n_entries"), [(7, 12, 40), (12, 7, 40), (8, 8, 30)])
@pytest.mark.parametrize("make", [rated, featured])
def test_decomposition(make, n, p, n_entries):
    design, dense, *_ = make(n, p, n_entries)
    left, squares = design.decomposed(0)
    np.testing.assert_allclose(left.T @ left, np.eye(len(squares)), atol=1e-10)
    np.testing.assert_allclose((left * squares) @ left.T, dense @ dense.T, atol=1e-12)
    assert len(squares) == np.linalg.matrix_rank(dense)
    assert not left[-1].any() or np.abs(left[-1]).max() < 1e-12


def test_blocks_of_the_decomposition(monkeypatch):
    monkeypatch.setattr(_designs, "BLOCK", 3)
    design, dense = rated()
    left, squares = design.decomposed(0)
    np.testing.assert_allclose((left * squares) @ left.T, dense @ dense.T, atol=1e-12)


def test_large_designs_keep_the_leading_vectors(monkeypatch):
    ratings = make_ratings(80, 60, 900, random_state=0).astype(np.float64)
    design = Design.of_rated(Rows.of(ratings), Rows.of(ratings.transpose()), 1)
    exact, exact_squares = design.decomposed(0)
    monkeypatch.setattr(_designs, "EXACT_SIZE", 10)
    monkeypatch.setattr(_designs, "RANK", 20)
    left, squares = design.decomposed(0)
    assert left.shape == (80, 20)
    np.testing.assert_allclose(left.T @ left, np.eye(20), atol=1e-10)
    # the largest values nearly, and most of what twenty directions can hold
    np.testing.assert_allclose(squares[::-1][:3], exact_squares[::-1][:3], rtol=0.01)
    assert squares.sum() > 0.97 * exact_squares[-20:].sum()
    assert squares.sum() <= exact_squares[-20:].sum() * (1 + 1e-9)
    leading = exact[:, -1]
    assert np.linalg.norm(left.T @ leading) > 0.999
    again, _ = design.decomposed(0)
    assert again.tobytes() == left.tobytes()
    monkeypatch.setattr(_designs, "RANK", 60)  # all of them
    left, squares = design.decomposed(0)
    whole = (exact * exact_squares) @ exact.T
    np.testing.assert_allclose((left * squares) @ left.T, whole, atol=1e-8)


def spread(seed, size=SIZE, rows=20):
    """A precision matrix."""
    draws = np.random.default_rng(seed).normal(size=(rows, size))
    return draws.T @ draws / 4


def problem(n=9, p=7, n_entries=25):
    design, dense = rated(n, p, n_entries)
    there = dense.any(axis=1)
    deviations = np.random.default_rng(5).normal(size=(n, SIZE))
    return Link(design, there, 0), dense, deviations, spread(1), spread(2), there


def posterior(dense, deviations, row_precision, precision):
    """Mean and covariance of vec(B), columns of X slow, given theta = B'x + noise exactly."""
    of_x = dense.T @ dense
    normal = np.kron(of_x, row_precision) + np.kron(np.eye(len(of_x)), precision)
    covariance = np.linalg.inv(normal)
    mean = covariance @ (dense.T @ deviations @ row_precision).ravel()
    return mean.reshape(len(of_x), -1), covariance


@pytest.mark.parametrize(("n", "p", "n_entries"), [(9, 7, 25), (6, 11, 25)])
def test_a_step_is_the_ridge_solution_if_rows_are_known(n, p, n_entries):
    link, dense, deviations, row_precision, precision, there = problem(n, p, n_entries)
    nothing = np.zeros((SIZE, SIZE))
    found = step(link, deviations, row_precision, nothing, np.zeros((p, SIZE)), precision)
    deviations = deviations * there[:, np.newaxis]
    mean, covariance = posterior(dense, deviations, row_precision, precision)
    np.testing.assert_allclose(found.coefficients, mean, atol=1e-10)
    # what is said of rows: B'x
    of_rows = np.zeros((SIZE, SIZE))
    for x in dense:
        spreading = np.kron(x[np.newaxis], np.eye(SIZE))
        of_rows += spreading @ covariance @ spreading.T / there.sum()
    np.testing.assert_allclose(found.covariance, of_rows, atol=1e-12)
    # Omega at its maximum: the rest of the coordinates are as the prior says whatever it is
    left, squares = link.design.decomposed(0)
    right = dense.T @ left / np.sqrt(squares)  # coordinates of B in which X X' is diagonal
    at = right.T @ mean
    turn = np.kron(right.T, np.eye(SIZE))
    of_coordinates = turn @ covariance @ turn.T
    blocks = of_coordinates.reshape(len(squares), SIZE, len(squares), SIZE)
    total = at.T @ at + np.einsum("iaib->ab", blocks) + COEFFICIENT_VARIANCE * np.eye(SIZE)
    learned = np.linalg.inv(total / (len(squares) + 1))
    np.testing.assert_allclose(found.precision, learned, rtol=1e-8)
    # divergence of the Gaussians of all coordinates, and of the row that stands for a hyperprior
    prior = np.kron(np.eye(len(squares)), learned)
    away = at.ravel()
    divergence = np.trace(prior @ of_coordinates) + away @ prior @ away - len(away)
    divergence -= np.linalg.slogdet(prior @ of_coordinates)[1]
    one = COEFFICIENT_VARIANCE * np.trace(learned) - SIZE - np.linalg.slogdet(learned)[1]
    assert found.divergence == pytest.approx((divergence + one) / 2, rel=1e-9)


def test_known_rows_are_a_fixed_point():
    link, dense, deviations, row_precision, precision, _ = problem()
    nothing, start = np.zeros((SIZE, SIZE)), np.zeros((7, SIZE))
    first = step(link, deviations, row_precision, nothing, start, precision)
    # From anywhere that rows can tell of.
    second = step(link, deviations, row_precision, nothing, 3 * first.coefficients, precision)
    np.testing.assert_allclose(second.coefficients, first.coefficients, atol=1e-10)
    means = link.means(first.coefficients)
    np.testing.assert_allclose(means, dense @ first.coefficients, atol=1e-12)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_steps_never_lower_the_evidence(share):
    """Rows of one covariance S and fixed means: the bound is that of B and Omega alone."""
    link, _, deviations, row_precision, precision, there = problem()
    row_covariance = share * np.linalg.inv(row_precision)
    coefficients, bounds = np.zeros((7, SIZE)), []
    for _ in range(40):
        found = step(link, deviations, row_precision, row_covariance, coefficients, precision)
        rest = (deviations - link.means(found.coefficients))[there]
        # E (theta - B'x)' Lambda (theta - B'x), theta moving with B by G = S Lambda
        stay = np.eye(SIZE) - row_covariance @ row_precision
        moved = stay @ found.covariance @ stay.T * there.sum()
        bounds.append(found.divergence + 0.5 * np.sum(row_precision * (rest.T @ rest + moved)))
        # ... and what moving rows cost by their ratings, which hold the rest of H
        of_ratings = np.linalg.inv(row_covariance) - row_precision if share else None
        if share:
            gain = row_covariance @ row_precision
            cost = gain @ found.covariance @ gain.T * there.sum()
            bounds[-1] += 0.5 * np.sum(of_ratings * cost)
        coefficients, precision = found.coefficients, found.precision
    assert np.all(np.diff(bounds) <= 1e-9 * np.abs(bounds[1:]))
    assert bounds[-1] < bounds[0]


def test_draws_are_of_the_posterior():
    link, dense, deviations, row_precision, precision, there = problem(5, 4, 10)
    mean, covariance = posterior(dense, deviations * there[:, np.newaxis], row_precision, precision)
    rng = np.random.default_rng(0)
    n_draws = 6_000
    draws = [link.draw(deviations, row_precision, precision, rng) for _ in range(n_draws)]
    drawn = np.array([one.ravel() for one, _ in draws])
    # B is drawn in the directions that rows tell of
    left, squares = link.design.decomposed(0)
    right = dense.T @ left / np.sqrt(squares)
    onto = np.kron(right @ right.T, np.eye(SIZE))
    expected = onto @ covariance @ onto.T
    deviation = np.sqrt(np.diag(expected))
    error = np.abs(drawn.mean(axis=0) - mean.ravel())
    assert np.all(error <= 4.5 * deviation / np.sqrt(n_draws) + 1e-12)
    found = np.cov(drawn.T)
    tolerance = 6 * np.outer(deviation, deviation) / np.sqrt(n_draws) + 1e-12
    assert np.all(np.abs(found - expected) <= tolerance)
    one, squared = draws[0]
    np.testing.assert_allclose(squared, one.T @ one, atol=1e-10)
    assert link.n_coordinates == len(squares)
