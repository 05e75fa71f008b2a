"""Erasing what documents disclosed, when a document enters that in `core/erasures` (rule 23).

Who may decide it is the procedure's to say. What a fold still reads stays, and only if the decision allows that. What is
destroyed is in no view: the case is folded again without it, and is as it was.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

from gardesh.model.case import Case
from gardesh.model.document import Envelope, parse
from gardesh.model.erasure import fields_needed
from gardesh.model.fold import CLOCK_ACTS, Change
from gardesh.model.problem import Problem, define, pointer
from gardesh.model.procedure import Procedure
from gardesh.model.slot import Head
from gardesh.record import schema
from gardesh.record.registers import NOWHERE
from gardesh.record.store import Store

if TYPE_CHECKING:
    from gardesh.record.sequence import Sequencer

REGISTER = "core/erasures"
OWN_WORDS = CLOCK_ACTS - {"mirror"}
"""Acts of the clock whose words are the pack's: there is nothing to erase."""
MOST = 10_000
NO_SUCH_TARGET = define(
    "erasure-of-nothing",
    422,
    en="There is no {target} here of which anything could be erased.",
    fa="{target} در اینجا نیست تا چیزی از آن پاک شود.",
    hint_en="A target is document/ and the digest of a document, or case/ and the name of a case.",
    hint_fa="هدف به شکل document/ و چکیده‌ی سند، یا case/ و شناسه‌ی پرونده است.",
)
NOT_CLOSED = define(
    "erasure-of-open-case",
    409,
    en="The case {case} is not closed; until then its documents are erased one by one.",
    fa="پرونده‌ی {case} بسته نشده است؛ تا آن هنگام سندهایش یک‌به‌یک پاک می‌شود.",
)
ITSELF = define(
    "erasure-of-itself",
    409,
    en="A decision erases nothing in its own case, nor of the first document of the log.",
    fa="تصمیم از پرونده‌ی خود و از نخستین سند دفتر چیزی پاک نمی‌کند.",
)
NO_SUCH_FIELD = define(
    "erasure-no-such-field",
    422,
    en="The document {document} discloses no {field}.",
    fa="در سند {document} فیلد {field} جداگانه افشا نشده است.",
    hint_en="What its issuer signed in the clear cannot be erased, and what was erased is gone already.",
    hint_fa="آنچه صادرکننده آشکارا امضا کرده پاک‌شدنی نیست و آنچه پیش‌تر پاک شده دیگر وجود ندارد.",
)
STILL_READ = define(
    "erasure-still-read",
    409,
    en="What is in force still rests on {fields} of the document {document}.",
    fa="آنچه نافذ است هنوز بر {fields} از سند {document} تکیه دارد.",
    hint_en="Leave these fields out, or let the decision say that what is still read stays: keep.",
    hint_fa="این فیلدها را کنار بگذارید یا در تصمیم بگویید که آنچه خوانده می‌شود بماند: keep.",
)
TOO_MANY = define(
    "erasure-too-many",
    413,
    en="A decision erases of at most {limit} documents; this one names more.",
    fa="هر تصمیم حداکثر از {limit} سند پاک می‌کند؛ این تصمیم بیش از آن را نام می‌برد.",
)


@dataclass(frozen=True, slots=True)
class Planned:
    """What is to be destroyed of one document."""

    position: int
    case_id: str
    paper: Envelope
    fields: tuple[str, ...]


