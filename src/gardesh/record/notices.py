"""Who is told of what: derived from the graph as each document is folded in, and as time passes; never granted by hand.

A notice says to an organisation, to the holders of a role, or to whoever goes by a name, that a slot of a case now waits
for them (`act`), that a document which they may read stands in it (`read`), or that one they were told of no longer counts
(`gone`). It holds no contents. Its id is stable: a rebuild gives the same ids to the same notices, in the order of the
log, so that what is told of one case is in order.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gardesh.model import demand, reading
from gardesh.model.case import Case
from gardesh.model.reading import Audience
from gardesh.model.slot import DUE, ISSUED, RETURNED, WINDOW, Head, Place, Slot
from gardesh.record import schema
from gardesh.record.store import Store

ACT, READ, GONE = "act", "read", "gone"


class Notices:
    """Collects what is to be told in the sequencer's open batch. Belongs to it, and is made anew with its memory."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._pending: list[tuple[Any, ...]] = []
        self.look()

    def look(self) -> None:
        """How many there are: others may have made some."""
        self.next = int(self.store.one("SELECT coalesce(max(id), -1) FROM notices")[0]) + 1

    def of(self, case: Case, places: set[Place], at: int) -> None:
        """What has changed in these places of a case since it was last told."""
        for place in sorted(places):
            slot = demand.slot_at(case, place)
            if slot.told is None and slot.head is None and place not in case.demanded:
                continue
            old, slot.told = slot.told or (None, None, None), told(case, place, slot)
            if old == slot.told:
                continue
            acting, before, state = slot.told[0], old[1], slot.told[2]
            head = slot.head
            if head is not None and here(head) and head.digest != before:
                self._tell(case, place, at, READ, state, readers(case, place, head), head.position)
            elif old[2] == ISSUED and state != ISSUED:
                last = head or (slot.past[-1] if slot.past else None)
                if last is not None and here(last):
                    self._tell(case, place, at, GONE, state, readers(case, place, last), last.position)
            if acting is not None and acting != old[0]:
                self._tell(case, place, at, ACT, state, [acting[:2]], None, slot.deadline)

    def _tell(
        self,
        case: Case,
        place: Place,
        at: int,
        reason: str,
        state: str,
        whom: list[Audience],
        position: int | None,
        deadline: int | None = None,
    ) -> None:
        name = demand.slot_id(case.procedure.steps[place[0]], place[1])
        for kind, who in whom:
            self._pending.append((self.next, at, case.id, kind, who, reason, name, state, position, deadline))
            self.next += 1

    def report(self, case: Case, at: int, position: int) -> None:
        """That the node which asked for the case may read a report."""
        assert case.asked is not None
        step = case.procedure.goal[0]
        state = demand.slot_at(case, (step.index, "")).state
        self._tell(case, (step.index, ""), at, READ, state, [("org", case.asked.org)], position)

    def flush(self) -> None:
        """Write what was collected to the open transaction."""
        pending, self._pending = self._pending, []
        self.store.add(schema.notices, pending)


def here(head: Head) -> bool:
    """Whether the document of a head is one of its own case on this log."""
    return head.link is None or head.link.log != ""


def told(case: Case, place: Place, slot: Slot) -> tuple[Any, ...]:
    """What is known of a place to those whom it concerns: who is to act and in which state, the head, the state."""
    acting: tuple[str, ...] | None = None
    if place in case.demanded and slot.state in (DUE, RETURNED):
        who = mender(case, slot.head) if slot.state == RETURNED else None
        who = who or reading.holders(case, *place)
        acting = (*who, slot.state) if who is not None else None
    return acting, None if slot.head is None else slot.head.digest, slot.state


def mender(case: Case, head: Head | None) -> Audience | None:
    """Who is to mend what a document found wrong: the first whom its deficiencies name."""
    for said in head.deficiencies if head is not None else ():
        step = case.procedure.by_name.get(str(said.get("step")))
        if step is not None:
            return reading.holders(case, step.index, str(said.get("key") or ""))
    return None


def readers(case: Case, place: Place, head: Head) -> list[Audience]:
    """Who may read a document of this place, but for who issued it."""
    step = case.procedure.steps[place[0]]
    return [who for who in reading.audience(case, step.name, place[1], head) if who != ("org", head.issuer)]


def carry_over(old: Case, new: Case, steps: Mapping[str, str | None]) -> None:
    """A case moved to another version: what was told of a slot is told of the slot that takes its place."""
    for index, state in enumerate(old.steps):
        step = new.procedure.by_name.get(steps.get(old.procedure.steps[index].name) or "")
        if step is None:
            continue
        moved = new.steps[step.index]
        moved.window.told = state.window.told
        for key, slot in state.slots.items():
            if key in moved.slots:
                moved.slots[key].told = slot.told


def recall(case: Case) -> None:
    """A case that was folded again: all that it shows was told before."""
    for index, state in enumerate(case.steps):
        if case.procedure.steps[index].multiple:
            state.window.told = told(case, (index, WINDOW), state.window)
        for key, slot in state.slots.items():
            slot.told = told(case, (index, key), slot)
