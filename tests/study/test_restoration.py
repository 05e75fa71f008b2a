"""A backup that is restored is the same node: the same record byte for byte, which goes on with the same keys."""

from __future__ import annotations

import fcntl
import os
import stat
import zlib
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import stores
from backed_up import Kept
from effort import tries
from gardesh.model import note
from gardesh.model.problem import Problem
from gardesh.record import backup_manifest
from gardesh.record.backup_manifest import Manifest
from gardesh.record.backup_rows import RESTORED
from gardesh.record.blobs import Blobs
from gardesh.record.store import Store
from gardesh.study.audit import views_differ
from gardesh.study.restoration import restore
from gardesh.study.restored_folder import WORK
from market import Market, contents, explains_itself

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


# -- damage -----------------------------------------------------------------------------------------------


@pytest.fixture
def two(kept: Kept) -> Kept:
    """Two backups, the second on the first."""
    kept.back_up()
    kept.attach(b"another plan", reference="A-2")
    kept.market.node.read("ali", "9", "again", kept.market.now)
    kept.back_up()
    return kept


def refused(kept: Kept, home: Path) -> Problem:
    """Why it is not restored. Nothing of the attempt stays."""
    try:
        restore(kept.opened(), home)
    except Problem as problem:
        assert not home.exists()
        return problem
    raise AssertionError("it was restored")


KINDS = (
    "manifests",
    "documents",
    "checkpoints",
    "reads",
    "packs",
    "settings",
    "attachments",
    "keys",
    "blobs",
)


def flipped(data: bytes) -> bytes:
    at = len(data) // 2
    return data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :]


