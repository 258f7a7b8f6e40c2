"""Filling the missing values of a matrix, as a step of a scikit-learn pipeline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from matfact.models._fitted import not_fitted
from matfact.models._parameters import Parameters
from matfact.models.als import ALS

if TYPE_CHECKING:
    from typing import Self

    from numpy.typing import NDArray

    from matfact.models._base import FactorModel

__all__ = ["Imputer"]


class Imputer(Parameters):
    """Fill the missing values of a matrix with the predictions of a factorization.

    Parameters
    ----------
    model : estimator or None, default=None
        An unfitted `ALS`, `SGD`, `NMF` or `GD`, which is copied; None is ``ALS()``.

    Attributes
    ----------
    model_ : estimator
        The fitted copy.
    n_features_in_ : int
        Number of columns.

    Notes
    -----
    The rows that are transformed are taken as new ones, also those of the fit: what is filled in
    depends on the columns' factors and the row's own values. A column that had no value in the fit
    is filled with the prediction for an unknown item.

    Examples
    --------
    >>> import numpy as np
    >>> from matfact import Imputer, ALS
    >>> X = np.array([[5, 3, np.nan], [4, np.nan, 1], [1, 1, 5], [2, 1, 4]])
    >>> filled = Imputer(ALS(n_factors=1, random_state=0)).fit_transform(X)
    >>> bool(np.isnan(filled).any()), float(filled[0, 0])
    (False, 5.0)
    """

    model_: FactorModel
    n_features_in_: int

    def __init__(self, model: FactorModel | None = None) -> None:
        self.model = model

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the constructor parameters.

        Parameters
        ----------
        deep : bool, default=True
            Whether those of the model are included, as ``model__n_factors`` and so on.

        Returns
        -------
        dict of str to object
        """
        params: dict[str, Any] = {"model": self.model}
        if deep and self.model is not None:
            params |= {f"model__{name}": value for name, value in self.model.get_params().items()}
        return params

    def set_params(self, **params: Any) -> Self:
        """Change parameters.

        Parameters
        ----------
        **params : object
            ``model``, or those of the model as ``model__n_factors`` and so on.

        Returns
        -------
        estimator
            Itself.

        Raises
        ------
        ValueError
            If there is no parameter of such a name.
        """
        nested = {name: value for name, value in params.items() if name.startswith("model__")}
        super().set_params(**{name: value for name, value in params.items() if name not in nested})
        if nested:
            if self.model is None:
                self.model = ALS()
            self.model.set_params(
                **{name[len("model__") :]: value for name, value in nested.items()}
            )
        return self

    def fit(self, X: Any, y: object = None) -> Self:  # noqa: ARG002 (scikit-learn passes it)
        """Factorize a matrix.

        Parameters
        ----------
        X : array_like of shape (n_rows, n_columns)
            NaN where a value is missing.
        y : None
            Ignored.

        Returns
        -------
        estimator
            Itself.

        Raises
        ------
        TypeError, ValueError
            If X is unsuitable; see `ALS.fit`.
        """
        model = ALS() if self.model is None else type(self.model)(**self.model.get_params())
        self.model_ = model.fit(X)
        self.n_features_in_ = self.model_.n_features_in_
        return self

    def transform(self, X: Any) -> NDArray[np.float64]:
        """Return a copy of a matrix with its missing values filled in.

        Parameters
        ----------
        X : array_like of shape (n_rows, n_columns)
            NaN where a value is missing; a row may be all NaN.

        Returns
        -------
        ndarray of float64, shape (n_rows, n_columns)
            Values that were there are unchanged.

        Raises
        ------
        NotFittedError
            If the imputer is not fitted.
        TypeError, ValueError
            If X is unsuitable.
        """
        if not self.__sklearn_is_fitted__():
            raise not_fitted("Imputer")
        predicted = self.model_.inverse_transform(self.model_.transform(X))
        array = np.asarray(np.ma.filled(np.ma.asarray(X, dtype=np.float64), np.nan))
        return np.where(np.isnan(array), predicted, array)

    def fit_transform(self, X: Any, y: object = None) -> NDArray[np.float64]:
        """Factorize a matrix and fill in its missing values.

        Parameters
        ----------
        X : array_like of shape (n_rows, n_columns)
            NaN where a value is missing.
        y : None
            Ignored.

        Returns
        -------
        ndarray of float64, shape (n_rows, n_columns)
            What ``fit(X).transform(X)`` returns.
        """
        return self.fit(X, y).transform(X)

    def __sklearn_is_fitted__(self) -> bool:
        """Tell scikit-learn whether there is a result."""
        return hasattr(self, "model_")
