"""The identifiers of trade and of Iran's registers, on the vectors that are public and on all texts."""

from __future__ import annotations

import string
from datetime import date

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gardesh.model import check_digits, code_lists, units
from gardesh.model.identifiers import FORMATS, latin_digits, persian_digits, schema_formats

VALID = {
    "ir-national-code": ["0499370899", "0790419904", "0084575948", "1234567040", "1234567131"],
    "ir-legal-id": ["10380284790", "10100387143", "10840096498", "10380284700"],
    "ir-economic-code": ["10380284790", "12345678901234"],
    "ir-postal-code": ["1619735744"],
    "ir-sheba": ["IR820540102680020817909002"],
    "iban": ["IR820540102680020817909002", "NL13RABO0377815500", "GB82WEST12345698765432"],
    "ir-order-number": ["00000001", "81234567"],
    "kotaj": ["10023456"],
    "hs-code": ["080620", "84713000", "98870312"],
    "hs-level": ["08", "0806", "080620", "08062000"],
    "goods-id": ["2720000166053", "2720000001774", "2330004219206"],
    "gtin": ["2720000166053", "96385074", "036000291452", "10614141000415"],
    "ir-tax-invoice-number": ["DEF5GH0481F000000000C2", "DEF5GH0481F0000001FED8", "DEF5GH0481F009956F7211"],
    "ir-fiscal-memory-id": ["DEF5GH", "A11111"],
    "ir-foreign-national-code": ["104512345678"],
    "container-number": ["MSKU6011672", "CMAU5110875", "GESU3927660", "TEXU3070079", "MSKU1000090"],
    "un-locode": ["IRBND", "IRSRP", "DEHAM", "XZSEA", "GB2AB"],
    "currency": ["IRR", "EUR", "XAU", "BHD"],
    "country": ["IR", "AE", "TR"],
    "unit": ["KGM", "C62", "EA", "XPX", "1I"],
    "date": ["2026-03-21", "2024-02-29"],
    "decimal": ["0", "-0.5", "12.50", "99999999999999999999.9999999999"],
}
INVALID = {
    "ir-national-code": [
        "4271427685",
        "0684159415",
        "1111111111",
        "1230000003",
        "049937089",
        "04993708990",
        "",
    ],
    "ir-legal-id": ["10380284792", "11053639140", "1038028479"],
    "ir-economic-code": ["123456789012", "1234567890123", "1038028479a"],
    "ir-postal-code": ["1619035744", "1111135744", "2619735744", "161973574", "1619735742"],
    "ir-sheba": [
        "IR820540102680020817909003",
        "NL13RABO0377815500",
        "IR82054010268002081790900",
        "ir820540102680020817909002",
    ],
    "iban": [
        "NL13 RABO 0377 8155 00",
        "NL14RABO0377815500",
        "NL00ABNA0000000075",
        "NL01ABNA0000000057",
        "NL99ABNA0000000039",
        "nl13RABO0377815500",
        "NL13",
    ],
    "ir-order-number": ["8123456", "812345678", "8123456a"],
    "kotaj": ["1002345", "100234567"],
    "hs-code": ["0806", "08062", "0806201", "00062000", "0806.20", "0806200000"],
    "hs-level": ["8", "080", "00", "0806200000"],
    "goods-id": ["2720000166054", "272000016605", "96385074"],
    "gtin": ["2720000166054", "9638507", "12345678901"],
    "ir-tax-invoice-number": [
        "DEF5GH0481F000000000C3",
        "DEF5GH0481F0000000D0C2",
        "DEF5HG0481F000000000C2",
        "DEF5GH0481F000000000C",
        "DEF5GH0481G000000000C2",
    ],
    "ir-fiscal-memory-id": ["DEF5G", "DEF5GHI", "DEF-GH", "def5gh"],
    "ir-foreign-national-code": ["10451234567", "1045123456789"],
    "container-number": ["TEXU3070070", "TEXU307007", "TEXA3070079", "texu3070079"],
    "un-locode": ["IRBN", "QQBND", "IRBN1", "irbnd"],
    "currency": ["irr", "IR", "XXX", "XTS", "TOMAN"],
    "country": ["ir", "IRN", "ZZ"],
    "unit": ["kg", "KG!", "QQQ", "X"],
    "date": ["2026-02-29", "1405-13-01", "2026-3-21", "20260321", "2026-03-21T00:00:00Z"],
    "decimal": ["1e3", "+1", "01", ".5", "1.", "1,5", "NaN", "", "100000000000000000000", "0.12345678901"],
}


@pytest.mark.parametrize(("name", "value"), [(n, v) for n, values in VALID.items() for v in values])
def test_a_known_identifier_is_well_formed(name: str, value: str) -> None:
    assert FORMATS[name].check(value) is None


