"""Cases of another node whose files were refused here so far: tried again, further and further apart."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

MOST = 10_000
"""How many cases of one node wait at most; beyond, the one that was tried most often is let go."""
LONGEST = 3_600_000
"""The longest pause between two tries, in ms."""


class Try(msgspec.Struct):
    """Why it was refused last, how often it was, and when (ms) it is tried next."""

    code: str
    tries: int
    next_at: int


class Awaiting:
    """Kept in a file; `keep` makes what was noted durable, and is harmless when nothing was."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._changed = False
        try:
            self.cases = msgspec.json.decode(file.read_bytes(), type=dict[str, Try])
        except FileNotFoundError:
            self.cases = {}
        except msgspec.MsgspecError:  # what it tells can be found again: by bringing the files
            self.cases = {}

    def due(self, now: int, most: int) -> list[str]:
        """The cases to be tried now, those that wait longest first."""
        found = [(t.next_at, case) for case, t in self.cases.items() if t.next_at <= now]
        return [case for _, case in sorted(found)[:most]]

    def refused(self, case: str, code: str, now: int) -> bool:
        """Try it again later. Returns whether it was refused for another reason before, or for none."""
        known = self.cases.pop(case, None)
        tries = known.tries + 1 if known is not None and known.code == code else 1
        if len(self.cases) >= MOST:
            self.cases.pop(max(self.cases, key=lambda name: self.cases[name].tries))
        self.cases[case] = Try(code, tries, now + min(1000 << min(tries, 20), LONGEST))
        self._changed = True
        return known is None or known.code != code

    def done(self, case: str) -> None:
        if self.cases.pop(case, None) is not None:
            self._changed = True

    def keep(self) -> None:
        """Written beside it first, so that a crash leaves the one or the other."""
        if not self._changed:
            return
        beside = self.file.with_suffix(".new")
        with beside.open("wb") as out:
            out.write(msgspec.json.encode(self.cases))
            out.flush()
            os.fsync(out.fileno())
        beside.replace(self.file)
        self._changed = False
