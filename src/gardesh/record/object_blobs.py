"""Attachments in a bucket of an object store, for nodes whose services are on several machines.

What is being uploaded is a file of the folder until it is whole. The names are those that the folder would have, so either
can be copied to the other by any tool.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path

from gardesh.model.problem import Problem
from gardesh.record.blobs import CHUNK, NO_SUCH_BLOB, Blobs
from gardesh.record.object_store import Bucket

KNOWN = 20_000
"""Of how many attachments a process remembers that they are there. None is ever taken away."""
DOWN = 10.0
"""For so many seconds after the store failed, it is not asked again whether something is there: others wait meanwhile."""


class ObjectBlobs(Blobs):
    """As `Blobs`; all of it raises `object-store-unusable` too."""

    def __init__(self, folder: Path, limit: int, bucket: Bucket) -> None:
        super().__init__(folder, limit)
        self.bucket = bucket
        self._known: OrderedDict[str, int] = OrderedDict()
        self._guard = threading.Lock()
        self._down: tuple[float, Problem] | None = None

    def _object(self, digest: bytes) -> str:
        return self._path(digest).relative_to(self.folder).as_posix()

    def _mark_of(self, digest: bytes, owner: str | None) -> str:
        return self._mark(digest, owner).relative_to(self.folder).as_posix()

    def _name(self, written: str, digest: bytes, owner: str | None) -> None:
        file = Path(written)
        name, size = self._object(digest), file.stat().st_size
        found = self._size(name)
        if found != size:
            if found is not None:  # broken there
                self.bucket.delete(name)
            with file.open("rb") as source:
                self.bucket.put(name, iter(lambda: source.read(CHUNK), b""))
            self._know(name, size)
        mark = self._mark_of(digest, owner)
        self.bucket.create(mark, b"")
        self._know(mark, 0)
        file.unlink(missing_ok=True)

    def give(self, digest: bytes, owner: str) -> None:
        mark = self._mark_of(digest, owner)
        self.bucket.create(mark, b"")
        self._know(mark, 0)

    def held_by(self, digest: bytes, owner: str) -> bool:
        marks = (self._mark_of(digest, owner), self._mark_of(digest, None))
        return any(self._size(mark) is not None for mark in marks)

    def size_of(self, digest: bytes) -> int | None:
        return self._size(self._object(digest))

    def _size(self, name: str) -> int | None:
        if (known := self._known.get(name)) is not None:
            return known
        down = self._down
        if down is not None and time.monotonic() < down[0]:
            raise down[1]
        try:
            found = self.bucket.size_of(name)
        except Problem as problem:
            self._down = (time.monotonic() + DOWN, problem)
            raise
        if found is not None:
            self._know(name, found)
        return found

    def _know(self, name: str, size: int) -> None:
        with self._guard:
            self._known[name] = size
            while len(self._known) > KNOWN:
                self._known.popitem(last=False)

    def _pieces(self, digest: bytes, first: int = 0, count: int | None = None) -> Iterator[bytes]:
        name = self._object(digest)
        try:
            yield from self.bucket.pieces(name) if count is None else self.bucket.part(name, first, count)
        except FileNotFoundError:
            raise Problem(NO_SUCH_BLOB, digest=digest.hex()) from None
