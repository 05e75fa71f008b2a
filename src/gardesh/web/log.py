"""The public log over HTTP, as C2SP tlog-tiles has it: a checkpoint, tiles, and bundles of entries.

Full tiles and bundles never change, and say so; a partial one is made for the size that was signed.
"""

from __future__ import annotations

from typing import Annotated

from litestar import Response, get
from litestar.params import PathParameter

from gardesh.model.entry import encode, encode_bundle
from gardesh.model.problem import Problem
from gardesh.model.tile import NOT_A_TILE, WIDTH, TileName, parse_tile_path, tile_width
from gardesh.node import Node
from gardesh.web import answer
from gardesh.web.description import OPEN, Tagged, gives, refuses, shown
from gardesh.web.documents import RECEIPT
from gardesh.web.service import Asked, service_of

FOREVER = "public, max-age=31536000, immutable"
SOON = "public, max-age=1"
"""The newest checkpoint may be a second old in a cache: a receipt needs no newer one."""


@get(
    "/checkpoint",
    summary="The newest checkpoint",
    responses={
        **gives(str, RECEIPT[-30:], says="A signed note (C2SP tlog-checkpoint).", kind="text/plain"),
        **refuses(),
    },
    operation_class=Tagged,
    security=OPEN,
)
async def checkpoint(request: Asked) -> Response[bytes]:
    """The size and root of the log, signed by the node. A node with witnesses shows the newest that they have cosigned."""
    service = service_of(request)
    service.anonymous(request)
    witnessed = bool(service.configuration.witnesses.policy)

    def question(node: Node) -> bytes:
        at = node.sequencer.last_at
        return node.log.covering(-1, at)[0] if witnessed else node.log.newest_shown(at)

    note = await service.desk.ask(question)
    return answer.tagged_bytes(request, note, "text/plain", SOON)


@get(
    "/tile/{path:path}",
    summary="A tile, or a bundle of entries",
    responses={
        **gives(bytes, "…", says="The hashes, or the entries.", kind="application/octet-stream"),
        **refuses(404),
    },
    operation_class=Tagged,
    security=OPEN,
)
async def tile(
    request: Asked,
    path: Annotated[
        str,
        PathParameter(
            description="As 0/x001/234, or entries/000.p/17 (C2SP tlog-tiles).", examples=shown("/0/x001/234")
        ),
    ],
) -> Response[bytes]:
    """Whatever the log has signed can be checked from these alone."""
    service = service_of(request)
    service.anonymous(request)
    name = parse_tile_path("tile" + path)
    data = await service.desk.ask(lambda node: read(node, name))
    cache = FOREVER if name.width == WIDTH else "public, max-age=60"
    return answer.tagged_bytes(request, data, "application/octet-stream", cache)


def read(node: Node, name: TileName) -> bytes:
    """The bytes of a tile or bundle. Raises `tile-path-unknown` for what the log does not have (yet)."""
    if name.level is not None and name.level > 7:
        raise Problem(NOT_A_TILE)
    if tile_width(node.log.size, name.level or 0, name.index) < name.width:
        raise Problem(NOT_A_TILE)
    if name.level is not None:
        return node.log.edge.reader(node.log.full_tile).read(name.level, name.index, name.width)
    first = name.index * WIDTH
    rows = node.store.rows(
        "SELECT digest, recorded_at FROM documents WHERE position >= ? AND position < ? ORDER BY position",
        first,
        first + name.width,
    )
    return encode_bundle(encode(bytes(digest), at) for digest, at in rows)
