"""The node's thread: what comes together shares a transaction, and nothing is answered that was not done."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path

import pytest

import stores
from gardesh.intake import Accepted
from gardesh.model.problem import Problem
from gardesh.node import Node
from gardesh.record.store import Store
from gardesh.web import desk as desks
from gardesh.web.desk import Desk
from market import DAY, Market, application, explains_itself

pytestmark = pytest.mark.store


@contextmanager
def busy(desk: Desk) -> Iterator[None]:
    """Its thread is held until the block ends: what comes meanwhile waits together. To be left on the loop that asked."""
    held = threading.Event()
    begun = threading.Event()

    def hold(_: Node) -> None:
        begun.set()
        held.wait()

    waiting = threading.Thread(target=desk.wait, args=(hold,))
    waiting.start()
    begun.wait()
    try:
        yield
    finally:
        held.set()
        waiting.join()


def test_what_comes_together_shares_a_transaction_and_each_has_its_answer() -> None:
    market = Market()
    market.area()
    papers = [market.paper("ali", "application", application(seats=n + 1)) for n in range(30)]
    desk = Desk(lambda: market.node, clock=lambda: market.now)

    async def work() -> list[desks.Settled]:
        with busy(desk):
            many = [asyncio.ensure_future(desk.submit([p, b"nothing"])) for p in papers]
            await asyncio.sleep(0)
        return await asyncio.gather(*many)

    settled = asyncio.run(work())
    checkpoints = asyncio.run(desk.ask(lambda node: node.store.one("SELECT count(*) FROM checkpoints")[0]))
    notes = {s.answers[0].receipt.checkpoint for s in settled if isinstance(s.answers[0], Accepted)}
    assert len(notes) == 1
    assert all(isinstance(s.answers[1], Problem) and s.before == 9 for s in settled)
    assert checkpoints <= 4
    desk.close()


def test_a_question_knows_all_that_was_acknowledged_before_it() -> None:
    market = Market()
    market.area()
    papers = [market.paper("ali", "application", application(seats=n + 1)) for n in range(3)]
    desk = Desk(lambda: market.node, clock=lambda: market.now)

    async def work() -> list[int]:
        sizes = []
        for paper in papers:
            await desk.submit([paper])
            sizes.append(await desk.ask(lambda node: node.log.size))
        return sizes

    assert asyncio.run(work()) == [10, 11, 12]
    desk.close()


def test_submissions_share_a_transaction_whatever_is_asked_between_them() -> None:
    market = Market()
    market.area()
    papers = [market.paper("ali", "application", application(seats=n + 1)) for n in range(3)]
    desk = Desk(lambda: market.node, clock=lambda: market.now)

    async def work() -> tuple[list[desks.Settled], list[int]]:
        submitted, asked = [], []
        with busy(desk):
            for paper in papers:
                submitted.append(asyncio.ensure_future(desk.submit([paper])))
                asked.append(asyncio.ensure_future(desk.ask(lambda node: node.log.size)))
                await asyncio.sleep(0)
        return await asyncio.gather(*submitted), await asyncio.gather(*asked)

    settled, sizes = asyncio.run(work())
    notes = {s.answers[0].receipt.checkpoint for s in settled if isinstance(s.answers[0], Accepted)}
    assert len(notes) == 1
    assert sizes == [9, 9, 9]
    desk.close()


def test_a_stop_answers_what_was_asked_before_it_in_the_same_breath() -> None:
    market = Market()
    market.area()
    paper = market.paper("ali", "application", application())
    desk = Desk(lambda: market.node, clock=lambda: market.now)

    async def work() -> tuple[desks.Settled, int]:
        with busy(desk):
            submitted = asyncio.ensure_future(desk.submit([paper]))
            asked = asyncio.ensure_future(desk.ask(lambda node: node.log.size))
            await asyncio.sleep(0)
            stop = threading.Thread(target=desk.close)
            stop.start()
            while desk.alive:
                await asyncio.sleep(0.001)
        return await submitted, await asked

    settled, size = asyncio.run(work())
    assert isinstance(settled.answers[0], Accepted)
    assert size == 9
    desk.close()


def test_what_a_question_raises_is_raised_where_it_was_asked() -> None:
    market = Market()
    desk = Desk(lambda: market.node, clock=lambda: market.now)

    def wrong(_: Node) -> None:
        raise LookupError("here")

    with pytest.raises(LookupError, match="here"):
        asyncio.run(desk.ask(wrong))
    assert asyncio.run(desk.ask(lambda node: node.log.size)) == 8
    desk.close()


def test_too_many_at_once_are_turned_away_at_once() -> None:
    market = Market()
    desk = Desk(lambda: market.node, most=3, clock=lambda: market.now)
    held = threading.Event()

    async def work() -> None:
        first = asyncio.ensure_future(desk.ask(lambda _: held.wait()))
        await asyncio.sleep(0.05)
        waiting = [asyncio.ensure_future(desk.submit([b"x"])) for _ in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(Problem) as caught:
            await desk.submit([b"x"])
        assert (caught.value.code, caught.value.kind.status) == ("too-busy", 503)
        held.set()
        await asyncio.gather(first, *waiting)

    asyncio.run(work())
    desk.close()


def test_a_stop_finishes_what_waits_and_takes_no_more() -> None:
    market = Market()
    market.area()
    paper = market.paper("ali", "application", application())
    desk = Desk(lambda: market.node, clock=lambda: market.now)

    async def work() -> desks.Settled:
        submitted = asyncio.ensure_future(desk.submit([paper]))
        await asyncio.sleep(0)
        await asyncio.to_thread(desk.close)
        with pytest.raises(Problem) as caught:
            await desk.submit([paper])
        assert caught.value.code == "stopping"
        return await submitted

    settled = asyncio.run(work())
    assert isinstance(settled.answers[0], Accepted)
    assert not desk.alive
    desk.close()


def test_a_node_that_cannot_be_opened_is_said_where_the_desk_is_made() -> None:
    def broken() -> Node:
        raise Problem("not-a-node", url="nowhere")

    with pytest.raises(Problem) as caught:
        Desk(broken)
    assert caught.value.code == "not-a-node"


def test_time_passes_while_questions_keep_coming(monkeypatch: pytest.MonkeyPatch) -> None:
    """A case lapses on its day, though the desk has never a moment without work."""
    monkeypatch.setattr(desks, "TICK", 0.05)
    market = Market()
    market.area()
    case = market.apply(goods=[{"kind": "food"}])
    desk = Desk(lambda: market.node, clock=lambda: market.now)
    market.now += 30 * DAY

    async def deemed() -> bool:
        def look(node: Node) -> bool:
            sql = "SELECT 1 FROM documents WHERE case_id = ? AND act = 'deem'"
            return node.store.one(sql, case) is not None

        for _ in range(100_000):
            if await desk.ask(look):
                return True
        return False

    assert asyncio.run(deemed())
    desk.close()


def test_who_no_longer_waits_is_not_in_the_way() -> None:
    market = Market()
    desk = Desk(lambda: market.node, clock=lambda: market.now)
    held = threading.Event()

    async def work() -> int:
        first = asyncio.ensure_future(desk.ask(lambda _: held.wait()))
        await asyncio.sleep(0.05)
        given_up = asyncio.ensure_future(desk.submit([b"x"]))
        await asyncio.sleep(0)
        given_up.cancel()
        await asyncio.sleep(0)
        held.set()
        await first
        return await desk.ask(lambda node: node.log.size)

    assert asyncio.run(work()) == 8
    desk.close()


def test_a_question_knows_what_another_process_was_told_of_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever was told by one service and then asks another finds it there, in registers, cases and the log."""
    monkeypatch.setattr(desks, "TICK", 600.0)
    path = stores.place(tmp_path)
    market = Market(Store(path, create=True))
    market.area(seats=20)
    other = Market.opened(Store(path))
    desk = Desk(lambda: other.node, clock=lambda: market.now)

    with closing(desk):

        def ask(node: Node) -> tuple[Decimal, int, int]:
            found = node.sequencer.registers.balance("market/seats", "square", node.sequencer.size)
            return found, node.log.size, node.sequencer.size

        size = market.node.log.size
        assert asyncio.run(desk.ask(ask)) == (20, size, size)
        market.area(seats=5)
        assert asyncio.run(desk.ask(ask)) == (25, size + 1, size + 1)
        case = market.apply()
        assert asyncio.run(desk.ask(lambda node: node.sequencer.cases.get(case).opener)) == "ali"
        objection = market.paper("neighbour", "objection", {"reason": "noise"}, case)
        asyncio.run(desk.submit([objection]))
        market.submit(market.paper("ali", "application", application(seats=3), case, act="correct"))
        heads = asyncio.run(desk.ask(lambda node: len(node.sequencer.cases.get(case).steps[0].slots)))
        assert (heads, asyncio.run(desk.ask(lambda node: node.sequencer.size))) == (1, size + 4)
        asyncio.run(desk.submit([market.paper("sara", "application", application("sara"))]))
    explains_itself(Market.opened(Store(path)).node)
    market.node.close()
