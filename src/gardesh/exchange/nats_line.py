"""One connection to NATS: made with the files that the settings name, publishing with acknowledgements that may be waited for
later, and ended by the first thing that goes wrong. Whoever wants another makes another.

The client's own way to publish ahead (`publish_async`) leaves the future of a refused message open for ever, so replies are
matched here.
"""

from __future__ import annotations

import asyncio
import random
import re
import ssl
from base64 import b32decode, b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import Struct
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error
from nats.js import JetStreamContext
from nats.js.errors import APIError

from gardesh.exchange.stream_settings import Jetstream
from gardesh.model.os_reason import of_os
from gardesh.model.problem import Problem, Wording, define

AWAY = define(
    "jetstream-away",
    503,
    en="NATS cannot be worked with: {reason}. Notices wait in the record, and are published when it can.",
    fa="با NATS نمی‌توان کار کرد: {reason}. اعلان‌ها در دفتر می‌مانند و هرگاه بشود منتشر می‌شوند.",
)
FILE_WRONG = define(
    "jetstream-file-wrong",
    503,
    en="The file {file} for the connection to NATS cannot be used: {reason}.",
    fa="پرونده‌ی {file} برای اتصال به NATS قابل استفاده نیست: {reason}.",
)
T = TypeVar("T")
CONNECT_SECONDS, ASK_SECONDS, CLOSE_SECONDS = 5.0, 2.0, 2.0
_JWT = re.compile(r"BEGIN NATS USER JWT-+\s+(\S+)")
_SEED = re.compile(r"^(SU[A-Z2-7]{56})\s*$", re.MULTILINE)


class Refused(Exception):
    """The server did not take a message. `code` is its own (`err_code`)."""

    def __init__(self, code: int, said: str) -> None:
        super().__init__(said)
        self.code = code


class _Error(Struct):
    err_code: int = 0
    description: str = ""


class Ack(Struct):
    """The server keeps the message, as the message `seq` of the stream. `duplicate`: it did so before."""

    seq: int = 0
    duplicate: bool = False
    error: _Error | None = None


class NatsLine:
    """A connection that works. `server`: to whom."""

    def __init__(self, client: Client, server: str, closed: list[Callable[[], None]]) -> None:
        self.client, self.server = client, server
        self.streams = JetStreamContext(client, timeout=ASK_SECONDS)
        self._waiting: dict[str, asyncio.Future[Ack]] = {}
        self._next = 0
        self._inbox = client.new_inbox()
        closed.append(self._closed)

    async def listen(self) -> None:
        await self.client.subscribe(f"{self._inbox}.*", cb=self._replied)

    async def publish(self, subject: str, payload: bytes, headers: dict[str, str]) -> asyncio.Future[Ack]:
        """Send a message, after all that were sent before. The future is the server's acknowledgement; it raises Refused, or
        `jetstream-away` when the connection ends before."""
        name, self._next = str(self._next), self._next + 1
        future = self._waiting[name] = asyncio.get_running_loop().create_future()
        await self.client.publish(subject, payload, reply=f"{self._inbox}.{name}", headers=headers)
        return future

    async def _replied(self, message: Msg) -> None:
        future = self._waiting.pop(message.subject.rpartition(".")[2], None)
        if future is None or future.done():
            return
        status = (message.headers or {}).get("Status")
        try:
            ack = Ack(error=_Error(0, f"status {status}")) if status else decoded(message.data)
        except msgspec.DecodeError as error:
            ack = Ack(error=_Error(0, str(error)))
        if ack.error is not None:
            future.set_exception(Refused(ack.error.err_code, ack.error.description))
            future.exception()  # perhaps nobody waits for it any more
        else:
            future.set_result(ack)

    def _closed(self) -> None:
        waiting, self._waiting = self._waiting, {}
        for future in waiting.values():
            if not future.done():
                future.set_exception(Problem(AWAY, reason="the connection ended"))
                future.exception()  # perhaps nobody waits for it any more


def decoded(data: bytes) -> Ack:
    return msgspec.json.decode(data, type=Ack)


