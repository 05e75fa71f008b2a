"""A notice as a message of NATS: its subject, its payload without contents, its headers.

The subject is `PREFIX.KIND.TOKEN`. A token has no more than A-Z a-z 0-9 _ -, whatever the name is, and two names never
have one token:

- a name of these characters alone that begins with a letter or a digit, 64 at most, is its own token;
- any other name is `_` and the base64url (RFC 4648, no padding) of its UTF-8;
- a name longer than 128 bytes, and each name of the kind `about`, is `-` and a hash: the SHA-256 (hex) of the origin of
  the log, a NUL, and the name.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import Any

import msgspec

from gardesh.model.calendar import iso

COLUMNS = "id, at, case_id, kind, name, reason, slot, state, position, deadline"
ABOUT = "about"
ID, ORIGIN, TIME = "Gardesh-Notice", "Gardesh-Origin", "Gardesh-Time"
EXPECTED = "Nats-Expected-Last-Sequence"
LONGEST = 128
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


def token(origin: str, kind: str, name: str) -> str:
    """The token of a subject that stands for a name."""
    raw = name.encode("utf-8", "surrogatepass")
    if kind == ABOUT or len(raw) > LONGEST:
        return "-" + sha256(origin.encode() + b"\0" + raw).hexdigest()
    if _PLAIN.fullmatch(name):
        return name
    return "_" + urlsafe_b64encode(raw).rstrip(b"=").decode()


def subject(prefix: str, origin: str, kind: str, name: str) -> str:
    """Where the notices for an audience are published."""
    return f"{prefix}.{kind}.{token(origin, kind, name)}"


def message_id(origin: str, notice: int) -> str:
    """What the server knows a notice by, so that it keeps it once: the same each time it is published."""
    return f"{origin}/{notice}"


def message(prefix: str, origin: str, row: Any) -> tuple[str, bytes, dict[str, str]]:
    """Subject, payload and headers of a row of `notices` (its `COLUMNS`)."""
    id_, at, case_id, kind, name, reason, slot, state, position, deadline = row
    told: dict[str, Any] = {
        "id": id_, "at": iso(at), "case": case_id, "reason": reason, "slot": slot, "state": state,
        "position": position, "deadline": iso(deadline) if deadline is not None else None,
        "kind": kind, "name": token(origin, kind, name) if kind == ABOUT else name,
    }  # fmt: skip
    headers = {
        "Nats-Msg-Id": message_id(origin, id_), ID: str(id_), ORIGIN: origin, TIME: told["at"],
    }  # fmt: skip
    return subject(prefix, origin, kind, name), msgspec.json.encode(told), headers
