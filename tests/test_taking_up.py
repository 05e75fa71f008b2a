"""What a process must not miss of what others wrote: packs, the time, another history, and what races with its own failures."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from gardesh import draft as drafting
from gardesh.model.pack import Pack
from gardesh.model.problem import Problem
from gardesh.node import Node
from gardesh.record import folder
from gardesh.record.database import STORE_UNUSABLE
from gardesh.record.log import Log
from market import DAY, SIGNERS, Market, application, key_of, packs
from test_several_sequencers import beside, knows

pytestmark = pytest.mark.store


@pytest.fixture
def two() -> tuple[Market, Node]:
    market = Market()
    market.area()
    return market, beside(market)


def newer() -> Pack:
    return folder.changed(packs()[0], "2.0.0", {})


def adoption(market: Market, made: Pack) -> bytes:
    return market.core("pack-adoption", {"label": made.label, "digest": made.digest.hex()})


def adopt(market: Market, node: Node, made: Pack) -> None:
    node.add_pack(made)
    node.intake.submit(adoption(market, made), market.now)


def works_under(market: Market, mine: Node, other: Node, made: Pack) -> None:
    """After others have written once more, a case can be opened here under the pack."""
    market.now += 1000
    market.node = other
    market.apply("sara")
    mine.sequencer.look()
    mine.intake.pass_time(market.now)
    assert made.label in mine.library.packs
    procedure = mine.library.procedure(made.label, "licence")
    claims = drafting.draft(procedure, None, "application", issuer="ali", at=market.now)
    mine.intake.submit(drafting.issue(claims, application(), key_of("ali"), procedure), market.now)


def unusable(*_: Any) -> None:
    raise Problem(STORE_UNUSABLE, url="x", reason="lock timeout")


@pytest.mark.parametrize(
    "what",
    ["store.Store.writing", "others.Others.wrote", "others.Others.take_up", "sequence.folder.bring", "others.folder.bring"],
)  # fmt: skip
def test_a_pack_is_there_after_a_batch_that_failed_before_it_was_taken_up(
    two: tuple[Market, Node], monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    market, other = two
    mine, made = market.node, newer()
    adopt(market, other, made)
    with monkeypatch.context() as failing:
        failing.setattr(f"gardesh.record.{what}", unusable)
        with suppress(Problem):
            mine.intake.pass_time(market.now)
    works_under(market, mine, other, made)


class Stop(Exception):
    pass


def meanwhile(monkeypatch: pytest.MonkeyPatch, node: Node, method: str, what: Callable[[], object]) -> None:
    """A batch of the node is rolled back, and something comes just before memory is made anew."""
    at = node.sequencer
    real = getattr(at, method)

    def raced() -> None:
        monkeypatch.setattr(at, method, real)
        what()
        real()

    monkeypatch.setattr(at, method, raced)
    with pytest.raises(Stop), at.batch(at.last_at):
        raise Stop


def test_a_pack_is_there_that_was_adopted_while_a_batch_was_rolled_back(
    two: tuple[Market, Node], monkeypatch: pytest.MonkeyPatch
) -> None:
    market, other = two
    mine, made = market.node, newer()
    meanwhile(monkeypatch, mine, "_forget", lambda: adopt(market, other, made))
    works_under(market, mine, other, made)


def test_a_pack_is_there_that_another_kept_and_this_one_adopted(two: tuple[Market, Node]) -> None:
    market, other = two
    made = newer()
    other.add_pack(made)
    market.submit(adoption(market, made))
    works_under(market, market.node, other, made)


def test_a_pack_is_there_that_was_adopted_while_this_one_started(two: tuple[Market, Node]) -> None:
    market, other = two
    made, node = newer(), market.node
    library = folder.stored(market.store)
    adopt(market, other, made)
    log = Log(market.store, node.log.origin, SIGNERS)
    works_under(market, Node(market.store, library, log, node.sequencer.clock), other, made)


def test_time_that_passed_elsewhere_while_a_batch_was_rolled_back(
    two: tuple[Market, Node], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It makes notices, and no document."""
    market, other = two
    mine = market.node
    market.apply()
    other.sequencer.look()
    market.now += 4 * DAY
    meanwhile(monkeypatch, mine, "_resume", lambda: other.intake.pass_time(market.now))
    market.apply("sara")
    knows(mine)


def closed(node: Node, case: str) -> list[bool]:
    return [state.window_closed for state in node.sequencer.cases.get(case).steps]


def test_a_question_after_everything_was_forgotten_does_not_see_the_future(two: tuple[Market, Node]) -> None:
    market, other = two
    mine, case = market.node, market.apply()
    before = closed(mine, case)
    adopt(market, other, newer())
    mine.sequencer.look()
    assert mine.sequencer.stale
    assert closed(mine, case) == before
