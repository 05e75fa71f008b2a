"""`make bench`: one run, one machine, ratios first. `--full` adds 1 million documents and 100,000 comments;
`--profile` says where time goes."""

from __future__ import annotations

import argparse
import cProfile
import gc
import pstats
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from bench import consultation, explained, material, over_http, scale
from bench.roofline import Roofline
from bench.table import Table, machine, memory_mb, seconds
from gardesh.exchange import case_file_check, case_file_selection
from gardesh.model.document import parse
from gardesh.model.jose import PublicKey
from gardesh.node import Node
from gardesh.process import seldom_collect
from gardesh.record.registers import NOWHERE
from gardesh.record.store import Store
from gardesh.study.audit import Auditor


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


def main() -> None:
    options = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    options.add_argument("--cases", type=int, default=60, help="imports to measure with (30 documents each)")
    options.add_argument(
        "--full",
        action="store_true",
        help="also 1,000,000 documents, and a consultation with 100,000 comments",
    )
    options.add_argument("--profile", action="store_true", help="where the time of a batch goes")
    said = options.parse_args()
    seldom_collect()
    table = Table()
    print(f"{machine()}\nsigning {said.cases} imports …", flush=True)
    made = material.imports(said.cases)
    papers = [p for c in made.cases for p in c]
    gc.collect()
    gc.freeze()  # what the benchmark itself holds is not the node's
    with tempfile.TemporaryDirectory(prefix="gardesh-bench-") as folder:
        place = Path(folder)
        if said.profile:
            profile(fresh(made, place, "profile"), papers, made.at)
            return
        node = fresh(made, place, "keys")
        keys = {
            kid: PublicKey.from_jwk(node.sequencer.registers.value("core/keys", kid, NOWHERE, made.at)["jwk"])
            for kid in {parse(p).kid for p in papers}
        }
        roof = Roofline(papers, keys, place)
        best_of: dict[int, float] = {}
        for batch, target in ((1, ""), (10, ""), (100, "")):
            best = best_of[batch] = len(papers) / seconds(partial(roof.run, batch))
            table.add(f"roofline, batches of {batch}", best, "documents/s")
            spent = sorted(
                accept(fresh(made, place, f"b{batch}-{i}"), papers, made.at, batch) for i in range(3)
            )[1]
            table.add(
                f"accepted, batches of {batch}",
                len(papers) / spent,
                "documents/s",
                len(papers) / spent / best,
                target,
            )
        sealing(table, made, place)
        over_http.measure(table, made, place, best_of)
        whole = fresh(made, place, "cases")
        begun = time.perf_counter()
        for case in made.cases[:-1]:
            accept(whole, case, made.at, len(case))
        spent = time.perf_counter() - begun
        accept(whole, made.cases[-1][:12], made.at, 12)
        table.add(
            f"whole imports of {len(made.cases[-1])} documents, a case a batch",
            (len(made.cases) - 1) / spent,
            "cases/s",
        )
        per_second = sum(len(c) for c in made.cases[:-1]) / spent
        table.add("the same in cases of 25 documents", per_second / 25, "cases/s", None, "≥ 100")
        scale.measure(table, whole, place, said.full)
        case_id = whole.store.one("SELECT id FROM cases WHERE procedure = 'import' LIMIT 1")[0]
        data = case_file_selection.export(whole, case_id)
        found = case_file_check.verify(data)
        if found.problems:
            raise SystemExit(str(found.problems[0]))
        spent = seconds(lambda: case_file_check.verify(data))
        table.add("case file verified offline", found.verified / spent, "documents/s", None, "≥ 5,000")
        begun = time.perf_counter()
        audit = Auditor(whole.store, whole.library, whole.sequencer.clock.name).run()
        if not audit.whole:
            raise SystemExit(str(audit.problems[0]))
        table.add("audit", audit.documents / (time.perf_counter() - begun), "documents/s")
        table.add(
            "memory of this process so far, at its greatest",
            memory_mb(),
            "MB",
            None,
            "≤ 300 (10 M documents)",
        )
        consultation.measure(table, place, 100_000 if said.full else 10_000)
        explained.measure(table, place, 1_000_000 if said.full else 100_000)
    print(f"\n{machine()}\n\n{table.text()}")


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


def profile(node: Node, papers: list[bytes], at: int) -> None:
    watch = cProfile.Profile()
    watch.enable()
    accept(node, papers, at, 100)
    watch.disable()
    pstats.Stats(watch, stream=sys.stdout).sort_stats("tottime").print_stats(30)


if __name__ == "__main__":
    main()
