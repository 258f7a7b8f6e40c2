"""How uncertain predictions of variational Bayes are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from matfact.models._data import Rows
from matfact.models._noise import weighted
from matfact.models._posteriors import SIDES, moved_covariance, solve_side
from matfact.models._units import scaled_vectors

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

    from numpy.typing import NDArray

    from matfact.models._factors import Factors
    from matfact.models._growing import Side
    from matfact.ratings import Ratings

    Doubles = NDArray[np.float64]

__all__ = ["variances"]

BLOCK_NUMBERS = 1 << 22
"""Numbers of the matrices of the users of pairs that are in memory at a time, as many of items."""


@dataclass(frozen=True, slots=True)
class _Rows:
    """The rows of one side that pairs need, in the units of the solver; the last is unknown.

    Attributes
    ----------
    vectors : ndarray of shape (n + 1, n_factors)
    covariances : ndarray of shape (n + 1, n_factors + 1, n_factors + 1)
    place : ndarray of int64
        Row of each pair.
    """

    vectors: Doubles
    covariances: NDArray[np.floating[Any]]
    place: NDArray[np.int64]

    @classmethod
    def of(
        cls,
        positions: NDArray[np.int64],
        ratings: Ratings | None,
        factors: Factors,
        scale: float,
        shared: dict[str, Any],
        link_covariances: Mapping[Side, Doubles | None],
        side: Side,
        n_threads: int,
    ) -> Self:
        """Take the rows at some positions; -1 is one that is not known.

        Where the model does not keep their covariances, they are solved for once more.
        """
        wanted, place = np.unique(positions, return_inverse=True)
        if len(wanted) and wanted[0] < 0:
            wanted, place = wanted[1:], np.where(positions < 0, len(wanted) - 1, place - 1)
        size, dtype = factors.user_factors.shape[1] + 1, factors.user_factors.dtype
        precision = shared["prior_precisions"][SIDES.index(side)]
        of_links = link_covariances[side]
        unknown = np.linalg.inv(precision)
        if of_links is not None:
            unknown += of_links
        covariances = np.zeros((len(wanted) + 1, size, size), dtype=dtype)
        covariances[-1] = unknown
        kept = factors.more_of_users.get("covariances")
        if kept is not None and kept.shape[1] == size:
            covariances[:-1] = kept[wanted]
        else:
            assert ratings is not None  # noqa: S101 (the caller has asked for them)
            own = factors.more_of_users.get("reliabilities")
            rows = weighted(
                Rows.of(ratings).chosen(wanted),
                None if own is None else own[wanted],
                factors.more_of_items.get("reliabilities"),
            )
            solve_side(rows, factors, scale, shared, side, n_threads, covariances=covariances[:-1])
            if of_links is not None:
                moved = moved_covariance(covariances[:-1], precision, of_links)
                covariances[:-1] += moved.astype(dtype)
        own = scaled_vectors(factors.user_factors[wanted], np.zeros(len(wanted)), scale)[:, :-1]
        vectors = np.vstack([own.astype(np.float64), np.zeros((1, own.shape[1]))])
        return cls(vectors, covariances, place)


def variances(
    users: NDArray[np.int64],
    items: NDArray[np.int64],
    ratings: Ratings | None,
    factors: Factors,
    scale: float,
    shared: dict[str, Any],
    link_covariances: Mapping[Side, Doubles | None],
    n_threads: int,
) -> Doubles:
    """Return the variances of the ratings of pairs of positions, noise included.

    With the covariances C of user and D of item, the last row and column that of the bias,
    Var = q'C q + p'D p + tr(C D) + C_bb + D_bb + 2 q.C_b + 2 p.D_b + noise, products over factors.
    """
    common = scale, shared, link_covariances
    of_users = _Rows.of(users, ratings, factors, *common, "users", n_threads)
    by_items = None if ratings is None else ratings.transpose()
    of_items = _Rows.of(items, by_items, factors.transposed(), *common, "items", n_threads)
    noises = 1 / factors.more_of_users["reliabilities"]
    out = np.where(users < 0, noises.mean(), noises[users]) / float(shared["noise_precision"][0])
    n_pairs = max(BLOCK_NUMBERS // of_users.covariances[0].size, 1)
    for start in range(0, len(users), n_pairs):
        some = slice(start, start + n_pairs)
        u, i = of_users.place[some], of_items.place[some]
        p, q = of_users.vectors[u], of_items.vectors[i]
        c, d = of_users.covariances[u], of_items.covariances[i]
        for x, matrices in ((q, c), (p, d)):
            out[some] += np.einsum("nf,nfg,ng->n", x, matrices[:, :-1, :-1], x, optimize=True)
            out[some] += 2 * np.einsum("nf,nf->n", x, matrices[:, :-1, -1])
            out[some] += matrices[:, -1, -1]
        out[some] += np.einsum("nfg,nfg->n", c[:, :-1, :-1], d[:, :-1, :-1])
    return out * scale**2
