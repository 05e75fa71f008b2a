"""A backup that is restored is the same node: the same record byte for byte, which goes on with the same keys."""

from __future__ import annotations

import fcntl
import os
import stat
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pytest

import stores
from backed_up import Kept, restore
from gardesh.access import Access
from gardesh.inbox import Inbox
from gardesh.model.problem import Problem
from gardesh.record import backup_manifest
from gardesh.record.backup_rows import RESTORED
from gardesh.record.blobs import Blobs
from gardesh.record.store import Store
from gardesh.study.rebuilding import views_differ
from gardesh.study.restored_folder import WORK
from gardesh.subscriptions import Subscriptions
from market import Market, contents, explains_itself, unsealed

pytestmark = pytest.mark.store


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    made = Kept(tmp_path)
    made.a_history()
    return made


def rows(store: Store) -> dict[str, list[tuple[Any, ...]]]:
    """All rows, the same on both databases."""
    return {
        name: [tuple(int(v) if isinstance(v, bool) else v for v in row) for row in found]
        for name, found in contents(store).items()
    }


def same(kept: Kept, home: Path, url: str | None = None) -> Market:
    """The node in `home` is the one that was backed up just now. Returns it, with the keys of the market."""
    store = Store(url or str(home / "node.sqlite"))
    old = kept.market.store
    assert {n: sorted(r, key=repr) for n, r in rows(store).items()} == {
        n: sorted(r, key=repr) for n, r in rows(old).items()
    }
    settings = "SELECT name, value FROM settings ORDER BY name"
    assert list(map(tuple, store.rows(settings))) == list(map(tuple, old.rows(settings)))
    assert views_differ(store, old) == []
    checkpoints = {size: bytes(raw) for size, raw in store.rows("SELECT size, note FROM checkpoints")}
    kept_ones = {size: bytes(raw) for size, raw in old.rows("SELECT size, note FROM checkpoints")}
    assert {s: checkpoints[s] for s in kept_ones} == kept_ones
    assert set(checkpoints) - set(kept_ones) <= {kept.market.node.log.size}
    for name in ("keys", "blobs"):
        assert tree(home / name) == tree(kept.folder / "home" / name)
    names = {"keys", "node.sqlite" if url is None else "store-url"}
    assert {p.name for p in home.iterdir()} - {"node.sqlite-wal", "node.sqlite-shm", "blobs"} == names
    market = Market.opened(store)
    explains_itself(market.node)
    return market


