"""Any history of two nodes: what counts on one is the newest that was proven of the other, whatever came in which order."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gardesh.model.problem import Problem
from market import HOUR, explains_itself
from two_nodes import Two

ACTS = ("check", "answer", "amend", "anew", "revoke-check", "revoke-answer", "withdraw", "ask")
steps = st.lists(
    st.one_of(
        st.sampled_from(ACTS),
        st.tuples(st.just("bring"), st.integers(0, 3)),
        st.tuples(st.just("wait"), st.integers(1, 40)),
        st.just("forget"),
    ),
    max_size=14,
)


class History:
    """Two nodes, the cases that were opened abroad for one slot, and the case files that were taken on the way."""

    def __init__(self) -> None:
        self.two = Two()
        self.case = self.two.ask()
        self.files: list[tuple[str, int, bytes]] = []
        self.brought: dict[str, int] = {}

    def act(self, name: str) -> None:
        """One act abroad, by whom it is; whatever is not possible now is refused, and changes nothing."""
        abroad, case = self.two.abroad, self.case
        who = {"who": "ali"}
        acts: dict[str, Any] = {
            "check": lambda: abroad.do("neighbour", "check", who, case),
            "anew": lambda: abroad.do("neighbour", "check", who, case, act="correct"),
            "revoke-check": lambda: abroad.do("neighbour", "check", {}, case, act="revoke", reach="start"),
            "answer": lambda: self.two.answer(case),
            "amend": lambda: self.two.answer(case, 5, act="correct"),
            "revoke-answer": lambda: abroad.do("health", "answer", {}, case, act="revoke", reach="start"),
            "withdraw": lambda: abroad.do("ali", "ask", {}, case, act="withdraw"),
        }
        try:
            if name == "ask":
                self.case = self.two.ask()
            else:
                acts[name]()
        except Problem:
            return

    def take(self) -> None:
        """Keep the case file as it is now, with the number of its newest report."""
        live = self.two.abroad.case(self.case)
        assert live.asked is not None
        self.files.append((self.case, live.asked.reports, self.two.file(self.case)))

    def bring(self, back: int) -> None:
        case, number, data = self.files[max(0, len(self.files) - 1 - back)]
        try:
            self.two.bring(data)
        except Problem as problem:
            assert problem.code == "not-asked"  # another case is followed, or its end was brought before
        else:
            self.brought[case] = max(number, self.brought.get(case, 0))

    def check(self) -> None:
        followed = self.two.home.case(self.two.case).abroad.get(("permit", ""))
        if followed is not None:
            assert followed.number == self.brought[followed.case]
            live = self.two.abroad.case(followed.case)
            assert live.asked is not None
            if followed.number == live.asked.reports:  # all that there is to know of it is known
                goal = live.steps[live.procedure.goal[0].index].slots.get("")
                there = goal is not None and goal.state == "issued"
                assert (self.two.state() == "issued") == there


@settings(max_examples=25, suppress_health_check=list(HealthCheck))
@given(steps)
def test_the_newest_that_was_proven_counts(told: list[Any]) -> None:
    history = History()
    for step in told:
        match step:
            case "forget":
                for market in (history.two.home, history.two.abroad):
                    market.node.sequencer.cases.live.clear()
            case ("wait", hours):
                history.two.wait(hours * HOUR)
            case ("bring", back):
                history.bring(back) if history.files else None
            case _:
                history.act(step)
        history.take()
        history.check()
    explains_itself(history.two.home.node)
    explains_itself(history.two.abroad.node)
