"""Subjects and messages of notices: whatever a name is, its token is safe, and nobody else's."""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64decode
from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from gardesh.exchange.stream_message import message, subject, token

STRANGE = (
    "اداره‌ی بهداشت", "a.b", "a b", "*", ">", "", "a*", "$JS", "_x", "-x", "_", "-", "line\nbreak", "nul\0", "é",
    "x" * 64, "x" * 65, "x" * 128, "x" * 129, "=", "case", "Case", "\ud800",
)  # fmt: skip
SAFE = re.compile(r"[A-Za-z0-9_-]+")


@given(st.text(st.characters(), max_size=200))
def test_a_token_is_safe_and_says_the_name(name: str) -> None:
    made = token("o", "org", name)
    assert SAFE.fullmatch(made)
    raw = name.encode("utf-8", "surrogatepass")
    if made.startswith("_"):
        assert urlsafe_b64decode(made[1:] + "=" * (-len(made[1:]) % 4)) == raw
    elif made.startswith("-"):
        assert len(raw) > 128
        assert made[1:] == sha256(b"o\0" + raw).hexdigest()
    else:
        assert made == name


def test_two_names_have_two_tokens() -> None:
    made = {token("o", kind, name) for kind in ("org", "about") for name in STRANGE}
    assert len(made) == 2 * len(STRANGE) - sum(
        len(name.encode("utf-8", "surrogatepass")) > 128 for name in STRANGE
    )
    assert all(SAFE.fullmatch(t) for t in made)


def test_a_plain_name_stays_readable() -> None:
    assert subject("gardesh", "o", "role", "health-office") == "gardesh.role.health-office"


def test_an_identifier_is_in_no_part_of_a_message() -> None:
    code = "0499370899"
    row = (7, 1_767_603_600_000, "c1", "about", code, "read", "permit", "issued", 12, None)
    where, payload, headers = message("gardesh", "node.example/log", row)
    hashed = "-" + sha256(b"node.example/log\x00" + code.encode()).hexdigest()
    assert where == f"gardesh.about.{hashed}"
    assert json.loads(payload)["name"] == hashed
    assert code not in where + payload.decode() + repr(headers)
    assert token("another.example/log", "about", code) != hashed


def test_a_message_has_what_a_notice_has_and_no_more() -> None:
    row = (7, 1_767_603_600_123, "c1", "org", "اداره", "act", "check:north", "due", None, 1_767_690_000_000)
    where, payload, headers = message("gardesh", "node.example/log", row)
    assert where == "gardesh.org._2KfYr9in2LHZhw"
    assert json.loads(payload) == {
        "id": 7, "at": "2026-01-05T09:00:00.123Z", "case": "c1", "reason": "act", "slot": "check:north", "state": "due",
        "position": None, "deadline": "2026-01-06T09:00:00Z", "kind": "org", "name": "اداره",
    }  # fmt: skip
    assert headers == {
        "Nats-Msg-Id": "node.example/log/7", "Gardesh-Notice": "7", "Gardesh-Origin": "node.example/log",
        "Gardesh-Time": "2026-01-05T09:00:00.123Z",
    }  # fmt: skip
