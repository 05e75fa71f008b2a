"""Real NATS servers on free ports of this machine, for as long as a test needs them; and records with many notices."""

from __future__ import annotations

import asyncio
import json
import random
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

import nats
import pytest
from nats.js import api

import stores
from gardesh.exchange.jetstream import Publisher
from gardesh.exchange.stream_settings import Jetstream
from gardesh.record import schema
from gardesh.record.store import Store
from gardesh.web.stream import StoreSource

PROGRAM = Path(sys.executable).parent / "nats-server"
ORIGIN = "gardesh.example/market"
START, STEP = 1_767_603_600_000, 1_000
CASES = 7


@cache
def unusable() -> str | None:
    """Why the server cannot be run on this machine."""
    try:
        subprocess.run([PROGRAM, "--version"], check=True, capture_output=True, timeout=20)
    except (OSError, subprocess.SubprocessError) as error:
        return getattr(error, "strerror", None) or type(error).__name__
    return None


def free_port() -> int:
    """Below those that the system gives to connections, so that none of these has it meanwhile."""
    while True:
        port = random.randrange(10_000, 32_000)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


class NatsServer:
    """One server with JetStream, which may be killed and started again with what it stored."""

    def __init__(self, folder: Path, more: str = "", name: str = "one", scheme: str = "nats") -> None:
        if (reason := unusable()) is not None:
            pytest.skip(f"nats-server cannot be run: {reason}")
        self.port, self.name = free_port(), name
        self.url = f"{scheme}://127.0.0.1:{self.port}"
        self.file, self.log = folder / f"{name}.conf", folder / f"{name}.log"
        store = json.dumps(str(folder / name))
        self.file.write_text(
            f'server_name: {name}\nlisten: "127.0.0.1:{self.port}"\n'
            f"jetstream {{ store_dir: {store}, max_mem: 16M, max_file: 1G }}\n{more}\n",
            encoding="utf-8",
        )
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.process = subprocess.Popen([PROGRAM, "-c", self.file, "-l", self.log])
        begun = time.monotonic()
        while True:
            assert self.process.poll() is None, self.log.read_text()
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                assert time.monotonic() - begun < 20
                time.sleep(0.02)

    def kill(self) -> None:
        """As by `kill -9`."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@contextmanager
def server(folder: Path, more: str = "", scheme: str = "nats") -> Iterator[NatsServer]:
    made = NatsServer(folder, more, scheme=scheme)
    try:
        made.start()
        yield made
    finally:
        made.kill()


@contextmanager
def cluster(folder: Path) -> Iterator[list[NatsServer]]:
    """Three servers that keep everything three times."""
    routes = [free_port() for _ in range(3)]
    others = ", ".join(f'"nats://127.0.0.1:{port}"' for port in routes)
    made = [
        NatsServer(folder, f'cluster {{ name: c, listen: "127.0.0.1:{port}", routes: [{others}] }}', f"n{n}")
        for n, port in enumerate(routes)
    ]
    try:
        for one in made:
            one.start()
        yield made
    finally:
        for one in made:
            one.kill()


class Record:
    """A record that has nothing but notices, which several processes may open. `home`: the node's folder with it."""

    def __init__(self, folder: Path, origin: str = ORIGIN) -> None:
        self.home = folder / "home"
        self.home.mkdir()
        self.place = stores.place(self.home)
        self.store = Store(self.place, create=True)
        self.store.set("origin", origin.encode())
        if self.place.startswith("postgresql"):
            (self.home / "store-url").write_text(self.place, encoding="utf-8")
        self.count = 0

    def add(self, count: int, audience: Callable[[int], tuple[str, str]] | None = None) -> None:
        """So many notices more, of `CASES` cases in turn."""
        whom = audience or (lambda n: ("org", f"office-{n % 3}"))
        rows = [
            (n, START + n * STEP, f"case-{n % CASES}", *whom(n), "read", f"step:{n}", "issued", n * 2, None)
            for n in range(self.count, self.count + count)
        ]
        with self.store.writing():
            self.store.add(schema.notices, rows)
        self.count += count

    def source(self) -> StoreSource:
        return StoreSource(lambda: Store(self.place))

    @contextmanager
    def publisher(self, settings: Jetstream, *, once: bool = True) -> Iterator[Publisher]:
        source = self.source()
        try:
            yield Publisher(source, source.origin(), settings, lambda *_, **__: None, once=once)
        finally:
            source.close()

    def publish(self, settings: Jetstream) -> int:
        """Publish what there is; how many were new to the server."""
        with self.publisher(settings) as made:
            asyncio.run(made.run())
        return made.figures.published


async def eventually(happened: Callable[[], Awaitable[Any]], seconds: float = 30) -> Any:
    """Wait for something to come true; fail when it does not."""
    begun = time.monotonic()
    while True:
        found = await happened()
        if found:
            return found
        assert time.monotonic() - begun < seconds
        await asyncio.sleep(0.02)


async def connect(urls: list[str], **more: Any) -> Any:
    """A connection of a test, which finds another server when its own is lost."""

    async def nothing(_: Exception) -> None: ...

    return await nats.connect(
        urls, error_cb=nothing, reconnect_time_wait=0.1, max_reconnect_attempts=-1, **more
    )  # type: ignore[arg-type]


def messages(urls: list[str], subject: str = "gardesh.>", stream: str = "GARDESH") -> list[Any]:
    """All messages of the stream, as a consumer that came first would see them."""

    async def ask() -> list[Any]:
        line = await connect(urls)
        try:
            return await taken(line, subject, stream)
        finally:
            await line.close()

    return asyncio.run(ask())


async def taken(line: Any, subject: str, stream: str = "GARDESH") -> list[Any]:
    config = api.ConsumerConfig(ack_policy=api.AckPolicy.NONE)
    sub = await line.jetstream().pull_subscribe(subject, stream=stream, config=config)
    return await all_of(sub)


async def all_of(sub: Any) -> list[Any]:
    """What a consumer still has to get; acknowledged."""
    found: list[Any] = []
    while (info := await sub.consumer_info()).num_pending or info.num_ack_pending:
        got = await sub.fetch(min(500, info.num_pending or 1), timeout=10)
        found += got
        if info.config.ack_policy != api.AckPolicy.NONE:
            for message in got:
                await message.ack_sync()
    return found


def ids(found: list[Any]) -> list[int]:
    return [int(message.headers["Gardesh-Notice"]) for message in found]
