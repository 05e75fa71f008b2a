"""What a case waits for: demand from the goal, terms, and the chain of waits (semantics, rules 14, 15, 19-21)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from gardesh.model import deadline
from gardesh.model.case import Case
from gardesh.model.expression import Unknown
from gardesh.model.problem import Problem
from gardesh.model.procedure import Need, Ref, Step
from gardesh.model.slot import (
    BLOCKED,
    DOUBTFUL,
    DUE,
    EXEMPT,
    ISSUED,
    NOT_APPLICABLE,
    OVERDUE,
    RETURNED,
    UNDECIDED,
    WINDOW,
    Place,
    Rest,
    Slot,
    StepState,
)


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
    """Find again what the goal waits for, where a slot was looked at or is waited for by another than before.

    Each place counts those who wait for it. Steps are gone through from the goal down, and whoever waits comes
    after what it waits for: so one pass is enough, and it costs what has changed, not what there is. Starts and stops
    the terms of what became or ceased to be demanded.
    """
    if closed(case) and not case.withdrawn:
        case.closed_at = case.closed_at or t
    elif case.closed_at is not None:
        case.closed_at = None
        deadline.expect_all(case)
    steps = case.procedure.steps
    ahead: dict[int, set[str]] = {}
    for index, keys in case.looked.items():
        ahead[index] = places(steps[index], case.steps[index]) if keys is None else set(keys)
        if steps[index].many:
            ahead[index].add(WINDOW)
        for other in steps[index].bounds:
            case.unsaved.update(place for place in case.demanded if place[0] == other)
    asks = not case.withdrawn and case.closed_at is None
    if asks is not case.asks:
        case.asks = asks
        for goal in case.procedure.goal:
            want(case, (goal.index, ""), 1 if asks else -1, ahead)
    for index in range(len(steps) - 1, -1, -1):
        for key in ahead.get(index, ()):
            look(case, index, key, t, ahead)


def places(step: Step, state: StepState) -> set[str]:
    return {*state.slots, WINDOW} if step.multiple else {""}


def slot_at(case: Case, place: Place) -> Slot:
    state = case.steps[place[0]]
    return state.window if place[1] == WINDOW else state.slots[place[1]]


def look(case: Case, index: int, key: str, t: int, ahead: dict[int, set[str]]) -> None:
    """Whether one place is demanded now, and what it waits for."""
    step, state, place = case.procedure.steps[index], case.steps[index], (index, key)
    slot = state.window if key == WINDOW else state.slots.get(key)
    if slot is None:
        return
    before = (slot.demanded, slot.waits_on, slot.deadline)
    demanded = wanted(step, state, key, slot)
    waits = tuple(sorted(set(waits_of(case, step, key, slot)))) if demanded else ()
    if waits != slot.waits_on:
        for other in slot.waits_on:
            if other not in waits:
                want(case, other, -1, ahead)
        for other in waits:
            if other not in slot.waits_on:
                want(case, other, 1, ahead)
        slot.waits_on = waits
    if demanded:
        slot.demanded = True
        case.demanded.add(place)
        deadline.start(case, place, slot, t)
    elif slot.demanded:
        slot.demanded = False
        case.demanded.discard(place)
        deadline.stop(case, place, slot, t)
    if (slot.demanded, slot.waits_on, slot.deadline) != before:
        case.unsaved.add(place)


def want(case: Case, place: Place, more: int, ahead: dict[int, set[str]]) -> None:
    """One more, or one less, waits for a place. An empty key means the whole step."""
    index, key = place
    step, state = case.procedure.steps[index], case.steps[index]
    count = state.wants.get(key, 0) + more
    if count:
        state.wants[key] = count
    else:
        del state.wants[key]
    if count == (1 if more > 0 else 0):
        keys = ahead.setdefault(index, set())
        if not step.multiple:
            keys.add("")
        elif state.applies is None:
            keys.add(WINDOW)
        elif key in ("", WINDOW):
            keys |= {WINDOW} if step.many else state.open_keys
        else:
            keys.add(key)


def wanted(step: Step, state: StepState, key: str, slot: Slot) -> bool:
    """Whether the place is open and somebody waits for it (rule 14)."""
    if not state.wants or state.applies is False:
        return False
    if state.applies is None:
        return key == WINDOW if step.multiple else True
    if not step.multiple:
        return slot.state not in (ISSUED, NOT_APPLICABLE)
    whole = "" in state.wants or WINDOW in state.wants
    if key == WINDOW:
        return step.many and whole and slot.state != ISSUED
    return slot.state not in (ISSUED, NOT_APPLICABLE) and (key in state.wants or (whole and not step.many))


def waits_of(case: Case, step: Step, key: str, slot: Slot) -> Iterator[Place]:
    """What an open place waits for: nothing, if something can be done there now."""
    if slot.state == UNDECIDED:
        for below in case.undecided_by(step):
            yield from unwritten(case, below)
    elif slot.state == BLOCKED:
        yield from unmet(case, step, "" if key == WINDOW else key)
    elif slot.state == DOUBTFUL:
        if key == WINDOW:
            yield from unsound(case, step, "", case.steps[step.index].window_rest or ())
        elif slot.head is not None:
            yield from unsound(case, step, key, slot.head.rest)


def unwritten(case: Case, step: Step) -> Iterator[Place]:
    """Where the documents of a step that an expression waits for are still to be written."""
    state = case.steps[step.index]
    if state.applies is None or not step.multiple or step.many:
        yield (step.index, WINDOW if step.multiple else "")
    else:
        yield from ((step.index, k) for k, s in sorted(state.slots.items()) if s.applies and s.head is None)


def unmet(case: Case, step: Step, key: str) -> Iterator[Place]:
    for need in step.needs:
        if need.any and case.met(need, key):
            continue
        for ref in asked(case, need):
            if not case.stands(ref, key) and case.steps[ref.step].applies is not False:
                below = case.procedure.steps[ref.step]
                unknown = below.multiple and case.steps[ref.step].applies is None
                yield (ref.step, WINDOW if below.many or unknown else key if ref.same_key else "")


def asked(case: Case, need: Need) -> Sequence[Ref]:
    """Which of a need's alternatives are waited for: one that is `optional` is a choice, and is not, while another can
    still come (rule 14)."""
    if not need.any:
        return need.refs
    steps = case.procedure.steps
    duties = [
        r for r in need.refs if not steps[r.step].spec.optional and case.steps[r.step].applies is not False
    ]
    return duties or need.refs


def unsound(case: Case, step: Step, key: str, rest: tuple[Rest, ...]) -> Iterator[Place]:
    """What keeps a doubtful document doubtful: what it used and is not sound, or not known to be absent."""
    for need, was in zip(step.needs, rest, strict=False):
        if was.choice == EXEMPT:
            continue
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
    moment = case.moment_of(bind.reads) if bind.timely else case.moment(0, case.opened_at)
    named = bind.org.evaluate(case.environment(bind.reads), moment)
    return None if named is None or type(named) is Unknown else str(named)


def named_holder(case: Case, role: str | None) -> str | None:
    """As `holder_of`, for showing: none where the expression that should name one fails."""
    try:
        return holder_of(case, role)
    except Problem:
        return None


def slot_id(step: Step, key: str) -> str:
    return f"{step.name}:{key}" if key and key != WINDOW else step.name


def row(case: Case, place: Place) -> dict[str, Any]:
    """What a demanded place waits for, with stable field names: the base of `plan`, `why` and the worklists.

    `waits_on` names slots, or a step for all of its slots that are open.
    """
    index, key = place
    step, slot = case.procedure.steps[index], slot_at(case, place)
    role = role_of(case, step, key)
    steps = case.procedure.steps
    out: dict[str, Any] = {
        "slot": slot_id(step, key),
        "step": step.name,
        "key": "" if key == WINDOW else key,
        "state": slot.state,
        "role": role,
        "by": named_holder(case, role),
        "since": slot.since,
        "deadline": slot.deadline,
        "waits_on": list(dict.fromkeys(slot_id(steps[i], k) for i, k in slot.waits_on)),
    }
    if key == WINDOW and step.many:
        out["window"] = True
    if slot.head is not None:
        out["head"] = slot.head.digest.hex()
    if slot.state == RETURNED and slot.head is not None:
        out["deficiencies"] = list(slot.head.deficiencies)
    if step.spec.from_ is not None:
        out["from"] = step.spec.from_
    return out


def rows(case: Case) -> list[dict[str, Any]]:
    """What a case waits for, slot by slot, in the order of the procedure."""
    return resolved([row(case, place) for place in sorted(case.demanded)])


def resolved(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of a case, with the open slots of a step in the place of the step's own name."""
    slots = {r["slot"] for r in found}
    by_step: dict[str, list[str]] = {}
    for each in found:
        by_step.setdefault(each["step"], []).append(each["slot"])
    for each in found:
        names = (s for w in each["waits_on"] for s in ([w] if w in slots else by_step.get(w, [])))
        each["waits_on"] = list(dict.fromkeys(names))
    return found


def shown_state(row_state: str, deadline: int | None, t: int) -> str:
    """`overdue` is what `due` is called past its deadline."""
    return OVERDUE if row_state == DUE and deadline is not None and deadline <= t else row_state
