"""What decisions have erased, in a backup: in files that end in the SHA-256 of what comes before, named by their rows.

Beside the rows of `erased` they hold what remains of the documents, sealed anew: what earlier segments have of these is
sealed under keys that are destroyed. An older backup needs them too, so they are read whichever backup they came with.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from hashlib import sha256

import msgspec

from gardesh.model.problem import Problem, Wording
from gardesh.record import schema
from gardesh.record.backup_place import Place, whole
from gardesh.record.backup_segment import DAMAGED, Row, columns_of
from gardesh.record.store import Store

FOLDER = "erased/"
MOST, PAGE = 256 << 20, 500
COLUMNS = ", ".join(f'"{name}"' for name in columns_of(schema.erased))
ErasedRow = tuple[int, int, str, str, int | None, bytes]
Remains = tuple[int, bytes, int | None]
_NAME = re.compile(FOLDER + r"(\d{12})-(\d{12})")


class ErasedRange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file, as the manifest names it: the rows of the ids from `first` to `last`."""

    first: int
    last: int

    @property
    def name(self) -> str:
        return f"{FOLDER}{self.first:012}-{self.last:012}"


class _Held(msgspec.Struct, forbid_unknown_fields=True, array_like=True):
    rows: list[ErasedRow]
    remains: list[Remains]
    """(position, data, key) of the documents, as `disclosures` has them."""


def add(store: Store, place: Place, last: int) -> tuple[list[ErasedRange], int, int]:
    """Put the rows after the id `last` there; which files they are, how many were written, and their bytes."""
    made: list[ErasedRange] = []
    files = written = 0
    while rows := _rows(store, last):
        made.append(ErasedRange(rows[0][0], rows[-1][0]))
        data = msgspec.msgpack.encode(_Held(rows, _remains(store, {row[1] for row in rows})))
        put = place.put(made[-1].name, [data, sha256(data).digest()])
        files += put is not None
        written += put or 0
        last = made[-1].last
    return made, files, written


def read(place: Place, named: list[ErasedRange], size: int) -> Iterator[tuple[list[Row], list[Remains]]]:
    """The rows of the first `size` documents and what remains of these, a file at a time, the last word at the end.

    Raises `backup-damaged`, `backup-file-missing` for one of `named`, and as `Place.get`.
    """
    there = {held.name: held for held in (*named, *_files(place))}
    for held in sorted(there.values(), key=lambda h: (h.last, h.first)):
        found = _unpacked(place, held)
        yield [row for row in found.rows if row[1] < size], [r for r in found.remains if r[0] < size]


def _rows(store: Store, last: int) -> list[ErasedRow]:
    sql = f"SELECT {COLUMNS} FROM erased WHERE id > ? ORDER BY id LIMIT {PAGE}"  # noqa: S608
    return [(i, p, case, field, by, bytes(made)) for i, p, case, field, by, made in store.rows(sql, last)]


def _remains(store: Store, positions: set[int]) -> list[Remains]:
    found = []
    for position in sorted(positions):
        data, key = store.one("SELECT data, key FROM disclosures WHERE position = ?", position)
        found.append((position, bytes(data), key))
    return found


def _unpacked(place: Place, held: ErasedRange) -> _Held:
    raw = whole(place, held.name, MOST)
    data, digest = raw[:-32], raw[-32:]
    if sha256(data).digest() != digest:
        raise Problem(
            DAMAGED,
            file=held.name,
            reason=Wording(
                "its bytes are not those that it ends in the digest of", "بایت‌هایش با چکیده‌ی پایانش نمی‌خواند"
            ),
        )
    try:
        found = msgspec.msgpack.decode(data, type=_Held)
    except msgspec.DecodeError as error:
        raise Problem(DAMAGED, file=held.name, reason=str(error)) from None
    if not found.rows or (found.rows[0][0], found.rows[-1][0]) != (held.first, held.last):
        raise Problem(
            DAMAGED,
            file=held.name,
            reason=Wording("it does not hold the rows that its name says", "ردیف‌هایش آن نیست که نامش می‌گوید"),
        )
    return found


def _files(place: Place) -> Iterator[ErasedRange]:
    for name in place.list(FOLDER):
        found = _NAME.fullmatch(name)
        if found is not None:
            yield ErasedRange(int(found[1]), int(found[2]))
