"""The sequencer: documents get their positions, time passes, folds and views are written, all in one transaction."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from collections.abc import Sequence as Several
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

from gardesh.model import deadline, demand, fold
from gardesh.model.case import Case
from gardesh.model.document import Envelope
from gardesh.model.fold import Change
from gardesh.model.judgement import NOT_ALLOWED
from gardesh.model.library import NO_SUCH_PACK, Library
from gardesh.model.problem import Problem, define
from gardesh.model.procedure import ACTS, Procedure, Step
from gardesh.model.receipt import Receipt
from gardesh.model.slot import DUE, ISSUED, Head
from gardesh.record import schema
from gardesh.record.cases import Cases, Target
from gardesh.record.clock import Clock
from gardesh.record.log import Log
from gardesh.record.registers import NOWHERE, Registers
from gardesh.record.store import Store
from gardesh.record.types import Types

NOT_ACCREDITED = define(
    "not-accredited",
    403,
    en="{issuer} is not accredited as {role}.",
    fa="{issuer} برای نقش {role} اعتبار ندارد.",
)
WRONG_PROCEDURE = define(
    "wrong-procedure",
    422,
    en="The case follows {expected}, not {given}.",
    fa="این پرونده از {expected} پیروی می‌کند، نه {given}.",
)
NOT_ASKED = define(
    "not-asked",
    409,
    en="No slot {slot} of the case {case} waits for a case of {procedure} opened by {issuer}.",
    fa="هیچ جایگاهی به نام {slot} در پرونده‌ی {case} در انتظار پرونده‌ای از {procedure} از سوی {issuer} نیست.",
)
MADE_ELSEWHERE = define(
    "made-elsewhere",
    409,
    en="{step} has no document of its own: a case of {procedure} fills it.",
    fa="گام {step} سند جداگانه‌ای ندارد و با پرونده‌ای از {procedure} پر می‌شود.",
)


class Place(NamedTuple):
    """Where an accepted document stands."""

    position: int
    recorded_at: int
    case: str
    digest: bytes


class Spoiled(Exception):
    """What follows from an accepted document, or from the passing of time, could not be carried out.

    Memory may be halfway; the transaction has to be rolled back. `problem` says what failed.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(str(problem))


@dataclass(slots=True)
class Batch:
    now: int


