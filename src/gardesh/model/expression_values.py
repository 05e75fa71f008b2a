"""The values of expressions, and how they compare.

A value is a text, an integer, a :class:`~decimal.Decimal`, true or false, a list, a map, null or *unknown*.

- *Unknown* stands for a document that could still come. Whatever needs it is unknown too.
- Null stands for what is absent: a step that does not apply, a field that was not filled in. `==` takes
  it as a value (null equals only null); `!=`, `<` and their like are false when one side is absent.
- Integers and decimals mix, and compare by value.

Every evaluation has a budget of steps, kept in the first cell of its frame.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any, Final

Frame = list[Any]
"""`[steps left, context, slot, slot, …]`: what one evaluation works on."""

MAX_TEXT: Final = 1_000_000
MAX_LEVELS: Final = 64


class Unknown:
    """What could still come. `roots`: the variables it came from, where `decided_by` asks."""

    __slots__ = ("roots",)

    def __init__(self, roots: frozenset[str] = frozenset()) -> None:
        self.roots = roots

    def __repr__(self) -> str:
        return "UNKNOWN"

    def __bool__(self) -> bool:
        raise TypeError("UNKNOWN is neither true nor false")


UNKNOWN: Final = Unknown()


class Failure(Exception):
    """An expression has no value: why, in both languages, quoting no value of a document.

    `&&`, `||`, `all` and `exists` absorb it where another operand decides.
    """

    def __init__(self, en: str, fa: str) -> None:
        super().__init__(en)
        self.en = en
        self.fa = fa


class TooCostly(Exception):
    """The budget of steps is used up. Nothing absorbs it."""


def charge(frame: Frame, steps: int) -> None:
    """Takes steps from the budget. Raises :class:`TooCostly`."""
    frame[0] -= steps
    if frame[0] < 0:
        raise TooCostly


def merged(a: Any, b: Any) -> Unknown:
    """The unknown of two values, of which at least one is unknown."""
    if type(a) is not Unknown:
        return b  # type: ignore[no-any-return]
    if type(b) is not Unknown or a is b:
        return a
    return Unknown(a.roots | b.roots)


def unknown_among(values: list[Any]) -> Unknown | None:
    """The unknown of those that are, or None."""
    unknown: Unknown | None = None
    for value in values:
        if type(value) is Unknown:
            unknown = merged(unknown, value)
    return unknown


_NAMES: dict[type, tuple[str, str]] = {
    str: ("a text", "متن"),
    int: ("a number", "عدد"),
    Decimal: ("a number", "عدد"),
    float: ("a number", "عدد"),
    bool: ("true or false", "مقدار منطقی"),
    list: ("a list", "فهرست"),
    dict: ("a map", "نگاشت"),
    type(None): ("null", "تهی"),
}


def described(value: Any) -> tuple[str, str]:
    """The type of a value, in English and Persian."""
    return _NAMES.get(type(value), ("a value of no known type", "مقداری از نوع ناشناخته"))


def mismatch(sign: str, *values: Any) -> Failure:
    """`sign` (an operator, a function) cannot take these values."""
    kinds = [described(value) for value in values]
    en = " and ".join(kind[0] for kind in kinds)
    fa = " و ".join(kind[1] for kind in kinds)
    return Failure(f"“{sign}” does not take {en}", f"«{sign}» برای {fa} تعریف نشده است")


def no_field(value: Any) -> Failure:
    en, fa = described(value)
    return Failure(f"{en} has no fields", f"{fa} فیلد ندارد")


def plain_number(value: Any) -> int | Decimal | None:
    """A number as it is; a float, where a caller gives one, as the decimal that it is written as."""
    kind = type(value)
    if kind is int or kind is Decimal:
        return value  # type: ignore[no-any-return]
    if kind is float and math.isfinite(value):
        return Decimal(repr(value))
    return None


_SCALARS = frozenset((str, int, bool, Decimal, type(None)))
_ORDERED = frozenset((str, int, bool, Decimal))
_NUMBERS = frozenset((int, Decimal, float))


def equal(a: Any, b: Any, frame: Frame, level: int = 0) -> bool | Unknown:
    """Whether two values are the same: numbers by value, lists and maps by what they hold."""
    kind, other = type(a), type(b)
    if kind is other and kind in _SCALARS:
        return bool(a == b)
    if kind is Unknown or other is Unknown:
        return merged(a, b)
    if kind in _NUMBERS and other in _NUMBERS:
        return plain_number(a) == plain_number(b)
    if kind is not other or kind not in (list, dict) or len(a) != len(b):
        return False
    charge(frame, 1 + len(a))
    if level > MAX_LEVELS:
        raise TooCostly
    if kind is list:
        return _all_equal(zip(a, b, strict=True), frame, level)
    if a.keys() != b.keys():
        return False
    return _all_equal(((value, b[key]) for key, value in a.items()), frame, level)


def _all_equal(pairs: Iterable[tuple[Any, Any]], frame: Frame, level: int) -> bool | Unknown:
    result: bool | Unknown = True
    for a, b in pairs:
        same = equal(a, b, frame, level + 1)
        if same is False:
            return False
        if same is not True:
            result = merged(result, same)
    return result


def unequal(a: Any, b: Any, frame: Frame) -> bool | Unknown:
    """`!=`: whether both are there and differ. `x != null`, compiled apart, asks whether x is there."""
    if a is None or b is None:
        return merged(a, b) if type(a) is Unknown or type(b) is Unknown else False
    same = equal(a, b, frame)
    return not same if isinstance(same, bool) else same


def ordered(test: Callable[[Any, Any], bool], sign: str, a: Any, b: Any) -> bool | Unknown:
    """`<` and its like over two texts (by code point), numbers or truth values; false if one is absent."""
    kind, other = type(a), type(b)
    if kind is other and kind in _ORDERED:
        return test(a, b)
    if kind is Unknown or other is Unknown:
        return merged(a, b)
    if a is None or b is None:
        return False
    if kind in _NUMBERS and other in _NUMBERS:
        return test(plain_number(a), plain_number(b))
    raise mismatch(sign, a, b)


def member(item: Any, group: Any, frame: Frame) -> bool | Unknown:
    """`in`: whether a list has an equal element, or a map the key; false over null."""
    if type(item) is Unknown or type(group) is Unknown:
        return merged(item, group)
    if group is None:
        return False
    if type(group) is dict and type(item) not in (list, dict):
        key = map_key(item)
        return key is not None and key in group
    if type(group) is not list:
        raise mismatch("in", item, group)
    charge(frame, 1 + (len(group) >> 3))
    unknown: Unknown | None = None
    failure: Failure | None = None
    for element in group:
        if type(element) is Failure:
            failure = failure or element
            continue
        same = equal(item, element, frame)
        if same is True:
            return True
        if same is not False:
            unknown = merged(unknown, same)
    if unknown is None and failure is not None:
        raise failure
    return False if unknown is None else unknown


def map_key(value: Any) -> str | int | None:
    """A value as the key of a map: a text or an integer. Anything else is no key."""
    if type(value) is str or type(value) is int:
        return value
    if type(value) is Decimal and value == value.to_integral_value() and value.adjusted() < MAX_LEVELS:
        return int(value)
    return None


def canonical(value: Any, frame: Frame, exact: bool = False, level: int = 0) -> Any:
    """A hashable form: equal for equal values; with `exact`, only for values that nothing tells apart.

    (1 and 1.0 are equal, but their texts differ.)
    """
    kind = type(value)
    if kind is str or value is None:
        return value
    if kind is bool:
        return ("truth", value)
    number = plain_number(value)
    if number is not None:
        return ("number", str(number)) if exact else number
    if kind not in (list, dict):
        raise mismatch("==", value)
    charge(frame, 1 + len(value))
    if level > MAX_LEVELS:
        raise TooCostly
    if kind is list:
        return ("list", tuple(canonical(item, frame, exact, level + 1) for item in value))
    pairs = [(key, canonical(item, frame, exact, level + 1)) for key, item in value.items()]
    return ("map", tuple(pairs) if exact else frozenset(pairs))


def weigh(value: Any, frame: Frame) -> None:
    """Charges for all that a value holds. Parts that it holds many times over count each time."""
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if type(part) is list:
            waiting.extend(part)
        elif type(part) is dict:
            waiting.extend(part.values())
        charge(frame, 1 + (len(part) >> 4) if type(part) in (str, list, dict) else 1)
