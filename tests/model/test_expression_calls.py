"""Functions that the engine gives to expressions, and those that packs define."""

from __future__ import annotations

from typing import Any

import pytest

from gardesh.model import expression
from gardesh.model.expression import Function
from gardesh.model.problem import Problem

CASE: dict[str, Any] = {
    "order_request": {"goods": [{"hs": "0806", "count": 3}, {"hs": "8471", "count": 1}]},
    "permit": None,
}


def test_functions_of_the_engine_get_the_context() -> None:
    def lookup(context: Any, name: str, code: str) -> Any:
        return context[name].get(code)

    functions = {"lookup": Function("lookup", (2, 2), lookup, skips_null=True)}
    made = expression.compile("order_request.goods.map(g, lookup('agencies', g.hs).role)", functions)
    assert made.evaluate(CASE, {"agencies": {"0806": {"role": "plants"}}}) == ["plants", None]
    assert made.calls == {"lookup"}
    assert made.names == {("lookup", "agencies")}
    assert expression.compile("lookup('agencies', permit.hs)", functions).evaluate(CASE, {}) is None


def test_a_problem_of_a_function_of_the_engine_passes() -> None:
    def refuse(_: Any) -> Any:
        raise Problem("expression-recursive", functions="x")

    made = expression.compile("true || f()", {"f": Function("f", (0, 0), refuse)})
    assert made.evaluate({}) is True
    with pytest.raises(Problem, match="expression-recursive"):
        expression.compile("false || f()", {"f": Function("f", (0, 0), refuse)}).evaluate({})


def test_a_pack_defines_functions_over_parameters() -> None:
    functions = expression.define_functions(
        {
            "risky": (["goods"], "goods.exists(g, is_food(g) || g.count > limit())"),
            "limit": ([], "2"),
            "is_food": (["item"], "item.hs.startsWith('08')"),
        }
    )
    made = expression.compile("risky(order_request.goods)", functions)
    assert list(functions) == ["risky", "limit", "is_food"]
    assert made.guard(CASE) is True
    assert made.reads == {("order_request", "goods")}
    assert made.calls == {"risky", "is_food", "limit", "startsWith"}
    one = expression.define_function("twice", ["x"], "x + x", functions)
    assert expression.compile("twice(twice(2))", {"twice": one}).evaluate({}) == 8
    assert expression.compile("2.twice()", {"twice": one}).evaluate({}) == 4


def test_functions_of_a_pack_do_not_call_each_other_in_a_circle() -> None:
    with pytest.raises(Problem, match="expression-recursive"):
        expression.define_function("f", ["x"], "f(x)")
    with pytest.raises(Problem) as refused:
        expression.define_functions({"f": (["x"], "g(x)"), "g": (["x"], "f(x)"), "h": ([], "1")})
    assert refused.value.params["functions"] == "f, g"


@pytest.mark.parametrize(
    ("name", "params", "source"),
    [
        ("f", ["x"], "x + order.total"),
        ("f", ["x"], "unknown(x)"),
        ("f", ["x", "x"], "x"),
        ("f", ["x-y"], "1"),
        ("has", ["x"], "x"),
        ("size", ["x"], "1"),
        ("f", ["x"], "x +"),
    ],
)
def test_a_function_of_a_pack_that_cannot_be_used_is_refused(
    name: str, params: list[str], source: str
) -> None:
    with pytest.raises(Problem) as refused:
        expression.define_function(name, params, source)
    assert refused.value.code == "expression-syntax"


def test_calling_a_function_means_its_expression_with_the_arguments_in_place() -> None:
    functions = {"first": expression.define_function("first", ["x", "y"], "x || y")}
    made = expression.compile("first(true, 1 / 0 == 1)", functions)
    assert made.evaluate({}) is True
    with pytest.raises(Problem, match="divides by zero"):
        expression.compile("first(false, 1 / 0 == 1)", functions).evaluate({})
