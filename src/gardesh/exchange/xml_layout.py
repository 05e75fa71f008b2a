"""Where a subject's fields stand in XML, said once: the same layout reads a file and gives the JSON Schema.

A :class:`Group` is a map of fields; a field names a path and the shape of what stands there. Reading takes only
what it can place: a text that does not fit its shape stays where it is, with the reason, and is a leftover.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from gardesh.exchange.xml_tree import Leaf, Node
from gardesh.model import check_digits
from gardesh.model.check_digits import Check, Flaw


@dataclass(slots=True)
class Reading:
    """One file being read: the currency of amounts that name none, and what was taken, so as to give it back."""

    currency: str = ""
    assumed_currency: int = 0
    attachments: list[tuple[Leaf, str, bytes]] = field(default_factory=list)
    taken: list[Leaf] = field(default_factory=list)

    def take(self, *leaves: Leaf) -> None:
        for leaf in leaves:
            leaf.taken = True
            self.taken.append(leaf)

    def give_back(self, mark: int) -> None:
        for leaf in self.taken[mark:]:
            leaf.taken = False
        del self.taken[mark:]


class Shape(Protocol):
    """What stands at a place. `read` gives None where nothing fitting stands; what it took by then is given back."""

    def read(self, node: Node, leaf: Leaf, reading: Reading) -> Any: ...

    def schema(self, language: str | None) -> dict[str, Any]: ...


def _plain(text: str) -> str:
    return text


@dataclass(frozen=True, slots=True)
class Text:
    """The text itself, after `tidy`, if `check` finds no flaw in it."""

    says: Mapping[str, Any] = field(default_factory=lambda: {"type": "string", "minLength": 1})
    check: Check | None = None
    tidy: Callable[[str], str] = _plain

    def read(self, node: Node, leaf: Leaf, reading: Reading) -> str | None:
        if not leaf.text or leaf.taken:
            return None
        value = self.tidy(leaf.text)
        flaw = self.check(value) if self.check else None
        if flaw is not None:
            leaf.flaw = flaw
            return None
        reading.take(leaf)
        return value

    def schema(self, language: str | None) -> dict[str, Any]:
        return dict(self.says)


def formatted(name: str, check: Check, tidy: Callable[[str], str] = _plain) -> Text:
    """A text of one of the formats of identifiers."""
    return Text({"type": "string", "format": name}, check, tidy)


def one_of(values: tuple[str, ...], flaw: Flaw) -> Text:
    return Text(
        {"type": "string", "enum": list(values)}, lambda text: None if text in values else flaw, str.upper
    )


@dataclass(frozen=True, slots=True)
class Truth:
    """xsd:boolean."""

    def read(self, node: Node, leaf: Leaf, reading: Reading) -> bool | None:
        if leaf.taken or leaf.text not in ("true", "false", "1", "0"):
            return None
        reading.take(leaf)
        return leaf.text in ("true", "1")

    def schema(self, language: str | None) -> dict[str, Any]:
        return {"type": "boolean"}


_XSD_DECIMAL = re.compile(r"([+-]?)0*([0-9]*)(?:\.([0-9]*))?")


def tidy_decimal(text: str) -> str:
    """The same xsd:decimal as documents write it; other text as it is. No digit that counts is lost."""
    found = _XSD_DECIMAL.fullmatch(text)
    if found is None or not any(c.isdigit() for c in text):
        return text
    sign, whole, fraction = found.groups()
    nothing = not whole and not (fraction or "").strip("0")
    minus = "-" if sign == "-" and not nothing else ""
    return f"{minus}{whole or '0'}" + (f".{fraction}" if fraction else "")


NUMBER = Text({"type": "string", "pattern": check_digits.DECIMAL_PATTERN}, check_digits.decimal, tidy_decimal)


@dataclass(frozen=True, slots=True)
class Measured:
    """A number with its code in an attribute: money (`gardesh:money`) or a quantity (`gardesh:quantity`)."""

    shared: str
    number: str
    code: str
    attribute: str
    check: Check

    def read(self, node: Node, leaf: Leaf, reading: Reading) -> dict[str, str] | None:
        value = tidy_decimal(leaf.text)
        if not leaf.text or leaf.taken:
            return None
        leaf.flaw = check_digits.decimal(value)
        named = node.attributes.get(self.attribute)
        code = named.text if named is not None else ""
        assumed = not code and self.shared == "money"
        if assumed:
            code = reading.currency
        flaw = self.check(code)
        if named is not None and code:
            named.flaw = flaw
        elif flaw is not None:
            leaf.flaw = leaf.flaw or flaw
        if leaf.flaw is not None or flaw is not None:
            return None
        reading.take(leaf, *([named] if named is not None else []))
        reading.assumed_currency += assumed
        return {self.number: value, self.code: code}

    def schema(self, language: str | None) -> dict[str, Any]:
        return {"$ref": f"gardesh:{self.shared}"}


MONEY = Measured("money", "amount", "currency", "currencyID", check_digits.currency)
QUANTITY = Measured("quantity", "value", "unit", "unitCode", check_digits.unit)


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a group: its name, where it stands, its shape and its titles.

    `path` has steps `cac:Party`, a last step `@attribute`, `.` for the group's own text; ` or ` between paths tries
    them in turn, `|` between names takes either. Of several elements on the way the first is meant, at the end the
    first that fits and is still free; with `many` all of them. `given` are paths (from the element) that must hold
    these texts, and are taken with it, for the field's name says the same. A field without a name is a group whose
    fields belong to the one around it.
    """

    name: str
    path: str
    shape: Shape
    fa: str = ""
    en: str = ""
    many: bool = False
    given: tuple[tuple[str, str], ...] = ()
    below: str = "."


