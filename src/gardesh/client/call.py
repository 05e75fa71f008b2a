"""What is asked of a node and how its answers are read, without any I/O: one description for both clients."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, BinaryIO, Generic, TypeVar
from urllib.parse import quote

import httpx
import msgspec

from gardesh import wire
from gardesh.model import claims, concise_problem, cose_receipt, signed_statement
from gardesh.model.calendar import iso, parse_instant
from gardesh.model.canonical import Limits
from gardesh.model.claim_elsewhere import SlotName
from gardesh.model.policy import Policy
from gardesh.model.problem import Problem
from gardesh.model.receipt import Receipt, parse, verify
from gardesh.model.tile import entries_path, tile_path

T = TypeVar("T")
SD_JWT = "application/vc+sd-jwt"
JSON = {"content-type": "application/json"}
MEMBERS = frozenset(
    ("@context", "type", "issuer", "validFrom", "validUntil", "circulation", "relatedResource", "attachments")
)
APART = 600_000
"""How far, in ms, the time of a draft may be from the client's own."""


class Refused(Exception):
    """The node refused. `details` is the problem as the node gave it (RFC 9457)."""

    def __init__(self, details: wire.ProblemDetails) -> None:
        self.details = details
        self.code, self.status = details.code, details.status
        super().__init__(f"{details.code}: {details.sentences.en}")


class Unexpected(Exception):
    """The answer is none that a node gives: something else is at this address, or between."""


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """A request, and how its answer is read. `repeatable`: whether it may be sent again when no answer came."""

    method: str
    path: str
    read: Callable[[httpx.Response], T]
    params: Mapping[str, str | int] = field(default_factory=dict)
    content: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    repeatable: bool = True


def problem_of(response: httpx.Response) -> Exception:
    """What a refusal says. `Unexpected` for one that no node gives."""
    kind = response.headers.get("content-type", "").partition(";")[0]
    try:
        if kind == "application/problem+json":
            return Refused(msgspec.json.decode(response.content, type=wire.ProblemDetails))
        if kind == concise_problem.MEDIA_TYPE:
            return Refused(details_of(concise_problem.read(response.content)))
    except (msgspec.MsgspecError, Problem):
        pass
    return Unexpected(f"{response.request.method} {response.request.url.path}: {response.status_code} {kind}")


def details_of(told: concise_problem.Concise) -> wire.ProblemDetails:
    """A refusal of SCITT's resources as the others have it; its `detail` is English."""
    kind, sentences = f"urn:gardesh:problem:{told.code}", wire.Texts(told.en, told.fa)
    return wire.ProblemDetails(kind, told.status, told.code, told.en, sentences, told.pointer)


def settled(asked: Call[T], response: httpx.Response, lost: bool) -> bool:
    """Whether this answers what was asked: also "not there" to a removal whose first answer was `lost` on the way."""
    return response.is_success or (lost and asked.method == "DELETE" and response.status_code == 404)


def typed(shape: type[T]) -> Callable[[httpx.Response], T]:
    decoder = msgspec.json.Decoder(shape)

    def read(response: httpx.Response) -> T:
        try:
            return decoder.decode(response.content)
        except msgspec.MsgspecError as error:
            raise Unexpected(str(error)) from None

    return read


def get(path: str, shape: type[T], **params: str | int | None) -> Call[T]:
    return Call("GET", path, typed(shape), {k: v for k, v in params.items() if v is not None})


def further(cursor: str | None, following: str | None) -> str | None:
    """Where the next page begins. Raises `Unexpected` for a node that would lead round in a circle."""
    if following is not None and following == cursor:
        raise Unexpected("the next page is the same again")
    return following


def submit(document: bytes, policy: Policy | None) -> Call[wire.Accepted]:
    """Submit a document; with `policy`, its receipt is verified against what was sent."""

    def read(response: httpx.Response) -> wire.Accepted:
        told = typed(wire.Accepted)(response)
        if policy is not None:
            proven(
                told.digest, told.position, told.recorded_at, parse(told.receipt.encode()), document, policy
            )
        return told

    return Call("POST", "/v1/documents", read, content=document, headers={"content-type": SD_JWT})


def submit_all(documents: Sequence[bytes], policy: Policy | None) -> Call[wire.BundleAnswer]:
    """Submit a bundle; with `policy`, the receipt of each that was accepted is verified."""

    def read(response: httpx.Response) -> wire.BundleAnswer:
        told = typed(wire.BundleAnswer)(response)
        if len(told.answers) != len(documents):
            raise Unexpected("not one answer for each document")
        for item, document in zip(told.answers, documents, strict=True):
            if policy is not None and item.problem is None:
                proven(item.digest, item.position, item.recorded_at, receipt_of(told, item), document, policy)
        return told

    content = msgspec.json.encode([d.decode() for d in documents])
    return Call("POST", "/v1/documents/bundle", read, content=content, headers=JSON)


