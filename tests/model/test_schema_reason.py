"""What a validator says of a field, in Persian: each keyword by the validator that intake uses."""

from __future__ import annotations

from typing import Any

import jsonschema_rs
import pytest

from gardesh.model.schema_reason import OTHERWISE, field_of, in_persian

CASES: list[tuple[dict[str, Any], Any, str]] = [
    ({"required": ["amount"]}, {}, "فیلد «amount» نیامده است"),
    ({"properties": {}, "additionalProperties": False}, {"b": 1}, "فیلد «b» شناخته نیست"),
    ({"properties": {}, "unevaluatedProperties": False}, {"b": 1}, "فیلد «b» شناخته نیست"),
    ({"type": "integer"}, "x", "باید عدد صحیح باشد"),
    ({"type": ["string", "null"]}, 3, "باید null یا متن باشد"),
    ({"enum": ["sea", "زمینی"]}, "air", 'باید یکی از این‌ها باشد: "sea"، "زمینی"'),
    ({"const": 3}, 4, "باید 3 باشد"),
    ({"pattern": "^[0-9]+$"}, "x", "با الگوی ^[0-9]+$ نمی‌خواند"),
    ({"format": "date"}, "x", "«date» درستی نیست"),
    ({"minimum": 3}, 1, "دست‌کم 3 است"),
    ({"maximum": 3}, 4, "حداکثر 3 است"),
    ({"exclusiveMinimum": 3}, 3, "بیشتر از 3 است"),
    ({"exclusiveMaximum": 3}, 3, "کمتر از 3 است"),
    ({"multipleOf": 2}, 3, "مضربی از 2 است"),
    ({"minLength": 3}, "x", "درازای آن دست‌کم 3 نویسه است"),
    ({"maxLength": 1}, "xy", "درازای آن حداکثر 1 نویسه است"),
    ({"minItems": 1}, [], "دست‌کم 1 عضو دارد"),
    ({"maxItems": 1}, [1, 2], "حداکثر 1 عضو دارد"),
    ({"uniqueItems": True}, [1, 1], "هیچ عضوی دو بار نمی‌آید"),
    ({"contains": {"const": 1}}, [2], "عضوی که باید در آن باشد نیست"),
    ({"minProperties": 1}, {}, "دست‌کم 1 فیلد دارد"),
    ({"maxProperties": 0}, {"a": 1}, "حداکثر 0 فیلد دارد"),
    ({"anyOf": [{"type": "string"}, {"type": "null"}]}, 1, "هیچ‌یک از شکل‌های پذیرفته را ندارد"),
    ({"oneOf": [{"minimum": 1}, {"minimum": 2}]}, 3, "باید دقیقاً یکی از شکل‌های پذیرفته را داشته باشد"),
    ({"not": {"type": "string"}}, "x", "شکلی دارد که پذیرفته نیست"),
    ({"allOf": [False]}, 1, OTHERWISE),
]


@pytest.mark.parametrize(("schema", "value", "told"), CASES, ids=lambda v: str(v)[:30])
def test_a_reason_is_told_in_persian(schema: dict[str, Any], value: Any, told: str) -> None:
    validator = jsonschema_rs.Draft202012Validator(schema, validate_formats=True)
    error = next(validator.iter_errors(value))
    assert in_persian(error.kind.name, error.kind.as_dict()) == told


def test_a_field_that_is_missing_or_not_known_is_pointed_at() -> None:
    assert field_of("required", {"property": "amount"}) == ("amount",)
    assert field_of("additionalProperties", {"unexpected": ["b", "c"]}) == ("b",)
    assert field_of("minimum", {"limit": 3}) == ()
    assert field_of("additionalProperties", {"unexpected": []}) == ()


def test_a_validator_that_says_less_than_expected_is_still_answered() -> None:
    assert in_persian("minimum", {}) == OTHERWISE
