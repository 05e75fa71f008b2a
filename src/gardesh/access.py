"""What an organisation may see of a node, all of it derived from the graph (semantics, rule 23).

To who may not see it, a case or a document is as if it were not there: the same problem, whatever the reason.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

from gardesh.business_keys import KIND_UNKNOWN, identifier_kinds, reads_key
from gardesh.model import reading
from gardesh.model.calendar import iso
from gardesh.model.case import Case
from gardesh.model.document import Envelope, parse
from gardesh.model.problem import Problem, define
from gardesh.model.receipt import Receipt
from gardesh.model.slot import Erased
from gardesh.node import NOT_READABLE, Node, shown
from gardesh.record.cases import NO_SUCH_CASE
from gardesh.record.erased import erased_of
from gardesh.record.registers import NOWHERE
from gardesh.record.views import NO_SUCH_DOCUMENT, CaseRow, Views

NOT_ABOUT_YOU = define(
    "not-about-you",
    403,
    en="Who read a document is shown to its issuer and to those it is about.",
    fa="اینکه چه کسی سندی را خوانده به صادرکننده‌ی آن و به کسانی نشان داده می‌شود که سند درباره‌ی آن‌هاست.",
)
LOOKED = 500
"""How many rows are looked at for one answer at most, however few of them may be shown."""
NAME = re.compile("[0-9a-f]{64}|[0-9]{1,18}")
"""A document's digest or its position; never the beginning of a digest, which could be guessed at."""


@dataclass(frozen=True, slots=True)
class Found:
    """A document on the record."""

    position: int
    recorded_at: int
    case: str
    paper: Envelope


