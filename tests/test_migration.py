"""A case that is open goes on under another version of its pack (semantics, rule 24)."""

from __future__ import annotations

from decimal import Decimal

import pytest

from gardesh.exchange import case_file_check, case_file_selection
from gardesh.model.migration import differences
from gardesh.model.pack import Pack
from gardesh.record.registers import NOWHERE
from market import DAY, HOUR, Market, explains_itself, refused
from tiny_pack import tiny

pytestmark = pytest.mark.store

TYPES = ("request", "opinion", "visit", "licence", "fee")
FIRST = """
procedure: stall
title: {fa: غرفه, en: Stall}
opens_with: request
closes_with: licence
steps:
  request: {by: vendor}
  opinion: {by: health-office, needs: [{request: [who]}], within: 48h, decides: true, on_silence: {escalate: steward}}
  fee: {by: resident, needs: [request], enters: [{register: purse, key: this.who, adds: this.amount}]}
  licence: {by: market-office, needs: [request, opinion, fee]}
"""


def second(migration: str = "{}", opinion: str = "[{request: [who]}, visit]", more: str = "") -> str:
    """The second version: a visit comes before the opinion."""
    return f"""
procedure: stall
title: {{fa: غرفه, en: Stall}}
opens_with: request
closes_with: licence
migration: {migration}
steps:
  request: {{by: vendor}}
  visit: {{by: market-office, needs: [{{request: [who]}}]}}
  opinion: {{by: health-office, needs: {opinion}, within: 48h, decides: true, on_silence: {{escalate: steward}}}}
  fee: {{by: resident, needs: [request], enters: [{{register: purse, key: this.who, adds: this.amount}}]}}
  licence: {{by: market-office, needs: [request, opinion, fee]}}
{more}"""


def market(text: str) -> Market:
    first, core = tiny({"stall": FIRST}, TYPES)
    packs: list[Pack] = [first, tiny({"stall": text}, TYPES, "2.0.0")[0], core]
    return Market(made=packs)


def opened(market: Market) -> str:
    return market.do("ali", "request", {"who": "ali"}, procedure="stall")


def move(market: Market, *cases: str) -> bytes:
    subject = {"from": "tiny@1.0.0", "to": "tiny@2.0.0"}
    return market.core("migration", {**subject, "cases": list(cases)} if cases else subject)


def states(market: Market, case: str) -> dict[str, str]:
    live = market.case(case)
    steps = zip(live.procedure.steps, live.steps, strict=True)
    return {s.name: state.slots[""].state for s, state in steps}


def test_a_case_goes_on_under_the_version_it_opened_with() -> None:
    node = market(second())
    case = opened(node)
    node.do("health", "opinion", {}, case, outcome="approved")
    assert "visit" not in node.case(case).procedure.by_name
    explains_itself(node.node)


def test_what_the_new_version_asks_for_beforehand_makes_a_decision_due_again() -> None:
    node = market(second())
    case = opened(node)
    node.do("health", "opinion", {}, case, outcome="approved")
    node.do("neighbour", "fee", {"who": "ali", "amount": 5}, case)
    node.submit(move(node))
    assert states(node, case) == {
        "request": "issued", "visit": "due", "opinion": "blocked", "fee": "issued", "licence": "blocked",
    }  # fmt: skip
    node.do("city", "visit", {}, case)
    node.do("health", "opinion", {}, case, act="confirm")
    node.do("city", "licence", {}, case)
    assert node.case(case).closed_at is not None
    explains_itself(node.node)


def test_what_the_new_version_keeps_stands_without_what_it_lacks() -> None:
    node = market(second("{keeps: [opinion]}"))
    case = opened(node)
    node.do("health", "opinion", {}, case, outcome="approved")
    node.submit(move(node, case))
    assert states(node, case)["opinion"] == "issued"
    live = node.case(case)
    assert not live.steps[live.procedure.by_name["visit"].index].slots[""].demanded
    node.do("neighbour", "fee", {"who": "ali", "amount": 5}, case)
    node.do("city", "licence", {}, case)
    explains_itself(node.node)


