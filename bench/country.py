"""`python -m bench.country [--documents N] [--rate R] [--reads R] [--seconds S]`: the load of a country's largest node, for a while.

A node over PostgreSQL in the midst of N documents takes whole imports over HTTP, one document a request, at R documents a second;
beside them organisations with tokens read plans, worklists, cases and searches. Arrivals are those of a Poisson process and do
not wait for answers (coordinated omission). What docs/explanation/scale.md assumes of such a node is held against what it took.
"""

from __future__ import annotations

import argparse
import asyncio
import glob
import multiprocessing
import os
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg

from bench import material
from bench.clients import arrive
from bench.material import Material
from bench.over_http import percentiles
from bench.plans import Watched, filled
from bench.services import PROCESSES, services
from bench.stores import emptied, server
from bench.table import Table, machine
from gardesh.client import AsyncClient, Token
from gardesh.model.document import parse
from gardesh.process import seldom_collect

LANES = 64
"""Cases that go on at once, each at a connection of its own."""
READERS = 8
OPENER, OFFICE = "pars-shabake", "customs-centre"
TICKS = os.sysconf("SC_CLK_TCK")


def spent(pid: int) -> dict[str, float]:
    """Seconds of the processor that each thread of a process has had."""
    found = {}
    for thread in glob.glob(f"/proc/{pid}/task/*/stat"):
        words = Path(thread).read_text(encoding="ascii").rpartition(")")[2].split()
        found[thread] = (int(words[11]) + int(words[12])) / TICKS
    return found


def of_the_database(folder: Path) -> float:
    """Seconds of the processor that all processes of the server have had, with those that have ended."""
    pid = int((folder / "data" / "postmaster.pid").read_text(encoding="ascii").split()[0])
    total = 0.0
    for stat in glob.glob("/proc/[0-9]*/stat"):
        try:
            words = Path(stat).read_text(encoding="ascii").rpartition(")")[2].split()
        except OSError:
            continue  # it has just ended
        if stat == f"/proc/{pid}/stat":
            total += sum(map(int, words[11:15])) / TICKS
        elif int(words[1]) == pid:
            total += sum(map(int, words[11:13])) / TICKS
    return total


async def read(url: str, made: Material, rate: float, seconds: float) -> tuple[list[float], int]:
    """For each question the ms from when it was due; and how many were asked that nobody answered."""
    clock = lambda: made.at / 1000  # noqa: E731
    cases = [parse(case[0]).digest.hex() for case in made.cases[:2]]
    chance, waits, lost = random.Random(2), list[float](), 0
    clients = [
        AsyncClient(url, Token(org, made.keys[org], clock=clock), clock=clock)
        for org in (OPENER, OFFICE)
        for _ in range(READERS // 2)
    ]
    begun, due = time.perf_counter(), 0.0

    async def ask(client: AsyncClient, number: int, instant: float) -> None:
        nonlocal lost
        try:
            if number % 4 == 0:
                await anext(client.worklist(), None)
            elif number % 4 == 1:
                await client.plan(cases[number % 2])
            elif number % 4 == 2:
                await client.case(cases[number % 2])
            else:
                await anext(client.search("order-number", material.ORDER), None)
        except Exception as error:  # noqa: BLE001 it is counted, and said
            lost += 1
            print(repr(error), file=sys.stderr)
        waits.append((time.perf_counter() - begun - instant) * 1e3)

    asked = []
    number = 0
    while (due := due + chance.expovariate(rate)) < seconds:
        await asyncio.sleep(max(0.0, begun + due - time.perf_counter()))
        client = clients[number % READERS]
        asked.append(asyncio.create_task(ask(client, chance.randrange(4 * READERS), due)))
        number += 1
    await asyncio.gather(*asked)
    for client in clients:
        await client.close()
    return waits, lost


def reading(url: str, made: Material, rate: float, seconds: float, told: Any) -> None:
    seldom_collect()
    told.send(asyncio.run(read(url, made, rate, seconds)))


def main() -> None:
    options = argparse.ArgumentParser(prog="python -m bench.country", description=__doc__)
    options.add_argument("--documents", type=int, default=1_000_000, help="in the record beforehand")
    options.add_argument("--rate", type=float, default=480.0, help="documents a second, as scale.md has it")
    options.add_argument("--reads", type=float, default=100.0, help="questions a second beside them")
    options.add_argument("--seconds", type=float, default=120.0)
    said = options.parse_args()
    sys.argv[1:] = []
    seldom_collect()
    print(machine(), flush=True)
    made = material.imports(round(said.rate * said.seconds / 30) + 8)
    print(f"{made.documents:,} documents of {len(made.cases):,} imports signed", flush=True)
    cases = made.cases[6:]
    lanes = [[paper for case in cases[n::LANES] for paper in case] for n in range(LANES)]
    table = Table()
    with tempfile.TemporaryDirectory(prefix="gardesh-bench-") as place, server(Path(place)) as url:
        where = emptied(url)
        store = Watched(where, create=True)
        filled(store, made, said.documents).log.close()
        store.close()
        print(f"{said.documents:,} documents are there", flush=True)
        with services(made, where, fresh=False) as (address,):
            (pid,) = [p.pid for p in multiprocessing.active_children()]
            before = spent(pid or 0), of_the_database(Path(place)), size(url)
            here, there = PROCESSES.Pipe()
            readers = PROCESSES.Process(target=reading, args=(address, made, said.reads, said.seconds, there))
            begun = time.perf_counter()
            readers.start()
            waits = asyncio.run(arrive(address, lanes, said.rate, 1))
            took = time.perf_counter() - begun
            answered, lost = here.recv()
            readers.join()
            after = spent(pid or 0), of_the_database(Path(place)), size(url)
    what = f"amid {said.documents:,}, {said.rate:.0f} documents and {said.reads:.0f} questions a second"
    threads = sorted((after[0][t] - before[0].get(t, 0) for t in after[0]), reverse=True)
    table.add(f"{what}: documents taken", len(waits), f"in {took:.0f} s of load")
    table.add(f"{what}: of those, a second", len(waits) / took, "documents/s")
    table.tell(f"{what}: a document, p50, p99, p99.9", said_of(waits), "ms")
    table.tell(f"{what}: a question, p50, p99, p99.9", said_of(answered), "ms")
    table.add(f"{what}: questions not answered", lost, f"of {len(answered):,} questions")
    table.add(f"{what}: the busiest thread", threads[0] / took * 100, "% of one core")
    table.add(f"{what}: the service, all threads", sum(threads) / took * 100, "% of one core")
    table.add(f"{what}: the database's processes", (after[1] - before[1]) / took * 100, "% of one core")
    table.add(f"{what}: the database grew by", (after[2] - before[2]) / len(waits), "bytes a document")
    print(table.text())


def said_of(waits: list[float]) -> str:
    return " / ".join(f"{at:,.1f}" for at in percentiles(waits))


def size(url: str) -> int:
    """Bytes of the database on the disk."""
    with psycopg.connect(url, autocommit=True) as line:
        (found,) = line.execute("SELECT pg_database_size(current_database())").fetchone() or (0,)
    return int(found)


if __name__ == "__main__":
    main()
