"""Cases on several nodes (semantics, rule 16): one that was opened for a slot of another node's case, and a slot that
follows a case there.

The node where the case lives reports on its own log how that which closes it stands; the node that asked mirrors each
report, with the proof, as a document of its clock in the slot. Both are folded here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gardesh.model.claim_elsewhere import Origin, SlotName, Standing
from gardesh.model.library import World
from gardesh.model.problem import Problem, define
from gardesh.model.slot import ISSUED, Head, Link

if TYPE_CHECKING:
    from gardesh.model.case import Case

NODES = "core/nodes"
NODE_UNKNOWN = define(
    "node-unknown",
    403,
    en="The node with the log {log} is not recognised here.",
    fa="گره دارای دفتر {log} در اینجا به رسمیت شناخته نشده است.",
)


@dataclass(frozen=True, slots=True)
class Stand:
    """How that which closes a case stands: its digest (None: there is none), its outcome, and the rest of the report."""

    names: str | None = None
    outcome: str | None = None
    sound: bool = False
    ended: bool = False
    expires: int | None = None

    def numbered(self, number: int) -> Standing:
        return Standing(number, self.sound, self.ended, self.expires)


@dataclass(slots=True)
class Asked:
    """That a case was opened for a slot of a case on another log. `org` stands for that node here."""

    slot: SlotName
    org: str
    reports: int = 0
    last: Stand | None = None


@dataclass(frozen=True, slots=True)
class Abroad:
    """The case on another log that a slot follows, and the newest of its reports that is mirrored: its number there, the
    instant it was recorded there, and the document here."""

    log: str
    case: str
    number: int
    reported_at: int
    digest: bytes
    position: int
    at: int


def asked(slot: SlotName | None, world: World, position: int, at: int) -> Asked | None:
    """What the document that opens a case says of another node; None where it says nothing. Raises `node-unknown`."""
    if slot is None or not slot.log:
        return None
    value = world.value(NODES, slot.log, position, at)
    if value is None:
        raise Problem(NODE_UNKNOWN, "/circulation/for/log", log=slot.log)
    return Asked(slot, str(value["org"]))


def stand(case: Case) -> Stand:
    """What is to be reported of a case now: of the slot that closes it, as a slot that follows it on this node has it."""
    if case.withdrawn:
        return Stand(ended=True)
    state = case.steps[case.procedure.goal[0].index]
    slot = state.slots.get("")
    if slot is None or slot.head is None or not slot.applies or state.applies is False:
        return Stand()
    head = slot.head
    return Stand(head.digest.hex(), head.outcome, slot.sound or slot.state == ISSUED, False, head.expires)


def reported(case: Case, names: str | None, outcome: str | None, said: Standing) -> None:
    """A report was recorded."""
    assert case.asked is not None
    case.asked.reports = said.number
    case.asked.last = Stand(names, outcome, said.sound, said.ended, said.expires)


def mirrored(paper: Any, at: int, position: int) -> Head | None:
    """The head that a mirror puts in its slot; None where nothing closes the case there (any more).

    It stands from when it is on this log: what is judged here is judged in the order of this log.
    """
    origin: Origin = paper.origin
    if paper.names is None:
        return None
    return Head(
        digest=paper.digest,
        issuer=origin.issuer,
        at=at,
        position=position,
        key=paper.key or "",
        subject=paper.subject,
        outcome=paper.outcome or "approved",
        decides=paper.outcome is not None,
        expires=paper.standing.expires,
        stands_by=paper.digest,
        deficiencies=paper.deficiencies,
        link=Link(origin.case, paper.step, paper.key or "", origin.log),
        whole=paper.standing.sound,
        erased=paper.erased,
    )


def follow(case: Case, paper: Any, at: int, position: int) -> None:
    """From here on the slot follows the case that a mirror names; or none, when that has ended, and never that one again."""
    place, origin = (paper.step, paper.key or ""), paper.origin
    seen = Abroad(origin.log, origin.case, paper.standing.number, origin.at, paper.digest, position, at)
    if paper.standing.ended:
        case.abroad.pop(place, None)
        case.past[(*place, origin.log, origin.case)] = seen
    else:
        case.abroad[place] = seen
