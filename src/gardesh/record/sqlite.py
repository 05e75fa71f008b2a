"""A record in an SQLite file, or in memory: WAL with `synchronous=FULL`, one writer at a time by the file's lock."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import StaticPool

from gardesh.record.database import PAGE, Row, first_line

SETTINGS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    "busy_timeout=30000",
    "secure_delete=ON",
)


class Sqlite:
    """One connection, for all threads of the process."""

    errors: ClassVar[tuple[type[Exception], ...]] = (sqlite3.Error, DBAPIError)

    def __init__(self, where: str) -> None:
        self.shown = "sqlite://" if where == ":memory:" else f"sqlite:///{Path(where).absolute()}"
        if where != ":memory:" and not Path(where).exists():
            with suppress(OSError):  # what cannot be made is said by the connection
                os.close(
                    os.open(where, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
                )  # who reads it reads every document
        self.raw = sqlite3.connect(where, isolation_level=None, check_same_thread=False, timeout=30)
        try:
            for setting in SETTINGS:
                self.raw.execute(f"PRAGMA {setting}")
        except sqlite3.Error:
            self.raw.close()
            raise

    def run(self, sql: str, values: Sequence[Any]) -> Any:
        return self.raw.execute(sql, values)

    def pages(self, sql: str, values: Sequence[Any]) -> Iterator[list[Row]]:
        cursor = self.raw.execute(sql, values)
        while rows := cursor.fetchmany(PAGE):
            yield rows

    def many(self, sql: str, rows: Sequence[Row]) -> None:
        if len(rows) == 1:
            self.raw.execute(sql, rows[0])
        else:
            self.raw.executemany(sql, rows)

    def begin(self) -> None:
        self.raw.execute("BEGIN IMMEDIATE")

    def begin_reading(self) -> None:
        self.raw.execute("BEGIN")
        self.raw.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone()  # from here on it sees one state

    def commit(self) -> None:
        self.raw.execute("COMMIT")

    def rollback(self) -> None:
        if self.raw.in_transaction:  # SQLite may have rolled back by itself
            self.raw.execute("ROLLBACK")

    def number_on(self, table: str, column: str) -> None:
        """SQLite looks for the highest itself."""

    def wipe(self, tables: Sequence[str]) -> None:
        """The file is written anew, and the log of what was written before is emptied."""
        self.raw.execute("VACUUM")
        self.raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def let_go(self) -> None:
        """The write-ahead log is emptied, unless somebody reads just now: then with the next one."""
        with suppress(sqlite3.Error):
            self.raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def engine(self) -> Engine:
        engine = create_engine("sqlite://", creator=lambda: self.raw, poolclass=StaticPool)
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
        return engine

    def fault(self, error: Exception) -> str | None:
        reason = error.orig if isinstance(error, DBAPIError) else error
        if isinstance(reason, (sqlite3.IntegrityError, sqlite3.ProgrammingError)):
            return None
        return first_line(reason) if isinstance(reason, Exception) else str(reason)

    def close(self) -> None:
        self.raw.close()
