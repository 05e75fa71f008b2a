from __future__ import annotations

from typing import Any

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st
from log_keys import flip
from papers import ED_KEY, KEY, refusal

from gardesh.model.canonical import base64url_decode
from gardesh.model.cbor import encode
from gardesh.model.cose import Sign1, key_map, only, read, read_key, sign, thumbprint, verify
from gardesh.model.jose import PublicKey
from gardesh.model.problem import Problem

# The examples of the COSE working group (cose-wg/Examples: ecdsa, eddsa, sign1-tests).
P256 = PublicKey.from_jwk(
    {
        "kty": "EC",
        "crv": "P-256",
        "x": "usWxHK2PmfnHKwXPS54m0kTcGJ90UiglWiGahtagnv8",
        "y": "IBOL-C3BttVivg-lSreASjpkttcsz-1rb7btKLv8EX4",
    }
)
ED25519 = read_key(
    {1: 1, -1: 6, -2: bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")}
)
CONTENT = "54546869732069732074686520636f6e74656e742e"
ECDSA_SIG_01 = (
    f"d28445a201260300a104423131{CONTENT}"
    "58406520bbaf2081d7e0ed0f95f76eb0733d667005f7467cec4b87b9381a6ba1ede8"
    "e00df29f32a37230f39a842a54821fdd223092819d7728efb9d3a0080b75380b"
)
EDDSA_SIG_01 = (
    f"d28445a201270300a104423131{CONTENT}"
    "58407142fd2ff96d56db85bee905a76ba1d0b7321a95c8c4d3607c5781932b7afb87"
    "11497dfa751bf40b58b3bcc32300b1487f3db34085eef013bf08f4a44d6fef0d"
)
SIGN_PASS_03 = (
    "58408eb33e4ca31d1c465ab05aac34cc6b23d58fef5c083106c4d25a91aef0b0117e"
    "2af9a291aa32e14ab834dc56ed2a223444547e01f11d3b0916e5a4c345cacb36"
)


def check(raw: str, key: PublicKey = P256) -> Sign1:
    message = read(bytes.fromhex(raw))
    verify(message, key)
    return message


@pytest.mark.parametrize(("raw", "key"), [(ECDSA_SIG_01, P256), (EDDSA_SIG_01, ED25519)])
def test_examples_of_the_cose_working_group_verify(raw: str, key: PublicKey) -> None:
    message = check(raw, key)
    assert message.payload == b"This is the content."
    assert (message.protected[3], message.unprotected) == (0, {4: b"11"})
    assert message.encode().hex() == raw


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        # sign-pass-01: alg is in the unprotected header. sign-pass-02 has external data, of which nothing is known.
        (
            f"d28441a0a2012604423131{CONTENT}584087db0d2e5571843b78ac33ecb2830df7b6e0a4d5b7376de336b23c591c90c425"
            "317e56127fbe04370097ce347087b233bf722b64072beb4486bda4031d27244f",
            "cose-header-malformed",
        ),
        (
            f"d28443a10126a104423131{CONTENT}584010729cd711cb3813d8d8e944a8da7111e7b258c9bdca6135f7ae1adbee950989"
            "1267837e1e33bd36c150326ae62755c6bd8e540c3e8f92d7d225e8db72b8820b",
            "signature-wrong",
        ),
        # sign-pass-03 has no tag, sign-fail-01 tag 998, sign-fail-02 another payload.
        (f"8443a10126a104423131{CONTENT}{SIGN_PASS_03}", "cose-malformed"),
        (f"d903e68443a10126a104423131{CONTENT}{SIGN_PASS_03}", "cose-malformed"),
        (f"d28443a10126a104423131{CONTENT[:-1]}f{SIGN_PASS_03}", "signature-wrong"),
        # sign-fail-03 and -04: another algorithm; -06 and -07: a parameter more or less in the protected header.
        (f"d28445a1013903e6a104423131{CONTENT}{SIGN_PASS_03}", "cose-algorithm-unknown"),
        (f"d2844aa10167756e6b6e6f776ea104423131{CONTENT}{SIGN_PASS_03}", "cose-algorithm-unknown"),
        (f"d28445a201260300a104423131{CONTENT}{SIGN_PASS_03}", "signature-wrong"),
        (ECDSA_SIG_01.replace("45a201260300", "43a10126"), "signature-wrong"),
        # ecdsa-sig-04: SHA-512.
        (f"d28444a1013823a104423131{CONTENT}{SIGN_PASS_03}", "cose-algorithm-unknown"),
    ],
)
def test_examples_that_fail_or_are_not_taken_here(raw: str, code: str) -> None:
    assert refusal(lambda: check(raw))[0] == code


