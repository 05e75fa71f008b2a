"""What a new version of a pack changes, in words: steps, waits, papers, deadlines, rules, and who reads what.

Only what a pack's files say is compared; that two expressions mean the same is not found.
"""

from __future__ import annotations

from collections.abc import Iterator

from gardesh.model.pack import Pack
from gardesh.study.difference import (
    ADDED,
    CHANGED,
    REMOVED,
    TOPICS,
    Difference,
    changed,
    named,
    rules,
    said,
    turned,
)
from gardesh.study.procedure_difference import ProcedureComparison


def differences(old: Pack, new: Pack) -> list[Difference]:
    """All differences, by topic: steps first, then what they wait for, who reads, papers, deadlines, rules."""
    found = list(_Comparison(old, new).all())
    return sorted(found, key=lambda d: (TOPICS.index(d.topic), d.place, d.kind))


class _Comparison:
    def __init__(self, old: Pack, new: Pack) -> None:
        self.old, self.new = old, new

    def all(self) -> Iterator[Difference]:
        yield from named("procedure", "step", "procedures", "رویه", self.old.procedures, self.new.procedures)
        yield from named("document", "paper", "documents", "سند", self.old.documents, self.new.documents)
        yield from named(
            "register", "register", "registers", "دفتر ثبت", self.old.registers, self.new.registers
        )
        for name in sorted(self.old.procedures.keys() & self.new.procedures.keys()):
            yield from ProcedureComparison(self.old, self.new).procedure(name)
        for name in sorted(self.old.documents.keys() & self.new.documents.keys()):
            yield from self.document(name)
        yield from self.settings()
        for what, fa in (("roles", "نقش"), ("functions", "تابع")):
            before, after = getattr(self.old.manifest, what), getattr(self.new.manifest, what)
            yield from named(what[:-1], "other", "pack.yaml", fa, before, after)
            for name in sorted(n for n in before.keys() & after.keys() if before[n] != after[n]):
                yield Difference(
                    CHANGED,
                    "other",
                    f"pack.yaml/{what}/{name}",
                    f"the {what[:-1]} {name} is changed",
                    f"{fa} {name} تغییر کرد",
                )
        yield from self.others()
        for name in sorted(self.old.lists.keys() & self.new.lists.keys()):
            if self.old.lists[name] != self.new.lists[name]:
                yield Difference(
                    CHANGED,
                    "other",
                    f"lists/{name}",
                    f"the list {name} is changed",
                    f"فهرست {name} تغییر کرد",
                )

    def document(self, name: str) -> Iterator[Difference]:
        old, new = self.old.documents[name], self.new.documents[name]
        place = f"documents/{name}"
        before, after = (d.schema.get("properties", {}) for d in (old, new))
        must = [set(d.schema.get("required", ())) for d in (old, new)]
        for field in sorted({*before, *after}):
            if field not in before:
                asked = (", required", "، الزامی") if field in must[1] else ("", "")
                yield Difference(
                    ADDED,
                    "paper",
                    place,
                    f"{name}: the field {field} is added{asked[0]}",
                    f"{name}: فیلد {field} افزوده شد{asked[1]}",
                )
            elif field not in after:
                yield Difference(
                    REMOVED,
                    "paper",
                    place,
                    f"{name}: the field {field} is removed",
                    f"{name}: فیلد {field} برداشته شد",
                )
            elif (field in must[0]) != (field in must[1]):
                now = ("required", "الزامی") if field in must[1] else ("optional", "اختیاری")
                yield changed(
                    "paper",
                    place,
                    f"{name}: the field {field} is now {now[0]}",
                    f"{name}: فیلد {field} اکنون {now[1]} است",
                )
            elif _kept_out(before[field]) != _kept_out(after[field]):
                shown = ("kept out of", "بیرون از") if _kept_out(after[field]) else ("shown in", "در")
                yield changed(
                    "reader",
                    place,
                    f"{name}: the field {field} is now {shown[0]} the public register",
                    f"{name}: فیلد {field} اکنون {shown[1]} دفتر همگانی است",
                )
            elif before[field] != after[field]:
                yield changed(
                    "paper", place, f"{name}: the field {field} is changed", f"{name}: فیلد {field} تغییر کرد"
                )
        yield from rules(place, name, old.rules, new.rules)
        for topic, word, en, fa in DOCUMENT_WORDS:
            was, now = getattr(old, word), getattr(new, word)
            if was != now:
                yield turned(topic, place, f"{name}: {en}", f"{name}: {fa}", said(was), said(now))

    def settings(self) -> Iterator[Difference]:
        before, after = self.old.manifest.settings, self.new.manifest.settings
        yield from named("setting", "setting", "pack.yaml/settings", "تنظیم", before, after)
        for name in sorted(before.keys() & after.keys()):
            values = [{v.since: v.value for v in s.values} for s in (before[name], after[name])]
            for since in sorted({*values[0], *values[1]}):
                pair = [said(v.get(since)) for v in values]
                if pair[0] != pair[1]:
                    title = after[name].title
                    place = f"pack.yaml/settings/{name}"
                    yield turned(
                        "setting", place, f"{title.en} from {since}", f"{title.fa} از {since}", *pair
                    )

    def others(self) -> Iterator[Difference]:
        """Registers, checks, the calendar, and what becomes of open cases."""
        for name in sorted(self.old.registers.keys() & self.new.registers.keys()):
            old, new = self.old.registers[name], self.new.registers[name]
            place = f"registers/{name}"
            for topic, word, en, fa in REGISTER_WORDS:
                was, now = getattr(old, word), getattr(new, word)
                if was != now:
                    yield turned(topic, place, f"{name}: {en}", f"{name}: {fa}", said(was), said(now))
        checks = [{c.code: c for c in p.manifest.checks} for p in (self.old, self.new)]
        yield from named("check", "rule", "pack.yaml/checks", "وارسی", *checks)
        for code in sorted(c for c in checks[0].keys() & checks[1].keys() if checks[0][c] != checks[1][c]):
            text = checks[1][code].message
            yield changed(
                "rule",
                f"pack.yaml/checks/{code}",
                f"the check {code} is changed: {text.en}",
                f"وارسی {code} تغییر کرد: {text.fa}",
            )
        calendars = [p.manifest.calendar for p in (self.old, self.new)]
        if calendars[0] != calendars[1]:
            yield turned("deadline", "pack.yaml", "working time by", "وقت اداری با", *map(said, calendars))
        for name in sorted(self.old.calendars.keys() & self.new.calendars.keys()):
            if self.old.calendars[name] != self.new.calendars[name]:
                yield changed(
                    "deadline",
                    f"calendars/{name}",
                    f"the calendar {name} is changed",
                    f"تقویم {name} تغییر کرد",
                )


REGISTER_WORDS = (
    ("register", "kind", "its kind is", "گونه‌اش"),
    ("register", "unit", "its unit is", "یکایش"),
    ("reader", "public", "public:", "همگانی:"),
)
DOCUMENT_WORDS = (
    ("reader", "public", "public:", "همگانی:"),
    ("reader", "about", "it is about, and read by,", "درباره‌ی، و خواندنی برای،"),
    ("reader", "disclosable", "shown apart:", "جداگانه نشان داده می‌شود:"),
    ("deadline", "valid_for", "valid for", "اعتبار"),
    ("paper", "identifiers", "found by", "یافتنی با"),
)
"""The words of registers and documents that are compared as they stand."""


def _kept_out(schema: object) -> bool:
    return isinstance(schema, dict) and schema.get("private") is True
