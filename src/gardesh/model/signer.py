"""Who signs the notes of a log: keys, and the signature types of C2SP that Gardesh makes and checks.

- 0x01, Ed25519 over the note's text (C2SP signed-note);
- 0x04, a timestamped Ed25519 cosignature, over `cosignature/v1`, the time and the text;
- 0x06, a timestamped ML-DSA-44 cosignature, over the `subtree/v1` structure. C2SP has no other use of
  ML-DSA-44 in notes and tells logs to sign with this type too: a log is then a cosigner named as its origin.

The two cosignatures (C2SP tlog-cosignature) are for checkpoints alone. Times are POSIX seconds, as C2SP has
them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from hashlib import sha256
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey

from gardesh.model.c2sp import MAX_NUMBER, read_base64, write_base64, write_text
from gardesh.model.jose import PrivateKey, PublicKey, anybodys
from gardesh.model.note import NOTE_MALFORMED, Note, Signature, is_key_name
from gardesh.model.problem import Problem, define
from gardesh.model.treehead import TreeHead

KEY_MALFORMED = define(
    "verifier-key-malformed",
    400,
    en="This is not a verifier key of C2SP signed-note of a type that is in use here.",
    fa="این نوشته، کلید وارسیِ C2SP signed-note از نوعی که در اینجا به کار می‌رود نیست.",
    hint_en="It is written NAME+ID+KEY, on one line. Copy it again from its owner.",
    hint_fa="شکل آن «نام+شناسه+کلید» در یک سطر است. آن را دوباره از صاحبش بگیرید.",
)
SIGNATURE_INVALID = define(
    "note-signature-invalid",
    422,
    en="The signature of {name} on this note does not verify.",
    fa="امضای {name} پای این یادداشت درست نیست.",
)
SIGNATURE_MISSING = define(
    "note-signature-missing",
    422,
    en="This note lacks the signature of {name} that is required.",
    fa="امضای {name} که لازم است پای این یادداشت نیست.",
)
NOT_COSIGNABLE = define(
    "checkpoint-not-cosignable",
    422,
    en="ML-DSA-44 signatures cannot cover extension lines or an origin of over 255 bytes.",
    fa="امضای ML-DSA-44 سطرهای الحاقی و مبدأ بلندتر از ۲۵۵ بایت را در بر نمی‌گیرد.",
)


class SignatureType(IntEnum):
    """The signature type byte of C2SP signed-note."""

    ED25519 = 0x01
    COSIGNATURE_ED25519 = 0x04
    COSIGNATURE_MLDSA44 = 0x06


_PUBLIC_SIZE = {
    SignatureType.ED25519: 32,
    SignatureType.COSIGNATURE_ED25519: 32,
    SignatureType.COSIGNATURE_MLDSA44: 1312,
}
_SIGNATURE_SIZE = {
    SignatureType.ED25519: 64,
    SignatureType.COSIGNATURE_ED25519: 8 + 64,
    SignatureType.COSIGNATURE_MLDSA44: 8 + 2420,
}


@dataclass(frozen=True, slots=True)
class Verifier:
    """A public key and the name that it signs notes under. `public` is the raw encoding of the key.

    `key_id` is SHA-256(name || 0x0A || type || public)[:4]. Raises `verifier-key-malformed` if made of
    anything else. A name has 255 bytes at most, as in C2SP tlog-cosignature.
    """

    name: str
    type: SignatureType
    public: bytes
    key_id: bytes = field(init=False)
    _key: Ed25519PublicKey | MLDSA44PublicKey = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not is_key_name(self.name) or len(self.name.encode()) > 255:
            raise Problem(KEY_MALFORMED)
        if len(self.public) != _PUBLIC_SIZE[self.type] or (len(self.public) == 32 and anybodys(self.public)):
            raise Problem(KEY_MALFORMED)
        key_type = MLDSA44PublicKey if self.type == SignatureType.COSIGNATURE_MLDSA44 else Ed25519PublicKey
        try:
            key = key_type.from_public_bytes(self.public)
        except ValueError:
            raise Problem(KEY_MALFORMED) from None
        key_id = sha256(self.name.encode() + b"\n" + bytes([self.type]) + self.public).digest()[:4]
        object.__setattr__(self, "key_id", key_id)
        object.__setattr__(self, "_key", key)

    @classmethod
    def parse(cls, vkey: str) -> Verifier:
        """The key in `<name>+<hex key id>+<base64(type || public)>`. Raises `verifier-key-malformed`."""
        name, key_id, encoded = parts if len(parts := vkey.split("+", 2)) == 3 else ("", "", "")
        raw = read_base64(encoded)
        if not raw or raw[0] not in _PUBLIC_SIZE:
            raise Problem(KEY_MALFORMED)
        verifier = cls(name, SignatureType(raw[0]), raw[1:])
        if verifier.key_id.hex() != key_id:
            raise Problem(KEY_MALFORMED)
        return verifier

    def vkey(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{write_base64(bytes([self.type]) + self.public)}"

    @property
    def key(self) -> PublicKey:
        """The key itself, if it is Ed25519 and signs notes: for what a log signs beside them (COSE receipts).

        Raises `verifier-key-malformed` for a key of another type.
        """
        if self.type != SignatureType.ED25519 or not isinstance(self._key, Ed25519PublicKey):
            raise Problem(KEY_MALFORMED)
        return PublicKey(self._key)

    @property
    def cosigns(self) -> bool:
        """Whether its signatures are timestamped cosignatures of checkpoints."""
        return self.type != SignatureType.ED25519

    def made(self, signature: Signature) -> bool:
        """Whether a signature line says that it is by this key."""
        return signature.key_id == self.key_id and signature.name == self.name

    def check(self, text: str, signature: Signature) -> int | None:
        """Verify a signature that this key `made` on a note's text: the time of a cosignature, else `None`.

        Raises `note-signature-invalid`; for a cosignature also `checkpoint-malformed`,
        `checkpoint-not-cosignable`.
        """
        blob = signature.blob
        if not self.made(signature) or len(blob) != _SIGNATURE_SIZE[self.type]:
            raise Problem(SIGNATURE_INVALID, name=self.name)
        timed = self.cosigns
        at = int.from_bytes(blob[:8], "big") if timed else 0
        try:
            self._key.verify(blob[8:] if timed else blob, signed_message(self.type, self.name, text, at))
        except InvalidSignature:
            raise Problem(SIGNATURE_INVALID, name=self.name) from None
        return at if timed else None


@dataclass(frozen=True, slots=True)
class Signer:
    """A private key and the verifier for what it signs."""

    verifier: Verifier
    _key: Ed25519PrivateKey | MLDSA44PrivateKey = field(repr=False, compare=False)

    @classmethod
    def of_notes(cls, name: str, key: Ed25519PrivateKey) -> Signer:
        """Signs notes of any text, with type 0x01. Raises `verifier-key-malformed` for a name not allowed."""
        return cls(Verifier(name, SignatureType.ED25519, key.public_key().public_bytes_raw()), key)

    @classmethod
    def of_checkpoints(cls, name: str, key: Ed25519PrivateKey | MLDSA44PrivateKey) -> Signer:
        """Cosigns checkpoints, with type 0x06 or, if the key is Ed25519, 0x04. Raises as `of_notes`."""
        post_quantum = isinstance(key, MLDSA44PrivateKey)
        kind = SignatureType.COSIGNATURE_MLDSA44 if post_quantum else SignatureType.COSIGNATURE_ED25519
        return cls(Verifier(name, kind, key.public_key().public_bytes_raw()), key)

    @property
    def key(self) -> PrivateKey:
        """The key itself, as :attr:`Verifier.key`."""
        if self.verifier.type != SignatureType.ED25519 or not isinstance(self._key, Ed25519PrivateKey):
            raise Problem(KEY_MALFORMED)
        return PrivateKey(self._key)

    def sign(self, text: str, at: int) -> Signature:
        """Sign a note's text; `at` (POSIX s) is the time that a cosignature states, and unused by type 0x01.

        Raises for a cosignature `checkpoint-malformed`, `checkpoint-not-cosignable`, `note-signature-invalid`
        for a time out of range.
        """
        verifier = self.verifier
        blob = self._key.sign(signed_message(verifier.type, verifier.name, text, at))
        if verifier.cosigns:
            blob = at.to_bytes(8, "big") + blob
        return Signature(verifier.name, verifier.key_id, blob)


def signed_message(kind: SignatureType, name: str, text: str, at: int) -> bytes:
    """The bytes that a key of that type and name signs for a note's text (C2SP tlog-cosignature)."""
    body = write_text(text)
    if body is None or not text.endswith("\n"):
        raise Problem(NOTE_MALFORMED, line=1)
    if kind == SignatureType.ED25519:
        return body
    if not 0 <= at <= MAX_NUMBER:
        raise Problem(SIGNATURE_INVALID, name=name)
    head = TreeHead.parse(text)
    if kind == SignatureType.COSIGNATURE_ED25519:
        return f"cosignature/v1\ntime {at}\n".encode() + body
    origin, cosigner = head.origin.encode(), name.encode()
    # Extension lines are outside this signature; refusing them keeps every signed checkpoint wholly covered.
    if head.extensions or len(origin) > 255:
        raise Problem(NOT_COSIGNABLE)
    return b"".join(
        (
            b"subtree/v1\n\0",
            len(cosigner).to_bytes(1, "big") + cosigner,
            at.to_bytes(8, "big"),
            len(origin).to_bytes(1, "big") + origin,
            (0).to_bytes(8, "big"),
            head.size.to_bytes(8, "big"),
            head.root,
        )
    )


class Valid(NamedTuple):
    """A signature that verified: whose, and when a cosignature says it was made (POSIX s, or 0)."""

    verifier: Verifier
    at: int | None


def verify(note: Note, required: Sequence[Verifier], known: Iterable[Verifier] = ()) -> tuple[Valid, ...]:
    """Verify a note: every `required` key has signed it, and each signature by a `known` key holds.

    Signatures by other keys are ignored, as C2SP says. Gives the valid ones in the note's order. Without any
    valid signature a note is refused whatever is required. Raises `note-signature-invalid`,
    `note-signature-missing`, and as :meth:`Verifier.check`.
    """
    verifiers = {(v.name, v.key_id): v for v in (*known, *required)}
    valid = []
    for signature in note.signatures:
        verifier = verifiers.get((signature.name, signature.key_id))
        if verifier is not None:
            valid.append(Valid(verifier, verifier.check(note.text, signature)))
    signed = {v.verifier for v in valid}
    for verifier in required:
        if verifier not in signed:
            raise Problem(SIGNATURE_MISSING, name=verifier.name)
    if not signed:
        raise Problem(SIGNATURE_MISSING, name=" / ".join(sorted({v.name for v in verifiers.values()})))
    return tuple(valid)
