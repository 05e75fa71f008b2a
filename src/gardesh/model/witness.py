"""What a witness is asked and how it decides (C2SP tlog-witness, `add-checkpoint`): pure, from what it knows of a log.

A witness cosigns a checkpoint of a log it knows, if the log signed it and it extends all that the witness cosigned
before. Each refusal has the HTTP status that the standard gives it.
"""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import Sequence
from dataclasses import dataclass

from gardesh.model import note
from gardesh.model.c2sp import read_base64, read_decimal
from gardesh.model.merkle import EMPTY_ROOT, HASH_SIZE, MAX_SIZE, verify_consistency
from gardesh.model.note import MAX_NOTE_BYTES, Note, Signature
from gardesh.model.problem import Problem, define
from gardesh.model.signer import (
    NOT_COSIGNABLE,
    SIGNATURE_INVALID,
    SIGNATURE_MISSING,
    Signer,
    Verifier,
    verify,
)
from gardesh.model.treehead import TreeHead

MAX_PROOF = 63
MAX_REQUEST_BYTES = MAX_NOTE_BYTES + 4096
SIZE_TYPE = "text/x.tlog.size"
"""The media type of the size that a witness answers a conflict with."""

REQUEST_MALFORMED = define(
    "witness-request-malformed",
    400,
    en="Line {line} of the request is not as C2SP tlog-witness has it.",
    fa="سطر {line} درخواست با قالب C2SP tlog-witness سازگار نیست.",
)
OLD_BEYOND_NEW = define(
    "witness-old-size-beyond",
    400,
    en="The request starts from {old} entries, but its checkpoint has {size}.",
    fa="درخواست از {old} مدخل آغاز می‌کند، اما نقطهٔ وارسی آن {size} مدخل دارد.",
)
REQUEST_TOO_LARGE = define(
    "witness-request-too-large",
    413,
    en="A request to a witness has {bytes} bytes at most.",
    fa="درخواست از گواه حداکثر {bytes} بایت دارد.",
)
LOG_UNKNOWN = define(
    "witness-log-unknown",
    404,
    en="This witness does not know the log {origin}.",
    fa="این گواه دفتر {origin} را نمی‌شناسد.",
    hint_en="Its operator adds logs: gardesh witness add-log VKEY",
    hint_fa="گرداننده‌ی گواه دفترها را می‌افزاید: gardesh witness add-log VKEY",
)
NOT_SIGNED = define(
    "witness-not-signed",
    403,
    en="The checkpoint lacks a valid signature by a key that this witness knows of {origin}.",
    fa="نقطهٔ وارسی امضای درستی با کلیدی که این گواه از {origin} می‌شناسد ندارد.",
)
OTHER_SIZE = define(
    "witness-other-size",
    409,
    en="This witness has cosigned {size} entries of the log; the proof has to start there.",
    fa="این گواه {size} مدخل از دفتر را امضا کرده است؛ اثبات باید از همان‌جا آغاز شود.",
)
OTHER_ROOT = define(
    "witness-other-root",
    409,
    en="This witness has cosigned another tree of {size} entries of the log: the log has two histories.",
    fa="این گواه درخت دیگری با {size} مدخل از این دفتر را امضا کرده است: دفتر دو تاریخچه دارد.",
)
EMPTY_TREE = define(
    "witness-empty-tree-wrong",
    422,
    en="A log without entries has the root of the empty tree; this checkpoint has another.",
    fa="دفتر بی‌مدخل ریشهٔ درخت تهی را دارد؛ این نقطهٔ وارسی ریشهٔ دیگری دارد.",
)


@dataclass(frozen=True, slots=True)
class Request:
    """A request to cosign: a proof that the tree of `old` entries begins the checkpoint's, and the checkpoint."""

    old: int
    proof: tuple[bytes, ...]
    checkpoint: bytes

    def encode(self) -> bytes:
        """The request's body. Raises `witness-request-malformed` for what would not read back."""
        if not 0 <= self.old <= MAX_SIZE:
            raise Problem(REQUEST_MALFORMED, line=1)
        if len(self.proof) > MAX_PROOF or any(len(h) != HASH_SIZE for h in self.proof):
            raise Problem(REQUEST_MALFORMED, line=2)
        return b"".join((b"old %d\n" % self.old, *map(b2a_base64, self.proof), b"\n", self.checkpoint))


