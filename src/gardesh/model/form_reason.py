"""Why a value does not have the form that was asked for, in Persian: what the decoder (msgspec) says, phrase by phrase."""

from __future__ import annotations

import re

from gardesh.model.problem import Wording

KINDS = {
    "str": "متن", "int": "عدد صحیح", "float": "عدد", "bool": "true یا false", "array": "فهرست", "object": "شیء", "null": "null",
}  # fmt: skip
REASONS = (
    (r"it is missing|'data'", "نیامده است"),
    (r"it is not known here", "در اینجا شناخته نیست"),
    (r"it is there twice", "دو بار آمده است"),
    (r"it is nested too deep", "بیش از اندازه تودرتو است"),
    (r"exactly one of them is given", "باید دقیقاً یکی از این‌ها بیاید"),
    (r"Expected `(.+)`, got `(.+)`", "باید {0} باشد، نه {1}"),
    (r"Expected `.+` of length <= (\d+)", "درازای آن حداکثر {0} است"),
    (r"Expected `.+` of length >= (\d+)", "درازای آن دست‌کم {0} است"),
    (r"Expected `.+` <= (\S+)", "حداکثر {0} است"),
    (r"Expected `.+` >= (\S+)", "دست‌کم {0} است"),
    (r"Expected `.+` < (\S+)", "کمتر از {0} است"),
    (r"Expected `.+` > (\S+)", "بیشتر از {0} است"),
    (r"Expected `str` matching regex (.+)", "با الگوی {0} نمی‌خواند"),
    (r"Invalid enum value (.+)", "مقدار {0} شناخته نیست"),
    (r"Object missing required field `(.+)`", "فیلد {0} نیامده است"),
    (r"Object contains unknown field `(.+)`", "فیلد {0} شناخته نیست"),
    (r"Input data was truncated", "ناتمام است"),
    (r"JSON is malformed: .*", "JSON درست نیست"),
)
"""What the decoder says, and the same in Persian."""


def worded(reason: str, place: str = "") -> Wording:
    """What the decoder says, in both languages; of which place, if one is named."""
    after = f" ({place})" if place else ""
    return Wording(reason + after, in_persian(reason) + after)


def in_persian(reason: str) -> str:
    """What the decoder says, in Persian; what it never said before, only as wrong."""
    for pattern, told in REASONS:
        found = re.fullmatch(pattern, reason, re.DOTALL)
        if found is not None:
            return told.format(*(kinds(part) for part in found.groups()))
    return "شکل آن پذیرفته نیست"


def kinds(named: str) -> str:
    """A type as the decoder names it, or one of several."""
    parts = named.split(" | ")
    return " یا ".join(KINDS[p] for p in parts) if all(p in KINDS for p in parts) else named