def proven(
    digest: str | None,
    position: int | None,
    recorded_at: str | None,
    receipt: Receipt,
    document: bytes,
    policy: Policy,
) -> None:
    """That the receipt is of the document that was sent, and says what the answer says. Raises `Unexpected`, and as
    `receipt.verify`."""
    mine = sha256(document.strip().partition(b"~")[0]).digest()
    if digest != mine.hex():
        raise Unexpected("the answer is about another document")
    if receipt.position != position or iso(receipt.recorded_at) != recorded_at:
        raise Unexpected("the receipt says otherwise than the answer")
    verify(receipt, mine, policy)


def receipt_of(bundle: wire.BundleAnswer, item: wire.BundleItem) -> Receipt:
    """The receipt of one document of a bundle. Raises ValueError for one that was not accepted."""
    if item.position is None or item.recorded_at is None or item.proof is None:
        raise ValueError("this document was not accepted")
    return Receipt(
        item.position, parse_instant(item.recorded_at), tuple(item.proof), bundle.checkpoint.encode()
    )


def read_document(name: str, purpose: str) -> Call[bytes]:
    """What comes back is the document of that name, where the name is a digest; else `Unexpected`."""

    def read(response: httpx.Response) -> bytes:
        found = sha256(response.content.partition(b"~")[0]).hexdigest()
        if len(name) == 64 and found != name:
            raise Unexpected("this is another document")
        return response.content

    return Call("GET", f"/v1/documents/{name}", read, {"purpose": purpose})


def receipt(name: str, policy: Policy | None) -> Call[bytes]:
    """With `policy`, the receipt is verified, where the name is a digest."""

    def read(response: httpx.Response) -> bytes:
        if policy is not None and len(name) == 64:
            verify(parse(response.content), bytes.fromhex(name), policy)
        return response.content

    return Call("GET", f"/v1/documents/{name}/receipt", read)


def bring(file: bytes) -> Call[wire.Accepted]:
    return Call(
        "POST",
        "/v1/evidence",
        typed(wire.Accepted),
        content=file,
        headers={"content-type": "application/zip"},
    )


def relay(document: bytes, log: str, policy: Policy | None) -> Call[wire.Accepted]:
    """As `submit`, by way of another node; `policy` is of the log there."""
    direct = submit(document, policy)
    return Call("POST", "/v1/relay", direct.read, {"log": log}, document, direct.headers)


def case_file(name: str) -> Call[bytes]:
    return Call("GET", f"/v1/cases/{name}/file", lambda r: r.content)


def entry(register: str, key: str, as_of: str | None) -> Call[wire.Entry]:
    return get(f"/v1/registers/{register}/{quote(key, safe='/')}", wire.Entry, as_of=as_of)


def draft(wanted: wire.DraftWanted) -> Call[wire.Draft]:
    content = msgspec.json.encode(wanted)
    return Call("POST", "/v1/drafts", typed(wire.Draft), content=content, headers=JSON)


def begin_upload() -> Call[wire.Upload]:
    return Call("POST", "/v1/uploads", typed(wire.Upload), repeatable=False)


def append(upload: str, offset: int, data: bytes, last: bool) -> Call[wire.Upload]:
    """Not repeatable as it is: after a lost answer, ask `offset_of` first."""
    headers = {
        "content-type": "application/partial-upload",
        "upload-offset": str(offset),
        "upload-complete": "?1" if last else "?0",
    }
    return Call(
        "PATCH", f"/v1/uploads/{upload}", typed(wire.Upload), content=data, headers=headers, repeatable=False
    )


def before(stream: BinaryIO, offset: int, size: int) -> Iterator[bytes]:
    """What of an attachment was sent before. Raises `Unexpected` for a stream that is shorter than that."""
    while offset:
        piece = stream.read(min(size, offset))
        if not piece:
            raise Unexpected("more was sent than there is")
        offset -= len(piece)
        yield piece


def offset_of(upload: str) -> Call[int]:
    return Call("HEAD", f"/v1/uploads/{upload}", lambda r: int(r.headers["upload-offset"]))


def cancel(upload: str) -> Call[None]:
    return Call("DELETE", f"/v1/uploads/{upload}", lambda r: None)


def checkpoint() -> Call[bytes]:
    return Call("GET", "/log/checkpoint", lambda r: r.content)


def tile(level: int, index: int, width: int) -> Call[bytes]:
    return Call("GET", f"/log/{tile_path(level, index, width)}", lambda r: r.content)


def entry_bundle(index: int, width: int) -> Call[bytes]:
    return Call("GET", f"/log/{entries_path(index, width)}", lambda r: r.content)


