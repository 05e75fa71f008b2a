"""Keys and signatures of documents: JSON Web Keys, JSON Web Signatures (RFC 7515, 7517, 7518, 8037).

Two kinds of key, P-256 (ES256) and Ed25519 (EdDSA). The key says which algorithm holds; what a header says is
compared with it and never chosen from (RFC 8725 §3.1). A key's id is its RFC 7638 thumbprint.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import Any, NoReturn, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gardesh.model.canonical import Limits, base64url_decode, base64url_encode, decode, encode
from gardesh.model.problem import Problem, define, pointer

KEY_MALFORMED = define(
    "key-malformed",
    400,
    en="This is not a JSON Web Key of curve P-256 or Ed25519.",
    fa="این یک کلید JSON Web Key از خم P-256 یا Ed25519 نیست.",
)
KEY_PRIVATE = define(
    "key-private",
    400,
    en="This is a private key. A private key never leaves its owner.",
    fa="این یک کلید خصوصی است. کلید خصوصی هرگز نباید از دست صاحبش بیرون برود.",
    hint_en="Replace this key by a new one: who has seen it can sign with it.",
    hint_fa="این کلید را با کلیدی تازه جایگزین کنید: هر که آن را دیده باشد می‌تواند با آن امضا کند.",
)
HEADER_MALFORMED = define(
    "header-malformed",
    400,
    en="The header of the signature is not a JSON object with alg, kid and typ.",
    fa="سرآیند امضا یک شیء JSON با اعضای alg، kid و typ نیست.",
)
HEADER_UNKNOWN = define(
    "header-member-unknown",
    400,
    en="The header of the signature has the member {member}; only alg, kid, typ and cty are allowed.",
    fa="سرآیند امضا عضو {member} دارد؛ تنها alg، kid، typ و cty مجازند.",
)
HEADER_BRINGS_KEY = define(
    "header-brings-key",
    400,
    en="The header brings its own key ({member}). Keys come from the register of keys only.",
    fa="سرآیند امضا کلید خود را همراه آورده است ({member}). کلید تنها از دفتر کلیدها خوانده می‌شود.",
)
HEADER_POINTS_OUT = define(
    "header-points-out",
    400,
    en="The header points to a key elsewhere ({member}). Keys come from the register of keys only.",
    fa="سرآیند امضا به کلیدی در جای دیگر اشاره می‌کند ({member}). کلید تنها از دفتر کلیدها خوانده می‌شود.",
)
HEADER_CRITICAL = define(
    "header-critical",
    400,
    en="The header names critical extensions (crit); none is understood here.",
    fa="سرآیند امضا افزونهٔ حیاتی (crit) دارد؛ در اینجا هیچ افزونه‌ای پذیرفته نیست.",
)
HEADER_UNENCODED = define(
    "header-unencoded-payload",
    400,
    en="The header says that the payload is not base64url (b64).",
    fa="سرآیند امضا می‌گوید که محتوا base64url نیست (b64).",
)
ALGORITHM_NONE = define(
    "algorithm-none",
    400,
    en="The document is not signed: its algorithm is «none».",
    fa="سند امضا ندارد: الگوریتم آن «none» است.",
)
ALGORITHM_UNKNOWN = define(
    "algorithm-unknown",
    400,
    en="Signatures are made with ES256 or EdDSA here, not with {alg}.",
    fa="در اینجا امضا با ES256 یا EdDSA است، نه با {alg}.",
)
TYPE_UNKNOWN = define(
    "header-type-unknown",
    400,
    en="Documents are of type vc+sd-jwt or vc+jwt, with content type vc; this one is {typ}.",
    fa="نوع سند باید vc+sd-jwt یا vc+jwt و نوع محتوایش vc باشد؛ نوع این سند {typ} است.",
)
KID_MALFORMED = define(
    "header-kid-malformed",
    400,
    en="The key is named by its RFC 7638 thumbprint (SHA-256).",
    fa="کلید باید با چکیدهٔ RFC 7638 (با SHA-256) نام برده شود.",
)
ANOTHER_KEY = define(
    "signature-of-another-key",
    422,
    en="The document names the key {given} with {alg}; it is to be checked with {expected}.",
    fa="سند کلید {given} با {alg} را نام می‌برد؛ ولی باید با {expected} وارسی شود.",
)
SIGNATURE_WRONG = define(
    "signature-wrong",
    422,
    en="The signature does not verify: the document was changed, or another key signed it.",
    fa="امضا درست نیست: سند تغییر کرده یا با کلید دیگری امضا شده است.",
)

ES256, EDDSA = "ES256", "EdDSA"
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_CURVE = ec.SECP256R1()
_VERIFY = ec.ECDSA(SHA256())
_SIGN = ec.ECDSA(SHA256(), deterministic_signing=True)
_P256_PRIME = 2**256 - 2**224 + 2**192 + 2**96 - 1
_ED25519_PRIME = 2**255 - 19
_ORDER_8 = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
_SMALL = frozenset((0, 1, _ED25519_PRIME - 1, _ORDER_8, _ED25519_PRIME - _ORDER_8))
HEADER_BYTES = 1024
_HEADER_LIMITS = Limits(size=HEADER_BYTES, depth=4)


class SigningKey(Protocol):
    """Whatever signs for an organisation: a key in memory, in a store, in a security module.

    `alg` is "ES256" or "EdDSA", `kid` the RFC 7638 thumbprint, `public` the key to verify with. `sign` gives the
    JWS signature of `data`: 64 bytes, for ES256 r||s (RFC 7518 §3.4).
    """

    @property
    def kid(self) -> str: ...
    @property
    def alg(self) -> str: ...
    @property
    def public(self) -> PublicKey: ...
    def sign(self, data: bytes) -> bytes: ...


class PublicKey:
    """A public key of curve P-256 or Ed25519, ready to verify. Immutable; equal when the keys are."""

    __slots__ = ("_ed25519", "_p256", "alg", "jwk", "kid")
    alg: str
    kid: str
    jwk: Mapping[str, str]
    """The members that make the key (RFC 7638 §3.2): kty, crv, x and, for P-256, y."""

    def __init__(self, key: ec.EllipticCurvePublicKey | Ed25519PublicKey) -> None:
        """Raises `key-malformed` for a curve other than P-256, and for an Ed25519 key that has no secret of its own."""
        self._p256: ec.EllipticCurvePublicKey | None = None
        self._ed25519: Ed25519PublicKey | None = None
        if isinstance(key, Ed25519PublicKey):
            raw = key.public_bytes_raw()
            if anybodys(raw):
                raise Problem(KEY_MALFORMED, "/x")
            self._ed25519 = key
            self.alg = EDDSA
            self.jwk = {"crv": "Ed25519", "kty": "OKP", "x": base64url_encode(raw)}
        elif isinstance(key.curve, ec.SECP256R1):
            numbers = key.public_numbers()
            x, y = (base64url_encode(n.to_bytes(32, "big")) for n in (numbers.x, numbers.y))
            self._p256 = key
            self.alg = ES256
            self.jwk = {"crv": "P-256", "kty": "EC", "x": x, "y": y}
        else:
            raise Problem(KEY_MALFORMED, "/crv")
        self.kid = thumbprint(self.jwk)

    @classmethod
    def from_jwk(cls, jwk: Mapping[str, Any]) -> PublicKey:
        """The key in a JWK (RFC 7517). Raises `key-private` for a private one, `key-malformed` for any other.

        Members beyond the key itself are ignored, but `alg`, `use` and `kid` must fit when they are there.
        """
        for secret in ("d", "k", "p", "q", "priv"):
            if secret in jwk:
                raise Problem(KEY_PRIVATE, pointer(secret))
        kind = (jwk.get("kty"), jwk.get("crv"))
        try:
            if kind == ("EC", "P-256"):
                key = cls.from_coordinates(_coordinate(jwk, "x"), _coordinate(jwk, "y"))
            elif kind == ("OKP", "Ed25519"):
                key = cls(Ed25519PublicKey.from_public_bytes(_coordinate(jwk, "x")))
            else:
                raise Problem(KEY_MALFORMED, "/kty" if "kty" not in jwk else "/crv")
        except ValueError:
            raise Problem(KEY_MALFORMED, "/x") from None
        for name, expected in (("alg", key.alg), ("use", "sig"), ("kid", key.kid)):
            if jwk.get(name, expected) != expected:
                raise Problem(KEY_MALFORMED, pointer(name))
        return key

    @classmethod
    def from_coordinates(cls, x: bytes, y: bytes) -> PublicKey:
        """The P-256 key at a point, written in 32 bytes each. Raises ValueError where there is none: the library would take
        a coordinate modulo the prime, and one key would have two names."""
        numbers = int.from_bytes(x), int.from_bytes(y)
        if max(numbers) >= _P256_PRIME:
            raise ValueError("a coordinate is not below the prime")
        return cls(ec.EllipticCurvePublicNumbers(*numbers, _CURVE).public_key())

    def to_jwk(self) -> dict[str, str]:
        """The JWK, with `alg`, `kid` and `use`."""
        return {**self.jwk, "alg": self.alg, "kid": self.kid, "use": "sig"}

    def verify(self, data: bytes, signature: bytes) -> None:
        """Returns when `signature` (64 bytes) is this key's over `data`, else raises `signature-wrong`."""
        if len(signature) != 64:
            raise Problem(SIGNATURE_WRONG)
        try:
            if self._p256 is not None:
                r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
                self._p256.verify(encode_dss_signature(r, s), data, _VERIFY)
            elif self._ed25519 is not None:
                self._ed25519.verify(signature, data)
        except InvalidSignature:
            raise Problem(SIGNATURE_WRONG) from None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PublicKey) and self.kid == other.kid

    def __hash__(self) -> int:
        return hash(self.kid)

    def __repr__(self) -> str:
        return f"PublicKey({self.alg}, {self.kid})"


