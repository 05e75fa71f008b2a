"""The node's clock key: what happens by silence, and what is reused, are documents too (design §2, rules 18 and 20)."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

from gardesh.model.case import Case
from gardesh.model.deadline import Fallen
from gardesh.model.demand import slot_at
from gardesh.model.document import Envelope, compose, parse, sign
from gardesh.model.jose import SigningKey
from gardesh.model.procedure import Step
from gardesh.model.slot import RETURNED


def salt() -> bytes:
    return secrets.token_bytes(16)


class Clock:
    """Signs, as the organisation `name`, what the passing of time and once-only reuse make."""

    def __init__(self, name: str, key: SigningKey, salt: Callable[[], bytes] = salt) -> None:
        self.name, self.key, self.salt = name, key, salt

    def silence(self, case: Case, passed: Fallen, at: int) -> Envelope:
        """The document that a passed term makes: an escalation, a deemed outcome, or a lapse."""
        act, outcome, subject = meaning(case, passed)
        return self._document(case, passed.step, passed.key, at, act=act, outcome=outcome, subject=subject)

    def reuse(self, case: Case, step: Step, key: str, digest: bytes, at: int) -> Envelope:
        """The note that another case's document serves here."""
        return self._document(case, step, key, at, act="reuse", names=digest.hex(), subject={})

    def _document(
        self,
        case: Case,
        step: Step,
        key: str,
        at: int,
        *,
        act: str,
        subject: dict[str, Any],
        outcome: str | None = None,
        names: str | None = None,
    ) -> Envelope:
        claims = compose(
            type=step.type,
            issuer=self.name,
            valid_from_ms=at,
            pack=case.procedure.pack.label,
            procedure=case.procedure.name,
            case=case.id,
            step=step.name,
            key=key or None,
            act=act,
            outcome=outcome,
            names=names,
        )
        return parse(sign(claims, subject, self.key, salt=self.salt))


def meaning(case: Case, passed: Fallen) -> tuple[str, str | None, dict[str, Any]]:
    """What the passing of this term means: act, outcome, subject."""
    spec = passed.step.spec
    slot = slot_at(case, (passed.step.index, passed.key))
    said = spec.answer_within.on_silence if passed.answer and spec.answer_within else spec.on_silence
    assert said is not None
    if said.escalate is not None:
        return "escalate", None, {"to": said.escalate}
    if said.deemed is not None:
        return "deem", said.deemed, dict(said.subject)
    assert said.lapse or slot.state == RETURNED
    return "lapse", "rejected", {}
