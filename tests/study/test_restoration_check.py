"""A backup is tried by restoring it: what is wrong is told, and nothing of the trial stays."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path

import pytest

from backed_up import Kept
from gardesh.model.problem import Problem
from gardesh.record import backup_manifest
from gardesh.study.restoration_check import Checked, check
from market import record_keys

pytestmark = pytest.mark.store


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    made = Kept(tmp_path)
    made.a_history()
    return made


def tried(kept: Kept, size: int | None = None) -> Checked:
    scratch = kept.folder / "scratch"
    scratch.mkdir(exist_ok=True)
    files = kept.files
    found = check(lambda: kept.opened(size), scratch, record_keys=lambda _: record_keys())
    assert os.listdir(scratch) == []
    assert kept.files == files
    return found


def codes(found: Checked) -> list[str]:
    return [p.code for p in found.problems]


@pytest.mark.parametrize("checkpoint_is_kept", [False, True])
def test_a_whole_backup_is_whole_and_its_figures_are_the_nodes(kept: Kept, checkpoint_is_kept: bool) -> None:
    if checkpoint_is_kept:
        kept.market.node.log.keep_checkpoint()
    kept.back_up()
    found = tried(kept)
    store = kept.market.store
    assert codes(found) == []
    assert found.restored is not None
    assert found.audit is not None
    assert found.audit.documents == found.restored.size == kept.market.node.log.size
    assert found.audit.root == found.restored.root == kept.market.node.log.edge.root().hex()
    for name in ("cases", "entries", "reads"):
        assert getattr(found.restored, name) == store.one(f"SELECT count(*) FROM {name}")[0]
    entries = store.rows("SELECT register, count(*) FROM entries GROUP BY register")
    assert found.registers == dict(map(tuple, entries))
    assert (found.named, found.restored.attachments) == (2, 2)


def test_it_goes_on_being_whole_from_backup_to_backup(kept: Kept) -> None:
    sizes = []
    for n in range(3):
        kept.market.apply("sara", reference=f"A-{n}")
        sizes.append(kept.back_up().size)
        assert codes(tried(kept)) == []
    assert [codes(tried(kept, size)) for size in sizes] == [[], [], []]


def test_an_attachment_that_the_node_lacked_is_a_problem(kept: Kept) -> None:
    digest = sha256(b"a plan").hexdigest()
    kept.blobs._path(bytes.fromhex(digest)).unlink()
    kept.back_up()
    (problem,) = tried(kept).problems
    assert (problem.code, problem.params["digest"]) == ("no-such-blob", digest)


def test_damage_is_told_and_nothing_stays(kept: Kept) -> None:
    kept.back_up()
    for name, whole in kept.files.items():
        if not whole:
            continue
        path = kept.place.folder / name
        path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        (problem,) = tried(kept).problems
        assert (problem.code, problem.params["file"]) == ("backup-damaged", name)
        path.write_bytes(whole)
    assert codes(tried(kept)) == []


def test_figures_of_a_node_whose_views_had_gone_astray_differ(kept: Kept) -> None:
    market = kept.market
    with market.store.writing():
        market.store.run("DELETE FROM entries WHERE id = (SELECT max(id) FROM entries)")
        market.store.run("DELETE FROM cases WHERE closed_at IS NULL")
    kept.back_up()
    found = tried(kept)
    assert codes(found) == ["restored-count-differs"] * 2
    assert [p.params["what"] for p in found.problems] == ["cases", "entries of registers"]


def test_a_backup_that_is_not_there_is_told(kept: Kept) -> None:
    assert codes(tried(kept)) == ["no-backup-here"]
    kept.back_up()
    assert codes(tried(kept, 3)) == ["no-backup-of-this-size"]
    assert backup_manifest.numbers(kept.place) == [1]


def test_a_place_that_cannot_be_read_says_nothing_of_the_backup(kept: Kept) -> None:
    kept.back_up()
    path = kept.place.folder / backup_manifest.file_of(1)
    path.unlink()
    path.mkdir()
    with pytest.raises(Problem, match="backup-place-unusable"):
        tried(kept)
