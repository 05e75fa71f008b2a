"""In every worked case of every pack, all is erased that may be: what is in force and how the cases stand stays as it was."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gardesh import draft as drafting
from gardesh.model.document import parse
from gardesh.play import STEWARD, Player
from gardesh.record.store import Store
from gardesh.study.audit import Auditor
from gardesh.study.rebuilding import views_differ
from gardesh.study.record import stored_documents
from test_worked_cases import cold, every_case, play

pytestmark = pytest.mark.store
RICH = ("story", "stall-for-food", "green-route", "straight-carriage")
"""In these something has to be erased: they are closed, and say what no fold reads."""
STANDING = {
    "cases": "id, pack, procedure, opener, opened_at, closed_at, withdrawn, wakes_at",
    "slots": "case_id, number, key, step, state, head, head_at",
    "waits": "case_id, number, key, slot, state, role, org, since, deadline, shown",
    "entries": 'id, register, "key", position, value, amount, total, since, until, undone_at',
    "links": "source_case, source_step, source_key, target_case, target_step, target_key",
    "mirrors": "id, target_case, position, step, key, head",
    "subjects": "type, about, position, case_id, step, key",
    "identifiers": "kind, value, position",
}


def standing(store: Store) -> dict[str, set[tuple[Any, ...]]]:
    return {
        name: set(map(plain, store.rows(f"SELECT {what} FROM {name}"))) for name, what in STANDING.items()
    }


def plain(row: Any) -> tuple[Any, ...]:
    return tuple(bytes(v) if isinstance(v, memoryview) else v for v in row)


def decided(player: Player, **targets: Any) -> bool:
    """A decision of the steward to erase, at the player's time; whether it was accepted."""
    node, key, asking = player.node, player.keys[STEWARD], next(org for org in player.keys if org != STEWARD)
    procedure = node.library.procedure(player.packs["core"].label, "erasure")
    subject = {"ground": "for the tests", **targets}
    claims = drafting.draft(procedure, None, "erasure-request", issuer=asking, at=player.now)
    paper = drafting.issue(claims, subject, player.keys[asking], procedure)
    case = node.intake.submit(paper, player.now).case
    claims = drafting.draft(
        procedure,
        node.sequencer.cases.get(case),
        "erasure",
        issuer=STEWARD,
        at=player.now,
        outcome="approved",
    )
    paper = drafting.issue(claims, {**subject, "keep": True}, key, procedure)
    return node.intake.submit(paper, player.now).case == case


def some(names: list[str]) -> Iterator[list[str]]:
    for first in range(0, len(names), 100):
        yield names[first : first + 100]


@every_case
def test_what_stands_does_not_rest_on_what_was_erased(path: Path) -> None:
    player = play(path)
    node, store = player.node, player.node.store
    before = standing(store)
    clear = sum(len(parse(data).subject) for _, _, data in stored_documents(store))
    digests = [
        bytes(d).hex()
        for (d,) in store.rows("SELECT digest FROM documents WHERE position > 0 ORDER BY position")
    ]
    for names in some(digests):
        assert decided(player, documents=[{"document": name} for name in names])
    for names in some(
        [r[0] for r in store.rows("SELECT id FROM cases WHERE closed_at IS NOT NULL AND opened_at > 0")]
    ):
        mine = [n for n in names if "erasure" not in node.sequencer.cases.get(n).procedure.name]
        genesis = store.one("SELECT case_id FROM documents WHERE position = 0")[0]
        assert decided(player, cases=[n for n in mine if n != genesis])
    left = sum(len(parse(d).subject) for p, _, d in stored_documents(store) if p <= len(digests))
    assert left < clear or path.stem not in RICH
    after = standing(store)
    for name in STANDING:
        assert before[name] <= after[name], name
    assert audit(player) == (left < clear)
    cold(node)
    store_audit = [
        node.sequencer.cases.get(r[0]).closed_at for r in store.rows("SELECT id FROM cases ORDER BY id")
    ]
    assert store_audit == [r[0] for r in store.rows("SELECT closed_at FROM cases ORDER BY id")]


def audit(player: Player) -> bool:
    """The record explains itself, as it is; whether anything was erased of it."""
    auditor = Auditor(player.node.store, player.node.library, player.node.sequencer.clock.name)
    found = auditor.run()
    assert [p.sentence("en") for p in found.problems] == []
    assert views_differ(player.node.store, auditor.scratch) == []
    return bool(found.erased)
