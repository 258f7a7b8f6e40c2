"""What a fitted model consists of; the attributes that all parts of the contract work on."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, ClassVar

from matfact._threads import resolve_n_threads
from matfact.exceptions import NotFittedError
from matfact.models._data import Rows, is_all_missing, model_ratings
from matfact.models._factors import Factors
from matfact.models._parameters import Parameters
from matfact.ratings import Ratings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import DTypeLike, NDArray

    from matfact.ratings import IdMap
    from matfact.training import History

__all__ = ["FittedModel", "not_fitted"]


class FittedModel(Parameters):
    """The attributes of a factor model, and the checks before they are used."""

    # Constructor parameters that every model has.
    n_factors: Any
    max_iter: int
    tol: float
    patience: int
    random_state: Any
    n_threads: int | None
    dtype: DTypeLike
    clip: bool
    warm_start: bool
    verbose: bool

    user_factors_: NDArray[np.floating[Any]]
    item_factors_: NDArray[np.floating[Any]]
    user_biases_: NDArray[np.floating[Any]] | None
    item_biases_: NDArray[np.floating[Any]] | None
    mean_: float
    prior_: float
    scale_: float
    user_ids_: IdMap
    item_ids_: IdMap
    ratings_: Ratings | None
    rating_range_: tuple[float, float]
    history_: History
    n_iter_: int
    best_iteration_: int
    seed_: int
    n_features_in_: int

    _own_arrays: ClassVar[tuple[str, ...]] = ()
    """Further arrays that the solver updates, a row a user or an item: user_... or item_...

    A model that can do without them has None in their place.
    """

    _shared_arrays: ClassVar[tuple[str, ...]] = ()
    """The same of arrays that belong to no single row; the first axis may be that of both sides."""

    _fixed_arrays: ClassVar[tuple[str, ...]] = ()
    """Those of `_shared_arrays` that no epoch changes."""

    def _further_shapes(self) -> dict[str, tuple[int, ...] | None]:
        """Return the shapes of further arrays of a fitted model; None where there is none."""
        return {}

    def _problem_of_arrays(self) -> str | None:
        """Tell what is wrong with further arrays of the right shapes; None if nothing is."""
        return None

    @property
    def n_factors_(self) -> int:
        """Number of factors of the fitted model."""
        return int(self.item_factors_.shape[1])

    def _is_fitted(self) -> bool:
        return hasattr(self, "item_factors_")

    def __sklearn_is_fitted__(self) -> bool:
        """Tell scikit-learn whether there is a result."""
        return self._is_fitted()

    def _check_is_fitted(self) -> None:
        if not self._is_fitted():
            raise not_fitted(type(self).__name__)

    def _factors(self) -> Factors:
        names = ("user_factors", "item_factors", "user_biases", "item_biases", *self._own_arrays)
        found = {name: getattr(self, f"{name}_", None) for name in names}
        arrays = {name: array for name, array in found.items() if array is not None}
        return Factors.from_arrays(arrays, self.mean_, self.prior_)

    def _threads(self) -> int:
        return resolve_n_threads(self.n_threads)

    def _known_ratings(self, purpose: str) -> Ratings:
        if self.ratings_ is None:
            raise ValueError(
                f"{purpose} needs the ratings that the model was trained on, and this one was "
                "saved or loaded without them; save it with include_ratings=True"
            )
        return self.ratings_

    def _rows(self, X: object) -> Rows:
        """Return ratings as rows whose columns are the items of the model.

        Raises
        ------
        UnknownIdError
            If a rating is of an item that the model does not know.
        ValueError
            If X is a matrix with another number of columns.
        """
        if isinstance(X, Ratings):
            return Rows.aligned(X.astype(self.dtype), self.item_ids_, "items")
        if is_all_missing(X):  # which no Ratings are
            n_rows, n_columns = X.shape  # type: ignore[attr-defined]  # it is a matrix
            self._check_n_columns(n_columns)
            return Rows.empty(n_rows, self.dtype)
        ratings = model_ratings(X, self.dtype)
        self._check_n_columns(ratings.n_items)
        return Rows.of(ratings)

    def _check_n_columns(self, n_columns: int) -> None:
        if n_columns != len(self.item_ids_):
            raise ValueError(
                f"X has {n_columns} features, but {type(self).__name__} is expecting "
                f"{len(self.item_ids_)} features as input: a column for each item of the fit"
            )


def not_fitted(name: str) -> NotFittedError:
    """Return the error for an estimator that is not fitted.

    Where scikit-learn is loaded it is an instance of the class that code written for scikit-learn
    catches, too.
    """
    theirs = getattr(sys.modules.get("sklearn.exceptions"), "NotFittedError", None)
    message = f"this {name} is not fitted yet; call fit first"
    if theirs is None:
        return NotFittedError(message)
    error: NotFittedError = type("NotFittedError", (NotFittedError, theirs), {})(message)
    return error
