"""How the service answers: JSON, entity tags, and problems as RFC 9457 has them, in the language that is asked for."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from hashlib import sha256
from typing import Any
from uuid import uuid4

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException, InternalServerException

from gardesh import wire
from gardesh.model.problem import Problem, define
from gardesh.record.database import STORE_UNUSABLE
from gardesh.web import malformed

NO_SUCH_RESOURCE = define(
    "no-such-resource",
    404,
    en="There is nothing at {path}.",
    fa="در {path} چیزی نیست.",
    hint_en="/openapi.json describes what there is.",
    hint_fa="در /openapi.json آمده است که چه چیزهایی هست.",
)
METHOD_NOT_ALLOWED = define(
    "method-not-allowed",
    405,
    en="{method} is not possible at {path}.",
    fa="{method} در {path} ممکن نیست.",
)
BODY_TOO_LARGE = define(
    "body-too-large",
    413,
    en="The body has more than the {limit} bytes that are read here.",
    fa="بدنه بیش از {limit} بایتی دارد که در اینجا خوانده می‌شود.",
)
CUT_OFF = define(
    "request-cut-off",
    400,
    en="The connection ended before the body did.",
    fa="اتصال پیش از پایان بدنه قطع شد.",
)
SLOW = define(
    "request-slow",
    408,
    en="Nothing of the body came for {seconds} seconds.",
    fa="{seconds} ثانیه چیزی از بدنه نرسید.",
)
TRICKLES = define(
    "request-trickles",
    408,
    en="The body comes too slowly: {bytes} bytes so far, and at least {least} a second are waited for.",
    fa="بدنه بسیار کند می‌رسد: تاکنون {bytes} بایت؛ دست‌کم {least} بایت در ثانیه انتظار می‌رود.",
)
MEDIA_TYPE = define(
    "media-type-unknown",
    415,
    en="A body of type {given} is not read here; send {wanted}.",
    fa="بدنه‌ای از نوع {given} در اینجا خوانده نمی‌شود؛ {wanted} بفرستید.",
)
CODED = define(
    "body-coded",
    415,
    en="A body in the coding {coding} is not read here; send it as it is.",
    fa="بدنه با کدگذاری {coding} در اینجا خوانده نمی‌شود؛ آن را همان‌گونه که هست بفرستید.",
)
NODE_FAULT = define(
    "node-fault",
    500,
    en="This is a fault of the node, not of your request. Nothing was half written.",
    fa="این خطا از گره است، نه از درخواست شما. چیزی نیمه‌کاره نوشته نشد.",
    hint_en="Whoever runs the node finds it in its log by the name in `instance`.",
    hint_fa="گرداننده‌ی گره آن را با نام «instance» در گزارش خود می‌یابد.",
)
PRIVATE = "private, no-cache"
PROBLEM = "application/problem+json"
_encoder = msgspec.json.Encoder(decimal_format="number")


def language(accepted: str) -> str:
    """`fa` or `en`, as Accept-Language (RFC 9110 §12.5.4) prefers; `en` where it says neither."""
    best, found = 0.0, "en"
    for part in accepted[:500].split(","):
        tag, _, weight = part.strip().partition(";")
        name = tag.split("-")[0].strip().lower()
        match = re.fullmatch(r"\s*q=([01](?:\.[0-9]{0,3})?)", weight) if weight else None
        quality = float(match[1]) if match else 0.0 if weight else 1.0
        if name in ("fa", "en") and quality > best:
            best, found = quality, name
    return found


OUTSIDE = {
    STORE_UNUSABLE: wire.Texts(
        en="The record of the node cannot be used now.", fa="انباره‌ی گره اکنون در دسترس نیست."
    ),
    "object-store-unusable": wire.Texts(
        en="The attachments of the node cannot be used now.", fa="پیوست‌های گره اکنون در دسترس نیست."
    ),
}
"""What strangers are told of these: where the record or its attachments are, and what is wrong there, is none of their business.
The node's log has the reason."""


class Outside(Problem):
    """One of these, as strangers may read it."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.code, problem.pointer)

    def sentence(self, lang: str) -> str:
        return OUTSIDE[self.code].fa if lang == "fa" else OUTSIDE[self.code].en


def outside(problem: Problem) -> Problem:
    """The problem as strangers may read it."""
    return Outside(problem) if problem.code in OUTSIDE else problem


def note(request: Request[Any, Any, Any], problem: Problem) -> None:
    """For the node's log: what the request was refused with, and the reason that strangers are not told."""
    request.scope["state"]["code"] = problem.code
    if problem.code in OUTSIDE:
        request.scope["state"]["reason"] = problem.params.get("reason")


def details(problem: Problem, lang: str, instance: str | None = None) -> wire.ProblemDetails:
    """A problem as the API gives it."""
    problem = outside(problem)
    hints = wire.Texts(problem.hint("en"), problem.hint("fa")) if problem.kind.hint_en else None
    return wire.ProblemDetails(
        type=f"urn:gardesh:problem:{problem.code}",
        status=problem.kind.status,
        code=problem.code,
        detail=problem.sentence(lang),
        sentences=wire.Texts(problem.sentence("en"), problem.sentence("fa")),
        pointer=problem.pointer,
        params=dict(problem.params),
        hint=problem.hint(lang) or None,
        hints=hints,
        instance=instance,
    )


