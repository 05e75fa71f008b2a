"""The critical path of a case: which piece of its time belonged to whom (semantics, rule 22).

From the goal back, at each document what came last among all it rested on. The pieces tile the time from opening
to closing exactly; each belongs to one office and is split in working time, resting time and the applicant's.
"""

from __future__ import annotations

from dataclasses import dataclass

from gardesh.model.case import Case
from gardesh.model.fold import Record
from gardesh.model.slot import WINDOW


@dataclass(frozen=True, slots=True)
class Piece:
    """From `since` to `until` (ms) the case waited for `office` to do `act` in `slot`."""

    since: int
    until: int
    office: str
    slot: str
    act: str
    kind: str
    """office, applicant, window, silence or linked."""
    working_ms: int

    @property
    def resting_ms(self) -> int:
        return self.until - self.since - self.working_ms


def critical_path(case: Case, upto: bytes | None = None) -> list[Piece]:
    """The pieces in order of time. `upto` names a record; default: what closed the case, else the latest one."""
    name = upto if upto is not None else _end(case)
    pieces: list[Piece] = []
    while name is not None:
        record = case.records[name]
        if record.after is None:
            if record.at > case.opened_at:
                pieces.append(_piece(case, record, case.opened_at))
            break
        pieces.append(_piece(case, record, case.records[record.after].at))
        name = record.after
    pieces.reverse()
    return pieces


def by_office(pieces: list[Piece]) -> dict[str, dict[str, int]]:
    """Total ms by office: calendar, working and applicant's time."""
    out: dict[str, dict[str, int]] = {}
    for piece in pieces:
        row = out.setdefault(
            piece.office, {"calendar_ms": 0, "working_ms": 0, "applicant_ms": 0, "pieces": 0}
        )
        row["calendar_ms"] += piece.until - piece.since
        row["working_ms"] += piece.working_ms
        row["applicant_ms"] += piece.until - piece.since if piece.kind == "applicant" else 0
        row["pieces"] += 1
    return out


def _end(case: Case) -> bytes | None:
    """The record that closed the case; of an open one, the latest."""
    found = list(case.records.values())
    if case.closed_at is not None:
        goal = {step.name for step in case.procedure.goal}
        before = [r for r in found if r.at <= case.closed_at]
        found = [r for r in before if r.step in goal and r.at == case.closed_at] or before
    last = max(found, key=lambda r: (r.at, r.position), default=None)
    return last.name if last is not None else None


def _piece(case: Case, record: Record, since: int) -> Piece:
    found = case.step_named(record.step)
    assert found is not None
    working = found[0].procedure.calendar_of(found[1]).working_between(since, record.at)
    kind = {"window": "window", "silence": "silence", "link": "linked"}.get(record.act, "office")
    if record.opposed or (kind == "office" and record.issuer == case.opener and case.opener):
        kind = "applicant"
    slot = f"{record.step}:{record.key}" if record.key not in ("", WINDOW) else record.step
    office = record.issuer or f"({record.step})"
    return Piece(since, record.at, office, slot, record.act, kind, working)
