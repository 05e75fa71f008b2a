"""What follows from a document that was accepted: other cases that mirror its case, once-only reuse, the clock's wakes."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

from gardesh.model import fold
from gardesh.model.case import Case
from gardesh.model.elsewhere import Asked, stand
from gardesh.model.problem import Problem
from gardesh.model.procedure import Step
from gardesh.model.slot import DUE, ISSUED, Head
from gardesh.record.cases import Target

if TYPE_CHECKING:
    from gardesh.record.sequence import Sequencer


class Consequences:
    """Carries changes on within the sequencer's open batch. Belongs to it, and is made anew with its memory."""

    def __init__(self, sequencer: Sequencer) -> None:
        self.at = sequencer
        self.cases, self.library, self.store = sequencer.cases, sequencer.library, sequencer.store

    def after(self, case: Case, at: int) -> None:
        """Carry a change on: to cases that follow slots of this one, to reuse, to the clock."""
        queue = [case]
        while queue:
            current = queue.pop(0)
            wakes = self.cases.changed(current, at)
            if wakes is not None:
                heapq.heappush(self.at.wakes, (wakes, current.id))
            for step_name, key, target in list(self.cases.links_of(current.id)):
                moved = self._carry(current, step_name, key, target, at)
                if moved is not None:
                    queue.append(moved)
            if self._reuse(current, at):
                queue.append(current)
            elif current.asked is not None:
                self._report(current, current.asked, at)

    def _carry(self, source: Case, step_name: str, key: str, target: Target, at: int) -> Case | None:
        case = self.cases.get(target[0])
        step = case.procedure.by_name[target[1]]
        slot = case.steps[step.index].slots.get(target[2])
        head = self.cases.mirrored(source, step_name, key)
        old = slot.head if slot is not None else None
        if same(old, head):
            return None
        changes = fold.mirror(case, step, target[2], head, at)
        self.cases.note_mirror(target, head, self.at.position - 1, at)
        self.at.enter(changes)
        return case

    def _report(self, case: Case, to: Asked, at: int) -> None:
        """Tell the node that asked for a case how it stands, when that has changed."""
        now = stand(case)
        if now == to.last:
            return
        position = self.at.position
        paper = self.at.clock.report(case, to, now, at)
        fold.accept(case, paper, at, position)
        self.at._record(paper, case, at)
        self.cases.notices.report(case, at, position)

    def follow(self, source: tuple[str, str, str], target: Target) -> None:
        self.cases.unlink(target)
        self.cases.link(source, target)

    def open_linked(self, case: Case, step: Step, key: str, opened: Case) -> None:
        """The opened case's opening slot follows this slot; a step `from` that procedure follows its end."""
        self.cases.keep(opened)
        procedure = opened.procedure
        self.cases.link((case.id, step.name, key), (opened.id, procedure.opening.name, ""))
        for other in case.procedure.steps:
            if other.spec.from_ is None:
                continue
            wanted = self.library.qualify(case.procedure.pack, other.spec.from_)
            own = key if other.multiple else ""
            if wanted == procedure.label and (not other.multiple or own):
                self.follow((opened.id, procedure.goal[0].name, ""), (case.id, other.name, own))

    def _reuse(self, case: Case, at: int) -> bool:
        """Once-only: when a slot becomes demanded and another case holds a document that serves, it is used."""
        used = False
        places = [(s, k) for s in case.procedure.reusing for k in sorted(case.steps[s.index].open_keys)]
        for step, key in places:
            slot = case.steps[step.index].slots[key]
            if not slot.demanded or (step.name, key) in case.abroad:
                continue
            if slot.state != DUE or slot.term_start != at or slot.head is not None:
                continue
            found = self._reusable(case, step, at)
            if found is not None:
                paper = self.at.clock.reuse(case, step, key, found[3], at)
                fold.accept(case, paper, at, self.at.position)
                self.at._record(paper, case, at)
                self.follow(found[:3], (case.id, step.name, key))
                source = self.cases.get(found[0])
                self._carry(source, found[1], found[2], (case.id, step.name, key), at)
                used = True
        return used

    def _reusable(self, case: Case, step: Step, at: int) -> tuple[str, str, str, bytes] | None:
        assert step.reuse_about is not None
        assert step.spec.reuse is not None
        reads = [s.index for s in case.procedure.steps if s.var in step.reuse_about.variables]
        try:
            about = step.reuse_about.evaluate(case.environment(reads), case.moment(self.at.position, at))
        except Problem:
            return None
        if not isinstance(about, str):
            return None
        for _, case_id, name, key in self._about(step.type, about):
            if case_id == case.id:
                continue
            source = self.cases.get(case_id)
            slot = source.steps[source.procedure.by_name[name].index].slots.get(key)
            if slot is None or slot.head is None or slot.state != ISSUED or slot.head.link is not None:
                continue
            head = slot.head
            if source.withdrawn or (head.expires is not None and head.expires <= at):
                continue
            if step.spec.reuse.at_most is not None:
                term = case.procedure.term(step.spec.reuse.at_most, at)
                if case.procedure.calendar_of(step).deadline(head.at, term) <= at:
                    continue
            return (case_id, name, key, head.digest)
        return None

    def _about(self, type_name: str, about: str) -> list[tuple[int, str, str, str]]:
        """The newest slots that hold a document of a type about a subject: (position, case, step, key)."""
        rows = self.store.rows(
            "SELECT position, case_id, step, key FROM subjects WHERE type = ? AND about = ? ORDER BY position DESC LIMIT 20",
            type_name,
            about,
        )
        fresh = [(s[2], s[3], s[4], s[5]) for s in self.at.subjects if s[0] == type_name and s[1] == about]
        return [*reversed(fresh), *rows][:20]


def same(old: Head | None, new: Head | None) -> bool:
    if old is None or new is None:
        return old is new
    return (
        old.stands_by == new.stands_by
        and old.whole == new.whole
        and old.outcome == new.outcome
        and old.expires == new.expires
        and old.digest == new.digest
    )