class Erasures:
    """The erasures of one sequencer, in its open batch."""

    def __init__(self, sequencer: Sequencer) -> None:
        self.at = sequencer
        self.cases, self.library, self.store = sequencer.cases, sequencer.library, sequencer.store
        self._labels: tuple[str, ...] = ()
        self._known: dict[tuple[str, Procedure | None], frozenset[str] | None] = {}

    def asked(self, by: Case, digest: bytes, changes: Sequence[Change]) -> list[Planned]:
        """What these entries, so far as they are of the document of that digest, erase. Raises Problem where it may not be."""
        found: dict[int, Planned] = {}
        for effect, sign in changes:
            if effect.register == REGISTER and sign > 0 and effect.by == digest:
                for planned in self._planned(by, effect.key, effect.value or {}):
                    known = found.get(planned.position)
                    fields = sorted({*planned.fields, *(known.fields if known else ())})
                    found[planned.position] = replace(planned, fields=tuple(fields))
                if len(found) > MOST:
                    raise Problem(TOO_MANY, "/credentialSubject", limit=MOST)
        return [found[position] for position in sorted(found)]

    def _planned(self, by: Case, target: str, value: dict[str, Any]) -> Iterator[Planned]:
        kind, _, name = target.partition("/")
        self.at._flush()
        where = {"document": "d.digest = ?", "case": "d.case_id = ?"}.get(kind)
        rows = []
        if where is not None and len(name) == 64 and set(name) <= set("0123456789abcdef"):
            rows = self.store.rows(
                "SELECT d.position, d.case_id, d.act, d.digest, d.signed, x.data, x.key FROM documents d"  # noqa: S608
                f" JOIN disclosures x ON x.position = d.position WHERE {where} ORDER BY d.position LIMIT {MOST + 1}",
                bytes.fromhex(name) if kind == "document" else name,
            )
        if not rows:
            raise Problem(NO_SUCH_TARGET, "/credentialSubject", target=target)
        case = self.cases.get(rows[0][1])
        if case.id == by.id or rows[0][0] == 0:
            raise Problem(ITSELF, "/credentialSubject")
        closed = case.withdrawn or case.closed_at is not None
        if kind == "case" and not closed:
            raise Problem(NOT_CLOSED, "/credentialSubject", case=case.id)
        keep = value.get("keep") is True
        for position, case_id, act, digest, signed, data, key in rows:
            if act not in OWN_WORDS:
                paper = parse(bytes(signed) + self.store.tail(position, digest, data, key))
                named = value.get("fields") if kind == "document" else None
                fields = self._fields(position, case, paper, named, closed=closed, keep=keep)
                if fields:
                    yield Planned(position, case_id, paper, fields)

    def _fields(
        self, position: int, case: Case, paper: Envelope, named: Any, *, closed: bool, keep: bool
    ) -> tuple[str, ...]:
        """Those to be destroyed: of those named, or all, what no fold reads."""
        here = self._here(position, paper)
        wanted = set(here) if named is None else set(named)
        for field in sorted(wanted - here):
            raise Problem(
                NO_SUCH_FIELD, "/credentialSubject", document=paper.digest.hex(), field=pointer(field)
            )
        needed = self._needed(case.procedure, paper.type, closed)
        read = wanted if needed is None else wanted & needed
        if read and not keep:
            fields = ", ".join(sorted(read))
            raise Problem(STILL_READ, "/credentialSubject", fields=fields, document=paper.digest.hex())
        return tuple(sorted(wanted - read))

    def _needed(self, procedure: Procedure, type_name: str, closed: bool) -> frozenset[str] | None:
        """What folds read of a type, by the packs that were adopted so far: no case can follow another that is at hand."""
        last = self.at.registers.last
        labels = tuple(
            label for label in self.library.packs if last("core/packs", label, NOWHERE) is not None
        )
        if labels != self._labels:
            self._labels = labels
            self._known.clear()
        name = (type_name, None if closed else procedure)
        if name not in self._known:
            self._known[name] = fields_needed(self.library, labels, procedure, type_name, closed=closed)
        return self._known[name]

    def _here(self, position: int, paper: Envelope) -> set[str]:
        """The fields that the document still discloses, each by itself."""
        return {place[0] for place in paper.places if len(place) == 1}

    def carry_out(self, planned: Sequence[Planned], by: int) -> None:
        """Destroy what was planned for the decision at the position `by`. What is in memory of it is forgotten."""
        if not planned:
            return
        self.at._flush()
        (last,) = self.store.one("SELECT coalesce(max(id), -1) FROM erased")
        for case_id, of in groupby(
            sorted(planned, key=lambda p: (p.case_id, p.position)), lambda p: p.case_id
        ):
            some = list(of)
            rows = [row for each in some for row in self._noted(each, by, {p.position: p for p in some})]
            for position, field, by_, made in dict.fromkeys(rows):
                last += 1
                self._note(last, position, case_of(self.store, position), field, by_, made)
            self._destroy(case_id, some)
        self.cases.let_go()
        self.at.erased = True

    def _note(self, id_: int, position: int, case_id: str, field: str, by: int | None, made: bytes) -> None:
        known = self.store.one(
            'SELECT id, "by" FROM erased WHERE position = ? AND field = ?', position, field
        )
        if known is None:
            self.store.add(schema.erased, [(id_, position, case_id, field, by, made)])
        elif known[1] is None and by is not None:
            # What was only equal to something erased is erased now: a row of its own, so that backups take it along.
            self.store.run("DELETE FROM erased WHERE id = ?", known[0])
            self.store.add(schema.erased, [(id_, position, case_id, field, by, made)])

    def _noted(
        self, planned: Planned, by: int, all_: dict[int, Planned]
    ) -> Iterator[tuple[int, str, int | None, bytes]]:
        """The rows for what is erased of one document, and for what was equal to it."""
        heads = self._beside(planned)
        for field in planned.fields:
            equal = [h.position for h in heads if h.subject.get(field) == planned.paper.subject[field]]
            known = [
                row[0]
                for position in (planned.position, *equal)
                if (row := self._stand_in(position, field)) is not None
            ]
            made = bytes(known[0]) if known else os.urandom(16)
            yield planned.position, field, by, made
            for position in equal:
                if position != planned.position:
                    other = all_.get(position)
                    yield position, field, by if other and field in other.fields else None, made

    def _stand_in(self, position: int, field: str) -> Any:
        return self.store.one("SELECT stand_in FROM erased WHERE position = ? AND field = ?", position, field)

    def _beside(self, planned: Planned) -> list[Head]:
        """The documents that stand or stood in the slots where this one does: they may be compared with it."""
        case = self.cases.get(planned.case_id)
        found = case.step_named(planned.paper.step)
        if found is None:
            return []
        holder, step = found
        slots = [holder.steps[step.index].slots.get(planned.paper.key or "")]
        for name, key, (target, target_step, target_key) in self.cases.links_of(case.id):
            if (name, key) == (step.name, planned.paper.key or ""):
                other = self.cases.get(target)
                slots.append(other.steps[other.procedure.by_name[target_step].index].slots.get(target_key))
        return [h for slot in slots if slot is not None for h in (*slot.past, slot.head) if h is not None]

    def _destroy(self, case_id: str, planned: Sequence[Planned]) -> None:
        sealing = self.store.sealing
        if sealing is not None:
            sealing.destroy(case_id, {p.position for p in planned})
        rows = []
        for each in planned:
            number, data = None, without(each.paper, each.fields)
            if sealing is not None:
                number, data = sealing.seal(case_id, each.position, each.paper.digest, data, first=False)
            rows.append((each.position, data, number))
        if sealing is not None:
            sealing.flush()
        self.store.add(schema.disclosures, rows, replace=True)


def case_of(store: Store, position: int) -> str:
    return str(store.one("SELECT case_id FROM documents WHERE position = ?", position)[0])


def without(paper: Envelope, fields: Iterable[str]) -> bytes:
    """What follows the signed part once these fields are gone, with all that lies in them."""
    gone = set(fields)
    left = [d for d, place in zip(paper.disclosures, paper.places, strict=True) if place[0] not in gone]
    return replace(paper, disclosures=tuple(left)).tail
