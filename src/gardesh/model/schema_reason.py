"""Why a field does not follow its schema, in Persian: what a validator of JSON Schema 2020-12 found, keyword by keyword."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

TYPES = {
    "string": "متن", "integer": "عدد صحیح", "number": "عدد", "boolean": "true یا false", "array": "فهرست", "object": "شیء",
    "null": "null",
}  # fmt: skip
REASONS = {
    "required": "فیلد «{property}» نیامده است",
    "additionalProperties": "فیلد «{unexpected}» شناخته نیست",
    "unevaluatedProperties": "فیلد «{unexpected}» شناخته نیست",
    "type": "باید {types} باشد",
    "enum": "باید یکی از این‌ها باشد: {options}",
    "const": "باید {expected_value} باشد",
    "pattern": "با الگوی {pattern} نمی‌خواند",
    "format": "«{format}» درستی نیست",
    "minimum": "دست‌کم {limit} است",
    "maximum": "حداکثر {limit} است",
    "exclusiveMinimum": "بیشتر از {limit} است",
    "exclusiveMaximum": "کمتر از {limit} است",
    "multipleOf": "مضربی از {multiple_of} است",
    "minLength": "درازای آن دست‌کم {limit} نویسه است",
    "maxLength": "درازای آن حداکثر {limit} نویسه است",
    "minItems": "دست‌کم {limit} عضو دارد",
    "maxItems": "حداکثر {limit} عضو دارد",
    "uniqueItems": "هیچ عضوی دو بار نمی‌آید",
    "contains": "عضوی که باید در آن باشد نیست",
    "minProperties": "دست‌کم {limit} فیلد دارد",
    "maxProperties": "حداکثر {limit} فیلد دارد",
    "anyOf": "هیچ‌یک از شکل‌های پذیرفته را ندارد",
    "oneOf": "باید دقیقاً یکی از شکل‌های پذیرفته را داشته باشد",
    "not": "شکلی دارد که پذیرفته نیست",
}
OTHERWISE = "شکل آن پذیرفته نیست"


def in_persian(keyword: str, found: Mapping[str, Any]) -> str:
    """The reason for a keyword; `found`: what the validator says of it (`limit`, `options`, `types` …)."""
    try:
        return REASONS.get(keyword, OTHERWISE).format_map(
            {name: _shown(name, v) for name, v in found.items()}
        )
    except KeyError:  # a validator that says less
        return OTHERWISE


def field_of(keyword: str, found: Mapping[str, Any]) -> tuple[str, ...]:
    """The field within the place that a validator names which is wrong itself: one that is missing, or is not known."""
    named = found.get("property") if keyword == "required" else next(iter(found.get("unexpected", ())), None)
    return (named,) if isinstance(named, str) else ()


def _shown(name: str, value: Any) -> str:
    if name == "types":
        return " یا ".join(TYPES.get(v, v) for v in value)
    if name == "unexpected":
        return "»، «".join(map(str, value))
    if name == "options":
        return "، ".join(json.dumps(v, ensure_ascii=False) for v in value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
