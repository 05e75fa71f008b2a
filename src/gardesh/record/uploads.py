"""Uploads under way: files that grow beside the blobs, each of one owner, until they are whole.

What was acknowledged is durable: an upload goes on after a crash where its file ends. One that nobody wrote to for a day
is removed (`Blobs.clean`).
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from gardesh.model.problem import Problem, define
from gardesh.record.blobs import BLOB_TOO_LARGE, INCOMING, Blobs

NO_SUCH_UPLOAD = define(
    "no-such-upload",
    404,
    en="There is no upload {id} of yours.",
    fa="بارگذاری {id} از آنِ شما در اینجا نیست.",
)
UPLOAD_OFFSET = define(
    "upload-offset-wrong",
    409,
    en="The upload goes on at byte {offset}, not at {given}.",
    fa="این بارگذاری از بایت {offset} ادامه می‌یابد، نه از {given}.",
)
UPLOAD_BUSY = define(
    "upload-busy",
    409,
    en="Somebody writes to this upload in this moment.",
    fa="در همین لحظه در این بارگذاری نوشته می‌شود.",
)
UPLOADS_TOO_MANY = define(
    "uploads-too-many",
    429,
    en="{count} of your uploads are unfinished; finish or cancel one first.",
    fa="{count} بارگذاری شما ناتمام است؛ نخست یکی را تمام یا لغو کنید.",
)
_ID = re.compile("[0-9a-f]{32}")


class Uploads:
    """The uploads of one node. Several processes may use them at once; one writes to an upload at a time."""

    def __init__(self, blobs: Blobs, most: int) -> None:
        """`most`: how many unfinished uploads an owner may have."""
        self.blobs, self.most = blobs, most

    def start(self, owner: str) -> str:
        """A new, empty upload; returns its id, which cannot be guessed. Raises `uploads-too-many`."""
        self.blobs.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.blobs.clean()
        count = sum(1 for _ in self.blobs.folder.glob(f"{INCOMING}{_short(owner)}-*"))
        if count >= self.most:
            raise Problem(UPLOADS_TOO_MANY, count=count)
        name = secrets.token_hex(16)
        os.close(os.open(self._path(owner, name), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        return name

    def offset(self, owner: str, name: str) -> int:
        """How many bytes of it are here. Raises `no-such-upload`."""
        try:
            return self._path(owner, name).stat().st_size
        except FileNotFoundError:
            raise Problem(NO_SUCH_UPLOAD, id=name[:64]) from None

    @contextmanager
    def writing(self, owner: str, name: str, offset: int) -> Iterator[Growing]:
        """Append from `offset` on. What was written stays when the block ends, durably; when it raises, `Growing.keep`
        decides. Raises `no-such-upload`, `upload-offset-wrong`, `upload-busy`."""
        try:
            file = self._path(owner, name).open("r+b")
        except FileNotFoundError:
            raise Problem(NO_SUCH_UPLOAD, id=name[:64]) from None
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Problem(UPLOAD_BUSY) from None
            size = file.seek(0, os.SEEK_END)
            if size != offset:
                raise Problem(UPLOAD_OFFSET, offset=size, given=offset)
            growing = Growing(file, size, self.blobs.limit)
            try:
                yield growing
            except BaseException:
                if not growing.keep:
                    file.truncate(offset)
                raise
            finally:
                file.flush()
                os.fsync(file.fileno())

    def finish(self, owner: str, name: str) -> tuple[bytes, int]:
        """The upload is whole: it becomes a blob. Returns its SHA-256 and size. Raises `no-such-upload`."""
        self.offset(owner, name)
        return self.blobs.adopt(self._path(owner, name))

    def cancel(self, owner: str, name: str) -> None:
        """Forget an upload. Raises `no-such-upload`."""
        self.offset(owner, name)
        self._path(owner, name).unlink(missing_ok=True)

    def _path(self, owner: str, name: str) -> Path:
        if _ID.fullmatch(name) is None:
            raise Problem(NO_SUCH_UPLOAD, id=name[:64])
        return self.blobs.folder / f"{INCOMING}{_short(owner)}-{name}"


class Growing:
    """A file that grows. `keep`: whether what was written stays when the writing is cut off."""

    def __init__(self, file: BinaryIO, size: int, limit: int) -> None:
        self.file, self.size, self.limit = file, size, limit
        self.keep = False

    def write(self, data: bytes) -> None:
        """Raises `blob-too-large`."""
        self.size += len(data)
        if self.size > self.limit:
            raise Problem(BLOB_TOO_LARGE, limit=self.limit)
        self.file.write(data)


def _short(owner: str) -> str:
    return sha256(owner.encode()).hexdigest()[:16]
