"""Of the cases that time will change only the soonest are in memory, and none is missed."""

from __future__ import annotations

import pytest

from gardesh.access import Access
from gardesh.record.sequence import NEVER
from market import DAY, Market, explains_itself
from test_several_sequencers import waking

pytestmark = pytest.mark.store


def many(count: int = 9) -> Market:
    market = Market()
    market.area()
    for number in range(count):
        market.apply("ali" if number % 2 else "sara")
        market.now += 1000
    return market


def of_the_clock(market: Market) -> int:
    return int(market.store.one("SELECT count(*) FROM documents WHERE issuer = 'clock'")[0])


def test_only_the_soonest_are_in_memory_and_time_reaches_all() -> None:
    with waking(2):
        market = Market.opened(many().store)
        at = market.node.sequencer
        assert len(at.wakes) == len(at.cases.waking) == 2
        assert at.horizon == max(at.wakes)
        before = of_the_clock(market)
        market.now += 3 * DAY
        market.node.intake.pass_time(market.now)
        assert at.horizon == NEVER
        found = of_the_clock(market)
    explains_itself(market.node)
    with waking(10_000):
        other = many()
        other.now = market.now
        other.node.intake.pass_time(other.now)
        assert of_the_clock(other) == found
    assert before == 0


def test_what_was_read_is_let_go_when_it_has_become_much() -> None:
    with waking(2):
        market = Market.opened(many().store)
        at = market.node.sequencer
        for _ in range(9):
            market.apply("ali")
            assert len(at.wakes) <= 6
        market.wait(30 * DAY)
    explains_itself(market.node)


def test_cases_that_were_only_looked_at_do_not_stay_known() -> None:
    with waking(2):
        market = Market.opened(many().store)
        cases = market.node.sequencer.cases
        for (case,) in market.store.rows("SELECT id FROM cases ORDER BY id"):
            cases.get(case)
        assert len(cases.waking) > 4
        market.node.intake.pass_time(market.now)
        assert len(cases.waking) == 2
        market.wait(30 * DAY)
    explains_itself(market.node)


def test_a_case_that_changed_before_it_was_read_wakes_when_it_is_to() -> None:
    """Its row still has the time before, in the same batch; the one in memory counts."""
    with waking(1):
        market = many(4)
        cases = [row[0] for row in market.store.rows("SELECT id FROM cases ORDER BY opened_at")]
        market = Market.opened(market.store)
        late = cases[-1]
        assert late not in market.node.sequencer.cases.waking
        market.do("ali", "application", {}, late, act="withdraw")
        market.wait(30 * DAY)
    explains_itself(market.node)


def test_whether_one_has_a_part_is_asked_of_the_case() -> None:
    market = many(2)
    (case,) = market.store.one("SELECT case_id FROM waits WHERE role = 'resident' ORDER BY case_id LIMIT 1")
    assert Access(market.node, "neighbour", market.now).takes_part(case)
    assert not Access(market.node, "axa", market.now).takes_part(case)
