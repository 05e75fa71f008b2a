"""Moving a case to another version of its procedure (semantics, rule 24).

A case is a fold of its documents, so at any moment it can go on under another law, with parallel branches and open
returns. Each document keeps standing where all that the new version asks it to rest on is what it rested on. What it
lacks makes it due again, unless the new version says that it `keeps` earlier documents of that step.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from gardesh.model import deadline, demand, fold
from gardesh.model import pack as language
from gardesh.model.case import SAME, Case
from gardesh.model.fold import Change
from gardesh.model.problem import Problem, define
from gardesh.model.procedure import Need, Procedure, Ref, Step
from gardesh.model.slot import EXEMPT, LACKING, Head, Rest, Slot

STRANDED = define(
    "migration-strands",
    409,
    en="The case {case} holds a document of the step {step}, and {to} does not say what becomes of it.",
    fa="پرونده‌ی {case} سندی از گام {step} دارد و {to} نمی‌گوید با آن چه می‌شود.",
    hint_en="The new version's procedure says so under `migration`: `renames` the step, or `drops` it.",
    hint_fa="رویه‌ی نسخه‌ی تازه این را در migration می‌گوید: با renames گام را نام می‌برد یا با drops کنار می‌گذارد.",
)


@dataclass(slots=True)
class Moved:
    """The case under the new version, and what of the registers is taken back or begins to count."""

    old: Case
    case: Case
    changes: list[Change]
    steps: Mapping[str, str | None]
    """Each old step: the step that took its documents, None where they count for nothing any more."""


def migrate(old: Case, procedure: Procedure, t: int) -> Moved:
    """The case `old`, which is open, under `procedure` from the instant `t`. `old` is not changed.

    Raises `migration-strands` where the new version has no place for a document.
    """
    words = procedure.spec.migration or language.Migration()
    steps = {s.name: _taker(old, s, procedure, words) for s in old.procedure.steps}
    new = Case(old.id, procedure, old.world, old.opener, old.opened_at)
    new.before, new.forced = old, True
    new.turn, new.position, new.asked = old.turn, old.position, old.asked
    names = {name: taker or name for name, taker in steps.items()}
    new.abroad = {(taker, k): a for (n, k), a in old.abroad.items() if (taker := steps.get(n)) is not None}
    new.past = {
        (taker, key, log, case): a
        for (n, key, log, case), a in old.past.items()
        if (taker := steps.get(n)) is not None
    }
    new.records = {n: replace(r, step=names.get(r.step, r.step)) for n, r in old.records.items()}
    changes: list[Change] = []
    origin: dict[str, Step] = {}
    for step in old.procedure.steps:
        taker = steps[step.name]
        if taker is None:
            for slot in old.steps[step.index].slots.values():
                changes += [(e, -1) for e in slot.head.effects] if slot.head and slot.head.counting else []
        else:
            origin[taker] = step
            _place(old, step, new, procedure.by_name[taker])
    for step in procedure.steps:
        was = origin.get(step.name)
        if was is not None:
            _rest(_Law(old, was, new, step, names, step.name in words.keeps))
        new.refresh(step, None, t)
    new.at, new.dirty = t, {}
    new.looked = dict.fromkeys(range(len(procedure.steps)))
    demand.demand(new, t)
    for step in procedure.steps:
        if step.name in origin:
            _terms(old, origin[step.name], new, step)
    changes += fold.recount(new)
    new.forced = False
    return Moved(old, new, changes, steps)


def _taker(old: Case, step: Step, procedure: Procedure, words: language.Migration) -> str | None:
    """The step of the new version that takes the documents of an old one. Raises `migration-strands`."""
    name = words.renames.get(step.name, step.name)
    found = procedure.by_name.get(name)
    fits = found is not None and (found.type, found.multiple) == (step.type, step.multiple)
    if step.name not in words.drops and fits:
        return name
    held = old.steps[step.index].ever
    if held and step.name not in words.drops:
        raise Problem(STRANDED, "/credentialSubject/to", case=old.id, step=step.name, to=procedure.pack.label)
    return None


def _place(old: Case, step: Step, new: Case, to: Step) -> None:
    """Put the documents of an old step where they now belong; what they rest on is looked at later."""
    state, found = new.steps[to.index], old.steps[step.index]
    state.ever = found.ever
    for key, slot in found.slots.items():
        head = replace(slot.head, rest=()) if slot.head is not None else None
        made = Slot(head=head, element=slot.element, past=slot.past)
        state.slots[key] = made
        if head is not None and head.expires is not None and head.expires > old.at:
            deadline.expect_end(new, to, key, head.expires)


@dataclass(frozen=True, slots=True)
class _Law:
    """One step under the old version and under the new one."""

    old: Case
    was: Step
    new: Case
    step: Step
    names: Mapping[str, str]
    kept: bool


def _rest(law: _Law) -> None:
    """What the documents of a step rest on, in the terms of the new version."""
    before, after = law.old.steps[law.was.index], law.new.steps[law.step.index]
    for key, slot in after.slots.items():
        head, source = slot.head, before.slots[key].head
        if head is not None and source is not None:
            head.rest = tuple(_rest_of(law, need, key, source) for need in law.step.needs)
            slot.seen = None
    if law.step.many and before.window_rest is not None:
        after.window_rest = tuple(_translated(law, need, "", before.window_rest) for need in law.step.needs)
        after.window.deadline, after.window_closed = before.window.deadline, before.window_closed


def _rest_of(law: _Law, need: Need, key: str, source: Head) -> Rest:
    if source.link is not None:
        return Rest(EXEMPT, b"")
    return _translated(law, need, key, source.rest)


def _translated(law: _Law, need: Need, key: str, rests: tuple[Rest, ...]) -> Rest:
    """The basis for one need: that of the old version's need for the same, if that has not changed since."""
    for asked, rest in zip(law.was.needs, rests, strict=False):
        if rest.choice == EXEMPT or _names(law, asked) != [
            law.new.procedure.steps[r.step].name for r in need.refs
        ]:
            continue
        if asked.any != need.any or not all(map(_covers, asked.refs, need.refs)):
            continue
        if law.old.compare_one(asked, key, rest) is not SAME:
            return Rest(rest.choice, LACKING)
        if rest.choice < 0:
            return rest
        return Rest(rest.choice, law.new.print_of(need.refs[rest.choice], key) or LACKING)
    return Rest(EXEMPT, b"") if law.kept else Rest(0, LACKING)


