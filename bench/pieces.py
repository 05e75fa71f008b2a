"""`python -m bench.pieces [--rows N …]`: what dividing tables does to PostgreSQL, on tables of two shapes and these sizes.

Of names (a position by the SHA-256 of a statement, as documents are looked for before they are accepted): pages looked at for
one, whole and in sixteen ranges of positions. Of slots (ten of a case): pages for those of one case, and what a vacuum takes after
one in fifty has changed, whole and in sixteen parts by a hash of the case.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from hashlib import sha256
from pathlib import Path
from typing import Any

import psycopg

from bench.stores import server
from bench.table import Table, machine

PARTS, ROUNDS = 16, 200
NAMES = "position bigint NOT NULL, statement bytea NOT NULL"
SLOTS = (
    'case_id text COLLATE "C" NOT NULL, number int NOT NULL, key text COLLATE "C" NOT NULL, state text NOT NULL,'
    " head bytea, head_at bigint, PRIMARY KEY (case_id, number, key)"
)
CASE = "encode(sha256(int8send(g / 10)), 'hex')"
Line = psycopg.Connection[Any]


def names(line: Line, rows: int) -> None:
    """`names`, and `names_by_time` with the same rows."""
    fill = f"SELECT g, sha256(int8send(g)) FROM generate_series(0, {rows - 1}) g"
    line.execute(f"CREATE TABLE names ({NAMES})")
    line.execute(f"CREATE TABLE names_by_time ({NAMES}) PARTITION BY RANGE (position)")
    step = -(-rows // PARTS)
    for n in range(PARTS):
        values = f"FROM ({n * step}) TO ({(n + 1) * step})"
        line.execute(f"CREATE TABLE names_by_time_{n} PARTITION OF names_by_time FOR VALUES {values}")
    for table in ("names", "names_by_time"):
        line.execute(f"INSERT INTO {table} {fill}")
        line.execute(f"CREATE INDEX ON {table} (statement)")


def slots(line: Line, rows: int) -> None:
    """`slots`, and `slots_by_case` with the same rows."""
    line.execute(f"CREATE TABLE slots ({SLOTS})")
    line.execute(f"CREATE TABLE slots_by_case ({SLOTS}) PARTITION BY HASH (case_id)")
    for n in range(PARTS):
        values = f"WITH (MODULUS {PARTS}, REMAINDER {n})"
        line.execute(f"CREATE TABLE slots_by_case_{n} PARTITION OF slots_by_case FOR VALUES {values}")
    for table in ("slots", "slots_by_case"):
        line.execute(
            f"INSERT INTO {table} SELECT {CASE}, g % 10, '', 'issued', NULL, g FROM generate_series(0, {rows - 1}) g"
        )


def pages(line: Line, sql: str, value: object) -> tuple[int, float]:
    """How many pages PostgreSQL looks at for an answer, and ms."""
    row = line.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}", (value,)).fetchone()
    assert row is not None
    plan = row[0][0]
    return plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"], plan["Execution Time"]


def looked_for(table: Table, line: Line, what: str, sql: str, values: list[object]) -> None:
    for value in values:
        pages(line, sql, value)
    found = [pages(line, sql, value) for value in values]
    table.add(f"{what}: pages", sum(n for n, _ in found) / len(found), "of 8 KiB")
    table.add(f"{what}: time", sorted(ms for _, ms in found)[len(found) // 2], "ms")


def vacuum(table: Table, line: Line, name: str, what: str) -> None:
    line.execute(f"UPDATE {name} SET state = 'stale' WHERE head_at % 50 = 7")
    leaves = line.execute(
        "SELECT relid::regclass::text FROM pg_partition_tree(%s::regclass) WHERE isleaf", (name,)
    ).fetchall() or [(name,)]
    spent = []
    for (leaf,) in leaves:
        begun = time.perf_counter()
        line.execute(f"VACUUM {leaf}")
        spent.append(time.perf_counter() - begun)
    table.add(f"{what}: the longest vacuum", max(spent), "s")
    table.add(f"{what}: all of it", sum(spent), "s")


def main() -> None:
    options = argparse.ArgumentParser(prog="python -m bench.pieces", description=__doc__)
    options.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000, 10_000_000])
    said = options.parse_args()
    sys.argv[1:] = []
    table, chance = Table(), random.Random(1)
    print(machine(), flush=True)
    with tempfile.TemporaryDirectory(prefix="gardesh-bench-") as place, server(Path(place)) as url:
        for rows in said.rows:
            with psycopg.connect(url, autocommit=True) as line:
                line.execute("SET max_parallel_workers_per_gather = 0")
                line.execute("SET max_parallel_maintenance_workers = 0")
                names(line, rows)
                slots(line, rows)
                line.execute("VACUUM ANALYZE")
                some = [chance.randrange(rows) for _ in range(ROUNDS)]
                digests: list[object] = [sha256(n.to_bytes(8, "big")).digest() for n in some]
                cases: list[object] = [sha256((n // 10).to_bytes(8, "big")).hexdigest() for n in some]
                for name, what in (("names", "whole"), ("names_by_time", "by time")):
                    sql = f"SELECT position FROM {name} WHERE statement = %s"
                    looked_for(table, line, f"{rows:,} names {what}, one by its name", sql, digests)
                for name, what in (("slots", "whole"), ("slots_by_case", "by case")):
                    sql = f"SELECT * FROM {name} WHERE case_id = %s"
                    looked_for(table, line, f"{rows:,} slots {what}, those of a case", sql, cases)
                    vacuum(table, line, name, f"{rows:,} slots {what}")
                line.execute("DROP TABLE names, names_by_time, slots, slots_by_case")
    print(table.text())


if __name__ == "__main__":
    main()
