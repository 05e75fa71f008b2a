"""SCITT over HTTP: a client that knows nothing but SCRAPI registers a statement and checks the receipt."""

from __future__ import annotations

import cbor2
import httpx
import pytest
from served import Served

from gardesh.model import cose, cose_receipt, signed_statement
from gardesh.model.canonical import base64url_encode
from gardesh.model.problem import Problem
from gardesh.model.signed_statement import SignedStatement
from gardesh.model.signer import SignatureType
from market import Market, application, key_of

COSE = {"content-type": "application/cose"}
CONCISE = "application/concise-problem-details+cbor"


def statement(served: Served) -> SignedStatement:
    def make(market: Market) -> bytes:
        market.area()
        return market.paper("ali", "application", application())

    return signed_statement.make(served.do(make), key_of("ali"))


def log_key(served: Served) -> object:
    return next(
        s.verifier for s in served.market.node.log.signers if s.verifier.type == SignatureType.ED25519
    )


def register(served: Served, made: bytes) -> httpx.Response:
    return served.nobody.post("/entries", content=made, headers=COSE)


def problem(answer: httpx.Response) -> str:
    assert answer.headers["content-type"] == CONCISE
    told = cbor2.loads(answer.content)
    assert told[-1]
    assert told[-2]
    assert told["urn:gardesh:problem"]["status"] == answer.status_code
    return str(told["urn:gardesh:problem"]["code"])


def test_a_statement_becomes_transparent(served: Served) -> None:
    made = statement(served)
    answer = register(served, made.encode())
    assert (answer.status_code, answer.headers["content-type"]) == (201, "application/cose")
    whole = made.with_receipts([answer.content])
    proven = signed_statement.verify_transparent(whole, key_of("ali").public, log_key(served))  # type: ignore[arg-type]
    assert proven.recorded.position == 9
    assert proven.head.size == 10
    digest = made.document.digest.hex()
    assert answer.headers["location"] == f"{served.url}/entries/{digest}"
    for name in (digest, "9"):
        again = served.nobody.get(f"/entries/{name}")
        assert (again.status_code, again.headers["content-type"]) == (200, "application/cose")
        assert cose_receipt.read(again.content).digest == made.document.digest
    assert register(served, whole.encode()).status_code == 201
    assert served.do(lambda market: market.node.sequencer.size) == 10


def test_the_keys_of_receipts_are_found_by_their_name(served: Served) -> None:
    whole = served.nobody.get("/.well-known/scitt-keys", headers={"accept": "application/cbor"})
    assert whole.headers["content-type"] == "application/cbor"
    (key,) = cbor2.loads(whole.content)
    kid = cose_receipt.read(register(served, statement(served).encode()).content).message.protected[cose.KID]
    assert key[2] == kid
    one = served.nobody.get(f"/.well-known/scitt-keys/{base64url_encode(kid)}")
    assert cbor2.loads(one.content) == key
    for unknown in ("AAAA", "x", "%C3%A9"):
        assert problem(served.nobody.get(f"/.well-known/scitt-keys/{unknown}")) == "no-such-log-key"


def test_what_is_wrong_with_the_record_is_told_to_the_log_alone(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = statement(served).encode()

    def broken(*_: object) -> None:
        raise Problem(
            "store-unusable", url="postgresql://secret.place", reason="the role secret is not permitted"
        )

    with monkeypatch.context() as patch:
        patch.setattr(served.market.node.intake, "submit_all", broken)
        refused = register(served, made)
    assert (refused.status_code, problem(refused)) == (503, "store-unusable")
    assert b"secret" not in refused.content
    assert "the role secret is not permitted" in served.log.getvalue()
    assert register(served, made).status_code == 201


def test_refusals_are_concise_problem_details(served: Served) -> None:
    made = statement(served)
    assert problem(register(served, b"nothing")).startswith("cbor-")
    assert problem(served.nobody.get("/entries/999")) == "no-such-document"
    assert problem(served.nobody.get("/entries/beginning")) == "no-such-document"
    raw = bytearray(made.encode())
    raw[-1] ^= 1
    assert problem(register(served, bytes(raw))) == "signature-wrong"
    stranger = signed_statement.make(
        served.do(lambda m: m.paper("ali", "application", application(), signer=key_of("stranger"))),
        key_of("stranger"),
    )
    assert problem(register(served, stranger.encode())) == "key-unknown"

    def early(market: Market) -> bytes:
        return market.paper("city", "area", {"area": "x", "seats": -1}, procedure="area")

    broken = signed_statement.make(served.do(early), key_of("city"))
    assert problem(register(served, broken.encode())) == "schema-violated"
    assert served.do(lambda market: market.node.sequencer.size) == 9
