"""Working time: what each term means at its edges, and the laws that hold for every calendar."""

from __future__ import annotations

import copy
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from gardesh.model import wall
from gardesh.model.calendar import ROUND_THE_CLOCK, Calendar, Term, from_mapping, iso, parse_instant
from gardesh.model.instant import zone
from gardesh.model.problem import Problem

PACKS = Path(__file__).parents[2] / "packs"
HOUR = 3_600_000


def load(name: str) -> Calendar:
    return from_mapping(yaml.safe_load((PACKS / "core" / "calendars" / f"{name}.yaml").read_bytes()))


IRAN, GENERIC = load("iran"), load("generic")
UNEVEN = from_mapping(
    {
        "name": "uneven",
        "timezone": "Europe/Amsterdam",
        "weeks": [
            {
                "since": "2020-01-01",
                "weekend": ["saturday", "sunday"],
                "hours": {"open": "08:30", "close": "17:00"},
                "days": {"friday": {"open": "09:00", "close": "12:30"}},
            },
            {"since": "2025-06-01", "weekend": ["sunday"], "hours": {"open": "07:00", "close": "23:00"}},
        ],
        "holidays": {
            "2024-12-25": {"fa": "کریسمس", "en": "Christmas"},
            "2025-04-21": {"fa": "عید پاک", "en": "Easter"},
        },
    }
)
NIGHTS = from_mapping(
    {
        "name": "nights",
        "timezone": "Asia/Tehran",
        "weeks": [
            {"since": "2000-01-01", "weekend": ["friday"], "hours": {"open": "00:00", "close": "24:00"}}
        ],
        "holidays": {"2021-03-21": {"fa": "نوروز", "en": "Nowruz"}},
    }
)
CALENDARS = (IRAN, GENERIC, UNEVEN, NIGHTS, ROUND_THE_CLOCK)
UNIFORM = (IRAN, GENERIC, ROUND_THE_CLOCK)

calendars = st.sampled_from(CALENDARS)
# The changes of the clock of both zones are drawn often; they are where wall time is not what it seems.
changes = ["2021-03-21T20:30:00Z", "2021-09-21T19:30:00Z", "2024-10-27T01:00:00Z", "2025-03-30T01:00:00Z"]
instants = st.one_of(
    st.integers(parse_instant("2020-01-01"), parse_instant("2027-01-01")),
    st.builds(
        lambda text, by: parse_instant(text) + by,
        st.sampled_from(changes),
        st.integers(-30 * HOUR, 30 * HOUR),
    ),
    st.builds(
        lambda day, hour: parse_instant("2025-01-01") + day * 24 * HOUR + hour * HOUR // 2,
        st.integers(0, 600),
        st.integers(0, 47),
    ),
)
units = ["wd", "wh", "d", "h", "m", "mo", "wms"]
terms = st.builds(Term, st.integers(0, 40), st.sampled_from(units))


def at(text: str) -> int:
    return parse_instant(text)


def tehran(text: str) -> int:
    return parse_instant(f"{text}:00+03:30")


