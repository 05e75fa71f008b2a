"""Accepting over HTTP: a server as a process of its own, and clients that each carry cases through, one document a request
or a bundle a case. The clients share the machine's cores with the server."""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from bench.material import Material, node
from bench.table import Table
from gardesh.process import seldom_collect
from gardesh.record.blobs import Blobs
from gardesh.record.store import Store
from gardesh.web.configuration import Configuration, Limits, Listen, Operations
from gardesh.web.serve import Server

CLIENTS = 24
UNLIMITED = Configuration(
    listen=Listen(port=0), limits=Limits(rate=0.0, bundle_documents=10_000), operations=Operations(log="none")
)


def serve(made: Material, place: str, told: Any) -> None:
    """The process of the server; tells its address, and stops when it is told to."""
    seldom_collect()
    store = Store(place, create=True)
    fresh = node(store, made)
    at = made.at
    gc.collect()
    gc.freeze()
    server = Server(lambda: fresh, Blobs(Path(place).parent / "blobs"), UNLIMITED, clock=lambda: at)
    told.send(server.url)
    server.run()


class Line:
    """One connection that is kept, and as little of HTTP as a client can do with."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port

    async def open(self) -> None:
        self.reader, self.writer = await asyncio.open_connection(self.host, self.port)

    async def post(self, path: str, body: bytes, kind: str) -> bytes:
        head = (
            f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        self.writer.write(head.encode() + body)
        answer = await self.reader.readuntil(b"\r\n\r\n")
        status = int(answer[9:12])
        lines = {k.strip().lower(): v for k, _, v in (s.partition(b":") for s in answer.split(b"\r\n"))}
        content = await self.reader.readexactly(int(lines[b"content-length"]))
        if status not in (200, 201):
            raise SystemExit(content.decode())
        return content


async def single(line: Line, case: list[bytes]) -> None:
    for paper in case:
        await line.post("/v1/documents", paper, "application/vc+sd-jwt")


async def bundled(line: Line, case: list[bytes]) -> None:
    body = msgspec.json.encode([p.decode() for p in case])
    told = await line.post("/v1/documents/bundle", body, "application/json")
    if b'"problem"' in told:
        raise SystemExit(told.decode())


async def carry(
    url: str, cases: list[list[bytes]], how: Callable[[Line, list[bytes]], Any], clients: int
) -> float:
    """Seconds until all cases are carried through, so many at a time."""
    host, _, port = url.removeprefix("http://").rpartition(":")
    lines = [Line(host, int(port)) for _ in range(clients)]
    for line in lines:
        await line.open()
    left = iter(cases)

    async def work(line: Line) -> None:
        for case in left:
            await how(line, case)

    begun = time.perf_counter()
    await asyncio.gather(*(work(line) for line in lines))
    return time.perf_counter() - begun


def measure(table: Table, made: Material, place: Path, roofline: dict[int, float]) -> None:
    """One document a request beside the roofline of single appends; a case a bundle beside that of batches of 100."""
    context = multiprocessing.get_context("fork")
    for name, how, clients, beside, target in (
        (f"over HTTP, one document a request, {CLIENTS} clients", single, CLIENTS, 1, "≥ 50 %"),
        ("over HTTP, one document a request, one client", single, 1, 1, ""),
        ("over HTTP, a case a bundle, 4 clients", bundled, 4, 100, "≥ 80 %"),
    ):
        here, there = context.Pipe()
        file = place / f"http-{os.getpid()}-{beside}-{clients}.sqlite"
        process = context.Process(target=serve, args=(made, str(file), there))
        process.start()
        url = here.recv()
        cases = made.cases if clients > 1 else made.cases[: max(1, len(made.cases) // 4)]
        spent = asyncio.run(carry(url, cases, how, clients))
        process.terminate()
        process.join()
        rate = sum(len(c) for c in cases) / spent
        table.add(name, rate, "documents/s", rate / roofline[beside], target)
