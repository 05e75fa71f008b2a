"""Whether the parts of a pack fit each other: what nobody can issue, what outlives what, what is public by mistake."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from gardesh.model import pack as language
from gardesh.model.calendar import parse_instant
from gardesh.model.library import Library, Moment, compile_expression
from gardesh.model.pack import Pack
from gardesh.model.problem import Problem
from gardesh.model.procedure import Procedure, Step
from gardesh.model.term import Term
from gardesh.study.finding import Finding

Say = Callable[..., Finding]
DAYS = {"wd": 1.4, "wh": 0.175, "d": 1.0, "h": 1 / 24, "m": 1 / 1440, "mo": 30.4}
"""About how many calendar days a unit takes; a working day, with five in a week of seven, takes 1.4."""
BOUNDS = (
    ("minItems", "maxItems"),
    ("minimum", "maximum"),
    ("minLength", "maxLength"),
    ("minProperties", "maxProperties"),
)


def coherence(library: Library, made: Pack, say: Say) -> Iterator[Finding]:
    """All that concerns more than one part of a pack."""
    yield from balances(library, made, say)
    yield from checks(library, made, say)
    for name, declared in made.documents.items():
        yield from satisfiable(declared.schema, f"/documents/{name}.yaml/schema", say)
        yield from marks(declared.schema, f"/documents/{name}.yaml/schema", (), say)
    for name in made.procedures:
        try:
            procedure = library.procedure(made.label, name)
        except Problem:
            continue  # said elsewhere
        for step in procedure.steps:
            place = f"/procedures/{name}.yaml/steps/{step.name}"
            yield from issuable(procedure, step, place, say)
            yield from outlived(library, procedure, step, place, say)
            yield from published(library, procedure, step, place, say)
            if step.spec.revises is not None and step.spec.revises not in procedure.by_name:
                yield say("no-such-step", f"{place}/revises", step=step.spec.revises)


def balances(library: Library, made: Pack, say: Say) -> Iterator[Finding]:
    """A balance that nothing credits can never be taken from."""
    for name, register in made.registers.items():
        if register.kind != "balance":
            continue
        entries = [
            entry
            for pack in library.packs.values()
            for procedure in pack.procedures.values()
            for step in procedure.steps.values()
            for entry in step.enters
            if library.qualify(pack, entry.register) == f"{made.name}/{name}"
        ]
        if any(e.takes for e in entries) and not any(e.adds for e in entries):
            yield say("never-credited", f"/registers/{name}.yaml", register=name)


def checks(library: Library, made: Pack, say: Say) -> Iterator[Finding]:
    """The pack's own checks, at every date from which a setting of it holds."""
    dates = sorted({v.since for s in made.manifest.settings.values() for v in s.values}) or ["2000-01-01"]
    for check in made.manifest.checks:
        place = f"/pack.yaml/checks/{check.code}"
        if not (check.source or check.assumed):
            yield say("unsourced", place)
        try:
            compiled = compile_expression(library, made, check.check)
            for since in dates:
                moment = Moment(library, made, NoWorld(), 0, parse_instant(since))
                if compiled.guard({}, moment) is not True:
                    yield say(
                        "check-failed",
                        place,
                        since=since,
                        message=check.message.en,
                        message_fa=check.message.fa,
                    )
                    break
        except Problem as problem:
            yield say("check-broken", place, reason=problem.sentence("en"), reason_fa=problem.sentence("fa"))


class NoWorld:
    """There are no registers while a pack is checked."""

    def value(self, register: str, key: str, position: int, at: int) -> Any:
        return None

    def values(self, register: str, prefix: str, position: int, at: int) -> list[Any]:
        return []

    def balance(self, register: str, key: str, position: int) -> Any:
        return 0

    def holds(self, org: str, role: str, at: int) -> bool:
        return False


def issuable(procedure: Procedure, step: Step, place: str, say: Say) -> Iterator[Finding]:
    """A role that a document names cannot make that document, nor what it waits for."""
    bind = procedure.binds.get(step.role or "")
    if bind is None or bind.kind != "org":
        return
    ahead, seen = list(bind.reads), set(bind.reads)
    while ahead:
        below = procedure.steps[ahead.pop()]
        more = {r.step for n in below.needs for r in n.refs} | set(below.reads)
        ahead += more - seen
        seen |= more
    if step.index in seen:
        names = ", ".join(procedure.steps[i].name for i in bind.reads)
        yield say("nobody-can-issue", place, step=step.name, role=step.role, names=names)


