"""Keys of another authority: a JWK Set (RFC 7517 §5), and the signatures of its tokens (RFC 7518, 8037).

Documents are signed with two kinds of key (`jose`); authorities elsewhere sign tokens with what they have, RSA too.
Only public keys verify anything here: a symmetric one, or one whose private half came along, is as if it were not there.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512, HashAlgorithm

from gardesh.model.canonical import Limits, base64url_decode, decode
from gardesh.model.problem import Problem, define

KEY_SET_MALFORMED = define(
    "key-set-malformed",
    400,
    en="This is not a JWK Set (RFC 7517 §5).",
    fa="این یک مجموعه‌ی کلید JWK Set (RFC 7517 §5) نیست.",
)
HASHES: dict[str, HashAlgorithm] = {"256": SHA256(), "384": SHA384(), "512": SHA512()}
CURVES: dict[str, tuple[str, ec.EllipticCurve, int]] = {
    "P-256": ("ES256", ec.SECP256R1(), 32),
    "P-384": ("ES384", ec.SECP384R1(), 48),
    "P-521": ("ES512", ec.SECP521R1(), 66),
}
RSA = ("PS256", "PS384", "PS512", "RS256", "RS384", "RS512")
ALGORITHMS = ("EdDSA", "Ed25519", "ES256", "ES384", "ES512", *RSA)
"""What a token may be signed with at all: nothing symmetric, and never nothing."""
MOST_BYTES = 262_144
MOST_KEYS = 100
_LIMITS = Limits(size=MOST_BYTES, depth=8)
_PRIVATE = ("d", "k", "p", "q", "dp", "dq", "qi", "oth", "priv")
Check = Callable[[str, bytes, bytes], None]


@dataclass(frozen=True, slots=True)
class TokenKey:
    """A key that verifies. `algorithms`: those that its kind allows, or the one that it is for."""

    kid: str
    algorithms: frozenset[str]
    _check: Check

    def verifies(self, alg: str, data: bytes, signature: bytes) -> bool:
        """Whether this is its signature over `data`, by an algorithm that it is for."""
        if alg not in self.algorithms:
            return False
        try:
            self._check(alg, data, signature)
        except InvalidSignature:
            return False
        return True


class KeySet:
    """The keys of an authority by their kid."""

    def __init__(self, keys: Collection[TokenKey]) -> None:
        self._keys: dict[str, list[TokenKey]] = {}
        for key in keys:
            self._keys.setdefault(key.kid, []).append(key)

    def named(self, kid: str) -> list[TokenKey]:
        """The keys of that name: one, or one of each kind."""
        return self._keys.get(kid, [])

    def __len__(self) -> int:
        return sum(map(len, self._keys.values()))


def read_key_set(data: bytes) -> KeySet:
    """The keys of a set that verify and have a kid; all others are passed over. Raises `key-set-malformed`."""
    try:
        told = decode(data, _LIMITS)
    except Problem:
        raise Problem(KEY_SET_MALFORMED) from None
    listed = told.get("keys") if isinstance(told, dict) else None
    if not isinstance(listed, list) or len(listed) > MOST_KEYS:
        raise Problem(KEY_SET_MALFORMED, "/keys")
    return KeySet([key for jwk in listed if isinstance(jwk, dict) and (key := _key(jwk)) is not None])


def _key(jwk: dict[str, Any]) -> TokenKey | None:
    kid, alg, use, uses = (jwk.get(name) for name in ("kid", "alg", "use", "key_ops"))
    if not isinstance(kid, str) or not kid or any(name in jwk for name in _PRIVATE):
        return None
    if use not in (None, "sig") or (
        uses is not None and (not isinstance(uses, list) or "verify" not in uses)
    ):
        return None
    try:
        made = _made(jwk)
    except (ValueError, Problem):
        return None
    if made is None or (alg is not None and alg not in made[0]):
        return None
    algorithms, check = made
    return TokenKey(kid, algorithms if alg is None else frozenset([alg]), check)


def _made(jwk: dict[str, Any]) -> tuple[frozenset[str], Check] | None:
    kind, curve = jwk.get("kty"), jwk.get("crv")
    if kind == "RSA":
        return _rsa(int.from_bytes(_bytes(jwk, "n")), int.from_bytes(_bytes(jwk, "e")))
    if kind == "EC" and curve in CURVES:
        alg, made, size = CURVES[curve]
        x, y = (int.from_bytes(_bytes(jwk, name)) for name in ("x", "y"))
        return frozenset([alg]), _elliptic(ec.EllipticCurvePublicNumbers(x, y, made).public_key(), size)
    if kind == "OKP" and curve == "Ed25519":
        key = Ed25519PublicKey.from_public_bytes(_bytes(jwk, "x"))
        return frozenset(["EdDSA", "Ed25519"]), lambda alg, data, signature: key.verify(signature, data)
    return None


def _rsa(n: int, e: int) -> tuple[frozenset[str], Check] | None:
    """RFC 7518 §3.3: 2048 bits at least; and no modulus or exponent that makes verifying slow."""
    if not 2048 <= n.bit_length() <= 8192 or not 3 <= e < 1 << 33:
        return None
    key = rsa.RSAPublicNumbers(e, n).public_key()

    def check(alg: str, data: bytes, signature: bytes) -> None:
        digest = HASHES[alg[2:]]
        if alg.startswith("PS"):
            pss = padding.PSS(padding.MGF1(digest), digest.digest_size)
            key.verify(signature, data, pss, digest)
        else:
            key.verify(signature, data, padding.PKCS1v15(), digest)

    return frozenset(RSA), check


def _elliptic(key: ec.EllipticCurvePublicKey, size: int) -> Check:
    def check(alg: str, data: bytes, signature: bytes) -> None:
        if len(signature) != 2 * size:
            raise InvalidSignature
        r, s = int.from_bytes(signature[:size]), int.from_bytes(signature[size:])
        key.verify(encode_dss_signature(r, s), data, ec.ECDSA(HASHES[alg[2:]]))

    return check


def _bytes(jwk: dict[str, Any], name: str) -> bytes:
    text = jwk.get(name)
    if not isinstance(text, str):
        raise ValueError(name)
    return base64url_decode(text.encode("ascii", "replace"))
