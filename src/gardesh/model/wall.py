"""From instants to what the clock on the wall shows and back, monotone in both directions.

A wall time is a day (proleptic Gregorian ordinal) and the milliseconds since its midnight. Where clocks go
back, the hour that comes twice reads as its end the second time; where they go forward, a time that is skipped
means the moment of the change. So a later instant never reads earlier, and a later wall time is never an earlier
instant, and deadlines reckoned on the wall keep their order.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Final

_EPOCH: Final = date(1970, 1, 1).toordinal()
_DAY: Final = 86_400_000


def _ms(span: timedelta | None) -> int:
    return 0 if span is None else span.days * _DAY + span.seconds * 1000


def _offset(seconds: int, zone: tzinfo) -> int:
    """The offset from UTC in ms in force at an instant."""
    return _ms(datetime.fromtimestamp(seconds, zone).utcoffset())


def _change(before: int, after: int, zone: tzinfo) -> int:
    """The first second in (before, after] whose offset is that of `after`; there is one change between."""
    new = _offset(after, zone)
    while after - before > 1:
        middle = (before + after) // 2
        if _offset(middle, zone) == new:
            after = middle
        else:
            before = middle
    return after


def wall(ms: int, zone: tzinfo) -> tuple[int, int]:
    """The day and the ms since midnight that the clock shows at an instant."""
    seconds = ms // 1000
    local = datetime.fromtimestamp(seconds, zone)
    shown = ms + _ms(local.utcoffset())
    if local.fold:
        earlier = _ms(local.replace(fold=0).utcoffset())
        changed = _change(seconds - (earlier - _ms(local.utcoffset())) // 1000, seconds, zone)
        shown = changed * 1000 + earlier
    day, clock = divmod(shown, _DAY)
    return day + _EPOCH, clock


def instant(day: int, clock: int, zone: tzinfo) -> int:
    """The instant at which the clock shows `clock` ms after the midnight of `day` (the first, if twice)."""
    shown = (day - _EPOCH) * _DAY + clock
    if zone is UTC:
        return shown
    seconds = shown // 1000
    first = (datetime(1970, 1, 1) + timedelta(seconds=seconds)).replace(tzinfo=zone)
    earlier = _ms(first.utcoffset())
    later = _ms(first.replace(fold=1).utcoffset())
    if later > earlier:  # a gap: no clock shows this
        return _change(seconds - later // 1000, seconds - earlier // 1000, zone) * 1000
    return shown - earlier
