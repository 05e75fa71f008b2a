"""The spelling that all C2SP transparency-log texts share: one way to write a number, a hash, a signature.

Readers give `None` for what is not spelled in the one right way, so that no two texts mean the same and no
bit of a text can change unseen.
"""

from __future__ import annotations

import binascii
import re

MAX_NUMBER = 2**63 - 1
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")


def read_decimal(text: str) -> int | None:
    """A number 0..2**63-1 in ASCII digits without leading zeroes."""
    if not _DECIMAL.fullmatch(text):
        return None
    number = int(text)
    return number if number <= MAX_NUMBER else None


def read_base64(text: str) -> bytes | None:
    """Standard base64 (RFC 4648 §4), padded, with zero bits where the last group leaves some over."""
    try:
        raw = binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        return None
    return raw if write_base64(raw) == text else None


def write_base64(raw: bytes) -> str:
    return binascii.b2a_base64(raw, newline=False).decode("ascii")


def read_text(raw: bytes) -> str | None:
    """UTF-8 without control characters below U+0020 other than newline."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return None
    return None if _CONTROL.search(text) else text


def write_text(text: str) -> bytes | None:
    """The inverse of `read_text`: `None` for a text that it would not read back."""
    try:
        raw = text.encode()
    except UnicodeEncodeError:
        return None
    return None if _CONTROL.search(text) else raw
