"""Drafting: the claims of a document that can be issued now, with the basis it has to state."""

from __future__ import annotations

from typing import Any

from gardesh.model.case import Case
from gardesh.model.document import compose, sign
from gardesh.model.jose import SigningKey
from gardesh.model.judgement import NO_SUCH_STEP, stated_basis
from gardesh.model.library import Moment, World
from gardesh.model.problem import Problem
from gardesh.model.procedure import Procedure, Step
from gardesh.record.clock import salt


def draft(
    procedure: Procedure,
    case: Case | None,
    step_name: str,
    *,
    issuer: str,
    at: int,
    key: str = "",
    act: str = "issue",
    outcome: str | None = None,
    deficiencies: list[dict[str, Any]] | None = None,
    replaces: str | None = None,
    reach: str | None = None,
    valid_until_ms: int | None = None,
    for_slot: tuple[str, ...] | None = None,
    attachments: list[dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """The claims of a document of `step_name`, resting on the documents as they stand in `case` now.

    `case` is None for the document that opens one. `replaces` is found by itself when the act needs it.
    """
    step = procedure.by_name.get(step_name)
    if step is None:
        raise Problem(NO_SUCH_STEP, "/circulation/step", procedure=procedure.label, step=step_name)
    basis: dict[str, bytes] = {}
    if case is not None and step.needs and act in ("issue", "correct", "confirm"):
        basis = stated_basis(case, step, key)
    if replaces is None and act != "issue" and case is not None:
        slot = case.steps[step.index].slots.get(key)
        replaces = slot.head.digest.hex() if slot is not None and slot.head is not None else None
    return compose(
        type=step.type,
        issuer=issuer,
        valid_from_ms=at,
        valid_until_ms=valid_until_ms,
        pack=procedure.pack.label,
        procedure=procedure.name,
        case=case.id if case is not None else None,
        step=step_name,
        key=key or None,
        act=act,
        outcome=outcome,
        deficiencies=deficiencies,
        replaces=replaces,
        reach=reach,
        for_slot=for_slot,
        basis=tuple(sorted(basis.items())),
        attachments=attachments,
    )


def issue(claims: dict[str, Any], subject: dict[str, Any], key: SigningKey, procedure: Procedure) -> bytes:
    """Sign a draft; what can be shown apart is what the document's type says."""
    step = procedure.by_name[claims["circulation"]["step"]]
    declared = procedure.library.document_type(procedure.pack, step.type)
    disclosable = (
        declared.disclosable
        if declared is not None and claims["circulation"]["act"] in ("issue", "correct")
        else None
    )
    return sign(claims, subject, key, salt=salt, disclosable=disclosable)


def fill(
    procedure: Procedure, step_name: str, subject: dict[str, Any], world: World, at: int
) -> dict[str, Any]:
    """The subject with what base data already knows: fields whose schema says `once-only: register.field`, looked up
    by what the document is about. What is given is kept."""
    library, pack = procedure.library, procedure.pack
    step = procedure.by_name[step_name]
    declared, about = library.document_type(pack, step.type), library.about(pack, step.type)
    if declared is None or about is None:
        return subject
    known = about.evaluate({"this": subject}, Moment(library, pack, world, 1 << 62, at))
    out = dict(subject)
    for field, schema in declared.schema.get("properties", {}).items():
        said = schema.get("once-only") if isinstance(schema, dict) else None
        if said is None or field in out or known is None:
            continue
        register, _, name = str(said).rpartition(".")
        value = world.value(library.qualify(pack, register), str(known), 1 << 62, at)
        if isinstance(value, dict) and value.get(name) is not None:
            out[field] = value[name]
    return out


def find_slot(case: Case, slot_id: str) -> tuple[Step, str]:
    """A step and key by the slot's name, `permit:standards`. Raises `no-such-step`."""
    name, _, key = slot_id.partition(":")
    step = case.procedure.by_name.get(name)
    if step is None:
        raise Problem(NO_SUCH_STEP, "", procedure=case.procedure.label, step=name)
    return step, key
