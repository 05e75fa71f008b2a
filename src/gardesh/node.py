"""A node: a record on this machine, its keys at hand, and everything that can be asked of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from gardesh.intake import Intake
from gardesh.model import reading
from gardesh.model.document import Envelope, compose, parse, sign
from gardesh.model.jose import SigningKey
from gardesh.model.library import NO_SUCH_PACK, Library
from gardesh.model.pack import Pack
from gardesh.model.problem import Problem, define, pointer
from gardesh.model.signer import Signer
from gardesh.model.slot import Head
from gardesh.record import folder
from gardesh.record.blobs import NO_SUCH_BLOB, Blobs
from gardesh.record.clock import Clock, salt
from gardesh.record.key_owners import KeyOwners
from gardesh.record.log import Log
from gardesh.record.registers import NOWHERE
from gardesh.record.sealing import RecordKeys
from gardesh.record.sealing_up import SEALED, seal_up
from gardesh.record.sequence import Sequencer
from gardesh.record.store import Store
from gardesh.record.views import Views

ALREADY_A_NODE = define(
    "already-a-node",
    409,
    en="There is already a node in {url}.",
    fa="در {url} پیش‌تر گرهی ساخته شده است.",
)
NOT_A_NODE = define(
    "not-a-node",
    404,
    en="There is no node in {url}; `gardesh init` makes one.",
    fa="در {url} گرهی نیست؛ «gardesh init» یکی می‌سازد.",
)
NOT_READABLE = define(
    "not-readable",
    403,
    en="No step of the case gives {org} a right to read the document {document}.",
    fa="هیچ گامی از پرونده به {org} حق خواندن سند {document} را نمی‌دهد.",
)


class Node:
    """One node. Made by `create` or `open`; `intake` is the way in, `sequencer` holds the state."""

    def __init__(
        self, store: Store, library: Library, log: Log, clock: Clock, blobs: Blobs | None = None
    ) -> None:
        """`blobs`: where attachments are kept; without, documents may name what is not here."""
        self.store = store
        self.library = library
        self.log = log
        self.blobs = blobs
        self.sequencer = Sequencer(store, library, log, clock)
        self.intake = Intake(self.sequencer, blobs)
        self.key_owners = KeyOwners(self.sequencer.registers)
        self._size = -1

    @classmethod
    def create(
        cls,
        store: Store,
        packs: Iterable[Pack],
        *,
        origin: str,
        signers: Sequence[Signer],
        clock: tuple[str, SigningKey],
        steward: tuple[str, SigningKey],
        steward_name: dict[str, str],
        record_keys: RecordKeys,
        now: int,
    ) -> Node:
        """A new node: its packs are kept, and the genesis is the first entry of its log. What its documents disclose is
        sealed under `record_keys`.

        Durable when it returns. Raises `already-a-node`.
        """
        if begun(store):
            raise Problem(ALREADY_A_NODE, url=store.url)
        store.unlock(record_keys)
        library = Library()
        with store.writing():
            store.set(SEALED, b"yes")
            for made in packs:
                library.add(made)
                folder.keep(store, made)
            store.set("origin", origin.encode())
            store.set("log_keys", msgspec.json.encode([s.verifier.vkey() for s in signers]))
        node = cls(store, library, Log(store, origin, signers), Clock(*clock))
        label = next(p.label for p in library.packs.values() if p.name == "core")
        claims = compose(
            type="core/genesis",
            issuer=steward[0],
            valid_from_ms=now,
            pack=label,
            procedure="genesis",
            step="genesis",
            act="issue",
        )
        subject: dict[str, Any] = {
            "steward": {
                "org": steward[0],
                "name": steward_name,
                "kid": steward[1].kid,
                "key": public_jwk(steward[1]),
            },
            "clock": {"org": clock[0], "kid": clock[1].kid, "key": public_jwk(clock[1])},
            "log": {"origin": origin, "keys": [s.verifier.vkey() for s in signers]},
            "packs": [{"label": p.label, "digest": p.digest.hex()} for p in library.packs.values()],
        }
        node.intake.submit(sign(claims, subject, steward[1], salt=salt), now)
        return node

    @classmethod
    def open(
        cls,
        store: Store,
        *,
        signers: Sequence[Signer],
        clock: tuple[str, SigningKey],
        record_keys: RecordKeys,
        blobs: Blobs | None = None,
    ) -> Node:
        """A node that was made before; what it still has in the clear is sealed first. Raises `not-a-node`."""
        origin = store.setting("origin")
        if origin is None or not begun(store):
            raise Problem(NOT_A_NODE, url=store.url)
        store.unlock(record_keys).look_again()
        seal_up(store)
        return cls(store, folder.stored(store), Log(store, origin.decode(), signers), Clock(*clock), blobs)

    def add_pack(self, made: Pack) -> None:
        """Keep a pack beside the record, so that its adoption can be decided; durable when it returns."""
        with self.store.writing():
            folder.keep(self.store, made)
            self.library.add(made)

    def adopted(self) -> list[str]:
        """The labels of the packs at hand that were ever adopted, by name, older versions before newer ones."""
        last = self.sequencer.registers.last
        return sorted(
            (x for x in self.library.packs if last("core/packs", x, NOWHERE) is not None), key=_version
        )

    def label_in_force(self, name: str, at: int) -> str:
        """The newest version of a pack that was adopted. Raises `no-such-pack`."""
        registers = self.sequencer.registers
        labels = [
            label
            for label in self.library.packs
            if label.partition("@")[0] == name and registers.value("core/packs", label, NOWHERE, at)
        ]
        if not labels:
            raise Problem(NO_SUCH_PACK, pack=name)
        return max(labels, key=_version)

    def read(
        self, org: str, name: str, purpose: str, now: int, roles: frozenset[str] | None = None
    ) -> tuple[Envelope, reading.Right]:
        """A document (by position or digest) as far as `org` may read it; the read itself is recorded.

        What comes back holds only the disclosures that the right covers, still under the issuer's signature. Durable
        when it returns. Raises `no-such-document`, and `not-readable` where the graph gives no right.
        """
        position, at, case_id, data = Views(self.store, self.library).document(name)
        paper = parse(data)
        right = self.right(org, case_id, paper, position, at, now, roles)
        if right == reading.NONE:
            raise Problem(NOT_READABLE, org=org, document=paper.digest.hex())
        self.note_read(org, position, right, purpose, now)
        return shown(paper, right), right

    def note_read(self, org: str, position: int, right: reading.Right, purpose: str, now: int) -> None:
        """Record that `org` reads a document, as far as its right goes. Durable when it returns."""
        note_read(self.store, org, position, right, purpose, now)

    def right(
        self,
        org: str,
        case_id: str,
        paper: Envelope,
        position: int,
        at: int,
        now: int,
        roles: frozenset[str] | None = None,
    ) -> reading.Right:
        """What `org` may read of a document of a case, recorded at `position`, `at` (rule 23). `roles`: those that it
        acts in, of those it holds; default all."""
        case = self.sequencer.cases.get(case_id)
        found_step = case.step_named(paper.step)
        assert found_step is not None
        slot = found_step[0].steps[found_step[1].index].slots.get(paper.key or "")
        heads = (*slot.past, slot.head) if slot is not None else ()
        head = next((h for h in heads if h is not None and h.digest == paper.digest), None)
        if head is None:
            head = Head(paper.digest, paper.issuer, at, position, paper.key or "", paper.subject)
        held = self.sequencer.registers.roles(org, now)
        acting = held if roles is None else held & roles
        return reading.right(case, org, acting, paper.step, head.key, head, self.known_as(org, now))

    def attachment(self, org: str, name: str, digest: bytes, purpose: str, now: int) -> Iterator[bytes]:
        """An attachment of a document, piece by piece, for who may read the document whole; the read is recorded.

        Raises as `read`, `not-readable` too for what the document does not name, and `no-such-blob`, `blob-broken`.
        """
        paper, right = self.read(org, name, purpose, now)
        named = {bytes.fromhex(a["id"].rpartition(":")[2]) for a in paper.attachments}
        if right != reading.ALL or digest not in named:
            raise Problem(NOT_READABLE, org=org, document=paper.digest.hex())
        if self.blobs is None:
            raise Problem(NO_SUCH_BLOB, digest=digest.hex())
        return self.blobs.read(digest)

    def readers(self, name: str, after: int = 0, limit: int = 1_000_000) -> list[dict[str, Any]]:
        """Who read a document, when, which fields and for what, the oldest first: for those it is about."""
        position, _, _, _ = Views(self.store, self.library).document(name)
        rows = self.store.rows(
            "SELECT at, reader, fields, purpose FROM reads WHERE position = ? ORDER BY id LIMIT ? OFFSET ?",
            position,
            limit,
            after,
        )
        return [dict(zip(("at", "reader", "fields", "purpose"), r, strict=True)) for r in rows]

    def known_as(self, org: str, now: int) -> frozenset[str]:
        """Other names under which documents may be about an organisation: its legal id."""
        value = self.sequencer.registers.value("core/organisations", org, NOWHERE, now)
        legal = value.get("legal_id") if isinstance(value, dict) else None
        return frozenset([legal]) if isinstance(legal, str) else frozenset()

    def pass_time(self, now: int) -> None:
        """Let what fell due be recorded; and when nothing has been written since the last time, store the newest checkpoint,
        for those who read the record on a standby. Raises as `Intake.pass_time`."""
        before = self._size
        self.intake.pass_time(now)
        self._size = self.log.size
        if before == self._size:
            self.log.keep_checkpoint()

    def clock_key(self) -> tuple[str, dict[str, Any]]:
        """The name of the node's clock key, and its public half."""
        key = self.sequencer.clock.key
        return key.kid, public_jwk(key)

    def close(self) -> None:
        self.log.keep_checkpoint()
        self.log.close()
        self.store.close()


def _version(label: str) -> tuple[str, tuple[int, ...]]:
    """Orders labels by the pack's name, then by version."""
    name, _, version = label.partition("@")
    return name, tuple(int(n) for n in version.split("."))


def note_read(store: Store, org: str, position: int, right: reading.Right, purpose: str, now: int) -> None:
    """As `Node.note_read`, in this store."""
    fields = "*" if isinstance(right, str) else ",".join(right)
    sql = "INSERT INTO reads (at, reader, position, fields, purpose) VALUES (?, ?, ?, ?, ?)"
    with store.writing():
        store.run(sql, now, org, position, fields, purpose)


def shown(paper: Envelope, right: reading.Right) -> Envelope:
    """The document with the disclosures that the right covers."""
    return paper if isinstance(right, str) else parse(paper.show(pointer(field) for field in right))


def begun(store: Store) -> bool:
    """Whether the log has its genesis. Until then a node is not made: a crash may have come before it."""
    return store.one("SELECT 1 FROM documents WHERE position = 0") is not None


def public_jwk(key: SigningKey) -> dict[str, Any]:
    """The public half of a signing key."""
    return dict(key.public.jwk)