@pytest.mark.parametrize(("name", "value"), [(n, v) for n, values in INVALID.items() for v in values])
def test_a_wrong_identifier_is_refused_with_a_reason_in_both_languages(name: str, value: str) -> None:
    flaw = FORMATS[name].check(value)
    assert flaw is not None
    assert flaw.en.isascii()
    assert any("\u0600" <= c <= "\u06ff" for c in flaw.fa)


def test_every_format_has_vectors_titles_a_source_and_an_example_that_passes() -> None:
    assert set(VALID) == set(INVALID) == set(FORMATS)
    for made in FORMATS.values():
        assert made.is_valid(made.example)
        assert made.fa
        assert made.en
        assert made.source


@given(st.text(alphabet=string.printable + "۰۱۲۳۴۵۶۷۸۹٣²é\u200c", max_size=40))
def test_a_check_never_raises_whatever_the_text(text: str) -> None:
    for made in FORMATS.values():
        made.check(text)


@given(st.sampled_from([n for n in VALID if n not in ("currency", "country", "unit")]), st.data())
def test_persian_digits_are_not_digits_in_a_document(name: str, data: st.DataObject) -> None:
    value = data.draw(st.sampled_from(VALID[name]))
    written = persian_digits(value)
    if written != value:
        assert not FORMATS[name].is_valid(written)
    assert FORMATS[name].is_valid(latin_digits(written))


CHECKED = ("ir-national-code", "ir-sheba", "goods-id", "ir-tax-invoice-number")


@given(st.sampled_from(CHECKED), st.data())
def test_one_wrong_digit_is_always_seen(name: str, data: st.DataObject) -> None:
    # Of the rests of a national code 1 and 10 have the same check digit, so those that end in 1 see less.
    value = data.draw(st.sampled_from([v for v in VALID[name] if name != "ir-national-code" or v[-1] != "1"]))
    if name == "ir-tax-invoice-number":
        place = data.draw(st.sampled_from([3, 21]))
    else:
        place = data.draw(st.sampled_from([i for i, c in enumerate(value) if c.isdigit()]))
    other = data.draw(st.sampled_from(sorted(set("0123456789") - {value[place]})))
    assert not FORMATS[name].is_valid(value[:place] + other + value[place + 1 :])


@given(
    st.text(alphabet=string.ascii_uppercase + string.digits, min_size=6, max_size=6),
    st.integers(0, 0xFFFFF),
    st.integers(0, 0xFFFFFFFFFF),
)
def test_a_composed_tax_invoice_number_is_well_formed(memory: str, day: int, serial: int) -> None:
    assert (
        check_digits.tax_invoice_number(check_digits.compose_tax_invoice_number(memory, day, serial)) is None
    )


@pytest.mark.parametrize(
    ("serial", "number"),
    [
        (12, "DEF5GH0481F000000000C2"),
        (8173, "DEF5GH0481F0000001FED8"),
        (2572613409, "DEF5GH0481F009956F7211"),
    ],
)
def test_the_tax_invoice_number_is_composed_as_the_public_vectors_say(serial: int, number: str) -> None:
    day = (date(2020, 7, 20) - date(1970, 1, 1)).days
    assert check_digits.compose_tax_invoice_number("DEF5GH", day, serial) == number


def test_the_verhoeff_digit_is_that_of_the_published_example() -> None:
    assert check_digits._verhoeff("236") == 3


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_the_schema_validator_enforces_every_format(name: str) -> None:
    schema = {"type": "object", "properties": {"id": {"type": "string", "format": name}}}
    validator = jsonschema_rs.Draft202012Validator(schema, validate_formats=True, formats=schema_formats())
    assert all(validator.is_valid({"id": value}) for value in VALID[name])
    assert not any(validator.is_valid({"id": value}) for value in INVALID[name])


@given(st.text())
def test_digits_turn_to_latin_and_to_persian_and_nothing_else_changes(text: str) -> None:
    assert persian_digits(latin_digits(text)) == persian_digits(text)
    assert latin_digits(persian_digits(text)) == latin_digits(text)
    assert len(latin_digits(text)) == len(text)


def test_code_lists_are_whole_and_say_where_they_come_from() -> None:
    assert len(code_lists.COUNTRIES) == 249
    assert code_lists.CURRENCIES["IRR"] == 2
    assert code_lists.CURRENCIES["JPY"] == 0
    assert code_lists.CURRENCIES["KWD"] == 3
    assert code_lists.CURRENCIES["XAU"] is None
    assert set(code_lists.CURRENCY_NAMES) <= set(code_lists.CURRENCIES)
    assert all(units.known(code) for code in units.UNITS)
    assert {"KGM", "C62", "MON"} <= units.UNIT_CODES
