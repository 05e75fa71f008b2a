"""The log as static files (C2SP tlog-tiles): any web server or object store can serve them, and others follow the log from there.

Each file appears whole. The checkpoint comes last, so a reader that has it finds every tile it needs.
"""

from __future__ import annotations

from dataclasses import dataclass

from gardesh.exchange.static_site import Site
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


@dataclass(frozen=True, slots=True)
class Published:
    """How many entries are there now, and how many files were written for that."""

    size: int
    written: int


def publish(store: Store, checkpoint: bytes, site: Site) -> Published:
    """Bring the site up to the log's `checkpoint`: only what is new since the checkpoint there is written.

    Full tiles of the entries before are taken as they are; a site without a checkpoint is written from the beginning.
    Raises `published-log-differs`, if it is another log's, another history's, or a later one's, `published-log-overtaken`, and
    `note-malformed`, `checkpoint-malformed` for a checkpoint in it that is none.
    """
    head = TreeHead.parse(note.parse(checkpoint).text)
    writer = _Writer(store, site, head)
    try:
        before = writer.before()
        writer.tiles(before)
        writer.bundles(before)
        site.settle()
        site.finish(checkpoint)
        writer.drop_filled(before)
    finally:
        site.close()
    return Published(head.size, site.written)


class _Writer:
    def __init__(self, store: Store, site: Site, head: TreeHead) -> None:
        self.store, self.site, self.head = store, site, head
        self.stored = stored_tiles(store)

    def before(self) -> int:
        """How many entries the site holds already."""
        raw = self.site.checkpoint()
        if not raw:
            return 0
        old = TreeHead.parse(note.parse(raw).text)
        same = old.origin == self.head.origin and old.size <= self.head.size
        if not same or root(old.size, self.stored) != old.root:
            raise Problem(OTHER_HISTORY, folder=self.site.shown, size=old.size, origin=old.origin)
        return old.size

    def tiles(self, before: int) -> None:
        level, size = 0, self.head.size
        while size:
            for index in range((before >> 8 * level) // WIDTH, size // WIDTH):
                self.site.put(tile_path(level, index), self.stored.read(level, index, WIDTH))
            level, size = level + 1, size // WIDTH
        for level, index, width in partial_tiles(self.head.size):
            self.site.put(tile_path(level, index, width), self.stored.read(level, index, width))

    def bundles(self, before: int) -> None:
        for first in range(before // WIDTH * WIDTH, self.head.size, WIDTH):
            last = min(first + WIDTH, self.head.size)
            rows = self.store.rows(
                "SELECT digest, recorded_at FROM documents WHERE position >= ? AND position < ? ORDER BY position",
                first,
                last,
            )
            bundle = encode_bundle(encode(bytes(digest), at) for digest, at in rows)
            self.site.put(entries_path(first // WIDTH, last - first), bundle)

    def drop_filled(self, before: int) -> None:
        """Remove the partial tiles and bundles whose full one is there now, as the standard allows."""
        level, size = 0, self.head.size
        while size >= WIDTH:
            for index in range((before >> 8 * level) // WIDTH, size // WIDTH):
                self.site.drop(f"{tile_path(level, index)}.p")
                if level == 0:
                    self.site.drop(f"{entries_path(index)}.p")
            level, size = level + 1, size // WIDTH
