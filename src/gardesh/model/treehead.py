"""The tree head that a log signs: the text of a C2SP tlog-checkpoint.

Its lines are the log's origin, the number of entries, the root hash in base64, and any extension lines.
"""

from __future__ import annotations

from dataclasses import dataclass

from gardesh.model.c2sp import read_base64, read_decimal, write_base64, write_text
from gardesh.model.merkle import EMPTY_ROOT, HASH_SIZE, MAX_SIZE
from gardesh.model.problem import Problem, define

CHECKPOINT_MALFORMED = define(
    "checkpoint-malformed",
    400,
    en="Line {line} of the checkpoint is not as C2SP tlog-checkpoint has it.",
    fa="سطر {line} نقطهٔ وارسی با قالب C2SP tlog-checkpoint سازگار نیست.",
)


@dataclass(frozen=True, slots=True)
class TreeHead:
    """The state of a log: `size` entries whose Merkle tree (RFC 6962 §2.1) has `root`.

    Extension lines are opaque; C2SP advises against them, and ML-DSA-44 cosignatures cannot cover them.
    Made with anything that its text could not carry, it raises `checkpoint-malformed`.
    """

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not _is_line(self.origin):
            raise Problem(CHECKPOINT_MALFORMED, line=1)
        if not 0 <= self.size <= MAX_SIZE:
            raise Problem(CHECKPOINT_MALFORMED, line=2)
        if len(self.root) != HASH_SIZE or (self.size == 0 and self.root != EMPTY_ROOT):
            raise Problem(CHECKPOINT_MALFORMED, line=3)
        for number, line in enumerate(self.extensions, 4):
            if not _is_line(line):
                raise Problem(CHECKPOINT_MALFORMED, line=number)

    def text(self) -> str:
        """The note text, newline at the end included."""
        return "\n".join((self.origin, str(self.size), write_base64(self.root), *self.extensions, ""))

    @classmethod
    def parse(cls, text: str) -> TreeHead:
        """The tree head of a note text; `parse(t).text() == t`. Raises `checkpoint-malformed`."""
        *lines, end = text.split("\n")
        if end or len(lines) < 3:
            raise Problem(CHECKPOINT_MALFORMED, line=len(lines) + 1)
        origin, number, encoded, *extensions = lines
        size, root = read_decimal(number), read_base64(encoded)
        return cls(origin, -1 if size is None else size, root or b"", tuple(extensions))


def _is_line(text: str) -> bool:
    return bool(text) and "\n" not in text and write_text(text) is not None
