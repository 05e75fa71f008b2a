"""What expressions can call: how a function is described, and those over texts and numbers.

Those over lists, dates and money are in `expression_collections`; the engine adds its own (`lookup`,
`register`, …) and packs define theirs as expressions.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_HALF_UP, ROUND_UP, Context, Decimal, InvalidOperation
from typing import Any, Final

from gardesh.model.expression_arithmetic import bounded, too_large
from gardesh.model.expression_pattern import pattern
from gardesh.model.expression_values import (
    MAX_TEXT,
    Failure,
    Frame,
    TooCostly,
    charge,
    map_key,
    mismatch,
    plain_number,
)


@dataclass(frozen=True, slots=True)
class Function:
    """A function by the name that expressions call it, as `name(x, y)` or `x.name(y)`.

    `impl(context, *values)` gets the context that the evaluation was given. It is pure, returns a value
    of the language (`UNKNOWN` included) and raises :class:`Failure` where it has none; any other
    exception, a `Problem` among them, leaves the evaluation as it is. With `strict` it is not called
    while an argument is unknown, and with `skips_null` not for a null one: the result is then unknown, or
    null. Over lists it costs a step for each element given or returned.
    """

    name: str
    arity: tuple[int, int | None]
    """The least and the greatest number of arguments."""
    impl: Callable[..., Any]
    strict: bool = True
    skips_null: bool = False
    metered: bool = False
    """`impl` gets the frame in place of the context, to charge it. For functions of the language itself."""
    calls: frozenset[str] = frozenset()
    """What a function that a pack defines calls in turn, however deep."""
    names: frozenset[tuple[str, str]] = frozenset()
    depth: int = 0
    builds: bool = False
    """Whether it puts lists or maps together, so that what it returns is weighed."""


BUILT_IN: Final[dict[str, Function]] = {}


def built_in(name: str, least: int, most: int, *, skips_null: bool = True) -> Callable[[Any], Any]:
    """Enters a function of the language, which takes the frame and the values."""

    def enter(impl: Callable[..., Any]) -> Callable[..., Any]:
        BUILT_IN[name] = Function(name, (least, most), impl, skips_null=skips_null, metered=True)
        return impl

    return enter


def text(name: str, value: Any) -> str:
    if type(value) is not str:
        raise mismatch(name, value)
    return value


def numeric(name: str, value: Any) -> int | Decimal:
    number = plain_number(value)
    if number is None:
        raise mismatch(name, value)
    return number


def whole(name: str, value: Any) -> int:
    number = map_key(value)
    if type(number) is not int:
        raise mismatch(name, value)
    return number


def written(number: int | Decimal) -> str:
    """A number in plain digits, never with an exponent."""
    if type(number) is Decimal and (abs(number.adjusted()) > 76 or int(number.as_tuple().exponent) < -76):
        raise too_large()
    return format(number, "f") if type(number) is Decimal else str(number)


_DECIMAL = re.compile(r"-?[0-9]{1,38}(?:\.[0-9]{1,38})?", re.ASCII)


def decimal_of(name: str, value: Any) -> Decimal:
    """A decimal from a number, or from a text such as "12.50"."""
    if type(value) is not str:
        return Decimal(numeric(name, value))
    if not _DECIMAL.fullmatch(value):
        raise Failure(f"{name}(): the text is not a decimal number", f"«{name}»: متن، عدد اعشاری نیست")
    return Decimal(value)


@built_in("string", 1, 1)
def _string(_: Frame, value: Any) -> str:
    if type(value) is bool:
        return "true" if value else "false"
    return value if type(value) is str else written(numeric("string", value))


@built_in("int", 1, 1)
def _int(_: Frame, value: Any) -> int:
    if type(value) is str:
        if not re.fullmatch(r"-?[0-9]{1,38}", value):
            raise Failure("int(): the text is not an integer", "«int»: متن، عدد صحیح نیست")
        return int(value)
    number = numeric("int", value)
    if type(number) is Decimal and number.adjusted() > 38:
        raise too_large()
    return bounded(int(number))


@built_in("decimal", 1, 1)
def _decimal(_: Frame, value: Any) -> Decimal:
    return decimal_of("decimal", value)


_ROUNDING = {"half-up": ROUND_HALF_UP, "up": ROUND_UP, "down": ROUND_DOWN}
_WIDE = Context(prec=76, Emin=-999, Emax=999, traps=[InvalidOperation])


@built_in("round", 1, 3)
def _round(_: Frame, value: Any, places: Any = 0, mode: Any = "half-up") -> int | Decimal:
    """To so many decimal places (negative: tens, hundreds); `half-up`, or `up` from or `down` to zero."""
    number, count = numeric("round", value), whole("round", places)
    if mode not in _ROUNDING or abs(count) > 28:
        raise Failure(
            "round() takes up to 28 places, and half-up, up or down",
            "«round» حداکثر ۲۸ رقم و یکی از half-up و up و down را می‌پذیرد",
        )
    try:
        step = Decimal((0, (1,), -count))
        rounded = Decimal(number).quantize(step, rounding=_ROUNDING[mode], context=_WIDE)
    except InvalidOperation:
        raise too_large() from None
    return bounded(int(rounded)) if count <= 0 else rounded


@built_in("abs", 1, 1)
def _abs(_: Frame, value: Any) -> int | Decimal:
    number = numeric("abs", value)
    return number.copy_abs() if isinstance(number, Decimal) else abs(number)


def _integral(name: str, value: Any, toward: Callable[[Any], int]) -> int:
    number = numeric(name, value)
    if type(number) is Decimal and number.adjusted() > 38:
        raise too_large()
    return bounded(toward(number))


@built_in("floor", 1, 1)
def _floor(_: Frame, value: Any) -> int:
    return _integral("floor", value, math.floor)


@built_in("ceil", 1, 1)
def _ceil(_: Frame, value: Any) -> int:
    return _integral("ceil", value, math.ceil)


@built_in("startsWith", 2, 2)
def _starts_with(_: Frame, value: Any, part: Any) -> bool:
    return text("startsWith", value).startswith(text("startsWith", part))


@built_in("endsWith", 2, 2)
def _ends_with(_: Frame, value: Any, part: Any) -> bool:
    return text("endsWith", value).endswith(text("endsWith", part))


@built_in("contains", 2, 2)
def _contains(frame: Frame, value: Any, part: Any) -> bool:
    charge(frame, len(text("contains", value)) >> 6)
    return text("contains", part) in value


@built_in("matches", 2, 2)
def _matches(frame: Frame, value: Any, source: Any) -> bool:
    """Whether some part of the text matches the pattern, as in RE2: see `expression_pattern`."""
    found = pattern(text("matches", source))
    charge(frame, (len(text("matches", value)) * (1 + found.size // 32)) >> 1)
    return found.found_in(value)


@built_in("lowerAscii", 1, 1)
def _lower_ascii(_: Frame, value: Any) -> str:
    return "".join(c.lower() if c.isascii() else c for c in text("lowerAscii", value))


@built_in("upperAscii", 1, 1)
def _upper_ascii(_: Frame, value: Any) -> str:
    return "".join(c.upper() if c.isascii() else c for c in text("upperAscii", value))


@built_in("trim", 1, 1)
def _trim(_: Frame, value: Any) -> str:
    return text("trim", value).strip()


@built_in("replace", 3, 3)
def _replace(_: Frame, value: Any, old: Any, new: Any) -> str:
    if not text("replace", old):
        raise Failure("replace(): there is no text to replace", "«replace»: متنی برای جایگزینی داده نشده است")
    size = len(text("replace", value)) + value.count(old) * len(text("replace", new))
    if size > MAX_TEXT:
        raise TooCostly
    return str(value.replace(old, new))


@built_in("substring", 2, 3)
def _substring(_: Frame, value: Any, start: Any, end: Any = None) -> str:
    """The characters from `start` up to but without `end`, counted from 0."""
    last = len(text("substring", value)) if end is None else whole("substring", end)
    if not 0 <= whole("substring", start) <= last <= len(value):
        raise Failure("substring(): the text is shorter", "«substring»: متن کوتاه‌تر از این است")
    return str(value[int(start) : last])


@built_in("split", 2, 2)
def _split(_: Frame, value: Any, separator: Any) -> list[str]:
    if not text("split", separator):
        raise Failure("split(): the separator is empty", "«split»: جداکننده تهی است")
    return text("split", value).split(separator)