@pytest.mark.parametrize(
    ("start", "term", "end"),
    [
        ("2026-01-03T10:00", "1wd", "2026-01-04T10:00"),  # Saturday to Sunday
        ("2026-01-07T10:00", "1wd", "2026-01-10T10:00"),  # Wednesday over the weekend to Saturday
        ("2026-01-03T08:00", "1wd", "2026-01-03T16:00"),  # a whole day at opening is over at closing
        ("2026-01-02T12:00", "1wd", "2026-01-03T16:00"),  # in the weekend: counts as the next opening
        ("2026-01-03T16:00", "1wd", "2026-01-04T16:00"),  # at closing
        ("2026-01-03T22:00", "1wd", "2026-01-04T16:00"),  # after closing
        ("2026-01-03T10:00", "7wd", "2026-01-12T10:00"),
        ("2026-03-18T10:00", "1wd", "2026-03-25T10:00"),  # over Nowruz 1405
        ("2026-03-21T10:00", "1wd", "2026-03-25T16:00"),  # from within Nowruz
        ("2026-01-03T10:00", "12wh", "2026-01-04T14:00"),
        ("2026-01-03T10:00", "6wh", "2026-01-03T16:00"),
        ("2026-01-02T12:00", "1wh", "2026-01-03T09:00"),
        ("2026-01-02T12:00", "0wh", "2026-01-03T08:00"),
        ("2026-01-02T12:00", "0wd", "2026-01-03T08:00"),
        ("2026-01-03T10:00", "0wd", "2026-01-03T10:00"),
        ("2026-01-03T10:00", "30d", "2026-02-02T10:00"),
        ("2026-01-03T10:00", "48h", "2026-01-05T10:00"),
        ("2026-01-03T10:00", "90m", "2026-01-03T11:30"),
        ("2026-05-22T10:00", "1mo", "2026-06-22T10:00"),  # 1 Khordad to 1 Tir
        ("2025-09-22T10:00", "1mo", "2025-10-23T00:00"),  # 31 Shahrivar: Mehr has 30 days, so at its end
        ("2026-03-21T10:00", "12mo", "2027-03-21T10:00"),  # Nowruz to Nowruz
        ("2024-03-20T10:00", "12mo", "2025-03-21T10:00"),  # 1403 is a leap year of 366 days
    ],
)
def test_a_term_ends_in_iran_when_the_contract_says(start: str, term: str, end: str) -> None:
    assert iso(IRAN.deadline(tehran(start), Term.parse(term))) == iso(tehran(end))


@pytest.mark.parametrize(
    ("start", "term", "end"),
    [
        ("2024-10-03T16:00", "1wd", "2024-10-04T12:30"),  # the shorter Friday: at the latest at closing
        ("2024-10-03T08:45", "1wd", "2024-10-03T17:00"),  # before Friday's opening: nothing of it is used
        ("2024-10-04T10:00", "1wd", "2024-10-07T10:00"),
        ("2024-12-24T10:00", "1wd", "2024-12-26T10:00"),  # over a holiday
        ("2025-05-30T10:00", "1wd", "2025-06-02T10:00"),  # a new week is in force, Sunday is free
        ("2025-06-06T20:00", "1wd", "2025-06-07T20:00"),  # now Saturday is worked, and evenings
        ("2024-01-31T10:00", "1mo", "2024-03-01T00:00"),  # February has no 31st: at its end
        ("2024-01-29T10:00", "1mo", "2024-02-29T10:00"),
        (
            "2025-03-29T02:30",
            "1d",
            "2025-03-30T03:00",
        ),  # 02:30 is skipped that night: the moment of the change
        ("2025-03-29T12:00", "1d", "2025-03-30T12:00"),  # 23 hours later
    ],
)
def test_a_term_ends_on_the_wall_where_days_differ(start: str, term: str, end: str) -> None:
    def local(text: str) -> int:
        return int(datetime.fromisoformat(text).replace(tzinfo=zone("Europe/Amsterdam")).timestamp()) * 1000

    assert iso(UNEVEN.deadline(local(start), Term.parse(term))) == iso(local(end))


@given(calendars, instants, st.integers(0, 200 * HOUR), terms)
def test_a_later_start_never_ends_earlier(calendar: Calendar, start: int, later: int, term: Term) -> None:
    assert calendar.deadline(start, term) <= calendar.deadline(start + later, term)


@given(calendars, instants, terms, st.integers(0, 10))
def test_a_longer_term_never_ends_earlier_and_none_ends_before_it_starts(
    calendar: Calendar, start: int, term: Term, more: int
) -> None:
    end = calendar.deadline(start, term)
    assert start <= end <= calendar.deadline(start, Term(term.count + more, term.unit))


@given(calendars, instants, instants, instants)
def test_working_time_adds_up(calendar: Calendar, a: int, b: int, c: int) -> None:
    a, b, c = sorted((a, b, c))
    assert calendar.working_between(a, c) == calendar.working_between(a, b) + calendar.working_between(b, c)
    assert 0 <= calendar.working_between(a, b) <= b - a
    assert calendar.working_between(b, a) == 0


