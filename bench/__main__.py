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
from pathlib import Path

from bench import accepting, consultation, explained, material, over_http, peers, scale, stores
from bench.accepting import accept, fresh
from bench.roofline import Roofline
from bench.table import Table, machine, memory_mb, seconds
from gardesh.exchange import case_file_check, case_file_selection
from gardesh.model.document import parse
from gardesh.model.jose import PublicKey
from gardesh.node import Node
from gardesh.process import seldom_collect
from gardesh.record.registers import NOWHERE
from gardesh.study.audit import Auditor


def main() -> None:
    options = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    options.add_argument("--cases", type=int, default=30, help="imports to measure with (30 documents each)")
    options.add_argument(
        "--full",
        action="store_true",
        help="also 1,000,000 documents, and a consultation with 100,000 comments",
    )
    options.add_argument("--place", help="folder to write records in; /dev/shm takes the disk out")
    options.add_argument("--profile", action="store_true", help="where the time of a batch goes")
    said = options.parse_args()
    seldom_collect()
    table = Table()
    begun_on = machine()
    print(f"{begun_on}\nsigning {said.cases} imports …", flush=True)
    made = material.imports(said.cases)
    papers = [p for c in made.cases for p in c]
    gc.collect()
    gc.freeze()  # what the benchmark itself holds is not the node's
    with tempfile.TemporaryDirectory(prefix="gardesh-bench-", dir=said.place) as folder:
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
        accepting.batches(table, made, place, roof)
        accepting.sealing(table, made, place)
        with stores.server(place) as url:
            over_http.measure(table, made, place, roof, url)
            peers.measure(table, made, url)
        whole = accepting.cases(table, made, place)
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
    print(f"\n{begun_on}\n{machine()} at the end\n\n{table.text()}")


def profile(node: Node, papers: list[bytes], at: int) -> None:
    watch = cProfile.Profile()
    watch.enable()
    accept(node, papers, at, 100)
    watch.disable()
    pstats.Stats(watch, stream=sys.stdout).sort_stats("tottime").print_stats(30)


if __name__ == "__main__":
    main()
