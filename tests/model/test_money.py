"""Money and quantities: exact, never mixed, and shared out without loss."""

from __future__ import annotations

import operator
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gardesh.model.code_lists import CURRENCIES
from gardesh.model.identifiers import schema_formats
from gardesh.model.money import SHARED_DEFS, Money, Quantity, sum_money
from gardesh.model.problem import Problem

amounts = st.decimals(min_value=-(10**19), max_value=10**19, places=4, allow_nan=False, allow_infinity=False)
whole_cents = st.integers(-(10**15), 10**15).map(lambda n: Decimal(n).scaleb(-2))
weights = st.lists(st.one_of(st.integers(0, 10**6), st.decimals(0, 1000, places=3)), min_size=1, max_size=20)


def money(text: str) -> Money:
    amount, currency = text.split()
    return Money.of(amount, currency)


@given(amounts, st.sampled_from(["IRR", "USD", "JPY"]))
def test_money_comes_back_from_its_json_form_to_the_digit(amount: Decimal, currency: str) -> None:
    made = Money(amount, currency)
    again = Money.parse(made.as_json())
    assert again == made
    assert again.as_json() == made.as_json()


@pytest.mark.parametrize(
    ("value", "at"),
    [
        ({"amount": 12.5, "currency": "IRR"}, "/x/amount"),
        ({"amount": 12, "currency": "IRR"}, "/x/amount"),
        ({"amount": "12,5", "currency": "IRR"}, "/x/amount"),
        ({"amount": "۱۲", "currency": "IRR"}, "/x/amount"),
        ({"amount": "NaN", "currency": "IRR"}, "/x/amount"),
        ({"amount": "12", "currency": "TOMAN"}, "/x/currency"),
        ({"amount": "12", "currency": None}, "/x/currency"),
        ({"amount": "12"}, "/x"),
        ({"amount": "12", "currency": "IRR", "unit": "KGM"}, "/x"),
        ("12 IRR", "/x"),
        (None, "/x"),
    ],
)
def test_what_is_not_money_is_refused_at_the_member_that_is_wrong(value: Any, at: str) -> None:
    with pytest.raises(Problem) as caught:
        Money.parse(value, "/x")
    assert caught.value.code == "money-malformed"
    assert caught.value.pointer == at
    schema = {**SHARED_DEFS["money"]}
    validator = jsonschema_rs.Draft202012Validator(schema, validate_formats=True, formats=schema_formats())
    assert not validator.is_valid(value)


def test_currencies_are_never_mixed() -> None:
    for reckon in (operator.add, operator.sub, operator.lt, operator.ge):
        with pytest.raises(Problem) as caught:
            reckon(money("1 IRR"), money("1 USD"))
        assert caught.value.code == "money-mixed"
    with pytest.raises(Problem):
        sum_money([money("1 IRR"), money("1 USD")], "IRR")
    assert money("1.00 IRR") != money("1.00 USD")


@given(st.lists(amounts, max_size=20))
def test_sums_are_exact_whatever_the_precision_of_the_caller(values: list[Decimal]) -> None:
    with localcontext() as context:
        context.prec = 3
        total = sum_money([Money(v, "IRR") for v in values], "IRR")
    assert total.amount == sum(int(v.scaleb(4)) for v in values) / Decimal(10**4)


def test_a_result_that_would_lose_a_digit_is_refused() -> None:
    big = Money.of("9" * 40, "IRR")
    with pytest.raises(Problem) as caught:
        big * Decimal("1." + "1" * 30)
    assert caught.value.code == "amount-too-long"


def test_subtraction_and_order_are_those_of_the_amounts() -> None:
    assert money("1.50 USD") - money("2 USD") == money("-0.50 USD") == -money("0.5 USD")
    assert money("1 USD") < money("1.01 USD") <= money("1.01 USD")
    assert money("2 USD") > money("1 USD") >= money("1 USD")
    assert money("10 USD").converted(Decimal("1420000.5"), "IRR") == money("14200005.0 IRR")


@pytest.mark.parametrize(
    ("given_", "rounded"),
    [
        ("1.005 USD", "1.01"),
        ("-1.005 USD", "-1.01"),
        ("1.5 JPY", "2"),
        ("0.0005 KWD", "0.001"),
        ("1.23456 XAU", "1.23456"),
        ("7 IRR", "7.00"),
    ],
)
def test_money_is_rounded_to_the_minor_unit_of_its_currency(given_: str, rounded: str) -> None:
    assert money(given_).rounded().as_json()["amount"] == rounded


def test_another_way_of_rounding_is_said() -> None:
    assert money("1.005 USD").rounded(ROUND_HALF_EVEN).amount == Decimal("1.00")


@given(whole_cents, weights.filter(any))
def test_shares_sum_to_the_whole_and_none_is_a_minor_unit_off(amount: Decimal, parts: list[Any]) -> None:
    whole = Money(amount, "USD")
    shares = whole.allocate(parts)
    assert sum_money(shares, "USD") == whole
    total = sum(Decimal(p) for p in parts)
    with localcontext() as context:
        context.prec = 60
        for share, part in zip(shares, parts, strict=True):
            assert abs(share.amount - amount * part / total) < Decimal("0.01")
            assert share.amount == 0 or (share.amount < 0) == (amount < 0)
            assert part or not share.amount


