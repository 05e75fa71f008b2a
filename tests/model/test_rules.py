"""The rules of the semantics, one by one (docs/reference/semantics.md)."""

from __future__ import annotations

from typing import Any

from held_against import rights
from histories import START, Play, compiled

from gardesh.model import demand
from gardesh.model.calendar import HOUR

ORDER: dict[str, Any] = {"order": {"by": "trader"}}


def play(goal: str | list[str] = "release", first: dict[str, Any] | None = None, **steps: Any) -> Play:
    named = {name.replace("_", "-"): step for name, step in steps.items()}
    made = Play(
        compiled({"opens_with": "order", "closes_with": goal, "steps": {**ORDER, **named}, "withdrawal": {}})
    )
    made.begin(first or {"a": 1, "flag": True, "l": ["x", "y"]})
    return made


def refused(made: Play, step: str, act: str = "issue", **said: Any) -> str | None:
    return made.submit(made.compose(step, act, **said))


def waits(made: Play) -> set[str]:
    return {row["slot"] for row in demand.rows(made.case) if not row["waits_on"]}


PERMITS = {"by": "ministry", "each": "order.l", "needs": ["order"]}
RELEASE = {"by": "customs", "needs": ["order", "permit"]}


def test_1_a_step_with_each_has_one_slot_per_element() -> None:
    made = play(permit=PERMITS, release=RELEASE)
    assert waits(made) == {"permit:x", "permit:y"}
    assert refused(made, "permit", key="z") == "no-such-slot"


def test_2_the_head_is_the_last_document_that_nobody_took_back() -> None:
    made = play(permit={"by": "ministry", "needs": ["order"]}, release=RELEASE)
    made.must("permit", subject={"a": 1})
    made.must("permit", "correct", subject={"a": 2})
    head = made.head("permit")
    assert head is not None
    assert head.subject == {"a": 2}
    made.must("permit", "withdraw")
    assert made.head("permit") is None


def test_3_nobody_decides_on_papers_that_are_no_longer_the_papers() -> None:
    made = play(permit={"by": "ministry", "needs": ["order"]}, release=RELEASE)
    late = made.compose("permit")
    made.must("order", "correct", subject={"a": 2})
    assert made.submit(late) == "basis-changed"


def test_3_a_stated_head_with_the_same_content_in_the_parts_is_as_good() -> None:
    made = play(permit={"by": "ministry", "needs": [{"order": ["a"]}]}, release=RELEASE)
    early = made.compose("permit")
    made.must("order", "correct", subject={"a": 1, "b": 7})
    assert made.submit(early) is None


def test_4_a_correction_elsewhere_does_not_touch_who_relied_on_a_part() -> None:
    made = play(permit={"by": "ministry", "needs": [{"order": ["a"]}]}, release=RELEASE)
    made.must("permit")
    made.must("order", "correct", subject={"a": 1, "b": 7})
    assert made.state("permit") == "issued"
    made.must("order", "correct", subject={"a": 2, "b": 7})
    assert made.state("permit") == "due"


def test_5_a_step_that_does_not_apply_is_absent_and_nothing_waits_for_it() -> None:
    made = play(
        check={"by": "bank", "when": "!order.flag"},
        permit={"by": "ministry", "when": "check.flag", "needs": ["order"]},
        release={"by": "customs", "needs": ["check", "permit"]},
    )
    assert (made.state("check"), made.state("permit")) == ("not-applicable", "not-applicable")
    assert waits(made) == {"release"}


def test_6_an_undecided_step_waits_for_the_documents_that_decide_it() -> None:
    made = play(
        check={"by": "bank", "needs": ["order"]},
        permit={"by": "ministry", "when": "check.flag", "needs": ["order"]},
        release={"by": "customs", "needs": ["permit"]},
    )
    assert made.state("permit") == "unknown"
    assert waits(made) == {"check"}
    assert refused(made, "permit") == "not-yet-known"


