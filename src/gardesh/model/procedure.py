"""A procedure, compiled: the build graph that the cases of one pack version follow.

Compiling resolves names across packs, compiles expressions, orders the steps so that each comes after all it
waits for, and refuses what cannot run: unknown names, cycles over needs and deciding reads (semantics, rule 6).
What merely looks unwise is lint's (`study/lint.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter

from gardesh.model import pack as language
from gardesh.model.calendar import Calendar, Term
from gardesh.model.expression import Expression
from gardesh.model.library import Library, compile_expression
from gardesh.model.pack import MALFORMED, Pack
from gardesh.model.problem import Problem

TIMELY = frozenset(("register", "values", "balance", "setting"))
"""Functions whose result depends on the point of the log."""
ACTS = ("issue", "correct", "confirm", "withdraw", "revoke")


@dataclass(frozen=True, slots=True)
class Ref:
    """One thing needed: a step, perhaps only named parts of its document, perhaps only the slot of one's own key."""

    step: int
    parts: tuple[str, ...] = ()
    same_key: bool = False


@dataclass(frozen=True, slots=True)
class Need:
    """What must stand: one reference, or alternatives of which one that applies is enough."""

    refs: tuple[Ref, ...]
    any: bool = False


@dataclass(frozen=True, slots=True)
class CompiledRule:
    code: str
    check: Expression
    fa: str
    en: str
    at: str


@dataclass(frozen=True, slots=True)
class CompiledEntry:
    register: str
    kind: str
    key: Expression
    amount: Expression | None
    sign: int
    value: Expression | None
    when: Expression | None
    since: Expression | None
    until: Expression | None
    each: Expression | None


@dataclass(frozen=True, slots=True)
class Bind:
    kind: str  # opener, any, org
    org: Expression | None = None
    reads: tuple[int, ...] = ()
    """The steps that the expression reads."""
    timely: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One step. `index` is its place in `Procedure.steps`, which is also an order of evaluation."""

    index: int
    name: str
    var: str
    spec: language.Step
    type: str
    title: language.Text
    role: str | None
    role_field: str | None
    needs: tuple[Need, ...]
    when: Expression | None
    each: Expression | None
    until: Expression | None
    reads: tuple[int, ...]
    rules: tuple[CompiledRule, ...]
    enters: tuple[CompiledEntry, ...]
    reuse_about: Expression | None
    outcomes: frozenset[str]
    within: str | None
    calendar: str
    many: bool
    multiple: bool
    dependents: tuple[int, ...]
    optional: bool
    bounds: tuple[int, ...]
    """The steps whose role is played by an organisation that this step's document names."""
    timely: bool
    """Whether `when` or `each` looks up registers or settings, and so depends on a point of the log."""


@dataclass(frozen=True, slots=True, eq=False)
class Procedure:
    """A compiled procedure. Immutable; one object serves all its cases."""

    pack: Pack
    library: Library
    name: str
    spec: language.ProcedureFile
    steps: tuple[Step, ...]
    by_name: Mapping[str, Step]
    opening: Step
    goal: tuple[Step, ...]
    binds: Mapping[str, Bind]
    calendars: Mapping[str, Calendar] = field(repr=False)
    returning: tuple[int, ...] = ()
    """The steps that can return a file as deficient."""
    reusing: tuple[Step, ...] = ()
    """The steps that a document of another case may serve."""
    windows: tuple[Step, ...] = ()
    """The steps that take in any number of documents while a window is open."""

    @property
    def label(self) -> str:
        return f"{self.pack.name}/{self.name}"

    def term(self, text: str, at: int) -> Term:
        """A term of this pack at the instant `at`: `7wd`, or the setting that `setting:name` names."""
        if text.startswith("setting:"):
            return Term.parse(str(self.library.setting(self.pack, text[8:], at)))
        return Term.parse(text)

    def calendar_of(self, step: Step) -> Calendar:
        return self.calendars[step.calendar]


def variable(step_name: str) -> str:
    return step_name.replace("-", "_")


def compile_procedure(library: Library, pack: Pack, name: str) -> Procedure:
    """Compile procedure `name` of `pack`. Raises `pack-malformed` with a pointer into the file."""
    return _Compiler(library, pack, name).run()


