"""ImplicitALS: its objective and its steps against dense algebra, and what values mean."""

import numpy as np
import pytest

from matfact import ImplicitALS, Ratings, make_ratings
from matfact.exceptions import NotFittedError

VARIANTS = {
    "ials": {},
    "weights": {"alpha": 0.7, "weighted": True},
    "classic": {"loss": "classic", "unobserved_weight": 1.0, "alpha": 2.0, "count_exponent": 0.0},
    "classic_weights": {"loss": "classic", "unobserved_weight": 0.3, "weighted": True},
}
each_variant = pytest.mark.parametrize("variant", list(VARIANTS))


def clicks(weighted=False, seed=0):
    """Counts with some dislikes and zeros, for 40 users and 25 items; one row is empty."""
    rng = np.random.default_rng(seed)
    cells = rng.permutation(40 * 25)[:300]
    users, items = np.divmod(cells, 25)
    keep = users != 7
    values = rng.choice([-2, -1, 0, 1, 2, 5], keep.sum(), p=[0.1, 0.1, 0.05, 0.35, 0.2, 0.2])
    weights = rng.uniform(0.2, 2, keep.sum()) if weighted else None
    return Ratings.from_triples(
        users[keep], items[keep], values, shape=(40, 25), weights=weights, dtype=np.float64
    )


def fitted(variant, **parameters):
    given = dict(VARIANTS[variant])
    ratings = clicks(given.pop("weighted", False))
    defaults = {"n_factors": 4, "random_state": 0, "dtype": np.float64, "solver": "cholesky"}
    return ImplicitALS(**defaults | given | parameters).fit(ratings), ratings


def dense(model, ratings):
    """Weights and preferences of all pairs, as matrices: what the loss says, written out."""
    w, p = np.zeros(ratings.shape), np.zeros(ratings.shape)
    values = ratings.user_values
    alpha = model.alpha
    sample = np.ones(len(values)) if ratings.user_weights is None else ratings.user_weights
    for u, i, r, s in zip(ratings.users, ratings.user_indices, values, sample, strict=True):
        w[u, i] = s * (alpha * abs(r) if alpha is not None else abs(np.sign(r)))
        p[u, i] = r > 0
    return w, p


def ridges(model, w, side):
    others = w.shape[1] if side == "users" else w.shape[0]
    counts = w.sum(axis=1 if side == "users" else 0)
    return (
        model.regularization * (counts + model.unobserved_weight_ * others) ** model.count_exponent
    )


def naive_objective(model, ratings):
    w, p = dense(model, ratings)
    scores = model.user_factors_ @ model.item_factors_.T
    a = model.unobserved_weight_
    if model.loss == "classic":
        total = np.sum((a + w) * (scores - p) ** 2 * (w > 0)) + a * np.sum(scores[w == 0] ** 2)
    else:
        total = np.sum(w * (scores - p) ** 2) + a * np.sum(scores**2)
    total += ridges(model, w, "users") @ np.sum(model.user_factors_**2, axis=1)
    return total + ridges(model, w, "items") @ np.sum(model.item_factors_**2, axis=1)


def naive_users(model, ratings):
    """Solve every user by the normal equations of the loss."""
    w, p = dense(model, ratings)
    h, a = model.item_factors_, model.unobserved_weight_
    ridge = ridges(model, w, "users")
    targets = (a + w) * p if model.loss == "classic" else w * p
    return np.array(
        [
            np.linalg.solve(
                a * h.T @ h + (h.T * w[u]) @ h + ridge[u] * np.eye(h.shape[1]), h.T @ targets[u]
            )
            for u in range(len(w))
        ]
    )


@each_variant
def test_the_objective_of_the_history(variant):
    # Zeros have no weight: with "classic" their pairs stay as unobserved ones.
    model, ratings = fitted(variant, max_iter=3)
    if model.loss == "classic":
        ratings = ratings.select(ratings.user_values != 0)
        model = ImplicitALS(**model.get_params()).fit(ratings)
    assert model.history_[-1].objective == pytest.approx(naive_objective(model, ratings), rel=1e-10)


