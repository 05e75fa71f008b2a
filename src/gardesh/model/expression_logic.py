"""The three-valued parts of expressions: conditions, `&&`, `||`, `!`, `? :` and the macros over lists.

An operand that decides does so wherever it stands: `false && x` and `x && false` are false even if x is
unknown or fails, as in CEL. Otherwise unknown comes before failure, failure before null. A condition, a
predicate or a guard that is null counts as false. So a result that is known stays what it is, whatever the
unknown turns out to be.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gardesh.model.expression_values import (
    Failure,
    Frame,
    Unknown,
    canonical,
    charge,
    described,
    merged,
    mismatch,
)

Code = Callable[[Mapping[str, Any], Frame], Any]
"""A compiled expression: from the variables and the frame to a value."""


def truth(code: Code) -> Code:
    """The same as a condition: true, false or unknown; null is false."""

    def evaluate(env: Mapping[str, Any], frame: Frame) -> Any:
        value = code(env, frame)
        if value is True or value is False:
            return value
        if value is None:
            return False
        if type(value) is Unknown:
            return value
        en, fa = described(value)
        raise Failure(f"a condition is true or false, not {en}", f"شرط باید درست یا نادرست باشد، نه {fa}")

    return evaluate


def negation(code: Code) -> Code:
    """`!`: null stays null, so that a guard over something absent is false either way."""

    def evaluate(env: Mapping[str, Any], frame: Frame) -> Any:
        value = code(env, frame)
        if value is True or value is False:
            return not value
        if value is None or type(value) is Unknown:
            return value
        raise mismatch("!", value)

    return evaluate


def junction(codes: list[Code], decisive: bool) -> Code:
    """`||` (true decides) or `&&` (false decides) of several operands."""
    other = not decisive
    sign = "||" if decisive else "&&"

    def evaluate(env: Mapping[str, Any], frame: Frame) -> Any:
        unknown: Unknown | None = None
        failure: Failure | None = None
        absent = False
        for code in codes:
            try:
                value = code(env, frame)
            except Failure as raised:
                failure = failure or raised
                continue
            if value is decisive:
                return decisive
            if value is other:
                continue
            if value is None:
                absent = True
            elif type(value) is Unknown:
                unknown = merged(unknown, value)
            else:
                failure = failure or mismatch(sign, value)
        if unknown is not None:
            return unknown
        if failure is not None:
            raise failure
        return None if absent else other

    return evaluate


def choice(condition: Code, yes: Code, no: Code) -> Code:
    """`condition ? yes : no`. The condition is one of :func:`truth`."""

    def evaluate(env: Mapping[str, Any], frame: Frame) -> Any:
        chosen: Any
        try:
            chosen = condition(env, frame)
        except Failure as raised:
            chosen = raised
        if chosen is True:
            return yes(env, frame)
        if chosen is False:
            return no(env, frame)
        agreed = _agreed(yes, no, env, frame)
        if agreed is not None:
            return agreed[0]
        if isinstance(chosen, Failure):
            raise chosen
        return chosen

    return evaluate


def _agreed(yes: Code, no: Code, env: Mapping[str, Any], frame: Frame) -> tuple[Any] | None:
    """What both branches give, if that is one and the same value: then the condition does not matter."""
    try:
        a, b = yes(env, frame), no(env, frame)
        if type(a) is Unknown or type(b) is Unknown:
            return None
        return (a,) if canonical(a, frame, exact=True) == canonical(b, frame, exact=True) else None
    except Failure:
        return None


def elements(name: str, value: Any) -> Any:
    """What a macro goes over: a list, the keys of a map, nothing for null; or unknown."""
    if type(value) is list or type(value) is Unknown:
        return value
    if value is None:
        return []
    if type(value) is dict:
        return list(value)
    raise mismatch(name, value)


def quantified(over: Code, slot: int, predicate: Code, weight: int, decisive: bool) -> Code:
    """`exists` (true decides) or `all` (false decides): `||` or `&&` over the elements."""
    name = "exists" if decisive else "all"

    def evaluate(env: Mapping[str, Any], frame: Frame) -> Any:
        items = over(env, frame)
        if type(items) is not list:
            items = elements(name, items)
            if type(items) is Unknown:
                return items
        charge(frame, len(items) * weight)
        unknown: Unknown | None = None
        failure: Failure | None = None
        for frame[slot] in items:
            try:
                value = predicate(env, frame)
            except Failure as raised:
                failure = failure or raised
                continue
            if value is decisive:
                return decisive
            if type(value) is Unknown:
                unknown = merged(unknown, value)
        if unknown is not None:
            return unknown
        if failure is not None:
            raise failure
        return not decisive

    return evaluate


def exactly_one(over: Code, slot: int, predicate: Code, weight: int) -> Code:
    """`exists_one`: strict, as in CEL: every element must be known and without failure."""

    def evaluate(env: Mapping[str, Any], frame: Frame) -> Any:
        items = elements("exists_one", over(env, frame))
        if type(items) is Unknown:
            return items
        charge(frame, len(items) * weight)
        unknown: Unknown | None = None
        count = 0
        for frame[slot] in items:
            value = predicate(env, frame)
            if value is True:
                count += 1
            elif value is not False:
                unknown = merged(unknown, value)
        return count == 1 if unknown is None else unknown

    return evaluate


def gathered(name: str, over: Code, slot: int, keep: Code | None, body: Code | None, weight: int) -> Code:
    """`map` and `filter`: the body (or the element) for each element that is kept."""

    def evaluate(env: Mapping[str, Any], frame: Frame) -> Any:
        items = elements(name, over(env, frame))
        if type(items) is Unknown:
            return items
        charge(frame, len(items) * weight)
        unknown: Unknown | None = None
        found: list[Any] = []
        for item in items:
            frame[slot] = item
            kept = True if keep is None else keep(env, frame)
            if kept is False:
                continue
            value = (item if body is None else body(env, frame)) if kept is True else kept
            if type(value) is Unknown:
                unknown = merged(unknown, value)
            else:
                found.append(value)
        return found if unknown is None else unknown

    return evaluate


def equals_constant(code: Code, constant: str | None, wanted: bool) -> Code:
    """Comparison with a text or with null written out. `x != null` asks whether x is there."""

    def to_null(env: Mapping[str, Any], frame: Frame) -> Any:
        value = code(env, frame)
        return value if type(value) is Unknown else (value is None) is wanted

    def same(env: Mapping[str, Any], frame: Frame) -> Any:
        value = code(env, frame)
        if type(value) is str:
            return value == constant
        return value if type(value) is Unknown else False

    def differs(env: Mapping[str, Any], frame: Frame) -> Any:
        value = code(env, frame)
        if type(value) is str:
            return value != constant
        return value if type(value) is Unknown else value is not None

    if constant is None:
        return to_null
    return same if wanted else differs