@given(calendars, instants, st.integers(1, 300), st.sampled_from(["wh", "wms"]))
def test_a_deadline_in_working_time_is_the_first_instant_by_which_it_was_worked(
    calendar: Calendar, start: int, count: int, unit: str
) -> None:
    end = calendar.deadline(start, Term(count, unit))
    need = count * (HOUR if unit == "wh" else 1)
    assert calendar.working_between(start, end) == need
    assert calendar.working_between(start, end - 1) < need


@given(st.sampled_from(UNIFORM), instants, st.integers(1, 60))
def test_where_days_are_alike_working_days_are_so_many_working_hours(
    calendar: Calendar, start: int, count: int
) -> None:
    days = calendar.deadline(start, Term(count, "wd"))
    assert days == calendar.deadline(start, Term(count * calendar.day_ms, "wms"))
    assert calendar.working_between(start, days) == count * calendar.day_ms


@given(calendars, instants, st.integers(0, 60), st.sampled_from(["wd", "wh", "wms"]))
def test_working_terms_never_end_on_a_holiday_or_out_of_hours(
    calendar: Calendar, start: int, count: int, unit: str
) -> None:
    end = calendar.deadline(start, Term(count, unit))
    assert calendar.working_between(end - 1, end + 1) > 0
    local = datetime.fromtimestamp((end - 1) / 1000, calendar.timezone).date()
    closing = datetime.fromtimestamp(end / 1000, calendar.timezone).date()
    assert calendar.is_working_day(local) or calendar.is_working_day(closing)


@given(calendars, instants)
@settings(max_examples=60)
def test_working_time_is_what_a_plain_count_of_days_gives(calendar: Calendar, start: int) -> None:
    end = start + 20 * 24 * HOUR
    day = datetime.fromtimestamp(start / 1000, calendar.timezone).date() - timedelta(days=1)
    total = 0
    for _ in range(24):
        if calendar.is_working_day(day):
            week = [w for w in calendar.weeks if w.since <= day][-1:] or [calendar.weeks[0]]
            bounds = []
            for minutes in week[0].hours[day.isoweekday()]:
                naive = datetime(day.year, day.month, day.day) + timedelta(minutes=minutes)
                bounds.append(round(naive.replace(tzinfo=calendar.timezone).timestamp() * 1000))
            total += max(0, min(bounds[1], end) - max(bounds[0], start))
        day += timedelta(days=1)
    assert calendar.working_between(start, end) == total


@given(calendars, instants, terms.filter(lambda t: t.unit not in ("mo", "wms")), st.integers(0, 60 * HOUR))
def test_what_remains_and_what_was_used_make_the_term(
    calendar: Calendar, start: int, term: Term, pause: int
) -> None:
    now = start + pause
    used = calendar.elapsed(term, start, now)
    left = calendar.remaining(term, used)
    assert left.count >= 0
    if used == 0:
        assert left == term
    elif calendar in UNIFORM and term.unit in ("wd", "wh", "h", "m") and left.count:
        assert calendar.deadline(now, left) == calendar.deadline(start, term)


def test_round_the_clock_a_working_day_from_midnight_is_a_whole_day() -> None:
    assert ROUND_THE_CLOCK.deadline(at("2026-01-03"), Term(1, "wd")) == at("2026-01-04")
    assert NIGHTS.deadline(tehran("2026-01-05T00:00"), Term(2, "wd")) == tehran("2026-01-07T00:00")


def test_nothing_remains_of_a_term_that_is_used_up() -> None:
    assert IRAN.remaining(Term.parse("1wd"), 9 * HOUR) == Term(0, "wms")
    assert IRAN.remaining(Term.parse("2wd"), 3 * HOUR) == Term(13 * HOUR, "wms")
    assert IRAN.remaining(Term.parse("48h"), 40 * HOUR) == Term(8 * HOUR, "ms")
    assert IRAN.remaining(Term.parse("1mo"), 24 * HOUR) == Term(29 * 24 * HOUR, "ms")


@given(instants, instants, st.sampled_from(["Asia/Tehran", "Europe/Amsterdam", "UTC", "America/St_Johns"]))
def test_wall_time_keeps_the_order_of_instants_and_back(a: int, b: int, name: str) -> None:
    a, b = sorted((a, b))
    tz = zone(name)
    assert wall.wall(a, tz) <= wall.wall(b, tz)
    day, clock = wall.wall(a, tz)
    assert wall.instant(day, clock, tz) == a or datetime.fromtimestamp(a / 1000, tz).fold
    assert wall.instant(day, clock, tz) >= a


