"""What of a record is public: cases, documents, registers and counts, as the packs mark them. Reads only.

A document is public if its type says so; then all its fields are but those marked `private`, and what is published
is the document itself under its issuer's signature, with the disclosures of the public fields alone.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from statistics import median
from typing import Any

from gardesh.model.document import Envelope, parse
from gardesh.model.library import compile_expression
from gardesh.model.pack import DocumentType, Pack, RegisterFile, Text
from gardesh.model.problem import pointer
from gardesh.model.procedure import Procedure
from gardesh.node import Node
from gardesh.record.registers import NOWHERE, Row
from gardesh.record.views import CaseRow, Views
from gardesh.register_access import recorded_until

PLAIN = re.compile(r"[A-Za-z0-9_-]{1,100}")


@dataclass(frozen=True, slots=True)
class PublicDocument:
    """A document as everybody may read it. `data` is what can be verified; None where it cannot be shown in part."""

    position: int
    recorded_at: int
    case: str
    paper: Envelope
    declared: DocumentType
    subject: dict[str, Any]
    data: bytes | None

    @property
    def digest(self) -> str:
        return self.paper.digest.hex()

    @property
    def key_file(self) -> str:
        """Under what name its issuer's public key is published: the `kid`, which is whatever the issuer chose, or the
        SHA-256 of it where that would make no plain file name."""
        kid = self.paper.kid
        return kid if PLAIN.fullmatch(kid) else sha256(kid.encode()).hexdigest()

    def row(self) -> dict[str, Any]:
        """As JSON, with stable names."""
        paper = self.paper
        return {
            "digest": self.digest, "position": self.position, "recorded_at": self.recorded_at, "case": self.case,
            "kid": paper.kid, "type": paper.type, "pack": paper.pack, "step": paper.step, "key": paper.key or "", "act": paper.act,
            "issuer": paper.issuer, "outcome": paper.outcome, "replaces": paper.replaces,
            "basis": [{"slot": slot, "digest": digest.hex()} for slot, digest in paper.basis],
            "subject": self.subject,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class PublicCase:
    """A case whose opening document is public. `name` is what that document calls it, if it does; `titled`: that
    says it all, without the procedure."""

    row: CaseRow
    procedure: Procedure
    name: Any
    titled: bool
    waits: list[dict[str, Any]]
    more: dict[str, int]

    @property
    def windows(self) -> list[dict[str, Any]]:
        """What is open to contributions now, with its last day."""
        return [w for w in self.waits if w.get("window") and w["state"] == "due"]


@dataclass(frozen=True, slots=True)
class Entry:
    """What is in force in a register under a key, and the document that entered it."""

    key: str
    value: Any
    row: Row


class Content:
    """The public part of a node's record; registers as they are in force at `as_of` (ms)."""

    def __init__(self, node: Node, as_of: int) -> None:
        self.node, self.as_of = node, as_of
        self.store, self.library = node.store, node.library
        self.registers = node.sequencer.registers
        self.views = Views(node.store, node.library)
        self.packs = newest(node)
        self.size = recorded_until(node, as_of)
        self.named: dict[str, Any] = {}

    # -- cases and documents ------------------------------------------------------------------------------

    def count(self) -> int:
        """How many cases there are to look at."""
        return int(self.store.one("SELECT count(*) FROM cases")[0])

    def cases(self) -> Iterator[PublicCase | None]:
        """Every case in the order of opening: as it is if it is public, else None."""
        rows = self.store.rows("SELECT id, pack, procedure FROM cases ORDER BY opened_at, id")
        for case_id, label, name in rows:
            procedure = self.library.procedure(label, name)
            declared = self.library.document_type(procedure.pack, procedure.opening.type)
            if declared is None or not declared.public:
                yield None
                continue
            row = self.store.one(
                "SELECT position FROM documents WHERE case_id = ? AND step = ? AND act IN ('issue', 'correct')"
                " ORDER BY position DESC LIMIT 1",
                case_id,
                procedure.opening.name,
            )
            opening = self.document(int(row[0])) if row is not None else None
            waits, more = self.views.waits(case_id)
            waits = [self.told(wait, procedure) for wait in waits]
            title = opening.subject.get("title") if opening is not None else None
            named = title or (self.name(opening, procedure.pack) if opening is not None else None)
            yield PublicCase(self.views.case(case_id), procedure, named, title is not None, waits, more)

    def told(self, wait: dict[str, Any], procedure: Procedure) -> dict[str, Any]:
        """What a case waits for; of a step whose documents are not public neither its slot's name nor its day."""
        declared = self.library.document_type(procedure.pack, procedure.by_name[wait["step"]].type)
        if declared is not None and declared.public:
            return wait
        return {**wait, "slot": wait["step"], "key": "", "deadline": None, "deficiencies": []}

    def name(self, opening: PublicDocument, pack: Pack) -> Any:
        """What a case without a title is called: by the name in its opening document, or its first business key."""
        named = opening.subject.get("name")
        if named is None:
            for kind, source in opening.declared.identifiers.items():
                reads = {
                    path[1] for path in compile_expression(self.library, pack, source).reads if len(path) > 1
                }
                if reads <= opening.subject.keys():
                    row = self.store.one(
                        "SELECT value FROM identifiers WHERE position = ? AND kind = ?",
                        opening.position,
                        kind,
                    )
                    return None if row is None else str(row[0])
        return named

    def documents(self, case_id: str) -> Iterator[PublicDocument]:
        """The public documents of a case, in log order."""
        for (position,) in self.store.rows(
            "SELECT position FROM documents WHERE case_id = ? ORDER BY position", case_id
        ):
            found = self.document(position)
            if found is not None:
                yield found

    def document(self, position: int) -> PublicDocument | None:
        """The document at a position of the log as far as it is public; None if it is not."""
        _, at, case_id, data = self.views.document(str(position))
        paper = parse(data)
        declared = self.declared(paper)
        if declared is None or not declared.public:
            return None
        hidden = {name for name, schema in properties(declared).items() if schema.get("private") is True}
        subject = {name: value for name, value in paper.subject.items() if name not in hidden}
        shown: bytes | None = paper.show(pointer(name) for name in subject)
        if shown is not None and hidden & parse(shown).subject.keys():
            shown = None
        return PublicDocument(position, at, case_id, paper, declared, subject, shown)

    def declared(self, paper: Envelope) -> DocumentType | None:
        pack = self.library.packs.get(paper.pack)
        return None if pack is None else self.library.document_type(pack, paper.type)

    # -- registers ----------------------------------------------------------------------------------------

    def public_registers(self) -> Iterator[tuple[Pack, RegisterFile]]:
        for pack in self.packs:
            for register in pack.registers.values():
                if register.public:
                    yield pack, register

    def entries(self, pack: Pack, register: RegisterFile) -> Iterator[Entry]:
        """What was in force at `as_of`, as the log stood then, in the order of the keys; of a balance, what it held."""
        name = f"{pack.name}/{register.register}"
        for key in self.registers.every_key(name):
            if register.kind == "balance":
                row = self.registers.last(name, key, self.size)
                if row is not None and row.total is not None:
                    yield Entry(key, row.total, row)
            else:
                row = self.registers.entry(name, key, self.size, self.as_of)
                if row is not None and row.value is not None:
                    yield Entry(key, row.value, row)

    @staticmethod
    def tally(register: RegisterFile, entries: list[Entry]) -> list[tuple[tuple[str, ...], int]]:
        """How many entries have each combination of the fields that the register is counted by."""
        counted: Counter[tuple[str, ...]] = Counter()
        for entry in entries if register.tally else ():
            if isinstance(entry.value, dict):
                counted[tuple(str(entry.value.get(f, "")) for f in register.tally)] += 1
        return sorted(counted.items())

    # -- names --------------------------------------------------------------------------------------------

    def organisation(self, org: str) -> Any:
        """The name of an organisation: of a person, only what the record calls it."""
        if org not in self.named:
            self.named[org] = self._named(org)
        return self.named[org]

    def _named(self, org: str) -> Any:
        roles = self.registers.roles(org, self.as_of)
        kinds = {
            role.kind for pack in self.packs for name, role in pack.manifest.roles.items() if name in roles
        }
        value = self.registers.value("core/organisations", org, NOWHERE, self.as_of)
        named = isinstance(value, dict) and bool(kinds - {"person"})
        return value["name"] if named and isinstance(value.get("name"), dict) else org


