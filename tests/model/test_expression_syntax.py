"""How expressions are read and refused. The grammar itself is held against CEL in `test_expression_cel`."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from gardesh.model import expression
from gardesh.model.problem import Problem


def refused(source: str, functions: Any = None) -> Problem:
    with pytest.raises(Problem) as found:
        expression.compile(source, functions)
    assert found.value.code == "expression-syntax"
    return found.value


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (r"'\a\b\f\n\r\t\v\\\?\"\'\`'", "\a\b\f\n\r\t\v\\?\"'`"),
        (r"'\x41\X42\u0627\U0001F600\101'", "ABا😀A"),
        (r"r'\n' + R'\'", "\\n\\"),
        ("'''two\nlines'''", "two\nlines"),
        ('"""a "quoted" text"""', 'a "quoted" text'),
        ("''", ""),
        ('""""""', ""),
        ("'گردش'", "گردش"),
        ("0x1f", 31),
        ("-5", -5),
        ("0.09", Decimal("0.09")),
        (".5", Decimal("0.5")),
        ("1e-2", Decimal("0.01")),
        ("// nothing\n1", 1),
    ],
)
def test_literals(source: str, expected: Any) -> None:
    found = expression.compile(source).evaluate({})
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("source", "position", "reason"),
    [
        ("", 0, "ends too early"),
        ("a ==", 4, "ends too early"),
        ("a = 1", 2, "has no meaning"),
        ("a == 1 b", 7, "“b” is not expected"),
        ("(a", 2, "ends too early"),
        ("(a]", 2, "“)” is missing"),
        ("'abc", 0, "closing quote"),
        ("'ab\nc'", 0, "closing quote"),
        (r"'a\q'", 2, "escape"),
        (r"'\ud800'", 1, "escape"),
        (r"'\U00110000'", 1, "escape"),
        ("12u", 2, "before a letter"),
        ("1" * 39, 0, "at most 38 digits"),
        ("1e99", 0, "at most 38 digits"),
        ("1e999999999999", 0, "at most 38 digits"),
        ("a.b.", 4, "ends too early"),
        ("a.'b'", 2, "name of a field"),
        ("import.x", 0, "reserved word"),
        ("has(a)", 0, "one field"),
        ("has(a.b, c.d)", 0, "one field"),
        ("a.exists(1, true)", 9, "a plain name"),
        ("a.exists(x)", 2, "takes a name"),
        ("f(a)", 0, "no function “f”"),
        ("a.f()", 2, "no function “f”"),
        ("size()", 0, "does not take 0 arguments"),
        ("startsWith('a', 'b', 'c')", 0, "does not take 3 arguments"),
        ("a.matches('(')", 10, "the pattern cannot be read"),
        ("b'bytes'", 1, "is not expected"),
        ("a{b: 1}", 1, "is not expected"),
    ],
)
def test_what_cannot_be_read_is_refused_where_it_goes_wrong(source: str, position: int, reason: str) -> None:
    problem = refused(source)
    assert reason in problem.params["reason_en"]
    assert problem.params["position"] == position


def test_a_refusal_marks_the_place_in_its_line() -> None:
    problem = refused("a == 1 &&\n  b ==== 2 &&\n  c")
    assert (problem.params["line"], problem.params["column"]) == (2, 7)
    assert problem.params["caret"] == "  b ==== 2 &&\n      ^"
    assert "سطر 2، ستون 7" in problem.sentence("fa")


def test_an_expression_has_at_most_8192_characters() -> None:
    assert expression.compile("1" + " " * 8191).evaluate({}) == 1
    assert "longer than 8192" in refused("1" + " " * 8192).params["reason_en"]


@pytest.mark.parametrize(
    "source",
    [
        "(" * 65 + "1" + ")" * 65,
        "[" * 65 + "]" * 65,
        "!" * 65 + "true",
        "+".join(["1"] * 70),
        "x" + ".a" * 70,
        "x" + "[0]" * 70,
        "true ? 1 : " * 70 + "2",
        "size(" * 70 + "[]" + ")" * 70,
        "[1].map(i, " * 70 + "1" + ")" * 70,
        "(" * 8000,
        "[" * 8000,
        "-" * 8000 + "x",
        "{1:" * 2000,
    ],
)
def test_an_expression_nests_at_most_64_levels_deep(source: str) -> None:
    assert "64 levels" in refused(source).params["reason_en"]


def test_many_conditions_in_a_row_are_not_deep() -> None:
    assert expression.compile(" || ".join(["false"] * 700 + ["true"])).evaluate({}) is True
    assert expression.compile(" && ".join(["true"] * 700)).evaluate({}) is True
