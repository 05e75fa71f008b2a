"""The inbox of an organisation: the notices that concern it, in order, from where a consumer of it left off.

At least once: a notice comes until it is acknowledged, under the same id. Of one case, notices are in the order of the
log. Who lost a right since a notice was made does not see it any more, so a consumer that was away catches up with what
it may see now.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from gardesh.access import Access
from gardesh.model.calendar import iso
from gardesh.model.problem import Problem, define
from gardesh.record import schema
from gardesh.record.notices import READ
from gardesh.record.views import NO_SUCH_DOCUMENT

ACK_BEYOND = define(
    "ack-beyond",
    400,
    en="There is no notice {given} yet; the newest is {newest}.",
    fa="هنوز اعلان {given} نیست؛ تازه‌ترین {newest} است.",
)
PAGE = 100
LOOKED = 2_000
"""How many notices are looked at for one page at most, when most of them may not be seen any more."""
COLUMNS = "id, at, case_id, reason, slot, state, position, deadline"


@dataclass(frozen=True, slots=True)
class Page:
    """Notices, and up to which one was looked; where no more are behind, the newest of the node. `more`: whether there are."""

    notices: list[dict[str, Any]]
    upto: int
    more: bool


class Inbox:
    """One organisation's notices."""

    def __init__(self, access: Access) -> None:
        self.access, self.store = access, access.node.store

    def page(self, after: int, limit: int = PAGE) -> Page:
        """The notices behind the one with the id `after`, the oldest first. Costs what it looks at."""
        found: list[dict[str, Any]] = []
        upto, looked, last = after, 0, None
        for row in self._merged(after, limit):
            if len(found) == limit or looked == LOOKED:
                return Page(found, upto, True)
            upto, looked = row[0], looked + 1
            same = (row[2], row[3], row[4], row[5], row[6])
            shown = self._shown(row) if same != last else None
            if shown is not None:
                found.append(shown)
                last = same
        return Page(found, max(upto, newest_notice(self.access)), False)

    def _merged(self, after: int, limit: int) -> Iterator[Any]:
        access = self.access
        whom = [("org", access.org), *(("about", n) for n in sorted({access.org, *access.known_as}))]
        whom += [("role", role) for role in sorted(access.roles)]
        return heapq.merge(
            *(self._of(kind, name, after, limit) for kind, name in whom), key=lambda row: row[0]
        )

    def _of(self, kind: str, name: str, after: int, limit: int) -> Iterator[Any]:
        sql = f"SELECT {COLUMNS} FROM notices WHERE kind = ? AND name = ? AND id > ? ORDER BY id LIMIT ?"  # noqa: S608
        while rows := self.store.rows(sql, kind, name, after, limit):
            yield from rows
            if len(rows) < limit:
                return
            after = rows[-1][0]

    def _shown(self, row: Any) -> dict[str, Any] | None:
        """The notice as its reader may see it now; None when it may not, or issued the document itself."""
        id_, at, case_id, reason, slot, state, position, deadline = row
        told: dict[str, Any] = {
            "id": id_, "at": iso(at), "case": case_id, "reason": reason, "slot": slot, "state": state,
            "deadline": iso(deadline) if deadline is not None else None, "document": None, "type": None, "issuer": None,
        }  # fmt: skip
        if position is None:
            return told if self.access.takes_part(case_id) else None
        try:
            paper = self.access.found(str(position))[0].paper
        except Problem as problem:
            if problem.code != NO_SUCH_DOCUMENT:
                raise
            return None
        if reason == READ and paper.issuer == self.access.org:
            return None
        return {**told, "document": paper.digest.hex(), "type": paper.type, "issuer": paper.issuer}

    # -- consumers ----------------------------------------------------------------------------------------

    def acked(self, consumer: str) -> int:
        """The last notice that a consumer of the organisation acknowledged; -1 at first."""
        row = self.store.one(
            "SELECT acked FROM consumers WHERE org = ? AND name = ?", self.access.org, consumer
        )
        return -1 if row is None else int(row[0])

    def ack(self, consumer: str, upto: int) -> int:
        """Acknowledge all notices up to one; going back asks for them again. On record, and durable when it returns.

        Raises `ack-beyond`.
        """
        newest = newest_notice(self.access)
        if upto > newest:
            raise Problem(ACK_BEYOND, given=upto, newest=newest)
        org, now = self.access.org, self.access.now
        before = self.acked(consumer)
        with self.store.writing():
            self.store.add(schema.consumers, [(org, consumer, upto, now)], replace=True)
            record(self.access, f"inbox:{consumer}", before + 1, upto, "acknowledged")
        return upto


def record(access: Access, channel: str, first: int, last: int, outcome: str, said: str = "") -> None:
    """Put a delivery on record, in the open transaction: its outcome, a word, and behind it what was answered, if it was said."""
    access.node.store.run(
        'INSERT INTO deliveries (at, org, channel, "first", "last", outcome) VALUES (?, ?, ?, ?, ?, ?)',
        access.now, access.org, channel, first, last, f"{outcome} {said[:200]}".rstrip(),
    )  # fmt: skip


def newest_notice(access: Access) -> int:
    """The id of the newest notice of the node; -1 when there is none."""
    return int(access.node.store.one("SELECT coalesce(max(id), -1) FROM notices")[0])
