"""What a large record costs: bytes on the disk, memory of a node over it, and the time of what it is asked.

`python -m bench.plans_cost STORE` (run by `bench.plans` as a process of its own, the record key in hexadecimal as its input) opens a
node over a record that is there, folds a whole import as often as a node keeps cases at hand, and prints its memory in MB and the
seconds of its start.
"""

from __future__ import annotations

import json
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psycopg

from bench import divided
from bench.material import Material
from bench.plans_rows import name
from bench.table import Table
from gardesh.access import Access
from gardesh.model.document import parse
from gardesh.node import Node
from gardesh.process import seldom_collect
from gardesh.record import folder, schema
from gardesh.record.cases import KEPT
from gardesh.record.clock import Clock
from gardesh.record.founding import new_clock_key, new_log_signers
from gardesh.record.log import Log
from gardesh.record.sealing import NAME, RecordKey
from gardesh.record.store import Store
from gardesh.record.views import Views

ROUNDS = 200


def bytes_on_disk(store: Store) -> dict[str, tuple[int, int]]:
    """Of each table with its indexes, and of its largest index, where the database tells."""
    names = list(schema.metadata.tables)
    if store.url.startswith("postgresql://"):
        with psycopg.connect(store.url, autocommit=True) as line:
            return {table: divided.sizes(line, table)[:2] for table in names}
    found = dict.fromkeys(names, (0, 0))
    sql = "SELECT s.tbl_name, sum(d.pgsize) FROM dbstat('main', 1) d JOIN sqlite_schema s ON s.name = d.name GROUP BY 1"
    for table, size in store.rows(sql):
        if table in found:
            found[table] = (int(size), 0)
    return found


def milliseconds(work: Callable[[], object], rounds: int = ROUNDS) -> float:
    """The median of many."""
    spent = []
    for _ in range(rounds):
        begun = time.perf_counter()
        work()
        spent.append(time.perf_counter() - begun)
    return statistics.median(spent) * 1e3


def measure(table: Table, node: Node, made: Material, what: str) -> None:
    """`node`: one that has accepted the set-up and `made.cases[0]`, and a part of the next, and was filled."""
    store, views = node.store, Views(node.store, node.library)
    begun = time.perf_counter()
    node.sequencer._forget()  # as at a start, and after another process has written
    table.add(f"{what}: looked at anew after others wrote", (time.perf_counter() - begun) * 1e3, "ms")
    left = iter([*made.cases[3], *made.cases[4]])
    spent = milliseconds(lambda: node.intake.submit(next(left), made.at), len(made.cases[3]))
    table.add(f"{what}: accept, one by one", spent, "ms")

    def cold() -> None:
        """Of a case that is not in memory, as most are where many are open: it is folded again first."""
        node.sequencer.cases.live.clear()
        node.intake.submit(next(left), made.at)

    table.add(f"{what}: accept, the case not at hand", milliseconds(cold, len(made.cases[4])), "ms")
    for paper in made.cases[5][:12]:
        node.intake.submit(paper, made.at)
    case = parse(made.cases[5][0]).digest.hex()
    opener = views.case(case).opener
    access = Access(node, opener, made.at)
    (position,) = store.one("SELECT min(position) FROM documents WHERE case_id = ?", case)
    role = frozenset(["trade-promotion", "member"])
    chance = random.Random(1)
    (size,) = store.one("SELECT max(position) FROM documents")

    def anything() -> object:
        """Rows all over the record, of cases nobody looked at: what no cache has."""
        return views.plan(name("case", chance.randrange(size // 10 - 50)), made.at)

    for said, work in (
        ("plan", lambda: views.plan(case, made.at)),
        ("plan of any case", anything),
        ("why", lambda: views.why(case, made.at)),
        ("worklist page of 50", lambda: views.worklist("tpo", role, made.at)),
        ("search by a business key", lambda: access.search("order-number", "71640215", 50)),
        ("read a document, the read on record", lambda: access.read(str(position), "a look")),
        ("the receipt of a document", lambda: access.receipt(str(position))),
    ):
        table.add(
            f"{what}: {said}",
            milliseconds(work),
            "ms",
            None,
            "≤ 5" if said[:3] in ("pla", "why", "wor") else "",
        )


def memory(where: str, key: RecordKey) -> tuple[float, float]:
    """Of a process that has a node open over the record, and as many cases at hand as it keeps; and how long it took to open."""
    code = [sys.executable, "-m", "bench.plans_cost", where]
    done = subprocess.run(
        code,
        check=True,
        input=(key.name + key.secret).hex(),
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[1],
    )
    found = json.loads(done.stdout)
    return float(found["mb"]), float(found["opened"])


def main() -> None:
    seldom_collect()
    store = Store(sys.argv[1])
    given = bytes.fromhex(sys.stdin.read())
    key = RecordKey(given[:NAME], given[NAME:])
    store.unlock(lambda: [key])
    begun = time.perf_counter()
    log = Log(store, (store.setting("origin") or b"").decode(), new_log_signers("bench.example/log"))
    node = Node(store, folder.stored(store), log, Clock("clock", new_clock_key()))
    opened = time.perf_counter() - begun
    cases = node.sequencer.cases
    case = cases.get(
        store.one("SELECT case_id FROM documents WHERE step = 'order-request' ORDER BY position LIMIT 1")[0]
    )
    for number in range(KEPT - 1):
        cases.live[f"{number}"] = cases._fold(case.id, case.first_procedure, case.opener, case.opened_at)
    with open("/proc/self/status", encoding="ascii") as status:
        rss = next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))
    print(json.dumps({"mb": rss / 1024, "opened": opened, "cases": len(cases.live)}))
    node.log.close()


if __name__ == "__main__":
    main()
