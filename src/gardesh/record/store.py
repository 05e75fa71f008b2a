"""The durable record in a database: SQLite by default, PostgreSQL by the same schema.

Durability: when `commit` returns, everything written in the transaction survives `kill -9` and power loss
(SQLite: WAL with `synchronous=FULL`; PostgreSQL: `synchronous_commit=on`). One writer at a time: `writing` takes the
write lock and waits for it. Reads outside a write see the last committed state.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, Table

from gardesh.model.problem import Problem, define
from gardesh.record import schema
from gardesh.record.database import STORE_UNUSABLE, Row, first_line, opened
from gardesh.record.online import ONLINE
from gardesh.record.sealing import RECORD_LOCKED, RecordKeys, Sealing

STORE_NEWER = define(
    "store-newer",
    503,
    en="The store {url} was written by a newer version of Gardesh (schema {stored}, this one knows {known}).",
    fa="انباره‌ی {url} را نسخه‌ی تازه‌تری از گردش نوشته است (طرح‌واره‌ی {stored}؛ این نسخه تا {known} را می‌شناسد).",
)
HEAD = "0007"
"""The newest schema; a store with an earlier one is brought up to it when it is opened."""
VERSION = "SELECT version_num FROM alembic_version"
MIGRATING = 7104732
"""The advisory lock of whoever migrates; the sequencer's is another, so that it goes on."""
T = TypeVar("T")


class Store:
    """The record of one node. `url`: `postgresql://…`, or a plain path for an SQLite file (`:memory:`: in memory).

    Raises `store-unusable` where it cannot be opened, and `store-newer`. The same from every method: when the server is
    gone or the disk is full. The next call tries again.
    """

    def __init__(self, url: str, *, create: bool = False) -> None:
        self._owner: int | None = None
        self._inserts: dict[tuple[str, bool], str] = {}
        self._writer = threading.RLock()
        self.sealing: Sealing | None = None
        """Without it, disclosures are written in the clear: so it is in records that never leave memory."""
        self.database = opened(url)
        self.url = self.database.shown
        try:
            self._open(create)
        except BaseException:
            self.close()
            raise

    def _open(self, create: bool) -> None:
        stored = HEAD if create else (self.one(VERSION) or ("",))[0]
        if stored > HEAD:
            raise Problem(STORE_NEWER, url=self.url, stored=stored, known=HEAD)
        if create or stored != HEAD:
            with self._usable():
                migrate(self.database.engine(), online=not create)
        self.one("SELECT count(*) FROM settings")

    def unlock(self, keys: RecordKeys) -> Sealing:
        """Disclosures can be opened from here on, and are sealed. `keys` is asked when the first one is needed."""
        self.sealing = Sealing(self, keys)
        return self.sealing

    def tail(self, position: int, digest: bytes, data: bytes, key: int | None) -> bytes:
        """The disclosures of a document, from its row in `disclosures`. Raises `record-locked`, `contents-damaged`."""
        if key is None:
            return bytes(data)
        if self.sealing is None:
            raise Problem(RECORD_LOCKED, key="")
        return self.sealing.open(position, bytes(digest), key, bytes(data))

    def close(self) -> None:
        self.database.close()

    # -- writing ------------------------------------------------------------------------------------------

    @contextmanager
    def writing(self) -> Iterator[None]:
        """A write transaction: committed, durably, when the block ends; rolled back when it raises."""
        with self._transaction(self.database.begin):
            yield

    @contextmanager
    def reading(self) -> Iterator[None]:
        """All that is read in the block is of one state, the newest committed when it began, whatever others write
        meanwhile. For a store that no other thread uses. Nothing can be written in it."""
        with self._transaction(self.database.begin_reading):
            yield

    @contextmanager
    def _transaction(self, begin: Callable[[], None]) -> Iterator[None]:
        with self._writer, self._usable():
            if self._owner is not None:
                raise RuntimeError("a transaction inside a transaction")
            begin()
            self._owner = threading.get_ident()
            try:
                yield
                self.database.commit()
            except BaseException:
                self.database.rollback()
                raise
            finally:
                self._owner = None

    @contextmanager
    def _usable(self) -> Iterator[None]:
        """What the database cannot do (no server, a full disk, a lock) is said as `store-unusable`."""
        try:
            yield
        except self.database.errors as error:
            self._refuse(error)

    def _refuse(self, error: Exception) -> NoReturn:
        reason = self.database.fault(error)
        if reason is None:
            raise error
        raise Problem(STORE_UNUSABLE, url=self.url, reason=reason) from error

    def add(self, table: Table, rows: Sequence[Row], *, replace: bool = False) -> None:
        """Insert rows given in the order of the table's columns; with `replace`, over those of equal key."""
        if not rows:
            return
        name = (table.name, replace)
        sql = self._inserts.get(name)
        if sql is None:
            sql = self._inserts[name] = insertion(table, replace)
        self._do(self.database.many, sql, rows)

    def remove(self, table: Table, keys: Sequence[Row]) -> None:
        """Delete the rows of these primary keys, where there are such."""
        if keys:
            columns = " AND ".join(f"{quoted(c.name)} = ?" for c in table.primary_key.columns)
            self._do(self.database.many, f"DELETE FROM {table.name} WHERE {columns}", keys)  # noqa: S608

    # -- reading ------------------------------------------------------------------------------------------

    def run(self, sql: str, *values: Any) -> Any:
        """Run SQL with `?` for values, in the open transaction or by itself; returns a cursor."""
        return self._do(self.database.run, sql, values)

    def rows(self, sql: str, *values: Any) -> list[Any]:
        return self._do(self._rows, sql, values)

    def one(self, sql: str, *values: Any) -> Any:
        return self._do(self._one, sql, values)

    def each(self, sql: str, *values: Any) -> Iterator[Any]:
        """Row by row what the statement gave when it was asked, however much it is, without holding it in memory."""
        pages = self._do(self.database.pages, sql, values)
        while rows := self._do(lambda sql, values: next(pages, None), sql, values):
            yield from rows

    def _rows(self, sql: str, values: Sequence[Any]) -> list[Any]:
        return list(self.database.run(sql, values).fetchall())

    def _one(self, sql: str, values: Sequence[Any]) -> Any:
        return self.database.run(sql, values).fetchone()

    def _do(self, act: Callable[[str, Sequence[Any]], T], sql: str, values: Sequence[Any]) -> T:
        """Inside a write the driver's error goes up to it: a Problem there would be taken for a document's."""
        try:
            return act(sql, values)
        except self.database.errors as error:
            if self._owner == threading.get_ident():
                raise
            self._refuse(error)

    # -- settings -----------------------------------------------------------------------------------------

    def setting(self, name: str) -> bytes | None:
        row = self.one("SELECT value FROM settings WHERE name = ?", name)
        return bytes(row[0]) if row is not None else None

    def set(self, name: str, value: bytes) -> None:
        self.add(schema.settings, [(name, value)], replace=True)