def tree(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_restored_node_is_the_same_and_goes_on_with_its_keys(kept: Kept, tmp_path: Path) -> None:
    kept.back_up()
    done = restore(kept.opened(), tmp_path / "new")
    assert (done.number, done.size, done.newest, done.older) == (1, kept.market.node.log.size, 16, False)
    assert (done.attachments, done.bytes, done.keys, done.missing) == (2, 6, ["ali"], [])
    market = same(kept, tmp_path / "new")
    assert stat.S_IMODE((tmp_path / "new" / "keys" / "ali.pem").stat().st_mode) == 0o600
    before = market.node.log.checkpoint(market.now)
    assert market.policy.verify(before).head.size == done.size
    market.apply("sara")
    market.node.read("ali", "9", "after the restore", market.now)
    market.apply("ali", reference="A-7")
    explains_itself(market.node)
    market.node.close()


def test_who_took_notices_and_where_they_are_sent_comes_back(kept: Kept, tmp_path: Path) -> None:
    access = Access(kept.market.node, "neighbour", kept.market.now)
    newest = kept.market.store.one("SELECT max(id) FROM notices")[0]
    Inbox(access).ack("default", newest)
    Subscriptions(kept.market.node).make(access, "https://office.example/", None, 1)
    kept.back_up()
    market = same(kept, tmp_path / "new") if restore(kept.opened(), tmp_path / "new") else kept.market
    for table in ("consumers", "webhooks", "deliveries", "notices"):
        mine, theirs = (store.rows(f"SELECT * FROM {table}") for store in (kept.market.store, market.store))
        assert sorted(map(repr, map(tuple, mine))) == sorted(map(repr, map(tuple, theirs))), table
        assert mine, table


def test_backups_of_the_restored_node_go_on_in_the_same_place(kept: Kept, tmp_path: Path) -> None:
    kept.back_up()
    restore(kept.opened(), tmp_path / "new")
    kept.market = Market.opened(Store(str(tmp_path / "new" / "node.sqlite")))
    kept.market.apply("sara")
    kept.market.node.read("sara", str(kept.market.node.log.size - 1), "mine", kept.market.now)
    done = kept.back_up()
    assert (done.number, done.documents) == (2, 1)
    restore(kept.opened(), tmp_path / "newer")
    same(kept, tmp_path / "newer").node.close()
    kept.market.node.close()


@pytest.mark.postgresql
@pytest.mark.parametrize("source", ["sqlite", "postgresql"])
@pytest.mark.parametrize("target", ["sqlite", "postgresql"])
def test_a_record_moves_between_databases(tmp_path: Path, source: str, target: str) -> None:
    made = Store(str(tmp_path / "old.sqlite"), create=True) if source == "sqlite" else None
    kept = Kept(tmp_path, made)
    kept.a_history()
    kept.back_up()
    url = stores.place(tmp_path) if target == "postgresql" else None
    restore(kept.opened(), tmp_path / "new", url)
    if url is not None:
        place = tmp_path / "new" / "store-url"
        assert (place.read_text(), stat.S_IMODE(place.stat().st_mode)) == (f"{url}\n", 0o600)
    market = same(kept, tmp_path / "new", url)
    market.apply("sara")
    market.node.read("ali", "9", "after the restore", market.now)
    assert [r["purpose"] for r in market.node.readers("9")] == ["a look", "after the restore"]
    explains_itself(market.node)
    market.node.close()


@pytest.mark.postgresql
def test_a_database_that_holds_a_node_is_left_alone(tmp_path: Path) -> None:
    kept, other, url = Kept(tmp_path), Kept(tmp_path / "other"), stores.place(tmp_path)
    other.back_up()
    kept.back_up()
    restore(kept.opened(), tmp_path / "new", url)
    before = contents(Store(url))
    for contents_ in (kept.opened(), other.opened()):
        with pytest.raises(Problem, match="already-a-node"):
            restore(contents_, tmp_path / "again", url)
        assert not (tmp_path / "again").exists()
    assert contents(Store(url)) == before


@pytest.mark.postgresql
def test_what_an_interrupted_restore_finished_in_a_database_is_taken_up(tmp_path: Path) -> None:
    kept, other, url = Kept(tmp_path), Kept(tmp_path / "other"), stores.place(tmp_path)
    kept.back_up()
    other.back_up()
    restore(kept.opened(), tmp_path / "new", url)
    store = Store(url)
    manifest = kept.opened().manifest
    store.set(RESTORED, f"{manifest.number} {manifest.root}".encode())
    assert kept.back_up().new is False
    with pytest.raises(Problem, match="already-a-node"):
        restore(other.opened(), tmp_path / "again", url)
    restore(kept.opened(), tmp_path / "again", url)
    assert store.setting(RESTORED) is None
    same(kept, tmp_path / "again", url).node.close()


def test_an_older_state_has_to_be_asked_for(kept: Kept, tmp_path: Path) -> None:
    first = kept.back_up().size
    states = {first: rows(kept.market.store)}
    for n in range(2):
        kept.market.apply("sara", reference=f"A-{n}")
        states[kept.back_up().size] = rows(kept.market.store)
    assert restore(kept.opened(), tmp_path / "newest").older is False
    for size, state in states.items():
        done = restore(kept.opened(size), tmp_path / str(size))
        assert (done.size, done.newest, done.older) == (size, first + 2, size < first + 2)
        found = rows(Store(str(tmp_path / str(size) / "node.sqlite")))
        assert found["documents"] == state["documents"]
    with pytest.raises(Problem, match="no-backup-of-this-size") as told:
        kept.opened(first + 5)
    assert told.value.params["sizes"] == f"{first + 2}, {first + 1}, {first}"


def test_an_older_state_that_went_on_is_not_backed_up_over_what_it_forked_from(
    kept: Kept, tmp_path: Path
) -> None:
    size = kept.back_up().size
    kept.market.apply("sara", reference="A-1")
    kept.back_up()
    restore(kept.opened(size), tmp_path / "old")
    kept.market = Market.opened(Store(str(tmp_path / "old" / "node.sqlite")))
    for reference in ("B-1", "B-2"):
        with pytest.raises(Problem, match="backup-of-another-history"):
            kept.back_up()
        kept.market.apply("sara", reference=reference)
    with pytest.raises(Problem, match="backup-of-another-history"):
        kept.back_up()
    assert backup_manifest.numbers(kept.place) == [1, 2]
    kept.market.node.close()


def test_no_older_backup_stands_in_for_one_that_is_damaged(kept: Kept, tmp_path: Path) -> None:
    size = kept.back_up().size
    kept.market.apply("sara")
    kept.back_up()
    (kept.place.folder / backup_manifest.file_of(2)).write_bytes(b"")
    with pytest.raises(Problem, match="backup-damaged"):
        kept.opened()
    done = restore(kept.opened(size), tmp_path / "new")
    assert (done.number, done.size) == (1, size)


def test_where_there_is_no_backup_nothing_is_restored(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    for size in (None, 8):
        with pytest.raises(Problem, match="no-backup-here"):
            kept.opened(size)


def test_a_node_is_restored_into_an_empty_folder_only(kept: Kept, tmp_path: Path) -> None:
    kept.back_up()
    home = tmp_path / "new"
    home.mkdir()
    (home / "letter").write_bytes(b"mine")
    with pytest.raises(Problem, match="home-not-empty"):
        restore(kept.opened(), home)
    (home / WORK).mkdir()
    with pytest.raises(Problem, match="home-not-empty"):
        restore(kept.opened(), home)
    assert (home / "letter").read_bytes() == b"mine"
    (home / "letter").unlink()
    restore(kept.opened(), home)
    before = tree(home)
    for _ in range(2):
        with pytest.raises(Problem, match="home-not-empty"):
            restore(kept.opened(), home)
        (home / WORK).mkdir(exist_ok=True)
    assert tree(home) == before
    file = tmp_path / "file"
    file.write_bytes(b"")
    with pytest.raises(Problem, match="home-not-empty"):
        restore(kept.opened(), file)


def test_two_restores_do_not_meet_in_one_folder(kept: Kept, tmp_path: Path) -> None:
    kept.back_up()
    home = tmp_path / "new"
    (home / WORK).mkdir(parents=True)
    handle = os.open(home / WORK, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    with pytest.raises(Problem, match="restore-busy"):
        restore(kept.opened(), home)
    os.close(handle)
    restore(kept.opened(), home)
    same(kept, home).node.close()


def test_what_the_node_lacked_is_told_when_it_is_restored(kept: Kept, tmp_path: Path) -> None:
    digest = sha256(b"a plan").hexdigest()
    (kept.blobs._path(bytes.fromhex(digest))).unlink()
    kept.back_up(keys=None)
    done = restore(kept.opened(), tmp_path / "new")
    assert (done.missing, done.attachments, done.keys) == ([digest], 1, [])
    assert not (tmp_path / "new" / "keys").exists()
    assert Blobs(tmp_path / "new" / "blobs").size_of(bytes.fromhex(digest)) is None


def test_a_backup_of_the_version_before_is_restored_and_not_added_to(kept: Kept, tmp_path: Path) -> None:
    """It held everything in the clear: the next one in that place rests on nothing of it."""
    unsealed(kept.market)
    kept.back_up()
    old = backup_manifest.read(kept.place, 1).manifest
    (kept.place.folder / old.file).unlink()
    backup_manifest.write(kept.place, msgspec.structs.replace(old, format=backup_manifest.IN_THE_CLEAR))
    restore(kept.opened(), tmp_path / "old")
    market = Market.opened(Store(str(tmp_path / "old" / "node.sqlite")))
    assert market.store.one("SELECT count(*) FROM disclosures WHERE key IS NULL")[0] == 0
    explains_itself(market.node)
    Market.opened(kept.market.store)
    done = kept.back_up()
    assert (done.number, done.in_the_clear, done.documents) == (2, True, done.size)
    assert [m.number for m in kept.opened().chain] == [2]
    restore(kept.opened(), tmp_path / "new")
    same(kept, tmp_path / "new")
    assert (kept.back_up().new, kept.back_up().in_the_clear) == (False, False)
