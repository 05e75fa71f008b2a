"""Accepting over HTTP: services as processes of their own, and clients that share the machine's cores with them.

Every round measures the roofline first, and what follows beside it: what else the machine does bears on both.
"""

from __future__ import annotations

import asyncio
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.clients import How, arrive, bundled, carry, single
from bench.material import Material
from bench.roofline import Roofline
from bench.services import services
from bench.stores import emptied
from bench.table import Table, seconds

CLIENTS = 24
ROUNDS = 3


@dataclass(frozen=True)
class Kind:
    """One way to submit. `beside`: the roofline of which batch it stands beside. `part`: of the cases, how many."""

    name: str
    how: How
    clients: int
    beside: int
    count: int = 1
    witnessed: bool = False
    target: str = ""
    part: float = 1.0


ONE = Kind(f"one document a request, {CLIENTS} clients", single, CLIENTS, 1, target="≥ 50 %")
BUNDLES = Kind("a case a bundle, 4 clients", bundled, 4, 100, target="≥ 80 %")
SQLITE = (
    ONE,
    Kind("one document a request, one client", single, 1, 1, part=0.2),
    BUNDLES,
    Kind(f"one document a request, {CLIENTS} clients, two witnesses beside", single, CLIENTS, 1, 1, True),
    Kind("a case a bundle, 4 clients, two witnesses beside", bundled, 4, 100, 1, True),
)
POSTGRESQL = (
    ONE,
    BUNDLES,
    Kind(f"2 services, one document a request, {CLIENTS} clients", single, CLIENTS, 1, 2, part=0.8),
    Kind("2 services, a case a bundle, 4 clients", bundled, 4, 100, 2),
    Kind(f"4 services, one document a request, {CLIENTS} clients", single, CLIENTS, 1, 4, part=0.8),
    Kind("4 services, a case a bundle, 4 clients", bundled, 4, 100, 4),
)


def files(place: Path) -> Callable[[], str]:
    """Each time another file."""
    numbers = iter(range(1_000_000))
    return lambda: str(place / f"http-{next(numbers)}.sqlite")


def measure(table: Table, made: Material, place: Path, roof: Roofline, url: str) -> None:
    """Both stores: rates, then latencies at a half and nine tenths of the rate of single documents. `url`: PostgreSQL."""
    for store, kinds, fresh, there in (
        ("SQLite", SQLITE, files(place), None),
        ("PostgreSQL", POSTGRESQL, lambda: emptied(url), url),
    ):
        rates: dict[str, list[float]] = defaultdict(list)
        parts: dict[str, list[float]] = defaultdict(list)
        roofs: dict[int, list[float]] = defaultdict(list)
        waits: dict[int, list[float]] = defaultdict(list)
        for turn in range(ROUNDS):
            best = dict(rooflines(roof, there))
            for batch, rate in best.items():
                roofs[batch].append(rate)
            for kind in kinds:
                rate = carried(made, fresh(), kind)
                rates[kind.name].append(rate)
                parts[kind.name].append(rate / best[kind.beside])
            for load in (50, 90):
                with services(made, fresh()) as (address,):
                    asyncio.run(carry([address], made.cases[:1], single, 1))  # what is read once is read then
                    rate = rates[ONE.name][turn] * load / 100
                    waits[load] += asyncio.run(arrive(address, made.cases[1:], rate, turn))
        for batch, found in roofs.items():
            table.add(f"{store}: roofline, batches of {batch}", found, "documents/s")
        for kind in kinds:
            name = f"{store} over HTTP, {kind.name}"
            table.add(name, rates[kind.name], "documents/s", parts[kind.name], kind.target)
        for load, found in waits.items():
            table.tell(
                f"{store} over HTTP, latency at {load} % of {ONE.name}: p50, p99, p99.9",
                " / ".join(f"{at:,.1f}" for at in percentiles(found)),
                "ms",
            )


def rooflines(roof: Roofline, url: str | None) -> Iterator[tuple[int, float]]:
    for batch in (1, 100):
        yield batch, roof.documents / seconds(lambda b=batch: roof.run(b, url), 1)  # type: ignore[misc]


def carried(made: Material, url: str, kind: Kind) -> float:
    """Documents a second."""
    cases = made.cases[: max(1, round(len(made.cases) * kind.part))]
    with services(made, url, kind.count, witnessed=kind.witnessed) as addresses:
        spent = asyncio.run(carry(addresses, cases, kind.how, kind.clients))
    return sum(map(len, cases)) / spent


def percentiles(found: list[float]) -> tuple[float, float, float]:
    """The median, and what 99 and 99.9 in a hundred are not above."""
    cuts = statistics.quantiles(found, n=1000, method="inclusive")
    return cuts[499], cuts[989], cuts[998]
