"""The roofline: what no design can do without, in plain calls to the same libraries.

For each document: decode its JSON, verify its signature, hash it, and append it durably.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import psycopg

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

    @property
    def documents(self) -> int:
        return len(self.work)

    def run(self, batch: int, url: str | None = None) -> None:
        """All documents, committed in batches of that size: to a file (WAL, synchronous=FULL), or to PostgreSQL at `url`."""
        self._n += 1
        append, close = to_postgresql(url) if url else to_sqlite(self.place / f"roofline-{self._n}.sqlite")
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
            append(rows)
        close()


Append = Callable[[Sequence[Any]], None]


def to_sqlite(file: Path) -> tuple[Append, Callable[[], None]]:
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE log (position INTEGER PRIMARY KEY, digest BLOB, at INTEGER, data BLOB)")

    def append(rows: Sequence[Any]) -> None:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT INTO log VALUES (?, ?, ?, ?)", rows)
        connection.execute("COMMIT")

    return append, connection.close


def to_postgresql(url: str) -> tuple[Append, Callable[[], None]]:
    connection = psycopg.connect(url)
    cursor = connection.cursor()
    cursor.execute("DROP TABLE IF EXISTS roofline")
    cursor.execute("CREATE TABLE roofline (position bigint PRIMARY KEY, digest bytea, at bigint, data bytea)")
    connection.commit()

    def append(rows: Sequence[Any]) -> None:
        cursor.executemany("INSERT INTO roofline VALUES (%s, %s, %s, %s)", rows)
        connection.commit()

    return append, connection.close
