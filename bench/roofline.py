"""The roofline: what no design can do without, in plain calls to the same libraries.

For each document: decode its JSON, verify its signature, hash it, and append it durably.
"""

from __future__ import annotations

import hashlib
import sqlite3
from pathlib import Path

import msgspec

from gardesh.model.document import parse
from gardesh.model.jose import PublicKey


class Roofline:
    def __init__(self, papers: list[bytes], keys: dict[str, PublicKey], place: Path) -> None:
        self.work = []
        for paper in papers:
            envelope = parse(paper)
            key = keys[envelope.kid]
            parts = msgspec.json.encode(envelope.claims), [d.encode() for d in envelope.disclosures]
            self.work.append((parts, key, envelope.signing_input, envelope.signature, paper))
        self.place = place
        self._n = 0

    def run(self, batch: int) -> None:
        """All documents, committed in batches of that size (WAL, synchronous=FULL)."""
        self._n += 1
        connection = sqlite3.connect(self.place / f"roofline-{self._n}.sqlite", isolation_level=None)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute(
            "CREATE TABLE log (position INTEGER PRIMARY KEY, digest BLOB, at INTEGER, data BLOB)"
        )
        decode = msgspec.json.Decoder().decode
        position = 0
        for first in range(0, len(self.work), batch):
            rows = []
            for (claims, disclosures), key, signed, signature, paper in self.work[first : first + batch]:
                decode(claims)
                for disclosure in disclosures:
                    hashlib.sha256(disclosure).digest()
                key.verify(signed, signature)
                rows.append((position, hashlib.sha256(paper).digest(), 0, paper))
                position += 1
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("INSERT INTO log VALUES (?, ?, ?, ?)", rows)
            connection.execute("COMMIT")
        connection.close()
