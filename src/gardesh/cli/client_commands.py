"""For who speaks to a node from elsewhere, with nothing but a key here: an access token, and the signature of a draft."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import httpx
import msgspec
import typer

from gardesh import wire
from gardesh.cli import output
from gardesh.cli.files import read_file
from gardesh.cli.home import keys
from gardesh.cli.signed_file import Cose, give
from gardesh.client.call import Refused, typed
from gardesh.client.signing import refusal, token_request
from gardesh.model import canonical, claims
from gardesh.model.calendar import iso
from gardesh.model.document import SUBJECT_MISSING
from gardesh.model.document import sign as sign_document
from gardesh.model.problem import Problem, define
from gardesh.record.clock import salt

NODE_UNREACHABLE = define(
    "node-unreachable",
    503,
    en="The node at {url} gives no answer: {reason}.",
    fa="گره در {url} پاسخی نمی‌دهد: {reason}.",
)
TOKEN_REFUSED = define(
    "token-refused",
    401,
    en="The node at {url} gives no token: {reason}.",
    fa="گره در {url} توکن نمی‌دهد: {reason}.",
)
DRAFT_MALFORMED = define(
    "draft-malformed",
    400,
    en="{file} is not a draft that a node gave: {reason}.",
    fa="{file} پیش‌نویسی نیست که گره داده باشد: {reason}.",
)
DRAFT_ISSUER = define(
    "draft-of-another",
    403,
    en="The draft is of {issuer}, not of {org}.",
    fa="پیش‌نویس از آنِ {issuer} است، نه {org}.",
)


def token(
    org: Annotated[str, typer.Argument(help="The organisation; its key is on this machine.")],
    url: Annotated[str, typer.Option("--url", help="The node, as https://node.example.")],
    role: Annotated[
        list[str] | None,
        typer.Option("--role", help="Act in this role alone; may be repeated. Default: all held."),
    ] = None,
) -> None:
    """Print an access token for a node's HTTP API: for curl, and for other programs. It lives some minutes."""
    try:
        request = token_request(org, keys().load(org), url.rstrip("/"), role or ())
        with httpx.Client(timeout=30) as http:
            response = http.send(request)
    except (httpx.TransportError, httpx.InvalidURL, ValueError) as error:
        raise Problem(NODE_UNREACHABLE, url=url, reason=str(error)) from None
    if response.status_code != 200:
        raise Problem(TOKEN_REFUSED, url=url, reason=reason_of(response))
    made = typed(wire.Token)(response)
    if output.as_json():
        output.emit(msgspec.to_builtins(made))
        return
    typer.echo(made.access_token)


def reason_of(response: httpx.Response) -> str:
    """What the node says of its refusal, in the language asked for."""
    said = refusal(response)
    if isinstance(said, Refused):
        return str(getattr(said.details.sentences, output.lang())).rstrip(".")
    return str(said)


def sign_draft(
    draft: Annotated[Path, typer.Argument(help="What POST /v1/drafts answered; - for standard input.")],
    issuer: Annotated[
        str, typer.Option("--as", help="The organisation that signs; its key is on this machine.")
    ],
    subject: Annotated[Path | None, typer.Option("--subject", help="JSON file with the subject.")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Write the document here.")] = None,
    cose: Cose = False,
) -> None:
    """Look at a draft and sign it. What it says is shown, on standard error, before it is signed."""
    file = str(draft)
    try:
        given = msgspec.json.decode(read_file(draft), type=wire.Draft)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise Problem(DRAFT_MALFORMED, file=file, reason=str(error)) from None
    said = claims.read(given.claims)
    if said["issuer"] != issuer:
        raise Problem(DRAFT_ISSUER, issuer=said["issuer"], org=issuer)
    content: Any = canonical.decode(read_file(subject)) if subject is not None else {}
    if not isinstance(content, dict):
        raise Problem(SUBJECT_MISSING, "/credentialSubject")
    show(said)
    key = keys().load(issuer)
    give(sign_document(given.claims, content, key, salt=salt, disclosable=given.disclosable), key, cose, out)


def show(said: Any) -> None:
    """Everything that the draft says but for its subject, for the eyes of who signs; on standard error, also for programs."""
    rows = [
        ("type", "گونه", said["type"]), ("pack", "بسته", said["pack"]), ("procedure", "رویه", said["procedure"]),
        ("case", "پرونده", said["case"]), ("step", "گام", said["step"]), ("key", "کلید", said["key"]),
        ("act", "کنش", said["act"]), ("outcome", "نتیجه", said["outcome"]), ("from", "از", said["reach"]),
        ("valid from", "اعتبار از", iso(said["valid_from_ms"])),
        ("valid until", "اعتبار تا", iso(said["valid_until_ms"]) if said["valid_until_ms"] is not None else None),
        ("replaces", "به‌جای", said["replaces"]), ("names", "نام می‌برد از", said["names"]),
        ("for the slot", "برای جایگاه", " ".join(said["for_slot"]) if said["for_slot"] else None),
        ("rests on", "بر پایه‌ی", ", ".join(f"{slot} {digest.hex()[:12]}" for slot, digest in said["basis"]) or None),
        *(("deficiency", "نقص", f"{d['step']}{d['field']}: {d['reason'][output.lang()]}") for d in said["deficiencies"]),
        *(("attachment", "پیوست", f"{a.get('name') or ''} {a['mediaType']} {a['size']} {a['id'][-64:]}") for a in said["attachments"]),
    ]  # fmt: skip
    for en, fa, value in rows:
        if value is not None:
            output.errors.print(f"{output.t(en, fa)}: {output.ltr(str(value))}", markup=False)
