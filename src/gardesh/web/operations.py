"""For those who run a service: is it alive, can it work, what did it count; and what the node is, for everybody."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import msgspec
from litestar import Response, get

from gardesh import wire
from gardesh.model.problem import Problem
from gardesh.node import Node
from gardesh.web import answer
from gardesh.web.answer import NO_SUCH_RESOURCE
from gardesh.web.description import HEX, OPEN, Tagged, finished, gives, refuses
from gardesh.web.problem_examples import filled
from gardesh.web.service import Asked, service_of


@get("/healthz", summary="Alive", responses=gives(wire.Health, {"status": "alive"}), security=OPEN)
async def healthz() -> Response[bytes]:
    """The process answers. Says nothing of the record: a node whose disk is full is alive, and not ready."""
    return answer.json({"status": "alive"}, cache_control="no-store")


@get(
    "/readyz",
    summary="Ready to work",
    responses={
        **gives(
            wire.Health,
            {"status": "ready", "size": 42, "waiting": 0},
            says="Size and queue for operators only.",
        ),
        **refuses(),
    },
    security=OPEN,
)
async def readyz(request: Asked) -> Response[bytes]:
    """The record can be read in this moment, and took what was last written. A service that stops takes no new connections."""
    service = service_of(request)
    service.anonymous(request)
    if service.desk.trouble is not None:
        raise service.desk.trouble

    def question(found: Node) -> int:
        found.store.one("SELECT 1 FROM documents WHERE position = 0")
        return found.log.size

    size = await service.desk.ask(question)
    told: dict[str, Any] = {"status": "ready"}
    if service.operates(request):
        told |= {"size": size, "waiting": service.desk.waiting}
    return answer.json(told, cache_control="no-store")


@get(
    "/metrics",
    summary="Counts for Prometheus",
    responses={
        **gives(str, "gardesh_log_size 42.0\n", says="To the operators' networks alone.", kind="text/plain"),
        **refuses(404),
    },
    security=OPEN,
)
async def metrics(request: Asked) -> Response[bytes]:
    """In the text format; names of routes, never of organisations, cases or documents."""
    service = service_of(request)
    if not service.operates(request):
        raise Problem(NO_SUCH_RESOURCE, path="/metrics")
    service.counts.waiting.set(service.desk.waiting)
    service.counts.size.set(await service.desk.ask(lambda node: node.log.size))
    return Response(service.counts.text(), media_type="text/plain; version=0.0.4")


@get(
    "/node",
    summary="What this node is",
    responses={
        **gives(
            wire.NodeInfo,
            {
                "origin": "node.example/log", "genesis": HEX,
                "clock": {"kid": "Vb0c…", "jwk": {"kty": "OKP", "crv": "Ed25519", "x": "11qY…"}},
                "log_keys": ["node.example/log+1234abcd+AU…"], "size": 42,
                "packs": ["core@1.0.0"], "version": "0.1.0",
            },
            says="Its log and its packs.",
        ),
        **refuses(),
    },
    operation_class=Tagged,
    security=OPEN,
)  # fmt: skip
async def node(request: Asked) -> Response[bytes]:
    """The keys are for a first look: take those that you rely on from somewhere else too."""
    service = service_of(request)
    service.anonymous(request)

    def question(found: Node) -> dict[str, Any]:
        return {
            "origin": found.log.origin,
            "genesis": bytes(found.store.one("SELECT digest FROM documents WHERE position = 0")[0]).hex(),
            "clock": wire.ClockKey(*found.clock_key()),
            "log_keys": found.log.vkeys,
            "size": found.log.size,
            "packs": sorted(found.library.packs),
            "version": version("gardesh"),
        }

    return answer.tagged(request, await service.desk.ask(question), "public, no-cache")


@get("/openapi.json", include_in_schema=False)
async def openapi(request: Asked) -> Response[bytes]:
    """The description of all operations (OpenAPI 3.1)."""
    service_of(request).anonymous(request)
    state = request.app.state
    if "description" not in state:
        state["description"] = msgspec.json.encode(filled(finished(request.app.openapi_schema.to_schema())))
    return answer.tagged_bytes(request, state["description"], "application/json", "public, max-age=300")
