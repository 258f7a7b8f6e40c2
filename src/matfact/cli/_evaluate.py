"""``python -m matfact evaluate MODEL FILE``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from matfact.cli._errors import UsageError
from matfact.cli._files import ratings_of, saved_model
from matfact.cli._fit import limited
from matfact.cli._ids import ids_like
from matfact.cli._report import describe_data, describe_errors, describe_ranking, ranking_by
from matfact.evaluation._predicting import predicted_ratings
from matfact.ratings import IdMap

if TYPE_CHECKING:
    import argparse

__all__ = ["run"]


def run(arguments: argparse.Namespace) -> None:
    """Compare a model's predictions, or its lists, with the ratings of a file.

    Raises
    ------
    ModelFileError, RatingsFileError, UsageError
        If a file is faulty or cannot be read as asked.
    """
    model = saved_model(arguments.model)
    ratings = ratings_of(arguments)
    print(describe_data(arguments.file.name, ratings))
    user_ids = ids_like(model.user_ids_, ratings.user_ids.ids)
    item_ids = ids_like(model.item_ids_, ratings.item_ids.ids)
    new_users = model.user_ids_.positions(user_ids, unknown="ignore") < 0
    new_items = model.item_ids_.positions(item_ids, unknown="ignore") < 0
    if arguments.ranking:
        if model.ratings_ is None:
            raise UsageError(
                f"{arguments.model} was saved without its ratings, which tell what users have seen"
            )
        with limited(arguments.threads):
            test = ratings.with_ids(IdMap(user_ids), IdMap(item_ids))
            lists = ranking_by(model, test, arguments.k, arguments.at_least)
        print(describe_ranking("lists without what users have seen", lists, arguments.k))
        return
    users, items = ratings.users, ratings.user_indices
    if new_users.any() or new_items.any():
        n_pairs = np.count_nonzero(new_users[users] | new_items[items])
        print(
            f"unknown to the model: {np.count_nonzero(new_users)} users and "
            f"{np.count_nonzero(new_items)} items, in {n_pairs} ratings; they are predicted as "
            "average ones"
        )
    with limited(arguments.threads):
        predicted = predicted_ratings(model, user_ids[users], item_ids[items], ratings)
    by = {f"{type(model).__name__} of {model.n_factors_} factors": predicted}
    print(describe_errors("error", ratings.user_values, by))
