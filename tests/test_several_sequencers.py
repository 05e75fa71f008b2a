"""Several processes over one record: each takes up what the others wrote, and keeps of its own memory what still holds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from effort import tries
from gardesh.node import Node
from gardesh.record import folder, sequence
from gardesh.record.cases import all_places, slot_row, wait_row
from gardesh.record.log import Log
from gardesh.record.registers import NOWHERE, Registers
from gardesh.record.sequence import WAKES
from gardesh.study.rebuilding import views_differ
from market import DAY, Market, explains_itself, licence, packs, record_keys
from replay import batches, feed, twin
from replay import given as sent
from test_market_histories import History, Move, applications, moves

pytestmark = pytest.mark.store


class Several(History):
    """Each move is played by one of three processes; whether it looks at what others wrote beforehand varies too."""

    def __init__(self) -> None:
        super().__init__()
        self.nodes = [self.market.node, beside(self.market), beside(self.market)]

    def _do(self, move: Move) -> None:
        place = move.number // 3 % 3
        if move.kind == "restart":
            self.nodes[place] = beside(self.market)
            return
        self.market.node = self.nodes[place]
        if move.number % 3:
            self.market.node.sequencer.look()
        try:
            super()._do(move)
        finally:
            self.nodes[place] = self.market.node  # it may have been started anew

    def balances(self) -> None:
        self.market.node.sequencer.look()
        super().balances()


def beside(market: Market) -> Node:
    """Another process over the same record: nothing is shared but the database."""
    store, node = copy(market.store), market.node
    store.unlock(record_keys)
    return Node(
        store, folder.stored(store), Log(store, node.log.origin, node.log.signers), node.sequencer.clock
    )


def knows(node: Node) -> None:
    """What the process has in memory is what the record holds."""
    at, store = node.sequencer, node.store
    cases, registers = at.cases, at.registers
    assert at.position == node.log.size == store.one("SELECT count(*) FROM documents")[0]
    assert registers.next_id == store.one("SELECT count(*) FROM entries")[0]
    assert cases.next_mirror == store.one("SELECT count(*) FROM mirrors")[0]
    assert cases.notices.next == store.one("SELECT count(*) FROM notices")[0]
    rows = store.rows("SELECT id, wakes_at FROM cases WHERE wakes_at IS NOT NULL")
    assert cases.waking.items() <= dict(map(tuple, rows)).items()
    known = {(wakes, case) for case, wakes in rows if (wakes, case) <= at.horizon}
    assert known <= set(at.wakes)
    assert {case for _, case in known} <= cases.waking.keys()
    for case in cases.live.values():
        slots = store.rows("SELECT * FROM slots WHERE case_id = ?", case.id)
        assert sorted(map(plain, slots)) == sorted(plain(slot_row(case, p)) for p in all_places(case))
        waits = store.rows("SELECT * FROM waits WHERE case_id = ?", case.id)
        assert sorted(map(plain, waits)) == sorted(plain(wait_row(case, p)) for p in case.demanded)
        held = cases.links.pop(case.id, None)
        assert held is None or held == cases.links_of(case.id)
    fresh = Registers(store)
    for name in list(registers._kept):
        assert list(registers._backward(*name, NOWHERE)) == list(fresh._backward(*name, NOWHERE))


@contextmanager
def waking(most: int) -> Iterator[None]:
    """Of the cases that time will change only so many are read at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sequence, "WAKES", most)
        yield


def plain(row: Any) -> list[str]:
    return [str(bytes(v) if isinstance(v, memoryview) else v) for v in row]


@given(
    st.lists(applications, min_size=2, max_size=5),
    st.lists(moves, min_size=25, max_size=80),
    st.sampled_from([1, 3, WAKES]),
)
@tries(60)
def test_what_several_wrote_is_what_one_would_have(
    openings: list[Move], moves: list[Move], wakes: int
) -> None:
    with waking(wakes):
        history = Several()
        history.play(openings)
        history.play(moves)
        market = history.market
        for node in history.nodes:
            node.intake.pass_time(market.now)
            knows(node)
        explains_itself(market.node)  # an audit writes seldom: memory knows what is not written yet
    explains_itself(market.node)
    node = twin(market.node, packs())
    for at, papers in batches(sent(market.store), 1):
        feed(node, papers, at)
    node.intake.pass_time(market.now)
    assert node.log.edge.root() == market.node.log.edge.root()
    assert views_differ(market.store, node.store) == []


