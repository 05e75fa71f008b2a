"""Attachments over HTTP: uploads that can be taken up again, and downloads in ranges; flat in memory both ways.

The names of the fields are those of the IETF's resumable uploads (draft-ietf-httpbis-resumable-upload); its interim
answers (104) are not sent.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import Annotated
from urllib.parse import quote

from litestar import Response, delete, get, head, patch, post
from litestar.openapi.spec import OpenAPIType, Schema
from litestar.params import HeaderParameter, PathParameter
from litestar.response import Stream

from gardesh import wire
from gardesh.model.http_signature import check_sha256
from gardesh.model.problem import Problem, define
from gardesh.record.blobs import NO_SUCH_BLOB
from gardesh.record.uploads import Growing, Uploads
from gardesh.web import answer
from gardesh.web.description import HEX, SIGNED, TAKES, WRITES, InParts, gives, refuses, shown, takes
from gardesh.web.documents import Name, Purpose
from gardesh.web.service import Asked, Service, service_of

RANGE_WRONG = define(
    "range-not-satisfiable",
    416,
    en="The attachment has {size} bytes; the range asked for is not among them.",
    fa="پیوست {size} بایت دارد؛ بازه‌ی خواسته‌شده در آن نیست.",
)
ID = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
PARTIAL = "application/partial-upload"
PIECE = 1 << 20
Digest = Annotated[
    str, PathParameter(description="The SHA-256 of the attachment, in hex.", examples=shown(HEX))
]
Id = Annotated[str, PathParameter(description="The upload.", examples=shown(ID))]
EXAMPLE = {"id": ID, "offset": 0, "digest": None}


LOOK = 60.0
"""How often, in seconds, it is looked for uploads that nobody goes on with."""


def uploads(service: Service) -> Uploads:
    limits = service.configuration.limits
    return Uploads(service.blobs, limits.uploads, limits.uploads_bytes, limits.uploads_seconds)


@asynccontextmanager
async def upkeep(service: Service, look: float = LOOK) -> AsyncIterator[None]:
    """Within, uploads that nobody goes on with are removed."""

    async def run() -> None:
        while True:
            try:
                service.counts.uploads.inc(await asyncio.to_thread(uploads(service).clean))
            except Exception as fault:  # noqa: BLE001 it is tried again, and whoever runs the service is told
                service.desk.faults(fault)
            await asyncio.sleep(look)

    task = asyncio.get_running_loop().create_task(run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


@post(
    "/uploads",
    status_code=201,
    summary="Begin an upload",
    responses={
        **gives(wire.Upload, EXAMPLE, status=201, says="Begun; Location names it."),
        **refuses(401, WRITES, 507),
    },
    security=SIGNED,
)
async def begin(request: Asked) -> Response[bytes]:
    """An attachment is sent before the document that names it, in as many parts as it takes. Upload-Limit says how large it
    may be, and for how many seconds it is kept without another part. Of what is unfinished, an organisation has a bounded
    number and bounded bytes."""
    service = service_of(request)
    org = await service.ask(request, lambda access: access.org)
    held = uploads(service)
    name = await asyncio.to_thread(held.start, org)
    made = told(wire.Upload(name, 0, None), 201)
    made.headers["upload-limit"] = limit_of(held, held.seconds)
    return made


def limit_of(held: Uploads, seconds: int) -> str:
    return f"max-size={held.blobs.limit}, max-age={seconds}"


def told(upload: wire.Upload, status: int = 200) -> Response[bytes]:
    made = answer.json(upload, status, cache_control="no-store", location=f"/v1/uploads/{upload.id}")
    whole = "?1" if upload.digest else "?0"
    made.headers.update({"upload-offset": str(upload.offset), "upload-complete": whole})
    return made


@head(
    "/uploads/{name:str}",
    summary="How far an upload is",
    responses={**gives(None, None, says="In Upload-Offset."), **refuses(401, 404)},
    security=SIGNED,
)
async def offset(request: Asked, name: Id) -> Response[None]:
    """Where to go on after a connection was lost."""
    service = service_of(request)
    org = await service.ask(request, lambda access: access.org)
    held = uploads(service)
    done = await asyncio.to_thread(held.done, org, name)
    size = done[1] if done is not None else await asyncio.to_thread(held.offset, org, name)
    whole = "?0" if done is None else "?1"
    headers = {"upload-offset": str(size), "upload-complete": whole, "cache-control": "no-store"}
    if done is None:
        headers["upload-limit"] = limit_of(held, await asyncio.to_thread(held.remaining, org, name))
    return Response(None, headers=headers, media_type="text/plain")


@patch(
    "/uploads/{name:str}",
    summary="Append to an upload",
    operation_class=takes(
        PARTIAL,
        Schema(type=OpenAPIType.STRING, content_media_type="application/octet-stream"),
        "…",
        "The bytes from Upload-Offset on.",
    ),
    responses={
        **gives(
            wire.Upload,
            {"id": ID, "offset": 2048, "digest": HEX},
            says="How far it is; with Upload-Complete: ?1, what it is.",
        ),
        **refuses(*TAKES, 401, 404, 409, WRITES, 507),
    },
    security=SIGNED,
)
async def append(
    request: Asked,
    name: Id,
    upload_offset: Annotated[
        int,
        HeaderParameter(
            name="Upload-Offset", ge=0, description="The first byte of this part.", examples=shown(1048576)
        ),
    ],
    upload_complete: Annotated[
        str,
        HeaderParameter(
            name="Upload-Complete",
            pattern=r"^\?[01]$",
            description="?1 with the last part.",
            examples=shown("?1"),
        ),
    ] = "?0",
) -> Response[bytes]:
    """With a token, what arrived of a part that was cut off stays, and the upload goes on from there. With a signature, the
    part counts whole or not at all: its digest is signed."""
    service = service_of(request)
    org = await service.ask(request, lambda access: access.org, None)
    held = uploads(service)
    digest = request.headers.get("content-digest") if "signature-input" in request.headers else None
    done = await asyncio.to_thread(held.done, org, name)
    if done is not None and upload_complete == "?1":  # the answer was lost, and the last part comes again
        return told(wire.Upload(name, done[1], done[0].hex()))
    with held.writing(org, name, upload_offset) as growing:
        growing.keep = digest is None
        await receive(request, growing, digest)
        if upload_complete == "?1":
            found, size = await asyncio.to_thread(growing.finish)
            return told(wire.Upload(name, size, found.hex()))
    return told(wire.Upload(name, growing.size, None))


async def receive(request: Asked, growing: Growing, digest: str | None) -> None:
    """Write the body as it comes, a MiB at a time. Raises `blob-too-large`, `content-digest-wrong`."""
    seen, waiting = sha256(), bytearray()
    try:
        async for chunk in answer.stream_of(request):
            waiting += chunk
            if len(waiting) >= PIECE:
                piece = bytes(waiting)
                waiting.clear()
                seen.update(piece)
                await asyncio.to_thread(growing.write, piece)
    finally:
        seen.update(waiting)
        growing.write(bytes(waiting))
    if digest is not None:
        check_sha256(digest, seen.digest())


@delete(
    "/uploads/{name:str}",
    status_code=204,
    summary="Cancel an upload",
    responses={**gives(None, None, status=204, says="Gone."), **refuses(401, 404, WRITES)},
    security=SIGNED,
)
async def cancel(request: Asked, name: Id) -> None:
    """What was sent of it is removed."""
    service = service_of(request)
    org = await service.ask(request, lambda access: access.org)
    await asyncio.to_thread(uploads(service).cancel, org, name)


@get(
    "/documents/{name:str}/attachments/{digest:str}",
    summary="Download an attachment",
    operation_class=InParts,
    responses={
        **gives(bytes, "…", says="Its bytes.", kind="application/octet-stream"),
        **refuses(401, 403, 404, 416),
    },
    security=SIGNED,
)
async def download(request: Asked, name: Name, digest: Digest, purpose: Purpose) -> Response[bytes] | Stream:
    """For who may read the document whole. The read is on record before the first byte is sent. With `Range`, a part; only
    the whole can be compared with the digest."""
    service = service_of(request)
    given = answer.gives_body(request)
    claim = await service.ask(request, lambda access: access.attachment(name, digest, purpose, given))
    raw, size = bytes.fromhex(digest), int(claim["size"])
    if await asyncio.to_thread(service.blobs.size_of, raw) != size:
        raise Problem(NO_SUCH_BLOB, digest=digest)
    tag = f'"{digest}"'
    headers = {
        "etag": tag,
        "accept-ranges": "bytes",
        "cache-control": answer.PRIVATE,
        "content-disposition": f"attachment; filename*=UTF-8''{quote(str(claim.get('name') or digest), safe='')}",
    }
    kind = str(claim["mediaType"])
    if tag in answer.held(request):
        return Response(b"", status_code=304, headers=headers, media_type=kind)
    part = None
    if request.headers.get("if-range", tag) == tag:
        part = asked_range(request.headers.get("range", ""), size)
    if part is None:
        pieces: Iterator[bytes] = service.blobs.read(raw)
        headers["content-length"] = str(size)
        return Stream(pieces, media_type=kind, headers=headers)
    first, count = part
    headers |= {"content-range": f"bytes {first}-{first + count - 1}/{size}", "content-length": str(count)}
    return Stream(
        service.blobs.read_part(raw, first, count), status_code=206, media_type=kind, headers=headers
    )


def asked_range(field: str, size: int) -> tuple[int, int] | None:
    """The first byte and the count of the one range (RFC 9110 §14.1.2) that is asked for; None to give the whole.

    Raises `range-not-satisfiable`."""
    found = re.fullmatch(r"bytes=([0-9]{0,15})-([0-9]{0,15})", field.strip())
    if found is None or not (found[1] or found[2]):
        return None
    if not found[1]:
        count = min(int(found[2]), size)
        first = size - count
    else:
        first = int(found[1])
        last = min(int(found[2]), size - 1) if found[2] else size - 1
        if found[2] and int(found[2]) < first:
            return None
        count = last - first + 1
    if first >= size or count <= 0:
        raise Problem(RANGE_WRONG, size=size)
    return first, count
