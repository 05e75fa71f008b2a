"""Erasures derived again: what is gone has to be what a decision on the log erased, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from gardesh.model.document import Envelope
from gardesh.model.problem import Problem, define
from gardesh.record.erased import as_erased, erased_of
from gardesh.record.erasures import Erasures, Planned
from gardesh.record.sequence import Sequencer
from gardesh.record.store import Store

AUDIT_DIFFERS = define(
    "audit-differs",
    409,
    en="Document {position} does not follow from those before it: {reason}.",
    fa="سند {position} از سندهای پیش از خود به دست نمی‌آید: {reason}.",
)


@dataclass(frozen=True, slots=True)
class ErasedDocument:
    """What a decision has erased of a document: `by` is the decision's position, `decision` its digest; without one, the
    decision came after the record that was audited."""

    position: int
    digest: str
    fields: tuple[str, ...]
    by: int
    decision: str | None


class Rehearsed(Erasures):
    """Destroys nothing: compares what a decision means with what the record says is gone."""

    def __init__(self, sequencer: Sequencer) -> None:
        super().__init__(sequencer)
        self.confirmed: set[int] = set()

    def _here(self, position: int, paper: Envelope) -> set[str]:
        """What was there when the decision came that is judged now."""
        gone = self._gone(position, self.at.position)
        return super()._here(position, paper) | gone

    def _gone(self, position: int, by: int) -> set[str]:
        rows = self.store.rows('SELECT field FROM erased WHERE position = ? AND "by" >= ?', position, by)
        return {str(row[0]) for row in rows}

    def carry_out(self, planned: Sequence[Planned], by: int) -> None:
        if not planned:
            return
        rows = self.store.rows('SELECT position, field FROM erased WHERE "by" = ?', by)
        found = {(int(position), str(field)) for position, field in rows}
        meant = {(p.position, field) for p in planned for field in p.fields}
        for position, field in sorted(meant ^ found):
            wrong = (
                "is still there"
                if (position, field) in meant
                else "is gone, and that decision does not name it"
            )
            reason = f"the decision {by} erases of document {position}, and its field {field} {wrong}"
            raise Problem(AUDIT_DIFFERS, f"/{by}", position=by, reason=reason)
        self.confirmed.add(by)


def with_erased(store: Store, position: int, paper: Envelope) -> Envelope:
    """The document, with what the record says was erased of it. Raises `audit-differs` where more or less is gone."""
    erased = erased_of(store, position)
    gone = len(erased.fields) if erased is not None else 0
    if paper.missing != gone:
        reason = (
            f"{paper.missing} of its disclosures are gone, of which decisions are said to have erased {gone}"
        )
        raise Problem(AUDIT_DIFFERS, position="—", reason=reason)
    return as_erased(paper, erased)


def erased_documents(store: Store) -> Iterator[ErasedDocument]:
    """All that was erased, by decision and document."""
    rows = store.each(
        'SELECT e."by", e.position, d.digest, e.field, x.digest FROM erased e JOIN documents d ON d.position = e.position'
        ' LEFT JOIN documents x ON x.position = e."by" WHERE e."by" IS NOT NULL ORDER BY e."by", e.position, e.field'
    )
    for (by, position, digest, decision), some in groupby(
        rows, key=lambda r: (r[0], r[1], bytes(r[2]), r[4])
    ):
        fields = tuple(str(row[3]) for row in some)
        told = bytes(decision).hex() if decision is not None else None
        yield ErasedDocument(position, digest.hex(), fields, by, told)
