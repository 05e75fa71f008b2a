"""Client assertions of any form are read or refused, and only what was signed for this node counts."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gardesh.model.canonical import base64url_encode
from gardesh.model.problem import Problem
from gardesh.web.token import LONGEST_ASSERTION, SKEW, read_assertion
from market import key_of

AUDIENCE, NOW = frozenset({"https://node.example", "https://node.example/token"}), 1_800_000_000
KEY = key_of("ali")
HEADER: dict[str, Any] = {"alg": KEY.alg, "kid": KEY.kid, "typ": "JWT"}
CLAIMS: dict[str, Any] = {
    "iss": "ali", "sub": "ali", "aud": "https://node.example", "exp": NOW + 60, "jti": "0123456789"
}  # fmt: skip
ANY = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(max_size=8) | st.sampled_from(
        ["none", "HS256", "ES256", "ali", "sara", *AUDIENCE, NOW, NOW - SKEW, NOW + LONGEST_ASSERTION + SKEW + 1, 1e300, "x" * 300]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=4,
)  # fmt: skip
NAMES = st.sampled_from([*HEADER, *CLAIMS, "crit", "b64", "jwk", "jku", "x5c", "nbf", "iat", "nonce"])


def written(header: Any, claims: Any) -> str:
    return ".".join(base64url_encode(json.dumps(part).encode()) for part in (header, claims)) + "." + "A" * 86


def read(text: str) -> bool:
    try:
        read_assertion(text, AUDIENCE, NOW)
    except Problem as problem:
        assert problem.code == "client-assertion-invalid"
        return False
    return True


def test_the_one_that_is_changed_here_is_read() -> None:
    assert read(written(HEADER, CLAIMS))


@given(st.dictionaries(NAMES, ANY, max_size=3), st.dictionaries(NAMES, ANY, max_size=3))
def test_any_header_and_claims_are_read_or_refused(header: dict[str, Any], claims: dict[str, Any]) -> None:
    """What is read is for this node, of this time, of one organisation, and has no extension."""
    head, said = {**HEADER, **header}, {**CLAIMS, **claims}
    if read(written(head, said)):
        assert said["iss"] == said["sub"]
        audience = said["aud"] if isinstance(said["aud"], list) else [said["aud"]]
        assert AUDIENCE & {each for each in audience if isinstance(each, str)}
        assert NOW - SKEW < said["exp"] <= NOW + LONGEST_ASSERTION + SKEW
        assert 8 <= len(said["jti"]) <= 200
        assert not {"crit", "b64"} & set(head)


@given(
    st.text(max_size=60)
    | st.lists(st.sampled_from([".", "e30", "A", "=", "é", "\0", "W10", "bnVsbA"]), max_size=9).map("".join)
)
def test_any_text_is_refused(text: str) -> None:
    assert not read(text)


@given(st.integers(0, 400), st.text("A.-_=é", max_size=3))
def test_any_damage_is_read_or_refused(at: int, junk: str) -> None:
    good = written(HEADER, CLAIMS)
    read(good[:at] + junk + good[at + len(junk) :])
