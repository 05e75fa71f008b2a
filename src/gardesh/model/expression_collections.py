"""Functions of expressions over lists, maps, dates and money.

A null list is empty. A sum, a least or a joined text over an absent element is itself null: a total that
left something out would be a lie. Dates are ISO 8601 texts; of an instant the date as written counts.
Money is `{amount, currency}` with the amount a number or a decimal text.
"""

from __future__ import annotations

import datetime
import operator
import re
from collections.abc import Callable
from decimal import Context, Decimal, InvalidOperation
from typing import Any

from gardesh.model.expression_arithmetic import reckoned, too_large
from gardesh.model.expression_functions import BUILT_IN as BUILT_IN  # all of them, once this is imported
from gardesh.model.expression_functions import built_in, decimal_of, text, whole, written
from gardesh.model.expression_values import (
    MAX_TEXT,
    Failure,
    Frame,
    TooCostly,
    canonical,
    charge,
    map_key,
    mismatch,
    ordered,
    plain_number,
)


def listed(name: str, value: Any) -> list[Any]:
    if value is None:
        return []
    if type(value) is not list:
        raise mismatch(name, value)
    return value


@built_in("size", 1, 1, skips_null=False)
def _size(_: Frame, value: Any) -> int:
    if value is None:
        return 0
    if type(value) not in (str, list, dict):
        raise mismatch("size", value)
    return len(value)


@built_in("distinct", 1, 1, skips_null=False)
def _distinct(frame: Frame, value: Any) -> list[Any]:
    """The elements without repetition, each where it first stood."""
    found: dict[Any, Any] = {}
    for item in listed("distinct", value):
        found.setdefault(canonical(item, frame), item)
    return list(found.values())


@built_in("flatten", 1, 1, skips_null=False)
def _flatten(frame: Frame, value: Any) -> list[Any]:
    """One list of the elements of the lists in a list (null ones are empty)."""
    found: list[Any] = []
    for item in listed("flatten", value):
        if type(item) is list:
            charge(frame, len(item))
            found.extend(item)
        elif item is not None:
            found.append(item)
    return found


@built_in("minus", 2, 2, skips_null=False)
def _minus(frame: Frame, value: Any, others: Any) -> list[Any]:
    """The elements of the first list that are not in the second."""
    gone = {canonical(item, frame) for item in listed("minus", others)}
    return [item for item in listed("minus", value) if canonical(item, frame) not in gone]


@built_in("sum", 1, 1, skips_null=False)
def _sum(_: Frame, value: Any) -> Any:
    total: Any = 0
    for item in listed("sum", value):
        total = reckoned("+", total, item)
    return total


def _extreme(name: str, test: Callable[[Any, Any], bool], values: tuple[Any, ...]) -> Any:
    items = listed(name, values[0]) if len(values) == 1 and type(values[0]) is list else list(values)
    best = items[0] if items else None
    for item in items:
        if item is None:
            return None
        if ordered(test, name, item, best):
            best = item
    return best


@built_in("min", 1, 64, skips_null=False)
def _min(_: Frame, *values: Any) -> Any:
    """The least element of a list, or of several values; null if there is none."""
    return _extreme("min", operator.lt, values)


@built_in("max", 1, 64, skips_null=False)
def _max(_: Frame, *values: Any) -> Any:
    return _extreme("max", operator.gt, values)


@built_in("sort", 1, 1, skips_null=False)
def _sort(_: Frame, value: Any) -> list[Any]:
    """Texts by code point, or numbers by value, rising."""
    items = listed("sort", value)
    numbers = [plain_number(item) for item in items]
    if all(number is not None for number in numbers):
        return sorted(items, key=plain_number)  # type: ignore[arg-type]
    if any(type(item) is not str for item in items):
        raise mismatch("sort", next(item for item in items if type(item) is not str))
    return sorted(items)


@built_in("join", 1, 2, skips_null=False)
def _join(_: Frame, value: Any, separator: Any = "") -> str | None:
    items = listed("join", value)
    if separator is None or None in items:
        return None
    length = len(text("join", separator)) * len(items) + sum(len(text("join", item)) for item in items)
    if length > MAX_TEXT:
        raise TooCostly
    return str(separator.join(items))


@built_in("keys", 1, 1, skips_null=False)
def _keys(frame: Frame, value: Any) -> list[Any]:
    if value is None:
        return []
    if type(value) is not dict:
        raise mismatch("keys", value)
    charge(frame, len(value))
    return list(value)