DAMAGE: dict[str, Callable[[bytes], bytes | None]] = {
    "flipped": flipped,
    "cut": lambda data: data[: len(data) // 2],
    "longer": lambda data: data + b"\0",
    "empty": lambda data: b"",
    "gone": lambda data: None,
}


@pytest.mark.parametrize("how", DAMAGE)
@pytest.mark.parametrize("kind", KINDS)
def test_damage_is_named_with_its_file(two: Kept, tmp_path: Path, kind: str, how: str) -> None:
    names = [n for n in two.files if n.startswith(f"{kind}/") and two.files[n]]
    in_force = {s for s in names if kind != "settings" or s == two.opened().manifest.settings[0].name}
    for name in in_force:
        if (kind, how) == ("manifests", "gone") and name.endswith("2.json"):
            continue  # then the first is in force: what was never written cannot be missed
        path = two.place.folder / name
        whole = path.read_bytes()
        damaged = DAMAGE[how](whole)
        path.unlink()
        if damaged is not None:
            path.write_bytes(damaged)
        problem = refused(two, tmp_path / "new")
        assert problem.code == ("backup-file-missing" if how == "gone" else "backup-damaged")
        assert problem.params["file"] == name
        path.unlink(missing_ok=True)
        path.write_bytes(whole)
    restore(two.opened(), tmp_path / "new")


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    made = Kept(tmp_path_factory.mktemp("lasting"))
    made.a_history()
    made.back_up()
    return made


@given(data=st.data())
@tries(60)
def test_any_flipped_bit_is_found_in_its_file(
    lasting: Kept, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    files = lasting.files
    name = data.draw(st.sampled_from(sorted(n for n in files if files[n])))
    bit = data.draw(st.integers(0, len(files[name]) * 8 - 1))
    changed = bytearray(files[name])
    changed[bit // 8] ^= 1 << bit % 8
    path = lasting.place.folder / name
    path.write_bytes(changed)
    try:
        problem = refused(lasting, tmp_path_factory.mktemp("flip") / "new")
    finally:
        path.write_bytes(files[name])
    assert (problem.code, problem.params["file"]) == ("backup-damaged", name)


def forge(kept: Kept, number: int, **changes: Any) -> Manifest:
    """Another manifest in the place of one, right in itself."""
    old = backup_manifest.read(kept.place, number).manifest
    made = msgspec.structs.replace(old, **changes)
    (kept.place.folder / old.file).unlink()
    backup_manifest.write(kept.place, made)
    return made


def test_a_manifest_of_another_node_is_named(two: Kept, tmp_path: Path) -> None:
    other = Kept(tmp_path / "other")
    other.a_history()
    other.back_up()
    name = backup_manifest.file_of(1)
    (two.place.folder / name).write_bytes(other.files[name])
    problem = refused(two, tmp_path / "new")
    assert (problem.code, problem.params["file"]) == ("backup-of-another-node", name)


def test_a_manifest_that_the_next_does_not_name_is_damage(two: Kept, tmp_path: Path) -> None:
    forge(two, 1, made_at=7)
    problem = refused(two, tmp_path / "new")
    assert (problem.code, problem.params["file"]) == ("backup-damaged", backup_manifest.file_of(1))


@pytest.fixture
def mixed(kept: Kept, tmp_path: Path) -> tuple[Kept, Manifest]:
    """A place with the segments of two nodes, and the manifest of the other."""
    other = Kept(tmp_path / "other")
    other.a_history()
    kept.back_up()
    other.back_up()
    for name, data in other.files.items():
        kept.place.put(name, [data])
    return kept, other.opened().manifest


def test_a_segment_of_another_node_is_known_by_its_digest(
    mixed: tuple[Kept, Manifest], tmp_path: Path
) -> None:
    kept, other = mixed
    mine = kept.opened().manifest
    for table in ("documents", "checkpoints"):
        name = getattr(mine, table)[0].name
        path, whole = kept.place.folder / name, kept.files[name]
        path.write_bytes(kept.files[getattr(other, table)[0].name])
        problem = refused(kept, tmp_path / "new")
        assert (problem.code, problem.params["file"]) == ("backup-damaged", name)
        path.write_bytes(whole)


@pytest.mark.parametrize(
    "tables",
    [("documents",), ("checkpoints",), ("packs", "documents"), ("documents", "settings", "checkpoints")],
)
def test_segments_of_two_nodes_under_one_manifest_make_no_node(
    mixed: tuple[Kept, Manifest], tmp_path: Path, tables: tuple[str, ...]
) -> None:
    kept, other = mixed
    forge(kept, 1, **{table: getattr(other, table) for table in tables})
    assert refused(kept, tmp_path / "new").code in ("audit-differs", "backup-not-its-root")


def test_a_manifest_that_says_another_root_or_checkpoint_makes_no_node(kept: Kept, tmp_path: Path) -> None:
    kept.back_up()
    manifest = kept.opened().manifest
    text = note.parse(manifest.checkpoint.encode()).text
    unsigned = manifest.checkpoint.replace(text.split("\n")[2], "A" * 43 + "=")
    for changes, code in (
        ({"root": sha256(b"").hexdigest()}, "backup-not-its-root"),
        ({"checkpoint": unsigned}, "audit-differs"),
        ({"documents": []}, "backup-damaged"),
        ({"documents": [], "size": 0}, "audit-differs"),
        ({"size": manifest.size + 1}, "backup-damaged"),
        ({"keys": [backup_manifest.KeyFile("../x.pem", *_of(manifest.keys))]}, "backup-damaged"),
    ):
        forge(kept, 1, **changes)
        assert refused(kept, tmp_path / "new").code == code, changes
        (kept.place.folder / manifest.file).unlink()
        backup_manifest.write(kept.place, manifest)
    restore(kept.opened(), tmp_path / "new")


def _of(keys: Any) -> tuple[str, int]:
    return keys[0].sha256, keys[0].size


def test_a_segment_that_is_not_what_the_manifest_says_of_it_is_damage(kept: Kept, tmp_path: Path) -> None:
    kept.back_up()
    mine = kept.opened().manifest.settings[0]
    whole = zlib.decompress(kept.files[mine.name])
    forged = [
        (b"no zlib", {}),
        (zlib.compress(b"no rows"), {}),
        (zlib.compress(whole + b"\0" * (1 << 20)), {}),
        (zlib.compress(whole, 1), {"rows": mine.rows + 1}),
        (zlib.compress(whole, 1), {"content": mine.content - 1}),
    ]
    for data, said in forged:
        digest = sha256(data).hexdigest()
        kept.place.put(f"settings/{digest}", [data])
        segment = msgspec.structs.replace(mine, sha256=digest, size=len(data), **said)
        forge(kept, 1, settings=[segment])
        assert refused(kept, tmp_path / "new").code == "backup-damaged"
    forge(kept, 1, settings=[msgspec.structs.replace(segment, content=mine.content)])
    restore(kept.opened(), tmp_path / "new")


def test_what_the_node_lacked_is_told_when_it_is_restored(kept: Kept, tmp_path: Path) -> None:
    digest = sha256(b"a plan").hexdigest()
    (kept.blobs._path(bytes.fromhex(digest))).unlink()
    kept.back_up(keys=None)
    done = restore(kept.opened(), tmp_path / "new")
    assert (done.missing, done.attachments, done.keys) == ([digest], 1, [])
    assert not (tmp_path / "new" / "keys").exists()
    assert Blobs(tmp_path / "new" / "blobs").size_of(bytes.fromhex(digest)) is None
