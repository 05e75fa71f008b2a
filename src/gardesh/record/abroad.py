"""Slots that follow cases on other nodes: whether a report from there may be mirrored here (rule 16)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gardesh.model import demand, fold
from gardesh.model.case import Case
from gardesh.model.claim_elsewhere import Origin, Standing
from gardesh.model.document import Envelope
from gardesh.model.elsewhere import NODE_UNKNOWN, NODES
from gardesh.model.problem import Problem, define
from gardesh.model.procedure import Step
from gardesh.model.slot import DUE
from gardesh.record.clock import Evidence
from gardesh.record.gate import NOT_ASKED, WRONG_PROCEDURE
from gardesh.record.places import Place
from gardesh.record.registers import NOWHERE
from gardesh.record.spoiled import Spoiled

if TYPE_CHECKING:
    from gardesh.record.sequence import Sequencer

PROCEDURE_NOT_RECOGNISED = define(
    "node-procedure",
    403,
    en="The node with the log {log} is not recognised for {procedure}.",
    fa="گره دارای دفتر {log} برای {procedure} به رسمیت شناخته نشده است.",
)
PACK_DIFFERS = define(
    "evidence-pack",
    409,
    en="The case on {log} follows {pack}, which is not in force here as it is there.",
    fa="پرونده در {log} از {pack} پیروی می‌کند که در اینجا به همان شکل نافذ نیست.",
)
NODE_CHANGED = define(
    "node-changed",
    409,
    en="What is recognised of the node with the log {log} has changed meanwhile; send the file again.",
    fa="آنچه از گره دارای دفتر {log} به رسمیت شناخته شده در این میان تغییر کرده است؛ پرونده را دوباره بفرستید.",
)
AHEAD = define(
    "evidence-ahead",
    422,
    en="The report was recorded on {log} at an instant that is not yet here: one of the two clocks is wrong.",
    fa="گزارش در {log} در لحظه‌ای ثبت شده که اینجا هنوز نرسیده است: یکی از دو ساعت نادرست است.",
)
BACKDATED = define(
    "evidence-backdated",
    422,
    en="The report was recorded on {log} before what it answers: its time is dated back, or a clock is wrong.",
    fa="گزارش در {log} پیش از آنچه پاسخ آن است ثبت شده است: زمان آن عقب برده شده یا ساعتی نادرست است.",
)
SKEW = 300_000
"""How far, in ms, the clocks of two nodes may be apart."""


class Follows:
    """The slots of one sequencer that follow cases elsewhere. Belongs to it, and is made anew with its memory."""

    def __init__(self, sequencer: Sequencer) -> None:
        self.at = sequencer
        self.cases, self.registers = sequencer.cases, sequencer.registers

    def recognised(self, log: str, now: int) -> dict[str, object]:
        """What the register of nodes says of one. Raises `node-unknown`."""
        value = self.registers.value(NODES, log, NOWHERE, now)
        if value is None:
            raise Problem(NODE_UNKNOWN, log=log)
        return dict(value)

    def check(
        self, case: Case, step: Step | None, key: str, origin: Origin, said: Standing, now: int
    ) -> Step:
        """Whether a report may be mirrored in a slot now. Its number is newer than what is mirrored (see `Intake.bring`).

        Raises `node-unknown`, `node-procedure`, `not-asked`, `evidence-ahead`, `evidence-backdated`.
        """
        value = self.recognised(origin.log, now)
        name = "—" if step is None else step.name if not key else f"{step.name}:{key}"
        wanted = ""
        if step is not None and step.spec.from_ is not None:
            wanted = case.procedure.library.qualify(case.procedure.pack, step.spec.from_)
        if step is None or not wanted or not self._asks(case, step, key, origin):
            raise Problem(
                NOT_ASKED, "/circulation/for", slot=name, case=case.id, procedure=wanted or "—", issuer=origin.opener
            )  # fmt: skip
        if wanted not in value.get("procedures", ()):  # type: ignore[operator]
            raise Problem(PROCEDURE_NOT_RECOGNISED, log=origin.log, procedure=wanted, case=case.id)
        known = case.abroad.get((step.name, key))
        if origin.at > now + SKEW:
            raise Problem(AHEAD, log=origin.log, case=case.id)
        if origin.at < (case.opened_at - SKEW if known is None else known.reported_at):
            raise Problem(BACKDATED, log=origin.log, case=case.id)
        return step

    def _asks(self, case: Case, step: Step, key: str, origin: Origin) -> bool:
        """Whether the slot follows that case, or follows none, waits, and whoever opened it there may fill it."""
        if (step.name, key, origin.log, origin.case) in case.past:
            return False
        known = case.abroad.get((step.name, key))
        if known is not None:
            return (known.log, known.case) == (origin.log, origin.case)
        slot = case.steps[step.index].slots.get(key)
        if slot is None or slot.state != DUE or not slot.demanded:
            return False
        source = self.cases.source_of((case.id, step.name, key))
        if source is not None and not self.cases.get(source).withdrawn:
            return False
        return origin.opener in (case.opener, demand.holder_of(case, step.role))

    def same_law(self, proven: Evidence, now: int) -> None:
        """That the case there follows a pack that is in force here, word for word. Raises `evidence-pack`."""
        value = self.registers.value("core/packs", proven.pack, NOWHERE, now)
        if value is None or value.get("digest") != proven.pack_digest:
            raise Problem(PACK_DIFFERS, log=proven.origin.log, pack=proven.pack, case=proven.slot.case)

    def bring(self, proven: Evidence, now: int) -> Place:
        """Mirror what another node has proven in the slot that asked for it; the newest that is known stays (then its
        place is given). Raises as `check`, `node-changed`, `wrong-procedure`, `evidence-pack`, and Spoiled."""
        at = self.at
        at.pass_time(now)
        slot, origin = proven.slot, proven.origin
        if proven.recognised != self.recognised(origin.log, now):
            raise Problem(NODE_CHANGED, log=origin.log)
        case = self.cases.get(slot.case)
        past = case.past.get((slot.step, slot.key, origin.log, origin.case))
        if past is not None:  # it has ended, whatever else was reported before
            return Place(past.position, past.at, case.id, past.digest)
        known = case.abroad.get((slot.step, slot.key))
        newer = known is None or proven.standing.number > known.number
        if known is not None and (known.log, known.case) == (origin.log, origin.case) and not newer:
            return Place(known.position, known.at, case.id, known.digest)
        found = case.procedure.by_name.get(slot.step)
        step = self.check(case, found, slot.key, origin, proven.standing, now)
        wanted = case.procedure.library.qualify(case.procedure.pack, step.spec.from_ or "")
        if proven.procedure != wanted:
            raise Problem(WRONG_PROCEDURE, expected=wanted, given=proven.procedure, case=case.id)
        self.same_law(proven, now)
        return self.mirror(at.clock.mirror(case, step, slot.key, proven, now), now)

    def mirror(self, paper: Envelope, now: int) -> Place:
        """Fold in a mirror of the node's clock. Raises as `check`, and Spoiled."""
        assert paper.case is not None and paper.origin is not None and paper.standing is not None  # noqa: PT018
        at, key, position = self.at, paper.key or "", self.at.position
        case = self.cases.get(paper.case)
        found = case.procedure.by_name.get(paper.step)
        step = self.check(case, found, key, paper.origin, paper.standing, now)
        self.cases.unlink((case.id, step.name, key))
        try:
            _, changes = fold.accept(case, paper, now, position)
            head = self.cases.arrived(case, paper, position, now)
            at._record(paper, case, now)
            if head is not None:
                at.identifiers += at._identified(case, step, head, now)
                at.subjects += [(step.type, who, position, case.id, step.name, key) for who in head.about]
            at.enter(changes)
            at.consequences.after(case, now)
        except Problem as problem:
            raise Spoiled(problem) from problem
        return Place(position, now, case.id, paper.digest)
