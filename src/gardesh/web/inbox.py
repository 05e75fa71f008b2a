"""The inbox over HTTP: notices by the page, acknowledged by who has dealt with them, and as they come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Annotated, Any

import msgspec
from litestar import Response, get, post
from litestar.params import HeaderParameter, JSONBody, QueryParameter
from litestar.response import Stream

from gardesh import wire
from gardesh.access import Access
from gardesh.inbox import Inbox, Page
from gardesh.model.problem import Problem, define
from gardesh.node import Node
from gardesh.web import answer
from gardesh.web.cases import Limit, page
from gardesh.web.description import CASE, HEX, SIGNED, TAKES, WRITES, gives, refuses, sent, shown
from gardesh.web.service import Asked, Service, service_of

STREAMS_TOO_MANY = define(
    "streams-too-many",
    429,
    en="{count} event streams of yours are open; close one first.",
    fa="{count} جریان رویداد شما باز است؛ نخست یکی را ببندید.",
)
NOTICE = {
    "id": 117, "at": "2026-01-05T09:00:00Z", "case": CASE, "reason": "read", "slot": "permit:standards", "state": "issued",
    "deadline": None, "document": HEX, "type": "trade/permit", "issuer": "isiri",
}  # fmt: skip
Consumer = Annotated[
    str,
    QueryParameter(
        pattern="^[a-z0-9][a-z0-9-]{0,62}$",
        description="Each consumer of an organisation keeps its own place; the name is free.",
        examples=shown("back-office"),
    ),
]
QUIET = 15.0
"""After so many seconds without a notice a stream says that it is alive."""
LAST = (1 << 63) - 1
"""No notice has an id beyond this."""


@get(
    "/inbox",
    summary="Notices",
    responses={
        **gives(
            wire.Notices, {"notices": [NOTICE], "upto": 117, "more": False}, says="A page, the oldest first."
        ),
        **refuses(401),
    },
    security=SIGNED,
)
async def inbox(
    request: Asked,
    consumer: Consumer = "default",
    after: Annotated[
        int | None,
        QueryParameter(
            ge=-1,
            le=LAST,
            description="Read on behind this id; without, behind what was acknowledged.",
            examples=shown(116),
        ),
    ] = None,
    limit: Limit = 50,
) -> Response[bytes]:
    """What the caller has to act on, and what it may read, from where the consumer left off. At least once: a notice comes
    until it is acknowledged. Notices of one case are in order."""

    def question(access: Access) -> Page:
        box = Inbox(access)
        return box.page(box.acked(consumer) if after is None else after, page(request, limit))

    return answer.json(await service_of(request).ask(request, question), cache_control="no-store")


@post(
    "/inbox/ack",
    status_code=200,
    summary="Acknowledge notices",
    operation_class=sent({"upto": 117, "consumer": "default"}),
    responses={
        **gives(wire.Acked, {"consumer": "default", "acked": 117}, says="It is on record."),
        **refuses(*TAKES, 401, WRITES),
    },
    security=SIGNED,
)
async def ack(request: Asked, data: JSONBody[wire.Ack]) -> Response[bytes]:
    """All up to the id were dealt with. A smaller id than before asks for the later ones again."""

    def question(access: Access) -> int:
        return Inbox(access).ack(data.consumer, data.upto)

    acked = await service_of(request).ask(request, question, await request.body())
    return answer.json(wire.Acked(data.consumer, acked), cache_control="no-store")


@get(
    "/inbox/stream",
    summary="Notices as they come",
    responses={
        **gives(
            str, "id: 117\nevent: notice\ndata: {…}\n\n", says="Server-sent events.", kind="text/event-stream"
        ),
        **refuses(401),
    },
    security=SIGNED,
)
async def stream(
    request: Asked,
    consumer: Consumer = "default",
    last_event_id: Annotated[
        str | None,
        HeaderParameter(
            name="Last-Event-ID", max_length=20, description="Go on behind this event.", examples=shown("116")
        ),
    ] = None,
) -> Stream:
    """Each event's `id` is the notice's, so that a client goes on by itself where the line was cut. Acknowledging is still
    the consumer's to do. The stream ends with the token, or with the key."""
    service = service_of(request)
    credential = await service.credential(request)
    given = min(int(last_event_id), LAST) if last_event_id and last_event_id.isdecimal() else None

    def question(node: Node) -> tuple[str, int]:
        access = credential.access(node, service.desk.clock(), service.once)
        return access.org, Inbox(access).acked(consumer) if given is None else given

    org, after = await service.desk.ask(question)
    most = service.configuration.limits.streams
    if service.streams[org] >= most:
        raise Problem(STREAMS_TOO_MANY, count=most)

    def look(node: Node, behind: int) -> Page:
        return Inbox(credential.again(node, org, service.desk.clock())).page(behind)

    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return Stream(events(service, org, after, look), media_type="text/event-stream", headers=headers)


async def events(service: Service, org: str, after: int, look: Callable[..., Page]) -> AsyncIterator[bytes]:
    """The events of one stream, until the credential or the service ends."""
    service.streams[org] += 1
    quiet = 0.0
    try:
        with service.desk.listening() as news:
            yield b": open\n\n"
            while not service.stopping():
                news.clear()
                found = Page([], after, False)
                if service.desk.notices > after + 1 or quiet >= QUIET:
                    found = await service.desk.ask(partial(look, behind=after))
                after = found.upto
                for notice in found.notices:
                    yield event(notice)
                quiet = 0.0 if found.notices or quiet >= QUIET else quiet
                if found.more:
                    continue
                try:
                    async with asyncio.timeout(1.0):
                        await news.wait()
                except TimeoutError:
                    quiet += 1.0
                if quiet >= QUIET:
                    yield b": alive\n\n"
    except Problem as problem:
        yield b"event: end\ndata: " + msgspec.json.encode(answer.details(problem, "en")) + b"\n\n"
    finally:
        service.streams[org] -= 1
        if not service.streams[org]:
            del service.streams[org]


def event(notice: dict[str, Any]) -> bytes:
    return b"id: %d\nevent: notice\ndata: %s\n\n" % (notice["id"], msgspec.json.encode(notice))
