"""A market that is backed up: its attachments and keys in folders, its backups in another."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from gardesh.model.claims import attachment
from gardesh.record import backup
from gardesh.record.backup_contents import Contents, opened
from gardesh.record.backup_place import Folder
from gardesh.record.blobs import Blobs
from gardesh.record.keys import KeyStore
from gardesh.record.passphrase import OnePassphrase
from gardesh.record.pkcs8 import Cost
from gardesh.record.store import Store
from gardesh.study import restoration
from market import DAY, HOUR, SIGNERS, Market, application, record_keys

PASSPHRASE = OnePassphrase("a-long-enough-passphrase")
"""Made once: deriving a key from a passphrase is slow on purpose."""


def restore(contents: Contents, home: Path, url: str | None = None) -> restoration.Restored:
    """With the market's record key, which lies in no file."""
    return restoration.restore(contents, home, url, record_keys=lambda _: record_keys())


class Kept:
    """`home` has blobs and keys, `place` the backups. The record is the market's."""

    def __init__(self, folder: Path, store: Store | None = None) -> None:
        self.folder = folder
        self.market = Market(store)
        self.blobs = Blobs(folder / "home" / "blobs")
        self.market.node.intake.attachments = self.blobs
        self.place = Folder(folder / "backups")
        self.keys = folder / "home" / "keys"
        KeyStore(self.keys, PASSPHRASE, Cost(n=16, p=1)).create("ali")

    def back_up(self, **more: Any) -> backup.Made:
        given: dict[str, Any] = {
            "blobs": self.blobs,
            "keys": self.keys,
            "signers": lambda: SIGNERS,
            "now": self.market.now,
        }
        store = more.pop("store", self.market.store)
        return backup.back_up(store, self.place, **{**given, **more})

    def attach(self, *texts: bytes, **changes: Any) -> str:
        """An application with attachments; returns the case."""
        named = []
        for text in texts:
            digest, size = self.blobs.put(io.BytesIO(text), "ali")
            named.append(attachment(digest, "text/plain", size))
        return self.market.do("ali", "application", application(**changes), attachments=named)

    def a_history(self) -> None:
        """Documents, silence of the clock, registers, attachments, reads."""
        market = self.market
        market.area()
        case = self.attach(b"a plan", b"", goods=[{"kind": "food"}], sites=["north"])
        market.do("health", "hygiene-card", {"vendor": "ali", "number": "H-1"}, case)
        market.wait(3 * DAY + HOUR)
        market.do("traffic", "site-visit", {"site": "north"}, case, key="north")
        market.do("city", "quiet-note", {"area": "square"}, case)
        market.do(
            "city", "licence", {"number": "L-1", "area": "square", "seats": 2}, case, outcome="approved"
        )
        market.node.read("ali", "9", "a look", market.now)

    @property
    def files(self) -> dict[str, bytes]:
        """All that is in the place."""
        root = self.place.folder
        return {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()}

    def opened(self, size: int | None = None) -> Contents:
        return opened(self.place, size)
