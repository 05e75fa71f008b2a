"""Static analysis of a pack: what cannot work, and what looks unwise, before any case is opened."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from typing import Any

from gardesh.model import pack as language
from gardesh.model.expression import Expression
from gardesh.model.identifiers import FORMATS
from gardesh.model.library import Library, compile_expression
from gardesh.model.pack import Pack
from gardesh.model.problem import Problem
from gardesh.model.procedure import Procedure, Step
from gardesh.model.term import Term
from gardesh.record.types import Types
from gardesh.study.coherence import coherence
from gardesh.study.finding import MESSAGES, Finding


def lint(library: Library, made: Pack) -> list[Finding]:
    """All findings for a pack whose required packs are in `library`; errors first."""
    found = list(_Lint(library, made).all())
    return sorted(found, key=lambda f: (f.level != "error", f.place, f.code))


class _Lint:
    def __init__(self, library: Library, made: Pack) -> None:
        self.library, self.pack = library, made
        self.types = Types(library)

    def say(self, code: str, place: str, **params: Any) -> Finding:
        level, en, fa = MESSAGES[code]
        return Finding(level, code, place, en.format_map(params), fa.format_map(params))

    def all(self) -> Iterator[Finding]:
        made = self.pack
        for name in made.documents:
            yield from self.document(name)
        used = set()
        for name in made.procedures:
            try:
                procedure = self.library.procedure(made.label, name)
            except Problem as problem:
                yield self.broken(problem, problem.pointer)
                used |= {self.type_of(s, step) for s, step in made.procedures[name].steps.items()}
                continue
            used |= {step.type for step in procedure.steps}
            yield from self.procedure(procedure)
        for name in made.documents:
            if f"{made.name}/{name}" not in used and not self.used_elsewhere(name):
                yield self.say("unused-document", f"/documents/{name}.yaml", type=name)
        for name, setting in made.manifest.settings.items():
            for i, value in enumerate(setting.values):
                if not (value.source or value.assumed or setting.source or setting.assumed):
                    yield self.say("unsourced", f"/pack.yaml/settings/{name}/values/{i}")
        yield from coherence(self.library, made, self.say)
        for name, function in made.manifest.functions.items():
            yield from self.names(function.value, f"/pack.yaml/functions/{name}")

    def broken(self, problem: Problem, place: str) -> Finding:
        return Finding("error", "broken", place, problem.sentence("en"), problem.sentence("fa"))

    def type_of(self, name: str, step: language.Step) -> str:
        return self.library.qualify(self.pack, step.document or name)

    def used_elsewhere(self, name: str) -> bool:
        """Types that other packs' steps make, such as a receipt of payment, are there to be used."""
        return (
            not self.pack.procedures
            or self.pack.name == "core"
            or any(
                step.document == f"{self.pack.name}/{name}"
                for other in self.library.packs.values()
                for procedure in other.procedures.values()
                for step in procedure.steps.values()
            )
        )

    # -- documents ----------------------------------------------------------------------------------------

    def document(self, name: str) -> Iterator[Finding]:
        file = f"/documents/{name}.yaml"
        declared = self.pack.documents[name]
        try:
            self.types.get(self.pack, f"{self.pack.name}/{name}")
            self.library.about(self.pack, f"{self.pack.name}/{name}")
        except Problem as problem:
            yield self.broken(problem, problem.pointer or file)
            return
        yield from self.formats(declared.schema, f"{file}/schema")
        for field, schema in declared.schema.get("properties", {}).items():
            if field in ("outcome", "meta"):
                yield self.say("reserved-field", f"{file}/schema/properties/{field}", path=field, type=name)
            title = schema.get("title") if isinstance(schema, dict) else None
            if not (isinstance(title, dict) and {"fa", "en"} <= set(title)):
                yield self.say("untitled-field", f"{file}/schema/properties/{field}", path=field, type=name)
            once = schema.get("once-only") if isinstance(schema, dict) else None
            if once is not None:
                place = f"{file}/schema/properties/{field}"
                yield from self.named("register", str(once).rpartition(".")[0], place)
                if declared.about is None:
                    yield self.say("no-subject-known", place, path=field)
        sources = [declared.about, *declared.identifiers.values(), *(r.check for r in declared.rules)]
        for source in sources:
            if source is not None:
                made = compile_expression(self.library, self.pack, source)
                yield from self.fields(made, {"this": f"{self.pack.name}/{name}"}, file)
                yield from self.names(source, file)
        for rule in declared.rules:
            if not (rule.source or rule.assumed or declared.source or declared.assumed):
                yield self.say("unsourced", f"{file}/rules/{rule.code}")

    # -- procedures ---------------------------------------------------------------------------------------

    def procedure(self, procedure: Procedure) -> Iterator[Finding]:
        file = f"/procedures/{procedure.name}.yaml"
        steps = procedure.steps
        wanted: dict[int, list[str]] = {}
        for step in steps:
            for index in {r.step for n in step.needs for r in n.refs} | set(step.reads):
                wanted.setdefault(index, []).append(step.name)
        goal = {g.index for g in procedure.goal}
        for step in steps:
            place = f"{file}/steps/{step.name}"
            by = wanted.get(step.index, [])
            if not by and step.index not in goal and not step.optional and step.spec.opens is None:
                yield self.say("unneeded-step", place, step=step.name)
            if step.many and step.within is None and step.until is None and by:
                yield self.say("open-ended-many", place, step=step.name, by=", ".join(by))
            if step.spec.opens and step is procedure.opening:
                yield self.say("opens-at-opening", place, step=step.name)
            yield from self.silence(procedure, step, place)
            yield from self.terms(step, place)
            yield from self.fee(procedure, step, place)
            yield from self.reading(procedure, step, place)
            for word in ("corrects", "withdraws", "revokes", "confirms"):
                ways = getattr(step.spec, word)
                for role in ways.by if ways is not None else ():
                    if self.library.role(self.pack, role) is None:
                        yield self.say("no-such-role", f"{place}/{word}", role=role)
            for rule in step.spec.rules:
                parts = (rule, step.spec, procedure.spec)
                if not any(p.source or p.assumed for p in parts):
                    yield self.say("unsourced", f"{place}/rules/{rule.code}")

        for role in procedure.spec.binds:
            if self.library.role(self.pack, role) is None:
                yield self.say("no-such-role", f"{file}/binds/{role}", role=role)
        for phase, ends in procedure.spec.phases.items():
            for name in ends:
                if name not in procedure.by_name:
                    yield self.say("no-such-step", f"{file}/phases/{phase}", step=name)

    def fee(self, procedure: Procedure, step: Step, place: str) -> Iterator[Finding]:
        fee = step.spec.fee
        if not isinstance(fee, language.Fee) or fee.prepaid is None:
            return
        payment = procedure.by_name[fee.prepaid]
        if payment.type != "core/payment-receipt":
            yield self.say("not-a-receipt", f"{place}/fee", step=payment.name, type=payment.type)
        elif not any(
            ("register", "core/tariffs") in rule.check.names
            for made in (step, payment)
            for rule in made.rules
        ):
            yield self.say(
                "fee-unchecked", f"{place}/fee", step=step.name, payment=payment.name, item=fee.item
            )

    def silence(self, procedure: Procedure, step: Step, place: str) -> Iterator[Finding]:
        spec = step.spec
        said = [
            s for s in (spec.on_silence, spec.answer_within.on_silence if spec.answer_within else None) if s
        ]
        if spec.on_silence is not None and spec.within is None and spec.until is None:
            yield self.say("silence-without-term", place, step=step.name)
        for silence in said:
            if sum((silence.escalate is not None, silence.deemed is not None, silence.lapse)) != 1:
                yield self.say("silence-unclear", place, step=step.name)
            if silence.escalate is not None and self.library.role(self.pack, silence.escalate) is None:
                yield self.say("no-such-role", place, role=silence.escalate)
            if silence.deemed is not None and step.outcomes and silence.deemed not in step.outcomes:
                yield self.say("deemed-outcome", place, step=step.name, outcome=silence.deemed)
            if silence.deemed == "approved":
                try:
                    checked = self.types.get(self.pack, step.type)
                    if checked is not None:
                        checked.check_schema(dict(silence.subject))
                except Problem as problem:
                    yield self.say("deemed-subject", place, step=step.name, reason=problem.params["reason"])

    def terms(self, step: Step, place: str) -> Iterator[Finding]:
        spec = step.spec
        given = (
            spec.within,
            spec.answer_within.within if spec.answer_within else None,
            spec.reuse.at_most if spec.reuse else None,
        )
        for term in given:
            if term is None:
                continue
            values = [term]
            if term.startswith("setting:"):
                values = []
                faults = list(self.named("setting", term[8:], place))
                yield from faults
                if not faults:
                    values = yield from self.term_values(term[8:], place)
            if any(v.endswith(("wd", "wh")) for v in values) and not step.calendar:
                yield self.say("working-term-without-calendar", place, step=step.name)

    def term_values(self, setting: str, place: str) -> Generator[Finding, None, list[str]]:
        owner, _, own = self.library.qualify(self.pack, setting).partition("/")
        values = [
            str(v.value) for v in self.library.pack_named(self.pack, owner).manifest.settings[own].values
        ]
        for value in values:
            try:
                Term.parse(value)
            except Problem:
                yield self.say("no-term", place, name=setting, value=value)
        return values

    def reading(self, procedure: Procedure, step: Step, place: str) -> Iterator[Finding]:
        """Every expression of a step: do the fields exist, and are they within the parts that are needed?"""
        types = {s.var: s.type for s in procedure.steps if s.spec.from_ is None}
        types["this"] = types["previous"] = step.type
        parts: dict[str, set[str] | None] = {}
        for need in step.needs:
            for ref in need.refs:
                var = procedure.steps[ref.step].var
                known = parts.get(var, set())
                parts[var] = None if not ref.parts or known is None else known | set(ref.parts)
                for part in ref.parts:
                    if not self.has_field(types.get(var), (part,)):
                        yield self.say("no-such-field", f"{place}/needs", path=part, type=types.get(var))
        deciding = [(step.when, "when"), (step.each, "each"), (step.reuse_about, "reuse")]
        several = {s.var: s.name for s in procedure.steps if s.multiple}
        own_key = {procedure.steps[r.step].var for n in step.needs for r in n.refs if r.same_key}
        for made, word in deciding:
            if made is not None:
                yield from self.lists(made, several, f"{place}/{word}")
                yield from self.fields(made, types, f"{place}/{word}")
                yield from self.names(made.source, f"{place}/{word}")
        own: list[tuple[Expression, str]] = [(r.check, f"rules/{r.code}") for r in step.rules]
        for i, entry in enumerate(step.enters):
            every = (entry.key, entry.amount, entry.value, entry.when, entry.each, entry.since, entry.until)
            own += [(e, f"enters/{i}") for e in every if e is not None]
        if step.until is not None:
            own.append((step.until, "until"))
        here = {var: name for var, name in several.items() if var not in own_key}
        for made, word in own:
            yield from self.lists(made, here, f"{place}/{word}")
            yield from self.fields(made, types, f"{place}/{word}")
            yield from self.names(made.source, f"{place}/{word}")
            for path in made.reads:
                allowed = parts.get(path[0])
                if allowed is not None and len(path) > 1 and path[1] not in allowed | {"outcome", "meta"}:
                    yield self.say("reads-beyond-parts", f"{place}/{word}", path=".".join(path))

    # -- names and fields ---------------------------------------------------------------------------------

    def lists(self, made: Expression, several: dict[str, str], place: str) -> Iterator[Finding]:
        """Fields are read of one document, not of many."""
        for path in sorted(made.reads):
            if len(path) > 1 and path[0] in several:
                yield self.say("reads-a-list", place, path=".".join(path), step=several[path[0]])

    def formats(self, schema: Any, place: str) -> Iterator[Finding]:
        if isinstance(schema, list):
            for i, each in enumerate(schema):
                yield from self.formats(each, f"{place}/{i}")
        if not isinstance(schema, dict):
            return
        name = schema.get("format")
        if isinstance(name, str) and name not in FORMATS and name not in STANDARD_FORMATS:
            yield self.say("no-such-format", place, format=name)
        for word, below in schema.items():
            if word not in ("enum", "const", "default", "examples"):
                yield from self.formats(below, f"{place}/{word}")

    def fields(self, made: Expression, types: dict[str, str], place: str) -> Iterator[Finding]:
        for path in sorted(made.reads):
            of = types.get(path[0])
            if of is not None and len(path) > 1 and not self.has_field(of, path[1:]):
                yield self.say("no-such-field", place, path=".".join(path), type=of)

    def has_field(self, type_name: str | None, path: tuple[str, ...]) -> bool:
        if type_name is None or path[0] in ("outcome", "meta"):
            return True
        declared = self.library.document_type(self.pack, type_name)
        if declared is None:
            return True
        schema: Any = declared.schema
        for name in path:
            if not isinstance(schema, dict) or "$ref" in schema:
                return True
            if schema.get("type") == "array" and isinstance(schema.get("items"), dict):
                schema = schema["items"]
                if "$ref" in schema:
                    return True
            properties = schema.get("properties")
            if not isinstance(properties, dict):
                return True
            if name not in properties:
                return schema.get("additionalProperties") is not False
            schema = properties[name]
        return True

    def names(self, source: str, place: str) -> Iterator[Finding]:
        for kind, pattern in NAMED.items():
            for name in re.findall(pattern, source):
                yield from self.named(kind, name, place)

    def named(self, kind: str, name: str, place: str) -> Iterator[Finding]:
        try:
            owner, _, own = self.library.qualify(self.pack, name).partition("/")
            found = self.library.pack_named(self.pack, owner)
        except Problem:
            yield self.say("no-such-name", place, kind=kind, kind_fa=KINDS_FA[kind], name=name)
            return
        tables: dict[str, Any] = {
            "list": found.lists,
            "register": found.registers,
            "setting": found.manifest.settings,
        }
        if own not in tables[kind]:
            yield self.say("no-such-name", place, kind=kind, kind_fa=KINDS_FA[kind], name=name)


KINDS_FA = {"list": "فهرستی", "register": "دفتر ثبتی", "setting": "تنظیمی"}
STANDARD_FORMATS = {
    "date-time", "date", "time", "duration", "email", "idn-email", "hostname", "idn-hostname", "ipv4", "ipv6", "uri",
    "uri-reference", "iri", "iri-reference", "uri-template", "uuid", "json-pointer", "relative-json-pointer", "regex",
}  # fmt: skip
"""JSON Schema 2020-12, validation, §7.3."""
NAMED = {
    "list": r"""\b(?:lookup|covering)\(\s*['"]([^'"]+)['"]""",
    "register": r"""\b(?:register|balance)\(\s*['"]([^'"]+)['"]""",
    "setting": r"""\bsetting\(\s*['"]([^'"]+)['"]""",
}

__all__ = ["Finding", "language", "lint"]
