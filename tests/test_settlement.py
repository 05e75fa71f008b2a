"""Money that came in is owed, paid out or given back: to the rial, whatever is tried, in whatever order."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import stores
from effort import tries
from gardesh import worked_file
from gardesh.model.problem import Problem
from gardesh.play import Player
from gardesh.record import folder
from gardesh.record.registers import NOWHERE
from gardesh.worked import Act
from market import explains_itself

pytestmark = pytest.mark.store

PATH = folder.shipped() / "governance" / "cases" / "settled.yaml"
SHARES = {"joint": {"customs": 60, "vet": 40}, "single": {"customs": 50}}
ORGS = ("customs", "vet")


def rial(amount: int) -> dict[str, str]:
    return {"amount": str(amount), "currency": "IRR"}


def parts(shares: dict[str, int]) -> list[dict[str, Any]]:
    return [{"org": org, "amount": rial(amount)} for org, amount in shares.items()]


class Ledger:
    """A treasury and a clearing house; beside it, what the accepted documents say."""

    def __init__(self) -> None:
        made = worked_file.load(PATH)
        made.acts = []
        self.player = Player(worked_file.packs(PATH, made), made, stores.fresh())
        self.number = 0
        self.collected = self.paid = self.returned = 0

    def do(self, by: str, procedure: str, subject: dict[str, Any]) -> bool:
        """Whether it was accepted."""
        self.number += 1
        act = Act(by=by, issues=procedure, procedure=procedure, case=f"case-{self.number}", subject=subject)
        try:
            paper = self.player._compose(act, "issues", procedure)
            self.player.node.intake.submit(paper, self.player.now)
        except Problem as problem:
            assert problem.sentence("fa")
            return False
        return True

    def owed(self, org: str) -> Decimal:
        return self.player.node.sequencer.registers.balance("governance/payouts", org, NOWHERE)

    def collect(self, reference: int, items: list[str], off: int) -> None:
        total = sum(sum(SHARES[i].values()) for i in items)
        lines = [{"item": i, "parts": parts(SHARES[i])} for i in items]
        subject = {
            "payer": "trader",
            "reference": f"R{reference}",
            "amount": rial(total + off),
            "items": lines,
        }
        if self.do("treasury", "collection", subject):
            assert off == 0
            self.collected += total

    def refund(self, reference: int, org: str, amount: int) -> None:
        subject = {"reference": f"R{reference}", "reason": "tried", "parts": parts({org: amount})}
        if self.do("treasury", "refund", subject):
            self.returned += amount

    def settle(self, org: str, off: int) -> None:
        amount = int(self.owed(org)) + off
        subject = {"org": org, "day": "2026-01-03", "amount": rial(amount), "transfer": "T"}
        if self.do("clearing", "statement", subject):
            assert off == 0 < amount
            self.paid += amount


collections = st.tuples(
    st.just("collect"),
    st.integers(0, 4),
    st.lists(st.sampled_from(sorted(SHARES)), min_size=1, max_size=4),
    st.sampled_from([0, 0, 0, 1, -1]),
)
refunds = st.tuples(st.just("refund"), st.integers(0, 4), st.sampled_from(ORGS), st.integers(1, 120))
settlements = st.tuples(st.just("settle"), st.sampled_from(ORGS), st.sampled_from([0, 0, 1, -1]))


@given(st.lists(collections | refunds | settlements, max_size=25))
@tries(25)
def test_no_rial_is_lost_or_made(tried: list[Any]) -> None:
    ledger = Ledger()
    for name, *said in tried:
        getattr(ledger, name)(*said)
        owed = [ledger.owed(org) for org in ORGS]
        assert min(owed) >= 0
        assert sum(owed) + ledger.paid + ledger.returned == ledger.collected
    explains_itself(ledger.player.node)
