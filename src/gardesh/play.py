"""Playing a worked case: a real node in memory, real keys and signatures, act by act."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from gardesh import draft as drafting
from gardesh.expectation import Expectation, slots, status
from gardesh.model.calendar import parse_instant
from gardesh.model.canonical import base64url_decode, base64url_encode
from gardesh.model.case import Case
from gardesh.model.document import compose, sign
from gardesh.model.jose import SigningKey
from gardesh.model.judgement import NOTHING_TO_REPLACE
from gardesh.model.pack import Pack
from gardesh.model.problem import Problem
from gardesh.model.procedure import Procedure
from gardesh.node import Node
from gardesh.record import folder
from gardesh.record.clock import salt
from gardesh.record.founding import new_clock_key, new_log_signers, new_org_key, new_record_key
from gardesh.record.store import Store
from gardesh.worked import Act, Party, Version, WorkedCase

STEWARD = "steward"


@dataclass(slots=True)
class Played:
    """One act and what came of it. `failures` say, in English, what was expected and not so."""

    number: int
    act: Act
    at: int
    code: str | None = None
    pointer: str | None = None
    problem: Problem | None = None
    position: int | None = None
    digest: str | None = None
    case: str | None = None
    by_clock: list[dict[str, Any]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    slots: dict[str, dict[str, Any]] = field(default_factory=dict)
    status: str | None = None

    @property
    def accepted(self) -> bool:
        return self.code is None


class Player:
    """Plays one worked case on a node of its own. `store` defaults to one in memory."""

    def __init__(self, packs: Sequence[Pack], worked: WorkedCase, store: Store | None = None) -> None:
        self.worked = worked
        self.packs = {p.name: p for p in packs}
        self.own = packs[0]
        self.now = parse_instant(worked.start)
        self.keys: dict[str, SigningKey] = {STEWARD: new_org_key()}
        self.cases: dict[str, str] = {}
        self.papers: dict[str, bytes] = {}
        self.heads: dict[str, str] = {}
        record_key = new_record_key()
        self.node = Node.create(
            store or Store(":memory:", create=True),
            packs,
            origin="gardesh.example/play",
            signers=new_log_signers("gardesh.example/play"),
            clock=("node-clock", new_clock_key()),
            steward=(STEWARD, self.keys[STEWARD]),
            steward_name={"fa": "راهبر", "en": "Steward"},
            record_keys=lambda: [record_key],
            now=self.now,
        )
        for said in worked.versions:
            self._keep(said)
        self._admit()

    # -- before the start ---------------------------------------------------------------------------------

    def _admit(self) -> None:
        papers = []
        known = {role for pack in self.packs.values() for role in pack.manifest.roles}
        for org, said in self.worked.parties.items():
            party = (
                said if isinstance(said, Party) else Party(roles=[said] if isinstance(said, str) else said)
            )
            for role in party.roles:
                if role not in known:
                    reason = f"there is no role {role!r} in {self.own.name} or the packs it requires"
                    raise Problem(
                        "case-file-malformed", f"/parties/{org}", file=self.worked.case, reason=reason
                    )
            key = self.keys[org] = new_org_key()
            name = {"fa": party.name.fa, "en": party.name.en} if party.name else {"fa": org, "en": org}
            subject: dict[str, Any] = {
                "org": org,
                "name": name,
                "keys": [{"kid": key.kid, "jwk": dict(key.public.jwk)}],
                "roles": list(party.roles),
            }
            if party.legal_id:
                subject["legal_id"] = party.legal_id
            papers.append(self._core("admission", STEWARD, subject))
        for register, values in self.worked.registers.items():
            for key_, value in values.items():
                papers.append(self._seed(register, str(key_), value))
        for answer in self.node.intake.submit_all(papers, self.now):
            if isinstance(answer, Problem):
                raise answer

    def _keep(self, said: Version) -> None:
        """A later version of a pack stands beside the record; a document may adopt it."""
        if said.of not in self.packs:
            reason = f"there is no pack {said.of!r} here"
            raise Problem("case-file-malformed", "/versions", file=self.worked.case, reason=reason)
        made = folder.changed(self.packs[said.of], said.version, said.changes)
        self.node.add_pack(made)

    def _seed(self, register: str, key: str, value: Any) -> bytes:
        kinds = {
            "core/tariffs": ("tariff", {"item": key, "value": value}),
            "core/companies": ("company", {"legal_id": key, **(value if isinstance(value, dict) else {})}),
            "core/persons": ("person", {"national_code": key, **(value if isinstance(value, dict) else {})}),
        }
        if register not in kinds:
            known = ", ".join(kinds)
            raise Problem(
                "case-file-malformed",
                f"/registers/{register}",
                file=self.worked.case,
                reason=f"it can fill {known}",
            )
        procedure, subject = kinds[register]
        return self._core(procedure, STEWARD, subject)

    def _core(self, procedure: str, org: str, subject: dict[str, Any]) -> bytes:
        core = self.packs["core"]
        claims = compose(
            type=f"core/{procedure}", issuer=org, valid_from_ms=self.now, pack=core.label, procedure=procedure,
            step=procedure, act="issue",
        )  # fmt: skip
        return sign(claims, subject, self.keys[org], salt=salt)

    # -- the acts -----------------------------------------------------------------------------------------

    def run(self) -> Iterator[Played]:
        """Play act by act; each is yielded when it was played and looked at. Raises what stops the play, pointing at
        the act."""
        for number, act in enumerate(self.worked.acts, 1):
            try:
                played = self._play(number, act)
            except Problem as problem:
                raise problem.at(f"/acts/{number - 1}") from None
            yield played

    def _play(self, number: int, act: Act) -> Played:
        verb, what = act.verb
        self.now = self._when(act, what if verb == "waits" else act.after)
        played = Played(number, act, self.now)
        before = self.node.sequencer.size
        self.node.intake.pass_time(self.now)
        try:
            self._do(act, verb, what, played)
        except Problem as problem:
            played.problem, played.code, played.pointer = problem, problem.code, problem.pointer
        played.by_clock = self._by_clock(before)
        self._expect(act, played)
        case = self._case(act.case)
        if case is not None:
            played.slots, played.status = slots(case, self.now), status(case)
        return played

    def _when(self, act: Act, term: str | None) -> int:
        if act.at is not None:
            return max(self.now, parse_instant(act.at))
        if term is None:
            return self.now
        procedure = self._procedure(act)
        calendar = procedure.calendar_of(procedure.opening)
        return calendar.deadline(self.now, procedure.term(term, self.now))

    def _procedure(self, act: Act) -> Procedure:
        case = self._case(act.case)
        if case is not None:
            return case.procedure
        name = act.procedure or self.worked.procedure
        owner, _, own = self.node.library.qualify(self.own, name).partition("/")
        return self.node.library.procedure(self.node.label_in_force(owner, self.now), own)

    def _case(self, name: str) -> Case | None:
        return self.node.sequencer.cases.get(self.cases[name]) if name in self.cases else None

    def _do(self, act: Act, verb: str, what: str, played: Played) -> None:
        if verb in ("looks", "waits"):
            return
        if verb == "sends":
            self._submit(self._paper(what), act, played)
        elif verb == "forges":
            self._submit(forged(self._paper(what)), act, played)
        elif verb == "rotates_key":
            fresh = new_org_key()
            subject = {
                "keys": [{"kid": fresh.kid, "jwk": dict(fresh.public.jwk)}],
                "retires": [self.keys[what].kid],
            }
            self._submit(self._core("key-rotation", what, subject), act, played, names_case=False)
            self.keys[what] = fresh
        elif verb == "revokes_key":
            subject = {"kid": self.keys[what].kid, "reason": "revoked in the worked case"}
            self._submit(self._core("key-revocation", STEWARD, subject), act, played, names_case=False)
        else:
            paper = self._compose(act, verb, what)
            if act.as_:
                self.papers[act.as_] = paper
            if verb != "signs":
                self._submit(paper, act, played)

    def _paper(self, name: str) -> bytes:
        if name not in self.papers:
            raise Problem(
                "case-file-malformed",
                "/acts",
                file=self.worked.case,
                reason=f"no document is called {name!r}",
            )
        return self.papers[name]

    def _submit(self, paper: bytes, act: Act, played: Played, *, names_case: bool = True) -> None:
        accepted = self.node.intake.submit(paper, self.now)
        played.position, played.digest, played.case = accepted.position, accepted.digest.hex(), accepted.case
        if names_case and act.case not in self.cases and act.verb[0] in ("issues", "sends"):
            self.cases[act.case] = accepted.case
        if act.opened_case:
            self.cases[act.opened_case] = accepted.digest.hex()

    def _compose(self, act: Act, verb: str, what: str) -> bytes:
        procedure, case = self._procedure(act), self._case(act.case)
        assert act.by is not None
        kind = ACT_OF[verb]
        step_name = procedure.opening.name if verb == "withdraws_case" else what
        opening = kind == "issue" and step_name == procedure.opening.name
        if case is None and not opening:
            raise Problem("no-such-case", "/circulation/case", case=act.case)
        if act.by not in self.keys:
            raise Problem(
                "case-file-malformed", "/parties", file=self.worked.case, reason=f"{act.by} is no party"
            )
        claims = drafting.draft(
            procedure,
            None if opening else case,
            step_name,
            issuer=act.by,
            at=self.now,
            key=act.key,
            act=kind,
            outcome=act.outcome,
            deficiencies=act.deficiencies or None,
            reach=act.reach,
            valid_until_ms=parse_instant(act.valid_until) if act.valid_until else None,
            for_slot=self._for(act),
            attachments=act.attachments or None,
        )
        return drafting.issue(claims, self._subject(act, case, step_name), self.keys[act.by], procedure)

    def _for(self, act: Act) -> tuple[str, str, str] | None:
        if act.for_ is None:
            return None
        return (self.cases.get(act.for_.case, "0" * 64), act.for_.step, act.for_.key)

    def _subject(self, act: Act, case: Case | None, step_name: str) -> dict[str, Any]:
        if act.change is None:
            made: dict[str, Any] = self._resolve(act.subject or {})
            return made
        slot = (
            case.steps[case.procedure.by_name[step_name].index].slots.get(act.key)
            if case is not None
            else None
        )
        if slot is None or slot.head is None:
            raise Problem(NOTHING_TO_REPLACE, "/circulation/replaces", slot=step_name, replaces="—")
        merged: dict[str, Any] = folder.merge_patch(slot.head.subject, self._resolve(act.change))
        return merged

    def _resolve(self, value: Any) -> Any:
        """Put in what `$of`, `$case` (a case's id) and `$pack` (a pack version's digest) refer to."""
        if isinstance(value, dict):
            if set(value) == {"$pack"}:
                return self.node.library.get(str(value["$pack"])).digest.hex()
            if set(value) == {"$case"}:
                return self.cases.get(str(value["$case"]))
            if set(value) == {"$of"}:
                where = value["$of"]
                case = self._case(where.get("case", "main"))
                if case is None:
                    raise Problem("no-such-case", "", case=where.get("case", "main"))
                slot = case.steps[case.procedure.by_name[where["step"]].index].slots.get(where.get("key", ""))
                if slot is None or slot.head is None:
                    return None
                return (
                    slot.head.digest.hex() if "field" not in where else slot.head.subject.get(where["field"])
                )
            return {k: self._resolve(v) for k, v in value.items()}
        if isinstance(value, list):
            return [self._resolve(v) for v in value]
        return value

    def _by_clock(self, before: int) -> list[dict[str, Any]]:
        rows = self.node.store.rows(
            "SELECT position, recorded_at, case_id, step, key, act FROM documents WHERE position >= ? AND issuer = ?"
            " ORDER BY position",
            before,
            self.node.sequencer.clock.name,
        )
        names = {case_id: name for name, case_id in self.cases.items()}
        return [
            {"position": p, "at": at, "case": names.get(c, c), "slot": f"{s}:{k}" if k else s, "act": a}
            for p, at, c, s, k, a in rows
        ]

    # -- looking ------------------------------------------------------------------------------------------

    def _expect(self, act: Act, played: Played) -> None:
        if act.refused != played.code:
            told = ""
            if played.problem is not None:
                told = f" at {played.pointer or '/'}: {played.problem.sentence('en')}"
            played.failures.append(
                f"expected {act.refused or 'acceptance'}, got {played.code or 'acceptance'}{told}"
            )
        if act.pointer is not None and act.pointer != played.pointer:
            played.failures.append(f"expected the pointer {act.pointer}, got {played.pointer}")
        if act.then is not None:
            named = act.then.of or act.case
            case = self._case(named)
            if case is None:
                played.failures.append(f"there is no case {named} to look at")
            else:
                expected = Expectation(self.node, self.own, self.now, act.then, case, played.by_clock)
                played.failures += expected.unmet()


ACT_OF = {
    "issues": "issue", "signs": "issue", "corrects": "correct", "confirms": "confirm", "withdraws": "withdraw",
    "revokes": "revoke", "withdraws_case": "withdraw",
}  # fmt: skip


def forged(paper: bytes) -> bytes:
    """The document with one byte of what was signed changed: a digit of the time it is valid from."""
    header, payload, rest = paper.split(b".", 2)
    content = bytearray(base64url_decode(payload))
    place = content.index(b'"validFrom":"') + len(b'"validFrom":"') + 3
    content[place] = ord("0") + (content[place] - ord("0") + 1) % 10
    return b".".join((header, base64url_encode(bytes(content)).encode(), rest))
