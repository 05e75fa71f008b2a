"""A witness over HTTP: `POST /add-checkpoint`, `GET /<origin hash>/checkpoint` (C2SP tlog-witness), `GET /healthz`.

An ASGI application without a framework: there are three paths, and bodies are small and of the standard's own form.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, NamedTuple

import msgspec

from gardesh.exchange.witness import Witness
from gardesh.model.problem import Problem, define
from gardesh.model.witness import MAX_REQUEST_BYTES, OTHER_SIZE, REQUEST_TOO_LARGE, SIZE_TYPE, write_size

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

NO_SUCH_PATH = define(
    "witness-path-unknown",
    404,
    en="A witness serves /add-checkpoint, /ORIGIN-HASH/checkpoint and /healthz.",
    fa="گواه تنها /add-checkpoint و /ORIGIN-HASH/checkpoint و /healthz را عرضه می‌کند.",
)
OTHER_METHOD = define(
    "witness-method-not-allowed",
    405,
    en="This path takes {method} alone.",
    fa="این مسیر تنها {method} را می‌پذیرد.",
)
BODY_SLOW = define(
    "witness-body-slow",
    408,
    en="The body of the request did not come within {seconds} seconds.",
    fa="بدنهٔ درخواست در {seconds} ثانیه نرسید.",
)
BODY_SECONDS = 10
"""How long a body may take to come."""
_CHECKPOINT = re.compile(r"/([0-9a-f]{64})/checkpoint")
TEXT = "text/plain; charset=utf-8"


class Answer(NamedTuple):
    """What is sent back."""

    status: int
    type: str
    body: bytes


class WitnessServer:
    """The ASGI application of a witness. The witness works in threads, so a slow disk does not stop the answers.

    Any fault of its own is left to the server, which answers 500; then nothing was cosigned that is not on the disk.
    """

    def __init__(self, witness: Witness) -> None:
        self.witness = witness

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        try:
            answer = await self._answer(str(scope["method"]), str(scope["path"]), receive)
        except Problem as problem:
            answer = refusal(problem)
        headers = [(b"content-type", answer.type.encode()), (b"content-length", b"%d" % len(answer.body))]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})

    async def _answer(self, method: str, path: str, receive: Receive) -> Answer:
        found = _CHECKPOINT.fullmatch(path)
        if path == "/add-checkpoint":
            _only("POST", method)
            body = await self._body(receive)
            return Answer(200, TEXT, await asyncio.to_thread(self.witness.add_checkpoint, body))
        if found is not None:
            _only("GET", method)
            return Answer(200, TEXT, await asyncio.to_thread(self.witness.newest, found[1]))
        if path == "/healthz":
            _only("GET", method)
            await asyncio.to_thread(self.witness.check)
            return Answer(200, TEXT, b"ok\n")
        raise Problem(NO_SUCH_PATH)

    async def _body(self, receive: Receive) -> bytes:
        """Raises `witness-request-too-large` as soon as it is, `witness-body-slow`."""
        parts: list[bytes] = []
        left = MAX_REQUEST_BYTES
        try:
            async with asyncio.timeout(BODY_SECONDS):
                more = True
                while more:
                    message = await receive()
                    part = bytes(message.get("body", b""))
                    left -= len(part)
                    if left < 0:
                        raise Problem(REQUEST_TOO_LARGE, bytes=MAX_REQUEST_BYTES)
                    parts.append(part)
                    more = bool(message.get("more_body", False))
        except TimeoutError:
            raise Problem(BODY_SLOW, seconds=BODY_SECONDS) from None
        return b"".join(parts)


def refusal(problem: Problem) -> Answer:
    """How a refusal is sent: the known size alone where the standard asks for it, else problem details (RFC 9457)."""
    if problem.code == OTHER_SIZE:
        return Answer(409, SIZE_TYPE, write_size(int(problem.params["size"])))
    told = problem.as_dict()
    told |= {"detail": problem.sentence("en"), "sentences": told["detail"]}  # as the API of a node has it
    return Answer(problem.kind.status, "application/problem+json", msgspec.json.encode(told))


def _only(allowed: str, method: str) -> None:
    if method != allowed:
        raise Problem(OTHER_METHOD, method=allowed)
