"""Manifests: each says what one backup holds, and names the one before it. The highest number is in force.

A manifest is a JSON object, a newline, and the SHA-256 of the object in hex. Segments of rows that only ever grow in
number are named by the first manifest that has them; whatever else there is, by each.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256

import msgspec

from gardesh.model.problem import Problem, Wording, define
from gardesh.record.backup_erased import ErasedRange
from gardesh.record.backup_keys import KeyRange
from gardesh.record.backup_place import FILE_MISSING, Place, whole
from gardesh.record.backup_segment import ANOTHER_VERSION, DAMAGED, Segment

NO_BACKUP = define(
    "no-backup-here",
    404,
    en="There is no backup in {place}.",
    fa="در {place} پشتیبانی نیست.",
)
NO_BACKUP_OF_SIZE = define(
    "no-backup-of-this-size",
    404,
    en="No backup is of a log of {size} documents; there are those of {sizes}.",
    fa="هیچ پشتیبانی از دفتری با {size} سند نیست؛ پشتیبان‌های موجود از این اندازه‌ها هستند: {sizes}.",
)
ANOTHER_NODE = define(
    "backup-of-another-node",
    409,
    en="{file} is of the node {found}, not of {expected}.",
    fa="{file} از آن گره {found} است، نه {expected}.",
    hint_en="Each node has a place of its own for its backups.",
    hint_fa="هر گره برای پشتیبان‌های خود جایی جداگانه دارد.",
)
OVERTAKEN = define(
    "backup-overtaken",
    409,
    en="Another backup to {place} was finished meanwhile; that one is in force.",
    fa="در این میان پشتیبان دیگری در {place} به پایان رسید و همان معتبر است.",
)
FORMAT = "gardesh-backup/2"
IN_THE_CLEAR = "gardesh-backup/1"
"""The format before: it holds contents in the clear, and is read but not added to."""
FOLDER = "manifests/"
MOST = 256 << 20
TOLD = 20


class KeyFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of keys, as it lay in the folder of keys: public keys, and private ones under their passphrase."""

    file: str
    sha256: str
    size: int

    @property
    def name(self) -> str:
        return f"keys/{self.sha256}"


class Counts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the node itself counted, its views included: for the comparison after a restore."""

    checkpoints: int
    reads: int
    cases: int
    entries: int


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One backup: the record at one size of its log.

    `documents`, `checkpoints`, `reads`, `deliveries`, `attachments`, `case_keys` and `erased` name what came since the manifest before;
    `packs`, `settings`, `consumers`, `webhooks` and `keys` all that there is. `missing`: attachments
    that documents name and the node did not have.
    """

    format: str = FORMAT
    number: int
    before: str
    made_at: int
    origin: str
    genesis: str
    size: int
    root: str
    checkpoint: str
    counts: Counts
    documents: list[Segment]
    checkpoints: list[Segment]
    reads: list[Segment]
    deliveries: list[Segment]
    attachments: list[Segment]
    packs: list[Segment]
    settings: list[Segment]
    consumers: list[Segment]
    webhooks: list[Segment]
    keys: list[KeyFile] | None
    missing: list[str]
    last_checkpoint: int
    last_read: int
    last_delivery: int
    case_keys: list[KeyRange] = []
    last_key: int = 0
    erased: list[ErasedRange] = []
    last_erased: int = -1

    @property
    def file(self) -> str:
        return file_of(self.number)

    def must_be_of(self, origin: str, genesis: str) -> None:
        """Raises `backup-of-another-node`, unless it is of the node of this log and first document."""
        if (self.origin, self.genesis) != (origin, genesis):
            found, expected = f"{self.origin} ({self.genesis[:16]})", f"{origin} ({genesis[:16]})"
            raise Problem(ANOTHER_NODE, file=self.file, found=found, expected=expected)


@dataclass(frozen=True, slots=True)
class Named:
    """A manifest, with the digest that the next one names it by."""

    manifest: Manifest
    digest: str


def file_of(number: int) -> str:
    return f"{FOLDER}{number:09d}.json"


def write(place: Place, manifest: Manifest) -> int:
    """Put the manifest in force; how many bytes it has. Raises `backup-overtaken`, `backup-place-unusable`."""
    raw = msgspec.json.format(msgspec.json.encode(manifest), indent=1)
    put = place.put(manifest.file, [raw, b"\n", sha256(raw).hexdigest().encode(), b"\n"])
    if put is None:
        raise Problem(OVERTAKEN, place=place.shown)
    return put


