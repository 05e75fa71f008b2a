"""The durable record in a database: SQLite by default, PostgreSQL by the same schema.

Durability: when `commit` returns, everything written in the transaction survives `kill -9` and power loss
(SQLite: WAL with `synchronous=FULL`; PostgreSQL: `synchronous_commit=on`). One writer at a time: `writing` takes the
write lock and waits for it. Reads outside a write see the last committed state.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, Table, create_engine, event
from sqlalchemy.exc import DatabaseError
from sqlalchemy.pool import StaticPool

from gardesh.model.problem import Problem, define
from gardesh.record import schema

STORE_UNUSABLE = define(
    "store-unusable",
    503,
    en="The store {url} cannot be used: {reason}.",
    fa="انباره‌ی {url} قابل استفاده نیست: {reason}.",
)


STORE_NEWER = define(
    "store-newer",
    503,
    en="The store {url} was written by a newer version of Gardesh (schema {stored}, this one knows {known}).",
    fa="انباره‌ی {url} را نسخه‌ی تازه‌تری از گردش نوشته است (طرح‌واره‌ی {stored}؛ این نسخه تا {known} را می‌شناسد).",
)
HEAD = "0002"
"""The newest schema; a store with an earlier one is brought up to it when it is opened."""


class Store:
    """A connection to the record. `url` is an SQLAlchemy URL; a plain path means an SQLite file."""

    def __init__(self, url: str, *, create: bool = False) -> None:
        if "://" not in url:
            url = "sqlite://" if url == ":memory:" else f"sqlite:///{Path(url).absolute()}"
        self.url = url
        self.memory = url == "sqlite://"
        self.engine = self._engine(url)
        self.sqlite = self.engine.dialect.name == "sqlite"
        with self._usable():
            stored = HEAD if create else self._schema()
            if stored > HEAD:
                raise Problem(STORE_NEWER, url=self.engine.url.render_as_string(), stored=stored, known=HEAD)
            if create or stored != HEAD:
                migrate(self.engine)
            self.connection = self.engine.connect()
            self.connection.exec_driver_sql("SELECT count(*) FROM settings").fetchone()
            self.connection.rollback()
        self._inserts: dict[str, Insert] = {}
        self._writer = threading.RLock()

    def _schema(self) -> str:
        """The version of the stored schema. Raises what the driver says where there is none."""
        with self.engine.connect() as connection:
            return str(connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one())

    def _engine(self, url: str) -> Engine:
        options: dict[str, Any] = {"poolclass": StaticPool} if self.memory else {}
        if url.startswith("sqlite"):
            options["connect_args"] = {"check_same_thread": False, "timeout": 30}
        engine = create_engine(url, **options)
        if engine.dialect.name == "sqlite":
            event.listen(engine, "connect", _prepare_sqlite)
            event.listen(engine, "begin", lambda c: c.exec_driver_sql("BEGIN"))
        return engine

    def close(self) -> None:
        self.connection.close()
        self.engine.dispose()

    # -- writing ------------------------------------------------------------------------------------------

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A write transaction: committed, durably, when the block ends; rolled back when it raises."""
        connection = self.connection
        with self._writer, self._usable():
            connection.rollback()
            if not self.sqlite:
                with connection.begin():
                    connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7104731)")
                    yield connection
                return
            raw: Any = connection.connection.dbapi_connection
            raw.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                raw.execute("COMMIT")
            except BaseException:
                if raw.in_transaction:  # SQLite may have rolled back by itself
                    raw.execute("ROLLBACK")
                raise

    @contextmanager
    def _usable(self) -> Iterator[None]:
        """What the disk refuses (full, locked, failing, no database) is said as `store-unusable`."""
        try:
            yield
        except (DatabaseError, sqlite3.DatabaseError) as error:
            reason = error.orig if isinstance(error, DatabaseError) else error
            if isinstance(reason, (sqlite3.IntegrityError, sqlite3.ProgrammingError)):
                raise
            url = self.engine.url.render_as_string()
            raise Problem(STORE_UNUSABLE, url=url, reason=str(reason).strip().partition("\n")[0]) from error

    def add(self, table: Table, rows: Sequence[tuple[Any, ...]], *, replace: bool = False) -> None:
        """Insert rows given in the order of the table's columns; with `replace`, over those of equal key."""
        if not rows:
            return
        name = f"{table.name}:{replace}"
        made = self._inserts.get(name)
        if made is None:
            made = self._inserts[name] = Insert(self, table, replace)
        made.run(rows)

    def remove(self, table: Table, keys: Sequence[tuple[Any, ...]]) -> None:
        """Delete the rows of these primary keys, where there are such."""
        if not keys:
            return
        columns = " AND ".join(f"{quoted(c.name)} = ?" for c in table.primary_key.columns)
        sql = f"DELETE FROM {table.name} WHERE {columns}"  # noqa: S608
        if self.sqlite:
            raw = self.connection.connection.dbapi_connection
            assert raw is not None
            raw.executemany(sql, keys)
        else:
            self.connection.exec_driver_sql(sql.replace("?", "%s"), list(keys))

    def run(self, sql: str, *values: Any) -> Any:
        """Run SQL with `?` for values, in the open transaction."""
        if self.sqlite:
            raw = self.connection.connection.dbapi_connection
            assert raw is not None
            return raw.execute(sql, values)
        return self.connection.exec_driver_sql(sql.replace("?", "%s"), values)

    def rows(self, sql: str, *values: Any) -> list[Any]:
        return list(self.run(sql, *values).fetchall())

    def one(self, sql: str, *values: Any) -> Any:
        return self.run(sql, *values).fetchone()

    # -- settings -----------------------------------------------------------------------------------------

    def setting(self, name: str) -> bytes | None:
        row = self.one("SELECT value FROM settings WHERE name = ?", name)
        return bytes(row[0]) if row is not None else None

    def set(self, name: str, value: bytes) -> None:
        self.add(schema.settings, [(name, value)], replace=True)


class Insert:
    """An insert statement compiled once: the hot path pays for the database, not for building SQL."""

    def __init__(self, store: Store, table: Table, replace: bool) -> None:
        self.store = store
        columns = [c.name for c in table.columns]
        marks = ", ".join("?" for _ in columns)
        sql = f"INSERT INTO {table.name} ({', '.join(quoted(c) for c in columns)}) VALUES ({marks})"  # noqa: S608
        if replace:
            keys = [c.name for c in table.primary_key.columns]
            rest = [c for c in columns if c not in keys]
            what = ", ".join(f"{quoted(c)} = excluded.{quoted(c)}" for c in rest)
            sql += f" ON CONFLICT ({', '.join(quoted(k) for k in keys)}) DO "
            sql += f"UPDATE SET {what}" if rest else "NOTHING"
        self.sql = sql if store.sqlite else sql.replace("?", "%s")

    def run(self, rows: Sequence[tuple[Any, ...]]) -> None:
        if self.store.sqlite:
            raw = self.store.connection.connection.dbapi_connection
            assert raw is not None
            if len(rows) == 1:
                raw.execute(self.sql, rows[0])
            else:
                raw.executemany(self.sql, rows)
        else:
            self.store.connection.exec_driver_sql(self.sql, list(rows))


def quoted(name: str) -> str:
    return f'"{name}"'


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=30000"):
        connection.execute(f"PRAGMA {pragma}")


def migrate(engine: Engine) -> None:
    """Bring the database to the newest schema (Alembic); harmless when it already is."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.commit()