def parse(raw: bytes) -> Request:
    """The request that encodes to these bytes; its checkpoint is not looked at.

    Raises `witness-request-malformed`, `witness-request-too-large`.
    """
    if len(raw) > MAX_REQUEST_BYTES:
        raise Problem(REQUEST_TOO_LARGE, bytes=MAX_REQUEST_BYTES)
    top, empty_line, checkpoint = raw.partition(b"\n\n")
    first, *hashes = top.decode("ascii", "replace").split("\n", MAX_PROOF + 2)
    old = read_decimal(first.removeprefix("old ")) if first.startswith("old ") else None
    if old is None:
        raise Problem(REQUEST_MALFORMED, line=1)
    if not empty_line or len(hashes) > MAX_PROOF:
        raise Problem(REQUEST_MALFORMED, line=len(hashes) + 1)
    proof = tuple(read_base64(line) or b"" for line in hashes)
    for number, found in enumerate(proof, 2):
        if len(found) != HASH_SIZE:
            raise Problem(REQUEST_MALFORMED, line=number)
    return Request(old, proof, checkpoint)


@dataclass(frozen=True, slots=True)
class Known:
    """What a witness knows of a log: its keys, and the size and root that it cosigned last (0 if none)."""

    origin: str
    keys: tuple[Verifier, ...]
    size: int = 0
    root: bytes = EMPTY_ROOT


@dataclass(frozen=True, slots=True)
class Submitted:
    """A checkpoint signed by its log, with the log's valid signatures alone. It may still be inconsistent."""

    head: TreeHead
    note: Note


def origin_of(checkpoint: bytes) -> str:
    """The origin that a checkpoint claims. Raises `note-malformed`, `note-too-large`."""
    return note.parse(checkpoint).text.partition("\n")[0]


def signed_by(known: Known | None, checkpoint: bytes) -> Submitted:
    """The checkpoint, if a key that is known of its origin signed it, and no such key's signature is wrong.

    Raises `witness-log-unknown` (404) if the origin is not `known`'s, `witness-not-signed` (403),
    `witness-empty-tree-wrong` (422), and `note-malformed`, `note-too-large`, `checkpoint-malformed`,
    `checkpoint-not-cosignable`.
    """
    signed = note.parse(checkpoint)
    origin = signed.text.partition("\n")[0]
    if known is None or known.origin != origin:
        raise Problem(LOG_UNKNOWN, origin=origin)
    try:
        valid = {v.verifier for v in verify(signed, (), known.keys)}
        head = TreeHead.parse(signed.text)
    except Problem as problem:
        if problem.code in (SIGNATURE_INVALID, SIGNATURE_MISSING):
            raise Problem(NOT_SIGNED, origin=origin) from None
        if _claims_empty(signed.text):
            raise Problem(EMPTY_TREE) from None
        raise
    lines = tuple(s for s in signed.signatures if any(key.made(s) for key in valid))
    return Submitted(head, Note(signed.text, lines))


def _claims_empty(text: str) -> bool:
    """Whether a text says that the log has no entries, and gives another root than the empty tree's."""
    lines = text.split("\n")
    found = read_base64(lines[2]) if len(lines) > 3 and lines[1] == "0" else None
    return found is not None and len(found) == HASH_SIZE and found != EMPTY_ROOT


def extends(known: Known, request: Request, head: TreeHead) -> Known:
    """What the witness knows once it has cosigned `head`, which :func:`signed_by` gave for this request.

    It never goes back: the size stays or grows, and the old tree begins the new. Raises `witness-old-size-beyond` (400),
    `witness-other-size` (409, with the `size` to start from), `witness-other-root` (409), `consistency-proof-invalid` (422).
    """
    if request.old > head.size:
        raise Problem(OLD_BEYOND_NEW, old=request.old, size=head.size)
    if request.old != known.size:
        raise Problem(OTHER_SIZE, size=known.size)
    if request.old == head.size and not request.proof and head.root != known.root:
        raise Problem(OTHER_ROOT, size=known.size)
    verify_consistency(known.size, known.root, head.size, head.root, request.proof)
    return Known(known.origin, known.keys, head.size, head.root)


def cosign(head: TreeHead, cosigners: Sequence[Signer], at: int) -> tuple[Signature, ...]:
    """The cosignatures on `head`, at the time `at` (POSIX s, above 0), of those cosigners whose type can cover it.

    Raises `checkpoint-not-cosignable` (422) if none can.
    """
    assert at > 0
    text, made = head.text(), []
    for cosigner in cosigners:
        try:
            made.append(cosigner.sign(text, at))
        except Problem as problem:
            if problem.code != NOT_COSIGNABLE:
                raise
    if not made:
        raise Problem(NOT_COSIGNABLE)
    return tuple(made)


def write_size(size: int) -> bytes:
    """The body of the answer 409."""
    return b"%d\n" % size


def read_size(raw: bytes) -> int | None:
    """The size in the body of an answer 409, or `None` for any other bytes."""
    if len(raw) > 20 or not raw.endswith(b"\n"):
        return None
    return read_decimal(raw[:-1].decode("ascii", "replace"))
