"""What is unknown: a document that could still come."""

from __future__ import annotations

from typing import Any

import pytest

from gardesh.model import expression
from gardesh.model.expression import UNKNOWN, Function
from gardesh.model.problem import Problem

ENV: dict[str, Any] = {
    "u": UNKNOWN,
    "v": UNKNOWN,
    "yes": True,
    "no": False,
    "n": 3,
    "absent": None,
    "list": [1, 2],
}


def value(source: str, functions: Any = None) -> Any:
    return expression.compile(source, functions).evaluate(ENV)


@pytest.mark.parametrize(
    "source",
    [
        "u",
        "u.x",
        "u[0]",
        "list[u]",
        "u + 1",
        "-u",
        "!u",
        "u == 1",
        "u == null",
        "u != null",
        "u != 'a'",
        "u == 'a'",
        "u < 1",
        "1 in u",
        "u in list",
        "u in ['a']",
        "has(u.x)",
        "[u]",
        "{'a': u}",
        "size(u)",
        "u.startsWith('a')",
        "u.exists(i, true)",
        "u.map(i, 1)",
        "list.map(i, u)",
        "list.filter(i, u)",
        "list.exists_one(i, u)",
        "[1, 1, 2].exists_one(i, i == 1 || i == u)",
        "3 in [u, 1]",
        "list.exists(i, i == u)",
        "list.all(i, i == u)",
        "u + absent",
        "u == absent",
        "cel.bind(i, u, i)",
        "yes && u",
        "u && yes",
        "no || u",
        "u || no",
        "u ? 1 : 2",
        "absent && u",
        "u && 1 / 0 == 1",
        "u || 1",
    ],
)
def test_what_needs_something_unknown_is_unknown(source: str) -> None:
    assert value(source) is UNKNOWN


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("no && u", False),
        ("u && no", False),
        ("yes || u", True),
        ("u || yes", True),
        ("u && v && no", False),
        ("u ? 1 : 1", 1),
        ("u ? [n, {'a': 1.0}] : [3, {'a': 1.0}]", [3, {"a": 1}]),
        ("yes ? 1 : u", 1),
        ("list.exists(i, i == 2 || i == u)", True),
        ("list.all(i, i > 1 && u)", False),
        ("[u, 2].exists(i, i == 2)", True),
        ("[2, u].all(i, i == 1)", False),
        ("2 in [u, 2]", True),
        ("size([1, 2]) == 2 || u", True),
        ("cel.bind(i, u, 1)", 1),
        ("has(absent.x) && u", False),
    ],
)
def test_what_is_decided_without_it_is_known(source: str, expected: Any) -> None:
    assert value(source) == expected


def test_branches_that_only_look_alike_leave_the_choice_unknown() -> None:
    assert value("u ? 1 : 1.0") is UNKNOWN
    assert value("u ? true : 1") is UNKNOWN
    assert value("u ? {'a': 1, 'b': 2} : {'b': 2, 'a': 1}") is UNKNOWN
    assert value("u ? u : u") is UNKNOWN


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("no && 1 / 0 == 1", False),
        ("1 / 0 == 1 && no", False),
        ("1 && no", False),
        ("yes || 'a'", True),
        ("'a' || yes", True),
        ("[0, 1].exists(i, 1 / i == 1)", True),
        ("[0, 2].all(i, 1 / i == 1)", False),
        ("1 in [1 / 0, 1]", True),
        ("1 / 0 == 1 ? 2 : 2", 2),
    ],
)
def test_a_failure_that_does_not_decide_is_absorbed(source: str, expected: Any) -> None:
    assert value(source) == expected


@pytest.mark.parametrize(
    "source",
    [
        "yes && 1 / 0 == 1",
        "no || 1 / 0 == 1",
        "[0, 1].all(i, 1 / i == 1)",
        "[0].exists(i, 1 / i == 1)",
        "2 in [1 / 0, 1]",
        "1 / 0 == 1 ? 1 : 2",
        "[1, 0].map(i, 1 / i)",
        "[0, 1].exists_one(i, 1 / i == 1)",
    ],
)
def test_a_failure_that_matters_fails(source: str) -> None:
    with pytest.raises(Problem) as refused:
        value(source)
    assert refused.value.params["reason_en"] == "it divides by zero"


def test_a_guard_does_not_wait_where_null_already_makes_it_false() -> None:
    made = expression.compile("absent.flag && u.flag")
    assert made.evaluate(ENV) is UNKNOWN
    assert made.guard(ENV) is False
    assert expression.decided_by(made, ENV) == {"u"}
    assert expression.decided_by(made, ENV, guard=True) == frozenset()


def test_unknown_items_are_unknown() -> None:
    assert expression.compile("u.goods").items(ENV) is UNKNOWN
    assert expression.compile("list.filter(i, i == u)").items(ENV) is UNKNOWN


def test_unknown_is_neither_true_nor_false_in_python() -> None:
    with pytest.raises(TypeError):
        bool(UNKNOWN)


def test_a_strict_function_waits_and_a_lenient_one_may_not() -> None:
    def either(_: Any, first: Any, second: Any) -> Any:
        return True if first is True or second is True else UNKNOWN

    calls: list[Any] = []
    functions = {
        "strict": Function("strict", (1, 1), lambda _, x: calls.append(x)),
        "either": Function("either", (2, 2), either, strict=False),
    }
    assert value("strict(u)", functions) is UNKNOWN
    assert calls == []
    assert value("either(u, yes)", functions) is True
    assert value("either(1 / 0, yes)", functions) is True
    assert value("either(u, no)", functions) is UNKNOWN
    assert expression.decided_by(expression.compile("either(u, no)", functions), ENV) == {"u"}
    with pytest.raises(Problem, match="divides by zero"):
        value("either(1 / 0, no)", functions)


def test_a_function_of_a_pack_decides_with_what_is_known() -> None:
    functions = {"pick": expression.define_function("pick", ["c", "a", "b"], "c == 3 ? a : b")}
    assert value("pick(n, 1, u)", functions) == 1
    assert value("pick(n, u, 1)", functions) is UNKNOWN
    assert expression.decided_by(expression.compile("pick(n, u, v)", functions), ENV) == {"u"}


@pytest.mark.parametrize(
    ("source", "roots"),
    [
        ("n == 3", ""),
        ("u.x == 1", "u"),
        ("u.x == v.x", "u v"),
        ("u && v", "u v"),
        ("u && v && no", ""),
        ("yes || u", ""),
        ("(u && no) || v", "v"),
        ("u ? v : 1", "u"),
        ("yes ? v : u", "v"),
        ("[u, v][0]", "u v"),
        ("list.exists(i, i == u || v)", "u v"),
        ("list.all(i, i == 1 || u)", "u"),
        ("list.map(i, i == 1 ? u : v)", "u v"),
        ("cel.bind(i, u, i == 1 || n == 4)", "u"),
        ("size(u) + size(list)", "u"),
        ("u == u", "u"),
    ],
)
def test_an_unknown_value_names_what_it_waits_for(source: str, roots: str) -> None:
    assert expression.decided_by(expression.compile(source), ENV) == set(roots.split())
