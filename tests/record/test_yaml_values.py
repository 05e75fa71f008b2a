"""YAML of strangers: plain values, or a refusal, and never more than was bargained for."""

from __future__ import annotations

import math
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from gardesh.model.problem import Problem
from gardesh.record import yaml_values
from gardesh.record.yaml_values import DEEPEST, parse_yaml


def reason(data: bytes) -> str:
    with pytest.raises(Problem) as refused:
        parse_yaml("x.yaml", data)
    assert refused.value.code == "pack-malformed"
    return str(refused.value.params["reason"])


def test_only_true_and_false_are_truths_and_dates_are_texts() -> None:
    text = b"{on: yes, off: no, a: true, b: False, day: 2026-01-03, n: 3}"
    assert parse_yaml("x", text) == {
        "on": "yes",
        "off": "no",
        "a": True,
        "b": False,
        "day": "2026-01-03",
        "n": 3,
    }


def test_aliases_stand_for_what_they_name() -> None:
    assert parse_yaml("x", b"a: &a {b: [1, &t two]}\nc: *a\nd: *t\n") == {
        "a": {"b": [1, "two"]}, "c": {"b": [1, "two"]}, "d": "two",
    }  # fmt: skip
    assert parse_yaml("x", b"[&a 1, *a, &a 2, *a]") == [1, 1, 2, 2]


BOMB = b"\n".join(
    [b"a0: &a0 [" + b"x," * 10 + b"]"] + [b"a%d: &a%d [%s]" % (n, n, b"*a%d," % (n - 1) * 10) for n in range(1, 12)]
)  # fmt: skip
TALL = b"\n".join([b"a0: &a0 [x]"] + [b"a%d: &a%d [[*a%d]]" % (n, n, n - 1) for n in range(1, 500)])


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (BOMB, "more than 1000000 values"),
        (b"[" * 1_000_000, "64 deep"),
        (b"- " * 500_000, "64 deep"),
        (b"{a: " * 300_000, "64 deep"),
        (b"\n".join(b" " * n + b"a:" for n in range(2_000)), "64 deep"),
        (TALL, "64 deep"),
        (b"&a [*a]", "*a stands for nothing"),
        (b"&a {b: {c: *a}}", "*a stands for nothing"),
        (b"a: *b", "*b stands for nothing"),
        (b"a: 1\na: 2", "said twice"),
        (b'1: a\n"1": b', "said twice"),
        (b'true: a\n"true": b', "said twice"),
        (b"? [a]\n: b", "a key is a text"),
        (b"1.5: b", "a key is a text"),
        (b"a: " + b"9" * 41, "at most 40 characters"),
        (b"a: 0x" + b"f" * 100_000, "at most 40 characters"),
        (b"a: 1" + b":59" * 100_000, "at most 40 characters"),
        (b"a: .nan", "no number"),
        (b"a: -.inf", "no number"),
        (b"a: b\n---\nc: d", "second document"),
        (b"a: \x00", "not allowed"),
        (b"a: \xff", "byte"),
        (b'a: "\\ud800"', "Unicode"),
    ],
    ids=lambda given: given if isinstance(given, str) else str(given[:12]),
)
def test_what_cannot_be_bounded_is_refused(data: bytes, why: str) -> None:
    assert why in reason(data)


@pytest.mark.parametrize("name", ["bool", "int", "float", "null", "binary", "set", "omap", "pairs", "timestamp", "str", "map", "seq",
                                  "python/object/apply:os.system", "python/name:os.system"])  # fmt: skip
@pytest.mark.parametrize("value", [b"x", b"[x]", b"{x: y}", b"''"])
def test_no_tag_makes_anything(name: str, value: bytes) -> None:
    assert "is not read here" in reason(b"a: !!" + name.encode() + b" " + value)
    assert "is not read here" in reason(b"a: !own " + value)


def test_what_may_be_nested_may_be_nested() -> None:
    value: Any = parse_yaml("x", b"[" * DEEPEST + b"]" * DEEPEST)
    for _ in range(DEEPEST - 1):
        (value,) = value
    assert value == []


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30)
    | st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=8)
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("ab1", max_size=3), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@given(PLAIN, st.booleans())
def test_what_another_writer_writes_is_read(value: Any, flow: bool) -> None:
    text = yaml.safe_dump(value, default_flow_style=flow, allow_unicode=True)
    assert parse_yaml("x", text.encode()) == value


PARTS = st.sampled_from(
    ["a", "1", "0x1", "1:2", "~", "true", "- ", ": ", "? ", "\n", "\n  ", "[", "]", "{", "}", ", ", "&a ", "*a", "!t ", "!!int ",
     "'", '"', "|\n", ">\n", "#", "---\n", "...", "%YAML 1.2\n", "\\", "<<", "=", "2026-01-01", "\t", "\ufeff"]
)  # fmt: skip


@given(st.binary(max_size=60) | st.lists(PARTS, max_size=40).map(lambda parts: "".join(parts).encode()))
def test_any_bytes_are_plain_values_or_refused(data: bytes) -> None:
    try:
        value = parse_yaml("x", data)
    except Problem as problem:
        assert problem.code == "pack-malformed"
    else:
        assert plain(value)


def plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(type(k) is str and plain(v) for k, v in value.items())
    if isinstance(value, list):
        return all(plain(v) for v in value)
    return value is None or type(value) in (str, int, bool) or (type(value) is float and math.isfinite(value))


def test_the_bounds_are_not_those_of_the_reader_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml_values, "MOST", 10)
    assert parse_yaml("x", b"[" + b"1," * 9 + b"]") == [1] * 9
    assert "more than 10 values" in reason(b"[" + b"1," * 10 + b"]")
    assert "more than 10 values" in reason(b"[&a [1, 2, 3], [*a], *a]")
    long = b"x" * (4 * yaml_values.TEXT)
    assert parse_yaml("x", b"[&a " + long + b", 1, 2, 3, 4]")[1:] == [1, 2, 3, 4]
    assert "more than 10 values" in reason(b"[&a " + long + b", *a]")
    assert "more than 10 values" in reason(b"{? " + long + b" : 1, b: [1, 2, 3]}")
