"""Timing that can be trusted on a shared machine, and tables of it.

Compared things run in turns in one process; what is reported are medians and the ratio of medians.
One thread is measured in CPU seconds of the process, several threads in wall seconds.
"""

from __future__ import annotations

import os
import platform
import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING

# Before numpy is imported: its BLAS gets one thread, and the kernels that suit the machine.
os.environ["OPENBLAS_NUM_THREADS"] = "1"
for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
    os.environ.pop(name, None)

import numpy as np

import matfact

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["cpu", "machine", "medians", "table"]


def medians(
    candidates: Mapping[str, Callable[[], object]],
    *,
    rounds: int = 7,
    clock: Callable[[], float] = time.process_time,
) -> dict[str, float]:
    """Call the candidates in turns, `rounds` times each, and return their median seconds."""
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    for _ in range(rounds):
        for name, call in candidates.items():
            start = clock()
            call()
            seconds[name].append(clock() - start)
    return {name: statistics.median(times) for name, times in seconds.items()}


def machine() -> str:
    """Describe what the figures were measured on."""
    info = matfact.backend_info()
    return (
        f"{cpu()}, {os.cpu_count()} cores; {info.compiler}; CPython {platform.python_version()}, "
        f"numpy {np.__version__}; matfact {matfact.__version__}, backend {info.backend}, "
        f"SIMD level {info.simd_level}; {time.strftime('%Y-%m-%d')}"
    )


def cpu() -> str:
    """Return the name of the processor."""
    cpuinfo = Path("/proc/cpuinfo")
    name = platform.processor() or platform.machine()
    if cpuinfo.exists():
        lines = cpuinfo.read_text().splitlines()
        name = next((line.split(": ")[1] for line in lines if line.startswith("model name")), name)
    return name


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Format a Markdown table."""
    lines = [f"## {title}", "", "| " + " | ".join(columns) + " |", "|---" * len(columns) + "|"]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"
