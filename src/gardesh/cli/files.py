"""Files that a user names."""

from __future__ import annotations

import sys
from pathlib import Path

from gardesh.model.os_reason import of_os
from gardesh.model.problem import Problem, define

FILE_UNREADABLE = define(
    "file-unreadable",
    404,
    en="The file {file} cannot be read: {reason}.",
    fa="پرونده‌ی {file} خوانده نشد: {reason}.",
)
FILE_UNUSABLE = define(
    "file-unusable",
    403,
    en="{file} cannot be used: {reason}.",
    fa="{file} قابل استفاده نیست: {reason}.",
    hint_en="Name another place, or one that this user may write to.",
    hint_fa="جای دیگری را نام ببرید، یا جایی که این کاربر اجازه‌ی نوشتن در آن دارد.",
)


def read_file(path: Path) -> bytes:
    """The bytes of a file, or of standard input for `-`. Raises `file-unreadable`."""
    try:
        return sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
    except OSError as error:
        raise Problem(FILE_UNREADABLE, file=str(path), reason=of_os(error)) from None