@given(
    st.integers(737_000, 739_500),
    st.integers(0, 24 * HOUR),
    st.integers(0, 3 * HOUR),
    st.sampled_from(["Asia/Tehran", "Europe/Amsterdam"]),
)
def test_a_later_wall_time_is_never_an_earlier_instant(day: int, clock: int, more: int, name: str) -> None:
    tz = zone(name)
    later_day, later_clock = divmod(day * 24 * HOUR + clock + more, 24 * HOUR)
    assert wall.instant(day, clock, tz) <= wall.instant(later_day, later_clock, tz)


def test_iran_kept_summer_time_until_2022_and_not_since() -> None:
    assert (
        NIGHTS.working_between(at("2021-03-22T00:00:00+04:30"), at("2021-03-23T00:00:00+04:30")) == 23 * HOUR
    )
    assert (
        NIGHTS.working_between(at("2021-09-21T00:00:00+04:30"), at("2021-09-22T00:00:00+03:30")) == 25 * HOUR
    )
    assert (
        NIGHTS.working_between(at("2025-03-22T00:00:00+03:30"), at("2025-03-23T00:00:00+03:30")) == 24 * HOUR
    )


def test_the_solar_holidays_of_iran_are_entered_and_known_until_a_day() -> None:
    assert IRAN.known_until == date(2028, 3, 19)
    assert len(IRAN.holidays) == 30
    for day in ("2025-03-21", "2026-04-02", "2027-06-04", "2027-02-11", "2028-03-19"):
        assert not IRAN.is_working_day(date.fromisoformat(day))
    assert IRAN.is_working_day(date(2026, 1, 3))
    assert not IRAN.is_working_day(date(2026, 1, 2))
    assert all(h.fa and h.en for h in IRAN.holidays.values())


def test_the_same_calendar_gives_the_same_answer_whatever_was_asked_before() -> None:
    start = at("2026-01-03T08:30:00Z")
    warm = load("iran")
    for year in (1950, 2290, 2024, 2030):
        warm.deadline(at(f"{year}-06-01"), Term(400, "wd"))
    assert warm.deadline(start, Term(300, "wd")) == load("iran").deadline(start, Term(300, "wd"))


@pytest.mark.parametrize("start", ["1899-06-01", "2300-06-01"])
def test_a_start_outside_the_range_of_calendars_is_refused(start: str) -> None:
    with pytest.raises(Problem) as caught:
        IRAN.deadline(at(start), Term(1, "wd"))
    assert caught.value.code == "instant-out-of-range"


def test_a_hundred_years_of_terms_are_within_range() -> None:
    for text in ("36525wd", "36525d", "1200mo", "876600h"):
        assert IRAN.deadline(at("2299-12-30"), Term.parse(text)) > at("2299-12-30")


@pytest.mark.parametrize("text", ["7wd", "12wh", "30d", "48h", "90m", "3mo", "0d", "36525wd"])
def test_a_term_is_read_as_packs_write_it(text: str) -> None:
    assert str(Term.parse(text)) == text


@pytest.mark.parametrize(
    "text", ["", "7", "wd", "7 wd", "-1d", "07d", "1.5h", "7wD", "7y", "99999wd", "۷wd", "1s", "3mo ", "7ms"]
)
def test_what_is_no_term_is_refused(text: str) -> None:
    with pytest.raises(Problem) as caught:
        Term.parse(text)
    assert caught.value.code == "term-malformed"


def test_a_term_is_shown_in_both_languages() -> None:
    assert Term.parse("7wd").text("en") == "7 working days"
    assert Term.parse("1mo").text("en") == "1 month"
    assert Term.parse("7wd").text("fa") == "۷ روز کاری"


def _week(**change: Any) -> dict[str, Any]:
    return {
        "since": "2020-01-01",
        "weekend": ["friday"],
        "hours": {"open": "08:00", "close": "16:00"},
        **change,
    }


