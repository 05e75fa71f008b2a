"""The invariants of the semantics, over random procedures and histories (docs/reference/semantics.md).

The twelfth, that an audit derives every decision again, is held over whole records: `tests/test_market_histories.py`
and `tests/study/test_audit.py`.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from itertools import combinations
from typing import Any

from held_against import agrees, plain_rights, rights, told_by_engine
from histories import SUBJECTS, Doc, Move, Play, compiled, moves, procedures
from hypothesis import assume, given
from hypothesis import strategies as st

from effort import tries
from gardesh.model import demand, fold
from gardesh.model.case import Case
from gardesh.model.path import critical_path
from gardesh.model.problem import Problem
from gardesh.model.slot import DUE, ISSUED, REFUSED, RETURNED

QUIET = ("issue", "issue", "issue", "wild")
histories = given(made=procedures(), first=SUBJECTS, then=moves())


def played(made: dict[str, Any], first: dict[str, Any], then: list[Move]) -> Play:
    play = Play(compiled(made))
    play.begin(first)
    for move in then:
        play.move(move)
    return play


def states(case: Case) -> dict[tuple[str, str], str]:
    found: dict[tuple[str, str], str] = told_by_engine(case)["states"]
    return found


@histories
@tries(250)
def test_the_engine_says_what_the_plain_model_says(made: Any, first: Any, then: list[Move]) -> None:
    play = Play(compiled(made))
    play.begin(first)
    agrees(play)
    for move in then:
        play.move(move)
        agrees(play)


@histories
@tries(80)
def test_1_the_incremental_fold_is_the_fold_from_scratch(made: Any, first: Any, then: list[Move]) -> None:
    play = played(made, first, then)
    assert told_by_engine(play.again()) == told_by_engine(play.case)


@given(made=procedures(alternatives=False), first=SUBJECTS, then=moves(most=8), said=SUBJECTS)
@tries(100)
def test_2_documents_that_do_not_rest_on_each_other_come_in_either_order(
    made: Any, first: Any, then: list[Move], said: Any
) -> None:
    play = played(made, first, then)
    due = [play.compose(n, key=k, subject=said, digest=f"{n}:{k}".encode()) for n, k in play.due()]
    for one, other in combinations(due, 2):
        if not rests_on(play, one, other) and not rests_on(play, other, one):
            ends = [after(play, one, other), after(play, other, one)]
            assert None in ends or ends[0] == ends[1]


def after(play: Play, *documents: Doc) -> Any:
    """The case after these documents; None if one makes the other needless."""
    case = play.again()
    for position, doc in enumerate(documents, len(play.accepted)):
        if case.closed_at is not None or case.withdrawn:
            return None
        try:
            fold.accept(case, doc, play.t, position)
        except Problem as problem:
            assert problem.code in ("not-demanded", "not-applicable", "no-such-slot")
            return None
    return told_by_engine(case)


def rests_on(play: Play, doc: Doc, other: Doc) -> bool:
    """Whether `other` is of a step that that of `doc` waits for, directly or not, or of the same."""
    ahead, seen = [play.step(doc.step).index], set()
    while ahead:
        index = ahead.pop()
        seen.add(index)
        step = play.procedure.steps[index]
        ahead += [i for i in (*step.reads, *(r.step for n in step.needs for r in n.refs)) if i not in seen]
    return play.step(other.step).index in seen


@given(made=procedures(timed=False), first=SUBJECTS, then=moves(QUIET, most=20))
@tries(100)
def test_3_without_amendments_and_time_nothing_that_is_issued_ceases_to_be(
    made: Any, first: Any, then: list[Move]
) -> None:
    play = Play(compiled(made))
    play.begin(first)
    for move in then:
        before = {p for p, state in states(play.case).items() if state == ISSUED}
        play.move(replace(move, pick=min(move.pick, 4)))
        assert before <= {p for p, state in states(play.case).items() if state == ISSUED}


@given(made=procedures(), first=SUBJECTS, then=moves(), pick=st.integers(0, 9))
@tries(100)
def test_4_a_correction_of_what_nobody_relied_on_changes_its_own_slot_only(
    made: Any, first: Any, then: list[Move], pick: int
) -> None:
    made = copy.deepcopy(made)
    for step in made["steps"].values():
        step["needs"] = [in_parts(need) for need in step.get("needs", [])]
    play = played(made, first, then)
    held = [(n, k) for n, k in play.held() if play.state(n, k) == ISSUED and play.case.closed_at is None]
    assume(held)
    name, key = held[pick % len(held)]
    head = play.head(name, key)
    assert head is not None
    before = states(play.case)
    doc = play.compose(name, "correct", key=key, subject={**head.subject, "nobody-reads": 1})
    assume(play.submit(replace(doc, outcome=head.outcome if play.step(name).outcomes else None)) is None)
    after = states(play.case)
    assert {p for p in before if before[p] != after[p]} <= {(name, key)}


def in_parts(need: Any) -> Any:
    """A need of the whole of a document, as one of named parts."""
    if isinstance(need, str):
        return {need: ["a", "b", "flag", "l"]}
    if set(need) == {"any"}:
        return {"any": [in_parts(each) for each in need["any"]]}
    name, how = next(iter(need.items()))
    return {name: {"parts": ["a"], **how} if isinstance(how, dict) else how}


@histories
@tries(100)
def test_5_an_open_case_always_shows_where_something_can_be_done(
    made: Any, first: Any, then: list[Move]
) -> None:
    play = Play(compiled(made))
    play.begin(first)
    for move in then:
        play.move(move)
        if play.case.closed_at is None and not play.case.withdrawn:
            ends = [row for row in demand.rows(play.case) if not row["waits_on"]]
            assert ends
            assert {row["state"] for row in ends} <= {DUE, RETURNED, REFUSED}


@histories
@tries(100)
def test_6_what_is_issued_is_sound_and_its_basis_can_be_shown(
    made: Any, first: Any, then: list[Move]
) -> None:
    play = played(made, first, then)
    on_record = {doc.digest for doc, _ in play.accepted}
    for step, state in zip(play.procedure.steps, play.case.steps, strict=True):
        for key, slot in state.slots.items():
            if slot.state == ISSUED and slot.head is not None:
                assert slot.sound
                assert slot.head.digest in on_record
                for need, rest in zip(step.needs, slot.head.rest, strict=True):
                    if rest.choice >= 0:
                        assert play.case.print_of(need.refs[rest.choice], key) == rest.print


@histories
@tries(100)
def test_7_of_two_documents_for_one_slot_on_one_basis_the_second_learns_of_the_first(
    made: Any, first: Any, then: list[Move]
) -> None:
    play = played(made, first, then)
    for name, key in play.due():
        if play.step(name).many or play.case.closed_at is not None or play.case.withdrawn:
            continue
        pair = [replace(play.compose(name, key=key), digest=digest * 32) for digest in (b"1", b"2")]
        case = play.again()
        fold.accept(case, pair[0], play.t, len(play.accepted))
        try:
            fold.accept(case, pair[1], play.t, len(play.accepted) + 1)
        except Problem as problem:
            assert (problem.code, problem.params.get("first")) == ("slot-taken", pair[0].digest.hex())
        else:
            raise AssertionError("both were accepted")


@given(made=procedures(timed=False, alternatives=False), first=SUBJECTS, said=SUBJECTS)
@tries(100)
def test_8_when_every_office_says_yes_nothing_is_asked_twice_or_in_vain(
    made: Any, first: Any, said: Any
) -> None:
    play = Play(compiled(made))
    asked = {(play.procedure.opening.name, "")}
    play.begin(first)
    while play.case.closed_at is None:
        rows = demand.rows(play.case)
        asked |= {(row["step"], row["key"]) for row in rows if row["state"] == DUE}
        row = next(row for row in rows if row["state"] == DUE)
        play.must(row["step"], key=row["key"], subject=said)
    issued = [(doc.step, doc.key or "") for doc, _ in play.accepted]
    assert len(issued) == len(set(issued))
    assert set(issued) <= asked
    if not any(sign in step.get("when", "") for step in made["steps"].values() for sign in ("||", "&&", "?")):
        assert set(issued) == asked  # no guard that was decided made a question needless


@histories
@tries(100)
def test_9_a_confirmation_never_makes_it_worse(made: Any, first: Any, then: list[Move]) -> None:
    play = played(made, first, then)
    for name, key in play.stale():
        head = play.head(name, key)
        if head is not None and play.submit(play.compose(name, "confirm", key=key)) is None:
            expected = {"approved": ISSUED, "deficient": RETURNED, "rejected": REFUSED}[head.outcome]
            assert play.state(name, key) in (expected, "doubtful")


@histories
@tries(100)
def test_10_the_critical_path_tiles_the_time(made: Any, first: Any, then: list[Move]) -> None:
    play = played(made, first, then)
    pieces = critical_path(play.case)
    at = play.case.opened_at
    for piece in pieces:
        assert piece.since == at
        assert piece.until >= at
        assert 0 <= piece.working_ms <= piece.until - piece.since
        at = piece.until
    if play.case.closed_at is not None:
        assert at == play.case.closed_at


@histories
@tries(100)
def test_11_nobody_reads_what_no_step_of_theirs_needs(made: Any, first: Any, then: list[Move]) -> None:
    play = played(made, first, then)
    assert rights(play) == plain_rights(play)
    decisions = {s.name for s in play.procedure.steps if s.outcomes} | {g.name for g in play.procedure.goal}
    for (org, step, _, digest), right in rights(play).items():
        role = org.rpartition("-")[0]
        acted = {doc.step for doc, _ in play.accepted if doc.issuer == org}
        needed = {
            play.procedure.steps[r.step].name
            for s in play.procedure.steps
            if s.role == role or s.name in acted
            for n in s.needs
            for r in n.refs
        }
        issued = {doc.step for doc, _ in play.accepted if doc.issuer == org and doc.digest == digest}
        if right:
            assert step in needed | issued | (decisions if org == play.opener else set())
