"""A case: the fold of the documents that share it, and what comes next (semantics, rules 1-16).

The fold is incremental: a document touches its slot, and a change travels along the graph only as far as
something that is seen there differs. Nothing here reads a clock: `settle` is told the instant.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from heapq import heappush
from typing import Any

from gardesh.model.elsewhere import Abroad, Asked
from gardesh.model.expression import UNKNOWN, Unknown, decided_by
from gardesh.model.library import Moment, World
from gardesh.model.merkle import EMPTY_ROOT, leaf_hash, node_hash
from gardesh.model.problem import Problem
from gardesh.model.procedure import Need, Procedure, Ref, Step
from gardesh.model.slot import (
    BLOCKED,
    BY_OUTCOME,
    DOUBTFUL,
    DUE,
    EXEMPT,
    ISSUED,
    LACKING,
    NOT_APPLICABLE,
    RETURNED,
    UNDECIDED,
    WINDOW,
    Place,
    Rest,
    Slot,
    StepState,
)

ABSENT = b"absent"
MISSING = b"missing"
SAME, CHANGED, UNCLEAR = "same", "changed", "unclear"


class Case:
    """The live state of one case. `at` is the last instant it was settled for; not safe for concurrent use."""

    def __init__(self, id: str, procedure: Procedure, world: World, opener: str, at: int) -> None:
        self.id = id
        self.procedure = procedure
        self.world = world
        self.opener = opener
        self.opened_at = at
        self.at = at
        self.position = 0
        self.turn = 0
        self.erased_at = -1
        """The position of the last decision that erased something of what stands here, or stood."""
        self.forced = False
        """Whether what happens to it now cannot be refused: time passes, or another case has changed."""
        self.closed_at: int | None = None
        self.withdrawn = False
        self.steps = [StepState() for _ in procedure.steps]
        self.asked: Asked | None = None
        self.abroad: dict[tuple[str, str], Abroad] = {}
        self.past: dict[tuple[str, str, str, str], Abroad] = {}
        """By step, key, log and case: what a slot followed elsewhere, and what has ended there. It is not followed again."""
        """The slots, by step and key, that follow cases on other nodes."""
        self.records: dict[bytes, Any] = {}
        self.dirty: dict[int, set[str] | None] = dict.fromkeys(range(len(self.steps)))
        self.open_questions = set(range(len(self.steps)))
        """The steps of which it is to be decided again whether and how often they apply."""
        self.looked: dict[int, set[str] | None] = {}
        """What the last `settle` looked at, step by step: some slots, or (None) all."""
        self.demanded: set[Place] = set()
        self.before: Case | None = None
        """The case under an earlier version of its procedure, as it was when it was moved to this one."""
        self.asks = False
        """Whether the goal asks for anything: the case is neither closed nor withdrawn."""
        self.deadlines: list[tuple[int, int, str]] = []
        self.expiries: list[tuple[int, int, str]] = []
        """Heaps of expected instants, see `deadline.py`."""
        self.unsaved: set[Place] = {(s.index, WINDOW if s.multiple else "") for s in procedure.steps}
        """Slots that changed since they were last looked at; then they are `unwritten`."""
        self.unwritten: set[Place] = set()
        """Slots whose view may differ from what was last written."""
        for step, state in zip(procedure.steps, self.steps, strict=True):
            state.window.since = at
            if not step.multiple:
                state.slots[""] = Slot(since=at)

    @property
    def first_procedure(self) -> Procedure:
        """The version under which the case opened."""
        return self.before.first_procedure if self.before is not None else self.procedure

    def step_named(self, name: str) -> tuple[Case, Step] | None:
        """A step of this procedure, or of the version that the case followed before."""
        found = self.procedure.by_name.get(name)
        if found is not None:
            return self, found
        return self.before.step_named(name) if self.before is not None else None

    # -- what others see of a step ------------------------------------------------------------------------

    def value(self, step: Step) -> Any:
        """The step as expressions see it: a map, a list of maps, null (absent), or UNKNOWN (rule 5)."""
        state = self.steps[step.index]
        if state.applies is None:
            return UNKNOWN
        if state.applies is False:
            return None
        if not step.multiple:
            head = state.slots[""].head
            return UNKNOWN if head is None else head.value
        if step.many and state.window_closed is None:
            return UNKNOWN
        found = state._cache.get("value")
        if found is None:
            found = []
            for _, slot in self.counted(step):
                if slot.head is None:
                    found = UNKNOWN
                    break
                found.append(slot.head.value)
            state._cache["value"] = found
        return found

    def counted(self, step: Step) -> Iterator[tuple[str, Slot]]:
        """The slots that count, in key order: the applicable ones; of a `many`, those whose document stands."""
        state = self.steps[step.index]
        for key in sorted(state.slots):
            slot = state.slots[key]
            if answers(slot, state.window_closed) if step.many else slot.applies:
                yield key, slot

    def environment(self, steps: Iterable[int]) -> dict[str, Any]:
        return {self.procedure.steps[i].var: self.value(self.procedure.steps[i]) for i in steps}

    def moment(self, position: int, at: int) -> Moment:
        return Moment(self.procedure.library, self.procedure.pack, self.world, position, at)

    def moment_of(self, reads: Iterable[int]) -> Moment:
        """The point of the log at which the latest document that an expression reads was accepted."""
        position, at = -1, self.opened_at
        for i in (*reads, self.procedure.opening.index):
            for slot in self.steps[i].slots.values():
                if slot.head is not None and slot.head.position > position:
                    position, at = slot.head.position, slot.head.at
        return self.moment(max(position, 0), at)

    # -- the basis ----------------------------------------------------------------------------------------

    def print_of(self, ref: Ref, key: str) -> bytes | None:
        """What a document issued now would rest on through `ref`; None while it is not known whether it applies."""
        step, state = self.procedure.steps[ref.step], self.steps[ref.step]
        if state.applies is None:
            return None
        if state.applies is False:
            return ABSENT
        if not step.multiple:
            head = state.slots[""].head
            return MISSING if head is None else head.print(ref.parts)
        if ref.same_key:
            slot = state.slots.get(key)
            if slot is None or not slot.applies:
                return ABSENT
            return MISSING if slot.head is None else slot.head.print(ref.parts)
        cached = state._cache.get(ref.parts)
        if cached is None:
            leaves = []
            for name, slot in self.counted(step):
                body = MISSING if slot.head is None else slot.head.print(ref.parts)
                leaves.append(name.encode() + b"\0" + body)
            cached = merkle_root(leaves)
            state._cache[ref.parts] = cached
        return bytes(cached)

    def absent(self, ref: Ref, key: str) -> bool | None:
        """Whether nothing applies there: rule 8's "or none applies"."""
        state = self.steps[ref.step]
        if state.applies is not True:
            return None if state.applies is None else True
        step = self.procedure.steps[ref.step]
        if ref.same_key:
            slot = state.slots.get(key)
            return slot is None or not slot.applies
        return step.spec.each is not None and not any(s.applies for s in state.slots.values())

    def stands(self, ref: Ref, key: str) -> bool:
        """Whether the need `ref` is met: each of its slots issued (and unexpired), or nothing applies (rule 8)."""
        state = self.steps[ref.step]
        if state.applies is not True:
            return state.applies is False
        if ref.same_key and self.procedure.steps[ref.step].multiple:
            slot = state.slots.get(key)
            return slot is None or not slot.applies or slot.state == ISSUED
        if self.procedure.steps[ref.step].many:
            return state.window.state == ISSUED
        return not state.open_keys

    def met(self, need: Need, key: str) -> bool:
        if not need.any:
            return self.stands(need.refs[0], key)
        absent = [self.absent(r, key) for r in need.refs]
        if any(a is False and self.stands(r, key) for a, r in zip(absent, need.refs, strict=True)):
            return True
        return all(absent)

    def rest_now(self, step: Step, key: str) -> tuple[Rest, ...]:
        """The basis of a document issued now, need by need. Only meaningful when every need is met."""
        out = []
        for need in step.needs:
            choice = 0
            if need.any:
                choice = next(
                    (
                        i
                        for i, r in enumerate(need.refs)
                        if self.absent(r, key) is False and self.stands(r, key)
                    ),
                    -1,
                )
            out.append(
                Rest(choice, ABSENT if choice < 0 else self.print_of(need.refs[choice], key) or MISSING)
            )
        return tuple(out)

    def compare(self, step: Step, key: str, rest: tuple[Rest, ...]) -> str:
        """Whether a basis is what a document issued now would rest on (rule 9)."""
        result = SAME
        for need, was in zip(step.needs, rest, strict=True):
            found = self.compare_one(need, key, was)
            if found is CHANGED:
                return CHANGED
            if found is UNCLEAR:
                result = UNCLEAR
        return result

    def compare_one(self, need: Need, key: str, was: Rest) -> str:
        if was.choice >= 0:
            if was.print == LACKING:
                return CHANGED
            now = self.print_of(need.refs[was.choice], key)
            return UNCLEAR if now is None else SAME if now == was.print else CHANGED
        if was.choice == EXEMPT:
            return SAME
        absent = [self.absent(r, key) for r in need.refs]
        return CHANGED if False in absent else UNCLEAR if None in absent else SAME

    def rests_sound(self, step: Step, key: str, rest: tuple[Rest, ...]) -> bool:
        """Whether everything in an unchanged basis is sound, down to the first documents (rule 10)."""
        for need, was in zip(step.needs, rest, strict=True):
            if was.choice >= 0 and not self.ref_sound(need.refs[was.choice], key):
                return False
        return True

    def ref_sound(self, ref: Ref, key: str) -> bool:
        state = self.steps[ref.step]
        step = self.procedure.steps[ref.step]
        if state.applies is not True:
            return state.applies is False
        if not step.multiple:
            return state.slots[""].sound
        if ref.same_key:
            slot = state.slots.get(key)
            return slot is None or not slot.applies or slot.sound
        if step.many:
            return state.window.sound and all(s.sound for _, s in self.counted(step))
        return all(s.sound for s in state.slots.values() if s.applies)

    # -- settling -----------------------------------------------------------------------------------------

    def touch(self, step: Step, key: str | None = None) -> None:
        """Say that a slot (or the whole step) is to be looked at again."""
        known = self.dirty.get(step.index, set())
        self.dirty[step.index] = None if key is None or known is None else known | {key}

    def settle(self, t: int) -> None:
        """Bring every state to the instant `t` (ms), which never goes back."""
        self.at = max(self.at, t)
        self.looked = {}
        for step in self.procedure.steps:
            if step.index not in self.dirty:
                continue
            keys = self.looked[step.index] = self.dirty.pop(step.index)
            changed = self.refresh(step, keys, t)
            if changed is None or changed:
                self.steps[step.index].changed()
                for i in step.dependents:
                    self.mark(i, step.index, changed)

    def look_at_opening(self, t: int) -> None:
        """Before there is any document: of a new case, only the step that opens it can be due. All else is looked at when it is
        there."""
        self.at = max(self.at, t)
        self.refresh(self.procedure.opening, None, t)

    def mark(self, dependent: int, source: int, changed: set[str] | None) -> None:
        """A change below: only one's own key where the need says so, else all slots."""
        step = self.procedure.steps[dependent]
        if source in step.reads:
            self.open_questions.add(dependent)
        if self.dirty.get(dependent, set()) is None:
            return
        own_key = changed is not None and source not in step.reads and self.procedure.steps[source].multiple
        if own_key:
            own_key = all(r.same_key for n in step.needs for r in n.refs if r.step == source)
        if own_key and changed is not None:
            self.dirty[dependent] = (self.dirty.get(dependent) or set()) | changed
        else:
            self.dirty[dependent] = None

    def refresh(self, step: Step, keys: set[str] | None, t: int) -> set[str] | None:
        """Look at a step again. Returns the keys that changed; None when more than single slots changed."""
        state = self.steps[step.index]
        all_changed = False
        if keys is None and step.index in self.open_questions:
            self.open_questions.discard(step.index)
            before = (
                state.applies,
                tuple(k for k, s in state.slots.items() if s.applies) if step.each else (),
            )
            self.decide(step, state)
            after = (
                state.applies,
                tuple(k for k, s in state.slots.items() if s.applies) if step.each else (),
            )
            all_changed = before != after
            if step.each is not None:
                self.look_at_whole(step, state, t)
        changed = set()
        for key in list(state.slots) if keys is None else sorted(keys):
            slot = state.slots.get(key)
            if slot is not None and self.refresh_slot(step, state, key, slot, t):
                changed.add(key)
        if step.many and self.refresh_window(step, state, t):
            all_changed = True
        return None if all_changed else changed

    def decide(self, step: Step, state: StepState) -> None:
        """Whether the step applies, and to which elements (rules 5 and 7).

        An expression that fails refuses the document that makes it fail; where there is none to refuse, it is not
        decided whether the step applies.
        """
        try:
            self._decide(step, state)
        except Problem:
            if not self.forced:
                raise
            state.applies = None

    def _decide(self, step: Step, state: StepState) -> None:
        if step.when is None and step.each is None:
            state.applies = True
            return
        env = self.environment(step.reads)
        moment = self.moment_of(step.reads) if step.timely else self.moment(0, self.opened_at)
        if step.when is not None:
            guard = step.when.guard(env, moment)
            if type(guard) is Unknown or guard is False:
                state.applies = None if guard is not False else False
                return
        if step.each is None:
            state.applies = True
            return
        items = step.each.items(env, moment)
        if type(items) is Unknown:
            state.applies = None
            return
        state.applies = True
        elements = {element_key(step, item): item for item in items}
        for key, slot in state.slots.items():
            slot.applies = key in elements
        for key, item in elements.items():
            slot = state.slots.setdefault(key, Slot())
            slot.element, slot.applies = item, True

    def look_at_whole(self, step: Step, state: StepState, t: int) -> None:
        """An `each` is shown as a whole while it is not known how often it applies."""
        any_applies = any(slot.applies for slot in state.slots.values())
        shown = UNDECIDED if state.applies is None else ISSUED if any_applies else NOT_APPLICABLE
        if state.window.state != shown:
            state.window.state, state.window.since = shown, t
            self.unsaved.add((step.index, WINDOW))

    def refresh_slot(self, step: Step, state: StepState, key: str, slot: Slot, t: int) -> bool:
        old_state, old_sound, old_kept = slot.state, slot.sound, slot.kept
        slot.state, slot.kept, slot.sound = self.state_of(step, state, key, slot, t)
        if slot.state != old_state:
            slot.since = t
        if slot.state in (ISSUED, NOT_APPLICABLE):
            state.open_keys.discard(key)
        else:
            state.open_keys.add(key)
        if slot.state == RETURNED:
            state.returned_keys.add(key)
        else:
            state.returned_keys.discard(key)
        fresh = slot.head is not slot.seen
        slot.seen = slot.head
        if fresh or slot.state != old_state:
            self.unsaved.add((step.index, key))
        return slot.state != old_state or slot.sound != old_sound or slot.kept != old_kept or fresh

    def state_of(self, step: Step, state: StepState, key: str, slot: Slot, t: int) -> tuple[str, bool, bool]:
        """The state, whether the head's own basis is unchanged, and whether all below is sound too."""
        if state.applies is None:
            return UNDECIDED, False, False
        if state.applies is False or not slot.applies:
            return NOT_APPLICABLE, False, False
        head = slot.head
        kept = sound = False
        if head is not None:
            if head.link is not None:
                kept, sound = True, head.whole
            else:
                basis = self.compare(step, key, head.rest)
                kept = basis is not CHANGED
                sound = basis is SAME and self.rests_sound(step, key, head.rest)
            if kept and (head.expires is None or head.expires > t):
                return (BY_OUTCOME[head.outcome] if sound else DOUBTFUL), kept, sound
        return (DUE if all(self.met(n, key) for n in step.needs) else BLOCKED), kept, sound

    def refresh_window(self, step: Step, state: StepState, t: int) -> bool:
        """Open from when its needs are met, for the term (rule 15).

        The closing stands like a document that rests on what the window opened on: what expires below changes
        nothing, what is not sound makes it doubtful, and a changed basis opens the window anew.
        """
        window = state.window
        old = (window.state, window.sound, state.window_closed, window.deadline)
        rest = state.window_rest
        window.sound = False
        if state.applies is not True:
            window.state = UNDECIDED if state.applies is None else NOT_APPLICABLE
        else:
            basis = CHANGED if rest is None else self.compare(step, "", rest)
            if basis is CHANGED:
                rest = state.window_rest = window.deadline = state.window_closed = None
            if state.window_closed is not None and not self.answered(step, state.window_closed):
                state.window_closed = None
            if state.window_closed is None and all(self.met(n, "") for n in step.needs):
                if rest is None:
                    rest = state.window_rest = self.rest_now(step, "")
                    window.deadline = self.term_end(step, "", None, t)
                if window.deadline is not None and window.deadline <= t and self.answered(step, t):
                    state.window_closed = t
                    basis = SAME
                window.state = DUE
            elif state.window_closed is None:
                window.state = BLOCKED
            if state.window_closed is not None and rest is not None:
                window.sound = basis is SAME and self.rests_sound(step, "", rest)
                window.state = ISSUED if window.sound else DOUBTFUL
        if (
            window.state == DUE
            and window.deadline is not None
            and (old[0] != DUE or old[3] != window.deadline)
        ):
            heappush(self.deadlines, (window.deadline, step.index, WINDOW))
        if window.state != old[0]:
            window.since = t
        if (window.state, window.deadline) != (old[0], old[3]):
            self.unsaved.add((step.index, WINDOW))
        return old[:3] != (window.state, window.sound, state.window_closed)

    def term_end(self, step: Step, key: str, element: Any, t: int, used: int = 0) -> int | None:
        """When the term of a slot that begins at `t` passes, of which `used` ms have passed already; None without one.

        An end that the documents name may lie before `t`: then it is `t`. A day alone ends with it, on the calendar's
        clock.
        """
        calendar = self.procedure.calendar_of(step)
        if step.within is not None:
            term = self.procedure.term(step.within, t)
            return calendar.deadline(t, calendar.remaining(term, used) if used else term)
        if step.until is None:
            return None
        env = {**self.needed(step, key), "each": element}
        try:
            named = step.until.evaluate(env, self.moment(self.position, t))
            return None if not isinstance(named, str) else max(t, calendar.end_of(named))
        except Problem:
            if not self.forced:
                raise
            return None

    def needed(self, step: Step, key: str) -> dict[str, Any]:
        """What a step needs as expressions see it: of one's own key where the need says so, null for what is not used."""
        env = self.environment({r.step for n in step.needs for r in n.refs})
        for need in step.needs:
            for ref in need.refs:
                below = self.procedure.steps[ref.step]
                if need.any and type(env[below.var]) is Unknown:
                    env[below.var] = None
                if ref.same_key and below.multiple:
                    own = self.steps[ref.step].slots.get(key)
                    env[below.var] = own.head.value if own is not None and own.head is not None else None
        return env

    def answered(self, step: Step, at: int) -> bool:
        """Whether as many answers stand as the window asks for, those counted that were valid at its closing."""
        slots = self.steps[step.index].slots.values()
        return step.spec.at_least == 0 or sum(answers(s, at) for s in slots) >= step.spec.at_least

    def undecided_by(self, step: Step) -> list[Step]:
        """The steps whose documents decide whether, or how often, `step` applies, and are not there yet (rule 6)."""
        env = self.environment(step.reads)
        moment = self.moment_of(step.reads) if step.timely else self.moment(0, self.opened_at)
        names: set[str] = set()
        try:
            for made, guard in ((step.when, True), (step.each, False)):
                if made is not None and not names:
                    names |= decided_by(made, env, moment, guard=guard)
        except Problem:
            names = set(env)
        return [self.procedure.steps[i] for i in step.reads if self.procedure.steps[i].var in names]


def answers(slot: Slot, closed: int | None) -> bool:
    """Whether a document counts among those of a window: its own basis unchanged, and valid when that closed."""
    head = slot.head
    if head is None or not slot.kept:
        return False
    return closed is None or head.expires is None or head.expires > closed


def element_key(step: Step, item: Any) -> str:
    """The name of an element's slot: the element itself, or its field `key` (or the one the step names)."""
    if isinstance(item, dict):
        found = item.get(step.spec.key or "key")
        if found is None and step.spec.key is None and "meta" in item:
            found = item["meta"]["key"]
        return str(found)
    return str(item)


def merkle_root(leaves: list[bytes]) -> bytes:
    """RFC 6962 §2.1 over a list of leaf data."""
    level = [leaf_hash(leaf) for leaf in leaves]
    if not level:
        return EMPTY_ROOT
    while len(level) > 1:
        paired = [node_hash(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
        if len(level) % 2:
            paired.append(level[-1])
        level = paired
    return level[0]
