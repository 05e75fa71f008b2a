"""Faults in the middle of a transaction: nothing of it stays, in the store or in memory, and work goes on."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import stores
from gardesh.intake import Accepted
from gardesh.model.problem import Problem
from gardesh.record.cases import Cases
from gardesh.record.consequence import Consequences
from gardesh.record.log import Log
from gardesh.record.registers import Registers
from gardesh.record.sequence import Sequencer
from gardesh.record.store import Store
from market import DAY, HOUR, Market, application, contents, explains_itself, licence
from wrong_papers import signed, visit

pytestmark = pytest.mark.store


class Broken(Exception):
    """A fault that nobody foresaw."""


def fails_at(call: int, original: Callable[..., Any], error: Exception) -> Callable[..., Any]:
    """The function, but for one of its calls."""
    calls = 0

    def method(*args: Any, **more: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == call:
            raise error
        return original(*args, **more)

    return method


def eventful(market: Market) -> list[bytes]:
    """A batch in which much happens: time has passed, a case opens, one is licensed and opens another, reuse."""
    first = market.apply(goods=[{"kind": "food"}], sites=["north"])
    market.do("health", "hygiene-card", {"vendor": "ali", "number": "H-1"}, first)
    case = market.apply(seats=2)
    market.wait(3 * DAY + HOUR)
    market.do("city", "quiet-note", {"area": "square"}, case)
    return [
        market.paper("city", "area", {"area": "square", "seats": 3}, procedure="area"),
        market.paper("city", "licence", licence(), case, outcome="approved"),
        visit(market, first, "north", "north"),
        signed(market, application(goods=[{"kind": "food"}], sites=["a"])),
        market.paper("ali", "application", application(seats=3), case, act="correct"),
    ]


PLACES: list[tuple[type, str, int]] = [
    *[(Store, "add", n) for n in range(1, 14, 2)],
    *[(Sequencer, "accept", n) for n in (1, 3, 5)],
    *[(Consequences, "after", n) for n in (1, 2, 4)],
    *[(Consequences, "_carry", n) for n in (1, 2)],
    (Sequencer, "pass_time", 1),
    (Registers, "enter", 2),
    (Registers, "check", 2),
    (Registers, "flush", 2),
    (Cases, "flush", 1),
    (Cases, "note_mirror", 1),
    (Log, "append", 1),
    (Log, "begin_checkpoint", 1),
]


@pytest.mark.parametrize(("kind", "name", "call"), PLACES, ids=lambda v: getattr(v, "__name__", str(v)))
def test_after_a_fault_memory_and_store_are_as_before_and_the_next_batch_goes_well(
    kind: type, name: str, call: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    market = Market()
    papers = eventful(market)
    before, size = contents(market.store), market.node.sequencer.size
    market.now += 2 * DAY
    with monkeypatch.context() as patch:
        patch.setattr(kind, name, fails_at(call, getattr(kind, name), Broken()))
        with pytest.raises(Broken):
            market.node.intake.submit_all(papers, market.now)
    assert contents(market.store) == before
    assert (market.node.sequencer.size, market.node.log.size) == (size, size)
    answers = market.node.intake.submit_all(papers, market.now)
    assert all(isinstance(a, Accepted) for a in answers), answers
    explains_itself(market.node)
    untouched = Market()
    for position, paper in enumerate(eventful(untouched)):
        assert untouched.submit(paper, after=0 if position else 2 * DAY)
    shape = "SELECT issuer, step, key, act, recorded_at FROM documents ORDER BY position"
    assert [tuple(r) for r in market.store.rows(shape)] == [tuple(r) for r in untouched.store.rows(shape)]


def test_a_fault_reaches_everybody_who_waited_and_is_over_then(monkeypatch: pytest.MonkeyPatch) -> None:
    market = Market()
    paper = signed(market)
    monkeypatch.setattr(Log, "append", fails_at(1, Log.append, Broken()))
    with pytest.raises(Broken):
        market.submit(paper)
    assert market.submit(paper).position == 8
    explains_itself(market.node)


def test_what_follows_elsewhere_and_fails_refuses_its_own_document_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    market = Market()
    papers = [signed(market, application(vendor=f"v{n}")) for n in range(5)]
    original = Consequences.after

    def after(self: Consequences, case: Any, at: int) -> None:
        original(self, case, at)
        head = case.steps[case.procedure.opening.index].slots[""].head
        if head.subject["vendor"] == "v2":
            raise Problem("expression-failed", source="x", reason_en="it fails", reason_fa="نمی‌شود")

    monkeypatch.setattr(Consequences, "after", after)
    answers = market.node.intake.submit_all(papers, market.now)
    codes = [getattr(a, "code", "accepted") for a in answers]
    assert codes == ["accepted", "accepted", "expression-failed", "accepted", "accepted"]
    monkeypatch.undo()
    explains_itself(market.node)
    assert market.submit(papers[2]).position == market.node.sequencer.size - 1


def test_when_the_signing_of_a_checkpoint_fails_the_documents_stand_and_it_is_signed_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The commit had gone through by then: what is durable must be known to memory too."""
    market = Market()
    paper = signed(market)
    with monkeypatch.context() as patch:
        patch.setattr("gardesh.model.checkpoint.sign", fails_at(1, lambda *a: b"", Broken()))
        with pytest.raises(Broken):
            market.submit(paper)
    assert market.node.log.size == 9
    again = market.submit(paper)
    assert again.position == 8
    assert market.policy.verify(again.receipt.checkpoint).head.size == 9
    market.submit(signed(market))
    explains_itself(market.node)


