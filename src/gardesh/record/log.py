"""The log of a node: entries appended in a write transaction, checkpoints over them, receipts out of them.

Entries are not stored a second time: an entry is a document's digest and its `recorded_at`, both in the
`documents` table. Full tiles are stored as they fill; the open ones live in memory and are read from the
documents again at start.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from gardesh.model import checkpoint, cose_receipt
from gardesh.model import note as notes
from gardesh.model.edge import TileEdge
from gardesh.model.entry import encode, entry_hash
from gardesh.model.jose import PrivateKey
from gardesh.model.merkle import leaf_hash
from gardesh.model.receipt import Receipt
from gardesh.model.signer import SignatureType, Signer
from gardesh.model.tile import WIDTH, TileReader
from gardesh.model.treehead import TreeHead
from gardesh.record import schema
from gardesh.record.store import Store

__all__ = ["Log", "encode", "stored_tiles"]


LOOKED_AT = 256
"""How many of the newest checkpoints are looked at for one that witnesses have cosigned."""


class Log:
    """The log `origin`, signed by `signers` (Ed25519, and ML-DSA-44 beside it).

    `append` and `adopt` belong to the one sequencer; `receipt` and the tile reads may run at any time.
    """

    def __init__(self, store: Store, origin: str, signers: Sequence[Signer]) -> None:
        self.store = store
        self.origin = origin
        self.signers = tuple(signers)
        self._pen = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")
        self.kept = 0
        """The size of the newest checkpoint that is known to be stored by itself, not with the batch that comes after it."""
        self._alone: set[int] = set()
        """How long notes are that nobody has cosigned, but for the size they state."""
        self.edge = self._load()
        self.note = self._newest_note()
        self.cosigned = self._newest_cosigned()
        """The newest checkpoint that witnesses have cosigned, and its size; None where none of the newest has that."""

    @property
    def size(self) -> int:
        return self.edge.size

    @property
    def vkeys(self) -> list[str]:
        """The keys that its checkpoints verify with, as C2SP writes them."""
        return [s.verifier.vkey() for s in self.signers]

    def _load(self) -> TileEdge:
        (size,) = self.store.one("SELECT coalesce(max(position), -1) + 1 FROM documents")
        return TileEdge.load(int(size), _StoredTiles(self.store))

    def _newest_note(self) -> bytes:
        row = self.store.one("SELECT size, note FROM checkpoints ORDER BY size DESC LIMIT 1")
        if row is not None and row[0] == self.size:
            self.kept = self.size
            return bytes(row[1])
        return b""

    @property
    def own(self) -> int:
        """How many signatures the log itself puts under a checkpoint."""
        return len(self.signers)

    def _newest_cosigned(self) -> tuple[int, bytes] | None:
        # Signatures have lengths of their own: of notes as long as one another, but for the size they state, one is read.
        rows = self.store.rows(
            "SELECT size, length(note) FROM checkpoints ORDER BY size DESC LIMIT ?", LOOKED_AT
        )
        for size, length in rows:
            if (shape := length - len(str(size))) in self._alone:
                continue
            (raw,) = self.store.one("SELECT note FROM checkpoints WHERE size = ?", size)
            if len(notes.parse(bytes(raw)).signatures) > self.own:
                return int(size), bytes(raw)
            self._alone.add(shape)
        return None

    def reload(self) -> None:
        """Read again what is stored: another process has appended."""
        self.edge, self.note = self._load(), b""
        self.note = self._newest_note()
        self.cosigned = self._newest_cosigned()

    def take_up(self, leaf_hashes: Sequence[bytes]) -> None:
        """Another process has appended these."""
        if leaf_hashes:
            edge = self.edge.copy()
            edge.append(leaf_hashes)  # the tiles that became full are stored
            self.edge, self.note = edge, b""
        self.cosigned = self._newest_cosigned()
        if self.cosigned is not None and self.cosigned[0] == self.size:
            self.note = self.cosigned[1]

    def append(self, entries: Sequence[tuple[bytes, int]]) -> TileEdge:
        """The edge after these entries; tiles that became full are written to the open transaction."""
        edge = self.edge.copy()
        full = edge.append(entry_hash(digest, at) for digest, at in entries)
        self.store.add(schema.tiles, full)
        return edge

    def begin_checkpoint(self, edge: TileEdge, at: int) -> Future[bytes]:
        """Begin to sign the checkpoint of `edge`, beside the commit that makes it durable.

        The note may be released only once that commit has returned; drop it when the commit failed.
        """
        head = TreeHead(self.origin, edge.size, edge.root())
        return self._pen.submit(checkpoint.sign, head, self.signers, at // 1000)

    def adopt(self, edge: TileEdge, note: bytes) -> None:
        """The batch is durable: from here on the log has the size of `edge`."""
        self.edge, self.note = edge, note

    def checkpoint(self, at: int) -> bytes:
        """The newest signed checkpoint; signed anew if a crash came between a commit and its signature."""
        if not self.note:
            self.note = self.begin_checkpoint(self.edge, at).result()
        return self.note

    def keep_checkpoint(self) -> None:
        """Store the newest checkpoint; each earlier one was stored with the batch that came after it."""
        if self.note and self.kept != self.size:
            with self.store.writing():
                self.store_checkpoint(self.size, self.note)
            self.kept = self.size

    def store_checkpoint(self, size: int, note: bytes) -> None:
        """In the open transaction, unless one of that size is stored: witnesses may have cosigned that."""
        self.store.run(
            "INSERT INTO checkpoints (size, note) VALUES (?, ?) ON CONFLICT (size) DO NOTHING", size, note
        )

    def keep_cosigned(self, size: int, note: bytes) -> None:
        """Store a checkpoint of `size` that witnesses have cosigned, in place of the one without them."""
        with self.store.writing():
            self.store.add(schema.checkpoints, [(size, note)], replace=True)
        if size == self.size:
            self.note = note
        if self.cosigned is None or size >= self.cosigned[0]:
            self.cosigned = size, note

    def covering(self, last: int, at: int) -> tuple[bytes, TileEdge]:
        """The checkpoint to prove entries up to the position `last` by, and its tree: the newest that witnesses have
        cosigned, where it covers them; else the newest of all."""
        if self.cosigned is None or self.cosigned[0] <= last:
            return self.checkpoint(at), self.edge
        size, note = self.cosigned
        return note, self.edge if size == self.size else TileEdge.load(size, _StoredTiles(self.store))

    def newest_shown(self, at: int) -> bytes:
        """The newest checkpoint as it is stored, with cosignatures that it has: whoever keeps the log may have had it cosigned
        by another process."""
        note = self.checkpoint(at)
        rows = self.store.rows("SELECT note FROM checkpoints WHERE size = ?", self.size)
        stored = bytes(rows[0][0]) if rows else b""
        return stored if stored and len(notes.parse(stored).signatures) > self.own else note

    def full_tile(self, level: int, index: int) -> bytes:
        row = self.store.one("SELECT data FROM tiles WHERE level = ? AND number = ?", level, index)
        return bytes(row[0]) if row is not None else b""

    def receipts(
        self, found: Sequence[tuple[int, int]], note: bytes, edge: TileEdge | None = None
    ) -> list[Receipt]:
        """Receipts for (position, recorded_at) under the checkpoint `note`; `edge`: its tree, if not the newest."""
        tree = (edge or self.edge).tree(self.full_tile)
        return [Receipt(position, at, tuple(tree.inclusion(position)), note) for position, at in found]

    @property
    def key(self) -> PrivateKey:
        """The Ed25519 key that the log signs its notes and its COSE receipts with."""
        return next(s.key for s in self.signers if s.verifier.type == SignatureType.ED25519)

    def cose_receipt(self, position: int, digest: bytes, recorded_at: int) -> bytes:
        """The COSE receipt (RFC 9942) of an entry, under the tree as it is now. Raises as `cose_receipt.write`."""
        edge = self.edge
        head = TreeHead(self.origin, edge.size, edge.root())
        proof = tuple(edge.tree(self.full_tile).inclusion(position))
        return cose_receipt.write(Receipt(position, recorded_at, proof, b""), digest, head, self.key)

    def close(self) -> None:
        self._pen.shutdown()


def stored_tiles(store: Store) -> TileReader:
    """All tiles of the stored log, full and partial."""
    return _StoredTiles(store)


class _StoredTiles:
    """A tile reader over the documents (level 0) and the full tiles stored."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def read(self, level: int, index: int, width: int) -> bytes:
        if level == 0:
            first = index * WIDTH
            rows = self.store.rows(
                "SELECT digest, recorded_at FROM documents WHERE position >= ? AND position < ? ORDER BY position",
                first,
                first + width,
            )
            return b"".join(leaf_hash(encode(bytes(digest), at)) for digest, at in rows)
        return b"".join(self._root_of(level - 1, index * WIDTH + i) for i in range(width))

    def _root_of(self, level: int, index: int) -> bytes:
        row = self.store.one("SELECT data FROM tiles WHERE level = ? AND number = ?", level, index)
        data = bytes(row[0]) if row is not None else self.read(level, index, WIDTH)
        edge = TileEdge()
        edge.append(data[i : i + 32] for i in range(0, len(data), 32))
        return edge.root()
