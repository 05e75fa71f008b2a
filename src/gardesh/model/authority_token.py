"""Access tokens of another authority: JWTs of the profile of RFC 9068, read strictly. No I/O, and no clock of its own.

What a token says is believed of who asks and of what it may do at most; what it may do is on the log.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from gardesh.model.canonical import Limits, base64url_decode, decode
from gardesh.model.jwk_set import TokenKey
from gardesh.model.problem import Problem, define

AUTHORITY_TOKEN_WRONG = define(
    "authority-token-wrong",
    401,
    en="The access token of another authority is not taken here: its {member} is not right.",
    fa="توکن دسترسی مرجع دیگر در اینجا پذیرفته نیست: {member} آن درست نیست.",
    hint_en="Tokens are JWTs as RFC 9068 has them, for the audience that this node names.",
    hint_fa="توکن باید JWT مطابق RFC 9068 و برای مخاطبی (aud) باشد که این گره نام برده است.",
)
MOST_BYTES = 8192
_LIMITS = Limits(size=MOST_BYTES, depth=8)
_BRINGS = ("jwk", "jku", "x5u", "x5c", "crit", "b64", "zip", "enc")
"""Members of a header that bring a key or change what is signed."""


@dataclass(frozen=True, slots=True)
class AuthorityToken:
    """A token as it was sent. Nothing of it is verified."""

    alg: str
    kid: str
    issuer: str
    claims: dict[str, Any]
    signed: bytes
    signature: bytes


def read(text: str) -> AuthorityToken:
    """The parts of a token. Raises `authority-token-wrong`, naming the member."""
    parts = text.encode("ascii", "replace").split(b".")
    if len(text) > MOST_BYTES or len(parts) != 3:
        raise Problem(AUTHORITY_TOKEN_WRONG, member="JWT")
    try:
        header, claims = (decode(base64url_decode(part), _LIMITS) for part in parts[:2])
        signature = base64url_decode(parts[2])
    except Problem:
        raise Problem(AUTHORITY_TOKEN_WRONG, member="JWT") from None
    if not isinstance(header, dict) or not isinstance(claims, dict):
        raise Problem(AUTHORITY_TOKEN_WRONG, member="JWT")
    for name in _BRINGS:
        if name in header:
            raise Problem(AUTHORITY_TOKEN_WRONG, member=name)
    typ = header.get("typ")
    if not isinstance(typ, str) or typ.lower() not in ("at+jwt", "application/at+jwt"):
        raise Problem(AUTHORITY_TOKEN_WRONG, member="typ")
    for name in ("alg", "kid"):
        if not isinstance(header.get(name), str) or not header[name]:
            raise Problem(AUTHORITY_TOKEN_WRONG, member=name)
    issuer = claims.get("iss")
    if not isinstance(issuer, str):
        raise Problem(AUTHORITY_TOKEN_WRONG, member="iss")
    return AuthorityToken(header["alg"], header["kid"], issuer, claims, parts[0] + b"." + parts[1], signature)


def check_signature(token: AuthorityToken, keys: Sequence[TokenKey], algorithms: Collection[str]) -> None:
    """One of these keys signed it, by one of these algorithms, which the key's kind allows (RFC 8725 §3.1).

    Raises `authority-token-wrong`."""
    if token.alg not in algorithms:
        raise Problem(AUTHORITY_TOKEN_WRONG, member="alg")
    if not any(key.verifies(token.alg, token.signed, token.signature) for key in keys):
        raise Problem(AUTHORITY_TOKEN_WRONG, member="signature")


def check_claims(token: AuthorityToken, audience: Collection[str], now: int, skew: int, longest: int) -> int:
    """For one of these audiences, now (s), and not for longer than `longest` s (RFC 9068 §2.2, §4): until when it holds.

    Raises `authority-token-wrong`. A token that is bound to a key (`cnf`) is refused: who holds it is not proven here.
    """
    claims = token.claims
    for name in ("sub", "client_id", "jti"):
        if not isinstance(claims.get(name), str) or not claims[name]:
            raise Problem(AUTHORITY_TOKEN_WRONG, member=name)
    given = claims.get("aud")
    named = given if isinstance(given, list) else [given]
    if not any(isinstance(a, str) and a in audience for a in named):
        raise Problem(AUTHORITY_TOKEN_WRONG, member="aud")
    if "cnf" in claims:
        raise Problem(AUTHORITY_TOKEN_WRONG, member="cnf")
    issued, expires = _instant(claims, "iat"), _instant(claims, "exp")
    if issued > now + skew:
        raise Problem(AUTHORITY_TOKEN_WRONG, member="iat")
    if "nbf" in claims and _instant(claims, "nbf") > now + skew:
        raise Problem(AUTHORITY_TOKEN_WRONG, member="nbf")
    if expires <= now - skew or expires <= issued or expires - issued > longest:
        raise Problem(AUTHORITY_TOKEN_WRONG, member="exp")
    return expires + skew


def _instant(claims: dict[str, Any], name: str) -> int:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)) or not 0 <= value < 1 << 40:
        raise Problem(AUTHORITY_TOKEN_WRONG, member=name)
    return int(value)


def words(value: Any) -> frozenset[str] | None:
    """What a claim lists: a text of words (RFC 6749 §3.3), or a list of texts; None where it is not there."""
    if value is None:
        return None
    if isinstance(value, str):
        return frozenset(value.split(" ")) - {""}
    if isinstance(value, list):
        return frozenset(v for v in value if isinstance(v, str))
    return frozenset()