class Access:
    """One organisation's view at one moment. `roles`: those it acts in, of those it holds; None for all of them."""

    def __init__(self, node: Node, org: str, now: int, roles: frozenset[str] | None = None) -> None:
        self.node, self.org, self.now = node, org, now
        self.held = node.sequencer.registers.roles(org, now)
        self.roles = self.held if roles is None else self.held & roles
        self.known_as = node.known_as(org, now)
        self.views = Views(node.store, node.library)

    # -- cases --------------------------------------------------------------------------------------------

    def case(self, name: str) -> Case:
        """A case that the organisation has a part in. Raises `no-such-case`.

        It has: who opened it, issued a document of it, plays a role that the case asks something of now, or is who one of
        its documents is about.
        """
        if self.node.store.one("SELECT 1 FROM cases WHERE id = ?", name) is None:
            raise Problem(NO_SUCH_CASE, case=name[:100])
        if not self.takes_part(name):
            raise Problem(NO_SUCH_CASE, case=name)
        return self.node.sequencer.cases.get(name)

    def takes_part(self, case_id: str) -> bool:
        """As `case` has it."""
        store, org = self.node.store, self.org
        if store.one("SELECT 1 FROM cases WHERE id = ? AND opener = ?", case_id, org):
            return True
        if store.one("SELECT 1 FROM documents WHERE issuer = ? AND case_id = ? LIMIT 1", org, case_id):
            return True
        for role in sorted(self.roles):
            # Not by the index over roles, which SQLite would take: a role waits in as many cases as there are.
            asked = "SELECT 1 FROM waits WHERE case_id = ? AND role || '' = ? AND (org IS NULL OR org = ?)"
            if store.one(f"{asked} AND state <> 'unknown' LIMIT 1", case_id, role, org):
                return True
        about = "SELECT 1 FROM subjects WHERE case_id = ? AND about = ? LIMIT 1"
        return any(store.one(about, case_id, name) is not None for name in sorted({org, *self.known_as}))

    def _about(self, about: Any) -> bool:
        return any(who == self.org or who in self.known_as for who in about)

    def opened(self, after: tuple[int, str] | None, limit: int) -> list[CaseRow]:
        """The cases that the organisation opened, the newest first. `after`: when the last one seen was opened, and its
        name. Costs what it gives."""
        where, values = "", tuple[Any, ...]()
        if after is not None:
            where, values = " AND (opened_at < ? OR (opened_at = ? AND id > ?))", (after[0], *after)
        sql = f"SELECT id FROM cases WHERE opener = ?{where} ORDER BY opened_at DESC, id LIMIT ?"  # noqa: S608
        return self._rows_of(self.node.store.rows(sql, self.org, *values, limit))

    def worked(self, after: str, limit: int) -> list[CaseRow]:
        """The cases in which the organisation issued a document, by name. `after`: the last one seen."""
        sql = (
            "SELECT DISTINCT case_id FROM documents WHERE issuer = ? AND case_id > ? ORDER BY case_id LIMIT ?"
        )
        return self._rows_of(self.node.store.rows(sql, self.org, after, limit))

    def _rows_of(self, names: list[Any]) -> list[CaseRow]:
        return [self.views.case(name) for (name,) in names]

    # -- documents ----------------------------------------------------------------------------------------

    def found(self, name: str) -> tuple[Found, reading.Right]:
        """A document, by its digest in hex or its position, and what may be read of it. Raises `no-such-document`."""
        if NAME.fullmatch(name) is None:
            raise Problem(NO_SUCH_DOCUMENT, name=name[:100])
        position, at, case_id, data = self.views.document(name)
        found = Found(position, at, case_id, parse(data))
        right = self.right(found)
        if right == reading.NONE:
            raise Problem(NO_SUCH_DOCUMENT, name=name)
        return found, right

    def right(self, found: Found) -> reading.Right:
        return self.node.right(
            self.org, found.case, found.paper, found.position, found.recorded_at, self.now, self.roles
        )

    def read(
        self, name: str, purpose: str, held: Collection[str] = (), given: bool = True
    ) -> tuple[bytes, str, Found]:
        """The document with what may be read of it, and the SHA-256 of these bytes in hex.

        The read is on record when this returns, but not when the bytes are not `given` to the caller, nor when the caller
        holds these very bytes: their digest is then among `held`, and the bytes are empty. Raises `no-such-document`.
        """
        found, right = self.found(name)
        data = shown(found.paper, right).data
        version = sha256(data).hexdigest()
        if version in held:
            return b"", version, found
        if given:
            self.node.note_read(self.org, found.position, right, purpose, self.now)
        return data, version, found

    def erased(self, found: Found) -> Erased | None:
        """What a decision has erased of the fields of a document that may be read."""
        gone = erased_of(self.node.store, found.position)
        if gone is None:
            return None
        right = self.right(found)
        fields = gone.fields if isinstance(right, str) else gone.fields.intersection(right)
        return replace(gone, fields=fields) if fields else None

    def receipt(self, name: str) -> Receipt:
        """The receipt, for who may read anything of the document: under the newest checkpoint that witnesses have cosigned,
        where it covers the document; else the newest. Raises `no-such-document`."""
        found, _ = self.found(name)
        log = self.node.log
        note, tree = log.covering(found.position, self.node.sequencer.last_at)
        return log.receipts([(found.position, found.recorded_at)], note, tree)[0]

    def documents(self, case_id: str, after: int, limit: int) -> tuple[list[dict[str, Any]], int | None]:
        """The documents of a case that may be read, in log order, from behind position `after`; and where a next page
        begins, if there is one. Nothing of their contents. Raises `no-such-case`."""
        self.case(case_id)
        shown: list[dict[str, Any]] = []
        last = after
        for looked, row in enumerate(self._rows(case_id, after)):
            if len(shown) == limit or looked == LOOKED:
                return shown, last
            position, at, digest, signed, data, sealed = row
            tail = self.node.store.tail(position, digest, data, sealed)
            found = Found(position, at, case_id, parse(bytes(signed) + tail))
            last = found.position
            right = self.right(found)
            if right != reading.NONE:
                shown.append(described(found, right))
        return shown, None

    def _rows(self, case_id: str, after: int) -> Iterator[Any]:
        sql = (
            "SELECT d.position, d.recorded_at, d.digest, d.signed, x.data, x.key FROM documents d JOIN disclosures x"
            " ON x.position = d.position WHERE d.case_id = ? AND d.position > ? ORDER BY d.position LIMIT 100"
        )
        while rows := self.node.store.rows(sql, case_id, after):
            yield from rows
            after = rows[-1][0]

    def readers(self, name: str, after: int = 0, limit: int = 1000) -> list[dict[str, Any]]:
        """Who read a document, when, which fields, and for what, the oldest first, without the first `after`.

        Raises `no-such-document`, `not-about-you`.
        """
        found, right = self.found(name)
        case = self.node.sequencer.cases.get(found.case)
        step = case.step_named(found.paper.step)
        slots = step[0].steps[step[1].index].slots.values() if step is not None else ()
        heads = [h for s in slots for h in (*s.past, s.head) if h is not None]
        about = next((h.about for h in heads if h.digest == found.paper.digest), ())
        if found.paper.issuer != self.org and not (right == reading.ALL and self._about(about)):
            raise Problem(NOT_ABOUT_YOU)
        return [{**r, "at": iso(r["at"])} for r in self.node.readers(str(found.position), after, limit)]

    def reads_whole(self, digests: list[bytes]) -> bool:
        """Whether each of these documents may be read whole; of more than LOOKED, it is not asked."""
        try:
            return len(digests) <= LOOKED and all(
                self.found(digest.hex())[1] == reading.ALL for digest in digests
            )
        except Problem as problem:
            if problem.code != NO_SUCH_DOCUMENT:
                raise
            return False

    def attachment(self, name: str, digest: str, purpose: str, given: bool = True) -> dict[str, Any]:
        """The claim of an attachment (`size`, `mediaType`, `name`) of a document that may be read whole; the read is on
        record when this returns, unless its bytes are not `given`. Raises `no-such-document`, `not-readable`."""
        found, right = self.found(name)
        named = {str(a["id"]).rpartition(":")[2]: a for a in found.paper.attachments}
        if right != reading.ALL or digest not in named:
            raise Problem(NOT_READABLE, org=self.org, document=found.paper.digest.hex())
        if given:
            self.node.note_read(self.org, found.position, right, purpose, self.now)
        return dict(named[digest])

    def search(
        self, kind: str, value: str, limit: int, before: int | None = None
    ) -> tuple[list[dict[str, Any]], int | None]:
        """The newest documents with this business key that may be read, with all that the key is made of, of those before a
        position; and where to look on, if there are more to look at. Raises `identifier-kind-unknown` for a kind that no pack
        declares that was ever adopted."""
        known = identifier_kinds(self.node)
        if kind not in known:
            raise Problem(KIND_UNKNOWN, kind=kind, known=", ".join(sorted(known)))
        rows = self.node.store.rows(
            "SELECT position FROM identifiers WHERE kind = ? AND value = ? AND position < ? ORDER BY position DESC LIMIT ?",
            kind,
            value,
            NOWHERE if before is None else before,
            LOOKED,
        )
        shown: list[dict[str, Any]] = []
        for (position,) in rows:
            if len(shown) == limit:
                return shown, position + 1
            try:
                found, right = self.found(str(position))
                if right == reading.ALL or reads_key(self.node.library, found.paper, right, kind):
                    shown.append(described(found, right))
            except Problem as problem:
                if problem.code != NO_SUCH_DOCUMENT:
                    raise
        return shown, int(rows[-1][0]) if len(rows) == LOOKED else None


def described(found: Found, right: reading.Right) -> dict[str, Any]:
    """A document without its contents."""
    paper = found.paper
    return {
        "digest": paper.digest.hex(),
        "position": found.position,
        "recorded_at": iso(found.recorded_at),
        "case": found.case,
        "type": paper.type,
        "issuer": paper.issuer,
        "step": paper.step,
        "key": paper.key,
        "act": paper.act,
        "fields": None if isinstance(right, str) else list(right),
    }
