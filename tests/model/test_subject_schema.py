"""Schemas of strangers: checked in bounded time, or refused when the pack is read."""

from __future__ import annotations

from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gardesh.model import subject_schema
from gardesh.model.subject_schema import DEEPEST, DIALECT, MOST, SchemaRefused, check_bounds


def doubling(times: int, word: str) -> dict[str, Any]:
    """A schema that asks 2^times times for the same."""
    places = {f"a{n}": {word: [{"$ref": f"#/$defs/a{n - 1}"}] * 2} for n in range(1, times + 1)}
    return {"$defs": {"a0": {"type": "integer"}, **places}, "$ref": f"#/$defs/a{times}"}


def nested(word: str, levels: int) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for _ in range(levels):
        made = {word: [made] if word == "allOf" else made}
    return made


@pytest.mark.parametrize("word", ["allOf", "anyOf", "oneOf", "prefixItems"])
def test_a_schema_that_doubles_itself_is_refused(word: str) -> None:
    check_bounds(doubling(9, word))
    with pytest.raises(SchemaRefused, match=f"more than {MOST} schemas"):
        check_bounds(doubling(40, word))


@pytest.mark.parametrize("inside", ["properties", "items", "not", "if", "contains", "additionalProperties", "propertyNames",
                                    "patternProperties", "dependentSchemas", "unevaluatedItems", "contentSchema"])  # fmt: skip
def test_no_reference_leads_back(inside: str) -> None:
    back: Any = {"$ref": "#/$defs/node"}
    place = {"x": back} if inside in ("properties", "patternProperties", "dependentSchemas") else back
    with pytest.raises(SchemaRefused, match="leads back"):
        check_bounds({"$defs": {"node": {"anyOf": [{inside: place}, {inside: place}]}}, **back})
    with pytest.raises(SchemaRefused, match="leads back"):
        check_bounds({inside: {"x": {"$ref": "#"}} if place is not back else {"$ref": "#"}})


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        ({"$ref": "https://example.org/x"}, "does not lead"),
        ({"$ref": "file:///etc/passwd"}, "does not lead"),
        ({"$ref": "#name"}, "does not lead"),
        ({"$ref": "#/$defs/none"}, "leads nowhere"),
        ({"items": {"$id": "x", "$ref": "#/a"}}, r"\$id is not read"),
        ({"$dynamicRef": "#x"}, r"\$dynamicRef is not read"),
        ({"$schema": "http://json-schema.org/draft-07/schema#"}, r"\$schema is not"),
        ({"properties": []}, "map of schemas"),
        ({"properties": {"a": []}}, "a schema is a map"),
        ({"items": "string"}, "a schema is a map"),
        ({"allOf": {}}, "list of schemas"),
        ({"required": "a"}, "required is a list"),
        ({"required": [["a"]]}, "list of names"),
        ({"enum": "a"}, "enum is a list"),
        ({"$ref": 1}, "is a text"),
        ({"pattern": 1}, "are texts"),
        (nested("items", DEEPEST + 1), "deep"),
        (nested("allOf", 2 * DEEPEST), "deep"),
    ],
    ids=lambda given: str(given)[:24],
)
def test_what_is_not_bounded_is_refused(schema: dict[str, Any], why: str) -> None:
    with pytest.raises(SchemaRefused, match=why):
        check_bounds(schema)


def test_what_is_data_or_a_name_is_no_reference() -> None:
    for schema in (
        {"const": {"$ref": "#"}, "enum": [{"$id": "x"}], "default": {"$ref": "nowhere"}},
        {"properties": {"$ref": {"type": "string"}, "$id": {"type": "string"}, "const": {"items": True}}},
        {"$schema": DIALECT, "$ref": "gardesh:money"},
        {
            "$defs": {"a/b~c": {"type": "string"}},
            "items": {"$ref": "#/$defs/a~1b~0c"},
            "not": {"$ref": "#/$defs/a%7E1b~0c"},
        },
        {"allOf": [{"type": "string"}, {"$ref": "#/allOf/0"}]},
    ):
        check_bounds(schema)


def schemas(refs: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    leaf = refs | st.just({"type": "integer"}) | st.booleans()
    return st.recursive(
        leaf,
        lambda inner: (
            st.builds(lambda w, a: {w: a}, st.sampled_from(["allOf", "anyOf", "oneOf"]), st.lists(inner, min_size=1, max_size=3))
            | st.builds(lambda w, a: {w: a}, st.sampled_from(["not", "items", "contains"]), inner)
            | st.builds(lambda a: {"properties": {"p": a}}, inner)
        ),
        max_leaves=8,
    )  # fmt: skip


REFS = st.sampled_from("abc").map(lambda name: {"$ref": f"#/$defs/{name}"})


@given(st.fixed_dictionaries({name: schemas(REFS) for name in "abc"}), schemas(REFS))
def test_the_count_is_that_of_the_schema_unfolded(defs: dict[str, Any], top: Any) -> None:
    """Held against unfolding it: what is refused has no end, and what is not has the checker read."""
    schema = {"$defs": defs, "allOf": [top]}

    def unfolded(schema: Any, open_: tuple[str, ...]) -> int | None:
        if not isinstance(schema, dict):
            return 1
        total = 1
        for word, value in schema.items():
            if word == "$ref":
                name = value.rpartition("/")[2]
                parts = [None if name in open_ else unfolded(defs[name], (*open_, name))]
            else:
                inner = (
                    value
                    if isinstance(value, list)
                    else list(value.values())
                    if word == "properties"
                    else [value]
                )
                parts = [unfolded(one, open_) for one in inner] if word not in ("type", "$defs") else []
            if None in parts:
                return None
            total += sum(part or 0 for part in parts)
        return total

    expected = unfolded(schema, ())
    if expected is None or expected > MOST:
        with pytest.raises(SchemaRefused):
            check_bounds(schema)
    else:
        check_bounds(schema)
        assert subject_schema._Schemas(schema).count(schema, 0) == expected
        jsonschema_rs.Draft202012Validator(schema)
