"""One thing that two versions of a pack do not have in common, and how it is said in both languages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from gardesh.model.pack import Rule

ADDED, REMOVED, CHANGED = "added", "removed", "changed"
TOPICS = ("step", "wait", "reader", "paper", "deadline", "rule", "decision", "register", "setting", "other")


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is added, removed or changed. `place` is the file and what in it."""

    kind: str
    topic: str
    place: str
    en: str
    fa: str

    def as_dict(self) -> dict[str, str]:
        return {"kind": self.kind, "topic": self.topic, "place": self.place, "en": self.en, "fa": self.fa}


def named(
    what: str, topic: str, folder: str, fa: str, old: Mapping[str, Any], new: Mapping[str, Any]
) -> Iterator[Difference]:
    for name in sorted(new.keys() - old.keys()):
        yield Difference(
            ADDED, topic, f"{folder}/{name}", f"the {what} {name} is added", f"{fa} {name} افزوده شد"
        )
    for name in sorted(old.keys() - new.keys()):
        yield Difference(
            REMOVED, topic, f"{folder}/{name}", f"the {what} {name} is removed", f"{fa} {name} برداشته شد"
        )


def rules(place: str, where: str, old: Iterable[Rule], new: Iterable[Rule]) -> Iterator[Difference]:
    """Rules by their codes: added, removed, or with another check."""
    before, after = ({r.code: r for r in found} for found in (old, new))
    for code in sorted({*before, *after}):
        yield from rule(f"{place}/{code}", where, before.get(code), after.get(code))


def rule(place: str, where: str, old: Rule | None, new: Rule | None) -> Iterator[Difference]:
    known = new or old
    assert known is not None
    if old is None:
        yield Difference(
            ADDED,
            "rule",
            place,
            f"{where}: new rule {known.code}: {known.message.en}",
            f"{where}: قاعده‌ی تازه‌ی {known.code}: {known.message.fa}",
        )
    elif new is None:
        yield Difference(
            REMOVED,
            "rule",
            place,
            f"{where}: the rule {known.code} is removed: {known.message.en}",
            f"{where}: قاعده‌ی {known.code} برداشته شد: {known.message.fa}",
        )
    elif old.check != new.check:
        yield changed(
            "rule",
            place,
            f"{where}: the rule {known.code} is changed: {known.message.en}",
            f"{where}: قاعده‌ی {known.code} تغییر کرد: {known.message.fa}",
        )


def changed(topic: str, place: str, en: str, fa: str) -> Difference:
    return Difference(CHANGED, topic, place, en, fa)


def turned(topic: str, place: str, en: str, fa: str, old: str | None, new: str | None) -> Difference:
    """From one value to another; None stands for none."""
    if old is None:
        return Difference(ADDED, topic, place, f"{en} {new}", f"{fa} {new}")
    if new is None:
        return Difference(REMOVED, topic, place, f"{en} {old}: no longer", f"{fa} {old}: دیگر نه")
    return Difference(CHANGED, topic, place, f"{en} {new}, was {old}", f"{fa} {new}، پیش‌تر {old}")


def listed(value: Any) -> str:
    return value if isinstance(value, str) else ", ".join(value)


def said(value: Any) -> str | None:
    """A value of the pack language in a few characters; None for what is not said."""
    if value is None or value is False or value == 0 or value == []:
        return None
    if value is True:
        return "yes"
    if isinstance(value, (str, int)):
        return str(value)
    if isinstance(value, list):
        return ", ".join(str(v) for v in value)
    made = msgspec.to_builtins(value)
    shown = {k: v for k, v in made.items() if v not in (None, [], {}, False)}
    return (
        ", ".join(f"{k} {said(v) if not isinstance(v, dict) else said_map(v)}" for k, v in shown.items())
        or "yes"
    )


def said_map(value: dict[str, Any]) -> str:
    return "(" + ", ".join(f"{k} {v}" for k, v in value.items() if v not in (None, [], {}, False)) + ")"
