"""Pages: how much is asked for, and from where on. A cursor is opaque to clients; what it holds is checked anyway."""

from __future__ import annotations

from typing import Any

import msgspec

from gardesh.model.canonical import base64url_decode, base64url_encode
from gardesh.model.problem import Problem, define

CURSOR_MALFORMED = define(
    "cursor-malformed",
    400,
    en="The cursor is not one that this list gave.",
    fa="این نشانگر را این فهرست نداده است.",
    hint_en="Begin without one.",
    hint_fa="بدون نشانگر آغاز کنید.",
)


def write(*place: Any) -> str:
    """The cursor of a place in a list."""
    return base64url_encode(msgspec.json.encode(place))


def read(cursor: str | None, kind: type[Any]) -> Any:
    """The place that a cursor holds, of the type `kind` (a tuple); None without one. Raises `cursor-malformed`."""
    if cursor is None:
        return None
    try:
        found = msgspec.json.decode(base64url_decode(cursor.encode("ascii", "replace")), type=kind)
    except (Problem, msgspec.MsgspecError):
        raise Problem(CURSOR_MALFORMED) from None
    if any(type(part) is int and not 0 <= part < 1 << 63 for part in found):
        raise Problem(CURSOR_MALFORMED)
    return found
