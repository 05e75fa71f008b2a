"""Answers of other machines, read within bounds: no more than was asked for, compressed or not, and not for ever."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable

import httpx

SLACK = 1024
"""What gzip adds to a file at most that cannot be made smaller, of the files that are read here."""


class AnswerUnbounded(ValueError):
    """The answer is not one that is read here; the text says why."""


def read(
    response: httpx.Response, most: int, seconds: float, clock: Callable[[], float] = time.monotonic
) -> bytes:
    """The content of an answer that is open; of a longer one, the first `most + 1` bytes.

    It is decompressed once, if it says `gzip`, and never beyond that. Raises `AnswerUnbounded` for another coding, for what is
    no gzip, and when it takes longer than `seconds` altogether.
    """
    coding = response.headers.get("content-encoding", "identity").strip().lower()
    if coding not in ("identity", "gzip"):
        raise AnswerUnbounded(f"it is coded as {coding[:40]}")
    room = most if coding == "identity" else most + SLACK
    raw, begun = bytearray(), clock()
    for part in response.iter_raw():
        raw += part
        if len(raw) > room:
            break
        if clock() - begun > seconds:
            raise AnswerUnbounded(f"it took longer than {seconds} seconds")
    if coding == "identity":
        return bytes(raw[: most + 1])
    try:
        return zlib.decompressobj(wbits=31).decompress(raw, most + 1)
    except zlib.error as error:
        raise AnswerUnbounded(f"it is no gzip: {error}") from None
