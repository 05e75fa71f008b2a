"""How a client shows who it is: by signing each request, by a token that one signature buys, or by one of another
authority."""

from __future__ import annotations

import secrets
import time
from base64 import b64encode
from collections.abc import AsyncGenerator, Callable, Generator, Iterable
from typing import Any
from urllib.parse import quote_plus, urlsplit

import httpx
import msgspec

from gardesh import wire
from gardesh.client.call import Refused, Unexpected, problem_of, typed
from gardesh.model import http_signature
from gardesh.model.canonical import base64url_encode, encode
from gardesh.model.jose import SigningKey

ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
Flow = Generator[httpx.Request, httpx.Response, None]


def private(taker: str, key: SigningKey) -> SigningKey:
    """The key, if it signs. Raises TypeError at once, instead of at the first request: what is passed as a key is easily an
    organisation's name, a public key or the path of a file."""
    if not callable(getattr(key, "sign", None)) or not isinstance(getattr(key, "kid", None), str):
        raise TypeError(
            f"{taker} takes a private key of gardesh (a SigningKey, as KeyStore.load gives it), not {type(key).__name__}"
        )
    return key


class Signature(httpx.Auth):
    """Signs each request with the organisation's key (RFC 9421), its body by a digest. For few requests, or for a node's
    peers; a token costs the node less. The organisation is not named: the node knows whose the key is.

    Raises TypeError for anything but a private key."""

    requires_request_body = True

    def __init__(self, key: SigningKey, clock: Callable[[], float] = time.time) -> None:
        self.key, self.clock = private("Signature", key), clock

    def auth_flow(self, request: httpx.Request) -> Flow:
        if request.content:
            request.headers["content-digest"] = http_signature.content_digest(request.content)
        headers = {name.lower(): value for name, value in request.headers.items()}
        signed = http_signature.Request(request.method, str(request.url), headers)
        nonce = secrets.token_hex(8)
        request.headers.update(http_signature.sign(signed, self.key, now=int(self.clock()), nonce=nonce))
        yield request


class Granted(msgspec.Struct):
    """What is needed of an answer that gives a token (RFC 6749 §5.1), whoever gives it."""

    access_token: str
    token_type: str
    expires_in: int = 60


class Tokens(httpx.Auth):
    """Brings an access token with each request: one is asked for when it is needed, and again when it ends or the node no
    longer takes it."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self._held: dict[str, tuple[str, float]] = {}

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
        place = place_of(request)
        token, until = self._held.get(place, ("", 0.0))
        if self.clock() >= until:
            token = self._taken(place, (yield self._asking(place)))
        request.headers["authorization"] = f"Bearer {token}"
        response = yield request
        if response.status_code == 401:
            token = self._taken(place, (yield self._asking(place)))
            request.headers["authorization"] = f"Bearer {token}"
            yield request

    def _taken(self, place: str, answer: httpx.Response) -> str:
        """The token of an answer. A token is for the node that gave it, and for no other. Raises `Refused`."""
        if answer.status_code != 200:
            self._held.pop(place, None)
            raise refusal(answer)
        made = typed(Granted)(answer)
        if made.token_type.lower() != "bearer":
            raise Unexpected("the token is not one that is brought as it is (RFC 6750)")
        self._held[place] = (made.access_token, self.clock() + made.expires_in * 0.8)
        return made.access_token

    def _asking(self, place: str) -> httpx.Request:
        """The request for a token that the node at `place` takes."""
        raise NotImplementedError


class Token(Tokens):
    """Asks the node itself for an access token, with the organisation's key (RFC 7523). `roles`: those to act in; without,
    all that are held."""

    def __init__(
        self, org: str, key: SigningKey, roles: Iterable[str] = (), clock: Callable[[], float] = time.time
    ) -> None:
        super().__init__(clock)
        self.org, self.key, self.roles = org, private("Token", key), " ".join(sorted(roles))

    def _asking(self, place: str) -> httpx.Request:
        return token_request(self.org, self.key, place, self.roles.split(), int(self.clock()))


class ClientCredentials(Tokens):
    """Asks another authority, which the node's configuration names, for access tokens (RFC 6749 §4.4).

    The client shows who it is there by its `secret`, or by a `key` (RFC 7523). A token is asked for the node's own address
    (RFC 8707), or for the `audience` that the node's configuration names. `scope`: what the authority calls the roles.
    """

    def __init__(
        self, token_endpoint: str, client_id: str, *, secret: str | None = None, key: SigningKey | None = None,
        scope: Iterable[str] = (), audience: str | None = None, clock: Callable[[], float] = time.time,
    ) -> None:  # fmt: skip
        if (secret is None) == (key is None):
            raise ValueError("either a secret or a key")
        if key is not None:
            private("ClientCredentials", key)
        super().__init__(clock)
        self.token_endpoint, self.client_id, self.secret, self.key = token_endpoint, client_id, secret, key
        self.scope, self.audience = " ".join(sorted(scope)), audience

    def _asking(self, place: str) -> httpx.Request:
        form = {"grant_type": "client_credentials", "resource": self.audience or place}
        headers = {}
        if self.scope:
            form["scope"] = self.scope
        if self.key is not None:
            form["client_id"], form["client_assertion_type"] = self.client_id, ASSERTION
            form["client_assertion"] = assertion(
                self.client_id, self.key, self.token_endpoint, int(self.clock())
            )
        else:
            pair = f"{quote_plus(self.client_id)}:{quote_plus(self.secret or '')}"  # RFC 6749 §2.3.1
            headers["authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
        return httpx.Request("POST", self.token_endpoint, data=form, headers=headers)


def place_of(request: httpx.Request) -> str:
    """Scheme and authority of a request."""
    parts = urlsplit(str(request.url))
    return f"{parts.scheme}://{parts.netloc}"


def refusal(answer: httpx.Response) -> Exception:
    """Why a node gives no token (RFC 6749 §5.2, with the problem's own code and sentences)."""
    try:
        told: Any = msgspec.json.decode(answer.content)
        sentences = wire.Texts(**told["sentences"])
        code = str(told["code"])
    except (msgspec.MsgspecError, KeyError, TypeError):
        return problem_of(answer)
    kind = f"urn:gardesh:problem:{code}"
    return Refused(wire.ProblemDetails(kind, answer.status_code, code, sentences.en, sentences))


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
