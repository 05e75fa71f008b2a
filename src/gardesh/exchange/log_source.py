"""Another log as it is served (C2SP tlog-tiles): over HTTP, or as a folder of static files."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import httpx

from gardesh.exchange import answers
from gardesh.model.entry import ENTRY_SIZE
from gardesh.model.merkle import HASH_SIZE
from gardesh.model.note import MAX_NOTE_BYTES
from gardesh.model.os_reason import of_os
from gardesh.model.problem import Problem, define
from gardesh.model.tile import WIDTH, entries_path, tile_path

UNAVAILABLE = define(
    "log-file-unavailable",
    502,
    en="The log does not give {path}: {reason}.",
    fa="دفتر {path} را نمی‌دهد: {reason}.",
    hint_en="A log has to serve what its checkpoint signs. Try again; if it stays so, entries are withheld.",
    hint_fa="دفتر باید آنچه را نقطهٔ وارسی‌اش امضا کرده عرضه کند. دوباره بکوشید؛ اگر چنین ماند، مدخل‌ها پنهان شده‌اند.",
)
CHECKPOINT = "checkpoint"
MAX_BUNDLE_BYTES = WIDTH * (2 + ENTRY_SIZE)
SECONDS = 30.0


class LogSource(Protocol):
    """Where the files of a log are read from."""

    def get(self, path: str, most: int) -> bytes:
        """The bytes at that path below the log's prefix; of a longer file, the first `most + 1`.

        Raises `log-file-unavailable`.
        """

    def close(self) -> None: ...


class Folder:
    """A log in a folder of this machine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, path: str, most: int) -> bytes:
        try:
            with (self.folder / path).open("rb") as file:
                return file.read(most + 1)
        except OSError as error:
            raise Problem(UNAVAILABLE, path=path, reason=of_os(error)) from None

    def close(self) -> None: ...


class Web:
    """A log at a URL prefix. Each answer may take so many `seconds` between two pieces, and four times as many altogether."""

    def __init__(self, url: str, seconds: float = SECONDS) -> None:
        self.url, self.seconds = url.rstrip("/") + "/", seconds
        self.client = httpx.Client(timeout=seconds, follow_redirects=True)

    def get(self, path: str, most: int) -> bytes:
        try:
            with self.client.stream("GET", self.url + path, headers={"accept-encoding": "gzip"}) as response:
                if response.status_code != 200:
                    raise Problem(UNAVAILABLE, path=path, reason=f"HTTP {response.status_code}")
                return answers.read(response, most, 4 * self.seconds)
        except (httpx.HTTPError, httpx.InvalidURL, answers.AnswerUnbounded) as error:
            raise Problem(UNAVAILABLE, path=path, reason=str(error) or type(error).__name__) from None

    def close(self) -> None:
        self.client.close()


def source(where: str, seconds: float = SECONDS) -> LogSource:
    """The log at an http or https address, or in the folder of that name."""
    if where.startswith(("http://", "https://")):
        return Web(where, seconds)
    return Folder(Path(where))


def checkpoint(log: LogSource) -> bytes:
    """The newest checkpoint, unverified. Raises `log-file-unavailable`."""
    return log.get(CHECKPOINT, MAX_NOTE_BYTES)


def bundle(log: LogSource, index: int, width: int) -> bytes:
    """A bundle of at least `width` entries, unverified: the full one where the partial one is gone.

    Raises `log-file-unavailable`.
    """
    return _partial_or_full(log, entries_path(index, width), entries_path(index), width, MAX_BUNDLE_BYTES)


class ServedTiles:
    """The tiles of a served log, for :class:`~gardesh.model.tile.TileNodes`. Raises `log-file-unavailable`."""

    def __init__(self, log: LogSource) -> None:
        self.log = log

    def read(self, level: int, index: int, width: int) -> bytes:
        most = WIDTH * HASH_SIZE
        data = _partial_or_full(
            self.log, tile_path(level, index, width), tile_path(level, index), width, most
        )
        return data[: width * HASH_SIZE] if len(data) == most else data


def _partial_or_full(log: LogSource, partial: str, full: str, width: int, most: int) -> bytes:
    """The standard lets a log drop a partial tile once the full one is there."""
    try:
        return log.get(partial, most)
    except Problem:
        if width == WIDTH:
            raise
        try:
            return log.get(full, most)
        except Problem:
            pass
        raise
