"""Random splits of ratings into a training, a validation and a test part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Split", "random_split"]


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Positions of the ratings in each part; every rating is in exactly one part.

    Attributes
    ----------
    train, validation, test : ndarray of int64, ascending
        Positions in the arrays of ratings. `validation` and `test` may be empty.
    """

    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    test: NDArray[np.int64]


def random_split(
    n_ratings: int, *, test: float, validation: float, rng: np.random.Generator
) -> Split:
    """Split ratings at random, each rating with the same chance.

    The test part is drawn first and does not depend on `validation`.

    Parameters
    ----------
    n_ratings : int
        Number of ratings, at least 1.
    test : float
        Share of the ratings for the test part, 0 <= test < 1; rounded to whole ratings.
    validation : float
        Share of the remaining ratings for the validation part, 0 <= validation < 1; rounded, but
        at least one rating if `validation` is not 0 and two ratings remain.
    rng : numpy.random.Generator
        The source of randomness.

    Returns
    -------
    Split
        The positions of each part; the training part has at least one.

    Raises
    ------
    ValueError
        If a share is out of range or there is no rating.

    Examples
    --------
    >>> import numpy as np
    >>> split = random_split(10, test=0.2, validation=0.25, rng=np.random.default_rng(0))
    >>> len(split.train), len(split.validation), len(split.test)
    (6, 2, 2)
    """
    if n_ratings < 1:
        raise ValueError(f"n_ratings is {n_ratings}; a split needs at least 1 rating")
    for name, share in (("test", test), ("validation", validation)):
        if not 0.0 <= share < 1.0:
            raise ValueError(f"{name} is {share}; give a share of the ratings, 0 <= {name} < 1")
    order = rng.permutation(n_ratings)
    n_test = min(round(test * n_ratings), n_ratings - 1)
    rest = n_ratings - n_test
    n_validation = min(round(validation * rest), rest - 1)
    if validation > 0.0 and n_validation == 0 and rest > 1:
        n_validation = 1
    order[:n_test].sort()
    order[n_test : n_test + n_validation].sort()
    order[n_test + n_validation :].sort()
    return Split(
        train=order[n_test + n_validation :],
        validation=order[n_test : n_test + n_validation],
        test=order[:n_test],
    )