def test_the_example_without_its_tag_is_right_but_for_the_tag() -> None:
    assert check(f"d28443a10126a104423131{CONTENT}{SIGN_PASS_03}").protected == {1: -7}


@pytest.mark.parametrize("key", [KEY, ED_KEY])
@pytest.mark.parametrize("detached", [False, True])
def test_what_is_signed_is_as_another_implementation_has_it(key: Any, detached: bool) -> None:
    raw = sign({4: b"k", 15: {1: "i", 2: "s"}}, b"payload", key, detached=detached).encode()
    tag = cbor2.loads(raw)
    protected, unprotected, payload, signature = tag.value
    assert (tag.tag, unprotected, payload) == (18, {}, None if detached else b"payload")
    assert cbor2.loads(protected) == {1: -7 if key is KEY else -8, 4: b"k", 15: {1: "i", 2: "s"}}
    key.public.verify(cbor2.dumps(["Signature1", protected, b"", b"payload"]), signature)
    verify(read(raw), key.public, b"payload" if detached else None)


@pytest.mark.parametrize(("alg", "key"), [(-7, KEY), (-9, KEY), (-8, ED_KEY), (-19, ED_KEY)])
def test_both_names_of_an_algorithm_are_read(alg: int, key: Any) -> None:
    verify(read(by_others({1: alg}, b"payload", key)), key.public)
    other = (ED_KEY if key is KEY else KEY).public
    assert refusal(lambda: verify(read(by_others({1: alg}, b"", key)), other))[0] == "cose-of-another-key"


def by_others(protected: Any, payload: Any, key: Any, unprotected: Any = None, tag: int = 18) -> bytes:
    """A message of just these parts, written by another implementation of CBOR."""
    raw = protected if isinstance(protected, bytes) else cbor2.dumps(protected)
    signature = key.sign(cbor2.dumps(["Signature1", raw, b"", payload]))
    return cbor2.dumps(cbor2.CBORTag(tag, [raw, unprotected or {}, payload, signature]))


def test_maps_may_be_in_any_order() -> None:
    raw = by_others({16: "t", 4: b"k", 1: -7}, b"payload", KEY)
    assert encode(read(raw).protected) != read(raw).protected_raw
    verify(read(raw), KEY.public)
    assert read(raw).encode() == raw