def days_of(library: Library, made: Pack, text: str | None) -> float | None:
    """About how many days a term takes at its longest."""
    if text is None:
        return None
    texts = [text]
    if text.startswith("setting:"):
        owner, _, own = library.qualify(made, text[8:]).partition("/")
        setting = library.pack_named(made, owner).manifest.settings.get(own)
        texts = [str(v.value) for v in setting.values] if setting is not None else []
    try:
        terms = [Term.parse(t) for t in texts]
    except Problem:
        return None
    return max((t.count * DAYS[t.unit] for t in terms), default=None)


def outlived(library: Library, procedure: Procedure, step: Step, place: str, say: Say) -> Iterator[Finding]:
    """A document that is valid for less time than may be taken by the step that needs it."""
    taken = days_of(library, procedure.pack, step.within)
    for need in step.needs if taken is not None else ():
        for ref in need.refs:
            below = procedure.steps[ref.step]
            declared = library.document_type(procedure.pack, below.type)
            valid = days_of(library, procedure.pack, declared.valid_for) if declared is not None else None
            if valid is not None and taken is not None and taken > valid:
                yield say("term-outlives-need", f"{place}/within", step=step.name, below=below.name)


def published(library: Library, procedure: Procedure, step: Step, place: str, say: Say) -> Iterator[Finding]:
    """A private field that is entered in a public register."""
    for i, entry in enumerate(step.spec.enters):
        register = library.register(procedure.pack, library.qualify(procedure.pack, entry.register))
        if register is None or not register.public:
            continue
        read: dict[str, set[str]] = {}
        for source in (entry.key, entry.value, entry.each):
            for path in (
                compile_expression(library, procedure.pack, source).reads if source is not None else ()
            ):
                read.setdefault(path[0], set()).add(path[1] if len(path) > 1 else "*")
        if entry.value is None and register.kind == "latest":
            read.setdefault("this", set()).add("*")
        for var, fields in sorted(read.items()):
            of = step if var == "this" else next((s for s in procedure.steps if s.var == var), None)
            declared = library.document_type(procedure.pack, of.type) if of is not None else None
            hidden = private(declared) if declared is not None else set()
            for field in sorted(hidden if "*" in fields else hidden & fields):
                yield say(
                    "private-in-public", f"{place}/enters/{i}", path=f"{var}.{field}", register=entry.register
                )


def private(declared: language.DocumentType) -> set[str]:
    """The fields of a document that are kept out of the public register."""
    found = declared.schema.get("properties", {})
    return {
        name for name, schema in found.items() if isinstance(schema, dict) and schema.get("private") is True
    }


def marks(schema: Any, place: str, path: tuple[str, ...], say: Say) -> Iterator[Finding]:
    """`private` is a mark of whole fields of a subject: further down nothing would be kept out."""
    if isinstance(schema, dict):
        for name, below in schema.items():
            if name == "private" and below is True and (len(path) != 2 or path[0] != "properties"):
                yield say("private-too-deep", place)
            elif name not in ("enum", "const", "default", "examples"):
                yield from marks(below, f"{place}/{name}", (*path, name), say)
    elif isinstance(schema, list):
        for i, below in enumerate(schema):
            yield from marks(below, f"{place}/{i}", (*path, str(i)), say)


def satisfiable(schema: Any, place: str, say: Say) -> Iterator[Finding]:
    """Bounds that no value keeps, and required fields that a closed object does not know."""
    if isinstance(schema, list):
        for i, each in enumerate(schema):
            yield from satisfiable(each, f"{place}/{i}", say)
    if not isinstance(schema, dict):
        return
    for low, high in BOUNDS:
        if (
            isinstance(schema.get(low), (int, float))
            and isinstance(schema.get(high), (int, float))
            and schema[low] > schema[high]
        ):
            yield say("no-value-possible", place, reason=f"{low} > {high}")
    if schema.get("additionalProperties") is False and isinstance(schema.get("required"), list):
        for name in schema["required"]:
            if name not in schema.get("properties", {}) and not schema.get("patternProperties"):
                yield say("no-value-possible", place, reason=f"required {name}")
    for word, below in schema.items():
        if word not in ("enum", "const", "default", "examples"):
            yield from satisfiable(below, f"{place}/{word}", say)
