"""Against another implementation of CEL, on what both have in common: where it finds a value, ours is the same.

Kept apart: the size of a text (it counts bytes, where CEL counts code points) and `list + map`, which it allows.
"""

from __future__ import annotations

from typing import Any

import cel
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gardesh.model import expression
from gardesh.model.problem import Problem

ENV: dict[str, Any] = {
    "n": 3,
    "m": -2,
    "s": "0806",
    "t": "گردش",
    "yes": True,
    "no": False,
    "numbers": [3, 1, 2, 1],
    "texts": ["a", "b", "0806"],
    "goods": [{"hs": "0806", "count": 2}, {"hs": "8471", "count": 5}],
    "order": {"hs": "0806", "count": 2, "party": {"name": "ali"}},
}

Sources = st.SearchStrategy[str]


def joined(template: str, *parts: Sources) -> Sources:
    return st.tuples(*parts).map(lambda given: template.format(*given))


def numbers(depth: int, local: tuple[str, ...] = ()) -> Sources:
    leaves = st.one_of(
        st.integers(-9, 9).map(str),
        st.sampled_from(["n", "m", "order.count", "goods[1].count", "size(s)", "numbers[2]", "0x1F", *local]),
    )
    if depth == 0:
        return leaves
    inner = numbers(depth - 1, local)
    return st.one_of(
        leaves,
        joined("({} {} {})", inner, st.sampled_from(["+", "-", "*", "%"]), inner),
        joined("-({})", inner),
        joined("({} ? {} : {})", truths(depth - 1, local), inner, inner),
        joined("size({})", lists(depth - 1, local)),
        joined("({})[{}]", lists(depth - 1, local), inner),
        joined("{{'k': {}}}.k", inner),
    )


def texts(depth: int) -> Sources:
    leaves = st.sampled_from(
        ["s", "t", "'a'", '"b"', "'''0806'''", r"'\u0627\n'", r"r'\d'", "order.party.name", "''"]
    )
    if depth == 0:
        return leaves
    inner = texts(depth - 1)
    return st.one_of(leaves, joined("({} + {})", inner, inner), joined("string({})", numbers(depth - 1)))


def lists(depth: int, local: tuple[str, ...] = ()) -> Sources:
    leaves = st.sampled_from(["numbers", "[]", "[1, 2, 3]", "goods.map(g, g.count)"])
    if depth == 0:
        return leaves
    inner, name = lists(depth - 1, local), f"i{depth}"
    return st.one_of(
        leaves,
        joined("[{}, {}]", numbers(depth - 1, local), numbers(depth - 1, local)),
        joined("({} + {})", inner, inner),
        joined(f"({{}}).map({name}, {{}})", inner, numbers(depth - 1, (*local, name))),
        joined(f"({{}}).filter({name}, {{}})", inner, truths(depth - 1, (*local, name))),
        joined(
            f"({{}}).map({name}, {{}}, {{}})",
            inner,
            truths(depth - 1, (*local, name)),
            numbers(1, (*local, name)),
        ),
    )


def truths(depth: int, local: tuple[str, ...] = ()) -> Sources:
    leaves = st.sampled_from(
        ["yes", "no", "true", "false", "has(order.hs)", "has(order.missing)", "s == '0806'"]
    )
    if depth == 0:
        return leaves
    inner, number, text = truths(depth - 1, local), numbers(depth - 1, local), texts(depth - 1)
    group, name = lists(depth - 1, local), f"j{depth}"
    tests = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
    macros = st.sampled_from(["all", "exists", "exists_one"])
    return st.one_of(
        leaves,
        joined("({} {} {})", number, tests, number),
        joined("({} {} {})", text, tests, text),
        joined("({} {} {})", group, st.sampled_from(["==", "!="]), group),
        joined("({} == {})", number, text),
        joined("({} {} {})", inner, st.sampled_from(["&&", "||", "==", "!="]), inner),
        joined("{} && {} || {}", inner, inner, inner),
        joined("!({})", inner),
        joined("({} in {})", number, group),
        joined("({} in {{'a': 1, '0806': 2}})", text),
        joined(f"({{}}).{{}}({name}, {{}})", group, macros, truths(depth - 1, (*local, name))),
        joined("({}).{}({})", text, st.sampled_from(["startsWith", "endsWith", "contains"]), text),
        joined(
            "({}).matches({})",
            text,
            st.sampled_from(["'^[0-9]+$'", "'a|b'", r"r'\d{2,4}'", "'[^a]'", "'.*'"]),
        ),
    )