def test_an_office_that_saw_all_that_is_now_asked_for_is_not_asked_again() -> None:
    node = market(second(opinion="[{request: [who]}]"))
    case = opened(node)
    node.do("health", "opinion", {}, case, outcome="approved")
    node.submit(move(node))
    assert states(node, case)["opinion"] == "issued"
    node.do("ali", "request", {"who": "sara"}, case, act="correct")
    assert states(node, case)["opinion"] == "due"


def test_an_office_that_saw_less_is_asked_again() -> None:
    node = market(second(opinion="[request]"))
    case = opened(node)
    node.do("health", "opinion", {}, case, outcome="approved")
    node.submit(move(node))
    assert states(node, case)["opinion"] == "due"


def test_a_return_that_is_open_stays_open_and_its_mending_is_judged_by_the_new_law() -> None:
    node = market(second("{keeps: [opinion]}"))
    case = opened(node)
    lacks = [{"step": "request", "field": "/who", "reason": {"fa": "نام", "en": "name"}}]
    node.do("health", "opinion", {}, case, outcome="deficient", deficiencies=lacks)
    node.submit(move(node))
    assert states(node, case)["opinion"] == "returned"
    node.do("ali", "request", {"who": "sara"}, case, act="correct")
    assert states(node, case) == {
        "request": "issued", "visit": "due", "opinion": "blocked", "fee": "due", "licence": "blocked",
    }  # fmt: skip
    explains_itself(node.node)


def test_a_document_without_a_place_refuses_the_move_unless_the_new_version_says_what_becomes_of_it() -> None:
    text = second().replace("  fee:", "  payment: {by: resident, document: fee, needs: [request]}\n  charge:")
    text = text.replace("opinion, fee]", "opinion]").replace(
        "charge: {by: resident, needs", "charge: {by: resident, document: fee, optional: true, needs"
    )
    node = market(text)
    case = opened(node)
    node.do("neighbour", "fee", {"who": "ali", "amount": 5}, case)
    problem = refused(node, move(node))
    assert (problem.code, problem.params["step"], problem.params["case"]) == (
        "migration-strands",
        "fee",
        case,
    )
    assert "payment" not in node.case(case).procedure.by_name
    empty = opened(node)
    node.submit(move(node, empty))
    assert "payment" in node.case(empty).procedure.by_name
    explains_itself(node.node)


@pytest.mark.parametrize("cold", [False, True])
def test_a_step_may_take_another_name_or_be_dropped_and_then_gives_back_what_it_entered(cold: bool) -> None:
    renamed = (
        second("{renames: {opinion: health}, drops: [fee]}")
        .replace("  opinion:", "  health: {document: opinion, ")
        .replace("document: opinion,  {", "document: opinion, ")
    )
    renamed = renamed.replace("[request, opinion, fee]", "[request, health]")
    renamed = "\n".join(line for line in renamed.splitlines() if not line.startswith("  fee:"))
    renamed = renamed.replace("needs: [{request: [who]}, visit]", "needs: [{request: [who]}]")
    node = market(renamed)
    case = opened(node)
    node.do("health", "opinion", {}, case, outcome="approved")
    node.do("neighbour", "fee", {"who": "ali", "amount": 5}, case)
    registers = node.node.sequencer.registers
    assert registers.balance("tiny/purse", "ali", NOWHERE) == 5
    node.submit(move(node))
    assert registers.balance("tiny/purse", "ali", NOWHERE) == Decimal(0)
    assert states(node, case)["health"] == "issued"
    if cold:
        node.node.sequencer.cases.live.clear()
    assert node.case(case).procedure.pack.label == "tiny@2.0.0"
    found = next(d for d in node.node.store.rows("SELECT digest FROM documents WHERE step = 'fee'"))
    name = bytes(found[0]).hex()
    assert node.node.read("neighbour", name, "test", node.now)[1] == "all"
    node.do("city", "licence", {}, case)
    explains_itself(node.node)


