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
    titles = [part.splitlines()[0] if part else "" for part in parts]
    if title in titles:
        parts[titles.index(title)] = section
    else:
        parts.append(section)
    whole = "\n\n".join(part.strip("\n") for part in parts if part.strip())
    path.write_text(whole + "\n", encoding="utf-8")
