"""Attachments: blobs named by their SHA-256, kept as files, streamed in and out with flat memory.

Beside a blob stands an empty file for each who brought it: nobody names in a document what only others had. What was put
here without an owner, by whoever runs the node, anybody may name.
"""

from __future__ import annotations

import errno
import hashlib
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from gardesh.model.os_reason import of_os
from gardesh.model.problem import Problem, define

BLOB_TOO_LARGE = define(
    "blob-too-large",
    413,
    en="The attachment is larger than the {limit} bytes that are allowed.",
    fa="پیوست از {limit} بایت مجاز بزرگ‌تر است.",
)
NO_SUCH_BLOB = define(
    "no-such-blob",
    404,
    en="There is no attachment {digest} here.",
    fa="پیوستی به شناسه‌ی {digest} در اینجا نیست.",
)
BLOB_BROKEN = define(
    "blob-broken",
    500,
    en="The stored attachment {digest} is not what its name says.",
    fa="پیوست نگه‌داشته‌شده‌ی {digest} آن نیست که نامش می‌گوید.",
)
STORAGE_FULL = define(
    "storage-full",
    507,
    en="The node has no room for this now: {reason}.",
    fa="گره اکنون برای این جا ندارد: {reason}.",
)
ANYBODY = "anybody"
CHUNK = 1 << 20
INCOMING = ".incoming-"
DEFAULT_LIMIT = 8 << 30


class Blobs:
    """Blobs in one folder. `put` is durable when it returns and idempotent: the same bytes are stored once."""

    def __init__(self, folder: Path, limit: int = DEFAULT_LIMIT) -> None:
        self.folder, self.limit = folder, limit

    def _path(self, digest: bytes) -> Path:
        name = digest.hex()
        return self.folder / name[:2] / name[2:]

    def put(self, stream: BinaryIO, owner: str | None = None) -> tuple[bytes, int]:
        """Store what `stream` gives, as brought by `owner`; returns its SHA-256 and its size in bytes.

        Raises `blob-too-large`, `storage-full`.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        seen, size = hashlib.sha256(), 0
        handle, name = tempfile.mkstemp(dir=self.folder, prefix=INCOMING)
        try:
            with os.fdopen(handle, "wb") as out:
                while chunk := stream.read(CHUNK):
                    size += len(chunk)
                    if size > self.limit:
                        raise Problem(BLOB_TOO_LARGE, limit=self.limit)
                    seen.update(chunk)
                    out.write(chunk)
                out.flush()
                os.fsync(out.fileno())
            self._name(name, seen.digest(), owner)
        except OSError as error:
            Path(name).unlink(missing_ok=True)
            raise full(error) from None
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        return seen.digest(), size

    def adopt(self, path: Path, owner: str) -> tuple[bytes, int]:
        """Make a file of this folder, to which nobody writes any more, a blob that `owner` brought: its SHA-256 and its
        size in bytes. Durable when it returns; the file is then gone from where it was. Raises `blob-too-large`, and
        leaves the file."""
        seen, size = hashlib.sha256(), 0
        with path.open("rb") as source:
            while chunk := source.read(CHUNK):
                seen.update(chunk)
                size += len(chunk)
            if size > self.limit:
                raise Problem(BLOB_TOO_LARGE, limit=self.limit)
            os.fsync(source.fileno())
        self._name(str(path), seen.digest(), owner)
        return seen.digest(), size

    def _name(self, written: str, digest: bytes, owner: str | None) -> None:
        place = self._path(digest)
        place.parent.mkdir(mode=0o700, exist_ok=True)
        os.replace(written, place)
        self._mark(digest, owner).touch(mode=0o600)
        _sync(place.parent)
        _sync(self.folder)

    def _mark(self, digest: bytes, owner: str | None) -> Path:
        place = self._path(digest)
        by = ANYBODY if owner is None else hashlib.sha256(owner.encode()).hexdigest()[:32]
        return place.with_name(f"{place.name}.by-{by}")

    def give(self, digest: bytes, owner: str) -> None:
        """Note that `owner` brought this blob too. Durable when it returns."""
        self._mark(digest, owner).touch(mode=0o600)
        _sync(self._path(digest).parent)

    def held_by(self, digest: bytes, owner: str) -> bool:
        """Whether `owner` brought this blob, or whoever runs the node put it here for anybody."""
        return self._mark(digest, owner).exists() or self._mark(digest, None).exists()

    def size_of(self, digest: bytes) -> int | None:
        """The size in bytes of a blob that is here, else None."""
        try:
            return self._path(digest).stat().st_size
        except OSError:
            return None

    def clean(self, older_than: float = 86_400) -> int:
        """Remove what a `put` that was cut off left, if nobody wrote to it for so many seconds; returns how many."""
        gone = 0
        for path in self.folder.glob(f"{INCOMING}*"):
            try:
                if time.time() - path.stat().st_mtime >= older_than:
                    path.unlink()
                    gone += 1
            except OSError:
                continue
        return gone

    def read(self, digest: bytes) -> Iterator[bytes]:
        """The bytes, a piece at a time, checked: the last piece comes only if the whole is what its name says.

        Raises `no-such-blob`, `blob-broken`.
        """
        seen = hashlib.sha256()
        held = b""
        for chunk in self._pieces(digest):
            seen.update(chunk)
            if held:
                yield held
            held = chunk
        if seen.digest() != digest:
            raise Problem(BLOB_BROKEN, digest=digest.hex())
        yield held

    def read_part(self, digest: bytes, first: int, count: int) -> Iterator[bytes]:
        """`count` bytes from `first` on, a piece at a time. Not checked: only the whole shows that it is what its name
        says. Raises `no-such-blob`."""
        return self._pieces(digest, first, count)

    def _pieces(self, digest: bytes, first: int = 0, count: int = sys.maxsize) -> Iterator[bytes]:
        place = self._path(digest)
        if not place.is_file():
            raise Problem(NO_SUCH_BLOB, digest=digest.hex())
        with place.open("rb") as source:
            source.seek(first)
            while count and (chunk := source.read(min(CHUNK, count))):
                count -= len(chunk)
                yield chunk


def full(error: OSError) -> Exception:
    """What the disk said, as a Problem where it is that it is full."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return Problem(STORAGE_FULL, reason=of_os(error))
    return error


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
