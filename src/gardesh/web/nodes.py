"""Between nodes: what another node proves is brought here, and documents for a case elsewhere are sent on."""

from __future__ import annotations

from typing import Annotated

import httpx
import msgspec
from litestar import Response, post
from litestar.openapi.spec import OpenAPIType, Schema
from litestar.params import QueryParameter

from gardesh import wire
from gardesh.access import Access
from gardesh.client.asynchronous import AsyncClient
from gardesh.client.call import Refused, Unexpected
from gardesh.exchange import evidence
from gardesh.model import http_signature
from gardesh.model.problem import Problem, define
from gardesh.record.cases import NO_SUCH_CASE
from gardesh.web import answer
from gardesh.web.answer import MEDIA_TYPE, PROBLEM
from gardesh.web.description import HEX, SIGNED, TAKES, WRITES, gives, refuses, shown, takes
from gardesh.web.documents import ACCEPTED, EXAMPLE, READ_KINDS, SD_JWT, accepted
from gardesh.web.peers import Bounded
from gardesh.web.service import Asked, Service, service_of

ZIP = "application/zip"
NODE_SILENT = define(
    "node-silent",
    502,
    en="The node with the log {log} gave no answer: {reason}. Send the document again; it is taken once.",
    fa="گره دارای دفتر {log} پاسخی نداد: {reason}. سند را دوباره بفرستید؛ تنها یک بار پذیرفته می‌شود.",
)
NOT_RELAYED = define(
    "not-relayed",
    403,
    en="This node does not send documents on to the node with the log {log}.",
    fa="این گره سندی را به گره دارای دفتر {log} نمی‌فرستد.",
)
MOST_ANSWER = 1 << 20


async def body_by(request: Asked, limit: int) -> tuple[Access, bytes]:
    """Who asks, and then the body: of nobody in particular, nothing large is taken. Raises as `Service.ask`."""
    service = service_of(request)
    access = await service.ask(request, lambda found: found, None)
    body = await answer.body_of(request, limit)
    if "signature-input" in request.headers:
        http_signature.check_digest(request.headers.get("content-digest", ""), body)
    service.charge(request, len(body))
    return access, body


@post(
    "/evidence",
    status_code=201,
    summary="Bring what another node proves",
    operation_class=takes(
        ZIP,
        Schema(type=OpenAPIType.STRING, content_media_type=ZIP),
        "…",
        "The case file of a case that was opened on another node for a slot here.",
    ),
    responses={
        **gives(wire.Accepted, ACCEPTED, status=201, says="The mirror of the report, in the slot that asked for it."),
        **refuses(*TAKES, 401, 403, 404, 409, 415, WRITES, 422),
    },
    security=SIGNED,
)  # fmt: skip
async def bring(request: Asked) -> Response[bytes]:
    """Anybody who has the case file may bring it: it is believed by its proofs, under the keys and witnesses that the
    register core/nodes names. The newest report that is known counts; what is known already gives the same answer again. To
    who has no part in the case here, a refusal tells nothing of the case."""
    service = service_of(request)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != ZIP:
        raise Problem(MEDIA_TYPE, given=kind[:100], wanted=ZIP)
    access, body = await body_by(request, service.configuration.limits.evidence_bytes)
    try:
        told = await service.peers.bring(body)
    except Problem as problem:
        service.counts.evidence.labels("refused").inc()
        case = str(problem.params.get("case", ""))
        if problem.code in evidence.OF_THE_CASE:
            seen = await service.desk.ask(lambda node: Access(node, access.org, access.now).takes_part(case))
            if not seen:
                raise Problem(NO_SUCH_CASE, case=case) from None
        raise
    service.counts.evidence.labels("taken").inc()
    return answer.json(accepted(told), 201, location=f"/v1/documents/{told.digest.hex()}")


@post(
    "/relay",
    status_code=200,
    summary="Send a document on to another node",
    operation_class=takes(
        SD_JWT,
        Schema(type=OpenAPIType.STRING, content_media_type=SD_JWT),
        EXAMPLE,
        "A signed document for a case on another node, or one that opens a case there.",
    ),
    responses={
        **gives(wire.Accepted, {**ACCEPTED, "digest": HEX}, says="Accepted there; the receipt is of the log there."),
        **refuses(*TAKES, 401, 403, 409, 415, WRITES, 422, 502),
    },
    security=SIGNED,
)  # fmt: skip
async def relay(
    request: Asked,
    log: Annotated[
        str,
        QueryParameter(
            description="The origin of the log of the node where the case lives.",
            max_length=255,
            examples=shown("other.example/log"),
        ),
    ],
) -> Response[bytes]:
    """For who does not reach that node itself. The node there judges the document, and its receipt is verified here before it
    is given; a refusal is passed on as it came. Nothing is recorded here. Attachments are not sent on: whoever names them
    puts them there."""
    service = service_of(request)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in READ_KINDS:
        raise Problem(MEDIA_TYPE, given=kind[:100], wanted=SD_JWT)
    access, body = await body_by(request, service.configuration.limits.document_bytes)
    value = await service.desk.ask(lambda node: evidence.recognised(node, log, access.now))
    url = allowed(service, log, str(value["url"]))
    trusted = evidence.log_policy(log, value)
    bounded = Bounded(httpx.AsyncHTTPTransport(), MOST_ANSWER)
    seconds = service.configuration.nodes.timeout_seconds
    try:
        async with AsyncClient(url, policy=trusted, timeout=seconds, transport=bounded) as there:
            told = await there.submit(body.strip())
    except Refused as refused:
        lang = {"content-language": answer.language(request.headers.get("accept-language", ""))}
        content = msgspec.json.encode(refused.details)
        return Response(content, status_code=refused.status, media_type=PROBLEM, headers=lang)
    except (httpx.HTTPError, httpx.InvalidURL, Unexpected, TimeoutError, OSError) as error:
        raise Problem(NODE_SILENT, log=log, reason=type(error).__name__) from None
    return answer.json(told)


def allowed(service: Service, log: str, url: str) -> str:
    """The address that documents are sent on to. Raises `not-relayed`."""
    settings = service.configuration.nodes
    if not settings.relay or not url.startswith(
        ("https://", "http://") if settings.allow_http else "https://"
    ):
        raise Problem(NOT_RELAYED, log=log)
    return url
