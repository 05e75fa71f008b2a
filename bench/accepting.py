"""Accepting in one process, without HTTP, beside the roofline; and whole cases."""

from __future__ import annotations

import gc
import time
from collections import defaultdict
from pathlib import Path

from bench import material
from bench.roofline import Roofline
from bench.table import Table, seconds
from gardesh.node import Node
from gardesh.record.store import Store

ROUNDS = 3


def fresh(made: material.Material, place: Path, name: str, sealed: bool = True) -> Node:
    gc.collect()  # what earlier nodes left behind
    return material.node(Store(str(place / f"{name}.sqlite"), create=True), made, sealed)


def accept(node: Node, papers: list[bytes], at: int, batch: int) -> float:
    """Seconds to accept all papers, `batch` at a time (1: one submission each)."""
    begun = time.perf_counter()
    if batch == 1:
        for paper in papers:
            node.intake.submit(paper, at)
    else:
        for first in range(0, len(papers), batch):
            for answer in node.intake.submit_all(papers[first : first + batch], at):
                if isinstance(answer, Exception):
                    raise answer
    return time.perf_counter() - begun


def batches(table: Table, made: material.Material, place: Path, roof: Roofline) -> None:
    """Batches of 1, 10 and 100, on SQLite."""
    papers = [p for c in made.cases for p in c]
    roofs: dict[int, list[float]] = defaultdict(list)
    rates: dict[int, list[float]] = defaultdict(list)
    for turn in range(ROUNDS):
        for batch in (1, 10, 100):
            roofs[batch].append(len(papers) / seconds(lambda b=batch: roof.run(b), 1))  # type: ignore[misc]
            node = fresh(made, place, f"b{batch}-{turn}")
            rates[batch].append(len(papers) / accept(node, papers, made.at, batch))
            node.close()
    for batch, found in rates.items():
        table.add(f"roofline, batches of {batch}", roofs[batch], "documents/s")
        parts = [rate / best for rate, best in zip(found, roofs[batch], strict=True)]
        table.add(f"accepted without HTTP, batches of {batch}", found, "documents/s", parts)


def cases(table: Table, made: material.Material, place: Path) -> Node:
    """Whole imports after a first one, which compiles what the others follow; gives a node with all of them, the last one
    half-way."""
    rates = []
    for turn in range(ROUNDS):
        node = fresh(made, place, f"cases-{turn}")
        first, *others = made.cases[:-1]
        accept(node, first, made.at, len(first))
        begun = time.perf_counter()
        for case in others:
            accept(node, case, made.at, len(case))
        rates.append(len(others) / (time.perf_counter() - begun))
        if turn + 1 < ROUNDS:
            node.close()
    accept(node, made.cases[-1][:12], made.at, 12)
    size = len(made.cases[-1])
    table.add(f"whole imports of {size} documents, a case a batch", rates, "cases/s")
    table.add("the same in cases of 25 documents", [r * size / 25 for r in rates], "cases/s", None, "≥ 100")
    return node


def sealing(table: Table, made: material.Material, place: Path) -> None:
    """What sealing at rest costs the processor: the same documents with and without, by turns."""
    papers = [p for c in made.cases for p in c]
    spent: dict[bool, list[float]] = {True: [], False: []}
    for i in range(5):
        for sealed in (True, False):
            node = fresh(made, place, f"sealing-{sealed}-{i}", sealed)
            begun = time.process_time()
            accept(node, papers, made.at, 100)
            spent[sealed].append((time.process_time() - begun) / len(papers) * 1e6)
            node.close()
    clear, shut = (sorted(spent[sealed])[2] for sealed in (False, True))
    table.add("accepted, batches of 100, not sealed at rest", clear, "µs of the processor/document")
    table.add("the same sealed", shut, "µs of the processor/document")