def insertion(table: Table, replace: bool) -> str:
    """The statement that inserts a row: made once, so that the hot path pays for the database alone."""
    columns = [c.name for c in table.columns]
    marks = ", ".join("?" for _ in columns)
    sql = f"INSERT INTO {table.name} ({', '.join(quoted(c) for c in columns)}) VALUES ({marks})"  # noqa: S608
    if replace:
        keys = [c.name for c in table.primary_key.columns]
        rest = [c for c in columns if c not in keys]
        what = ", ".join(f"{quoted(c)} = excluded.{quoted(c)}" for c in rest)
        sql += f" ON CONFLICT ({', '.join(quoted(k) for k in keys)}) DO "
        sql += f"UPDATE SET {what}" if rest else "NOTHING"
    return sql


def quoted(name: str) -> str:
    return f'"{name}"'


def migrate(engine: Engine, *, online: bool) -> None:
    """Bring the database to the newest schema (Alembic); harmless when it already is. Idempotent: what was interrupted is gone
    on with.

    `online`: the record may be in use. On PostgreSQL other services then go on to write: each migration is a transaction of
    its own, and indexes are made beside them (`record/online.py`). Of several that begin to migrate one does, the others
    wait.
    """
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with engine.connect() as connection:
        config.attributes |= {"connection": connection, ONLINE: online}
        if online and engine.dialect.name == "postgresql":
            # By asking again and again: who waits for a lock has a snapshot, and the making of an index waits for that.
            while not connection.exec_driver_sql(f"SELECT pg_try_advisory_lock({MIGRATING})").scalar():
                connection.rollback()
                time.sleep(0.2)
            connection.commit()
        command.upgrade(config, "head")
        connection.commit()


def schema_of(url: str) -> str:
    """The schema of a record, which stays as it is; empty for what is none. Raises `store-unusable`."""
    database = opened(url)
    try:
        found = database.run(VERSION, ()).fetchone()
        return str(found[0]) if found else ""
    except database.errors as error:
        raise Problem(STORE_UNUSABLE, url=database.shown, reason=first_line(error)) from error
    finally:
        database.close()
