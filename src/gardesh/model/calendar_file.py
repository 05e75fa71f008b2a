"""`calendars/<name>.yaml` of a pack: the working week, dated, and the holidays that are known.

    name: iran
    title: {fa: …, en: …}
    timezone: Asia/Tehran
    months: jalali                 # in which calendar `3mo` counts; gregorian if not said
    weeks:                         # each in force from its day on; the first also before
      - since: 2018-03-21
        weekend: [thursday, friday]
        hours: {open: "08:00", close: "16:00"}
        days: {wednesday: {open: "08:00", close: "13:00"}}     # days with other hours
        source: …                  # or assumed: why
    known_until: 2028-03-19        # holidays are entered up to this day
    holidays:
      2025-03-21: {fa: نوروز, en: Nowruz, source: …}

Days are Gregorian. Hours are local; `close: "24:00"` is midnight at the end of the day.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from gardesh.model.problem import Problem, define, pointer

MALFORMED: Final = define(
    "calendar-malformed",
    422,
    en="The calendar cannot be used: {reason}",
    fa="این تقویم قابل استفاده نیست: {reason_fa}",
    hint_en="The form of a calendar file is described in docs/reference/language.md.",
    hint_fa="شکل پرونده‌ی تقویم در docs/reference/language.md آمده است.",
)

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
_WEEKDAYS: Final[tuple[Weekday, ...]] = (
    "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday",
)  # fmt: skip
_CLOCK = re.compile("([01][0-9]|2[0-4]):([0-5][0-9])")


class _Hours(Struct, frozen=True, forbid_unknown_fields=True):
    open: str | int
    close: str | int


class _Week(Struct, frozen=True, forbid_unknown_fields=True):
    since: str
    weekend: list[Weekday]
    hours: _Hours
    days: dict[Weekday, _Hours] = {}
    source: str = ""
    assumed: str = ""


class _Holiday(Struct, frozen=True, forbid_unknown_fields=True):
    fa: str
    en: str
    source: str = ""
    assumed: str = ""


class CalendarDocument(Struct, frozen=True, forbid_unknown_fields=True):
    """The file as it is written, for its JSON Schema."""

    name: str
    timezone: str
    weeks: list[_Week]
    title: dict[str, str] = {}
    description: dict[str, str] = {}
    months: Literal["gregorian", "jalali"] = "gregorian"
    known_until: str | None = None
    holidays: dict[str, _Holiday] = {}
    source: str = ""
    assumed: str = ""


@dataclass(frozen=True, slots=True)
class Week:
    """Working hours from a day on: ISO weekday (Monday is 1) to opening and closing in minutes of the day."""

    since: date
    hours: Mapping[int, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Holiday:
    fa: str
    en: str
    source: str = ""


@dataclass(frozen=True, slots=True)
class CalendarFile:
    """A calendar file whose dates and hours were read."""

    name: str
    timezone: str
    months: str
    weeks: tuple[Week, ...]
    holidays: dict[date, Holiday]
    known_until: date | None


def read(mapping: Mapping[Any, Any]) -> CalendarFile:
    """Raises `calendar-malformed` with a pointer into the file. Dates are texts; those that YAML made dates are taken too."""
    try:
        file = msgspec.convert(_plain(mapping), CalendarDocument, strict=True)
    except msgspec.ValidationError as error:
        reason, _, place = str(error).partition(" - at `")
        at = place.rstrip("`").lstrip("$").replace("[...]", "/*").replace(".", "/")
        at = at.replace("[", "/").replace("]", "")
        raise _wrong(at, reason, "ساختار پرونده درست نیست.") from None
    if not file.weeks:
        raise _wrong("/weeks", "no working week is given.", "هیچ هفته‌ی کاری داده نشده است.")
    return CalendarFile(
        file.name,
        file.timezone,
        file.months,
        tuple(_week(week, pointer("weeks", i)) for i, week in enumerate(file.weeks)),
        {_day(d, pointer("holidays", d)): Holiday(h.fa, h.en, h.source) for d, h in file.holidays.items()},
        None if file.known_until is None else _day(file.known_until, "/known_until"),
    )


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_plain(v) for v in value]
    return value.isoformat() if isinstance(value, date) else value


def _wrong(at: str, reason: str, reason_fa: str) -> Problem:
    return Problem(MALFORMED, at, reason=reason, reason_fa=reason_fa)


def _day(text: str, at: str) -> date:
    try:
        if len(text) == 10:
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise _wrong(at, f"{text!r} is not a day (YYYY-MM-DD).", f"«{text}» روز معتبری نیست (YYYY-MM-DD).")


def _week(week: _Week, at: str) -> Week:
    by_weekday = {}
    for number, name in enumerate(_WEEKDAYS, start=1):
        if name not in week.weekend:
            place = f"{at}/days/{name}" if name in week.days else f"{at}/hours"
            by_weekday[number] = _hours(week.days.get(name, week.hours), place)
    if not by_weekday:
        raise _wrong(f"{at}/weekend", "no working day is left.", "هیچ روز کاری باقی نمی‌ماند.")
    both = [name for name in week.days if name in week.weekend]
    if both:
        raise _wrong(f"{at}/days/{both[0]}", "the day is in the weekend.", "این روز تعطیل آخر هفته است.")
    return Week(_day(week.since, f"{at}/since"), by_weekday)


def _hours(hours: _Hours, at: str) -> tuple[int, int]:
    opens, closes = _minutes(hours.open, f"{at}/open"), _minutes(hours.close, f"{at}/close")
    if opens >= closes:
        raise _wrong(at, "it must open before it closes.", "باید پیش از پایان ساعت کار باز شود.")
    return opens, closes


def _minutes(clock: str | int, at: str) -> int:
    """Minutes of the day. YAML 1.1 reads an unquoted 16:00 as the number 960: just those minutes."""
    if isinstance(clock, int):
        minutes = clock
    else:
        found = _CLOCK.fullmatch(clock)
        minutes = int(found[1]) * 60 + int(found[2]) if found else -1
    if not 0 <= minutes <= 1440:
        raise _wrong(at, f"{clock!r} is not a time of day (08:00).", f"«{clock}» ساعت معتبری نیست (08:00).")
    return minutes
