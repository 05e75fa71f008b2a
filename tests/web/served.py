"""A market served over HTTP: a real server at a free port, and requests signed as organisations sign them."""

from __future__ import annotations

import io
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from gardesh.model import http_signature
from gardesh.model.jose import SigningKey
from gardesh.record.blobs import Blobs
from gardesh.web.configuration import Configuration, read
from gardesh.web.report import Report
from gardesh.web.serve import Server

from tests.market import Market, key_of


class Signing(httpx.Auth):
    """Signs each request with an organisation's key."""

    requires_request_body = True

    def __init__(self, key: SigningKey, now: int | None = None, nonce: str | None = None) -> None:
        self.key, self.now, self.nonce = key, now, nonce

    def auth_flow(self, request: httpx.Request) -> Iterator[httpx.Request]:
        if request.content:
            request.headers["content-digest"] = http_signature.content_digest(request.content)
        headers = {k.lower(): v for k, v in request.headers.items()}
        signed = http_signature.Request(request.method, str(request.url), headers)
        now = self.now if self.now is not None else int(time.time())
        request.headers.update(
            http_signature.sign(signed, self.key, now=now, nonce=self.nonce or secrets.token_hex(8))
        )
        yield request


class Served:
    """A market and its server. `by(org)` asks as an organisation, `nobody` as anybody."""

    def __init__(self, market: Market, server: Server, log: io.StringIO) -> None:
        self.market, self.server, self.log, self.url = market, server, log, server.url
        self.nobody = httpx.Client(base_url=self.url, timeout=30)

    def by(self, org: str, **more: Any) -> httpx.Client:
        return httpx.Client(base_url=self.url, auth=Signing(key_of(org), **more), timeout=30)


@contextmanager
def serving(market: Market, blobs: Path, configuration: str = "") -> Iterator[Served]:
    """Serve this market's node; it is closed at the end."""
    kept = Blobs(blobs)
    market.node.blobs = kept
    market.node.intake.attachments = kept
    made: Configuration = read(f"[listen]\nport = 0\n{configuration}".encode())
    log = io.StringIO()
    server = Server(lambda: market.node, kept, made, Report(made.operations.log, log))
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


def until(happened: Any, seconds: float = 20) -> None:
    """Wait for something to come true; fail when it does not."""
    begun = time.monotonic()
    while not happened():
        assert time.monotonic() - begun < seconds
        time.sleep(0.01)
