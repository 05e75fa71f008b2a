"""Receipts: the proof that a document is on the log, as a C2SP tlog-proof file (`.tlog-proof`).

The entry's time is in the extra data, as uint64 big-endian ms since the Unix epoch. C2SP does not
authenticate extra data; here it is part of the leaf (:mod:`gardesh.model.entry`), so a changed time leads to
another root and is refused.
"""

from __future__ import annotations

from binascii import b2a_base64
from dataclasses import dataclass
from typing import NamedTuple

from gardesh.model.c2sp import read_base64, read_decimal, write_base64
from gardesh.model.entry import MAX_TIME, entry_hash
from gardesh.model.merkle import HASH_SIZE, MAX_SIZE, verify_inclusion
from gardesh.model.note import MAX_NOTE_BYTES
from gardesh.model.policy import Policy
from gardesh.model.problem import Problem, define
from gardesh.model.treehead import TreeHead

HEADER = "c2sp.org/tlog-proof@v1"
MAX_PROOF = 63
MAX_RECEIPT_BYTES = MAX_NOTE_BYTES + 4096

RECEIPT_MALFORMED = define(
    "receipt-malformed",
    400,
    en="Line {line} of the receipt is not as C2SP tlog-proof has it.",
    fa="سطر {line} رسید با قالب C2SP tlog-proof سازگار نیست.",
)
RECEIPT_TOO_LARGE = define(
    "receipt-too-large",
    413,
    en="A receipt has {bytes} bytes at most.",
    fa="رسید حداکثر {bytes} بایت دارد.",
)


class Recorded(NamedTuple):
    """What a receipt proves of a document: its position on the log, and its time in ms since the epoch."""

    position: int
    recorded_at: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """A receipt as it was written; nothing in it is verified. `checkpoint` is the signed note, verbatim.

    Made with a number out of range or a hash of another length, it raises `receipt-malformed`.
    """

    position: int
    recorded_at: int
    proof: tuple[bytes, ...]
    checkpoint: bytes

    def __post_init__(self) -> None:
        if not 0 <= self.recorded_at <= MAX_TIME:
            raise Problem(RECEIPT_MALFORMED, line=2)
        if not 0 <= self.position < MAX_SIZE:
            raise Problem(RECEIPT_MALFORMED, line=3)
        if len(self.proof) > MAX_PROOF or any(len(h) != HASH_SIZE for h in self.proof):
            raise Problem(RECEIPT_MALFORMED, line=4)

    def encode(self) -> bytes:
        extra = write_base64(self.recorded_at.to_bytes(8, "big"))
        head = f"{HEADER}\nextra {extra}\nindex {self.position}\n".encode()
        return b"".join((head, *map(b2a_base64, self.proof), b"\n", self.checkpoint))


def parse(raw: bytes) -> Receipt:
    """The receipt that encodes to these bytes. Raises `receipt-malformed`, `receipt-too-large`."""
    if len(raw) > MAX_RECEIPT_BYTES:
        raise Problem(RECEIPT_TOO_LARGE, bytes=MAX_RECEIPT_BYTES)
    top, empty_line, checkpoint = raw.partition(b"\n\n")
    lines = top.decode("ascii", "replace").split("\n", MAX_PROOF + 4)
    if lines[0] != HEADER:
        raise Problem(RECEIPT_MALFORMED, line=1)
    if not empty_line or not 3 <= len(lines) <= MAX_PROOF + 3:
        raise Problem(RECEIPT_MALFORMED, line=len(lines))
    extra = read_base64(lines[1].removeprefix("extra ")) if lines[1].startswith("extra ") else None
    if extra is None or len(extra) != 8:
        raise Problem(RECEIPT_MALFORMED, line=2)
    position = read_decimal(lines[2].removeprefix("index ")) if lines[2].startswith("index ") else None
    if position is None:
        raise Problem(RECEIPT_MALFORMED, line=3)
    proof = tuple(_hash(line, number) for number, line in enumerate(lines[3:], 4))
    return Receipt(position, int.from_bytes(extra, "big"), proof, checkpoint)


def _hash(line: str, number: int) -> bytes:
    raw = read_base64(line)
    if raw is None or len(raw) != HASH_SIZE:
        raise Problem(RECEIPT_MALFORMED, line=number)
    return raw


def check(receipt: Receipt, digest: bytes, head: TreeHead) -> Recorded:
    """What a receipt proves of the document with this digest, given the tree head of its checkpoint, which
    the caller has verified (many receipts share one). Raises `inclusion-proof-invalid`,
    `log-entry-malformed`."""
    leaf = entry_hash(digest, receipt.recorded_at)
    verify_inclusion(leaf, receipt.position, head.size, receipt.proof, head.root)
    return Recorded(receipt.position, receipt.recorded_at)


def verify(receipt: Receipt, digest: bytes, policy: Policy) -> Recorded:
    """What a receipt proves of the document with this digest, its checkpoint trusted by `policy`.

    Raises `inclusion-proof-invalid`, `log-entry-malformed`, and as :meth:`Policy.verify`.
    """
    return check(receipt, digest, policy.verify(receipt.checkpoint).head)