def test_a_term_that_did_not_change_goes_on_and_a_new_one_begins_with_the_move() -> None:
    text = second(opinion="[{request: [who]}]").replace(
        "needs: [request], enters", "within: 24h, needs: [request], enters"
    )
    node = market(text)
    case = opened(node)
    began = node.now
    node.now += 6 * HOUR
    node.submit(move(node))
    live = node.case(case)
    opinion, fee = (live.steps[live.procedure.by_name[s].index].slots[""] for s in ("opinion", "fee"))
    assert opinion.deadline == began + 2 * DAY
    assert fee.deadline == node.now + DAY
    node.wait(3 * DAY)
    assert opinion.escalated
    explains_itself(node.node)


def test_a_case_that_is_not_open_or_follows_another_version_is_not_moved() -> None:
    node = market(second(opinion="[{request: [who]}]"))
    case = opened(node)
    node.do("health", "opinion", {}, case, outcome="approved")
    node.do("neighbour", "fee", {"who": "ali", "amount": 5}, case)
    node.do("city", "licence", {}, case)
    assert refused(node, move(node, case)).code == "migration-not-open"
    node.submit(move(node))
    assert node.case(case).procedure.pack.label == "tiny@1.0.0"
    other = opened(node)
    node.submit(move(node, other))
    assert refused(node, move(node, other)).code == "migration-not-open"


def test_only_the_steward_moves_cases_and_only_to_a_version_in_force() -> None:
    node = market(second())
    opened(node)
    subject = {"from": "tiny@1.0.0", "to": "tiny@3.0.0"}
    assert refused(node, node.core("migration", subject)).code == "no-such-pack"
    assert (
        refused(node, node.core("migration", {**subject, "to": "tiny@2.0.0"}, org="city")).code
        == "not-accredited"
    )


def test_the_differences_are_told_beforehand() -> None:
    node = market(second())
    case = opened(node)
    node.do("health", "opinion", {}, case, outcome="approved")
    moves = node.node.sequencer.moves.planned("tiny@1.0.0", {"to": "tiny@2.0.0"}, node.now)
    assert differences(moves[0]) == [
        {"slot": "opinion", "before": "issued", "after": "blocked", "asked": "yes"},
        {"slot": "visit", "before": "new", "after": "due", "asked": "yes"},
    ]
    assert states(node, case)["opinion"] == "issued"


@pytest.mark.parametrize("cold", [False, True])
def test_cases_are_the_same_live_and_folded_again(cold: bool) -> None:
    node = market(second())
    cases = [opened(node) for _ in range(3)]
    node.do("health", "opinion", {}, cases[1], outcome="approved")
    node.do("neighbour", "fee", {"who": "ali", "amount": 5}, cases[2])
    node.wait(3 * DAY)
    if cold:
        node.node.sequencer.cases.live.clear()
    node.submit(move(node))
    if cold:
        node.node.sequencer.cases.live.clear()
    node.wait(5 * DAY)
    for case in cases:
        node.do("city", "visit", {}, case)
    if cold:
        node.node.sequencer.cases.live.clear()
    node.do("health", "opinion", {}, cases[1], act="confirm")
    explains_itself(node.node)


def test_a_case_that_was_moved_can_be_taken_away_and_checked() -> None:
    node = market(second())
    case = opened(node)
    node.do("health", "opinion", {}, case, outcome="approved")
    node.submit(move(node))
    data = case_file_selection.export(node.node, case)
    assert case_file_check.verify(data).problems == []
    node.do("city", "visit", {}, case)
    later = case_file_check.verify(case_file_selection.export(node.node, case))
    assert (later.problems, later.pack) == ([], "tiny@2.0.0")
