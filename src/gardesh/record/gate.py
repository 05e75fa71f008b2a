"""The gate: what is checked of a document before its case judges it (design §5): pack, type, schema, accreditation."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gardesh.model import demand
from gardesh.model.case import Case
from gardesh.model.document import Envelope
from gardesh.model.elsewhere import asked
from gardesh.model.key_registration import check_keys
from gardesh.model.library import NO_SUCH_PACK, Library
from gardesh.model.problem import Problem, define
from gardesh.model.procedure import Procedure
from gardesh.model.register import LONGEST_KEY, searchable
from gardesh.model.slot import DUE
from gardesh.record.cases import Cases, Target
from gardesh.record.registers import NOWHERE, Registers
from gardesh.record.types import Types

NOT_ACCREDITED = define(
    "not-accredited",
    403,
    en="{issuer} is not accredited as {role}.",
    fa="{issuer} برای نقش {role} اعتبار ندارد.",
)
WRONG_PROCEDURE = define(
    "wrong-procedure",
    422,
    en="The case follows {expected}, not {given}.",
    fa="این پرونده از {expected} پیروی می‌کند، نه {given}.",
)
NOT_ASKED = define(
    "not-asked",
    409,
    en="No slot {slot} of the case {case} waits for a case of {procedure} opened by {issuer}.",
    fa="هیچ جایگاهی به نام {slot} در پرونده‌ی {case} در انتظار پرونده‌ای از {procedure} از سوی {issuer} نیست.",
)
MADE_ELSEWHERE = define(
    "made-elsewhere",
    409,
    en="{step} has no document of its own: a case of {procedure} fills it.",
    fa="گام {step} سند جداگانه‌ای ندارد و با پرونده‌ای از {procedure} پر می‌شود.",
)
UNSEARCHABLE = define(
    "text-unsearchable",
    422,
    en="Nothing can be searched by {name}: the text has more than {limit} bytes, or U+0000 or U+FFFF in it.",
    fa="با {name} نمی‌توان جست‌وجو کرد: متن بیش از {limit} بایت دارد یا U+0000 یا U+FFFF در آن است.",
)


class Gate:
    """Reads what is in force; changes nothing. `position` is the number of documents that the log holds."""

    def __init__(self, library: Library, registers: Registers, cases: Cases, types: Types) -> None:
        self.library, self.registers, self.cases, self.types = library, registers, cases, types

    def searchable(self, texts: Iterable[tuple[str, str]]) -> None:
        """Whether a document can be found by these texts, each with what it is. Raises `text-unsearchable`."""
        for name, text in texts:
            if not searchable(text):
                raise Problem(UNSEARCHABLE, "/credentialSubject", name=name, limit=LONGEST_KEY)

    def opened(self, paper: Envelope, position: int, now: int) -> Case:
        """A new case, named by the digest of the document that opens it."""
        label = paper.pack
        if position > 0:
            self.in_force(label, "/circulation/pack", now)
        procedure = self._procedure(label, paper)
        if procedure.opening.name != paper.step:
            raise Problem("no-such-case", "/circulation/case", case="—")
        case = Case(paper.digest.hex(), procedure, self.registers, paper.issuer, now)
        case.asked = asked(paper.for_slot, self.registers, NOWHERE, now)
        return case

    def in_force(self, label: str, place: str, now: int) -> None:
        """Raises `no-such-pack` for a pack that was not adopted, or is not at hand as it was adopted."""
        value = self.registers.value("core/packs", label, NOWHERE, now)
        if value is None or label not in self.library.packs:
            raise Problem(NO_SUCH_PACK, place, pack=label)
        if value.get("digest") != self.library.get(label).digest.hex():
            raise Problem(NO_SUCH_PACK, place, pack=label)

    def _procedure(self, label: str, paper: Envelope) -> Procedure:
        name = paper.procedure.rpartition("/")[2]
        if name not in self.library.get(label).procedures:
            raise Problem(WRONG_PROCEDURE, "/circulation/procedure", expected="—", given=paper.procedure)
        return self.library.procedure(label, name)

    def asked(self, paper: Envelope, case: Case) -> Target:
        """The slot of another case that this case is opened for (rule 16)."""
        assert paper.for_slot is not None
        target_case, step_name, key, _ = paper.for_slot
        try:
            parent = self.cases.get(target_case)
        except Problem as problem:
            raise Problem(problem.code, "/circulation/for/case", **problem.params) from None
        step = parent.procedure.by_name.get(step_name)
        not_asked = Problem(
            NOT_ASKED,
            "/circulation/for",
            slot=step_name if not key else f"{step_name}:{key}",
            case=target_case,
            procedure=case.procedure.label,
            issuer=paper.issuer,
        )
        if step is None or step.spec.from_ is None:
            raise not_asked
        wanted = parent.procedure.library.qualify(parent.procedure.pack, step.spec.from_)
        slot = parent.steps[step.index].slots.get(key)
        may = paper.issuer == parent.opener or demand.holder_of(parent, step.role) == paper.issuer
        if (
            wanted != case.procedure.label
            or slot is None
            or slot.state != DUE
            or not slot.demanded
            or (step_name, key) in parent.abroad
            or not may
        ):
            raise not_asked
        return (target_case, step_name, key)

    def check(self, case: Case, paper: Envelope, position: int, now: int) -> None:
        """Pack, type, schema, accreditation: the order of design §5 before case and rules."""
        procedure = case.procedure
        if paper.pack != procedure.pack.label or paper.procedure.rpartition("/")[2] != procedure.name:
            given = f"{paper.pack} {paper.procedure}"
            expected = f"{procedure.pack.label} {procedure.name}"
            raise Problem(WRONG_PROCEDURE, "/circulation/procedure", expected=expected, given=given)
        step = procedure.by_name.get(paper.step)
        if step is None or paper.type != step.type:
            return
        if step.spec.from_ is not None:
            raise Problem(MADE_ELSEWHERE, "/circulation/step", step=step.name, procedure=step.spec.from_)
        if step is procedure.opening and paper.case is not None and paper.act == "issue":
            source = self.cases.source_of((case.id, step.name, ""))
            if source is not None:
                label = self.cases.get(source).procedure.label
                raise Problem(MADE_ELSEWHERE, "/circulation/step", step=step.name, procedure=label)
        if paper.act in ("issue", "correct"):
            checked = self.types.get(procedure.pack, step.type)
            if checked is not None and (paper.erased is None or not paper.erased.fields):
                checked.check_schema(paper.subject)
                check_keys(step.type, paper.subject)
                if checked.rules:
                    this = {**paper.subject, "outcome": paper.outcome}
                    checked.check_rules(this, case.moment(position, now))
        if paper.act in ("issue", "correct", "confirm") and position > 0:
            role = demand.role_of(case, step, paper.key or "")
            if role is not None and not self.registers.holds(paper.issuer, role, now):
                raise Problem(NOT_ACCREDITED, "/issuer", issuer=paper.issuer, role=role)

    def genesis_key(self, paper: Envelope) -> dict[str, Any]:
        """The first document names its own signer's key."""
        steward = paper.subject.get("steward")
        if not isinstance(steward, dict) or not isinstance(steward.get("key"), dict):
            raise Problem("key-unknown", "/credentialSubject/steward", kid=paper.kid)
        return {"org": steward.get("org"), "jwk": steward["key"], "state": "in-force"}
