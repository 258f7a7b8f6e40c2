"""Fail if a test was skipped in every job that collected it.

A skip is meant for one job (no kernels there, no tqdm there); a test that no job runs only looks
like one. An installation without compiled kernels does not know their SIMD levels, so there one
test "[cython-...]" is skipped for those that elsewhere run as "[cython-v3-...]" and so on.

Usage: python check_skipped.py REPORT.xml ... (JUnit files of pytest).
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from xml.etree import ElementTree as ET


def outcomes(report: Path) -> dict[str, str | None]:
    """Map each test of a report to the reason of its skip, or to None if it ran."""
    found = {}
    for case in ET.parse(report).iter("testcase"):  # noqa: S314 (our own files)
        skipped = case.find("skipped")
        ran = skipped is None or skipped.get("type") == "pytest.xfail"
        name = f"{case.get('classname')}::{case.get('name')}"
        found[name] = None if ran else skipped.get("message", "no reason given")
    return found


def main(reports: list[str]) -> int:
    """Compare the reports; the exit status is 1 if a test never ran."""
    ran: set[str] = set()
    reasons: dict[str, str] = {}
    for report in reports:
        for name, reason in outcomes(Path(report)).items():
            if reason is None:
                ran |= {name, re.sub(r"cython-(base|v\d)", "cython", name)}
            else:
                reasons[name] = reason

    never_ran = sorted(reasons.keys() - ran)
    for name in never_ran:
        print(f"skipped in every job: {name} ({reasons[name]})")
    print(f"{len(reports)} jobs, {len(never_ran)} tests that none of them ran")
    return 1 if never_ran or not ran else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
