"""Who is told of what: as rule 23 and the demand have it, whatever the order and however cases are held."""

from __future__ import annotations

from typing import Any

import pytest

import test_migration as migrating
from gardesh.access import Access
from gardesh.inbox import Inbox
from gardesh.model import reading
from gardesh.model.problem import Problem
from market import DAY, ROLES, Market, application, explains_itself, licence

pytestmark = pytest.mark.store
ORGS = (*ROLES, "steward")


def inbox(
    market: Market, org: str, after: int = -1, limit: int = 100, roles: frozenset[str] | None = None
) -> Any:
    return Inbox(Access(market.node, org, market.now, roles)).page(after, limit)


def told(market: Market, org: str, case: str, after: int = -1) -> list[tuple[str, str, str]]:
    return [
        (n["reason"], n["slot"], n["state"]) for n in inbox(market, org, after).notices if n["case"] == case
    ]


def newest(market: Market) -> int:
    return int(market.store.one("SELECT coalesce(max(id), -1) FROM notices")[0])


def test_an_application_is_told_to_those_whose_steps_need_it(market: Market) -> None:
    market.area()
    case = market.apply(goods=[{"kind": "food"}], sites=["north"])
    assert told(market, "health", case) == [
        ("read", "application", "issued"), ("act", "health-check", "due"), ("act", "hygiene-card", "due"),
    ]  # fmt: skip
    assert told(market, "traffic", case) == [
        ("read", "application", "issued"),
        ("act", "site-visit:north", "due"),
    ]
    assert told(market, "neighbour", case) == [("read", "application", "issued"), ("act", "objection", "due")]
    assert told(market, "city", case) == [("read", "application", "issued")]
    for org in ("ali", "sara", "axa", "steward"):
        assert told(market, org, case) == [], org
    explains_itself(market.node)


def test_a_window_that_closes_by_time_alone_makes_the_next_step_due(market: Market) -> None:
    market.area()
    case = market.apply()
    seen = newest(market)
    market.wait(4 * DAY)
    assert ("act", "quiet-note", "due") in told(market, "city", case, seen)
    market.do("city", "quiet-note", {"area": "square"}, case)
    seen = newest(market)
    market.do("city", "licence", licence(), case, outcome="approved")
    assert ("read", "licence", "issued") in told(market, "ali", case, seen)
    explains_itself(market.node)


def test_a_returned_document_is_told_to_who_is_to_mend_it(market: Market) -> None:
    market.area()
    case = market.apply(goods=[{"kind": "food"}])
    seen = newest(market)
    wrong = [{"step": "application", "field": "/goods", "reason": {"fa": "نامشخص", "en": "unclear"}}]
    market.do("health", "health-check", {}, case, outcome="deficient", deficiencies=wrong)
    assert ("act", "health-check", "returned") in told(market, "ali", case, seen)
    seen = newest(market)
    mended = application(goods=[{"kind": "food"}, {"kind": "cloth"}])
    market.do("ali", "application", mended, case, act="correct")
    assert ("read", "application", "issued") in told(market, "health", case, seen)
    assert ("act", "health-check", "due") in told(market, "health", case, seen)


def test_what_no_longer_counts_is_told_to_those_who_knew_it(market: Market) -> None:
    market.area()
    case = market.licensed()
    seen = newest(market)
    market.do("city", "licence", {}, case, act="revoke", reach="start")
    assert [r for r, s, _ in told(market, "ali", case, seen) if s == "licence"] == ["gone"]


def test_nobody_is_told_twice_of_one_thing_nor_of_their_own(market: Market) -> None:
    market.area()
    case = market.apply(goods=[{"kind": "food"}], sites=["north", "south"])
    market.wait(4 * DAY)
    for org in ORGS:
        found = [
            (n["case"], n["reason"], n["slot"], n["state"], n["document"]) for n in inbox(market, org).notices
        ]
        assert len(found) == len(set(found)), org
        assert not [n for n in inbox(market, org).notices if n["reason"] == "read" and n["issuer"] == org], (
            org
        )
    assert case


