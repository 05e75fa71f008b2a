"""A process that backs up or restores, and is killed at a moment that is given: before one of the calls by which it
changes what is on the disk or in the database, counted from its start."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from backed_up import restore
from gardesh.record.backup import back_up
from gardesh.record.backup_contents import opened
from gardesh.record.backup_place import Folder
from gardesh.record.blobs import Blobs
from gardesh.record.postgresql import Postgresql
from gardesh.record.sqlite import Sqlite
from gardesh.record.store import Store
from market import SIGNERS

CALLS = ("fsync", "link", "rename", "replace", "mkdir", "unlink", "rmdir")
_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(
    ["gardesh.study.restoration", "gardesh.record.postgresql", "gardesh.draft", "pytest"]
)


def done(moment: int, act: Callable[..., None], *args: Any) -> bool:
    """Whether the act, in a process of its own, had ended before that moment; if not, it was killed."""
    process = _processes.Process(target=_run, args=(moment, act, args))
    process.start()
    process.join(60)
    assert process.exitcode in (0, -signal.SIGKILL)
    return process.exitcode == 0


def _run(moment: int, act: Callable[..., None], args: tuple[Any, ...]) -> None:
    numbers = itertools.count(1)

    def counted(call: Callable[..., Any], *, after: bool = False) -> Callable[..., Any]:
        def counting(*given: Any, **more: Any) -> Any:
            _pass(numbers, moment)
            answer = call(*given, **more)
            if after:
                _pass(numbers, moment)
            return answer

        return counting

    for name in CALLS:
        setattr(os, name, counted(getattr(os, name)))
    for kind in (Sqlite, Postgresql):
        kind.many = counted(kind.many)  # type: ignore[method-assign]
        kind.commit = counted(kind.commit, after=True)  # type: ignore[method-assign]
    act(*args)


def _pass(numbers: itertools.count[int], moment: int) -> None:
    if next(numbers) == moment:
        os.kill(os.getpid(), signal.SIGKILL)


def backing_up(url: str, folder: Path, place: Path) -> None:
    store = Store(url)
    back_up(
        store,
        Folder(place),
        blobs=Blobs(folder / "blobs"),
        keys=folder / "keys",
        signers=lambda: SIGNERS,
        now=1_800_000_000_000,
    )
    store.close()


def restoring(place: Path, home: Path, url: str | None) -> None:
    restore(opened(Folder(place)), home, url)
