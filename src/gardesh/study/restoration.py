"""A node made again from a backup: its documents are replayed into an empty record, as an audit does it.

So nothing is restored that the documents do not make: each is accepted again at its time and place, the views come of
that, and the root has to be the one that the backup's checkpoint signs. The record is written in one transaction. The
folder is not a node until the last step names the record in it; whatever ends the work before leaves none, and the
next restore begins anew.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, cast

from sqlalchemy import Table

from gardesh.model import note
from gardesh.model.document import parse
from gardesh.model.problem import Problem, define
from gardesh.model.treehead import TreeHead
from gardesh.node import ALREADY_A_NODE, begun
from gardesh.record import folder, schema
from gardesh.record.backup_contents import Contents
from gardesh.record.backup_rows import RESTORED, Progress
from gardesh.record.backup_segment import DAMAGED
from gardesh.record.blobs import Blobs
from gardesh.record.database import first_line
from gardesh.record.node_folder import BLOBS, KEYS, RECORD
from gardesh.record.sealing import RecordKey, RecordKeys, Sealing
from gardesh.record.store import Store
from gardesh.study.audit import Auditor
from gardesh.study.record import DIGEST, Record, Row, stored_notes
from gardesh.study.restored_folder import Site

NOT_ITS_ROOT = define(
    "backup-not-its-root",
    422,
    en="The documents of the backup have the root {found}; its manifest says {expected}, or its checkpoint signs another.",
    fa="ریشه‌ی اسناد پشتیبان {found} است؛ فهرست آن {expected} می‌گوید، یا نقطه‌ی وارسی آن ریشه‌ی دیگری را امضا کرده است.",
)
AT_ONCE = 200
ANY = 1 << 62
"""However large attachments may be: they were accepted once."""


@dataclass(slots=True)
class Restored:
    """What was restored. `missing`: attachments that the node itself did not have when it was backed up."""

    number: int
    size: int
    root: str
    made_at: int
    newest: int
    """The size of the largest log that the place is known to have a backup of."""
    cases: int = 0
    entries: int = 0
    checkpoints: int = 0
    reads: int = 0
    attachments: int = 0
    bytes: int = 0
    keys: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    @property
    def older(self) -> bool:
        return self.size < self.newest


def restore(
    contents: Contents,
    home: Path,
    url: str | None = None,
    progress: Progress = lambda what, done, total: None,
    *,
    record_keys: Callable[[Path], Sequence[RecordKey]],
) -> Restored:
    """Make the node of a backup in the empty folder `home`; its record in the PostgreSQL database `url`, if that is given.

    What is sealed stays as it is, under the same keys. `record_keys`: asked with the folder of the keys that were in the
    backup, when contents have to be read.
    Durable when it returns. If it raises, or ends in any other way, there is no node, and it can be done again.
    Raises `home-not-empty`, `restore-busy`, `already-a-node` for a database that has one, `backup-damaged`, `backup-file-missing`,
    `backup-not-its-root`, `audit-differs`, `store-unusable`, `record-locked`.
    """
    manifest = contents.manifest
    made = Restored(manifest.number, manifest.size, manifest.root, manifest.made_at, contents.newest)
    with Site(home) as site:
        _restore_attachments(contents, Blobs(site.work / BLOBS, ANY), made, progress)
        for name, data in contents.key_files():
            site.write(f"{KEYS}/{name}", data)
            made.keys.append(name.removesuffix(".pem"))
        store = Store(url or str(site.work / RECORD), create=True)
        store.sealing = Given(store, lambda: record_keys(site.work / KEYS))
        try:
            _restore_record(contents, store, progress, shared=url is not None)
            for count in ("cases", "entries", "checkpoints", "reads"):
                setattr(made, count, store.one(f"SELECT count(*) FROM {count}")[0])  # noqa: S608
            if url is None:
                store.run("PRAGMA wal_checkpoint(TRUNCATE)")
                store.close()
            site.finish(url)
            if url is not None:
                _unmark(store)
        finally:
            store.close()
    return made


def _restore_record(contents: Contents, store: Store, progress: Progress, *, shared: bool) -> None:
    """All rows, in one transaction. A database keeps a mark until the folder names it: by that, the next restore of this
    backup knows what an interrupted one has finished there."""
    mark = f"{contents.manifest.number} {contents.manifest.root}".encode()
    if begun(store):
        if store.setting(RESTORED) != mark:
            raise Problem(ALREADY_A_NODE, url=store.url)
        return
    try:
        with store.writing():
            _fill(contents, store, progress)
            if shared:
                store.set(RESTORED, mark)
    except store.database.errors as error:  # what the store could not do, it has said as a Problem
        raise Problem(DAMAGED, file=contents.manifest.file, reason=first_line(error)) from error


def _unmark(store: Store) -> None:
    with suppress(Problem), store.writing():  # the node is made; the mark does no harm
        store.remove(schema.settings, [(RESTORED,)])


def _fill(contents: Contents, store: Store, progress: Progress) -> None:
    manifest = contents.manifest
    kept = (
        schema.packs,
        schema.checkpoints,
        schema.reads,
        schema.settings,
        schema.consumers,
        schema.webhooks,
        schema.case_keys,
        schema.erased,
    )
    for table in (*kept, schema.deliveries):
        store.run(f"DELETE FROM {table.name}")  # noqa: S608 (what a node left that was never made)
    _add(store, schema.packs, contents.packs())
    _add(store, schema.checkpoints, contents.checkpoints())
    sql = "INSERT INTO checkpoints (size, note) VALUES (?, ?) ON CONFLICT (size) DO NOTHING"
    store.run(sql, manifest.size, manifest.checkpoint.encode())
    _add(store, schema.case_keys, contents.case_keys())
    source = Source(contents, store)
    auditor = Auditor(source, folder.stored(store), clock_of(source), store)
    found = auditor.run_within(lambda done: progress("documents", done, manifest.size))
    if source.problem is not None:
        raise source.problem
    if not found.whole:
        raise found.problems[0]
    signed = TreeHead.parse(note.parse(manifest.checkpoint.encode()).text)
    made = TreeHead(manifest.origin, found.documents, bytes.fromhex(found.root))
    if signed != made or (manifest.size, manifest.root) != (made.size, found.root):
        raise Problem(NOT_ITS_ROOT, found=found.root, expected=manifest.root)
    _add(store, schema.reads, contents.reads())
    store.database.number_on("reads", "id")
    _add(store, schema.deliveries, contents.deliveries())
    store.database.number_on("deliveries", "id")
    _add(store, schema.consumers, contents.consumers())
    _add(store, schema.webhooks, contents.webhooks())
    _add(store, schema.settings, source.settings.items())


def _add(store: Store, table: Table, rows: Iterable[Row]) -> None:
    """So many at a time, each time until the database has them."""
    left = iter(rows)
    while some := list(islice(left, AT_ONCE)):
        store.add(table, some, replace=True)
        store.one("SELECT 1")


def clock_of(record: Record) -> str:
    """The name of the node's clock, which the genesis says; empty for what says none, which no audit accepts."""
    for row, data in record.rows():
        said = parse(row[-1] + data).subject.get("clock")
        return str(said.get("org")) if isinstance(said, dict) else ""
    return ""


