from __future__ import annotations

from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from papers import refusal

from gardesh.model.canonical import Limits
from gardesh.model.cbor import LIMITS, Tag, decode, encode
from gardesh.model.problem import Problem

CODES = (
    "cbor-malformed",
    "cbor-not-shortest",
    "cbor-key-twice",
    "cbor-kind",
    "cbor-too-deep",
    "input-too-long",
)
INTEGERS = st.integers(-(2**64), 2**64 - 1)
VALUES = st.recursive(
    INTEGERS | st.binary(max_size=40) | st.text(max_size=40) | st.booleans() | st.none(),
    lambda inner: (
        st.lists(inner, max_size=5) | st.dictionaries(INTEGERS | st.text(max_size=8), inner, max_size=5)
    ),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ("00", 0),
        ("17", 23),
        ("1818", 24),
        ("1903e8", 1000),
        ("1a000f4240", 1_000_000),
        ("1b000000e8d4a51000", 1_000_000_000_000),
        ("1bffffffffffffffff", 2**64 - 1),
        ("3bffffffffffffffff", -(2**64)),
        ("20", -1),
        ("3903e7", -1000),
        ("f4", False),
        ("f5", True),
        ("f6", None),
        ("d74401020304", Tag(23, b"\1\2\3\4")),
        ("4401020304", b"\1\2\3\4"),
        ("62225c", '"\\'),
        ("64f0908591", "\U00010151"),
        ("8301820203820405", [1, [2, 3], [4, 5]]),
        ("a201020304", {1: 2, 3: 4}),
        ("a26161016162820203", {"a": 1, "b": [2, 3]}),
        ("826161a161626163", ["a", {"b": "c"}]),
    ],
)
def test_examples_of_rfc_8949_appendix_a(raw: str, value: Any) -> None:
    assert decode(bytes.fromhex(raw)) == value
    assert encode(value).hex() == raw


def test_keys_are_in_the_order_of_rfc_8949_section_4_2_1() -> None:
    keys: list[int | str] = [10, 100, -1, "z", "aa"]
    assert list(decode(encode(dict.fromkeys(reversed(keys), 0)))) == keys


@given(VALUES)
def test_another_reader_reads_what_is_written_and_the_other_way_round(value: Any) -> None:
    assert cbor2.loads(encode(value)) == value
    assert decode(cbor2.dumps(value)) == value == decode(encode(value))


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        ("", "cbor-malformed"),
        ("0000", "cbor-malformed"),
        ("1800", "cbor-not-shortest"),
        ("1817", "cbor-not-shortest"),
        ("1900ff", "cbor-not-shortest"),
        ("1a0000ffff", "cbor-not-shortest"),
        ("1b00000000ffffffff", "cbor-not-shortest"),
        ("580161", "cbor-not-shortest"),
        ("9800", "cbor-not-shortest"),
        ("5f4101ff", "cbor-not-shortest"),
        ("7f6161ff", "cbor-not-shortest"),
        ("9fff", "cbor-not-shortest"),
        ("bfff", "cbor-not-shortest"),
        ("ff", "cbor-malformed"),
        ("1c", "cbor-malformed"),
        ("3f", "cbor-malformed"),
        ("df00", "cbor-malformed"),
        ("18", "cbor-malformed"),
        ("19ff", "cbor-malformed"),
        ("42ff", "cbor-malformed"),
        ("9b7fffffffffffffff", "cbor-malformed"),
        ("bb7fffffffffffffff", "cbor-malformed"),
        ("8201", "cbor-malformed"),
        ("a101", "cbor-malformed"),
        ("61ff", "cbor-malformed"),
        ("a201000100", "cbor-key-twice"),
        ("a2616100616101", "cbor-key-twice"),
        ("a1410000", "cbor-kind"),
        ("a1f500", "cbor-kind"),
        ("a18000", "cbor-kind"),
        ("f7", "cbor-kind"),
        ("e0", "cbor-kind"),
        ("f820", "cbor-kind"),
        ("f93c00", "cbor-kind"),
        ("fb3ff199999999999a", "cbor-kind"),
        ("81" * 13 + "00", "cbor-too-deep"),
        ("c1" * 13 + "00", "cbor-too-deep"),
        ("a100" * 13 + "00", "cbor-too-deep"),
        ("81" * 60_000 + "00", "cbor-too-deep"),
    ],
)
def test_what_two_readers_could_understand_differently_is_refused(raw: str, code: str) -> None:
    assert refusal(lambda: decode(bytes.fromhex(raw)))[0] == code


def test_limits_are_those_given() -> None:
    assert decode(bytes.fromhex("81" * 12 + "00"))
    assert refusal(lambda: decode(b"\x81\x81\x00", Limits(depth=1)))[0] == "cbor-too-deep"
    assert refusal(lambda: decode(b"\x42ab", Limits(size=2)))[0] == "input-too-long"
    assert refusal(lambda: decode(bytes(LIMITS.size + 1)))[0] == "input-too-long"


SPOILT = st.builds(
    lambda v, at, by: _spoilt(encode(v), at, by), VALUES, st.integers(0), st.binary(max_size=3)
)


@given(st.binary(max_size=80) | SPOILT)
def test_any_bytes_are_a_value_or_refused(raw: bytes) -> None:
    try:
        value = decode(raw)
    except Problem as problem:
        assert problem.code in CODES
    else:
        assert decode(encode(value)) == value
        assert len(encode(value)) == len(raw)


def _spoilt(raw: bytes, at: int, by: bytes) -> bytes:
    at %= len(raw)
    return raw[:at] + by + raw[at + 1 :]


@pytest.mark.parametrize("value", [1.5, 2**64, -(2**64) - 1, {b"": 1}, {1}, object()])
def test_what_has_no_form_here_is_not_written(value: Any) -> None:
    with pytest.raises(ValueError):
        encode(value)
