"""Values as people read them: with the titles of their fields, in Persian or English."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from gardesh.model.digits import persian_digits
from gardesh.model.instant import clock_time, jalali, jalali_date
from gardesh.model.pack import DocumentType
from gardesh.model.problem import Problem

DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
Node = dict[str, Any]
"""`text`; or `several`: a list of nodes; or `fields`: (title, node) pairs."""


class Shower:
    """Shows values in one language. `titles`: what fields are called where no schema is at hand; `names`: what their
    values are called."""

    def __init__(
        self, lang: str, titles: dict[str, Any], names: dict[str, dict[str, Any]] | None = None
    ) -> None:
        self.lang, self.titles, self.names = lang, titles, names or {}

    def named(self, names: dict[str, dict[str, Any]]) -> Shower:
        """The same, with more names: those of a register's fields."""
        return Shower(self.lang, self.titles, {**self.names, **names})

    def say(self, text: Any) -> str:
        """A text in both languages, in this one; any other as it is."""
        if isinstance(text, dict):
            return str(text.get(self.lang) or text.get("en") or "")
        return str(getattr(text, self.lang, text))

    def number(self, value: object) -> str:
        text = f"{value:,}" if isinstance(value, int) else str(value)
        return persian_digits(text.replace(",", "٬")) if self.lang == "fa" else text

    def moment(self, ms: int) -> str:
        """An instant, on the clock in Tehran: Jalali in Persian, Gregorian in English."""
        return jalali(ms) if self.lang == "fa" else clock_time(ms)

    def day(self, text: str) -> str:
        try:
            return jalali_date(text) if self.lang == "fa" else text
        except Problem:
            return text  # looks like a day, and is none

    def days(self, ms: int) -> str:
        """A span in days, of which less than one is said as such."""
        whole = ms // 86_400_000
        if whole == 0:
            return "کمتر از یک روز" if self.lang == "fa" else "less than a day"
        return f"{self.number(whole)} روز" if self.lang == "fa" else f"{whole} day{'s' if whole > 1 else ''}"

    def subject(self, subject: dict[str, Any], declared: DocumentType) -> Node:
        return {"fields": list(self._fields(subject, declared.schema))}

    def value(self, value: Any, schema: Any = None, field: str = "") -> Node:
        """One value. Money, quantities and bilingual texts are read as one."""
        schema = schema if isinstance(schema, dict) else {}
        called = (
            (schema.get("names") or self.names.get(field) or {}).get(value)
            if isinstance(value, str)
            else None
        )
        if called is not None:
            return {"text": self.say(called)}
        if isinstance(value, dict):
            if set(value) == {"fa", "en"}:
                return {"text": self.say(value)}
            if set(value) == {"amount", "currency"}:
                return {"text": self.money(value)}
            if set(value) == {"value", "unit"}:
                return {"text": f"{self.figure(str(value['value']))} {value['unit']}"}
            return {"fields": list(self._fields(value, schema))}
        if isinstance(value, list):
            inner = schema.get("items")
            return {"several": [self.value(each, inner) for each in value]}
        return {"text": self.scalar(value)}

    def money(self, value: dict[str, Any]) -> str:
        currency = "ریال" if self.lang == "fa" and value["currency"] == "IRR" else value["currency"]
        return f"{self.figure(str(value['amount']))} {currency}"

    def figure(self, text: str) -> str:
        """A number with its thousands set apart."""
        whole, point, rest = text.partition(".")
        if not re.fullmatch(r"-?[0-9]{1,30}", whole):
            return text
        grouped = f"{int(whole):,}"
        if self.lang == "fa":
            return persian_digits(grouped.replace(",", "٬") + ("٫" if point else "") + rest)
        return grouped + point + rest

    def scalar(self, value: Any) -> str:
        if isinstance(value, bool):
            return ("بله" if value else "خیر") if self.lang == "fa" else ("yes" if value else "no")
        if value is None or value == "":
            return "—"
        if isinstance(value, int) or hasattr(value, "as_tuple"):
            return self.figure(f"{value:f}" if hasattr(value, "as_tuple") else str(value))
        text = str(value)
        return self.day(text) if DAY.fullmatch(text) else text

    def _fields(self, value: dict[str, Any], schema: dict[str, Any]) -> Iterator[tuple[str, Node]]:
        """In the order of the schema, then what it does not name."""
        known = schema.get("properties", {})
        for name in (*(n for n in known if n in value), *(n for n in value if n not in known)):
            yield self.title(name, known.get(name)), self.value(value[name], known.get(name), name)

    def place(self, path: tuple[str | int, ...], schema: Any) -> tuple[str, Any]:
        """Where in a subject, by the titles of its fields (`Tariffs 1 · Amount`), and the schema there."""
        said: list[str] = []
        for part in path:
            schema = schema if isinstance(schema, dict) else {}
            if isinstance(part, int):
                schema = schema.get("items")
                said[-1:] = [f"{said[-1]} {self.number(part + 1)}"] if said else [self.number(part + 1)]
            else:
                schema = schema.get("properties", {}).get(part)
                said.append(self.title(part, schema))
        return " · ".join(said), schema

    def title(self, name: str, schema: Any = None) -> str:
        titled = schema.get("title") if isinstance(schema, dict) else None
        return self.say(titled or self.titles.get(name) or name)


WHOLE = ({"amount", "currency"}, {"value", "unit"}, {"fa", "en"})
Path = tuple[str | int, ...]


def differences(old: Any, new: Any, path: Path = ()) -> Iterator[tuple[Path, Any, Any]]:
    """(path, old, new) of every place where two values differ; None stands for what is not there.

    Lists are compared element by element: what was put in between shows as changes from there on. Money, quantities and
    bilingual texts differ as a whole.
    """
    if isinstance(old, dict) and isinstance(new, dict) and set(old) not in WHOLE:
        for name in (*old, *(n for n in new if n not in old)):
            yield from differences(old.get(name), new.get(name), (*path, name))
    elif isinstance(old, list) and isinstance(new, list):
        for i in range(max(len(old), len(new))):
            one = old[i] if i < len(old) else None
            other = new[i] if i < len(new) else None
            yield from differences(one, other, (*path, i))
    elif old != new:
        yield path, old, new