class Given(Sealing):
    """Seals nothing: what is stored of a document is what the backup has."""

    def __init__(self, store: Store, keys: RecordKeys) -> None:
        super().__init__(store, keys)
        self.given: dict[int, tuple[int | None, bytes]] = {}

    def seal(self, case_id: str, position: int, *_: Any, **__: Any) -> tuple[int | None, bytes]:
        return self.given.pop(position)


class Source:
    """The record of a backup, to be replayed; its checkpoints are read from the store that they were put in."""

    def __init__(self, contents: Contents, store: Store) -> None:
        self.contents, self.store = contents, store
        self.settings = contents.settings()
        self.older = contents.older
        self.remains: dict[int, tuple[bytes, int | None]] = {}
        """What remains of documents of which something was erased since their segment was written."""
        self.problem: Problem | None = None
        """What is wrong with the backup itself, once that was met."""

    def rows(self, first: int = 0) -> Iterator[tuple[Row, bytes]]:
        try:
            for row, data, key in self.contents.documents():
                if row[0] < first:
                    continue
                data, key = self.remains.get(row[0], (data, key))
                sealing = self.store.sealing
                if isinstance(sealing, Given):
                    sealing.given[row[0]] = (key, data)
                yield row, self.store.tail(row[0], row[DIGEST], data, key)
        except Problem as problem:
            self.problem = problem
            raise

    def notes(self, first: int = 0) -> Iterator[tuple[int, bytes]]:
        return stored_notes(self.store, first)

    def erased(self) -> Iterator[Row]:
        try:
            for rows, remains in self.contents.erased():
                self.remains.update((position, (data, key)) for position, data, key in remains)
                yield from rows
        except Problem as problem:
            self.problem = problem
            raise

    def setting(self, name: str) -> bytes | None:
        return self.settings.get(name)


def _restore_attachments(contents: Contents, blobs: Blobs, made: Restored, progress: Progress) -> None:
    made.missing = list(contents.manifest.missing)
    total = sum(s.rows for m in contents.chain for s in m.attachments)
    for done, (digest, size, issuer) in enumerate(contents.attachments(), 1):
        if blobs.size_of(digest) != size:
            found, count = blobs.put(cast(BinaryIO, Pieces(contents.attachment(digest, size))), issuer)
            assert found == digest
            made.attachments += 1
            made.bytes += count
        elif not blobs.held_by(digest, issuer):
            blobs.give(digest, issuer)
        progress("attachments", done, total)


class Pieces(io.RawIOBase):
    """Pieces of bytes, read as a stream."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self.pieces, self.rest = pieces, memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        while not self.rest:
            piece = next(self.pieces, None)
            if piece is None:
                return 0
            self.rest = memoryview(piece)
        count = min(len(buffer), len(self.rest))
        buffer[:count] = self.rest[:count]
        self.rest = self.rest[count:]
        return count