@asynccontextmanager
async def connected(settings: Jetstream) -> AsyncIterator[NatsLine]:
    """A connection to one of the servers, whichever comes first in a random order; closed at the end.

    Raises `jetstream-away`, `jetstream-file-wrong`; whatever NATS raises within is raised as `jetstream-away`.
    """
    reason: Exception = TimeoutError()
    for server in random.sample(settings.servers, len(settings.servers)):
        client, closed = Client(), list[Callable[[], None]]()
        try:
            try:
                line = await _open(settings, server, client, closed)
            except (Error, OSError, TimeoutError) as error:
                reason = client.last_error or error
                continue
            try:
                yield line
            except (Error, APIError, OSError, TimeoutError) as error:
                raise Problem(AWAY, reason=said(error)) from error
            return
        finally:
            with suppress(Exception):
                async with asyncio.timeout(CLOSE_SECONDS):
                    await client.close()
    raise Problem(AWAY, reason=said(reason)) from reason


async def _open(
    settings: Jetstream, server: str, client: Client, closed: list[Callable[[], None]]
) -> NatsLine:
    async def over() -> None:
        for act in closed:
            act()

    async def nothing(_: Exception) -> None:
        """What goes wrong is raised where it is waited for."""

    def sure() -> None:
        """The client would go on in plain text with a server that does not ask for TLS, whatever its URL says."""
        if is_encrypted(settings, server) and not client._server_info.get("tls_required"):
            raise Error("the server does not ask for TLS")

    async with asyncio.timeout(2 * CONNECT_SECONDS):
        await client.connect(
            server, name="gardesh", allow_reconnect=False, max_reconnect_attempts=1, reconnect_time_wait=0,
            connect_timeout=int(CONNECT_SECONDS), ping_interval=10, max_outstanding_pings=2,
            error_cb=nothing, closed_cb=over, **secrets_of(settings, server, sure),
        )  # fmt: skip
        sure()
        line = NatsLine(client, server, closed)
        await line.listen()
    return line


def is_encrypted(settings: Jetstream, server: str) -> bool:
    return server.startswith("tls:") or bool(settings.ca)


def said(error: BaseException) -> str:
    """What an error of the client says, in short."""
    if isinstance(error, APIError):
        return error.description or f"error {error.err_code}"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return str(error).removeprefix("nats: ").strip() or type(error).__name__


def secrets_of(settings: Jetstream, server: str, sure: Callable[[], None]) -> dict[str, Any]:
    """How to prove who we are, and whom to believe, as the client wants it; it asks for a secret when it is about to send
    it, and `sure` may raise then. Raises `jetstream-file-wrong`."""
    made: dict[str, Any] = {}

    def given(value: T) -> Callable[[], T]:
        def give() -> T:
            sure()
            return value

        return give

    if is_encrypted(settings, server):
        try:
            made["tls"] = ssl.create_default_context(cafile=settings.ca or None)
        except OSError as error:
            raise Problem(FILE_WRONG, file=settings.ca, reason=of_os(error)) from None
    if settings.token:
        user, colon, password = _text(settings.token).strip().partition(":")
        made |= {"user": given(user), "password": given(password)} if colon else {"token": given(user)}
    if settings.credentials:
        text = _text(settings.credentials)
        jwt, seed = _JWT.search(text), _SEED.search(text)
        if jwt is None or seed is None:
            reason = Wording("it has no JWT and seed of a user", "JWT و بذر کاربر در آن نیست")
            raise Problem(FILE_WRONG, file=settings.credentials, reason=reason)
        written, key = jwt[1].encode(), key_of(seed[1])
        made["user_jwt_cb"] = given(written)
        made["signature_cb"] = lambda nonce: b64encode(key.sign(nonce.encode()))
    return made


def key_of(seed: str) -> Ed25519PrivateKey:
    """The key of an nkey seed: base32 of two bytes of kind, the secret, and a checksum."""
    return Ed25519PrivateKey.from_private_bytes(b32decode(seed + "=" * (-len(seed) % 8))[2:34])


def _text(file: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Problem(FILE_WRONG, file=file, reason=of_os(error)) from None
