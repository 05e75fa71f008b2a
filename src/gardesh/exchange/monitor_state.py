"""What a monitor remembers of a log: the heads that it signed, its tree as far as it was read, what was found."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from gardesh.model.edge import TileEdge
from gardesh.model.entry import Entry
from gardesh.model.fork import Fork
from gardesh.model.fork import parse as parse_fork
from gardesh.model.merkle import HASH_SIZE
from gardesh.model.problem import Problem, define
from gardesh.model.treehead import TreeHead
from gardesh.record.notebook import Notebook

STATE_BUSY = define(
    "monitor-state-busy",
    409,
    en="Another monitor works with the state {file} at the same time.",
    fa="هم‌زمان پایشگر دیگری با وضعیت {file} کار می‌کند.",
)
TIME_BACK = define(
    "log-time-went-back",
    422,
    en="Entry {position} was recorded at {at} ms, before the entry in front of it.",
    fa="مدخل {position} در {at} میلی‌ثانیه ثبت شده که پیش از مدخل قبلی است.",
)
DIGEST_TWICE = define(
    "log-digest-twice",
    422,
    en="Entry {position} has the digest of entry {first}.",
    fa="مدخل {position} همان چکیدهٔ مدخل {first} را دارد.",
)
MOST_FINDINGS = 1000
"""How many findings are kept; a log that breaks its rules more often has shown it."""
SCHEMA = (
    "CREATE TABLE IF NOT EXISTS heads (size INTEGER PRIMARY KEY, note BLOB NOT NULL, root BLOB NOT NULL) STRICT",
    "CREATE TABLE IF NOT EXISTS tiles (level INTEGER, number INTEGER, data BLOB NOT NULL,"
    " PRIMARY KEY (level, number)) STRICT",
    "CREATE TABLE IF NOT EXISTS digests (digest BLOB PRIMARY KEY, position INTEGER NOT NULL) STRICT, WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS findings (position INTEGER, code TEXT, params BLOB NOT NULL,"
    " PRIMARY KEY (position, code)) STRICT",
    "CREATE TABLE IF NOT EXISTS forks (data BLOB PRIMARY KEY) STRICT",
    "CREATE TABLE IF NOT EXISTS progress (one INTEGER PRIMARY KEY CHECK (one = 0), origin TEXT NOT NULL,"
    " size INTEGER NOT NULL, at INTEGER NOT NULL) STRICT",
)


class MonitorState:
    """The state in a file, or in memory. What a method stores is durable when it returns.

    It is also a reader of the tiles of the tree up to `read`. Raises `store-unusable`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.book = Notebook(path, SCHEMA, create=True)

    @property
    def origin(self) -> str | None:
        rows = self.book.run("SELECT origin FROM progress")
        return str(rows[0][0]) if rows else None

    def begin(self, origin: str) -> None:
        """This state is of that log from here on."""
        with self.book.writing():
            self.book.run("INSERT INTO progress VALUES (0, ?, 0, 0) ON CONFLICT DO NOTHING", origin)

    @property
    def progress(self) -> tuple[int, int]:
        """How many entries were read, and the `recorded_at` of the last one (0 for none)."""
        rows = self.book.run("SELECT size, at FROM progress")
        return (int(rows[0][0]), int(rows[0][1])) if rows else (0, 0)

    # -- heads ----------------------------------------------------------------------------------------------

    def newest(self) -> tuple[TreeHead, bytes] | None:
        """The largest head that was taken for the log's, with its checkpoint."""
        return self._head("SELECT size, root, note FROM heads ORDER BY size DESC LIMIT 1")

    def head_of(self, size: int) -> tuple[TreeHead, bytes] | None:
        return self._head("SELECT size, root, note FROM heads WHERE size = ?", size)

    def _head(self, sql: str, *values: int) -> tuple[TreeHead, bytes] | None:
        rows = self.book.run(sql, *values)
        if not rows:
            return None
        size, root, note = rows[0]
        return TreeHead(self.origin or "", size, root), note

    def keep_head(self, head: TreeHead, note: bytes) -> None:
        with self.book.writing():
            self.book.run(
                "INSERT INTO heads VALUES (?, ?, ?) ON CONFLICT DO NOTHING", head.size, note, head.root
            )

    # -- the tree that was read -----------------------------------------------------------------------------

    def read(self, level: int, index: int, width: int) -> bytes:
        rows = self.book.run("SELECT data FROM tiles WHERE level = ? AND number = ?", level, index)
        return bytes(rows[0][0])[: width * HASH_SIZE] if rows else b""

    def edge(self) -> TileEdge:
        return TileEdge.load(self.progress[0], self)

    def keep_entries(
        self,
        begun: int,
        entries: Sequence[Entry],
        edge: TileEdge,
        tiles: Sequence[tuple[int, int, bytes]],
        findings: Sequence[Problem],
    ) -> None:
        """Entries that were read behind the first `begun` and belong to the log; `edge` is behind them, `tiles` became
        full by them. Raises `monitor-state-busy`."""
        with self.book.writing():
            if self.progress[0] != begun:
                raise Problem(STATE_BUSY, file=str(self.path))
            rows = [(digest, begun + n) for n, (digest, _) in enumerate(entries)]
            self.book.run_many("INSERT INTO digests VALUES (?, ?) ON CONFLICT DO NOTHING", rows)
            self.book.run_many(
                "INSERT INTO tiles VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET data = excluded.data",
                [*tiles, *edge.partial_tiles()],
            )
            self.book.run_many(
                "INSERT INTO findings SELECT ?, ?, ? WHERE (SELECT count(*) FROM findings) < ? ON CONFLICT DO NOTHING",
                [
                    (p.params["position"], p.code, msgspec.json.encode(dict(p.params)), MOST_FINDINGS)
                    for p in findings
                ],
            )
            self.book.run("UPDATE progress SET size = ?, at = ?", edge.size, entries[-1].recorded_at)

    def first_of(self, digest: bytes) -> int | None:
        """The position of the entry with this digest among those read."""
        rows = self.book.run("SELECT position FROM digests WHERE digest = ?", digest)
        return int(rows[0][0]) if rows else None

    # -- what was found -------------------------------------------------------------------------------------

    def findings(self) -> list[Problem]:
        """All rules that entries broke, in log order."""
        rows = self.book.run("SELECT code, params FROM findings ORDER BY position, code")
        return [Problem(code, **msgspec.json.decode(params)) for code, params in rows]

    def keep_fork(self, fork: Fork) -> None:
        with self.book.writing():
            self.book.run("INSERT INTO forks VALUES (?) ON CONFLICT DO NOTHING", fork.encode())

    def fork(self) -> Fork | None:
        """The fork that was found, if any."""
        rows = self.book.run("SELECT data FROM forks ORDER BY rowid LIMIT 1")
        return parse_fork(bytes(rows[0][0])) if rows else None

    def close(self) -> None:
        self.book.close()