def test_7_what_a_guard_no_longer_asks_for_is_moot_and_counts_again_when_it_does() -> None:
    made = play(permit={"by": "ministry", "when": "order.flag"}, release=RELEASE)
    made.must("permit")
    made.must("order", "correct", subject={"a": 1, "flag": False})
    assert made.state("permit") == "not-applicable"
    assert made.head("permit") is not None
    made.must("order", "correct", subject={"a": 1, "flag": True})
    assert made.state("permit") == "issued"


def test_8_of_alternatives_one_is_enough_and_none_where_none_applies() -> None:
    steps = {
        "lab": {"by": "bank", "when": "order.flag"},
        "note": {"by": "bank", "when": "order.flag"},
        "release": {"by": "customs", "needs": [{"any": ["lab", "note"]}]},
    }
    made = play(**steps)
    made.must("note")
    assert made.state("release") == "due"
    assert play(first={"flag": False}, **steps).state("release") == "due"


def test_9_one_more_slot_is_a_change() -> None:
    made = play(permit=PERMITS, release=RELEASE, first={"l": ["x"]})
    made.must("permit", key="x")
    made.must("release")
    assert made.case.closed_at is not None
    made = play(
        permit=PERMITS, check={"by": "bank", "needs": ["permit"]}, release={"by": "customs", "needs": ["check"]},
        first={"l": ["x"]},
    )  # fmt: skip
    made.must("permit", key="x")
    made.must("check")
    made.must("order", "correct", subject={"l": ["x", "y"]})
    assert made.state("check") == "blocked"


def test_10_what_rests_on_something_unsound_is_doubtful() -> None:
    made = play(
        check={"by": "bank", "needs": ["order"]},
        permit={"by": "ministry", "needs": [{"check": ["a"]}]},
        release={"by": "customs", "needs": ["permit"]},
    )
    made.must("check", subject={"a": 1})
    made.must("permit")
    made.must("order", "correct", subject={"a": 5})
    assert (made.state("check"), made.state("permit")) == ("due", "doubtful")
    made.must("check", "correct", subject={"a": 1})
    assert made.state("permit") == "issued"


def test_11_a_refusal_is_looked_at_again_when_what_it_rested_on_was_mended() -> None:
    made = play(permit={"by": "ministry", "needs": ["order"], "decides": True}, release=RELEASE)
    made.must("permit", outcome="rejected")
    assert made.state("permit") == "refused"
    assert refused(made, "release") == "needs-not-met"
    made.must("order", "correct", subject={"a": 2})
    assert made.state("permit") == "due"
    made.must("permit", outcome="approved")
    made.must("release")


def test_12_a_confirmation_says_that_the_old_document_stands_on_the_new_basis() -> None:
    made = play(permit={"by": "ministry", "needs": ["order"]}, release=RELEASE)
    made.must("permit", subject={"a": 9})
    assert refused(made, "permit", "confirm") == "nothing-to-confirm"
    made.must("order", "correct", subject={"a": 2})
    made.must("permit", "confirm")
    head = made.head("permit")
    assert head is not None
    assert (made.state("permit"), head.subject) == ("issued", {"a": 9})


def test_13_expiry_counts_for_relying_anew_never_backwards() -> None:
    steps = {
        "card": {"by": "bank", "needs": ["order"], "document": "ticket"},
        "permit": {"by": "ministry", "needs": ["card"]},
        "release": {"by": "customs", "needs": ["order", "permit"]},
    }
    made = play(**steps)
    made.must("card")
    made.must("permit")
    made.wait(6)
    assert (made.state("card"), made.state("permit")) == ("due", "issued")
    made.must("release")


def test_14_what_nothing_demands_is_not_taken_unless_it_is_optional() -> None:
    made = play(
        extra={"by": "bank"}, note={"by": "bank", "optional": True},
        release={"by": "customs", "needs": ["order"]},
    )  # fmt: skip
    assert waits(made) == {"release"}
    assert refused(made, "extra") == "not-demanded"
    made.must("note")


