"""Posteriors of rows that a model has not been trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from matfact.exceptions import DivergenceError
from matfact.models._noise import reliabilities, weighted
from matfact.models._posteriors import expected_errors, solve_side
from matfact.models._units import ratings_vectors

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from matfact.models._data import Rows
    from matfact.models._factors import Factors
    from matfact.models._growing import Floats, Side
    from matfact.models._posteriors import Posteriors

    Doubles = NDArray[np.float64]

__all__ = ["solve_new"]


def solve_new(
    rows: Rows,
    factors: Factors,
    scale: float,
    shared: dict[str, Any],
    side: Side,
    n_threads: int,
    n_iter: int,
    prior_means: Doubles,
    covariances: Floats | None = None,
) -> tuple[Posteriors, dict[str, Floats]]:
    """Compute the posteriors of new rows of a side.

    How reliable a new user is follows from the errors of a first solution, for ordinary users.

    Parameters
    ----------
    rows : Rows
        Ratings in their own units.
    factors : Factors
        With the other side as items; if these are users, with their reliabilities.
    scale, shared, side, n_threads, prior_means, covariances
        See `matfact.models._posteriors.solve_side`.
    n_iter : int
        Epochs of the model, for the error.

    Returns
    -------
    found : Posteriors
    more : dict of str to ndarray
        What else belongs to the rows: the reliabilities of users.

    Raises
    ------
    DivergenceError
        If a row has no finite solution.
    """

    def solve(rows: Rows) -> Posteriors:
        found = solve_side(
            rows,
            factors,
            scale,
            shared,
            side,
            n_threads,
            prior_means=prior_means,
            covariances=covariances,
        )
        if found.n_failed:
            raise DivergenceError(
                f"{found.n_failed} rows have no finite solution; use dtype=float64 if ratings are "
                "very large",
                n_iter,
            )
        return found

    if side == "items":
        return solve(weighted(rows, None, factors.more_of_items["reliabilities"])), {}
    found = solve(rows)
    users = factors.with_users(*ratings_vectors(found.means, scale))
    errors = expected_errors(rows, users, scale, found.uncertainties, n_threads)
    tau = reliabilities(rows.counts(), errors, float(shared["noise_precision"][0]))
    return solve(weighted(rows, tau, None)), {"reliabilities": tau}
