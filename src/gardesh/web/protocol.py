"""HTTP on one connection, with limits before anything is asked: how large a request's head may be, how long it may take to
come, how many connections one address may hold; and with one way to read where a request ends, so that whatever stands
before the service cannot take another for it (RFC 9112 §11.2)."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gardesh.web.configuration import Configuration

HEAD = 65_536
"""Bytes of a request line and its headers, at most."""
SECONDS = 10.0
"""How long the head of a request may take to come."""
TOO_LARGE = b"431 Request Header Fields Too Large"


def unclear(version: str, headers: list[tuple[bytes, bytes]]) -> bytes | None:
    """With which status a request is refused whose head another may read otherwise; None where none does.

    What llhttp does not refuse itself: a version that is not spoken (RFC 9110 §2.5), a coding that is not undone (RFC 9112
    §6.1), no host or several (§3.2), an expectation that is not met (RFC 9110 §10.1.1).
    """
    if version not in ("1.0", "1.1"):
        return b"505 HTTP Version Not Supported"
    hosts = sum(name == b"host" for name, _ in headers)
    codings = [value.strip().lower() for name, value in headers if name == b"transfer-encoding"]
    if hosts > 1 or (version == "1.1" and not hosts):
        return b"400 Bad Request"
    if codings and (codings != [b"chunked"] or version == "1.0"):
        return b"501 Not Implemented"
    if any(name == b"expect" and value.strip().lower() != b"100-continue" for name, value in headers):
        return b"417 Expectation Failed"
    return None


def protocol(configuration: Configuration) -> type[asyncio.Protocol]:
    """The protocol of a service with this configuration."""
    return limited(configuration.limits.connections_per_client, configuration.listen.trusted_proxies)


def limited(most_of_one: int, trusted: Iterable[str]) -> type[asyncio.Protocol]:
    """The protocol where one address holds at most so many connections, but for the proxies that are trusted."""

    class Limited(LimitedProtocol):
        most = most_of_one
        proxies = frozenset(trusted)
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
        self._rest: asyncio.TimerHandle | None = None
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
        self._rest_came()
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
                self._refuse(TOO_LARGE)

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
        self._head_came()
        if self._refused:
            return
        status = TOO_LARGE if self._head > HEAD else unclear(self.parser.get_http_version(), self.headers)
        if status is not None:
            self._refuse(status)
            return
        self._complete = True
        super().on_headers_complete()
        if self.parser.should_upgrade() or any(name == b"expect" for name, _ in self.headers):
            # What follows may be meant in another protocol, or may be a body or none: it is not read as a request.
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        if not self._refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        if not self._refused:
            super().on_message_complete()
        self._fed, self._ended, self._complete = 0, True, False
        self._rest_came()

    def on_response_complete(self) -> None:
        """What is left of a body that nobody reads has to come soon, or it would hold the connection as long as it drops."""
        super().on_response_complete()
        if self._complete and self._rest is None and self.cycle.response_complete:
            self._rest = self.loop.call_later(SECONDS, self._abort)

    def _await_head(self) -> None:
        self._late = self.loop.call_later(SECONDS, self._too_late)

    def _head_came(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _rest_came(self) -> None:
        if self._rest is not None:
            self._rest.cancel()
            self._rest = None

    def _too_late(self) -> None:
        self._late = None
        if not self._complete:
            self._abort()

    def _abort(self) -> None:
        self._refused = True
        self.transport.abort()

    def send_400_response(self, msg: str) -> None:
        """What cannot be read: as uvicorn, but not in place of another request's answer."""
        self._refused = True
        self._head_came()
        if self._others_wait():
            self.transport.abort()
        else:
            super().send_400_response(msg)

    def _others_wait(self) -> bool:
        """Whether requests before this one are not answered yet, or this one's answer has begun."""
        if self.cycle is None or self.cycle.response_complete:
            return False
        return not self._complete or self.cycle.response_started or bool(self.pipeline)

    def _refuse(self, status: bytes) -> None:
        self._refused = True
        self._head_came()
        if self._others_wait():
            self.transport.abort()
            return
        self.transport.write(b"HTTP/1.1 " + status + b"\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
        self.transport.close()
