"""Uploads under way: files that grow beside the blobs, each of one owner, until they are whole.

What was acknowledged is durable: an upload goes on after a crash where its file ends. One that nobody wrote to for long is
removed (`clean`).
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from gardesh.model.problem import Problem, define
from gardesh.record.blobs import BLOB_TOO_LARGE, Blobs, full

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
UPLOADS_TOO_LARGE = define(
    "uploads-too-large",
    413,
    en="Your unfinished uploads would have more than {limit} bytes together; finish or cancel one first.",
    fa="بارگذاری‌های ناتمام شما روی‌هم بیش از {limit} بایت می‌شود؛ نخست یکی را تمام یا لغو کنید.",
)
UNFINISHED = ".upload-"
DONE = f"{UNFINISHED}done-"
DAY = 86_400
_ID = re.compile("[0-9a-f]{32}")
_DONE = re.compile(b"([0-9a-f]{64}) ([0-9]{1,19})\n")


class Uploads:
    """The uploads of one node. Several processes may use them at once; one writes to an upload at a time."""

    def __init__(self, blobs: Blobs, most: int, most_bytes: int, seconds: int = DAY) -> None:
        """`most`: how many unfinished uploads an owner may have, and `most_bytes` of what size together. `seconds`: after how
        long without a write one is removed."""
        self.blobs, self.most, self.most_bytes, self.seconds = blobs, most, most_bytes, seconds

    def start(self, owner: str) -> str:
        """A new, empty upload; returns its id, which cannot be guessed. Raises `uploads-too-many`."""
        self.blobs.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.clean()
        count = len(self._unfinished(owner))
        if count >= self.most:
            raise Problem(UPLOADS_TOO_MANY, count=count)
        name = secrets.token_hex(16)
        os.close(os.open(self._path(owner, name), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        return name

    def clean(self) -> int:
        """Remove each upload that nobody wrote to for `seconds`, and what is remembered of those that were finished before
        that; returns how many were unfinished. One that is written to in this moment stays."""
        gone = 0
        for path in self.blobs.folder.glob(f"{UNFINISHED}*"):
            with suppress(OSError), path.open("rb") as file:  # or somebody writes, or it is gone meanwhile
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if time.time() - os.fstat(file.fileno()).st_mtime >= self.seconds:
                    path.unlink()
                    gone += not path.name.startswith(DONE)
        return gone

    def remaining(self, owner: str, name: str) -> int:
        """For how many seconds it is kept if nobody writes to it. Raises `no-such-upload`."""
        try:
            since = time.time() - self._path(owner, name).stat().st_mtime
        except FileNotFoundError:
            raise Problem(NO_SUCH_UPLOAD, id=name[:64]) from None
        return min(max(0, int(self.seconds - since)), self.seconds)

    def besides(self, owner: str, name: str) -> int:
        """The bytes of all other unfinished uploads of its owner."""
        sizes = 0
        for path in self._unfinished(owner):
            if path != self._path(owner, name):
                with suppress(FileNotFoundError):
                    sizes += path.stat().st_size
        return sizes

    def _unfinished(self, owner: str) -> list[Path]:
        return list(self.blobs.folder.glob(f"{UNFINISHED}{_short(owner)}-*"))

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
            if not self._is(file, owner, name):  # it was finished, or cancelled, in between
                raise Problem(NO_SUCH_UPLOAD, id=name[:64])
            size = file.seek(0, os.SEEK_END)
            if size != offset:
                raise Problem(UPLOAD_OFFSET, offset=size, given=offset)
            growing = Growing(self, owner, name, file, size)
            try:
                try:
                    yield growing
                except BaseException:
                    if not growing.keep:
                        file.truncate(offset)
                    raise
                finally:
                    file.flush()
                    os.fsync(file.fileno())
            except OSError as error:
                raise full(error) from None

    def _is(self, file: BinaryIO, owner: str, name: str) -> bool:
        """Whether an open file is still what goes by that name."""
        try:
            here, there = os.fstat(file.fileno()), self._path(owner, name).stat()
        except FileNotFoundError:
            return False
        return (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino)

    def done(self, owner: str, name: str) -> tuple[bytes, int] | None:
        """What an upload became that was finished not long ago (`seconds`): its answer may have been lost."""
        try:
            said = _DONE.fullmatch(self._done(owner, name).read_bytes())
        except FileNotFoundError:
            return None
        return (bytes.fromhex(said[1].decode()), int(said[2])) if said is not None else None

    def _note(self, owner: str, name: str, found: tuple[bytes, int]) -> None:
        """Whoever asks `done`, and a crash, find it whole or not at all."""
        place = self._done(owner, name)
        aside = place.with_name(f"{place.name}.new")
        with aside.open("wb") as file:
            file.write(b"%s %d\n" % (found[0].hex().encode(), found[1]))
            file.flush()
            os.fsync(file.fileno())
        aside.replace(place)

    def _done(self, owner: str, name: str) -> Path:
        path = self._path(owner, name)
        return path.with_name(DONE + path.name.removeprefix(UNFINISHED))

    def cancel(self, owner: str, name: str) -> None:
        """Forget an upload. Raises `no-such-upload`, and `upload-busy` while it is written to."""
        size = self.offset(owner, name)
        with self.writing(owner, name, size):
            self._path(owner, name).unlink(missing_ok=True)

    def _path(self, owner: str, name: str) -> Path:
        if _ID.fullmatch(name) is None:
            raise Problem(NO_SUCH_UPLOAD, id=name[:64])
        return self.blobs.folder / f"{UNFINISHED}{_short(owner)}-{name}"


class Growing:
    """A file that grows. `keep`: whether what was written stays when the writing is cut off."""

    def __init__(self, uploads: Uploads, owner: str, name: str, file: BinaryIO, size: int) -> None:
        self._uploads, self._owner, self._name = uploads, owner, name
        self.file, self.size, self.limit = file, size, uploads.blobs.limit
        self.keep = False

    def write(self, data: bytes) -> None:
        """Raises `blob-too-large`, `uploads-too-large`."""
        size = self.size + len(data)
        if size > self.limit:
            raise Problem(BLOB_TOO_LARGE, limit=self.limit)
        uploads = self._uploads
        if data and uploads.besides(self._owner, self._name) + size > uploads.most_bytes:
            raise Problem(UPLOADS_TOO_LARGE, limit=uploads.most_bytes)
        self.file.write(data)
        self.size = size

    def finish(self) -> tuple[bytes, int]:
        """It is whole, and becomes a blob while nobody else can write to it: its SHA-256 and size. What it became is
        remembered for as long as an unfinished one."""
        self.keep = True
        self.file.flush()
        found = self._uploads.blobs.adopt(self._uploads._path(self._owner, self._name), self._owner)
        self._uploads._note(self._owner, self._name, found)
        return found


def _short(owner: str) -> str:
    return sha256(owner.encode()).hexdigest()[:16]
