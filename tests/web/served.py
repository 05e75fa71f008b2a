"""A market served over HTTP: a real server at a free port, and requests signed as organisations sign them."""

from __future__ import annotations

import asyncio
import io
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx

from gardesh.client.signing import ASSERTION, assertion
from gardesh.model import http_signature
from gardesh.model.jose import SigningKey
from gardesh.record.blobs import Blobs
from gardesh.web.configuration import Configuration, read
from gardesh.web.report import Report
from gardesh.web.serve import Server
from market import key_of
from waiting import until

T = TypeVar("T")


class Signing(httpx.Auth):
    """Signs each request with an organisation's key."""

    requires_request_body = True

    def __init__(self, key: SigningKey, now: Callable[[], int], nonce: str | None = None) -> None:
        self.key, self.now, self.nonce = key, now, nonce

    def auth_flow(self, request: httpx.Request) -> Iterator[httpx.Request]:
        if request.content:
            request.headers["content-digest"] = http_signature.content_digest(request.content)
        headers = {k.lower(): v for k, v in request.headers.items()}
        signed = http_signature.Request(request.method, str(request.url), headers)
        request.headers.update(
            http_signature.sign(signed, self.key, now=self.now(), nonce=self.nonce or secrets.token_hex(8))
        )
        yield request


class Served:
    """A market and its server. `by(org)` asks as an organisation, `nobody` as anybody."""

    def __init__(self, market: Any, server: Server, log: io.StringIO) -> None:
        self.market, self.server, self.log, self.url = market, server, log, server.url
        self.nobody = httpx.Client(base_url=self.url, timeout=30)

    def do(self, what: Callable[[Any], T]) -> T:
        """Something with the market, in the node's thread as everything."""
        return asyncio.run(self.server.desk.ask(lambda _: what(self.market)))

    def token(self, org: str) -> str:
        """An access token of an organisation, for all its roles."""
        form = {"grant_type": "client_credentials", "client_assertion_type": ASSERTION}
        form["client_assertion"] = assertion(org, key_of(org), self.url, self.seconds())
        return str(self.nobody.post("/token", data=form).json()["access_token"])

    def seconds(self) -> int:
        return self.market.now // 1000

    def by(
        self, org: str, *, ahead: int = 0, nonce: str | None = None, key: SigningKey | None = None
    ) -> httpx.Client:
        """Signs as an organisation, with a clock that goes `ahead` (s) of the node's."""
        auth = Signing(key or key_of(org), lambda: self.seconds() + ahead, nonce)
        return httpx.Client(base_url=self.url, auth=auth, timeout=30)


@contextmanager
def serving(market: Any, blobs: Path | Blobs, configuration: str = "") -> Iterator[Served]:
    """Serve the node of a market, or of whatever else has a `node` and a time `now`; it is closed at the end."""
    made: Configuration = read(f"[listen]\nport = 0\n{configuration}".encode())
    kept = blobs if isinstance(blobs, Blobs) else Blobs(blobs, made.limits.attachment_bytes)
    market.node.blobs = kept
    market.node.intake.attachments = kept
    log = io.StringIO()
    report = Report(made.operations.log, log)
    server = Server(lambda: market.node, kept, made, report, lambda: market.now, kept.folder)
    thread = threading.Thread(target=server.run)
    thread.start()
    served = Served(market, server, log)
    try:
        until(lambda: server.http.started)
        yield served
    finally:
        served.nobody.close()
        server.stop()
        thread.join()
