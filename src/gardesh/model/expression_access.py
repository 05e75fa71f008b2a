"""How expressions reach values: variables, local names, fields and elements."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gardesh.model.expression_logic import Code
from gardesh.model.expression_values import Failure, Frame, Unknown, map_key, merged, mismatch, no_field


def select(value: Any, field: str) -> Any:
    """A field of a map; null if the map is null or has no such field."""
    if type(value) is dict:
        return value.get(field)
    if value is None or type(value) is Unknown:
        return value
    if type(value) is Failure:
        raise value
    raise no_field(value)


def index(value: Any, key: Any) -> Any:
    """An element of a list, or of a map by its key; null if the map has none."""
    if type(value) is Unknown or type(key) is Unknown:
        return merged(value, key)
    if value is None or key is None:
        return None
    place = map_key(key)
    if type(value) is dict and place is not None:
        return value.get(place)
    if type(value) is not list or type(place) is not int:
        raise mismatch("[ ]", value, key)
    if not 0 <= place < len(value):
        raise Failure("the list has no element at that index", "فهرست در آن جایگاه عضوی ندارد")
    return value[place]


def _no_variable(name: str) -> Failure:
    return Failure(f"there is no variable “{name}”", f"متغیر «{name}» وجود ندارد")


def variable(name: str) -> Code:
    def evaluate(env: Mapping[str, Any], frame: Frame) -> Any:
        try:
            return env[name]
        except KeyError:
            raise _no_variable(name) from None

    return evaluate


def local(cell: int) -> Code:
    """A local name: the variable of a macro, or what was given for a parameter, be it a failure."""

    def evaluate(env: Mapping[str, Any], frame: Frame) -> Any:
        value = frame[cell]
        if type(value) is Failure:
            raise value
        return value

    return evaluate


def field_of(code: Code, field: str) -> Code:
    return lambda env, frame: select(code(env, frame), field)


def field_of_cell(cell: int, field: str) -> Code:
    """A field of a local name."""

    def evaluate(env: Mapping[str, Any], frame: Frame) -> Any:
        value = frame[cell]
        return value.get(field) if type(value) is dict else select(value, field)

    return evaluate


def field_of_variable(name: str, field: str) -> Code:
    def evaluate(env: Mapping[str, Any], frame: Frame) -> Any:
        try:
            value = env[name]
        except KeyError:
            raise _no_variable(name) from None
        return value.get(field) if type(value) is dict else select(value, field)

    return evaluate


def present(code: Code) -> Code:
    """`has`: whether a field is there and not null; false for a field of null."""

    def evaluate(env: Mapping[str, Any], frame: Frame) -> Any:
        value = code(env, frame)
        return value if type(value) is Unknown else value is not None

    return evaluate
