"""Forged documents: what is known to go wrong with JWS and SD-JWT (RFC 8725, RFC 9901 §9), each refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from papers import CLAIMS, ED_KEY, KEY, b64, digest_of, forge, header, payload, refusal, salts

from gardesh.model.canonical import base64url_decode, base64url_encode
from gardesh.model.document import Limits, parse, sign, verify
from gardesh.model.jose import PrivateKey

SUBJECT = {"order": "12345678", "goods": [{"hs": "847130", "value": 5}, {"hs": "851713", "value": 7}]}
PAPER = sign(CLAIMS, SUBJECT, KEY, salt=salts(), disclosable=["/goods/*"])
SIGNED, *DISCLOSURES = PAPER.decode().split("~")[:-1]
FIRST, MIDDLE, LAST = SIGNED.split(".")
NAME = b64(["salt", "order", "12345678"])
NAMED = payload({"_sd": [digest_of(NAME)]})


def joined(*parts: str) -> bytes:
    return "~".join([*parts, ""]).encode()


def code(data: bytes) -> str:
    return refusal(lambda: parse(data))[0]


def test_the_forge_makes_a_document_that_holds() -> None:
    envelope = parse(forge(NAMED, [NAME]))
    verify(envelope, KEY.public)
    assert envelope.subject == {"order": "12345678"}
    verify(parse(forge(payload({"a": 1}, _sd_alg=...), head=header(typ="vc+jwt"), end="")), KEY.public)


# -- the header ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("none", ["none", "None", "NONE", "nOnE"])
def test_an_unsigned_document_is_refused(none: str) -> None:
    assert code(forge(head=header(alg=none))) == "algorithm-none"
    assert code(forge(head={"alg": none})) == "algorithm-none"
    assert code(f"{b64({'alg': none, 'typ': 'vc+sd-jwt'})}.{MIDDLE}.~".encode()) == "algorithm-none"


@pytest.mark.parametrize(
    "alg", ["HS256", "RS256", "PS256", "ES384", "ES256K", "EdDSA ", "es256", "", "ML-DSA-44"]
)
def test_another_algorithm_is_refused(alg: str) -> None:
    assert code(forge(head=header(alg=alg))) == "algorithm-unknown"


@pytest.mark.parametrize("member", ["jwk", "x5c"])
def test_a_key_in_the_header_is_refused(member: str) -> None:
    attacker = PrivateKey.from_secret("ES256", b"\7" * 32)
    given: Any = attacker.public.to_jwk() if member == "jwk" else ["MIIB"]
    assert code(forge(key=attacker, head=header(attacker, **{member: given}))) == "header-brings-key"


@pytest.mark.parametrize("member", ["jku", "x5u", "x5t", "x5t#S256"])
def test_a_key_elsewhere_is_refused(member: str) -> None:
    assert code(forge(head=header(**{member: "https://attacker.example/keys"}))) == "header-points-out"


@pytest.mark.parametrize("critical", [["exp"], [], "b64", None])
def test_critical_extensions_are_refused(critical: Any) -> None:
    assert code(forge(head=header(crit=critical))) == "header-critical"


@pytest.mark.parametrize("plain", [True, False])
def test_an_unencoded_payload_is_refused(plain: bool) -> None:
    assert code(forge(head=header(b64=plain))) == "header-unencoded-payload"


@pytest.mark.parametrize("member", ["zip", "nonce", "iss", "url", "enc", "x", ""])
def test_another_header_member_is_refused(member: str) -> None:
    assert code(forge(head=header(**{member: "x"}))) == "header-member-unknown"


@pytest.mark.parametrize("member", ["alg", "kid", "typ"])
@pytest.mark.parametrize("value", [..., 1, None, ["ES256"]])
def test_a_header_that_lacks_a_member_is_refused(member: str, value: Any) -> None:
    assert code(forge(head=header(**{member: value}))) == "header-malformed"


@pytest.mark.parametrize("head", [[], "x", 1, [["alg", "ES256"]]])
def test_a_header_that_is_no_object_is_refused(head: Any) -> None:
    assert code(forge(head=head)) == "header-malformed"


def test_a_header_with_a_member_twice_is_refused() -> None:
    text = json.dumps(header()).encode()
    assert code(forge(head=text[:-1] + b', "alg": "none"}')) == "json-member-twice"
    assert code(forge(head=text[:-1] + b', "\\u0061lg": "none"}')) == "json-member-twice"


def test_a_header_beyond_its_limit_is_refused() -> None:
    assert code(forge(head=header(kid="x" * 1000))) == "header-malformed"


@pytest.mark.parametrize(
    "typ", ["JWT", "vc", "kb+jwt", "dc+sd-jwt", "vp+sd-jwt", "VC+SD-JWT", "application/vc+sd-jwt"]
)
def test_a_jwt_of_another_type_is_refused(typ: str) -> None:
    assert code(forge(head=header(typ=typ))) == "header-type-unknown"


@pytest.mark.parametrize("cty", ["vp", "JWT", None, "VC"])
def test_content_of_another_type_is_refused(cty: Any) -> None:
    assert code(forge(head=header(cty=cty))) == "header-type-unknown"


@pytest.mark.parametrize("kid", ["key-1", "", "did:example:1#0", "é" * 43, "A" * 42 + "B", "*" * 43])
def test_a_key_that_is_not_named_by_its_thumbprint_is_refused(kid: str) -> None:
    assert code(forge(head=header(kid=kid))) in ("header-kid-malformed", "base64url-malformed")


# -- the signature ------------------------------------------------------------------------------------------


def test_a_document_signed_by_another_key_is_refused() -> None:
    attacker = PrivateKey.from_secret("ES256", b"\7" * 32)
    own = parse(forge(NAMED, [NAME], key=attacker))
    assert refusal(lambda: verify(own, KEY.public))[0] == "signature-of-another-key"
    claimed = parse(forge(NAMED, [NAME], key=attacker, head=header(KEY)))
    assert refusal(lambda: verify(claimed, KEY.public))[0] == "signature-wrong"


def test_the_header_does_not_choose_how_a_key_is_used() -> None:
    confused = parse(forge(NAMED, [NAME], key=ED_KEY, head=header(KEY, alg="EdDSA")))
    assert refusal(lambda: verify(confused, KEY.public))[0] == "signature-of-another-key"
    confused = parse(forge(NAMED, [NAME], key=KEY, head=header(ED_KEY, alg="ES256")))
    assert refusal(lambda: verify(confused, ED_KEY.public))[0] == "signature-of-another-key"


@pytest.mark.parametrize("signature", ["", "AA", LAST[:-2], LAST + "AAAA", LAST + "=="])
def test_a_signature_of_another_length_is_refused(signature: str) -> None:
    assert code(joined(f"{FIRST}.{MIDDLE}.{signature}", *DISCLOSURES)) in (
        "document-malformed",
        "base64url-malformed",
    )


def test_the_signature_of_another_document_is_refused() -> None:
    other = sign(CLAIMS, {}, KEY, salt=salts()).split(b".")[2].rstrip(b"~").decode()
    assert refusal(lambda: verify(parse(joined(f"{FIRST}.{MIDDLE}.{other}", *DISCLOSURES)), KEY.public)) == (
        "signature-wrong",
        "",
    )


def test_a_twin_with_another_signature_holds_the_same_statement() -> None:
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    envelope = parse(PAPER)
    r, s = envelope.signature[:32], int.from_bytes(envelope.signature[32:], "big")
    turned = base64url_encode(r + (order - s).to_bytes(32, "big"))
    twin = parse(joined(f"{FIRST}.{MIDDLE}.{turned}", *DISCLOSURES))
    verify(twin, KEY.public)
    assert twin.digest != envelope.digest
    assert twin.statement == envelope.statement


# -- the form -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "..",
        "~",
        "..~",
        "a.b",
        f"{FIRST}.{MIDDLE}~",
        f"{FIRST}.{MIDDLE}.{LAST}.{LAST}~",
        f"{FIRST}..{MIDDLE}.{LAST}~",
    ],
)
def test_what_is_not_three_parts_is_refused(text: str) -> None:
    assert code(text.encode()) in ("document-malformed", "json-malformed")


def test_the_json_serialisation_is_refused() -> None:
    flat = {"protected": FIRST, "payload": MIDDLE, "signature": LAST, "header": {"disclosures": DISCLOSURES}}
    assert code(json.dumps(flat).encode()) in ("document-malformed", "base64url-malformed")


def test_the_last_tilde_may_not_be_missing() -> None:
    assert code(PAPER[:-1]) == "document-unterminated"
    assert code(SIGNED.encode()) == "document-unterminated"


@pytest.mark.parametrize("trail", ["\n", " ", "x", "\0", "~", "~~", "=", "\r\n"])
def test_nothing_follows_the_last_tilde(trail: str) -> None:
    assert code(PAPER + trail.encode()) in (
        *("document-unterminated", "disclosure-malformed", "base64url-malformed", "json-malformed"),
    )


@pytest.mark.parametrize("lead", ["\n", " ", "\ufeff", "~"])
def test_nothing_comes_before_the_header(lead: str) -> None:
    assert code(lead.encode() + PAPER) in ("base64url-malformed", "document-malformed")


def test_a_key_binding_jwt_is_refused() -> None:
    binding = f"{b64({'alg': 'ES256', 'typ': 'kb+jwt'})}.{b64({'nonce': '1'})}.{LAST}"
    assert code(PAPER + binding.encode()) == "document-key-binding"


@pytest.mark.parametrize("end", ["~", "~" + NAME + "~"])
def test_a_plain_jwt_has_no_disclosures(end: str) -> None:
    assert code(forge(payload({"a": 1}), head=header(typ="vc+jwt"), end=end)) == "document-unterminated"


def test_a_plain_jwt_hides_nothing() -> None:
    assert code(forge(NAMED, head=header(typ="vc+jwt"), end="")) == "digest-malformed"


@pytest.mark.parametrize("text", ["[]", '"x"', "1", "null", "[{}]"])
def test_a_payload_that_is_no_object_is_refused(text: str) -> None:
    assert code(forge(text.encode())) == "document-malformed"


@pytest.mark.parametrize("subject", [[], "urn:x", 1, None, [{"a": 1}], ...])
def test_a_subject_that_is_no_object_is_refused(subject: Any) -> None:
    assert refusal(lambda: parse(forge(payload(credentialSubject=subject)))) == (
        "subject-missing",
        "/credentialSubject",
    )


def test_a_payload_with_a_member_twice_is_refused() -> None:
    text = json.dumps(payload()).encode()
    assert code(forge(text[:-1] + b',"issuer":"urn:gardesh:org:customs"}')) == "json-member-twice"


@pytest.mark.parametrize("given", ["sha-512", "sha-384", "SHA-256", "md5", None, 1, ["sha-256"]])
def test_another_hash_than_sha_256_is_refused(given: Any) -> None:
    assert code(forge(payload(_sd_alg=given))) == "digest-algorithm-unknown"


@pytest.mark.parametrize("name", ["_sd", "..."])
def test_only_the_subject_is_disclosed(name: str) -> None:
    assert code(forge({**NAMED, name: [digest_of(NAME)]})) == "claim-unknown"
    assert code(forge({**NAMED, "circulation": {**CLAIMS["circulation"], name: []}})) == "claim-unknown"


def test_a_document_beyond_the_limits_is_refused() -> None:
    assert refusal(lambda: parse(PAPER, Limits(size=len(PAPER) - 1)))[0] == "input-too-long"
    assert parse(PAPER, Limits(size=len(PAPER))).complete
    assert (
        refusal(lambda: parse(PAPER, Limits(disclosures=len(DISCLOSURES) - 1)))[0] == "disclosures-too-many"
    )
    assert parse(PAPER, Limits(disclosures=len(DISCLOSURES))).complete
    assert refusal(lambda: parse(PAPER, Limits(depth=2)))[0] == "json-too-deep"
    assert code(b"~" * 100_000) == "disclosures-too-many"


def test_a_payload_nested_too_deep_is_refused() -> None:
    deep = b'{"a":' * 200_000 + b"1" + b"}" * 200_000
    assert refusal(lambda: parse(forge(deep[: 1 << 18]), Limits(size=1 << 21)))[0] == "json-too-deep"


# -- the disclosures ----------------------------------------------------------------------------------------


def test_disclosures_that_nobody_signed_are_refused() -> None:
    added = b64(["salt", "order", "87654321"])
    assert code(joined(SIGNED, *DISCLOSURES, added)) == "disclosure-unreferenced"
    assert code(joined(SIGNED, *DISCLOSURES[1:], added)) == "disclosure-unreferenced"


def test_a_disclosure_given_twice_is_refused() -> None:
    assert code(joined(SIGNED, *DISCLOSURES, DISCLOSURES[0])) == "disclosure-given-twice"


def test_a_disclosure_rewritten_with_the_same_content_is_refused() -> None:
    salt, name, value = json.loads(base64url_decode(DISCLOSURES[-1].encode()))
    assert code(joined(SIGNED, *DISCLOSURES[:-1], b64([salt, name, value]))) == "disclosure-unreferenced"


def test_a_disclosure_of_another_document_is_refused() -> None:
    other = sign(CLAIMS, {"order": "1"}, KEY, salt=lambda: b"0123456789abcdef").decode().split("~")[1]
    assert code(joined(SIGNED, *DISCLOSURES, other)) == "disclosure-unreferenced"


def test_an_element_without_its_array_is_refused() -> None:
    inner = [d for d in DISCLOSURES if len(json.loads(base64url_decode(d.encode()))) == 2]
    assert len(inner) == 2
    assert code(joined(SIGNED, *inner)) == "disclosure-unreferenced"


def test_an_empty_disclosure_is_refused() -> None:
    assert code(joined(SIGNED, "", *DISCLOSURES)) == "json-malformed"


def test_the_order_of_disclosures_means_nothing() -> None:
    envelope = parse(joined(SIGNED, *reversed(DISCLOSURES)))
    assert envelope.subject == SUBJECT
    assert envelope.digest == parse(PAPER).digest
