"""The examples of RFC 9901: what its issuer signed, its disclosures and their digests."""

from __future__ import annotations

import json
from typing import Any

import pytest
from papers import b64, digest_of

from gardesh.model.canonical import base64url_decode
from gardesh.model.disclosure import reveal
from gardesh.model.jose import PublicKey

# Appendix A.5, and §5.1: header, payload, signature, and the disclosures with their digests.
ISSUER = PublicKey.from_jwk(
    {
        "kty": "EC",
        "crv": "P-256",
        "x": "b28d4MwZMjw8-00CG4xfnn9SLMVMM19SlqZpVb_uNtQ",
        "y": "Xv5zWwuoaTgdS6hV43yI6gBwTnjukmFQQnJ_kCxzqk8",
    }
)
HEADER = {"alg": "ES256", "typ": "example+sd-jwt"}
SIGNATURE = "MczwjBFGtzf-6WMT-hIvYbkb11NrV1WMO-jTijpMPNbswNzZ87wY2uHz-CXo6R04b7jYrpj9mNRAvVssXou1iw"
HOLDER = {
    "kty": "EC",
    "crv": "P-256",
    "x": "TCAER19Zvu3OHF4j4W4vfSVoHIP1ILilDls7vCeGemc",
    "y": "ZxjiWWbZMQGHVWKVQ4hbSIirsVfuecCE6t4jT9F2HZQ",
}
PAYLOAD: dict[str, Any] = {
    "_sd": [
        "CrQe7S5kqBAHt-nMYXgc6bdt2SH5aTY1sU_M-PgkjPI",
        "JzYjH4svliH0R3PyEMfeZu6Jt69u5qehZo7F7EPYlSE",
        "PorFbpKuVu6xymJagvkFsFXAbRoc2JGlAUA2BA4o7cI",
        "TGf4oLbgwd5JQaHyKVQZU9UdGE0w5rtDsrZzfUaomLo",
        "XQ_3kPKt1XyX7KANkqVR6yZ2Va5NrPIvPYbyMvRKBMM",
        "XzFrzwscM6Gn6CJDc6vVK8BkMnfG8vOSKfpPIZdAfdE",
        "gbOsI4Edq2x2Kw-w5wPEzakob9hV1cRD0ATN3oQL9JM",
        "jsu9yVulwQQlhFlM_3JlzMaSFzglhQG0DpfayQwLUK4",
    ],
    "iss": "https://issuer.example.com",
    "iat": 1683000000,
    "exp": 1883000000,
    "sub": "user_42",
    "nationalities": [
        {"...": "pFndjkZ_VCzmyTa6UjlZo3dh-ko8aIKQc9DlGzhaVYo"},
        {"...": "7Cf6JkPudry3lcbwHgeZ8khAv1U1OSlerP0VkBJrWZ0"},
    ],
    "_sd_alg": "sha-256",
    "cnf": {"jwk": HOLDER},
}
ADDRESS = {"street_address": "123 Main St", "locality": "Anytown", "region": "Anystate", "country": "US"}
DISCLOSED: dict[str, list[Any]] = {
    "jsu9yVulwQQlhFlM_3JlzMaSFzglhQG0DpfayQwLUK4": ["2GLC42sKQveCfGfryNRN9w", "given_name", "John"],
    "TGf4oLbgwd5JQaHyKVQZU9UdGE0w5rtDsrZzfUaomLo": ["eluV5Og3gSNII8EYnsxA_A", "family_name", "Doe"],
    "JzYjH4svliH0R3PyEMfeZu6Jt69u5qehZo7F7EPYlSE": ["6Ij7tM-a5iVPGboS5tmvVA", "email", "johndoe@example.com"],
    "PorFbpKuVu6xymJagvkFsFXAbRoc2JGlAUA2BA4o7cI": [
        "eI8ZWm9QnKPpNPeNenHdhQ",
        "phone_number",
        "+1-202-555-0101",
    ],
    "XQ_3kPKt1XyX7KANkqVR6yZ2Va5NrPIvPYbyMvRKBMM": ["Qg_O64zqAxe412a108iroA", "phone_number_verified", True],
    "XzFrzwscM6Gn6CJDc6vVK8BkMnfG8vOSKfpPIZdAfdE": ["AJx-095VPrpTtN4QMOqROA", "address", ADDRESS],
    "gbOsI4Edq2x2Kw-w5wPEzakob9hV1cRD0ATN3oQL9JM": ["Pc33JM2LchcU_lHggv_ufQ", "birthdate", "1940-01-01"],
    "CrQe7S5kqBAHt-nMYXgc6bdt2SH5aTY1sU_M-PgkjPI": ["G02NSrQfjFXQ7Io09syajA", "updated_at", 1570000000],
    "pFndjkZ_VCzmyTa6UjlZo3dh-ko8aIKQc9DlGzhaVYo": ["lklxF5jMYlGTPUovMNIvCA", "US"],
    "7Cf6JkPudry3lcbwHgeZ8khAv1U1OSlerP0VkBJrWZ0": ["nPuoQnkRFq3BIeAm7AnXFA", "DE"],
}
DISCLOSURES = {digest: b64(content).encode() for digest, content in DISCLOSED.items()}
SIGNED = {name: value for name, value in PAYLOAD.items() if name != "_sd_alg"}