def test_what_is_left_goes_to_those_who_lost_most_and_then_to_the_first() -> None:
    assert [m.amount for m in money("100 IRR").allocate([1, 1, 1])] == [
        Decimal("33.34"),
        Decimal("33.33"),
        Decimal("33.33"),
    ]
    assert [m.amount for m in money("0.05 USD").allocate([3, 7])] == [Decimal("0.02"), Decimal("0.03")]
    assert [m.amount for m in money("5 JPY").allocate([1, 1])] == [3, 2]
    assert [m.amount for m in money("-0.05 USD").allocate([1, 1])] == [Decimal("-0.03"), Decimal("-0.02")]


@pytest.mark.parametrize(
    ("whole", "parts"),
    [("1 USD", []), ("1 USD", [0, 0]), ("1 USD", [1, -1]), ("1.001 USD", [1]), ("1 XAU", [1])],
)
def test_what_cannot_be_shared_is_refused(whole: str, parts: list[int]) -> None:
    with pytest.raises(Problem) as caught:
        money(whole).allocate(parts)
    assert caught.value.code == "money-not-divisible"


@pytest.mark.parametrize(
    ("given_", "en", "fa"),
    [
        ("1250000 IRR", "IRR 1,250,000", "۱٬۲۵۰٬۰۰۰ ریال"),
        ("1250.5 IRR", "IRR 1,250.5", "۱٬۲۵۰٫۵ ریال"),
        ("1250.5 USD", "USD 1,250.50", "۱٬۲۵۰٫۵۰ دلار آمریکا"),
        ("0.123 USD", "USD 0.123", "۰٫۱۲۳ دلار آمریکا"),
        ("-3 EUR", "EUR -3.00", "\u200e−۳٫۰۰ یورو"),
        ("-0.00 EUR", "EUR 0.00", "۰٫۰۰ یورو"),
        ("5 XOF", "XOF 5", "۵ XOF"),
        ("1000 JPY", "JPY 1,000", "۱٬۰۰۰ ین ژاپن"),
    ],
)
def test_money_is_shown_with_the_digits_of_the_language(given_: str, en: str, fa: str) -> None:
    assert money(given_).text("en") == en
    assert money(given_).text("fa") == fa


@given(amounts, st.sampled_from(sorted(CURRENCIES)))
def test_showing_money_loses_no_digit(amount: Decimal, currency: str) -> None:
    shown = Money(amount, currency).text("en").removeprefix(currency + " ").replace(",", "")
    assert Decimal(shown) == amount


def test_a_quantity_keeps_its_unit() -> None:
    made = Quantity.parse({"value": "1200", "unit": "KGM"})
    assert made.as_json() == {"value": "1200", "unit": "KGM"}
    assert (made + Quantity(Decimal("0.5"), "KGM")).value == Decimal("1200.5")
    assert (made - made).value == 0
    assert made.text("en") == "1,200 kilogram"
    assert made.text("fa") == "۱٬۲۰۰ کیلوگرم"
    assert Quantity(Decimal(3), "1I").text("fa") == "۳ 1I"
    with pytest.raises(Problem) as caught:
        made + Quantity(Decimal(1), "TNE")
    assert caught.value.code == "money-mixed"
    with pytest.raises(Problem) as wrong:
        Quantity.parse({"value": "1", "unit": "kilo"})
    assert wrong.value.pointer == "/unit"


@pytest.mark.parametrize(
    ("value", "unit", "other", "result"),
    [
        ("1.5", "TNE", "KGM", "1500"),
        ("250", "KGM", "TNE", "0.25"),
        ("2", "DZN", "H87", "24"),
        ("1", "LBR", "GRM", "453.59237"),
    ],
)
def test_a_quantity_converts_exactly(value: str, unit: str, other: str, result: str) -> None:
    assert Quantity(Decimal(value), unit).to(other).value == Decimal(result)


@pytest.mark.parametrize(("unit", "other"), [("KGM", "LTR"), ("SET", "H87"), ("KGM", "XPX"), ("KGM", "LBR")])
def test_what_has_no_exact_conversion_is_refused(unit: str, other: str) -> None:
    with pytest.raises(Problem):
        Quantity(Decimal(1), unit).to(other)


def test_packs_may_refer_to_the_shared_schemas() -> None:
    shared = {f"gardesh:{name}": schema for name, schema in SHARED_DEFS.items()}
    validator = jsonschema_rs.Draft202012Validator(
        {"properties": {"price": {"$ref": "gardesh:money"}, "weight": {"$ref": "gardesh:quantity"}}},
        validate_formats=True,
        formats=schema_formats(),
        retriever=shared.__getitem__,
    )
    assert validator.is_valid(
        {"price": {"amount": "1.5", "currency": "IRR"}, "weight": {"value": "2", "unit": "KGM"}}
    )
    assert not validator.is_valid({"price": {"amount": "1.5", "currency": "ABC"}})
    assert not validator.is_valid({"price": {"amount": 1.5, "currency": "IRR"}})
    assert not validator.is_valid({"weight": {"value": "2", "unit": "QQQ"}})
    assert not validator.is_valid({"weight": {"value": "2", "unit": "KGM", "note": ""}})
