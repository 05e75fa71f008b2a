"""The JSON Schemas of the pack language as published: with what the code says of each class and each field."""

from __future__ import annotations

import ast
import inspect
from functools import cache
from typing import Any

from gardesh import worked
from gardesh.model import pack


def published() -> dict[str, dict[str, Any]]:
    """By kind of file (`pack`, `document`, `procedure`, `register`, `case`): its schema, for editors."""
    made = {**pack.schemas(), "case": worked.schema()}
    for schema in made.values():
        for name, part in schema.get("$defs", {}).items():
            said = _described().get(name, {})
            for field, text in said.items():
                if field in part.get("properties", {}):
                    part["properties"][field] = {**part["properties"][field], "description": text}
    return made


@cache
def _described() -> dict[str, dict[str, str]]:
    """Of each class: the text that stands under each of its fields."""
    found: dict[str, dict[str, str]] = {}
    for module in (pack, worked):
        for node in ast.parse(inspect.getsource(module)).body:
            if isinstance(node, ast.ClassDef):
                found[node.name] = dict(_fields(node))
    return found


def _fields(node: ast.ClassDef) -> list[tuple[str, str]]:
    out = []
    for field, text in zip(node.body, node.body[1:], strict=False):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(text, ast.Expr)
        ):
            if isinstance(text.value, ast.Constant) and isinstance(text.value.value, str):
                name = {"from_": "from", "for_": "for", "as_": "as"}.get(field.target.id, field.target.id)
                out.append((name, inspect.cleandoc(text.value.value)))
                out.append((name.replace("_", "-"), inspect.cleandoc(text.value.value)))
    return out