@built_in("group", 2, 2, skips_null=False)
def _group(_: Frame, value: Any, field: Any) -> dict[Any, list[Any]]:
    """The maps of a list under what their field says: `group(goods, 'hs')`."""
    groups: dict[Any, list[Any]] = {}
    for item in listed("group", value):
        key = map_key(item.get(text("group", field))) if type(item) is dict else None
        if key is None:
            raise Failure(
                "group(): an element has no text or integer in that field",
                "«group»: یکی از اجزا در آن فیلد متن یا عدد صحیح ندارد",
            )
        groups.setdefault(key, []).append(item)
    return groups


@built_in("npv", 2, 2)
def _npv(frame: Frame, rate: Any, flows: Any) -> Decimal | None:
    """The present value of a cash flow: its first element now, each next one a period later, at a rate per period.

    To 12 decimal places; null over an absent element.
    """
    factor = 1 + decimal_of("npv", rate)
    if factor <= 0:
        raise Failure("npv(): the rate is over -1", "«npv»: نرخ باید از ۱- بیشتر باشد")
    total = Decimal(0)
    charge(frame, len(listed("npv", flows)))
    for item in reversed(flows):
        if item is None:
            return None
        total = _PRESENT.add(decimal_of("npv", item), _PRESENT.divide(total, factor))
    try:
        return total.quantize(Decimal("1e-12"), context=_PRESENT)
    except InvalidOperation:
        raise too_large() from None


_PRESENT = Context(prec=76, Emin=-999, Emax=999, traps=[InvalidOperation])

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:T[0-9:.,+\-Z]*)?")


def _day(name: str, value: Any) -> datetime.date:
    try:
        if _DATE.fullmatch(text(name, value)):
            return datetime.date.fromisoformat(value[:10])
    except ValueError:
        pass
    raise Failure(f"{name}(): the text is not an ISO 8601 date", f"«{name}»: متن، تاریخ ISO 8601 نیست")


@built_in("date", 1, 1)
def _date(_: Frame, value: Any) -> str:
    """The date of a date or an instant."""
    return _day("date", value).isoformat()


@built_in("days_between", 2, 2)
def _days_between(_: Frame, first: Any, last: Any) -> int:
    """Days from the first date to the last; negative if that is earlier."""
    return (_day("days_between", last) - _day("days_between", first)).days


@built_in("add_days", 2, 2)
def _add_days(_: Frame, value: Any, days: Any) -> str:
    """The date so many days later; an instant keeps its time of day."""
    try:
        moved = _day("add_days", value) + datetime.timedelta(days=whole("add_days", days))
    except OverflowError:
        raise Failure("add_days(): there is no such date", "«add_days»: چنین تاریخی وجود ندارد") from None
    return moved.isoformat() + str(value[10:])


def _amount_of(name: str, value: Any) -> Any:
    if type(value) is not dict:
        raise mismatch(name, value)
    given = value.get("amount")
    return None if given is None else decimal_of(name, given)


@built_in("amount", 1, 1)
def _amount(_: Frame, value: Any) -> Any:
    """The amount of money as a decimal."""
    return _amount_of("amount", value)


def _money_of(amount: int | Decimal, currency: Any) -> dict[str, Any]:
    return {"amount": written(amount), "currency": currency}


@built_in("money", 2, 2)
def _money(_: Frame, amount: Any, currency: Any) -> dict[str, Any]:
    """Money as documents write it: the amount a text of plain digits."""
    if not re.fullmatch("[A-Z]{3}", text("money", currency)):
        raise Failure(
            "money(): a currency is three letters of ISO 4217", "«money»: ارز با سه حرف ISO 4217 نوشته می‌شود"
        )
    return _money_of(decimal_of("money", amount), currency)


@built_in("sum_money", 1, 1, skips_null=False)
def _sum_money(_: Frame, value: Any) -> Any:
    """The sum of money in one currency; null over an empty list, which has no currency."""
    total: Any = Decimal(0)
    currency: Any = None
    for item in listed("sum_money", value):
        if item is None:
            return None
        total = reckoned("+", total, _amount_of("sum_money", item))
        found = text("sum_money", item.get("currency"))
        if currency not in (None, found):
            raise Failure("sum_money(): the currencies differ", "«sum_money»: ارزها یکسان نیستند")
        currency = found
    return None if total is None or currency is None else _money_of(total, currency)
