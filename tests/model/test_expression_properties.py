"""What holds of every expression, however it is put together."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from refusal import value_or_refusal

from gardesh.model import expression
from gardesh.model.expression import UNKNOWN, Function
from gardesh.model.problem import Problem

ROOTS = ("a", "b", "c", "d")


def coalesce(_: Any, first: Any, second: Any) -> Any:
    return second if first is None else first


FUNCTIONS = {"coalesce": Function("coalesce", (2, 2), coalesce, strict=False)}
FUNCTIONS |= expression.define_functions(
    {
        "either": (["p", "q"], "p == 1 || q == 1"),
        "risky": (["goods"], "goods.exists(g, g.x == 'food' || either(g.y, 1))"),
        "second": (["p", "q"], "q"),
    },
    FUNCTIONS,
)

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 3),
    st.sampled_from([Decimal("0.5"), Decimal("1.0"), Decimal("2.00")]),
    st.sampled_from(["", "a", "food", "1", "2024-02-29", "x"]),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(["x", "y", "amount"]), inner, max_size=3)
    ),
    max_leaves=6,
)
documents = st.fixed_dictionaries({}, optional=dict.fromkeys(("x", "y"), scalars))
likely = st.fixed_dictionaries(
    {
        "a": st.none() | documents,
        "b": st.none() | documents,
        "c": st.none() | st.lists(documents),
        "d": scalars,
    }
)
environments = st.fixed_dictionaries(dict.fromkeys(ROOTS, values)) | likely

CONSTANTS = (
    "null",
    "true",
    "false",
    "0",
    "1",
    "2.50",
    "''",
    "'a'",
    "'food'",
    "'x'",
    "'2024-03-01'",
    "[]",
    "{}",
)
PATHS = ("a.x", "b.y", "c.x.y", "d[0]", "a['x']", "has(a.x)", "has(b.x.y)", "[1, 2]", "{'x': 1}")
leaves = st.sampled_from((*ROOTS, *PATHS, *CONSTANTS))


def _grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    def form(template: str) -> st.SearchStrategy[str]:
        return st.tuples(*[inner] * template.count("§")).map(
            lambda parts: template.replace("§", "({})").format(*parts)
        )

    forms = ["§ && §", "§ || §", "§ && § && §", "!§", "-§", "§ ? § : §", "§ in §", "[§, §]", "§[§]"]
    forms += [f"§ {sign} §" for sign in ("==", "!=", "<", "<=", ">", ">=", "+", "-", "*", "/", "%")]
    forms += [f"§.{macro}(i, §)" for macro in ("all", "exists", "exists_one", "filter", "map")]
    forms += ["§.exists(i, i == §)", "§.all(i, i.x == §)", "[§, §].exists(i, i == §)", "§.map(i, § != i, i)"]
    forms += [
        "§.x",
        "has(§.y)",
        "cel.bind(i, §, i == i || §)",
        "§ == null",
        "§ != null",
        "'x' != §",
        "§ in [§, §]",
    ]
    forms += ["size(§)", "sum(§)", "distinct(§)", "flatten(§)", "min(§, §)", "string(§)", "§.startsWith(§)"]
    forms += ["coalesce(§, §)", "either(§, §)", "risky(§)", "second(§, §)", "amount(§)", "days_between(§, §)"]
    return st.one_of([form(template.replace("{", "{{").replace("}", "}}")) for template in forms])


CONDITIONS = (
    *(
        "a.x == 'food'",
        "b.y != 1",
        "has(a.x)",
        "d == 1",
        "d in [1, 'a', null]",
        "a == null",
        "size(c) == 1",
        "b.x",
    ),
    *(
        "c.exists(i, i.x == d)",
        "c.all(i, i.y == b.y || i.x == 'food')",
        "c.exists_one(i, i.x == a.x)",
        "1 / 0 == 1",
    ),
    *(
        "c.map(i, i.x == b.x) == [true]",
        "[a.x, b.x, d].exists(i, i == 'food')",
        "a.x in [b.x, d]",
        "d < 2",
        "true",
    ),
    *(
        "c.filter(i, has(i.x) && i.y != a.y) == []",
        "either(d, a.x)",
        "second(b.y == 1, d == 1)",
        "risky(c)",
        "false",
    ),
)


def _joined(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.tuples(inner, inner).map("({0[0]} && {0[1]})".format),
        st.tuples(inner, inner).map("({0[0]} || {0[1]})".format),
        st.tuples(inner, inner, inner).map("({0[0]} ? {0[1]} : {0[2]})".format),
        st.tuples(inner, inner).map("({0[0]} == {0[1]})".format),
        st.tuples(inner, inner).map("cel.bind(k, {0[0]}, k || {0[1]})".format),
        st.tuples(inner, inner).map("c.exists(i, {0[0]} && i.x != d || {0[1]})".format),
        inner.map("!{}".format),
    )


sources = st.recursive(leaves, _grown, max_leaves=9) | st.recursive(
    st.sampled_from(CONDITIONS), _joined, max_leaves=8
)
UNSEEN = "the failure of an evaluation"


def outcome(run: Any, env: dict[str, Any]) -> Any:
    try:
        return run(env)
    except Problem as problem:
        if problem.code not in ("expression-failed", "expression-too-costly"):
            raise
        return UNSEEN


def shown(value: Any) -> str:
    """Tells apart what `==` does not: 1, 1.0 and true."""
    return repr(value)


def compiled(source: str) -> expression.Expression:
    try:
        return expression.compile(source, FUNCTIONS)
    except Problem as problem:
        assume("nests" not in problem.params["reason_en"])
        raise


def check_known_stays_known(source: str, env: dict[str, Any], hidden: set[str]) -> None:
    made = compiled(source)
    partial = {name: UNKNOWN if name in hidden else value for name, value in env.items()}
    for run in (made.evaluate, made.guard):
        before, after = outcome(run, partial), outcome(run, env)
        if before is not UNKNOWN and before is not UNSEEN:
            assert shown(before) == shown(after)


def check_decided_by(source: str, env: dict[str, Any], hidden: set[str]) -> None:
    made = compiled(source)
    partial = {name: UNKNOWN if name in hidden else value for name, value in env.items()}
    for guard, run in ((False, made.evaluate), (True, made.guard)):
        value = outcome(run, partial)
        if value is UNSEEN:
            continue
        decided = expression.decided_by(made, partial, guard=guard)
        assert bool(decided) == (value is UNKNOWN)
        assert decided <= hidden & made.variables


@given(sources, environments, st.sets(st.sampled_from(ROOTS), min_size=1))
@settings(max_examples=600, deadline=None, suppress_health_check=list(HealthCheck))
def test_what_is_known_stays_known_whatever_the_unknown_turns_out_to_be(
    source: str, env: dict[str, Any], hidden: set[str]
) -> None:
    check_known_stays_known(source, env, hidden)


@pytest.mark.long
@given(sources, environments, st.sets(st.sampled_from(ROOTS), min_size=1))
@settings(max_examples=50_000, deadline=None, suppress_health_check=list(HealthCheck))
def test_what_is_known_stays_known_at_length(source: str, env: dict[str, Any], hidden: set[str]) -> None:
    check_known_stays_known(source, env, hidden)


@given(sources, environments, st.sets(st.sampled_from(ROOTS), min_size=1))
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_value_is_unknown_exactly_while_it_depends_on_an_unknown_variable(
    source: str, env: dict[str, Any], hidden: set[str]
) -> None:
    check_decided_by(source, env, hidden)


@given(sources, environments)
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
def test_only_the_variables_that_are_named_as_read_are_read(source: str, env: dict[str, Any]) -> None:
    made = compiled(source)
    only = {name: env[name] for name in made.variables}
    assert shown(outcome(made.evaluate, only)) == shown(outcome(made.evaluate, env))


def _without(value: Any, keep: set[tuple[str, ...]]) -> Any:
    """A map with only those paths; a path that ends keeps all below it."""
    if () in keep or not isinstance(value, dict):
        return value
    return {
        key: _without(inner, {path[1:] for path in keep if path[0] == key})
        for key, inner in value.items()
        if any(path[0] == key for path in keep)
    }


@given(sources, environments)
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_paths_that_are_named_as_read_are_enough(source: str, env: dict[str, Any]) -> None:
    made = compiled(source)
    shown_env = _without(env, set(made.reads))
    assert shown(outcome(made.evaluate, shown_env)) == shown(outcome(made.evaluate, env))


@given(sources, environments)
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_guard_is_the_value_with_null_as_false(source: str, env: dict[str, Any]) -> None:
    made = compiled(source)
    value, guard = outcome(made.evaluate, env), outcome(made.guard, env)
    if value is None or isinstance(value, bool):
        assert guard is bool(value)
    else:
        assert guard is UNSEEN or isinstance(guard, bool)


@given(sources, environments)
@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
def test_evaluation_leaves_the_variables_as_they_were_and_gives_the_same_again(
    source: str, env: dict[str, Any]
) -> None:
    made = compiled(source)
    before = repr(env)
    first = shown(outcome(made.evaluate, env))
    assert shown(outcome(made.evaluate, env)) == first
    assert repr(env) == before


@given(
    st.one_of(
        st.text(max_size=40), st.text(alphabet="ab1.'\"\\ ()[]{}&|!?:,+-*/%<>=in`", max_size=40), sources
    )
)
@settings(max_examples=600, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_text_is_read_or_refused(source: str) -> None:
    value_or_refusal(lambda text: expression.compile(text, FUNCTIONS), source, "expression-syntax")
