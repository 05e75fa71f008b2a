"""RFC 9421: its own example, what a signature has to cover, and texts that nobody would send in earnest."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from effort import tries
from gardesh.model.http_signature import (
    WINDOW,
    Request,
    base,
    check_digest,
    content_digest,
    read,
    sign,
    verify,
)
from gardesh.model.jose import PrivateKey, PublicKey
from gardesh.model.problem import Problem

NOW = 1_700_000_000
KEYS = [PrivateKey.from_secret(alg, sha256(alg.encode()).digest()) for alg in ("ES256", "EdDSA")]


def signed(
    key: PrivateKey = KEYS[0], body: bytes = b"", target: str = "https://node.example/a?b=1"
) -> Request:
    headers = {"content-digest": content_digest(body), "content-length": str(len(body))} if body else {}
    request = Request("POST" if body else "GET", target, headers)
    return replace(request, headers={**headers, **sign(request, key, now=NOW, nonce="n")})


def refused(request: Request, key: PrivateKey = KEYS[0], now: int = NOW) -> str:
    with pytest.raises(Problem) as refusal:
        verify(request, read(request), key.public, now=now)
    assert refusal.value.sentence("fa") != refusal.value.sentence("en")
    return refusal.value.code


def test_the_example_of_the_standard_verifies() -> None:
    """RFC 9421 Appendix B.2.6, with the key of B.1.4."""
    key = PublicKey.from_jwk(
        {"kty": "OKP", "crv": "Ed25519", "x": "JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs"}
    )
    request = Request(
        "POST",
        "https://example.com/foo?param=Value&Pet=dog",
        {
            "date": "Tue, 20 Apr 2021 02:07:55 GMT",
            "content-type": "application/json",
            "content-length": "18",
            "signature-input": 'sig-b26=("date" "@method" "@path" "@authority" "content-type" "content-length")'
            ';created=1618884473;keyid="test-key-ed25519"',
            "signature": "sig-b26=:wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==:",
        },
    )
    found = read(request)
    key.verify(base(request, found.components, found.text), found.value)
    with pytest.raises(Problem) as refusal:
        verify(request, found, key, now=1618884473)
    assert refusal.value.code == "http-signature-lacks"  # its query and its body are not covered


@pytest.mark.parametrize("key", KEYS, ids=["ES256", "EdDSA"])
@pytest.mark.parametrize("body", [b"", b"x"])
def test_what_is_signed_verifies(key: PrivateKey, body: bytes) -> None:
    request = signed(key, body)
    verify(request, read(request), key.public, now=NOW)
    assert read(request).kid == key.kid


def test_a_change_of_anything_that_is_covered_is_found() -> None:
    request = signed(body=b"body")
    assert refused(replace(request, method="PUT")) == "signature-wrong"
    assert refused(replace(request, target="https://node.example/a?b=2")) == "signature-wrong"
    assert refused(replace(request, target="https://other.example/a?b=1")) == "signature-wrong"
    other = {**request.headers, "content-digest": content_digest(b"other")}
    assert refused(replace(request, headers=other)) == "signature-wrong"
    assert refused(request, KEYS[1]) == "http-signature-malformed"


def test_a_body_has_to_be_covered() -> None:
    request = signed()
    assert (
        refused(replace(request, headers={**request.headers, "content-length": "4"}))
        == "http-signature-lacks"
    )
    chunked = {**request.headers, "transfer-encoding": "chunked"}
    assert refused(replace(request, headers=chunked)) == "http-signature-lacks"


@pytest.mark.parametrize("late", [-WINDOW - 1, WINDOW + 1])
def test_it_counts_for_a_short_time(late: int) -> None:
    assert refused(signed(), now=NOW + late) == "http-signature-stale"


def test_an_end_that_has_passed_counts() -> None:
    request = signed()
    given_ = request.headers["signature-input"].replace(";nonce", f";expires={NOW - 1};nonce")
    assert (
        refused(replace(request, headers={**request.headers, "signature-input": given_}))
        == "http-signature-stale"
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sig=()",
        'sig=("@method");created=1',
        'sig=("@method");created=x;keyid="k"',
        'sig=("@method" "@method");created=1;keyid="k"',
        'sig=("@method";req);created=1;keyid="k"',
        'sig=("@method");created=1;keyid="k";created=2',
        'sig=("@method");created=1;keyid="k", two=("@method");created=1;keyid="k"',
        'other=("@method");created=1;keyid="k"',
        'sig=("@method" );created=1;keyid="k"',
        'sig=("@method");created=1;keyid="' + "k" * 5000 + '"',
    ],
)
def test_what_is_not_one_signature_is_refused(text: str) -> None:
    with pytest.raises(Problem) as refusal:
        read(Request("GET", "https://a/", {"signature-input": text, "signature": "sig=:AAAA:"}))
    assert refusal.value.code == "http-signature-malformed"


def test_a_component_that_is_not_there_is_said() -> None:
    headers = {"signature-input": 'sig=("x-none");created=1;keyid="k"', "signature": "sig=:AAAA:"}
    request = Request("GET", "https://a/", headers)
    with pytest.raises(Problem, match="no component x-none"):
        base(request, read(request).components, "")


@given(st.text(max_size=200), st.text(max_size=100))
@tries(300)
def test_any_text_is_read_or_refused(given_: str, value: str) -> None:
    try:
        read(Request("GET", "https://a/", {"signature-input": given_, "signature": value}))
    except Problem as problem:
        assert problem.code == "http-signature-malformed"


@given(st.binary(max_size=50), st.binary(max_size=50))
@tries(100)
def test_a_digest_is_of_its_body_alone(body: bytes, other: bytes) -> None:
    check_digest(content_digest(body), body)
    if body != other:
        with pytest.raises(Problem, match="Content-Digest"):
            check_digest(content_digest(body), other)


@pytest.mark.parametrize("field", ["", "md5=:AAAA:", "sha-256=AAAA", "sha-256=:AAAA:"])
def test_a_digest_that_is_none_is_refused(field: str) -> None:
    with pytest.raises(Problem, match="Content-Digest"):
        check_digest(field, b"body")
