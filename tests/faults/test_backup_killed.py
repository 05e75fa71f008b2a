"""kill -9 at every moment of a backup and of a restore: the last backup stays in force, and there is a node or none."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path

import pytest
from keeper import backing_up, done, restoring

import stores
from backed_up import Kept, restore
from gardesh.model.problem import Problem
from gardesh.record.backup_contents import Contents, opened
from gardesh.record.backup_place import ASIDE, Folder
from gardesh.record.store import Store
from market import Market, explains_itself

pytestmark = pytest.mark.store
Files = dict[str, bytes]


def files(folder: Path) -> Files:
    """All that has a name in a place."""
    return {
        p.relative_to(folder).as_posix(): p.read_bytes()
        for p in folder.rglob("*")
        if p.is_file() and ASIDE not in p.parts
    }


def held(contents: Contents) -> tuple[int, int]:
    """Read everything that a backup names: how many documents, and bytes of attachments."""
    for rows in (contents.checkpoints(), contents.reads(), contents.packs(), contents.key_files()):
        assert all(rows)
    sizes = [sum(map(len, contents.attachment(digest, size))) for digest, size, _ in contents.attachments()]
    assert contents.settings()
    return sum(1 for _ in contents.documents()), sum(sizes)


def restored(place: Path, home: Path) -> Market:
    restore(opened(Folder(place)), home)
    return Market.opened(Store(str(home / "node.sqlite")))


def test_a_backup_killed_at_any_moment_leaves_the_last_in_force_and_is_made_again(tmp_path: Path) -> None:
    url = stores.place(tmp_path)
    kept = Kept(tmp_path, Store(url, create=True))
    kept.a_history()
    kept.back_up()
    old = held(kept.opened())
    kept.attach(b"a later plan", b"and another", reference="A-2")
    kept.market.node.read("ali", "9", "again", kept.market.now)
    new = (old[0] + 1, old[1] + len(b"a later planand another"))
    kept.market.node.log.close()
    kept.market.store.close()
    before, seen = files(kept.place.folder), set()
    for moment in itertools.count(1):
        place = tmp_path / "places" / str(moment)
        shutil.copytree(kept.place.folder, place)
        ended = done(moment, backing_up, url, tmp_path / "home", place)
        found = opened(Folder(place))
        seen.add(found.manifest.number)
        assert held(found) == (old if found.manifest.number == 1 else new)
        after = files(place)
        assert {n: after[n] for n in before} == before
        backing_up(url, tmp_path / "home", place)
        final = files(place)
        assert {n: final[n] for n in after} == after
        again = opened(Folder(place))
        assert (again.manifest.number, held(again)) == (2, new)
        if ended:
            break
        shutil.rmtree(place)
    assert seen == {1, 2}
    assert moment > 20
    market = restored(place, tmp_path / "new")
    explains_itself(market.node)
    market.node.close()


def test_a_restore_killed_at_any_moment_leaves_a_node_or_none(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    kept.a_history()
    size = kept.back_up().size
    nodes: list[bool] = []
    for moment in itertools.count(1):
        home = tmp_path / "homes" / str(moment)
        url = None if stores.kind == "sqlite" else stores.place(home)
        ended = done(moment, restoring, kept.place.folder, home, url)
        nodes.append(any((home / name).exists() for name in ("node.sqlite", "store-url")))
        if nodes[-1]:
            with pytest.raises(Problem, match="home-not-empty"):
                restoring(kept.place.folder, home, url)
        else:
            restoring(kept.place.folder, home, url)
            assert not (home / ".restoring").exists()
        market = Market.opened(Store(url or str(home / "node.sqlite")))
        assert market.node.log.size == size
        assert (home / "keys" / "ali.pem").read_bytes() == (kept.keys / "ali.pem").read_bytes()
        assert sum(1 for p in (home / "blobs").rglob("*") if p.is_file() and ".by-" not in p.name) == 2
        market.apply("sara")
        market.node.close()
        if ended:
            break
    assert ended
    explains_itself(Market.opened(Store(url or str(home / "node.sqlite"))).node)
    assert nodes == sorted(nodes)
    assert nodes.count(False) > 20
