"""A case as `docs/reference/semantics.md` says it, worked out plainly: the engine is held against this.

Every :class:`Picture` is derived from the whole list of accepted documents. Only what the rules themselves make
depend on history (when a state began, a term, a window, the closing) is taken from the picture before. Contents
are compared as they are, not by digest; slots are asked recursively; nothing is kept up to date.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import wraps
from typing import Any, TypeVar

from naive_tree import mth

from gardesh.model.expression import UNKNOWN, Unknown, decided_by
from gardesh.model.judgement import Paper
from gardesh.model.library import Moment, World
from gardesh.model.pack import Ways
from gardesh.model.procedure import Need, Procedure, Ref, Step

WHOLE = "*"
STATES = {"approved": "issued", "deficient": "returned", "rejected": "refused"}
Place = tuple[str, str]
Basis = tuple[Any, ...]
"""For each need: which alternative (None: none applies), and what was there, as plain values."""

M = TypeVar("M", bound=Callable[..., Any])


def once(method: M) -> M:
    """Work a thing out once in a picture: a picture never changes."""

    @wraps(method)
    def asked(self: Any, *args: Any) -> Any:
        place = (method.__name__, *args)
        if place not in self.memo:
            self.memo[place] = method(self, *args)
        return self.memo[place]

    return asked  # type: ignore[return-value]


@dataclass(frozen=True)
class Fact:
    """An accepted document."""

    digest: bytes
    issuer: str
    step: str
    key: str
    act: str
    at: int
    subject: dict[str, Any] = field(compare=False, hash=False)
    outcome: str
    expires: int | None
    replaces: str | None
    reach: str | None
    basis: Basis

    def content(self, parts: tuple[str, ...]) -> Any:
        """What somebody who needs these parts relies on (rules 4 and 9)."""
        shown = {p: self.subject.get(p) for p in parts} if parts else self.subject
        return (self.outcome, json.dumps(shown, sort_keys=True))


@dataclass(frozen=True)
class Standing:
    """A head, the basis that it or its last confirmation stands on, and when it ends."""

    fact: Fact
    basis: Basis
    expires: int | None


@dataclass(frozen=True)
class Window:
    basis: Basis | None = None
    deadline: int | None = None
    closed: int | None = None


@dataclass(frozen=True)
class Term:
    kind: str  # office, answer, none
    start: int | None = None
    deadline: int | None = None
    used: int = 0
    escalated: bool = False


class Picture:
    """A case at the instant `t`, after the documents in `facts`."""

    def __init__(
        self, procedure: Procedure, world: World, facts: tuple[Fact, ...], t: int, before: Picture | None
    ) -> None:
        self.procedure, self.world, self.facts, self.t, self.before = procedure, world, facts, t, before
        self.memo: dict[Any, Any] = {}
        self.opened_at: int = before.opened_at if before is not None else t
        self.heads: dict[Place, Standing] = {}
        self.withdrawn = False
        for fact in facts:
            self._take(fact)

    def _take(self, fact: Fact) -> None:
        place = (fact.step, fact.key)
        if fact.act in ("issue", "correct", "deem", "lapse"):
            self.heads[place] = Standing(fact, fact.basis, fact.expires)
        elif fact.act == "confirm":
            self.heads[place] = replace(self.heads[place], basis=fact.basis)
        elif fact.act == "withdraw" and fact.step == self.procedure.opening.name:
            self.withdrawn = True
        elif fact.act in ("withdraw", "revoke"):
            if fact.reach == "now":
                ends = self.heads[place].expires
                self.heads[place] = replace(self.heads[place], expires=min(ends or fact.at, fact.at))
            else:
                del self.heads[place]

    def step(self, ref: Ref) -> Step:
        return self.procedure.steps[ref.step]

    # -- what applies (rules 1, 5-7) ----------------------------------------------------------------------

    def moment(self) -> Moment:
        return Moment(self.procedure.library, self.procedure.pack, self.world, 0, self.opened_at)

    def environment(self, step: Step) -> dict[str, Any]:
        below = [self.procedure.steps[i] for i in step.reads]
        return {b.var: self.value(b) for b in below}

    @once
    def applies(self, step: Step) -> bool | None:
        guard = True if step.when is None else step.when.guard(self.environment(step), self.moment())
        if type(guard) is Unknown:
            return None
        if guard is False:
            return False
        items = [] if step.each is None else step.each.items(self.environment(step), self.moment())
        if type(items) is Unknown:
            return None
        return True

    @once
    def keys(self, step: Step) -> list[str]:
        """The keys of the applicable slots; of a `many`, of those that ever had a document."""
        if self.applies(step) is not True:
            return []
        if step.many:
            return sorted({f.key for f in self.facts if f.step == step.name})
        if step.each is None:
            return [""]
        items = step.each.items(self.environment(step), self.moment())
        return sorted(self.name_of(step, item) for item in items)

    def name_of(self, step: Step, item: Any) -> str:
        """An element names its slot; a document that is one by its own slot's key."""
        if not isinstance(item, dict):
            return str(item)
        own = item["meta"]["key"] if "meta" in item and step.spec.key is None else None
        return str(item.get(step.spec.key or "key") or own)

    def head(self, step: Step, key: str) -> Standing | None:
        return self.heads.get((step.name, key))

    @once
    def value(self, step: Step) -> Any:
        """The step as an expression reads it."""
        if self.applies(step) is None:
            return UNKNOWN
        if self.applies(step) is False:
            return None
        if step.many and not self.shut(step):
            return UNKNOWN
        heads = [self.head(step, k) for k in (self.answers(step) if step.many else self.keys(step))]
        if None in heads:
            return UNKNOWN
        values = [self.seen(h.fact) for h in heads if h is not None]
        return values if step.multiple else values[0]

    def seen(self, fact: Fact) -> dict[str, Any]:
        return {**fact.subject, "outcome": fact.outcome, "meta": {"key": fact.key, "issuer": fact.issuer}}

    # -- windows (rule 15) --------------------------------------------------------------------------------

    @once
    def window(self, step: Step) -> Window:
        was = self.before.window(step) if self.before is not None else Window()
        if self.applies(step) is not True:
            return was
        if was.basis is not None and self.judged(step, "", was.basis) == "changed":
            was = Window()
        if was.closed is not None and self.enough(step, was):
            return was
        was = replace(was, closed=None)
        if not all(self.met(n, "") for n in step.needs):
            return was
        if was.basis is None:
            was = Window(self.basis_now(step, ""), self.end(step, "", 0))
        if (
            was.deadline is not None
            and was.deadline <= self.t
            and self.enough(step, replace(was, closed=self.t))
        ):
            return replace(was, closed=self.t)
        return was

    def enough(self, step: Step, window: Window) -> bool:
        return len(self.standing(step, window.closed)) >= step.spec.at_least

    def standing(self, step: Step, closed: int | None) -> list[str]:
        """The answers that count: their own basis unchanged, and valid when the window closed."""
        found = []
        for key in self.keys(step):
            head = self.head(step, key)
            if head is not None and self.judged(step, key, head.basis) != "changed":
                if closed is None or head.expires is None or head.expires > closed:
                    found.append(key)
        return found

    def answers(self, step: Step) -> list[str]:
        return self.standing(step, self.window(step).closed)

    def shut(self, step: Step) -> bool:
        return self.applies(step) is True and self.window(step).closed is not None

    @once
    def window_state(self, step: Step) -> str:
        if self.applies(step) is not True:
            return "unknown" if self.applies(step) is None else "not-applicable"
        if self.shut(step):
            return "issued" if self.window_sound(step) else "doubtful"
        return "due" if all(self.met(n, "") for n in step.needs) else "blocked"

    def window_sound(self, step: Step) -> bool:
        window = self.window(step)
        return self.shut(step) and window.basis is not None and self.basis_sound(step, "", window.basis)

    # -- the basis (rules 3, 8-10) ------------------------------------------------------------------------

    def content(self, ref: Ref, key: str) -> Any:
        """What a document issued now would rest on; None while it is not known whether it applies."""
        step = self.step(ref)
        if self.applies(step) is None:
            return None
        if self.applies(step) is False:
            return "absent"
        if step.multiple and not ref.same_key:
            keys = self.answers(step) if step.many else self.keys(step)
            return tuple((k, self.content_of(step, k, ref.parts)) for k in keys)
        own = key if step.multiple else ""
        if own not in self.keys(step):
            return "absent"
        return self.content_of(step, own, ref.parts)

    def content_of(self, step: Step, key: str, parts: tuple[str, ...]) -> Any:
        head = self.head(step, key)
        return "missing" if head is None else head.fact.content(parts)

    def nothing_applies(self, ref: Ref, key: str) -> bool | None:
        step = self.step(ref)
        if self.applies(step) is not True:
            return None if self.applies(step) is None else True
        if ref.same_key and step.multiple:
            return key not in self.keys(step)
        return step.each is not None and not self.keys(step)

    def slots_of(self, ref: Ref, key: str) -> list[str]:
        """The keys of the slots that a need names."""
        step = self.step(ref)
        return [k for k in self.keys(step) if k == key] if ref.same_key and step.multiple else self.keys(step)

    @once
    def stands(self, ref: Ref, key: str) -> bool:
        step = self.step(ref)
        if self.applies(step) is not True:
            return self.applies(step) is False
        if step.many:
            return bool(self.window_state(step) == "issued")
        return all(self.state(step, k) == "issued" for k in self.slots_of(ref, key))

    def met(self, need: Need, key: str) -> bool:
        if not need.any:
            return bool(self.stands(need.refs[0], key))
        absent = [self.nothing_applies(r, key) for r in need.refs]
        return all(absent) or self.chosen(need, key) is not None

    def chosen(self, need: Need, key: str) -> int | None:
        for i, ref in enumerate(need.refs):
            if self.nothing_applies(ref, key) is False and self.stands(ref, key):
                return i
        return None

    def basis_now(self, step: Step, key: str) -> Basis:
        basis: list[Any] = []
        for need in step.needs:
            choice = self.chosen(need, key) if need.any else 0
            basis.append((choice, None if choice is None else self.content(need.refs[choice], key)))
        return tuple(basis)

    @once
    def judged(self, step: Step, key: str, basis: Basis) -> str:
        """same, changed, or unclear: a fact it rested on is no longer known."""
        verdicts = []
        for need, (choice, content) in zip(step.needs, basis, strict=True):
            if choice is None:
                absent = [self.nothing_applies(r, key) for r in need.refs]
                verdicts.append("changed" if False in absent else "unclear" if None in absent else "same")
            else:
                now = self.content(need.refs[choice], key)
                verdicts.append("unclear" if now is None else "same" if now == content else "changed")
        return "changed" if "changed" in verdicts else "unclear" if "unclear" in verdicts else "same"

    @once
    def basis_sound(self, step: Step, key: str, basis: Basis) -> bool:
        return self.judged(step, key, basis) == "same" and not list(self.unsound(step, key, basis))

    def unsound(self, step: Step, key: str, basis: Basis) -> Iterator[Place]:
        """The places below that are not sound, or not known to be absent."""
        for need, (choice, _) in zip(step.needs, basis, strict=True):
            for ref in need.refs if choice is None else (need.refs[choice],):
                below = self.step(ref)
                if self.applies(below) is None:
                    yield (below.name, WHOLE if below.multiple else "")
                if self.applies(below) is not True or choice is None:
                    continue
                if below.many:
                    if not self.window_sound(below):
                        yield (below.name, WHOLE)
                    yield from ((below.name, k) for k in self.answers(below) if not self.sound(below, k))
                else:
                    yield from ((below.name, k) for k in self.slots_of(ref, key) if not self.sound(below, k))

    @once
    def sound(self, step: Step, key: str) -> bool:
        head = self.head(step, key)
        return key in self.keys(step) and head is not None and self.basis_sound(step, key, head.basis)

    @once
    def state(self, step: Step, key: str) -> str:
        """The table of states; `overdue` is a name for `due` past its deadline."""
        if self.applies(step) is None:
            return "unknown"
        if key not in self.keys(step):
            return "not-applicable"
        head = self.head(step, key)
        if head is not None and self.judged(step, key, head.basis) != "changed":
            if head.expires is None or head.expires > self.t:
                return STATES[head.fact.outcome] if self.sound(step, key) else "doubtful"
        return "due" if all(self.met(n, key) for n in step.needs) else "blocked"

    # -- demand (rule 14) ---------------------------------------------------------------------------------

    @property
    @once
    def closed_at(self) -> int | None:
        """The case is closed when what its goal names stands; what expires later does not reopen it."""
        if self.withdrawn:
            return None
        closed = self.before.closed_at if self.before is not None else None
        if closed is not None and all(self.stood(g, closed) for g in self.procedure.goal):
            return closed
        stand = all(
            self.applies(g) is not None and self.stands(Ref(g.index), "") for g in self.procedure.goal
        )
        return self.t if stand else None

    def stood(self, step: Step, closed: int) -> bool:
        if self.applies(step) is not True:
            return self.applies(step) is False
        if step.many:
            return self.window_sound(step)
        heads = [(k, self.head(step, k)) for k in self.keys(step)]
        return all(
            h is not None
            and h.fact.outcome == "approved"
            and self.sound(step, k)
            and (h.expires is None or h.expires > closed)
            for k, h in heads
        )

    @property
    @once
    def demanded(self) -> dict[Place, set[Place]]:
        """What the goal waits for, each with the places that it waits for in turn."""
        found: dict[Place, set[Place]] = {}
        if self.withdrawn or self.closed_at is not None:
            return found
        ahead = [p for g in self.procedure.goal for p in self.lacking(Ref(g.index), "")]
        while ahead:
            place = ahead.pop()
            if place not in found:
                found[place] = set(self.waits(place))
                ahead += found[place]
        return found

    def lacking(self, ref: Ref, key: str) -> Iterator[Place]:
        """The places because of which a need is not met."""
        step = self.step(ref)
        if self.applies(step) is None:
            yield (step.name, WHOLE if step.multiple else "")
        elif step.many:
            if self.applies(step) is True and self.window_state(step) != "issued":
                yield (step.name, WHOLE)
        else:
            yield from ((step.name, k) for k in self.slots_of(ref, key) if self.state(step, k) != "issued")

    def place_state(self, place: Place) -> str:
        step = self.procedure.by_name[place[0]]
        if place[1] != WHOLE:
            return str(self.state(step, place[1]))
        return str(self.window_state(step)) if step.many else "unknown"

    def waits(self, place: Place) -> Iterator[Place]:
        step, key = self.procedure.by_name[place[0]], place[1].replace(WHOLE, "")
        state = self.place_state(place)
        if state == "unknown":
            yield from self.deciders(step)
        elif state == "blocked":
            for need in step.needs:
                if not self.met(need, key):
                    duties = [
                        ref
                        for ref in need.refs
                        if not self.step(ref).spec.optional and self.applies(self.step(ref)) is not False
                    ]
                    for ref in (duties or need.refs) if need.any else need.refs:
                        yield from self.lacking(ref, key)
        elif state == "doubtful":
            head = self.head(step, key)
            basis = self.window(step).basis if place[1] == WHOLE else head.basis if head is not None else None
            assert basis is not None
            yield from self.unsound(step, key, basis)

    def deciders(self, step: Step) -> Iterator[Place]:
        """The documents that decide whether and how often `step` applies, and are not there (rule 6)."""
        env = self.environment(step)
        names: set[str] = set()
        if step.when is not None:
            names |= decided_by(step.when, env, self.moment(), guard=True)
        if step.each is not None and not names:
            names |= decided_by(step.each, env, self.moment())
        for below in self.procedure.steps:
            if below.var not in names:
                continue
            if self.applies(below) is None or below.many:
                yield (below.name, WHOLE if below.multiple else "")
            else:
                yield from ((below.name, k) for k in self.keys(below) if self.head(below, k) is None)

    # -- time (rules 19 and 20) ---------------------------------------------------------------------------

    def deadline(self, step: Step, text: str | None, start: int, used: int) -> int | None:
        if text is None:
            return None
        calendar, term = self.procedure.calendar_of(step), self.procedure.term(text, start)
        return calendar.deadline(start, calendar.remaining(term, used) if used else term)

    def end(self, step: Step, key: str, used: int) -> int | None:
        """When a term that begins now passes; or the end that the documents name, which is not before now."""
        if step.until is None:
            return self.deadline(step, step.within, self.t, used)
        below = {self.step(r) for need in step.needs for r in need.refs}
        named = step.until.evaluate({b.var: self.value(b) for b in below}, self.moment())
        if not isinstance(named, str):
            return None
        return max(self.t, self.procedure.calendar_of(step).end_of(named))

    @once
    def since(self, step: Step, key: str) -> int:
        same = self.before is not None and self.before.state(step, key) == self.state(step, key)
        return self.before.since(step, key) if same and self.before is not None else self.t

    @property
    @once
    def terms(self) -> dict[Place, Term]:
        return {p: self.term(p) for p in self.demanded if p[1] != WHOLE}

    def term(self, place: Place) -> Term:
        step, state = self.procedure.by_name[place[0]], self.place_state(place)
        old = self.before.terms.get(place) if self.before is not None else None
        old = old or Term("none")
        if state == "due":
            if old.kind == "office":
                return replace(old, escalated=old.escalated or self.just_escalated(place))
            return Term("office", self.t, self.end(step, place[1], old.used), old.used)
        if state == "returned":
            used = old.used
            if old.kind == "office" and step.spec.clock == "resume":
                used += self.elapsed(step, old)
            if step.spec.answer_within is None:
                return Term("none", used=used)
            if old.kind == "answer":
                return replace(old, escalated=old.escalated or self.just_escalated(place))
            return Term(
                "answer", self.t, self.deadline(step, step.spec.answer_within.within, self.t, 0), used
            )
        return Term("none", used=0 if old.kind == "office" or state == "refused" else old.used)

    def elapsed(self, step: Step, term: Term) -> int:
        if step.within is None or term.start is None:
            return 0
        said = self.procedure.term(step.within, term.start)
        return self.procedure.calendar_of(step).elapsed(said, term.start, self.t)

    def just_escalated(self, place: Place) -> bool:
        last = self.facts[-1] if self.facts else None
        new = self.before is not None and len(self.facts) > len(self.before.facts)
        return new and last is not None and last.act == "escalate" and (last.step, last.key) == place

    def fallen(self) -> set[tuple[str, str, int, bool]]:
        """The terms that have passed and whose passing was not recorded yet."""
        found = set()
        for (name, key), term in self.terms.items():
            spec = self.procedure.by_name[name].spec
            handled = spec.on_silence if term.kind == "office" else spec.answer_within
            if (
                term.deadline is not None
                and term.deadline <= self.t
                and not term.escalated
                and handled is not None
            ):
                found.add((name, key, term.deadline, term.kind == "answer"))
        return found

    # -- reading (rule 23) --------------------------------------------------------------------------------

    def stated(self, step: Step, key: str) -> dict[str, bytes]:
        """The basis as a document states it: digests of heads; the RFC 6962 root over a step of several."""
        out: dict[str, bytes] = {}
        for need, (choice, _) in zip(step.needs, self.basis_now(step, key), strict=True):
            if choice is None:
                continue
            ref = need.refs[choice]
            below = self.step(ref)
            if self.applies(below) is not True:
                continue
            if below.multiple and not ref.same_key:
                keys = self.answers(below) if below.many else self.keys(below)
                out[below.name] = mth([k.encode() + b"\0" + self.digest(below, k) for k in keys])
            else:
                for k in self.slots_of(ref, key):
                    out[f"{below.name}:{k}" if k else below.name] = self.digest(below, k)
        return out

    def digest(self, step: Step, key: str) -> bytes:
        head = self.head(step, key)
        return b"" if head is None else head.fact.digest

    def rights(self, org: str, roles: frozenset[str], target: Place) -> dict[bytes, Any]:
        """What `org` may read of each document that was ever in the slot `target`: True, or a set of fields."""
        documents = [f for f in self.facts if (f.step, f.key) == target and f.act in NEW_HEADS]
        made = self.procedure.by_name[target[0]]
        opener = org == self.facts[0].issuer and (bool(made.outcomes) or made in self.procedure.goal)
        found: dict[bytes, Any] = {f.digest: True if opener or f.issuer == org else set() for f in documents}
        for step in self.procedure.steps:
            for n, need in enumerate(step.needs):
                for choice, ref in enumerate(need.refs):
                    if self.step(ref).name != target[0]:
                        continue
                    own = [target[1]] if ref.same_key and self.step(ref).multiple else None
                    if any(self.serves(step, k, org, roles) for k in own or self.places_of(step)):
                        allow(found, [f.digest for f in documents], ref)
                    for fact in self.facts:
                        relied = fact.step == step.name and fact.issuer == org and fact.act in RELYING
                        if relied and (own is None or fact.key in own) and fact.basis[n][0] == choice:
                            allow(found, self.then(fact, target), ref)
        return found

    def places_of(self, step: Step) -> list[str]:
        return [*self.keys(step), WHOLE] if step.many else self.keys(step)

    def serves(self, step: Step, key: str, org: str, roles: frozenset[str]) -> bool:
        """Whether `org` holds a slot that applies and is demanded or issued."""
        if self.applies(step) is not True or not (key == WHOLE or key in self.keys(step)):
            return False
        if step.role not in roles or (bound(self, step) or org) != org:
            return False
        if bound(self, step) is not None:
            return state_is_open_or_issued(self, step, key)
        state = self.place_state((step.name, key))
        head = self.head(step, key)
        if state == "issued" and head is not None and head.fact.act not in ("deem", "lapse"):
            return head.fact.issuer == org
        return (step.name, key) in self.demanded or state == "issued"

    def then(self, fact: Fact, target: Place) -> list[bytes]:
        """The document that stood in `target` when `fact` was accepted: who relied on it keeps the right."""
        earlier = Picture(self.procedure, self.world, self.facts[: self.facts.index(fact)], fact.at, None)
        head = earlier.heads.get(target)
        return [head.fact.digest] if head is not None else []


