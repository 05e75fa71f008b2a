"""Other nodes: what they prove is brought in, and those that are recognised are followed, beside the service.

Of each, its inbox is read as the name that this node has there; the case files it tells of are fetched, checked, and
mirrored here. Its log is monitored meanwhile: of one that was found to have two histories nothing more is taken.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx

from gardesh.client.asynchronous import AsyncClient
from gardesh.client.call import Refused, Unexpected
from gardesh.client.signing import Signature
from gardesh.exchange import evidence, log_source
from gardesh.exchange.monitor import FORKED, ForkFound, Monitor
from gardesh.intake import Accepted
from gardesh.model.elsewhere import NODES
from gardesh.model.problem import Problem, define
from gardesh.node import Node
from gardesh.record.registers import NOWHERE
from gardesh.web.awaiting import Awaiting
from gardesh.web.desk import STOPPING, TOO_BUSY
from gardesh.web.report import Report
from gardesh.web.service import Service

NOT_HTTPS = define(
    "node-not-https",
    422,
    en="The node is recognised at {url}, which is not https://.",
    fa="گره در نشانی {url} شناخته شده است که https:// نیست.",
    hint_en="Recognise it at an https:// address, or allow others with `nodes.allow_http`.",
    hint_fa="آن را در نشانی https:// بشناسید، یا با «nodes.allow_http» نشانی‌های دیگر را مجاز کنید.",
)
CONSUMER = "node"
"""The consumer of the inbox there that this node reads by."""
AT_ONCE = 20
"""How many case files that were refused before are tried again in one round."""
ROUND = 10
"""How many times as long as one answer may take a round may: what was acknowledged by then is not asked for again."""
NOT_OF_THE_CASE = (401, 429, 502, 503, 504)
"""Refusals of who asks, or of a node that cannot answer now."""
QUORUM_MISSING = "checkpoint-quorum-missing"


class Peers:
    """The other nodes of one service; what is followed is followed from `start` to `stop`, on its event loop."""

    def __init__(self, service: Service, report: Report, place: Path) -> None:
        """`place`: a folder for what is remembered of each."""
        self.service, self.report, self.place = service, report, place
        self.settings = service.configuration.nodes
        self.forked: dict[str, ForkFound] = {}
        """Logs that were found to have two histories, with the proof."""
        self._said: dict[str, str] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        if self.settings.follow:
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        tasks = [t for t in (self._task, *self._under_way.values()) if t is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # -- evidence -----------------------------------------------------------------------------------------

    async def bring(self, data: bytes) -> Accepted:
        """Check a case file from another node and mirror what it proves. Durable when it returns.

        Raises as `evidence.bring`; `log-forked` where the log, or this file beside it, was found to have two histories.
        """
        desk = self.service.desk
        log = await asyncio.to_thread(evidence.origin_of, data)
        if log in self.forked:
            raise self.forked[log]
        value = await desk.ask(lambda node: evidence.recognised(node, log, desk.clock()))
        found = await asyncio.to_thread(evidence.verified, data, log, value)
        if self._monitors(value):
            await self._hear(log, value, found.checkpoint)

        def settle(node: Node) -> Accepted:
            now = desk.clock()
            return evidence.keep(node, *evidence.proven(node, found, value, now), now)

        return await desk.change(settle)

    # -- following ----------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            try:
                found = await self.service.desk.ask(self._recognised)
                for log, value in found.items():  # each by itself: one that is slow holds up no other
                    if log not in self._under_way:
                        task = asyncio.get_running_loop().create_task(self._guarded(log, value))
                        self._under_way[log] = task
            except Problem as problem:
                if problem.code not in (STOPPING, TOO_BUSY):
                    self.report.event("following-failed", code=problem.code)
            except Exception as fault:  # noqa: BLE001 the next round may go better
                self.report.fault(fault)
            await asyncio.sleep(self.settings.every_seconds)

    async def _guarded(self, log: str, value: dict[str, Any]) -> None:
        try:
            await self._round(log, value)
        except Exception as fault:  # noqa: BLE001 the next round may go better
            self.report.fault(fault)
        finally:
            self._under_way.pop(log, None)

    def _recognised(self, node: Node) -> dict[str, dict[str, Any]]:
        """The nodes that can be followed: an address is known, and the name of this node there."""
        registers, now = node.sequencer.registers, self.service.desk.clock()
        found = {log: registers.value(NODES, log, NOWHERE, now) for log in registers.every_key(NODES)}
        return {log: dict(v) for log, v in found.items() if v is not None and v["url"] and v["known_as"]}

    async def _round(self, log: str, value: dict[str, Any]) -> None:
        """Follow one node once, and say how that went when it goes otherwise than before."""
        hint = ""
        try:
            if self._monitors(value):
                await self._hear(log, value, None)
            if log not in self.forked:
                async with asyncio.timeout(ROUND * self.settings.timeout_seconds):
                    await self._follow(log, value)
            said = FORKED if log in self.forked else "followed"
        except ForkFound:
            said = FORKED
        except Refused as refused:
            said = refused.code
        except Problem as problem:
            said, hint = problem.code, problem.hint("en")
        except (httpx.HTTPError, httpx.InvalidURL, Unexpected, TimeoutError, OSError) as error:
            said = type(error).__name__
        if said in (STOPPING, TOO_BUSY):
            return
        if self._said.get(log) != said:
            self.report.event("node", log=log, outcome=said, **({"hint": hint} if hint else {}))
            self._said[log] = said

    async def _follow(self, log: str, value: dict[str, Any]) -> None:
        """Read on in its inbox, and try again what was refused before. What came is acknowledged once it was dealt with."""
        desk = self.service.desk
        key = await desk.ask(lambda node: node.sequencer.clock.key)
        who = Signature(key, lambda: desk.clock() / 1000)
        url = self._allowed(value["url"])
        waiting = await asyncio.to_thread(Awaiting, self._file(log, "json"))
        bounded = Bounded(httpx.AsyncHTTPTransport(), evidence.MOST_BYTES)
        async with AsyncClient(url, who, timeout=self.settings.timeout_seconds, transport=bounded) as client:
            for case in waiting.due(desk.clock(), AT_ONCE):
                await self._take(client, log, case, waiting)
            more = True
            while more:
                page = await client.inbox(CONSUMER)
                for case in dict.fromkeys(n.case for n in page.notices):
                    await self._take(client, log, case, waiting)
                if page.notices:
                    await asyncio.to_thread(waiting.keep)
                    await client.ack(page.upto, CONSUMER)
                more = page.more
        await asyncio.to_thread(waiting.keep)

    def _allowed(self, url: str) -> str:
        if not url.startswith(("https://", "http://") if self.settings.allow_http else "https://"):
            raise Problem(NOT_HTTPS, url=url)
        return str(url)

    async def _take(self, client: AsyncClient, log: str, case: str, waiting: Awaiting) -> None:
        """Bring one case file. What is refused is tried again later; where nothing could be judged yet, this raises."""
        try:
            data = await client.case_file(case)
            told = await asyncio.to_thread(evidence.origin_of, data)
            if told != log:
                raise Problem(evidence.ANOTHER_NODE, log=told)
            await self.bring(data)
        except (Problem, Refused) as problem:
            if isinstance(problem, ForkFound) or problem.code in (QUORUM_MISSING, STOPPING, TOO_BUSY):
                raise
            if isinstance(problem, Refused) and problem.status in NOT_OF_THE_CASE:
                raise
            if waiting.refused(case, problem.code, self.service.desk.clock()):
                self.report.event("evidence-refused", log=log, code=problem.code)
            self.service.counts.evidence.labels("refused").inc()
        else:
            waiting.done(case)
            self.service.counts.evidence.labels("taken").inc()

    # -- monitoring ---------------------------------------------------------------------------------------

    def _monitors(self, value: dict[str, Any]) -> bool:
        return self.settings.follow and self.settings.monitor and bool(value["url"])

    async def _hear(self, log: str, value: dict[str, Any], checkpoint: bytes | None) -> None:
        """Look at the log, and hold a checkpoint that came with a case file against it. Raises as `Monitor.look`."""
        async with self._locks.setdefault(log, asyncio.Lock()):
            try:
                await asyncio.to_thread(self._look, log, value, checkpoint)
            except ForkFound as found:
                self.forked[log] = found
                self.service.counts.forked.set(len(self.forked))
                raise

    def _look(self, log: str, value: dict[str, Any], checkpoint: bytes | None) -> None:
        state = self._file(log, "sqlite")
        source = log_source.source(
            self._allowed(value["url"]).rstrip("/") + "/log/", self.settings.timeout_seconds
        )
        # Every head that the log signed counts, witnessed or not: what it signs beside the witnesses is a lie as well.
        watching = Monitor(source, evidence.log_policy(log, value), state)
        try:
            watching.look()
            if checkpoint is not None:
                watching.hear(checkpoint)
        finally:
            watching.close()

    def _file(self, log: str, kind: str) -> Path:
        self.place.mkdir(parents=True, exist_ok=True)
        return self.place / f"{sha256(log.encode()).hexdigest()[:32]}.{kind}"


class Bounded(httpx.AsyncBaseTransport):
    """Answers of so many bytes at most, as they are sent: what another node sends is not believed to end."""

    def __init__(self, inner: httpx.AsyncBaseTransport, most: int) -> None:
        self.inner, self.most = inner, most

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self.inner.handle_async_request(request)
        if response.headers.get("content-encoding", "identity") != "identity":
            await response.aclose()
            raise Unexpected("an answer that is packed")
        response.stream = _Counted(response.stream, self.most)
        return response

    async def aclose(self) -> None:
        await self.inner.aclose()


class _Counted(httpx.AsyncByteStream):
    def __init__(self, inner: Any, most: int) -> None:
        self.inner, self.left = inner, most

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self.inner:
            self.left -= len(part)
            if self.left < 0:
                raise Unexpected("an answer that does not end")
            yield part

    async def aclose(self) -> None:
        await self.inner.aclose()
