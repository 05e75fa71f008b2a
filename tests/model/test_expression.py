"""What expressions over documents mean: values, absence, paths, guards, items and functions of packs."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from gardesh.model import expression
from gardesh.model.problem import Problem

CASE: dict[str, Any] = {
    "route": {"colour": "red"},
    "order_request": {"goods": [{"hs": "0806", "weight": "12.5", "count": 3}, {"hs": "8471", "count": 1}]},
    "permit": None,
    "order": {"total": Decimal("100.10"), "rate": 0.09, "paid": 40, "urgent": True, "note": None},
}


def value(source: str, **more: Any) -> Any:
    return expression.compile(source).evaluate({**CASE, **more})


def guard(source: str, **more: Any) -> Any:
    return expression.compile(source).guard({**CASE, **more})


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("route.colour == 'red'", True),
        ("order_request.goods[1].hs", "8471"),
        ("order_request.goods.map(g, g.hs)", ["0806", "8471"]),
        ("order_request.goods.filter(g, g.count > 1).size()", 1),
        ("order_request['goods'][0]['count'] + 1", 4),
        ("{'a': route.colour, 'b': [1]}", {"a": "red", "b": [1]}),
        ("cel.bind(g, order_request.goods[0], g.hs + '/' + string(g.count))", "0806/3"),
        ("{'x': 3, 'y': 4}.exists(k, k == 'y')", True),
        ("{1: 'one'}[1]", "one"),
        ("route.`colour`", "red"),
    ],
)
def test_values_are_reached_as_in_cel(source: str, expected: Any) -> None:
    assert value(source) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("0.1 + 0.2", "0.3"),
        ("order.total * 0.09", "9.0090"),
        ("order.total - 0.10", "100.00"),
        ("7 / 2", "3.5"),
        ("6 / 3", "2"),
        ("-7 / 2", "-3.5"),
        ("1 / 3", "0.3333333333333333333333333333"),
        ("-7 % 3", "-1"),
        ("7 % -3", "1"),
        (
            "12345678901234567890.12 * 98765432109876543210.98",
            "1219326311370217952261414418287658588617.5176",
        ),
        ("order.rate + 0.01", "0.10"),
        ("-(2.50)", "-2.50"),
        ("1.5e3", "1.5E+3"),
    ],
)
def test_numbers_are_exact(source: str, expected: str) -> None:
    assert str(value(source)) == expected


def test_integers_and_decimals_compare_by_value() -> None:
    assert value("1 == 1.0 && 2 > 1.99 && order.paid < order.total && 1.0 in [1]") is True
    assert value("order.rate == 0.09") is True
    assert value("[1, {'a': 2}] == [1.0, {'a': 2.00}]") is True


def test_a_truth_value_is_no_number() -> None:
    assert value("true == 1") is False
    assert value("[true] == [1]") is False
    assert value("true in [1]") is False
    with pytest.raises(Problem, match="expression-failed"):
        value("true + 1")


def test_a_text_never_equals_a_number_and_cannot_be_ordered_with_one() -> None:
    assert value("'1' == 1") is False
    assert value("'1' != 1") is True
    with pytest.raises(Problem, match="expression-failed"):
        value("'1' < 2")


def test_iso_dates_are_ordered_as_texts() -> None:
    assert value("'2024-02-29' < '2024-03-01' && '2024-03-01' < '2024-03-01T08:00:00Z'") is True


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("permit.outcome", None),
        ("permit.outcome == 'approved'", False),
        ("permit.outcome != 'approved'", False),
        ("permit.date < '2025'", False),
        ("permit.date >= '2025'", False),
        ("permit.count + 1", None),
        ("-permit.count", None),
        ("!permit.flag", None),
        ("permit.flag && true", None),
        ("permit.flag && false", False),
        ("permit.flag || true", True),
        ("permit.flag || false", None),
        ("permit.flag ? 1 : 2", 2),
        ("size(permit.goods)", 0),
        ("permit.goods.exists(g, true)", False),
        ("permit.goods.all(g, false)", True),
        ("permit.goods.exists_one(g, true)", False),
        ("permit.goods.map(g, g.hs)", []),
        ("permit.goods.filter(g, true)", []),
        ("'x' in permit.goods", False),
        ("permit.goods[0]", None),
        ("has(permit.outcome)", False),
        ("has(order.note)", False),
        ("has(order.paid)", True),
        ("permit == null", True),
        ("permit != null", False),
        ("route != null", True),
        ("null != route.colour", True),
        ("route.missing == null", True),
        ("permit.a == permit.b", True),
        ("permit.goods + order_request.goods == order_request.goods", True),
        ("permit.name.startsWith('x')", None),
        ("string(permit.count)", None),
        ("[1, 2].exists(i, permit.flag)", False),
    ],
)
def test_what_is_absent_is_null_and_does_not_count(source: str, expected: Any) -> None:
    assert value(source) is expected or value(source) == expected != 0


@pytest.mark.parametrize(
    "source",
    [
        "permit.outcome == 'approved'",
        "permit.outcome != 'rejected'",
        "permit.flag",
        "!permit.flag",
        "permit.flag && order.urgent",
        "!(permit.flag && order.urgent)",
        "permit.name.contains('a')",
        "!permit.name.contains('a')",
        "permit.count > 1 || permit.count <= 1",
        "order.urgent ? permit.flag : true",
    ],
)
def test_a_guard_over_what_is_absent_is_false_either_way(source: str) -> None:
    assert guard(source) is False


def test_a_guard_can_ask_for_absence() -> None:
    assert guard("!has(permit.outcome)") is True
    assert guard("permit == null") is True


@pytest.mark.parametrize("source", ["1", "'true'", "order_request.goods", "order.total"])
def test_a_guard_is_a_condition(source: str) -> None:
    with pytest.raises(Problem) as refused:
        guard(source)
    assert refused.value.code == "expression-failed"


def test_items_are_a_list() -> None:
    assert expression.compile("order_request.goods.map(g, g.hs)").items(CASE) == ["0806", "8471"]
    assert expression.compile("permit.goods").items(CASE) == []
    with pytest.raises(Problem, match="a list is needed, not a text"):
        expression.compile("route.colour").items(CASE)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("1 / 0", "divides by zero"),
        ("5 % 0", "divides by zero"),
        ("1.5 % 2", "takes integers"),
        ("[1][1]", "no element"),
        ("[1][-1]", "no element"),
        ("route.colour.hue", "has no fields"),
        ("has(route.colour.hue)", "has no fields"),
        ("missing.field", "no variable"),
        ("missing", "no variable"),
        ("1 + 'a'", "a number and a text"),
        ("-'a'", "does not take a text"),
        ("!1", "does not take a number"),
        ("1 && true", "does not take a number"),
        ("'a' ? 1 : 2", "a condition is true or false"),
        ("[1].exists(i, i)", "a condition is true or false"),
        ("'abc'.all(c, true)", "does not take a text"),
        ("'a' in 'abc'", "does not take a text"),
        ("{'a': 1, 'a': 2}", "each once"),
        ("{true: 1}", "texts or integers"),
        ("[1] < [2]", "a list and a list"),
        ("99999999999999999999 * 99999999999999999999", "too large"),
    ],
)
def test_a_failure_says_why_in_both_languages(source: str, reason: str) -> None:
    with pytest.raises(Problem) as refused:
        value(source)
    assert refused.value.code == "expression-failed"
    assert reason in refused.value.params["reason_en"]
    assert refused.value.params["source"] == source
    assert refused.value.params["reason_fa"] in refused.value.sentence("fa")


@pytest.mark.parametrize(
    ("source", "reads"),
    [
        ("route.colour == 'red'", {("route", "colour")}),
        ("order_request.goods.exists(g, g.hs == '1')", {("order_request", "goods")}),
        ("order_request.goods[0].hs", {("order_request", "goods")}),
        ("order_request['goods'].size()", {("order_request", "goods")}),
        ("a.b.c.d + a.b.e", {("a", "b", "c", "d"), ("a", "b", "e")}),
        ("a", {("a",)}),
        ("has(a.b.c)", {("a", "b", "c")}),
        ("a.list[b.index].c", {("a", "list"), ("b", "index")}),
        ("a.list.map(x, x.y + b.z)", {("a", "list"), ("b", "z")}),
        ("a.list.map(a, a.x)", {("a", "list")}),
        ("a.list.filter(x, x.n > 1).map(y, y.m)", {("a", "list")}),
        ("cel.bind(x, a.b, x.c)", {("a", "b")}),
        ("round(a.b, c.d)", {("a", "b"), ("c", "d")}),
        ("{'k': a.b}.k", {("a", "b")}),
        ("1 + 1", set()),
    ],
)
def test_what_an_expression_reads_is_known_as_far_as_names_go(
    source: str, reads: set[tuple[str, ...]]
) -> None:
    made = expression.compile(source)
    assert made.reads == reads
    assert made.variables == {path[0] for path in reads}
