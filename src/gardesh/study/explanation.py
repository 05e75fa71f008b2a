"""Why a document is as it is: what it rests on, and what its rules looked up, back to who decided that (`explain`).

Each case is folded once more, in a world that notes what is looked up while a document is judged. Nothing of this
knows what the documents are about.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from gardesh.model.case import Case
from gardesh.model.document import Envelope, parse
from gardesh.model.fold import CLOCK_ACTS
from gardesh.model.library import Library
from gardesh.model.problem import Problem
from gardesh.record.cases import Cases, Then
from gardesh.record.registers import NO_SUCH_ENTRY, NOWHERE, Registers, Row
from gardesh.record.store import Store
from gardesh.record.views import Views

SHOWN = 20
"""How many documents of a step of many are told at most; the others are counted."""
QUIET = ("core/keys", "core/accreditations", "core/packs")
"""Registers whose looking up is not told: every document rests on them."""


@dataclass(slots=True)
class Told:
    """A document, and what led to it. `how` says by what it is here: a slot, or `register#key`."""

    how: str
    document: dict[str, Any]
    because: list[Told] = field(default_factory=list)
    left_out: int = 0
    """How many more there are of the same kind."""
    above: bool = False
    """Whether it was told before, with what led to it."""

    def as_dict(self) -> dict[str, Any]:
        out = {"how": self.how, **self.document, "because": [b.as_dict() for b in self.because]}
        out |= {"left_out": self.left_out} if self.left_out else {}
        return {**out, "told_above": True} if self.above else out


@dataclass(slots=True)
class Ground:
    """What a document stood on: other documents (slot, positions, how many more), and what its judging looked up."""

    basis: list[tuple[str, list[int], int]]
    looked: dict[tuple[str, str], Row] = field(default_factory=dict)


class Noting(Then):
    """The registers as they stood, noting each entry that is looked up while `looked` is not None."""

    def __init__(self, registers: Registers) -> None:
        super().__init__(registers)
        self.looked: dict[tuple[str, str], Row] | None = None

    def note(self, register: str, key: str, row: Row | None) -> None:
        if self.looked is not None and row is not None and register not in QUIET:
            self.looked.setdefault((register, key), row)

    def value(self, register: str, key: str, position: int, at: int) -> Any:
        self.note(register, str(key), self.registers.entry(register, str(key), position, at))
        return super().value(register, key, position, at)

    def values(self, register: str, prefix: str, position: int, at: int) -> list[Any]:
        found = list(self.registers.live(register, prefix, position, at))
        for key, row in found:
            self.note(register, key, row)
        return [row.value for _, row in found]

    def balance(self, register: str, key: str, position: int) -> Decimal:
        self.note(register, str(key), self.registers.last(register, str(key), position))
        return super().balance(register, key, position)


class Explainer:
    """Explains documents of one record. Reads only."""

    def __init__(self, store: Store, library: Library) -> None:
        self.store, self.views = store, Views(store, library)
        self.registers = Registers(store)
        self.cases = Cases(store, library, self.registers)
        self.seen: set[int] = set()
        self.world = Noting(self.registers)
        self.grounds: dict[int, Ground] = {}

    def explain(self, name: str, depth: int = 6) -> Told:
        """Of a document (its position or the beginning of its digest), or of what is in force in a register
        (`core/tariffs#item`). Raises `no-such-document`, `no-such-entry`."""
        register, sign, key = name.partition("#")
        if not sign:
            position = self.views.document(name)[0]
            return self._told("", position, depth)
        row = self.registers.entry(register, key, NOWHERE, self._now()) or self.registers.last(
            register, key, NOWHERE
        )
        if row is None:
            raise Problem(NO_SUCH_ENTRY, register=register, key=key)
        return self._told(name, self._position(row.digest), depth)

    def _now(self) -> int:
        (at,) = self.store.one("SELECT max(recorded_at) FROM documents")
        return int(at or 0)

    def _position(self, digest: bytes) -> int:
        return int(self.store.one("SELECT position FROM documents WHERE digest = ?", digest)[0])

    def _told(self, how: str, position: int, depth: int) -> Told:
        _, at, case_id, data = self.views.document(str(position))
        paper = parse(data)
        told = Told(
            how,
            {
                "document": paper.digest.hex(),
                "position": position,
                "recorded_at": at,
                "case": case_id,
                "step": paper.step,
                "type": paper.type,
                "issuer": paper.issuer,
                "act": paper.act,
                "outcome": paper.outcome,
                "subject": paper.subject,
            },
        )
        told.above = position in self.seen
        if told.above or depth == 0:
            return told
        self.seen.add(position)
        ground = self._ground(case_id, position)
        for how_, others, left in ground.basis:
            told.because += [self._told(how_, other, depth - 1) for other in others]
            if left:
                told.because[-1].left_out = left
        for (register, key), row in sorted(ground.looked.items()):
            told.because.append(self._told(f"{register}#{key}", self._position(row.digest), depth - 1))
        return told

    def _ground(self, case_id: str, position: int) -> Ground:
        """What the document at `position` stood on. The case is folded for it once, whichever of its documents come."""
        if position not in self.grounds:
            self.cases.retrace(case_id, self.world, self._watch)
        return self.grounds.get(position) or Ground([])

    @contextmanager
    def _watch(self, case: Case, paper: Envelope, position: int) -> Iterator[None]:
        if paper.act in CLOCK_ACTS:
            yield
            return
        ground = self.grounds[position] = Ground(list(self._basis(case, paper)) if paper.case else [])
        self.world.looked = ground.looked
        try:
            yield
        finally:
            self.world.looked = None

    def _basis(self, case: Case, paper: Envelope) -> Iterator[tuple[str, list[int], int]]:
        """The documents that it states as its basis: of a step of several, all that stood then."""
        for slot, digest in paper.basis:
            step = case.procedure.by_name[slot.partition(":")[0]]
            if ":" in slot or not step.multiple:
                row = self.store.one("SELECT position FROM documents WHERE digest = ?", digest)
                if row is not None:
                    yield slot, [int(row[0])], 0
                continue
            heads = [s.head for _, s in case.counted(step) if s.head is not None]
            for head in heads[:SHOWN]:
                left = len(heads) - SHOWN if head is heads[:SHOWN][-1] else 0
                yield f"{slot}:{head.key}", [head.position], max(left, 0)
