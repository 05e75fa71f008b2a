"""No expression runs long, fills the memory or overflows the stack, whoever wrote it."""

from __future__ import annotations

import sys
import time
from typing import Any

import pytest

from gardesh.model import expression
from gardesh.model.problem import Problem

HUNDREDS = list(range(300))
ENV: dict[str, Any] = {"many": HUNDREDS, "text": "x" * 50_000, "grown": ["y" * 1000] * 2000}


def nested(levels: int, first: str, step: str, last: str) -> str:
    """`cel.bind(v0, first, cel.bind(v1, step over v0, … last over the last one))`"""
    source = last.replace("$", f"v{levels}")
    for level in range(levels, 0, -1):
        source = f"cel.bind(v{level}, {step.replace('$', f'v{level - 1}')}, {source})"
    return f"cel.bind(v0, {first}, {source})"


COSTLY = [
    "many.map(a, many.map(b, many.map(c, c)))",
    "many.all(a, many.all(b, many.all(c, true)))",
    "many.exists(a, many.exists_one(b, many.filter(c, false).size() > 1))",
    "many.all(a, many.all(b, " + " + ".join(["a"] * 60) + " >= 0))",
    nested(40, "'x'", "$ + $", "size($)"),
    nested(40, "[1]", "$ + $", "size($)"),
    nested(60, "[1]", "[$, $]", "$"),
    nested(60, "[1]", "{'a': $, 'b': $}", "$"),
    nested(6, "many", "many.map(i, $)", "$"),
    nested(28, "[1]", "[$, $]", "$ == " + nested(28, "[1]", "[$, $]", "$")),
    nested(50, "[1]", "[$, $]", "distinct([$, $])"),
    nested(50, "[1]", "[$, $]", "[1] in [$] || $ in [$, $]"),
    nested(30, "many", "flatten([$, $])", "size($)"),
    nested(56, "[1]", "[$, $]", "1 / 0 == 1 ? $ : $"),
    "many.all(i, grown.join() != '')",
    "text.replace('x', text) == ''",
    "many.all(a, many.all(b, !text.matches('x{300}y')))",
    "many.all(a, many.all(b, many == many))",
    "many.all(a, many.all(b, sum(many) > 0))",
    "many.all(a, many.all(b, !(-1 in many)))",
]


@pytest.fixture
def small_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expression, "BUDGET", 50_000)


@pytest.mark.usefixtures("small_budget")
@pytest.mark.parametrize("source", COSTLY)
def test_what_costs_too_much_is_stopped(source: str) -> None:
    made = expression.compile(source)
    begun = time.perf_counter()
    with pytest.raises(Problem) as refused:
        made.evaluate(ENV)
    assert refused.value.code == "expression-too-costly"
    assert time.perf_counter() - begun < 1


def test_the_whole_budget_is_spent_in_seconds() -> None:
    begun = time.perf_counter()
    with pytest.raises(Problem, match="1000000 steps"):
        expression.compile(COSTLY[3]).evaluate({"many": list(range(1000))})
    assert time.perf_counter() - begun < 10


@pytest.mark.usefixtures("small_budget")
def test_nothing_absorbs_that_it_costs_too_much() -> None:
    for source in (f"{COSTLY[1]} || true", f"[1].exists(i, {COSTLY[1]})", f"{COSTLY[1]} ? 1 : 1"):
        with pytest.raises(Problem, match="expression-too-costly"):
            expression.compile(source).evaluate(ENV)


@pytest.mark.usefixtures("small_budget")
def test_functions_of_a_pack_spend_the_budget_of_their_caller() -> None:
    definitions = {"f0": (["x"], "x + 1")}
    for level in range(1, 25):
        definitions[f"f{level}"] = (["x"], f"f{level - 1}(x) + f{level - 1}(x)")
    functions = expression.define_functions(definitions)
    assert expression.compile("f10(1)", functions).evaluate({}) == 2**11
    with pytest.raises(Problem, match="expression-too-costly"):
        expression.compile("f24(1)", functions).evaluate({})
    with pytest.raises(Problem, match="expression-too-costly"):
        expression.compile("f24(1) == 1 || true", functions).evaluate({})


@pytest.mark.parametrize(
    "source",
    [
        nested(60, "10", "$ * $", "$"),
        nested(60, "1.1", "$ * $", "$"),
        nested(60, "0.1", "$ / 10", "$ + 1e37"),
        "int(1e37 * 1000.0)",
        "floor(1e37 * 1e37)",
        "string(1e37 * 1e37 * 1e37)",
        "round(1e37 * 1e37, 20)",
    ],
)
def test_a_number_that_gets_too_large_or_too_fine_fails(source: str) -> None:
    with pytest.raises(Problem) as refused:
        expression.compile(source).evaluate({})
    assert refused.value.code == "expression-failed"


def test_a_usual_list_of_a_hundred_thousand_answers_is_within_the_budget() -> None:
    answers = [{"answered": True, "outcome": "approved"}] * 100_000
    made = expression.compile(
        "answers.all(a, a.answered) && size(answers.filter(a, a.outcome == 'approved')) > 9"
    )
    assert made.guard({"answers": answers}) is True


def test_functions_that_call_each_other_too_deep_are_refused() -> None:
    definitions = {"f0": (["x"], "x")}
    for level in range(1, 100):
        definitions[f"f{level}"] = (["x"], f"f{level - 1}(x + 1)")
    with pytest.raises(Problem, match="160 levels"):
        expression.define_functions(definitions)


def _deepest() -> tuple[expression.Expression, Any]:
    definitions = {"f0": (["x"], "x"), "f1": (["x"], "[x].map(i, " * 20 + "f0(x)" + ")" * 20)}
    for level in range(2, 5):
        definitions[f"f{level}"] = (["x"], "f0(" * 30 + f"f{level - 1}(x)" + ")" * 30)
    functions = expression.define_functions(definitions)
    return expression.compile("f0(" * 24 + "f4(1)" + ")" * 24, functions), functions


def _from(depth: int, run: Any) -> Any:
    return run() if depth == 0 else _from(depth - 1, run)


def test_the_deepest_expression_does_not_overflow_the_stack_of_a_deep_caller() -> None:
    assert sys.getrecursionlimit() >= 1000
    made, _ = _deepest()
    assert _from(250, lambda: made.evaluate({})) is not None
    deep = "[1].map(i, " * 31 + "1" + ")" * 31
    assert _from(250, lambda: expression.compile(deep).evaluate({})) is not None
