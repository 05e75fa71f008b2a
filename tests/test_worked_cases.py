"""Every worked case of every pack is a test; and every node that played one can be audited, rebuilt and reopened."""

from __future__ import annotations

from pathlib import Path

import pytest

from gardesh import worked
from gardesh.exchange import case_file, case_file_check
from gardesh.node import Node
from gardesh.play import Player
from gardesh.record import folder
from gardesh.record.clock import Clock
from gardesh.record.founding import new_clock_key
from gardesh.record.log import Log
from gardesh.record.store import Store
from gardesh.study.audit import Auditor, stored_documents, views_differ

PACKS = folder.shipped()
CASES = sorted(PACKS.glob("*/cases/*.yaml"))


def play(path: Path, *, cold: bool = False) -> Player:
    packs = folder.gather(path.parents[1])
    player = Player(packs, worked.read(path.name, folder.parse_yaml(path.name, path.read_bytes())))
    for played in player.run():
        assert played.failures == [], f"act {played.number}"
        if cold:
            player.node.sequencer.cases.live.clear()
    return player


@pytest.mark.parametrize("path", CASES, ids=lambda p: f"{p.parents[1].name}/{p.stem}")
def test_a_worked_case_goes_as_it_says_and_its_record_explains_itself(path: Path) -> None:
    player = play(path)
    auditor = Auditor(player.node.store, player.node.library, player.node.sequencer.clock.name)
    found = auditor.run()
    assert found.problems == []
    assert found.root == player.node.log.edge.root().hex()
    assert views_differ(player.node.store, auditor.scratch) == []
    exported = case_file.export(player.node, player.cases[next(iter(player.cases))])
    assert case_file_check.verify(exported).problems == []


@pytest.mark.parametrize("path", CASES[::4], ids=lambda p: f"{p.parents[1].name}/{p.stem}")
def test_a_case_folded_again_from_its_documents_is_the_live_one(path: Path) -> None:
    player = play(path, cold=True)
    auditor = Auditor(player.node.store, player.node.library, player.node.sequencer.clock.name)
    assert auditor.run().problems == []
    assert views_differ(player.node.store, auditor.scratch) == []


@pytest.mark.parametrize("batch", [1, 7, 1000])
def test_the_views_do_not_depend_on_the_batches(batch: int) -> None:
    player = play(PACKS / "trade" / "cases" / "straight-import.yaml")
    papers = [(at, paper) for _, at, paper in stored_documents(player.node.store)]
    store = Store(":memory:", create=True)
    with store.writing():
        for made in player.packs.values():
            folder.keep(store, made)
        store.set("origin", b"gardesh.example/play")
    log = Log(store, "gardesh.example/play", player.node.log.signers)
    node = Node(store, player.node.library, log, Clock("clock", new_clock_key()))
    same = [papers[i : i + batch] for i in range(0, len(papers), batch)]
    for group in same:
        for answer in node.intake.submit_all(
            [p for _, p in group], group[0][0] if batch == 1 else papers[-1][0]
        ):
            assert not isinstance(answer, Exception), answer
    if batch == 1:
        assert views_differ(player.node.store, store) == []
    auditor = Auditor(store, node.library, "clock")
    assert auditor.run().problems == []
    assert views_differ(store, auditor.scratch) == []
    again = [node.intake.submit(p, papers[-1][0]).position for _, p in papers]
    assert again == list(range(len(papers)))
