"""A log served as static files, perhaps another one each time, and a monitor that looks at it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gardesh.exchange.log_source import source
from gardesh.exchange.monitor import ForkFound, Monitor
from gardesh.exchange.static_log import publish
from gardesh.exchange.static_site import Folder
from gardesh.model import fork as forks
from gardesh.model.fork import Fork
from gardesh.model.policy import Policy
from gardesh.model.problem import Problem
from growing import ORIGIN, GrowingLog

KEYS = GrowingLog().keys
POLICY = Policy.of_log(ORIGIN, KEYS)


class Served:
    """A log's folder, and a monitor of it that is opened again for every look."""

    def __init__(self, folder: Path, where: str | None = None) -> None:
        self.folder, self.where = folder / "served", where
        self.state = folder / "state.sqlite"

    def show(self, log: GrowingLog, size: int | None = None) -> Served:
        """Serve this log from here on, in place of what was served."""
        shutil.rmtree(self.folder, ignore_errors=True)
        publish(log.store, log.note(size), Folder(self.folder))
        return self

    def look(self) -> tuple[int, int, list[str]]:
        with self.monitor() as monitor:
            seen = monitor.look()
        return seen.head.size, seen.new, [p.code for p in seen.findings]

    @contextmanager
    def monitor(self) -> Iterator[Monitor]:
        monitor = Monitor(source(self.where or str(self.folder)), POLICY, self.state)
        try:
            yield monitor
        finally:
            monitor.close()

    def refusal(self) -> Problem:
        with pytest.raises(Problem) as problem:
            self.look()
        return problem.value

    def fork(self) -> Fork:
        with pytest.raises(ForkFound, match="log-forked") as found:
            self.look()
        found.value.fork.check(POLICY)
        again = forks.parse(found.value.fork.encode())
        assert again == found.value.fork
        return again

    def heads(self, fork: Fork) -> list[tuple[int, bytes]]:
        return [(h.size, h.root) for h in (POLICY.verify(n).head for n in (fork.first, fork.second))]


def files(folder: Path, under: str) -> list[Path]:
    return sorted(p for p in (folder / under).rglob("*") if p.is_file())
