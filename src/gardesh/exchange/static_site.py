"""Where the static files of a log are: a folder that a web server serves, or a bucket of an object store."""

from __future__ import annotations

import os
import secrets
import shutil
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from gardesh.model.problem import Problem, define

if TYPE_CHECKING:
    from gardesh.record.object_store import Bucket

OVERTAKEN = define(
    "published-log-overtaken",
    409,
    en="Another process published to {place} meanwhile; its checkpoint stands.",
    fa="در این میان فرایند دیگری در {place} منتشر کرده است و نقطه‌ی وارسی آن معتبر است.",
)
CHECKPOINT = "checkpoint"
FOREVER, FOR_A_MINUTE, SOON = "public, max-age=31536000, immutable", "public, max-age=60", "public, max-age=1"
AT_ONCE = 16
"""How many objects are sent at once: one alone waits for the network more than anything else."""


class Site(Protocol):
    """Files below one prefix, each of which appears whole."""

    shown: str
    written: int
    """How many files were written by this process."""

    def checkpoint(self) -> bytes:
        """The one that is published; empty where there is none."""

    def put(self, path: str, data: bytes) -> None:
        """The file, if it is not there with these bytes; durable when `settle` has returned."""

    def settle(self) -> None: ...

    def finish(self, checkpoint: bytes) -> None:
        """Publish the checkpoint, in place of the one that was read. Raises `published-log-overtaken` where it can tell."""

    def drop(self, folder: str) -> None:
        """Remove the files right under this path."""

    def close(self) -> None: ...


class Folder:
    """A folder of this machine."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.shown, self.written = folder, str(folder), 0

    def checkpoint(self) -> bytes:
        try:
            return (self.folder / CHECKPOINT).read_bytes()
        except FileNotFoundError:
            return b""

    def put(self, path: str, data: bytes) -> None:
        place = self.folder / path
        try:
            if place.read_bytes() == data:
                return
        except FileNotFoundError:
            place.parent.mkdir(parents=True, exist_ok=True)
        aside = place.with_name(f".{place.name}.{secrets.token_hex(8)}")
        try:
            aside.write_bytes(data)
            aside.rename(place)
        finally:
            aside.unlink(missing_ok=True)
        self.written += 1

    def settle(self) -> None:
        if self.written:
            os.sync()  # the checkpoint must not outlive, in a power failure, what it promises

    def finish(self, checkpoint: bytes) -> None:
        self.put(CHECKPOINT, checkpoint)

    def drop(self, folder: str) -> None:
        shutil.rmtree(self.folder / folder, ignore_errors=True)

    def close(self) -> None: ...


class Objects:
    """Objects under a prefix. Raises `object-store-unusable`."""

    def __init__(self, bucket: Bucket) -> None:
        self.bucket, self.shown, self.written = bucket, bucket.shown, 0
        self._tag: str | None = None
        self._old = b""
        self._senders = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="publish")
        self._room = threading.Semaphore(2 * AT_ONCE)
        self._failed: list[BaseException] = []
        self._guard = threading.Lock()

    def checkpoint(self) -> bytes:
        self._old, self._tag = self.bucket.tagged(CHECKPOINT) or (b"", None)
        return self._old

    def put(self, path: str, data: bytes) -> None:
        self._raise()
        self._room.acquire()
        self._senders.submit(self._send, path, data).add_done_callback(self._sent)

    def _send(self, path: str, data: bytes) -> bool:
        kept = FOR_A_MINUTE if ".p/" in path else FOREVER
        attributes = {"Content-Type": "application/octet-stream", "Cache-Control": kept}
        if self.bucket.create(path, data, attributes):
            return True
        if self.bucket.held(path, len(data)) == data:
            return False
        self.bucket.replace(path, data, attributes)
        return True

    def _sent(self, done: Future[bool]) -> None:
        self._room.release()
        with self._guard:
            if (error := done.exception()) is not None:
                self._failed.append(error)
            else:
                self.written += done.result()

    def _raise(self) -> None:
        if self._failed:
            raise self._failed[0]

    def settle(self) -> None:
        self._senders.shutdown()
        self._raise()

    def finish(self, checkpoint: bytes) -> None:
        if checkpoint == self._old:
            return
        attributes = {"Content-Type": "text/plain; charset=utf-8", "Cache-Control": SOON}
        if not self.bucket.swap(CHECKPOINT, checkpoint, self._tag, attributes):
            raise Problem(OVERTAKEN, place=self.shown)
        self.written += 1

    def drop(self, folder: str) -> None:
        for name in self.bucket.list(f"{folder}/"):
            self.bucket.delete(name)

    def close(self) -> None:
        self._senders.shutdown(cancel_futures=True)


def site(where: str) -> Site:
    """The site that a user named: a folder, or `s3://bucket/prefix`. Raises `object-store-unusable`."""
    if where.startswith("s3://"):
        from gardesh.record import object_store  # the library is large, and few need it

        return Objects(object_store.opened(where))
    return Folder(Path(where))
