from __future__ import annotations

from hashlib import sha256
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given
from hypothesis import strategies as st
from papers import ED_KEY, KEY, b64, refusal

from gardesh.model.canonical import base64url_decode
from gardesh.model.jose import PrivateKey, PublicKey, read_header, sign_compact, thumbprint
from gardesh.model.problem import Problem

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551

# RFC 8037, appendix A.
ED25519_PUBLIC = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
ED25519 = {"kty": "OKP", "crv": "Ed25519", "x": b64(ED25519_PUBLIC)}
ED25519_SECRET = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
# RFC 7515, appendix A.3.
P256 = {
    "kty": "EC",
    "crv": "P-256",
    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
}
P256_INPUT = (
    b"eyJhbGciOiJFUzI1NiJ9"
    b".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
)
P256_SIGNATURE = base64url_decode(
    b"DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
)


def test_the_thumbprint_is_that_of_rfc_8037() -> None:
    assert PublicKey.from_jwk(ED25519).kid == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    assert thumbprint(ED25519) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def test_the_signature_is_that_of_rfc_8037() -> None:
    key = PrivateKey.from_secret("EdDSA", ED25519_SECRET)
    signed = key.sign(b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc")
    assert b64(signed) == (
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
    )
    assert key.public == PublicKey.from_jwk(ED25519)


def test_the_signature_of_rfc_7515_verifies() -> None:
    PublicKey.from_jwk(P256).verify(P256_INPUT, P256_SIGNATURE)


def test_es256_signs_as_rfc_6979_does_with_the_smaller_s() -> None:
    secret = bytes.fromhex("C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721")
    r = 0xEFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716
    s = 0xF7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8
    key = PrivateKey.from_secret("ES256", secret)
    assert key.sign(b"sample") == r.to_bytes(32, "big") + (P256_ORDER - s).to_bytes(32, "big")
    key.public.verify(b"sample", r.to_bytes(32, "big") + s.to_bytes(32, "big"))


@pytest.mark.parametrize("key", [KEY, ED_KEY])
def test_a_key_comes_back_from_its_jwk(key: PrivateKey) -> None:
    again = PublicKey.from_jwk(key.public.to_jwk())
    assert again == key.public
    assert (again.kid, again.alg, again.jwk) == (key.kid, key.alg, key.public.jwk)
    assert hash(again) == hash(key.public)
    again.verify(b"data", key.sign(b"data"))


@given(st.sampled_from([KEY, ED_KEY]), st.binary(max_size=50), st.integers(0, 511))
def test_one_changed_bit_of_a_signature_or_of_what_is_signed_is_found(
    key: PrivateKey, data: bytes, bit: int
) -> None:
    signature = bytearray(key.sign(data))
    key.public.verify(data, bytes(signature))
    assert refusal(lambda: key.public.verify(data + b"\0", bytes(signature)))[0] == "signature-wrong"
    signature[bit // 8] ^= 1 << bit % 8
    assert refusal(lambda: key.public.verify(data, bytes(signature)))[0] == "signature-wrong"


@pytest.mark.parametrize("key", [KEY, ED_KEY])
@pytest.mark.parametrize(
    "signature",
    [b"", b"\0" * 64, b"\xff" * 64, b"\0" * 63, b"\0" * 65, P256_ORDER.to_bytes(32, "big") * 2, b"\1" * 64],
)
def test_a_signature_of_no_use_is_refused(key: PrivateKey, signature: bytes) -> None:
    assert refusal(lambda: key.public.verify(b"data", signature))[0] == "signature-wrong"


def test_a_signature_in_der_is_refused() -> None:
    key = ec.derive_private_key(7, ec.SECP256R1())
    der = key.sign(b"data", ec.ECDSA(SHA256()))
    assert refusal(lambda: PublicKey(key.public_key()).verify(b"data", der))[0] == "signature-wrong"


def test_a_signature_of_one_kind_is_no_signature_of_the_other() -> None:
    assert refusal(lambda: KEY.public.verify(b"data", ED_KEY.sign(b"data")))[0] == "signature-wrong"
    assert refusal(lambda: ED_KEY.public.verify(b"data", KEY.sign(b"data")))[0] == "signature-wrong"


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"kty": "RSA"}, "/crv"),
        ({"crv": "P-384"}, "/crv"),
        ({"crv": "secp256k1"}, "/crv"),
        ({"kty": "OKP"}, "/crv"),
        ({"kty": ["EC"]}, "/crv"),
        ({"x": P256["y"], "y": P256["x"]}, "/x"),
        ({"x": P256["x"][:-1]}, "/x"),
        ({"x": P256["x"] + "="}, "/x"),
        ({"x": "é" * 43}, "/x"),
        ({"x": "*" * 43}, "/x"),
        ({"y": 5}, "/y"),
        ({"y": None}, "/y"),
        ({"alg": "EdDSA"}, "/alg"),
        ({"alg": "none"}, "/alg"),
        ({"use": "enc"}, "/use"),
        ({"kid": "of-another-key"}, "/kid"),
    ],
)
def test_a_jwk_that_is_no_good_key_is_refused(change: dict[str, Any], pointer: str) -> None:
    code, at = refusal(lambda: PublicKey.from_jwk({**P256, **change}))
    assert code in ("key-malformed", "base64url-malformed")
    assert at == pointer


def test_an_empty_jwk_is_refused() -> None:
    assert refusal(lambda: PublicKey.from_jwk({})) == ("key-malformed", "/kty")


@pytest.mark.parametrize("secret", ["d", "k", "p", "q", "priv"])
def test_a_private_key_is_not_taken_for_a_public_one(secret: str) -> None:
    assert refusal(lambda: PublicKey.from_jwk({**P256, secret: "AA"})) == ("key-private", f"/{secret}")


def test_keys_of_another_curve_are_refused() -> None:
    other = ec.derive_private_key(7, ec.SECP384R1())
    assert refusal(lambda: PublicKey(other.public_key()))[0] == "key-malformed"
    assert refusal(lambda: PrivateKey(other))[0] == "key-malformed"


@pytest.mark.parametrize(
    ("alg", "secret"),
    [
        ("ES256", b"\0" * 32),
        ("ES256", P256_ORDER.to_bytes(32, "big")),
        ("ES256", b"\1" * 31),
        ("EdDSA", b"\1" * 33),
        ("none", b"\1" * 32),
    ],
)
def test_a_secret_that_makes_no_key_is_refused(alg: str, secret: bytes) -> None:
    assert refusal(lambda: PrivateKey.from_secret(alg, secret))[0] == "key-malformed"


def test_what_is_printed_of_a_key_holds_no_secret() -> None:
    key = PrivateKey.from_secret("ES256", sha256(b"x").digest())
    assert repr(key) == f"PrivateKey(ES256, {key.kid})"
    assert repr(key.public) == f"PublicKey(ES256, {key.kid})"


def test_a_compact_jws_has_header_payload_and_signature() -> None:
    first, middle, last = sign_compact("vc+sd-jwt", b"{}", KEY).split(b".")
    assert read_header(first).kid == KEY.kid
    assert base64url_decode(middle) == b"{}"
    KEY.public.verify(first + b"." + middle, base64url_decode(last))


@given(
    st.binary(max_size=60)
    | st.text('{}[]",:algkidtypnoES256', max_size=60).map(lambda t: b64(t.encode()).encode())
)
def test_any_bytes_for_a_header_are_refused_with_a_problem(segment: bytes) -> None:
    with pytest.raises(Problem):
        read_header(segment)
