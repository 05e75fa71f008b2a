"""The record as it is studied: rows of documents with their disclosures, and checkpoints, in order, a page at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

from gardesh.record import schema
from gardesh.record.store import Store

Row = tuple[Any, ...]
"""A row of `documents`, in the order of its columns."""
DIGEST = list(schema.documents.columns.keys()).index("digest")


def stored_documents(store: Store, first: int = 0, size: int = 1_000) -> Iterator[tuple[int, int, bytes]]:
    """(position, recorded_at, document) in log order, read a page at a time."""
    while True:
        rows = store.rows(
            "SELECT d.position, d.recorded_at, d.digest, d.signed, x.data, x.key FROM documents d JOIN disclosures x"
            " ON x.position = d.position WHERE d.position >= ? ORDER BY d.position LIMIT ?",
            first,
            size,
        )
        if not rows:
            return
        for position, at, digest, signed, data, key in rows:
            yield position, at, bytes(signed) + store.tail(position, digest, data, key)
        first = rows[-1][0] + 1


def stored_rows(store: Store, first: int = 0, size: int = 1_000) -> Iterator[tuple[Row, bytes]]:
    """Each row of `documents` from position `first` on with its disclosures, in log order."""
    columns = ", ".join(f'd."{c.name}"' for c in schema.documents.columns)
    sql = (
        f"SELECT {columns}, x.data, x.key FROM documents d JOIN disclosures x ON x.position = d.position"  # noqa: S608
        " WHERE d.position >= ? ORDER BY d.position LIMIT ?"
    )
    while rows := store.rows(sql, first, size):
        for *raw, data, key in rows:
            row: Row = tuple(bytes(v) if isinstance(v, memoryview) else v for v in raw)
            yield row, store.tail(row[0], row[DIGEST], data, key)
        first = rows[-1][0] + 1


def stored_notes(store: Store, first: int = 0, size: int = 1_000) -> Iterator[tuple[int, bytes]]:
    """The stored checkpoints by the size of the log that they sign, from size `first` on."""
    while rows := store.rows(
        "SELECT size, note FROM checkpoints WHERE size >= ? ORDER BY size LIMIT ?", first, size
    ):
        for number, raw in rows:
            yield number, bytes(raw)
        first = rows[-1][0] + 1


ERASED = ", ".join(f'"{c.name}"' for c in schema.erased.columns)


class Record(Protocol):
    """What is replayed: the documents of one node in log order, from wherever they are."""

    def rows(self, first: int = 0) -> Iterator[tuple[Row, bytes]]:
        """Each row of `documents` from position `first` on, with its disclosures."""

    def notes(self, first: int = 0) -> Iterator[tuple[int, bytes]]:
        """The stored checkpoints by the size of the log that they sign, from size `first` on."""

    def erased(self) -> Iterator[Row]:
        """The rows of `erased`."""

    @property
    def older(self) -> bool:
        """Whether decisions that came after this record have erased of it."""

    def setting(self, name: str) -> bytes | None: ...


class Stored:
    """The record in a store."""

    def __init__(self, store: Store, older: bool = False) -> None:
        self.store, self.older = store, older

    def erased(self) -> Iterator[Row]:
        return self.store.each(f"SELECT {ERASED} FROM erased ORDER BY id")  # noqa: S608

    def rows(self, first: int = 0) -> Iterator[tuple[Row, bytes]]:
        return stored_rows(self.store, first)

    def notes(self, first: int = 0) -> Iterator[tuple[int, bytes]]:
        return stored_notes(self.store, first)

    def setting(self, name: str) -> bytes | None:
        return self.store.setting(name)
