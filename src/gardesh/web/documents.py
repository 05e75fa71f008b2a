"""Documents over HTTP: submit, read, prove, and who read them."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

import msgspec
from litestar import Response, get, post
from litestar.openapi.spec import OpenAPIType, Schema
from litestar.params import PathParameter, QueryParameter

from gardesh import wire
from gardesh.access import Access, Found
from gardesh.intake import Accepted, Answer
from gardesh.model.calendar import iso
from gardesh.model.problem import Problem, define
from gardesh.model.slot import Erased
from gardesh.web import answer, malformed, paging
from gardesh.web.answer import MEDIA_TYPE
from gardesh.web.description import (
    CASE,
    HEX,
    OPEN,
    SIGNED,
    TAKES,
    WRITES,
    Tagged,
    gives,
    refuses,
    shown,
    takes,
)
from gardesh.web.service import Asked, service_of

BUNDLE_TOO_MANY = define(
    "bundle-too-many",
    413,
    en="The bundle holds {count} documents; at most {limit} are taken together.",
    fa="این دسته {count} سند دارد؛ حداکثر {limit} سند با هم پذیرفته می‌شود.",
)
SD_JWT = "application/vc+sd-jwt"
READ_KINDS = (SD_JWT, "application/vc+jwt", "application/dc+sd-jwt", "application/octet-stream", "")
EXAMPLE = (
    "eyJhbGciOiJFUzI1NiIsImtpZCI6Ii4uLiIsInR5cCI6InZjK3NkLWp3dCJ9.eyJpc3N1ZXIiOiIuLi4ifQ.MEUC~WyJzYWx0Il0~"
)
RECEIPT = "c2sp.org/tlog-proof@v1\nextra AAABm2eXe0A=\nindex 41\n…\n\nnode.example/log\n42\n…\n"
ACCEPTED = {
    "digest": HEX, "position": 41, "recorded_at": "2026-01-05T09:00:00Z", "case": CASE, "receipt": RECEIPT,
}  # fmt: skip
Name = Annotated[
    str,
    PathParameter(
        description="The document's digest (64 hex digits), or its position on the log.", examples=shown(HEX)
    ),
]
_UNSEEN = r"\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069"
Cursor = Annotated[
    str | None,
    QueryParameter(max_length=500, description="`next` of the page before.", examples=shown("WzQxXQ")),
]
Purpose = Annotated[
    str,
    QueryParameter(
        min_length=1,
        max_length=200,
        pattern=rf"^[^\s{_UNSEEN}][^{_UNSEEN}]*$",
        description="What it is read for; whom it is about can see it.",
        examples=shown("to check the permit"),
    ),
]


@post(
    "/documents",
    status_code=201,
    summary="Submit a document",
    operation_class=takes(
        SD_JWT, Schema(type=OpenAPIType.STRING), EXAMPLE, "The document, as its issuer signed it."
    ),
    responses={
        **gives(wire.Accepted, ACCEPTED, status=201, says="Accepted: durable, and proven by the receipt."),
        **gives(
            wire.Accepted,
            ACCEPTED,
            says="It was accepted before; the receipt is under the newest checkpoint.",
        ),
        **refuses(*TAKES, 401, 403, 409, 415, WRITES, 422),
    },
    security=OPEN,
)
async def submit(request: Asked) -> Response[bytes]:
    """The document's own signature says whose it is, so the request needs no other. A document is idempotent by its
    digest: sending it again gives the same position, and no Idempotency-Key is needed."""
    service = service_of(request)
    service.anonymous(request)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in READ_KINDS:
        raise Problem(MEDIA_TYPE, given=kind[:100], wanted=SD_JWT)
    body = (await answer.body_of(request, service.configuration.limits.document_bytes)).strip()
    service.charge(request, len(body))
    settled = await service.submit([body])
    told = settled.answers[0]
    if isinstance(told, Problem):
        raise told
    new = told.position >= settled.before
    return answer.json(accepted(told), 201 if new else 200, location=f"/v1/documents/{told.digest.hex()}")


def accepted(told: Accepted) -> wire.Accepted:
    return wire.Accepted(
        told.digest.hex(), told.position, iso(told.recorded_at), told.case, told.receipt.encode().decode()
    )


@post(
    "/documents/bundle",
    status_code=200,
    summary="Submit documents together",
    operation_class=takes(
        "application/json",
        Schema(type=OpenAPIType.ARRAY, items=Schema(type=OpenAPIType.STRING)),
        [EXAMPLE],
        "The documents, in the order in which they are to be judged.",
    ),
    responses={
        **gives(
            wire.BundleAnswer,
            {
                "checkpoint": "node.example/log\n42\n…\n",
                "answers": [
                    {
                        "digest": HEX,
                        "position": 41,
                        "recorded_at": "2026-01-05T09:00:00Z",
                        "case": CASE,
                        "proof": [
                            "oN2bWYy6wdGnp0Nhk1nYx2h4iNw4gkUoAQqhD2bQ7hI=",
                            "m5hSYQ3rHk8lqhS0lHnZc1E8v2tO7j1sV0rYB6vQJ4k=",
                            "Xb0cG3r8oYJqk9sWm2f5pT7uVhL4eN1aZdQyRxKjM6o=",
                        ],
                    }
                ],
            },
            says="One answer for each, in order; some may be accepted and others refused.",
        ),
        **refuses(*TAKES, WRITES),
    },
    security=OPEN,
)
async def submit_bundle(request: Asked) -> Response[bytes]:
    """One transaction and one checkpoint for all; each document has its own answer. A later one may rest on an earlier one,
    but one of 64 KiB or more is read only if its key was registered before."""
    service = service_of(request)
    service.anonymous(request)
    limits = service.configuration.limits
    body = await answer.body_of(request, limits.bundle_bytes)
    service.charge(request, len(body))
    try:
        papers = msgspec.json.decode(body, type=list[str])
    except msgspec.MsgspecError as error:
        raise malformed.of_json(error) from None
    if len(papers) > limits.bundle_documents:
        raise Problem(BUNDLE_TOO_MANY, count=len(papers), limit=limits.bundle_documents)
    settled = await service.submit([p.strip().encode("utf-8", "surrogatepass") for p in papers])
    lang = answer.language(request.headers.get("accept-language", ""))
    notes = [a.receipt.checkpoint for a in settled.answers if isinstance(a, Accepted)]
    told = [item(a, n, lang) for n, a in enumerate(settled.answers)]
    return answer.json(wire.BundleAnswer(notes[0].decode() if notes else "", told))


def item(told: Answer, number: int, lang: str) -> wire.BundleItem:
    if isinstance(told, Problem):
        return wire.BundleItem(problem=answer.details(told.at(f"/{number}"), lang))
    return wire.BundleItem(
        told.digest.hex(), told.position, iso(told.recorded_at), told.case, list(told.receipt.proof)
    )


@get(
    "/documents/{name:str}",
    summary="Read a document",
    responses={
        **gives(
            str, EXAMPLE, says="The document, with the disclosures that the caller may read.", kind=SD_JWT
        ),
        **refuses(401, 404),
    },
    operation_class=Tagged,
    security=SIGNED,
)
async def read(request: Asked, name: Name, purpose: Purpose) -> Response[bytes]:
    """As far as a step of the case gives the right; still under the issuer's signature. The read is on record before the
    answer is sent; HEAD gives nothing, and is none. Of what was erased, Gardesh-Erased names the fields, and
    Gardesh-Erased-By the position of the decision. A document that may not be read is as if it were not there."""
    tags, given = answer.held(request), answer.gives_body(request)

    def question(access: Access) -> tuple[bytes, str, Found, Erased | None]:
        read = access.read(name, purpose, frozenset(tag.strip('"') for tag in tags), given)
        return *read, access.erased(read[2])

    data, version, found, gone = await service_of(request).ask(request, question)
    headers = {
        "etag": f'"{version}"',
        "cache-control": answer.PRIVATE,
        "gardesh-position": str(found.position),
    }
    if gone is not None:
        headers["gardesh-erased"] = ",".join(quote(field, safe="/") for field in sorted(gone.fields))
        headers["gardesh-erased-by"] = str(gone.at)
    if not data:
        return Response(b"", status_code=304, headers=headers, media_type=SD_JWT)
    return Response(data, media_type=SD_JWT, headers=headers)


@get(
    "/documents/{name:str}/receipt",
    summary="The receipt of a document",
    responses={
        **gives(str, RECEIPT, says="A C2SP tlog-proof under the newest checkpoint.", kind="text/plain"),
        **refuses(401, 404),
    },
    operation_class=Tagged,
    security=SIGNED,
)
async def receipt(request: Asked, name: Name) -> Response[bytes]:
    """Proves, to anybody and offline, that the document is on the log, where, and since when."""
    found = await service_of(request).ask(request, lambda access: access.receipt(name))
    return answer.tagged_bytes(request, found.encode(), "text/plain")


@get(
    "/documents/{name:str}/readers",
    summary="Who read a document",
    responses={
        **gives(
            wire.Readers,
            {
                "readers": [
                    {
                        "at": "2026-01-05T10:00:00Z",
                        "reader": "customs",
                        "fields": "*",
                        "purpose": "declaration",
                    }
                ],
                "next": None,
            },
            says="Each reading, the oldest first.",
        ),
        **refuses(401, 403, 404),
    },
    operation_class=Tagged,
    security=SIGNED,
)
async def readers(request: Asked, name: Name, cursor: Cursor = None) -> Response[bytes]:
    """For the issuer of the document, and for those it is about."""
    after = (paging.read(cursor, tuple[int]) or (0,))[0]
    most = service_of(request).configuration.limits.page
    found = await service_of(request).ask(request, lambda access: access.readers(name, after, most))
    following = paging.write(after + most) if len(found) == most else None
    return answer.tagged(request, {"readers": found, "next": following})
