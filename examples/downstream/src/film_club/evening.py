"""Choosing a film that all members will like."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from matfact import ALS, Ratings, load
from matfact.exceptions import DivergenceError, UnknownIdError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray


@dataclass(frozen=True)
class Evening:
    """A film, and what each member is expected to think of it."""

    film: str
    expected: Mapping[str, float]


def train(votes: Sequence[tuple[str, str, float]], path: Path) -> ALS:
    """Fit a model to (member, film, stars), and keep it in a file."""
    members, films, stars = zip(*votes, strict=True)
    ratings = Ratings.from_triples(members, films, stars, duplicates="last")
    try:
        model = ALS(n_factors=8, random_state=0).fit(ratings)
    except DivergenceError as error:
        raise RuntimeError(f"epoch {error.epoch}") from error
    model.save(path)
    return model


def plan_evening(path: Path, members: Sequence[str], n: int = 20) -> Evening:
    """Pick the film with the highest lowest prediction among the members."""
    model = load(path)
    unseen: set[str] = set()
    for member in members:
        try:
            films, _ = model.recommend(member, n=n)
        except UnknownIdError:
            continue  # a guest: happy with whatever the others see
        unseen |= set(films.tolist())
    films_in_order = sorted(unseen)
    table: NDArray[np.float64] = np.array(
        [model.predict(m, films_in_order, unknown="mean") for m in members]
    )
    best = int(table.min(axis=0).argmax())
    expected = dict(zip(members, table[:, best].tolist(), strict=True))
    return Evening(films_in_order[best], expected)
