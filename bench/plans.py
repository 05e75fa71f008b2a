"""`python -m bench.plans [--documents N] [--write]`: the plan of every question that a service asks its database while it works.

A real node between many rows (`plans_rows`) does what services do; each statement it sends is explained on SQLite and on
PostgreSQL, and run again to count what it looks at. Fails if one looks at more than its answer is worth: a scan of a large
table, a sort without an index, an index that finds too much. `--write` makes docs/explanation/queries.md.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from bench import divided, material
from bench.plans_cost import bytes_on_disk, measure, memory
from bench.plans_rows import fill
from bench.plans_work import work
from bench.stores import fresh, server
from bench.table import Table, machine
from gardesh.node import Node
from gardesh.record import folder
from gardesh.record.cases import KEPT
from gardesh.record.clock import Clock
from gardesh.record.log import Log
from gardesh.record.postgresql import _marked
from gardesh.record.store import Store

PAGE = Path(__file__).parents[1] / "docs" / "explanation" / "queries.md"
STEPS, ROWS = 100_000, 5_000
"""How many steps of SQLite's machine, and rows that PostgreSQL looks at, are too many."""
KNOWN = {
    "SELECT wakes_at, id FROM cases": "10,000 at most, whatever the record holds: at a start, and when these are past",
    "SELECT id, pack, procedure, opener, opened_at, closed_at, withdrawn FROM cases WHERE 1 = 1 ": (
        "`gardesh case list` over all cases; an index for it would be written with every change of a case"
    ),
}
"""Statements that may cost more, and why."""
VALUES = 12
DIVIDED = "PostgreSQL, divided"
"""By case and by time (`bench.divided`)."""
MARKS = re.compile(r"\(\?(, \?){9,}\)")


@dataclass
class Asked:
    """A statement, the first place that sent it, and values it was sent with."""

    sql: str
    place: str
    values: list[Sequence[Any]] = field(default_factory=list)


@dataclass
class Plan:
    lines: list[str]
    looked: int
    ms: float


class Watched(Store):
    """A store that remembers what it was asked."""

    asked: dict[str, Asked] | None = None

    def _do(self, act: Any, sql: str, values: Sequence[Any]) -> Any:
        one = isinstance(values, tuple)  # and not the rows of `add` and `remove`
        if self.asked is not None and one and sql.startswith(("SELECT", "WITH", "UPDATE", "DELETE")):
            made = self.asked.get(sql) or self.asked.setdefault(sql, Asked(sql, place()))
            if values not in made.values and len(made.values) < VALUES:
                made.values.append(values)
        return super()._do(act, sql, values)


def place() -> str:
    """The function of Gardesh that asks the store."""
    frame = sys._getframe(2)
    while frame.f_code.co_filename.endswith(("record/store.py", "bench/plans.py")):
        assert frame.f_back is not None
        frame = frame.f_back
    module = Path(frame.f_code.co_filename).relative_to(Path(__file__).parents[1] / "src" / "gardesh")
    return f"{module}: {frame.f_code.co_qualname}"


def sqlite_plans(store: Store, asked: Asked) -> Iterator[Plan]:
    raw = store.database.raw  # type: ignore[attr-defined]
    for values in asked.values:
        found = [row[3] for row in raw.execute(f"EXPLAIN QUERY PLAN {asked.sql}", values)]
        steps = 0

        def count() -> int:
            nonlocal steps
            steps += 100
            return 0

        raw.set_progress_handler(count, 100)
        raw.execute("BEGIN")
        begun = time.perf_counter()
        raw.execute(asked.sql, values).fetchall()
        spent = time.perf_counter() - begun
        raw.execute("ROLLBACK")
        raw.set_progress_handler(None, 0)
        yield Plan(found, steps, spent * 1e3)


def postgresql_plans(store: Store, asked: Asked, line: psycopg.Connection[Any]) -> Iterator[Plan]:
    for values in asked.values:
        with line.transaction(force_rollback=True):
            sql = b"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) " + _marked(asked.sql)
            row = line.execute(sql, values).fetchone()
        assert row is not None
        lines: list[str] = []
        looked = _nodes(row[0][0]["Plan"], 0, lines)
        yield Plan(lines, looked, row[0][0]["Execution Time"])


def _nodes(node: dict[str, Any], depth: int, lines: list[str]) -> int:
    """Its lines, and how many rows all of it looks at: those that scans read, and those that are sorted."""
    loops = node.get("Actual Loops", 1)
    removed = sum(v for k, v in node.items() if k.startswith("Rows Removed by") and "Join" not in k)
    count = round((node["Actual Rows"] + removed) * loops)
    words = [node["Node Type"]]
    if "Index Name" in node:
        words.append(f"using {node['Index Name']}")
    if "Relation Name" in node:
        words.append(f"on {node['Relation Name']}")
    looked = count if "Scan" in node["Node Type"] and "CTE" not in node["Node Type"] else 0
    lines.append("  " * depth + " ".join(words) + (f", {count} rows" if looked else ""))
    for under in node.get("Plans", []):
        if "Sort" in node["Node Type"]:
            looked += round(under["Actual Rows"] * under.get("Actual Loops", 1))
        looked += _nodes(under, depth + 1, lines)
    return looked


