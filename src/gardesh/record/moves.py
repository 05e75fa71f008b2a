"""Moving open cases to another version of their pack, when a document enters that in `core/migrations`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from gardesh.model.case import Case
from gardesh.model.fold import Change
from gardesh.model.migration import Moved, migrate
from gardesh.model.problem import Problem, define
from gardesh.record import schema
from gardesh.record.cases import all_places
from gardesh.record.notices import carry_over

if TYPE_CHECKING:
    from gardesh.record.sequence import Sequencer

REGISTER = "core/migrations"
NOT_MOVABLE = define(
    "migration-not-open",
    409,
    en="The case {case} is not open under {label}.",
    fa="پرونده‌ی {case} زیر نسخه‌ی {label} باز نیست.",
)
NO_PROCEDURE = define(
    "migration-no-procedure",
    409,
    en="{to} has no procedure {procedure}, which the case {case} follows.",
    fa="{to} رویه‌ای به نام {procedure} ندارد که پرونده‌ی {case} از آن پیروی می‌کند.",
)


class Moves:
    """The moves of one sequencer. A node's packs stay beside it, so a move is derived again from the documents."""

    def __init__(self, sequencer: Sequencer) -> None:
        self.at = sequencer
        self.cases, self.library, self.store = sequencer.cases, sequencer.library, sequencer.store

    def asked(self, by: Case, changes: Sequence[Change], now: int) -> list[Moved]:
        """The cases that these entries move, moved in memory alone; never the one whose document enters them.

        Raises Problem where one cannot be moved.
        """
        out: list[Moved] = []
        for effect, sign in changes:
            if effect.register == REGISTER and sign > 0:
                out += self.planned(effect.key, effect.value, now, but=by.id)
        self.at.registers.check([change for moved in out for change in moved.changes])
        return out

    def planned(self, label: str, value: Any, now: int, but: str = "") -> list[Moved]:
        """What moving cases from the version `label` would do; `value` is `{to, cases?}`, by default all open cases."""
        to, named = str(value["to"]), value.get("cases")
        self.at.gate.in_force(to, "/credentialSubject/to", now)
        cases = self._open(label) if named is None else named
        return [self._moved(case_id, label, to, now) for case_id in cases if case_id != but]

    def _open(self, label: str) -> list[str]:
        self.at._flush()
        rows = self.store.rows(
            "SELECT id FROM cases WHERE pack = ? AND closed_at IS NULL AND NOT withdrawn ORDER BY opened_at, id",
            label,
        )
        return [str(row[0]) for row in rows]

    def _moved(self, case_id: str, label: str, to: str, now: int) -> Moved:
        old = self.cases.get(case_id)
        if old.procedure.pack.label != label or old.withdrawn or old.closed_at is not None:
            raise Problem(NOT_MOVABLE, "/credentialSubject/cases", case=case_id, label=label)
        name = old.procedure.name
        if name not in self.library.get(to).procedures:
            raise Problem(NO_PROCEDURE, "/credentialSubject/to", to=to, procedure=name, case=case_id)
        return migrate(old, self.library.procedure(to, name), now)

    def carry_out(self, moves: Sequence[Moved], at: int) -> list[Case]:
        """Put the moved cases in the place of the old ones, in the open batch; returns them."""
        for moved in moves:
            case, origin = moved.case, moved.old.procedure.pack.label
            for table in (schema.slots, schema.waits):
                self.store.run(f"DELETE FROM {table.name} WHERE case_id = ?", case.id)  # noqa: S608
            self.cases.rename_links(case.id, moved.steps)
            row = (case.id, self.at.position - 1, at, origin, case.procedure.pack.label)
            self.store.add(schema.migrations, [row])
            case.unsaved = all_places(case)
            carry_over(moved.old, case, moved.steps)
            self.cases.keep(case)
            self.at.enter(moved.changes)
        return [moved.case for moved in moves]
