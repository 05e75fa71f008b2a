"""An invoice that does not add up is read all the same, and each sum that is wrong is named."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from invoice_xml import FULL

from gardesh.exchange.invoice_sums import warnings
from gardesh.exchange.ubl import read_invoice
from gardesh.model.problem import Problem


def found(text: str) -> list[tuple[str, str]]:
    return [(p.code, p.pointer) for p in read_invoice(text.encode()).problems]


def usd(tag: str, amount: str) -> str:
    return f'<cbc:{tag} currencyID="USD">{amount}</cbc:{tag}>'


@pytest.mark.parametrize(
    ("tag", "old", "new", "expected"),
    [
        ("LineExtensionAmount", "30", "31", [
            ("invoice-line-amount", "/lines/1/amount"), ("invoice-lines-total", "/totals/lines")]),
        ("LineExtensionAmount", "2078.00", "2078.01", [
            ("invoice-lines-total", "/totals/lines"), ("invoice-tax-exclusive", "/totals/tax_exclusive")]),
        ("AllowanceTotalAmount", "10", "11", [
            ("invoice-allowances-total", "/totals/allowances"), ("invoice-tax-exclusive", "/totals/tax_exclusive")]),
        ("ChargeTotalAmount", "5", "6", [
            ("invoice-charges-total", "/totals/charges"), ("invoice-tax-exclusive", "/totals/tax_exclusive")]),
        ("TaxExclusiveAmount", "2073.00", "2072.00", [
            ("invoice-tax-exclusive", "/totals/tax_exclusive"), ("invoice-tax-inclusive", "/totals/tax_inclusive")]),
        ("TaxInclusiveAmount", "2074.00", "2074.50", [
            ("invoice-tax-inclusive", "/totals/tax_inclusive"), ("invoice-payable", "/totals/payable")]),
        ("PayableAmount", "2000.25", "2000.24", [("invoice-payable", "/totals/payable")]),
        ("PrepaidAmount", "74.00", "75", [("invoice-payable", "/totals/payable")]),
        ("TaxableAmount", "100", "300", [("invoice-tax-subtotal", "/taxes/0/subtotals/0/amount")]),
    ],
)  # fmt: skip
def test_a_wrong_sum_is_named(tag: str, old: str, new: str, expected: list[tuple[str, str]]) -> None:
    assert usd(tag, old) in FULL
    assert found(FULL.replace(usd(tag, old), usd(tag, new), 1)) == expected


def test_the_tax_must_be_the_sum_of_its_parts() -> None:
    text = FULL.replace(
        "<cac:TaxTotal>" + usd("TaxAmount", "1.00"), "<cac:TaxTotal>" + usd("TaxAmount", "3.00")
    )
    assert text != FULL
    assert [code for code, _ in found(text)] == ["invoice-tax-inclusive", "invoice-tax-total"]


@pytest.mark.parametrize(("amount", "wrong"), [("2048.02", False), ("2047.98", False), ("2048.03", True)])
def test_a_line_may_be_two_minor_units_off_for_rounding(amount: str, wrong: bool) -> None:
    codes = [code for code, _ in found(FULL.replace(">2048.00<", f">{amount}<"))]
    assert ("invoice-line-amount" in codes) is wrong
    assert "invoice-lines-total" in codes


def test_the_sentence_tells_what_is_stated_and_what_it_comes_to() -> None:
    (problem,) = read_invoice(
        FULL.replace(usd("PayableAmount", "2000.25"), usd("PayableAmount", "9")).encode()
    ).problems
    assert problem.sentence("en") == "The payable amount is stated as 9 USD, but comes to 2000.25."
    assert problem.sentence("fa") == "مبلغ قابل پرداخت 9 USD نوشته شده، ولی 2000.25 می‌شود."


def test_a_line_said_twice_and_an_amount_in_another_currency_are_named() -> None:
    assert ("invoice-line-repeated", "/lines/1/line") in found(
        FULL.replace("<cbc:ID>2</cbc:ID>", "<cbc:ID>1</cbc:ID>")
    )
    other = FULL.replace(
        usd("PayableAmount", "2000.25"), '<cbc:PayableAmount currencyID="EUR">2000.25</cbc:PayableAmount>'
    )
    assert found(other) == [("invoice-currency-differs", "/totals/payable")]


numbers = st.decimals(-(10**6), 10**6, places=2).map(str)


@given(st.lists(st.tuples(st.integers(1, 1000), numbers), min_size=1, max_size=8), numbers, numbers)
def test_an_invoice_made_to_add_up_gives_no_warning_and_one_cent_more_does(
    lines: list[tuple[int, str]], tax: str, prepaid: str
) -> None:
    def m(amount: Decimal | str) -> dict[str, str]:
        return {"amount": str(amount), "currency": "USD"}

    made = [
        {
            "line": str(n), "quantity": {"value": str(q), "unit": "KGM"}, "price": m(p), "amount": m(q * Decimal(p)),
        }
        for n, (q, p) in enumerate(lines)
    ]  # fmt: skip
    total = sum((q * Decimal(p) for q, p in lines), Decimal(0))
    invoice: dict[str, Any] = {
        "currency": "USD",
        "lines": made,
        "taxes": [{"amount": m(tax)}],
        "totals": {
            "lines": m(total),
            "tax_exclusive": m(total),
            "tax_inclusive": m(total + Decimal(tax)),
            "prepaid": m(prepaid),
            "payable": m(total + Decimal(tax) - Decimal(prepaid)),
        },
    }
    assert warnings(invoice) == []
    invoice["totals"]["payable"] = m(total + Decimal(tax) - Decimal(prepaid) + Decimal("0.01"))
    assert [p.code for p in warnings(invoice)] == ["invoice-payable"]


@pytest.mark.parametrize("base", ["0", "0.0000000001", "99999999999999999999"])
def test_any_price_base_is_judged_or_left_alone(base: str) -> None:
    text = FULL.replace('<cbc:BaseQuantity unitCode="TNE">10<', f'<cbc:BaseQuantity unitCode="TNE">{base}<')
    assert text != FULL
    assert all(isinstance(p, Problem) for p in read_invoice(text.encode()).problems)
    assert ("invoice-line-amount", "/lines/0/amount") in found(text) or base == "0"
