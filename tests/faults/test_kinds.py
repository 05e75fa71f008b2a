"""Each kind of fault once: nothing that was acknowledged is lost or doubled. `make faults` makes a thousand such runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from kinds import FAULTS, impossible
from lane import Lane
from run import Fault, Run, one

import stores
from gardesh.record.sqlite import SETTINGS

pytestmark = pytest.mark.store
HERE = [fault for fault in FAULTS if stores.kind in fault.share]


@pytest.fixture(scope="module")
def lane() -> Iterator[Lane]:
    if stores.kind == "postgresql":
        stores.database()  # or why there is no server
    made = Lane()
    yield made
    made.close()


def possible(fault: Fault) -> Fault:
    if why := impossible(fault):
        pytest.skip(f"no disk can be mounted: {why}")
    return fault


@pytest.mark.parametrize("fault", HERE, ids=lambda fault: fault.name.replace(" ", "-"))
def test_nothing_is_lost_or_doubled(lane: Lane, fault: Fault, tmp_path: Path) -> None:
    outcome = one(lane, possible(fault), stores.kind, 3, tmp_path)
    assert outcome.failure == ""
    assert outcome.counts.documents > 0


def by_name(name: str) -> Fault:
    return next(fault for fault in FAULTS if fault.name == name)


def test_what_is_lost_and_what_is_doubled_is_counted(lane: Lane) -> None:
    run = Run(lane, stores.kind, 1)
    try:
        run.serve()
        with run.circulation() as circulation:
            circulation.more(20)
        assert run.service is not None
        run.service.kill()
        market = run.market()
        run._count(market.store)
        assert (run.counts.lost, run.counts.doubled) == (0, 0)
        newest = market.store.one("SELECT max(position) FROM documents")[0]
        with market.store.writing():
            market.store.run("DELETE FROM documents WHERE position = ?", newest)
        other = next(told for told in run.heard.accepted.values() if told[0][0] != newest)
        other.append((other[0][0] + 1, other[0][1]))
        run._count(market.store)
        market.store.close()
        assert (run.counts.lost, run.counts.doubled) == (1, 1)
    finally:
        run.clean()


@pytest.mark.sqlite
def test_a_store_that_does_not_wait_for_its_disk_is_found_out(lane: Lane, tmp_path: Path) -> None:
    fault = possible(by_name("power cut"))
    hasty = tuple(s.replace("synchronous=FULL", "synchronous=OFF") for s in SETTINGS)
    assert hasty != SETTINGS
    outcome = one(lane, fault, "sqlite", 3, tmp_path, {"gardesh.record.sqlite:SETTINGS": hasty})
    assert outcome.failure
