"""Registers and business keys over HTTP."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Annotated, Any

from litestar import Response, get
from litestar.params import PathParameter, QueryParameter

from gardesh import wire
from gardesh.access import Access
from gardesh.model.instant import parse_as_of
from gardesh.model.problem import Problem
from gardesh.node import Node
from gardesh.register_access import declared_register, entries, entry
from gardesh.web import answer, paging
from gardesh.web.cases import DESCRIBED, Limit, page
from gardesh.web.description import HEX, OPEN, SIGNED, Tagged, gives, refuses, shown
from gardesh.web.documents import Cursor
from gardesh.web.service import Asked, address, service_of

EXAMPLE = {
    "register": "governance/tariffs", "key": "joint-inspection", "document": HEX, "position": 12,
    "since": "2026-05-01T00:00:00Z", "until": None, "value": {"amount": "2000000", "currency": "IRR"},
}  # fmt: skip


PackName = Annotated[
    str, PathParameter(description="The pack that declares the register.", examples=shown("core"))
]
RegisterName = Annotated[
    str, PathParameter(description="The register's name in it.", examples=shown("tariffs"))
]
AsOf = Annotated[
    str | None,
    QueryParameter(
        description="An instant (ISO 8601), or a day; without, now. Gregorian, from 1900 on.",
        examples=shown("2026-01-05"),
    ),
]


@get(
    "/registers/{pack:str}/{register:str}/{key:path}",
    summary="What a register holds",
    responses={
        **gives(wire.Entry, EXAMPLE, says="The entry in force."),
        **refuses(401, 404, 422),
    },
    operation_class=Tagged,
    security=[*OPEN, *SIGNED],
)
async def register_entry(
    request: Asked,
    pack: PackName,
    register: RegisterName,
    key: Annotated[
        str, PathParameter(description="The key; it may hold slashes.", examples=shown("/order-registration"))
    ],
    as_of: AsOf = None,
) -> Response[bytes]:
    """In force now, or as of an instant. Public registers are open to all; of others, those see an entry who may read the
    document behind it whole."""
    at = parse_as_of(as_of) if as_of is not None else None
    name, own = f"{pack}/{register}", key.removeprefix("/")

    def question(node: Node, now: int, access: Access | None) -> dict[str, Any]:
        return entry(node, name, own, now if at is None else at, access)

    return await open_to_all(request, question)


@get(
    "/registers/{pack:str}/{register:str}",
    summary="All that a register holds",
    responses={
        **gives(wire.Entries, {"entries": [EXAMPLE], "next": None}, says="A page, in the order of the keys."),
        **refuses(401, 404, 422),
    },
    operation_class=Tagged,
    security=[*OPEN, *SIGNED],
)
async def register_entries(
    request: Asked,
    pack: PackName,
    register: RegisterName,
    as_of: AsOf = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Response[bytes]:
    """The entries in force now, or as of an instant: of each key the one that the register shows under it alone, to the same
    callers. A page may be short, or empty, and still have a next one. Ask for the pages that follow with the same `as_of`."""
    most = page(request, limit)
    at = parse_as_of(as_of) if as_of is not None else None
    name = f"{pack}/{register}"
    place = paging.read(cursor, tuple[int])

    def question(node: Node, now: int, access: Access | None) -> dict[str, Any]:
        seen = access is not None or declared_register(node, name).public
        after = node.sequencer.registers.key_of(name, place[0]) if place else None
        if place and after is None and seen:
            raise Problem(paging.CURSOR_MALFORMED)
        found, following = entries(node, name, now if at is None else at, access, after, most)
        return {"entries": found, "next": paging.write(following) if following is not None else None}

    return await open_to_all(request, question)


async def open_to_all(
    request: Asked, question: Callable[[Node, int, Access | None], dict[str, Any]]
) -> Response[bytes]:
    """What `question` finds, of the node at this moment, for who asks; without a credential, for anybody (None)."""
    service = service_of(request)
    if {"authorization", "signature-input"} & set(request.headers):
        found = await service.ask(request, lambda access: question(access.node, access.now, access))
        return answer.tagged(request, found)
    service.rate.take(address(request), time.monotonic())
    found = await service.desk.ask(lambda node: question(node, service.desk.clock(), None))
    return answer.tagged(request, found, "public, no-cache")


@get(
    "/search",
    summary="Find documents by a business key",
    responses={
        **gives(wire.Documents, {"documents": [DESCRIBED], "next": None}, says="The newest first."),
        **refuses(401, 422),
    },
    operation_class=Tagged,
    security=SIGNED,
)
async def search(
    request: Asked,
    kind: Annotated[
        str,
        QueryParameter(
            max_length=100,
            description="As packs name it: order-number, kotaj, container …",
            examples=shown("kotaj"),
        ),
    ],
    value: Annotated[
        str,
        QueryParameter(
            max_length=200,
            description="The key, written as in the documents.",
            examples=shown("50100-1234567"),
        ),
    ],
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Response[bytes]:
    """Among the documents that the caller may read, those with this order number, kotaj, bill of lading, container, tax
    id: whatever the packs declare as identifiers. A page may be short, or empty, and still have a next one."""
    before = paging.read(cursor, tuple[int])

    def question(access: Access) -> dict[str, Any]:
        found, following = access.search(kind, value, page(request, limit), before[0] if before else None)
        return {"documents": found, "next": paging.write(following) if following is not None else None}

    return answer.tagged(request, await service_of(request).ask(request, question))
