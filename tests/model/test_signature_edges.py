"""Signatures and keys at the edges of their arithmetic: the kinds of vectors that Project Wycheproof collects.

What is a signature, and what none, is said by the standards' own equations, in plain integers, beside the library that the
product verifies with. The vectors themselves are run by `tools/wycheproof.py`.
"""

from __future__ import annotations

from hashlib import sha256, sha512
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from papers import b64, refusal

from gardesh.model import cose
from gardesh.model.canonical import base64url_decode
from gardesh.model.jose import PrivateKey, PublicKey
from gardesh.model.problem import Problem
from gardesh.model.signer import SignatureType, Verifier

MESSAGE = b"a document"

# -- P-256 (FIPS 186-5, SEC 1) --------------------------------------------------------------------------------

P = 2**256 - 2**224 + 2**192 + 2**96 - 1
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
Point = tuple[int, int] | None


def plus(a: Point, b: Point) -> Point:
    if a is None or b is None:
        return a or b
    if a[0] == b[0] and (a[1] + b[1]) % P == 0:
        return None
    slope = (3 * a[0] ** 2 - 3) * pow(2 * a[1], -1, P) if a == b else (b[1] - a[1]) * pow(b[0] - a[0], -1, P)
    x = (slope**2 - a[0] - b[0]) % P
    return x, (slope * (a[0] - x) - a[1]) % P


def times(k: int, a: Point) -> Point:
    out: Point = None
    while k:
        out, a, k = plus(out, a) if k & 1 else out, plus(a, a), k >> 1
    return out


def holds(q: Point, r: int, s: int) -> bool:
    """SEC 1 §4.1.4."""
    if not (0 < r < N and 0 < s < N):
        return False
    e, w = int.from_bytes(sha256(MESSAGE).digest()), pow(s, -1, N)
    found = plus(times(e * w % N, G), times(r * w % N, q))
    return found is not None and found[0] % N == r


def p256(x: int, y: int) -> PublicKey:
    return PublicKey.from_jwk(
        {"kty": "EC", "crv": "P-256", "x": b64(x.to_bytes(32)), "y": b64(y.to_bytes(32))}
    )


def verifies(key: PublicKey, signature: bytes) -> bool:
    try:
        key.verify(MESSAGE, signature)
    except Problem as problem:
        assert problem.code == "signature-wrong"
        return False
    return True


SECRETS = [1, N - 1, 0xC0FFEE]
"""Among them those whose public key is the base point, or its inverse: where adding points meets doubling and nothing."""
E = int.from_bytes(sha256(MESSAGE).digest())


@pytest.mark.parametrize("secret", SECRETS)
def test_what_the_equation_of_ecdsa_says_is_what_counts(secret: int) -> None:
    q = times(secret, G)
    assert q is not None
    key = p256(*q)
    assert key == PrivateKey.from_secret("ES256", secret.to_bytes(32)).public
    good = PrivateKey.from_secret("ES256", secret.to_bytes(32)).sign(MESSAGE)
    r, s = int.from_bytes(good[:32]), int.from_bytes(good[32:])
    assert holds(q, r, s)
    edges = [0, 1, N - 1, N, P, 2**256 - 1, r, N - r, E % N, G[0]]
    found = 0
    for a in edges:
        for b in (0, 1, N - 1, N, 2**256 - 1, s, N - s, (E + r * secret) % N):
            made = verifies(key, a.to_bytes(32) + b.to_bytes(32))
            assert made == holds(q, a, b), (a, b)
            found += made
    assert found >= 2


