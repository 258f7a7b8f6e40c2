"""Use the installed package once: `python check.py`."""

import random
import tempfile
from pathlib import Path

from film_club import plan_evening
from film_club.evening import train

random.seed(0)
votes = [
    (f"member {m}", f"film {f:02}", float(random.choice([1, 2, 3, 4, 5])))
    for m in range(12)
    for f in random.sample(range(30), 12)
]
with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "club.npz"
    model = train(votes, path)
    evening = plan_evening(path, ["member 1", "member 7", "a guest"])
assert evening.film.startswith("film ")
assert all(1 <= stars <= 5 for stars in evening.expected.values())
print(evening)
