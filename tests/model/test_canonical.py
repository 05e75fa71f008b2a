from __future__ import annotations

import json
import math
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from papers import refusal
from refusal import value_or_refusal

from gardesh.model.canonical import (
    Limits,
    base64url_decode,
    base64url_encode,
    decode,
    decode_each,
    digest,
    encode,
)
from gardesh.model.problem import Problem

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
fractions = st.decimals(-(10**12), 10**12, allow_nan=False, places=6)
scalars = st.none() | st.booleans() | st.integers(-(10**40), 10**40) | fractions | texts
values: st.SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


def outcome(act: Callable[[], Any]) -> Any:
    """What `act` gives, or the code that it is refused with."""
    try:
        return act()
    except Problem as problem:
        return problem.code


def loosely(text: bytes) -> Any:
    """What Python's own reader makes of a text, with fractions kept exactly."""
    return json.loads(text, parse_float=Decimal)


@given(values)
def test_what_is_written_is_read_again(value: Any) -> None:
    assert decode(encode(value)) == value


@given(
    values.filter(lambda value: "Decimal" not in repr(value)), st.sampled_from([None, 1, "\t"]), st.booleans()
)
def test_spacing_and_escapes_change_nothing(value: Any, indent: Any, ascii_only: bool) -> None:
    assert decode(json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode()) == value


@given(values)
def test_the_canonical_form_is_one(value: Any) -> None:
    assert encode(decode(encode(value))) == encode(value)


def test_members_stand_in_the_order_of_utf_16() -> None:
    # The example of RFC 8785 §3.2.3.
    value = {
        "\u20ac": "Euro Sign",
        "\r": "Carriage Return",
        "\ufb33": "Hebrew Letter Dalet With Dagesh",
        "1": "One",
        "\U0001f600": "Emoji: Grinning Face",
        "\u0080": "Control",
        "\u00f6": "Latin Small Letter O With Diaeresis",
    }
    assert list(json.loads(encode(value))) == [
        "\r",
        "1",
        "\u0080",
        "\u00f6",
        "\u20ac",
        "\U0001f600",
        "\ufb33",
    ]


def test_strings_are_escaped_as_rfc_8785_says() -> None:
    # The example of RFC 8785 §3.2.2.
    assert encode('€$\u000f\nA\'B"\\\\"/') == '"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"'.encode()


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("1.50", "1.5"),
        ("15e-1", "1.5"),
        ("1.0", "1"),
        ("-0", "0"),
        ("-0.0", "0"),
        ("0E5", "0"),
        ("1e3", "1000"),
        ("1E-7", "0.0000001"),
        ("9007199254740993", "9007199254740993"),
        ("0.1", "0.1"),
    ],
)
def test_a_number_has_one_plain_form(written: str, canonical: str) -> None:
    assert encode(decode(written.encode())) == canonical.encode()


def test_a_fraction_is_never_a_binary_float() -> None:
    value = decode(b'{"a":0.1,"b":[1e2],"c":1.10}')
    assert value == {"a": Decimal("0.1"), "b": [Decimal("100")], "c": Decimal("1.1")}
    assert not any(isinstance(v, float) for v in (value["a"], *value["b"], value["c"]))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b'{"a":1,"a":2}', "json-member-twice"),
        (b'{"a":1, "a":1}', "json-member-twice"),
        (b'{"a":1,"\\u0061":1}', "json-member-twice"),
        (b'[{"x":{"b":[],"b":[]}}]', "json-member-twice"),
        (b"NaN", "json-number"),
        (b"[Infinity]", "json-number"),
        (b"-Infinity", "json-number"),
        (b"1e65", "json-number"),
        (b"1e-65", "json-number"),
        (b"1e999999999999999999999", "json-number"),
        (b"1" * 65, "json-number"),
        (b"-" + b"1" * 65, "json-number"),
        (b"0." + b"1" * 65, "json-number"),
        (b"9" * 5000, "json-number"),
        (b'"\xff"', "json-not-utf8"),
        (b'"\xed\xa0\x80"', "json-not-utf8"),
        (b'"\xc0\x80"', "json-not-utf8"),
        (b'\xff\xfe"\x00', "json-not-utf8"),
        (b'"\\ud800"', "json-lone-surrogate"),
        (b'{"\\udfff":1}', "json-lone-surrogate"),
        (b'"\\udc00\\ud800"', "json-lone-surrogate"),
        (b"\xef\xbb\xbf1", "json-malformed"),
        (b"", "json-malformed"),
        (b"[1,]", "json-malformed"),
        (b"[1]]", "json-malformed"),
        (b"{} {}", "json-malformed"),
        (b"01", "json-malformed"),
        (b".5", "json-malformed"),
        (b"1.", "json-malformed"),
        (b"'a'", "json-malformed"),
        (b"{a:1}", "json-malformed"),
        (b'"a\nb"', "json-malformed"),
        (b"nul", "json-malformed"),
        (b"[" * 33 + b"]" * 33, "json-too-deep"),
        (b'{"a":' * 33 + b"1" + b"}" * 33, "json-too-deep"),
        (b"[" * 200_000, "json-too-deep"),
        (b"[ " * 200_000 + b"]" * 200_000, "json-too-deep"),
        (b" " * (1 << 20) + b"1", "input-too-long"),
    ],
)
def test_what_two_readers_could_understand_differently_is_refused(text: bytes, code: str) -> None:
    assert refusal(lambda: decode(text))[0] == code


