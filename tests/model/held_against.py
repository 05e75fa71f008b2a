"""The engine held against the plain model, place by place."""

from __future__ import annotations

from typing import Any

from histories import CLOCK, ROLES, Play
from reference import WHOLE

from gardesh.model import reading
from gardesh.model.case import Case
from gardesh.model.slot import DUE, WINDOW

Picture = dict[str, Any]


def told_by_engine(case: Case) -> Picture:
    """States, demand with its waits, terms and the end of a case, by names."""
    steps = case.procedure.steps
    states: dict[tuple[str, str], str] = {}
    since: dict[tuple[str, str], int] = {}
    for step, state in zip(steps, case.steps, strict=True):
        if step.many or (step.multiple and state.applies is None):
            states[(step.name, WHOLE)] = state.window.state
        for key, slot in state.slots.items():
            if not step.multiple or (state.applies is True and slot.applies):
                states[(step.name, key)] = slot.state
                since[(step.name, key)] = slot.since
    demanded: dict[tuple[str, str], set[tuple[str, str]]] = {}
    for index, key in case.demanded:
        state = case.steps[index]
        slot = state.window if key == WINDOW else state.slots[key]
        demanded[(steps[index].name, key)] = {p for i, k in slot.waits_on for p in places(case, i, k)}
    terms = {
        (steps[i].name, k): (slot.deadline, slot.escalated)
        for i, k in case.demanded
        if k != WINDOW and (slot := case.steps[i].slots[k]).deadline is not None
    }
    windows = {
        s.name: (state.window.deadline, state.window_closed)
        for s, state in zip(steps, case.steps, strict=True)
        if s.many and state.applies is True and state.window.state in (DUE, "issued")
    }
    return {
        "states": states, "since": since, "demanded": demanded, "terms": terms, "windows": windows,
        "closed_at": case.closed_at, "withdrawn": case.withdrawn,
    }  # fmt: skip


def places(case: Case, index: int, key: str) -> list[tuple[str, str]]:
    """A step as a whole stands for all of its places that are demanded."""
    name = case.procedure.steps[index].name
    if (index, key) in case.demanded:
        return [(name, key)]
    return [(name, k) for i, k in case.demanded if i == index]


def told_by_model(play: Play) -> Picture:
    now = play.plain.now
    states: dict[tuple[str, str], str] = {}
    since: dict[tuple[str, str], int] = {}
    for step in play.procedure.steps:
        if step.many:
            states[(step.name, WHOLE)] = now.window_state(step)
        elif step.multiple and now.applies(step) is None:
            states[(step.name, WHOLE)] = "unknown"
        keys = now.keys(step) if step.multiple else [""]
        for key in keys:
            states[(step.name, key)] = now.state(step, key)
            since[(step.name, key)] = now.since(step, key)
    terms = {p: (t.deadline, t.escalated) for p, t in now.terms.items() if t.deadline is not None}
    windows = {
        s.name: (w.deadline, w.closed)
        for s in play.procedure.steps
        if s.many
        and now.applies(s) is True
        and now.window_state(s) in (DUE, "issued")
        and (w := now.window(s))
    }
    return {
        "states": states, "since": since, "demanded": now.demanded, "terms": terms, "windows": windows,
        "closed_at": now.closed_at, "withdrawn": now.withdrawn,
    }  # fmt: skip


def agrees(play: Play) -> None:
    """The engine says what the model says. A window's own states are compared, not since when."""
    ours, plain = told_by_engine(play.case), told_by_model(play)
    for name, said in plain.items():
        assert ours[name] == said, f"{name} at {play.t}"


def rights(play: Play) -> dict[tuple[str, str, str, bytes], Any]:
    """What each of some organisations may read of each document, as the engine derives it."""
    found = {}
    for org in organisations(play):
        roles = frozenset([org.rpartition("-")[0]])
        for step, state in zip(play.procedure.steps, play.case.steps, strict=True):
            for key, slot in state.slots.items():
                for head in (*slot.past, slot.head):
                    if head is not None:
                        right = reading.right(play.case, org, roles, step.name, key, head)
                        found[(org, step.name, key, head.digest)] = shown(right)
    return found


def plain_rights(play: Play) -> dict[tuple[str, str, str, bytes], Any]:
    found = {}
    now = play.plain.now
    for org in organisations(play):
        roles = frozenset([org.rpartition("-")[0]])
        for step, state in zip(play.procedure.steps, play.case.steps, strict=True):
            for key in state.slots:
                for digest, right in now.rights(org, roles, (step.name, key)).items():
                    found[(org, step.name, key, digest)] = right
    return found


def shown(right: reading.Right) -> Any:
    return True if right == reading.ALL else set() if right == reading.NONE else set(right)


def organisations(play: Play) -> list[str]:
    return sorted({play.opener, *(f"{role}-{n}" for role in ROLES for n in (1, 2)), CLOCK})
