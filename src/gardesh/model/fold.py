"""Folding accepted documents, links and time into a case, and the records from which its path is told."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from gardesh.model import deadline, demand, elsewhere
from gardesh.model.case import Case
from gardesh.model.judgement import Paper, Verdict, expiry, judge
from gardesh.model.procedure import Ref, Step
from gardesh.model.register import Effect
from gardesh.model.slot import ISSUED, NOT_APPLICABLE, RETURNED, WINDOW, Head, Slot

Change = tuple[Effect, int]
"""An effect, and +1 when it begins to count or -1 when it no longer does."""


@dataclass(slots=True, frozen=True)
class Record:
    """One moment of a case's history: a document, or the closing of a window.

    `after` names the record that came last among what this one rested on; None only for the opening.
    """

    name: bytes
    at: int
    position: int
    step: str
    key: str
    issuer: str
    act: str
    after: bytes | None
    opposed: bool = False
    """Whether it answers a return: the time before it is the applicant's."""


def accept(case: Case, paper: Paper, t: int, position: int) -> tuple[Verdict | None, list[Change]]:
    """Judge a document of any act and fold it in.

    Raises Problem, with the case as it was; but a closed case has then been looked at for `t` (`case.at`), and what
    expired since it was closed shows: who keeps it forgets it.
    """
    if paper.act in CLOCK_ACTS:
        return None, by_clock(case, paper, t, position)
    if not case.records and paper.step == case.procedure.opening.name:
        case.look_at_opening(t)
    elif not case.records:
        finish(case, t)
    elif case.closed_at is not None and t > case.at:
        advance(case, t)
    verdict = judge(case, paper, t, position)
    return verdict, apply(case, verdict, paper.digest, paper.issuer, t, position)


CLOCK_ACTS = frozenset({"escalate", "deem", "lapse", "reuse", "report", "mirror"})


def by_clock(case: Case, paper: Paper, t: int, position: int) -> list[Change]:
    """What the node's clock key records of a term that passed: escalation, a deemed outcome, a lapse (rule 20); and of
    cases elsewhere: a report to the node that asked, the mirror of another's report (rule 16).

    A `reuse` changes nothing by itself: the other case's document comes through its link.
    """
    step, key = case.procedure.by_name[paper.step], paper.key or ""
    case.position = position
    if paper.act == "report":
        elsewhere.reported(case, paper.names, paper.outcome, paper.standing)
        return []
    if paper.act == "mirror":
        elsewhere.follow(case, paper, t, position)
        return mirror(case, step, key, elsewhere.mirrored(paper, t, position), t)
    slot = case.steps[step.index].slots[key]
    if paper.act == "reuse":
        return []
    if paper.act == "escalate":
        slot.escalated = True
        return []
    role = demand.role_of(case, step, key)
    office = demand.named_holder(case, role) or role or ""
    if slot.state == RETURNED:
        office = case.opener
    record(case, step, key, paper.digest, office, "silence", t, position)
    old, answer = slot.head, slot.state == RETURNED
    changes = uncount(old)
    head = Head(
        digest=paper.digest,
        issuer=paper.issuer,
        at=t,
        position=position,
        key=key,
        subject=paper.subject,
        outcome=paper.outcome or "rejected",
        decides=bool(step.outcomes),
        expires=expiry(case, step, paper, t),
        rest=old.rest if old is not None and answer else case.rest_now(step, key),
        stands_by=paper.digest,
        silent=True,
    )
    case.steps[step.index].ever = True
    put(case, step, slot, head)
    case.touch(step, key)
    finish(case, t, forced=True)
    return changes + recount(case)


