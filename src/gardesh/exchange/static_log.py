"""The log as static files (C2SP tlog-tiles): any web server can serve the folder, and others follow the log from it.

Each file appears whole. The checkpoint comes last, so a reader that has it finds every tile it needs.
"""

from __future__ import annotations

import os
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

from gardesh.model import note
from gardesh.model.entry import encode_bundle
from gardesh.model.problem import Problem, define
from gardesh.model.tile import WIDTH, entries_path, partial_tiles, root, tile_path
from gardesh.model.treehead import TreeHead
from gardesh.record.log import encode, stored_tiles
from gardesh.record.store import Store

OTHER_HISTORY = define(
    "published-log-differs",
    409,
    en="{folder} holds {size} entries of {origin}, which are not the beginning of this log.",
    fa="{folder} دارای {size} مدخل از {origin} است که آغاز این دفتر نیستند.",
    hint_en="Name another folder.",
    hint_fa="پوشهٔ دیگری را نام ببرید.",
)
CHECKPOINT = "checkpoint"


@dataclass(frozen=True, slots=True)
class Published:
    """How many entries the folder holds now, and how many files were written for that."""

    size: int
    written: int


def publish(store: Store, checkpoint: bytes, folder: Path) -> Published:
    """Bring the folder up to the log's `checkpoint`: only what is new since the checkpoint in it is written.

    Full tiles of the entries before are taken as they are; a folder without a checkpoint is written from the beginning.
    Raises `published-log-differs`, if the folder is another log's, another history's, or a later one's, and
    `note-malformed`, `checkpoint-malformed` for a checkpoint in it that is none.
    """
    head = TreeHead.parse(note.parse(checkpoint).text)
    writer = _Writer(store, folder, head)
    before = writer.before()
    writer.tiles(before)
    writer.bundles(before)
    if writer.written:
        os.sync()  # the checkpoint must not outlive, in a power failure, what it promises
    writer.put(CHECKPOINT, checkpoint)
    writer.drop_filled(before)
    return Published(head.size, writer.written)


class _Writer:
    def __init__(self, store: Store, folder: Path, head: TreeHead) -> None:
        self.store, self.folder, self.head = store, folder, head
        self.stored = stored_tiles(store)
        self.written = 0

    def before(self) -> int:
        """How many entries the folder holds already."""
        try:
            raw = (self.folder / CHECKPOINT).read_bytes()
        except FileNotFoundError:
            return 0
        old = TreeHead.parse(note.parse(raw).text)
        same = old.origin == self.head.origin and old.size <= self.head.size
        if not same or root(old.size, self.stored) != old.root:
            raise Problem(OTHER_HISTORY, folder=str(self.folder), size=old.size, origin=old.origin)
        return old.size

    def tiles(self, before: int) -> None:
        level, size = 0, self.head.size
        while size:
            for index in range((before >> 8 * level) // WIDTH, size // WIDTH):
                self.put(tile_path(level, index), self.stored.read(level, index, WIDTH))
            level, size = level + 1, size // WIDTH
        for level, index, width in partial_tiles(self.head.size):
            self.put(tile_path(level, index, width), self.stored.read(level, index, width))

    def bundles(self, before: int) -> None:
        for first in range(before // WIDTH * WIDTH, self.head.size, WIDTH):
            last = min(first + WIDTH, self.head.size)
            rows = self.store.rows(
                "SELECT digest, recorded_at FROM documents WHERE position >= ? AND position < ? ORDER BY position",
                first,
                last,
            )
            bundle = encode_bundle(encode(bytes(digest), at) for digest, at in rows)
            self.put(entries_path(first // WIDTH, last - first), bundle)

    def put(self, path: str, data: bytes) -> None:
        """The file, whole, if it is not there with these bytes."""
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

    def drop_filled(self, before: int) -> None:
        """Remove the partial tiles and bundles whose full one is there now, as the standard allows."""
        level, size = 0, self.head.size
        while size >= WIDTH:
            for index in range((before >> 8 * level) // WIDTH, size // WIDTH):
                self._drop(tile_path(level, index))
                if level == 0:
                    self._drop(entries_path(index))
            level, size = level + 1, size // WIDTH

    def _drop(self, path: str) -> None:
        shutil.rmtree(self.folder / f"{path}.p", ignore_errors=True)
