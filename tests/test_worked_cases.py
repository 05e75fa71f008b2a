"""Every worked case of every pack is a test; and every node that played one can be audited, rebuilt and replayed."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given as examples
from hypothesis import strategies as st

import stores
from effort import tries
from gardesh import worked_file
from gardesh.exchange import case_file_check, case_file_selection
from gardesh.node import Node
from gardesh.play import Player
from gardesh.record import cases, folder, registers
from gardesh.study.rebuilding import views_differ
from gardesh.study.record import stored_documents
from market import contents, explains_itself
from replay import again, batches, feed, given, steady, twin

pytestmark = pytest.mark.store

PACKS = (*sorted(folder.shipped().iterdir()), *sorted((Path(__file__).parent / "packs").iterdir()))
CASES = [path for pack in PACKS for path in sorted(pack.glob("cases/*.yaml"))]
every_case = pytest.mark.parametrize("path", CASES, ids=lambda p: f"{p.parents[1].name}/{p.stem}")


def play(path: Path, between: Callable[[Node], None] = lambda node: None) -> Player:
    """Play a worked case; `between` is called with the node before each act."""
    made = worked_file.load(path)
    player = Player(worked_file.packs(path, made), made, stores.fresh())
    player.node.sequencer.clock = steady(player.node.sequencer.clock)
    between(player.node)
    for played in player.run():
        assert played.failures == [], f"act {played.number}"
        between(player.node)
    return player


@cache
def played(path: Path) -> Player:
    return play(path)


def cold(node: Node) -> None:
    """Nothing is in memory: cases are folded again from their documents, registers read again."""
    node.sequencer.cases.live.clear()
    node.sequencer.cases.links.clear()
    node.sequencer.registers._kept.clear()


def replayed(player: Player, size: int, between: Callable[[Node], Node]) -> Node:
    node = twin(player.node, list(player.packs.values()))
    for at, papers in batches(given(player.node.store), size):
        feed(node, papers, at)
        node = between(node)
    node.intake.pass_time(player.now)
    return node


def is_the_same(player: Player, node: Node) -> None:
    assert node.log.edge.root() == player.node.log.edge.root()
    assert views_differ(player.node.store, node.store) == []


@every_case
def test_a_worked_case_goes_as_it_says_and_its_record_explains_itself(path: Path) -> None:
    player = played(path)
    explains_itself(player.node)
    exported = case_file_selection.export(player.node, player.cases[next(iter(player.cases))])
    assert case_file_check.verify(exported).problems == []


@every_case
def test_documents_that_are_sent_again_keep_their_places_and_change_nothing(path: Path) -> None:
    player = played(path)
    store, intake = player.node.store, player.node.intake
    stored = list(stored_documents(store))
    before = contents(store)
    answers = intake.submit_all([document for _, _, document in stored], player.now)
    assert [getattr(a, "position", a) for a in answers] == [position for position, _, _ in stored]
    assert contents(store) == before


@every_case
def test_a_worked_case_goes_the_same_when_nothing_is_in_memory(path: Path) -> None:
    explains_itself(play(path, cold).node)


@every_case
@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_the_record_does_not_depend_on_the_batches(path: Path, size: int) -> None:
    is_the_same(played(path), replayed(played(path), size, lambda node: node))


@every_case
def test_a_case_folded_again_from_its_documents_is_the_live_one(path: Path) -> None:
    def forget(node: Node) -> Node:
        cold(node)
        return node

    is_the_same(played(path), replayed(played(path), 3, forget))


@every_case
def test_a_node_that_is_opened_again_goes_on_where_it_stood(path: Path) -> None:
    is_the_same(played(path), replayed(played(path), 5, lambda node: again(node, node.store)))


@every_case
def test_memory_for_a_few_cases_is_enough(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cases, "KEPT", 4)
    monkeypatch.setattr(registers, "KEPT", 1)
    is_the_same(played(path), replayed(played(path), 10_000, lambda node: node))


MANY = [path for path in CASES if path.stem in ("card-serves-again", "objections", "straight-import")]


@pytest.mark.parametrize("path", MANY, ids=lambda p: p.stem)
@examples(
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=20),
    looks=st.lists(st.integers(0, 40 * 86_400_000), max_size=20),
    forgets=st.sets(st.integers(0, 50)),
)
@tries(20)
def test_neither_batches_nor_pauses_nor_restarts_leave_a_trace(
    path: Path, sizes: list[int], looks: list[int], forgets: set[int]
) -> None:
    """Time may be looked at whenever one likes between two documents: what fell due is recorded the same."""
    player = played(path)
    node = twin(player.node, list(player.packs.values()))
    papers, number = given(player.node.store), 0
    start = papers[0][0]
    while papers:
        at = papers[0][0]
        for look in sorted(start + each for each in looks if node.sequencer.last_at < start + each < at):
            node.intake.pass_time(look)
        size = sizes[number % len(sizes)]
        now, batch = next(batches(papers, size))
        feed(node, batch, now)
        papers, number = papers[len(batch) :], number + 1
        if number in forgets:
            node = again(node, node.store)
    node.intake.pass_time(player.now)
    is_the_same(player, node)