@pytest.mark.parametrize(
    ("protected", "unprotected", "code"),
    [
        ({}, {}, "cose-header-malformed"),
        (b"", {1: -7}, "cose-header-malformed"),
        ({1: None}, {}, "cose-header-malformed"),
        ({1: True}, {}, "cose-header-malformed"),
        ({1: -7}, {1: -7}, "cose-header-malformed"),
        ({1: -7, 4: b"a"}, {4: b"b"}, "cose-header-malformed"),
        ({1: -7, 4: "a"}, {}, "cose-header-malformed"),
        ({1: -7}, {4: "a"}, "cose-header-malformed"),
        ({1: -7, 15: []}, {}, "cose-header-malformed"),
        ({1: -7, 3: b""}, {}, "cose-header-malformed"),
        ({1: -7, 16: False}, {}, "cose-header-malformed"),
        ({1: -7, 2: [1]}, {}, None),
        ({1: -7, 2: []}, {}, "cose-header-malformed"),
        ({1: -7, 2: 1}, {}, "cose-header-malformed"),
        ({1: -7, 2: [4]}, {}, "cose-header-malformed"),
        ({1: -7, 2: [4]}, {4: b"a"}, "cose-header-malformed"),
        ({1: -7, 2: [[]]}, {}, "cose-header-malformed"),
        ({1: -7}, {2: [1]}, "cose-header-malformed"),
        ({1: -7, 2: [99], 99: 0}, {}, "cose-header-critical"),
        ({1: -7, 2: ["x"], "x": 0}, {}, "cose-header-critical"),
        ({1: -7, 99: 0}, {99: 0}, "cose-header-malformed"),
        ({1: -7, 99: 0, "x": 0}, {98: 0}, None),
        (b"\x01", {}, "cose-malformed"),
        (b"\xa2\x01\x26\x01\x26", {}, "cbor-key-twice"),
        (b"\xa1\x01\x26\x00", {}, "cbor-malformed"),
        (b"\xbf\x01\x26\xff", {}, "cbor-not-shortest"),
    ],
)
def test_headers(protected: Any, unprotected: Any, code: str | None) -> None:
    raw = by_others(protected, b"", KEY, unprotected)
    if code is None:
        verify(read(raw), KEY.public)
    else:
        assert refusal(lambda: read(raw))[0] == code


def test_a_label_that_the_caller_acts_on_may_be_critical() -> None:
    raw = by_others({1: -7, 2: [99], 99: 0}, b"", KEY)
    assert read(raw, understood={99}).protected[99] == 0


def test_only_known_labels_are_let_through_where_that_is_asked() -> None:
    message = read(by_others({1: -7, 99: 0}, b"", KEY, {33: b""}))
    only(message, {1, 99}, {33})
    assert refusal(lambda: only(message, {1}, {33}))[0] == "cose-header-unknown"
    assert refusal(lambda: only(message, {1, 99}, ()))[0] == "cose-header-unknown"


@pytest.mark.parametrize(
    "value",
    [
        [b"", {}, b""],
        [b"", {}, b"", b"", b""],
        ["", {}, b"", b""],
        [b"", [], b"", b""],
        [b"", {}, "", b""],
        [b"", {}, b"", None],
        {},
        None,
    ],
)
def test_other_values_are_no_message(value: Any) -> None:
    assert refusal(lambda: read(cbor2.dumps(cbor2.CBORTag(18, value))))[0] == "cose-malformed"


@pytest.mark.parametrize("length", [0, 63, 65])
def test_a_signature_has_64_bytes(length: int) -> None:
    raw = cbor2.dumps(cbor2.CBORTag(18, [cbor2.dumps({1: -8}), {}, b"", bytes(length)]))
    assert refusal(lambda: verify(read(raw), ED_KEY.public))[0] == "signature-wrong"


def test_a_payload_is_in_the_message_or_given_never_both() -> None:
    attached, detached = (sign({}, b"p", ED_KEY, detached=d) for d in (False, True))
    verify(detached, ED_KEY.public, b"p")
    for message, payload in ((attached, b"p"), (detached, None)):
        assert (
            refusal(lambda m=message, p=payload: verify(m, ED_KEY.public, p))[0] == "cose-payload-misplaced"
        )
    assert refusal(lambda: verify(detached, ED_KEY.public, b"q"))[0] == "signature-wrong"


def test_every_flipped_bit_of_a_message_is_found() -> None:
    raw = sign({4: b"kid"}, b"payload", ED_KEY).encode()
    assert [bit for bit in range(8 * len(raw)) if _holds(flip(raw, bit))] == []


def _holds(raw: bytes) -> bool:
    try:
        verify(read(raw), ED_KEY.public)
    except Problem:
        return False
    return True


