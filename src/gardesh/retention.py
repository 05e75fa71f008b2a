"""Retention: cases whose contents are kept longer than their pack says, to be proposed for erasure.

Nothing is destroyed here: that is decided by a document (`record/erasures.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from gardesh.model.document import parse
from gardesh.model.problem import Problem
from gardesh.model.procedure import Procedure
from gardesh.node import Node
from gardesh.record.erasures import REGISTER
from gardesh.record.registers import NOWHERE
from gardesh.record.views import Views

AT_ONCE = 100
"""How many cases one request names."""
ENDED = (
    "SELECT id, closed_at FROM cases WHERE pack = ? AND procedure = ? AND closed_at IS NOT NULL ORDER BY closed_at, id",
    "SELECT id, at FROM cases WHERE pack = ? AND procedure = ? AND closed_at IS NULL AND withdrawn ORDER BY at, id",
)


@dataclass(frozen=True, slots=True)
class Overdue:
    """A case that was closed or withdrawn at `ended_at`, and whose contents were to be kept until `kept_until` (ms)."""

    case: str
    procedure: str
    ended_at: int
    kept_until: int


def overdue(node: Node, now: int, limit: int = 10_000) -> list[Overdue]:
    """The cases whose retention has ended by `now`, the longest first; without those of which a decision or an open request
    speaks already. Looks at every case that has ended long enough ago."""
    asked = requested(node)
    found: list[Overdue] = []
    for label, pack in node.library.packs.items():
        for name in pack.procedures:
            procedure = _in_force(node, label, name, now)
            if procedure is None or procedure.spec.retention is None:
                continue
            for late in _ended(node, label, procedure, now):
                decided = node.sequencer.registers.entry(REGISTER, f"case/{late.case}", NOWHERE, now)
                if decided is None and late.case not in asked:
                    found.append(late)
                    if len(found) == limit:
                        break
    return sorted(found, key=lambda late: (late.kept_until, late.case))


def _in_force(node: Node, label: str, name: str, now: int) -> Procedure | None:
    """The procedure in the newest version in force of its pack, which speaks for cases of earlier ones too."""
    try:
        newest = node.label_in_force(label.partition("@")[0], now)
    except Problem:
        return None
    known = newest if name in node.library.get(newest).procedures else label
    return node.library.procedure(known, name)


def _ended(node: Node, label: str, procedure: Procedure, now: int) -> Iterator[Overdue]:
    assert procedure.spec.retention is not None
    term = procedure.term(procedure.spec.retention, now)
    calendar = procedure.calendar_of(procedure.opening)
    for sql in ENDED:
        for case_id, ended_at in node.store.each(sql, label, procedure.name):
            until = calendar.deadline(ended_at, term)
            if until > now:
                break
            yield Overdue(case_id, procedure.label, ended_at, until)


def requested(node: Node) -> set[str]:
    """The cases that requests which nobody has decided name."""
    found: set[str] = set()
    views = Views(node.store, node.library)
    rows = node.store.rows(
        "SELECT c.id FROM cases c JOIN slots s ON s.case_id = c.id AND s.step = 'erasure'"
        " WHERE c.pack LIKE 'core@%' AND c.procedure = 'erasure' AND c.closed_at IS NULL AND s.state <> 'refused'"
    )
    for (case_id,) in rows:
        named = parse(views.document(case_id)[3]).subject.get("cases", [])
        found |= set(msgspec.convert(named, list[str]))
    return found


def requests(late: list[Overdue]) -> Iterator[dict[str, object]]:
    """What requests for these cases say: one procedure in each, and so many cases at most."""
    by_procedure: dict[str, list[str]] = {}
    for each in late:
        by_procedure.setdefault(each.procedure, []).append(each.case)
    for procedure, cases in by_procedure.items():
        for first in range(0, len(cases), AT_ONCE):
            yield {"cases": cases[first : first + AT_ONCE], "ground": f"retention: {procedure}"}