@dataclass(frozen=True, slots=True)
class Group:
    """A map of fields. Without one of `key` it has no meaning and is not read; without one of `required` it is
    read, and incomplete."""

    fields: tuple[Field, ...]
    required: tuple[str, ...] = ()
    key: tuple[str, ...] = ()

    def read(self, node: Node, leaf: Leaf, reading: Reading) -> dict[str, Any] | None:
        out: dict[str, Any] = {}
        for made in self.fields:
            value = _field(made, node, reading)
            if value is not None:
                out.update(value if not made.name else {made.name: value})
        return out if out and all(name in out for name in self.key) else None

    def schema(self, language: str | None) -> dict[str, Any]:
        properties: dict[str, Any] = {}
        required = [*self.key, *self.required]
        for made in self.fields:
            shape = made.shape.schema(language)
            if not made.name:
                properties |= shape["properties"]
                continue
            title: Any = {"fa": made.fa, "en": made.en}
            title = {"title": title if language is None else title[language]}
            properties[made.name] = {
                **({"type": "array", "minItems": 1, "items": shape} if made.many else shape),
                **title,
            }
        out: dict[str, Any] = {"type": "object", "additionalProperties": False}
        if required:
            out["required"] = required
        return {**out, "properties": properties}

    def missing(self, value: Mapping[str, Any], pointer: str = "") -> Iterator[tuple[str, Field]]:
        """The pointers of required fields that are not there, with the field."""
        for made in self.fields:
            inner = made.shape
            if made.name not in value:
                if made.name in self.required:
                    yield f"{pointer}/{made.name}", made
            elif isinstance(inner, Group):
                held = value[made.name]
                for place, item in enumerate(held) if made.many else (("", held),):
                    yield from inner.missing(
                        item, f"{pointer}/{made.name}" + (f"/{place}" if made.many else "")
                    )


def _field(made: Field, node: Node, reading: Reading) -> Any:
    values = []
    for alternative in made.path.split(" or "):
        for owner, leaf in _places(node, alternative.split("/"), made.many):
            value = _one(made, owner, leaf, reading)
            if value is not None:
                if not made.many:
                    return value
                values.append(value)
    return values or None


def _one(made: Field, node: Node, leaf: Leaf, reading: Reading) -> Any:
    mark = len(reading.taken)
    for path, text in made.given:
        for _, held in _places(node, path.split("/"), False):
            if held.text == text:
                reading.take(held)
                break
        else:
            reading.give_back(mark)
            return None
    for owner, held in _places(node, made.below.split("/"), False) if made.below != "." else ((node, leaf),):
        value = made.shape.read(owner, held, reading)
        if value is not None:
            return value
    reading.give_back(mark)
    return None


def _places(node: Node, steps: list[str], all_of_them: bool) -> Iterator[tuple[Node, Leaf]]:
    step, rest = steps[0], steps[1:]
    if step == ".":
        yield node, node.leaf
    elif step.startswith("@"):
        if step[1:] in node.attributes:
            yield node, node.attributes[step[1:]]
    else:
        names = step.split("|")
        found = [child for child in node.children if child.name in names]
        for child in found if all_of_them or not rest else found[:1]:
            if rest:
                yield from _places(child, rest, all_of_them)
            else:
                yield child, child.leaf