def test_15_a_window_closes_when_its_time_is_over_and_enough_have_come() -> None:
    made = play(
        offer={"by": "bank", "many": True, "within": "2h", "at_least": 1, "needs": ["order"]},
        release={"by": "customs", "needs": ["offer"]},
    )
    made.wait(3)
    assert made.state("offer", demand.WINDOW) == "due"
    made.must("offer")
    assert made.state("release") == "due"
    assert refused(made, "offer") == "window-closed"


def test_14_what_is_waited_for_is_shown_while_it_is_not_known_how_often_it_applies() -> None:
    first = {"a": 1, "flag": True, "l": ["x"]}
    made = play(
        first=first,
        list={"by": "bank", "needs": ["order"]},
        card={"by": "bank", "each": "list.l", "needs": ["order"]},
        release={"by": "customs", "each": "order.l", "needs": ["order", {"card": {"key": "each"}}]},
    )
    assert waits(made) == {"list"}


def test_14_an_optional_alternative_is_a_choice() -> None:
    """It may be issued and will do; while the other can still come, only that is waited for."""
    either = {"any": ["permit", "waiver"]}
    waiver = {"by": "ministry", "needs": ["order"], "optional": True}
    steps: dict[str, Any] = {"permit": {"by": "ministry", "needs": ["order"]}, "waiver": waiver}
    made = play(**steps, release={"by": "customs", "needs": ["order", either]})
    assert waits(made) == {"permit"}
    made.must("waiver")
    assert waits(made) == {"release"}
    steps["permit"] = {"by": "ministry", "needs": ["order"], "when": "!order.flag"}
    made = play(**steps, release={"by": "customs", "needs": ["order", either]})
    assert waits(made) == {"waiver"}


def test_17_the_opener_may_withdraw_and_then_nothing_is_demanded() -> None:
    made = play(permit={"by": "ministry", "needs": ["order"]}, release=RELEASE)
    made.must("order", "withdraw")
    assert made.case.withdrawn
    assert waits(made) == set()
    assert refused(made, "permit") == "case-withdrawn"


def test_19_a_term_runs_from_when_the_slot_is_due_and_a_return_stops_it() -> None:
    made = play(
        permit={"by": "ministry", "needs": ["order"], "decides": True, "within": "6h", "clock": "resume"},
        release=RELEASE,
    )
    made.wait(2)
    made.must("permit", outcome="deficient", deficiencies=({"step": "order", "field": "/a"},))
    made.wait(10)
    made.must("order", "correct", subject={"a": 2})
    slot = made.case.steps[made.step("permit").index].slots[""]
    assert slot.deadline == START + (2 + 10 + 4) * HOUR


def test_20_silence_is_recorded_at_the_instant_at_which_the_term_passed() -> None:
    made = play(
        permit={"by": "ministry", "needs": ["order"], "within": "3h", "on_silence": {"deemed": "approved"}},
        release=RELEASE,
    )
    made.wait(50)
    doc, at = made.accepted[-1]
    assert (doc.act, doc.step, at) == ("deem", "permit", START + 3 * HOUR)
    assert made.state("release") == "due"


def test_21_why_never_ends_in_nothing() -> None:
    made = play(permit={"by": "ministry", "needs": ["order"], "decides": True}, release=RELEASE)
    made.must("permit", outcome="rejected")
    (end,) = [row for row in demand.rows(made.case) if not row["waits_on"]]
    assert (end["slot"], end["state"]) == ("permit", "refused")


def test_23_an_office_reads_the_parts_that_its_step_needs_and_nothing_else() -> None:
    made = play(
        check={"by": "bank", "needs": [{"order": ["a"]}]}, permit={"by": "ministry", "needs": ["check"]},
        release={"by": "customs", "needs": ["permit"]},
    )  # fmt: skip
    order = made.accepted[0][0].digest
    said = rights(made)
    assert said[("bank-1", "order", "", order)] == {"a"}
    assert said[("ministry-1", "order", "", order)] == set()
    made.must("check")
    assert rights(made)[("bank-2", "order", "", order)] == set()  # another bank holds the slot now
    assert rights(made)[("bank-1", "order", "", order)] == {"a"}  # who relied on it keeps the right
