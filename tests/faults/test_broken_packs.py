"""Packs whose expressions fail: the document that makes one fail is refused, and no node comes to a halt for it."""

from __future__ import annotations

import pytest

from gardesh.intake import Accepted
from gardesh.model.problem import Problem
from market import DAY, HOUR, Market, explains_itself, refused
from tiny_pack import tiny

pytestmark = pytest.mark.store

TYPES = ("request", "answer", "check", "grant", "card")
VOTE = """
procedure: vote
title: {fa: رأی, en: Vote}
opens_with: request
closes_with: grant
steps:
  request: {by: vendor}
  answer: {by: resident, many: true, needs: [request], within: 2d}
  check: {by: health-office, when: "request.amount / size(answer) > 1", needs: [request]}
  grant: {by: market-office, needs: [check, answer]}
"""
SHARE = """
procedure: share
title: {fa: سهم, en: Share}
opens_with: request
closes_with: grant
binds: {market-office: {org: string(12 / request.amount)}}
steps:
  request: {by: vendor}
  check: {by: health-office, when: 12 / request.amount > 3, needs: [request]}
  grant: {by: market-office, needs: [check]}
"""
PURSE = """
procedure: purse
title: {fa: کیسه, en: Purse}
opens_with: request
closes_with: grant
steps:
  request: {by: vendor, enters: [{register: purse, key: "'all'", adds: this.amount}]}
  card: {by: health-office, needs: [request], reuse: {about: "string(1 / request.amount)"}}
  grant: {by: market-office, needs: [card]}
"""
AT_ONCE = """
procedure: at-once
title: {fa: بی‌درنگ, en: At once}
opens_with: request
closes_with: grant
steps:
  request: {by: vendor}
  check: {by: health-office, needs: [request], within: 0d, decides: true, on_silence: {deemed: approved}}
  grant: {by: market-office, needs: [check]}
"""


def node_of(name: str, text: str) -> Market:
    return Market(made=tiny({name: text}, TYPES))


def test_a_guard_that_fails_as_time_passes_leaves_its_case_undecided_and_the_node_at_work() -> None:
    market = node_of("vote", VOTE)
    case = market.do("ali", "request", {"amount": 4}, procedure="vote")
    market.wait(3 * DAY)
    live = market.case(case)
    assert live.steps[live.procedure.by_name["check"].index].applies is None
    waits = market.store.rows("SELECT slot, state FROM waits WHERE case_id = ? ORDER BY slot", case)
    assert [tuple(row) for row in waits] == [("check", "unknown"), ("grant", "blocked")]
    other = market.do("sara", "request", {"amount": 4}, procedure="vote")
    market.do("neighbour", "answer", {"amount": 1}, other)
    market.wait(3 * DAY)
    market.do("health", "check", {}, other)
    market.do("city", "grant", {}, other)
    assert market.case(other).closed_at == market.now
    market.node.sequencer.cases.live.clear()
    assert market.case(case).at == live.at
    explains_itself(market.node)


def test_a_document_that_makes_a_guard_fail_is_refused_with_the_expression() -> None:
    market = node_of("share", SHARE)
    paper = market.paper("ali", "request", {"amount": 0}, procedure="share")
    problem = refused(market, paper)
    assert problem.code == "expression-failed"
    assert "12 / request.amount" in problem.sentence("en")
    good = market.do("ali", "request", {"amount": 3}, procedure="share")
    correction = market.paper("ali", "request", {"amount": 0}, good, act="correct")
    assert refused(market, correction).code == "expression-failed"
    market.do("health", "check", {}, good)
    explains_itself(market.node)


def test_it_is_refused_alone_and_what_came_with_it_is_accepted() -> None:
    market = node_of("share", SHARE)
    amounts = [3, 0, 2, 0, 1]
    papers = [market.paper("ali", "request", {"amount": a}, procedure="share") for a in amounts]
    answers = market.node.intake.submit_all(papers, market.now)
    assert [getattr(a, "code", "accepted") for a in answers] == [
        *("accepted", "expression-failed", "accepted", "expression-failed", "accepted")
    ]
    explains_itself(market.node)


def test_where_the_subject_of_a_reuse_cannot_be_told_nothing_is_reused() -> None:
    market = node_of("purse", PURSE)
    case = market.do("ali", "request", {"amount": 0}, procedure="purse")
    market.do("health", "card", {"who": "1"}, case)
    explains_itself(market.node)


def test_a_term_of_no_length_passes_before_the_next_document_whatever_the_batch() -> None:
    """Whether the next document comes in the same transaction or a later one: the clock has spoken before it."""
    records = []
    for together in (True, False):
        market = node_of("at-once", AT_ONCE)
        papers = [market.paper(org, "request", {"who": org}, procedure="at-once") for org in ("ali", "sara")]
        for bundle in [papers] if together else [[paper] for paper in papers]:
            answers = market.node.intake.submit_all(bundle, market.now)
            assert all(isinstance(a, Accepted) for a in answers)
        market.wait(HOUR)
        rows = market.store.rows("SELECT step, act FROM documents WHERE position >= 8 ORDER BY position")
        records.append([tuple(row) for row in rows])
        explains_itself(market.node)
    assert records[0] == records[1] == [("request", "issue"), ("check", "deem")] * 2


def test_a_pack_is_not_replaced_by_another_of_the_same_label() -> None:
    market = node_of("vote", VOTE)
    case = market.do("ali", "request", {"amount": 4}, procedure="vote")
    other = tiny({"vote": VOTE.replace("2d", "3d")}, TYPES)[0]
    with pytest.raises(Problem) as refusal:
        market.node.add_pack(other)
    assert refusal.value.code == "pack-malformed"
    again = Market.opened(market.store)
    assert again.node.library.get("tiny@1.0.0").digest == market.packs[0].digest
    again.do("neighbour", "answer", {"amount": 1}, case)


def test_a_pack_that_is_kept_is_in_force_once_it_is_adopted() -> None:
    market = Market()
    made = tiny({"vote": VOTE}, TYPES)[0]
    market.node.add_pack(made)
    market.packs = [made]
    paper = market.paper("ali", "request", {"amount": 4}, procedure="vote")
    assert refused(market, paper).code == "no-such-pack"
    wrong = market.core("pack-adoption", {"label": made.label, "digest": "0" * 64})
    market.submit(wrong)
    assert refused(market, paper).code == "no-such-pack"
    market.submit(market.core("pack-adoption", {"label": made.label, "digest": made.digest.hex()}))
    market.submit(paper)
    explains_itself(market.node)
