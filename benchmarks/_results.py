"""Result files: Markdown with a section for each table, replaced when it is measured anew."""

from __future__ import annotations

import re

__all__ = ["put_section"]


def put_section(path, head, section, machine):
    """Print a table and put it into a file, in place of the one with the same title.

    Each has the machine below its title: tables may have been measured at different times.
    """
    title, rest = section.split("\n", 1)
    section = f"{title}\n\n{machine}\n{rest}"
    print(section, flush=True)
    text = path.read_text(encoding="utf-8") if path.exists() else f"{head}\n"
    parts = re.split(r"^(?=## )", text, flags=re.MULTILINE)
    titles = [part.splitlines()[0] for part in parts if part]
    if title in titles:
        parts[titles.index(title)] = section + "\n"
    else:
        parts.append(section + "\n")
    path.write_text("".join(parts).rstrip("\n") + "\n", encoding="utf-8")
