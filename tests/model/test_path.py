"""Whose time it was: the critical path of a case (semantics, rule 22)."""

from __future__ import annotations

import itertools
from typing import Any

from histories import Play, compiled

from gardesh.model.calendar import HOUR
from gardesh.model.path import critical_path

STEPS: dict[str, Any] = {
    "order": {"by": "trader"},
    "permit": {"by": "ministry", "needs": [{"order": ["a"]}], "decides": True},
    "check": {"by": "bank", "needs": [{"order": ["b"]}]},
    "release": {"by": "customs", "needs": ["permit", "check"]},
}


def pieces(play: Play) -> list[tuple[str, str, float]]:
    """(whose time, in which slot, hours), and the pieces tile the case."""
    found = critical_path(play.case)
    assert found[0].since == play.case.opened_at
    assert all(a.until == b.since for a, b in itertools.pairwise(found))
    assert found[-1].until == play.case.closed_at
    return [(p.kind, p.slot, (p.until - p.since) / HOUR) for p in found]


def begun(**order: Any) -> Play:
    play = Play(compiled({"opens_with": "order", "closes_with": "release", "steps": dict(STEPS)}))
    play.begin({"a": 1, "b": 1, **order})
    return play


def test_the_time_belongs_to_the_office_that_all_others_waited_for() -> None:
    play = begun()
    play.wait(1)
    play.must("check")
    play.wait(9)
    play.must("permit")
    play.wait(1)
    play.must("release")
    assert pieces(play) == [("office", "permit", 10), ("office", "release", 1)]


def test_an_amendment_of_what_an_office_does_not_look_at_takes_none_of_its_time_away() -> None:
    play = begun()
    play.wait(1)
    play.must("check")
    play.wait(8)
    play.must("order", "correct", subject={"a": 1, "b": 1, "c": 2})
    play.wait(1)
    play.must("permit")
    play.must("release")
    assert pieces(play) == [("office", "permit", 10), ("office", "release", 0)]


def test_an_amendment_of_what_it_looks_at_makes_the_time_before_it_the_applicants() -> None:
    play = begun()
    play.must("check")
    play.wait(8)
    play.must("order", "correct", subject={"a": 2, "b": 1})
    play.wait(2)
    play.must("permit")
    play.must("release")
    assert pieces(play) == [("applicant", "order", 8), ("office", "permit", 2), ("office", "release", 0)]


def test_what_was_mended_came_when_it_was_mended_though_it_says_the_same() -> None:
    play = begun()
    play.must("permit", outcome="approved")
    play.must("check")
    play.wait(5)
    play.must("order", "correct", subject={"a": 2, "b": 1})
    play.wait(3)
    play.must("permit", "confirm", outcome=None)
    play.wait(1)
    play.must("release")
    assert pieces(play) == [("applicant", "order", 5), ("office", "permit", 3), ("office", "release", 1)]


def test_a_guard_dates_from_when_what_it_reads_was_said() -> None:
    steps = {**STEPS, "visit": {"by": "bank", "when": "order.flag"}}
    steps["release"] = {**STEPS["release"], "needs": ["permit", "check", "visit"]}
    play = Play(compiled({"opens_with": "order", "closes_with": "release", "steps": steps}))
    play.begin({"a": 1, "b": 1, "flag": True})
    play.must("check")
    play.must("permit")
    play.wait(4)
    play.must("order", "correct", subject={"a": 1, "b": 1, "flag": True, "c": 1})
    play.wait(4)
    play.must("visit")
    play.must("release")
    assert pieces(play) == [("office", "visit", 8), ("office", "release", 0)]
