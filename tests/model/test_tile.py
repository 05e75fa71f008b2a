from __future__ import annotations

from functools import cache

import naive_tree
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gardesh.model.merkle import Frontier, leaf_hash, verify_consistency, verify_inclusion
from gardesh.model.problem import Problem
from gardesh.model.tile import (
    TileName,
    consistency_proof,
    entries_path,
    inclusion_proof,
    parse_tile_path,
    partial_tiles,
    root,
    tile_path,
    tile_width,
    tree,
)

LOG = [b"entry %d" % i for i in range(1300)]


class NaiveTiles:
    """Every tile of the log, from the definition of C2SP tlog-tiles; counts its reads."""

    def __init__(self, log: list[bytes]) -> None:
        self.log = log
        self.reads: list[tuple[int, int, int]] = []

    def read(self, level: int, index: int, width: int) -> bytes:
        self.reads.append((level, index, width))
        return naive_tree.tile(level, index, width, self.log)


@cache
def tile_of_log(level: int, index: int) -> bytes:
    return naive_tree.tile(level, index, min(256, (len(LOG) >> 8 * level) - 256 * index), LOG)


class CachedTiles:
    def read(self, level: int, index: int, width: int) -> bytes:
        return tile_of_log(level, index)[: 32 * width]


@pytest.mark.parametrize(
    ("level", "index", "width", "path"),
    [
        (0, 0, None, "tile/0/000"),
        (0, 1234067, None, "tile/0/x001/x234/067"),
        (3, 999, 256, "tile/3/999"),
        (63, 1000, 255, "tile/63/x001/000.p/255"),
    ],
)
def test_tile_paths_are_those_of_c2sp(level: int, index: int, width: int | None, path: str) -> None:
    assert tile_path(level, index, width) == path
    assert parse_tile_path(path) == TileName(level, index, width or 256)


def test_entries_paths_are_those_of_c2sp() -> None:
    assert entries_path(1234067, 12) == "tile/entries/x001/x234/067.p/12"
    assert parse_tile_path("tile/entries/x001/x234/067.p/12") == TileName(None, 1234067, 12)


@given(st.integers(0, 63), st.integers(0, 2**63 - 1), st.integers(1, 256))
def test_every_tile_path_reads_back(level: int, index: int, width: int) -> None:
    assert parse_tile_path(tile_path(level, index, width)) == TileName(level, index, width)
    assert parse_tile_path(entries_path(index, width)) == TileName(None, index, width)


@pytest.mark.parametrize(
    "path",
    [
        "tile/00/000",
        "tile/64/000",
        "tile/0/00",
        "tile/0/x000/001",
        "tile/0/001/000",
        "tile/0/000.p/256",
        "tile/0/000.p/0",
        "tile/0/000.p/01",
        "tile/0/000.p/",
        "tile/0/000/",
        "/tile/0/000",
        "tile/0/-01",
        "tile/0/+01",
        "tile/0/٠٠٠",
        "tile/0/x1_0/000",
        "checkpoint",
        "",
        "tile/" + "9" * 5000 + "/000",
    ],
)
def test_another_spelling_of_a_tile_path_is_refused(path: str) -> None:
    with pytest.raises(Problem, match="tile-path-unknown"):
        parse_tile_path(path)


@given(st.text(alphabet="tile/entrsx.p0123456789", max_size=40) | st.text(max_size=40))
def test_any_path_is_read_or_refused(path: str) -> None:
    try:
        name = parse_tile_path(path)
    except Problem:
        return
    again = entries_path if name.level is None else lambda i, w: tile_path(name.level or 0, i, w)
    assert again(name.index, name.width) == path


def test_out_of_range_tiles_have_no_path() -> None:
    for level, index, width in ((64, 0, 1), (-1, 0, 1), (0, -1, 1), (0, 0, 0), (0, 0, 257)):
        with pytest.raises(ValueError, match="no tile"):
            tile_path(level, index, width)


def test_a_tree_of_70000_has_the_tiles_that_c2sp_counts() -> None:
    assert partial_tiles(70_000) == [(0, 273, 112), (1, 1, 17), (2, 0, 1)]
    assert [tile_width(70_000, 0, i) for i in (0, 272, 273, 274)] == [256, 256, 112, 0]
    assert [tile_width(70_000, 1, i) for i in (0, 1)] == [256, 17]


