"""Who may read what: derived from the graph, never granted by hand (semantics, rule 23)."""

from __future__ import annotations

from gardesh.model import demand
from gardesh.model.case import Case
from gardesh.model.slot import ISSUED, NOT_APPLICABLE, Head

ALL = "all"
NONE = "none"
Right = str | tuple[str, ...]
"""`all`, `none`, or the fields of the subject that may be read."""


def right(
    case: Case,
    org: str,
    roles: frozenset[str],
    step_name: str,
    key: str,
    head: Head,
    known_as: frozenset[str] = frozenset(),
) -> Right:
    """What `org`, holding `roles`, may read of a document (now or once a head) of the slot `step_name:key`.

    Its issuer and those it is about read it whole; the holder of a slot that applies and is demanded or has a
    document reads what its step needs directly, in the parts that the step names; who relied on it keeps that. The
    opener reads every decision of its case, and what closes it. `known_as` are other names of `org`, such as its
    legal id, under which a document may be about it.
    """
    if org == head.issuer or (head.about is not None and (head.about == org or head.about in known_as)):
        return ALL
    made = case.procedure.by_name[step_name]
    if org == case.opener and (made.outcomes or made in case.procedure.goal):
        return ALL
    target = made.index
    fields: set[str] = set()
    for step, state in zip(case.procedure.steps, case.steps, strict=True):
        refs = [r for n in step.needs for r in n.refs if r.step == target]
        deep = step.spec.reads == "deep" and target in below(case, step.index)
        if not refs and not deep:
            continue
        for name, slot in [*state.slots.items(), *([(demand.WINDOW, state.window)] if step.many else [])]:
            if not holds_slot(case, org, roles, step.index, name):
                continue
            if slot.state == NOT_APPLICABLE and (slot.head is None or slot.head.issuer != org):
                continue
            relied = any(h.issuer == org for h in (*slot.past, slot.head) if h is not None)
            if not (relied or slot.demanded or slot.state == ISSUED):
                continue
            for ref in refs:
                if ref.same_key and name not in (key, demand.WINDOW):
                    continue
                if not ref.parts:
                    return ALL
                fields.update(ref.parts)
            if deep:
                return ALL
    return tuple(sorted(fields)) if fields else NONE


def holds_slot(case: Case, org: str, roles: frozenset[str], index: int, key: str) -> bool:
    """Whether `org` plays, in this case, the role that issues this slot's document."""
    step = case.procedure.steps[index]
    role = demand.role_of(case, step, key)
    if role is None or role not in roles:
        return False
    bound = demand.holder_of(case, role)
    if bound is not None:
        return bound == org
    slot = case.steps[index].slots.get(key)
    taken = slot is not None and slot.head is not None and slot.state == ISSUED
    return not taken or slot is None or slot.head is None or slot.head.issuer == org


def below(case: Case, index: int) -> set[int]:
    """All steps that a step rests on, directly or not."""
    seen: set[int] = set()
    stack = [index]
    while stack:
        for need in case.procedure.steps[stack.pop()].needs:
            for ref in need.refs:
                if ref.step not in seen:
                    seen.add(ref.step)
                    stack.append(ref.step)
    return seen
