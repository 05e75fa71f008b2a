"""What a backup takes from the record: the rows that are new, read in one read transaction and put into segments.

The documents are hashed on the way: the root that the backup is held to is theirs, not what the node's tiles say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sqlalchemy import Table

from gardesh.model import note
from gardesh.model.document import Envelope, signed_part
from gardesh.model.edge import TileEdge
from gardesh.model.entry import entry_hash
from gardesh.model.problem import Problem, define
from gardesh.model.tile import root
from gardesh.model.treehead import TreeHead
from gardesh.record import backup_erased, backup_keys, schema
from gardesh.record.backup_erased import ErasedRange
from gardesh.record.backup_keys import KeyRange
from gardesh.record.backup_manifest import Counts, Manifest
from gardesh.record.backup_place import Place
from gardesh.record.backup_segment import Row, Segment, Writer, columns_of, read
from gardesh.record.log import stored_tiles
from gardesh.record.store import Store

RECORD_BROKEN = define(
    "record-broken",
    500,
    en="Document {position} of the record is not whole: {reason}. No backup was made; the last one is in force.",
    fa="سند {position} از دفتر سالم نیست: {reason}. پشتیبانی گرفته نشد و آخرین پشتیبان معتبر است.",
    hint_en="`gardesh audit` says what else is wrong.",
    hint_fa="«gardesh audit» می‌گوید چه چیز دیگری نادرست است.",
)
OTHER_HISTORY = define(
    "backup-of-another-history",
    409,
    en="The last backup in {place} holds {size} documents, which are not the beginning of this log.",
    fa="آخرین پشتیبان در {place} دارای {size} سند است که آغاز این دفتر نیستند.",
    hint_en="A log that went back has forked. Name another place, and find out which history others have seen.",
    hint_fa="دفتری که به عقب بازگشته دوشاخه شده است. جای دیگری نام ببرید و ببینید دیگران کدام تاریخچه را دیده‌اند.",
)
DOCUMENTS = columns_of(schema.documents, "data", "sealed_under")
ATTACHMENTS = ["digest", "size", "issuer"]
AT, DIGEST, SIGNED = (DOCUMENTS.index(name) for name in ("recorded_at", "digest", "signed"))
RESTORED = "restored"
"""A setting of a record that is being restored (`study/restoration`); it is in no backup."""
PAGE = 200
Progress = Callable[[str, int, int], None]
"""Told of what ("documents", "attachments") how many are done, of how many."""


class Rows:
    """The rows of one state of the record that the manifest `old` does not have. Made and used inside `Store.reading`.

    Segments are durable when a method returns them. Raises `record-broken`, `backup-of-another-node`,
    `backup-of-another-history`, `backup-place-unusable`.
    """

    def __init__(self, store: Store, place: Place, old: Manifest | None) -> None:
        self.store, self.place, self.old = store, place, old
        self.files = self.written = 0
        first = store.one("SELECT digest FROM documents WHERE position = 0")
        if first is None:
            raise Problem(RECORD_BROKEN, position=0, reason="it is missing")
        self.genesis = bytes(first[0]).hex()
        self.origin = (store.setting("origin") or b"").decode()
        self.size = int(store.one("SELECT count(*) FROM documents")[0])
        self.first = old.size if old else 0
        if old is not None:
            old.must_be_of(self.origin, self.genesis)
            if old.size > self.size or root(old.size, stored_tiles(store)).hex() != old.root:
                raise Problem(OTHER_HISTORY, place=place.shown, size=old.size)
        self.edge = TileEdge.load(self.first, stored_tiles(store))

    def documents(self, progress: Progress) -> tuple[list[Segment], list[Segment]]:
        """The documents, and the attachments that they name."""
        documents, named = (
            Writer(self.place, "documents", DOCUMENTS),
            Writer(self.place, "attachments", ATTACHMENTS),
        )
        for row in self._documents():
            documents.add(row)
            paper = _document(row)
            self.edge.append([entry_hash(paper.digest, row[AT])])
            named.extend(
                (bytes.fromhex(each["id"][-64:]), each["size"], paper.issuer) for each in paper.attachments
            )
            progress("documents", row[0] + 1 - self.first, self.size - self.first)
        if root(self.size, stored_tiles(self.store)) != self.edge.root():
            raise Problem(RECORD_BROKEN, position=self.size - 1, reason="the log's tiles have another root")
        return self._ended(documents), self._ended(named)

    def head(self) -> TreeHead:
        """What the checkpoint of this size signs, once `documents` has ended."""
        return TreeHead(self.origin, self.size, self.edge.root())

    def checkpoint(self) -> bytes:
        """The stored checkpoint of this size, if there is one."""
        row = self.store.one("SELECT note FROM checkpoints WHERE size = ?", self.size)
        if row is None:
            return b""
        if TreeHead.parse(note.parse(bytes(row[0])).text) != self.head():
            reason = "the checkpoint of the log signs another root"
            raise Problem(RECORD_BROKEN, position=self.size - 1, reason=reason)
        return bytes(row[0])

    def checkpoints(self) -> list[Segment]:
        """Those that are new; and of the last ones backed up, those that witnesses have cosigned since."""
        writer = Writer(self.place, "checkpoints", columns_of(schema.checkpoints))
        for segment in self.old.checkpoints[-1:] if self.old else []:
            for size, raw in read(self.place, segment, writer.columns):
                row = self.store.one("SELECT size, note FROM checkpoints WHERE size = ?", size)
                if row is not None and bytes(row[1]) != raw:
                    writer.add(_plain(row))
        last = self.old.last_checkpoint if self.old else 0
        writer.extend(self._after(schema.checkpoints, "size", last))
        return self._ended(writer)

    def reads(self) -> list[Segment]:
        writer = Writer(self.place, "reads", columns_of(schema.reads))
        writer.extend(self._after(schema.reads, "id", self.old.last_read if self.old else 0))
        return self._ended(writer)

    def deliveries(self) -> list[Segment]:
        writer = Writer(self.place, "deliveries", columns_of(schema.deliveries))
        writer.extend(self._after(schema.deliveries, "id", self.old.last_delivery if self.old else 0))
        return self._ended(writer)

    def whole(self, table: Table) -> list[Segment]:
        """All rows of a small table, by their keys."""
        writer = Writer(self.place, str(table.name), columns_of(table))
        keys = ", ".join(f'"{c.name}"' for c in table.primary_key.columns)
        writer.extend(self._found(table, f"1 = ? ORDER BY {keys}", 1))
        return self._ended(writer)

    def case_keys(self) -> tuple[list[KeyRange], int]:
        """The keys that are new, and the number of the last one."""
        last = self.old.last_key if self.old else 0
        made, files, written = backup_keys.add(self.store, self.place, last)
        self.files += files
        self.written += written
        return made, made[-1].last if made else last

    def erased(self) -> tuple[list[ErasedRange], int]:
        """What was erased since, and the id of the last row of that."""
        last = self.old.last_erased if self.old else -1
        made, files, written = backup_erased.add(self.store, self.place, last)
        self.files += files
        self.written += written
        return made, made[-1].last if made else last

    def packs(self) -> list[Segment]:
        """All, each in a segment of its own: a pack that is there already is not written again."""
        found: list[Segment] = []
        for (label,) in self.store.rows("SELECT label FROM packs ORDER BY label"):
            writer = Writer(self.place, "packs", columns_of(schema.packs))
            writer.extend(self._found(schema.packs, "label = ?", label))
            found += self._ended(writer)
        return found

    def settings(self) -> list[Segment]:
        writer = Writer(self.place, "settings", columns_of(schema.settings))
        writer.extend(self._found(schema.settings, "name <> ? ORDER BY name", RESTORED))
        return self._ended(writer)

    def counts(self) -> Counts:
        names = ("checkpoints", "reads", "cases", "entries")
        return Counts(*(self.store.one(f"SELECT count(*) FROM {name}")[0] for name in names))  # noqa: S608

    def _documents(self) -> Iterator[Row]:
        columns = ", ".join(f'd."{c.name}"' for c in schema.documents.columns)
        sql = (
            f"SELECT {columns}, x.data, x.key FROM documents d JOIN disclosures x ON x.position = d.position"  # noqa: S608
            f" WHERE d.position >= ? ORDER BY d.position LIMIT {PAGE}"
        )
        first = self.first
        while first < self.size:
            rows = self.store.rows(sql, first)
            for row in rows:
                if row[0] != first:
                    break
                yield _plain(row)
                first += 1
            if not rows or rows[-1][0] != first - 1:
                raise Problem(RECORD_BROKEN, position=first, reason="it is missing")

    def _after(self, table: Table, key: str, last: int) -> Iterator[Row]:
        """Rows after the key `last`, a page at a time."""
        number = [c.name for c in table.columns].index(key)
        while rows := list(self._found(table, f"{key} > ? ORDER BY {key} LIMIT {PAGE}", last)):
            yield from rows
            last = rows[-1][number]

    def _found(self, table: Table, where: str, value: object) -> Iterator[Row]:
        columns = ", ".join(f'"{c}"' for c in columns_of(table))
        return map(_plain, self.store.rows(f"SELECT {columns} FROM {table.name} WHERE {where}", value))  # noqa: S608

    def _ended(self, writer: Writer) -> list[Segment]:
        writer.end()
        self.files += writer.files
        self.written += writer.written
        return writer.segments


def _document(row: Row) -> Envelope:
    """What is signed; nothing that it discloses is looked at, and no key is needed."""
    try:
        paper = signed_part(row[SIGNED])
    except Problem as problem:
        raise Problem(RECORD_BROKEN, position=row[0], reason=problem.sentence("en")) from None
    if paper.digest != row[DIGEST]:
        raise Problem(RECORD_BROKEN, position=row[0], reason="it is not what its digest names")
    return paper


def _plain(row: Row) -> Row:
    return tuple(bytes(v) if isinstance(v, memoryview) else v for v in row)