@pytest.mark.parametrize("k", [1, 2, N - 1, (N + 1) // 2, 3])
def test_a_signature_with_a_nonce_of_the_edge_holds(k: int) -> None:
    """R is the base point, its double, its inverse: such a signature gives its key away, but it is one."""
    point = times(k, G)
    assert point is not None
    r = point[0] % N
    s = pow(k, -1, N) * (E + r * 5) % N
    q = times(5, G)
    assert q is not None
    assert holds(q, r, s)
    assert verifies(p256(*q), r.to_bytes(32) + s.to_bytes(32))


@pytest.mark.parametrize("multiple", [1, 2])
def test_u1_g_and_u2_q_may_meet(multiple: int) -> None:
    """u1·G = ± u2·Q: their sum is a doubling, or nothing at all."""
    r, s = 12345, 67890
    u1, u2 = E * pow(s, -1, N) % N, r * pow(s, -1, N) % N
    for sign in (1, -1):
        secret = sign * multiple * u1 * pow(u2, -1, N) % N
        q = times(secret, G)
        assert q is not None
        assert verifies(p256(*q), r.to_bytes(32) + s.to_bytes(32)) == holds(q, r, s)


def test_only_a_point_of_the_curve_is_a_key() -> None:
    on = times(0xC0FFEE, G)
    assert on is not None
    twist = next(x for x in range(2, 99) if pow(x**3 - 3 * x + B, (P - 1) // 2, P) == P - 1)
    root = next(
        (x, y)
        for x in range(99)
        for y in [pow(x**3 - 3 * x + B, (P + 1) // 4, P)]
        if y * y % P == (x**3 - 3 * x + B) % P
    )
    p256(*root)
    others = [
        (0, 0),
        (0, 1),
        (1, 0),
        (on[0], on[1] + 1),
        (on[1], on[0]),
        (twist, 1),
        (P, on[1]),
        (2**256 - 1,) * 2,
    ]
    others += [(root[0] + P, root[1])]  # the same point, not reduced: one key would have two names
    for x, y in others:
        assert refusal(lambda x=x, y=y: p256(x, y)) == ("key-malformed", "/x")
        value = {1: 2, -1: 1, -2: x.to_bytes(32), -3: y.to_bytes(32)}
        assert refusal(lambda value=value: cose.read_key(value))[0] == "cose-key-malformed"


@given(st.integers(0, 2**256 - 1), st.integers(0, 2**256 - 1))
def test_no_numbers_are_a_signature_by_accident(r: int, s: int) -> None:
    assert not verifies(p256(*G), r.to_bytes(32) + s.to_bytes(32))


# -- Ed25519 (RFC 8032) -----------------------------------------------------------------------------------------

FIELD = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, FIELD) % FIELD
ED = PrivateKey.from_secret("EdDSA", sha256(b"edges").digest())


def add(a: tuple[int, int], b: tuple[int, int]) -> tuple[int, int]:
    t = D * a[0] * b[0] * a[1] * b[1] % FIELD
    x = (a[0] * b[1] + b[0] * a[1]) * pow(1 + t, -1, FIELD) % FIELD
    return x, (a[1] * b[1] + a[0] * b[0]) * pow(1 - t, -1, FIELD) % FIELD


def root_of(square: int) -> int:
    x = pow(square, (FIELD + 3) // 8, FIELD)
    return x if x * x % FIELD == square else x * pow(2, (FIELD - 1) // 4, FIELD) % FIELD


def torsion() -> list[tuple[int, int]]:
    """The eight points whose order divides eight, by adding the one of order eight to itself."""
    y = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
    x = root_of((y * y - 1) * pow(D * y * y + 1, -1, FIELD) % FIELD)
    points = [(0, 1)]
    while len(points) < 8:
        points.append(add(points[-1], (x, y)))
    assert add(points[-1], (x, y)) == (0, 1)
    assert len(set(points)) == 8
    return points


def written(x_odd: int, y: int) -> bytes:
    return (y | x_odd << 255).to_bytes(32, "little")


WEAK = sorted(
    {written(odd, y + more) for _, y in torsion() for odd in (0, 1) for more in (0, FIELD) if y + more < 2**255}
)  # fmt: skip


def test_an_ed25519_key_that_is_anybodys_is_no_key() -> None:
    """Of small order, in every way to write it: `R = S = 0` in some form is then a signature of many messages."""
    assert len(WEAK) >= 14
    for raw in WEAK:
        jwk: Any = {"kty": "OKP", "crv": "Ed25519", "x": b64(raw)}
        assert refusal(lambda jwk=jwk: PublicKey.from_jwk(jwk)) == ("key-malformed", "/x")
        value: Any = {1: 1, -1: 6, -2: raw}
        assert refusal(lambda value=value: cose.read_key(value))[0] == "cose-key-malformed"
        for kind in (SignatureType.ED25519, SignatureType.COSIGNATURE_ED25519):
            assert refusal(lambda raw=raw, kind=kind: Verifier("n", kind, raw))[0] == "verifier-key-malformed"


@pytest.mark.parametrize("y", range(19))
@pytest.mark.parametrize("odd", [0, 1])
def test_a_point_that_is_not_written_as_the_standard_does_is_no_key(y: int, odd: int) -> None:
    raw = written(odd, FIELD + y)
    assert (
        refusal(lambda: PublicKey.from_jwk({"kty": "OKP", "crv": "Ed25519", "x": b64(raw)}))[0]
        == "key-malformed"
    )


def test_an_ed25519_signature_has_one_scalar() -> None:
    """S + L would be another signature of the same (RFC 8032 §5.1.7)."""
    good = ED.sign(MESSAGE)
    scalar = int.from_bytes(good[32:], "little")
    assert verifies(ED.public, good)
    for other in (
        scalar + ORDER,
        scalar + 2 * ORDER,
        ORDER - scalar,
        0,
        1,
        ORDER,
        ORDER - 1,
        scalar | 1 << 255,
        2**256 - 1,
    ):
        assert not verifies(ED.public, good[:32] + (other % 2**256).to_bytes(32, "little")), other


@pytest.mark.parametrize("raw", WEAK, ids=lambda raw: raw[:3].hex())
def test_a_commitment_of_small_order_signs_nothing(raw: bytes) -> None:
    """S = k·a for that R would need the secret; S = 0 and the like are what is tried."""
    for scalar in (0, 1, ORDER - 1):
        assert not verifies(ED.public, raw + scalar.to_bytes(32, "little"))


def test_the_commitment_is_compared_as_it_is_written() -> None:
    """R plus a point of small order satisfies the equation times eight, and not the one without. RFC 8032 §5.1.7 allows to
    check either; two checkers of the same documents have to check the same one."""
    head = sha512(sha256(b"edges").digest()).digest()
    secret = int.from_bytes(head[:32], "little") & ((1 << 254) - 8) | 1 << 254
    nonce = int.from_bytes(sha512(head[32:] + MESSAGE).digest(), "little") % ORDER
    commitment, key = ED.sign(MESSAGE)[:32], base64url_decode(ED.public.jwk["x"].encode())
    y = int.from_bytes(commitment, "little") & (2**255 - 1)
    x = root_of((y * y - 1) * pow(D * y * y + 1, -1, FIELD) % FIELD)
    x = x if x % 2 == commitment[31] >> 7 else FIELD - x
    told = []
    for point in torsion():
        moved = add((x, y), point)
        raw = written(moved[0] % 2, moved[1])
        k = int.from_bytes(sha512(raw + key + MESSAGE).digest(), "little") % ORDER
        told.append(verifies(ED.public, raw + ((nonce + k * secret) % ORDER).to_bytes(32, "little")))
    assert told == [True] + [False] * 7


@pytest.mark.parametrize("length", [0, 1, 32, 63, 65, 72, 128])
def test_a_signature_has_64_bytes(length: int) -> None:
    for key in (ED, PrivateKey.from_secret("ES256", b"\1" * 32)):
        assert not verifies(key.public, (key.sign(MESSAGE) * 2)[:length])
