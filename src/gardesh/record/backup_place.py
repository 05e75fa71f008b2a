"""Where backups are kept: files by name, each written once but for keys. A folder, or a prefix in a bucket of an object store.

A place knows nothing of what it keeps. All of it is for its owner alone: what documents disclose is sealed in it, and
the wrapped keys are beside that.
"""

from __future__ import annotations

import errno
import os
import secrets
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from gardesh.model.os_reason import of_os
from gardesh.model.problem import Problem, Wording, define

PLACE_UNUSABLE = define(
    "backup-place-unusable",
    503,
    en="The place {place} cannot be used for backups: {reason}.",
    fa="از جای {place} برای پشتیبان نمی‌توان استفاده کرد: {reason}.",
)
FILE_MISSING = define(
    "backup-file-missing",
    404,
    en="The file {file} is missing from the backup.",
    fa="پرونده‌ی {file} در پشتیبان نیست.",
    hint_en="Look for another copy of the backup; or take an earlier one with --size.",
    hint_fa="رونوشت دیگری از پشتیبان را بیابید، یا پشتیبان پیش‌تری را با ‎--size‎ بگیرید.",
)
PIECE = 1 << 20
ASIDE = "incoming"
LEFT_OVER = 86_400.0
"""So many seconds after its last byte, what a killed backup left half written is removed."""


class Place(Protocol):
    """Files by names with slashes. What is under a name never changes unless it is replaced, which is done to keys alone."""

    shown: str
    """The place as it may be told."""

    def put(self, name: str, pieces: Iterable[bytes]) -> int | None:
        """Keep these bytes under a name: whole or not at all, durable when this returns. How many bytes they are; None,
        and nothing is done or asked of `pieces`, when the name is there already.

        Of two that put one name at once, one is told None. Raises `backup-place-unusable`, and what `pieces` raises.
        """

    def replace(self, name: str, pieces: Iterable[bytes]) -> int:
        """As `put`, in the place of what is there under that name: of that nothing can be got any more when this returns."""

    def get(self, name: str) -> Iterator[bytes]:
        """The bytes under a name, a piece at a time. Raises `backup-file-missing`, `backup-place-unusable`."""

    def list(self, prefix: str) -> Iterator[str]:
        """The names that begin so, up to the next slash, in no order. Raises `backup-place-unusable`."""


def place_of(where: str) -> Place:
    """The place that a user named: a folder, or `s3://bucket/prefix`. Raises `backup-place-unusable`."""
    scheme, sign, _ = where.partition("://")
    if scheme == "s3" and sign:
        from gardesh.record import object_store  # the library is large, and few need it
        from gardesh.record.backup_bucket import BucketPlace

        return BucketPlace(object_store.opened(where, PLACE_UNUSABLE))
    if sign:
        raise Problem(PLACE_UNUSABLE, place=where, reason=f"it is no folder, and {scheme} is not known here")
    return Folder(Path(where))


class Folder:
    """A folder of this machine, made when something is first put there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.shown = str(folder)
        self._known: set[Path] = set()

    def put(self, name: str, pieces: Iterable[bytes]) -> int | None:
        place = self.folder / name
        with self._usable():
            self._begin(place.parent)
            if place.exists():
                sync(place.parent)  # whoever named it may have been killed before
                return None
            aside = self.folder / ASIDE / secrets.token_hex(16)
            try:
                return self._written(aside, place, pieces)
            finally:
                aside.unlink(missing_ok=True)

    def _begin(self, folder: Path) -> None:
        """A folder to put files into, durable with all above it."""
        if folder in self._known:
            return
        if not self._known:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            (self.folder / ASIDE).mkdir(mode=0o700, exist_ok=True)
            self._clean(self.folder / ASIDE)
            self._known.add(self.folder)
            sync(self.folder.parent)
            return self._begin(folder)
        self._begin(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)
        sync(folder.parent)
        self._known.add(folder)

    def _clean(self, folder: Path) -> None:
        for path in folder.iterdir():
            try:
                if time.time() - path.stat().st_mtime >= LEFT_OVER:
                    path.unlink()
            except FileNotFoundError:
                continue

    def _written(self, aside: Path, place: Path, pieces: Iterable[bytes]) -> int | None:
        count = _filled(aside, pieces)
        if not _named(aside, place):
            return None
        sync(place.parent)
        return count

    def replace(self, name: str, pieces: Iterable[bytes]) -> int:
        place = self.folder / name
        with self._usable():
            self._begin(place.parent)
            aside = self.folder / ASIDE / secrets.token_hex(16)
            try:
                count = _filled(aside, pieces)
                os.replace(aside, place)
                sync(place.parent)
                return count
            finally:
                aside.unlink(missing_ok=True)

    def get(self, name: str) -> Iterator[bytes]:
        with self._usable():
            try:
                file = (self.folder / name).open("rb")
            except FileNotFoundError:
                raise Problem(FILE_MISSING, file=name) from None
            with file:
                while piece := file.read(PIECE):
                    yield piece

    def list(self, prefix: str) -> Iterator[str]:
        above, _, beginning = prefix.rpartition("/")
        with self._usable():
            if not (self.folder / above).is_dir():
                return
            for found in (self.folder / above).iterdir():
                if found.name.startswith(beginning):
                    yield f"{above}/{found.name}" if above else found.name

    @contextmanager
    def _usable(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            why, file = of_os(error), f": {error.filename}" if error.filename else ""
            reason = Wording(f"{why}{file}", f"{why.fa}{file}")
            raise Problem(PLACE_UNUSABLE, place=self.shown, reason=reason) from error


def _filled(aside: Path, pieces: Iterable[bytes]) -> int:
    """A new file with these bytes, durable; how many they are."""
    count = 0
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
        for piece in pieces:
            count += out.write(piece)
        out.flush()
        os.fsync(out.fileno())
    return count


def _named(aside: Path, place: Path) -> bool:
    """Give the file its name unless that is there."""
    try:
        os.link(aside, place)
    except FileExistsError:
        return False
    except OSError as error:  # a file system without links: then nobody may write to it beside us
        if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK):
            raise
        if place.exists():
            return False
        os.rename(aside, place)
    return True


def sync(folder: Path) -> None:
    """What was named or renamed in this folder is durable when this returns."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def whole(place: Place, name: str, most: int) -> bytes:
    """The bytes of a file; of a longer one, somewhat more than `most`. Raises as `Place.get`."""
    data = bytearray()
    for piece in place.get(name):
        data += piece
        if len(data) > most:
            break
    return bytes(data)
