"""Logs that grow, and logs that lie: real records with real keys, for witnesses and monitors to look at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from gardesh.model import checkpoint
from gardesh.model.signer import Signer
from gardesh.model.tile import consistency_proof, root
from gardesh.model.treehead import TreeHead
from gardesh.model.witness import Request
from gardesh.record import schema
from gardesh.record.log import Log, stored_tiles
from gardesh.record.store import Store

ORIGIN = "log.example/growing"
START = 1_790_000_000_000
Entry = tuple[bytes, int]


@cache
def signers(origin: str = ORIGIN) -> tuple[Signer, ...]:
    seed = sha256(origin.encode()).digest()
    return (
        Signer.of_notes(origin, Ed25519PrivateKey.from_private_bytes(seed)),
        Signer.of_checkpoints(origin, MLDSA44PrivateKey.from_seed_bytes(seed)),
    )


@cache
def cosigners(name: str) -> tuple[Signer, ...]:
    """The two keys of a witness, as its key file would hold them."""
    seed = sha256(name.encode()).digest()
    return (
        Signer.of_checkpoints(name, MLDSA44PrivateKey.from_seed_bytes(seed)),
        Signer.of_checkpoints(name, Ed25519PrivateKey.from_private_bytes(seed)),
    )


def entry(position: int) -> Entry:
    return sha256(b"document %d" % position).digest(), START + position


def forged(position: int) -> Entry:
    return sha256(b"forged %d" % position).digest(), START + position


class GrowingLog:
    """A log in a record of its own, whose entries are `entry(0)`, `entry(1)`, … unless told otherwise."""

    def __init__(self, size: int = 0, origin: str = ORIGIN) -> None:
        self.store = Store(":memory:", create=True)
        self.log = Log(self.store, origin, signers(origin))
        self.keys = tuple(s.verifier for s in self.log.signers)
        self.grow(size)

    def grow(self, size: int, made: Callable[[int], Entry] = entry) -> GrowingLog:
        return self.add([made(position) for position in range(self.log.size, size)])

    def add(self, entries: Sequence[Entry]) -> GrowingLog:
        """Append in one batch, as the sequencer does."""
        with self.store.writing():
            rows = [
                (
                    position,
                    digest,
                    sha256(b"%d" % position + digest).digest(),
                    at,
                    "",
                    "",
                    "",
                    "",
                    "",
                    "issue",
                    b"",
                )
                for position, (digest, at) in enumerate(entries, self.log.size)
            ]
            self.store.add(schema.documents, rows)
            edge = self.log.append(entries)
            pen = self.log.begin_checkpoint(edge, START)
        self.log.adopt(edge, pen.result())
        return self

    def head(self, size: int | None = None) -> TreeHead:
        size = self.log.size if size is None else size
        return TreeHead(self.log.origin, size, root(size, stored_tiles(self.store)))

    def note(self, size: int | None = None) -> bytes:
        """A signed checkpoint, of the newest or of an earlier size."""
        return checkpoint.sign(self.head(size), self.log.signers, START // 1000)

    def proof(self, old: int, size: int | None = None) -> tuple[bytes, ...]:
        size = self.log.size if size is None else size
        return tuple(consistency_proof(old, size, stored_tiles(self.store)))

    def request(self, old: int, size: int | None = None) -> bytes:
        """An honest request to a witness."""
        size = self.log.size if size is None else size
        proof = self.proof(old, size) if old <= size else ()
        return Request(old, proof, self.note(size)).encode()


def forked(at: int, size: int, origin: str = ORIGIN) -> GrowingLog:
    """A log with the same keys and the same first `at` entries, and others after them."""
    return GrowingLog(at, origin).grow(size, forged)


def careless(origin: str = ORIGIN) -> GrowingLog:
    """A log that takes a digest twice, as the record of a node never does."""
    made = GrowingLog(0, origin)
    columns = ", ".join(f'"{c.name}" BLOB' for c in schema.documents.columns)
    with made.store.writing():
        made.store.run("DROP TABLE documents")
        made.store.run(f"CREATE TABLE documents ({columns})")
    return made
