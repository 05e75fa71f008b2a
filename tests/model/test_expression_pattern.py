"""Patterns of `matches`: what RE2 matches, in linear time."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gardesh.model.expression_pattern import pattern
from gardesh.model.expression_values import Failure

atoms = st.sampled_from(
    ["a", "b", "1", ".", "[ab]", "[^a]", "[a-b1]", r"\d", r"\W", r"\s", "^", "$", "[]a]", "[a-]"]
)
patterns = st.recursive(
    atoms,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map("({0[0]}|{0[1]})".format),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{0,2}", "{1,}", "*?", "+?"])).map(
            "(?:{0[0]}){0[1]}".format
        ),
    ),
    max_leaves=8,
)


@given(patterns, st.text(alphabet="ab1 \n-]", max_size=6))
@settings(max_examples=500, deadline=None)
def test_a_pattern_finds_what_a_backtracking_one_finds(source: str, text: str) -> None:
    expected = re.compile(source.replace("$", r"\Z"), re.ASCII).search(text) is not None
    assert pattern(source).found_in(text) is expected


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("^(a*)*b$", "a" * 20_000),
        ("(a+)+$", "a" * 20_000 + "!"),
        ("(a|aa)+c", "a" * 20_000),
        ("(x+x+)+y", "x" * 20_000),
        (".*.*.*=.*", "x" * 20_000),
    ],
)
def test_a_hostile_pattern_takes_linear_time(source: str, text: str) -> None:
    begun = time.perf_counter()
    pattern(source).found_in(text)
    assert time.perf_counter() - begun < 1


@pytest.mark.parametrize(
    "source",
    [
        "(",
        "a)",
        "[",
        "[b-a]",
        "[a",
        "a**",
        "*a",
        "(?=a)",
        "(?i)a",
        r"\b",
        "\\",
        r"\1",
        r"\x4",
        "a{3,2}",
        "{1}",
        "(?P<x>a)",
        "[[:alpha:]]",
        r"[a-\d]",
        "a{1000}{1000}",
        "(" * 30 + ")" * 30,
        "(a{1000}){1000}",
        "x" * 513,
    ],
)
def test_what_is_no_pattern_or_too_large_is_refused(source: str) -> None:
    with pytest.raises(Failure):
        pattern(source)


@pytest.mark.parametrize(
    ("source", "text", "found"),
    [
        ("^[0-9]{10}$", "0499370899", True),
        ("^[0-9]{10}$", "04993708990", False),
        ("^[0-9]{10}$", "0499370899\n", False),
        (r"^IR\d{24}$", "IR062960000000100324200001", True),
        (r"^\x41\.\t$", "A.\t", True),
        ("", "", True),
        ("^$", "a", False),
        ("a|^$", "", True),
        (r"\d", "٤", False),
        ("^[آ-ی‌ ]+$", "گردش سند", True),
    ],
)
def test_patterns_of_documents(source: str, text: str, found: bool) -> None:
    assert pattern(source).found_in(text) is found
