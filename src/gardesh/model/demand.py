"""What a case waits for: demand from the goal, terms, and the chain of waits (semantics, rules 14, 15, 19-21)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from gardesh.model.case import Case
from gardesh.model.expression import Unknown
from gardesh.model.problem import Problem
from gardesh.model.procedure import Ref, Step
from gardesh.model.slot import (
    BLOCKED,
    DOUBTFUL,
    DUE,
    ISSUED,
    NOT_APPLICABLE,
    OVERDUE,
    REFUSED,
    RETURNED,
    UNDECIDED,
    Rest,
    Slot,
)

WINDOW = "*"
"""The key that stands for the window of a `many` step."""

Place = tuple[int, str]


@dataclass(frozen=True, slots=True)
class Fallen:
    """A term that has passed: of the slot itself, or (`answer`) of the applicant's answer to a return."""

    step: Step
    key: str
    at: int
    answer: bool


def closed(case: Case) -> bool:
    """Whether what the goal names stands. What expires after the closing does not undo it (rule 13)."""
    if case.closed_at is not None and all(stood(case, s, case.closed_at) for s in case.procedure.goal):
        return True
    return all(ref_issued(case, s) for s in case.procedure.goal)


def stood(case: Case, step: Step, closed_at: int) -> bool:
    state = case.steps[step.index]
    if state.applies is not True:
        return state.applies is False
    if step.many:
        return state.window.sound
    return all(
        s.sound
        and s.head is not None
        and s.head.outcome == "approved"
        and (s.head.expires is None or s.head.expires > closed_at)
        for s in state.slots.values()
        if s.applies
    )


def ref_issued(case: Case, step: Step) -> bool:
    return case.stands(Ref(step.index), "") and case.steps[step.index].applies is not None


def demand(case: Case, t: int) -> None:
    """Find what the goal waits for, and start or stop the terms of what became or ceased to be so."""
    if closed(case) and not case.withdrawn:
        case.closed_at = case.closed_at or t
    else:
        case.closed_at = None
    found: dict[Place, tuple[Place, ...]] = {}
    if not case.withdrawn and case.closed_at is None:
        stack = [(g.index, "") for g in case.procedure.goal]
        seen: set[Place] = set()
        while stack:
            place = stack.pop()
            if place in seen:
                continue
            seen.add(place)
            for at, waits in open_places(case, *place):
                found[at] = waits
                stack.extend(waits)
    for place in case.demanded - found.keys():
        stop_term(case, place, t)
    case.demanded = set(found)
    for place, waits in found.items():
        slot = slot_at(case, place)
        slot.demanded, slot.waits_on = True, tuple(sorted(set(waits)))
        start_term(case, place, slot, t)


def slot_at(case: Case, place: Place) -> Slot:
    state = case.steps[place[0]]
    return state.window if place[1] == WINDOW else state.slots[place[1]]


def open_places(case: Case, index: int, key: str) -> Iterator[tuple[Place, tuple[Place, ...]]]:
    """The open slots of a step (of one key, if given), each with the places it waits on."""
    step, state = case.procedure.steps[index], case.steps[index]
    if state.applies is False:
        return
    if state.applies is None:
        waits = tuple(p for s in case.undecided_by(step) for p in unwritten(case, s))
        if step.multiple:
            state.window.state = UNDECIDED
            yield (index, WINDOW), waits
        else:
            yield (index, ""), waits
        return
    if step.many and key in ("", WINDOW):
        if state.window.state == DOUBTFUL:
            yield (index, WINDOW), tuple(unsound(case, step, "", state.window_rest or ()))
        elif state.window.state != ISSUED:
            yield (index, WINDOW), () if state.window.state == DUE else tuple(unmet(case, step, ""))
        return
    keys = (key,) if key and key != WINDOW else tuple(sorted(state.open_keys))
    for name in keys:
        slot = state.slots.get(name)
        if slot is None or slot.state in (ISSUED, NOT_APPLICABLE):
            continue
        waits = ()
        if slot.state == BLOCKED:
            waits = tuple(unmet(case, step, name))
        elif slot.state == DOUBTFUL and slot.head is not None:
            waits = tuple(unsound(case, step, name, slot.head.rest))
        yield (index, name), waits


