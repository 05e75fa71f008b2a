"""Random histories of the market: many cases side by side, amended, revoked, silent, followed by other cases."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from effort import tries
from gardesh.intake import Accepted
from gardesh.model import demand
from gardesh.model.case import Case
from gardesh.model.problem import Problem
from gardesh.model.slot import DUE
from gardesh.record.registers import NOWHERE
from gardesh.study.rebuilding import views_differ
from market import DAY, HOUR, Market, application, explains_itself, licence, packs
from replay import again, batches, feed, steady, twin
from replay import given as sent

pytestmark = pytest.mark.store

ISSUERS = {
    "application": "ali",
    "cover-request": "ali",
    "health-check": "health",
    "hygiene-card": "health",
    "site-visit": "traffic",
    "objection": "neighbour",
    "policy": "axa",
}
AREAS = ("square", "harbour")
VERBS = ("issue", "issue", "issue", "correct", "correct", "confirm", "revoke", "withdraw")


@dataclass(frozen=True)
class Move:
    """One thing that somebody tries. The numbers choose among what there is."""

    kind: str
    case: int
    step: int
    verb: str
    outcome: str
    number: int
    wait: int


applications = st.builds(Move, st.sampled_from(["apply", "area"]), *[st.integers(0, 9)] * 2, *[st.just("")] * 2,
                         st.integers(0, 99), st.just(0))  # fmt: skip
moves = st.builds(
    Move,
    st.sampled_from(
        ["act"] * 8 + ["push"] * 4 + ["apply", "area", "cover", "wait", "wait", "forget", "restart"]
    ),
    st.integers(0, 9),
    st.integers(0, 20),
    st.sampled_from(VERBS),
    st.sampled_from(["approved", "approved", "approved", "deficient", "rejected"]),
    st.integers(0, 99),
    st.sampled_from([0, 0, HOUR, 5 * HOUR, DAY, 4 * DAY, 200 * DAY]),
)


class History:
    """Plays moves. A document that the rules refuse is no fault; anything else that goes wrong is."""

    def __init__(self) -> None:
        self.market = Market()
        self.market.node.sequencer.clock = steady(self.market.node.sequencer.clock)
        self.cases: list[str] = []

    def play(self, moves: list[Move]) -> None:
        for move in moves:
            self.market.wait(move.wait)
            try:
                self._do(move)
            except Problem as problem:
                assert problem.sentence("fa")
            self.balances()

    def _do(self, move: Move) -> None:
        market, n = self.market, move.number
        if move.kind == "area":
            self.cases.append(market.area(AREAS[n % 2], seats=n % 5))
        elif move.kind == "apply":
            self.cases.append(market.apply(**self.wish(n)))
        elif move.kind == "cover":
            waiting = [
                row[0]
                for row in market.store.rows(
                    "SELECT case_id FROM waits WHERE slot = 'insurance' AND state = 'due' ORDER BY case_id"
                )
            ]
            asked = ((waiting or self.cases)[move.case % len(waiting or self.cases)], "insurance", "")
            self.cases.append(
                market.do("ali", "cover-request", {"vendor": "ali"}, procedure="cover", for_slot=asked)
            )
        elif move.kind == "forget":
            market.node.sequencer.cases.live.clear()
            market.node.sequencer.registers._kept.clear()
        elif move.kind == "restart":
            market.node = again(market.node, market.store)
        elif move.kind == "push":
            self._push(move, market.case(self.cases[move.case % len(self.cases)]))
        elif move.kind == "act":
            self._act(move, market.case(self.cases[move.case % len(self.cases)]))

    def _push(self, move: Move, case: Case) -> None:
        """Every office does what is asked of it, as far as it goes; the window is waited for."""
        yes = replace(move, verb="issue", outcome="approved")
        for _ in range(3):
            due = [(i, k) for i, k in sorted(case.demanded) if demand.slot_at(case, (i, k)).state == DUE]
            for index, key in due:
                if key != demand.WINDOW and case.procedure.steps[index].spec.from_ is None:
                    self._submit([self._paper(yes, case, index, key)])
            self.market.wait(3 * DAY)
            case = self.market.case(case.id)

    def _act(self, move: Move, case: Case) -> None:
        """Several things at once, signed on one state of the case: the first may spoil the others."""
        papers = []
        places = [p for p in sorted(case.demanded) if move.verb == "issue"] or [
            (step.index, key)
            for step in case.procedure.steps
            for key, slot in sorted(case.steps[step.index].slots.items())
            if slot.head is not None
        ]
        for shift in range(1 + move.number % 3):
            index, key = places[(move.step + shift) % len(places)] if places else (0, "")
            papers.append(self._paper(move, case, index, "" if key == "*" else key))
        self._submit(papers)

    def _submit(self, papers: list[bytes]) -> None:
        for answer in self.market.node.intake.submit_all(papers, self.market.now):
            if isinstance(answer, Accepted):
                name = answer.digest.hex()
                if self.market.store.one("SELECT 1 FROM cases WHERE id = ?", name) is not None:
                    self.cases.append(name)

    def _paper(self, move: Move, case: Case, index: int, key: str) -> bytes:
        step = case.procedure.steps[index]
        issuer = case.opener if step is case.procedure.opening else ISSUERS.get(step.name, "city")
        has_outcome = bool(step.outcomes) and move.verb in ("issue", "correct")
        outcome = move.outcome if move.outcome in step.outcomes else "approved"
        deficient = has_outcome and outcome == "deficient"
        reason = {"step": "application", "field": "/goods", "reason": {"fa": "ناقص", "en": "wanting"}}
        return self.market.paper(
            issuer,
            step.name,
            self.subject(move, case, step.name, key) if move.verb in ("issue", "correct") else {},
            case.id,
            key=key,
            act=move.verb,
            outcome=outcome if has_outcome else None,
            deficiencies=[reason] if deficient else None,
            reach=("start", "now")[move.number % 2] if move.verb == "revoke" else None,
        )

    def wish(self, n: int) -> dict[str, Any]:
        goods = [{"kind": ("food", "cloth")[n % 2]}]
        return {
            "area": AREAS[n // 2 % 2],
            "seats": (1, 2, 3, 12)[n // 4 % 4],
            "goods": goods,
            "sites": [["north", "south"][: n // 16 % 3], ["south", "east"]][n // 48 % 2],
            "reference": f"A-{n % 7}",
        }

    def subject(self, move: Move, case: Case, step: str, key: str) -> dict[str, Any]:
        head = case.steps[case.procedure.opening.index].slots[""].head
        opening = head.subject if head is not None else {}
        area, seats = opening.get("area", "square"), int(opening.get("seats", 1))
        return {
            "application": application("ali", **self.wish(move.number)),
            "hygiene-card": {"vendor": "ali", "number": f"H-{move.number}"},
            "site-visit": {"site": key},
            "objection": {"reason": "noise"},
            "quiet-note": {"area": area},
            "policy": {"number": "P-1"},
            "cover-request": {"vendor": "ali"},
            "area": {"area": area, "seats": move.number % 5},
            "licence": {**licence(f"L-{move.number % 9}", seats), "area": area},
            "handover": {"day": "2026-02-01"},
        }.get(step, {})

    def balances(self) -> None:
        held = [self.market.node.sequencer.registers.balance("market/seats", a, NOWHERE) for a in AREAS]
        assert min(held) >= 0


@given(st.lists(applications, min_size=2, max_size=5), st.lists(moves, min_size=25, max_size=80))
@tries(60)
def test_any_history_explains_itself_and_is_the_same_from_its_documents(
    openings: list[Move], moves: list[Move]
) -> None:
    history = History()
    history.play(openings)
    history.play(moves)
    market = history.market
    explains_itself(market.node)
    for size in (1, 1000):
        node = twin(market.node, packs())
        for at, papers in batches(sent(market.store), size):
            feed(node, papers, at)
            node.sequencer.cases.live.clear()
            node.sequencer.cases.links.clear()
        node.intake.pass_time(market.now)
        assert node.log.edge.root() == market.node.log.edge.root()
        assert views_differ(market.store, node.store) == []


def test_a_window_that_opens_anew_is_shown_with_its_new_term() -> None:
    market = Market()
    case = market.apply()
    before = market.store.one("SELECT deadline FROM waits WHERE case_id = ? AND slot = 'objection'", case)
    market.wait(HOUR)
    market.do("ali", "application", application("ali", area="harbour"), case, act="correct")
    after = market.store.one("SELECT deadline FROM waits WHERE case_id = ? AND slot = 'objection'", case)
    assert after[0] == before[0] + HOUR
    explains_itself(market.node)
