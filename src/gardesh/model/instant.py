"""Instants and how they are written. An instant is an int: milliseconds since the Unix epoch, UTC.

Documents and packs write RFC 3339; people read the solar Hijri (Jalali) calendar or ISO, in their own zone.
"""

from __future__ import annotations

import importlib.resources
import re
from datetime import UTC, date, datetime, tzinfo
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import jdatetime

from gardesh.model.digits import persian_digits
from gardesh.model.problem import Problem, define

UNREADABLE: Final = define(
    "instant-malformed",
    422,
    en="{value} is not an instant.",
    fa="«{value}» زمان معتبری نیست.",
    hint_en="Write a day (2026-03-21) or an instant with its offset (2026-03-21T08:00:00+03:30 or …Z).",
    hint_fa="روز (2026-03-21) یا زمان با فاصله‌ی آن از ساعت جهانی (2026-03-21T08:00:00+03:30 یا …Z) را بنویسید.",
)
TOO_EARLY: Final = define(
    "instant-before-1900",
    422,
    en="{value} is before 1900: days are Gregorian here, written as ISO 8601 has them.",
    fa="«{value}» پیش از سال ۱۹۰۰ است: روزها در اینجا میلادی است، به شیوه‌ی ISO 8601.",
    hint_en="Write a Jalali day as its Gregorian one: 1405-01-01 is 2026-03-21.",
    hint_fa="به جای روز شمسی، روز میلادی آن را بنویسید: 1405-01-01 همان 2026-03-21 است.",
)
NO_SUCH_ZONE: Final = define(
    "zone-unknown",
    422,
    en="There is no time zone {zone} in the IANA database.",
    fa="منطقه‌ی زمانی «{zone}» در پایگاه IANA نیست.",
)

_WRITTEN = re.compile(
    r"([1-9]\d{3}-\d\d-\d\d)(?:[Tt ](\d\d:\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?([Zz]|[+-]\d\d:\d\d))?", re.ASCII
)
_ZONE_NAME = re.compile(r"[A-Za-z0-9_+-]+(?:/[A-Za-z0-9_+-]+){0,2}", re.ASCII)


def parse_instant(text: str) -> int:
    """The instant that RFC 3339 text names; a day alone means its first moment in UTC.

    Offset is required with a time of day; seconds may be left out; what is finer than a millisecond is cut off.
    Years 1000 to 9999. Raises `instant-malformed`.
    """
    found = _WRITTEN.fullmatch(text)
    if found is None:
        raise Problem(UNREADABLE, value=text[:64])
    day, clock, seconds, fraction, offset = found.groups()
    zone = "+00:00" if offset is None or offset in "Zz" else offset
    try:
        made = datetime.fromisoformat(f"{day}T{clock or '00:00'}:{seconds or '00'}{zone}")
    except ValueError:
        raise Problem(UNREADABLE, value=text[:64]) from None
    return _seconds(made) * 1000 + (int(fraction.ljust(3, "0")[:3]) if fraction else 0)


def parse_as_of(text: str) -> int:
    """The instant that a question is asked as of: as `parse_instant`, and from 1900-01-01 on, so that a Jalali day is not taken
    for one of long ago. Raises `instant-malformed`, `instant-before-1900`."""
    made = parse_instant(text)
    if made < _1900:
        raise Problem(TOO_EARLY, value=text[:64])
    return made


_LAST_JALALI: Final = 9997
_NEVER: Final = 253_339_228_800_000
_EPOCH = date(1970, 1, 1).toordinal()
_1900: Final = (date(1900, 1, 1).toordinal() - _EPOCH) * 86_400_000


def _seconds(made: datetime) -> int:
    """Whole seconds since the epoch, without a binary float on the way."""
    days = made.toordinal() - _EPOCH
    offset = made.utcoffset()
    shift = offset.days * 86_400 + offset.seconds if offset is not None else 0
    return days * 86_400 + made.hour * 3600 + made.minute * 60 + made.second - shift


def iso(ms: int) -> str:
    """RFC 3339 in UTC, `2026-01-03T04:30:00Z`; milliseconds only where there are any. Years 1 to 9999."""
    seconds, rest = divmod(ms, 1000)
    day, clock = divmod(seconds, 86_400)
    minutes, second = divmod(clock, 60)
    shown = f"{minutes // 60:02d}:{minutes % 60:02d}:{second:02d}" + (f".{rest:03d}" if rest else "")
    return f"{date.fromordinal(day + _EPOCH).isoformat()}T{shown}Z"


@lru_cache(maxsize=256)
def zone(name: str) -> tzinfo:
    """The IANA time zone `name`: from the `tzdata` package where it is installed, else from the system.

    The package comes first so that every machine with the same lock file reckons alike. Raises `zone-unknown`.
    """
    if name == "UTC":
        return UTC
    if not _ZONE_NAME.fullmatch(name):
        raise Problem(NO_SUCH_ZONE, zone=name[:64])
    try:
        with importlib.resources.files("tzdata.zoneinfo").joinpath(*name.split("/")).open("rb") as file:
            return ZoneInfo.from_file(file, key=name)
    except (ModuleNotFoundError, OSError):
        pass
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError, ValueError):
        raise Problem(NO_SUCH_ZONE, zone=name[:64]) from None


def jalali_date(day: str) -> str:
    """A Gregorian day `2026-03-21` as people in Iran write it: `۱۴۰۵/۰۱/۰۱`. Raises `instant-malformed`."""
    try:
        return _jalali_day(date.fromisoformat(day))
    except ValueError:
        raise Problem(UNREADABLE, value=day[:64]) from None


@lru_cache(maxsize=4096)
def _jalali_day(day: date) -> str:
    if not 1000 <= day.year <= _LAST_JALALI:
        return persian_digits(day.isoformat())
    made = jdatetime.date.fromgregorian(date=day)
    return persian_digits(f"{made.year:04d}/{made.month:02d}/{made.day:02d}")


def jalali(ms: int, tz: str = "Asia/Tehran", *, seconds: bool = False) -> str:
    """Day and time of day in the zone `tz`, in the Jalali calendar and Persian digits: `۱۴۰۵/۰۱/۰۱ ۰۸:۳۰`.

    From the year 9998 on, where "for ever" is often written, the Gregorian day in UTC.
    """
    if ms >= _NEVER:
        return persian_digits(iso(ms)[: 19 if seconds else 16].replace("T", " "))
    local = datetime.fromtimestamp(ms // 1000, zone(tz))
    shown = f"{local:%H:%M:%S}" if seconds else f"{local:%H:%M}"
    return f"{_jalali_day(local.date())} {persian_digits(shown)}"


def clock_time(ms: int, tz: str = "Asia/Tehran") -> str:
    """Day and time of day in the zone `tz`, with how far it is from UTC: `2026-03-21 08:30 +03:30`.

    From the year 9998 on, in UTC.
    """
    if ms >= _NEVER:
        return f"{iso(ms)[:16].replace('T', ' ')} +00:00"
    return datetime.fromtimestamp(ms // 1000, zone(tz)).isoformat(" ", "minutes").replace("+", " +")
