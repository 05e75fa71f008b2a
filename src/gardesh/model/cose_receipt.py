"""Receipts of a log as COSE Receipts (RFC 9942), for verifiers of SCITT (RFC 9943 §7).

A receipt is a COSE_Sign1 whose payload, left out, is the root of the log's tree (RFC9162_SHA256, number 1), and
whose unprotected header holds the proof that leads there. The log signs it with the Ed25519 key of its C2SP notes.

The leaf is not the signed statement's bytes but the log's own 40-byte entry (:mod:`gardesh.model.entry`): the
SHA-256 of the document's signed part, up to the first `~`, then `recorded_at` as uint64. A generic verifier has to
know just this of the profile. All that it takes is in the receipt's CWT claims, under the log's signature:

- `iss` the log's origin, `sub` the URN of the document, by that digest;
- under the private label of :data:`PROFILE`, `recorded_at` (ms since 1970) and `tree_size`.

RFC 9942 signs the root alone. One proof can lead to the same root from another position of a tree of another size,
so without `tree_size` under the signature the position would not be proven. Witnesses do not sign COSE receipts:
one shows what the log says, not that everybody is told the same. The tree head that it gives can be compared with a
witnessed checkpoint, by a consistency proof if the sizes differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from gardesh.model import cose
from gardesh.model.cbor import decode, encode
from gardesh.model.claim_forms import match_hex
from gardesh.model.cose import ALG, CRIT, CWT_CLAIMS, ISS, KID, SUB, TYP, Label, Sign1, thumbprint
from gardesh.model.entry import entry_hash
from gardesh.model.jose import SigningKey
from gardesh.model.merkle import (
    CONSISTENCY_INVALID,
    HASH_SIZE,
    MAX_SIZE,
    consistency_root,
    inclusion_root,
    verify_inclusion,
)
from gardesh.model.policy import Policy
from gardesh.model.problem import Problem, define
from gardesh.model.receipt import MAX_PROOF, Receipt, Recorded
from gardesh.model.signer import SignatureType, Verifier
from gardesh.model.treehead import TreeHead

COSE_RECEIPT_MALFORMED = define(
    "cose-receipt-malformed",
    400,
    en="This is not a COSE receipt of a Gardesh log: {part} is missing or not of its form.",
    fa="این رسید COSE یک دفتر گردش نیست: {part} در آن نیست یا شکل درستی ندارد.",
)
OTHER_LOG = define(
    "cose-receipt-of-another-log",
    422,
    en="This receipt is of the log {found}, not of {expected}.",
    fa="این رسید از آنِ دفتر {found} است، نه {expected}.",
)
OTHER_DOCUMENT = define(
    "cose-receipt-of-another-document",
    422,
    en="This receipt is of the document {found}, not of {expected}.",
    fa="این رسید از آنِ سند {found} است، نه {expected}.",
)
UNWITNESSED = define(
    "cose-receipt-unwitnessed",
    422,
    en="A COSE receipt shows no witnesses, and the policy asks for some.",
    fa="رسید COSE گواهی نشان نمی‌دهد و خط‌مشی گواه می‌خواهد.",
    hint_en="Ask the log for a C2SP receipt of the document: it holds the witnessed checkpoint.",
    hint_fa="از دفتر رسید C2SP سند را بخواهید: نقطه‌ی وارسی گواهی‌شده در آن است.",
)

VDS, VDP = 395, 396
RFC9162_SHA256 = 1
INCLUSION, CONSISTENCY = -1, -2
PROFILE = -0x47415244
"""The claim of this profile: its label is of the range for private use (RFC 8392 §9.1), the letters GARD."""
MEDIA_TYPE = "application/scitt-receipt+cose"
MAX_ORIGIN = 255
DOCUMENT_URN = "urn:gardesh:document:"
_PROTECTED = frozenset((ALG, CRIT, KID, CWT_CLAIMS, TYP, VDS))
_UNPROTECTED = frozenset((VDP,))


@dataclass(frozen=True, slots=True)
class CoseReceipt:
    """A receipt of inclusion as it was read; nothing in it is verified."""

    origin: str
    digest: bytes
    recorded_at: int
    position: int
    size: int
    proof: tuple[bytes, ...]
    message: Sign1


class Proven(NamedTuple):
    """What a receipt of inclusion proves, and the tree head that the log signed it under."""

    recorded: Recorded
    head: TreeHead


def write(receipt: Receipt, digest: bytes, head: TreeHead, key: SigningKey) -> bytes:
    """The COSE receipt of the document with this digest. `head` is of the receipt's checkpoint, and the caller's own:
    who signs for a log sees to it that `head` extends all that it signed before.

    Raises `inclusion-proof-invalid`, `log-entry-malformed`: no receipt is signed that does not hold.
    """
    leaf = entry_hash(digest, receipt.recorded_at)
    verify_inclusion(leaf, receipt.position, head.size, receipt.proof, head.root)
    subject = DOCUMENT_URN + digest.hex()
    profile = {"recorded_at": receipt.recorded_at, "tree_size": head.size}
    proof = [head.size, receipt.position, list(receipt.proof)]
    return _sign(head, subject, profile, INCLUSION, proof, key)


def read(raw: bytes) -> CoseReceipt:
    """The receipt of inclusion in these bytes. Raises `cose-receipt-malformed`, and as `cose.read`, `cose.only`."""
    message, origin, subject, profile, proof = _read(raw, INCLUSION, {"recorded_at", "tree_size"})
    digest = match_hex(subject.removeprefix(DOCUMENT_URN)) if subject.startswith(DOCUMENT_URN) else None
    if digest is None:
        raise Problem(COSE_RECEIPT_MALFORMED, part="sub")
    size, position, path = proof
    if size != profile["tree_size"] or not 0 <= position < size:
        raise Problem(COSE_RECEIPT_MALFORMED, part="tree_size")
    found = bytes.fromhex(digest), profile["recorded_at"]
    return CoseReceipt(origin, *found, position, size, path, message)


def verify(receipt: CoseReceipt, digest: bytes, log: Verifier) -> Proven:
    """What the receipt proves of the document with this digest, if the log with this key signed it.

    `log` is the log's Ed25519 key of C2SP, as it signs notes under its origin. Raises `cose-receipt-of-another-log`,
    `cose-receipt-of-another-document`, `cose-of-another-key`, `inclusion-proof-invalid`, `log-entry-malformed`,
    and `signature-wrong` where the proof leads to another root than the log signed; and as `Verifier.key`.
    """
    if receipt.digest != digest:
        raise Problem(OTHER_DOCUMENT, found=receipt.digest.hex(), expected=digest.hex())
    leaf = entry_hash(digest, receipt.recorded_at)
    root = inclusion_root(leaf, receipt.position, receipt.size, receipt.proof)
    _verify(receipt.message, receipt.origin, root, log)
    recorded = Recorded(receipt.position, receipt.recorded_at)
    return Proven(recorded, TreeHead(receipt.origin, receipt.size, root))


def verify_by(raw: bytes, digest: bytes, policy: Policy) -> Recorded:
    """What a receipt proves of the document with this digest, to who trusts the logs of `policy`. No witness signs such a
    receipt: `cose-receipt-unwitnessed` where the policy asks for some. Raises as `read`, `verify`."""
    if policy.asks_witnesses:
        raise Problem(UNWITNESSED)
    receipt = read(raw)
    log = next((log for log in policy.logs if log.origin == receipt.origin), policy.logs[0])
    key = next((key for key in log.keys if key.type == SignatureType.ED25519), log.keys[0])
    return verify(receipt, digest, key).recorded


@dataclass(frozen=True, slots=True)
class ConsistencyReceipt:
    """A receipt of consistency (RFC 9942 §5.3) as it was read; nothing in it is verified."""

    origin: str
    old_size: int
    new_size: int
    proof: tuple[bytes, ...]
    message: Sign1


def write_consistency(old: TreeHead, new: TreeHead, proof: Sequence[bytes], key: SigningKey) -> bytes:
    """The receipt that the log of `new` extends that of `old`, neither empty nor of the same size; its payload, left
    out, is the newer root. Raises `consistency-proof-invalid`. As for `write`, `new` is the caller's own."""
    if old.size == new.size or consistency_root(old.size, old.root, new.size, proof) != new.root:
        raise Problem(CONSISTENCY_INVALID, old=old.size, new=new.size)
    sizes = [old.size, new.size, list(proof)]
    return _sign(new, new.origin, {"tree_size": new.size}, CONSISTENCY, sizes, key)