def refusal(request: Request[Any, Any, Any], problem: Problem) -> Response[bytes]:
    """The answer that tells of a problem."""
    lang = language(request.headers.get("accept-language", ""))
    instance = f"urn:uuid:{request.scope['state'].get('request_id') or uuid4()}"
    headers = {"content-language": lang, "cache-control": "no-store", "vary": "accept-language"}
    status = problem.kind.status
    if status == 401:
        headers["www-authenticate"] = (
            'Bearer realm="gardesh", Signature realm="gardesh";headers="@method @target-uri content-digest"'
        )
    if "wait" in problem.params:
        headers["retry-after"] = str(problem.params["wait"])
    elif status == 503:
        headers["retry-after"] = "1"
    return Response(
        _encoder.encode(details(problem, lang, instance)),
        status_code=status,
        media_type=PROBLEM,
        headers=headers,
    )


def on_problem(request: Request[Any, Any, Any], problem: Problem) -> Response[bytes]:
    note(request, problem)
    return refusal(request, problem)


def on_http(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """What the framework refuses, said as a problem of ours."""
    path, method = request.url.path[:200], request.scope["state"].get("method", request.method)
    if error.status_code == 404:
        problem = Problem(NO_SUCH_RESOURCE, path=path)
    elif error.status_code == 405:
        problem = Problem(METHOD_NOT_ALLOWED, path=path, method=method)
    elif error.status_code == 413:
        problem = Problem(BODY_TOO_LARGE, limit=1 << 20)
    elif 400 <= error.status_code < 500:
        problem = malformed.of_http(error)
    else:
        return on_fault(request, error)
    answer = on_problem(request, problem)
    if error.status_code == 405 and error.headers:
        answer.headers.update({k: v for k, v in error.headers.items() if k.lower() == "allow"})
    return answer


def on_fault(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """A fault of ours: said as one, and kept for the log with its trace."""
    request.scope["state"]["fault"] = error
    return on_problem(request, Problem(NODE_FAULT))


def json(value: Any, status: int = 200, **headers: str) -> Response[bytes]:
    """An answer in JSON that nobody else may keep."""
    made = {"cache-control": PRIVATE, **{k.replace("_", "-"): v for k, v in headers.items()}}
    return Response(_encoder.encode(value), status_code=status, media_type="application/json", headers=made)


def tagged(request: Request[Any, Any, Any], value: Any, cache: str = PRIVATE) -> Response[bytes]:
    """An answer in JSON with an entity tag; 304 without a body to who holds it (RFC 9110 §13.1.2)."""
    return tagged_bytes(request, _encoder.encode(value), "application/json", cache)


def tagged_bytes(
    request: Request[Any, Any, Any], body: bytes, kind: str, cache: str = PRIVATE
) -> Response[bytes]:
    tag = f'"{sha256(body).hexdigest()[:32]}"'
    headers = {"etag": tag, "cache-control": cache}
    if tag in held(request):
        return Response(b"", status_code=304, headers=headers, media_type=kind)
    return Response(body, media_type=kind, headers=headers)


def gives_body(request: Request[Any, Any, Any]) -> bool:
    """Whether the answer is sent with its body: not where only its head is asked for."""
    return bool(request.scope["state"]["method"] != "HEAD")


def held(request: Request[Any, Any, Any]) -> list[str]:
    """The entity tags that If-None-Match names, weak ones as strong."""
    given = request.headers.get("if-none-match", "")[:2000]
    return re.findall(r'"[^"]*"', given)


async def body_of(request: Request[Any, Any, Any], limit: int) -> bytes:
    """The body of a request. Raises `body-too-large` before more than `limit` bytes are in memory."""
    said = request.headers.get("content-length", "")
    if said.isdecimal() and int(said) > limit:
        raise Problem(BODY_TOO_LARGE, limit=limit)
    parts, size = [], 0
    async for chunk in stream_of(request):
        size += len(chunk)
        if size > limit:
            raise Problem(BODY_TOO_LARGE, limit=limit)
        parts.append(chunk)
    return b"".join(parts)


async def stream_of(request: Request[Any, Any, Any]) -> AsyncIterator[bytes]:
    """The body of a request as it comes, however long it is. Raises `request-cut-off`."""
    try:
        while True:
            message = await request.receive()
            if message["type"] == "http.disconnect":
                raise Problem(CUT_OFF)
            if message["type"] == "http.request":
                yield message["body"]
                if not message.get("more_body", False):
                    return
    except InternalServerException:
        raise Problem(CUT_OFF) from None


def on_deep(request: Request[Any, Any, Any], error: RecursionError) -> Response[bytes]:
    """What is nested deeper than anybody can read."""
    return on_problem(request, malformed.in_body(malformed.DEEP))
