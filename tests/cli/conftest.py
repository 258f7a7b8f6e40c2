"""The ratings file of the command line tests."""

import pytest

from matfact.ratings.synthetic import synthetic_ratings


@pytest.fixture(scope="session")
def ratings_file(tmp_path_factory):
    """A file of synthetic ratings; users have numbers, items have names."""
    table = synthetic_ratings(120, 90, 3000, random_state=3)
    path = tmp_path_factory.mktemp("data") / "ratings.csv"
    lines = ["user,item,rating,time"]
    for user, item, value in zip(table.users, table.items, table.values, strict=True):
        lines.append(f"{user + 1},film {item},{value:g},7")
    path.write_text("\n".join(lines), encoding="utf-8")
    return path
