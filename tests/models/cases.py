"""Small fitted models that the tests of the contract run on."""

import numpy as np

from matfact import Ratings
from matfact.models import ALS, BPMF, BPR, GD, NMF, SGD, VBMF, ImplicitALS

SMALL = {
    "ALS": lambda **p: ALS(**{"n_factors": 3, "max_iter": 4, "random_state": 0, "tol": 0.0} | p),
    "ALS-cg": lambda **p: ALS(
        **{"n_factors": 3, "max_iter": 4, "random_state": 0, "tol": 0.0, "solver": "cg"} | p
    ),
    "ALS-plain": lambda **p: ALS(
        **{"n_factors": 3, "max_iter": 4, "random_state": 0, "tol": 0.0, "biases": False} | p
    ),
    "VBMF": lambda **p: VBMF(**{"n_factors": 3, "max_iter": 4, "random_state": 0, "tol": 0.0} | p),
    "VBMF-full": lambda **p: VBMF(
        **{"n_factors": 3, "max_iter": 4, "random_state": 0, "tol": 0.0, "covariance": "full"} | p
    ),
    "BPMF-link": lambda **p: BPMF(
        **{"n_factors": 3, "max_iter": 4, "random_state": 0, "n_samples": 3}
        | {"burn_in": 1, "thinning": 1, "link": "both"}
        | p
    ),
    "VBMF-link": lambda **p: VBMF(
        **{"n_factors": 3, "max_iter": 4, "random_state": 0, "tol": 0.0, "link": "both"} | p
    ),
    "SGD": lambda **p: SGD(**{"n_factors": 3, "max_iter": 4, "random_state": 0, "tol": 0.0} | p),
    "SGD-plain": lambda **p: SGD(
        **{
            "n_factors": 3,
            "max_iter": 4,
            "random_state": 0,
            "tol": 0.0,
            "biases": False,
            "schedule": "exponential",
        }
        | p
    ),
    "NMF": lambda **p: NMF(**{"n_factors": 3, "max_iter": 4, "random_state": 0, "tol": 0.0} | p),
    "NMF-zero": lambda **p: NMF(
        **{"n_factors": 3, "max_iter": 4, "random_state": 0, "tol": 0.0, "absent": "zero"} | p
    ),
    "GD": lambda **p: GD(**{"n_factors": 3, "max_iter": 4, "random_state": 0} | p),
    "GD-plain": lambda **p: GD(
        **{"n_factors": 3, "max_iter": 4, "random_state": 0, "biases": False, "learning_rate": 0.1}
        | p
    ),
    "ImplicitALS": lambda **p: ImplicitALS(
        **{"n_factors": 3, "max_iter": 4, "random_state": 0} | p
    ),
    "ImplicitALS-cg": lambda **p: ImplicitALS(
        **{
            "n_factors": 3,
            "max_iter": 4,
            "random_state": 0,
            "solver": "cg",
            "alpha": 2.0,
            "loss": "classic",
            "unobserved_weight": 1.0,
        }
        | p
    ),
    "BPR": lambda **p: BPR(**{"n_factors": 3, "max_iter": 4, "random_state": 0} | p),
}
"""Each kind of model with few factors and epochs; parameters can be added."""

IMPLICIT_CLASSES = (ImplicitALS, BPR)
EXPLICIT_CLASSES = (ALS, VBMF, BPMF, SGD, NMF, GD)
CLASSES = (*EXPLICIT_CLASSES, *IMPLICIT_CLASSES)

EXPLICIT = {name: new for name, new in SMALL.items() if isinstance(new(), EXPLICIT_CLASSES)}
"""Those that predict ratings; the others rank."""

ARRAYS = (
    "user_factors_",
    "item_factors_",
    "user_biases_",
    "item_biases_",
    "user_squares_",
    "item_squares_",
    "prior_means_",
    "prior_precisions_",
    "mean_covariances_",
    "noise_precision_",
    "unrated_means_",
    "sample_means_",
    "sample_unrated_means_",
    "sample_precisions_",
    "sample_noises_",
    "n_kept_",
    "user_draws_",
    "item_draws_",
    "user_bias_samples_",
    "item_bias_samples_",
    "user_covariances_",
    "item_covariances_",
    "user_influences_",
    "item_influences_",
    "influence_precisions_",
    "influence_covariances_",
    "user_influence_samples_",
    "item_influence_samples_",
    "user_feature_coefficients_",
    "item_feature_coefficients_",
    "user_feature_means_",
    "item_feature_means_",
    "feature_precisions_",
    "feature_covariances_",
    "user_feature_coefficient_samples_",
    "item_feature_coefficient_samples_",
    "drift_indptr_",
    "drift_times_",
    "drift_levels_",
    "drift_covariances_",
    "drift_variance_",
    "drift_time_",
    "drift_steps_",
)


def unclipped(new, **parameters):
    """A model whose predictions are what its factors say; implicit ones never clip."""
    model = new(**parameters)
    return model.set_params(clip=False) if "clip" in model.get_params() else model


def named_ratings(n_users=30, n_items=20, n_ratings=240, seed=0):
    """Ratings of people for films, on a scale of 1 to 5; everyone and everything has some."""
    rng = np.random.default_rng(seed)
    cells = rng.permutation(n_users * n_items)
    users, items = np.divmod(cells, n_items)
    # The first ones cover all rows and columns.
    first = np.unique(users, return_index=True)[1], np.unique(items, return_index=True)[1]
    chosen = np.unique(np.concatenate([*first, np.arange(n_ratings)]))[:n_ratings]
    taste = rng.normal(size=(n_users, 2)) @ rng.normal(size=(2, n_items))
    values = np.clip(np.round(3 + taste), 1, 5)
    people = np.array([f"u{number:02}" for number in range(n_users)])
    films = np.array([f"film {number:02}" for number in range(n_items)])
    u, i = users[chosen], items[chosen]
    return Ratings.from_triples(people[u], films[i], values[u, i], user_ids=people, item_ids=films)


def dense_matrix(n_users=12, n_items=8, missing=0.3, seed=0, dtype=np.float64):
    """A matrix of ratings from 1 to 5 with NaN in it."""
    rng = np.random.default_rng(seed)
    matrix = rng.integers(1, 6, (n_users, n_items)).astype(dtype)
    matrix[rng.random(matrix.shape) < missing] = np.nan
    return matrix


def state_of(model):
    """All fitted arrays of a model by name."""
    found = {name: getattr(model, name, None) for name in ARRAYS}
    return {name: array for name, array in found.items() if array is not None}


def same_bits(one, other):
    """Whether arrays, objectives and validation errors of two models are the same bits."""
    a, b = state_of(one), state_of(other)
    return (
        a.keys() == b.keys()
        and all(a[name].tobytes() == b[name].tobytes() for name in a)
        and one.history_.objectives.tobytes() == other.history_.objectives.tobytes()
        and one.history_.validations.tobytes() == other.history_.validations.tobytes()
        and one.n_iter_ == other.n_iter_
        and one.best_iteration_ == other.best_iteration_
    )
