from __future__ import annotations

import random

import naive_tree
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gardesh.model.edge import TileEdge
from gardesh.model.merkle import EMPTY_ROOT, Frontier, leaf_hash
from gardesh.model.problem import Problem
from gardesh.model.tile import partial_tiles, root, tree

LOG = [b"entry %d" % i for i in range(1100)]
LEAVES = [leaf_hash(e) for e in LOG]


class Store:
    """A log's tiles as a record keeps them: full ones, and the partial ones of the last checkpoint."""

    def __init__(self) -> None:
        self.full: dict[tuple[int, int], bytes] = {}
        self.partial: dict[tuple[int, int, int], bytes] = {}

    def keep(self, edge: TileEdge, filled: list[tuple[int, int, bytes]]) -> None:
        self.full |= {(level, index): tile for level, index, tile in filled}
        self.partial = {(level, i, len(tile) // 32): tile for level, i, tile in edge.partial_tiles()}

    def tile(self, level: int, index: int) -> bytes:
        return self.full[level, index]

    def read(self, level: int, index: int, width: int) -> bytes:
        return self.full[level, index] if width == 256 else self.partial[level, index, width]


batches = st.lists(st.integers(0, 300), max_size=4)


@settings(max_examples=40, deadline=None)
@given(batches)
def test_an_edge_fills_the_tiles_of_c2sp_and_keeps_the_root(counts: list[int]) -> None:
    edge, store = TileEdge(), Store()
    for count in counts:
        if edge.size + count > len(LOG):
            break
        store.keep(edge, edge.append(LEAVES[edge.size : edge.size + count]))
    log = LOG[: edge.size]
    assert edge.root() == naive_tree.mth(log) == root(edge.size, store)
    assert set(store.full) == {(0, i) for i in range(edge.size // 256)}
    assert sorted(store.partial) == partial_tiles(edge.size)
    for (level, index), tile in store.full.items():
        assert tile == naive_tree.tile(level, index, 256, log)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, len(LOG)), st.data())
def test_proofs_from_an_edge_are_those_of_the_rfc(size: int, data: st.DataObject) -> None:
    edge, store = TileEdge(), Store()
    store.keep(edge, edge.append(LEAVES[:size]))
    grown = edge.tree(store.tile)
    index = data.draw(st.integers(0, size - 1))
    old = data.draw(st.integers(1, size))
    assert grown.inclusion(index) == naive_tree.path(index, LOG[:size])
    assert grown.consistency(old) == naive_tree.proof(old, LOG[:size])


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 800), st.integers(0, 300))
def test_an_edge_goes_on_from_its_stored_partial_tiles(size: int, more: int) -> None:
    edge, store = TileEdge(), Store()
    store.keep(edge, edge.append(LEAVES[:size]))
    loaded = TileEdge.load(size, store)
    assert loaded.append(LEAVES[size : size + more]) == edge.append(LEAVES[size : size + more])
    assert loaded.size == size + more
    assert loaded.root() == edge.root()
    assert loaded.partial_tiles() == edge.partial_tiles()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 600), st.integers(1, 300))
def test_a_batch_that_failed_leaves_no_trace(size: int, failed: int) -> None:
    edge = TileEdge()
    edge.append(LEAVES[:size])
    before = edge.root()
    edge.copy().append(LEAVES[size : size + failed])
    assert (edge.size, edge.root()) == (size, before)
    edge.append(LEAVES[size : size + 1])
    assert edge.root() == naive_tree.mth(LOG[: size + 1])


@settings(max_examples=40, deadline=None)
@given(st.integers(1, len(LOG)), st.data())
def test_a_reader_over_an_edge_answers_for_every_smaller_tree(size: int, data: st.DataObject) -> None:
    edge, store = TileEdge(), Store()
    store.keep(edge, edge.append(LEAVES[:size]))
    reader = edge.reader(store.tile)
    smaller = data.draw(st.integers(1, size))
    index = data.draw(st.integers(0, smaller - 1))
    assert tree(smaller, reader).inclusion(index) == naive_tree.path(index, LOG[:smaller])
    for level, i, width in partial_tiles(smaller):
        assert reader.read(level, i, width) == naive_tree.tile(level, i, width, LOG[:smaller])


def test_a_reader_refuses_tiles_that_the_log_has_not() -> None:
    edge, store = TileEdge(), Store()
    store.keep(edge, edge.append(LEAVES[:300]))
    for level, index, width in ((0, 1, 45), (1, 0, 2), (7, 0, 1), (0, 0, 257)):
        with pytest.raises(Problem, match="tile-broken"):
            edge.reader(store.tile).read(level, index, width)
    with pytest.raises(Problem, match="tile-broken"):
        edge.reader(lambda level, index: bytes(31)).read(0, 0, 256)


def test_an_edge_is_not_loaded_from_broken_tiles() -> None:
    class Short:
        def read(self, level: int, index: int, width: int) -> bytes:
            return bytes(32 * width - 1)

    with pytest.raises(Problem, match="tile-broken"):
        TileEdge.load(300, Short())


def test_the_empty_log_has_the_empty_root_and_no_tiles() -> None:
    edge = TileEdge()
    assert (edge.root(), edge.partial_tiles(), edge.append([])) == (EMPTY_ROOT, [], [])
    assert TileEdge.load(0, Store()).root() == EMPTY_ROOT


def test_only_hashes_are_appended() -> None:
    with pytest.raises(ValueError, match="leaf hash"):
        TileEdge().append([b"short"])


@pytest.mark.parametrize("size", [65_535, 65_536, 66_000])
def test_a_log_past_the_first_full_tile_of_level_one_agrees_with_its_frontier(size: int) -> None:
    frontier, edge, store = Frontier(), TileEdge(), Store()
    leaves = [i.to_bytes(32, "big") for i in range(size)]
    frontier.extend(leaves)
    filled = edge.append(leaves)
    store.keep(edge, filled)
    assert sum(level == 1 for level, _, _ in filled) == size // 65_536
    assert edge.root() == frontier.root() == root(size, store)
    fresh, stored = edge.tree(store.tile), tree(size, store)
    for index in [*random.Random(size).sample(range(size), 20), size - 1]:
        assert fresh.inclusion(index) == stored.inclusion(index)
