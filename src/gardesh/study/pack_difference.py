"""What a new version of a pack changes, in words: steps, waits, papers, deadlines, rules, and who reads what.

Only what a pack's files say is compared; that two expressions mean the same is not found.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from gardesh.model import pack as language
from gardesh.model.pack import Pack

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


def differences(old: Pack, new: Pack) -> list[Difference]:
    """All differences, by topic: steps first, then what they wait for, who reads, papers, deadlines, rules."""
    found = list(_Comparison(old, new).all())
    return sorted(found, key=lambda d: (TOPICS.index(d.topic), d.place, d.kind))


class _Comparison:
    def __init__(self, old: Pack, new: Pack) -> None:
        self.old, self.new = old, new

    def all(self) -> Iterator[Difference]:
        yield from self.named(
            "procedure", "step", "procedures", "رویه", self.old.procedures, self.new.procedures
        )
        yield from self.named("document", "paper", "documents", "سند", self.old.documents, self.new.documents)
        yield from self.named(
            "register", "register", "registers", "دفتر ثبت", self.old.registers, self.new.registers
        )
        for name in sorted(self.old.procedures.keys() & self.new.procedures.keys()):
            yield from self.procedure(name)
        for name in sorted(self.old.documents.keys() & self.new.documents.keys()):
            yield from self.document(name)
        yield from self.settings()
        for what, fa in (("roles", "نقش"), ("functions", "تابع")):
            before, after = getattr(self.old.manifest, what), getattr(self.new.manifest, what)
            yield from self.named(what[:-1], "other", "pack.yaml", fa, before, after)
            for name in sorted(n for n in before.keys() & after.keys() if before[n] != after[n]):
                yield Difference(
                    CHANGED,
                    "other",
                    f"pack.yaml/{what}/{name}",
                    f"the {what[:-1]} {name} is changed",
                    f"{fa} {name} تغییر کرد",
                )
        for name in sorted(self.old.lists.keys() & self.new.lists.keys()):
            if self.old.lists[name] != self.new.lists[name]:
                yield Difference(
                    CHANGED,
                    "other",
                    f"lists/{name}",
                    f"the list {name} is changed",
                    f"فهرست {name} تغییر کرد",
                )

    def named(
        self, what: str, topic: str, folder: str, fa: str, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Iterator[Difference]:
        for name in sorted(new.keys() - old.keys()):
            yield Difference(
                ADDED, topic, f"{folder}/{name}", f"the {what} {name} is added", f"{fa} {name} افزوده شد"
            )
        for name in sorted(old.keys() - new.keys()):
            yield Difference(
                REMOVED, topic, f"{folder}/{name}", f"the {what} {name} is removed", f"{fa} {name} برداشته شد"
            )

    # -- procedures ---------------------------------------------------------------------------------------

    def procedure(self, name: str) -> Iterator[Difference]:
        old, new = self.old.procedures[name], self.new.procedures[name]
        renames = new.migration.renames if new.migration is not None else {}
        place = f"procedures/{name}"
        before = {renames.get(step, step): (step, said) for step, said in old.steps.items()}
        for step in (s for s in new.steps if s not in before):
            by_en, by_fa = self.by(self.new, new.steps[step])
            yield Difference(
                ADDED,
                "step",
                f"{place}/{step}",
                f"{name}: the step {step} is added, by {by_en}",
                f"{name}: گام {step} افزوده شد، با {by_fa}",
            )
            yield from self.needs(f"{place}/{step}", name, step, language.Step(), new.steps[step])
        for step, (was, _) in before.items():
            if step not in new.steps:
                yield Difference(
                    REMOVED,
                    "step",
                    f"{place}/{was}",
                    f"{name}: the step {was} is removed",
                    f"{name}: گام {was} برداشته شد",
                )
            elif was != step:
                yield Difference(
                    CHANGED,
                    "step",
                    f"{place}/{step}",
                    f"{name}: the step {was} is now called {step}",
                    f"{name}: گام {was} اکنون {step} نام دارد",
                )
        for step, (_, said) in before.items():
            if step in new.steps:
                yield from self.step(f"{place}/{step}", name, step, said, new.steps[step])
        ends = [old.closes_with, new.closes_with]
        if ends[0] != ends[1]:
            yield self.turned(
                "step", place, f"{name}: it closes with", f"{name}: پایان با", *map(_listed, ends)
            )
        if old.withdrawal != new.withdrawal:
            until = [_listed(p.withdrawal.limits) if p.withdrawal is not None else None for p in (old, new)]
            yield self.turned("decision", place, f"{name}: withdrawal until", f"{name}: انصراف تا", *until)
        for role in sorted({*old.binds, *new.binds}):
            pair = [_bind(p.binds.get(role)) for p in (old, new)]
            if pair[0] != pair[1]:
                yield self.turned(
                    "decision", place, f"{name}: {role} is played by", f"{name}: نقش {role} با", *pair
                )

    def by(self, pack: Pack, step: language.Step) -> tuple[str, str]:
        role = pack.manifest.roles.get(step.by or "")
        if role is not None:
            return role.title.en, role.title.fa
        said = step.by or step.from_ or "—"
        return said, said

    def step(
        self, place: str, procedure: str, name: str, old: language.Step, new: language.Step
    ) -> Iterator[Difference]:
        slot_en, slot_fa = f"{procedure}/{name}", f"{procedure}/{name}"
        yield from self.needs(place, procedure, name, old, new)
        if old.by != new.by:
            pair = [self.by(p, s) for p, s in ((self.old, old), (self.new, new))]
            yield self.changed(
                "decision",
                place,
                f"{slot_en}: it is made by {pair[1][0]}, was {pair[0][0]}",
                f"{slot_fa}: با {pair[1][1]}، پیش‌تر {pair[0][1]}",
            )
        for words, topic, en, fa in WORDS:
            was, now = getattr(old, words), getattr(new, words)
            if was != now:
                yield self.turned(
                    topic, place, f"{slot_en}: {en}", f"{slot_fa}: {fa}", _said(was), _said(now)
                )
        rules = [{r.code: r for r in s.rules} for s in (old, new)]
        for code in sorted({*rules[0], *rules[1]}):
            yield from self.rule(f"{place}/{code}", slot_en, rules[0].get(code), rules[1].get(code))
        if old.enters != new.enters:
            yield self.changed(
                "register",
                place,
                f"{slot_en}: what it enters in registers is changed",
                f"{slot_fa}: آنچه در دفترها ثبت می‌کند تغییر کرد",
            )

    def needs(
        self, place: str, procedure: str, name: str, old: language.Step, new: language.Step
    ) -> Iterator[Difference]:
        """A need is a wait, and a right to read what is needed."""
        before, after = waits(old), waits(new)
        by_en, by_fa = self.by(self.new, new)
        for other in (n for n in after if n not in before):
            yield Difference(
                ADDED,
                "wait",
                place,
                f"{procedure}/{name}: it now waits for {other}",
                f"{procedure}/{name}: اکنون در انتظار {other} است",
            )
            yield Difference(
                ADDED,
                "reader",
                place,
                f"{by_en} now reads {other}{_parts(after[other])}",
                f"{by_fa} اکنون {other}{_parts(after[other])} را می‌خواند",
            )
        for other in (n for n in before if n not in after):
            yield Difference(
                REMOVED,
                "wait",
                place,
                f"{procedure}/{name}: it no longer waits for {other}",
                f"{procedure}/{name}: دیگر در انتظار {other} نیست",
            )
            yield Difference(
                REMOVED,
                "reader",
                place,
                f"{by_en} no longer reads {other} for {name}",
                f"{by_fa} دیگر برای {name} سند {other} را نمی‌خواند",
            )
        for other in (n for n in before if n in after and before[n] != after[n]):
            yield self.turned(
                "reader",
                place,
                f"{by_en} reads of {other}",
                f"{by_fa} از {other} می‌خواند",
                before[other] or "*",
                after[other] or "*",
            )

    def rule(
        self, place: str, where: str, old: language.Rule | None, new: language.Rule | None
    ) -> Iterator[Difference]:
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
            yield self.changed(
                "rule",
                place,
                f"{where}: the rule {known.code} is changed: {known.message.en}",
                f"{where}: قاعده‌ی {known.code} تغییر کرد: {known.message.fa}",
            )

    # -- documents and settings ---------------------------------------------------------------------------

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
                yield self.changed(
                    "paper",
                    place,
                    f"{name}: the field {field} is now {now[0]}",
                    f"{name}: فیلد {field} اکنون {now[1]} است",
                )
            elif before[field] != after[field]:
                yield self.changed(
                    "paper", place, f"{name}: the field {field} is changed", f"{name}: فیلد {field} تغییر کرد"
                )
        rules = [{r.code: r for r in d.rules} for d in (old, new)]
        for code in sorted({*rules[0], *rules[1]}):
            yield from self.rule(f"{place}/{code}", name, rules[0].get(code), rules[1].get(code))
        if old.public != new.public:
            yield self.turned(
                "reader", place, f"{name}: public", f"{name}: همگانی", _said(old.public), _said(new.public)
            )

    def settings(self) -> Iterator[Difference]:
        before, after = self.old.manifest.settings, self.new.manifest.settings
        yield from self.named("setting", "setting", "pack.yaml/settings", "تنظیم", before, after)
        for name in sorted(before.keys() & after.keys()):
            values = [{v.since: v.value for v in s.values} for s in (before[name], after[name])]
            for since in sorted({*values[0], *values[1]}):
                pair = [_said(v.get(since)) for v in values]
                if pair[0] != pair[1]:
                    title = after[name].title
                    place = f"pack.yaml/settings/{name}"
                    yield self.turned(
                        "setting", place, f"{title.en} from {since}", f"{title.fa} از {since}", *pair
                    )

    # -- saying it ----------------------------------------------------------------------------------------

    def changed(self, topic: str, place: str, en: str, fa: str) -> Difference:
        return Difference(CHANGED, topic, place, en, fa)

    def turned(
        self, topic: str, place: str, en: str, fa: str, old: str | None, new: str | None
    ) -> Difference:
        """From one value to another; None stands for none."""
        if old is None:
            return Difference(ADDED, topic, place, f"{en} {new}", f"{fa} {new}")
        if new is None:
            return Difference(REMOVED, topic, place, f"{en} {old}: no longer", f"{fa} {old}: دیگر نه")
        return Difference(CHANGED, topic, place, f"{en} {new}, was {old}", f"{fa} {new}، پیش‌تر {old}")


WORDS = (
    ("document", "paper", "its document is", "سندش"),
    ("within", "deadline", "within", "مهلت"),
    ("until", "deadline", "until", "تا"),
    ("on_silence", "deadline", "when the term passes:", "با گذشتن مهلت:"),
    ("answer_within", "deadline", "the applicant mends within", "مهلت رفع نقص"),
    ("clock", "deadline", "after a deficiency the clock", "پس از نقص ساعت"),
    ("calendar", "deadline", "by the calendar", "با تقویم"),
    ("when", "step", "it applies when", "موضوعیت دارد اگر"),
    ("each", "step", "once for each of", "یک بار برای هر یک از"),
    ("many", "step", "any number of documents:", "هر شمار سند:"),
    ("at_least", "step", "at least", "دست‌کم"),
    ("decides", "decision", "it decides:", "تصمیم:"),
    ("fee", "paper", "its fee is", "کارمزدش"),
    ("reuse", "paper", "it is served by a document that exists:", "با سندی که هست انجام می‌شود:"),
    ("from_", "step", "it is filled by a case of", "با پرونده‌ای پر می‌شود از"),
    ("opens", "step", "it opens a case of", "پرونده‌ای می‌گشاید از"),
    ("corrects", "decision", "who may correct it:", "چه کسی می‌تواند اصلاح کند:"),
    ("withdraws", "decision", "who may take it back:", "چه کسی می‌تواند پس بگیرد:"),
    ("revokes", "decision", "who may revoke it:", "چه کسی می‌تواند ابطال کند:"),
    ("confirms", "decision", "who may confirm it:", "چه کسی می‌تواند تأیید کند:"),
    ("reads", "reader", "its holder reads", "دارنده‌اش می‌خواند"),
    ("optional", "step", "it is optional:", "اختیاری است:"),
)
"""The words of a step that are compared as they stand."""


def waits(step: language.Step) -> dict[str, str]:
    """What a step waits for: by the name of a step (or of several, any of which will do) the parts that it relies on."""
    found: dict[str, str] = {}
    for need in step.needs:
        name, parts = _need(need)
        found[name] = parts
    if isinstance(step.fee, language.Fee) and step.fee.prepaid is not None:
        found.setdefault(step.fee.prepaid, "")
    return found


def _need(need: Any) -> tuple[str, str]:
    if isinstance(need, str):
        return need, ""
    if isinstance(need, language.AnyNeed):
        return " / ".join(_need(each)[0] for each in need.any), ""
    ((name, said),) = need.items()
    if name == "any":
        return " / ".join(_need(each)[0] for each in said), ""
    parts = said.parts if isinstance(said, language.NeedPart) else said
    parts = parts.get("parts", []) if isinstance(parts, dict) else parts
    return name, ", ".join(str(p) for p in parts)


def _parts(parts: str) -> str:
    return f" ({parts})" if parts else ""


def _bind(bind: Any) -> str | None:
    return None if bind is None else bind if isinstance(bind, str) else str(bind.org)


def _listed(value: Any) -> str:
    return value if isinstance(value, str) else ", ".join(value)


def _said(value: Any) -> str | None:
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
        ", ".join(f"{k} {_said(v) if not isinstance(v, dict) else _said_map(v)}" for k, v in shown.items())
        or "yes"
    )


def _said_map(value: dict[str, Any]) -> str:
    return "(" + ", ".join(f"{k} {v}" for k, v in value.items() if v not in (None, [], {}, False)) + ")"