def read_consistency(raw: bytes) -> ConsistencyReceipt:
    """The receipt of consistency in these bytes. Raises as `read`."""
    message, origin, subject, profile, proof = _read(raw, CONSISTENCY, {"tree_size"})
    old, new, path = proof
    if subject != origin:
        raise Problem(COSE_RECEIPT_MALFORMED, part="sub")
    if new != profile["tree_size"] or not 0 < old < new:
        raise Problem(COSE_RECEIPT_MALFORMED, part="tree_size")
    return ConsistencyReceipt(origin, old, new, path, message)


def verify_consistency(receipt: ConsistencyReceipt, old: TreeHead, log: Verifier) -> TreeHead:
    """The newer tree head, which extends the verified head `old`, if the log with this key signed it.

    Raises `consistency-proof-invalid` also where `old` is of another size, and otherwise as `verify`.
    """
    if old.size != receipt.old_size:
        raise Problem(CONSISTENCY_INVALID, old=old.size, new=receipt.new_size)
    root = consistency_root(old.size, old.root, receipt.new_size, receipt.proof)
    if old.origin != receipt.origin:
        raise Problem(OTHER_LOG, found=receipt.origin, expected=old.origin)
    _verify(receipt.message, receipt.origin, root, log)
    return TreeHead(receipt.origin, receipt.new_size, root)