def dearest(plans: Iterator[Plan]) -> Plan:
    return max(plans, key=lambda plan: (plan.looked, plan.ms))


def filled(store: Watched, made: material.Material, size: int) -> Node:
    """A node in the midst of so many documents."""
    node = material.node(store, made)
    for paper in [*made.cases[0], *made.cases[1][:12]]:
        node.intake.submit(paper, made.at)
    fill(node, size)
    if store.url.startswith("postgresql://"):
        with psycopg.connect(store.url, autocommit=True) as line:
            line.execute("VACUUM ANALYZE")
    clock = node.sequencer.clock
    return Node(
        store, folder.stored(store), Log(store, node.log.origin, made.signers), Clock(clock.name, clock.key)
    )


def costs(table: Table, store: Watched, made: material.Material, where: str, what: str, told: bool) -> None:
    """Bytes of the record in `store`, which is at `where` for other processes; with `told`, memory and start of a node over it."""
    (count,) = store.one("SELECT max(position) + 1 FROM documents")
    parts = bytes_on_disk(store)
    total = sum(size for size, _ in parts.values())
    table.add(f"{what}: without contents, with all indexes", total / count, "bytes a document")
    name, (_, largest) = max(parts.items(), key=lambda item: item[1][1])
    if largest:
        table.add(f"{what}: the largest index ({name})", largest / 1e6, "MB")
        table.add(f"{what}: the largest index of slots", parts["slots"][1] / 1e6, "MB")
    if not told:
        return
    held, opened = memory(where, made.record_key)
    table.add(f"{what}: memory of a node, {KEPT:,} cases at hand", held, "MB", None, "≤ 300")
    table.add(f"{what}: a start", opened, "s")


def explained(store: Watched, made: material.Material, node: Node) -> dict[str, tuple[str, Plan]]:
    """By the statement: where it comes from, and the plan of the dearest of its values."""
    line = None
    if store.url.startswith("postgresql://"):
        line = psycopg.connect(store.url, autocommit=True)
    store.asked = {}
    work(node, made)
    found: dict[str, tuple[str, Plan]] = {}
    known, store.asked = store.asked, None
    for asked in known.values():
        plans = sqlite_plans(store, asked) if line is None else postgresql_plans(store, asked, line)
        found[asked.sql] = (asked.place, dearest(plans))
    return found


def why_not(sql: str, lite: Plan, server_plan: Plan) -> str:
    """What is wrong with the plans of a statement; empty when nothing is."""
    if any(sql.startswith(known) for known in KNOWN):
        return ""
    wrong = []
    if any(line.startswith("SCAN") for line in lite.lines) and "count(" in sql:
        wrong.append("SQLite counts a whole table")
    if lite.looked > STEPS:
        wrong.append(f"SQLite takes {lite.looked:,} steps")
    if server_plan.looked > ROWS:
        wrong.append(f"PostgreSQL looks at {server_plan.looked:,} rows")
    return "; ".join(wrong)


def shown(sql: str, where: str, lite: Plan, server_plan: Plan) -> str:
    """An item of the page."""
    known = "".join(f" May cost more: {why}." for start, why in KNOWN.items() if sql.startswith(start))
    return "\n".join(
        [
            f"- **{where}**{known}",
            f"  `{MARKS.sub('(?, …)', sql)}`",
            f"  SQLite, {lite.looked:,} steps, {lite.ms:.2f} ms: {'; '.join(lite.lines)}",
            f"  PostgreSQL, {server_plan.looked:,} rows, {server_plan.ms:.2f} ms: {'; '.join(map(str.strip, server_plan.lines))}",
        ]
    )


def main() -> None:
    options = argparse.ArgumentParser(prog="python -m bench.plans", description=__doc__)
    options.add_argument(
        "--documents", type=int, nargs="+", default=[1_000_000], help="sizes; of the last, the plans"
    )
    options.add_argument("--write", action="store_true", help="make docs/explanation/queries.md")
    options.add_argument(
        "--divided", action="store_true", help="instead: PostgreSQL, and the same divided by case and by time"
    )
    said = options.parse_args()
    sys.argv[1:] = []
    made, table = material.imports(6), Table()
    print(machine(), flush=True)
    found: list[dict[str, tuple[str, Plan]]] = []
    for size in said.documents:
        kinds = ("PostgreSQL", DIVIDED) if said.divided else ("SQLite", "PostgreSQL")
        found = [one(table, kind, made, size, not said.divided) for kind in kinds]
    if said.divided:
        print(f"{table.text()}\n")
        raise SystemExit(compared(*found))
    lite, server_plans = found
    both = sorted((w, sql) for sql, (w, _) in lite.items() if sql in server_plans)
    pages, wrong = [], 0
    for where, sql in both:
        plans = lite[sql][1], server_plans[sql][1]
        pages.append(shown(sql, where, *plans))
        if reason := why_not(sql, *plans):
            wrong += 1
            print(f"{where}: {reason}\n{pages[-1]}")
    if said.write:
        head = HEAD.format(
            size=said.documents[-1], count=len(both), steps=STEPS, rows=ROWS, machine=machine()
        )
        PAGE.write_text(head + "\n" + "\n".join(pages) + "\n", encoding="utf-8")
    print(f"{table.text()}\n{len(both)} statements, {wrong} that look at too much")
    raise SystemExit(1 if wrong else 0)


