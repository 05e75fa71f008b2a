"""A case that is folded again from its documents, long after: judged by what was in force then, up to now."""

from __future__ import annotations

import pytest

from gardesh.model.slot import DUE
from gardesh.record.registers import NOWHERE
from market import DAY, HOUR, Market, application, explains_itself, refused
from tiny_pack import tiny

pytestmark = pytest.mark.store


def forget(market: Market) -> None:
    sequencer = market.node.sequencer
    sequencer.cases.live.clear()
    sequencer.cases.links.clear()
    sequencer.registers._kept.clear()


def test_who_was_empowered_then_may_have_lost_the_role_since() -> None:
    market = Market()
    case = market.apply(sites=["north", "south"])
    market.do("traffic", "site-visit", {"site": "north"}, case, key="north")
    market.do("city", "site-visit", {}, case, key="north", act="revoke", reach="start")
    market.submit(market.accreditation("city", "market-office", "ended"))
    forget(market)
    market.do("traffic", "site-visit", {"site": "north"}, case, key="north")
    revocation = market.paper("city", "site-visit", {}, case, key="north", act="revoke", reach="start")
    assert refused(market, revocation).code == "not-allowed"
    explains_itself(market.node)


def test_who_has_the_role_now_did_not_have_it_then() -> None:
    market = Market()
    market.submit(market.accreditation("sara", "traffic-office", "in-force"))
    case = market.apply(sites=["north"])
    market.do("sara", "site-visit", {"site": "north"}, case, key="north")
    forget(market)
    assert (
        refused(market, market.paper("sara", "quiet-note", {"area": "square"}, case)).code == "not-accredited"
    )
    market.submit(market.accreditation("sara", "market-office", "in-force"))
    forget(market)
    market.do("sara", "site-visit", {}, case, key="north", act="revoke", reach="start")
    explains_itself(market.node)


@pytest.mark.parametrize("cold", [False, True])
def test_a_window_that_closed_without_a_document_is_closed_for_a_case_that_was_forgotten(cold: bool) -> None:
    market = Market()
    case = market.apply()
    late = market.paper("neighbour", "objection", {"reason": "noise"}, case)
    market.wait(3 * DAY + HOUR)
    if cold:
        forget(market)
    live = market.case(case)
    assert live.steps[live.procedure.by_name["quiet-note"].index].slots[""].state == DUE
    assert refused(market, late).code == "window-closed"
    explains_itself(market.node)


def test_time_is_not_passed_twice_for_a_case_that_is_forgotten_while_it_passes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What falls due at one instant is entered once, whether the case was at hand or not."""
    markets = [Market(), Market()]
    first = [market.apply(goods=[{"kind": "food"}], sites=["a"]) for market in markets]
    for market, case in zip(markets, first, strict=True):
        market.do("health", "hygiene-card", {"vendor": "ali", "number": "H-1"}, case)
        market.apply(goods=[{"kind": "food"}], sites=["a", "b"])
    woken: list[int] = []
    original = markets[1].node.sequencer._wake

    def wake(case_id: str, at: int) -> None:
        woken.append(at)
        forget(markets[1])
        original(case_id, at)

    monkeypatch.setattr(markets[1].node.sequencer, "_wake", wake)
    for market in markets:
        market.wait(30 * DAY)
        explains_itself(market.node)
    assert len(woken) > 3
    shape = "SELECT recorded_at, step, key, act FROM documents ORDER BY 1, 2, 3, 4"
    one, other = ([tuple(r) for r in market.store.rows(shape)] for market in markets)
    assert one == other


def test_a_reuse_is_part_of_the_view_of_a_case_that_was_forgotten_after_it() -> None:
    market = Market()
    first = market.apply(goods=[{"kind": "food"}])
    market.do("health", "hygiene-card", {"vendor": "ali", "number": "H-1"}, first)
    market.apply(goods=[{"kind": "food"}])
    forget(market)
    market.do("health", "hygiene-card", {}, first, act="revoke", reach="start")
    explains_itself(market.node)


@pytest.mark.parametrize("cold", [False, True])
def test_what_becomes_moot_by_time_alone_counts_for_nothing_until_it_applies_again(cold: bool) -> None:
    market = Market()
    case = market.apply(seats=2)
    market.wait(4 * DAY)
    market.do("city", "quiet-note", {"area": "square"}, case)
    market.do("ali", "application", application(seats=3), case, act="correct")
    market.do("neighbour", "objection", {"reason": "noise"}, case)
    if cold:
        forget(market)
    market.wait(4 * DAY)
    registers = market.node.sequencer.registers
    assert registers.value("market/quiet-areas", "square", NOWHERE, market.now) is None
    explains_itself(market.node)
    if cold:
        forget(market)
    market.do("ali", "application", application(seats=4), case, act="correct")
    market.wait(4 * DAY)
    assert registers.value("market/quiet-areas", "square", NOWHERE, market.now) == {"quiet": True}
    explains_itself(market.node)


EXPIRING = """
procedure: visit
title: {fa: بازدید, en: Visit}
opens_with: request
closes_with: licence
steps:
  request: {by: vendor}
  card: {by: health-office, needs: [request], revokes: {by: [market-office]}}
  licence: {by: market-office, needs: [card]}
"""


def test_a_refused_document_leaves_no_trace_of_its_time_in_a_case_that_is_closed() -> None:
    """What expired since is due since the next document that is accepted, whoever tried in between."""
    market = Market(made=tiny({"visit": EXPIRING}, ["request", "card", "licence"]))
    case = market.do("ali", "request", {"who": "ali"}, procedure="visit")
    market.do("health", "card", {"who": "ali"}, case, valid_until_ms=market.now + HOUR)
    market.do("city", "licence", {"who": "ali"}, case)
    market.now += 2 * HOUR
    assert refused(market, market.paper("city", "licence", {"who": "ali"}, case)).code in (
        "slot-taken",
        "case-closed",
    )
    market.now += HOUR
    market.do("city", "licence", {}, case, act="revoke", reach="start")
    assert market.store.one("SELECT since FROM waits WHERE slot = 'card'")[0] == market.now
    explains_itself(market.node)
