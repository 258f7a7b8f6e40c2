"""The ratings file of the command line tests."""

import numpy as np
import pytest

from matfact import make_ratings


@pytest.fixture(scope="session")
def ratings_file(tmp_path_factory):
    """A file of synthetic ratings; users have numbers, items have names."""
    users, items, values = make_ratings(120, 90, 3000, n_factors=4, random_state=4).to_triples()
    path = tmp_path_factory.mktemp("data") / "ratings.csv"
    lines = ["user,item,rating,time"]
    lines += [
        f"{users[row] + 1},film {items[row]},{values[row]:g},7"
        for row in np.random.default_rng(3).permutation(len(values))
    ]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path
