"""A monitor and the logs it follows, as folders and over HTTP: honest ones, and each way to lie told apart."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from effort import tries
from gardesh.exchange.log_source import source
from gardesh.exchange.monitor import ForkFound, Monitor
from gardesh.exchange.monitor_state import MonitorState
from gardesh.exchange.static_log import publish
from gardesh.exchange.static_site import Folder
from gardesh.model.policy import Policy
from gardesh.model.problem import Problem
from gardesh.record.notebook import MEMORY
from growing import START, GrowingLog, careless, entry, forged, forked
from served_log import POLICY, Served, files
from serving import serving_files


@pytest.fixture
def served(tmp_path: Path) -> Served:
    return Served(tmp_path)


SIZES = (0, 1, 1, 7, 255, 256, 257, 600, 70_000)


def test_an_honest_log_is_followed_through_all_its_sizes(served: Served) -> None:
    log, before = GrowingLog(), 0
    for size in SIZES:
        publish(log.grow(size).store, log.note(), Folder(served.folder))
        assert served.look() == (size, size - before, [])
        before = size


def test_over_http_it_is_the_same(tmp_path: Path) -> None:
    folder = tmp_path / "served"
    folder.mkdir()
    with serving_files(folder) as url:
        served, log, before = Served(tmp_path, url), GrowingLog(), 0
        assert served.refusal().params == {"path": "checkpoint", "reason": "HTTP 404"}
        for size in (1, 255, 700):
            publish(log.grow(size).store, log.note(), Folder(folder))
            assert served.look() == (size, size - before, [])
            before = size
    assert served.refusal().code == "log-file-unavailable"


def test_a_monitor_without_a_file_remembers_as_long_as_it_lives(served: Served) -> None:
    served.show(GrowingLog(20))
    monitor = Monitor(source(str(served.folder)), POLICY, MEMORY)
    assert monitor.look().new == 20
    served.show(forked(7, 30))
    with pytest.raises(ForkFound):
        monitor.look()
    monitor.close()


@pytest.mark.parametrize("at", [0, 7, 255, 299])
def test_another_root_of_the_same_size_is_a_fork_with_both_heads_as_its_proof(
    served: Served, at: int
) -> None:
    log, other = GrowingLog(300), forked(at, 300)
    served.show(log).look()
    fork = served.show(other).fork()
    assert served.heads(fork) == [(300, log.head().root), (300, other.head().root)]


@pytest.mark.parametrize(("at", "size"), [(0, 301), (7, 512), (255, 600), (299, 301)])
def test_a_larger_tree_that_does_not_begin_with_the_smaller_is_a_fork(
    served: Served, at: int, size: int
) -> None:
    log, other = GrowingLog(300), forked(at, size)
    served.show(log).look()
    fork = served.show(other).fork()
    assert served.heads(fork) == [(300, log.head().root), (size, other.head().root)]
    assert fork.root == other.head(300).root
    assert (
        served.show(log.grow(900)).fork() == fork
    )  # what was seen is not forgotten because it is hidden again


@pytest.mark.parametrize(("at", "size"), [(0, 1), (7, 100), (255, 299)])
def test_a_smaller_tree_that_never_was_a_state_of_the_log_is_a_fork(
    served: Served, at: int, size: int
) -> None:
    log, other = GrowingLog(300), forked(at, size)
    served.show(log).look()
    fork = served.show(other).fork()
    assert served.heads(fork) == [(size, other.head().root), (300, log.head().root)]
    assert fork.root == log.head(size).root


@pytest.mark.parametrize("size", [0, 1, 256, 299])
def test_an_old_checkpoint_is_told_apart_from_a_fork(served: Served, size: int) -> None:
    log = GrowingLog(300)
    served.show(log).look()
    refusal = served.show(log, size).refusal()
    assert (refusal.code, refusal.params) == ("log-head-smaller", {"size": size, "seen": 300})
    assert served.show(log.grow(400)).look() == (400, 100, [])


def test_a_log_rolled_back_and_grown_again_is_a_fork(served: Served) -> None:
    served.show(GrowingLog(300)).look()
    assert served.show(GrowingLog(200)).refusal().code == "log-head-smaller"
    assert [size for size, _ in served.heads(served.show(forked(200, 310)).fork())] == [300, 310]


@pytest.mark.parametrize("under", ["tile/0", "tile/1", "tile/entries"])
def test_a_file_that_is_withheld_is_named(served: Served, under: str) -> None:
    log = GrowingLog(600)
    served.show(log, 300).look()
    served.show(log)
    newest = files(served.folder, under)[-1]
    kept = newest.read_bytes()
    newest.unlink()
    refusal = served.refusal()
    assert refusal.code == "log-file-unavailable"
    assert refusal.params["path"] == str(newest.relative_to(served.folder))
    newest.write_bytes(kept)
    assert served.look() == (600, 300, [])


def test_what_was_signed_binds_also_when_its_entries_were_never_shown(served: Served) -> None:
    log, other = GrowingLog(600), forked(400, 700)
    served.show(log, 300).look()
    shutil.rmtree(served.show(log).folder / "tile" / "entries")
    assert served.refusal().code == "log-file-unavailable"
    assert [size for size, _ in served.heads(served.show(other).fork())] == [600, 700]


def test_a_smaller_head_is_held_against_tiles_when_entries_were_never_shown(served: Served) -> None:
    log = GrowingLog(600)
    shutil.rmtree(served.show(log).folder / "tile" / "entries")
    served.refusal()
    (served.folder / "checkpoint").write_bytes(forked(100, 500).note())
    assert [size for size, _ in served.heads(served.fork())] == [500, 600]


def flip_in(path: Path, at: int) -> bytes:
    data = path.read_bytes()
    path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    return data


@pytest.mark.parametrize("under", ["tile/0", "tile/1", "tile/entries"])
@pytest.mark.parametrize("at", [5, -3])
def test_a_file_that_is_not_what_was_signed_is_told_apart(served: Served, under: str, at: int) -> None:
    log = GrowingLog(600)
    served.show(log, 300).look()
    served.show(log)
    newest = files(served.folder, under)[-1]
    kept = flip_in(newest, at % len(newest.read_bytes()))
    refusal = served.refusal()
    assert refusal.code == "log-tiles-wrong"
    if under == "tile/entries":
        assert str(newest.relative_to(served.folder)).startswith(refusal.params["path"])
    newest.write_bytes(kept)
    assert served.look() == (600, 300, [])


@pytest.mark.parametrize("cut", [slice(0, -1), slice(0, -32), slice(0, -42), slice(0, 0)])
@pytest.mark.parametrize("under", ["tile/0", "tile/entries"])
def test_a_file_cut_short_is_no_fork(served: Served, under: str, cut: slice) -> None:
    log = GrowingLog(300)
    newest = files(served.show(log).folder, under)[-1]
    newest.write_bytes(newest.read_bytes()[cut])
    assert served.refusal().code in ("tile-broken", "log-tiles-wrong")


def test_tiles_of_another_tree_are_no_proof_of_a_fork(served: Served) -> None:
    log = GrowingLog(300)
    served.show(log).look()
    served.show(forked(7, 600))
    (served.folder / "checkpoint").write_bytes(log.grow(600).note())
    assert served.refusal().code == "log-tiles-wrong"
    assert served.show(log).look() == (600, 300, [])


def test_a_checkpoint_that_the_log_did_not_sign_is_refused(served: Served) -> None:
    log = GrowingLog(20)
    served.show(log)
    place = served.folder / "checkpoint"
    place.write_bytes(GrowingLog(20, "other.example/log").note())
    assert served.refusal().code == "checkpoint-of-another-log"
    place.write_bytes(log.note().replace(b"\n20\n", b"\n21\n"))
    assert served.refusal().code == "note-signature-invalid"
    place.write_bytes(b"hello")
    assert served.refusal().code == "note-malformed"
    place.write_bytes(b"x" * 1_000_000)
    assert served.refusal().code == "note-too-large"


def test_a_state_is_of_one_log(served: Served) -> None:
    served.show(GrowingLog(3)).look()
    other = GrowingLog(3, "other.example/log")
    served.show(other)
    monitor = Monitor(
        source(str(served.folder)), Policy.of_log("other.example/log", other.keys), served.state
    )
    with pytest.raises(Problem, match="checkpoint-of-another-log"):
        monitor.look()
    monitor.close()


def test_a_full_tile_serves_where_the_partial_one_was_dropped(served: Served) -> None:
    log = GrowingLog(300)
    served.show(log)
    full = Served(served.folder.parent / "full").show(log.grow(512))
    for under in ("tile/0", "tile/entries"):
        shutil.rmtree(served.folder / under / "001.p")
        shutil.copy(full.folder / under / "001", served.folder / under / "001")
    assert served.look() == (300, 300, [])


# -- rules of entries ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("split", [1, 5, 260])
def test_time_that_goes_back_is_found_and_told_again(served: Served, split: int) -> None:
    log = GrowingLog(split)
    served.show(log).look()
    log.add([(forged(0)[0], START + split - 2)]).grow(split + 5)
    assert served.show(log).look() == (split + 5, 5, ["log-time-went-back"])
    assert served.look() == (split + 5, 0, ["log-time-went-back"])
    with served.monitor() as monitor:
        assert monitor.look().findings[0].params == {"position": split, "at": START + split - 2}


def test_the_same_digest_twice_is_found_within_a_look_and_across_looks(served: Served) -> None:
    log = careless()
    log.add([entry(0), entry(1), (entry(1)[0], START + 2), entry(3)])
    assert served.show(log).look() == (4, 4, ["log-digest-twice"])
    log.add([(entry(0)[0], START + 9), (entry(1)[0], START + 9)])
    assert served.show(log).look()[2] == ["log-digest-twice"] * 3
    with served.monitor() as monitor:
        found = [p.params for p in monitor.look().findings]
    assert found == [{"position": 2, "first": 1}, {"position": 4, "first": 0}, {"position": 5, "first": 1}]


def test_two_monitors_of_one_state_do_not_mix_their_entries(served: Served) -> None:
    log = GrowingLog(20)
    served.show(log).look()
    state = MonitorState(served.state)
    with pytest.raises(Problem, match="monitor-state-busy"):
        state.keep_entries(10, [], state.edge(), [], [])
    state.close()


# -- any history --------------------------------------------------------------------------------------------


@tries(25)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 40)), min_size=1, max_size=6))
def test_a_monitor_accepts_one_history_and_proves_every_other(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, int]]
) -> None:
    served = Served(tmp_path_factory.mktemp("any"))
    seen: list[tuple[GrowingLog, int]] = []
    for number, size in steps:
        log = BRANCHES[number]
        shows = served.show(log, size)
        contradicts = [m for other, m in seen if log.head(min(m, size)) != other.head(min(m, size))]
        if contradicts:
            shows.fork()
            return
        if seen and size < max(m for _, m in seen):
            assert shows.refusal().code == "log-head-smaller"
        else:
            assert shows.look()[0] == size
            seen.append((log, size))


BRANCHES: list[GrowingLog] = [GrowingLog(40), forked(10, 40), forked(25, 40)]