class Sequencer:
    """One writer at a time. `batch` is the only way to change anything."""

    def __init__(self, store: Store, library: Library, log: Log, clock: Clock) -> None:
        self.store, self.library, self.log, self.clock = store, library, log, clock
        self.registers = Registers(store)
        self.cases = Cases(store, library, self.registers)
        self.cases.before_load = self._flush
        self.types = Types(library)
        self.wakes: list[tuple[int, str]] = []
        self._resume()

    @property
    def size(self) -> int:
        return self.position

    def _resume(self) -> None:
        """Take up where the record stands: the next position, the last time and document, what time will do."""
        self._reset()
        row = self.store.one("SELECT recorded_at, digest FROM documents ORDER BY position DESC LIMIT 1")
        self.time = self.store.setting("time")
        self.last_at = max(int(row[0]) if row is not None else 0, int(self.time or 0))
        self.newest = bytes(row[1]) if row is not None else b"\0" * 32
        self.position = self.log.size
        rows = self.store.rows("SELECT wakes_at, id FROM cases WHERE wakes_at IS NOT NULL")
        self.wakes = [(at, case_id) for at, case_id in rows]
        heapq.heapify(self.wakes)
        self.cases.waking = {case_id: at for at, case_id in self.wakes}

    def _reset(self) -> None:
        self.documents: list[tuple[Any, ...]] = []
        self.disclosures: list[tuple[int, bytes]] = []
        self.subjects: list[tuple[Any, ...]] = []
        self.identifiers: list[tuple[Any, ...]] = []
        self.entries: list[tuple[bytes, int]] = []
        self.fresh: dict[bytes, Place] = {}

    # -- one transaction ----------------------------------------------------------------------------------

    @contextmanager
    def batch(self, now: int) -> Iterator[Batch]:
        """Everything inside is durable, and under a signed checkpoint, when the block has ended."""
        pen = edge = None
        try:
            with self.store.writing():
                self._see_others()
                previous = self.log.note
                now = max(now, self.last_at)
                self.pass_time(now)
                yield Batch(now)
                if self.entries:
                    # The pen signs beside the writing and the commit: ML-DSA takes longer than both.
                    edge = self.log.append(self.entries)
                    pen = self.log.begin_checkpoint(edge, now)
                self._flush()
                if edge is not None and previous:
                    self.store.add(schema.checkpoints, [(self.log.size, previous)], replace=True)
        except BaseException:
            self._forget()
            raise
        self._reset()
        if edge is not None and pen is not None:
            self.log.adopt(edge, b"")
            self.log.adopt(edge, pen.result())

    def _see_others(self) -> None:
        """Another process may have written since: then memory begins anew from what is stored."""
        last, time = self.store.one(
            "SELECT (SELECT max(position) FROM documents), (SELECT value FROM settings WHERE name = 'time')"
        )
        size = 0 if last is None else last + 1
        if size != self.position or (None if time is None else bytes(time)) != self.time:
            self.log.reload()
            self._forget()

    def _flush(self) -> None:
        """Write all buffers to the open transaction; the log's entries stay for the batch's end.

        Raises Spoiled when the views of a case cannot be made.
        """
        self.store.add(schema.documents, self.documents)
        self.store.add(schema.disclosures, self.disclosures)
        self.store.add(schema.subjects, self.subjects, replace=True)
        self.store.add(schema.identifiers, self.identifiers, replace=True)
        self.documents, self.disclosures, self.subjects, self.identifiers = [], [], [], []
        self.registers.flush()
        try:
            self.cases.flush()
        except Problem as problem:
            raise Spoiled(problem) from problem

    def _forget(self) -> None:
        """The transaction was rolled back: memory must not know more than the store."""
        self.registers.forget()
        self.cases = Cases(self.store, self.library, self.registers)
        self.cases.before_load = self._flush
        self._resume()

    def receipts(self, found: Several[tuple[int, int]]) -> list[Receipt]:
        return self.log.receipts(found, self.log.checkpoint(self.last_at)) if found else []

    def known(self, paper: Envelope) -> Place | None:
        """Where a document stands that was accepted before. Known by its statement: an ES256 signature can be turned
        into another valid one by anybody, and must not count twice."""
        statement = paper.statement
        found = self.fresh.get(statement)
        if found is None:
            row = self.store.one(
                "SELECT position, recorded_at, case_id, digest FROM documents WHERE statement = ?", statement
            )
            found = Place(row[0], row[1], row[2], bytes(row[3])) if row is not None else None
        return found

    # -- accepting ----------------------------------------------------------------------------------------

    def accept(self, paper: Envelope, now: int) -> Place:
        """Judge a document whose signer is known, and fold it in. Raises Problem; then nothing has changed.

        Raises Spoiled when what follows from the document elsewhere fails: the batch is then to be rolled back.
        """
        self.pass_time(now)
        if paper.act not in ACTS:
            slot = paper.step if paper.key is None else f"{paper.step}:{paper.key}"
            raise Problem(NOT_ALLOWED, "/circulation/act", issuer=paper.issuer, act=paper.act, slot=slot)
        parent: Target | None = None
        if paper.case is None:
            case = self._opened(paper, now)
            if paper.for_slot is not None:
                parent = self._asked(paper, case)
        else:
            case = self.cases.get(paper.case)
        self._check(case, paper, now)
        position = self.position
        opened: Case | None = None
        index: list[tuple[str, str, int]] = []
        try:
            verdict, changes = fold.accept(case, paper, now, position)
            assert verdict is not None
            head = verdict.head
            if verdict.step.spec.opens is not None and paper.act in ("issue", "correct"):
                opened, more = self.cases.opening(case, verdict, position, now)
                changes = changes + more
            self.registers.check(changes)
            if paper.act in ("issue", "correct"):
                head.about = self.cases.about(case, verdict.step, head, position, now)
                index = self._identified(case, verdict.step, head, now)
        except Problem:
            if case.position == position:  # it was judged well, and then folded in
                self.cases.drop(case)
            raise
        if paper.case is None:
            self.cases.keep(case)
        self._record(paper, case, now)
        self.identifiers += index
        if paper.act in ("issue", "correct") and head.about is not None and head.outcome == "approved":
            self.subjects.append(
                (verdict.step.type, head.about, position, case.id, verdict.step.name, head.key)
            )
        self.registers.enter(changes, position, paper.digest)
        try:
            if verdict.step.reuse_about is not None and paper.act == "issue":
                self.cases.unlink((case.id, verdict.step.name, verdict.key))
            if parent is not None:
                self._follow((case.id, case.procedure.goal[0].name, ""), parent)
            if opened is not None and paper.act == "issue":
                self._open_linked(case, verdict.step, verdict.key, opened)
            self.after(case, now)
        except Problem as problem:
            raise Spoiled(problem) from problem
        return Place(position, now, case.id, paper.digest)

    def _opened(self, paper: Envelope, now: int) -> Case:
        """A new case, named by the digest of the document that opens it."""
        label = paper.pack
        if self.position > 0:
            value = self.registers.value("core/packs", label, NOWHERE, now)
            if value is None or label not in self.library.packs:
                raise Problem(NO_SUCH_PACK, "/circulation/pack", pack=label)
            if value.get("digest") != self.library.get(label).digest.hex():
                raise Problem(NO_SUCH_PACK, "/circulation/pack", pack=label)
        procedure = self._procedure(label, paper)
        if procedure.opening.name != paper.step:
            raise Problem("no-such-case", "/circulation/case", case="—")
        case = Case(paper.digest.hex(), procedure, self.registers, paper.issuer, now)
        fold.finish(case, now)
        return case

    def _procedure(self, label: str, paper: Envelope) -> Procedure:
        name = paper.procedure.rpartition("/")[2]
        if name not in self.library.get(label).procedures:
            raise Problem(WRONG_PROCEDURE, "/circulation/procedure", expected="—", given=paper.procedure)
        return self.library.procedure(label, name)

    def _asked(self, paper: Envelope, case: Case) -> Target:
        """The slot of another case that this case is opened for (rule 16)."""
        assert paper.for_slot is not None
        target_case, step_name, key = paper.for_slot
        try:
            parent = self.cases.get(target_case)
        except Problem as problem:
            raise Problem(problem.code, "/circulation/for/case", **problem.params) from None
        step = parent.procedure.by_name.get(step_name)
        not_asked = Problem(
            NOT_ASKED,
            "/circulation/for",
            slot=step_name if not key else f"{step_name}:{key}",
            case=target_case,
            procedure=case.procedure.label,
            issuer=paper.issuer,
        )
        if step is None or step.spec.from_ is None:
            raise not_asked
        wanted = parent.procedure.library.qualify(parent.procedure.pack, step.spec.from_)
        slot = parent.steps[step.index].slots.get(key)
        may = paper.issuer == parent.opener or demand.holder_of(parent, step.role) == paper.issuer
        if (
            wanted != case.procedure.label
            or slot is None
            or slot.state != DUE
            or not slot.demanded
            or not may
        ):
            raise not_asked
        return (target_case, step_name, key)

    def _check(self, case: Case, paper: Envelope, now: int) -> None:
        """Pack, type, schema, accreditation: the order of design §5 before case and rules."""
        procedure = case.procedure
        if paper.pack != procedure.pack.label or paper.procedure.rpartition("/")[2] != procedure.name:
            given = f"{paper.pack} {paper.procedure}"
            expected = f"{procedure.pack.label} {procedure.name}"
            raise Problem(WRONG_PROCEDURE, "/circulation/procedure", expected=expected, given=given)
        step = procedure.by_name.get(paper.step)
        if step is None or paper.type != step.type:
            return
        if step.spec.from_ is not None:
            raise Problem(MADE_ELSEWHERE, "/circulation/step", step=step.name, procedure=step.spec.from_)
        if step is procedure.opening and paper.case is not None and paper.act == "issue":
            source = self.cases.source_of((case.id, step.name, ""))
            if source is not None:
                label = self.cases.get(source).procedure.label
                raise Problem(MADE_ELSEWHERE, "/circulation/step", step=step.name, procedure=label)
        if paper.act in ("issue", "correct"):
            checked = self.types.get(procedure.pack, step.type)
            if checked is not None:
                checked.check_schema(paper.subject)
                if checked.rules:
                    this = {**paper.subject, "outcome": paper.outcome}
                    checked.check_rules(this, case.moment(self.position, now))
        if paper.act in ("issue", "correct", "confirm") and self.position > 0:
            role = demand.role_of(case, step, paper.key or "")
            if role is not None and not self.registers.holds(paper.issuer, role, now):
                raise Problem(NOT_ACCREDITED, "/issuer", issuer=paper.issuer, role=role)

    def genesis_key(self, paper: Envelope) -> dict[str, Any]:
        """The first document names its own signer's key."""
        steward = paper.subject.get("steward")
        if not isinstance(steward, dict) or not isinstance(steward.get("key"), dict):
            raise Problem("key-unknown", "/credentialSubject/steward", kid=paper.kid)
        return {"org": steward.get("org"), "jwk": steward["key"], "state": "in-force"}

    def _record(self, paper: Envelope, case: Case, at: int) -> None:
        self.documents.append(
            (
                self.position,
                paper.digest,
                paper.statement,
                at,
                case.id,
                paper.issuer,
                paper.type,
                paper.step,
                paper.key or "",
                paper.act,
                paper.signed,
            )
        )
        self.disclosures.append((self.position, paper.tail))
        self.entries.append((paper.digest, at))
        self.newest = paper.digest
        self.fresh[paper.statement] = Place(self.position, at, case.id, paper.digest)
        self.position += 1
        self.last_at = at

    def _identified(self, case: Case, step: Step, head: Head, now: int) -> list[tuple[str, str, int]]:
        """The business keys that find the document, as its type says."""
        found: list[tuple[str, str, int]] = []
        checked = self.types.get(case.procedure.pack, step.type)
        if checked is not None and checked.identifiers:
            moment = case.moment(self.position, now)
            for kind, made in checked.identifiers.items():
                value = made.evaluate({"this": head.value}, moment)
                values = value if isinstance(value, list) else [value]
                found += [(kind, str(each), self.position) for each in values if each is not None]
        return found

    # -- what follows -------------------------------------------------------------------------------------

    def after(self, case: Case, at: int) -> None:
        """Carry a change on: to cases that follow slots of this one, to reuse, to the clock."""
        queue = [case]
        while queue:
            current = queue.pop(0)
            wakes = self.cases.changed(current)
            if wakes is not None:
                heapq.heappush(self.wakes, (wakes, current.id))
            for step_name, key, target in list(self.cases.links_of(current.id)):
                moved = self._carry(current, step_name, key, target, at)
                if moved is not None:
                    queue.append(moved)
            if self._reuse(current, at):
                queue.append(current)

    def _carry(self, source: Case, step_name: str, key: str, target: Target, at: int) -> Case | None:
        case = self.cases.get(target[0])
        step = case.procedure.by_name[target[1]]
        slot = case.steps[step.index].slots.get(target[2])
        head = self.cases.mirrored(source, step_name, key)
        old = slot.head if slot is not None else None
        if same(old, head):
            return None
        changes = fold.mirror(case, step, target[2], head, at)
        self.cases.note_mirror(target, head, self.position - 1, at)
        self.enter(changes)
        return case

    def enter(self, changes: list[Change]) -> None:
        """Register changes that follow from what was accepted already: they cannot be refused any more."""
        self.registers.enter(changes, self.position - 1, self.newest)

    def _follow(self, source: tuple[str, str, str], target: Target) -> None:
        self.cases.unlink(target)
        self.cases.link(source, target)

    def _open_linked(self, case: Case, step: Step, key: str, opened: Case) -> None:
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
                self._follow((opened.id, procedure.goal[0].name, ""), (case.id, other.name, own))

    def _reuse(self, case: Case, at: int) -> bool:
        """Once-only: when a slot becomes demanded and another case holds a document that serves, it is used."""
        used = False
        places = [(s, k) for s in case.procedure.reusing for k in sorted(case.steps[s.index].open_keys)]
        for step, key in places:
            slot = case.steps[step.index].slots[key]
            if not slot.demanded:
                continue
            if slot.state != DUE or slot.term_start != at or slot.head is not None:
                continue
            found = self._reusable(case, step, at)
            if found is not None:
                paper = self.clock.reuse(case, step, key, found[3], at)
                fold.accept(case, paper, at, self.position)
                self._record(paper, case, at)
                self._follow(found[:3], (case.id, step.name, key))
                source = self.cases.get(found[0])
                self._carry(source, found[1], found[2], (case.id, step.name, key), at)
                used = True
        return used

    def _reusable(self, case: Case, step: Step, at: int) -> tuple[str, str, str, bytes] | None:
        assert step.reuse_about is not None
        assert step.spec.reuse is not None
        reads = [s.index for s in case.procedure.steps if s.var in step.reuse_about.variables]
        try:
            about = step.reuse_about.evaluate(case.environment(reads), case.moment(self.position, at))
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
        fresh = [(s[2], s[3], s[4], s[5]) for s in self.subjects if s[0] == type_name and s[1] == about]
        return [*reversed(fresh), *rows][:20]

    # -- time ---------------------------------------------------------------------------------------------

    def pass_time(self, t: int) -> None:
        """All that falls due up to `t`, in the order of the instants, then of the cases' names (rule 20).

        Raises Spoiled when something of it cannot be carried out.
        """
        if not self.wakes or self.wakes[0][0] > t:
            return
        self.time = str(t).encode()
        self.store.set("time", self.time)
        try:
            while self.wakes and self.wakes[0][0] <= t:
                at, case_id = heapq.heappop(self.wakes)
                if self.cases.waking.get(case_id) == at:
                    self._wake(case_id, at)
        except Problem as problem:
            raise Spoiled(problem) from problem
        self.last_at = max(self.last_at, t)

    def _wake(self, case_id: str, at: int) -> None:
        case = self.cases.get(case_id)
        del self.cases.waking[case_id]
        self.enter(fold.advance(case, at))
        while (passed := deadline.fallen(case, at)) is not None:
            paper = self.clock.silence(case, passed, at)
            _, changes = fold.accept(case, paper, at, self.position)
            self._record(paper, case, at)
            self.enter(changes)
        self.after(case, at)


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
