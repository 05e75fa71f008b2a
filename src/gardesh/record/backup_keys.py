"""Keys of cases in a backup: in files apart from the segments, for these alone are ever replaced.

A segment never changes, so what was sealed stays in it; but a key that the node has destroyed is taken out of its
file here too. A file is named by the numbers of its keys and ends in the SHA-256 of what comes before.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Set
from hashlib import sha256

import msgspec

from gardesh.model.problem import Problem, Wording
from gardesh.record.backup_place import FILE_MISSING, Place, whole
from gardesh.record.backup_segment import DAMAGED, Row
from gardesh.record.store import Store

FOLDER = "case-keys/"
CHANGES = "case-keys.json"
"""The last change of keys that was carried out in the place."""
MOST, PAGE = 8 << 20, 4_096
COLUMNS = "number, case_id, position, wrapped"
_NAME = re.compile(FOLDER + r"(\d{12})-(\d{12})")


class KeyRange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of keys, as the manifest names it: the keys of the numbers from `first` to `last`."""

    first: int
    last: int

    @property
    def name(self) -> str:
        return f"{FOLDER}{self.first:012}-{self.last:012}"


class _Change(msgspec.Struct, forbid_unknown_fields=True):
    change: int


def add(store: Store, place: Place, last: int) -> tuple[list[KeyRange], int, int]:
    """Put the keys after the number `last` there; which files they are, how many were written, and their bytes."""
    made: list[KeyRange] = []
    files = written = 0
    while rows := _rows(store, last + 1, last + PAGE):
        made.append(KeyRange(rows[0][0], rows[-1][0]))
        put = place.put(made[-1].name, [_packed(rows)])
        files += put is not None
        written += put or 0
        last = made[-1].last
    return made, files, written


def last_change(store: Store) -> int:
    return int(store.one("SELECT coalesce(max(change), 0) FROM key_changes")[0])


def carry_out(store: Store, place: Place, change: int) -> int:
    """Put the files of keys that were changed in the place of the old ones; how many. When this returns, what was
    destroyed up to that change is not in the place any more.

    After the manifest, which has what takes the place of what was sealed under them; and not at all when more was
    changed since, for of that it has nothing: the next backup does it.
    """
    done = _carried_out(place)
    if change in (0, done) or change != last_change(store):
        return 0
    found = {n for (n,) in store.rows("SELECT number FROM key_changes WHERE change > ?", done)}
    count = 0
    for held in sorted(_files(place), key=lambda h: h.first):
        if any(held.first <= n <= held.last for n in found):
            place.replace(held.name, [_packed(_rows(store, held.first, held.last))])
            count += 1
    place.replace(CHANGES, [msgspec.json.encode(_Change(change))])
    return count


def read(place: Place, named: list[KeyRange], last: int, size: int, later: Set[int]) -> Iterator[Row]:
    """The keys up to the number `last`, and the `later` ones and those of the first `size` documents alone, whichever backup
    they came with.

    Raises `backup-damaged`, `backup-file-missing` for one of `named`, and as `Place.get`.
    """
    there = {held.name: held for held in _files(place)}
    seen: set[int] = set()
    for held in (*named, *(there[n] for n in sorted(there.keys() - {k.name for k in named}))):
        for row in _unpacked(place, held):
            wanted = row[0] <= last or row[0] in later or (row[2] is not None and row[2] < size)
            if wanted and row[0] not in seen:
                seen.add(row[0])
                yield row


def _rows(store: Store, first: int, last: int) -> list[Row]:
    rows = store.rows(
        f"SELECT {COLUMNS} FROM case_keys WHERE number BETWEEN ? AND ? ORDER BY number",  # noqa: S608
        first,
        last,
    )
    return [(number, case_id, position, bytes(wrapped)) for number, case_id, position, wrapped in rows]


def _packed(rows: list[Row]) -> bytes:
    data = msgspec.msgpack.encode(rows)
    return data + sha256(data).digest()


def _unpacked(place: Place, held: KeyRange) -> list[Row]:
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
        rows = msgspec.msgpack.decode(data, type=list[tuple[int, str, int | None, bytes]])
    except msgspec.DecodeError as error:
        raise Problem(DAMAGED, file=held.name, reason=str(error)) from None
    if [row[0] for row in rows] != list(range(held.first, held.last + 1)):
        raise Problem(
            DAMAGED,
            file=held.name,
            reason=Wording("it does not hold the keys that its name says", "کلیدهایش آن نیست که نامش می‌گوید"),
        )
    return list(rows)


def _files(place: Place) -> Iterator[KeyRange]:
    for name in place.list(FOLDER):
        found = _NAME.fullmatch(name)
        if found is not None:
            yield KeyRange(int(found[1]), int(found[2]))


def _carried_out(place: Place) -> int:
    try:
        raw = whole(place, CHANGES, 100)
    except Problem as problem:
        if problem.code == FILE_MISSING:
            return 0
        raise
    try:
        return msgspec.json.decode(raw, type=_Change).change
    except msgspec.DecodeError:
        return -1