@pytest.mark.parametrize("digest", DISCLOSED)
def test_a_disclosure_has_the_digest_that_is_printed(digest: str) -> None:
    assert digest_of(DISCLOSURES[digest].decode()) == digest


def test_the_signature_of_the_example_verifies() -> None:
    ISSUER.verify(f"{b64(HEADER)}.{b64(PAYLOAD)}".encode(), base64url_decode(SIGNATURE.encode()))


def test_with_all_disclosures_the_payload_is_whole() -> None:
    found = reveal(SIGNED, list(DISCLOSURES.values()))
    assert found.value == {
        "iss": "https://issuer.example.com",
        "iat": 1683000000,
        "exp": 1883000000,
        "sub": "user_42",
        "cnf": {"jwk": HOLDER},
        "nationalities": ["US", "DE"],
        **{content[1]: content[2] for content in DISCLOSED.values() if len(content) == 3},
    }
    assert found.missing == 0
    assert found.places[-1] == ("nationalities", "1")
    assert found.places[0] == ("given_name",)


def test_the_presentation_of_the_example_shows_four_claims() -> None:
    # §5.2 presents family_name, address, given_name and the nationality US.
    shown = [
        d
        for d in DISCLOSURES.values()
        if any(w in base64url_decode(d) for w in (b"_name", b"addr", b'"US"]'))
    ]
    found = reveal(SIGNED, shown)
    assert {"given_name", "family_name", "address"} < found.value.keys()
    assert found.value["nationalities"] == ["US"]
    assert not {"email", "phone_number", "birthdate", "updated_at"} & found.value.keys()
    assert found.missing == 6


def test_with_no_disclosure_nothing_is_shown() -> None:
    found = reveal(SIGNED, [])
    assert found.value["nationalities"] == []
    assert found.value.keys() == {"iss", "iat", "exp", "sub", "cnf", "nationalities"}
    assert found.missing == 10


def test_a_disclosure_is_hashed_as_it_is_written() -> None:
    # §4.2.1 and §4.2.3: one name in four spellings, and the digest of the first.
    spellings = [
        "WyJfMjZiYzRMVC1hYzZxMktJNmNCVzVlcyIsICJmYW1pbHlfbmFtZSIsICJNw7ZiaXVzIl0",
        "WyJfMjZiYzRMVC1hYzZxMktJNmNCVzVlcyIsICJmYW1pbHlfbmFtZSIsICJNXHUwMGY2Yml1cyJd",
        "WyJfMjZiYzRMVC1hYzZxMktJNmNCVzVlcyIsImZhbWlseV9uYW1lIiwiTcO2Yml1cyJd",
        "WwoiXzI2YmM0TFQtYWM2cTJLSTZjQlc1ZXMiLAoiZmFtaWx5X25hbWUiLAoiTcO2Yml1cyIKXQ",
    ]
    assert digest_of(spellings[0]) == "X9yH0Ajrdm1Oij4tWso9UzzKJvPoDxwmuEcO3XAdRC0"
    for spelling in spellings:
        found = reveal({"_sd": [digest_of(spelling)], "given_name": "Alice"}, [spelling.encode()])
        assert found.value == {"given_name": "Alice", "family_name": "Möbius"}


def test_an_element_is_disclosed_in_its_place() -> None:
    # §4.2.2 and §4.2.4.2.
    french = "WyJsa2x4RjVqTVlsR1RQVW92TU5JdkNBIiwgIkZSIl0"
    signed = {"nationalities": ["DE", {"...": "w0I8EKcdCtUPkGCNUrfwVp2xEgNjtoIDlOxc9-PlOhs"}, "US"]}
    assert reveal(signed, [french.encode()]).value == {"nationalities": ["DE", "FR", "US"]}
    assert reveal(signed, []).value == {"nationalities": ["DE", "US"]}


def test_the_disclosures_of_the_structured_example_have_the_digests_that_are_printed() -> None:
    # Appendix A.1 escapes what is not ASCII.
    name = b64(["eluV5Og3gSNII8EYnsxA_A", "given_name", "太郎"])
    assert digest_of(name) == "ommFAicVT8LGHCB0uywx7fYuo3MHYKO15cz-RZEYM5Q"
    assert json.loads(base64url_decode(name.encode()))[2] == "太郎"
    assert reveal({"_sd": [digest_of(name)]}, [name.encode()]).value == {"given_name": "太郎"}


def test_recursive_disclosures_open_one_within_the_other() -> None:
    # §4.2.6, with the contents of its disclosures.
    elements = [
        b64([salt, code])
        for salt, code in (("16_mAd0GiwaZokU26_0i0h", "DE"), ("fn9fN0rD-fFs2n303ZI-0c", "FR"))
    ]
    whole = b64(["4drfeTtSUK3aY_-PF12gcX", "nationalities", [{"...": digest_of(e)} for e in elements]])
    signed = {"family_name": "Möbius", "_sd": [digest_of(whole)]}
    assert reveal(signed, [whole.encode(), elements[1].encode()]).value["nationalities"] == ["FR"]
    assert reveal(signed, [whole.encode()]).value["nationalities"] == []
    assert "nationalities" not in reveal(signed, []).value
