"""A large record around a small real one: rows under other names, so that every index has the size it will have.

Of everything some goes to who is real too: an office that issued much, a role that much waits for, a key with many entries.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from sqlalchemy import Table

from gardesh.model.entry import entry_hash
from gardesh.node import Node
from gardesh.record import schema
from gardesh.record.store import Store

Rows = Iterable[tuple[Any, ...]]
OF_A_CASE = 10
"""Documents of a case."""
OPEN = 5
"""Every so many-th case is open."""
REAL = 20
"""Every so many-th row is of who is real."""
AT_ONCE = 50_000
SMALL = ("core/packs", "core/recognitions")
"""Registers that hold few keys by what they are."""
MANY = "many"
"""A key with many entries, in each register."""
LOADING = ("synchronous=OFF", "cache_size=-1000000"), ("synchronous=FULL", "cache_size=-2000")
"""Of SQLite: while rows are put there, and after."""


def name(what: str, number: int) -> str:
    return hashlib.sha256(f"{what} {number}".encode()).hexdigest()


def fill(node: Node, size: int) -> None:
    """Make the record hold `size` documents: its log with tiles, and rows of all tables that grow, in proportion."""
    with _loading(node.store):
        _fill(node, size)


@contextmanager
def _loading(store: Store) -> Iterator[None]:
    """The database takes rows as fast as it can; what comes after is measured with its own settings."""
    if store.url.startswith("postgresql://"):
        with psycopg.connect(store.url, autocommit=True) as line:
            for setting in ("max_wal_size = '16GB'", "full_page_writes = off", "autovacuum = off"):
                line.execute(f"ALTER SYSTEM SET {setting}")
            line.execute("SELECT pg_reload_conf()")
            yield
            line.execute("ALTER SYSTEM RESET ALL")
            line.execute("SELECT pg_reload_conf()")
            line.execute("CHECKPOINT")
        return
    for setting in LOADING[0]:
        store.run(f"PRAGMA {setting}")
    yield
    for setting in LOADING[1]:
        store.run(f"PRAGMA {setting}")
    store.run("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _fill(node: Node, size: int) -> None:
    store = node.store
    first = node.log.size
    _log(node, first, size)
    count = (size - first) // OF_A_CASE
    pack, procedure, opener = store.one(
        "SELECT pack, procedure, opener FROM cases WHERE procedure = 'import' LIMIT 1"
    )
    (shown,) = store.one("SELECT shown FROM waits LIMIT 1")
    roles = _names(store, "SELECT DISTINCT role FROM waits WHERE role IS NOT NULL")
    registers = [name for name in _names(store, "SELECT DISTINCT register FROM entries") if name not in SMALL]
    abouts = store.rows("SELECT DISTINCT type, about FROM subjects ORDER BY type, about")
    kinds = store.rows("SELECT kind, min(value) FROM identifiers GROUP BY kind ORDER BY kind")
    cases = range(count)
    orgs = [f"org{i}" for i in range(1_000)]
    last = first + count * OF_A_CASE

    def who(i: int, real: str) -> str:
        return real if i % REAL == 0 else orgs[i % 1_000]

    put(store, schema.cases, (
        (name("case", i), pack, procedure, who(i, opener), i, None if i % OPEN == 0 else i + 9, False, i,
         2_000_000_000_000 + i if i % OPEN == 0 else None) for i in cases
    ))  # fmt: skip
    put(store, schema.slots, (
        (name("case", i), j, "", f"step{j}", "issued", b"\1" * 32, i) for i in cases for j in range(OF_A_CASE)
    ))  # fmt: skip
    put(store, schema.waits, (
        (name("case", i), j, "", f"step{j}", "due", roles[(i // OPEN + j) % len(roles)], None, i, i + 10**9 + j, shown)
        for i in range(0, count, OPEN) for j in (1, 2)
    ))  # fmt: skip
    ids = itertools.count(store.one("SELECT max(id) + 1 FROM entries")[0])
    put(store, schema.entries, (
        (next(ids), register, MANY if i % REAL == 0 else f"key{i}", first + i, hashlib.sha256(b"%d" % i).digest(), b"{}",
         None, None, None, None, None)
        for i in range(size // 3) for register in (registers[i % len(registers)],)
    ))  # fmt: skip
    put(store, schema.links, (
        (name("case", i), "a", "", name("case", i + 1), "b", "") for i in cases
    ))  # fmt: skip
    ids = itertools.count(store.one("SELECT coalesce(max(id), -1) + 1 FROM mirrors")[0])
    put(store, schema.mirrors, (
        (next(ids), name("case", i), first + i, i, "b", "", None) for i in cases
    ))  # fmt: skip
    put(store, schema.migrations, ((name("case", i), first + i, i, pack, pack) for i in range(0, count, 10)))
    put(store, schema.subjects, (
        (type_, about if i % REAL == 0 else f"about{i}", first + i, name("case", i // OF_A_CASE), f"step{i % OF_A_CASE}", "")
        for i in range(0, last - first, 2) for type_, about in (abouts[i % len(abouts)],)
    ))  # fmt: skip
    put(store, schema.identifiers, (
        (kind, value if i % REAL == 0 else f"value{i}", first + i)
        for i in range(0, last - first, 2) for kind, value in (kinds[i % len(kinds)],)
    ))  # fmt: skip
    put(store, schema.reads, (
        (i + 1, i, orgs[i % 1_000], i if i % REAL else 3, "*", "a look") for i in range(size // 2)
    ))  # fmt: skip
    ids = itertools.count(store.one("SELECT max(id) + 1 FROM notices")[0])
    put(store, schema.notices, (
        (next(ids), i, name("case", i // OF_A_CASE), "role" if i % REAL == 0 else "org",
         roles[i % len(roles)] if i % REAL == 0 else orgs[i % 1_000], "act", "step", "due", None, None)
        for i in range(size)
    ))  # fmt: skip
    put(store, schema.deliveries, (
        (i + 1, i, who(i, opener), f"webhook:{name('hook', i % 100)}", i, i, "taken") for i in range(size // 5)
    ))  # fmt: skip
    put(store, schema.webhooks, (
        (name("hook", i), who(i, opener), "https://example", b"", None, i, size * 2, "active", 0, 0, i, "")
        for i in range(1_000)
    ))  # fmt: skip
    text, _, signed = node.log.checkpoint(0).partition(b"\n\n")
    note = text + b"\n\n" + signed.splitlines(keepends=True)[0]
    put(store, schema.checkpoints, ((i, note) for i in range(first + 1, last, 20)))
    with store.writing():
        for table in ("reads", "deliveries"):
            store.database.number_on(table, "id")


def _log(node: Node, first: int, size: int) -> None:
    """Documents without contents; the tiles are those of their entries."""
    (issuer,) = node.store.one("SELECT issuer FROM documents ORDER BY position DESC LIMIT 1")
    (at,) = node.store.one("SELECT max(recorded_at) FROM documents")
    edge = node.log.edge.copy()
    for begin in range(first, first + (size - first) // OF_A_CASE * OF_A_CASE, AT_ONCE):
        end = min(begin + AT_ONCE, first + (size - first) // OF_A_CASE * OF_A_CASE)
        rows = []
        for i in range(begin - first, end - first):
            digest, org = hashlib.sha256(b"%d" % i).digest(), issuer if i % REAL == 0 else f"org{i % 1_000}"
            case = name("case", i // OF_A_CASE)
            step = f"step{i % OF_A_CASE}"
            rows.append((first + i, digest, digest, at, case, org, "trade/permit", step, "", "issue", b""))
        put(node.store, schema.documents, rows)
        put(node.store, schema.disclosures, ((row[0], b"~", None) for row in rows))
        put(node.store, schema.tiles, edge.append(entry_hash(row[1], at) for row in rows))


def _names(store: Store, sql: str) -> list[str]:
    return sorted(str(row[0]) for row in store.rows(sql))


def put(store: Store, table: Table, rows: Rows) -> None:
    """Many rows: on PostgreSQL by COPY, for it takes far longer otherwise."""
    left = iter(rows)
    if store.url.startswith("postgresql://"):
        columns = ", ".join(f'"{c.name}"' for c in table.columns)
        sql = f"COPY {table.name} ({columns}) FROM STDIN"
        with psycopg.connect(store.url) as line, line.cursor() as cursor, cursor.copy(sql) as copy:
            for row in left:
                copy.write_row(row)
        return
    while some := list(itertools.islice(left, AT_ONCE)):
        with store.writing():
            store.add(table, some)
