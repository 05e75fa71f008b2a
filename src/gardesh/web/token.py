"""Access tokens: short-lived, bound to the key that asked for them, with scopes no wider than the roles held.

A token is a JWT with HMAC-SHA-256 under a key that only this node can derive. What it says of roles is an upper bound:
each use looks up again whether the key is in force and which of the roles the organisation still holds.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from hashlib import sha256
from hmac import compare_digest
from hmac import digest as hmac
from typing import Any

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gardesh.model.canonical import Limits, base64url_decode, base64url_encode, decode, encode
from gardesh.model.jose import PublicKey, SigningKey
from gardesh.model.problem import Problem, Wording, define

TOKEN_INVALID = define(
    "token-invalid",
    401,
    en="The access token is not one of this node, or it has expired.",
    fa="توکن دسترسی از این گره نیست یا منقضی شده است.",
    hint_en="Ask for a new one at /token.",
    hint_fa="توکن تازه‌ای از /token بگیرید.",
)
ASSERTION_INVALID = define(
    "client-assertion-invalid",
    401,
    en="The client assertion is not as RFC 7523 has it: {reason}.",
    fa="اظهارنامه‌ی کارخواه با RFC 7523 سازگار نیست: {reason}.",
)
_LIMITS = Limits(size=8192, depth=6)
_HEADER = base64url_encode(b'{"alg":"HS256","typ":"at+jwt"}')
LONGEST_ASSERTION = 300
"""How many seconds an assertion may live at most."""
SKEW = 30
"""How many seconds the clocks of client and node may differ."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token says: who, by which key, in which roles, until when (s since the epoch)."""

    org: str
    kid: str
    roles: frozenset[str]
    expires: int


class Tokens:
    """Mints and reads tokens. Two processes with the same clock key read each other's."""

    def __init__(self, clock: SigningKey, url: str) -> None:
        """`clock`: the node's own key; the token key is derived from a signature of it that nothing else asks for."""
        secret = clock.sign(b"gardesh access tokens v1")
        self.url = url
        self._key = HKDF(SHA256(), 32, salt=None, info=b"gardesh access tokens v1").derive(secret)

    def mint(self, grant: Grant, now: int) -> str:
        """A token for what is granted; `now` in s."""
        claims = {
            "iss": self.url, "aud": self.url, "sub": grant.org, "client_id": grant.org, "kid": grant.kid,
            "scope": " ".join(sorted(grant.roles)), "iat": now, "exp": grant.expires, "jti": secrets.token_hex(8),
        }  # fmt: skip
        body = f"{_HEADER}.{base64url_encode(encode(claims))}"
        return f"{body}.{base64url_encode(self._seal(body))}"

    @staticmethod
    def mints(token: str) -> bool:
        """Whether a token has the form of these; whether it is one, `read` says."""
        return token.startswith(f"{_HEADER}.")

    def read(self, token: str, now: int) -> Grant:
        """What a token grants. Raises `token-invalid`."""
        body, _, seal = token.rpartition(".")
        try:
            given = base64url_decode(seal.encode("ascii", "replace"))
            if len(token) > 8192 or not compare_digest(given, self._seal(body)):
                raise Problem(TOKEN_INVALID)
            claims = decode(base64url_decode(body.partition(".")[2].encode()), _LIMITS)
        except Problem:
            raise Problem(TOKEN_INVALID) from None
        if claims["exp"] <= now or claims["aud"] != self.url:
            raise Problem(TOKEN_INVALID)
        return Grant(claims["sub"], claims["kid"], frozenset(claims["scope"].split()), claims["exp"])

    def _seal(self, body: str) -> bytes:
        return hmac(self._key, body.encode("utf-8", "surrogateescape"), "sha256")


@dataclass(frozen=True, slots=True)
class Assertion:
    """A client assertion (RFC 7523 §2.2) as it was sent; its signature is not verified."""

    org: str
    kid: str
    alg: str
    expires: int
    id: str
    signed: bytes
    signature: bytes

    def verify(self, key: PublicKey) -> None:
        """Raises `client-assertion-invalid`, `signature-wrong`."""
        if self.alg != key.alg or self.kid != key.kid:
            raise Problem(
                ASSERTION_INVALID,
                reason=Wording("alg or kid are not the key's", "alg یا kid از آن کلید نیست"),
            )
        key.verify(self.signed, self.signature)

    @property
    def name(self) -> bytes:
        """What a second use of it is known by."""
        return sha256(f"{self.kid} {self.id}".encode()).digest()


def read_assertion(text: str, audience: frozenset[str], now: int) -> Assertion:
    """A client assertion for one of these audiences (RFC 7523 §3); `now` in s. Raises `client-assertion-invalid`."""

    def wrong(en: str, fa: str) -> Problem:
        return Problem(ASSERTION_INVALID, reason=Wording(en, fa))

    parts = text.encode("ascii", "replace").split(b".")
    if len(parts) != 3 or len(text) > 8192:
        raise wrong("it is no JWT", "JWT نیست")
    try:
        header, claims = (decode(base64url_decode(p), _LIMITS) for p in parts[:2])
        signature = base64url_decode(parts[2])
    except Problem:
        raise wrong("it is no JWT", "JWT نیست") from None
    if not isinstance(header, dict) or not isinstance(claims, dict) or "crit" in header or "b64" in header:
        raise wrong("its header or its claims", "سرآیند یا ادعاهایش درست نیست")
    alg, kid = header.get("alg"), header.get("kid")
    issuer, expires, once = claims.get("iss"), claims.get("exp"), claims.get("jti")
    if not (isinstance(kid, str) and isinstance(alg, str) and isinstance(issuer, str)):
        raise wrong("alg, kid or iss is missing", "alg یا kid یا iss نیامده است")
    if claims.get("sub") != issuer:
        raise wrong("sub is not iss", "sub همان iss نیست")
    if not isinstance(once, str) or not 8 <= len(once) <= 200:
        raise wrong(
            "jti is missing, or too short to be unique", "jti نیامده است، یا کوتاه‌تر از آن است که یکتا باشد"
        )
    if not audience & frozenset(_listed(claims.get("aud"))):
        known = ", ".join(sorted(audience))
        raise wrong(f"aud is none of {known}", f"aud هیچ‌یک از این‌ها نیست: {known}")
    if type(expires) is not int or not now - SKEW < expires <= now + LONGEST_ASSERTION + SKEW:
        raise wrong(
            f"exp is missing, past, or over {LONGEST_ASSERTION} seconds ahead",
            f"exp نیامده، گذشته، یا بیش از {LONGEST_ASSERTION} ثانیه جلوتر است",
        )
    for name in ("nbf", "iat"):
        if name in claims and (type(claims[name]) is not int or claims[name] > now + SKEW):
            raise wrong(f"{name} is ahead", f"{name} در آینده است")
    return Assertion(issuer, kid, alg, expires, once, parts[0] + b"." + parts[1], signature)


def _listed(value: Any) -> list[str]:
    found = value if isinstance(value, list) else [value]
    return [v for v in found if isinstance(v, str)]
