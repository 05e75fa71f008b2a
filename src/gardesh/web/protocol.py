"""HTTP on one connection, with limits before anything is asked: how large a request's head may be, how long it may take to
come, and how many connections one address may hold."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gardesh.web.configuration import Configuration

HEAD = 65_536
"""Bytes of a request line and its headers, at most."""
SECONDS = 10.0
"""How long the head of a request may take to come."""
TOO_LARGE = b"431 Request Header Fields Too Large"


def protocol(configuration: Configuration) -> type[asyncio.Protocol]:
    """The protocol of a service with this configuration."""

    class Limited(LimitedProtocol):
        most = configuration.limits.connections_per_client
        proxies = frozenset(configuration.listen.trusted_proxies)
        held: ClassVar[Counter[str]] = Counter()

    return Limited


class LimitedProtocol(HttpToolsProtocol):
    """As uvicorn's, within limits."""

    most: int
    proxies: frozenset[str]
    held: ClassVar[Counter[str]]

    def connection_made(self, transport: Any) -> None:
        self._fed = self._head = 0
        self._complete = self._refused = self._ended = False
        self._late: asyncio.TimerHandle | None = None
        super().connection_made(transport)
        self._place = self.client[0] if self.client else ""
        self.held[self._place] += 1
        if self.held[self._place] > self.most and self._place not in self.proxies:
            self._refused = True
            transport.abort()
            return
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self.held[self._place] -= 1
        if not self.held[self._place]:
            del self.held[self._place]
        self._head_came()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        if not self._complete and self._late is None:
            self._await_head()
        self._ended = False
        super().data_received(data)
        if not self._complete and not self._refused:
            self._fed += 0 if self._ended else len(data)
            if self._fed > HEAD:
                self._refuse()

    def on_message_begin(self) -> None:
        self._fed = self._head = 0
        self._complete = False
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        self._head += len(url)
        if self._head <= HEAD:
            super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head += len(name) + len(value) + 4
        if self._head <= HEAD:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._complete = True
        self._head_came()
        if self._head > HEAD:
            self._refuse()
        elif not self._refused:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if not self._refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        if not self._refused:
            super().on_message_complete()
        self._fed, self._ended, self._complete = 0, True, False

    def _await_head(self) -> None:
        self._late = self.loop.call_later(SECONDS, self._too_late)

    def _head_came(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _too_late(self) -> None:
        self._late = None
        if not self._complete:
            self._refused = True
            self.transport.abort()

    def _refuse(self) -> None:
        self._refused = True
        self._head_came()
        self.transport.write(b"HTTP/1.1 " + TOO_LARGE + b"\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
        self.transport.close()