@each_variant
def test_an_epoch_ends_with_the_best_users(variant):
    model, ratings = fitted(variant, max_iter=2)
    np.testing.assert_allclose(
        model.user_factors_, naive_users(model, ratings), rtol=1e-8, atol=1e-10
    )
    np.testing.assert_allclose(model.fold_in(ratings), model.user_factors_, rtol=1e-8, atol=1e-10)


@each_variant
@pytest.mark.parametrize("solver", ["cholesky", "cg", "subspace"])
def test_the_objective_never_rises(variant, solver):
    model, _ = fitted(variant, max_iter=25, solver=solver)
    assert (np.diff(model.history_.objectives) <= 1e-9).all()


@each_variant
def test_blocks_of_factors_end_where_all_at_once_do(variant):
    exact, ratings = fitted(variant, n_factors=40, max_iter=60, solver="cholesky")
    blocks, _ = fitted(variant, n_factors=40, max_iter=60, solver="subspace")
    first, _ = fitted(variant, n_factors=40, max_iter=1, solver="subspace")
    # in one local minimum or another
    assert blocks.history_[-1].objective < 1.001 * exact.history_[-1].objective
    assert first.history_[0].objective > exact.history_[0].objective
    # new rows are solved for exactly, whatever the solver
    np.testing.assert_allclose(
        blocks.fold_in(ratings), naive_users(blocks, ratings), rtol=1e-7, atol=1e-9
    )


@each_variant
def test_many_steps_of_cg_are_exact(variant):
    exact, _ = fitted(variant, max_iter=3)
    steps, _ = fitted(variant, max_iter=3, solver="cg", cg_steps=40)
    np.testing.assert_allclose(steps.user_factors_, exact.user_factors_, rtol=1e-6, atol=1e-8)


def test_the_mapping_to_the_library_implicit():
    """There c = alpha r, A = Y'Y + sum (c - 1) y y' + regularization I and b = sum c y."""
    counts = make_ratings(60, 30, 500, random_state=0, dtype=np.float64)
    theirs = Ratings.from_triples(
        counts.users, counts.user_indices, 4.0 * counts.user_values, shape=counts.shape
    ).astype(np.float64)
    ours = Ratings.from_triples(
        counts.users, counts.user_indices, 4.0 * counts.user_values - 1, shape=counts.shape
    )
    model = ImplicitALS(
        n_factors=5,
        loss="classic",
        unobserved_weight=1.0,
        alpha=1.0,
        count_exponent=0.0,
        regularization=0.3,
        max_iter=1,
        random_state=0,
    ).fit(ours)
    y = model.item_factors_.astype(float)
    for user in range(60):
        entries = slice(*theirs.user_indptr[user : user + 2])
        seen, c = y[theirs.user_indices[entries]], theirs.user_values[entries]
        normal = y.T @ y + (seen.T * (c - 1)) @ seen + 0.3 * np.eye(5)
        expected = np.linalg.solve(normal, seen.T @ c)
        np.testing.assert_allclose(model.user_factors_[user], expected, rtol=1e-4, atol=1e-6)


def test_every_parameter_changes_the_result():
    base, _ = fitted("ials", max_iter=3)
    changes = [
        {"unobserved_weight": 0.2},
        {"regularization": 0.1},
        {"count_exponent": 0.5},
        {"alpha": 3.0},
        {"loss": "classic"},
        {"init_scale": 0.5},
        {"solver": "cg", "cg_steps": 1},
        {"solver": "cg", "cg_steps": 2},
        {"random_state": 1},
        {"max_iter": 2},
        {"n_factors": 3},
    ]
    results = [fitted("ials", **{"max_iter": 3} | change)[0] for change in changes]
    found = {model.predict_all().tobytes() for model in [base, *results]}
    assert len(found) == len(changes) + 1