def read(place: Place, number: int) -> Named:
    """Raises `backup-damaged`, `backup-of-another-version`, and as `Place.get`."""
    name = file_of(number)
    data = whole(place, name, MOST)
    raw, digest = data[:-66], data[-66:]
    if digest != b"\n" + sha256(raw).hexdigest().encode() + b"\n":
        raise Problem(
            DAMAGED,
            file=name,
            reason=Wording(
                "it is cut short, or not what its last line says",
                "ناتمام است، یا آن نیست که سطر پایانی‌اش می‌گوید",
            ),
        )
    try:
        found = msgspec.json.decode(raw, type=Manifest)
    except msgspec.DecodeError as error:
        raise Problem(ANOTHER_VERSION, file=name, reason=str(error)) from None
    if found.format not in (FORMAT, IN_THE_CLEAR):
        raise Problem(ANOTHER_VERSION, file=name, reason=found.format)
    if found.number != number:
        raise Problem(
            DAMAGED,
            file=name,
            reason=Wording(f"it is the manifest {found.number}", f"سیاهه‌ی شماره‌ی {found.number} است"),
        )
    return Named(found, sha256(raw).hexdigest())


def numbers(place: Place) -> list[int]:
    """The numbers of all manifests, in order."""
    names = (name[len(FOLDER) :].partition(".") for name in place.list(FOLDER))
    return sorted(int(n) for n, _, kind in names if kind == "json" and n.isascii() and n.isdecimal())


def newest(place: Place) -> Named | None:
    """The manifest in force, if there is one. Raises as `read`: no earlier one stands in for it."""
    found = numbers(place)
    return read(place, found[-1]) if found else None


def of_size(place: Place, size: int) -> Manifest:
    """The newest manifest of a log of so many documents, whatever has become of other manifests.

    Raises `no-backup-of-this-size`, `no-backup-here`.
    """
    sizes: list[int] = []
    for manifest in readable(place):
        if manifest.size == size:
            return manifest
        if manifest.size not in sizes:
            sizes.append(manifest.size)
    if not sizes:
        raise Problem(NO_BACKUP, place=place.shown)
    told = ", ".join(map(str, sizes[:TOLD])) + (", …" if len(sizes) > TOLD else "")
    raise Problem(NO_BACKUP_OF_SIZE, size=size, sizes=told)


def readable(place: Place) -> Iterator[Manifest]:
    """The manifests that can be read, the newest first."""
    for number in reversed(numbers(place)):
        try:
            yield read(place, number).manifest
        except Problem as problem:
            if problem.code not in (DAMAGED, FILE_MISSING, ANOTHER_VERSION):
                raise


def largest(place: Place) -> int:
    """The size of the largest log that the place is known to have a backup of: what others may have seen of it."""
    return next((m.size for m in readable(place)), 0)


def chain(place: Place, last: Manifest) -> list[Manifest]:
    """The manifests that it rests on, the first of all first, and itself: one history of one node without a gap.

    Raises `backup-of-another-node`, `backup-damaged`, and as `read`.
    """
    made = [last, *_before(place, last)][::-1]
    documents = 0
    for manifest in made:
        for segment in manifest.documents:
            if segment.first != documents or segment.last - segment.first + 1 != segment.rows:
                reason = Wording(f"it names no document {documents}", f"سند {documents} را نام نمی‌برد")
                raise Problem(DAMAGED, file=manifest.file, reason=reason)
            documents += segment.rows
        if documents != manifest.size:
            raise Problem(
                DAMAGED,
                file=manifest.file,
                reason=Wording(f"it names {documents} documents", f"{documents} سند نام می‌برد"),
            )
    return made


def _before(place: Place, manifest: Manifest) -> Iterator[Manifest]:
    while manifest.before:
        found = read(place, manifest.number - 1)
        found.manifest.must_be_of(manifest.origin, manifest.genesis)
        if found.digest != manifest.before:
            reason = Wording(
                "it is not the one that the next manifest names", "آن نیست که سیاهه‌ی بعدی نام می‌برد"
            )
            raise Problem(DAMAGED, file=found.manifest.file, reason=reason)
        manifest = found.manifest
        yield manifest