def _sign(
    head: TreeHead, subject: str, profile: dict[str, int], kind: int, proof: list[Any], key: SigningKey
) -> bytes:
    protected: dict[Label, Any] = {
        KID: thumbprint(key.public),
        CWT_CLAIMS: {ISS: head.origin, SUB: subject, PROFILE: profile},
        TYP: MEDIA_TYPE,
        VDS: RFC9162_SHA256,
    }
    proofs: dict[Label, Any] = {VDP: {kind: [encode(proof)]}}
    return cose.sign(protected, head.root, key, unprotected=proofs, detached=True).encode()


Proof = tuple[int, int, tuple[bytes, ...]]


def _read(raw: bytes, kind: int, members: set[str]) -> tuple[Sign1, str, str, dict[str, int], Proof]:
    """The message, `iss`, `sub`, the profile's claim with these members, and the one proof of this kind."""
    message = cose.read(raw, understood=_PROTECTED)
    cose.only(message, _PROTECTED, _UNPROTECTED)
    for part, label, expected in (("vds", VDS, RFC9162_SHA256), ("typ", TYP, MEDIA_TYPE)):
        found = message.protected.get(label)
        if type(found) is not type(expected) or found != expected:
            raise Problem(COSE_RECEIPT_MALFORMED, part=part)
    if KID not in message.protected or message.payload is not None:
        raise Problem(COSE_RECEIPT_MALFORMED, part="kid" if message.payload is None else "payload")
    claims = message.protected.get(CWT_CLAIMS, {})
    if claims.keys() != {ISS, SUB, PROFILE} or type(claims[ISS]) is not str or type(claims[SUB]) is not str:
        raise Problem(COSE_RECEIPT_MALFORMED, part="cwt-claims")
    if len(claims[ISS]) > MAX_ORIGIN:
        raise Problem(COSE_RECEIPT_MALFORMED, part="iss")
    profile = claims[PROFILE]
    if type(profile) is not dict or profile.keys() != members or not all(map(_is_number, profile.values())):
        raise Problem(COSE_RECEIPT_MALFORMED, part=", ".join(sorted(members)))
    proofs = message.unprotected.get(VDP)
    if type(proofs) is not dict or proofs.keys() != {kind} or type(proofs[kind]) is not list:
        raise Problem(COSE_RECEIPT_MALFORMED, part="vdp")
    if len(proofs[kind]) != 1 or type(proofs[kind][0]) is not bytes:
        raise Problem(COSE_RECEIPT_MALFORMED, part="vdp")
    return message, claims[ISS], claims[SUB], profile, _proof(decode(proofs[kind][0]))


def _proof(value: Any) -> Proof:
    """Two numbers and a path. A path may be empty, though the CDDL of RFC 9942 asks for one hash: a tree of one
    entry has none to give."""
    if type(value) is not list or len(value) != 3 or type(value[2]) is not list:
        raise Problem(COSE_RECEIPT_MALFORMED, part="vdp")
    first, second, path = value
    hashes = all(type(h) is bytes and len(h) == HASH_SIZE for h in path)
    if not (_is_number(first) and _is_number(second) and hashes) or len(path) > MAX_PROOF:
        raise Problem(COSE_RECEIPT_MALFORMED, part="vdp")
    return first, second, tuple(path)


def _is_number(value: Any) -> bool:
    return type(value) is int and 0 <= value <= MAX_SIZE


def _verify(message: Sign1, origin: str, root: bytes, log: Verifier) -> None:
    if origin != log.name:
        raise Problem(OTHER_LOG, found=origin, expected=log.name)
    kid, expected = message.protected[KID], thumbprint(log.key)
    if kid != expected:
        raise Problem(cose.COSE_OTHER_KEY, given=kid.hex()[:64], expected=expected.hex())
    cose.verify(message, log.key, root)
