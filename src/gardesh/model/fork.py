"""The proof that a log forked: two checkpoints that it signed, of which neither tree begins the other.

Anybody who has the log's keys can check it, offline: that the second checkpoint's tree has, at the size of the first, another
root than the first says.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from gardesh.model.c2sp import read_base64, write_base64
from gardesh.model.merkle import HASH_SIZE, verify_consistency
from gardesh.model.note import MAX_NOTE_BYTES
from gardesh.model.policy import Policy
from gardesh.model.problem import Problem, define

MAX_FORK_BYTES = 4 * MAX_NOTE_BYTES
MAX_PROOF = 63

FORK_MALFORMED = define(
    "fork-malformed",
    400,
    en="This is no proof that a log forked: {part} is not as it should be.",
    fa="این نوشته مدرک انشعاب دفتر نیست: {part} آن چنان که باید نیست.",
)
NO_FORK = define(
    "fork-not-shown",
    422,
    en="These two checkpoints of {origin} do not contradict each other.",
    fa="این دو نقطهٔ وارسی از {origin} با یکدیگر ناسازگار نیستند.",
)


@dataclass(frozen=True, slots=True)
class Fork:
    """Two signed checkpoints, the one with fewer entries first; the `root` that the tree of the second has at the size of
    the first, and the consistency proof (RFC 6962 §2.1.2) that it does."""

    first: bytes
    second: bytes
    root: bytes
    proof: tuple[bytes, ...] = ()

    def check(self, policy: Policy) -> None:
        """Hold it against the log's keys; a quorum is not asked for. Raises `fork-not-shown`, and as `Policy.judge` and
        `verify_consistency`."""
        first, second = policy.judge(self.first).head, policy.judge(self.second).head
        if first.origin != second.origin or self.root == first.root:
            raise Problem(NO_FORK, origin=first.origin)
        verify_consistency(first.size, self.root, second.size, second.root, self.proof)

    def encode(self) -> bytes:
        """JSON: the two checkpoints as they were signed, the hashes in base64."""
        return msgspec.json.format(
            msgspec.json.encode(
                {
                    "first": self.first.decode(),
                    "second": self.second.decode(),
                    "root": write_base64(self.root),
                    "proof": [write_base64(found) for found in self.proof],
                }
            ),
            indent=2,
        )


class _Written(msgspec.Struct, forbid_unknown_fields=True):
    first: str
    second: str
    root: str
    proof: list[str]


def parse(raw: bytes) -> Fork:
    """What `encode` wrote; nothing in it is verified. Raises `fork-malformed`."""
    try:
        if len(raw) > MAX_FORK_BYTES:
            raise ValueError
        written = msgspec.json.decode(raw, type=_Written)
        notes = written.first.encode(), written.second.encode()
    except (msgspec.MsgspecError, ValueError):
        raise Problem(FORK_MALFORMED, part="JSON") from None
    hashes = [read_base64(text) or b"" for text in (written.root, *written.proof)]
    if len(written.proof) > MAX_PROOF or any(len(found) != HASH_SIZE for found in hashes):
        raise Problem(FORK_MALFORMED, part="proof")
    return Fork(*notes, hashes[0], tuple(hashes[1:]))