@given(st.binary(max_size=200) | st.builds(lambda h: by_others(h, b"", KEY), st.binary(max_size=40)))
def test_any_bytes_are_a_message_or_a_problem(raw: bytes) -> None:
    try:
        message = read(raw)
        verify(message, KEY.public)
    except Problem:
        return
    assert read(message.encode()) == message


# RFC 9679 §6: the key, and its thumbprint with SHA-256.
MERIADOC = {
    1: 2,
    2: b"meriadoc.brandybuck@buckland.example",
    -1: 1,
    -2: bytes.fromhex("65eda5a12577c2bae829437fe338701a10aaa375e1bb5b5de108de439c08551d"),
    -3: bytes.fromhex("1e52ed75701163f7f9e40ddf9f341b3dc9ba860af7e0ca7ca7e9eecd0084d19c"),
}


def test_the_thumbprint_is_that_of_rfc_9679() -> None:
    key = read_key(MERIADOC)
    assert thumbprint(key).hex() == "496bd8afadf307e5b08c64b0421bf9dc01528a344a43bda88fadd1669da253ec"
    assert base64url_decode(key.jwk["x"].encode()) == MERIADOC[-2]
    assert thumbprint(key) != base64url_decode(key.kid.encode())


@pytest.mark.parametrize("key", [KEY.public, ED_KEY.public, P256, ED25519])
def test_a_key_comes_back_as_it_was_written(key: PublicKey) -> None:
    assert read_key(key_map(key)) == key
    assert read_key(cbor2.loads(encode(key_map(key)))) == key
    assert key_map(key)[2] == thumbprint(key)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({-4: bytes(32)}, "key-private"),
        ({1: 1}, "cose-key-malformed"),
        ({1: ...}, "cose-key-malformed"),
        ({-1: 2}, "cose-key-malformed"),
        ({-2: ...}, "cose-key-malformed"),
        ({-2: bytes(31)}, "cose-key-malformed"),
        ({-2: bytes(32)}, "cose-key-malformed"),
        ({-2: b"\xff" * 32}, "cose-key-malformed"),
        ({-2: "x" * 32}, "cose-key-malformed"),
        ({-3: True}, "cose-key-malformed"),
        ({-3: ...}, "cose-key-malformed"),
        ({-3: bytes(32)}, "cose-key-malformed"),
        ({1: [], -1: {}}, "cose-key-malformed"),
    ],
)
def test_other_keys_are_refused(changes: dict[int, Any], code: str) -> None:
    members = {label: value for label, value in {**MERIADOC, **changes}.items() if value is not ...}
    assert refusal(lambda: read_key(members))[0] == code
    assert refusal(lambda: read_key([members]))[0] == "cose-key-malformed"


def test_other_curves_are_no_keys() -> None:
    key = ec.generate_private_key(ec.SECP384R1()).public_key().public_numbers()
    assert refusal(lambda: read_key({1: 2, -1: 2, -2: key.x.to_bytes(48, "big")}))[0] == "cose-key-malformed"


MEMBERS = st.sampled_from([1, -1, -2, -3, -4, 2, 3, "kty", True])
VALUES = st.sampled_from(
    [1, 2, 6, -7, True, 1.0, None, "P-256", b"", bytes(32), b"\xff" * 32, b"\1" * 33, P256.jwk["x"]]
) | st.binary(min_size=32, max_size=32)


@given(st.dictionaries(MEMBERS, VALUES, max_size=6) | VALUES)
def test_any_value_is_a_key_or_refused(value: Any) -> None:
    for given_ in (value, {1: 2, -1: 1, **value} if isinstance(value, dict) else value, [value]):
        try:
            key = read_key(given_)
        except Problem as problem:
            assert problem.code in ("cose-key-malformed", "key-private")
        else:
            assert read_key(key_map(key)) == key
