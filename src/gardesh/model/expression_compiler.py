"""Turns the tree of an expression into nested closures, with the common shapes made short."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from gardesh.model import expression_access as access
from gardesh.model import expression_logic as logic
from gardesh.model.expression_arithmetic import added, negated, reckoned
from gardesh.model.expression_calls import attempted, lenient_call, strict_call
from gardesh.model.expression_functions import Function
from gardesh.model.expression_logic import Code
from gardesh.model.expression_parser import Node
from gardesh.model.expression_pattern import pattern
from gardesh.model.expression_tokens import refuse
from gardesh.model.expression_values import (
    Failure,
    Frame,
    equal,
    map_key,
    member,
    ordered,
    unequal,
    unknown_among,
    weigh,
)

Scope = Mapping[str, int]
"""Local names, and the cell of the frame that holds each."""

_TESTS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_DECISIVE = {"exists": True, "all": False}


class Compiler:
    """Compiles one expression. `calls`, `names`, `depth` and `builds` say what it found on the way."""

    def __init__(self, source: str, functions: Mapping[str, Function]) -> None:
        self.source = source
        self.functions = functions
        self.calls: set[str] = set()
        self.names: set[tuple[str, str]] = set()
        self.depth = 0
        self.builds = False
        self.cells = 2

    def blank(self, budget: int) -> Frame:
        """The frame to copy for each evaluation."""
        return [budget] + [None] * (self.cells - 1)

    def cell(self) -> int:
        self.cells += 1
        return self.cells - 1

    def value(self, node: Node, scope: Scope) -> Code:
        code: Code = getattr(self, "_" + node.kind)(node, scope)
        return code

    def result(self, node: Node) -> Code:
        """The code of a whole expression. A value that it puts together is weighed: one list may be in it often."""
        code = self.value(node, {})
        if not self.builds:
            return code

        def evaluate(env: Mapping[str, Any], frame: Frame) -> Any:
            value = code(env, frame)
            if type(value) is list or type(value) is dict:
                weigh(value, frame)
            return value

        return evaluate

    def truth(self, node: Node, scope: Scope) -> Code:
        """The code of a condition: see `expression_logic.truth`."""
        if node.kind in ("and", "or"):
            return logic.junction([self.truth(part, scope) for part in node.parts], node.kind == "or")
        if node.kind == "choose":
            condition, yes, no = (self.truth(part, scope) for part in node.parts)
            return logic.choice(condition, yes, no)
        code = self.value(node, scope)
        if (
            node.kind == "has"
            or (node.kind == "binary" and (node.name in _TESTS or node.name in ("==", "!=", "in")))
            or (node.kind == "macro" and node.name in ("all", "exists", "exists_one"))
        ):
            return code
        return logic.truth(code)

    def _literal(self, node: Node, _: Scope) -> Code:
        value = node.value
        return lambda env, frame: value

    def _name(self, node: Node, scope: Scope) -> Code:
        cell = scope.get(node.name)
        return access.variable(node.name) if cell is None else access.local(cell)

    def _select(self, node: Node, scope: Scope) -> Code:
        operand = node.parts[0]
        if operand.kind != "name":
            return access.field_of(self.value(operand, scope), node.name)
        cell = scope.get(operand.name)
        if cell is None:
            return access.field_of_variable(operand.name, node.name)
        return access.field_of_cell(cell, node.name)

    def _has(self, node: Node, scope: Scope) -> Code:
        return access.present(self._select(node, scope))

    def _index(self, node: Node, scope: Scope) -> Code:
        operand, key = (self.value(part, scope) for part in node.parts)
        return lambda env, frame: access.index(operand(env, frame), key(env, frame))

    def _list(self, node: Node, scope: Scope) -> Code:
        self.builds = True
        codes = [self.value(part, scope) for part in node.parts]

        def evaluate(env: Mapping[str, Any], frame: Frame) -> Any:
            values = [code(env, frame) for code in codes]
            unknown = unknown_among(values)
            return values if unknown is None else unknown

        return evaluate

    def _range(self, node: Node, scope: Scope) -> Code:
        """What `exists`, `all` and `in` go over: a list written out may hold what is unknown or fails."""
        if node.kind != "list":
            return self.value(node, scope)
        codes = [self.value(part, scope) for part in node.parts]
        return lambda env, frame: [attempted(code, env, frame) for code in codes]

    def _map(self, node: Node, scope: Scope) -> Code:
        self.builds = True
        codes = [self.value(part, scope) for part in node.parts]

        def evaluate(env: Mapping[str, Any], frame: Frame) -> Any:
            values = [code(env, frame) for code in codes]
            unknown = unknown_among(values)
            if unknown is not None:
                return unknown
            keys = [map_key(key) for key in values[::2]]
            if None in keys or len(set(keys)) < len(keys):
                raise Failure(
                    "the keys of a map are texts or integers, each once",
                    "کلیدهای نگاشت، متن یا عدد صحیح و یکتا هستند",
                )
            return dict(zip(keys, values[1::2], strict=True))

        return evaluate

    def _not(self, node: Node, scope: Scope) -> Code:
        return logic.negation(self.value(node.parts[0], scope))

    def _negate(self, node: Node, scope: Scope) -> Code:
        operand = node.parts[0]
        if operand.kind == "literal" and type(operand.value) is Decimal:
            constant = negated(operand.value)
            return lambda env, frame: constant
        code = self.value(operand, scope)
        return lambda env, frame: negated(code(env, frame))

    def _and(self, node: Node, scope: Scope) -> Code:
        return logic.junction([self.value(part, scope) for part in node.parts], False)

    def _or(self, node: Node, scope: Scope) -> Code:
        return logic.junction([self.value(part, scope) for part in node.parts], True)

    def _choose(self, node: Node, scope: Scope) -> Code:
        condition, yes, no = node.parts
        return logic.choice(self.truth(condition, scope), self.value(yes, scope), self.value(no, scope))

    def _binary(self, node: Node, scope: Scope) -> Code:
        sign = node.name
        left, right = node.parts
        if sign in ("==", "!="):
            return self._equality(sign, left, right, scope)
        if sign == "in":
            return self._membership(left, right, scope)
        a, b = self.value(left, scope), self.value(right, scope)
        if sign in _TESTS:
            test = _TESTS[sign]
            return lambda env, frame: ordered(test, sign, a(env, frame), b(env, frame))
        if sign == "+":
            return lambda env, frame: added(a(env, frame), b(env, frame), frame)
        return lambda env, frame: reckoned(sign, a(env, frame), b(env, frame))

    def _equality(self, sign: str, left: Node, right: Node, scope: Scope) -> Code:
        if left.kind == "literal":
            left, right = right, left
        a = self.value(left, scope)
        if right.kind == "literal" and (right.value is None or type(right.value) is str):
            return logic.equals_constant(a, right.value, sign == "==")
        b = self.value(right, scope)
        if sign == "==":
            return lambda env, frame: equal(a(env, frame), b(env, frame), frame)
        return lambda env, frame: unequal(a(env, frame), b(env, frame), frame)

    def _membership(self, left: Node, right: Node, scope: Scope) -> Code:
        item, group = self.value(left, scope), self._range(right, scope)
        constants = [part.value for part in right.parts if part.kind == "literal"]
        if right.kind != "list" or len(constants) < len(right.parts):
            return lambda env, frame: member(item(env, frame), group(env, frame), frame)
        texts = frozenset(value for value in constants if type(value) is str)

        def evaluate(env: Mapping[str, Any], frame: Frame) -> Any:
            value = item(env, frame)
            return value in texts if type(value) is str else member(value, constants, frame)

        return evaluate

    def _bind(self, node: Node, scope: Scope) -> Code:
        value = self.value(node.parts[0], scope)
        cell = self.cell()
        body = self.value(node.parts[1], {**scope, node.variable: cell})

        def evaluate(env: Mapping[str, Any], frame: Frame) -> Any:
            frame[cell] = attempted(value, env, frame)
            return body(env, frame)

        return evaluate

    def _macro(self, node: Node, scope: Scope) -> Code:
        decides = node.name in _DECISIVE
        over = self._range(node.parts[0], scope) if decides else self.value(node.parts[0], scope)
        cell = self.cell()
        inner = {**scope, node.variable: cell}
        first = node.parts[1]
        weight = 1 + sum(part.size for part in node.parts[1:]) // 4
        if decides:
            return logic.quantified(over, cell, self.truth(first, inner), weight, _DECISIVE[node.name])
        if node.name == "exists_one":
            return logic.exactly_one(over, cell, self.truth(first, inner), weight)
        filters = node.name == "filter" or len(node.parts) == 3
        self.builds |= node.name == "map"
        keep = self.truth(first, inner) if filters else None
        body = None if node.name == "filter" else self.value(node.parts[-1], inner)
        return logic.gathered(node.name, over, cell, keep, body, weight)

    def _call(self, node: Node, scope: Scope) -> Code:
        function = self._function(node)
        first = node.parts[0] if node.parts else node
        if first.kind == "literal" and type(first.value) is str:
            self.names.add((node.name, first.value))
        self.names |= function.names
        self.calls |= {node.name} | function.calls
        self.depth = max(self.depth, function.depth)
        self.builds |= function.builds
        if (
            function.name == "matches"
            and node.parts[1].kind == "literal"
            and type(node.parts[1].value) is str
        ):
            try:
                pattern(node.parts[1].value)
            except Failure as failure:
                refuse(self.source, node.parts[1].at, failure.en, failure.fa)
        codes = [self.value(part, scope) for part in node.parts]
        return strict_call(function, codes) if function.strict else lenient_call(function, codes)

    def _function(self, node: Node) -> Function:
        function = self.functions.get(node.name)
        if function is None:
            refuse(
                self.source, node.at, f"there is no function “{node.name}”", f"تابع «{node.name}» وجود ندارد"
            )
        least, most = function.arity
        count = len(node.parts)
        if count < least or (most is not None and count > most):
            refuse(
                self.source,
                node.at,
                f"“{node.name}” does not take {count} arguments",
                f"تابع «{node.name}» با {count} ورودی تعریف نشده است",
            )
        return function
