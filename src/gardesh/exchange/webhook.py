"""Webhooks as Standard Webhooks has them: what is sent, how it is signed, and when it is tried again."""

from __future__ import annotations

import random
from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from hmac import compare_digest
from hmac import digest as hmac
from typing import Any

import msgspec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gardesh.model.c2sp import read_base64
from gardesh.model.jose import SigningKey

PREFIX = "whsec_"
WAITS = (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
"""After which failed attempt so many seconds pass before the next; about three days in all."""
JITTER = 0.1
LONGEST = int(WAITS[-1] * (1 + JITTER) * 1000)
"""No wait is longer, in ms."""
ATTEMPTS = len(WAITS) + 1
TOLERANCE = 300


def secret(key: SigningKey, salt: bytes) -> str:
    """The secret of one webhook: derived from the node's own key, so that none has to be kept."""
    root = key.sign(b"gardesh webhooks v1")
    made = HKDF(SHA256(), 32, salt=salt, info=b"gardesh webhooks v1").derive(root)
    return PREFIX + b64encode(made).decode()


def body(notice: Mapping[str, Any]) -> bytes:
    """What is sent of a notice: no contents of documents, which are read with the reader's own right."""
    return msgspec.json.encode({"type": "notice", "timestamp": notice["at"], "data": notice})


def headers(secret_: str, name: str, now: int, content: bytes) -> dict[str, str]:
    """The headers that sign a message; `name` is the same each time it is sent, `now` in s."""
    return {
        "content-type": "application/json",
        "webhook-id": name,
        "webhook-timestamp": str(now),
        "webhook-signature": signature(secret_, name, now, content),
    }


def signature(secret_: str, name: str, now: int, content: bytes) -> str:
    raw = read_base64(secret_.removeprefix(PREFIX)) or b""
    made = hmac(raw, f"{name}.{now}.".encode() + content, sha256)
    return "v1," + b64encode(made).decode()


def verified(secret_: str, headers_: Mapping[str, str], content: bytes, now: int) -> bool:
    """For who receives: whether a message is of whom it says, and of about now (s)."""
    name, sent, given = (
        headers_.get(h, "") for h in ("webhook-id", "webhook-timestamp", "webhook-signature")
    )
    if not sent.isdecimal() or abs(int(sent) - now) > TOLERANCE:
        return False
    expected = signature(secret_, name, int(sent), content)
    return any(compare_digest(expected, one) for one in given.split(" "))


def pause(attempt: int) -> float | None:
    """Seconds until the next attempt after this many failed ones, with jitter; None when it is given up."""
    if attempt > len(WAITS):
        return None
    return WAITS[attempt - 1] * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311
