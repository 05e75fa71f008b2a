"""Cost against size: plan, why and a worklist while the record grows.

The store is filled by copying the rows of real cases under other names, without their contents, which these queries do
not read. So the indexes have the size of 10 k, 100 k (and 1 M) documents; the disk does not hold their bytes.
"""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

from bench.table import Table
from gardesh.node import Node
from gardesh.record import schema
from gardesh.record.views import Views


def measure(table: Table, node: Node, place: Path, full: bool) -> None:
    """Add plan, why, worklist at each size. The extra rows are taken out of the store again afterwards."""
    store, views = node.store, Views(node.store, node.library)
    now = node.sequencer.last_at
    half = open_case(node)
    for size in (10_000, 100_000, *((1_000_000,) if full else ())):
        grow(node, size)
        for name, work in (
            ("plan", lambda: views.plan(half, now)),
            ("why", lambda: views.why(half, now)),
            (
                "worklist page of 50",
                lambda: views.worklist("tpo", frozenset(["trade-promotion", "member"]), now),
            ),
        ):
            rounds = 200
            begun = time.perf_counter()
            for _ in range(rounds):
                work()
            spent = (time.perf_counter() - begun) / rounds
            table.add(f"{name} at {size:,} documents", spent * 1e3, "ms", None, "≤ 5")
    with store.writing():
        for name in ("documents", "disclosures"):
            store.run(f"DELETE FROM {name} WHERE position >= {1 << 40}")
        store.run("DELETE FROM cases WHERE opener = 'copied'")
        store.run("DELETE FROM waits WHERE case_id NOT IN (SELECT id FROM cases)")


def open_case(node: Node) -> str:
    """An import that waits half-way: the first half of a case's documents on a case of its own."""
    row = node.store.one("SELECT id FROM cases WHERE procedure = 'import' AND closed_at IS NULL LIMIT 1")
    return str(row[0])


def grow(node: Node, size: int, procedure: str = "import") -> None:
    """Copy rows until the store holds `size` documents, in thirty-document cases, a tenth of them open."""
    store = node.store
    (have,) = store.one("SELECT count(*) FROM documents")
    (pack,) = store.one("SELECT pack FROM cases WHERE procedure = ? LIMIT 1", procedure)
    (shown,) = store.one("SELECT shown FROM waits LIMIT 1")
    documents, cases, waits = [], [], []
    for i in range(have // 30, size // 30):
        case_id = hashlib.sha256(b"copied-%d" % i).hexdigest()
        is_open = i % 10 == 0
        cases.append((case_id, pack, procedure, "copied", i, None if is_open else i, False, i, None))
        if is_open:
            waits.append(
                (case_id, 9, "", "order-registration", "due", "trade-promotion", None, i, i + 10**9, shown)
            )
        for j in range(30):
            position = (1 << 40) + i * 30 + j
            digest = hashlib.sha256(b"%d" % position).digest()
            documents.append(
                (position, digest, digest, i, case_id, "copied", "trade/permit", "permit", "", "issue", b"")
            )
        if len(documents) > 30_000:
            write(node, documents, cases, waits)
            documents, cases, waits = [], [], []
    write(node, documents, cases, waits)


def write(node: Node, documents: list[tuple], cases: list[tuple], waits: list[tuple]) -> None:  # type: ignore[type-arg]
    with node.store.writing():
        node.store.add(schema.documents, documents)
        node.store.add(schema.disclosures, [(d[0], b"~", None) for d in documents])
        node.store.add(schema.cases, cases)
        node.store.add(schema.waits, waits)
