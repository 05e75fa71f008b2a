"""Instants: read and written exactly, and shown in the calendars people use."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gardesh.model.instant import clock_time, iso, jalali, jalali_date, parse_as_of, parse_instant
from gardesh.model.problem import Problem

instants = st.integers(parse_instant("1000-01-01"), parse_instant("9999-12-31T23:59:59.999Z"))


@given(instants)
def test_what_is_written_is_read_back_to_the_millisecond(ms: int) -> None:
    assert parse_instant(iso(ms)) == ms


@given(st.datetimes(min_value=datetime(1000, 1, 2), max_value=datetime(9999, 12, 30), timezones=st.just(UTC)))
def test_text_names_the_instant_that_the_standard_library_says(made: datetime) -> None:
    whole = made.replace(microsecond=made.microsecond // 1000 * 1000)
    span = whole - datetime(1970, 1, 1, tzinfo=UTC)
    assert (
        parse_instant(made.isoformat())
        == (span.days * 86_400 + span.seconds) * 1000 + span.microseconds // 1000
    )


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("2026-01-03", "2026-01-03T00:00:00Z"),
        ("2026-01-03T08:00:00+03:30", "2026-01-03T04:30:00Z"),
        ("2026-01-03 08:00:00+03:30", "2026-01-03T04:30:00Z"),
        ("2026-01-03t04:30z", "2026-01-03T04:30:00Z"),
        ("2026-01-03T04:30:00.1239999Z", "2026-01-03T04:30:00.123Z"),
        ("1969-12-31T23:59:59.5Z", "1969-12-31T23:59:59.500Z"),
        ("2026-01-03T04:30:00.5-00:00", "2026-01-03T04:30:00.500Z"),
    ],
)
def test_the_ways_of_writing_an_instant(text: str, written: str) -> None:
    assert iso(parse_instant(text)) == written


@pytest.mark.parametrize(
    "text",
    [
        "", "today", "2026-01-03T08:00:00", "20260103", "2026-W01-1", "2026-02-30", "0999-01-01", "2026-01-03Z",
        "2026-01-03T25:00:00Z", "2026-01-03T08:00:60Z", "2026-01-03T08:00:00+3:30", "2026-01-03T08:00:00+99:00",
        "۲۰۲۶-۰۱-۰۳", "2026-01-03T08:00:00Z\n", "1405/01/01",
    ],
)  # fmt: skip
def test_what_names_no_instant_is_refused(text: str) -> None:
    with pytest.raises(Problem) as caught:
        parse_instant(text)
    assert caught.value.code == "instant-malformed"


def test_a_jalali_day_is_not_taken_for_one_of_long_ago() -> None:
    assert parse_as_of("1900-01-01") == parse_instant("1900-01-01")
    for text in ("1405-09-05", "1899-12-31T23:59:59.999Z"):
        with pytest.raises(Problem) as caught:
            parse_as_of(text)
        assert caught.value.code == "instant-before-1900"
        assert text in caught.value.sentence("fa")
    with pytest.raises(Problem) as caught:
        parse_as_of("1405/09/05")
    assert caught.value.code == "instant-malformed"


@given(st.text())
def test_reading_gives_an_instant_or_a_problem(text: str) -> None:
    try:
        read: int | str = parse_instant(text)
    except Problem as problem:
        read = problem.code
    assert read == "instant-malformed" or isinstance(read, int)


def test_people_in_iran_read_the_solar_calendar_in_their_own_digits_and_zone() -> None:
    assert jalali(parse_instant("2026-03-20T20:30:00Z")) == "۱۴۰۵/۰۱/۰۱ ۰۰:۰۰"
    assert jalali(parse_instant("2026-03-20T20:29:59.999Z")) == "۱۴۰۴/۱۲/۲۹ ۲۳:۵۹"
    assert jalali(parse_instant("2025-03-20T12:00:00Z")) == "۱۴۰۳/۱۲/۳۰ ۱۵:۳۰"
    assert jalali(parse_instant("2026-03-21T00:00:07Z"), "UTC", seconds=True) == "۱۴۰۵/۰۱/۰۱ ۰۰:۰۰:۰۷"
    assert jalali_date("2026-11-24") == "۱۴۰۵/۰۹/۰۳"
    assert jalali_date("0800-01-01") == "۰۸۰۰-۰۱-۰۱"
    assert jalali(parse_instant("9999-12-31T23:59:59Z")) == "۹۹۹۹-۱۲-۳۱ ۲۳:۵۹"
    with pytest.raises(Problem):
        jalali_date("1405/01/01")


@given(instants)
def test_every_instant_can_be_shown(ms: int) -> None:
    assert len(jalali(ms)) == len("۱۴۰۵/۰۱/۰۱ ۰۰:۰۰")


def test_the_time_on_a_clock_says_how_far_it_is_from_utc() -> None:
    assert clock_time(parse_instant("2026-04-30T20:30:00Z")) == "2026-05-01 00:00 +03:30"
    assert clock_time(parse_instant("2020-06-01T00:00:59Z")) == "2020-06-01 04:30 +04:30"
    assert clock_time(parse_instant("9999-12-31T23:59:59Z")) == "9999-12-31 23:59 +00:00"
