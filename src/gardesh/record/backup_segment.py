"""Rows of a table in one file of a backup: compressed, named by its SHA-256, never changed."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from hashlib import sha256
from typing import Any

import msgspec
from sqlalchemy import Table

from gardesh.model.problem import Problem, Wording, define
from gardesh.record.backup_place import Place, whole

DAMAGED = define(
    "backup-damaged",
    422,
    en="The file {file} of the backup is damaged: {reason}.",
    fa="پرونده‌ی {file} از پشتیبان آسیب دیده است: {reason}.",
    hint_en="Look for another copy of the backup; or take an earlier one with --size.",
    hint_fa="رونوشت دیگری از پشتیبان را بیابید، یا پشتیبان پیش‌تری را با ‎--size‎ بگیرید.",
)
ANOTHER_VERSION = define(
    "backup-of-another-version",
    503,
    en="{file} of the backup was written by another version of Gardesh: {reason}.",
    fa="{file} از پشتیبان را نسخه‌ی دیگری از گردش نوشته است: {reason}.",
)
ROWS, BYTES = 4_096, 4 << 20
"""A segment ends after so many rows, or bytes in them: it is held in memory whole."""
Row = tuple[Any, ...]


class Segment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file as the manifest names it. `first` and `last`: the keys of its rows, where they are numbers."""

    table: str
    sha256: str
    size: int
    content: int
    """Its size in bytes before it was compressed."""
    rows: int
    first: int = 0
    last: int = 0

    @property
    def name(self) -> str:
        return f"{self.table}/{self.sha256}"


class _Content(msgspec.Struct, forbid_unknown_fields=True):
    columns: list[str]
    rows: list[list[Any]]


def columns_of(table: Table, *more: str) -> list[str]:
    return [*(str(c.name) for c in table.columns), *more]


class Writer:
    """Puts rows into segments of one table, in the order they come."""

    def __init__(self, place: Place, table: str, columns: Sequence[str]) -> None:
        self.place, self.table, self.columns = place, table, list(columns)
        self.segments: list[Segment] = []
        self.files = self.written = 0
        self._rows: list[Row] = []
        self._bytes = 0

    def add(self, row: Row) -> None:
        self._rows.append(row)
        self._bytes += sum(len(v) for v in row if isinstance(v, (bytes, str)))
        if len(self._rows) >= ROWS or self._bytes >= BYTES:
            self.end()

    def extend(self, rows: Iterable[Row]) -> None:
        for row in rows:
            self.add(row)

    def end(self) -> list[Segment]:
        """Write what is left; all segments, which are durable."""
        if self._rows:
            content = msgspec.msgpack.encode(_Content(self.columns, self._rows))  # type: ignore[arg-type]
            data = zlib.compress(content)
            first, last = self._rows[0][0], self._rows[-1][0]
            numbered = isinstance(first, int)
            made = Segment(
                table=self.table,
                sha256=sha256(data).hexdigest(),
                size=len(data),
                content=len(content),
                rows=len(self._rows),
                first=first if numbered else 0,
                last=last if numbered else 0,
            )
            put = self.place.put(made.name, [data])
            self.files += put is not None
            self.written += put or 0
            self.segments.append(made)
            self._rows, self._bytes = [], 0
        return self.segments


def checked(place: Place, name: str, digest: str, size: int) -> bytes:
    """A file that is held in memory, as the manifest names it. Raises `backup-damaged` and as `Place.get`."""
    data = whole(place, name, size)
    if len(data) < size:
        raise Problem(
            DAMAGED,
            file=name,
            reason=Wording(
                f"it ends after {len(data)} of its {size} bytes",
                f"پس از {len(data)} بایت از {size} بایت پایان می‌یابد",
            ),
        )
    if sha256(data).hexdigest() != digest:
        raise Problem(
            DAMAGED,
            file=name,
            reason=Wording(
                "its bytes are not those that the manifest names", "بایت‌هایش آن نیست که سیاهه نام می‌برد"
            ),
        )
    return data


def read(
    place: Place, segment: Segment, columns: Sequence[str], later: Collection[str] = ()
) -> Iterator[Row]:
    """The rows of a segment, with their values in the order of `columns`; checked against its digest before the first.
    Columns that came `later` are null in segments that were written before.

    Raises `backup-damaged`, `backup-of-another-version`, and as `Place.get`.
    """
    data = checked(place, segment.name, segment.sha256, segment.size)
    try:
        content = zlib.decompressobj().decompress(data, segment.content + 1)
        held = msgspec.msgpack.decode(content, type=_Content)
    except (zlib.error, msgspec.DecodeError) as error:
        raise Problem(DAMAGED, file=segment.name, reason=str(error)) from None
    counted = len(content) == segment.content and len(held.rows) == segment.rows
    if not counted or any(len(r) != len(held.columns) for r in held.rows):
        raise Problem(
            DAMAGED,
            file=segment.name,
            reason=Wording(
                "it does not hold the rows that the manifest counts", "ردیف‌هایش آن نیست که سیاهه می‌شمارد"
            ),
        )
    if absent := [c for c in columns if c not in held.columns and c not in later]:
        reason = f"it has no {', '.join(absent)}"
        raise Problem(ANOTHER_VERSION, file=segment.name, reason=reason)
    order = [held.columns.index(c) if c in held.columns else -1 for c in columns]
    for row in held.rows:
        yield tuple([None if n < 0 else row[n] for n in order])
