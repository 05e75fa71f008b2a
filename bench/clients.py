"""Clients that carry cases through over HTTP: as fast as they are answered, or at instants that were set beforehand."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from typing import Any

import msgspec


class Line:
    """One connection that is kept, and as little of HTTP as a client can do with."""

    def __init__(self, url: str) -> None:
        host, _, port = url.removeprefix("http://").rpartition(":")
        self.host, self.port = host, int(port)

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


async def document(line: Line, paper: bytes) -> None:
    await line.post("/v1/documents", paper, "application/vc+sd-jwt")


async def single(line: Line, case: list[bytes]) -> None:
    for paper in case:
        await document(line, paper)


async def bundled(line: Line, case: list[bytes]) -> None:
    body = msgspec.json.encode([p.decode() for p in case])
    told = await line.post("/v1/documents/bundle", body, "application/json")
    if b'"problem"' in told:
        raise SystemExit(told.decode())


How = Callable[[Line, list[bytes]], Any]


async def carry(urls: Sequence[str], cases: list[list[bytes]], how: How, clients: int) -> float:
    """Seconds until all cases are carried through, so many at a time, each at one of the services."""
    lines = [Line(urls[n % len(urls)]) for n in range(clients)]
    for line in lines:
        await line.open()
    left = iter(cases)

    async def work(line: Line) -> None:
        for case in left:
            await how(line, case)

    begun = time.perf_counter()
    await asyncio.gather(*(work(line) for line in lines))
    return time.perf_counter() - begun


async def arrive(url: str, cases: list[list[bytes]], rate: float, seed: int) -> list[float]:
    """For each document the ms from the instant at which it was due to its answer, at `rate` documents a second.

    The instants are those of a Poisson process and do not wait for answers. A document whose turn comes while the one
    before it in its case is not answered yet waits for that, and the wait counts: so a slow answer is not left out by
    what it held up (coordinated omission).
    """
    chance = random.Random(seed)
    lines = [Line(url) for _ in cases]
    for line in lines:
        await line.open()
    due: list[list[float]] = [[] for _ in cases]
    at = 0.0
    for turn in range(max(map(len, cases))):
        for n, case in enumerate(cases):
            if turn < len(case):
                at += chance.expovariate(rate)
                due[n].append(at)
    spent: list[float] = []
    begun = time.perf_counter()

    async def work(line: Line, case: list[bytes], instants: list[float]) -> None:
        for paper, instant in zip(case, instants, strict=True):
            ahead = begun + instant - time.perf_counter()
            if ahead > 0:
                await asyncio.sleep(ahead)
            await document(line, paper)
            spent.append((time.perf_counter() - begun - instant) * 1e3)

    await asyncio.gather(*map(work, lines, cases, due))
    return spent
