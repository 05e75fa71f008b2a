"""What may not be read and what is not there: no answer tells the one from the other, by any byte of it."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from served import Served

from gardesh.model.document import attachment, compose, sign
from gardesh.record.clock import salt
from market import Market, application, key_of

pytestmark = pytest.mark.store

ABSENT, NO_ID = "5a" * 32, "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
VARYING = ("date", "x-request-id")


class Held:
    """A market with something of ali's behind every kind of name. None of `OUTSIDERS` has a part in any of it."""

    def __init__(self, served: Served) -> None:
        self.served = served
        digest, size = served.server.service.blobs.put(io.BytesIO(b"secret" * 99), "ali")
        self.attached = digest.hex()

        def make(market: Market) -> str:
            market.area()
            claim = attachment(digest, "text/plain", size)
            return market.do("ali", "application", application(reference="R-77"), attachments=[claim])

        self.case = served.do(make)
        self.position = str(served.do(lambda m: m.node.sequencer.size - 1))
        self.registered = served.do(lambda m: m.licensed("L-9"))
        with served.by("ali") as ali:
            self.upload = ali.post("/v1/uploads").json()["id"]
            self.webhook = ali.post("/v1/webhooks", json={"url": "https://1.1.1.1/"}).json()["id"]
            self.tag = ali.get(f"/v1/documents/{self.case}?purpose=own").headers["etag"]


@pytest.fixture(scope="module")
def held(shared: Served) -> Held:
    return Held(shared)


def asks(path: str, method: str = "GET", **more: Any) -> Callable[[httpx.Client, Held, str], httpx.Response]:
    """A request in which NAME is the name asked for, and CASE, ATTACHED and TAG are what they are called."""

    def ask(who: httpx.Client, held: Held, name: str) -> httpx.Response:
        def filled(text: str) -> str:
            for mark, value in (("CASE", held.case), ("ATTACHED", held.attached), ("TAG", held.tag[1:-1])):
                text = text.replace(mark, value)
            return text.replace("NAME", name)

        return who.request(method, filled(path), **json.loads(filled(json.dumps(more))))

    return ask


ASKED: list[tuple[str, str, str, Any]] = [
    *(
        (f"GET /v1/documents/{{name}}{of}", what, absent, asks(f"/v1/documents/NAME{of}{query}", **more))
        for of, query in (("", "?purpose=x"), ("/receipt", ""), ("/readers", ""))
        for what, absent in (("case", ABSENT), ("position", "987654321"))
        for more in (
            {}, {"headers": {"if-none-match": "*"}}, {"headers": {"if-none-match": '"TAG"'}},
            {"headers": {"range": "bytes=0-9"}}, {"headers": {"accept-language": "fa"}},
        )
    ),
    *(
        ("GET /v1/documents/{name}/attachments/{digest}", *asked, asks(path, **more))
        for asked, path in (
            (("case", ABSENT), "/v1/documents/NAME/attachments/ATTACHED?purpose=x"),
            (("attached", ABSENT), "/v1/documents/CASE/attachments/NAME?purpose=x"),
        )
        for more in ({}, {"headers": {"range": "bytes=0-9"}}, {"headers": {"if-none-match": '"ATTACHED"'}})
    ),
    *(
        (f"GET /v1/cases/{{name}}{of}", what, absent, asks(f"/v1/cases/NAME{of}"))
        for of in ("", "/file", "/documents", "/plan", "/why")
        for what, absent in (("case", ABSENT), ("position", "987654321"))
    ),
    ("POST /v1/drafts", "case", ABSENT, asks("/v1/drafts", "POST", json={"step": "objection", "case": "NAME", "key": "k"})),
    ("POST /v1/drafts", "case", ABSENT, asks("/v1/drafts", "POST", json={"step": "no-such-step", "case": "NAME"})),
    ("GET /v1/registers/{pack}/{register}/{key}", "square", "circle", asks("/v1/registers/market/seats/NAME")),
    ("GET /v1/registers/{pack}/{register}/{key}", "square", "circle", asks("/v1/registers/market/seats/NAME?as_of=2026-01-08")),
    ("GET /v1/search", "reference", "R-78", asks("/v1/search?kind=application&value=NAME")),
    ("HEAD /v1/uploads/{name}", "upload", NO_ID, asks("/v1/uploads/NAME", "HEAD")),
    ("DELETE /v1/uploads/{name}", "upload", NO_ID, asks("/v1/uploads/NAME", "DELETE")),
    *(
        ("PATCH /v1/uploads/{name}", "upload", NO_ID, asks("/v1/uploads/NAME", "PATCH", headers=headers, content="x"))
        for headers in ({"upload-offset": "0"}, {"upload-offset": "7", "upload-complete": "?1"})
    ),
    ("DELETE /v1/webhooks/{name}", "webhook", NO_ID, asks("/v1/webhooks/NAME", "DELETE")),
    ("POST /v1/webhooks/{name}/resume", "webhook", NO_ID, asks("/v1/webhooks/NAME/resume", "POST", json={})),
    ("GET /v1/webhooks/{name}/deliveries", "webhook", NO_ID, asks("/v1/webhooks/NAME/deliveries")),
]  # fmt: skip
PUBLIC = {
    "GET /v1/registers/{pack}/{register}": "which registers there are is in the packs; what they hold is each entry's",
    "GET /log/tile/{path}": "the public log",
    "GET /entries/{name}": "says what the public log says",
    "GET /.well-known/scitt-keys/{kid}": "keys of the log",
}
"""Operations with a name in their path that are open to all, and why."""
OUTSIDERS = ("sara", "axa", "nobody")


