"""The sequencer: documents get their positions, time passes, folds and views are written, all in one transaction."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from collections.abc import Sequence as Several
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from gardesh.model import deadline, fold
from gardesh.model.case import Case
from gardesh.model.document import Envelope
from gardesh.model.fold import Change
from gardesh.model.judgement import NOT_ALLOWED
from gardesh.model.library import Library
from gardesh.model.problem import Problem
from gardesh.model.procedure import ACTS, Step
from gardesh.model.receipt import Receipt
from gardesh.model.slot import Head
from gardesh.record import folder, schema
from gardesh.record.abroad import Follows
from gardesh.record.cases import Cases, Target
from gardesh.record.clock import Clock
from gardesh.record.consequence import Consequences
from gardesh.record.erasures import Erasures
from gardesh.record.gate import Gate
from gardesh.record.log import Log
from gardesh.record.moves import Moves
from gardesh.record.others import REBUILT, Others
from gardesh.record.places import Place, Places
from gardesh.record.registers import Registers
from gardesh.record.spoiled import Spoiled
from gardesh.record.store import Store
from gardesh.record.types import Types

ASKED = "asked"
"""In place of a type: the organisation that stands for the node for which a case was opened."""


WAKES = 10_000
"""How many of the cases that time will change are read at once, the soonest first: in a large record many more wait."""
NEVER = (1 << 62, "")


@dataclass(slots=True)
class Batch:
    now: int


class Sequencer:
    """One writer at a time. `batch` is the only way to change anything."""

    def __init__(self, store: Store, library: Library, log: Log, clock: Clock) -> None:
        self.store, self.library, self.log, self.clock = store, library, log, clock
        self.stale = False
        self.erased = False
        """Whether something was erased in the open batch."""
        self.settled = False
        """Whether what the record had when it was last looked at is known to be as durable as a commit of ours."""
        self.places = Places(store)
        self._stand()
        self.registers = Registers(store)
        self.types = Types(library)
        self.others = Others(self)
        self._remember()
        self.wakes: list[tuple[int, str]] = []
        self.horizon = NEVER
        """Up to which instant and case all that wake are among `wakes`."""
        self._resume()

    @property
    def size(self) -> int:
        return self.position

    def _resume(self) -> None:
        """Take up where the record stands, and what time will do."""
        self._reset()
        self._plan_wakes()

    def _plan_wakes(self) -> None:
        """Between batches: what wakes next is read anew."""
        self.wakes, self.cases.waking, self.horizon = [], {}, (-1, "")
        self._more_wakes()

    def _more_wakes(self) -> None:
        """Read some more of what wakes. What is known of a case in memory counts, for it may not be written yet."""
        rows = self.store.rows(
            "SELECT wakes_at, id FROM cases WHERE (wakes_at, id) > (?, ?) ORDER BY wakes_at, id LIMIT ?",
            *self.horizon,
            WAKES,
        )
        waking, unsaved = self.cases.waking, self.cases.unsaved
        for at, case_id in rows:
            if case_id in waking or case_id not in unsaved:
                heapq.heappush(self.wakes, (waking.setdefault(case_id, at), case_id))
        self.horizon = NEVER if len(rows) < WAKES else (rows[-1][0], rows[-1][1])

    def _falls_due(self, t: int) -> bool:
        """Whether a case wakes by `t`, and is next."""
        while self.horizon[0] <= t:
            self._more_wakes()
        return bool(self.wakes) and self.wakes[0][0] <= t

    def _stand(self) -> None:
        """Where the record stands: the last time and document, the next position. Asked before anything is counted: what comes
        in between is met as written by others."""
        row = self.store.one("SELECT recorded_at, digest FROM documents ORDER BY position DESC LIMIT 1")
        self.time, self.rebuilt = self.store.setting("time"), self.store.setting(REBUILT)
        self.last_at = max(int(row[0]) if row is not None else 0, int(self.time or 0))
        self.newest = bytes(row[1]) if row is not None else b"\0" * 32
        self.position = self.log.size

    def _reset(self) -> None:
        self.documents: list[tuple[Any, ...]] = []
        self.disclosures: list[tuple[int, bytes, int | None]] = []
        self.subjects: list[tuple[Any, ...]] = []
        self.identifiers: list[tuple[Any, ...]] = []
        self.entries: list[tuple[bytes, int]] = []
        self.places.clear()

    def look(self) -> None:
        """Outside a batch: what another process has written is known from here on. Where none has, it costs one question.

        After very much, what time will do is left to the next batch, so that this costs no more where many cases wait.
        """
        if not self.others.wrote():
            return
        self.settled = False
        if self._took_up():
            return
        self.stale = True
        folder.bring(self.store, self.library)
        self.log.reload()
        self._stand()
        self.registers.forget()
        self._remember()

    def _took_up(self) -> bool:
        """Whether memory is what the record holds; while it is not certain, it is `stale`."""
        if self.stale:
            return False
        self.stale = True
        if not self.others.take_up():
            return False
        self.stale = False
        return True

    # -- one transaction ----------------------------------------------------------------------------------

    @contextmanager
    def batch(self, now: int) -> Iterator[Batch]:
        """Everything inside is durable, and under a signed checkpoint, when the block has ended."""
        pen = edge = None
        try:
            with self.store.writing():
                self._see_others()
                if max(len(self.wakes), len(self.cases.waking)) > 2 * WAKES:
                    self._plan_wakes()
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
                    self.log.store_checkpoint(self.log.size, previous)
                elif edge is None and not self.settled:
                    # Others wrote what is answered by, and may have died before a standby had it: a commit that writes waits
                    # for all that came before.
                    self.store.run("UPDATE settings SET value = value WHERE name = 'origin'")
        except BaseException:
            self._forget()
            self.erased = False
            raise
        self._reset()
        self.settled = True
        if self.erased:
            self.erased = False
            self.store.database.let_go()
        if edge is not None and pen is not None:
            self.log.adopt(edge, b"")
            self.log.adopt(edge, pen.result())

    def _see_others(self) -> None:
        """Another process may have written since, or memory could not be made anew after a fault: then it is now."""
        if self.stale or self.others.wrote():
            self.settled = False
            if not self._took_up():
                folder.bring(self.store, self.library)
                self.log.reload()
                self._forget()

    def _flush(self) -> None:
        """Write all buffers to the open transaction; the log's entries stay for the batch's end.

        Raises Spoiled when the views of a case cannot be made.
        """
        if self.store.sealing is not None:
            self.store.sealing.flush()
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
        """The transaction was rolled back: memory must not know more than the store.

        While the store cannot be read, memory is empty and `stale`, and the next batch begins with this again. That batch
        writes, though nothing came: whether the store can be written to is known again then.
        """
        self.stale, self.settled = True, False
        self._reset()
        self.cases.forget()
        self.registers.clear()
        if self.store.sealing is not None:
            self.store.sealing.forget()
        self._stand()
        self.registers.forget()
        self._remember()
        self._resume()
        self.stale = False

    def _remember(self) -> None:
        self.cases = Cases(self.store, self.library, self.registers)
        self.cases.before_load = self._flush
        self.gate = Gate(self.library, self.registers, self.cases, self.types)
        self.consequences = Consequences(self)
        self.moves = Moves(self)
        self.follows = Follows(self)
        self.erasures = Erasures(self)

    def receipts(self, found: Several[tuple[int, int]]) -> list[Receipt]:
        return self.log.receipts(found, self.log.checkpoint(self.last_at)) if found else []

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
            case = self.gate.opened(paper, self.position, now)
            if paper.for_slot is not None and case.asked is None:
                parent = self.gate.asked(paper, case)
        else:
            case = self.cases.get(paper.case)
        self.gate.check(case, paper, self.position, now)
        position, at = self.position, case.at
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
            erasures = self.erasures.asked(case, paper.digest, changes)
            moves = self.moves.asked(case, changes, now)
            if paper.act in ("issue", "correct"):
                head.about = self.cases.about(case, verdict.step, head, position, now)
                index = self._identified(case, verdict.step, head, now)
                self.gate.searchable([("about", who) for who in head.about] + [i[:2] for i in index])
        except Problem:
            if (
                case.position == position or case.at > at
            ):  # it was folded in, or looked at for another instant
                self.cases.drop(case)
            raise
        if paper.case is None:
            self.cases.keep(case)
        self._record(paper, case, now)
        self.identifiers += index
        place = (position, case.id, verdict.step.name, head.key)
        if paper.case is None and case.asked is not None:
            self.subjects.append((ASKED, case.asked.org, *place))
        if paper.act in ("issue", "correct") and head.outcome == "approved":
            self.subjects += [(verdict.step.type, who, *place) for who in head.about]
        self.registers.enter(changes, position, paper.digest)
        try:
            if verdict.step.reuse_about is not None and paper.act == "issue":
                self.cases.unlink((case.id, verdict.step.name, verdict.key))
            if parent is not None:
                self.consequences.follow((case.id, case.procedure.goal[0].name, ""), parent)
            if opened is not None and paper.act == "issue":
                self.consequences.open_linked(case, verdict.step, verdict.key, opened)
            for moved in self.moves.carry_out(moves, now):
                self.consequences.after(moved, now)
            self.consequences.after(case, now)
            self.erasures.carry_out(erasures, position)
        except Problem as problem:
            raise Spoiled(problem) from problem
        return Place(position, now, case.id, paper.digest)

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
        self.disclosures.append(self._sealed(paper, case))
        self.entries.append((paper.digest, at))
        self.newest = paper.digest
        self.places.note(paper.statement, Place(self.position, at, case.id, paper.digest))
        self.position += 1
        self.last_at = at

    def _sealed(self, paper: Envelope, case: Case) -> tuple[int, bytes, int | None]:
        sealing, position = self.store.sealing, self.position
        if sealing is None:
            return position, paper.tail, None
        number, data = sealing.seal(case.id, position, paper.digest, paper.tail, first=paper.case is None)
        return position, data, number

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

    def enter(self, changes: list[Change]) -> None:
        """Register changes that follow from what was accepted already: they cannot be refused any more."""
        self.registers.enter(changes, self.position - 1, self.newest)

    # -- time ---------------------------------------------------------------------------------------------

    def pass_time(self, t: int) -> None:
        """All that falls due up to `t`, in the order of the instants, then of the cases' names (rule 20).

        Raises Spoiled when something of it cannot be carried out.
        """
        if not self._falls_due(t):
            return
        self.time = str(t).encode()
        self.store.set("time", self.time)
        try:
            while self._falls_due(t):
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
        self.consequences.after(case, at)
