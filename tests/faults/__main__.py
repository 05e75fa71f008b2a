"""`python tests/faults`: a thousand runs in which something breaks, and a table of what was lost and doubled."""

from __future__ import annotations

import argparse
import platform
import signal
import sys
import time
from collections import defaultdict
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(1, str(Path(__file__).parents[1]))

from kinds import FAULTS, impossible
from run import Counts, Outcome
from runs import HUNDRED, made, tasks


@dataclass
class Line:
    """A line of the table. `seconds`: of all its runs together."""

    runs: int = 0
    failed: int = 0
    seconds: float = 0.0
    counts: Counts = field(default_factory=Counts)

    def add(self, outcome: Outcome, seconds: float) -> None:
        self.runs += 1
        self.failed += bool(outcome.failure)
        self.seconds += seconds
        for name in ("documents", "notices", "lost", "doubled"):
            setattr(self.counts, name, getattr(self.counts, name) + getattr(outcome.counts, name))

    def told(self) -> str:
        c = self.counts
        return f"{self.runs:>6,} | {c.documents:>9,} | {c.notices:>7,} | {c.lost:>4} | {c.doubled:>7} | {self.failed:>6} |"


def main() -> None:
    words = argparse.ArgumentParser(prog="python tests/faults", description=__doc__)
    words.add_argument(
        "--percent", type=float, default=HUNDRED, help="of the runs that the kinds have (default: 100)"
    )
    words.add_argument("--lanes", type=int, default=2, help="runs at once (default: 2)")
    words.add_argument("--seed", type=int, default=1, help="another one makes other runs")
    words.add_argument("--only", default="", help="kinds whose name holds this")
    words.add_argument(
        "--folder", default="", help="where the disks and records are made (default: the temporary folder)"
    )
    words.add_argument("--evidence", default="build/faults", help="where what failed is kept")
    given = words.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # the lanes put away what they have
    begun = time.monotonic()
    lines: dict[tuple[str, str], Line] = defaultdict(Line)
    runs = tasks(given.percent, given.seed, given.only)
    try:
        with closing(made(runs, given.lanes, given.folder, given.evidence)) as outcomes:
            for (number, store, seed), outcome, seconds in outcomes:
                lines[FAULTS[number].name, store].add(outcome, seconds)
                if outcome.failure:
                    say(f"{FAULTS[number].name}, {store}, seed {seed}: {outcome.failure}")
                n = sum(line.runs for line in lines.values())
                if n % 50 == 0:
                    say(f"{n} of {len(runs)} runs after {time.monotonic() - begun:.0f} s")
    finally:  # whoever ends it early sees what there was until then
        wrong = table(lines, time.monotonic() - begun)
    sys.exit(wrong)


def say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


def table(lines: dict[tuple[str, str], Line], seconds: float) -> int:
    """Prints it; the exit code: whether anything was lost or doubled, or failed."""
    total = Line()
    print(
        "| fault                              | store      |   runs | documents | notices | lost | doubled | failed |"
    )
    print(
        "|------------------------------------|------------|-------:|----------:|--------:|-----:|--------:|-------:|"
    )
    for fault in FAULTS:
        for store in fault.stores:
            line = lines.get((fault.name, store), Line())
            if not line.runs:
                if why := impossible(fault):
                    print(f"| {fault.name:<34} | {store:<10} | none: {why}")
                continue
            print(f"| {fault.name:<34} | {store:<10} | {line.told()}")
            total.runs, total.failed = total.runs + line.runs, total.failed + line.failed
            for name in ("documents", "notices", "lost", "doubled"):
                setattr(total.counts, name, getattr(total.counts, name) + getattr(line.counts, name))
    print(f"| {'all':<34} | {'both':<10} | {total.told()}")
    c = total.counts
    print(
        f"\n{total.runs:,} runs in {seconds / 60:.0f} min on {platform.system()} {platform.release()}, Python"
        f" {platform.python_version()}; {c.documents:,} documents acknowledged: {c.lost} lost, {c.doubled} doubled;"
        f" {total.failed} runs failed"
    )
    return int(bool(c.lost or c.doubled or total.failed))


if __name__ == "__main__":
    main()
