"""The folder of a node that is being restored: everything is made beside, in one folder of it, and moved at the end.

What names the record is moved last; before, the folder is not a node, and the next restore begins anew in it.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from pathlib import Path
from types import TracebackType

from gardesh.model.problem import Problem, define
from gardesh.record.backup_place import sync
from gardesh.record.node_folder import BLOBS, KEYS, RECORD, URL

HOME_NOT_EMPTY = define(
    "home-not-empty",
    409,
    en="{home} is not empty: a node is restored into a folder of its own.",
    fa="پوشه‌ی {home} خالی نیست؛ گره در پوشه‌ای جداگانه بازگردانده می‌شود.",
    hint_en="Name another one with --home.",
    hint_fa="پوشه‌ی دیگری را با ‎--home‎ نام ببرید.",
)
RESTORE_BUSY = define(
    "restore-busy",
    409,
    en="Another process restores into {home} in this moment.",
    fa="در همین لحظه فرایند دیگری در {home} بازگردانی می‌کند.",
)
WORK = ".restoring"


class Site:
    """Holds `home` for one restore, `work` being where it makes things. Left without `finish`, nothing stays of it.

    Raises `home-not-empty`, `restore-busy`.
    """

    def __init__(self, home: Path) -> None:
        self.home, self.work = home, home / WORK
        self.made = not home.exists()
        self.done = False

    def __enter__(self) -> Site:
        self._must_be_free()
        self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.work.mkdir(mode=0o700, exist_ok=True)
        self._lock = os.open(self.work, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._must_be_free()  # another may have finished since
            self._clear()
        except BlockingIOError:
            os.close(self._lock)
            raise Problem(RESTORE_BUSY, home=str(self.home)) from None
        except BaseException:
            os.close(self._lock)
            raise
        return self

    def _must_be_free(self) -> None:
        found = set(os.listdir(self.home)) if self.home.is_dir() else set()
        again = WORK in found and found <= {WORK, KEYS, BLOBS}
        if (self.home.exists() and not self.home.is_dir()) or (found and not again):
            raise Problem(HOME_NOT_EMPTY, home=str(self.home))

    def _clear(self) -> None:
        """Remove what is there: it is of this restore, or of one that was interrupted."""
        for place in (*self.work.iterdir(), self.home / KEYS, self.home / BLOBS):
            if place.is_dir():
                shutil.rmtree(place)
            else:
                place.unlink(missing_ok=True)

    def write(self, name: str, data: bytes) -> None:
        """A file of the node, for its owner alone."""
        place = self.work / name
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        sync(place.parent)

    def finish(self, url: str | None) -> None:
        """Everything is made: name it. Then it is a node, also after a power failure."""
        if url is not None:
            self.write(URL, f"{url}\n".encode())
        last = RECORD if url is None else URL
        if (self.work / f"{last}-wal").exists():
            raise RuntimeError("the record is not in its file yet")
        descriptor = os.open(self.work / last, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)
        for name in (KEYS, BLOBS):
            if (self.work / name).exists():
                os.rename(self.work / name, self.home / name)
        sync(self.home)
        os.rename(self.work / last, self.home / last)
        self.done = True
        shutil.rmtree(self.work, ignore_errors=True)
        sync(self.home)
        sync(self.home.parent)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self.done:
            self._clear()
            self.work.rmdir()
            if self.made:
                self.home.rmdir()
        os.close(self._lock)
