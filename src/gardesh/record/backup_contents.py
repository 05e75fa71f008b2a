"""What a backup holds, read back: rows in order, attachments and keys; every file is checked before it is believed."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256

from gardesh.model.problem import Problem, Wording
from gardesh.record import backup_erased, backup_keys, backup_manifest, schema
from gardesh.record.backup import attachment_name
from gardesh.record.backup_erased import Remains
from gardesh.record.backup_manifest import NO_BACKUP, Manifest
from gardesh.record.backup_place import Place
from gardesh.record.backup_rows import ATTACHMENTS, DOCUMENTS
from gardesh.record.backup_segment import DAMAGED, Row, checked, columns_of, read


class Contents:
    """One backup in a place. Nothing is held in memory but the names of its segments.

    Everything it gives raises `backup-damaged`, `backup-file-missing`, `backup-place-unusable`,
    `backup-of-another-version`.
    """

    def __init__(self, place: Place, manifest: Manifest, newest: int) -> None:
        """`newest`: the largest log that the place is known to have a backup of."""
        self.place, self.manifest, self.newest = place, manifest, newest
        self.chain = backup_manifest.chain(place, manifest)

    @property
    def older(self) -> bool:
        """Whether the place itself has a backup of a larger log."""
        return self.manifest.size < self.newest

    def documents(self) -> Iterator[tuple[Row, bytes, int | None]]:
        """Rows of `documents` in log order, each with its disclosures and the number of the key they are sealed under."""
        for manifest in self.chain:
            for segment in manifest.documents:
                for row in read(self.place, segment, DOCUMENTS, later=("sealed_under",)):
                    yield row[:-2], row[-2], row[-1]

    def case_keys(self) -> Iterator[Row]:
        named = [held for manifest in self.chain for held in manifest.case_keys]
        later = {key for _, remains in self.erased() for _, _, key in remains if key is not None}
        return backup_keys.read(self.place, named, self.manifest.last_key, self.manifest.size, later)

    def erased(self) -> Iterator[tuple[list[Row], list[Remains]]]:
        """What of the documents was erased, also since this backup, and what remains of them."""
        named = [held for manifest in self.chain for held in manifest.erased]
        return backup_erased.read(self.place, named, self.manifest.size)

    def checkpoints(self) -> Iterator[Row]:
        """A later row of the same size stands in place of an earlier one."""
        return self._rows("checkpoints", columns_of(schema.checkpoints))

    def reads(self) -> Iterator[Row]:
        return self._rows("reads", columns_of(schema.reads))

    def deliveries(self) -> Iterator[Row]:
        return self._rows("deliveries", columns_of(schema.deliveries))

    def consumers(self) -> Iterator[Row]:
        for segment in self.manifest.consumers:
            yield from read(self.place, segment, columns_of(schema.consumers))

    def webhooks(self) -> Iterator[Row]:
        for segment in self.manifest.webhooks:
            yield from read(self.place, segment, columns_of(schema.webhooks))

    def packs(self) -> Iterator[Row]:
        for segment in self.manifest.packs:
            yield from read(self.place, segment, columns_of(schema.packs))

    def settings(self) -> dict[str, bytes]:
        rows = (
            row for s in self.manifest.settings for row in read(self.place, s, columns_of(schema.settings))
        )
        return dict(rows)

    def attachments(self) -> Iterator[tuple[bytes, int, str]]:
        """(digest, size, who named it) of each attachment that a document names, and that is in the backup; some more than
        once."""
        missing = {bytes.fromhex(digest) for digest in self.manifest.missing}
        for digest, size, issuer in self._rows("attachments", ATTACHMENTS):
            if digest not in missing:
                yield digest, size, issuer

    def attachment(self, digest: bytes, size: int) -> Iterator[bytes]:
        """The bytes of an attachment; it raises at their end where they are not what its digest says."""
        name, seen, count = attachment_name(digest), sha256(), 0
        for piece in self.place.get(name):
            seen.update(piece)
            count += len(piece)
            yield piece
        if count < size:
            raise Problem(
                DAMAGED,
                file=name,
                reason=Wording(
                    f"it ends after {count} of its {size} bytes",
                    f"پس از {count} بایت از {size} بایت پایان می‌یابد",
                ),
            )
        if seen.digest() != digest:
            raise Problem(
                DAMAGED,
                file=name,
                reason=Wording("its bytes are not those that its name says", "بایت‌هایش با نامش نمی‌خواند"),
            )

    def key_files(self) -> Iterator[tuple[str, bytes]]:
        """The files of the folder of keys, by name."""
        for key in self.manifest.keys or []:
            if "/" in key.file or not key.file.endswith(".pem"):
                raise Problem(
                    DAMAGED,
                    file=self.manifest.file,
                    reason=Wording(f"it names the key {key.file}", f"کلید {key.file} را نام می‌برد"),
                )
            yield key.file, checked(self.place, key.name, key.sha256, key.size)

    def _rows(self, table: str, columns: list[str]) -> Iterator[Row]:
        for manifest in self.chain:
            for segment in getattr(manifest, table):
                yield from read(self.place, segment, columns)


def opened(place: Place, size: int | None = None) -> Contents:
    """The backup in force, or the newest one of a log of `size` documents.

    Raises `no-backup-here`, `no-backup-of-this-size`, `backup-of-another-node`, `backup-damaged`. When the newest manifest is
    damaged, no earlier one is taken unless `size` names it.
    """
    if size is None:
        found = backup_manifest.newest(place)
        if found is None:
            raise Problem(NO_BACKUP, place=place.shown)
        return Contents(place, found.manifest, found.manifest.size)
    manifest = backup_manifest.of_size(place, size)
    return Contents(place, manifest, backup_manifest.largest(place))
