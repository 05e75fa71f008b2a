"""What can be asked of a record without changing it: plan, why, worklists, documents. No query grows with the log."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

import msgspec

from gardesh.model import demand
from gardesh.model.library import Library
from gardesh.model.problem import Problem, define
from gardesh.model.procedure import Procedure
from gardesh.model.slot import NOT_APPLICABLE, WINDOW
from gardesh.record.cases import NO_SUCH_CASE
from gardesh.record.store import Store

NO_SUCH_DOCUMENT = define(
    "no-such-document",
    404,
    en="There is no document {name} here.",
    fa="سندی به شناسه‌ی {name} در اینجا نیست.",
)
AMBIGUOUS = define(
    "ambiguous-name",
    409,
    en="{name} begins more than one name; write more of it.",
    fa="{name} آغاز بیش از یک شناسه است؛ بیشتر بنویسید.",
)

SHOWN = 50
"""How many waiting slots of one step are shown; the others are counted."""
NEXT_STEP = "SELECT min(number) FROM waits WHERE case_id = ? AND number > ?"


@dataclass(frozen=True, slots=True)
class CaseRow:
    """A case as the views have it, as of `at` (ms): the last moment it was settled."""

    id: str
    pack: str
    procedure: str
    opener: str
    opened_at: int
    closed_at: int | None
    withdrawn: bool
    at: int

    @property
    def status(self) -> str:
        return "withdrawn" if self.withdrawn else "closed" if self.closed_at is not None else "open"


class Views:
    """Reads over one store."""

    def __init__(self, store: Store, library: Library) -> None:
        self.store, self.library = store, library

    def find_case(self, name: str) -> str:
        """The full id of a case from the beginning of it, or of one found by a business key (`order-number=…`)."""
        kind, sign, value = name.partition("=")
        if sign:
            return self._by_identifier(kind, value)
        if len(name) == 64:
            return name
        rows = self.store.rows("SELECT id FROM cases WHERE id >= ? AND id < ? LIMIT 2", name, name + "g")
        if not rows:
            raise Problem(NO_SUCH_CASE, case=name)
        if len(rows) > 1:
            raise Problem(AMBIGUOUS, name=name)
        return str(rows[0][0])

    def _by_identifier(self, kind: str, value: str) -> str:
        row = self.store.one(
            "SELECT d.case_id FROM identifiers i JOIN documents d ON d.position = i.position"
            " WHERE i.kind = ? AND i.value = ? ORDER BY i.position DESC LIMIT 1",
            kind,
            value,
        )
        if row is None:
            raise Problem(NO_SUCH_CASE, case=f"{kind}={value}")
        return str(row[0])

    def case(self, case_id: str) -> CaseRow:
        """The case. Raises `no-such-case`."""
        row = self.store.one(
            "SELECT pack, procedure, opener, opened_at, closed_at, withdrawn, at FROM cases WHERE id = ?",
            case_id,
        )
        if row is None:
            raise Problem(NO_SUCH_CASE, case=case_id)
        pack, procedure, opener, opened_at, closed_at, withdrawn, at = row
        return CaseRow(case_id, pack, procedure, opener, opened_at, closed_at, bool(withdrawn), at)

    def waits(self, case_id: str, each: int = SHOWN) -> tuple[list[dict[str, Any]], dict[str, int]]:
        """What a case waits for, slot by slot, in the order of the procedure (see `demand.row`): of a step at most
        `each` slots, in the order of their keys; and how many more there are, by step. Costs what it gives and a
        count of the rest."""
        found: list[dict[str, Any]] = []
        more: dict[str, int] = {}
        number = -1
        while (row := self.store.one(NEXT_STEP, case_id, number))[0] is not None:
            number = int(row[0])
            rows = self.store.rows(
                "SELECT shown FROM waits WHERE case_id = ? AND number = ? ORDER BY key LIMIT ?",
                case_id,
                number,
                each,
            )
            found += [msgspec.json.decode(bytes(row[0])) for row in rows]
            if len(rows) == each:
                (count,) = self.store.one(
                    "SELECT count(*) FROM waits WHERE case_id = ? AND number = ?", case_id, number
                )
                if count > each:
                    more[found[-1]["step"]] = count - each
        return demand.resolved(found), more

    def slots(self, case_id: str) -> list[dict[str, Any]]:
        """Every slot of a case: `step`, `key`, `state`, `head` (hex) and `at`; of a step of several slots that has
        none yet, the step as a whole."""
        rows = self.store.rows(
            "SELECT step, key, state, head, head_at FROM slots WHERE case_id = ? ORDER BY number, key",
            case_id,
        )
        shown: list[dict[str, Any]] = []
        several = {r[0] for r in rows if r[1] != WINDOW and r[2] != NOT_APPLICABLE}
        for step, key, state, head, at in rows:
            if key == WINDOW and step in several:
                continue
            digest = bytes(head).hex() if head is not None else None
            name = "" if key == WINDOW else key
            shown.append({"step": step, "key": name, "state": state, "head": digest, "at": at})
        return shown

    def procedure(self, row: CaseRow) -> Procedure:
        return self.library.procedure(row.pack, row.procedure)

    def plan(self, case_id: str, now: int) -> dict[str, Any]:
        """What can be issued now, by whom, until when; what was returned; and what is not known yet, and why.

        `more`: how many slots of a step wait beside those shown.
        """
        row = self.case(case_id)
        out: dict[str, Any] = {
            "case": case_id,
            "status": row.status,
            "at": row.at,
            "due": [],
            "returned": [],
            "unknown": [],
        }
        waits, out["more"] = self.waits(case_id)
        for wait in waits:
            shown = {**wait, "state": demand.shown_state(wait["state"], wait["deadline"], now)}
            if shown["state"] in ("due", "overdue"):
                out["due"].append(shown)
            elif shown["state"] == "unknown":
                out["unknown"].append(shown)
            elif shown["state"] in ("returned", "refused"):
                out["returned"].append(shown)
        return out

    def why(self, case_id: str, now: int) -> dict[str, Any]:
        """The chain of waits that holds the case back, from the goal down to where something can be done (rule 21)."""
        row = self.case(case_id)
        procedure = self.procedure(row)
        found, more = self.waits(case_id)
        waits = {w["slot"]: {**w, "state": demand.shown_state(w["state"], w["deadline"], now)} for w in found}
        by_step: dict[str, list[str]] = {}
        for slot, wait in waits.items():
            by_step.setdefault(wait["step"], []).append(slot)
        seen: set[str] = set()

        def node(slot: str) -> dict[str, Any]:
            wait = waits[slot]
            if slot in seen:
                return {**wait, "waits_on": [], "shown_above": True}
            seen.add(slot)
            return {**wait, "waits_on": [node(s) for s in wait["waits_on"] if s in waits]}

        goals = [s for g in procedure.goal for s in by_step.get(g.name, [])]
        return {
            "case": case_id,
            "status": row.status,
            "at": row.at,
            "goal": [node(s) for s in goals],
            "more": more,
        }

    def worklist(
        self,
        org: str,
        roles: frozenset[str],
        now: int,
        limit: int = 50,
        after: tuple[int | None, str, str] | None = None,
    ) -> list[dict[str, Any]]:
        """What waits on an organisation, by deadline; what has none comes last. `after`: the deadline, case and slot of
        the last one seen. Costs what it gives: by the index, with and without a deadline apart."""
        found: list[dict[str, Any]] = []
        sql = (
            "SELECT w.case_id, w.slot, w.state, w.role, w.org, w.since, w.deadline, c.pack, c.procedure FROM waits w"
            " JOIN cases c ON c.id = w.case_id WHERE w.role = ? AND w.state = ? AND {} AND (w.org IS NULL OR w.org = ?)"
            " ORDER BY w.deadline, w.case_id, w.slot LIMIT ?"
        )
        dated, undated = ("w.deadline IS NOT NULL", ()), ("w.deadline IS NULL", ())
        parts: list[tuple[str, tuple[Any, ...]]] = [dated, undated]
        if after is not None:
            deadline, *place = after
            behind = "(w.case_id, w.slot) > (?, ?)"
            if deadline is None:
                parts = [(f"w.deadline IS NULL AND {behind}", tuple(place))]
            else:
                parts = [("(w.deadline, w.case_id, w.slot) > (?, ?, ?)", after), undated]
        for role, state_ in product(sorted(roles), ("due", "returned")):
            rows: list[Any] = []
            for where, values in parts:
                if len(rows) < limit:
                    rows += self.store.rows(sql.format(where), role, state_, *values, org, limit - len(rows))
            found += [_waiting(row, now) for row in rows]
        found.sort(key=lambda w: (w["deadline"] is None, w["deadline"] or 0, w["case"], w["slot"]))
        return found[:limit]

    def cases(
        self,
        opener: str | None = None,
        status: str | None = None,
        limit: int = 50,
        rests_on: str | None = None,
    ) -> list[dict[str, Any]]:
        """The newest cases; of one opener, or with a standing document of the organisation `rests_on`, if given."""
        where, values = ["1 = 1"], []
        if opener is not None:
            where.append("opener = ?")
            values.append(opener)
        if rests_on is not None:
            where.append(
                "id IN (SELECT d.case_id FROM documents d JOIN slots s ON s.case_id = d.case_id AND s.head = d.digest"
                " WHERE d.issuer = ?)"
            )
            values.append(rests_on)
        if status == "open":
            where.append("closed_at IS NULL AND NOT withdrawn")
        elif status == "closed":
            where.append("closed_at IS NOT NULL")
        elif status == "withdrawn":
            where.append("withdrawn")
        rows = self.store.rows(
            "SELECT id, pack, procedure, opener, opened_at, closed_at, withdrawn FROM cases WHERE "  # noqa: S608
            + " AND ".join(where)
            + " ORDER BY opened_at DESC, id LIMIT ?",
            *values,
            limit,
        )
        return [
            {
                "case": id_,
                "procedure": f"{pack.partition('@')[0]}/{procedure}",
                "opener": opener_,
                "opened_at": opened_at,
                "closed_at": closed_at,
                "status": "withdrawn" if withdrawn else "closed" if closed_at is not None else "open",
            }
            for id_, pack, procedure, opener_, opened_at, closed_at, withdrawn in rows
        ]

    def documents(self, case_id: str) -> list[dict[str, Any]]:
        """The documents of a case in log order, without their contents."""
        rows = self.store.rows(
            "SELECT position, digest, recorded_at, issuer, type, step, key, act FROM documents WHERE case_id = ?"
            " ORDER BY position",
            case_id,
        )
        names = ("position", "digest", "recorded_at", "issuer", "type", "step", "key", "act")
        return [{**dict(zip(names, r, strict=True)), "digest": bytes(r[1]).hex()} for r in rows]

    def is_position(self, name: str) -> bool:
        """Whether this is the number of a document on the log."""
        return (
            name.isdecimal()
            and len(name) < 19
            and bool(self.store.rows("SELECT 1 FROM documents WHERE position = ?", int(name)))
        )

    def document(self, name: str) -> tuple[int, int, str, bytes]:
        """(position, recorded_at, case, bytes) of a document, by its position or the beginning of its digest."""
        sql = (
            "SELECT d.position, d.recorded_at, d.case_id, d.digest, d.signed, x.data, x.key FROM documents d"
            " JOIN disclosures x ON x.position = d.position WHERE "
        )
        if name.isdecimal() and len(name) < 19:
            rows = self.store.rows(sql + "d.position = ?", int(name))
        else:
            try:
                low = bytes.fromhex(name if len(name) % 2 == 0 else name[:-1])
            except ValueError:
                raise Problem(NO_SUCH_DOCUMENT, name=name) from None
            rows = self.store.rows(sql + "d.digest >= ? AND d.digest <= ? LIMIT 2", low, low + b"\xff" * 32)
        if not rows:
            raise Problem(NO_SUCH_DOCUMENT, name=name)
        if len(rows) > 1:
            raise Problem(AMBIGUOUS, name=name)
        position, at, case_id, digest, signed, data, sealed = rows[0]
        return position, at, case_id, bytes(signed) + self.store.tail(position, digest, data, sealed)


def _waiting(row: Any, now: int) -> dict[str, Any]:
    case_id, slot, state_, role, bound, since, deadline, pack, procedure = row
    return {
        "case": case_id,
        "slot": slot,
        "state": demand.shown_state(state_, deadline, now),
        "role": role,
        "by": bound,
        "since": since,
        "deadline": deadline,
        "procedure": f"{pack.partition('@')[0]}/{procedure}",
    }
