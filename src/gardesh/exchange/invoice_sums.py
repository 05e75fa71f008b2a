"""Whether an invoice adds up: the sums of EN 16931 (rules BR-CO-10 to BR-CO-17), as warnings.

An invoice that does not add up is still what the seller wrote; who reads it should know. Sums are compared to
the digit; a line's amount and a rate's tax, which are rounded, may differ by two minor units.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import ROUND_HALF_UP, Context, Decimal, DecimalException
from typing import Any, Final

from gardesh.model.code_lists import CURRENCIES
from gardesh.model.money import write_decimal
from gardesh.model.problem import Problem, define

_STATED = "{what_en} is stated as {stated} {currency}, but comes to {reckoned}."
_STATED_FA = "{what_fa} {stated} {currency} نوشته شده، ولی {reckoned} می‌شود."


def _sum(code: str) -> str:
    return define(code, 422, en=_STATED, fa=_STATED_FA)


LINE_AMOUNT: Final = _sum("invoice-line-amount")
LINES_TOTAL: Final = _sum("invoice-lines-total")
ALLOWANCES: Final = _sum("invoice-allowances-total")
CHARGES: Final = _sum("invoice-charges-total")
TAX_EXCLUSIVE: Final = _sum("invoice-tax-exclusive")
TAX_SUBTOTAL: Final = _sum("invoice-tax-subtotal")
TAX_TOTAL: Final = _sum("invoice-tax-total")
TAX_INCLUSIVE: Final = _sum("invoice-tax-inclusive")
PAYABLE: Final = _sum("invoice-payable")
LINE_REPEATED: Final = define(
    "invoice-line-repeated",
    422,
    en="Line {line} occurs more than once.",
    fa="ردیف {line} بیش از یک بار آمده است.",
)
CURRENCY_DIFFERS: Final = define(
    "invoice-currency-differs",
    422,
    en="The amount is in {other}, the invoice in {currency}.",
    fa="مبلغ به {other} است و صورتحساب به {currency}.",
)

# Factors of up to 30 digits; beyond that a product is rounded far below any minor unit.
_WIDE: Final = Context(prec=90, rounding=ROUND_HALF_UP)
_ZERO: Final = Decimal(0)


class _Sums:
    """The amounts of one invoice in its own currency."""

    def __init__(self, invoice: Mapping[str, Any]) -> None:
        self.invoice = invoice
        self.currency: str = invoice.get("currency", "")
        self.places = CURRENCIES.get(self.currency) or 0

    def amount(self, holder: Mapping[str, Any], name: str) -> Decimal | None:
        money = holder.get(name)
        if money is None or money["currency"] != self.currency:
            return None
        return Decimal(money["amount"])

    def total(self, holders: Sequence[Mapping[str, Any]], name: str = "amount") -> Decimal:
        total = _ZERO
        for holder in holders:
            total = _WIDE.add(total, self.amount(holder, name) or _ZERO)
        return total

    def rounded(self, value: Decimal) -> Decimal:
        return value.quantize(Decimal(1).scaleb(-self.places), context=_WIDE)

    def differs(
        self,
        code: str,
        pointer: str,
        stated: Decimal | None,
        reckoned: Decimal,
        fa: str,
        en: str,
        slack: int = 0,
    ) -> Iterator[Problem]:
        allowed = Decimal(slack).scaleb(-self.places)
        if stated is not None and _WIDE.subtract(stated, reckoned).copy_abs() > allowed:
            shown, made = write_decimal(stated), write_decimal(reckoned)
            yield Problem(
                code, pointer, what_en=en, what_fa=fa, stated=shown, reckoned=made, currency=self.currency
            )


def warnings(invoice: Mapping[str, Any]) -> list[Problem]:
    """What does not add up in a subject that was read, with pointers into it. Absent amounts are not judged."""
    sums = _Sums(invoice)
    return [*_currencies(sums), *_lines(sums), *_totals(sums), *_taxes(sums)]


def _currencies(sums: _Sums) -> Iterator[Problem]:
    places = [(f"/totals/{name}", money) for name, money in sums.invoice.get("totals", {}).items()]
    places += [
        (f"/lines/{i}/{name}", line[name])
        for i, line in enumerate(sums.invoice.get("lines", ()))
        for name in ("amount", "price")
        if name in line
    ]
    for pointer, money in places:
        if sums.currency and money["currency"] != sums.currency:
            yield Problem(CURRENCY_DIFFERS, pointer, other=money["currency"], currency=sums.currency)


def _split(sums: _Sums, holder: Mapping[str, Any]) -> tuple[Decimal, Decimal]:
    """The sums of allowances and of charges."""
    entries = holder.get("allowances_charges", ())
    return (
        sums.total([e for e in entries if not e["charge"]]),
        sums.total([e for e in entries if e["charge"]]),
    )


def _lines(sums: _Sums) -> Iterator[Problem]:
    seen: set[str] = set()
    for place, line in enumerate(sums.invoice.get("lines", ())):
        number = line.get("line")
        if number in seen:
            yield Problem(LINE_REPEATED, f"/lines/{place}/line", line=number)
        seen.add(number)
        price, quantity = sums.amount(line, "price"), line.get("quantity")
        if price is None or quantity is None:
            continue
        base = line.get("price_base", {})
        per = Decimal(base.get("value", "1"))
        if base.get("unit", quantity["unit"]) != quantity["unit"]:
            continue
        try:
            worth = _WIDE.divide(_WIDE.multiply(price, Decimal(quantity["value"])), per)
        except DecimalException:
            continue
        allowances, charges = _split(sums, line)
        reckoned = sums.rounded(_WIDE.add(_WIDE.subtract(worth, allowances), charges))
        yield from sums.differs(
            LINE_AMOUNT, f"/lines/{place}/amount", sums.amount(line, "amount"), reckoned,
            "مبلغ ردیف", "The amount of the line", 2,
        )  # fmt: skip


def _totals(sums: _Sums) -> Iterator[Problem]:
    totals = sums.invoice.get("totals", {})

    def stated(name: str) -> Decimal:
        return sums.amount(totals, name) or _ZERO

    def check(code: str, name: str, reckoned: Decimal, fa: str, en: str) -> Iterator[Problem]:
        return sums.differs(code, f"/totals/{name}", sums.amount(totals, name), reckoned, fa, en)

    allowances, charges = _split(sums, sums.invoice)
    yield from check(
        LINES_TOTAL, "lines", sums.total(sums.invoice.get("lines", ())), "جمع ردیف‌ها", "The sum of the lines"
    )
    yield from check(ALLOWANCES, "allowances", allowances, "جمع تخفیف‌ها", "The sum of the allowances")
    yield from check(CHARGES, "charges", charges, "جمع هزینه‌ها", "The sum of the charges")
    exclusive = _WIDE.add(_WIDE.subtract(stated("lines"), stated("allowances")), stated("charges"))
    yield from check(TAX_EXCLUSIVE, "tax_exclusive", exclusive, "جمع بدون مالیات", "The total without tax")
    if "tax_exclusive" in totals:
        inclusive = _WIDE.add(stated("tax_exclusive"), sums.total(sums.invoice.get("taxes", ())))
        yield from check(TAX_INCLUSIVE, "tax_inclusive", inclusive, "جمع با مالیات", "The total with tax")
    if "tax_inclusive" in totals:
        payable = _WIDE.add(_WIDE.subtract(stated("tax_inclusive"), stated("prepaid")), stated("rounding"))
        yield from check(PAYABLE, "payable", payable, "مبلغ قابل پرداخت", "The payable amount")


def _taxes(sums: _Sums) -> Iterator[Problem]:
    for place, tax in enumerate(sums.invoice.get("taxes", ())):
        amount = sums.amount(tax, "amount")
        parts = tax.get("subtotals", ())
        if amount is not None and parts:
            yield from sums.differs(
                TAX_TOTAL,
                f"/taxes/{place}/amount",
                amount,
                sums.total(parts),
                "جمع مالیات",
                "The sum of the taxes",
            )
        for index, part in enumerate(parts):
            taxable, rate = sums.amount(part, "taxable"), part.get("rate")
            if taxable is not None and rate is not None:
                due = sums.rounded(_WIDE.multiply(taxable, Decimal(rate)).scaleb(-2, _WIDE))
                yield from sums.differs(
                    TAX_SUBTOTAL, f"/taxes/{place}/subtotals/{index}/amount", sums.amount(part, "amount"), due,
                    "مالیات این نرخ", "The tax at this rate", 2,
                )  # fmt: skip