def test_as_many_levels_and_digits_as_the_limits_say_are_read() -> None:
    assert decode(b"[" * 32 + b"]" * 32) is not None
    assert decode(b"[" * 3 + b"]" * 3, Limits(depth=3)) == [[[]]]
    assert refusal(lambda: decode(b"[" * 4 + b"]" * 4, Limits(depth=3)))[0] == "json-too-deep"
    assert decode(b"[],[],[]".join([b"[", b"]"]), Limits(depth=2)) == [[], [], []]
    assert decode(b"9" * 64) == 10**64 - 1
    assert decode(b'"' + b"9" * 65 + b'"') == "9" * 65
    assert decode(b"[1]", Limits(size=3)) == [1]
    assert refusal(lambda: decode(b"[1] ", Limits(size=3)))[0] == "input-too-long"


@given(st.binary(max_size=40) | st.text('{}[]",:0e.-+1 \\udn/aNIt', max_size=40).map(str.encode))
@example(b'"\\ud83d\\ude00"')
def test_any_bytes_are_read_as_python_reads_them_or_refused(text: bytes) -> None:
    try:
        value = decode(text)
    except Problem:
        return
    assert value == loosely(text)
    assert encode(value)


@given(st.lists(values, max_size=6), st.booleans())
def test_many_texts_at_once_are_read_as_one_by_one(many: list[Any], spaced: bool) -> None:
    written = [encode(v).replace(b",", b", " if spaced else b",") for v in many]
    assert decode_each(written) == [decode(t) for t in written]


@given(st.lists(st.text('[]{}"1,\n :a', max_size=6).map(str.encode), max_size=4))
@example([b'["a","b",[1]', b"[2]]", b'["c"],["d"]'])
@example([b"[1]\n[2]", b""])
@example([b"1\n2", b"\n"])
@example([b"", b"1 2"])
@example([b'{"a":1,"a":1}', b"1"])
@example([b"[" * 20 + b"]" * 20, b"[" * 33 + b"]" * 33])
def test_no_text_lends_its_brackets_to_the_next(written: list[bytes]) -> None:
    assert outcome(lambda: decode_each(written)) == outcome(lambda: [decode(t) for t in written])


@pytest.mark.parametrize("value", [1.5, math.nan, b"a", {1: 2}, {"a": {None: 1}}, {1, 2}, object(), [0.0]])
def test_what_json_cannot_hold_exactly_is_not_written(value: Any) -> None:
    assert refusal(lambda: encode(value))[0] == "json-value"


@pytest.mark.parametrize(
    "value", [10**64, -(10**64), Decimal("1e64"), Decimal("1e-65"), Decimal("NaN"), Decimal("inf")]
)
def test_a_number_too_long_to_be_read_again_is_not_written(value: Any) -> None:
    assert refusal(lambda: encode(value))[0] == "json-number"


@pytest.mark.parametrize("value", ["\ud800", {"\udfff": 1}, {"\udfff": 1, "a": 2}, ["a\udc00"]])
def test_half_a_character_is_not_written(value: Any) -> None:
    assert refusal(lambda: encode(value))[0] == "json-lone-surrogate"


def test_a_value_that_holds_itself_is_not_written() -> None:
    value: list[Any] = []
    value.append(value)
    assert refusal(lambda: encode(value))[0] == "json-too-deep"


def test_equal_values_have_one_digest() -> None:
    assert digest({"b": Decimal("1.50"), "a": (1, 2)}) == digest({"a": [1, 2], "b": Decimal("1.5")})
    assert digest({"a": "1"}) != digest({"a": 1})


@given(st.binary(max_size=100))
def test_base64url_comes_back(data: bytes) -> None:
    text = base64url_encode(data)
    assert base64url_decode(text.encode()) == data
    assert not set(text) & set("+/=")


@given(st.binary(max_size=12))
def test_bytes_have_one_form_in_base64url(text: bytes) -> None:
    data = value_or_refusal(base64url_decode, text, "base64url-malformed")
    if data is not None:
        assert base64url_encode(data).encode() == text


@pytest.mark.parametrize(
    "text",
    [
        b"QQ==",
        b"QR",
        b"QUJD=",
        b"Q",
        b"QUI=",
        b"QU+D",
        b"QU/D",
        b"QUJD\n",
        b" QUJD",
        b"QU JD",
        b"QUJ\x00",
        b"QUL",
    ],
)
def test_padding_alien_characters_and_surplus_bits_are_refused(text: bytes) -> None:
    assert refusal(lambda: base64url_decode(text))[0] == "base64url-malformed"
