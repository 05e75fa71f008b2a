"""A backup that is damaged, or mixed from two nodes, makes no node; the file that is wrong is named."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backed_up import Kept, restore
from effort import tries
from gardesh.model import note
from gardesh.model.problem import Problem
from gardesh.record import backup_manifest
from gardesh.record.backup_manifest import Manifest

pytestmark = pytest.mark.store


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    made = Kept(tmp_path)
    made.a_history()
    return made


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
    "case-keys",
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
    codes = ("audit-differs", "backup-not-its-root", "contents-damaged")
    assert refused(kept, tmp_path / "new").code in codes


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
