"""Submitting over HTTP: one way in, with an answer for each document."""

from __future__ import annotations

import gzip
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from served import Served, serving

from gardesh.model import receipt
from gardesh.model.document import parse
from market import Market, application, explains_itself

pytestmark = pytest.mark.store

SD_JWT = {"content-type": "application/vc+sd-jwt"}


def papers(served: Served, count: int = 1) -> list[bytes]:
    def make(market: Market) -> list[bytes]:
        market.area()
        return [market.paper("ali", "application", application(seats=n + 1)) for n in range(count)]

    return served.do(make)


def post(served: Served, paper: bytes, **headers: str) -> httpx.Response:
    return served.nobody.post("/v1/documents", content=paper, headers={**SD_JWT, **headers})


def test_an_accepted_document_has_its_receipt_at_once(served: Served) -> None:
    (paper,) = papers(served)
    answer = post(served, paper)
    told = answer.json()
    digest = parse(paper).digest
    assert (answer.status_code, told["digest"]) == (201, digest.hex())
    assert answer.headers["location"] == f"/v1/documents/{digest.hex()}"
    proven = receipt.verify(receipt.parse(told["receipt"].encode()), digest, served.market.policy)
    assert proven.position == told["position"]
    served.do(lambda market: explains_itself(market.node))


def test_sending_again_changes_nothing_and_gives_the_same_place(served: Served) -> None:
    (paper,) = papers(served)
    first, size = post(served, paper).json(), served.do(lambda market: market.node.sequencer.size)
    again = post(served, paper)
    assert again.status_code == 200
    assert {k: again.json()[k] for k in ("digest", "position", "recorded_at", "case")} == {
        k: first[k] for k in ("digest", "position", "recorded_at", "case")
    }
    assert served.do(lambda market: market.node.sequencer.size) == size


def test_many_at_once_are_accepted_once_each(served: Served) -> None:
    made = papers(served, 12)
    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(lambda p: post(served, p), made * 3))
    assert {a.status_code for a in told} <= {200, 201}
    assert len({a.json()["position"] for a in told}) == 12
    served.do(lambda market: explains_itself(market.node))


@pytest.mark.parametrize(("accepted", "lang"), [("fa", "fa"), ("fa-IR,en;q=0.5", "fa"), ("en;q=0.2,fa;q=0.1", "en"),
                                                ("de", "en"), ("", "en"), ("*", "en"), ("fa;q=0", "en"), ("fa;q=x", "en")])  # fmt: skip
def test_a_refusal_speaks_the_language_asked_for(served: Served, accepted: str, lang: str) -> None:
    answer = post(served, b"nothing", **{"accept-language": accepted})
    told = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["content-language"] == lang
    assert told["detail"] == told["sentences"][lang]
    assert told["type"] == f"urn:gardesh:problem:{told['code']}"
    assert told["status"] == answer.status_code == 400
    assert told["instance"] == f"urn:uuid:{answer.headers['x-request-id']}"


def test_a_broken_rule_is_told_with_its_pointer(served: Served) -> None:
    def too_many(market: Market) -> bytes:
        market.area(seats=1)
        case = market.apply(seats=5)
        market.wait(4 * 86_400_000)
        market.do("city", "quiet-note", {"area": "square"}, case)
        subject = {"number": "L-1", "area": "square", "seats": 3}
        return market.paper("city", "licence", subject, case, outcome="approved")

    answer = post(served, served.do(too_many))
    assert (answer.status_code, answer.json()["code"]) == (422, "another-area")
    assert answer.json()["pointer"] == "/credentialSubject/area"
    assert served.do(lambda market: market.node.sequencer.size) == 11


def test_each_document_of_a_bundle_has_its_own_answer(served: Served) -> None:
    first, second = papers(served, 2)
    bundle = [first.decode(), "nothing", second.decode(), first.decode()]
    answer = served.nobody.post("/v1/documents/bundle", json=bundle)
    told = answer.json()
    assert answer.status_code == 200
    assert [a.get("position") for a in told["answers"]] == [9, None, 10, 9]
    assert told["answers"][1]["problem"]["code"] == "document-malformed"
    assert told["answers"][1]["problem"]["pointer"].startswith("/1")
    assert served.nobody.get("/log/checkpoint").text == told["checkpoint"]


@pytest.mark.parametrize("body", [b"", b"{}", b'"x"', b"[1]", b"[[]]", b"\xff", b'["\\ud800"]'])
def test_what_is_no_bundle_is_refused_whole(served: Served, body: bytes) -> None:
    answer = served.nobody.post("/v1/documents/bundle", content=body)
    assert answer.status_code == 400
    assert answer.json()["code"] in ("request-malformed", "document-malformed")


def test_an_empty_bundle_has_no_answers(served: Served) -> None:
    told = served.nobody.post("/v1/documents/bundle", json=[]).json()
    assert told == {"checkpoint": "", "answers": []}


LIMITED = "[limits]\ndocument_bytes = 1024\nbundle_bytes = 2048\nbundle_documents = 2\nrate = 1\nburst = 5\n"


def test_limits_hold_and_are_said(tmp_path: Path) -> None:
    with serving(Market(), tmp_path, LIMITED) as served:
        assert post(served, b"x" * 1025).json()["code"] == "body-too-large"

        def stream() -> object:
            yield from (b"x" * 600, b"x" * 600)

        chunked = served.nobody.post("/v1/documents", content=stream(), headers=SD_JWT)
        assert (chunked.status_code, chunked.json()["code"]) == (413, "body-too-large")
        assert served.nobody.post("/v1/documents/bundle", json=["x"] * 3).json()["code"] == "bundle-too-many"
        assert served.nobody.post("/v1/documents/bundle", json=["x" * 3000]).status_code == 413
        assert post(served, b"x").status_code == 400
        refused = post(served, b"x")
        assert (refused.status_code, refused.json()["code"]) == (429, "too-many-requests")
        assert int(refused.headers["retry-after"]) >= 1