def shape(answer: httpx.Response, name: str) -> tuple[Any, ...]:
    """An answer without what is of the moment, its own name of what was asked for, and whose length follows from it."""
    headers = [(k, v) for k, v in answer.headers.multi_items() if k not in VARYING]
    body = re.sub(rb"urn:uuid:[0-9a-f-]{36}", b"", answer.content)
    own = re.compile(rb"(?<![0-9A-Za-z])" + re.escape(name.encode()) + rb"(?![0-9A-Za-z])")
    count = len(own.findall(body))
    headers = [(k, str(int(v) - count * len(name)) if k == "content-length" else v) for k, v in headers]
    return answer.status_code, headers, own.sub(b"NAME", body)


def test_every_name_in_a_path_is_asked_for(shared: Served) -> None:
    described = shared.nobody.get("/openapi.json").json()["paths"]
    found = {f"{m.upper()} {path}" for path, ways in described.items() for m in ways if "{" in path}
    assert found - {label for label, *_ in ASKED} == set(PUBLIC)


@pytest.mark.parametrize("org", OUTSIDERS)
def test_what_is_anothers_looks_like_what_is_not_there(held: Held, org: str) -> None:
    who = held.served.nobody if org == "nobody" else held.served.by(org)
    names = {
        "square": "square",
        "reference": "R-77",
        **vars(held),
    }
    for label, what, absent, ask in ASKED:
        there, away = ask(who, held, names[what]), ask(who, held, absent)
        assert shape(there, names[what]) == shape(away, absent), (label, what)
        assert there.status_code in (200, 401, 404), (label, there.text)
        if there.status_code == 200:
            assert there.json() == {"documents": [], "next": None}, label


# -- documents that are sent to a case ----------------------------------------------------------------------


def letter(case: str, issuer: str, signer: str, step: str = "objection", salted: int = 0) -> bytes:
    """A document for a case that says it is of `issuer`, signed by `signer`."""
    claims = compose(
        type=f"market/{step}", issuer=issuer, valid_from_ms=1_767_603_600_000, pack="market@1.0.0", procedure="licence",
        case=case, step=step, key=f"k{salted}", basis=[("application", bytes.fromhex(case))],
    )  # fmt: skip
    return sign(claims, {"reason": "x"}, key_of(signer), salt=salt)


def spoilt(paper: bytes) -> bytes:
    """The document with another signature, which is nobody's."""
    head, _, rest = paper.rpartition(b".")
    return head + b"." + b"A" * 86 + rest[86:]


@pytest.mark.parametrize("issuer", ["ali", "city", "axa"])
@pytest.mark.parametrize("step", ["objection", "licence", "no-such-step"])
def test_a_forged_document_tells_nothing_of_a_case(held: Held, issuer: str, step: str) -> None:
    """Who has no part in a case writes to it in the name of who has one: the answer is that of a case that is not there."""
    nobody = held.served.nobody
    for signer, spoil in (("axa", False), ("stranger", False), (issuer, True), ("axa", True)):
        told = []
        for case in (held.case, ABSENT):
            paper = letter(case, issuer, signer, step)
            paper = spoilt(paper) if spoil else paper
            alone = nobody.post("/v1/documents", content=paper)
            bundled = nobody.post("/v1/documents/bundle", json=[paper.decode()])
            item = bundled.json()["answers"][0]["problem"]
            told.append((shape(alone, case), json.dumps(item).replace(case, "NAME")))
        assert told[0] == told[1], (issuer, signer, step)