def check(source: str) -> None:
    try:
        expected = cel.evaluate(source, ENV)
    except (TypeError, ValueError, ArithmeticError, LookupError, RuntimeError):
        return
    assert expression.compile(source).evaluate(ENV) == expected
    assert type(expression.compile(source).evaluate(ENV)) is type(expected)


@given(st.one_of(truths(3), numbers(3), texts(2), lists(2)))
@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
def test_where_another_implementation_finds_a_value_ours_is_the_same(source: str) -> None:
    check(source)


@pytest.mark.long
@given(st.one_of(truths(4), numbers(4), texts(3), lists(3)))
@settings(max_examples=30_000, deadline=None, suppress_health_check=list(HealthCheck))
def test_where_another_implementation_finds_a_value_ours_is_the_same_at_length(source: str) -> None:
    check(source)


OPERANDS = ("1", "-3", "0", "'a'", "''", "true", "false", "[1]", "[]", "{'a': 1}", "['a', 'b']")
SIGNS = ("==", "!=", "<", "<=", ">", ">=", "+", "-", "*", "%", "in", "&&", "||")


@pytest.mark.parametrize("sign", SIGNS)
def test_an_operator_takes_the_same_types_as_in_cel(sign: str) -> None:
    for left in OPERANDS:
        for right in OPERANDS:
            source = f"{left} {sign} {right}"
            if sign == "+" and "{" in source:
                continue
            try:
                expected = cel.evaluate(source, {})
            except (TypeError, ValueError, ArithmeticError, LookupError):
                with pytest.raises(Problem, match="expression-failed"):
                    expression.compile(source).evaluate({})
            else:
                assert expression.compile(source).evaluate({}) == expected, source


TREES = (
    "1 + 2 * 3 - 4 % 3",
    "2 * -3 + - -4",
    "1 < 2 == true",
    "!true || true && false",
    "true || false && false",
    "true ? (false ? 1 : 2) : 3",
    "false ? 1 : true ? 2 : 3",
    "-2 * 3 == -6 && !(1 > 2)",
    "[1, 2,][1] + {'a': 5,}.a",
    "'a' + \"b\" + '''c'd''' + \"\"\"e\"f\"\"\"",
    r"'\x41\101\u0041\U00000041\?\"\`\t'",
    r"R'\n' + r'''\'''",
    "1 // a comment\n + 2",
    "7 - 2 - 1",
    "100 % 7 % 4",
    "1 in [1] && 'a' in {'a': 1}",
    "{'a': {'b': [1, 2]}}.a.b[1]",
    "!!true",
    "{'a-b': 1}['a-b']",
)


@pytest.mark.parametrize("source", TREES)
def test_the_grammar_is_that_of_cel(source: str) -> None:
    assert expression.compile(source).evaluate({}) == cel.evaluate(source, {})


REFUSED = (
    "1 +",
    "a b",
    "(1",
    "[1",
    "{1}",
    "a.",
    "a.1",
    "'a",
    "1 ? 2",
    "if",
    "!-",
    "a..b",
    "@",
    "has(a)",
    "a.map(1, 2)",
)


@pytest.mark.parametrize("source", REFUSED)
def test_what_cel_cannot_read_is_refused_here_too(source: str) -> None:
    with pytest.raises(ValueError):
        cel.compile(source)
    with pytest.raises(Problem, match="expression-syntax"):
        expression.compile(source)
