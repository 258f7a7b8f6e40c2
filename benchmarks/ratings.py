"""Time and memory of making ratings: 20 million triples with all kinds of ids, files, synthetic.

Run ``python benchmarks/ratings.py``. Every row is measured in a process of its own, on one thread,
in CPU seconds; the peak is what the process took above its inputs (Linux only).
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
from _measure import machine, table

import numpy as np

from matfact import Ratings, make_ratings, read_ratings

N_USERS, N_ITEMS, N_RATINGS = 138_000, 27_000, 20_000_000
N_LINES = 1_000_000


def resident_peak():
    """Return the largest resident size since the last reset, in bytes; 0 where it is not known."""
    status = Path("/proc/self/status")
    if not status.exists():
        return 0
    words = status.read_text().split("VmHWM:")[1].split()
    return 1024 * int(words[0])


def reset_peak():
    path = Path("/proc/self/clear_refs")
    if path.exists():
        path.write_text("5")


def measured(make):
    """Call `make` once: (its result, CPU seconds, bytes above what there was before)."""
    reset_peak()
    before = resident_peak()
    started = time.process_time()
    result = make()
    return result, time.process_time() - started, resident_peak() - before


def shuffled_triples():
    """Draw distinct pairs in random order."""
    ratings = make_ratings(N_USERS, N_ITEMS, N_RATINGS, step=0.5)
    order = np.random.default_rng(0).permutation(N_RATINGS)
    users, items = ratings.users[order], ratings.user_indices[order]
    return users.astype(np.int64), items.astype(np.int64), ratings.user_values[order]


def names(codes, side, dtype=np.str_):
    """Name the codes: user0, user1, ..."""
    known = np.array([f"{side}{number}" for number in range(codes.max() + 1)], dtype=dtype)
    return known[codes]


IDS = {
    "integers, nearly compact": lambda codes, _: 3 * codes + 1,
    "integers, scattered over 64 bits": lambda codes, _: codes * 6_700_417 * 104_729,
    "text, numpy array of fixed width": names,
    "text, objects, few distinct ones": lambda codes, side: names(codes, side, dtype=object),
    "text, objects, one for each row": lambda codes, side: names(codes, side).astype(object),
}


def from_triples(kind):
    """Make ratings of triples, by users and then by items."""
    users, items, values = shuffled_triples()
    users, items = IDS[kind](users, "user"), IDS[kind](items, "item")

    def make():
        ratings = Ratings.from_triples(users, items, values)
        started = time.process_time()
        arrays = (ratings.item_indptr, ratings.item_indices, ratings.item_values)
        seconds.append(time.process_time() - started)
        arrays += (ratings.user_indptr, ratings.user_indices, ratings.user_values)
        return sum(array.nbytes for array in arrays)

    seconds = []
    size, total, peak = measured(make)
    return {
        "seconds": total - seconds[0],
        "by_items": seconds[0],
        "result": size,
        "peak": peak,
    }


def synthetic(shape):
    """Draw synthetic ratings; `shape` is "users items ratings"."""
    result, seconds, peak = measured(lambda: make_ratings(*map(int, shape.split())))
    return {"seconds": seconds, "peak": peak, "what": repr(result)}


def reading(form):
    """Read a file of a million lines: "csv" or "parquet"."""
    ratings = make_ratings(6040, 3706, N_LINES)
    users, items, values = ratings.to_triples()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "ratings")
        if form == "csv":
            lines = np.char.mod("%d", users), np.char.mod("%d", items), np.char.mod("%g", values)
            path.write_text("\n".join(map(",".join, zip(*lines, strict=True))))
        else:
            import pyarrow as pa  # noqa: PLC0415 (optional)
            from pyarrow import parquet  # noqa: PLC0415 (optional)

            parquet.write_table(pa.table({"user": users, "item": items, "rating": values}), path)
        _, seconds, peak = measured(lambda: read_ratings(path))
    return {"seconds": seconds, "peak": peak}


def in_process(what, argument):
    """Run one of the functions above in a process of its own; None if it cannot be run."""
    command = [sys.executable, str(HERE / "ratings.py"), what, argument]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        print(done.stderr, file=sys.stderr)
        return None
    return json.loads(done.stdout)


def triples_table():
    rows = []
    for kind in IDS:
        of = in_process("from_triples", kind)
        target = 3 if "integers" in kind else 15
        rows.append(
            [
                kind,
                f"{of['seconds']:.1f}",
                target,
                f"{of['by_items']:.1f}",
                f"{of['result'] / 1e6:.0f}",
                f"{of['peak'] / of['result']:.1f}",
                4,
            ]
        )
    return table(
        f"Ratings.from_triples, {N_RATINGS:,} rows of {N_USERS:,} x {N_ITEMS:,} in random order",
        [
            "ids",
            "seconds",
            "target",
            "by items, s more",
            "result with both orders, MB",
            "peak / result",
            "target",
        ],
        rows,
    )


def others_table():
    rows = []
    for shape in ("6040 3706 1000000", "69878 10677 10000000"):
        of = in_process("synthetic", shape)
        users, items, ratings = (f"{int(number):,}" for number in shape.split())
        name = f"make_ratings, {users} x {items}, {ratings}"
        rows.append([name, f"{of['seconds']:.1f}", f"{of['peak'] / 1e6:.0f}"])
    for form in ("csv", "parquet"):
        of = in_process("reading", form)
        figures = ["not measured", ""]
        if of is not None:
            figures = [f"{of['seconds']:.2f}", f"{of['peak'] / 1e6:.0f}"]
        rows.append([f"read_ratings, {form}, {N_LINES:,} rows", *figures])
    return table("Synthetic ratings and files", ["what", "seconds", "peak, MB"], rows)


def main():
    """Print all tables and write them to the results."""
    if len(sys.argv) == 3:
        print(json.dumps(globals()[sys.argv[1]](sys.argv[2])))
        return
    parts = ["# Making ratings\n", machine() + "\n"]
    for part in (triples_table, others_table):
        parts.append(part())
        print(parts[-1], flush=True)
    (HERE / "results" / "ratings.md").write_text("\n".join(parts))


if __name__ == "__main__":
    main()
