"""The audit: every decision of a node derived again, from its documents alone (design §2; invariant 12).

The record is read in log order into a fresh node of views in memory. Each document must be accepted again at its
recorded time and place; each document of the clock must be the one that the passing of time makes; the root over
the documents must be the one that each stored checkpoint signs. Nothing of the node's own views is trusted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from gardesh.model import note
from gardesh.model.case import Case
from gardesh.model.document import Envelope, parse, verify
from gardesh.model.edge import TileEdge
from gardesh.model.entry import entry_hash
from gardesh.model.fold import CLOCK_ACTS
from gardesh.model.jose import PublicKey
from gardesh.model.library import Library
from gardesh.model.policy import Policy
from gardesh.model.problem import Problem
from gardesh.model.procedure import Step
from gardesh.model.signer import Verifier
from gardesh.model.treehead import TreeHead
from gardesh.record import schema
from gardesh.record.clock import Clock
from gardesh.record.log import Log
from gardesh.record.registers import NOWHERE
from gardesh.record.sealing import CONTENTS_DAMAGED
from gardesh.record.sequence import Sequencer
from gardesh.record.spoiled import Spoiled
from gardesh.record.store import Store
from gardesh.study.erasure_check import (
    AUDIT_DIFFERS,
    ErasedDocument,
    Rehearsed,
    erased_documents,
    with_erased,
)
from gardesh.study.record import Record, Row, Stored

AT_ONCE = 1_000
AT = list(schema.documents.columns.keys()).index("recorded_at")


@dataclass(slots=True)
class Audit:
    """What an audit found. `problems` is empty when every decision follows from the documents."""

    documents: int = 0
    by_clock: int = 0
    cases: int = 0
    root: str = ""
    erased: list[ErasedDocument] = field(default_factory=list)
    """What decisions have erased, that are on the log themselves."""
    problems: list[Problem] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        return not self.problems


class Replay(Sequencer):
    """A sequencer that is told its documents: each that it records is shown to `seen`."""

    def __init__(
        self, store: Store, library: Library, log: Log, clock: Clock, seen: Callable[[Row], None]
    ) -> None:
        super().__init__(store, library, log, clock)
        self.seen = seen

    def _remember(self) -> None:
        super()._remember()
        self.erasures = self.rehearsed = Rehearsed(self)

    def _record(self, paper: Envelope, case: Case, at: int) -> None:
        super()._record(paper, case, at)
        self.seen(self.documents[-1])

    def write(self) -> None:
        """Write to the open transaction, and keep nothing of what was written."""
        self._flush()
        self.entries.clear()
        self.places.clear()


class RecordedClock(Clock):
    """Instead of signing, compares what the passing of time makes with what the record holds next."""

    def __init__(self, name: str, ahead: Callable[[], Envelope | None]) -> None:
        self.name = name
        self.ahead = ahead

    def _document(
        self,
        case: Case,
        step: Step,
        key: str,
        at: int,
        *,
        act: str,
        subject: dict[str, Any],
        outcome: str | None = None,
        names: str | None = None,
        elsewhere: dict[str, Any] | None = None,
    ) -> Envelope:
        paper = self.ahead()
        if paper is None:
            reason = f"the clock owed {act} of {step.name} and did not record it"
            raise Problem(AUDIT_DIFFERS, position="—", reason=reason)
        said = elsewhere or {}
        made = (
            self.name, case.id, step.name, key, act, outcome, subject, names, said.get("for_slot"), said.get("standing"),
        )  # fmt: skip
        found = (
            paper.issuer, paper.case, paper.step, paper.key or "", paper.act, paper.outcome, paper.subject, paper.names,
            paper.for_slot, paper.standing,
        )  # fmt: skip
        if made != found:
            reason = f"time makes {act} of {step.name} {key}, the record has {paper.act} of {paper.step} {paper.key or ''}"
            raise Problem(AUDIT_DIFFERS, position="—", reason=reason)
        return paper


class Auditor:
    """Replays the record of `source` into views in `scratch` (in memory by default)."""

    def __init__(
        self, source: Store | Record, library: Library, clock_name: str, scratch: Store | None = None
    ) -> None:
        source = Stored(source) if isinstance(source, Store) else source
        self.source, self.library = source, library
        self.rows: Iterator[tuple[Row, bytes]] = iter(())
        self.notes: Iterator[tuple[int, bytes]] = iter(())
        self.next: tuple[Row, bytes] | None = None
        self.note: tuple[int, bytes] | None = None
        self.taken: Row = ()
        self.scratch = scratch or Store(":memory:", create=True)
        self.origin = (source.setting("origin") or b"").decode()
        log, clock = Log(self.scratch, self.origin, ()), RecordedClock(clock_name, self._ahead)
        self.replay = Replay(self.scratch, library, log, clock, self._seen)
        self.edge = TileEdge()
        self._erased = False
        self.found = Audit()
        self._keys: dict[str, PublicKey] = {}
        self._newest_note = b""
        self._log_keys: list[str] = []

    def _ahead(self) -> Envelope | None:
        """The clock's document that the record holds next; taking it moves on."""
        if self.next is None:
            return None
        paper = self._paper(*self.next)
        self._take(paper)
        return paper

    def _paper(self, row: Row, data: bytes) -> Envelope:
        paper = parse(row[-1] + data)
        return with_erased(self.scratch, row[0], paper) if self._erased or paper.missing else paper

    def _take(self, paper: Envelope) -> None:
        """The record's next document is the one that is judged now."""
        assert self.next is not None
        self.taken = self.next[0]
        self.next = next(self.rows, None)
        at = self.taken[AT]
        self._signed(paper, at)
        self.scratch.add(schema.tiles, self.edge.append([entry_hash(paper.digest, at)]))
        self._compare_note()
        self.found.documents += 1
        self.found.by_clock += paper.act in CLOCK_ACTS

    def _seen(self, made: Row) -> None:
        """What the replay records has to be what is stored, column by column."""
        wrong = [c.name for c, a, b in zip(schema.documents.columns, made, self.taken, strict=True) if a != b]
        if wrong:
            reason = f"it is stored with another {', '.join(wrong)}"
            raise Problem(AUDIT_DIFFERS, f"/{made[0]}", position=made[0], reason=reason)

    def _compare_note(self) -> None:
        """A checkpoint of this size has to sign this root."""
        if self.note is None or self.note[0] > self.edge.size:
            return
        size, raw = self.note
        self.note = next(self.notes, None)
        if TreeHead.parse(note.parse(raw).text) != TreeHead(self.origin, size, self.edge.root()):
            reason = f"the checkpoint of {size} documents signs another root"
            raise Problem(AUDIT_DIFFERS, position="—", reason=reason)
        self._newest_note = raw

    def _signed(self, paper: Envelope, at: int) -> None:
        key = self._keys.get(paper.kid)
        if self.replay.size == 0:
            value = self.replay.gate.genesis_key(paper)
            log = paper.subject.get("log")
            self._log_keys = log.get("keys", []) if isinstance(log, dict) else []
        else:
            value = self.replay.registers.value("core/keys", paper.kid, NOWHERE, at)
        if value is None or value["org"] != paper.issuer or value.get("state") != "in-force":
            raise Problem("key-not-in-force", "", kid=paper.kid, org=paper.issuer)
        if key is None:
            key = self._keys[paper.kid] = PublicKey.from_jwk(value["jwk"])
        verify(paper, key)

    def run(self, progress: Callable[[int], None] = lambda n: None) -> Audit:
        """Replay everything. Stops at the first document that does not follow; what comes after rests on it."""
        with self.scratch.writing():
            return self.run_within(progress)

    def run_within(self, progress: Callable[[int], None] = lambda n: None) -> Audit:
        """The same in a transaction of `scratch` that is open: its end decides whether the replay stays. What was followed
        before is not replayed again."""
        if self.found.whole:
            self.follow(progress)
        if self.found.whole:
            with self._telling():
                self._finish()
        if self.found.whole:
            self.replay.write()
            (self.found.cases,) = self.scratch.one("SELECT count(*) FROM cases")
        self.found.root = self.edge.root().hex()
        return self.found

    def follow(self, progress: Callable[[int], None] = lambda n: None) -> None:
        """Replay what the record holds now, from where the last call ended; there may be more later. In a transaction of
        `scratch` that is open."""
        with self._telling():
            erased = self.source.erased()
            while some := list(islice(erased, AT_ONCE)):
                self.scratch.add(schema.erased, some, replace=True)
                self._erased = True
            self.rows, self.notes = self.source.rows(self.edge.size), self.source.notes(self.edge.size)
            self.next, self.note = next(self.rows, None), next(self.notes, None)
            self._compare_note()  # one that was stored since the last document of it was replayed
            while self.next is not None:
                self._step(*self.next)
                if self.found.documents % 500 == 0:
                    self.replay.write()
                    progress(self.found.documents)

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """What does not follow is told by what is `found`."""
        try:
            yield
        except (Problem, Spoiled) as found:
            problem = found.problem if isinstance(found, Spoiled) else found
            own = problem.code == CONTENTS_DAMAGED or (problem.code == AUDIT_DIFFERS and problem.pointer)
            position = problem.params["position"] if own else self.replay.size
            differs = problem.code == AUDIT_DIFFERS
            reason = problem.params.get("reason") if differs else problem.sentence("en")
            self.found.problems.append(
                Problem(AUDIT_DIFFERS, f"/{position}", position=position, reason=reason)
            )

    def _step(self, row: Row, data: bytes) -> None:
        replay, position, at = self.replay, row[0], row[AT]
        if at < replay.last_at:
            raise Problem(AUDIT_DIFFERS, position=position, reason="time goes back")
        if position != replay.size:
            raise Problem(AUDIT_DIFFERS, position=position, reason=f"position {replay.size} is missing")
        paper = self._paper(row, data)
        before = self.found.documents
        replay.pass_time(at)
        if self.found.documents != before:
            return
        if paper.act == "mirror":
            self._take(paper)
            replay.follows.mirror(paper, at)
            return
        if paper.act in CLOCK_ACTS:
            reason = f"no term had passed that makes {paper.act}"
            raise Problem(AUDIT_DIFFERS, position=position, reason=reason)
        self._take(paper)
        replay.accept(paper, at)

    def _finish(self) -> None:
        """Time passes as far as it did in the record; what is gone was erased by decisions; the newest checkpoint has to be
        the log's own."""
        time = self.source.setting("time")
        if time is not None:
            self.replay.pass_time(int(time))
        self.replay.write()
        for each in erased_documents(self.scratch):
            later = self.source.older and each.by >= self.replay.size
            if each.by not in self.replay.rehearsed.confirmed and not later:
                reason = f"{', '.join(each.fields)} of it is gone, and no decision erased that"
                raise Problem(AUDIT_DIFFERS, f"/{each.position}", position=each.position, reason=reason)
            self.found.erased.append(each)
        if self.note is not None:
            reason = f"a checkpoint signs {self.note[0]} documents"
            raise Problem(AUDIT_DIFFERS, position="—", reason=reason)
        if self._newest_note and self._log_keys:
            keys = tuple(Verifier.parse(key) for key in self._log_keys)
            Policy.of_log(self.origin, keys).verify(self._newest_note)