def test_another_media_type_is_named(served: Served) -> None:
    answer = served.nobody.post("/v1/documents", content=b"{}", headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (415, "media-type-unknown")


def test_a_body_in_a_coding_is_refused_for_it(served: Served) -> None:
    headers = {"content-type": "application/vc+sd-jwt", "content-encoding": "gzip"}
    answer = served.nobody.post("/v1/documents", content=gzip.compress(b"x"), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (415, "body-coded")
    plain = served.nobody.post(
        "/v1/documents", content=b"x", headers={**headers, "content-encoding": "identity"}
    )
    assert plain.json()["code"] == "document-malformed"


def test_what_an_operation_does_not_take_is_not_passed_over(served: Served) -> None:
    with served.by("ali") as ali:
        for path in ("/v1/cases?limt=3", "/v1/registers/core/keys/x?asof=2020-01-01", "/v1/node?pretty"):
            told = ali.get(path).json()
            assert (told["code"], told["params"]["reason"]) == (
                "request-malformed",
                "it is not known here",
            ), path
        assert ali.get("/v1/cases?limit=3&").status_code == 200
    assert served.nobody.get("/healthz?probe=7").status_code == 200
    many = "&".join(f"p{n}" for n in range(8_000))
    assert served.nobody.get(f"/healthz?{many}").status_code == 200
    assert served.nobody.get(f"/healthz?{many}&p7").json()["code"] == "request-malformed"
    assert served.nobody.get("/log/checkpoint?probe=7").status_code == 200


def test_what_is_not_there_and_what_cannot_be_done(served: Served) -> None:
    for path in (
        "/",
        "/v1",
        "/v1/nothing",
        "/admin",
        "/v1/documents/../cases",
        "/%00",
        "/v1/documents/%2e%2e",
    ):
        answer = served.nobody.get(path)
        assert answer.status_code in (401, 404, 400), path
        assert answer.headers["content-type"] == "application/problem+json", path
    answer = served.nobody.delete("/v1/documents")
    assert (answer.status_code, answer.json()["code"]) == (405, "method-not-allowed")
    assert "POST" in answer.headers["allow"]


def test_a_head_is_asked_for_without_its_body(served: Served) -> None:
    """Also of what never ends, of what is refused, and of what takes no GET; signed as HEAD, and counted as HEAD."""
    with served.by("ali") as ali:
        assert ali.head("/v1/inbox/stream").headers["content-type"].startswith("text/event-stream")
        assert not served.server.service.streams
        gone = ali.head(f"/v1/documents/{'0' * 64}", params={"purpose": "look"})
        assert (gone.status_code, gone.content) == (404, b"")
        assert served.nobody.head("/v1/cases").status_code == 401
        assert served.nobody.head("/v1/documents").status_code == 405
        assert served.nobody.options("/v1/cases").headers["allow"].split(", ")[-1] == "HEAD"
        upload = ali.post("/v1/uploads").json()["id"]
        assert ali.head(f"/v1/uploads/{upload}").headers["upload-offset"] == "0"
    counted = served.nobody.get("/metrics").text
    assert 'gardesh_http_requests_total{method="HEAD",route="/v1/inbox/stream",status="200"} 1.0' in counted


def test_every_answer_keeps_browsers_strict(served: Served) -> None:
    for path in ("/healthz", "/v1/node", "/nothing", "/openapi.json", "/log/checkpoint"):
        headers = served.nobody.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["content-security-policy"].startswith("default-src 'none'")
        assert "server" not in headers


@given(st.binary(max_size=300))
@settings(max_examples=60)
def test_no_bytes_are_a_fault_of_the_node(shared: Served, body: bytes) -> None:
    for path in ("/v1/documents", "/v1/documents/bundle", "/token", "/entries"):
        answer = shared.nobody.post(path, content=body, headers=SD_JWT)
        assert 400 <= answer.status_code < 500 or (path.endswith("bundle") and answer.status_code == 200)


@given(st.dictionaries(st.sampled_from(["authorization", "signature", "signature-input", "content-digest",
                                        "if-none-match", "accept-language", "range", "content-type"]),
                       st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=60)))  # fmt: skip
@settings(max_examples=100)
def test_no_header_is_a_fault_of_the_node(shared: Served, headers: dict[str, str]) -> None:
    sent = {k.encode(): v.strip().encode("latin-1") for k, v in headers.items()}
    for method, path in (("GET", "/v1/cases"), ("GET", "/v1/node"), ("POST", "/v1/drafts")):
        answer = shared.nobody.request(method, path, headers=sent)
        assert answer.status_code < 500, answer.text


def test_the_log_of_requests_is_json(served: Served) -> None:
    post(served, b"nothing")
    lines = [json.loads(line) for line in served.log.getvalue().splitlines()]
    assert lines[0]["event"] == "started"
    told = lines[-1]
    assert {k: told[k] for k in ("event", "method", "route", "status", "by", "code", "level")} == {
        "event": "request", "method": "POST", "route": "/v1/documents", "status": 400, "by": "nobody",
        "code": "document-malformed", "level": "info",
    }  # fmt: skip
