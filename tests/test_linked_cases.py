"""Cases that follow one another: what is filled from elsewhere, and what is not taken back from there."""

from __future__ import annotations

from decimal import Decimal

import pytest

from gardesh.record.registers import NOWHERE
from market import DAY, Market, application, explains_itself, licence, refused
from tiny_pack import tiny

pytestmark = pytest.mark.store


def licensed_stall(market: Market) -> tuple[str, str]:
    """A licence, and the case of the stall that it opens."""
    case = market.apply()
    market.wait(4 * DAY)
    market.do("city", "quiet-note", {"area": "square"}, case)
    accepted = market.submit(market.paper("city", "licence", licence(), case, outcome="approved"))
    return case, accepted.digest.hex()


def test_nobody_issues_the_document_of_a_slot_that_another_case_fills() -> None:
    market = Market()
    case = market.apply(seats=12)
    assert refused(market, market.paper("axa", "insurance", {"number": "P-0"}, case)).code == "made-elsewhere"


def test_a_case_that_was_opened_from_elsewhere_is_not_opened_again_from_within() -> None:
    """Else a revoked licence would live on in the case of the stall, past the rules that it was issued under."""
    market = Market()
    market.area()
    case, stall = licensed_stall(market)
    market.do("city", "licence", {}, case, act="revoke", reach="start")
    paper = market.paper("city", "licence", licence(), stall)
    assert refused(market, paper).code == "made-elsewhere"


def test_what_a_document_entered_for_the_case_it_opened_is_taken_back_with_it() -> None:
    for forget in (False, True):
        market = Market()
        market.area(seats=5)
        case, _ = licensed_stall(market)
        registers = market.node.sequencer.registers
        assert registers.value("market/holders", "L-1", NOWHERE, market.now) == {"area": "square", "seats": 2}
        if forget:
            market.node.sequencer.cases.live.clear()
        market.do("city", "licence", {}, case, act="revoke", reach="start")
        assert registers.value("market/holders", "L-1", NOWHERE, market.now) is None
        assert registers.value("market/licences", "L-1", NOWHERE, market.now) is None
        assert registers.balance("market/seats", "square", NOWHERE) == 5
        explains_itself(market.node)


OPENING = """
procedure: opening
title: {fa: گشایش, en: Opening}
opens_with: request
closes_with: check
steps:
  request: {by: vendor}
  grant: {by: market-office, needs: [request], opens: account}
  check: {by: health-office, needs: [grant]}
"""
ACCOUNT = """
procedure: account
title: {fa: حساب, en: Account}
opens_with: grant
closes_with: check
steps:
  grant: {by: market-office, enters: [{register: purse, key: this.who, adds: this.amount}]}
  check: {by: health-office, needs: [grant]}
"""


@pytest.mark.parametrize("forget", [False, True])
def test_it_is_so_too_where_the_document_itself_enters_nothing(forget: bool) -> None:
    """A correction replaces what was added, a revocation takes it back: neither adds it twice."""
    made = tiny({"opening": OPENING, "account": ACCOUNT}, ("request", "grant", "check"))
    market = Market(made=made)

    def held() -> Decimal:
        if forget:
            market.node.sequencer.cases.live.clear()
        return market.node.sequencer.registers.balance("tiny/purse", "ali", NOWHERE)

    case = market.do("ali", "request", {"who": "ali"}, procedure="opening")
    market.do("city", "grant", {"who": "ali", "amount": 5}, case)
    assert held() == 5
    market.do("city", "grant", {"who": "ali", "amount": 7}, case, act="correct")
    assert held() == 7
    market.do("city", "grant", {}, case, act="revoke", reach="start")
    assert held() == 0
    market.do("city", "grant", {"who": "ali", "amount": 3}, case)
    assert held() == 3
    explains_itself(market.node)


def test_a_document_of_its_own_no_longer_follows_what_served_before() -> None:
    market = Market()
    first = market.apply(goods=[{"kind": "food"}])
    market.do("health", "hygiene-card", {"vendor": "ali", "number": "H-1"}, first)
    second = market.apply(goods=[{"kind": "food"}])
    step = market.case(second).procedure.by_name["hygiene-card"].index
    assert market.case(second).steps[step].slots[""].state == "issued"
    market.do("health", "hygiene-card", {}, first, act="revoke", reach="start")
    assert market.case(second).steps[step].slots[""].state == "due"
    market.do("health", "hygiene-card", {"vendor": "ali", "number": "H-2"}, second)
    market.do("ali", "application", {}, first, act="withdraw")
    assert market.case(second).steps[step].slots[""].state == "issued"
    market.node.sequencer.cases.live.clear()
    assert market.case(second).steps[step].slots[""].state == "issued"
    explains_itself(market.node)


LOAN = """
procedure: loan
title: {fa: وام, en: Loan}
opens_with: request
closes_with: paid
steps:
  request: {by: vendor}
  card: {by: health-office, needs: [request], reuse: {about: request.who}}
  grant: {by: market-office, needs: [card], within: 2d, on_silence: {deemed: approved}, decides: true}
  passport: {by: health-office, needs: [card], reuse: {about: request.who}}
  paid: {by: market-office, needs: [grant, passport]}
"""


def test_what_a_reuse_makes_due_is_reused_too_and_its_terms_wake_the_clock() -> None:
    """By the first card a term begins, and a second document is asked for that stands elsewhere as well."""
    market = Market(made=tiny({"loan": LOAN}, types=("request", "card", "grant", "passport", "paid")))
    first = market.do("ali", "request", {"who": "ali"}, procedure="loan")
    market.do("health", "card", {"who": "ali"}, first)
    market.do("health", "passport", {"who": "ali"}, first)
    case = market.do("ali", "request", {"who": "ali"}, procedure="loan")
    rows = market.store.rows("SELECT step, act FROM documents WHERE case_id = ? ORDER BY position", case)
    assert [tuple(row) for row in rows] == [("request", "issue"), ("card", "reuse"), ("passport", "reuse")]
    market.wait(3 * DAY)
    rows = market.store.rows("SELECT step, act FROM documents WHERE case_id = ? ORDER BY position", case)
    assert tuple(rows[-1]) == ("grant", "deem")
    explains_itself(market.node)


def test_an_application_that_is_amended_leaves_what_was_not_touched() -> None:
    market = Market()
    case = market.apply(sites=["north"])
    market.do("traffic", "site-visit", {"site": "north"}, case, key="north")
    market.do("ali", "application", application(sites=["north"], note="as agreed"), case, act="correct")
    assert market.case(case).steps[market.case(case).procedure.by_name["site-visit"].index].slots[
        "north"
    ].state == ("issued")
    explains_itself(market.node)
