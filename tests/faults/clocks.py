"""The clock of the machine jumps, forward and back, under a node that serves and sends notices."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from consuming import Receiver, hooked, settled
from run import Run

SECOND, HOUR, DAY = 1_000_000_000, 3_600_000_000_000, 86_400_000_000_000
JUMPS = (-40 * DAY, -HOUR, -5 * SECOND, 5 * SECOND, HOUR, 4 * DAY, 40 * DAY)
LATE = frozenset(
    (
        *("window-closed", "slot-taken", "needs-not-met", "basis-changed", "slot-not-due", "case-closed"),
        *("case-withdrawn", "no-such-case"),
    )
)
"""What a paper is refused with for good when the days that it had are over; or the case that it would be of was."""


class Clock:
    """A clock that is off by what the file says, in ns. Set in a process in place of its own."""

    def __init__(self, file: Path, unit: int = 1) -> None:
        """`unit`: how many ns; of one it is a whole number, of others not."""
        self.file, self.unit = file, unit

    def __call__(self) -> float:
        now = time.clock_gettime_ns(time.CLOCK_REALTIME) + int(self.file.read_bytes())
        return now if self.unit == 1 else now / self.unit

    def off(self, by: int) -> None:
        aside = self.file.with_suffix(".new")
        aside.write_bytes(b"%d" % by)
        os.replace(aside, self.file)

    def times(self) -> Mapping[str, Any]:
        return {"time:time_ns": self, "time:time": Clock(self.file, SECOND)}


def clock_jumps(run: Run) -> None:
    """Documents are taken all the while, none is recorded before the one in front of it, and when the clock is right again
    notices are sent."""
    clock = Clock(run.logs / "clock")
    clock.off(0)
    times = {**clock.times(), "gardesh.web.sender:LOOK": 0.05}
    service, deaths = run.serve(times), 1
    with Receiver(run.dice) as receiver, run.circulation(20, pause=0.01, never=LATE) as circulation:
        hook = hooked(run, receiver)
        for _ in range(3):
            run.moment(circulation, 2, 10)
            clock.off(run.dice.choice(JUMPS))
            if run.dice.random() < 0.4:
                service.kill()
                deaths += 1
                service = run.serve(times)
        circulation.more(5)
        clock.off(0)
        service.kill()
        run.serve(times)
        circulation.more(5)
        settled(run, hook, receiver, deaths)
    market = run.market()
    told = [at for (at,) in market.store.rows("SELECT recorded_at FROM documents ORDER BY position")]
    market.store.close()
    assert told == sorted(told)