@pytest.fixture
def two() -> tuple[Market, Node]:
    market = Market()
    market.area()
    return market, beside(market)


def test_a_case_that_nobody_else_touched_stays_in_memory(two: tuple[Market, Node]) -> None:
    market, other = two
    case = market.apply()
    held = market.case(case)
    market.node, mine = other, market.node
    second = market.apply("sara")
    market.node = mine
    mine.sequencer.look()
    assert market.case(case) is held
    assert not mine.sequencer.stale
    assert mine.log.size == other.log.size
    assert market.case(second).opener == "sara"


def test_what_others_did_to_a_case_in_memory_is_seen(two: tuple[Market, Node]) -> None:
    market, other = two
    case = market.apply()
    held = market.case(case)
    market.node, mine = other, market.node
    market.do("ali", "application", {}, case, act="withdraw")
    market.node = mine
    mine.sequencer.look()
    assert not held.withdrawn
    assert market.case(case).withdrawn


def test_what_time_did_elsewhere_is_done_once(two: tuple[Market, Node]) -> None:
    """One process lets the window close; the other has the case in memory with the window open."""
    market, other = two
    case = market.apply()
    market.case(case)
    market.now += 4 * DAY
    other.intake.pass_time(market.now)
    count = market.store.one("SELECT count(*) FROM notices")[0]
    market.node.intake.pass_time(market.now)
    assert market.store.one("SELECT count(*) FROM notices")[0] == count
    market.do("city", "quiet-note", {"area": "square"}, case)
    market.do("city", "licence", licence(), case, outcome="approved")
    knows(market.node)
    explains_itself(market.node)


@pytest.mark.parametrize("look", [True, False])
def test_what_others_entered_and_took_back_is_in_force_here(two: tuple[Market, Node], *, look: bool) -> None:
    market, other = two
    mine = market.node

    def held() -> bool:
        return mine.sequencer.registers.holds("ali", "member", market.now)

    assert held()
    market.node = other
    market.submit(market.accreditation("ali", "member", "suspended"))
    market.node = mine
    if look:
        mine.sequencer.look()
    else:
        mine.intake.pass_time(market.now)
    assert not held()
    knows(mine)


@pytest.mark.parametrize("many", [True, False])
def test_after_very_much_everything_is_asked_for_anew(
    two: tuple[Market, Node], monkeypatch: pytest.MonkeyPatch, *, many: bool
) -> None:
    market, other = two
    monkeypatch.setattr("gardesh.record.others.MOST", 1 if many else 1000)
    market.node, mine = other, market.node
    cases = [market.apply(), market.apply("sara")]
    market.node = mine
    mine.sequencer.look()
    assert mine.sequencer.stale is many
    market.do("ali", "application", {}, cases[0], act="withdraw")
    assert not mine.sequencer.stale
    knows(mine)


@pytest.mark.parametrize("look", [True, False])
@pytest.mark.parametrize("what", ["others.Others._cases", "registers.Registers.drop", "log.Log.take_up"])
def test_a_record_that_fails_while_it_is_taken_up_is_read_anew_after_it(
    two: tuple[Market, Node], monkeypatch: pytest.MonkeyPatch, what: str, *, look: bool
) -> None:
    market, other = two
    market.node, mine = other, market.node
    market.apply()
    market.node = mine
    with monkeypatch.context() as failing:
        failing.setattr(f"gardesh.record.{what}", broken)
        with pytest.raises(OSError, match="broken"):
            mine.sequencer.look() if look else market.apply("sara")
    assert mine.sequencer.stale is look  # a batch that failed has read everything anew
    market.apply("sara")
    knows(mine)
    explains_itself(mine)


def broken(*_: Any) -> None:
    raise OSError("broken")
