"""What a new version of a procedure changes: steps, what they wait for, who reads what, deadlines, rules."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gardesh.model import pack as language
from gardesh.model.pack import Pack
from gardesh.study.difference import ADDED, CHANGED, REMOVED, Difference, changed, listed, rules, said, turned


class ProcedureComparison:
    """Compares the procedures that both versions of a pack have."""

    def __init__(self, old: Pack, new: Pack) -> None:
        self.old, self.new = old, new

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
        for step, (_, earlier) in before.items():
            if step in new.steps:
                yield from self.step(f"{place}/{step}", name, step, earlier, new.steps[step])
        if old.migration != new.migration:
            yield changed(
                "other",
                place,
                f"{name}: what becomes of open cases is changed",
                f"{name}: سرنوشت پرونده‌های باز تغییر کرد",
            )
        ends = [old.closes_with, new.closes_with]
        if ends[0] != ends[1]:
            yield turned("step", place, f"{name}: it closes with", f"{name}: پایان با", *map(listed, ends))
        if old.retention != new.retention:
            kept = [p.retention or "—" for p in (old, new)]
            yield turned(
                "decision", place, f"{name}: kept after the case", f"{name}: نگهداری پس از پرونده", *kept
            )
        if old.withdrawal != new.withdrawal:
            until = [listed(p.withdrawal.limits) if p.withdrawal is not None else None for p in (old, new)]
            yield turned("decision", place, f"{name}: withdrawal until", f"{name}: انصراف تا", *until)
        for role in sorted({*old.binds, *new.binds}):
            pair = [_bind(p.binds.get(role)) for p in (old, new)]
            if pair[0] != pair[1]:
                yield turned(
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
            yield changed(
                "decision",
                place,
                f"{slot_en}: it is made by {pair[1][0]}, was {pair[0][0]}",
                f"{slot_fa}: با {pair[1][1]}، پیش‌تر {pair[0][1]}",
            )
        for words, topic, en, fa in WORDS:
            was, now = getattr(old, words), getattr(new, words)
            if was != now:
                yield turned(topic, place, f"{slot_en}: {en}", f"{slot_fa}: {fa}", said(was), said(now))
        yield from rules(place, slot_en, old.rules, new.rules)
        if old.enters != new.enters:
            yield changed(
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
            yield turned(
                "reader",
                place,
                f"{by_en} reads of {other}",
                f"{by_fa} از {other} می‌خواند",
                before[other] or "*",
                after[other] or "*",
            )


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
