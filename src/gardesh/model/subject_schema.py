"""What of JSON Schema 2020-12 the schema of a subject may use, so that checking a subject ends soon, whoever wrote it.

A `$ref` leads to a place of the same schema (`#/…`) or to a shared one (`gardesh:…`), never back to where it stands; with every
`$ref` replaced by what it leads to, a schema holds no more than `MOST` schemas. Else a schema of forty lines, each of which
asks twice for the one before, is checked 2^40 times. (That patterns are matched in linear time is the checker's part.)
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

MOST = 10_000
DEEPEST = 100
"""How deep schemas stand in one another at most, by `$ref` too."""
DIALECT = "https://json-schema.org/draft/2020-12/schema"
_ONE = (
    "items", "contains", "additionalProperties", "unevaluatedItems", "unevaluatedProperties", "propertyNames",
    "not", "if", "then", "else", "contentSchema",
)  # fmt: skip
_LISTS = ("allOf", "anyOf", "oneOf", "prefixItems")
_MAPS = ("properties", "patternProperties", "dependentSchemas")
_ELSEWHERE = ("$id", "$anchor", "$dynamicAnchor", "$dynamicRef", "$recursiveRef", "$vocabulary")


class SchemaRefused(ValueError):
    """The schema is none, or not bounded; the text says what of it."""


def check_bounds(schema: Any) -> None:
    """Raises `SchemaRefused`."""
    _Schemas(schema).count(schema, 0)


class _Schemas:
    def __init__(self, root: Any) -> None:
        self.root = root
        self.known: dict[str, int | None] = {}

    def count(self, schema: Any, depth: int) -> int:
        """How many schemas there are in one, itself too, with all that its references lead to."""
        if depth > DEEPEST:
            raise SchemaRefused(f"schemas stand more than {DEEPEST} deep in one another")
        if isinstance(schema, bool):
            return 1
        if not isinstance(schema, dict):
            raise SchemaRefused("a schema is a map, true or false")
        for word in _ELSEWHERE:
            if word in schema:
                raise SchemaRefused(f"{word} is not read here; $ref leads to #/… or gardesh:…")
        if schema.get("$schema", DIALECT) != DIALECT:
            raise SchemaRefused(f"$schema is not {DIALECT}")
        found = 1 + sum(self.count(each, depth + 1) for each in _within(schema))
        if "$ref" in schema:
            found += self.led_to(schema["$ref"], depth + 1)
        if found > MOST:
            raise SchemaRefused(f"it holds more than {MOST} schemas, with those that $ref leads to")
        return found

    def led_to(self, reference: Any, depth: int) -> int:
        if not isinstance(reference, str):
            raise SchemaRefused("$ref is a text")
        if reference.startswith("gardesh:"):
            return 1
        if reference not in self.known:
            self.known[reference] = None
            self.known[reference] = self.count(self.at(reference), depth)
        found = self.known[reference]
        if found is None:
            raise SchemaRefused(f"$ref {reference} leads back to where it stands")
        return found

    def at(self, reference: str) -> Any:
        place, *names = unquote(reference).split("/")
        if place != "#":
            raise SchemaRefused(f"$ref {reference} does not lead to #/… or gardesh:…")
        found: Any = self.root
        for name in names:
            name = name.replace("~1", "/").replace("~0", "~")
            if isinstance(found, dict) and name in found:
                found = found[name]
            elif isinstance(found, list) and name.isdecimal() and int(name) < len(found):
                found = found[int(name)]
            else:
                raise SchemaRefused(f"$ref {reference} leads nowhere")
        return found


def _within(schema: dict[str, Any]) -> Iterator[Any]:
    """The schemas in a schema, once each. What else in it is read without asking what it is, is as it should be."""
    for word in _ONE:
        if word in schema:
            yield schema[word]
    for words, kind in ((_LISTS, list), (_MAPS, dict)):
        for word in words:
            if not isinstance(found := schema.get(word, kind()), kind):
                raise SchemaRefused(f"{word} is a {'list' if kind is list else 'map'} of schemas")
            yield from found if isinstance(found, list) else found.values()
    for word in ("required", "enum"):
        if not isinstance(schema.get(word, []), list):
            raise SchemaRefused(f"{word} is a list")
    if not all(isinstance(name, str) for name in schema.get("required", [])):
        raise SchemaRefused("required is a list of names")
    if not isinstance(schema.get("pattern", ""), str) or not isinstance(schema.get("format", ""), str):
        raise SchemaRefused("pattern and format are texts")