def register(statement: bytes, policy: Policy | None) -> Call[bytes]:
    """Register a Signed Statement; with `policy`, the receipt is verified against the document in it."""

    def read(response: httpx.Response) -> bytes:
        if policy is not None:
            sent = signed_statement.read(statement, Limits(size=len(statement)))
            cose_receipt.verify_by(response.content, sent.document.digest, policy)
        return response.content

    return Call("POST", "/entries", read, content=statement, headers={"content-type": "application/cose"})


def make_webhook(url: str, roles: Sequence[str] | None) -> Call[wire.NewWebhook]:
    """Not repeatable: sent twice it may make two."""
    wanted = wire.WebhookWanted(url, list(roles) if roles is not None else None)
    content = msgspec.json.encode(wanted)
    return Call(
        "POST", "/v1/webhooks", typed(wire.NewWebhook), content=content, headers=JSON, repeatable=False
    )


def remove_webhook(name: str) -> Call[None]:
    return Call("DELETE", f"/v1/webhooks/{name}", lambda r: None)


def resume_webhook(name: str, after: int | None) -> Call[wire.Webhook]:
    """With `after` not repeatable: sent twice, notices would go out once more than was asked."""
    content = msgspec.json.encode(wire.Resume(after))
    return Call(
        "POST", f"/v1/webhooks/{name}/resume", typed(wire.Webhook), content=content, headers=JSON,
        repeatable=after is None,
    )  # fmt: skip


def checked(told: wire.Draft, wanted: wire.DraftWanted, org: str, now: int) -> dict[str, Any]:
    """The claims of a draft, if they are what was asked for: nobody signs unseen what somebody else wrote. `now` in ms.

    What a draft adds is the case's own: the type and the pack's version, the documents it rests on, the one that it
    replaces. That these are right is for who signs to look at. Raises `Unexpected`, and as `claims.read`.
    """
    if beyond := sorted(told.claims.keys() - MEMBERS):
        raise Unexpected(f"the draft has a member {beyond[0]}")
    said: dict[str, Any] = dict(claims.read(told.claims))
    blobs = [
        claims.attachment(bytes.fromhex(a.digest), a.media_type, a.size, a.name)
        for a in wanted.attachments or ()
    ]
    asked = wanted.for_slot
    slot = SlotName(asked.case, asked.step, asked.key, asked.log) if asked is not None else None
    expected: dict[str, Any] = {
        "issuer": org, "case": wanted.case, "step": wanted.step, "key": wanted.key or None, "act": wanted.act,
        "outcome": wanted.outcome, "reach": wanted.reach, "names": None, "for_slot": slot, "attachments": tuple(blobs),
        "valid_until_ms": parse_instant(wanted.valid_until) if wanted.valid_until is not None else None,
    }  # fmt: skip
    if wanted.procedure is not None:
        expected["procedure"] = wanted.procedure.partition("/")[2]
    if wanted.act == "issue":
        expected["replaces"] = None
    for name, value in expected.items():
        if said[name] != value:
            raise Unexpected(f"the draft says {said[name]!r} as {name}, not {value!r}")
    if wanted.procedure is not None and said["pack"].partition("@")[0] != wanted.procedure.partition("/")[0]:
        raise Unexpected("the draft is of another pack")
    if abs(said["valid_from_ms"] - now) > APART:
        raise Unexpected("the draft is of another time")
    deficient = [(d["step"], d["field"], d.get("key"), d["reason"]) for d in said["deficiencies"]]
    if deficient != [(d.step, d.field, d.key, d.reason) for d in wanted.deficiencies or ()]:
        raise Unexpected("the draft names other deficiencies")
    return told.claims


def ack(upto: int, consumer: str) -> Call[wire.Acked]:
    content = msgspec.json.encode(wire.Ack(upto, consumer))
    return Call("POST", "/v1/inbox/ack", typed(wire.Acked), content=content, headers=JSON)


def notice(data: str) -> wire.Notice:
    try:
        return msgspec.json.decode(data, type=wire.Notice)
    except msgspec.MsgspecError as error:
        raise Unexpected(str(error)) from None


class Events:
    """The lines of an event stream, put together: gives the data of each notice."""

    def __init__(self) -> None:
        self._event: dict[str, str] = {}

    def line(self, line: str) -> str | None:
        """The data of a notice that this line completes. Raises `Refused` where the node ended the stream."""
        if line:
            name, _, value = line.partition(": ")
            self._event[name] = value
            return None
        event, self._event = self._event, {}
        if event.get("event") == "end":
            raise Refused(msgspec.json.decode(event["data"], type=wire.ProblemDetails))
        return event["data"] if event.get("event") == "notice" else None


def events(response: httpx.Response) -> Iterator[str]:
    made = Events()
    for line in response.iter_lines():
        if (data := made.line(line)) is not None:
            yield data


async def aevents(response: httpx.Response) -> AsyncIterator[str]:
    made = Events()
    async for line in response.aiter_lines():
        if (data := made.line(line)) is not None:
            yield data