def test_an_automatic_weight_is_ten_times_the_interactions():
    ratings = make_ratings(50, 40, 100, random_state=0)
    model = ImplicitALS(n_factors=2, random_state=0, max_iter=2).fit(ratings)
    assert model.unobserved_weight_ == pytest.approx(10 * 100 / 2000)
    weighted = ImplicitALS(n_factors=2, random_state=0, max_iter=2, alpha=3).fit(ratings)
    total = 3 * ratings.user_values.sum(dtype=float)
    assert weighted.unobserved_weight_ == pytest.approx(10 * total / 2000)
    dense = ImplicitALS(n_factors=2, random_state=0, max_iter=2).fit(np.ones((4, 5)))
    assert dense.unobserved_weight_ == 1
    with pytest.raises(NotFittedError):
        _ = ImplicitALS().unobserved_weight_


def test_a_value_of_zero_is_as_if_absent_but_seen():
    ratings = clicks()
    without = ratings.select(ratings.user_values != 0)
    model, other = (
        ImplicitALS(n_factors=3, random_state=0, dtype=np.float64).fit(part)
        for part in (ratings, without)
    )
    np.testing.assert_allclose(model.user_factors_, other.user_factors_, rtol=1e-10)
    place = int(np.flatnonzero(ratings.user_values == 0)[0])
    user, item = ratings.users[place], ratings.user_indices[place]
    assert item not in model.recommend(int(user), n=25)[0]
    assert item in other.recommend(int(user), n=25)[0]


def test_dislikes_lower_a_score():
    matrix = np.full((6, 4), np.nan)
    matrix[:, 0] = matrix[:3, 1] = matrix[3:, 2] = 1
    neutral = ImplicitALS(n_factors=2, random_state=0).fit(matrix)
    matrix[0, 3] = matrix[1, 3] = -1
    disliked = ImplicitALS(n_factors=2, random_state=0).fit(matrix)
    assert disliked.predict(0, 3) <= neutral.predict(0, 3) + 1e-6
    matrix[2, 3] = 1
    wanted, unwanted = (
        ImplicitALS(n_factors=2, random_state=0, alpha=a, unobserved_weight=0.1)
        .fit(matrix)
        .predict(0, 3)
        for a in (0.1, 5)
    )
    assert unwanted < wanted


def test_validation_is_one_minus_ndcg():
    ratings = make_ratings(120, 60, 2500, random_state=1)
    model = ImplicitALS(n_factors=8, random_state=0, max_iter=6, patience=2)
    model.fit(ratings, validation=0.2)
    errors = model.history_.validations
    assert ((errors > 0) & (errors < 1)).all()
    assert model.best_iteration_ == int(errors.argmin()) + 1
    held_out = Ratings.from_triples(
        *(column for column in _held_out_of(ratings, model)), shape=ratings.shape
    )
    assert 1 - model.score(held_out) == pytest.approx(errors.min(), abs=1e-6)


def _held_out_of(ratings, model):
    """The ratings that a fit with a validation part did not train on."""
    keys = ratings.users.astype(int) * ratings.n_items + ratings.user_indices
    known = model.ratings_.users.astype(int) * ratings.n_items + model.ratings_.user_indices
    left = ~np.isin(keys, known)
    return ratings.users[left], ratings.user_indices[left], ratings.user_values[left]


