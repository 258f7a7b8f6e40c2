"""The result of a ranking evaluation: metrics of each user, their means and errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ["RankingScores"]


@dataclass(frozen=True, slots=True, eq=False)
class RankingScores:
    r"""How good the lists of some users are; ``print`` shows a table.

    With h the number of relevant items among the first k of a list, R the number of the user's
    relevant items and the i-th place of the list hit (:math:`r_i = 1`) or not:

    =============  ==============================================================================
    ndcg           :math:`\sum_{i \le k} r_i / \log_2(i + 1)` over its largest possible value
    recall         h / R
    capped_recall  h / min(k, R): Recall@k of Liang et al. [1]_
    precision      h / k, also where a list is shorter
    hit_rate       1 if h > 0, else 0
    map            :math:`\sum_{i \le k} r_i h_i / i` over min(k, R), :math:`h_i` the hits up to i
    mrr            1 / i of the first hit, 0 if there is none
    auc            share of pairs of a relevant and another item of the catalogue that are in order;
                   what is below the list counts as in random order there, as in implicit; 0.5
                   where there are no other items
    =============  ==============================================================================

    Attributes
    ----------
    k : tuple of int
        Lengths of the lists that were looked at.
    users : ndarray
        Ids of the users with relevant items; no others count.
    scores : dict of str to ndarray of shape (n_users,)
        Metric of each user by name, such as "ndcg\@10".
    coverage : dict of int to float
        For each k the share of the catalogue that is in the first k of any list.
    n_without : int
        Users that were left out, as the model does not know them or nothing of theirs is relevant.

    References
    ----------
    .. [1] D. Liang, R. Krishnan, M. Hoffman, T. Jebara, "Variational Autoencoders for Collaborative
       Filtering", WWW 2018.
    """

    k: tuple[int, ...]
    users: NDArray[Any]
    scores: Mapping[str, NDArray[np.float64]]
    coverage: Mapping[int, float]
    n_without: int

    def mean(self, metric: str) -> float:
        """Return the mean of a metric over the users.

        Parameters
        ----------
        metric : str
            Such as "ndcg@10".

        Returns
        -------
        float
            0 if there are no users.

        Raises
        ------
        KeyError
            If it was not computed.
        """
        values = self._values(metric)
        return float(values.mean()) if len(values) else 0.0

    def standard_error(self, metric: str) -> float:
        """Return the standard error of the mean of a metric over the users.

        Parameters
        ----------
        metric : str
            Such as "ndcg@10".

        Returns
        -------
        float
            NaN for fewer than two users.

        Raises
        ------
        KeyError
            If it was not computed.
        """
        values = self._values(metric)
        if len(values) < 2:
            return float("nan")
        return float(values.std(ddof=1) / np.sqrt(len(values)))

    def _values(self, metric: str) -> NDArray[np.float64]:
        if metric not in self.scores:
            known = ", ".join(map(repr, self.scores))
            raise KeyError(f"there is no metric {metric!r}; there are {known}")
        return self.scores[metric]

    def to_dict(self) -> dict[str, float]:
        """Return the means of all metrics, and the coverage, by name.

        Returns
        -------
        dict of str to float
        """
        means = {name: self.mean(name) for name in self.scores}
        return means | {f"coverage@{k}": share for k, share in self.coverage.items()}

    def __str__(self) -> str:
        """Return a table of means and standard errors."""
        lines = [f"{len(self.users)} users" + f", {self.n_without} left out" * bool(self.n_without)]
        for name, mean in self.to_dict().items():
            error = f" +- {self.standard_error(name):.4f}" if name in self.scores else ""
            lines.append(f"  {name:<18}{mean:.4f}{error}")
        return "\n".join(lines)
