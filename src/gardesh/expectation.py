"""What a worked case expects after an act, held against what is: states, terms, registers, rights."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from gardesh import draft as drafting
from gardesh.model import demand, reading
from gardesh.model.calendar import iso, parse_instant
from gardesh.model.case import Case
from gardesh.model.pack import Pack
from gardesh.node import Node
from gardesh.record.registers import NOWHERE
from gardesh.worked import Then


class Expectation:
    """What a `then` says of a case after an act. `own`: the pack whose registers it names; `by_clock`: what the clock made.

    `unmet` gives, in English, what was expected and is not so.
    """

    def __init__(
        self, node: Node, own: Pack, now: int, then: Then, case: Case, by_clock: Sequence[dict[str, Any]]
    ) -> None:
        self.node, self.own, self.now, self.then, self.case = node, own, now, then, case
        self.by_clock = by_clock
        self.failures: list[str] = []

    def fail(self, what: str, expected: object, found: object) -> None:
        self.failures.append(f"{what}: expected {written(expected)}, found {written(found)}")

    def unmet(self) -> list[str]:
        then, case, now = self.then, self.case, self.now
        shown = slots(case, now)
        for name, state in then.states.items():
            found = shown.get(name, {}).get("state", "no such slot")
            if found != state:
                self.fail(f"state of {name}", state, found)
        if then.case is not None and then.case != status(case):
            self.fail("case", then.case, status(case))
        rows = demand.rows(case)
        if then.due is not None:
            found = sorted(r["slot"] for r in rows if r["state"] == "due")
            if found != sorted(then.due):
                self.fail("due", sorted(then.due), found)
        if then.why is not None:
            found = sorted(r["slot"] for r in rows if not r["waits_on"])
            if found != sorted(then.why):
                self.fail("why", sorted(then.why), found)
        for name, text in then.deadline.items():
            found = next((r["deadline"] for r in rows if r["slot"] == name), None)
            if found != parse_instant(text):
                self.fail(f"deadline of {name}", text, "none" if found is None else iso(found))
        self.registers()
        self.rights()
        if then.clock is not None:
            acts = sorted(f"{row['act']} {row['slot']}" for row in self.by_clock)
            if acts != sorted(then.clock):
                self.fail("clock", sorted(then.clock), acts)
        if then.documents is not None:
            (count,) = self.node.store.one("SELECT count(*) FROM documents WHERE case_id = ?", case.id)
            if count != then.documents:
                self.fail("documents", then.documents, count)
        return self.failures

    def registers(self) -> None:
        world, now = self.node.sequencer.registers, self.now
        own = self.own
        for name, keys in self.then.balance.items():
            for key, expected in keys.items():
                held = world.balance(self.node.library.qualify(own, name), key, NOWHERE)
                if held != amount(expected):
                    self.fail(f"balance {name} of {key}", expected, held)
        for name, values in self.then.register.items():
            for key, expected_value in values.items():
                found = world.value(self.node.library.qualify(own, name), key, NOWHERE, now)
                if not subset(expected_value, found):
                    self.fail(f"register {name} of {key}", expected_value, found)

    def rights(self) -> None:
        for org, wanted in self.then.reads.items():
            roles = self.node.sequencer.registers.roles(org, self.now)
            for name, expected in wanted.items():
                step, key = drafting.find_slot(self.case, name)
                slot = self.case.steps[step.index].slots.get(key)
                if slot is None or slot.head is None:
                    self.fail(f"{org} reads {name}", expected, "there is no document")
                    continue
                known_as = self.node.known_as(org, self.now)
                found = reading.right(self.case, org, roles, step.name, key, slot.head, known_as)
                if (sorted(expected) if isinstance(expected, list) else expected) != (
                    list(found) if isinstance(found, tuple) else found
                ):
                    self.fail(f"{org} reads {name}", expected, found)


def status(case: Case) -> str:
    return "withdrawn" if case.withdrawn else "closed" if case.closed_at is not None else "open"


def written(value: object) -> str:
    """A value as a case file writes it, in a failure."""
    return value if isinstance(value, str) else msgspec.json.encode(value, enc_hook=str).decode()


def slots(case: Case, now: int) -> dict[str, dict[str, Any]]:
    """The state, reason and term of every slot, by slot id."""
    waits = {row["slot"]: row for row in demand.rows(case)}
    out: dict[str, dict[str, Any]] = {}
    for step, state in zip(case.procedure.steps, case.steps, strict=True):
        listed = [(key, slot) for key, slot in sorted(state.slots.items())]
        if step.multiple and (step.many or not listed):
            shown = (
                "unknown" if state.applies is None else state.window.state if step.many else "not-applicable"
            )
            out[step.name] = _row(
                shown, waits.get(step.name), state.window.since, state.window.deadline, None, now
            )
        for key, slot in listed:
            name = demand.slot_id(step, key)
            out[name] = _row(slot.state, waits.get(name), slot.since, slot.deadline, slot.head, now)
            if slot.state == "unknown":
                out[name]["reason"] = [s.name for s in case.undecided_by(step)]
            if slot.state == "returned" and slot.head is not None:
                out[name]["returned_to"] = returned_to(case, slot.head.deficiencies)
    return out


def returned_to(case: Case, deficiencies: Sequence[dict[str, Any]]) -> str | None:
    """Who is to mend what a deficiency names: the organisation where the case binds one, else the role."""
    for said in deficiencies:
        step = case.procedure.by_name.get(str(said.get("step")))
        if step is not None:
            role = demand.role_of(case, step, str(said.get("key") or ""))
            return demand.named_holder(case, role) or role
    return None


def _row(
    state: str, wait: dict[str, Any] | None, since: int, deadline: int | None, head: Any, now: int
) -> dict[str, Any]:
    return {
        "state": demand.shown_state(state, deadline, now),
        "demanded": wait is not None,
        "by": (wait or {}).get("by"),
        "role": (wait or {}).get("role"),
        "since": since,
        "deadline": deadline,
        "reason": (wait or {}).get("waits_on", []),
        "head": head.digest.hex() if head is not None else None,
    }


def amount(text: str) -> Decimal | None:
    try:
        return Decimal(text)
    except InvalidOperation:
        return None


def subset(expected: Any, found: Any) -> bool:
    if isinstance(expected, dict):
        return isinstance(found, dict) and all(subset(v, found.get(k)) for k, v in expected.items())
    return bool(expected == found)
