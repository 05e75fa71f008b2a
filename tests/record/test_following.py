"""A record that is only read: what it has of the log, and that nothing is written or signed through it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import stores
from gardesh.model import receipt
from gardesh.model.document import parse
from gardesh.model.problem import Problem
from gardesh.record.clock import Clock
from gardesh.record.database import with_parameter
from gardesh.record.following import FollowedStore
from gardesh.record.store import Store
from gardesh.replica import Replica
from market import CLOCK_KEY, DAY, HOUR, Market, application, record_keys
from wrong_papers import signed

OF = "https://node.example"
pytestmark = pytest.mark.store


class Both:
    """A market, and a replica of its node over the same database."""

    def __init__(self, folder: Path) -> None:
        self.place = stores.place(folder)
        self.market = Market(Store(self.place, create=True))
        self.replica = self.again()

    def again(self) -> Replica:
        written = self.place
        store = FollowedStore(self.place)
        store.unlock(record_keys)
        return Replica(store, lambda: Store(written), OF, Clock("clock", CLOCK_KEY))

    def follow(self) -> None:
        self.replica.pass_time(self.market.now)


@pytest.fixture
def both(tmp_path: Path) -> Iterator[Both]:
    made = Both(tmp_path)
    yield made
    made.replica.close()
    made.market.node.close()


def test_it_proves_what_a_stored_checkpoint_covers_and_nothing_else(both: Both) -> None:
    market, replica = both.market, both.replica
    first = market.submit(signed(market))
    both.follow()
    at = [(first.position, first.recorded_at)]
    assert replica.log.size == first.position
    with pytest.raises(Problem, match="not-proven-yet") as refused:
        replica.sequencer.receipts(at)
    assert refused.value.params == {"position": first.position, "size": first.position}
    market.node.pass_time(market.now)
    both.follow()
    assert replica.log.size == first.position  # it was just written: the next look finds it quiet
    market.node.pass_time(market.now)
    both.follow()
    (proof,) = replica.sequencer.receipts(at)
    head = market.policy.verify(proof.checkpoint).head
    assert receipt.check(proof, first.digest, head).position == first.position
    assert proof.checkpoint == market.node.log.note
    stored = market.store.one("SELECT count(*) FROM checkpoints")
    for _ in range(3):
        market.node.pass_time(market.now)
    assert market.store.one("SELECT count(*) FROM checkpoints") == stored


def test_it_sees_cases_as_they_go_on(both: Both) -> None:
    market, replica = both.market, both.replica
    market.area()
    case = market.do("ali", "application", application(sites=["north"]))
    with pytest.raises(Problem, match="no-such-case"):
        replica.sequencer.cases.get("0" * 64)
    assert replica.sequencer.follow()
    before = replica.sequencer.cases.get(case).position
    market.wait(3 * DAY + HOUR)
    market.do("traffic", "site-visit", {"site": "north"}, case, key="north")
    assert replica.sequencer.follow()
    assert not replica.sequencer.follow()
    assert (
        replica.sequencer.cases.get(case).position == market.node.sequencer.cases.get(case).position > before
    )
    assert replica.sequencer.last_at == market.node.sequencer.last_at
    assert replica.sequencer.wakes == []


def test_nothing_is_written_through_it(both: Both) -> None:
    market, replica = both.market, both.replica
    both.follow()
    with pytest.raises(Problem, match="read-only") as refused:
        replica.intake.submit(signed(market), market.now)
    assert refused.value.params == {"url": OF}
    with pytest.raises(Problem, match="store-unusable"), replica.store.writing():
        pass
    for act in (lambda: replica.log.key, lambda: replica.log.cose_receipt(0, bytes(32), 0)):
        with pytest.raises(Problem, match="read-only"):
            act()
    assert replica.log.vkeys == market.node.log.vkeys


def test_who_reads_is_on_record_or_gets_nothing(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    market, replica = both.market, both.replica
    accepted = market.submit(signed(market))
    both.follow()
    paper, _ = replica.read("ali", accepted.digest.hex(), "a look", market.now)
    assert parse(paper.data).digest == accepted.digest
    rows = market.store.rows("SELECT reader, position, purpose FROM reads")
    assert rows == [("ali", accepted.position, "a look")]
    other, tried = both.again(), []

    def away() -> Store:
        tried.append(1)
        raise Problem("store-unusable", url="x", reason="it is away")

    monkeypatch.setattr(other, "_open_written", away)
    for _ in range(3):
        with pytest.raises(Problem, match="store-unusable"):
            other.read("ali", accepted.digest.hex(), "another look", market.now)
    assert tried == [1]
    other.close()
    assert market.store.rows("SELECT reader, position, purpose FROM reads") == rows


def test_a_record_of_another_schema_is_not_touched(both: Both) -> None:
    both.market.store.run("UPDATE alembic_version SET version_num = '0001'")
    with pytest.raises(Problem, match="store-unusable") as refused:
        FollowedStore(both.place)
    assert "0001" in refused.value.params["reason"]
    assert both.market.store.one("SELECT version_num FROM alembic_version") == ("0001",)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("postgresql://a", "postgresql://a?x=2"),
        ("postgresql://a,b/db?x=1&sslmode=require", "postgresql://a,b/db?sslmode=require&x=2"),
        ("postgresql://a/db?options=-csearch_path%3Dx", "postgresql://a/db?options=-csearch_path%3Dx&x=2"),
        ("postgresql://a/db?xx=1&x=", "postgresql://a/db?xx=1&x=2"),
    ],
)
def test_a_parameter_takes_the_place_of_the_same(before: str, after: str) -> None:
    assert with_parameter(before, "x", "2") == after