@pytest.mark.sqlite
@pytest.mark.parametrize("pages", [0, 1, 2, 4, 7, 11, 16])
def test_a_disk_that_fills_up_is_a_problem_and_nothing_is_half_written(tmp_path: Path, pages: int) -> None:
    market = Market(Store(str(tmp_path / "node.sqlite"), create=True))
    papers = eventful(market)
    before = contents(market.store)
    market.now += 2 * DAY
    (now,) = market.store.one("PRAGMA page_count")
    market.store.run(f"PRAGMA max_page_count = {now + pages}")
    sent = 0

    def write_on() -> None:
        nonlocal sent, before
        for number in range(1000):
            market.submit(papers[number] if number < len(papers) else signed(market))
            sent, before = number + 1, contents(market.store)

    with pytest.raises(Problem) as refusal:
        write_on()
    assert refusal.value.code == "store-unusable"
    assert "full" in refusal.value.sentence("en")
    assert contents(market.store) == before
    assert (
        Market.opened(Store(str(tmp_path / "node.sqlite"))).node.sequencer.size == market.node.sequencer.size
    )
    market.store.run("PRAGMA max_page_count = 1000000")
    for paper in papers[sent:]:
        market.submit(paper)
    market.submit(signed(market))
    explains_itself(market.node)


def test_a_node_whose_genesis_failed_is_no_node_and_can_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    store = stores.fresh()
    with monkeypatch.context() as patch:
        patch.setattr(Log, "append", fails_at(1, Log.append, Broken()))
        with pytest.raises(Broken):
            Market(store)
    with pytest.raises(Problem) as refusal:
        Market.opened(store)
    assert refusal.value.code == "not-a-node"
    market = Market(store)
    with pytest.raises(Problem) as refusal:
        Market(store)
    assert refusal.value.code == "already-a-node"
    market.apply()
    explains_itself(Market.opened(store).node)


@pytest.mark.sqlite
def test_a_record_that_another_program_holds_is_a_problem(tmp_path: Path) -> None:
    path = tmp_path / "node.sqlite"
    market = Market(Store(str(path), create=True))
    market.store.run("PRAGMA busy_timeout = 20")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Problem) as refusal:
        market.submit(signed(market))
    assert refusal.value.code == "store-unusable"
    assert "locked" in refusal.value.sentence("en")
    other.execute("ROLLBACK")
    market.submit(signed(market))
    explains_itself(market.node)
