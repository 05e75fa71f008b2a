"""CBOR as COSE uses it (RFC 8949): one way to write a value, and a strict, bounded reader.

Values are `int` of at most 64 bits, `bytes`, `str`, `list`, `dict` with whole numbers and texts as keys, `bool`,
`None` and :class:`Tag`. What is written is core deterministic (RFC 8949 §4.2.1). What is read has to have shortest
heads and definite lengths, as that has, but may keep its maps in any order: signers of COSE do. Floats and other
simple values have no use in COSE headers, and are refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gardesh.model.canonical import TOO_LONG, Limits
from gardesh.model.problem import Problem, define

CBOR_MALFORMED = define(
    "cbor-malformed",
    400,
    en="This is not CBOR: it fails at byte {at}.",
    fa="این داده CBOR نیست: در بایت {at} خطا دارد.",
)
CBOR_LOOSE = define(
    "cbor-not-shortest",
    400,
    en="At byte {at} the CBOR is not written in its shortest form and with a definite length.",
    fa="CBOR در بایت {at} به کوتاه‌ترین شکل و با طول معین نوشته نشده است.",
)
CBOR_KEY_TWICE = define(
    "cbor-key-twice",
    400,
    en="The key {key} appears twice in one map.",
    fa="کلید {key} در یک نگاشت دو بار آمده است.",
)
CBOR_KIND = define(
    "cbor-kind",
    400,
    en="At byte {at} stands a value of a kind that is not read here.",
    fa="در بایت {at} مقداری از نوعی آمده است که در اینجا خوانده نمی‌شود.",
)
CBOR_TOO_DEEP = define(
    "cbor-too-deep",
    400,
    en="The CBOR is nested more than {limit} levels deep.",
    fa="ساختار CBOR بیش از {limit} سطح تودرتو است.",
)

LIMITS = Limits(size=1 << 16, depth=12)
_SIMPLE = {20: False, 21: True, 22: None}


@dataclass(frozen=True, slots=True)
class Tag:
    """A tagged value (RFC 8949 §3.4)."""

    number: int
    value: Any


def short(key: int | str) -> int | str:
    """A key as a problem tells it: a long text cut off."""
    return key if type(key) is int else str(key)[:40]


def encode(value: Any) -> bytes:
    """The deterministic encoding of a value (RFC 8949 §4.2.1). `ValueError` for what is none of the kinds above."""
    return b"".join(_write(value))


def _write(value: Any) -> Iterator[bytes]:
    if value is None or type(value) is bool:
        yield b"\xf6" if value is None else b"\xf5" if value else b"\xf4"
    elif type(value) is int:
        yield _head(0, value) if value >= 0 else _head(1, -1 - value)
    elif type(value) is bytes:
        yield _head(2, len(value)) + value
    elif type(value) is str:
        raw = value.encode()
        yield _head(3, len(raw)) + raw
    elif type(value) is list or type(value) is tuple:
        yield _head(4, len(value))
        for element in value:
            yield from _write(element)
    elif isinstance(value, Mapping) and all(type(key) in (int, str) for key in value):
        yield _head(5, len(value))
        for key, member in sorted((encode(key), member) for key, member in value.items()):
            yield key
            yield from _write(member)
    elif type(value) is Tag:
        yield _head(6, value.number)
        yield from _write(value.value)
    else:
        raise ValueError(f"a {type(value).__name__} has no CBOR here")


def _head(major: int, argument: int) -> bytes:
    if argument < 24:
        return bytes([major << 5 | argument])
    for info, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if argument < 1 << 8 * size:
            return bytes([major << 5 | info]) + argument.to_bytes(size, "big")
    raise ValueError(f"{argument} has more than 64 bits")


def decode(raw: bytes, limits: Limits = LIMITS) -> Any:
    """The one value in `raw`. Raises `input-too-long` beyond `limits.size`, `cbor-too-deep` beyond `limits.depth`,
    and `cbor-malformed`, `cbor-not-shortest`, `cbor-key-twice`, `cbor-kind`."""
    if len(raw) > limits.size:
        raise Problem(TOO_LONG, length=len(raw), limit=limits.size)
    reader = _Reader(raw, limits)
    value = reader.value(0)
    if reader.at != len(raw):
        raise Problem(CBOR_MALFORMED, at=reader.at)
    return value


class _Reader:
    def __init__(self, raw: bytes, limits: Limits) -> None:
        self.raw, self.at, self.limits = raw, 0, limits

    def value(self, depth: int) -> Any:
        start = self.at
        major, argument = self._head()
        if major < 2:
            return argument if major == 0 else -1 - argument
        if major == 7:
            if argument not in _SIMPLE:
                raise Problem(CBOR_KIND, at=start)
            return _SIMPLE[argument]
        if major < 4:
            return self._string(major, argument, start)
        if depth == self.limits.depth:
            raise Problem(CBOR_TOO_DEEP, limit=self.limits.depth)
        if major == 6:
            return Tag(argument, self.value(depth + 1))
        if major == 4:
            return [self.value(depth + 1) for _ in range(argument)]
        return self._map(argument, depth)

    def _map(self, count: int, depth: int) -> dict[int | str, Any]:
        found: dict[int | str, Any] = {}
        for _ in range(count):
            start = self.at
            key = self.value(depth + 1)
            if type(key) is not int and type(key) is not str:
                raise Problem(CBOR_KIND, at=start)
            if key in found:
                raise Problem(CBOR_KEY_TWICE, key=short(key))
            found[key] = self.value(depth + 1)
        return found

    def _string(self, major: int, size: int, start: int) -> bytes | str:
        raw = self.raw[self.at : self.at + size]
        if len(raw) != size:
            raise Problem(CBOR_MALFORMED, at=start)
        self.at += size
        if major == 2:
            return raw
        try:
            return raw.decode()
        except UnicodeDecodeError:
            raise Problem(CBOR_MALFORMED, at=start) from None

    def _head(self) -> tuple[int, int]:
        """The major type and the argument (RFC 8949 §3); of the major type 7, only simple values."""
        start = self.at
        if start >= len(self.raw):
            raise Problem(CBOR_MALFORMED, at=start)
        major, info = self.raw[start] >> 5, self.raw[start] & 31
        self.at += 1
        if info < 24:
            return major, info
        if info > 27:
            raise Problem(CBOR_LOOSE if info == 31 and 2 <= major <= 5 else CBOR_MALFORMED, at=start)
        if major == 7:
            raise Problem(CBOR_KIND, at=start)
        size = 1 << info - 24
        raw = self.raw[self.at : self.at + size]
        if len(raw) != size:
            raise Problem(CBOR_MALFORMED, at=start)
        self.at += size
        argument = int.from_bytes(raw, "big")
        if argument < (24 if size == 1 else 1 << 4 * size):
            raise Problem(CBOR_LOOSE, at=start)
        return major, argument
