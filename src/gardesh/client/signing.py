"""How a client shows who it is: by signing each request, or by a token that one signature buys."""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncGenerator, Callable, Generator, Iterable
from urllib.parse import urlsplit

import httpx
import msgspec

from gardesh import wire
from gardesh.model import http_signature
from gardesh.model.canonical import base64url_encode, encode
from gardesh.model.jose import SigningKey

ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
Flow = Generator[httpx.Request, httpx.Response, None]


class Signature(httpx.Auth):
    """Signs each request with the organisation's key (RFC 9421), its body by a digest. For few requests, or for a node's
    peers; a token costs the node less."""

    requires_request_body = True

    def __init__(self, key: SigningKey, clock: Callable[[], float] = time.time) -> None:
        self.key, self.clock = key, clock

    def auth_flow(self, request: httpx.Request) -> Flow:
        if request.content:
            request.headers["content-digest"] = http_signature.content_digest(request.content)
        headers = {name.lower(): value for name, value in request.headers.items()}
        signed = http_signature.Request(request.method, str(request.url), headers)
        nonce = secrets.token_hex(8)
        request.headers.update(http_signature.sign(signed, self.key, now=int(self.clock()), nonce=nonce))
        yield request


class Token(httpx.Auth):
    """Asks for an access token with the organisation's key (RFC 7523) when it needs one, and again when it expires or the
    node no longer takes it. `roles`: those to act in; without, all that are held."""

    def __init__(
        self, org: str, key: SigningKey, roles: Iterable[str] = (), clock: Callable[[], float] = time.time
    ) -> None:
        self.org, self.key, self.roles, self.clock = org, key, " ".join(sorted(roles)), clock
        self._token, self._until = "", 0.0

    def sync_auth_flow(self, request: httpx.Request) -> Flow:
        """As httpx's own, but that of all answers only a token's is read here: others may be large."""
        flow = self.auth_flow(request)
        asked = next(flow)
        while True:
            response = yield asked
            if asked is not request:
                response.read()
            try:
                asked = flow.send(response)
            except StopIteration:
                return

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        flow = self.auth_flow(request)
        asked = next(flow)
        while True:
            response = yield asked
            if asked is not request:
                await response.aread()
            try:
                asked = flow.send(response)
            except StopIteration:
                return

    def auth_flow(self, request: httpx.Request) -> Flow:
        if self.clock() >= self._until:
            answer = yield self._asking(request)
            if not self._taken(answer):
                yield request  # without a token: the node says what is wrong
                return
        request.headers["authorization"] = f"Bearer {self._token}"
        response = yield request
        if response.status_code == 401:
            answer = yield self._asking(request)
            if self._taken(answer):
                request.headers["authorization"] = f"Bearer {self._token}"
                yield request

    def _taken(self, answer: httpx.Response) -> bool:
        if answer.status_code != 200:
            self._until = 0.0
            return False
        made = msgspec.json.decode(answer.content, type=wire.Token)
        self._token, self._until = made.access_token, self.clock() + made.expires_in * 0.8
        return True

    def _asking(self, request: httpx.Request) -> httpx.Request:
        parts = urlsplit(str(request.url))
        url = f"{parts.scheme}://{parts.netloc}"
        return token_request(self.org, self.key, url, self.roles.split(), int(self.clock()))


def token_request(
    org: str, key: SigningKey, url: str, roles: Iterable[str] = (), now: int | None = None
) -> httpx.Request:
    """The request that asks the node at `url` for an access token; `now` in s, by default this machine's clock."""
    form = {"grant_type": "client_credentials", "client_assertion_type": ASSERTION}
    form["client_assertion"] = assertion(org, key, url, int(time.time()) if now is None else now)
    if scope := " ".join(sorted(roles)):
        form["scope"] = scope
    return httpx.Request("POST", f"{url}/token", data=form)


def assertion(org: str, key: SigningKey, audience: str, now: int) -> str:
    """A client assertion (RFC 7523 §2.2) that lives a minute; `now` in s."""
    header = {"alg": key.alg, "kid": key.kid, "typ": "JWT"}
    claims = {
        "iss": org,
        "sub": org,
        "aud": audience,
        "iat": now,
        "exp": now + 60,
        "jti": secrets.token_hex(16),
    }
    signed = f"{base64url_encode(encode(header))}.{base64url_encode(encode(claims))}"
    return f"{signed}.{base64url_encode(key.sign(signed.encode()))}"
