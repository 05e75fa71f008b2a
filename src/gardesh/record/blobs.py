"""Attachments: blobs named by their SHA-256, kept as files, streamed in and out with flat memory."""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

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

    def put(self, stream: BinaryIO) -> tuple[bytes, int]:
        """Store what `stream` gives; returns its SHA-256 and its size in bytes. Raises `blob-too-large`."""
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
            self._name(name, seen.digest())
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        return seen.digest(), size

    def adopt(self, path: Path) -> tuple[bytes, int]:
        """Make a file of this folder a blob: its SHA-256 and its size in bytes. Durable when it returns; the file is then
        gone from where it was. Raises `blob-too-large`, and leaves the file."""
        seen, size = hashlib.sha256(), 0
        with path.open("rb") as source:
            while chunk := source.read(CHUNK):
                seen.update(chunk)
                size += len(chunk)
            if size > self.limit:
                raise Problem(BLOB_TOO_LARGE, limit=self.limit)
            os.fsync(source.fileno())
        self._name(str(path), seen.digest())
        return seen.digest(), size

    def _name(self, written: str, digest: bytes) -> None:
        place = self._path(digest)
        place.parent.mkdir(mode=0o700, exist_ok=True)
        os.replace(written, place)
        _sync(place.parent)
        _sync(self.folder)

    def size_of(self, digest: bytes) -> int | None:
        """The size in bytes of a blob that is here, else None."""
        try:
            return self._path(digest).stat().st_size
        except OSError:
            return None

    def clean(self, older_than: float = 86_400) -> int:
        """Remove what interrupted uploads left, if nobody wrote to it for so many seconds; returns how many."""
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
        place = self._path(digest)
        if not place.is_file():
            raise Problem(NO_SUCH_BLOB, digest=digest.hex())
        seen = hashlib.sha256()
        held = b""
        with place.open("rb") as source:
            while chunk := source.read(CHUNK):
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
        place = self._path(digest)
        if not place.is_file():
            raise Problem(NO_SUCH_BLOB, digest=digest.hex())
        with place.open("rb") as source:
            source.seek(first)
            while count and (chunk := source.read(min(CHUNK, count))):
                count -= len(chunk)
                yield chunk


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
