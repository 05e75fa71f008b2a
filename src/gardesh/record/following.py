"""A record that is read where others do not write it: on a standby of its database. Nothing is written, and nothing signed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn

import msgspec

from gardesh.model.edge import TileEdge
from gardesh.model.jose import PrivateKey
from gardesh.model.library import Library
from gardesh.model.problem import Problem, define
from gardesh.model.receipt import Receipt
from gardesh.record import folder
from gardesh.record.clock import Clock
from gardesh.record.database import STORE_UNUSABLE, is_server, with_parameter
from gardesh.record.log import Log, stored_tiles
from gardesh.record.sequence import Batch, Sequencer
from gardesh.record.store import HEAD, VERSION, Store

READ_ONLY = define(
    "read-only",
    421,
    en="This service only reads; send this to {url}.",
    fa="این خدمت فقط می‌خواند؛ این درخواست را به {url} بفرستید.",
)
NOT_PROVEN_YET = define(
    "not-proven-yet",
    503,
    en="No signed checkpoint with position {position} has come here yet; there is one of {size} documents.",
    fa="هنوز نقطه‌ی وارسی امضاشده‌ای که جایگاه {position} را در بر گیرد به اینجا نرسیده است؛ آنچه هست {size} سند دارد.",
    hint_en="Ask again in a moment, or ask the service that takes documents.",
    hint_fa="اندکی بعد دوباره بپرسید، یا از خدمتی که سند می‌پذیرد.",
)


class FollowedStore(Store):
    """The record on a standby, if one can be reached, else where it is written; for reading alone.

    Raises `store-unusable` also while its schema is not the one that is known here.
    """

    def __init__(self, url: str) -> None:
        super().__init__(
            with_parameter(url, "target_session_attrs", "prefer-standby") if is_server(url) else url
        )

    def _open(self, create: bool) -> None:
        stored = (self.one(VERSION) or ("none",))[0]
        if create or stored != HEAD:
            reason = f"its schema is {stored}, and {HEAD} is read here"
            raise Problem(STORE_UNUSABLE, url=self.url, reason=reason)

    @contextmanager
    def writing(self) -> Iterator[None]:
        raise Problem(STORE_UNUSABLE, url=self.url, reason="here it is only read")
        yield


class FollowedLog(Log):
    """The log as far as a checkpoint of it has come here. `url`: where the keys are that sign it."""

    def __init__(self, store: Store, url: str) -> None:
        self.url = url
        super().__init__(store, (store.setting("origin") or b"").decode(), ())

    @property
    def vkeys(self) -> list[str]:
        return msgspec.json.decode(self.store.setting("log_keys") or b"[]", type=list[str])

    @property
    def own(self) -> int:
        return len(self.vkeys)

    def _load(self) -> TileEdge:
        # Size and note by one question: more may come between two.
        row = self.store.one("SELECT size, note FROM checkpoints ORDER BY size DESC LIMIT 1")
        size, self._newest = (0, b"") if row is None else (int(row[0]), bytes(row[1]))
        return TileEdge.load(size, stored_tiles(self.store))

    def _newest_note(self) -> bytes:
        return self._newest

    def checkpoint(self, at: int) -> bytes:
        """The newest one that has come here. Raises `not-proven-yet` before there is one."""
        if not self.note:
            raise Problem(NOT_PROVEN_YET, position=0, size=0)
        return self.note

    def receipts(
        self, found: Sequence[tuple[int, int]], note: bytes, edge: TileEdge | None = None
    ) -> list[Receipt]:
        """As `Log.receipts`. Raises `not-proven-yet` for a position that the checkpoint has not."""
        size = (edge or self.edge).size
        for position, _ in found:
            if position >= size:
                raise Problem(NOT_PROVEN_YET, position=position, size=size)
        return super().receipts(found, note, edge)

    @property
    def key(self) -> PrivateKey:
        """There is none here. Raises `read-only`."""
        self._refuse()

    def cose_receipt(self, position: int, digest: bytes, recorded_at: int) -> bytes:
        """It would be signed. Raises `read-only`."""
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise Problem(READ_ONLY, url=self.url)

    def keep_checkpoint(self) -> None:
        """It is stored already."""


class Follower(Sequencer):
    """State as of what has come here. `url`: where documents are taken."""

    def __init__(self, store: Store, library: Library, log: FollowedLog, clock: Clock) -> None:
        self.url = log.url
        self._seen = seen(store)
        super().__init__(store, library, log, clock)

    def follow(self) -> bool:
        """Take up what has come since; whether there was anything. Raises `store-unusable`."""
        found = seen(self.store)
        if found == self._seen and not self.stale:
            return False
        folder.bring(self.store, self.library)
        self.log.reload()
        self._forget()
        self._seen = found
        return True

    def look(self) -> None:
        """As `follow`."""
        self.follow()

    def _plan_wakes(self) -> None:
        """What falls due is recorded where documents are taken."""

    @contextmanager
    def batch(self, now: int) -> Iterator[Batch]:
        """Raises `read-only`."""
        raise Problem(READ_ONLY, url=self.url)
        yield


def seen(store: Store) -> tuple[object, ...]:
    """What differs whenever the record has grown."""
    return tuple(
        store.one(
            "SELECT (SELECT max(position) FROM documents), (SELECT max(size) FROM checkpoints),"
            " (SELECT value FROM settings WHERE name = 'time'), (SELECT value FROM settings WHERE name = 'rebuilt')"
        )
    )
