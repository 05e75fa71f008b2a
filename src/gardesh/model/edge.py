"""The right edge of a growing log: the partial tiles, in memory, from which its sequencer works.

The durable record keeps full tiles; this keeps what is still open, with all inner nodes, so that appending a
leaf costs about one hash, a root O(log n) hashes, and a proof for a fresh entry mostly look-ups.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from hashlib import sha256

from gardesh.model.merkle import HASH_SIZE, MAX_SIZE, Tree
from gardesh.model.problem import Problem
from gardesh.model.tile import TILE_BROKEN, WIDTH, Rows, TileNodes, TileReader, partial_tiles

FullTile = Callable[[int, int], bytes]
"""Gives the 8,192 bytes of the full tile of that level and index."""

NewTile = tuple[int, int, bytes]
"""A tile to be stored: its level, its index and its hashes."""


class TileEdge:
    """The partial tiles of a log of `size` entries.

    An edge is changed by `append` alone. To append a batch that may yet fail, append to a `copy` (some µs)
    and keep the copy once the batch is durable. Readers of an edge that nobody appends to need no lock.
    """

    __slots__ = ("_levels", "size")

    def __init__(self) -> None:
        """The edge of the empty log."""
        self.size = 0
        self._levels: list[Rows] = [Rows()]

    @classmethod
    def load(cls, size: int, tiles: TileReader) -> TileEdge:
        """The edge of a log of `size`, from its stored partial tiles. Raises `tile-broken`."""
        edge = cls()
        edge.size = size
        edge._levels = [Rows() for _ in range(max(1, (size.bit_length() + 7) // 8))]
        for level, index, width in partial_tiles(size):
            data = tiles.read(level, index, width)
            if len(data) != width * HASH_SIZE:
                raise Problem(TILE_BROKEN, level=level, index=index, width=width)
            edge._levels[level] = Rows.of(data)
        return edge

    def copy(self) -> TileEdge:
        edge = TileEdge.__new__(TileEdge)
        edge.size = self.size
        edge._levels = [rows.copy() for rows in self._levels]
        return edge

    def append(self, leaf_hashes: Iterable[bytes]) -> list[NewTile]:
        """Append leaves, given by their hashes, in order; the tiles that became full, lower levels first.

        `ValueError` for what is not a hash; the edge is then to be dropped.
        """
        filled: list[NewTile] = []
        for leaf in leaf_hashes:
            if len(leaf) != HASH_SIZE or self.size >= MAX_SIZE:
                raise ValueError("not a leaf hash, or no room for it")
            self.size += 1
            self._push(0, leaf, filled)
        return filled

    def _push(self, level: int, node: bytes, filled: list[NewTile]) -> None:
        tile = self._levels[level]
        rows, width = tile.rows, tile.width
        rows[0] += node
        height = 0
        while width & 1:
            node = sha256(b"\1" + rows[height][-64:]).digest()
            width >>= 1
            height += 1
            if height == 8:
                filled.append((level, (self.size >> 8 * level + 8) - 1, bytes(rows[0])))
                self._levels[level] = Rows()
                if level + 1 == len(self._levels):
                    self._levels.append(Rows())
                self._push(level + 1, node, filled)
                return
            rows[height] += node
        tile.width += 1

    def partial_tiles(self) -> list[NewTile]:
        """The partial tiles of this size (their width is in their length), to be kept with its checkpoint."""
        return [
            (level, index, bytes(self._levels[level].rows[0])) for level, index, _ in partial_tiles(self.size)
        ]

    def root(self) -> bytes:
        return Tree(self.size, EdgeNodes(self, _no_full_tile)).root()

    def tree(self, full: FullTile) -> Tree:
        """The tree of this size, for its proofs. `full` is asked for full tiles alone, those that the last
        `append` filled included. The edge must not be appended to while the tree is in use."""
        return Tree(self.size, EdgeNodes(self, full))

    def reader(self, full: FullTile) -> TileReader:
        """All tiles of this log: those still open from memory, the others through `full`."""
        return EdgeReader(self, full)


class EdgeReader:
    """A :class:`~gardesh.model.tile.TileReader` over an edge and the full tiles behind it.

    Raises `tile-broken` for what the log has not, and for a full tile of another length.
    """

    def __init__(self, edge: TileEdge, full: FullTile) -> None:
        self._edge = edge
        self._full = full

    def read(self, level: int, index: int, width: int) -> bytes:
        if index == self._edge.size >> 8 * level + 8:
            levels = self._edge._levels
            data = bytes(levels[level].rows[0][: width * HASH_SIZE]) if level < len(levels) else b""
            expected = width
        else:
            data = self._full(level, index)
            expected = WIDTH
        if len(data) != expected * HASH_SIZE or not 1 <= width <= WIDTH:
            raise Problem(TILE_BROKEN, level=level, index=index, width=expected)
        return data[: width * HASH_SIZE]


class EdgeNodes:
    """The nodes of an edge's tree: looked up in its open tiles, hashed from full ones."""

    def __init__(self, edge: TileEdge, full: FullTile) -> None:
        self._size = edge.size
        self._levels = edge._levels
        self._behind = TileNodes(edge.size, EdgeReader(edge, full))

    def node(self, height: int, index: int) -> bytes:
        level, row = height >> 3, height & 7
        shift = 8 - row
        if index >> shift == self._size >> 8 * level + 8:
            return self._levels[level].hash_at(row, index & (1 << shift) - 1)
        return self._behind.node(height, index)


def _no_full_tile(level: int, index: int) -> bytes:
    raise AssertionError("a root needs the open tiles alone")