class _Compiler:
    def __init__(self, library: Library, pack: Pack, name: str) -> None:
        self.library, self.pack, self.name = library, pack, name
        self.path = f"procedures/{name}.yaml"
        if name not in pack.procedures:
            raise Problem(
                MALFORMED, "/" + self.path, file=self.path, reason=f"there is no procedure {name!r}"
            )
        self.spec = pack.procedures[name]
        self.names = set(self.spec.steps)
        self.vars = {variable(s): s for s in self.spec.steps}

    def fail(self, place: str, reason: str) -> Problem:
        return Problem(MALFORMED, f"/{self.path}/{place}", file=self.path, reason=reason)

    def expression(self, source: str | None, place: str) -> Expression | None:
        if source is None:
            return None
        try:
            return compile_expression(self.library, self.pack, source)
        except Problem as problem:
            raise self.fail(place, problem.sentence("en")) from problem

    def must(self, source: str, place: str) -> Expression:
        made = self.expression(source, place)
        assert made is not None
        return made

    def run(self) -> Procedure:
        spec = self.spec
        needs = {s: self.needs_of(s, step) for s, step in spec.steps.items()}
        decide: dict[str, set[str]] = {}
        compiled: dict[str, tuple[Expression | None, Expression | None]] = {}
        for s, step in spec.steps.items():
            when = self.expression(step.when, f"steps/{s}/when")
            each = self.expression(step.each, f"steps/{s}/each")
            compiled[s] = (when, each)
            decide[s] = set()
            for made in (when, each):
                if made is not None:
                    decide[s] |= self.read_steps(made, f"steps/{s}")
        waits = {s: {n for need in needs[s] for n, _, _ in need[0]} | decide[s] for s in spec.steps}
        order = self.order(waits)
        index = {s: i for i, s in enumerate(order)}
        dependents: dict[str, set[int]] = {s: set() for s in order}
        for s, below in waits.items():
            for n in below:
                dependents[n].add(index[s])
        named = {role: self.bound(role, bound, index) for role, bound in spec.binds.items()}
        bounds = self.bounds(named, order)
        steps = tuple(
            self.step(s, index, needs[s], compiled[s], decide[s], dependents[s], bounds[s]) for s in order
        )
        by_name = {step.name: step for step in steps}
        goal = [spec.closes_with] if isinstance(spec.closes_with, str) else spec.closes_with
        for place, s in [("opens_with", spec.opens_with), *(("closes_with", g) for g in goal)]:
            if s not in by_name:
                raise self.fail(place, f"there is no step {s!r}")
        opening = by_name[spec.opens_with]
        if opening.needs or opening.when or opening.each or opening.many or opening.spec.from_:
            raise self.fail(
                f"steps/{opening.name}", "the opening step can have no needs, when, each, many or from"
            )
        self.check_ways(by_name)
        self.check_retention()
        binds = {opening.role or "": Bind("opener")}
        binds |= named
        calendars = {step.calendar: self.library.calendar(self.pack, step.calendar) for step in steps}
        return Procedure(
            self.pack, self.library, self.name, spec, steps, by_name, opening,
            tuple(by_name[g] for g in goal), binds, calendars,
            tuple(step.index for step in steps if "deficient" in step.outcomes),
            tuple(step for step in steps if step.reuse_about is not None),
            tuple(step for step in steps if step.many),
        )  # fmt: skip

    def bound(self, role: str, bound: str | language.BoundTo, index: Mapping[str, int]) -> Bind:
        if isinstance(bound, str):
            return Bind(bound)
        made = self.must(bound.org, f"binds/{role}")
        reads = self.read_steps(made, f"binds/{role}")
        return Bind("org", made, tuple(sorted(index[s] for s in reads)), bool(made.calls & TIMELY))

    def bounds(self, named: Mapping[str, Bind], order: Sequence[str]) -> dict[str, tuple[int, ...]]:
        """Of each step: the steps whose role is played by an organisation that its document names."""
        found: dict[str, list[int]] = {s: [] for s in order}
        for place, s in enumerate(order):
            by = self.spec.steps[s].by or ""
            for role, bind in named.items():
                if by == role or by.startswith("each."):
                    for read in bind.reads:
                        found[order[read]].append(place)
        return {s: tuple(others) for s, others in found.items()}

    def check_retention(self) -> None:
        said = self.spec.retention
        try:
            if said is not None and not said.startswith("setting:"):
                Term.parse(said)
            elif said is not None and said[8:] not in self.pack.manifest.settings:
                raise self.fail("retention", f"there is no setting {said[8:]!r}")
        except Problem as problem:
            raise self.fail("retention", problem.sentence("en")) from problem

    def check_ways(self, by_name: Mapping[str, Step]) -> None:
        for s, step in self.spec.steps.items():
            for word in ("corrects", "withdraws", "revokes", "confirms"):
                ways = getattr(step, word)
                for until in ways.limits if ways is not None else ():
                    if until not in by_name:
                        raise self.fail(f"steps/{s}/{word}/until", f"there is no step {until!r}")
        words = self.spec.migration or language.Migration()
        for s in (*words.renames.values(), *words.keeps):
            if s not in by_name:
                raise self.fail("migration", f"there is no step {s!r}")
        for until in self.spec.withdrawal.limits if self.spec.withdrawal else ():
            if until not in by_name:
                raise self.fail("withdrawal/until", f"there is no step {until!r}")

    def read_steps(self, made: Expression, place: str) -> set[str]:
        unknown = sorted(v for v in made.variables if v not in self.vars)
        if unknown:
            raise self.fail(
                place, f"the expression reads {', '.join(unknown)}, which is no step of this procedure"
            )
        return {self.vars[v] for v in made.variables}

    def order(self, waits: Mapping[str, set[str]]) -> list[str]:
        """Topological, and among what may come in any order as the file has it: the same on every machine."""
        place = {s: i for i, s in enumerate(self.spec.steps)}
        sorter = TopologicalSorter(waits)
        try:
            sorter.prepare()
        except CycleError as error:
            ring = " → ".join(error.args[1])
            raise self.fail("steps", f"these steps wait for one another: {ring}") from None
        out: list[str] = []
        while sorter.is_active():
            ready = sorted(sorter.get_ready(), key=place.__getitem__)
            out.extend(ready)
            sorter.done(*ready)
        return out

    def needs_of(
        self, s: str, step: language.Step
    ) -> list[tuple[list[tuple[str, tuple[str, ...], bool]], bool]]:
        out = []
        for i, need in enumerate(step.needs):
            place = f"steps/{s}/needs/{i}"
            if isinstance(need, dict) and set(need) == {"any"}:
                items = need["any"]
                assert isinstance(items, list)
                out.append(([r for item in items for r in self.refs_of(item, place)], True))
            else:
                out.extend(([r], False) for r in self.refs_of(need, place))
        prepaid = step.fee.prepaid if isinstance(step.fee, language.Fee) else None
        if prepaid is not None and all(prepaid != r[0] for refs, _ in out for r in refs):
            out.append((self.refs_of(prepaid, f"steps/{s}/fee/prepaid"), False))
        return out

    def refs_of(self, item: object, place: str) -> list[tuple[str, tuple[str, ...], bool]]:
        pairs = (
            {item: None}.items() if isinstance(item, str) else item.items() if isinstance(item, dict) else ()
        )
        if not pairs:
            raise self.fail(place, "a need is a step's name or {step: [parts]}")
        out = []
        for step, how in pairs:
            if step not in self.names:
                raise self.fail(place, f"there is no step {step!r}")
            if isinstance(how, language.NeedPart):
                out.append((step, tuple(how.parts), how.key == "each"))
            elif isinstance(how, dict):
                part = language.NeedPart(**how)
                out.append((step, tuple(part.parts), part.key == "each"))
            else:
                out.append((step, tuple(str(p) for p in how or ()), False))
        return out

    def step(
        self,
        s: str,
        index: Mapping[str, int],
        needs: list[tuple[list[tuple[str, tuple[str, ...], bool]], bool]],
        compiled: tuple[Expression | None, Expression | None],
        decide: set[str],
        dependents: set[int],
        bounds: tuple[int, ...],
    ) -> Step:
        spec = self.spec.steps[s]
        type_name = self.library.qualify(self.pack, spec.document or s)
        title = spec.title
        if spec.from_ is None:
            declared = self.library.document_type(self.pack, type_name)
            if declared is None:
                raise self.fail(f"steps/{s}/document", f"there is no document type {type_name!r}")
            title = title or declared.title
        else:
            linked = self.library.procedure_file(self.pack, spec.from_)
            if linked is None:
                raise self.fail(f"steps/{s}/from", f"there is no procedure {spec.from_!r}")
            title = title or linked.title
        by_field = spec.by is not None and spec.by.startswith("each.")
        role = None if by_field else spec.by
        role_field = spec.by[5:] if by_field and spec.by else None
        if role is None and role_field is None and spec.from_ is None:
            raise self.fail(f"steps/{s}/by", "a step needs `by`: the role that issues its document")
        if role is not None and self.library.role(self.pack, role) is None:
            raise self.fail(f"steps/{s}/by", f"there is no role {role!r} in this pack or those it requires")
        if role_field is not None and spec.each is None:
            raise self.fail(f"steps/{s}/by", "`each.…` needs `each`")
        if spec.many and spec.each is not None:
            raise self.fail(f"steps/{s}/many", "a step is `each` or `many`, not both")
        outcomes = ("approved", "deficient", "rejected") if spec.decides is True else spec.decides or ()
        seen = {n for refs, _ in needs for n, _, _ in refs}
        allowed = {variable(n) for n in seen} | {"this", "each", "previous"}
        calendar = spec.calendar or self.spec.calendar or self.pack.manifest.calendar
        return Step(
            index=index[s],
            name=s,
            var=variable(s),
            spec=spec,
            type=type_name,
            title=title,
            role=role,
            role_field=role_field,
            needs=tuple(Need(tuple(Ref(index[n], p, k) for n, p, k in refs), any_) for refs, any_ in needs),
            when=compiled[0],
            each=compiled[1],
            until=self.until(s, spec, allowed),
            reads=tuple(sorted(index[d] for d in decide)),
            rules=tuple(self.rule(s, i, r, allowed) for i, r in enumerate(spec.rules)),
            enters=tuple(self.entry(s, i, e, allowed) for i, e in enumerate(spec.enters)),
            reuse_about=self.expression(spec.reuse.about, f"steps/{s}/reuse/about") if spec.reuse else None,
            outcomes=frozenset(outcomes),
            within=spec.within,
            calendar=self.library.qualify(self.pack, calendar) if calendar else "",
            many=spec.many,
            multiple=spec.many or spec.each is not None,
            dependents=tuple(sorted(dependents)),
            bounds=bounds,
            optional=spec.optional or (spec.many and spec.within is None and spec.until is None),
            timely=any(e is not None and (e.calls & TIMELY) for e in compiled),
        )

    def until(self, s: str, spec: language.Step, allowed: set[str]) -> Expression | None:
        made = self.expression(spec.until, f"steps/{s}/until")
        if made is not None:
            if spec.within is not None:
                raise self.fail(
                    f"steps/{s}/until", "a step has a term (`within`) or an end (`until`), not both"
                )
            self.only(made, allowed - {"this", "previous"}, f"steps/{s}/until")
        return made

    def rule(self, s: str, i: int, rule: language.Rule, allowed: set[str]) -> CompiledRule:
        place = f"steps/{s}/rules/{i}"
        check = self.must(rule.check, place)
        self.only(check, allowed, place)
        return CompiledRule(rule.code, check, rule.message.fa, rule.message.en, rule.at)

    def entry(self, s: str, i: int, entry: language.Entry, allowed: set[str]) -> CompiledEntry:
        place = f"steps/{s}/enters/{i}"
        register = self.library.qualify(self.pack, entry.register)
        declared = self.library.register(self.pack, register)
        if declared is None:
            raise self.fail(place, f"there is no register {register!r}")
        amount = entry.adds or entry.takes
        if (declared.kind == "balance") != (amount is not None) or (entry.adds and entry.takes):
            raise self.fail(
                place, "a balance takes exactly one of `adds` and `takes`, another register neither"
            )
        made = [
            self.expression(e, place)
            for e in (entry.key, amount, entry.value, entry.when, entry.since, entry.until, entry.each)
        ]
        for each in made:
            if each is not None:
                self.only(each, allowed | {"item"}, place)
        assert made[0] is not None
        return CompiledEntry(
            register,
            declared.kind,
            made[0],
            made[1],
            -1 if entry.takes else 1,
            made[2],
            made[3],
            made[4],
            made[5],
            made[6],
        )

    def only(self, made: Expression, allowed: set[str], place: str) -> None:
        alien = sorted(v for v in made.variables if v not in allowed)
        if alien:
            raise self.fail(place, f"it reads {', '.join(alien)}, which this step does not need")