class PrivateKey:
    """A signing key in memory. Its signatures are deterministic (RFC 6979, RFC 8032): no randomness is needed."""

    __slots__ = ("_key", "alg", "kid", "public")

    def __init__(self, key: ec.EllipticCurvePrivateKey | Ed25519PrivateKey) -> None:
        """Raises `key-malformed` for a curve other than P-256."""
        self._key = key
        self.public = PublicKey(key.public_key())
        self.alg, self.kid = self.public.alg, self.public.kid

    @classmethod
    def from_secret(cls, alg: str, secret: bytes) -> PrivateKey:
        """The key of 32 secret bytes: the big-endian P-256 scalar for ES256, the RFC 8032 seed for EdDSA."""
        if alg == EDDSA and len(secret) == 32:
            return cls(Ed25519PrivateKey.from_private_bytes(secret))
        scalar = int.from_bytes(secret, "big")
        if alg == ES256 and len(secret) == 32 and 0 < scalar < _ORDER:
            return cls(ec.derive_private_key(scalar, _CURVE))
        raise Problem(KEY_MALFORMED)

    def sign(self, data: bytes) -> bytes:
        """The 64 bytes of a JWS signature."""
        if isinstance(self._key, Ed25519PrivateKey):
            return self._key.sign(data)
        r, s = decode_dss_signature(self._key.sign(data, _SIGN))
        return r.to_bytes(32, "big") + min(s, _ORDER - s).to_bytes(32, "big")

    def to_pkcs8(self) -> bytes:
        """The secret itself, in DER and not encrypted (RFC 5958): for a key store to encrypt, for nothing else."""
        return self._key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())

    def __repr__(self) -> str:
        return f"PrivateKey({self.alg}, {self.kid})"


