"""Reckoning in expressions: integers and decimals, exact or refused.

`+`, `-` and `*` are exact or fail; `/` gives an integer where integers divide evenly and otherwise a
decimal of 28 digits, rounded half-even; `%` takes integers and has the sign of its left side, as in CEL.
An integer has at most 38 digits. Reckoning with null gives null; joining a list to null leaves the list,
for a list over null is empty.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from decimal import (
    ROUND_HALF_EVEN,
    Context,
    Decimal,
    DecimalException,
    DivisionByZero,
    Inexact,
    InvalidOperation,
    Overflow,
    Underflow,
)
from typing import Any, Final

from gardesh.model.expression_values import (
    MAX_TEXT,
    Failure,
    Frame,
    TooCostly,
    Unknown,
    charge,
    merged,
    mismatch,
    plain_number,
)

LARGEST: Final = 10**38
_TRAPS = [InvalidOperation, DivisionByZero, Overflow, Underflow]
EXACT: Final = Context(prec=76, rounding=ROUND_HALF_EVEN, Emin=-999, Emax=999, traps=[*_TRAPS, Inexact])
QUOTIENT: Final = Context(prec=28, rounding=ROUND_HALF_EVEN, Emin=-999, Emax=999, traps=_TRAPS)


def added(a: Any, b: Any, frame: Frame) -> Any:
    """`+` of numbers, texts or lists."""
    if type(a) is int and type(b) is int:
        return bounded(a + b)
    if type(a) is str and type(b) is str:
        size = len(a) + len(b)
        charge(frame, size >> 4)
        if size > MAX_TEXT:
            raise TooCostly
        return a + b
    if type(a) is list and type(b) is list:
        charge(frame, len(a) + len(b))
        return a + b
    if a is None and type(b) is list:
        return b
    if b is None and type(a) is list:
        return a
    return reckoned("+", a, b)


_WHOLE: dict[str, Callable[[int, int], int]] = {"+": operator.add, "-": operator.sub, "*": operator.mul}
_EXACT: dict[str, Callable[[Decimal, Decimal], Decimal]] = {
    "+": EXACT.add,
    "-": EXACT.subtract,
    "*": EXACT.multiply,
}


def reckoned(sign: str, a: Any, b: Any) -> Any:
    """`+`, `-`, `*`, `/`, `%` of two numbers; null if one is absent."""
    if type(a) is Unknown or type(b) is Unknown:
        return merged(a, b)
    if a is None or b is None:
        return None
    x, y = plain_number(a), plain_number(b)
    if x is None or y is None:
        raise mismatch(sign, a, b)
    try:
        if sign == "/":
            return _divided(x, y)
        if sign == "%":
            return _remainder(x, y)
        if type(x) is int and type(y) is int:
            return bounded(_WHOLE[sign](x, y))
        return _EXACT[sign](Decimal(x), Decimal(y))
    except DecimalException:
        raise too_large() from None


def bounded(value: int) -> int:
    """An integer of at most 38 digits, or a failure."""
    if -LARGEST < value < LARGEST:
        return value
    raise too_large()


def too_large() -> Failure:
    return Failure("a number gets too large, or too fine to be exact", "عدد بیش از اندازه بزرگ یا ریز می‌شود")


def _divided(x: int | Decimal, y: int | Decimal) -> int | Decimal:
    if y == 0:
        raise Failure("it divides by zero", "تقسیم بر صفر است")
    if type(x) is int and type(y) is int and x % y == 0:
        return x // y
    return QUOTIENT.divide(Decimal(x), Decimal(y))


def _remainder(x: int | Decimal, y: int | Decimal) -> int:
    if type(x) is not int or type(y) is not int:
        raise Failure("“%” takes integers", "«%» تنها برای عدد صحیح تعریف شده است")
    if y == 0:
        raise Failure("it divides by zero", "تقسیم بر صفر است")
    rest = abs(x) % abs(y)
    return -rest if x < 0 else rest


def negated(value: Any) -> Any:
    """Unary `-`."""
    if value is None or type(value) is Unknown:
        return value
    number = plain_number(value)
    if number is None:
        raise mismatch("-", value)
    return -number if type(number) is int else EXACT.minus(number)
