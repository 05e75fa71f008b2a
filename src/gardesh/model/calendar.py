"""Working-time calendars: when offices work, and when a term that starts now will have passed.

Instants are int milliseconds since the Unix epoch, UTC. Reckoning is exact and depends on nothing but the
calendar's data and the IANA time zone it names.

How each kind of term ends, for a start `s`:

- `h`, `m`: exactly so many hours or minutes of real time later.
- `d`: at the same time on the wall, so many calendar days later. It may end on a holiday.
- `mo`: on the same day of the month, so many months later in the calendar the mapping names (`gregorian` or
  `jalali`); where that month has no such day, at the end of the month.
- `wh`: as soon as so many hours of working time have passed since `s`.
- `wd`: at the same time on the wall, so many working days later. A start outside working time counts as the
  next opening, and a day that was whole at its opening is over at its closing: from Monday 08:00, or from
  Sunday night, `1wd` ends on Monday 16:00; from Monday 10:00 on Tuesday 10:00. On a shorter day it ends at the
  latest at closing. Where all days are alike, `1wd` equals as many `wh` as a day has.

So terms of working time end within working hours, never on a holiday, later starts never end earlier, and of
two terms of a kind the longer never ends earlier.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from datetime import UTC, date, timedelta, tzinfo
from functools import lru_cache
from typing import Final

import jdatetime

from gardesh.model import wall
from gardesh.model.calendar_file import Holiday, Week
from gardesh.model.calendar_file import read as read_file
from gardesh.model.instant import iso, jalali, jalali_date, parse_instant, zone
from gardesh.model.problem import Problem, define
from gardesh.model.term import DAY, HOUR, MINUTE, Term

__all__ = [
    "ROUND_THE_CLOCK",
    "Calendar",
    "Holiday",
    "Term",
    "Week",
    "from_mapping",
    "iso",
    "jalali",
    "jalali_date",
    "parse_instant",
]

OUT_OF_RANGE: Final = define(
    "instant-out-of-range",
    422,
    en="Calendars reckon from 1900 to 2299; {value} lies outside.",
    fa="تقویم‌ها از سال ۱۹۰۰ تا ۲۲۹۹ میلادی حساب می‌کنند؛ {value} بیرون از آن است.",
)

_FIRST: Final = parse_instant("1900-01-02")
_LAST: Final = parse_instant("2299-12-31")
_LAST_YEAR: Final = 9_000
_MEAN_YEAR: Final = 31_556_952_000


def _in_range(at: int) -> int:
    if not _FIRST <= at <= _LAST:
        raise Problem(OUT_OF_RANGE, value=at)
    return at


class _Year:
    """The working days of one year, in order; `before[i]` is the working time of the year before day i."""

    __slots__ = ("before", "closes", "days", "opens", "start")

    def __init__(self, start: int, days: list[tuple[int, int, int]]) -> None:
        self.start = start
        self.days = [day for day, _, _ in days]
        self.opens = [opens for _, opens, _ in days]
        self.closes = [closes for _, _, closes in days]
        self.before = [0]
        for _, opens, closes in days:
            self.before.append(self.before[-1] + closes - opens)

    def worked(self, ms: int) -> int:
        """Working time from the start of the year to an instant in it."""
        i = bisect_left(self.closes, ms)
        if i == len(self.closes):
            return self.before[-1]
        return self.before[i] + max(0, ms - self.opens[i])


class Calendar:
    """When an office works. Immutable to its users; tables of the years it met are kept.

    Holidays are known up to `known_until` (None: no holidays are ever to be known); beyond it deadlines are
    reckoned as if there were none. Raises ValueError if some week of `weeks` has no working day.
    """

    def __init__(
        self,
        name: str,
        timezone: tzinfo,
        weeks: Sequence[Week],
        holidays: Mapping[date, Holiday],
        *,
        months: str = "gregorian",
        known_until: date | None = None,
    ) -> None:
        if not weeks or any(not week.hours for week in weeks):
            raise ValueError("a calendar needs working days")
        self.name = name
        self.timezone = timezone
        self.weeks = tuple(sorted(weeks, key=lambda week: week.since))
        self.holidays = dict(holidays)
        self.months = months
        self.known_until = known_until
        self._closed = {day.toordinal() for day in holidays}
        self._years: dict[int, _Year] = {}
        lengths = [closes - opens for opens, closes in self.weeks[-1].hours.values()]
        self.day_ms: Final = max(lengths, key=lambda n: (lengths.count(n), n)) * MINUTE
        """Working time of an ordinary day: the most frequent of the latest week, the longer of equals."""

    def is_working_day(self, day: date) -> bool:
        return day not in self.holidays and day.isoweekday() in self._week(day).hours

    def start_of(self, text: str) -> int:
        """The instant that RFC 3339 text names; of a day alone, its beginning on this calendar's clock.

        Raises `instant-malformed` and `instant-out-of-range`.
        """
        at = parse_instant(text)
        if len(text) > 10:
            return _in_range(at)
        return _in_range(wall.instant(date.fromisoformat(text).toordinal(), 0, self.timezone))

    def end_of(self, text: str) -> int:
        """The instant that RFC 3339 text names; of a day alone, its end on this calendar's clock.

        Raises `instant-malformed` and `instant-out-of-range`.
        """
        at = parse_instant(text)
        if len(text) > 10:
            return _in_range(at)
        day = date.fromisoformat(text).toordinal() + 1
        return _in_range(wall.instant(day, 0, self.timezone))

    def deadline(self, start_ms: int, term: Term) -> int:
        """The instant at which `term`, started at `start_ms`, has passed. Raises `instant-out-of-range`."""
        if not _FIRST <= start_ms <= _LAST:
            raise Problem(OUT_OF_RANGE, value=start_ms)
        unit, count = term.unit, term.count
        if unit == "wd":
            return self._after_days(start_ms, count)
        if unit == "wh":
            return self._after_working(start_ms, count * HOUR)
        if unit == "wms":
            return self._after_working(start_ms, count)
        if unit == "h":
            return start_ms + count * HOUR
        if unit == "m":
            return start_ms + count * MINUTE
        if unit == "ms" or count == 0:
            return start_ms + count
        day, clock = wall.wall(start_ms, self.timezone)
        if unit == "d":
            return wall.instant(day + count, clock, self.timezone)
        target, exists = _months_later(date.fromordinal(day), count, self.months == "jalali")
        return wall.instant(target.toordinal(), clock if exists else DAY, self.timezone)

    def working_between(self, a: int, b: int) -> int:
        """The ms of working time from `a` to `b`; 0 if `b` is not after `a`."""
        if b <= a:
            return 0
        if a < _FIRST or b > _LAST + 100 * _MEAN_YEAR:
            raise Problem(OUT_OF_RANGE, value=a if a < _FIRST else b)
        first, last = self._year_of(a), self._year_of(b)
        worked = self._year(last).worked(b) - self._year(first).worked(a)
        return worked + sum(self._year(y).before[-1] for y in range(first, last))

    def elapsed(self, term: Term, a: int, b: int) -> int:
        """The ms of `term` that pass from `a` to `b`: working time for working terms, else plain time."""
        return self.working_between(a, b) if term.working else max(0, b - a)

    def remaining(self, term: Term, used_ms: int) -> Term:
        """What is left of a term after `used_ms` of it, as :meth:`elapsed` measures; zero when all is used.

        A working day counts as `day_ms`, a calendar day as 24 hours, a month as 30 days.
        """
        if used_ms <= 0:
            return term
        if term.working:
            each = {"wd": self.day_ms, "wh": HOUR, "wms": 1}[term.unit]
            return Term(max(0, term.count * each - used_ms), "wms")
        each = {"d": DAY, "h": HOUR, "m": MINUTE, "mo": 30 * DAY, "ms": 1}[term.unit]
        return Term(max(0, term.count * each - used_ms), "ms")

    def _after_days(self, start: int, count: int) -> int:
        year, place = self._next_day(start)
        table = self._year(year)
        inside = start > table.opens[place]
        if count == 0:
            return start if inside else table.opens[place]
        year, place = self._later_day(year, place, count if inside else count - 1)
        table = self._year(year)
        if not inside:
            return table.closes[place]
        clock = wall.wall(start, self.timezone)[1] or DAY
        end = wall.instant(table.days[place], clock, self.timezone)
        if end > table.opens[place]:
            return min(end, table.closes[place])
        year, place = self._later_day(year, place, -1)
        return self._year(year).closes[place]

    def _after_working(self, start: int, need: int) -> int:
        """The first instant since whose start `need` ms were worked; for none, the next instant of work."""
        if need == 0:
            return self._after_days(start, 0)
        year = self._year_of(start)
        table = self._year(year)
        target = table.worked(start) + need
        while target > table.before[-1]:
            target -= table.before[-1]
            year += 1
            table = self._year(year)
        place = bisect_left(table.before, target) - 1
        return table.opens[place] + target - table.before[place]

    def _next_day(self, ms: int) -> tuple[int, int]:
        """The first working day that closes at `ms` or later: year and place in its table."""
        year = self._year_of(ms)
        while True:
            closes = self._year(year).closes
            place = bisect_left(closes, ms)
            if place < len(closes):
                return year, place
            year += 1

    def _later_day(self, year: int, place: int, count: int) -> tuple[int, int]:
        place += count
        while place >= (size := len(self._year(year).days)):
            place -= size
            year += 1
        while place < 0:
            year -= 1
            place += len(self._year(year).days)
        return year, place

    def _year_of(self, ms: int) -> int:
        year = 1970 + ms // _MEAN_YEAR
        if ms < self._year(year).start:
            return year - 1
        return year + 1 if ms >= self._year(year + 1).start else year

    def _year(self, year: int) -> _Year:
        found = self._years.get(year)
        if found is None:
            if year > _LAST_YEAR:
                raise Problem(OUT_OF_RANGE, value=year)
            found = self._years[year] = self._table(year)
        return found

    def _table(self, year: int) -> _Year:
        first, last = date(year, 1, 1).toordinal(), date(year + 1, 1, 1).toordinal()
        zone_ = self.timezone
        days = []
        for day in range(first, last):
            hours = self._week(date.fromordinal(day)).hours.get((day - 1) % 7 + 1)
            if hours is not None and day not in self._closed:
                opens, closes = (wall.instant(day, minutes * MINUTE, zone_) for minutes in hours)
                if opens < closes:
                    days.append((day, opens, closes))
        return _Year(wall.instant(first, 0, zone_), days)

    def _week(self, day: date) -> Week:
        found = self.weeks[0]
        for week in self.weeks[1:]:
            if week.since > day:
                break
            found = week
        return found


@lru_cache(4096)
def _months_later(day: date, count: int, in_jalali: bool) -> tuple[date, bool]:
    """The same day of the month `count` months later; or the month's last day and False if it has none."""
    if in_jalali:
        own = jdatetime.date.fromgregorian(date=day)
        year, month = divmod(own.year * 12 + own.month - 1 + count, 12)
        first = jdatetime.date(year, month + 1, 1).togregorian()
        next_year, next_month = divmod(year * 12 + month + 1, 12)
        after = jdatetime.date(next_year, next_month + 1, 1).togregorian()
        wanted = first + timedelta(days=own.day - 1)
    else:
        year, month = divmod(day.year * 12 + day.month - 1 + count, 12)
        first = date(year, month + 1, 1)
        after = (first + timedelta(days=31)).replace(day=1)
        wanted = first + timedelta(days=day.day - 1)
    return (wanted, True) if wanted < after else (after - timedelta(days=1), False)


def from_mapping(mapping: Mapping[str, object]) -> Calendar:
    """A calendar as packs write it, `calendars/<name>.yaml`. Raises `calendar-malformed` at the wrong place."""
    file = read_file(mapping)
    return Calendar(
        file.name,
        zone(file.timezone),
        file.weeks,
        file.holidays,
        months=file.months,
        known_until=file.known_until,
    )


ROUND_THE_CLOCK: Final = Calendar(
    "round-the-clock", UTC, [Week(date(1900, 1, 1), dict.fromkeys(range(1, 8), (0, 1440)))], {}
)
"""Every minute is working time; UTC."""