def test_score_of_a_matrix_hides_half_of_each_row():
    rng = np.random.default_rng(0)
    matrix = np.where(rng.random((20, 15)) < 0.6, rng.choice([-1.0, 1.0, 2.0], (20, 15)), np.nan)
    model = ImplicitALS(n_factors=3, random_state=0).fit(matrix)
    gains = []
    for parity in (0, 1):
        for row in matrix:
            there = np.flatnonzero(~np.isnan(row))
            given = np.full((1, 15), np.nan)
            given[0, there[parity::2]] = row[there[parity::2]]
            liked = [item for item in there[1 - parity :: 2] if row[item] > 0]
            listed = model.recommend_new(given, 10)[0][1].tolist()
            gain = sum(1 / np.log2(place + 2) for place, item in enumerate(listed) if item in liked)
            if liked:
                gains.append(gain / sum(1 / np.log2(p + 2) for p in range(min(10, len(liked)))))
    assert model.score(matrix) == pytest.approx(np.mean(gains))


def test_what_hides_nothing_that_is_liked_does_not_count():
    model = ImplicitALS(n_factors=4, random_state=0).fit(make_ratings(60, 20, 500, random_state=0))
    row = np.full((1, 20), np.nan)
    row[0, :3] = [1, -1, -1]
    given = np.where(np.arange(20) == 1, -1, np.nan)[np.newaxis]
    place = model.recommend_new(given, 20)[0][1].tolist().index(0)
    assert model.score(row) == pytest.approx(1 / np.log2(place + 2) if place < 10 else 0)
    assert model.score(np.full((2, 20), np.nan)) == 0


def test_a_validation_part_without_anything_known_is_refused():
    ratings = make_ratings(60, 20, 500, random_state=0)
    for part in (
        Ratings.from_triples(["a"], ["x"], [1.0]),
        Ratings.from_triples([0], [0], [-1.0], shape=ratings.shape),
    ):
        with pytest.raises(ValueError, match="validation"):
            ImplicitALS(n_factors=4).fit(ratings, validation=part)


def test_score_is_the_mean_ndcg_of_lists():
    ratings = make_ratings(50, 40, 700, random_state=2)
    train, test = ratings.select(np.arange(700) % 5 > 0), ratings.select(np.arange(700) % 5 == 0)
    model = ImplicitALS(n_factors=4, random_state=0).fit(train)
    gains = []
    for user in np.unique(test.users).tolist():
        liked = test.user_indices[test.users == user].tolist()
        listed = model.recommend(user, n=10)[0].tolist()
        gain = sum(1 / np.log2(place + 2) for place, item in enumerate(listed) if item in liked)
        gains.append(gain / sum(1 / np.log2(place + 2) for place in range(min(10, len(liked)))))
    assert model.score(test) == pytest.approx(np.mean(gains))


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"unobserved_weight": 0}, ValueError, "unobserved_weight"),
        ({"unobserved_weight": "much"}, ValueError, 'number above 0 or "auto"'),
        ({"regularization": -1}, ValueError, "regularization"),
        ({"alpha": 0}, ValueError, "alpha"),
        ({"alpha": "1"}, TypeError, "alpha"),
        ({"init_scale": 0}, ValueError, "init_scale"),
        ({"cg_steps": 0}, ValueError, "cg_steps"),
        ({"solver": "lu"}, ValueError, "solver is 'lu'; give one of 'auto', 'cholesky', 'cg'"),
        ({"loss": "bpr"}, ValueError, "loss is 'bpr'; give one of 'ials', 'classic'"),
    ],
)
def test_wrong_parameters(parameters, error, message):
    with pytest.raises(error, match=message):
        ImplicitALS(**parameters).fit(clicks())


def test_nothing_that_occurred():
    with pytest.raises(ValueError, match="needs interactions, and no value is above 0"):
        ImplicitALS().fit(np.array([[0.0, -1], [np.nan, 0]]))
    with pytest.raises(ValueError, match="weights"):
        Ratings.from_triples([0], [0], [1], weights=[-1])


def test_weights_beyond_float32_are_refused():
    ratings = Ratings.from_triples([0, 0, 1], [0, 1, 1], [1, 1e30, 1])
    with pytest.raises(ValueError, match=r"alpha is 1e.20 and a value 1e.30.*float64"):
        ImplicitALS(n_factors=2, alpha=1e20, random_state=0).fit(ratings)