def newest(node: Node) -> list[Pack]:
    """The packs of a record, each in its newest version, by name."""
    found: dict[str, Pack] = {}
    for label, pack in node.library.packs.items():
        known = found.get(pack.name)
        if known is None or version(label) > version(known.label):
            found[pack.name] = pack
    return [found[name] for name in sorted(found)]


def version(label: str) -> tuple[int, ...]:
    return tuple(int(n) for n in label.partition("@")[2].split("."))


def properties(declared: DocumentType) -> dict[str, Any]:
    """The fields of a document's subject, by name."""
    found = declared.schema.get("properties", {})
    return {name: schema for name, schema in found.items() if isinstance(schema, dict)}


@dataclass
class Counts:
    """The cases of one procedure, counted."""

    title: Text
    opened: int = 0
    closed: int = 0
    withdrawn: int = 0
    spans: list[int] | None = None
    oldest: int | None = None

    def add(self, row: CaseRow) -> None:
        self.opened += 1
        self.spans = self.spans or []
        if row.withdrawn:
            self.withdrawn += 1
        elif row.closed_at is not None:
            self.closed += 1
            self.spans.append(row.closed_at - row.opened_at)
        else:
            self.oldest = row.opened_at if self.oldest is None else min(self.oldest, row.opened_at)

    @property
    def open(self) -> int:
        return self.opened - self.closed - self.withdrawn

    @property
    def median_ms(self) -> int | None:
        return int(median(self.spans)) if self.spans else None
