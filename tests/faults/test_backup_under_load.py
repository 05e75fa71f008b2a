"""Backups while others submit: each is an exact prefix of the log, and passes the audit."""

from __future__ import annotations

import itertools
import threading
from pathlib import Path

import pytest

import stores
from backed_up import Kept, restore
from gardesh.model.problem import Problem
from gardesh.record import backup_manifest
from gardesh.record.backup import Made
from gardesh.record.store import Store
from market import HOUR, Market, application, explains_itself

pytestmark = pytest.mark.store
THREADS, BACKUPS = 3, 5
COLUMNS = "position, digest, recorded_at, case_id, signed"


class Load:
    """Threads that submit applications, and let time pass, until they are told to stop."""

    def __init__(self, kept: Kept) -> None:
        self.kept, self.stop = kept, threading.Event()
        self.numbers, self.faults = itertools.count(), list[BaseException]()
        self.threads = [threading.Thread(target=self._work) for _ in range(THREADS)]

    def __enter__(self) -> Load:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        for thread in self.threads:
            thread.join()
        assert self.faults == []

    def _work(self) -> None:
        market = self.kept.market
        try:
            while not self.stop.is_set():
                number = next(self.numbers)
                wish = application("sara", reference=f"L-{number}", goods=[{"kind": "food"}])
                market.node.intake.submit(
                    market.paper("sara", "application", wish), market.now + number * HOUR
                )
        except BaseException as fault:  # noqa: BLE001 (told by the test)
            self.faults.append(fault)


def backed_up(kept: Kept, url: str) -> list[Made]:
    """Backups with a store of their own, each after something new was submitted."""
    made: list[Made] = []
    while len(made) < BACKUPS:
        store = Store(url)
        done = kept.back_up(store=store)
        store.close()
        if done.documents:
            made.append(done)
    return made


def test_every_backup_under_load_is_a_prefix_of_the_log_that_passes_the_audit(tmp_path: Path) -> None:
    url = stores.place(tmp_path)
    kept = Kept(tmp_path, Store(url, create=True))
    kept.a_history()
    with Load(kept):
        made = backed_up(kept, url)
    assert len({m.size for m in made}) == BACKUPS
    final = kept.market.node.log.size
    assert made[-1].size <= final
    log = [tuple(row) for row in kept.market.store.rows(f"SELECT {COLUMNS} FROM documents ORDER BY position")]
    for n, done in enumerate(made):
        home = tmp_path / str(n)
        restore(kept.opened(done.size), home)
        market = Market.opened(Store(str(home / "node.sqlite")))
        rows = market.store.rows(f"SELECT {COLUMNS} FROM documents ORDER BY position")
        assert [tuple(row) for row in rows] == log[: done.size]
        assert market.node.log.edge.root().hex() == done.root
        head = market.policy.verify(market.node.log.checkpoint(market.now)).head
        assert (head.size, head.root.hex()) == (done.size, done.root)
        explains_itself(market.node)
        market.node.close()
    explains_itself(kept.market.node)


def test_backups_at_once_under_load_leave_one_unbroken_history(tmp_path: Path) -> None:
    url = stores.place(tmp_path)
    kept = Kept(tmp_path, Store(url, create=True))
    outcomes: list[str] = []

    def many() -> None:
        for _ in range(BACKUPS):
            store = Store(url)
            try:
                outcomes.append("new" if kept.back_up(store=store).new else "same")
            except Problem as problem:
                outcomes.append(problem.code)
            store.close()

    with Load(kept):
        threads = [threading.Thread(target=many) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(outcomes) == 3 * BACKUPS
    assert set(outcomes) <= {"new", "same", "backup-overtaken"}
    assert backup_manifest.numbers(kept.place) == list(range(1, outcomes.count("new") + 1))
    done = restore(kept.opened(), tmp_path / "new")
    market = Market.opened(Store(str(tmp_path / "new" / "node.sqlite")))
    assert market.node.log.size == done.size
    explains_itself(market.node)
    market.node.close()
