"""Who may read what: derived from the graph, never granted by hand (semantics, rule 23)."""

from __future__ import annotations

from functools import lru_cache
from itertools import chain

from gardesh.model import demand
from gardesh.model.case import Case
from gardesh.model.procedure import Procedure, Ref, Step
from gardesh.model.slot import ISSUED, NOT_APPLICABLE, UNDECIDED, WINDOW, Head, Slot

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
    opener reads every decision of its case, and what closes it; the node for which a case was opened reads what opens and
    what closes it. `known_as` are other names of `org`, such as its
    legal id, under which a document may be about it.
    """
    if org == head.issuer or any(who == org or who in known_as for who in head.about):
        return ALL
    fields: set[str] = set()
    if case.before is not None:
        kept = right(case.before, org, frozenset(), step_name, key, head, known_as)
        if kept == ALL:
            return ALL
        fields.update(kept if isinstance(kept, tuple) else ())
    made = case.procedure.by_name.get(step_name)
    if made is None:
        return tuple(sorted(fields)) if fields else NONE
    if org == case.opener and decides(case, made):
        return ALL
    if (
        case.asked is not None
        and org == case.asked.org
        and made in (*case.procedure.goal, case.procedure.opening)
    ):
        return ALL
    for step, refs, deep in steps_that_read(case.procedure, made.index):
        state = case.steps[step.index]
        alone = not deep and made.multiple and all(ref.same_key for _, _, ref in refs)
        own = [(key, state.slots[key])] if alone and key in state.slots else []
        for name, slot in chain(
            own if alone else state.slots.items(), [(WINDOW, state.window)] if step.many else []
        ):
            serves = holds_now(case, org, roles, step.index, name, slot)
            relied = [rest for o, turn, rest in slot.reliances if o == org and was_head(head, turn)]
            if deep and (serves or relied):
                return ALL
            for n, c, ref in refs:
                if ref.same_key and made.multiple and name not in (key, WINDOW):
                    continue
                if serves or any(rest[n].choice == c for rest in relied):
                    if not ref.parts:
                        return ALL
                    fields.update(ref.parts)
    return tuple(sorted(fields)) if fields else NONE


def decides(case: Case, step: Step) -> bool:
    """Whether the opener reads what stands in a step whoever issued it: a decision, here or elsewhere, or the end."""
    return bool(step.outcomes) or step.spec.from_ is not None or step in case.procedure.goal


Audience = tuple[str, str]
"""A kind (`org`, `role`, `about`) and a name: an organisation, whoever holds a role, whoever goes by a name."""


def audience(case: Case, step_name: str, key: str, head: Head) -> list[Audience]:
    """Who may read a document that stands in a slot now, as `right` has it, without asking one by one; sorted.

    A role stands for its accredited holders where the case binds none; each of them is still asked by `right`.
    """
    found: set[Audience] = {("about", who) for who in head.about}
    made = case.procedure.by_name[step_name]
    if decides(case, made):
        found.add(("org", case.opener))
    for step, refs, deep in steps_that_read(case.procedure, made.index):
        state = case.steps[step.index]
        alone = not deep and made.multiple and all(ref.same_key for _, _, ref in refs)
        own = [(key, state.slots[key])] if alone and key in state.slots else []
        for name, slot in chain(
            own if alone else state.slots.items(), [(WINDOW, state.window)] if step.many else []
        ):
            if slot.state in (NOT_APPLICABLE, UNDECIDED) or not (slot.demanded or slot.state == ISSUED):
                continue
            holder = holders(case, step.index, name)
            if holder is not None:
                found.add(holder)
                if step.role_field is None:
                    break  # the other slots of the step are of the same holders
    return sorted(found)


def holders(case: Case, index: int, key: str) -> Audience | None:
    """Who issues the document of a slot: the organisation that the case binds, else the role."""
    role = demand.role_of(case, case.procedure.steps[index], key)
    if role is None:
        return None
    bound = demand.named_holder(case, role)
    return ("role", role) if bound is None else ("org", bound)


def was_head(head: Head, turn: int) -> bool:
    """Whether `head` stood in its slot in that turn of its case: who relied then relied on it, and not on another."""
    return head.begun <= turn and (head.ended is None or turn < head.ended)


def holds_now(case: Case, org: str, roles: frozenset[str], index: int, key: str, slot: Slot) -> bool:
    """Whether `org` holds a slot that applies and is demanded or issued."""
    if slot.state in (NOT_APPLICABLE, UNDECIDED) or not (slot.demanded or slot.state == ISSUED):
        return False
    return holds_slot(case, org, roles, index, key)


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
    head = slot.head if slot is not None and slot.state == ISSUED else None
    return head is None or head.silent or head.issuer == org


@lru_cache(maxsize=10_000)
def steps_that_read(
    procedure: Procedure, target: int
) -> tuple[tuple[Step, tuple[tuple[int, int, Ref], ...], bool], ...]:
    """The steps that need a step, with how (the number of the need, of its alternative, and that), and whether they read
    all that lies below them."""
    found = []
    for step in procedure.steps:
        refs = tuple(
            (n, c, ref)
            for n, need in enumerate(step.needs)
            for c, ref in enumerate(need.refs)
            if ref.step == target
        )
        deep = step.spec.reads == "deep" and target in below(procedure, step.index)
        if refs or deep:
            found.append((step, refs, deep))
    return tuple(found)


def below(procedure: Procedure, index: int) -> set[int]:
    """All steps that a step rests on, directly or not."""
    seen: set[int] = set()
    stack = [index]
    while stack:
        for need in procedure.steps[stack.pop()].needs:
            for ref in need.refs:
                if ref.step not in seen:
                    seen.add(ref.step)
                    stack.append(ref.step)
    return seen
