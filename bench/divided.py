"""The tables of a record on PostgreSQL, divided by case and by time, as docs/explanation/scale.md plans it for a billion documents.

By case: slots, ten of a case, which are written again and again and asked for by their case alone, by a hash of its name. By time:
what only grows, and is looked for by its number or from a number on, in ranges of it. The program is the same over both; it is not
told. What is looked for across cases (worklists, who opened what) stays whole: divided, each page of it asks every part.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import psycopg
from psycopg import sql

from gardesh.record import schema

Line = psycopg.Connection[Any]
CASES = 16
"""Into how many parts what belongs to cases is divided here; at a billion documents, 64."""
BY_CASE = {"slots": "case_id"}
BY_TIME = {
    "disclosures": "position",
    "checkpoints": "size",
    "notices": "id",
    "reads": "id",
    "deliveries": "id",
}
NUMBERED = ("reads", "deliveries")


class Size(NamedTuple):
    """Of a table: bytes with indexes, the largest index, and into how many parts it is divided."""

    total: int
    largest_index: int
    parts: int


def divide(line: Line, documents: int, ranges: int = 16) -> None:
    """Divide the tables of a record, which are copied; `documents` that it is to hold are `ranges` of time.

    The indexes and keys are those of the schema. In one transaction, for which nobody else may write.
    """
    with line.transaction():
        for table, column in BY_CASE.items():
            _replace(line, table, sql.SQL("HASH ({})").format(sql.Identifier(column)))
            for n in range(CASES):
                _part(line, table, n, sql.SQL("WITH (MODULUS {}, REMAINDER {})").format(CASES, n))
            _fill(line, table)
        for table, column in BY_TIME.items():
            _replace(line, table, sql.SQL("RANGE ({})").format(sql.Identifier(column)))
            step = -(-documents // ranges)
            for n in range(ranges):
                first = sql.SQL("MINVALUE") if n == 0 else sql.Literal(n * step)
                last = sql.SQL("MAXVALUE") if n == ranges - 1 else sql.Literal((n + 1) * step)
                _part(line, table, n, sql.SQL("FROM ({}) TO ({})").format(first, last))
            _fill(line, table)


def _replace(line: Line, table: str, how: sql.Composable) -> None:
    """An empty table in the place of this one, which goes on as `…_whole`."""
    old, new = sql.Identifier(f"{table}_whole"), sql.Identifier(table)
    line.execute(sql.SQL("ALTER TABLE {} RENAME TO {}").format(new, old))
    names = line.execute(
        "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = %s AND schemaname = current_schema()",
        (f"{table}_whole",),
    ).fetchall()
    for name, _ in names:
        line.execute(
            sql.SQL("ALTER INDEX {} RENAME TO {}").format(
                sql.Identifier(name), sql.Identifier(f"{name}_whole")
            )
        )
    line.execute(
        sql.SQL("CREATE TABLE {} (LIKE {} INCLUDING DEFAULTS) PARTITION BY {}").format(new, old, how)
    )
    if table in NUMBERED:
        line.execute(
            sql.SQL("ALTER SEQUENCE {} OWNED BY {}.id").format(sql.Identifier(f"{table}_id_seq"), new)
        )
    keys = sql.SQL(", ").join(
        sql.Identifier(c.name) for c in schema.metadata.tables[table].primary_key.columns
    )
    line.execute(sql.SQL("ALTER TABLE {} ADD PRIMARY KEY ({})").format(new, keys))
    for index in schema.metadata.tables[table].indexes:
        columns = sql.SQL(", ").join(sql.Identifier(c.name) for c in index.columns)
        line.execute(
            sql.SQL("CREATE INDEX {} ON {} ({})").format(sql.Identifier(str(index.name)), new, columns)
        )


def _part(line: Line, table: str, number: int, values: sql.Composable) -> None:
    line.execute(
        sql.SQL("CREATE TABLE {} PARTITION OF {} FOR VALUES {}").format(
            sql.Identifier(f"{table}_{number}"), sql.Identifier(table), values
        )
    )


def _fill(line: Line, table: str) -> None:
    old, new = sql.Identifier(f"{table}_whole"), sql.Identifier(table)
    line.execute(sql.SQL("INSERT INTO {} SELECT * FROM {}").format(new, old))
    line.execute(sql.SQL("DROP TABLE {}").format(old))


def sizes(line: Line, table: str) -> Size:
    """Whether it is divided or not."""
    row = line.execute(
        "SELECT sum(pg_total_relation_size(relid)), count(*) FROM pg_partition_tree(%s::regclass) WHERE isleaf"
        " AND relid IN (SELECT oid FROM pg_class WHERE relkind = 'r')",
        (table,),
    ).fetchone()
    largest = line.execute(
        "SELECT max(pg_relation_size(i.indexrelid)) FROM pg_index i WHERE i.indrelid = %s::regclass"
        " OR i.indrelid IN (SELECT relid FROM pg_partition_tree(%s::regclass) WHERE isleaf)",
        (table, table),
    ).fetchone()
    assert row is not None
    assert largest is not None
    if row[0] is None:  # it is not divided
        (whole,) = line.execute("SELECT pg_total_relation_size(%s::regclass)", (table,)).fetchone() or (0,)
        return Size(int(whole), int(largest[0]), 1)
    return Size(int(row[0]), int(largest[0]), int(row[1]))
