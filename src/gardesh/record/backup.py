"""A backup of a node that goes on meanwhile: what is new since the last one, as of one size of the log.

Rows are read in one read transaction, so that they are of one state; attachments and keys are copied after it, for they
are files that never change once a document names them. The manifest comes last: a backup that is killed before leaves
the one before in force, and what it had copied already is not copied again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from gardesh.model import checkpoint
from gardesh.model.problem import Problem
from gardesh.model.signer import Signer
from gardesh.record import backup_keys, backup_manifest, schema
from gardesh.record.backup_manifest import IN_THE_CLEAR, KeyFile, Manifest
from gardesh.record.backup_place import Place
from gardesh.record.backup_rows import ATTACHMENTS, Progress, Rows
from gardesh.record.backup_segment import Segment, read
from gardesh.record.blobs import BLOB_BROKEN, NO_SUCH_BLOB, Blobs
from gardesh.record.store import Store


@dataclass(slots=True)
class Made:
    """What a backup did. `number`: the manifest in force; `new`: whether this backup wrote it. `files` and `written`
    count all that was put there, the manifest too."""

    number: int = 0
    new: bool = False
    size: int = 0
    root: str = ""
    documents: int = 0
    attachments: int = 0
    files: int = 0
    written: int = 0
    missing: list[str] = field(default_factory=list)
    keys_changed: int = 0
    """How many files of keys were put in the place of others: keys in them were destroyed."""
    in_the_clear: bool = False
    """Whether the place holds earlier backups in which nothing is sealed; this one does not rest on them."""


def back_up(
    store: Store,
    place: Place,
    *,
    blobs: Blobs,
    keys: Path | None,
    signers: Callable[[], Sequence[Signer]],
    now: int,
    progress: Progress = lambda what, done, total: None,
) -> Made:
    """Bring the backup in `place` up to the record as it is now; when this returns, it is durable.

    Nothing that is there is written over but keys that were changed: so an erasure reaches the backup too. Again with
    nothing new, nothing is written. `store` is one that no other thread uses. `keys`: the folder of the keys, or None to
    leave them out. `signers` is asked only when no checkpoint of this size is stored. Attachments that the node lacks are
    told in `missing`; the next backup looks for them again.

    Raises `record-broken`, `backup-of-another-node`, `backup-of-another-history`, `backup-overtaken`,
    `backup-place-unusable`, `store-unusable`, and `backup-damaged` for a last manifest that is.
    """
    before = backup_manifest.newest(place)
    clear = before is not None and before.manifest.format == IN_THE_CLEAR
    old = before.manifest if before and not clear else None
    number = before.manifest.number + 1 if before else 1
    with store.reading():
        rows = Rows(store, place, old)
        documents, named = rows.documents(progress)
        checkpoints, reads, deliveries = rows.checkpoints(), rows.reads(), rows.deliveries()
        consumers, webhooks = rows.whole(schema.consumers), rows.whole(schema.webhooks)
        packs, settings, counts = rows.packs(), rows.settings(), rows.counts()
        case_keys, last_key = rows.case_keys()
        erased, last_erased = rows.erased()
        change = backup_keys.last_change(store)
        signed = old.checkpoint.encode() if old and old.size == rows.size else rows.checkpoint()
    head = rows.head()
    if not signed:
        signed = checkpoint.sign(head, signers(), now // 1000)
    files = _Files(place, blobs, progress)
    files.copy_attachments(named, old.missing if old else [])
    manifest = Manifest(
        number=number,
        before=before.digest if before and old else "",
        made_at=now,
        origin=head.origin,
        genesis=rows.genesis,
        size=head.size,
        root=head.root.hex(),
        checkpoint=signed.decode(),
        counts=counts,
        documents=documents,
        checkpoints=checkpoints,
        reads=reads,
        deliveries=deliveries,
        consumers=consumers,
        webhooks=webhooks,
        attachments=named,
        packs=packs,
        settings=settings,
        keys=None if keys is None else files.copy_keys(keys),
        missing=sorted(files.missing),
        last_checkpoint=_last(checkpoints, old.last_checkpoint if old else 0),
        last_read=_last(reads, old.last_read if old else 0),
        last_delivery=_last(deliveries, old.last_delivery if old else 0),
        case_keys=case_keys,
        last_key=last_key,
        erased=erased,
        last_erased=last_erased,
    )
    new = old is None or _differ(old, manifest)
    written = backup_manifest.write(place, manifest) if new else 0
    with store.reading():
        changed = backup_keys.carry_out(store, place, change)
    return Made(
        number=manifest.number if new or old is None else old.number,
        new=new,
        size=manifest.size,
        root=manifest.root,
        documents=rows.size - rows.first,
        attachments=files.attachments,
        written=rows.written + files.written + written,
        files=rows.files + files.files + new,
        missing=manifest.missing,
        keys_changed=changed if old is not None else 0,
        in_the_clear=clear,
    )


class _Files:
    """Copies what is a file of the node already."""

    def __init__(self, place: Place, blobs: Blobs, progress: Progress) -> None:
        self.place, self.blobs, self.progress = place, blobs, progress
        self.files = self.written = self.attachments = 0
        self.missing: set[str] = set()

    def copy_attachments(self, named: list[Segment], missing: list[str]) -> None:
        """Those that these segments name, and those that were missing before."""
        for digest in missing:
            self._copy(bytes.fromhex(digest))
        done, total = 0, sum(segment.rows for segment in named)
        for segment in named:
            for digest, _, _ in read(self.place, segment, ATTACHMENTS):
                self._copy(digest)
                done += 1
                self.progress("attachments", done, total)

    def _copy(self, digest: bytes) -> None:
        try:
            put = self.place.put(attachment_name(digest), self.blobs.read(digest))
        except Problem as problem:
            if problem.code not in (NO_SUCH_BLOB, BLOB_BROKEN):
                raise
            self.missing.add(digest.hex())
        else:
            self._count(put)
            self.attachments += put is not None

    def copy_keys(self, folder: Path) -> list[KeyFile]:
        """As they lie there: the private ones are encrypted."""
        found: list[KeyFile] = []
        for path in sorted(folder.glob("*.pem")):
            data = path.read_bytes()
            found.append(KeyFile(path.name, sha256(data).hexdigest(), len(data)))
            self._count(self.place.put(found[-1].name, [data]))
        return found

    def _count(self, put: int | None) -> None:
        self.files += put is not None
        self.written += put or 0


def attachment_name(digest: bytes) -> str:
    """Where an attachment is in a place."""
    name = digest.hex()
    return f"blobs/{name[:2]}/{name[2:]}"


def _last(segments: list[Segment], before: int) -> int:
    return max([before, *(segment.last for segment in segments)])


def _differ(old: Manifest, new: Manifest) -> bool:
    """Whether the new one says anything that the old one does not."""
    grown = new.documents or new.checkpoints or new.case_keys or new.erased or new.reads or new.deliveries
    return bool(grown) or any(
        getattr(old, name) != getattr(new, name)
        for name in ("packs", "settings", "consumers", "webhooks", "keys", "missing")
    )
