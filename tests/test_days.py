"""A day in what a document enters, and in a setting, is a day where the pack's offices are: in Iran, not of UTC."""

from __future__ import annotations

import pytest

import stores
from gardesh import worked_file
from gardesh.model.calendar import parse_instant
from gardesh.play import Player
from gardesh.record import folder
from gardesh.record.registers import NOWHERE

pytestmark = pytest.mark.store

CASES = folder.shipped() / "governance" / "cases"


def played(name: str, acts: int) -> Player:
    path = CASES / f"{name}.yaml"
    made = worked_file.load(path)
    made.acts = made.acts[:acts]
    player = Player(worked_file.packs(path, made), made, stores.fresh())
    assert all(each.failures == [] for each in player.run())
    return player


def amount(player: Player, item: str, at: str) -> str | None:
    value = player.node.sequencer.registers.value("core/tariffs", item, NOWHERE, parse_instant(at))
    return None if value is None else str(value["amount"])


@pytest.mark.parametrize(
    ("at", "expected"),
    [("2026-02-01T23:59:59+03:30", None), ("2026-02-02T00:00:00+03:30", "100")],
)
def test_a_stay_ends_with_its_last_day(at: str, expected: str | None) -> None:
    made = worked_file.load(CASES / "tariff-stayed.yaml")
    stay = next(n for n, act in enumerate(made.acts, 1) if act.issues == "stay" and act.refused is None)
    assert amount(played("tariff-stayed", stay), "joint", at) == expected


@pytest.mark.parametrize(
    ("at", "expected"),
    [("2026-02-28T23:59:59+03:30", "50"), ("2026-03-01T00:00:00+03:30", None)],
)
def test_a_repeal_begins_with_its_first_day(at: str, expected: str | None) -> None:
    player = played("tariff-corrected-repealed", 10_000)
    assert amount(player, "stamp", at) == expected


def test_a_setting_begins_with_its_first_day() -> None:
    later = [
        {"since": "2025-01-01", "value": 3, "assumed": "x"},
        {"since": "2026-07-01", "value": 5, "assumed": "x"},
    ]
    patch = {"pack.yaml": {"settings": {"meeting-notice-days": {"values": later}}}}
    made = folder.changed(folder.read_pack(folder.shipped() / "governance"), "1.1.0", patch)
    player = played("group-founded", 1)
    library = player.node.library
    library.add(made)
    before, after = (parse_instant(t) for t in ("2026-06-30T23:59:59+03:30", "2026-07-01T00:00:00+03:30"))
    assert [library.setting(made, "meeting-notice-days", at) for at in (before, after)] == [3, 5]