def apply(case: Case, verdict: Verdict, digest: bytes, issuer: str, t: int, position: int) -> list[Change]:
    """Carry out a verdict at `t` and settle. Returns the register changes, those taken back first."""
    step, key = verdict.step, verdict.key
    state = case.steps[step.index]
    case.position = position
    record(case, step, key, digest, issuer, verdict.act, t, position)
    changes: list[Change] = []
    if verdict.withdraws_case:
        case.withdrawn = True
        for each in case.steps:
            for slot in each.slots.values():
                changes += uncount(slot.head)
        finish(case, t)
        return changes
    slot = state.slots.setdefault(key, Slot())
    state.ever = True
    if verdict.act in ("issue", "correct"):
        changes += uncount(slot.head)
        verdict.head.effects = owned(verdict.effects, digest)
        slot.reliances += ((issuer, case.turn, verdict.head.rest),)
        put(case, step, slot, verdict.head)
    elif verdict.act == "confirm":
        verdict.head.rest = case.rest_now(step, key)
        slot.reliances += ((issuer, case.turn, verdict.head.rest),)
        verdict.head.stands_by = digest
    elif verdict.act == "revoke-now":
        ends = verdict.head.expires
        verdict.head.expires = t if ends is None else min(ends, t)
        changes += end_entries(verdict.head)
    else:
        changes += uncount(slot.head)
        put(case, step, slot, None)
    case.touch(step, key)
    finish(case, t)
    return changes + recount(case)


def put(case: Case, step: Step, slot: Slot, head: Head | None) -> None:
    """A new head, or none: then the old one was taken back."""
    case.turn += 1
    if head is not None and head.erased is not None:
        case.erased_at = max(case.erased_at, head.erased.at)
    if slot.head is not None:
        slot.head.ended, slot.head.taken_back = case.turn, head is None
        slot.past += (slot.head,)
    slot.head = head
    if head is not None:
        head.begun, head.mends = case.turn, slot.state != ISSUED
        if head.expires is not None:
            deadline.expect_end(case, step, head.key, head.expires)


def mirror(case: Case, step: Step, key: str, head: Head | None, t: int) -> list[Change]:
    """Another case's document stands (or no longer stands) in this slot (rules 16 and 18)."""
    slot = case.steps[step.index].slots.setdefault(key, Slot())
    changes = uncount(slot.head)
    if head is None:
        put(case, step, slot, None)
    else:
        case.steps[step.index].ever = True
        if slot.head is None or slot.head.stands_by != head.stands_by:
            record(case, step, key, head.stands_by, head.issuer, "link", max(t, case.at), head.position)
        put(case, step, slot, head)
    case.touch(step, key)
    finish(case, t, forced=True)
    return changes + recount(case)


def advance(case: Case, t: int) -> list[Change]:
    """Let time pass up to `t`."""
    deadline.wake(case, t)
    finish(case, t, forced=True)
    return recount(case)


def finish(case: Case, t: int, *, forced: bool = False) -> None:
    """Settle at `t`. `forced`: by something that is not a document of this case, and cannot be refused."""
    case.forced = forced
    open_windows = [s for s in case.procedure.windows if case.steps[s.index].window_closed is None]
    case.settle(t)
    for step in open_windows:
        if case.steps[step.index].window_closed == t:
            record(case, step, WINDOW, window_name(step, t), "", "window", t, case.position)
    demand.demand(case, t)


def window_name(step: Step, closed: int) -> bytes:
    return b"window:%d:%d" % (step.index, closed)


def uncount(head: Head | None) -> list[Change]:
    if head is None or not head.counting:
        return []
    head.counting = False
    return [(e, -1) for e in head.effects]


def owned(effects: Iterable[Effect], digest: bytes) -> tuple[Effect, ...]:
    """The effects, said to be those of the document of that digest: only they are taken back with it."""
    return tuple(replace(e, by=digest) for e in effects)


def end_entries(head: Head) -> list[Change]:
    """What a document that counts has entered ends; what it added or took stays, whatever comes after (rule 13)."""
    entries = [(e, -1) for e in head.effects if e.amount is None and head.counting]
    head.effects, head.counting = (), False
    return entries


def recount(case: Case) -> list[Change]:
    """A moot document counts for nothing; when its slot applies again, so does it (rule 7)."""
    changes: list[Change] = []
    for index in sorted(case.looked):
        slots, keys = case.steps[index].slots, case.looked[index]
        for slot in slots.values() if keys is None else (slots[k] for k in sorted(keys & slots.keys())):
            head = slot.head
            if head is None or not head.effects:
                continue
            counts = slot.state != NOT_APPLICABLE and not case.withdrawn
            if counts and not head.counting:
                head.counting = True
                changes += [(e, 1) for e in head.effects]
            elif not counts:
                changes = uncount(head) + changes
    return changes


