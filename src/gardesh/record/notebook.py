"""A small durable notebook: what a witness or a monitor has to remember, in one SQLite file.

When `writing` has ended, what it wrote survives `kill -9` and power loss (WAL with `synchronous=FULL`). One writer at a
time, among threads and among processes; a writer sees what the one before it committed.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gardesh.model.problem import Problem
from gardesh.record.database import STORE_UNUSABLE

MEMORY = Path(":memory:")


class Notebook:
    """The notebook in the file `path`, or in memory for `MEMORY`; `schema` is one `CREATE` statement for each table.

    A file that is not there is made if `create` says so. Raises `store-unusable`, here and in all it does.
    """

    def __init__(self, path: Path, schema: Sequence[str], *, create: bool) -> None:
        self.path = path
        self._lock = threading.RLock()
        with self._usable():
            if path != MEMORY and not create and not path.is_file():
                raise sqlite3.OperationalError("there is no such file")
            self._connection = sqlite3.connect(
                path, timeout=30, isolation_level=None, check_same_thread=False
            )
            for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=30000"):
                self._connection.execute(f"PRAGMA {pragma}")
        with self.writing():
            for statement in schema:
                self._connection.execute(statement)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """A transaction that alone may write: durable when the block has ended, undone if it raises."""
        with self._lock, self._usable():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    @contextmanager
    def _usable(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            if isinstance(error, (sqlite3.IntegrityError, sqlite3.ProgrammingError)):
                raise
            raise Problem(STORE_UNUSABLE, url=str(self.path), reason=str(error)) from error

    def run(self, sql: str, *values: Any) -> list[Any]:
        """Run SQL with `?` for values, and give all its rows."""
        with self._lock, self._usable():
            return self._connection.execute(sql, values).fetchall()

    def run_many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        with self._lock, self._usable():
            self._connection.executemany(sql, rows)

    def close(self) -> None:
        with self._lock:
            self._connection.close()
