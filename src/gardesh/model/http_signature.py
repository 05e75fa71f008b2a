"""HTTP message signatures (RFC 9421) of requests, by the keys that sign documents, and digests of contents (RFC 9530).

One signature a request, made with a P-256 or Ed25519 key that its thumbprint names. What RFC 9421 leaves open is
settled here: the method, the target and, if there is a body, its digest have to be covered; `created` has to be
there and near the present; components take no parameters; the algorithm is the key's (RFC 9421 §3.2 step 6).
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256, sha512
from hmac import compare_digest
from urllib.parse import urlsplit

from gardesh.model.c2sp import read_base64
from gardesh.model.jose import ES256, PublicKey, SigningKey
from gardesh.model.problem import Problem, Wording, define

SIGNATURE_MALFORMED = define(
    "http-signature-malformed",
    401,
    en="The fields Signature-Input and Signature do not hold one signature as RFC 9421 has it: {reason}.",
    fa="فیلدهای Signature-Input و Signature یک امضا به‌شکل RFC 9421 نیستند: {reason}.",
)
SIGNATURE_LACKS = define(
    "http-signature-lacks",
    401,
    en="The signature of the request does not cover {component}.",
    fa="امضای درخواست {component} را در بر نمی‌گیرد.",
)
SIGNATURE_STALE = define(
    "http-signature-stale",
    401,
    en="The request was signed at another time ({created}) than now ({now}); {window} seconds apart are allowed.",
    fa="درخواست در زمانی دیگر ({created}) از اکنون ({now}) امضا شده است؛ حداکثر {window} ثانیه فاصله مجاز است.",
    hint_en="Set the clock of the machine that signs.",
    hint_fa="ساعت دستگاهی را که امضا می‌کند تنظیم کنید.",
)
DIGEST_WRONG = define(
    "content-digest-wrong",
    400,
    en="The body is not what Content-Digest says.",
    fa="بدنه آن نیست که Content-Digest می‌گوید.",
)

WINDOW = 300
"""How many seconds a signature may be older than the moment it is checked."""
AHEAD = 30
"""How many seconds the clock of who signs may go ahead."""
LONGEST = 4_096
_INPUT = re.compile(r'([a-z*][a-z0-9_\-.*]*)=(\(((?:"[\x21\x23-\x5b\x5d-\x7e]+"(?: (?!\)))?)*)\)([^,\s]*))')
_PARAMETER = re.compile(r';([a-z*][a-z0-9_\-.*]*)=(?:([0-9]{1,15})|"([\x20\x21\x23-\x5b\x5d-\x7e]*)")')
_SIGNATURE = re.compile(r"([a-z*][a-z0-9_\-.*]*)=:([A-Za-z0-9+/=]*):")
_DIGEST = re.compile(r"(sha-256|sha-512)=:([A-Za-z0-9+/=]*):")
_HASHES = {"sha-256": sha256, "sha-512": sha512}


@dataclass(frozen=True, slots=True)
class Request:
    """What a signature may cover. `target` is the whole URI that was asked for; header names are in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]

    def component(self, name: str) -> str:
        """The value of a component (RFC 9421 §2). Raises `http-signature-malformed` for one that is not there."""
        parts = urlsplit(self.target)
        derived = {
            "@method": self.method,
            "@target-uri": self.target,
            "@authority": parts.netloc.lower(),
            "@scheme": parts.scheme.lower(),
            "@path": parts.path or "/",
            "@query": f"?{parts.query}",
            "@request-target": (parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
        }
        value = derived.get(name) if name.startswith("@") else self.headers.get(name)
        if value is None:
            raise Problem(
                SIGNATURE_MALFORMED, reason=Wording(f"no component {name}", f"بخش {name} در درخواست نیست")
            )
        return value.strip()


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature as it was sent; nothing of it is verified. `text` is its list of components and parameters."""

    label: str
    components: tuple[str, ...]
    parameters: Mapping[str, str | int]
    text: str
    value: bytes

    @property
    def kid(self) -> str:
        return str(self.parameters["keyid"])


def read(request: Request) -> Signature:
    """The one signature of a request. Raises `http-signature-malformed`."""
    given, signed = (request.headers.get(name, "").strip() for name in ("signature-input", "signature"))
    if not given or not signed or len(given) > LONGEST or len(signed) > LONGEST:
        raise Problem(
            SIGNATURE_MALFORMED,
            reason=Wording("missing or too long", "نیامده است، یا بیش از اندازه دراز است"),
        )
    found, value = _INPUT.fullmatch(given), _SIGNATURE.fullmatch(signed)
    if found is None or value is None or found[1] != value[1]:
        raise Problem(
            SIGNATURE_MALFORMED, reason=Wording("not one labelled signature", "یک امضای نشان‌دار نیست")
        )
    components = tuple(re.findall(r'"([^"]+)"', found[3]))
    parameters: dict[str, str | int] = {}
    for name, number, text in _PARAMETER.findall(found[4]):
        if name in parameters:
            raise Problem(
                SIGNATURE_MALFORMED, reason=Wording(f"{name} is there twice", f"{name} دو بار آمده است")
            )
        parameters[name] = int(number) if number else text
    if _PARAMETER.sub("", found[4]) or len(set(components)) != len(components):
        raise Problem(
            SIGNATURE_MALFORMED,
            reason=Wording(
                "its parameters, or a component twice", "پارامترهایش درست نیست، یا بخشی دو بار آمده است"
            ),
        )
    if not isinstance(parameters.get("keyid"), str) or not isinstance(parameters.get("created"), int):
        raise Problem(
            SIGNATURE_MALFORMED, reason=Wording("no keyid or no created", "keyid یا created نیامده است")
        )
    raw = read_base64(value[2])
    if raw is None:
        raise Problem(
            SIGNATURE_MALFORMED, reason=Wording("the value is not base64", "مقدار امضا base64 نیست")
        )
    return Signature(found[1], components, parameters, found[2], raw)


def base(request: Request, components: tuple[str, ...], text: str) -> bytes:
    """The signature base (RFC 9421 §2.5): what is signed."""
    lines = [f'"{name}": {request.component(name)}' for name in components]
    return "\n".join([*lines, f'"@signature-params": {text}']).encode("utf-8", "surrogateescape")


def verify(request: Request, signature: Signature, key: PublicKey, *, now: int) -> None:
    """Returns when the request was signed by `key` about `now` (s since the epoch); the digest of a body is not looked at.

    Raises `http-signature-lacks`, `http-signature-stale`, `http-signature-malformed`, `signature-wrong`.
    """
    covered = set(signature.components)
    target = {"@authority", "@path"} | ({"@query"} if urlsplit(request.target).query else set())
    lacks = {"@method"} - covered
    if "@target-uri" not in covered:
        lacks |= target - covered
    if has_body(request):
        lacks |= {"content-digest"} - covered
    if lacks:
        raise Problem(SIGNATURE_LACKS, component=min(lacks))
    created, expires = int(signature.parameters["created"]), signature.parameters.get("expires")
    if expires is not None and not isinstance(expires, int):
        raise Problem(SIGNATURE_MALFORMED, reason=Wording("expires is no number", "expires عدد نیست"))
    if not -AHEAD <= now - created <= WINDOW or (expires is not None and expires < now):
        raise Problem(SIGNATURE_STALE, created=created, now=now, window=WINDOW)
    if signature.parameters.get("alg", algorithm(key)) != algorithm(key):
        raise Problem(
            SIGNATURE_MALFORMED, reason=Wording("the algorithm is not the key's", "الگوریتم از آن کلید نیست")
        )
    key.verify(base(request, signature.components, signature.text), signature.value)


def has_body(request: Request) -> bool:
    length = request.headers.get("content-length", "0").strip()
    return length != "0" or "transfer-encoding" in request.headers or "content-digest" in request.headers


def algorithm(key: PublicKey) -> str:
    """The name of the key's algorithm in the registry of RFC 9421 §6.2."""
    return "ecdsa-p256-sha256" if key.alg == ES256 else "ed25519"


def sign(request: Request, key: SigningKey, *, now: int, nonce: str) -> dict[str, str]:
    """The fields that sign a request: method, target and, where a digest is among the headers, the body."""
    components = ["@method", "@target-uri"]
    if "content-digest" in request.headers:
        components.append("content-digest")
    listed = " ".join(f'"{c}"' for c in components)
    text = f'({listed});created={now};nonce="{nonce}";alg="{algorithm(key.public)}";keyid="{key.kid}"'
    value = b64encode(key.sign(base(request, tuple(components), text))).decode()
    return {"signature-input": f"sig={text}", "signature": f"sig=:{value}:"}


def content_digest(body: bytes) -> str:
    """The field Content-Digest (RFC 9530) of a body."""
    return f"sha-256=:{b64encode(sha256(body).digest()).decode()}:"


def check_digest(field: str, body: bytes) -> None:
    """Raises `content-digest-wrong` unless every digest that we know of in the field is the body's, and there is one."""
    found = _DIGEST.findall(field)
    if not found or not all(
        compare_digest(b64encode(_HASHES[name](body).digest()).decode(), value) for name, value in found
    ):
        raise Problem(DIGEST_WRONG)


def check_sha256(field: str, digest: bytes) -> None:
    """As `check_digest`, of a body whose SHA-256 is known and that is not at hand: the field has to name that."""
    given = [value for name, value in _DIGEST.findall(field) if name == "sha-256"]
    if not given or not all(compare_digest(b64encode(digest).decode(), value) for value in given):
        raise Problem(DIGEST_WRONG)
