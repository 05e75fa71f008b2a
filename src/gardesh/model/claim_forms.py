"""How single claims are written: names and URNs, digests, instants. Each reader here has its writer.

A reader raises `claim-missing` or `claim-malformed` at the `place` (a JSON pointer) that it was given.
"""

from __future__ import annotations

import re
from binascii import Error as _Base64Error
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any
from urllib.parse import quote, unquote

from gardesh.model.problem import Problem, define, pointer

CLAIM_MISSING = define(
    "claim-missing",
    400,
    en="The document does not say {name}.",
    fa="سند {name} را نگفته است.",
)
CLAIM_MALFORMED = define(
    "claim-malformed",
    400,
    en="This has to be of the form: {expected}",
    fa="شکل درست این مقدار چنین است: {expected}",
)
CLAIM_UNKNOWN = define(
    "claim-unknown",
    400,
    en="The document has a claim {name}, which has no meaning here.",
    fa="سند ادعای {name} را دارد که در اینجا معنایی ندارد.",
    hint_en="What a document is about belongs in credentialSubject.",
    hint_fa="آنچه سند دربارهٔ آن است در credentialSubject می‌آید.",
)
ORG_URN, TYPE_URN = "urn:gardesh:org:", "urn:gardesh:type:"
SLOT_URN, BLOB_URN = "urn:gardesh:slot:", "urn:gardesh:blob:"
HEX = "<64 hexadecimal digits>"


def _reader(pattern: str) -> Callable[[str], str | None]:
    """Gives what the first group of `pattern` matches in a text, None when the text is of another form."""
    match = re.compile(pattern, re.ASCII).fullmatch

    @lru_cache(maxsize=4096)
    def read(text: str) -> str | None:
        found = match(text) if len(text) <= 256 else None
        return found[1] if found is not None else None

    return read


_NAME = r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*"
match_name = _reader(rf"({_NAME})")
match_procedure = _reader(rf"((?:{_NAME}/)?{_NAME})")
match_pack = _reader(rf"({_NAME}@[0-9]+\.[0-9]+\.[0-9]+)")
match_issuer = _reader(ORG_URN + r"([a-z0-9]+(?:[._-][a-z0-9]+)*)")
match_type = _reader(TYPE_URN + rf"({_NAME}:{_NAME})")
match_hex = _reader(r"([0-9a-f]{64})")
match_origin = _reader(r"([!-*,-~]+)")
"""The origin of a log: no spaces and no plus, as the name of a note's key (C2SP signed-note)."""
match_media_type = _reader(r"([a-z0-9][a-z0-9!#$&^_.+-]*/[a-z0-9][a-z0-9!#$&^_.+-]*)")
_match_time = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:Z|([+-])(\d\d):(\d\d))", re.ASCII
).fullmatch
_match_key = re.compile("[^\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]{1,200}").fullmatch
"""No control characters, and none that turn the direction of what follows."""
_SAFE_IN_URN = "!$&'()*+,-./:;=@_~"


def read_form(value: Any, match: Callable[[str], str | None], place: str, expected: str) -> str:
    """What `match` finds in `value`; `expected` shows the form to whoever has it wrong."""
    found = match(value) if type(value) is str else None
    if found is None:
        if value is None:
            raise Problem(CLAIM_MISSING, place, name=place.rpartition("/")[2])
        raise Problem(CLAIM_MALFORMED, place, expected=expected)
    return found


def only(members: dict[str, Any], known: frozenset[str], place: str) -> None:
    """That an object has no other members than these. Raises `claim-unknown`."""
    if not members.keys() <= known:
        name = next(name for name in members if name not in known)
        raise Problem(CLAIM_UNKNOWN, place + pointer(name), name=name)


def read_key(value: Any, place: str) -> str:
    """The key of a slot, or another short text that people write: 1 to 200 characters."""
    if type(value) is not str or _match_key(value) is None:
        raise Problem(CLAIM_MALFORMED, place, expected="<1-200>")
    return value


def read_time(value: Any, place: str) -> int:
    """Milliseconds since 1970 UTC of an xsd:dateTimeStamp (VC Data Model 2.0 §4.9); finer parts are cut off."""
    if value is None:
        raise Problem(CLAIM_MISSING, place, name=place[1:])
    found = _match_time(value) if type(value) is str else None
    try:
        if found is None:
            raise ValueError
        year, month, day, hour, minute, second, fraction, sign, off_hour, off_minute = found.groups()
        clock = (int(hour) * 60 + int(minute)) * 60 + int(second)
        days = date(int(year), int(month), int(day)).toordinal() - 719163
        if hour > "23" or minute > "59" or second > "59":
            raise ValueError
        if sign is not None:
            if off_hour > "14" or off_minute > "59":
                raise ValueError
            offset = (int(off_hour) * 60 + int(off_minute)) * 60
            clock += offset if sign == "-" else -offset
    except ValueError:
        raise Problem(CLAIM_MALFORMED, place, expected="2026-01-03T08:00:00Z") from None
    return (days * 86400 + clock) * 1000 + (int(fraction[:3].ljust(3, "0")) if fraction else 0)


def read_slot_urn(urn: Any, place: str) -> str:
    """The slot id that a URN names: "permit", or "permit:standards" when the step has many slots."""
    slot = _slot_of(urn) if type(urn) is str else None
    if slot is None:
        raise Problem(CLAIM_MALFORMED, place, expected=f"{SLOT_URN}<step>[:<key>]")
    return slot


@lru_cache(maxsize=4096)
def _slot_of(urn: str) -> str | None:
    step, colon, quoted = urn.removeprefix(SLOT_URN).partition(":")
    slot = f"{step}{colon}{unquote(quoted)}"
    if match_name(step) is None or (colon and _match_key(slot[len(step) + 1 :]) is None):
        return None
    return slot if write_slot_urn(slot) == urn else None


def read_sri(sri: Any, place: str) -> bytes:
    """The 32 bytes of a digest as W3C Subresource Integrity writes it."""
    try:
        if type(sri) is str and len(sri) == 51 and sri.startswith("sha256-"):
            found = a2b_base64(sri[7:], strict_mode=True)
            if len(found) == 32 and b2a_base64(found, newline=False).decode() == sri[7:]:
                return found
    except (_Base64Error, ValueError):
        pass
    raise Problem(CLAIM_MALFORMED, place, expected="sha256-<base64>")


def write_slot_urn(slot: str) -> str:
    """The URN of a slot id; what a URN cannot hold of its key is percent-encoded (RFC 8141)."""
    step, colon, key = slot.partition(":")
    return SLOT_URN + step + colon + quote(key, safe=_SAFE_IN_URN)


def write_sri(digest: bytes) -> str:
    """A SHA-256 digest as W3C Subresource Integrity writes it."""
    return "sha256-" + b2a_base64(digest, newline=False).decode()


def write_time(ms: int) -> str:
    """An instant in ms since 1970 as an xsd:dateTimeStamp in UTC."""
    when = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)
    return when.isoformat(timespec="milliseconds" if ms % 1000 else "seconds").replace("+00:00", "Z")
