"""Deadlines of a case: when terms run, and when time alone will next change something (semantics, rules 13, 15, 19, 20).

A case expects instants: deadlines of slots and windows in one heap, the ends of validity in another. An expected
instant is not taken out when it no longer holds; it is looked at when its turn comes.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

from gardesh.model.case import Case
from gardesh.model.procedure import Step
from gardesh.model.slot import DUE, REFUSED, RETURNED, WINDOW, Place, Slot


@dataclass(frozen=True, slots=True)
class Fallen:
    """A term that has passed: of the slot itself, or (`answer`) of the applicant's answer to a return."""

    step: Step
    key: str
    at: int
    answer: bool


def start(case: Case, place: Place, slot: Slot, t: int) -> None:
    """A demanded slot at `t`: its term begins, goes on or stops, by its state."""
    step = case.procedure.steps[place[0]]
    if place[1] == WINDOW:
        return
    if slot.state == DUE:
        if slot.term_start is None:
            slot.term_start, slot.deadline, slot.escalated = t, None, False
            slot.deadline = case.term_end(step, place[1], slot.element, t, slot.used_ms)
            if slot.deadline is not None and step.spec.on_silence is not None:
                expect(case, place, slot.deadline)
    elif slot.state == RETURNED and step.spec.answer_within is not None:
        if slot.deadline is None or slot.term_start is not None:
            hold(case, step, slot, t)
            term = case.procedure.term(step.spec.answer_within.within, t)
            slot.deadline = case.procedure.calendar_of(step).deadline(t, term)
            slot.escalated = False
            expect(case, place, slot.deadline)
    elif slot.term_start is not None or slot.deadline is not None or slot.used_ms:
        hold(case, step, slot, t)


def hold(case: Case, step: Step, slot: Slot, t: int) -> None:
    """The term stops. With `clock: resume` a return keeps what was used of it (rule 19)."""
    if slot.term_start is not None and slot.state == RETURNED:
        if step.spec.clock == "resume" and step.within is not None:
            term = case.procedure.term(step.within, slot.term_start)
            slot.used_ms += case.procedure.calendar_of(step).elapsed(term, slot.term_start, t)
    elif slot.term_start is not None or slot.state == REFUSED:
        slot.used_ms = 0
    slot.term_start, slot.deadline, slot.escalated = None, None, False


def stop(case: Case, place: Place, slot: Slot, t: int) -> None:
    """A slot is no longer demanded."""
    if place[1] != WINDOW:
        hold(case, case.procedure.steps[place[0]], slot, t)
        slot.used_ms = 0


def expect_end(case: Case, step: Step, key: str, at: int) -> None:
    """The head of a slot is valid until `at`."""
    heapq.heappush(case.expiries, (at, step.index, key))


def expect(case: Case, place: Place, at: int) -> None:
    """The term of a slot passes at `at`."""
    heapq.heappush(case.deadlines, (at, *place))


def expect_all(case: Case) -> None:
    """A closed case is open again: what ends from now on matters again."""
    case.expiries = [
        (slot.head.expires, index, key)
        for index, state in enumerate(case.steps)
        for key, slot in state.slots.items()
        if slot.head is not None and slot.head.expires is not None and slot.head.expires > case.at
    ]
    heapq.heapify(case.expiries)


def next_instant(case: Case) -> int | None:
    """When time alone will next change this case: a term passes, a window closes, a document expires.

    Of a closed case only windows matter: what expired is looked at when a document touches it again.
    """
    if case.withdrawn:
        return None
    first = next_deadline(case)
    if case.closed_at is None:
        while case.expiries and not ends(case, *case.expiries[0]):
            heapq.heappop(case.expiries)
        if case.expiries and (first is None or case.expiries[0][0] < first):
            first = case.expiries[0][0]
    return first


def next_deadline(case: Case) -> int | None:
    heap = case.deadlines
    while heap and not holds(case, *heap[0]):
        heapq.heappop(heap)
    return heap[0][0] if heap else None


def holds(case: Case, at: int, index: int, key: str) -> bool:
    """Whether an expected deadline still means something that was not yet done."""
    if key == WINDOW:
        window = case.steps[index].window
        return window.deadline == at and window.state == DUE and at > case.at
    return (index, key) in case.demanded and acted_on(case, (index, key)) == at


def ends(case: Case, at: int, index: int, key: str) -> bool:
    """Whether an expected end of validity is still to come."""
    head = case.steps[index].slots[key].head
    return head is not None and head.expires == at and at > case.at


def wake(case: Case, t: int) -> None:
    """Mark what the passing of time up to `t` may have changed; `settle` then looks at it."""
    steps = case.procedure.steps
    while case.expiries and case.expiries[0][0] <= t:
        at, index, key = heapq.heappop(case.expiries)
        if ends(case, at, index, key):
            case.touch(steps[index], key)
    for step in steps:
        if step.many:
            deadline = case.steps[step.index].window.deadline
            if deadline is not None and case.at < deadline <= t:
                case.touch(step, WINDOW)


def acted_on(case: Case, place: Place) -> int | None:
    """The deadline of a slot whose passing means something that was not yet done; else None."""
    slot = case.steps[place[0]].slots[place[1]]
    if slot.deadline is None or slot.escalated:
        return None
    spec = case.procedure.steps[place[0]].spec
    handler = spec.answer_within if slot.state == RETURNED else spec.on_silence
    return slot.deadline if handler is not None else None


def fallen(case: Case, t: int) -> Fallen | None:
    """The first term that has passed by `t` and was not yet acted on: by instant, then in the order of the steps."""
    first = next_deadline(case)
    if first is None or first > t:
        return None
    at, index, key = case.deadlines[0]
    if key == WINDOW:
        return None
    answer = case.steps[index].slots[key].state == RETURNED
    return Fallen(case.procedure.steps[index], key, at, answer)
