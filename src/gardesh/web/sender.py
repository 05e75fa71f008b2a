"""Sends notices to webhooks, beside the service: each webhook its notices in order, many webhooks at once."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial

import httpx

from gardesh.exchange import webhook
from gardesh.exchange.outward import Outward
from gardesh.model.problem import Problem
from gardesh.node import Node
from gardesh.subscriptions import Sending, Subscriptions
from gardesh.web.desk import STOPPING, TOO_BUSY
from gardesh.web.service import Service

LOOK = 1.0
"""How often, in seconds, it is looked at what falls due by time alone."""


class Sender:
    """Runs from `start` to `stop` on the service's event loop."""

    def __init__(self, service: Service) -> None:
        self.service = service
        settings = service.configuration.webhooks
        self.parallel = settings.parallel
        self.outward = Outward(
            http=settings.allow_http, networks=settings.allow_networks, timeout=settings.timeout_seconds
        )
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._task: asyncio.Task[None] | None = None
        self._freed = asyncio.Event()

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """What is being sent is not waited for: it is sent again after the next start."""
        tasks = [t for t in (self._task, *self._under_way.values()) if t is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.outward.close()

    async def _run(self) -> None:
        desk = self.service.desk
        with desk.listening() as news:
            while True:
                news.clear()
                self._freed.clear()
                room = self.parallel - len(self._under_way)
                found: list[Sending] = []
                if room > 0:
                    with suppress(Problem):
                        found = await desk.ask(partial(self._due, busy=frozenset(self._under_way), room=room))
                for sending in found:
                    task = asyncio.get_running_loop().create_task(self._send(sending))
                    self._under_way[sending.webhook.id] = task
                waits = [asyncio.ensure_future(news.wait()), asyncio.ensure_future(self._freed.wait())]
                try:
                    await asyncio.wait(waits, timeout=LOOK, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    for wait in waits:
                        wait.cancel()

    def _due(self, node: Node, busy: frozenset[str], room: int) -> list[Sending]:
        return Subscriptions(node).due(self.service.desk.clock(), busy, room)

    async def _send(self, sending: Sending) -> None:
        try:
            outcome = await self._sent(sending)
            self.service.counts.webhooks.labels(outcome).inc()
        except Problem as problem:
            if problem.code not in (STOPPING, TOO_BUSY):
                raise
        finally:
            self._under_way.pop(sending.webhook.id, None)
            self._freed.set()

    async def _sent(self, sending: Sending) -> str:
        """Send one notice, and put on record how it went."""
        hook, notice, desk = sending.webhook, sending.notice, self.service.desk
        assert notice is not None
        content = webhook.body(notice)
        signed = webhook.headers(sending.secret, f"notice-{notice['id']}", desk.clock() // 1000, content)
        status = 0
        try:
            status = await self.outward.post(hook.url, content, signed)
            said = f"answered {status}"
        except Problem as problem:
            said = problem.code
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, OSError) as error:
            said = type(error).__name__

        def settle(node: Node) -> str:
            subscriptions = Subscriptions(node)
            if 200 <= status < 300:
                subscriptions.taken(sending, desk.clock(), status)
                return "taken"
            return subscriptions.failed(sending, desk.clock(), said, gone=status == 410)

        return await desk.ask(settle)
