"""Constructor parameters the scikit-learn way, without scikit-learn."""

from __future__ import annotations

import inspect
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

if TYPE_CHECKING:
    from typing import Self

__all__ = ["Parameters"]


class Parameters:
    """A base of estimators whose constructor stores its keyword parameters unchanged.

    They are validated when the estimator is fitted, not before, so that ``clone``,
    ``GridSearchCV`` and pipelines can handle them.
    """

    _needs_positive_ratings: ClassVar[bool] = False

    @classmethod
    def _parameter_defaults(cls) -> dict[str, Any]:
        signature = inspect.signature(cls)
        return {name: parameter.default for name, parameter in signature.parameters.items()}

    def get_params(self, deep: bool = True) -> dict[str, Any]:  # noqa: ARG002 (nothing is nested)
        """Return the constructor parameters.

        Parameters
        ----------
        deep : bool, default=True
            Accepted for scikit-learn; parameters here hold no estimators.

        Returns
        -------
        dict of str to object
            By name, in alphabetical order.
        """
        return {name: getattr(self, name) for name in sorted(self._parameter_defaults())}

    def set_params(self, **params: Any) -> Self:
        """Change constructor parameters.

        Parameters
        ----------
        **params : object
            New values by name; they take effect at the next fit.

        Returns
        -------
        estimator
            Itself.

        Raises
        ------
        ValueError
            If there is no parameter of such a name.
        """
        valid = self._parameter_defaults()
        for name in params:
            if name not in valid:
                raise ValueError(
                    f"Invalid parameter {name!r} for estimator {type(self).__name__}. "
                    f"Valid parameters are: {sorted(valid)}"
                )
        for name, value in params.items():
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        """Show the parameters that differ from their defaults."""
        defaults = self._parameter_defaults()
        changed = ", ".join(
            f"{name}={value!r}"
            for name, value in self.get_params().items()
            if not _same(value, defaults[name])
        )
        return f"{type(self).__name__}({changed})"

    def __sklearn_tags__(self) -> Any:
        """Describe the estimator to scikit-learn, which is the only one to call this."""
        sklearn = import_module("sklearn.utils")

        return sklearn.Tags(
            estimator_type=None,
            target_tags=sklearn.TargetTags(required=False),
            transformer_tags=sklearn.TransformerTags(preserves_dtype=[]),
            input_tags=sklearn.InputTags(
                sparse=True, allow_nan=True, positive_only=self._needs_positive_ratings
            ),
        )


def _same(value: Any, default: Any) -> bool:
    if value is default:
        return True
    if isinstance(value, np.ndarray) or isinstance(default, np.ndarray):
        return False
    return bool(type(value) is type(default) and value == default)
