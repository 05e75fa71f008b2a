"""A disk that can be filled, that turns read-only, and that loses whatever was not synced: a file system of its own in a
file, mounted by a loop device."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from contextlib import suppress
from functools import cache
from pathlib import Path

_FULL = "ballast"
_TRIED = "tried"
_PIECE = 1 << 20


def run(*words: str) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"{' '.join(words)}: {done.stderr.strip()}")


def sync(path: Path) -> None:
    """All that was written to the file system of `path` is on its disk."""
    run("sync", "-f", str(path))


class Volume:
    """A disk of so many MB, at `path` while it is mounted."""

    def __init__(self, folder: Path, name: str, megabytes: int) -> None:
        self.image, self.path = folder / f"{name}.img", folder / name
        self.path.mkdir()
        with self.image.open("wb") as file:
            file.truncate(megabytes << 20)
        run("mkfs.ext4", "-q", "-m", "0", "-E", "lazy_itable_init=1,lazy_journal_init=1", str(self.image))
        self.mount()

    def mount(self) -> None:
        run("mount", "-o", "loop", str(self.image), str(self.path))
        self.path.chmod(0o777)

    def unmount(self) -> None:
        for _ in range(200):
            try:
                return run("umount", str(self.path))
            except OSError:
                time.sleep(0.05)  # somebody who was killed still has a file open
        run("umount", "-l", str(self.path))

    def fill(self, leave: int) -> None:
        """Leave so many bytes of room."""
        sync(self.path)
        found = os.statvfs(self.path)
        wanted = max(1, found.f_bavail * found.f_bsize - leave)
        with (
            (self.path / _FULL).open("wb") as file,
            suppress(OSError),
        ):  # somebody else may take the last of it
            for first in range(0, wanted, _PIECE):
                os.posix_fallocate(file.fileno(), first, min(_PIECE, wanted - first))

    def free(self) -> None:
        (self.path / _FULL).unlink(missing_ok=True)

    def written(self) -> bool:
        """Whether it can be written to."""
        try:
            (self.path / _TRIED).write_bytes(b"")
            (self.path / _TRIED).unlink()
        except OSError:
            return False
        return True

    def fail(self) -> None:
        """From here on nothing can be written, and what was written and not synced never comes to the disk. In the moment
        itself, the kernel (Linux 6.18) may answer one fsync that it has not done with success, which no program can see: who
        counts on that answer has to be at rest then, or not be believed any more."""
        run("mount", "-o", "remount,abort", str(self.path))

    def mend(self) -> None:
        """What is on the disk is read anew. Nobody may have a file open."""
        self.unmount()
        subprocess.run(
            ["e2fsck", "-p", str(self.image)], capture_output=True, check=False
        )  # 1: it was mended
        self.mount()


@cache
def impossible() -> str:
    """Why there is no such disk on this machine, if so."""
    try:
        with tempfile.TemporaryDirectory() as folder:
            made = Volume(Path(folder), "tried", 8)
            made.unmount()
    except (OSError, FileNotFoundError) as error:
        return str(error)
    return ""