def anybodys(raw: bytes) -> bool:
    """Whether an Ed25519 key is a point of small order, for which anybody makes signatures that hold for one message in
    eight at the latest; or is not written as RFC 8032 §5.1.2 writes it."""
    y = int.from_bytes(raw, "little") & (2**255 - 1)
    return y in _SMALL or y >= _ED25519_PRIME


def thumbprint(jwk: Mapping[str, Any]) -> str:
    """The RFC 7638 thumbprint (SHA-256, base64url) of a JWK that holds its required members only."""
    return base64url_encode(sha256(encode(jwk)).digest())


def _coordinate(jwk: Mapping[str, Any], name: str) -> bytes:
    text = jwk.get(name)
    if not isinstance(text, str) or len(text) != 43:
        raise Problem(KEY_MALFORMED, pointer(name))
    try:
        return base64url_decode(text.encode("ascii"))
    except Problem as e:
        raise e.at(pointer(name)) from None


@dataclass(frozen=True, slots=True)
class Header:
    """The protected header of a document. `typ` is "vc+sd-jwt" or "vc+jwt"."""

    alg: str
    kid: str
    typ: str


_REFUSED = {
    **dict.fromkeys(("jwk", "x5c"), HEADER_BRINGS_KEY),
    **dict.fromkeys(("jku", "x5u", "x5t", "x5t#S256"), HEADER_POINTS_OUT),
    "crit": HEADER_CRITICAL,
    "b64": HEADER_UNENCODED,
}


@lru_cache(maxsize=4096)
def read_header(segment: bytes) -> Header:
    """The header in its base64url form. Raises a Problem of its own for each thing that may not be there."""
    if len(segment) > HEADER_BYTES:
        raise Problem(HEADER_MALFORMED)
    members = decode(base64url_decode(segment), _HEADER_LIMITS)
    if type(members) is not dict:
        raise Problem(HEADER_MALFORMED)
    for name in members:
        if name not in ("alg", "kid", "typ", "cty"):
            raise Problem(_REFUSED.get(name, HEADER_UNKNOWN), member=name)
    alg, kid, typ = members.get("alg"), members.get("kid"), members.get("typ")
    if not isinstance(alg, str) or not isinstance(kid, str) or not isinstance(typ, str):
        _incomplete(alg)
    if alg not in (ES256, EDDSA):
        _incomplete(alg)
    if typ not in ("vc+sd-jwt", "vc+jwt") or members.get("cty", "vc") != "vc":
        raise Problem(TYPE_UNKNOWN, typ=typ)
    if len(kid) != 43 or not kid.isascii() or len(base64url_decode(kid.encode())) != 32:
        raise Problem(KID_MALFORMED)
    return Header(alg, kid, typ)


def _incomplete(alg: Any) -> NoReturn:
    """Of a header that is not whole, what matters most is whether it says that nothing is signed."""
    if not isinstance(alg, str):
        raise Problem(HEADER_MALFORMED)
    if alg.lower() == "none":
        raise Problem(ALGORITHM_NONE)
    if alg not in (ES256, EDDSA):
        raise Problem(ALGORITHM_UNKNOWN, alg=alg)
    raise Problem(HEADER_MALFORMED)


def sign_compact(typ: str, payload: bytes, key: SigningKey) -> bytes:
    """The JWS compact serialisation (RFC 7515 §7.1) of a document's payload."""
    header = encode({"alg": key.alg, "cty": "vc", "kid": key.kid, "typ": typ})
    signing_input = f"{base64url_encode(header)}.{base64url_encode(payload)}".encode()
    return signing_input + b"." + base64url_encode(key.sign(signing_input)).encode()