def unwritten(case: Case, step: Step) -> Iterator[Place]:
    """Where the documents of a step that an expression waits for are still to be written."""
    state = case.steps[step.index]
    if state.applies is None or not step.multiple or step.many:
        yield (step.index, WINDOW if step.multiple else "")
    else:
        yield from ((step.index, k) for k, s in sorted(state.slots.items()) if s.applies and s.head is None)


def unmet(case: Case, step: Step, key: str) -> Iterator[Place]:
    for need in step.needs:
        if not case.met(need, key):
            for ref in need.refs:
                if case.steps[ref.step].applies is not False and not case.stands(ref, key):
                    many = case.procedure.steps[ref.step].many
                    yield (ref.step, WINDOW if many else key if ref.same_key else "")


def unsound(case: Case, step: Step, key: str, rest: tuple[Rest, ...]) -> Iterator[Place]:
    """What keeps a doubtful document doubtful: what it used and is not sound, or not known to be absent."""
    for need, was in zip(step.needs, rest, strict=False):
        for ref in need.refs if was.choice < 0 else (need.refs[was.choice],):
            if case.ref_sound(ref, key):
                continue
            below, state = case.procedure.steps[ref.step], case.steps[ref.step]
            if state.applies is None or not below.multiple:
                yield (ref.step, WINDOW if below.multiple else "")
            elif ref.same_key:
                yield (ref.step, key)
            else:
                if below.many and not state.window.sound:
                    yield (ref.step, WINDOW)
                yield from ((ref.step, k) for k, s in case.counted(below) if not s.sound)


def start_term(case: Case, place: Place, slot: Slot, t: int) -> None:
    step = case.procedure.steps[place[0]]
    if place[1] == WINDOW:
        return
    if slot.state == DUE:
        if slot.term_start is None:
            slot.term_start, slot.deadline, slot.escalated = t, None, False
            if step.within is not None:
                calendar, term = case.procedure.calendar_of(step), case.procedure.term(step.within, t)
                used = slot.used_ms
                slot.deadline = calendar.deadline(t, calendar.remaining(term, used) if used else term)
    elif slot.state == RETURNED and step.spec.answer_within is not None:
        if slot.deadline is None or slot.term_start is not None:
            hold(case, step, slot, t)
            term = case.procedure.term(step.spec.answer_within.within, t)
            slot.deadline = case.procedure.calendar_of(step).deadline(t, term)
            slot.escalated = False
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


def stop_term(case: Case, place: Place, t: int) -> None:
    slot = slot_at(case, place)
    slot.demanded, slot.waits_on = False, ()
    if place[1] != WINDOW:
        hold(case, case.procedure.steps[place[0]], slot, t)
        slot.used_ms = 0


def next_instant(case: Case) -> int | None:
    """When time alone will next change this case: a term passes, a window closes, a document expires.

    Of a closed case only windows matter: what expired is looked at when a document touches it again.
    """
    if case.withdrawn:
        return None
    best: int | None = None
    for place in case.demanded:
        deadline = acted_on(case, place)
        if deadline is not None and (best is None or deadline < best):
            best = deadline
    for state in case.steps:
        if state.expiring and case.closed_at is None:
            for slot in state.slots.values():
                expires = slot.head.expires if slot.head is not None else None
                if expires is not None and expires > case.at and (best is None or expires < best):
                    best = expires
        deadline = state.window.deadline
        if (
            deadline is not None
            and state.window.state == DUE
            and deadline > case.at
            and (best is None or deadline < best)
        ):
            best = deadline
    return best


def wake(case: Case, t: int) -> None:
    """Mark what the passing of time up to `t` may have changed; `settle` then looks at it."""
    for step, state in zip(case.procedure.steps, case.steps, strict=True):
        if state.expiring:
            for key, slot in state.slots.items():
                if (
                    slot.head is not None
                    and slot.head.expires is not None
                    and case.at < slot.head.expires <= t
                ):
                    case.touch(step, key)
        if step.many and state.window.deadline is not None and case.at < state.window.deadline <= t:
            case.touch(step, WINDOW)


