"""Documents: W3C Verifiable Credentials 2.0 secured with SD-JWT (VC-JOSE-COSE, RFC 9901).

A document is a signed JWT, and disclosures of what its subject says, each after a `~`:

    <header>.<payload>.<signature>~<disclosure>~…~<disclosure>~

It is named by the SHA-256 digest of the signed part, which reveals nothing of the subject and stays the same
whichever disclosures are shown. A plain `vc+jwt`, which has no `~` and shows all, is a document too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from gardesh.model.canonical import DEFAULT, TOO_LONG, Limits, base64url_decode, decode, encode
from gardesh.model.claim_elsewhere import Origin, SlotName, Standing
from gardesh.model.claim_forms import CLAIM_UNKNOWN
from gardesh.model.claims import attachment, compose, read
from gardesh.model.disclosure import MARKER, TOO_MANY, Place, conceal, needed, reveal
from gardesh.model.jose import ANOTHER_KEY, PublicKey, SigningKey, read_header, sign_compact
from gardesh.model.problem import Problem, define
from gardesh.model.slot import Erased

__all__ = [
    "DEFAULT",
    "Envelope",
    "Limits",
    "SlotName",
    "attachment",
    "compose",
    "parse",
    "present",
    "sign",
    "signed_part",
    "verify",
]

MALFORMED = define(
    "document-malformed",
    400,
    en="This is not a document: a header, a payload and a signature of 64 bytes, in base64url, parted by dots.",
    fa="این یک سند نیست: سرآیند، محتوا و امضای ۶۴ بایتی به base64url که با نقطه از هم جدا شده باشند.",
)
UNTERMINATED = define(
    "document-unterminated",
    400,
    en="A document of type {typ} ends in «{end}»; something else follows or is missing.",
    fa="سند از نوع {typ} به «{end}» پایان می‌یابد؛ چیزی پس از آن آمده یا چیزی کم است.",
)
KEY_BINDING = define(
    "document-key-binding",
    400,
    en="The document ends in a key binding JWT. A document is submitted as its issuer signed it.",
    fa="سند به یک JWT پیوند کلید (key binding) پایان می‌یابد. سند باید همان‌گونه که صادر شده فرستاده شود.",
    hint_en="Remove what follows the last ~.",
    hint_fa="آنچه را پس از آخرین ~ آمده حذف کنید.",
)
SUBJECT_MISSING = define(
    "subject-missing",
    400,
    en="The document has no credentialSubject, or it is not an object.",
    fa="سند credentialSubject ندارد یا این عضو یک شیء نیست.",
)
HASH_UNKNOWN = define(
    "digest-algorithm-unknown",
    400,
    en="The digests of disclosures are made with sha-256 here, not with {given}.",
    fa="چکیدهٔ افشاها در اینجا با sha-256 ساخته می‌شود، نه با {given}.",
)

SD_JWT, JWT = "vc+sd-jwt", "vc+jwt"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Envelope:
    """A document that is well formed; nothing about its signature is known before `verify`.

    `digest` names it: the SHA-256 of `signed`, the JWT. `claims` is the payload as it was signed, with digests in
    it; `subject` is the credentialSubject with the disclosures that were given in their places and without the
    rest. `missing` counts the digests for which no disclosure was given, and `complete` says there are none. A
    decoy (RFC 9901 §4.2.5) is a digest that nobody can tell from one whose disclosure was withheld, so a document
    with decoys is never `complete`: what must be submitted whole cannot have any.

    The other fields are those of `claims.Statement`. Two envelopes are equal when their bytes are.
    """

    signed: bytes
    disclosures: tuple[str, ...]
    digest: bytes
    typ: str
    alg: str
    kid: str
    signing_input: bytes
    signature: bytes
    claims: dict[str, Any]
    subject: dict[str, Any]
    places: tuple[Place, ...]
    missing: int
    complete: bool
    issuer: str
    type: str
    valid_from_ms: int
    valid_until_ms: int | None
    pack: str
    procedure: str
    case: str | None
    step: str
    key: str | None
    act: str
    outcome: str | None
    reach: str | None
    replaces: str | None
    names: str | None
    for_slot: SlotName | None
    standing: Standing | None
    origin: Origin | None
    basis: tuple[tuple[str, bytes], ...]
    deficiencies: tuple[dict[str, Any], ...]
    attachments: tuple[dict[str, Any], ...]
    erased: Erased | None = None
    """What of it a decision has destroyed, if the record says so."""

    @property
    def tail(self) -> bytes:
        """What follows `signed`: `~`, and each disclosure with its `~`; nothing for a plain `vc+jwt`."""
        return _tail(self.typ, self.disclosures)

    @property
    def data(self) -> bytes:
        """The document's bytes: `parse(e.data) == e`."""
        return self.signed + self.tail

    @property
    def statement(self) -> bytes:
        """The SHA-256 of what was signed, without the signature.

        ES256 signatures can be turned into another that verifies, by anyone and without the key. So two documents
        with different digests can hold one and the same statement; this is the same for both.
        """
        return sha256(self.signing_input).digest()

    def show(self, pointers: Iterable[str]) -> bytes:
        """The document with just the disclosures needed to show what `pointers` name; see `present`."""
        shown = needed(self.subject, self.places, pointers)
        return self.signed + _tail(self.typ, [self.disclosures[n] for n in shown])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Envelope):
            return NotImplemented
        return self.signed == other.signed and self.disclosures == other.disclosures

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        return (
            f"Envelope({self.digest.hex()[:16]}… {self.type} by {self.issuer}, {len(self.disclosures)} shown)"
        )