@pytest.mark.parametrize(
    ("change", "at_"),
    [
        ({"timezone": None}, "/timezone"),
        ({"weeks": []}, "/weeks"),
        ({"weeks": [_week(weekend=["fri"])]}, "/weeks/0/weekend/0"),
        ({"weeks": [_week(since="soon")]}, "/weeks/0/since"),
        ({"weeks": [_week(hours={"open": "16:00", "close": "08:00"})]}, "/weeks/0/hours"),
        ({"weeks": [_week(hours={"open": "08:00", "close": "25:00"})]}, "/weeks/0/hours/close"),
        ({"weeks": [_week(days={"friday": {"open": "08:00", "close": "12:00"}})]}, "/weeks/0/days/friday"),
        (
            {
                "weeks": [
                    _week(
                        weekend=["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
                    )
                ]
            },
            "/weeks/0/weekend",
        ),
        ({"holidays": {"2026-02-30": {"fa": "…", "en": "…"}}}, "/holidays/2026-02-30"),
        ({"holidays": [1]}, "/holidays"),
        ({"surprise": 1}, ""),
    ],
)
def test_a_malformed_calendar_is_refused_at_its_place(change: dict[str, Any], at_: str) -> None:
    with pytest.raises(Problem) as caught:
        from_mapping({"name": "x", "timezone": "UTC", "weeks": [_week()], **change})
    assert caught.value.code == "calendar-malformed"
    assert caught.value.pointer == at_


@pytest.mark.parametrize("name", ["Mars/Olympus", "../../etc/passwd", "", "Asia/Tehran\x00"])
def test_an_unknown_time_zone_is_refused(name: str) -> None:
    with pytest.raises(Problem) as caught:
        from_mapping({"name": "x", "timezone": name, "weeks": [_week()]})
    assert caught.value.code == "zone-unknown"


def test_hours_that_yaml_read_as_numbers_and_days_it_read_as_dates_mean_the_same() -> None:
    read = yaml.safe_load(
        "{name: x, timezone: UTC, weeks: [{since: 2020-01-01, weekend: [friday], hours: {open: 10:00, close: 16:00}}],"
        " holidays: {2026-01-03: {fa: روز, en: Day}}}"
    )
    made = from_mapping(read)
    assert made.weeks[0].hours[1] == (600, 960)
    assert not made.is_working_day(date(2026, 1, 3))
    assert made.timezone is UTC


def test_a_day_begins_and_ends_on_the_calendars_clock_and_an_instant_is_itself() -> None:
    assert IRAN.start_of("2026-01-01") == parse_instant("2026-01-01T00:00:00+03:30")
    assert IRAN.end_of("2026-01-01") == parse_instant("2026-01-02T00:00:00+03:30")
    assert IRAN.start_of("2026-01-01T12:00:00Z") == parse_instant("2026-01-01T12:00:00Z")


def test_any_changed_calendar_is_read_or_refused() -> None:
    """A stranger's: every place of a good one holds, in turn, each of these."""
    good: dict[str, Any] = yaml.safe_load((PACKS / "core" / "calendars" / "generic.yaml").read_bytes())
    good["holidays"] = {"2026-03-21": {"fa": "ن", "en": "n"}}
    odd: list[Any] = [
        None, True, -1, 10**30, 1.5, "", "x\n", "25:00", "24:01", "08:60", "2026-02-30", "0000-00-00", "Asia/../Tehran", "/etc/passwd",
        "Asia/Tehran\n", [], [[]], {}, {"x": {}}, {"open": "17:00", "close": "08:00"}, {"open": "08:00", "close": "08:00"}, ["funday"],
        ["saturday"] * 9, [f"{day}day" for day in ("satur", "sun", "mon", "tues", "wednes", "thurs", "fri")],
    ]  # fmt: skip
    read = 0
    for place in places(good):
        for value in odd:
            made = copy.deepcopy(good)
            within: Any = made
            for name in place[:-1]:
                within = within[name]
            within[place[-1]] = value
            try:
                calendar = from_mapping(made)
                calendar.deadline(parse_instant("2026-01-03T08:00:00Z"), Term.parse("3wd"))
            except Problem:
                continue
            read += 1
    assert read > 5


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [*([at] if at else []), *(place for name, each in inner for place in places(each, (*at, name)))]