def record(
    case: Case, step: Step, key: str, name: bytes, issuer: str, act: str, at: int, position: int
) -> None:
    after, opposed = latest(case, step, key)
    if after == name:
        return
    case.records[name] = Record(name, at, position, step.name, key, issuer, act, after, opposed)


def latest(case: Case, step: Step, key: str) -> tuple[bytes | None, bool]:
    """What came last among all that a document made now rests on: its needs, what decided that it applies, the
    document it replaces, and the return that it answers (rule 22).

    A document that was corrected without a change in what is relied on came when that content came (early cutoff).
    """
    best = _Latest(case)
    for need in step.needs:
        for ref in need.refs:
            own = ref.same_key and case.procedure.steps[ref.step].multiple
            best.offer_step(ref.step, key if own else None, relied_on(ref))
    for index in step.reads:
        best.offer_step(index, None, content_read(case, step, index))
    slot = case.steps[step.index].slots.get(key)
    if slot is not None:
        best.offer(slot.head)
    for index in case.procedure.returning:
        state = case.steps[index]
        for returned in state.returned_keys:
            head = state.slots[returned].head
            if head is not None and any(d.get("step") == step.name for d in head.deficiencies):
                best.offer(head, opposed=True)
    found = best.found
    return (found[2], found[3]) if found is not None else (None, False)


class _Latest:
    """What came last among what is offered: (at, position, name, opposed)."""

    __slots__ = ("case", "found")

    def __init__(self, case: Case) -> None:
        self.case = case
        self.found: tuple[int, int, bytes, bool] | None = None

    def offer(self, head: Head | None, opposed: bool = False) -> None:
        if head is not None and head.stands_by in self.case.records:
            known = self.case.records[head.stands_by]
            self.take((known.at, known.position, head.stands_by, opposed))

    def take(self, candidate: tuple[int, int, bytes, bool]) -> None:
        if self.found is None or candidate > self.found:
            self.found = candidate

    def offer_step(self, index: int, key: str | None, seen: Seen) -> None:
        case = self.case
        state, other = case.steps[index], case.procedure.steps[index]
        if other.many and state.window_closed is not None:
            name = window_name(other, state.window_closed)
            if name in case.records:
                found = self.found
                if found is None or (state.window_closed, -1, name, False) > found:
                    self.found = (state.window_closed, case.records[name].position, name, False)
            return
        if state.applies is False:
            for i in other.reads:
                self.offer_step(i, None, content_read(case, other, i))
        if key is not None:
            slot = state.slots.get(key)
            if slot is not None:
                self.offer(since_when(slot, seen))
            return
        for slot in state.slots.values():
            self.offer(since_when(slot, seen))


Seen = Callable[[Head, Head], bool]
"""Whether a head is, for whoever looks at it, the same as the one that it replaced."""


def relied_on(ref: Ref) -> Seen:
    return lambda new, old: not new.mends and new.print(ref.parts) == old.print(ref.parts)


def content_read(case: Case, step: Step, index: int) -> Seen:
    """By the guard and the list of `step`, which read a head whatever its state."""
    var, parts = case.procedure.steps[index].var, set()
    for made in (step.when, step.each):
        for path in made.reads if made is not None else ():
            if path[0] == var:
                parts.add(path[1] if len(path) > 1 else "")
    named = () if parts & {"", "meta"} else tuple(sorted(parts - {"outcome"}))
    if named or parts == {"outcome"}:
        return lambda new, old: (
            new.outcome == old.outcome and all(new.subject.get(p) == old.subject.get(p) for p in named)
        )
    return lambda new, old: False


def since_when(slot: Slot, seen: Seen) -> Head | None:
    """The head, or the earliest of those before it that were the same for whoever looks at it."""
    found = slot.head
    for old in reversed(slot.past):
        if found is None or old.taken_back or not seen(found, old):
            break
        found = old
    return found