def _names(law: _Law, need: Need) -> list[str]:
    return [law.names[law.old.procedure.steps[r.step].name] for r in need.refs]


def _covers(asked: Ref, ref: Ref) -> bool:
    """Whether who relied on `asked` has seen all that `ref` names."""
    return asked.same_key == ref.same_key and (
        not asked.parts or (bool(ref.parts) and set(ref.parts) <= set(asked.parts))
    )


def _terms(old: Case, was: Step, new: Case, step: Step) -> None:
    """What did not change goes on: since when a slot is as it is, and a term that the new version leaves as it was."""
    same_term = (was.within, was.calendar, was.spec.answer_within) == (
        step.within,
        step.calendar,
        step.spec.answer_within,
    )
    for key, slot in new.steps[step.index].slots.items():
        found = old.steps[was.index].slots.get(key)
        if found is None or found.state != slot.state:
            continue
        slot.since = found.since
        if same_term and slot.demanded and found.demanded:
            slot.term_start, slot.deadline = found.term_start, found.deadline
            slot.used_ms, slot.escalated = found.used_ms, found.escalated
            if slot.deadline is not None:
                deadline.expect(new, (step.index, key), slot.deadline)


def differences(moved: Moved) -> list[dict[str, str]]:
    """What the move changes, slot by slot: the state `before` and `after`, and whether somebody is `asked` for it now.

    A slot that the new version does not have is `gone` after; one that the old had not is `new` before.
    """
    before = {}
    for step, state in zip(moved.old.procedure.steps, moved.old.steps, strict=True):
        name = moved.steps[step.name]
        for key, slot in state.slots.items():
            shown = step.name if name is None else name
            before[f"{shown}:{key}" if key else shown] = slot.state
    after = {}
    asked = set()
    for step, state in zip(moved.case.procedure.steps, moved.case.steps, strict=True):
        for key, slot in state.slots.items():
            after[demand.slot_id(step, key)] = slot.state
            if slot.demanded:
                asked.add(demand.slot_id(step, key))
    return [
        {
            "slot": slot,
            "before": before.get(slot, "new"),
            "after": after.get(slot, "gone"),
            "asked": "yes" if slot in asked else "no",
        }
        for slot in sorted(before.keys() | after.keys())
        if before.get(slot) != after.get(slot)
    ]
