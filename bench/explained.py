"""`explain` and the registers as of a date, in a record that has grown large around the story that they tell."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from pathlib import Path

from bench import scale
from bench.table import Table
from gardesh import worked_file
from gardesh.play import Player
from gardesh.record import folder, schema
from gardesh.record.registers import NOWHERE, Registers
from gardesh.record.store import Store
from gardesh.study.explanation import Explainer

VERSIONS = 10_000
"""How many entries of one key there are to choose among."""


def measure(table: Table, place: Path, size: int) -> None:
    """The governance story, its receipt explained, at `size` documents and a register key with many entries."""
    path = folder.shipped() / "governance" / "cases" / "story.yaml"
    made = worked_file.load(path)
    player = Player(worked_file.packs(path, made), made, Store(str(place / "story.sqlite"), create=True))
    if any(played.failures for played in player.run()):
        raise SystemExit("the material cannot be made")
    node = player.node
    receipt = node.store.one("SELECT digest FROM documents WHERE step = 'inspection-fee'")[0].hex()
    scale.grow(node, size, "meeting")
    first = node.sequencer.registers.next_id
    with node.store.writing():
        rows = [
            (
                first + i,
                "core/tariffs",
                "copied",
                i,
                digest(i),
                b'{"amount":"1"}',
                None,
                None,
                i * 1000,
                None,
                None,
            )
            for i in range(VERSIONS)
        ]
        node.store.add(schema.entries, rows)
    explained = timed(lambda: Explainer(node.store, node.library).explain(receipt, 12), 5)
    table.add(f"a receipt explained at {size:,} documents", explained, "ms", None, "≤ 50")
    registers = Registers(node.store)
    cold = timed(lambda: Registers(node.store).value("core/tariffs", "copied", 5_000, 2_000_000), 50)
    warm = timed(lambda: registers.value("core/tariffs", "copied", NOWHERE, NOWHERE), 1_000)
    table.add(f"register as of a past date, {VERSIONS:,} entries of the key", cold, "ms", None, "≤ 1")
    table.add("register as of now", warm, "ms", None, "≤ 1")
    node.close()


def digest(number: int) -> bytes:
    return hashlib.sha256(b"%d" % number).digest()


def timed(work: Callable[[], object], times: int) -> float:
    """The mean, in ms."""
    begun = time.perf_counter()
    for _ in range(times):
        work()
    return (time.perf_counter() - begun) / times * 1e3
