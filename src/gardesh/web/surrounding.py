"""What surrounds every request: its name, the headers that keep browsers strict, patience with slow clients, its count, its
line in the log and its span."""

from __future__ import annotations

import asyncio
import time
from typing import Any
from uuid import uuid4

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send
from litestar.types.asgi_types import HTTPReceiveMessage
from opentelemetry.trace import Span

from gardesh.model.problem import Problem
from gardesh.web.answer import SLOW, TRICKLES
from gardesh.web.desk import STOPPING
from gardesh.web.report import Report
from gardesh.web.service import Service

HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
PIECE = 65_536
"""How many bytes of an answer are handed on at once."""
TRACED = (b"traceparent", b"tracestate")
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
"""What is counted by name; whatever else a client writes as its method is counted together."""


OWN_HEAD = "/v1/uploads/"
"""Where HEAD is an operation of its own; elsewhere it is GET without the body (RFC 9110 §9.3.2)."""


class HeadSent(BaseException):
    """The head of the answer was all that was asked for. As `ReaderSlow`, for nobody on the way up."""


class ReaderSlow(BaseException):
    """Who asked does not read the answer. Nobody handles it on the way up: there is nobody to tell."""


class Surrounding:
    """An application with what surrounds it."""

    def __init__(self, app: ASGIApp, service: Service, report: Report) -> None:
        self.app, self.service, self.report = app, service, report

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await self.app(scope, receive, send)
            return
        given = {k.decode(): v.decode("latin-1") for k, v in scope["headers"] if k in TRACED}
        with self.service.traces.request(scope["method"][:10], given) as span:
            asked = Exchange(self, scope, receive, send)
            try:
                await self.app(asked.scope, asked.receive, asked.send)
            except* HeadSent:
                pass
            except* ReaderSlow:
                asked.state["code"] = "reader-slow"  # the answer ends here, and the connection with it
            except* asyncio.CancelledError:
                if not self.service.stopping():
                    raise
                asked.state["code"] = STOPPING  # as long as a stop waits, it was waited for
            finally:
                asked.answered(span)


class Exchange:
    """One request and its answer."""

    def __init__(self, around: Surrounding, scope: Scope, receive: Receive, send: Send) -> None:
        self.method = str(scope.get("method"))
        self.head = self.method == "HEAD" and not scope["path"].startswith(OWN_HEAD)
        if self.head:  # a copy: the server goes on to know that no body follows
            changed: Any = {**scope, "method": "GET"}
            scope = changed
        self.around, self.scope, self._receive, self._send = around, scope, receive, send
        self.begun, self.name = time.perf_counter(), str(uuid4())
        self.state: dict[str, Any] = {"request_id": self.name, "method": self.method}
        scope["state"] = self.state
        limits = around.service.configuration.limits
        self.patience, self.slowest = limits.idle_seconds, limits.slowest_bytes
        self.came, self.waited = 0, 0.0
        self.status, self.sent, self.whole = 500, 0, False

    async def receive(self) -> Any:
        """The next piece of the body; a client that goes quiet in the middle of one, or sends it by drops, is not waited
        for. What the node itself takes to work is not counted.

        Raises `request-slow`, `request-trickles`, `stopping`.
        """
        if self.whole:
            return await self._receive()
        left = self.patience + self.came / self.slowest - self.waited if self.slowest else self.patience
        begun = time.monotonic()
        try:
            async with asyncio.timeout(min(self.patience, left)):
                message: HTTPReceiveMessage = await self._receive()  # type: ignore[assignment]
        except asyncio.CancelledError:
            if not self.around.service.stopping():
                raise
            raise Problem(STOPPING) from None  # a body that outlasts a stop; of an upload, what came is kept
        except TimeoutError:
            if left < self.patience:
                raise Problem(TRICKLES, bytes=self.came, least=self.slowest) from None
            raise Problem(SLOW, seconds=self.patience) from None
        self.waited += time.monotonic() - begun
        if message["type"] == "http.request":
            self.came += len(message.get("body", b""))
        self.whole = message["type"] != "http.request" or not message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        """A piece of the answer. Raises ReaderSlow when nobody takes it for too long, HeadSent when there is no more to send."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            given = [(k, v + b", HEAD" if lacks_head(k, v) else v) for k, v in message["headers"]]
            message["headers"] = [*given, *HEADERS, (b"x-request-id", self.name.encode())]
            await self._patiently(message)
            if self.head:
                await self._patiently({"type": "http.response.body", "body": b"", "more_body": False})
                raise HeadSent
            return
        if message["type"] != "http.response.body":
            await self._patiently(message)
            return
        body, more = message.get("body", b""), message.get("more_body", False)
        self.sent += len(body)
        # By small pieces, so that the pause that is allowed is one of who does not read, not of who reads slowly.
        for at in range(0, len(body) or 1, PIECE):
            last = at + PIECE >= len(body)
            piece = body[at : at + PIECE]
            await self._patiently(
                {"type": "http.response.body", "body": piece, "more_body": more or not last}
            )

    async def _patiently(self, message: Message) -> None:
        try:
            async with asyncio.timeout(self.patience):
                await self._send(message)
        except TimeoutError:
            raise ReaderSlow from None

    def answered(self, span: Span | None) -> None:
        """Count it, and say how it went."""
        around, spent = self.around, time.perf_counter() - self.begun
        method = self.method if self.method in METHODS else "other"
        route = str(self.scope.get("path_template") or "unknown")
        around.service.counts.requests.labels(method, route, str(self.status)).inc()
        around.service.counts.seconds.labels(method, route).observe(spent)
        if span is not None:
            around.service.traces.answered(span, method, route, self.status, self.state)
            self.state["trace"] = f"{span.get_span_context().trace_id:032x}"
        around.report.request(self.name, method, route, self.status, spent, self.sent, self.state)


def lacks_head(name: bytes, value: bytes) -> bool:
    """Whether a field says what is allowed, and forgets that HEAD is, where GET is."""
    return name.lower() == b"allow" and b"GET" in value and b"HEAD" not in value