def acted_on(case: Case, place: Place) -> int | None:
    """The deadline of a slot whose passing means something that was not yet done; else None."""
    if place[1] == WINDOW:
        return None
    slot = slot_at(case, place)
    if slot.deadline is None or slot.escalated:
        return None
    spec = case.procedure.steps[place[0]].spec
    handler = spec.answer_within if slot.state == RETURNED else spec.on_silence
    return slot.deadline if handler is not None else None


def fallen(case: Case, t: int) -> Fallen | None:
    """The first term that has passed by `t` and was not yet acted on: by instant, then in the order of the steps."""
    best: Fallen | None = None
    for index, key in sorted(case.demanded):
        slot = slot_at(case, (index, key))
        deadline = acted_on(case, (index, key))
        if deadline is None or deadline > t:
            continue
        step = case.procedure.steps[index]
        answer = slot.state == RETURNED
        if best is None or deadline < best.at:
            best = Fallen(step, key, deadline, answer)
    return best


def role_of(case: Case, step: Step, key: str) -> str | None:
    """The role that issues this slot's document."""
    if step.role_field is not None:
        slot = case.steps[step.index].slots.get(key)
        element = slot.element if slot is not None else None
        return str(element.get(step.role_field)) if isinstance(element, dict) else None
    return step.role


def holder_of(case: Case, role: str | None) -> str | None:
    """The one organisation that plays `role` in this case; None when any accredited holder may, or none is named yet."""
    bind = case.procedure.binds.get(role or "")
    if bind is None or bind.kind == "any":
        return None
    if bind.kind == "opener":
        return case.opener
    assert bind.org is not None
    steps = {s.var: s.index for s in case.procedure.steps}
    named = bind.org.evaluate(
        case.environment(steps[v] for v in bind.org.variables), case.moment(0, case.opened_at)
    )
    return None if named is None or type(named) is Unknown else str(named)


def named_holder(case: Case, role: str | None) -> str | None:
    """As `holder_of`, for showing: none where the expression that should name one fails."""
    try:
        return holder_of(case, role)
    except Problem:
        return None


def slot_id(step: Step, key: str) -> str:
    return f"{step.name}:{key}" if key and key != WINDOW else step.name


def rows(case: Case) -> list[dict[str, Any]]:
    """What a case waits for, slot by slot, with stable field names: the base of `plan`, `why` and the worklists."""
    out = []
    steps = case.procedure.steps
    of_step: dict[int, list[Place]] = {}
    for place in sorted(case.demanded):
        of_step.setdefault(place[0], []).append(place)
    for index, key in sorted(case.demanded):
        step = steps[index]
        slot = slot_at(case, (index, key))
        waits = {p for w in slot.waits_on for p in ([w] if w in case.demanded else of_step.get(w[0], []))}
        role = role_of(case, step, key)
        row: dict[str, Any] = {
            "slot": slot_id(step, key),
            "step": step.name,
            "key": "" if key == WINDOW else key,
            "state": slot.state,
            "role": role,
            "by": named_holder(case, role),
            "since": slot.since,
            "deadline": slot.deadline,
            "waits_on": [slot_id(steps[i], k) for i, k in sorted(waits)],
        }
        if key == WINDOW and step.many:
            row["window"] = True
        if slot.head is not None:
            row["head"] = slot.head.digest.hex()
        if slot.state == RETURNED and slot.head is not None:
            row["deficiencies"] = list(slot.head.deficiencies)
        if step.spec.from_ is not None:
            row["from"] = step.spec.from_
        out.append(row)
    return out


def shown_state(row_state: str, deadline: int | None, t: int) -> str:
    """`overdue` is what `due` is called past its deadline."""
    return OVERDUE if row_state == DUE and deadline is not None and deadline <= t else row_state
