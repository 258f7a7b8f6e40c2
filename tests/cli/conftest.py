"""A ratings file, and models fitted to it, for the command line tests."""

import numpy as np
import pytest

from cli.commands import fit
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


@pytest.fixture(scope="session")
def model_file(ratings_file, tmp_path_factory):
    """A model of these ratings."""
    path = tmp_path_factory.mktemp("model") / "model.npz"
    assert fit(ratings_file, "--out", path) == 0
    return path


@pytest.fixture
def write(tmp_path):
    """Write a file and return its path."""

    def write_file(content, name="file.csv"):
        path = tmp_path / name
        path.write_text(content, encoding="utf-8")
        return path

    return write_file
