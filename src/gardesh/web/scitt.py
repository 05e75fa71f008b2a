"""SCITT over HTTP: the resources of SCRAPI (draft-ietf-scitt-scrapi) with documents as statements.

Registration is the intake and nothing beside it; an answer comes once the document is durable, so nothing is ever
"running". Refusals are Concise Problem Details (RFC 9290); their status is that of our own problems.
"""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Response, get, post
from litestar.openapi import ResponseSpec
from litestar.openapi.spec import OpenAPIType, Schema
from litestar.params import PathParameter

from gardesh.access import NAME
from gardesh.model import cbor, concise_problem, cose, signed_statement
from gardesh.model.canonical import Limits, base64url_decode
from gardesh.model.jose import PublicKey
from gardesh.model.problem import Problem, define
from gardesh.node import Node
from gardesh.record.log import Log
from gardesh.record.views import NO_SUCH_DOCUMENT
from gardesh.web import answer
from gardesh.web.authentication import in_force
from gardesh.web.description import ANYWHERE, HEX, OPEN, TAKES, WRITES, Tagged, gives, shown, takes
from gardesh.web.service import Asked, service_of

NO_SUCH_LOG_KEY = define(
    "no-such-log-key",
    404,
    en="No key could be found for this kid value.",
    fa="کلیدی با این مقدار kid یافت نشد.",
)
COSE = "application/cose"
CBOR = "application/cbor"


def concise(*statuses: int) -> dict[int, ResponseSpec]:
    """The problems that an operation can answer with: these, and what any can."""
    says, kind = "Title and detail (RFC 9290).", concise_problem.MEDIA_TYPE
    return {
        status: gives(bytes, "…", status=status, says=says, kind=kind)[status]
        for status in sorted({*statuses, *ANYWHERE})
    }


def on_problem(request: Asked, problem: Problem) -> Response[bytes]:
    """A refusal in CBOR."""
    answer.note(request, problem)
    headers = {"cache-control": "no-store"}
    if problem.kind.status in (429, 503):
        headers["retry-after"] = str(problem.params.get("wait", 1))
    return Response(
        concise_problem.encode(answer.outside(problem)),
        status_code=problem.kind.status,
        media_type=concise_problem.MEDIA_TYPE,
        headers=headers,
    )


@post(
    "/entries",
    status_code=201,
    summary="Register a Signed Statement",
    operation_class=takes(
        COSE, Schema(type=OpenAPIType.STRING), "…", "A COSE_Sign1 whose payload is a document."
    ),
    responses={
        **gives(
            bytes, "…", status=201, says="The receipt (RFC 9942), under the tree as it is now.", kind=COSE
        ),
        **concise(*TAKES, 401, 403, 404, 409, WRITES, 422),
    },
    exception_handlers={Problem: on_problem},
    security=OPEN,
)
async def register(request: Asked) -> Response[bytes]:
    """The document in the statement is submitted as any other, and judged by its procedure. Registering again gives a newer
    receipt of the same entry."""
    service = service_of(request)
    service.anonymous(request)
    most = service.configuration.limits.document_bytes
    statement = signed_statement.read(await answer.body_of(request, most + (1 << 16)), Limits(size=most))

    def key(node: Node) -> PublicKey:
        return in_force(node, statement.document.kid, service.desk.clock())[1]

    signed_statement.verify(statement, await service.desk.ask(key))
    told = (await service.submit([statement.data])).answers[0]
    if isinstance(told, Problem):
        raise told

    def prove(node: Node) -> bytes:
        return node.log.cose_receipt(told.position, told.digest, told.recorded_at)

    headers = {"location": f"{service.url}/entries/{told.digest.hex()}", "cache-control": "no-store"}
    return Response(await service.desk.ask(prove), status_code=201, media_type=COSE, headers=headers)


@get(
    "/entries/{name:str}",
    summary="The receipt of an entry",
    responses={
        **gives(bytes, "…", says="The receipt, under the tree as it is now.", kind=COSE),
        **concise(404),
    },
    exception_handlers={Problem: on_problem},
    security=OPEN,
)
async def entry(
    request: Asked,
    name: Annotated[
        str, PathParameter(description="The document's digest, or its position.", examples=shown(HEX))
    ],
) -> Response[bytes]:
    """Says what the public log says: the digest, its position and its time; nothing of the document."""
    service = service_of(request)
    service.anonymous(request)

    def prove(node: Node) -> bytes:
        if NAME.fullmatch(name) is None:
            raise Problem(NO_SUCH_DOCUMENT, name=name[:100])
        where, value = ("digest", bytes.fromhex(name)) if len(name) == 64 else ("position", int(name))
        row = node.store.one(f"SELECT position, digest, recorded_at FROM documents WHERE {where} = ?", value)  # noqa: S608
        if row is None:
            raise Problem(NO_SUCH_DOCUMENT, name=name)
        return node.log.cose_receipt(row[0], bytes(row[1]), row[2])

    headers = {"location": f"{service.url}/entries/{name}", "cache-control": "public, no-cache"}
    return Response(await service.desk.ask(prove), media_type=COSE, headers=headers)


def key_map(log: Log) -> Any:
    return cose.key_map(log.key.public)


@get(
    "/.well-known/scitt-keys",
    summary="The keys that sign receipts",
    operation_class=Tagged,
    responses={**gives(bytes, "…", says="A COSE Key Set.", kind=CBOR), **concise()},
    exception_handlers={Problem: on_problem},
    security=OPEN,
)
async def keys(request: Asked) -> Response[bytes]:
    """One key: the log's Ed25519 key, for as long as the log has its name."""
    service = service_of(request)
    service.anonymous(request)
    found = await service.desk.ask(lambda node: key_map(node.log))
    return answer.tagged_bytes(request, cbor.encode([found]), CBOR, "public, max-age=3600")


@get(
    "/.well-known/scitt-keys/{kid:str}",
    summary="A key that signs receipts",
    operation_class=Tagged,
    responses={**gives(bytes, HEX[:8], says="A COSE_Key.", kind=CBOR), **concise(404)},
    exception_handlers={Problem: on_problem},
    security=OPEN,
)
async def key(
    request: Asked,
    kid: Annotated[
        str,
        PathParameter(description="Its kid, in base64url without padding.", examples=shown("1M5k6ZEj0n4")),
    ],
) -> Response[bytes]:
    """As the receipt's `kid` names it."""
    service = service_of(request)
    service.anonymous(request)
    found = await service.desk.ask(lambda node: key_map(node.log))
    try:
        named = base64url_decode(kid.encode("ascii", "replace"))
    except Problem:
        named = b""
    if found[2] != named:
        raise Problem(NO_SUCH_LOG_KEY)
    return answer.tagged_bytes(request, cbor.encode(found), CBOR, "public, max-age=3600")
