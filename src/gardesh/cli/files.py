"""Files that a user names."""

from __future__ import annotations

import sys
from pathlib import Path

from gardesh.model.problem import Problem, define

FILE_UNREADABLE = define(
    "file-unreadable",
    404,
    en="The file {file} cannot be read: {reason}.",
    fa="پرونده‌ی {file} خوانده نشد: {reason}.",
)


def read_file(path: Path) -> bytes:
    """The bytes of a file, or of standard input for `-`. Raises `file-unreadable`."""
    try:
        return sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
    except OSError as error:
        raise Problem(FILE_UNREADABLE, file=str(path), reason=error.strerror or "unknown") from None