def compared(whole: dict[str, tuple[str, Plan]], parts: dict[str, tuple[str, Plan]]) -> int:
    """Prints the statements that cost more over divided tables; how many look at too much there."""
    both = [sql for sql in whole if sql in parts]
    slower = sorted(both, key=lambda sql: whole[sql][1].ms - parts[sql][1].ms)[:12]
    for sql in slower:
        (where, before), (_, after) = whole[sql], parts[sql]
        print(
            f"{where}: {before.ms:.2f} to {after.ms:.2f} ms, {before.looked} to {after.looked} rows: {MARKS.sub('(?, …)', sql)}"
        )
    wrong = [sql for sql in both if parts[sql][1].looked > ROWS and not any(map(sql.startswith, KNOWN))]
    spent = [sum(found[sql][1].ms for sql in both) for found in (whole, parts)]
    print(
        f"{len(both)} statements, {spent[0]:.1f} ms, divided {spent[1]:.1f} ms, {len(wrong)} that look at too much"
    )
    return len(wrong)


def one(
    table: Table, kind: str, made: material.Material, size: int, told: bool
) -> dict[str, tuple[str, Plan]]:
    """The plans at one size on one database; what it costs is added to the table. Nothing of it stays."""
    begun = time.perf_counter()
    with ExitStack() as held:
        folder_ = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="gardesh-bench-")))
        if kind == "SQLite":
            where = str(folder_ / "node.sqlite")
            store = Watched(where, create=True)
        else:
            url = held.enter_context(server(folder_))
            fresh(url).close()
            where = f"{url}{'&' if '?' in url else '?'}options=-csearch_path%3Dgardesh_bench"
            if kind == DIVIDED:
                with psycopg.connect(where, autocommit=True) as line:
                    divided.divide(line, size)
            store = Watched(where)
        held.callback(store.close)
        node = filled(store, made, size)
        held.callback(node.log.close)
        what = f"{kind}, {size:,}"
        print(f"{what}: filled in {time.perf_counter() - begun:.0f} s", flush=True)
        costs(table, store, made, where, what, told)
        plans = explained(store, made, node)
        print(f"{what}: {len(plans)} statements, {time.perf_counter() - begun:.0f} s", flush=True)
        measure(table, node, made, what)
    return plans


HEAD = """# What a service asks its database

Made by `python -m bench.plans --write`, on {machine}, with {size:,} documents in a tenth as many cases, half as many subjects,
business keys and reads, as many notices and slots. A real node in the midst of these accepts documents, lets time pass and answers as a
service does; each of the {count} statements that it sends is here, with the plan and the cost of the dearest of its values. A twentieth
of everything belongs to the same office, role, register key or reader.

The command fails when a statement takes more than {steps:,} steps of SQLite's machine, or has PostgreSQL look at more than {rows:,}
rows: no answer is worth that. Both count what scans read and what is sorted, so an index that finds too much fails too.
Rows are inserted and removed by their primary keys; these statements are left out.

What it found, and what was done:

| statement | before (SQLite, PostgreSQL) | after | by |
|---|---|---|---|
| the size of the log, at a start and after others have written | 13 ms, 56 ms | 0.01 ms, 0.03 ms | the highest position |
| what was sent of one webhook | 10 ms, 16 ms | 0.01 ms, 0.02 ms | an index that holds the webhook too |
| who has a part in a case by what it waits for, at 10,000,000 | 2.9 ms, 0.03 ms | 0.01 ms, 0.02 ms | asked of the case, not of the role |
| all that time will change, at a start, at 10,000,000 | 128 ms, 40 ms | 12 ms, 2.0 ms | the soonest 10,000 cases, then the next |

`gardesh case list` over all cases takes 30 and 24 ms at 1,000,000 documents, 192 and 76 ms at 10,000,000. An index over the time they were
opened makes that 0.1 ms (at 1,000,000), and was not taken: it is written anew with every change of a case, which cost PostgreSQL 5 % of
its documents a second (1,773 to 1,686, batches of 100) and SQLite 1 %. No service asks that.

Reports over a whole record (`gardesh audit`, `rebuild`, `backup`, `public`, `case list --rests-on`) are not hot, and not here.
"""

if __name__ == "__main__":
    main()
