"""The stream of notices beside a service, or by itself: how the publisher reaches the record, and what is counted of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, suppress
from typing import TypeVar

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from gardesh.exchange.jetstream import Figures, Publisher
from gardesh.exchange.stream_settings import Jetstream
from gardesh.model.problem import Problem
from gardesh.node import NOT_A_NODE
from gardesh.record.store import Store
from gardesh.web.desk import Desk
from gardesh.web.report import Report
from gardesh.web.service import Service

T = TypeVar("T")


class DeskSource:
    """The record of a service: asked and written in the node's thread, as everything is."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def read(self, question: Callable[[Store], T]) -> Awaitable[T]:
        return self.desk.ask(lambda node: question(node.store))

    write = read

    def news(self) -> AbstractContextManager[asyncio.Event]:
        return self.desk.listening()


class StoreSource:
    """The record by itself, from two connections: a write that waits for another process holds no reading up."""

    def __init__(self, open_store: Callable[[], Store]) -> None:
        """Raises whatever `open_store` raises."""
        self._reader, self._writer = open_store(), open_store()
        self._reading, self._writing = ThreadPoolExecutor(1), ThreadPoolExecutor(1)

    async def read(self, question: Callable[[Store], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._reading, question, self._reader)

    async def write(self, act: Callable[[Store], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._writing, act, self._writer)

    @contextmanager
    def news(self) -> Iterator[asyncio.Event]:
        yield asyncio.Event()

    def origin(self) -> str:
        """Of which log the notices are. Raises `not-a-node`."""
        found = self._reader.setting("origin")
        if found is None:
            raise Problem(NOT_A_NODE, url=self._reader.url)
        return found.decode()

    def close(self) -> None:
        for pool, store in ((self._reading, self._reader), (self._writing, self._writer)):
            pool.shutdown()
            store.close()


class StreamCounts(Collector):
    """The figures of a publisher, for Prometheus."""

    def __init__(self, figures: Figures, registry: CollectorRegistry) -> None:
        self.figures = figures
        registry.register(self)

    def collect(self) -> Iterator[Metric]:
        of, name = self.figures, "gardesh_jetstream"
        yield CounterMetricFamily(f"{name}_published", "Notices published to NATS.", of.published)
        yield CounterMetricFamily(f"{name}_reconnects", "Connections to NATS after the first.", of.reconnects)
        yield GaugeMetricFamily(f"{name}_lag", "Notices that are not on NATS yet.", of.lag)
        yield GaugeMetricFamily(f"{name}_active", "Whether this process publishes.", int(of.active))


@asynccontextmanager
async def beside(service: Service, report: Report) -> AsyncIterator[None]:
    """Publish while the service runs. Nothing of the service waits for it."""
    settings = service.configuration.jetstream
    origin = await service.desk.ask(lambda node: node.log.origin)
    publisher = Publisher(DeskSource(service.desk), origin, settings, report.event)
    StreamCounts(publisher.figures, service.counts.registry)
    task = asyncio.create_task(publisher.run(), name="jetstream")
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def publisher_of(
    source: StoreSource, settings: Jetstream, report: Report, *, once: bool = False
) -> Publisher:
    """A publisher of a record by itself. Raises `not-a-node`."""
    return Publisher(source, source.origin(), settings, report.event, once=once)