def parse(data: bytes, limits: Limits = DEFAULT) -> Envelope:
    """The envelope of a document. Checks its form, every digest and every claim, not the signature.

    Raises Problem, and nothing else, whatever the bytes are.
    """
    if len(data) > limits.size:
        raise Problem(TOO_LONG, length=len(data), limit=limits.size)
    if data.count(b"~") > limits.disclosures + 1:
        raise Problem(TOO_MANY, count=data.count(b"~") - 1, limit=limits.disclosures)
    signed, *parts = data.split(b"~")
    signing_input, _, last = signed.rpartition(b".")
    first, dot, middle = signing_input.partition(b".")
    if not dot or b"." in middle:
        raise Problem(MALFORMED)
    header = read_header(first)
    _check_end(header.typ, parts)
    signature = base64url_decode(last)
    if len(signature) != 64:
        raise Problem(MALFORMED)
    claims = decode(base64url_decode(middle), limits)
    if type(claims) is not dict:
        raise Problem(MALFORMED)
    subject = claims.get("credentialSubject")
    if type(subject) is not dict:
        raise Problem(SUBJECT_MISSING, "/credentialSubject")
    if claims.get("_sd_alg", "sha-256") != "sha-256":
        raise Problem(HASH_UNKNOWN, "/_sd_alg", given=str(claims["_sd_alg"])[:40])
    try:
        revealed = reveal(subject, parts[:-1], limits)
        if revealed.missing and header.typ == JWT:
            raise Problem(MARKER)
    except Problem as problem:
        raise problem.at("/credentialSubject") from None
    return Envelope(
        signed=signed,
        disclosures=tuple([part.decode() for part in parts[:-1]]),
        digest=sha256(signed).digest(),
        typ=header.typ,
        alg=header.alg,
        kid=header.kid,
        signing_input=signing_input,
        signature=signature,
        claims=claims,
        subject=revealed.value,
        places=revealed.places,
        missing=revealed.missing,
        complete=revealed.missing == 0,
        **read(claims),
    )


def signed_part(signed: bytes, limits: Limits = DEFAULT) -> Envelope:
    """The envelope of what is signed alone, as if nothing were disclosed. Raises as `parse`."""
    first = signed.partition(b".")[0]
    return parse(signed if read_header(first).typ == JWT else signed + b"~", limits)


def _check_end(typ: str, parts: Sequence[bytes]) -> None:
    if typ == JWT:
        if parts:
            raise Problem(UNTERMINATED, typ=typ, end="<signature>")
    elif not parts or parts[-1]:
        if parts and parts[-1].count(b".") == 2:
            raise Problem(KEY_BINDING)
        raise Problem(UNTERMINATED, typ=typ, end="~")


def verify(envelope: Envelope, key: PublicKey) -> None:
    """Returns when `key` signed the document. Raises `signature-of-another-key` or `signature-wrong`."""
    if envelope.kid != key.kid or envelope.alg != key.alg:
        raise Problem(ANOTHER_KEY, given=envelope.kid, alg=envelope.alg, expected=f"{key.kid} ({key.alg})")
    key.verify(envelope.signing_input, envelope.signature)


def sign(
    claims: dict[str, Any],
    subject: dict[str, Any],
    key: SigningKey,
    *,
    salt: Callable[[], bytes],
    disclosable: Sequence[str] | None = None,
    decoys: int = 0,
    limits: Limits = DEFAULT,
) -> bytes:
    """A document that says `claims` (of `compose`) and, of its subject, `subject`, signed by `key`.

    Each member of the subject is a disclosure of its own. `disclosable` names members and elements further down
    that are disclosures within these: JSON pointers in which `*` stands for any member or element, as "/goods/*"
    or "/goods/*/value". `salt` gives 16 random bytes, others each time. `decoys` digests of nothing hide how many
    members there are. Raises Problem for what `parse` would refuse, ValueError for a salt that is none.
    """
    read(claims)
    if "credentialSubject" in claims:
        raise Problem(CLAIM_UNKNOWN, "/credentialSubject", name="credentialSubject")
    try:
        node, disclosures = conceal(subject, disclosable or (), salt, decoys)
    except Problem as problem:
        raise problem.at("/credentialSubject") from None
    if len(disclosures) > limits.disclosures:
        raise Problem(TOO_MANY, count=len(disclosures), limit=limits.disclosures)
    payload = encode({**claims, "_sd_alg": "sha-256", "credentialSubject": node})
    data = sign_compact(SD_JWT, payload, key) + _tail(SD_JWT, disclosures)
    if len(data) > limits.size:
        raise Problem(TOO_LONG, length=len(data), limit=limits.size)
    return data


def present(data: bytes, paths: Iterable[str], limits: Limits = DEFAULT) -> bytes:
    """The same document with just the disclosures needed to show what `paths` name, and so verifiable as before.

    A path is a JSON pointer into the subject as `data` shows it, in which `*` stands for any member or element;
    "" is all. What it names is shown whole, with what lies in it; what it lies in is shown, its siblings are not.
    A path to what is not there shows nothing. What the issuer left in the clear cannot be hidden: members within
    an undivided disclosure, and everything in a plain `vc+jwt`.
    """
    return parse(data, limits).show(paths)


def _tail(typ: str, disclosures: Sequence[str]) -> bytes:
    return b"" if typ == JWT else "".join(["~", *[d + "~" for d in disclosures]]).encode()
