"""What expressions can call: texts, numbers, lists, dates and money."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gardesh.model import expression
from gardesh.model.problem import Problem

ENV: dict[str, Any] = {
    "absent": None,
    "price": {"amount": "12.50", "currency": "IRR"},
    "tax": {"amount": 3, "currency": "IRR"},
    "fee": {"amount": "1", "currency": "EUR"},
    "goods": [{"hs": "0806", "w": 2}, {"hs": "8471", "w": 1}, {"hs": "0806", "w": 3}],
}


def value(source: str, **more: Any) -> Any:
    return expression.compile(source).evaluate({**ENV, **more})


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("size('گردش')", 4),
        ("'abc'.size() + [1].size() + {'a': 1}.size()", 5),
        ("string(12) + string(1.50) + string(true) + string('x')", "121.50truex"),
        ("string(1e20)", "100000000000000000000"),
        ("int('42') + int(-3.9)", 39),
        ("'abc'.startsWith('ab') && 'abc'.endsWith('bc') && 'abc'.contains('b')", True),
        ("startsWith('abc', 'b')", False),
        ("'IR0620'.matches('^IR[0-9]+$')", True),
        ("'a1b'.matches('[0-9]')", True),
        ("'گردش'.matches('^[آ-ی]+$')", True),
        ("'ÄbC'.lowerAscii() + 'ÄbC'.upperAscii()", "ÄbcÄBC"),
        ("'  a b '.trim()", "a b"),
        ("'a-b-c'.replace('-', '')", "abc"),
        ("'abcdef'.substring(2) + 'abcdef'.substring(0, 2) + 'ab'.substring(2)", "cdefab"),
        ("'a,b,,c'.split(',')", ["a", "b", "", "c"]),
        ("['a', 'b'].join('-') + ['x', 'y'].join()", "a-bxy"),
        ("join(absent, ',')", ""),
        (
            "[3, 1, 3.0, '3', true, 1, [1], [1.0], {'a': 1}, {'a': 1}].distinct()",
            [3, 1, "3", True, [1], {"a": 1}],
        ),
        ("[[1, 2], absent, [], 3].flatten()", [1, 2, 3]),
        ("minus([1, 'a', {'b': 1}, 2, 'a'], [1.0, {'b': 1}])", ["a", 2, "a"]),
        ("minus(absent, ['a'])", []),
        ("minus(['a'], absent)", ["a"]),
        ("npv('0.10', [-100, 60, 60])", Decimal("4.132231404959")),
        ("npv(0, ['1.5', 2])", Decimal("3.500000000000")),
        ("npv('0.1', [])", Decimal("0E-12")),
        ("npv('0.1', [1, absent])", None),
        ("[1, 2.5].sum()", Decimal("3.5")),
        ("sum(absent)", 0),
        ("[1, absent].sum()", None),
        ("min([3, 1.5, 2])", Decimal("1.5")),
        ("max(3, 10, 2)", 10),
        ("max(['a', 'b'])", "b"),
        ("min([])", None),
        ("max(absent)", None),
        ("max(1, absent)", None),
        ("[3, 1.5, 2].sort()", [Decimal("1.5"), 2, 3]),
        ("['b', 'a'].sort()", ["a", "b"]),
        ("sort(absent)", []),
        ("keys({'b': 1, 'a': 2})", ["b", "a"]),
        ("group(goods, 'hs').map(k, string(group(goods, 'hs')[k].size()))", ["2", "1"]),
        ("abs(-3) + abs(-1.5)", Decimal("4.5")),
        ("floor(-1.5) * 10 + ceil(-1.5)", -21),
        ("date('2024-02-29T23:30:00+03:30')", "2024-02-29"),
        ("days_between('2024-02-28', '2024-03-01')", 2),
        ("days_between('2024-03-01', '2024-02-28')", -2),
        ("add_days('2024-02-28', 2)", "2024-03-01"),
        ("add_days('2024-02-28T08:00:00Z', -28)", "2024-01-31T08:00:00Z"),
        ("amount(price) + amount(tax)", Decimal("15.50")),
        ("money(12.50, 'IRR')", {"amount": "12.50", "currency": "IRR"}),
        ("money('12.50', 'IRR') == price", True),
        ("sum_money([price, tax])", {"amount": "15.50", "currency": "IRR"}),
        ("sum_money([])", None),
        ("sum_money([price, absent])", None),
        ("amount(absent)", None),
        ("amount({'currency': 'IRR'})", None),
        ("decimal('0.10') + decimal(1)", Decimal("1.10")),
        ("add_days(absent, 1)", None),
    ],
)
def test_functions(source: str, expected: Any) -> None:
    found = value(source)
    assert found == expected
    assert repr(found) == repr(expected)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("round(2.5)", "3"),
        ("round(-2.5)", "-3"),
        ("round(2.345, 2)", "2.35"),
        ("round(2.341, 2, 'up')", "2.35"),
        ("round(-2.349, 2, 'down')", "-2.34"),
        ("round(1234567, -3)", "1235000"),
        ("round(1, 2)", "1.00"),
    ],
)
def test_rounding_is_half_up_unless_said_otherwise(source: str, expected: str) -> None:
    assert str(value(source)) == expected


@given(st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**12), max_value=10**12))
def test_a_decimal_keeps_its_value_as_text(number: Decimal) -> None:
    assert value("decimal(string(n)) == n", n=number) is True
    assert value("amount(money(n, 'IRR')) == n", n=number) is True


@given(
    st.lists(
        st.decimals(allow_nan=False, allow_infinity=False, places=2, min_value=-(10**9), max_value=10**9)
    )
)
def test_a_sum_does_not_depend_on_the_order(numbers: list[Decimal]) -> None:
    assert value("sum(n) == sum(m)", n=numbers, m=list(reversed(numbers))) is True


@given(st.dates(), st.integers(-3000, 3000))
def test_adding_days_and_counting_them_agree(day: Any, count: int) -> None:
    try:
        moved = value("add_days(d, n)", d=day.isoformat(), n=count)
    except Problem as problem:
        if problem.params["reason_en"] != "add_days(): there is no such date":
            raise
        return
    assert value("days_between(d, e)", d=day.isoformat(), e=moved) == count


@pytest.mark.parametrize(
    "source",
    [
        "size(1)",
        "string([1])",
        "int('4.2')",
        "int('٤')",
        "int(true)",
        "decimal('1e5')",
        "decimal('NaN')",
        "decimal('')",
        "round('1')",
        "round(1, 40)",
        "round(1, 0, 'even')",
        "round(1, 1.5)",
        "startsWith(1, 'a')",
        "['a'].contains('a')",
        "'a'.split('')",
        "'a'.replace('', 'b')",
        "'abc'.substring(2, 1)",
        "'abc'.substring(-1)",
        "'abc'.substring(0, 4)",
        "'a'.matches('a' + '(')",
        "[1].join()",
        "distinct('a')",
        "sum(['a'])",
        "sum('a')",
        "min([1, 'a'])",
        "sort([1, 'a'])",
        "sort([[1]])",
        "sort([absent])",
        "keys([1])",
        "group([1], 'a')",
        "group([{'a': absent}], 'a')",
        "days_between('2024-02-30', '2024-03-01')",
        "days_between('2024-2-3', '2024-03-01')",
        "date('20240301')",
        "date('2024-03-01 and more')",
        "add_days('2024-03-01', 1.5)",
        "add_days('9999-12-31', 1)",
        "amount('12')",
        "amount({'amount': 'much'})",
        "money(1, 'rial')",
        "sum_money([price, fee])",
        "sum_money([1])",
        "sum_money([{'amount': '1'}])",
    ],
)
def test_what_a_function_cannot_take_fails(source: str) -> None:
    with pytest.raises(Problem) as refused:
        value(source)
    assert refused.value.code == "expression-failed"
    assert refused.value.params["reason_fa"]


@pytest.mark.parametrize(
    "source",
    ["string(a)", "round(a, 2)", "a.startsWith('x')", "'x'.contains(a)", "date(a)", "money(a, 'IRR')"],
)
def test_a_function_over_something_absent_is_null(source: str) -> None:
    assert value(source, a=None) is None
