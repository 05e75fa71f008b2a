"""The audit: every decision of a node derived again, from its documents alone (design §2; invariant 12).

The record is read in log order into a fresh node of views in memory. Each document must be accepted again at its
recorded time and place; each document of the clock must be the one that the passing of time makes; the root over
all must be the one that the newest checkpoint signs. Nothing of the node's own views is trusted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from gardesh.model.document import Envelope, parse, verify
from gardesh.model.edge import TileEdge
from gardesh.model.entry import entry_hash
from gardesh.model.fold import CLOCK_ACTS
from gardesh.model.jose import PublicKey
from gardesh.model.library import Library
from gardesh.model.problem import Problem, define
from gardesh.record import schema
from gardesh.record.clock import Clock
from gardesh.record.log import Log
from gardesh.record.registers import NOWHERE
from gardesh.record.sequence import Sequencer
from gardesh.record.store import Store

AUDIT_DIFFERS = define(
    "audit-differs",
    409,
    en="Document {position} does not follow from those before it: {reason}.",
    fa="سند {position} از سندهای پیش از خود به دست نمی‌آید: {reason}.",
)


@dataclass(slots=True)
class Audit:
    """What an audit found. `problems` is empty when every decision follows from the documents."""

    documents: int = 0
    by_clock: int = 0
    cases: int = 0
    root: str = ""
    problems: list[Problem] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        return not self.problems


class Replay(Sequencer):
    """A sequencer that is told its documents: where the clock would sign, it takes what was signed then."""

    def __init__(self, store: Store, library: Library, log: Log, clock: RecordedClock) -> None:
        super().__init__(store, library, log, clock)
        self.recorded = clock


class RecordedClock(Clock):
    """Instead of signing, compares what the passing of time makes with what the record holds next."""

    def __init__(self, name: str, ahead: Callable[[], Envelope | None]) -> None:
        self.name = name
        self.ahead = ahead
        self.taken: list[Envelope] = []

    def _document(self, case, step, key, at, *, act, subject, outcome=None, names=None):  # type: ignore[no-untyped-def]
        paper = self.ahead()
        made = (self.name, case.id, step.name, key, act, outcome, subject, names)
        if paper is None:
            raise Problem(
                AUDIT_DIFFERS,
                position="—",
                reason=f"the clock owed {act} of {step.name} and did not record it",
            )
        found = (
            paper.issuer, paper.case, paper.step, paper.key or "", paper.act, paper.outcome, paper.subject, paper.names,
        )  # fmt: skip
        if made != found:
            reason = f"time makes {act} of {step.name} {key}, the record has {paper.act} of {paper.step} {paper.key or ''}"
            raise Problem(AUDIT_DIFFERS, position="—", reason=reason)
        self.taken.append(paper)
        return paper


def stored_documents(store: Store, first: int = 0, size: int = 1_000) -> Iterator[tuple[int, int, bytes]]:
    """(position, recorded_at, document) in log order, read a page at a time."""
    while True:
        rows = store.rows(
            "SELECT d.position, d.recorded_at, d.signed, x.data FROM documents d JOIN disclosures x"
            " ON x.position = d.position WHERE d.position >= ? ORDER BY d.position LIMIT ?",
            first,
            size,
        )
        if not rows:
            return
        for position, at, signed, data in rows:
            yield position, at, bytes(signed) + bytes(data)
        first = rows[-1][0] + 1


class Auditor:
    """Replays the record of `source` into views in `scratch` (in memory by default)."""

    def __init__(
        self, source: Store, library: Library, clock_name: str, scratch: Store | None = None
    ) -> None:
        self.source, self.library = source, library
        self.documents = stored_documents(source)
        self.next: tuple[int, int, Envelope] | None = None
        self.clock = RecordedClock(clock_name, self._ahead)
        self.scratch = scratch or Store(":memory:", create=True)
        origin = (source.setting("origin") or b"").decode()
        self.replay = Replay(self.scratch, library, Log(self.scratch, origin, ()), self.clock)
        self.edge = TileEdge()
        self.found = Audit()
        self._keys: dict[str, PublicKey] = {}
        self._advance()

    def _advance(self) -> None:
        row = next(self.documents, None)
        self.next = (row[0], row[1], parse(row[2])) if row is not None else None

    def _ahead(self) -> Envelope | None:
        """The clock's document that the record holds next; taking it moves on."""
        if self.next is None:
            return None
        position, at, paper = self.next
        self._count(position, at, paper)
        self._advance()
        return paper

    def _count(self, position: int, at: int, paper: Envelope) -> None:
        self._signed(paper, at)
        self.scratch.add(schema.tiles, self.edge.append([entry_hash(paper.digest, at)]))
        self.found.documents += 1
        self.found.by_clock += paper.act in CLOCK_ACTS

    def _signed(self, paper: Envelope, at: int) -> None:
        key = self._keys.get(paper.kid)
        if self.replay.size == 0 and not self._keys:
            value = self.replay.genesis_key(paper)
        else:
            value = self.replay.registers.value("core/keys", paper.kid, NOWHERE, at)
        if value is None or value["org"] != paper.issuer or value.get("state") != "in-force":
            raise Problem("key-not-in-force", "", kid=paper.kid, org=paper.issuer)
        if key is None:
            key = self._keys[paper.kid] = PublicKey.from_jwk(value["jwk"])
        verify(paper, key)

    def run(self, progress: Callable[[int], None] = lambda n: None) -> Audit:
        """Replay everything. Stops at the first document that does not follow; what comes after rests on it."""
        replay = self.replay
        with self.scratch.writing():
            while self.next is not None:
                position, at, paper = self.next
                try:
                    self._step(position, at, paper)
                except Problem as problem:
                    self.found.problems.append(
                        Problem(
                            AUDIT_DIFFERS, f"/{position}", position=position, reason=problem.sentence("en")
                        )
                    )
                    break
                if self.found.documents % 500 == 0:
                    replay._flush()
                    progress(self.found.documents)
            time = self.source.setting("time")
            if time is not None and self.found.whole:
                replay.pass_time(int(time))
            replay._flush()
            (self.found.cases,) = self.scratch.one("SELECT count(*) FROM cases")
        self.found.root = self.edge.root().hex()
        return self.found

    def _step(self, position: int, at: int, paper: Envelope) -> None:
        replay = self.replay
        if at < replay.last_at:
            raise Problem(AUDIT_DIFFERS, position=position, reason="time goes back")
        if position != replay.size:
            raise Problem(AUDIT_DIFFERS, position=position, reason=f"position {replay.size} is missing")
        before = self.found.documents
        replay.pass_time(at)
        if self.found.documents != before:
            return
        if paper.act in CLOCK_ACTS:
            raise Problem(
                AUDIT_DIFFERS, position=position, reason=f"no term had passed that makes {paper.act}"
            )
        self._count(position, at, paper)
        self._advance()
        replay.accept(paper, at)


def copy_views(source: Store, target: Store) -> None:
    """Replace the derived tables of `target` by those of `source`, in the open transaction."""
    for table in schema.VIEWS:
        target.run(f"DELETE FROM {table.name}")  # noqa: S608
        columns = ", ".join(f'"{c.name}"' for c in table.columns)
        order = ", ".join(f'"{c.name}"' for c in table.primary_key.columns)
        rows = source.rows(f"SELECT {columns} FROM {table.name} ORDER BY {order}")  # noqa: S608
        target.add(table, [tuple(r) for r in rows])


def views_differ(one: Store, other: Store) -> list[str]:
    """The names of the derived tables that are not the same, byte for byte."""
    wrong = []
    for table in schema.VIEWS:
        columns = ", ".join(f'"{c.name}"' for c in table.columns)
        order = ", ".join(f'"{c.name}"' for c in table.primary_key.columns)
        sql = f"SELECT {columns} FROM {table.name} ORDER BY {order}"  # noqa: S608
        if [tuple(r) for r in one.rows(sql)] != [tuple(r) for r in other.rows(sql)]:
            wrong.append(table.name)
    return wrong
