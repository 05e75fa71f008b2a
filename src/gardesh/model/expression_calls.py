"""Calls of functions, and the functions that packs define."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gardesh.model.expression_functions import Function
from gardesh.model.expression_logic import Code
from gardesh.model.expression_values import (
    UNKNOWN,
    Failure,
    Frame,
    TooCostly,
    Unknown,
    charge,
    merged,
    unknown_among,
)


def strict_call(function: Function, codes: list[Code]) -> Code:
    impl, metered, skips_null = function.impl, function.metered, function.skips_null

    def evaluate(env: Mapping[str, Any], frame: Frame) -> Any:
        values = [code(env, frame) for code in codes]
        cost = 1
        unknown: Unknown | None = None
        for value in values:
            if type(value) is list:
                cost += len(value)
            elif type(value) is Unknown:
                unknown = merged(unknown, value)
        if unknown is not None:
            return unknown
        if skips_null and None in values:
            return None
        charge(frame, cost)
        result = impl(frame if metered else frame[1], *values)
        if type(result) is list:
            charge(frame, len(result))
        return result

    return evaluate


def attempted(code: Code, env: Mapping[str, Any], frame: Frame) -> Any:
    """A value, or the failure in its place: whoever reads the local name that holds it fails."""
    try:
        return code(env, frame)
    except Failure as failure:
        return failure


def lenient_call(function: Function, codes: list[Code]) -> Code:
    """A call of a function that may get on without some of its arguments.

    A function of a pack gets unknown and failing arguments as they are. To one of the engine both are
    UNKNOWN, and if it cannot do without them the call is unknown, or fails.
    """
    impl, metered = function.impl, function.metered

    def evaluate(env: Mapping[str, Any], frame: Frame) -> Any:
        values = [attempted(code, env, frame) for code in codes]
        charge(frame, 1)
        if metered:
            return impl(frame, *values)
        unknown = unknown_among(values)
        failures = [value for value in values if type(value) is Failure]
        result = impl(frame[1], *(UNKNOWN if type(v) is Unknown or type(v) is Failure else v for v in values))
        if type(result) is not Unknown:
            return result
        if unknown is None and failures:
            raise failures[0]
        return result if unknown is None else unknown

    return evaluate


def called(blank: Frame, code: Code, size: int, cost: int) -> Callable[..., Any]:
    """A function that a pack defines: `code` over a frame of its own, on the budget of its caller.

    A call means its expression with the arguments in the place of the parameters.
    """

    def run(frame: Frame, *values: Any) -> Any:
        inner = blank.copy()
        inner[0] = frame[0] - cost
        inner[1] = frame[1]
        inner[2 : 2 + size] = values
        try:
            if inner[0] < 0:
                raise TooCostly
            return code({}, inner)
        finally:
            frame[0] = inner[0]

    return run