def test_a_tree_of_256_has_a_full_tile_and_one_of_width_1_above() -> None:
    assert partial_tiles(256) == [(1, 0, 1)]
    assert tile_width(256, 0, 0) == 256


@pytest.mark.parametrize("size", [*range(20), 255, 256, 257, 511, 512, 513, 700, 1024, 1300])
def test_the_root_from_tiles_is_the_root_of_the_rfc(size: int) -> None:
    assert root(size, CachedTiles()) == naive_tree.mth(LOG[:size])


@settings(deadline=None)
@given(st.integers(1, len(LOG)), st.data())
def test_inclusion_proofs_from_tiles_are_those_of_the_rfc(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    assert inclusion_proof(index, size, CachedTiles()) == naive_tree.path(index, LOG[:size])


@settings(deadline=None)
@given(st.integers(1, len(LOG)), st.data())
def test_consistency_proofs_from_tiles_are_those_of_the_rfc(size: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(1, size))
    assert consistency_proof(old, size, CachedTiles()) == naive_tree.proof(old, LOG[:size])


def test_nothing_needs_to_be_shown_of_the_empty_tree() -> None:
    assert consistency_proof(0, 300, CachedTiles()) == []
    assert consistency_proof(0, 0, CachedTiles()) == []


def test_all_proofs_of_a_batch_share_one_tree_and_its_tiles() -> None:
    tiles = NaiveTiles(LOG[:700])
    batch = tree(700, tiles)
    for index in range(500, 700):
        assert batch.inclusion(index) == naive_tree.path(index, LOG[:700])
    assert sorted(tiles.reads) == [(0, 1, 256), (0, 2, 188), (1, 0, 2)]


def test_only_tiles_that_the_size_calls_for_are_read() -> None:
    tiles = NaiveTiles(LOG)
    tree(600, tiles).inclusion(0)
    assert set(tiles.reads) <= {(0, 0, 256), (0, 2, 88), (1, 0, 2)}


@pytest.mark.parametrize(("index", "size"), [(5, 5), (-1, 5), (0, 0)])
def test_a_position_beyond_the_tree_has_no_proof(index: int, size: int) -> None:
    with pytest.raises(Problem, match="log-position-beyond-tree"):
        inclusion_proof(index, size, CachedTiles())
    with pytest.raises(Problem, match="log-position-beyond-tree"):
        consistency_proof(size + 1, size, CachedTiles())


@pytest.mark.parametrize("cut", [-32, -1, 32])
def test_a_tile_of_another_length_is_refused(cut: int) -> None:
    class Broken:
        def read(self, level: int, index: int, width: int) -> bytes:
            return bytes(32 * width + cut)

    with pytest.raises(Problem, match="tile-broken"):
        root(300, Broken())


@settings(deadline=None)
@given(st.integers(300, 700), st.data())
def test_a_flipped_bit_in_a_tile_yields_no_valid_proof(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    old = data.draw(st.integers(1, size - 1))
    bit = data.draw(st.integers(0, 255))

    class Flipped:
        """Flips that bit of every hash of every tile."""

        def read(self, level: int, index: int, width: int) -> bytes:
            flipped = bytearray(CachedTiles().read(level, index, width))
            for at in range(bit >> 3, len(flipped), 32):
                flipped[at] ^= 1 << (bit & 7)
            return bytes(flipped)

    frontier = Frontier()
    frontier.extend(leaf_hash(e) for e in LOG[:old])
    old_root = frontier.root()
    frontier.extend(leaf_hash(e) for e in LOG[old:size])
    forged = inclusion_proof(index, size, Flipped())
    with pytest.raises(Problem, match="inclusion-proof-invalid"):
        verify_inclusion(leaf_hash(LOG[index]), index, size, forged, frontier.root())
    with pytest.raises(Problem, match="consistency-proof-invalid"):
        verify_consistency(old, old_root, size, frontier.root(), consistency_proof(old, size, Flipped()))
