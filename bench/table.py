"""Measuring and printing: rates, ratios, and the machine they were measured on."""

from __future__ import annotations

import os
import platform
import resource
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Table:
    """Rows of (what, figure, unit, beside the roofline, target)."""

    rows: list[tuple[str, str, str, str, str]] = field(default_factory=list)

    def add(self, what: str, figure: float, unit: str, ratio: float | None = None, target: str = "") -> None:
        shown = f"{figure:,.0f}" if figure >= 100 else f"{figure:,.2f}"
        self.rows.append((what, shown, unit, f"{ratio * 100:.0f} %" if ratio is not None else "", target))
        print(
            f"  {what}: {shown} {unit}"
            + (f" ({ratio * 100:.0f} % of the roofline)" if ratio is not None else ""),
            flush=True,
        )

    def text(self) -> str:
        heads = ("what", "figure", "unit", "of the roofline", "target")
        rows = [heads, *self.rows]
        widths = [max(len(r[i]) for r in rows) for i in range(5)]
        lines = ["| " + " | ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)) + " |" for r in rows]
        lines.insert(1, "|" + "|".join("-" * (w + 2) for w in widths) + "|")
        return "\n".join(lines)


def seconds(work: Callable[[], object], times: int = 3) -> float:
    """The median of several runs, in seconds."""
    spent = []
    for _ in range(times):
        begun = time.perf_counter()
        work()
        spent.append(time.perf_counter() - begun)
    return statistics.median(spent)


def machine() -> str:
    name = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as info:
            name = next(line.partition(":")[2].strip() for line in info if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    return f"{name}, {os.cpu_count()} cores, Python {platform.python_version()}"


def memory_mb() -> float:
    """The greatest resident memory of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
