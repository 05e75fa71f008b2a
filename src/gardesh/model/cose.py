"""COSE_Sign1 messages and COSE_Keys (RFC 9052), made and checked with the keys that sign documents.

The key says which algorithm holds; `alg` is compared with it and never chosen from. It has to be in the protected
header. Written are ES256 (-7) and EdDSA (-8), which every peer reads; read are also the fully specified names of
the same two, ESP256 (-9) and Ed25519 (-19) of RFC 9864.

Stricter than RFC 9052: the message is tagged, its CBOR is as :mod:`gardesh.model.cbor` reads it, and no label is in
both headers. There is no external data: `external_aad` is empty.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from gardesh.model.canonical import Limits, base64url_decode
from gardesh.model.cbor import LIMITS, Tag, decode, encode, short
from gardesh.model.jose import EDDSA, ES256, KEY_PRIVATE, PublicKey, SigningKey
from gardesh.model.problem import Problem, define, pointer

COSE_MALFORMED = define(
    "cose-malformed",
    400,
    en="This is not a COSE_Sign1 message: tag 18 with two headers, a payload and a signature.",
    fa="این یک پیام COSE_Sign1 نیست: برچسب ۱۸ با دو سرآیند، محتوا و امضا.",
)
COSE_HEADER = define(
    "cose-header-malformed",
    400,
    en="The header parameter {label} is missing, in the wrong header or not of its form.",
    fa="پارامتر {label} در سرآیند نیست، یا در سرآیند نادرست است، یا شکل درستی ندارد.",
)
COSE_LABEL_UNKNOWN = define(
    "cose-header-unknown",
    400,
    en="The header has the parameter {label}, which has no meaning here.",
    fa="سرآیند پارامتر {label} را دارد که در اینجا معنایی ندارد.",
)
COSE_CRITICAL = define(
    "cose-header-critical",
    400,
    en="The header names {label} as critical, which is not understood here.",
    fa="سرآیند {label} را حیاتی می‌داند که در اینجا شناخته نیست.",
)
COSE_ALGORITHM = define(
    "cose-algorithm-unknown",
    400,
    en="COSE signatures are made with ES256 or Ed25519 here, not with algorithm {alg}.",
    fa="در اینجا امضای COSE با ES256 یا Ed25519 است، نه با الگوریتم {alg}.",
)
COSE_PAYLOAD = define(
    "cose-payload-misplaced",
    400,
    en="The payload of this message has to be in it, and is not; or has to be left out, and is in it.",
    fa="محتوای این پیام یا باید در آن باشد و نیست، یا نباید در آن باشد و هست.",
)
COSE_OTHER_KEY = define(
    "cose-of-another-key",
    422,
    en="The message is not of the key that it is to be checked with: {given}, not {expected}.",
    fa="این پیام از آنِ کلیدی نیست که باید با آن وارسی شود: {given}، نه {expected}.",
)
COSE_KEY_MALFORMED = define(
    "cose-key-malformed",
    400,
    en="This is not a COSE_Key of curve P-256 or Ed25519.",
    fa="این یک کلید COSE_Key از خم P-256 یا Ed25519 نیست.",
)

SIGN1_TAG = 18
ALG, CRIT, CONTENT_TYPE, KID, CWT_CLAIMS, TYP = 1, 2, 3, 4, 15, 16
ISS, SUB = 1, 2
UNDERSTOOD = frozenset((ALG, CRIT, CONTENT_TYPE, KID, CWT_CLAIMS, TYP))
"""Labels of RFC 9052 §3.1, RFC 9597 (CWT claims in headers) and RFC 9596 (typ)."""
_WRITTEN = {ES256: -7, EDDSA: -8}
_READ = {-7: ES256, -8: EDDSA, -9: ES256, -19: EDDSA}
Label = int | str
Header = Mapping[Label, Any]


@dataclass(frozen=True, slots=True)
class Sign1:
    """A COSE_Sign1 (RFC 9052 §4.2) as it was read; its signature is not verified. `protected` is what
    `protected_raw` holds, whose bytes the signature covers. `payload` is `None` where it is detached."""

    protected_raw: bytes
    protected: Header
    unprotected: Header
    payload: bytes | None
    signature: bytes

    @property
    def alg(self) -> str:
        """The algorithm, by the name that it has in JOSE. Raises `cose-algorithm-unknown`."""
        found = self.protected[ALG]
        if type(found) is not int or found not in _READ:
            raise Problem(COSE_ALGORITHM, alg=str(found)[:40])
        return _READ[found]

    def encode(self) -> bytes:
        parts = [self.protected_raw, self.unprotected, self.payload, self.signature]
        return encode(Tag(SIGN1_TAG, parts))


def read(raw: bytes, limits: Limits = LIMITS, understood: Collection[Label] = UNDERSTOOD) -> Sign1:
    """The message in `raw`. `understood` are the labels that the caller acts on, if they are critical.

    Raises `cose-malformed`, `cose-header-malformed`, `cose-header-critical`, and as `cbor.decode`.
    """
    message = decode(raw, limits)
    if type(message) is not Tag or message.number != SIGN1_TAG:
        raise Problem(COSE_MALFORMED)
    parts = message.value
    if type(parts) is not list or [type(part) for part in parts] not in _FORMS:
        raise Problem(COSE_MALFORMED)
    protected_raw, unprotected, payload, signature = parts
    protected = decode(protected_raw, limits) if protected_raw else {}
    if type(protected) is not dict:
        raise Problem(COSE_MALFORMED)
    for label in protected.keys() & unprotected.keys():
        raise Problem(COSE_HEADER, label=short(label))
    if CRIT in unprotected or type(protected.get(ALG)) not in (int, str):
        raise Problem(COSE_HEADER, label=CRIT if CRIT in unprotected else ALG)
    for header in (protected, unprotected):
        for label, kinds in _KINDS.items():
            if label in header and type(header[label]) not in kinds:
                raise Problem(COSE_HEADER, label=label)
    for label in protected.get(CRIT, ()):
        if type(label) not in (int, str) or label not in protected:
            raise Problem(COSE_HEADER, label=CRIT)
        if label not in understood:
            raise Problem(COSE_CRITICAL, label=short(label))
    if CRIT in protected and not protected[CRIT]:
        raise Problem(COSE_HEADER, label=CRIT)
    return Sign1(protected_raw, protected, unprotected, payload, signature)


_FORMS = ([bytes, dict, bytes, bytes], [bytes, dict, type(None), bytes])
_KINDS = {CRIT: (list,), CONTENT_TYPE: (str, int), KID: (bytes,), CWT_CLAIMS: (dict,), TYP: (str, int)}


def only(message: Sign1, protected: Collection[Label], unprotected: Collection[Label]) -> None:
    """Raises `cose-header-unknown` when a header has any other label than these."""
    for header, known in ((message.protected, protected), (message.unprotected, unprotected)):
        for label in header:
            if label not in known:
                raise Problem(COSE_LABEL_UNKNOWN, label=short(label))


def sign(
    protected: Header,
    payload: bytes,
    key: SigningKey,
    *,
    unprotected: Header | None = None,
    detached: bool = False,
) -> Sign1:
    """The message that `key` signs; `alg` is added to `protected`. Detached, the payload is signed and left out."""
    header = {**protected, ALG: _WRITTEN[key.alg]}
    raw = encode(header)
    signature = key.sign(_to_be_signed(raw, payload))
    return Sign1(raw, header, dict(unprotected or {}), None if detached else payload, signature)


def verify(message: Sign1, key: PublicKey, detached: bytes | None = None) -> None:
    """Returns when `key` signed the message (RFC 9052 §4.4). `detached` is the payload of one that has none in it.

    Raises `cose-payload-misplaced`, `cose-algorithm-unknown`, `cose-of-another-key`, `signature-wrong`. The `kid` is
    for the caller to compare.
    """
    if (message.payload is None) == (detached is None):
        raise Problem(COSE_PAYLOAD)
    if message.alg != key.alg:
        raise Problem(COSE_OTHER_KEY, given=message.alg, expected=key.alg)
    payload = detached if message.payload is None else message.payload
    key.verify(_to_be_signed(message.protected_raw, payload or b""), message.signature)


def _to_be_signed(protected_raw: bytes, payload: bytes) -> bytes:
    """The Sig_structure of RFC 9052 §4.4. Its first byte, 0x84, begins no text in UTF-8: whoever signs texts with
    the same key (C2SP signed notes) signs no message by it, nor the other way round."""
    return encode(["Signature1", protected_raw, b"", payload])


_KTY, _KEY_KID, _CRV, _X, _Y, _D = 1, 2, -1, -2, -3, -4
_OKP, _EC2, _P256, _ED25519 = 1, 2, 1, 6


def _members(key: PublicKey) -> dict[int, int | bytes]:
    """The members that make the key (RFC 9053 §7; RFC 9679 §4)."""
    x = base64url_decode(key.jwk["x"].encode())
    if key.alg == EDDSA:
        return {_KTY: _OKP, _CRV: _ED25519, _X: x}
    return {_KTY: _EC2, _CRV: _P256, _X: x, _Y: base64url_decode(key.jwk["y"].encode())}


def thumbprint(key: PublicKey) -> bytes:
    """The COSE Key Thumbprint with SHA-256 (RFC 9679): 32 bytes. It is another than the key's `kid`, which is that
    of the JWK (RFC 7638)."""
    return sha256(encode(_members(key))).digest()


def key_map(key: PublicKey) -> dict[int, int | bytes]:
    """The COSE_Key (RFC 9052 §7) of a public key, with its thumbprint as `kid`; a list of such maps is a
    COSE_KeySet. It names no `alg`: the curve settles it under either of its names."""
    return {**_members(key), _KEY_KID: thumbprint(key)}


def read_key(value: Any) -> PublicKey:
    """The key in a decoded COSE_Key. Its `kid` and other members are not looked at, and y has to be written out.

    Raises `cose-key-malformed`, and `key-private` for a private key.
    """
    if type(value) is not dict:
        raise Problem(COSE_KEY_MALFORMED)
    if _D in value:
        raise Problem(KEY_PRIVATE, pointer(_D))
    kind, x, y = (value.get(_KTY), value.get(_CRV)), value.get(_X), value.get(_Y)
    if type(x) is not bytes or len(x) != 32:
        raise Problem(COSE_KEY_MALFORMED, pointer(_X))
    try:
        if kind == (_OKP, _ED25519):
            return PublicKey(Ed25519PublicKey.from_public_bytes(x))
        if kind == (_EC2, _P256) and type(y) is bytes and len(y) == 32:
            return PublicKey.from_coordinates(x, y)
    except (ValueError, Problem):
        raise Problem(COSE_KEY_MALFORMED, pointer(_X)) from None
    raise Problem(COSE_KEY_MALFORMED, pointer(_CRV))
