"""Random procedures and histories, and the play that leads the engine and the plain model through them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st
from reference import Chronicle

from gardesh.model import deadline, demand, fold, pack
from gardesh.model.calendar import HOUR
from gardesh.model.case import Case
from gardesh.model.judgement import stated_basis
from gardesh.model.library import Library
from gardesh.model.problem import Problem
from gardesh.model.procedure import Procedure, Step
from gardesh.model.slot import RETURNED, Head
from gardesh.record.cases import let_pass

START = 1_767_225_600_000
CLOCK = "clock"
TEXT = {"fa": "متن", "en": "text"}
ROLES = ("trader", "customs", "bank", "ministry")


@dataclass(frozen=True)
class Doc:
    """A document as the model sees it; what :class:`gardesh.model.judgement.Paper` asks for."""

    digest: bytes
    issuer: str
    type: str
    step: str
    key: str | None
    act: str
    outcome: str | None
    replaces: str | None
    reach: str | None
    subject: dict[str, Any]
    basis: tuple[tuple[str, bytes], ...]
    valid_until_ms: int | None
    deficiencies: Any = ()
    erased: None = None


class Registers:
    """A world in memory. An organisation is called by its role and a number, and holds that role."""

    def __init__(self) -> None:
        self.values_: dict[tuple[str, str], list[tuple[int, Any]]] = {}
        self.balances: dict[tuple[str, str], Decimal] = {}

    def value(self, register: str, key: str, position: int, at: int) -> Any:
        known = [v for p, v in self.values_.get((register, key), []) if p < position]
        return known[-1] if known else None

    def values(self, register: str, prefix: str, position: int, at: int) -> list[Any]:
        keys = sorted(k for r, k in self.values_ if r == register and k.startswith(prefix))
        found = [self.value(register, k, position, at) for k in keys]
        return [v for v in found if v is not None]

    def balance(self, register: str, key: str, position: int) -> Decimal:
        return self.balances.get((register, key), Decimal(0))

    def holds(self, org: str, role: str, at: int) -> bool:
        return org.rpartition("-")[0] == role

    def enter(self, changes: list[fold.Change], position: int) -> None:
        for effect, sign in changes:
            place = (effect.register, effect.key)
            if effect.amount is not None:
                self.balances[place] = self.balance(*place, 0) + sign * effect.amount
            else:
                value = effect.value if sign > 0 else None
                self.values_.setdefault(place, []).append((position, value))


# -- procedures -------------------------------------------------------------------------------------------


def compiled(procedure: dict[str, Any], **files: Any) -> Procedure:
    """A procedure of a small pack in memory, from plain values; `files` are further files of the pack."""
    schema = {"type": "object"}
    written: dict[str, Any] = {
        "pack.yaml": {
            "pack": "play",
            "version": "1.0.0",
            "title": TEXT,
            "roles": {role: {"title": TEXT} for role in ROLES},
        },
        "documents/paper.yaml": {"document": "paper", "title": TEXT, "schema": schema},
        "documents/ticket.yaml": {"document": "ticket", "title": TEXT, "schema": schema, "valid_for": "5h"},
        "procedures/play.yaml": {"procedure": "play", "title": TEXT, **procedure},
        **files,
    }
    for step in procedure["steps"].values():
        if "from" not in step:
            step.setdefault("document", "paper")
    data = {path: json.dumps(value).encode() for path, value in written.items()}
    library = Library()
    made = pack.read(data, lambda _, raw: json.loads(raw))
    library.add(made)
    return library.procedure(made.label, "play")


GUARDS = (
    "{0}.flag", "!{0}.flag", "{0}.a == 1", "{0}.flag || {1}.flag", "{0}.flag && {1}.a > 0",
    "has({0}.b) && {0}.b == 1", "{0}.outcome == 'approved'", "{0}.flag ? {1}.flag : true",
)  # fmt: skip
LIST_GUARDS = ("size({0}) > 1", "{0}.exists(d, d.flag)", "{0}.all(d, d.a == 1)")
PARTS = st.lists(st.sampled_from(["a", "b", "flag"]), min_size=1, max_size=2, unique=True)


@st.composite
def procedures(draw: st.DrawFn, *, timed: bool = True, alternatives: bool = True) -> dict[str, Any]:
    """A procedure of three to eight steps as a pack writes it; the last one or two close it.

    `timed`: with windows, terms and validities. `alternatives`: with needs of which one is enough.
    """
    kinds = {"s0": "single"}
    steps: dict[str, Any] = {"s0": {"by": "trader"}}
    count = draw(st.integers(2, 7))
    for i in range(1, count + 1):
        name = f"s{i}"
        options = ["single", "single", "single", "each"] + (["many"] if timed and i < count else [])
        kind = draw(st.sampled_from(options))
        step: dict[str, Any] = {"by": draw(st.sampled_from(ROLES))}
        step["needs"] = draw(needs(kinds, kind, alternatives, last=i == count))
        single = [s for s, k in kinds.items() if k == "single"]
        if draw(st.integers(0, 9)) < 4:
            several = [s for s, k in kinds.items() if k != "single"]
            if several and draw(st.booleans()):
                step["when"] = draw(st.sampled_from(LIST_GUARDS)).format(draw(st.sampled_from(several)))
            else:
                pair = [draw(st.sampled_from(single)) for _ in range(2)]
                step["when"] = draw(st.sampled_from(GUARDS)).format(*pair)
        if kind == "each":
            step["each"] = draw(st.sampled_from(single)) + ".l"
        elif kind == "many":
            step.update(
                many=True, within=draw(st.sampled_from(["2h", "4h"])), at_least=draw(st.integers(0, 2))
            )
        draw_details(draw, step, kind, timed)
        kinds[name], steps[name] = kind, step
    goal: Any = f"s{count}" if draw(st.booleans()) else sorted({f"s{count}", f"s{count - 1}"} - {"s0"})
    made: dict[str, Any] = {"opens_with": "s0", "closes_with": goal, "steps": steps}
    if draw(st.booleans()):
        made["withdrawal"] = draw(st.sampled_from([{}, {"until": "s1"}]))
    return made


def draw_details(draw: st.DrawFn, step: dict[str, Any], kind: str, timed: bool) -> None:
    decides = draw(st.sampled_from([False, False, True, ["approved", "rejected"]]))
    if decides:
        step["decides"] = decides
    if draw(st.integers(0, 5)) == 0:
        step["optional"] = True
    if not timed:
        return
    if draw(st.integers(0, 4)) == 0:
        step["document"] = "ticket"
    if kind != "many" and draw(st.booleans()):
        step["within"] = draw(st.sampled_from(["1h", "3h", "6h"]))
        silences: list[Any] = [None, {"escalate": "ministry"}, {"deemed": "approved", "subject": {"a": 1}}]
        silence = draw(st.sampled_from([*silences, {"lapse": True}]))
        if silence is not None:
            step["on_silence"] = silence
    if decides is True:
        if draw(st.booleans()):
            step["answer_within"] = {"within": "2h"}
        if draw(st.booleans()):
            step["clock"] = "resume"
    if draw(st.integers(0, 5)) == 0:
        step["corrects"] = draw(st.sampled_from([{"allowed": False}, {"by": ["ministry"]}, {"until": "s1"}]))


@st.composite
def needs(draw: st.DrawFn, kinds: dict[str, str], kind: str, alternatives: bool, last: bool) -> list[Any]:
    names = st.lists(st.sampled_from(sorted(kinds)), min_size=1 if last else 0, max_size=3, unique=True)
    out: list[Any] = []
    for name in draw(names):
        item = draw(need_item(name, kind == "each" and kinds[name] == "each"))
        other = draw(st.sampled_from(sorted(kinds)))
        if alternatives and other != name and draw(st.integers(0, 3)) == 0:
            out.append({"any": [item, draw(need_item(other, False))]})
        else:
            out.append(item)
    return out


@st.composite
def need_item(draw: st.DrawFn, name: str, keyed: bool) -> Any:
    parts = draw(st.one_of(st.none(), PARTS))
    if keyed and draw(st.booleans()):
        return {name: {"key": "each", **({"parts": parts} if parts else {})}}
    return name if parts is None else {name: parts}


# -- histories --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Move:
    """What somebody tries next. `pick` chooses among what the act could concern."""

    act: str
    pick: int
    subject: dict[str, Any]
    outcome: str
    hours: int
    other: bool
    """The same content and issuer as before, or another one; a basis of today, or one of long ago."""


SUBJECTS = st.fixed_dictionaries(
    {
        "a": st.integers(0, 1),
        "flag": st.booleans(),
        "l": st.lists(st.sampled_from("xyz"), max_size=3, unique=True),
    },
    optional={"b": st.integers(0, 1)},
)
ACTS = ("issue",) * 8 + (
    "correct",
    "correct",
    "confirm",
    "mend",
    "withdraw",
    "revoke",
    "cease",
    "wait",
    "wait",
    "wild",
)


def moves(acts: tuple[str, ...] = ACTS, *, least: int = 0, most: int = 24) -> st.SearchStrategy[list[Move]]:
    outcomes = st.sampled_from(["approved", "approved", "approved", "deficient", "rejected"])
    one = st.builds(
        Move,
        act=st.sampled_from(acts),
        pick=st.integers(0, 7),
        subject=SUBJECTS,
        outcome=outcomes,
        hours=st.integers(1, 6),
        other=st.booleans(),
    )
    return st.integers(least, most).flatmap(lambda n: st.lists(one, min_size=n, max_size=n))


class Play:
    """A case led through a history, in the engine and in the plain model at once.

    Time passes as in the record: to each next instant, and there every fallen term is recorded by the clock.
    """

    def __init__(self, procedure: Procedure, opener: str = "trader-1") -> None:
        self.procedure, self.opener = procedure, opener
        self.world = Registers()
        self.t = START
        self.case = Case("case", procedure, self.world, opener, START)
        self.plain = Chronicle(procedure, self.world, START)
        self.accepted: list[tuple[Doc, int]] = []
        self.refused: list[tuple[Doc, int, int, str]] = []
        self.seen: list[tuple[str, str, tuple[tuple[str, bytes], ...]]] = []

    def step(self, name: str) -> Step:
        return self.procedure.by_name[name]

    def head(self, name: str, key: str = "") -> Head | None:
        slot = self.case.steps[self.step(name).index].slots.get(key)
        return slot.head if slot is not None else None

    def state(self, name: str, key: str = "") -> str:
        state = self.case.steps[self.step(name).index]
        return (state.window if key == demand.WINDOW else state.slots[key]).state

    def compose(self, name: str, act: str = "issue", *, key: str = "", **said: Any) -> Doc:
        """A document for a slot as its issuer would make it now; `said` says otherwise."""
        step, head = self.step(name), self.head(name, key)
        replaced = act != "issue" and head is not None
        basis: tuple[tuple[str, bytes], ...] = ()
        if act in ("issue", "correct", "confirm"):
            basis = tuple(sorted(stated_basis(self.case, step, key).items()))
        outcome = "approved" if step.outcomes and act in ("issue", "correct") else None
        issuer = self.opener if step.role == "trader" else f"{demand.role_of(self.case, step, key)}-1"
        made = {
            "digest": hashlib.sha256(b"%d" % (len(self.accepted) + len(self.refused))).digest(),
            "issuer": head.issuer if replaced and head is not None and head.issuer != CLOCK else issuer,
            "type": step.type, "step": name, "key": key or None, "act": act, "outcome": outcome,
            "replaces": head.digest.hex() if replaced and head is not None else None, "reach": None,
            "subject": {}, "basis": basis, "valid_until_ms": None,
        }  # fmt: skip
        return Doc(**{**made, **said})

    def submit(self, doc: Doc) -> str | None:
        """Hand a document in; returns the code of the refusal."""
        position, at = len(self.accepted), self.case.at
        may = self.plain.accepts(doc, self.t)
        try:
            _, changes = fold.accept(self.case, doc, self.t, position)
        except Problem as problem:
            assert not may, f"{doc} was refused: {problem}"
            self.refused.append((doc, self.t, position, problem.code))
            if self.case.at > at:
                self.case = self.again()
            return problem.code
        assert may, f"{doc} was accepted"
        self.world.enter(changes, position)
        self.accepted.append((doc, self.t))
        self.plain.add(doc, self.t)
        return None

    def again(self) -> Case:
        """The case from its documents alone, each at its time."""
        case = Case("case", self.procedure, Registers(), self.opener, self.case.opened_at)
        for position, (doc, t) in enumerate(self.accepted):
            let_pass(case, t)
            fold.accept(case, doc, t, position)
        let_pass(case, self.t)
        return case

    def must(self, name: str, act: str = "issue", **said: Any) -> Doc:
        doc = self.compose(name, act, **said)
        assert self.submit(doc) is None, self.refused[-1]
        return doc

    def wait(self, hours: float) -> None:
        self.pass_to(self.t + int(hours * HOUR))

    def pass_to(self, t: int) -> None:
        while (instant := deadline.next_instant(self.case)) is not None and instant <= t:
            assert instant >= self.t, "time would go back"
            self.t = instant
            self.world.enter(fold.advance(self.case, instant), len(self.accepted))
            self.plain.pass_to(instant)
            self.record_fallen()
        self.t = t

    def record_fallen(self) -> None:
        for _ in range(100):
            expected = self.plain.now.fallen()
            passed = deadline.fallen(self.case, self.t)
            if passed is None:
                assert not expected
                return
            assert (passed.step.name, passed.key, passed.at, passed.answer) in expected
            doc = self.by_clock(passed)
            _, changes = fold.accept(self.case, doc, self.t, len(self.accepted))
            self.world.enter(changes, len(self.accepted))
            self.accepted.append((doc, self.t))
            self.plain.add(doc, self.t)
        raise AssertionError("a term falls again and again")

    def by_clock(self, passed: deadline.Fallen) -> Doc:
        """What the clock key signs when a term has passed (rule 20)."""
        answer = passed.step.spec.answer_within
        said = answer.on_silence if passed.answer and answer is not None else passed.step.spec.on_silence
        assert said is not None
        act = "escalate" if said.escalate else "deem" if said.deemed else "lapse"
        outcome = said.deemed if said.deemed else "rejected" if act == "lapse" else None
        return self.compose(
            passed.step.name, act, key=passed.key, issuer=CLOCK, outcome=outcome, basis=(), replaces=None,
            subject=dict(said.subject),
        )  # fmt: skip

    # -- random moves -------------------------------------------------------------------------------------

    def due(self) -> list[tuple[str, str]]:
        """The slots where a document can be issued now."""
        found = []
        for step, state in zip(self.procedure.steps, self.case.steps, strict=True):
            if step.many and state.window.state == "due":
                found.append((step.name, ""))
            for key, slot in sorted(state.slots.items()):
                if slot.state == "due" and (slot.demanded or step.optional) and not step.many:
                    found.append((step.name, key))
        return found

    def held(self) -> list[tuple[str, str]]:
        return [
            (step.name, key)
            for step, state in zip(self.procedure.steps, self.case.steps, strict=True)
            for key, slot in sorted(state.slots.items())
            if slot.head is not None
        ]

    def stale(self) -> list[tuple[str, str]]:
        return [
            (n, k) for n, k in self.held() if self.state(n, k) in ("due", "blocked", "doubtful", RETURNED)
        ]

    def begin(self, subject: dict[str, Any]) -> None:
        self.must(self.procedure.opening.name, subject=subject)

    def move(self, move: Move) -> None:
        """Try what a move says, where there is anything that it could concern."""
        if move.act == "wait":
            return self.wait(move.hours)
        act = {"mend": "confirm", "cease": "revoke", "wild": "issue"}.get(move.act, move.act)
        places = self.due() if move.act == "issue" else self.stale() if move.act == "mend" else self.held()
        if move.act == "wild":
            places = [(s.name, k) for s in self.procedure.steps for k in ("", "x", "y")]
        if places:
            name, key = places[move.pick % len(places)]
            self.submit(self.tried(move, act, name, key))

    def tried(self, move: Move, act: str, name: str, key: str) -> Doc:
        step, head = self.step(name), self.head(name, key)
        doc = self.compose(name, act, key=key, reach="now" if move.act == "cease" else None)
        if act in ("issue", "correct"):
            same = act == "correct" and not move.other and head is not None
            outcome = head.outcome if same and head is not None else move.outcome
            doc = replace(
                doc,
                subject=head.subject if same and head is not None else move.subject,
                outcome=outcome if step.outcomes else None,
                valid_until_ms=self.t + move.hours * HOUR if move.pick == 7 else None,
                deficiencies=({"step": "s0", "field": "/a"},) if outcome == "deficient" else (),
            )
            self.seen.append((name, key, doc.basis))
            if move.pick == 6 and move.other:
                old = next(b for n, k, b in self.seen if (n, k) == (name, key))
                doc = replace(doc, basis=old)
        if move.pick == 5 and move.other:
            doc = replace(doc, issuer="ministry-2")
        return doc
