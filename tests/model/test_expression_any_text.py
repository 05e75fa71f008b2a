"""Any text is an expression or refused; any expression has a value or a problem: nothing else, and soon."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gardesh.model import expression
from gardesh.model.expression_pattern_syntax import read
from gardesh.model.expression_values import Failure
from gardesh.model.problem import Problem

ENV: dict[str, Any] = {
    "a": 3, "b": [1, "x", None, 2.5], "c": {"k": "v", "n": {"m": [True]}}, "d": "۱۲ text\n\0\u200c", "x": 1,
}  # fmt: skip
FUNCTIONS = st.sampled_from(sorted(expression.BUILT_IN))
PARTS = st.sampled_from(
    ["a", "b", "c", "d", "x", "c.k", "c.n.m", "b[0]", "1", "0", "-1", "2.5", "1e9", "1u", "''", "'é'", '"a"', "r'\\'",
     "'\\u06f1'", "true", "null", " ", "\n", "(", ")", "[", "]", "{", "}", ",", ":", "?", ".", "+", "-", "*", "/", "%", "==",
     "!=", "<", ">=", "&&", "||", "!", " in ", "b.map(x, ", "b.all(x, ", "b.exists_one(x, ", "b.filter(x, ", "has(",
     ".matches('", "matches(d, d)", ".replace(", ".join(", "cel.bind(x, ", "//", "\0", "\ud800", "\u200f", "9" * 30, "a" * 300]
) | FUNCTIONS.map(lambda name: f"{name}(")  # fmt: skip
LEAVES = st.sampled_from(
    ["a", "b", "c", "c.n", "d", "1", "0", "'x'", "[]", "{}", "null", "1.5", "-2", "'2026-01-01'"]
)
MACROS = st.sampled_from(["map", "all", "exists", "exists_one", "filter"])
SIGNS = st.sampled_from(["+", "-", "*", "/", "%", "==", "!=", "<", ">", "<=", ">=", "&&", "||", "in"])


def larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    some = st.lists(inner, max_size=3).map(", ".join)
    return st.one_of(
        st.builds("({} {} {})".format, inner, SIGNS, inner),
        st.builds("({} ? {} : {})".format, inner, inner, inner),
        st.builds("{}({})".format, FUNCTIONS, some),
        st.builds("{}.{}({})".format, inner, FUNCTIONS, some),
        st.builds("{}.{}(x, {})".format, inner, MACROS, inner),
        st.builds("{}[{}]".format, inner, inner),
        st.builds("{{'k': {}, {}: [{}]}}".format, inner, inner, some),
    )


@pytest.fixture(scope="module", autouse=True)
def small_budget() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(expression, "BUDGET", 5_000)
        yield


@given(st.text(max_size=40) | st.lists(PARTS, max_size=25).map("".join))
def test_any_text_is_an_expression_or_refused(source: str) -> None:
    try:
        made = expression.compile(source)
    except Problem as problem:
        assert problem.code == "expression-syntax"
        return
    with contextlib.suppress(Problem):
        made.evaluate(ENV)
        made.guard(ENV)


@given(st.recursive(LEAVES, larger, max_leaves=8))
def test_any_expression_has_a_value_or_a_problem(source: str) -> None:
    """Every function of the language, with arguments of every kind, right or wrong."""
    try:
        expression.compile(source).evaluate(ENV)
    except Problem as problem:
        assert problem.code.startswith("expression-"), source


PIECES = st.sampled_from(
    [*r"ab.|*+?()[]{}^$\-,:=!<>P0159۰", r"\d", r"\p{L}", "{1,9}", "{9999}", "[^", "(?:", "[[:a:]]", "\0"]
)


@given(st.text(max_size=30) | st.lists(PIECES, max_size=25).map("".join))
def test_any_text_is_a_pattern_or_refused(source: str) -> None:
    with contextlib.suppress(Failure):
        read(source)
