"""Whether a document may be accepted in its case, given the log before it (design §5; semantics, rules 1-3, 12-17).

`judge` changes nothing: it raises a Problem, or returns the verdict that `apply` then carries out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from gardesh.model import demand, pack
from gardesh.model.case import Case, merkle_root
from gardesh.model.expression import Unknown
from gardesh.model.library import Moment
from gardesh.model.problem import Problem, RuleBroken, define
from gardesh.model.procedure import Step
from gardesh.model.register import Effect, effects_of
from gardesh.model.slot import BLOCKED, DUE, ISSUED, Erased, Head, Rest, Slot

NO_SUCH_STEP = define(
    "no-such-step",
    422,
    en="The procedure {procedure} has no step {step}.",
    fa="رویه‌ی {procedure} گامی به نام {step} ندارد.",
)
NO_SUCH_SLOT = define(
    "no-such-slot",
    422,
    en="Step {step} has no slot {key} in this case; it has: {keys}.",
    fa="گام {step} در این پرونده جایگاهی به نام {key} ندارد؛ جایگاه‌ها: {keys}.",
)
WRONG_TYPE = define(
    "wrong-type",
    422,
    en="Step {step} is made with {expected}, not with {given}.",
    fa="گام {step} با سند {expected} انجام می‌شود، نه با {given}.",
)
WRONG_OUTCOME = define(
    "wrong-outcome",
    422,
    en="Step {step} cannot have the outcome {outcome}; it can have: {allowed}.",
    fa="گام {step} نمی‌تواند نتیجه‌ی {outcome} داشته باشد؛ نتیجه‌های ممکن: {allowed}.",
)
NOT_APPLICABLE = define(
    "not-applicable",
    409,
    en="Step {step} does not apply in this case.",
    fa="گام {step} در این پرونده موضوعیت ندارد.",
)
NOT_YET_KNOWN = define(
    "not-yet-known",
    409,
    en="Whether step {step} applies is not known before {waits}.",
    fa="تا پیش از {waits} معلوم نیست که گام {step} موضوعیت دارد یا نه.",
)
NEEDS_NOT_MET = define(
    "needs-not-met",
    409,
    en="Step {step} still needs: {missing}.",
    fa="گام {step} هنوز به این‌ها نیاز دارد: {missing}.",
)
SLOT_TAKEN = define(
    "slot-taken",
    409,
    en="{slot} was already issued on this basis, by the document {first}.",
    fa="برای {slot} پیش‌تر بر همین پایه سند {first} صادر شده است.",
)
SLOT_NOT_DUE = define(
    "slot-not-due",
    409,
    en="{slot} is {state} and nothing can be issued there now.",
    fa="{slot} در وضعیت {state} است و اکنون سندی در آن صادر نمی‌شود.",
)
NOT_DEMANDED = define(
    "not-demanded",
    409,
    en="Nothing in this case waits for {slot}.",
    fa="در این پرونده چیزی در انتظار {slot} نیست.",
)
BASIS_CHANGED = define(
    "basis-changed",
    409,
    en="The basis changed: {slots} is not as the document relied on it.",
    fa="پایه دگرگون شده است: {slots} دیگر آن نیست که سند بر آن تکیه کرده است.",
    hint_en="Read the case again and sign on the documents as they stand now.",
    hint_fa="پرونده را دوباره بخوانید و بر پایه‌ی اسناد کنونی امضا کنید.",
)
WINDOW_CLOSED = define(
    "window-closed",
    409,
    en="The time for {step} ended at {deadline}.",
    fa="مهلت {step} در {deadline} به پایان رسید.",
)
CASE_CLOSED = define("case-closed", 409, en="The case is closed.", fa="پرونده بسته شده است.")
CASE_WITHDRAWN = define(
    "case-withdrawn", 409, en="The case was withdrawn.", fa="از پرونده انصراف داده شده است."
)
TOO_LATE_TO_WITHDRAW = define(
    "too-late-to-withdraw",
    409,
    en="The case cannot be withdrawn any more: {step} already has a document.",
    fa="دیگر نمی‌توان از پرونده انصراف داد: {step} پیش‌تر سندی دارد.",
)
NOT_ALLOWED = define(
    "not-allowed",
    403,
    en="{issuer} may not {act} the document of {slot} now.",
    fa="{issuer} اکنون اجازه‌ی این کار را با سند {slot} ندارد ({act}).",
)
NOTHING_TO_REPLACE = define(
    "nothing-to-replace",
    409,
    en="{slot} holds no document {replaces} that could be replaced, confirmed or taken back.",
    fa="{slot} سند {replaces} را ندارد که جایگزین، تأیید یا پس گرفته شود.",
)
NOTHING_TO_CONFIRM = define(
    "nothing-to-confirm",
    409,
    en="The basis of {slot} has not changed; there is nothing to confirm.",
    fa="پایه‌ی {slot} دگرگون نشده است؛ چیزی برای تأیید دوباره نیست.",
)
NOT_BOUND = define(
    "not-bound",
    403,
    en="In this case {role} is {bound}, not {issuer}.",
    fa="در این پرونده نقش {role} با {bound} است، نه {issuer}.",
)
FOLLOWED = define(
    "followed",
    409,
    en="{slot} follows a document of the case {case}; it is changed there.",
    fa="{slot} از سندی در پرونده‌ی {case} پیروی می‌کند و همان‌جا تغییر می‌کند.",
)
EXPIRED = define(
    "expired",
    422,
    en="The document's own validity ended before it was accepted.",
    fa="اعتبار خود سند پیش از پذیرش به پایان رسیده است.",
)
RULE_UNDECIDED = define(
    "rule-undecided",
    422,
    en="The rule {rule} cannot be decided: it reads what is not there.",
    fa="قاعده‌ی {rule} را نمی‌توان سنجید: چیزی را می‌خواند که نیست.",
)


class Paper(Protocol):
    """What judging reads of a document (an `Envelope` has it all)."""

    @property
    def digest(self) -> bytes: ...
    @property
    def issuer(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def step(self) -> str: ...
    @property
    def key(self) -> str | None: ...
    @property
    def act(self) -> str: ...
    @property
    def outcome(self) -> str | None: ...
    @property
    def replaces(self) -> str | None: ...
    @property
    def reach(self) -> str | None: ...
    @property
    def subject(self) -> dict[str, Any]: ...
    @property
    def basis(self) -> tuple[tuple[str, bytes], ...]: ...
    @property
    def valid_until_ms(self) -> int | None: ...
    @property
    def deficiencies(self) -> Any: ...
    @property
    def names(self) -> str | None: ...
    @property
    def standing(self) -> Any: ...
    @property
    def erased(self) -> Erased | None: ...


@dataclass(slots=True)
class Verdict:
    """What accepting the document does. `head` is the new head, or the one that is confirmed or taken back."""

    step: Step
    key: str
    act: str
    head: Head
    old: Head | None
    effects: tuple[Effect, ...] = ()
    withdraws_case: bool = False


def judge(case: Case, paper: Paper, t: int, position: int) -> Verdict:
    """The verdict on a document at `t`, the log holding `position` documents before it. Raises Problem."""
    step = case.procedure.by_name.get(paper.step)
    if step is None:
        raise Problem(NO_SUCH_STEP, "/circulation/step", procedure=case.procedure.label, step=paper.step)
    if case.withdrawn:
        raise Problem(CASE_WITHDRAWN)
    if paper.type != step.type:
        raise Problem(WRONG_TYPE, "/type", step=step.name, expected=step.type, given=paper.type)
    if paper.act == "issue":
        return _issue(case, step, paper, t, position)
    return _replace(case, step, paper, t, position)


def _issue(case: Case, step: Step, paper: Paper, t: int, position: int) -> Verdict:
    key = paper.key or ""
    state = case.steps[step.index]
    _applies(case, step)
    if case.closed_at is not None:
        raise _closed(case, step, key, paper)
    if step.many:
        key = key or paper.digest.hex()[:16]
        slot = _open_window(case, step, key)
    else:
        found = state.slots.get(key)
        if found is None:
            keys = ", ".join(k for k, s in sorted(state.slots.items()) if s.applies and k) or "—"
            raise Problem(NO_SUCH_SLOT, "/circulation/key", step=step.name, key=key, keys=keys)
        slot = found
        if not slot.applies:
            raise Problem(NOT_APPLICABLE, "/circulation/key", step=demand.slot_id(step, key))
        _due(case, step, key, slot, paper)
    _bound(case, step, key, paper.issuer)
    rest = case.rest_now(step, key)
    _basis(case, step, key, paper, rest)
    return _new_head(case, step, key, slot, paper, rest, t, position)


def _closed(case: Case, step: Step, key: str, paper: Paper) -> Problem:
    """The case is closed; who comes second for the closing document is told of the first."""
    slot = case.steps[step.index].slots.get(key)
    if slot is None or slot.head is None or slot.state != ISSUED or mismatch(case, step, key, paper.basis):
        return Problem(CASE_CLOSED)
    name = demand.slot_id(step, key)
    return Problem(SLOT_TAKEN, "/circulation/step", slot=name, first=slot.head.digest.hex())


def _applies(case: Case, step: Step) -> None:
    state = case.steps[step.index]
    if state.applies is None:
        waits = ", ".join(s.name for s in case.undecided_by(step))
        raise Problem(NOT_YET_KNOWN, "/circulation/step", step=step.name, waits=waits)
    if state.applies is False:
        raise Problem(NOT_APPLICABLE, "/circulation/step", step=step.name)


def _open_window(case: Case, step: Step, key: str) -> Slot:
    state = case.steps[step.index]
    _window(case, step)
    taken = state.slots.get(key)
    if taken is not None and taken.head is not None:
        raise Problem(
            SLOT_TAKEN, "/circulation/key", slot=f"{step.name}:{key}", first=taken.head.digest.hex()
        )
    return taken or Slot(applies=True)


def _window(case: Case, step: Step) -> None:
    """What comes later is refused with the date (rule 15)."""
    state = case.steps[step.index]
    if state.window_closed is not None:
        raise Problem(WINDOW_CLOSED, "/circulation/step", step=step.name, deadline=state.window_closed)
    if state.window.state != DUE:
        raise _missing(case, step, "")


def _missing(case: Case, step: Step, key: str) -> Problem:
    missing = ", ".join(
        sorted({demand.slot_id(case.procedure.steps[i], k) for i, k in demand.unmet(case, step, key)})
    )
    return Problem(NEEDS_NOT_MET, "/circulation/step", step=demand.slot_id(step, key), missing=missing)


def _due(case: Case, step: Step, key: str, slot: Slot, paper: Paper) -> None:
    if slot.state == DUE:
        if not slot.demanded and not step.optional and step is not case.procedure.opening:
            raise Problem(NOT_DEMANDED, "/circulation/step", slot=demand.slot_id(step, key))
        return
    if slot.state == BLOCKED:
        raise _missing(case, step, key)
    name = demand.slot_id(step, key)
    if slot.head is not None and not mismatch(case, step, key, paper.basis):
        raise Problem(SLOT_TAKEN, "/circulation/step", slot=name, first=slot.head.digest.hex())
    raise Problem(SLOT_NOT_DUE, "/circulation/step", slot=name, state=slot.state)


def _bound(case: Case, step: Step, key: str, issuer: str) -> None:
    role = demand.role_of(case, step, key)
    bound = demand.holder_of(case, role)
    if bound is not None and bound != issuer and case.records:
        raise Problem(NOT_BOUND, "/issuer", role=role, bound=bound, issuer=issuer)


def stated_basis(case: Case, step: Step, key: str, rest: tuple[Rest, ...] | None = None) -> dict[str, bytes]:
    """The basis a document issued now states: slot id to the head's digest, or to the root over many (rule 3).

    `rest`: what it would rest on, where that is known.
    """
    out: dict[str, bytes] = {}
    for need, on in zip(step.needs, case.rest_now(step, key) if rest is None else rest, strict=True):
        if on.choice < 0:
            continue
        ref = need.refs[on.choice]
        below, state = case.procedure.steps[ref.step], case.steps[ref.step]
        if state.applies is not True:
            continue
        if below.multiple and not ref.same_key:
            leaves = [k.encode() + b"\0" + (s.head.digest if s.head else b"") for k, s in case.counted(below)]
            out[below.name] = merkle_root(leaves)
            continue
        name = key if ref.same_key and below.multiple else ""
        slot = state.slots.get(name)
        if slot is not None and slot.applies and slot.head is not None:
            out[demand.slot_id(below, name)] = slot.head.digest
    return out


def mismatch(
    case: Case,
    step: Step,
    key: str,
    basis: tuple[tuple[str, bytes], ...],
    rest: tuple[Rest, ...] | None = None,
) -> list[str]:
    """The slots in which a stated basis is not what stands now; equal content in the parts relied on is the same."""
    stated, now = dict(basis), stated_basis(case, step, key, rest)
    wrong = sorted(now.keys() ^ stated.keys())
    for name in now.keys() & stated.keys():
        if stated[name] != now[name] and not _equal_content(case, step, name, stated[name]):
            wrong.append(name)
    return wrong


def _equal_content(case: Case, step: Step, name: str, digest: bytes) -> bool:
    below, _, key = name.partition(":")
    index = case.procedure.by_name[below].index
    slot = case.steps[index].slots.get(key)
    if slot is None or slot.head is None:
        return False
    parts = [r.parts for n in step.needs for r in n.refs if r.step == index]
    for old in slot.past:
        if old.digest == digest and not old.taken_back:
            return all(old.print(p) == slot.head.print(p) for p in parts)
    return False


def _basis(case: Case, step: Step, key: str, paper: Paper, rest: tuple[Rest, ...]) -> None:
    wrong = mismatch(case, step, key, paper.basis, rest)
    if wrong:
        raise Problem(BASIS_CHANGED, "/relatedResource", slots=", ".join(wrong))


def _new_head(
    case: Case,
    step: Step,
    key: str,
    slot: Slot,
    paper: Paper,
    rest: tuple[Rest, ...],
    t: int,
    position: int,
) -> Verdict:
    if (paper.outcome is None) == bool(step.outcomes) or (
        step.outcomes and paper.outcome not in step.outcomes
    ):
        raise Problem(
            WRONG_OUTCOME,
            "/circulation/outcome",
            step=step.name,
            outcome=paper.outcome,
            allowed=", ".join(sorted(step.outcomes)) or "—",
        )
    if paper.valid_until_ms is not None and paper.valid_until_ms <= t:
        raise Problem(EXPIRED, "/validUntil")
    head = Head(
        digest=paper.digest,
        issuer=paper.issuer,
        at=t,
        position=position,
        key=key,
        subject=paper.subject,
        outcome=paper.outcome or "approved",
        decides=bool(step.outcomes),
        expires=expiry(case, step, paper, t),
        rest=rest,
        stands_by=paper.digest,
        deficiencies=tuple(paper.deficiencies or ()),
        erased=paper.erased,
    )
    env = rule_environment(case, step, slot, head, slot.head)
    moment = case.moment(position, t)
    if not judged_whole(case, head, position):
        check_rules(step, env, moment)
    effects = effects_of(step, env, moment) if head.outcome == "approved" else ()
    return Verdict(step, key, paper.act, head, slot.head, effects)


def opening_effects(case: Case, head: Head, old: Head | None, position: int, t: int) -> tuple[Effect, ...]:
    """The rules of the opening step hold for a document that opens the case from elsewhere; returns what it enters.

    Raises the code of the first rule that is not kept.
    """
    step = case.procedure.opening
    env = rule_environment(case, step, case.steps[step.index].slots[""], head, old)
    moment = case.moment(position, t)
    if not judged_whole(case, head, position):
        check_rules(step, env, moment)
    return effects_of(step, env, moment) if head.outcome == "approved" else ()


def judged_whole(case: Case, head: Head, position: int) -> bool:
    """Whether the document was accepted before something that its rules may have read was erased: they held then, and
    nobody can ask again."""
    return max(case.erased_at, head.erased.at if head.erased is not None else -1) > position


def check_rules(step: Step, env: Mapping[str, Any], moment: Moment) -> None:
    for rule in step.rules:
        kept = rule.check.guard(env, moment)
        if type(kept) is Unknown:
            raise Problem(RULE_UNDECIDED, "/credentialSubject" + rule.at, rule=rule.code)
        if not kept:
            raise RuleBroken(rule.code, rule.fa, rule.en, "/credentialSubject" + rule.at)


def expiry(case: Case, step: Step, paper: Paper, t: int) -> int | None:
    """When the document can no longer be relied on anew: its own end, at most what its type allows."""
    declared = case.procedure.library.document_type(case.procedure.pack, step.type)
    longest = None
    if declared is not None and declared.valid_for is not None:
        term = case.procedure.term(declared.valid_for, t)
        longest = case.procedure.calendar_of(step).deadline(t, term)
    ends = [e for e in (paper.valid_until_ms, longest) if e is not None]
    return min(ends) if ends else None


def rule_environment(
    case: Case, step: Step, slot: Slot, head: Head, previous: Head | None
) -> Mapping[str, Any]:
    env = case.needed(step, head.key)
    env["this"] = head.value
    env["each"] = slot.element
    env["previous"] = previous.value if previous is not None else None
    return env


def _replace(case: Case, step: Step, paper: Paper, t: int, position: int) -> Verdict:
    """Correct, confirm, withdraw, revoke: each names the head that it acts on."""
    key = paper.key or ""
    slot = case.steps[step.index].slots.get(key)
    name = demand.slot_id(step, key)
    if slot is None or slot.head is None or slot.head.digest.hex() != paper.replaces:
        raise Problem(NOTHING_TO_REPLACE, "/circulation/replaces", slot=name, replaces=paper.replaces or "—")
    old = slot.head
    opening = step is case.procedure.opening
    if old.link is not None:
        raise Problem(FOLLOWED, "/circulation/replaces", slot=name, case=old.link.case)
    if paper.act == "withdraw" and opening:
        return _withdraw_case(case, step, key, old, paper)
    _way(case, step, key, old, paper, t)
    if paper.act == "withdraw" or paper.act == "revoke":
        return Verdict(step, key, paper.act if paper.reach != "now" else "revoke-now", old, old)
    _applies(case, step)
    if not slot.applies:
        raise Problem(NOT_APPLICABLE, "/circulation/key", step=name)
    if step.many:
        _window(case, step)
    if not all(case.met(n, key) for n in step.needs):
        raise _missing(case, step, key)
    rest = case.rest_now(step, key)
    _basis(case, step, key, paper, rest)
    if paper.act == "confirm":
        if slot.kept:
            raise Problem(NOTHING_TO_CONFIRM, "/circulation/replaces", slot=name)
        if old.expires is not None and old.expires <= t:
            raise Problem(EXPIRED, "/circulation/replaces")
        return Verdict(step, key, "confirm", old, old)
    return _new_head(case, step, key, slot, paper, rest, t, position)


def _withdraw_case(case: Case, step: Step, key: str, old: Head, paper: Paper) -> Verdict:
    if paper.issuer != case.opener:
        raise Problem(NOT_ALLOWED, "/issuer", issuer=paper.issuer, act="withdraw", slot=step.name)
    if case.closed_at is not None:
        raise Problem(CASE_CLOSED)
    limit = case.procedure.spec.withdrawal
    if limit is None:
        raise Problem(NOT_ALLOWED, "/circulation/act", issuer=paper.issuer, act="withdraw", slot=step.name)
    for until in limit.limits:
        if case.steps[case.procedure.by_name[until].index].ever:
            raise Problem(TOO_LATE_TO_WITHDRAW, "/circulation/act", step=until)
    return Verdict(step, key, "withdraw", old, old, withdraws_case=True)


WAYS = {"correct": "corrects", "confirm": "confirms", "withdraw": "withdraws", "revoke": "revokes"}


def _way(case: Case, step: Step, key: str, old: Head, paper: Paper, t: int) -> None:
    """What silence issued belongs to the office that was silent."""
    name = demand.slot_id(step, key)
    ways: pack.Ways = getattr(step.spec, WAYS[paper.act]) or pack.Ways()
    own = paper.issuer == old.issuer
    if old.silent:
        role = demand.role_of(case, step, key) or ""
        own = demand.holder_of(case, role) in (None, paper.issuer) and case.world.holds(paper.issuer, role, t)
    empowered = own or any(case.world.holds(paper.issuer, role, t) for role in ways.by)
    late = any(case.steps[case.procedure.by_name[name].index].ever for name in ways.limits)
    if late or not ways.allowed or not empowered:
        raise Problem(NOT_ALLOWED, "/circulation/act", issuer=paper.issuer, act=paper.act, slot=name)
    if case.closed_at is not None and paper.act in ("correct", "confirm") and ways.until is None:
        raise Problem(CASE_CLOSED)
