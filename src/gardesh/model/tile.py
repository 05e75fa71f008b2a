"""A log's Merkle tree as tiles (C2SP tlog-tiles): their names, and roots and proofs from them alone.

A tile of level L holds up to 256 consecutive nodes of height 8·L; all nodes between are recomputed from it. A
full tile never changes. The rightmost tile of each level is usually partial, and is named with its width.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol

from gardesh.model.merkle import HASH_SIZE, MAX_SIZE, Tree
from gardesh.model.problem import Problem, define

WIDTH = 256
MAX_LEVEL = 63
ENTRIES = "entries"

TILE_BROKEN = define(
    "tile-broken",
    502,
    en="Tile {index} of level {level} does not hold the {width} hashes that it should.",
    fa="کاشی شمارهٔ {index} در تراز {level}، آن {width} چکیده‌ای را که باید ندارد.",
    hint_en="Read the tile again, or from another copy of the log.",
    hint_fa="کاشی را دوباره یا از نسخهٔ دیگری از دفتر بخوانید.",
)
NOT_A_TILE = define(
    "tile-path-unknown",
    404,
    en="This path names no tile and no bundle of entries of C2SP tlog-tiles.",
    fa="این مسیر، نام هیچ کاشی یا دستهٔ مدخلی در C2SP tlog-tiles نیست.",
    hint_en="A tile that is not full yet is named with its width, as tile/0/000.p/17.",
    hint_fa="کاشی‌ای که هنوز پر نشده با پهنایش نام برده می‌شود، مانند tile/0/000.p/17.",
)


class TileReader(Protocol):
    """Where tiles are read from: a folder, a table, another log's web address, memory."""

    def read(self, level: int, index: int, width: int) -> bytes:
        """The first `width` (1..256) hashes of that tile, joined: exactly `32 * width` bytes.

        Asked only for what a tree of the size at hand has. The log keeps a partial tile for each size that a
        checkpoint was signed for, but may drop it once the tile is full: a reader then answers from the full
        one. What comes back need not be trusted: a proof made from wrong hashes fails its verification.
        """


@dataclass(frozen=True, slots=True)
class TileName:
    """What a tile path names. `level` is `None` for a bundle of entries."""

    level: int | None
    index: int
    width: int


def tile_path(level: int, index: int, width: int | None = None) -> str:
    """The path of a tile below the log's prefix, such as `tile/0/x001/x234/067` or `tile/1/000.p/17`.

    `width` is `None` or 256 for a full tile. `ValueError` outside the ranges of the standard.
    """
    if not 0 <= level <= MAX_LEVEL:
        raise ValueError(f"no tile has level {level}")
    return _path(str(level), index, width)


def entries_path(index: int, width: int | None = None) -> str:
    """The path of a bundle of entries, such as `tile/entries/x001/x234/067.p/12`; else as `tile_path`."""
    return _path(ENTRIES, index, width)


def parse_tile_path(path: str) -> TileName:
    """The inverse of `tile_path` and `entries_path`, which is strict. Raises `tile-path-unknown`."""
    body, _, partial = path.partition(".p/")
    head, kind, *digits = body.split("/") if body.count("/") > 1 and len(path) < 64 else ("", "", "")
    try:
        level = None if kind == ENTRIES else int(kind)
        index = int("".join(digits).replace("x", ""))
        width = int(partial) if partial else WIDTH
        known = entries_path(index, width) if level is None else tile_path(level, index, width)
    except ValueError:
        known = ""
    if head != "tile" or known != path:
        raise Problem(NOT_A_TILE)
    return TileName(level, index, width)


def _path(kind: str, index: int, width: int | None) -> str:
    if not 0 <= index <= MAX_SIZE or not (width is None or 1 <= width <= WIDTH):
        raise ValueError(f"no tile has index {index} and width {width}")
    digits = f"{index % 1000:03d}"
    while index := index // 1000:
        digits = f"x{index % 1000:03d}/{digits}"
    return f"tile/{kind}/{digits}" + ("" if width in (None, WIDTH) else f".p/{width}")


def tile_width(size: int, level: int, index: int) -> int:
    """How many hashes (0..256) that tile has in a tree of `size`."""
    return max(0, min(WIDTH, (size >> 8 * level) - WIDTH * index))


def partial_tiles(size: int) -> list[tuple[int, int, int]]:
    """The partial tiles that a tree of `size` has, as (level, index, width), lowest level first."""
    return [
        (level, size >> 8 * level >> 8, width)
        for level in range((size.bit_length() + 7) // 8)
        if (width := size >> 8 * level & 255)
    ]


class Rows:
    """A tile, perhaps partial, with the inner nodes above its hashes: eight rows, of heights 0 to 7.

    `rows[h]` joins the nodes of height `h` that the tile has in full.
    """

    __slots__ = ("rows", "width")

    def __init__(self) -> None:
        self.width = 0
        self.rows = [bytearray() for _ in range(8)]

    @classmethod
    def of(cls, tile: bytes) -> Rows:
        rows = cls()
        rows.width = len(tile) // HASH_SIZE
        rows.rows[0] += tile
        for below, row in zip(rows.rows, rows.rows[1:], strict=False):
            for at in range(0, len(below) - 63, 64):
                row += sha256(b"\1" + below[at : at + 64]).digest()
        return rows

    def hash_at(self, row: int, column: int) -> bytes:
        at = column * HASH_SIZE
        return bytes(self.rows[row][at : at + HASH_SIZE])

    def copy(self) -> Rows:
        rows = Rows.__new__(Rows)
        rows.width = self.width
        rows.rows = [row[:] for row in self.rows]
        return rows


class TileNodes:
    """The nodes of the tree of `size`, from its tiles. Each tile is read once and kept.

    Raises `tile-broken` when the reader gives another number of bytes than it should.
    """

    def __init__(self, size: int, tiles: TileReader) -> None:
        self._size = size
        self._tiles = tiles
        self._read: dict[tuple[int, int], Rows] = {}

    def node(self, height: int, index: int) -> bytes:
        level, row = height >> 3, height & 7
        shift = 8 - row
        tile = self._read.get((level, index >> shift)) or self._load(level, index >> shift)
        return tile.hash_at(row, index & (1 << shift) - 1)

    def _load(self, level: int, index: int) -> Rows:
        width = tile_width(self._size, level, index)
        data = self._tiles.read(level, index, width)
        if len(data) != width * HASH_SIZE:
            raise Problem(TILE_BROKEN, level=level, index=index, width=width)
        rows = self._read[level, index] = Rows.of(data)
        return rows


def tree(size: int, tiles: TileReader) -> Tree:
    """The tree of the first `size` entries, over tiles. For more than one proof, ask this for them."""
    return Tree(size, TileNodes(size, tiles))


def root(size: int, tiles: TileReader) -> bytes:
    """The root of the tree of `size`. Raises `tile-broken`."""
    return tree(size, tiles).root()


def inclusion_proof(index: int, size: int, tiles: TileReader) -> list[bytes]:
    """The proof that the entry at `index` is in the tree of `size` (RFC 6962 §2.1.1).

    Raises `log-position-beyond-tree`, `tile-broken`.
    """
    return tree(size, tiles).inclusion(index)


def consistency_proof(old: int, new: int, tiles: TileReader) -> list[bytes]:
    """The proof that the tree of `new` begins with the tree of `old` (RFC 6962 §2.1.2).

    Raises `log-position-beyond-tree`, `tile-broken`.
    """
    return tree(new, tiles).consistency(old)
