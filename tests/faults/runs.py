"""Which runs are made, and the lanes that make them, each a process of its own."""

from __future__ import annotations

import multiprocessing
import queue
import random
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kinds import FAULTS, impossible
from lane import Lane
from run import one

HUNDRED = 100


def tasks(percent: float, seed: int, only: str) -> list[tuple[int, str, int]]:
    """Which runs are made: the fault, the store and the seed of each; in an order that is chance."""
    found: list[tuple[int, str, int]] = []
    for number, fault in enumerate(FAULTS):
        for store, share in fault.share.items():
            if only in fault.name and not impossible(fault):
                count = max(1, round(share * percent / HUNDRED))
                found += [(number, store, seed * 10_000 + n) for n in range(count)]
    random.Random(seed).shuffle(found)
    return found


def work(folder: str, asked: Any, answers: Any, evidence: str) -> None:
    """A lane: makes the runs that it is given, one after the other."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what it has is put away
    lane = Lane(Path(folder) if folder else None)
    try:
        while (task := asked.get()) is not None:
            number, store, seed = task
            begun = time.monotonic()
            outcome = one(lane, FAULTS[number], store, seed, Path(evidence))
            answers.put((task, outcome, time.monotonic() - begun))
    finally:
        lane.close()


def made(runs: list[tuple[int, str, int]], lanes: int, folder: str, evidence: str) -> Iterator[Any]:
    """The runs as they end."""
    processes = multiprocessing.get_context("spawn")
    asked, answers = processes.Queue(), processes.Queue()
    for task in [*runs, *[None] * lanes]:
        asked.put(task)
    workers = [processes.Process(target=work, args=(folder, asked, answers, evidence)) for _ in range(lanes)]
    for worker in workers:
        worker.start()
    left = len(runs)
    try:
        while left:
            try:
                yield answers.get(timeout=5)
                left -= 1
            except queue.Empty:
                if not any(worker.is_alive() for worker in workers):
                    raise SystemExit(f"the lanes ended with {left} runs not made") from None
    finally:
        for worker in workers:
            if left:
                worker.terminate()
            worker.join()
