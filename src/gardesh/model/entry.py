"""The entries of the log: what a public leaf says of a document, and nothing more.

An entry is 40 bytes: the SHA-256 digest that names the document (32), then the time of its acceptance in ms
since the Unix epoch (uint64, big-endian). A bundle of entries is as in C2SP tlog-tiles: up to 256 entries,
each after its length (uint16, big-endian).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from hashlib import sha256
from typing import NamedTuple

from gardesh.model.problem import Problem, define

ENTRY_SIZE = 40
DIGEST_SIZE = 32
MAX_TIME = 2**63 - 1
_ENTRY = struct.Struct(">32sQ")
_BUNDLED = struct.Struct(">H32sQ")
_PREFIX = ENTRY_SIZE.to_bytes(2, "big")

ENTRY_MALFORMED = define(
    "log-entry-malformed",
    400,
    en="A log entry is 40 bytes: a SHA-256 digest and a time in milliseconds.",
    fa="مدخل دفتر ۴۰ بایت است: یک چکیدهٔ SHA-256 و یک زمان بر حسب میلی‌ثانیه.",
)
BUNDLE_MALFORMED = define(
    "entries-bundle-malformed",
    502,
    en="Entry {at} of the bundle is not a 40-byte log entry, or the bundle does not hold 1 to 256 of them.",
    fa="مدخل {at} این دسته یک مدخل ۴۰ بایتی نیست، یا شمار مدخل‌های دسته از ۱ تا ۲۵۶ نیست.",
)


class Entry(NamedTuple):
    """A log entry. `recorded_at` is in ms since the Unix epoch."""

    digest: bytes
    recorded_at: int


def encode(digest: bytes, recorded_at: int) -> bytes:
    """The bytes of an entry. Raises `log-entry-malformed` for another length of digest or a negative time."""
    if len(digest) != DIGEST_SIZE or not 0 <= recorded_at <= MAX_TIME:
        raise Problem(ENTRY_MALFORMED)
    return _ENTRY.pack(digest, recorded_at)


def entry_hash(digest: bytes, recorded_at: int) -> bytes:
    """The leaf hash (RFC 6962 §2.1) of an entry. Raises as `encode`."""
    return sha256(b"\0" + encode(digest, recorded_at)).digest()


def decode(raw: bytes) -> Entry:
    """The entry in these bytes. Raises `log-entry-malformed`."""
    if len(raw) != ENTRY_SIZE:
        raise Problem(ENTRY_MALFORMED)
    entry = Entry._make(_ENTRY.unpack(raw))
    if entry.recorded_at > MAX_TIME:
        raise Problem(ENTRY_MALFORMED)
    return entry


def encode_bundle(entries: Iterable[bytes]) -> bytes:
    """The bundle of 1 to 256 encoded entries, in log order. Raises `entries-bundle-malformed`."""
    parts = list(entries)
    for at, raw in enumerate(parts):
        if len(raw) != ENTRY_SIZE:
            raise Problem(BUNDLE_MALFORMED, at=at)
    if not 1 <= len(parts) <= 256:
        raise Problem(BUNDLE_MALFORMED, at=len(parts))
    return _PREFIX + _PREFIX.join(parts)


def decode_bundle(raw: bytes) -> list[Entry]:
    """The entries of a bundle, in log order. Raises `entries-bundle-malformed`."""
    count, rest = divmod(len(raw), _BUNDLED.size)
    if rest or not 1 <= count <= 256:
        raise Problem(BUNDLE_MALFORMED, at=count)
    entries = []
    for at, (length, digest, recorded_at) in enumerate(_BUNDLED.iter_unpack(raw)):
        if length != ENTRY_SIZE or recorded_at > MAX_TIME:
            raise Problem(BUNDLE_MALFORMED, at=at)
        entries.append(Entry(digest, recorded_at))
    return entries
