"""What a model with drifting levels of users is: arrays, warm starts, predictions at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from matfact.models._bayesian import BayesianModel
from matfact.models._drift import FIRST_EPOCH, Drift
from matfact.models._levels import (
    DRIFT,
    DRIFT_PLACES,
    carried_levels,
    drift_problem,
    drift_shapes,
    drift_start,
    levels_at,
    rating_times,
    times_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

    from matfact.models._growing import Floats
    from matfact.ratings import Ratings

    Doubles = NDArray[np.float64]
    Arrays = dict[str, NDArray[Any]]

__all__ = ["DriftingModel"]


class DriftingModel(BayesianModel):
    """Base of the models that may have a level of each user that drifts."""

    drift: bool

    drift_indptr_: NDArray[np.int64] | None
    drift_times_: NDArray[np.float64] | None
    drift_levels_: NDArray[np.float64] | None
    drift_covariances_: NDArray[np.float64] | None
    drift_variance_: NDArray[np.float64] | None
    drift_time_: NDArray[np.float64] | None
    drift_steps_: NDArray[np.float64] | None

    _fixed_arrays: ClassVar[tuple[str, ...]] = DRIFT_PLACES

    def _check_parameters(self) -> None:
        super()._check_parameters()
        if not isinstance(self.drift, bool | np.bool_):
            raise TypeError(f"drift is {self.drift!r}; give True or False")

    def _check_ratings(self, ratings: Ratings) -> None:
        super()._check_ratings(ratings)
        if self.drift:
            rating_times(ratings)

    def _may_settle_after(self) -> int:
        # The levels begin to count there, which may raise the objective once.
        return FIRST_EPOCH if self.drift else super()._may_settle_after()

    def _drift_start(self, ratings: Ratings) -> Arrays:
        """Return the arrays of the levels before the first epoch."""
        return drift_start(ratings) if self.drift else {}

    def _drift_of(self, ratings: Ratings, arrays: Arrays) -> Drift | None:
        """Return the part of a solver that changes these arrays."""
        if not self.drift:
            return None
        return Drift(ratings, arrays, self.scale_, self._threads())

    def _fitted_drift(self) -> Arrays | None:
        """Return the arrays of the fitted levels; None without levels."""
        found = {name: getattr(self, f"{name}_", None) for name in DRIFT}
        arrays = {name: array for name, array in found.items() if array is not None}
        return arrays if len(arrays) == len(DRIFT) else None

    @property
    def _uses_timestamps(self) -> bool:
        """Whether `predict` has a use for timestamps."""
        return self._fitted_drift() is not None

    def _further_shapes(self) -> dict[str, tuple[int, ...] | None]:
        shapes: dict[str, tuple[int, ...] | None] = dict.fromkeys(DRIFT)
        if any(getattr(self, f"{name}_") is not None for name in DRIFT):
            times = self.drift_times_
            n_states = 0 if times is None else times.size
            shapes |= drift_shapes(len(self.user_factors_), n_states)
        return super()._further_shapes() | shapes

    def _problem_of_arrays(self) -> str | None:
        arrays = self._fitted_drift()
        return None if arrays is None else drift_problem(arrays)

    def _carried_over(self, fresh: Arrays, ratings: Ratings) -> None:
        old = self._fitted_drift()
        arrays = {name: fresh.pop(name) for name in DRIFT if name in fresh}
        if bool(arrays) != (old is not None):
            raise ValueError(
                f"drift is {self.drift} now and was {not self.drift}; a warm start needs the same, "
                "so set warm_start=False for a new beginning"
            )
        super()._carried_over(fresh, ratings)
        if old is not None:
            users = self.user_ids_.positions(ratings.user_ids.ids, unknown="ignore")
            carried_levels(arrays, old, users)
            fresh |= arrays

    def _append(self, side: str, solved: dict[str, Floats], ratings: Ratings) -> None:
        super()._append(side, solved, ratings)
        if side == "user" and self.drift_indptr_ is not None:  # the new ones have no states
            indptr = self.drift_indptr_
            longer = np.full(len(self.user_factors_) + 1, indptr[-1])
            longer[: len(indptr)] = indptr
            self.drift_indptr_ = longer

    def _times_of_pairs(self, timestamps: ArrayLike, shape: tuple[int, ...]) -> Doubles:
        """Return the times of pairs, as one for each."""
        if not self._uses_timestamps:
            raise ValueError(
                "timestamps are of no use to this model, which was fitted with drift=False; fit it "
                "with drift=True, or leave them out"
            )
        times = times_of(timestamps)
        if times.ndim and times.shape != shape:
            raise ValueError(
                f"timestamps has shape {times.shape} and the pairs {shape}; give one for each "
                "pair, or a single one"
            )
        return np.broadcast_to(times, shape).ravel()

    def _effects_of_time(
        self,
        users: NDArray[np.int64],
        timestamps: NDArray[Any] | None,
        arrays: Mapping[str, NDArray[Any]] | None = None,
    ) -> Doubles | float:
        known = self._fitted_drift() if arrays is None else arrays
        if timestamps is None or known is None or "drift_levels" not in known:
            return 0.0
        return levels_at(known, users, times_of(timestamps))[0] * self.scale_

    def _variances_of_time(
        self, users: NDArray[np.int64], times: NDArray[Any] | None
    ) -> Doubles | float:
        """Return the variances of levels, that of any level without times; 0 if there are none."""
        known = self._fitted_drift()
        if known is None:
            return 0.0
        if times is None:
            return float(known["drift_variance"][0]) * self.scale_**2
        return levels_at(known, users, times)[1] * self.scale_**2
