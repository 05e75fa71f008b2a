"""Measuring and printing: rates, ratios, and the machine they were measured on."""

from __future__ import annotations

import os
import platform
import resource
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field


@dataclass
class Table:
    """Rows of (what, figure, its spread, unit, beside the roofline, target)."""

    rows: list[tuple[str, str, str, str, str, str]] = field(default_factory=list)

    def add(
        self,
        what: str,
        figure: float | Sequence[float],
        unit: str,
        ratio: float | Sequence[float] | None = None,
        target: str = "",
    ) -> None:
        """Of several runs the median, with the lowest and the highest; a ratio is that of each run by itself."""
        runs = [figure] if isinstance(figure, float | int) else list(figure)
        spread = f"{number(min(runs))} – {number(max(runs))}" if len(runs) > 1 else ""
        part = ""
        if ratio is not None:
            part = f"{(ratio if isinstance(ratio, float) else statistics.median(ratio)) * 100:.0f} %"
        self.tell(what, number(statistics.median(runs)), unit, spread, part, target)

    def tell(
        self, what: str, shown: str, unit: str, spread: str = "", part: str = "", target: str = ""
    ) -> None:
        """A row as it is to be read."""
        self.rows.append((what, shown, spread, unit, part, target))
        print(f"  {what}: {shown} {unit}" + (f" ({part} of the roofline)" if part else ""), flush=True)

    def text(self) -> str:
        heads = ("what", "figure", "lowest – highest", "unit", "of the roofline", "target")
        rows = [heads, *self.rows]
        widths = [max(len(r[i]) for r in rows) for i in range(len(heads))]
        lines = ["| " + " | ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)) + " |" for r in rows]
        lines.insert(1, "|" + "|".join("-" * (w + 2) for w in widths) + "|")
        return "\n".join(lines)


def number(figure: float) -> str:
    return f"{figure:,.0f}" if figure >= 100 else f"{figure:,.2f}"


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
    return f"{name}, {os.cpu_count()} cores, Python {platform.python_version()}, {load()}"


def load() -> str:
    """How busy the machine is, with this run and whatever else runs on it."""
    return f"load {os.getloadavg()[0]:.1f}"


def memory_mb() -> float:
    """The greatest resident memory of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
