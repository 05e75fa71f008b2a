"""The node's clock key: what happens by silence, and what is reused, are documents too (design §2, rules 18 and 20)."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gardesh.model.case import Case
from gardesh.model.claim_elsewhere import Origin, SlotName, Standing
from gardesh.model.claims import attachment
from gardesh.model.deadline import Fallen
from gardesh.model.demand import slot_at
from gardesh.model.document import Envelope, compose, parse, sign
from gardesh.model.elsewhere import Asked, Stand
from gardesh.model.jose import SigningKey
from gardesh.model.procedure import Step
from gardesh.model.slot import RETURNED


def salt() -> bytes:
    return secrets.token_bytes(16)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a file from another node proves: its newest report of a case that was opened for a slot here.

    `recognised` is what the register of nodes said of that node when the file was checked, `procedure` that of the case
    ("agriculture/import-permit"), `pack` and `pack_digest` its pack there. `closing` is the document that closes the case,
    whole; None while there is none. `file` is the SHA-256 of the file, if it is kept, and `size` its bytes.
    """

    recognised: dict[str, Any]
    slot: SlotName
    procedure: str
    pack: str
    pack_digest: str
    origin: Origin
    standing: Standing
    outcome: str | None
    closing: Envelope | None
    file: bytes | None
    size: int


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

    def report(self, case: Case, to: Asked, stand: Stand, at: int) -> Envelope:
        """How that which closes the case stands, for the node that asked for it."""
        return self._document(
            case,
            case.procedure.goal[0],
            "",
            at,
            act="report",
            names=stand.names,
            outcome=stand.outcome,
            subject={},
            elsewhere={"for_slot": to.slot, "standing": stand.numbered(to.reports + 1)},
        )

    def mirror(self, case: Case, step: Step, key: str, proven: Evidence, at: int) -> Envelope:
        """What another node has proven of a case that this slot follows."""
        closing = proven.closing
        files = [] if proven.file is None else [attachment(proven.file, "application/zip", proven.size)]
        return self._document(
            case,
            step,
            key,
            at,
            act="mirror",
            names=None if closing is None else closing.digest.hex(),
            outcome=proven.outcome,
            subject={} if closing is None else closing.subject,
            elsewhere={
                "standing": proven.standing,
                "origin": proven.origin,
                "deficiencies": closing.deficiencies if closing is not None else (),
                "attachments": files,
            },
        )

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
        elsewhere: dict[str, Any] | None = None,
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
            **(elsewhere or {}),
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
