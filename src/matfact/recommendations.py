"""What `recommend` returns for many users: lists with the ids of users and items."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

__all__ = ["Recommendations"]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Recommendations:
    """Lists of items for users, each as long as it is; made by ``model.recommend``.

    A sequence of triples (user, items, scores), one for each user.

    Parameters
    ----------
    users : ndarray of shape (n_users,)
        Ids of the users (or of the items to which similar ones were asked for).
    indptr : ndarray of int64, shape (n_users + 1,)
        List r is at ``indptr[r]:indptr[r + 1]`` of the other arrays.
    items : ndarray of shape (n_entries,)
        Ids, in each list the best first.
    item_positions : ndarray of int32, shape (n_entries,)
        Positions of the items in the model's ``item_ids_``.
    scores : ndarray of float64, shape (n_entries,)
        Predictions without clipping, or similarities.

    Examples
    --------
    >>> from matfact import ALS, make_ratings
    >>> model = ALS(n_factors=4, random_state=0).fit(make_ratings(60, 40, 900, random_state=0))
    >>> lists = model.recommend([5, 7], n=3)
    >>> len(lists), len(lists.items)
    (2, 6)
    >>> for user, items, scores in lists:
    ...     assert len(items) == len(scores) == 3
    """

    users: NDArray[Any]
    indptr: NDArray[np.int64]
    items: NDArray[Any]
    item_positions: NDArray[np.int32]
    scores: NDArray[np.float64]

    def __post_init__(self) -> None:
        """Let nobody write to the arrays."""
        for array in (self.users, self.indptr, self.items, self.item_positions, self.scores):
            array.flags.writeable = False

    def __len__(self) -> int:
        """Return the number of users."""
        return len(self.users)

    def __getitem__(self, place: int) -> tuple[Any, NDArray[Any], NDArray[np.float64]]:
        """Return user, items and scores of one list."""
        place = range(len(self))[place]
        entries = slice(self.indptr[place], self.indptr[place + 1])
        (user,) = self.users[place : place + 1].tolist()
        return user, self.items[entries], self.scores[entries]

    def __iter__(self) -> Iterator[tuple[Any, NDArray[Any], NDArray[np.float64]]]:
        """Yield user, items and scores of each list."""
        return map(self.__getitem__, range(len(self)))

    def __repr__(self) -> str:
        """Show the number of lists and of their entries."""
        return f"<Recommendations: {len(self)} lists, {len(self.items)} entries>"

    def to_triples(self) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.float64]]:
        """Return users, items and scores of all entries.

        Returns
        -------
        users, items, scores : ndarray of shape (n_entries,)
            List after list, in each the best first.
        """
        return np.repeat(self.users, np.diff(self.indptr)), self.items, self.scores

    def to_frame(self, *, user: str = "user", item: str = "item", score: str = "score") -> Any:
        """Return a pandas DataFrame with a row for each entry. Needs pandas.

        Parameters
        ----------
        user, item, score : str
            Names of the columns.

        Returns
        -------
        pandas.DataFrame
            List after list, in each the best first.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        try:
            import pandas as pd  # noqa: PLC0415 (optional)
        except ImportError as error:
            raise ImportError(
                "to_frame needs pandas (python -m pip install pandas); to_triples does without"
            ) from error
        columns = zip((user, item, score), self.to_triples(), strict=True)
        return pd.DataFrame({name: array.copy() for name, array in columns})
