"""The log as static files: written whole, last the checkpoint, and only what is new."""

from __future__ import annotations

from pathlib import Path

import pytest

from gardesh.exchange.static_log import publish
from gardesh.exchange.static_site import Folder
from gardesh.model.problem import Problem
from growing import GrowingLog, forked
from served_log import files


def test_what_is_published_grows_file_by_file(tmp_path: Path) -> None:
    log, folder = GrowingLog(), tmp_path / "served"
    for size in (1, 255, 256, 257, 600):
        done = publish(log.grow(size).store, log.note(), Folder(folder))
        assert done.size == size
    for path in files(folder, "tile"):
        assert not path.name.startswith(".")
    names = [str(p.relative_to(folder)) for p in files(folder, "tile")]
    assert names == [
        "tile/0/000", "tile/0/001", "tile/0/002.p/88", "tile/1/000.p/1", "tile/1/000.p/2",
        "tile/entries/000", "tile/entries/001", "tile/entries/002.p/88",
    ]  # fmt: skip
    before = {p: p.stat().st_mtime_ns for p in files(folder, "tile")}
    assert publish(log.grow(601).store, log.note(), Folder(folder)).written == 3
    assert {p: p.stat().st_mtime_ns for p in before} == before
    assert publish(log.store, (folder / "checkpoint").read_bytes(), Folder(folder)).written == 0
    fresh = publish(log.store, log.note(), Folder(tmp_path / "fresh"))
    assert fresh.written == 8


def test_a_folder_of_another_history_is_not_written_over(tmp_path: Path) -> None:
    log = GrowingLog(30)
    publish(log.store, log.note(), Folder(tmp_path))
    before = {p: p.read_bytes() for p in files(tmp_path, ".")}
    for other in (forked(7, 40), GrowingLog(20), GrowingLog(40, "other.example/log")):
        with pytest.raises(Problem, match="published-log-differs"):
            publish(other.store, other.note(), Folder(tmp_path))
    assert {p: p.read_bytes() for p in files(tmp_path, ".")} == before
