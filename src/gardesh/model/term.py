"""Terms: how long something may take, as packs write it (`7wd`, `12wh`, `30d`, `48h`, `90m`, `3mo`)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from gardesh.model.digits import persian_digits
from gardesh.model.problem import Problem, define

MALFORMED: Final = define(
    "term-malformed",
    422,
    en="{value} is not a term.",
    fa="«{value}» مهلت معتبری نیست.",
    hint_en="Write 7wd (working days), 12wh (working hours), 30d (days), 48h (hours), 90m (minutes) or 3mo (months), "
    "of at most 100 years.",
    hint_fa="بنویسید 7wd (روز کاری)، 12wh (ساعت کاری)، 30d (روز)، 48h (ساعت)، 90m (دقیقه) یا 3mo (ماه)، "
    "حداکثر ۱۰۰ سال.",
)

MINUTE: Final = 60_000
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

_WRITTEN = re.compile("(0|[1-9][0-9]{0,8})(wd|wh|d|h|m|mo)")
_LONGEST = {"wd": 36_525, "wh": 876_600, "d": 36_525, "h": 876_600, "m": 52_596_000, "mo": 1_200}
_NAMES = {
    "wd": ("روز کاری", "working day"),
    "wh": ("ساعت کاری", "working hour"),
    "d": ("روز", "day"),
    "h": ("ساعت", "hour"),
    "m": ("دقیقه", "minute"),
    "mo": ("ماه", "month"),
    "ms": ("میلی‌ثانیه", "millisecond"),
    "wms": ("میلی‌ثانیه‌ی کاری", "working millisecond"),
}


@dataclass(frozen=True, slots=True)
class Term:
    """`count` units. Packs write `wd wh d h m mo`; what is left of a term is counted in `ms` or `wms`.

    `wms` are milliseconds of working time.
    """

    count: int
    unit: str

    @staticmethod
    def parse(text: str) -> Term:
        """The term that a pack writes. Raises `term-malformed`, also for terms over a hundred years."""
        return _parse(text)

    @property
    def working(self) -> bool:
        """Whether it runs in working time only."""
        return self.unit in ("wd", "wh", "wms")

    def text(self, lang: str) -> str:
        """For people: `7 working days`, `۷ روز کاری`."""
        fa, en = _NAMES[self.unit]
        if lang == "fa":
            return f"{persian_digits(str(self.count))} {fa}"
        return f"{self.count} {en}{'' if self.count == 1 else 's'}"

    def __str__(self) -> str:
        return f"{self.count}{self.unit}"


@lru_cache(maxsize=1024)
def _parse(text: str) -> Term:
    found = _WRITTEN.fullmatch(text)
    if found is None or int(found[1]) > _LONGEST[found[2]]:
        raise Problem(MALFORMED, value=text[:64])
    return Term(int(found[1]), found[2])
