"""Money is a decimal with a currency, a quantity a decimal with a unit: exact, never mixed, never a binary float.

In documents both are JSON objects whose number is a text, `{"amount": "12.50", "currency": "IRR"}` and
`{"value": "12", "unit": "KGM"}`; :data:`SHARED_DEFS` are their JSON Schemas, which packs name as
`{$ref: "gardesh:money"}` and `{$ref: "gardesh:quantity"}`.

Reckoning is exact or refused (`amount-too-long`); only :meth:`Money.rounded` rounds, and only when asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal, Inexact, InvalidOperation, Overflow
from typing import Any, Final, Self

from gardesh.model import check_digits, code_lists, units
from gardesh.model.digits import persian_digits
from gardesh.model.problem import Problem, define

MALFORMED: Final = define(
    "money-malformed",
    422,
    en="This is not {what}: {en}",
    fa="این {what_fa} نیست: {fa}",
    hint_en='Write it like {{"amount": "12.50", "currency": "IRR"}} or {{"value": "12", "unit": "KGM"}}.',
    hint_fa='آن را مانند ‎{{"amount": "12.50", "currency": "IRR"}}‎ یا ‎{{"value": "12", "unit": "KGM"}}‎ بنویسید.',
)
MIXED: Final = define(
    "money-mixed",
    422,
    en="{one} and {other} cannot be reckoned together.",
    fa="{one} و {other} را نمی‌توان با هم حساب کرد.",
    hint_en="Convert one of them first, by a rate that a document states.",
    hint_fa="نخست یکی را با نرخی که در سندی آمده است تبدیل کنید.",
)
TOO_LONG: Final = define(
    "amount-too-long",
    422,
    en="The result has more digits than an amount may have.",
    fa="حاصل بیش از حد مجاز رقم دارد.",
)
UNSHARED: Final = define(
    "money-not-divisible",
    422,
    en="{money} cannot be divided: {en}",
    fa="{money} را نمی‌توان تقسیم کرد: {fa}",
)

# Two factors of at most 30 digits each fit; what would lose a digit is refused.
_EXACT = Context(prec=62, traps=[Inexact, InvalidOperation, Overflow])
_ROUNDING = Context(prec=62, traps=[InvalidOperation, Overflow])
_MINOR_NOT_USED = frozenset({"IRR"})
_LRM = "\u200e"


def read_decimal(value: object, pointer: str = "", what: tuple[str, str] = ("an amount", "مبلغ")) -> Decimal:
    """A decimal as documents write it (a text, see the format `decimal`). Raises `money-malformed`."""
    if not isinstance(value, str):
        en, fa = (
            "the number must be a text, so that no digit is lost.",
            "عدد باید به صورت متن باشد تا رقمی از آن گم نشود.",
        )
        raise Problem(MALFORMED, pointer, what=what[0], what_fa=what[1], en=en, fa=fa)
    flaw = check_digits.decimal(value)
    if flaw is not None:
        raise Problem(MALFORMED, pointer, what=what[0], what_fa=what[1], en=flaw.en, fa=flaw.fa)
    return Decimal(value)


def write_decimal(value: Decimal) -> str:
    """The text of a decimal: no exponent, no minus before zero, the decimals as they are."""
    if value.is_zero() and value.is_signed():
        value = value.copy_abs()
    return f"{value:f}"


def _members(
    value: object, names: tuple[str, str], pointer: str, what: tuple[str, str]
) -> tuple[Decimal, str]:
    if not isinstance(value, Mapping) or set(value) != set(names):
        en, fa = (
            f"it has exactly {names[0]} and {names[1]}.",
            f"باید دقیقاً «{names[0]}» و «{names[1]}» را داشته باشد.",
        )
        raise Problem(MALFORMED, pointer, what=what[0], what_fa=what[1], en=en, fa=fa)
    code = value[names[1]]
    flaw = (check_digits.currency if names[1] == "currency" else check_digits.unit)(
        code if isinstance(code, str) else ""
    )
    if flaw is not None:
        raise Problem(
            MALFORMED, f"{pointer}/{names[1]}", what=what[0], what_fa=what[1], en=flaw.en, fa=flaw.fa
        )
    return read_decimal(value[names[0]], f"{pointer}/{names[0]}", what), str(code)


def _exactly(operation: str, a: Decimal, b: Decimal) -> Decimal:
    try:
        made: Decimal = getattr(_EXACT, operation)(a, b)
    except (Inexact, Overflow, InvalidOperation):
        raise Problem(TOO_LONG) from None
    return made


@dataclass(frozen=True, slots=True)
class Money:
    """An amount of one currency (ISO 4217). It may have more decimals than the currency, as unit prices do."""

    amount: Decimal
    currency: str

    @classmethod
    def parse(cls, value: object, pointer: str = "") -> Self:
        """Money from its JSON form. Raises `money-malformed` at the member that is wrong."""
        return cls(*_members(value, ("amount", "currency"), pointer, ("an amount of money", "مبلغی پول")))

    @classmethod
    def of(cls, amount: str | int | Decimal, currency: str) -> Self:
        return cls(Decimal(amount), currency)

    def as_json(self) -> dict[str, str]:
        return {"amount": write_decimal(self.amount), "currency": self.currency}

    def _same(self, other: Money) -> None:
        if self.currency != other.currency:
            raise Problem(MIXED, one=self.currency, other=other.currency)

    def __add__(self, other: Money) -> Money:
        self._same(other)
        return Money(_exactly("add", self.amount, other.amount), self.currency)

    def __sub__(self, other: Money) -> Money:
        self._same(other)
        return Money(_exactly("subtract", self.amount, other.amount), self.currency)

    def __neg__(self) -> Money:
        return Money(self.amount.copy_negate(), self.currency)

    def __mul__(self, factor: Decimal | int) -> Money:
        return Money(_exactly("multiply", self.amount, Decimal(factor)), self.currency)

    def __lt__(self, other: Money) -> bool:
        self._same(other)
        return self.amount < other.amount

    def __le__(self, other: Money) -> bool:
        self._same(other)
        return self.amount <= other.amount

    def __gt__(self, other: Money) -> bool:
        return other < self

    def __ge__(self, other: Money) -> bool:
        return other <= self

    def converted(self, rate: Decimal, currency: str) -> Money:
        """The same worth in `currency`, when one unit of this costs `rate` of that; not rounded."""
        return Money(_exactly("multiply", self.amount, rate), currency)

    def rounded(self, rounding: str = ROUND_HALF_UP) -> Money:
        """To the minor unit of the currency, half up by default; unchanged where the currency has none."""
        places = code_lists.CURRENCIES[self.currency]
        if places is None:
            return self
        try:
            made = self.amount.quantize(Decimal(1).scaleb(-places), rounding=rounding, context=_ROUNDING)
        except InvalidOperation:
            raise Problem(TOO_LONG) from None
        return Money(made, self.currency)

    def allocate(self, weights: Sequence[Decimal | int]) -> list[Money]:
        """Shares by weight, in whole minor units, whose sum is exactly this amount.

        Each share is its exact part rounded towards zero; what is left goes, one minor unit each, to those who
        lost most by it, the earlier first. Raises `money-not-divisible` for weights that are none, negative or
        all zero, for an amount with more decimals than the currency, and for a currency without a minor unit.
        """
        places = code_lists.CURRENCIES[self.currency]
        parts = [Decimal(w) for w in weights]
        whole = self.amount.scaleb(places, _EXACT) if places is not None else Decimal("0.5")
        if whole != whole.to_integral_value():
            self._undivided(
                "it is not a whole number of minor units.", "مضرب درستی از خُردترین واحد ارز نیست."
            )
        if any(not p.is_finite() or p < 0 for p in parts) or not any(parts):
            self._undivided(
                "weights are not negative and not all zero.", "وزن‌ها نباید منفی یا همگی صفر باشند."
            )
        places = places or 0
        scale = min(int(p.as_tuple().exponent) for p in parts)
        shares = [int(p.scaleb(max(0, -scale), _EXACT)) for p in parts]
        units_, total = abs(int(whole)), sum(shares)
        given = [units_ * share // total for share in shares]
        losers = sorted(range(len(shares)), key=lambda i: (-(units_ * shares[i] % total), i))
        for i in losers[: units_ - sum(given)]:
            given[i] += 1
        sign = -1 if whole < 0 else 1
        return [Money(Decimal(sign * g).scaleb(-places, _EXACT), self.currency) for g in given]

    def _undivided(self, en: str, fa: str) -> None:
        raise Problem(UNSHARED, money=f"{write_decimal(self.amount)} {self.currency}", en=en, fa=fa)

    def text(self, lang: str) -> str:
        """For people: `IRR 1,250.50`, or `۱٬۲۵۰٫۵۰ ریال`, with at least the decimals of the minor unit in use."""
        number = grouped(_padded(self.amount, self.currency), lang)
        if lang == "fa":
            return f"{number} {code_lists.CURRENCY_NAMES.get(self.currency, (self.currency,))[0]}"
        return f"{self.currency} {number}"


def _padded(amount: Decimal, currency: str) -> Decimal:
    places = 0 if currency in _MINOR_NOT_USED else code_lists.CURRENCIES[currency] or 0
    shown = amount.normalize(_ROUNDING)
    decimals = max(places, -int(shown.as_tuple().exponent), 0)
    return shown.quantize(Decimal(1).scaleb(-decimals), context=_ROUNDING)


def grouped(value: Decimal, lang: str) -> str:
    """A decimal for people, in groups of three; in Persian with its own digits, separators and a fixed minus."""
    shown = f"{value.copy_abs() if value.is_zero() else value:,f}"
    if lang != "fa":
        return shown
    shown = persian_digits(shown.replace(",", "٬").replace(".", "٫"))
    return f"{_LRM}−{shown[1:]}" if shown.startswith("-") else shown


def sum_money(items: Iterable[Money], currency: str) -> Money:
    """The sum, zero of `currency` when there are none. Raises `money-mixed` for any other currency."""
    total = Money(Decimal(0), currency)
    for item in items:
        total = total + item
    return total


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number of units of measure (UN/ECE Recommendation 20)."""

    value: Decimal
    unit: str

    @classmethod
    def parse(cls, value: object, pointer: str = "") -> Self:
        """A quantity from its JSON form. Raises `money-malformed` at the member that is wrong."""
        return cls(*_members(value, ("value", "unit"), pointer, ("a quantity", "مقدار")))

    def as_json(self) -> dict[str, str]:
        return {"value": write_decimal(self.value), "unit": self.unit}

    def __add__(self, other: Quantity) -> Quantity:
        self._same(other)
        return Quantity(_exactly("add", self.value, other.value), self.unit)

    def __sub__(self, other: Quantity) -> Quantity:
        self._same(other)
        return Quantity(_exactly("subtract", self.value, other.value), self.unit)

    def _same(self, other: Quantity) -> None:
        if self.unit != other.unit:
            raise Problem(MIXED, one=self.unit, other=other.unit)

    def to(self, unit: str) -> Quantity:
        """The same quantity in another unit, exactly. Raises `money-mixed` where that cannot be."""
        factor = units.convertible(self.unit, unit)
        if factor is None:
            raise Problem(MIXED, one=self.unit, other=unit)
        return Quantity(_exactly("multiply", self.value, factor), unit)

    def text(self, lang: str) -> str:
        """For people: `1,200 kilogram` or `۱٬۲۰۰ کیلوگرم`; a unit without a name by its code."""
        known = units.UNITS.get(self.unit)
        name = self.unit if known is None else known.fa if lang == "fa" else known.en
        return f"{grouped(self.value, lang)} {name}"


def _shared(number: str, code: str, shape: str, kind: str) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": [number, code],
        "properties": {
            number: {"type": "string", "pattern": check_digits.DECIMAL_PATTERN},
            code: {"type": "string", "pattern": shape, "format": kind},
        },
    }


SHARED_DEFS: Final[dict[str, dict[str, Any]]] = {
    "money": _shared("amount", "currency", "^[A-Z]{3}$", "currency"),
    "quantity": _shared("value", "unit", "^[A-Z0-9]{2,3}$", "unit"),
}
"""JSON Schema 2020-12 by name; a pack's `$ref` says `gardesh:<name>`."""
