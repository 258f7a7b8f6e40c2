"""Result files: Markdown with a section for each table, replaced when it is measured anew.

And what is kept outside the repository, so that a table is rebuilt without measuring all of it.
"""

from __future__ import annotations

import json
import re

__all__ = ["Kept", "put_section"]


class Kept:
    """Measurements in a JSON file: of a model, in one version, for each fold.

    Parameters
    ----------
    path : pathlib.Path
        Need not exist.
    """

    def __init__(self, path):
        self._path = path
        self._all = {}
        self._read()

    def _read(self):
        if self._path.exists():
            self._all = json.loads(self._path.read_text(encoding="utf-8"))

    def version(self, model, version):
        """Return the version itself, or for None the one that was measured last, if any."""
        return version if version is not None else next(reversed(self._all.get(model, {})), None)

    def get(self, model, version, fold):
        """Return the measurement, None if there is none."""
        return self._all.get(model, {}).get(version, {}).get(fold)

    def put(self, model, version, fold, measurement):
        """Keep a measurement, and write the file at once: a run may be ended at any time."""
        self._read()  # another run may have kept something meanwhile
        self._all.setdefault(model, {}).setdefault(version, {})[fold] = measurement
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.write_text(json.dumps(self._all, indent=1), encoding="utf-8")


def put_section(path, head, section, machine):
    """Print a table and put it into a file, in place of the one with the same title.

    Each has the machine below its title: tables may have been measured at different times.
    """
    title, rest = section.split("\n", 1)
    section = f"{title}\n\n{machine}\n{rest}"
    print(section, flush=True)
    text = path.read_text(encoding="utf-8") if path.exists() else f"{head}\n"
    parts = re.split(r"^(?=## )", text, flags=re.MULTILINE)
    titles = [part.splitlines()[0] if part else "" for part in parts]
    if title in titles:
        parts[titles.index(title)] = section
    else:
        parts.append(section)
    whole = "\n\n".join(part.strip("\n") for part in parts if part.strip())
    path.write_text(whole + "\n", encoding="utf-8")