NEW_HEADS = ("issue", "correct", "deem", "lapse")
RELYING = ("issue", "correct", "confirm")


def state_is_open_or_issued(picture: Picture, step: Step, key: str) -> bool:
    place = (step.name, key)
    return place in picture.demanded or picture.place_state(place) == "issued"


def allow(found: dict[bytes, Any], digests: list[bytes], ref: Ref) -> None:
    for digest in digests:
        if found.get(digest) is not True and digest in found:
            found[digest] = found[digest] | set(ref.parts) if ref.parts else True


def bound(picture: Picture, step: Step) -> str | None:
    """The one organisation that plays the step's role in this case, if it is bound."""
    bind = picture.procedure.binds.get(step.role or "")
    if bind is None or bind.kind == "any":
        return None
    opening = next(f for f in picture.facts if f.step == picture.procedure.opening.name)
    return opening.issuer


class Chronicle:
    """The history of a case: its documents, and a picture after each of them and after each step of time."""

    def __init__(self, procedure: Procedure, world: World, at: int) -> None:
        self.procedure, self.world = procedure, world
        self.opener = ""
        self.pictures = [Picture(procedure, world, (), at, None)]

    @property
    def now(self) -> Picture:
        return self.pictures[-1]

    def pass_to(self, t: int) -> None:
        self.pictures.append(Picture(self.procedure, self.world, self.now.facts, t, self.now))

    def add(self, paper: Paper, t: int) -> None:
        """Take in an accepted document, or one that the clock made."""
        now, step = self.now, self.procedure.by_name[paper.step]
        key = paper.key or (paper.digest.hex()[:16] if step.many else "")
        head = now.head(step, key)
        basis: Basis = ()
        if paper.act in (*NEW_HEADS, "confirm"):
            lapse = paper.act in ("deem", "lapse") and head is not None and now.state(step, key) == "returned"
            basis = head.basis if lapse and head is not None else now.basis_now(step, key)
        outcome = paper.outcome or ("rejected" if paper.act == "lapse" else "approved")
        expires = self.expiry(step, paper, t)
        fact = Fact(
            paper.digest, paper.issuer, step.name, key, paper.act, t, paper.subject, outcome, expires,
            paper.replaces, paper.reach, basis,
        )  # fmt: skip
        self.opener = self.opener or paper.issuer
        self.pictures.append(Picture(self.procedure, self.world, (*now.facts, fact), t, now))

    def expiry(self, step: Step, paper: Paper, t: int) -> int | None:
        declared = self.procedure.library.document_type(self.procedure.pack, step.type)
        longest = self.now.deadline(step, declared.valid_for, t, 0) if declared is not None else None
        return min((e for e in (longest, paper.valid_until_ms) if e is not None), default=None)

    def accepts(self, paper: Paper, t: int) -> bool:
        """Whether the rules let this document in (its type, subject and accreditation being in order).

        What expired since a case was closed is seen by a document that comes later, and by nobody if that is refused.
        """
        late = self.now.closed_at is not None and t > self.now.t
        if late:
            self.pass_to(t)
        found = self._accepts(paper, t)
        if late and not found:
            self.pictures.pop()
        return found

    def _accepts(self, paper: Paper, t: int) -> bool:
        now, step = self.now, self.procedure.by_name[paper.step]
        if now.withdrawn:
            return False
        if paper.act == "issue":
            return self.may_issue(step, paper) and self.is_well_made(step, paper, t)
        head = now.head(step, paper.key or "")
        if head is None or head.fact.digest.hex() != paper.replaces:
            return False
        if paper.act == "withdraw" and step is self.procedure.opening:
            return self.may_withdraw_case(paper)
        if not self.has_way(step, head, paper):
            return False
        if paper.act in ("withdraw", "revoke"):
            return True
        return self.may_replace(step, head, paper, t)

    def may_issue(self, step: Step, paper: Paper) -> bool:
        now, opening = self.now, step is self.procedure.opening
        if now.applies(step) is not True or now.closed_at is not None:
            return False
        if now.facts and (bound(now, step) or paper.issuer) != paper.issuer:
            return False
        if step.many:
            key = paper.key or paper.digest.hex()[:16]
            return now.window_state(step) == "due" and now.head(step, key) is None
        key = paper.key or ""
        asked = (step.name, key) in now.demanded or step.optional or opening
        return key in now.keys(step) and now.state(step, key) == "due" and asked

    def is_well_made(self, step: Step, paper: Paper, t: int) -> bool:
        """Its basis, its outcome, its validity."""
        outcome = paper.outcome in step.outcomes if step.outcomes else paper.outcome is None
        valid = paper.valid_until_ms is None or paper.valid_until_ms > t
        return self.states_basis(step, paper) and outcome and valid

    def states_basis(self, step: Step, paper: Paper) -> bool:
        """Exactly the slots that stand now, each with its head or with one of equal content."""
        key, now = paper.key or "", self.now
        wanted, given = now.stated(step, key), dict(paper.basis)
        return wanted.keys() == given.keys() and all(
            given[name] == wanted[name] or self.was_equal(step, name, given[name]) for name in wanted
        )

    def was_equal(self, step: Step, name: str, digest: bytes) -> bool:
        below, _, key = name.partition(":")
        now = self.now
        head = now.head(self.procedure.by_name[below], key)
        gone = {f.replaces for f in now.facts if f.act in ("withdraw", "revoke") and f.reach != "now"}
        old = next((f for f in now.facts if f.digest == digest and (f.step, f.key) == (below, key)), None)
        if head is None or old is None or old.act not in NEW_HEADS or digest.hex() in gone:
            return False
        refs = [r for n in step.needs for r in n.refs if now.step(r).name == below]
        return all(old.content(r.parts) == head.fact.content(r.parts) for r in refs)

    def may_withdraw_case(self, paper: Paper) -> bool:
        limit = self.procedure.spec.withdrawal
        if limit is None or paper.issuer != self.opener or self.now.closed_at is not None:
            return False
        return not any(self.ever(step) for step in limit.limits)

    def ever(self, step: str) -> bool:
        return any(f.step == step and f.act in NEW_HEADS for f in self.now.facts)

    def has_way(self, step: Step, head: Standing, paper: Paper) -> bool:
        named = {"correct": "corrects", "confirm": "confirms", "withdraw": "withdraws", "revoke": "revokes"}
        ways = getattr(step.spec, named[paper.act]) or Ways()
        own = paper.issuer == head.fact.issuer
        if head.fact.act in ("deem", "lapse"):
            own = self.world.holds(paper.issuer, step.role or "", self.now.t)
        empowered = own or any(self.world.holds(paper.issuer, role, self.now.t) for role in ways.by)
        late = ways.until is not None and self.ever(ways.until)
        shut = self.now.closed_at is not None and ways.until is None and paper.act in ("correct", "confirm")
        return empowered and ways.allowed and not late and not shut

    def may_replace(self, step: Step, head: Standing, paper: Paper, t: int) -> bool:
        now, key = self.now, paper.key or ""
        if now.applies(step) is not True or key not in now.keys(step):
            return False
        if not all(now.met(n, key) for n in step.needs) or (step.many and now.window_state(step) != "due"):
            return False
        if paper.act == "confirm":
            ended = head.expires is not None and head.expires <= t
            stale = now.judged(step, key, head.basis) == "changed"
            return stale and not ended and self.states_basis(step, paper)
        return self.is_well_made(step, paper, t)