def test_each_reader_that_the_right_names_is_told_and_no_other(market: Market) -> None:
    """The audience, derived from the graph once, against the right, asked of each organisation."""
    market.area()
    case = market.apply(goods=[{"kind": "food"}], sites=["north"], seats=12)
    asked = (case, "insurance", "")
    cover = market.do("ali", "cover-request", {"vendor": "ali"}, procedure="cover", for_slot=asked)
    market.do("axa", "policy", {"number": "P-1"}, cover)
    market.do("neighbour", "objection", {"reason": "noise"}, case, key="o1")
    market.do("health", "health-check", {}, case, outcome="approved")
    market.wait(4 * DAY)
    checked = 0
    for case_id in (case, cover):
        live = market.case(case_id)
        for step, state in zip(live.procedure.steps, live.steps, strict=True):
            for key, slot in state.slots.items():
                head = slot.head
                if head is None or head.link is not None:
                    continue
                whom = set(reading.audience(live, step.name, key, head))
                for org in ORGS:
                    access = Access(market.node, org, market.now)
                    right = reading.right(live, org, access.roles, step.name, key, head, access.known_as)
                    names = {("org", org), ("about", org), *(("about", n) for n in access.known_as)}
                    names |= {("role", r) for r in access.roles}
                    if org != head.issuer and right != reading.NONE:
                        relied = any(
                            o == org for s in live.steps for x in s.slots.values() for o, _, _ in x.reliances
                        )
                        assert whom & names or relied, (step.name, org)
                    if right == reading.NONE:
                        assert not whom & names, (step.name, org)
                    checked += 1
    assert checked > 30


def test_a_role_that_was_gained_or_lost_decides_what_is_seen(market: Market) -> None:
    market.area()
    case = market.apply(goods=[{"kind": "food"}])
    assert told(market, "axa", case) == []
    market.submit(market.accreditation("axa", "health-office", "in-force"))
    assert ("act", "health-check", "due") in told(market, "axa", case)
    market.submit(market.accreditation("health", "health-office", "ended"))
    assert told(market, "health", case) == []
    about_itself = inbox(market, "city", roles=frozenset()).notices
    assert [(n["type"], n["issuer"]) for n in about_itself] == [("core/admission", "steward")]


def test_pages_follow_each_other_and_skip_nothing(market: Market) -> None:
    market.area()
    for n in range(7):
        market.apply(seats=1 + n % 3)
    whole = inbox(market, "neighbour", limit=1000)
    assert len(whole.notices) == 1 + 14  # its admission is about itself
    assert (whole.upto, whole.more) == (newest(market), False)
    found, after = [], -1
    while True:
        page = inbox(market, "neighbour", after, 3)
        assert len(page.notices) <= 3
        found += page.notices
        after = page.upto
        if not page.more:
            break
    assert found == whole.notices
    assert [n["id"] for n in found] == sorted(n["id"] for n in found)


def test_a_consumer_goes_on_where_it_acknowledged(market: Market) -> None:
    market.area()
    market.apply()
    box = Inbox(Access(market.node, "neighbour", market.now))
    first = box.page(box.acked("default"))
    assert box.page(box.acked("default")) == first
    assert box.ack("default", first.upto) == first.upto
    assert box.page(box.acked("default")).notices == []
    assert box.page(box.acked("other")) == first
    market.wait(40 * DAY)
    market.apply("sara")
    later = box.page(box.acked("default")).notices
    assert [n["slot"] for n in later] == ["application", "objection"]
    box.ack("default", -1)
    assert box.page(box.acked("default")).notices[0] == first.notices[0]
    with pytest.raises(Problem) as caught:
        box.ack("default", newest(market) + 1)
    assert caught.value.code == "ack-beyond"
    rows = market.store.rows('SELECT org, channel, "first", "last", outcome FROM deliveries ORDER BY id')
    assert rows[0] == ("neighbour", "inbox:default", 0, first.upto, "acknowledged")


def test_a_cold_case_tells_what_a_live_one_tells(market: Market) -> None:
    def play(forget: bool) -> list[Any]:
        made = Market()
        made.area()
        case = made.apply(goods=[{"kind": "food"}], sites=["north", "south"])
        for act in (
            lambda: made.do("traffic", "site-visit", {"site": "north"}, case, key="north"),
            lambda: made.do("neighbour", "objection", {"reason": "noise"}, case, key="o1"),
            lambda: made.do("health", "health-check", {}, case, outcome="approved"),
            lambda: made.wait(4 * DAY),
            lambda: made.do(
                "ali",
                "application",
                application(goods=[{"kind": "cloth"}], sites=["north"]),
                case,
                act="correct",
            ),
            lambda: made.wait(20 * DAY),
        ):
            if forget:
                made.node.sequencer.cases.live.clear()
            act()
        columns = "id, at, kind, name, reason, slot, state, deadline"
        return made.store.rows(f"SELECT {columns} FROM notices ORDER BY id")

    assert play(True) == play(False)


def test_a_moved_case_tells_only_what_the_move_changed() -> None:
    """Of a document that stands as before nobody is told again; what is asked for now is."""
    made = migrating.market(migrating.second())
    case = migrating.opened(made)
    seen = newest(made)
    made.submit(migrating.move(made, case))
    rows = made.store.rows("SELECT reason, slot FROM notices WHERE id > ? AND case_id = ?", seen, case)
    found = [tuple(row) for row in rows]
    assert ("read", "request") not in found
    assert ("act", "visit") in found
    explains_itself(made.node)
