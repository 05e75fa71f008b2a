"""Documents for tests: an issuer's keys, claims that hold, and a forge for documents that no issuer makes."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from hashlib import sha256
from itertools import count
from typing import Any

from gardesh.model.canonical import base64url_encode
from gardesh.model.claims import CONTEXT
from gardesh.model.document import compose
from gardesh.model.jose import PrivateKey, SigningKey
from gardesh.model.problem import Problem

KEY = PrivateKey.from_secret("ES256", sha256(b"standards").digest())
ED_KEY = PrivateKey.from_secret("EdDSA", sha256(b"standards").digest())
CASE = sha256(b"case").hexdigest()
ORDER = sha256(b"order").digest()
AT = 1_767_427_200_000

CLAIMS: dict[str, Any] = compose(
    type="trade/permit",
    issuer="standards",
    valid_from_ms=AT,
    pack="trade@1.0.0",
    procedure="import",
    case=CASE,
    step="permit",
    key="standards",
    outcome="approved",
    basis=[("order-request", ORDER)],
)


def salts() -> Callable[[], bytes]:
    """A source of salts that never repeats itself."""
    numbers = count()
    return lambda: sha256(b"salt %d" % next(numbers)).digest()[:16]


def b64(value: Any) -> str:
    """Base64url of bytes as they are, of any other value as JSON in Python's default spacing, as in RFC 9901."""
    return base64url_encode(value if isinstance(value, bytes) else json.dumps(value).encode())


def digest_of(disclosure: str) -> str:
    return base64url_encode(sha256(disclosure.encode()).digest())


def header(key: SigningKey = KEY, /, **changes: Any) -> dict[str, Any]:
    """The header of a document with changes; a member that is changed to `...` is left out."""
    members = {"alg": key.alg, "kid": key.kid, "typ": "vc+sd-jwt", "cty": "vc", **changes}
    return {name: value for name, value in members.items() if value is not ...}


def payload(subject: Any = None, **changes: Any) -> dict[str, Any]:
    """The payload of a document with this credentialSubject and changes; `...` leaves a claim out."""
    claims = {
        **CLAIMS,
        "_sd_alg": "sha-256",
        "credentialSubject": {} if subject is None else subject,
        **changes,
    }
    return {name: value for name, value in claims.items() if value is not ...}


def forge(
    claims: Any = None,
    disclosures: Sequence[str] = (),
    *,
    head: Any = None,
    key: SigningKey = KEY,
    end: str = "~",
) -> bytes:
    """A signed document of just these parts, right or wrong. Bytes are taken for the JSON itself."""
    first = b64(header(key) if head is None else head)
    signing_input = f"{first}.{b64(payload() if claims is None else claims)}".encode()
    signed = signing_input + b"." + base64url_encode(key.sign(signing_input)).encode()
    return signed + "".join("~" + d for d in disclosures).encode() + end.encode()


def refusal(act: Callable[[], Any]) -> tuple[str, str]:
    """The code and pointer of the Problem that `act` raises."""
    try:
        act()
    except Problem as problem:
        return problem.code, problem.pointer
    raise AssertionError("nothing was refused")


__all__ = ["AT", "CASE", "CLAIMS", "CONTEXT", "ED_KEY", "KEY", "ORDER"]
