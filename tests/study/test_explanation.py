"""What is in force leads back to the vote, the answer and the comment."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import stores
from gardesh import worked_file
from gardesh.model.problem import Problem
from gardesh.play import Player
from gardesh.record import folder
from gardesh.study.explanation import Explainer, Told

pytestmark = pytest.mark.store

GOVERNANCE = folder.shipped() / "governance"


@pytest.fixture(scope="module")
def player() -> Player:
    made = Player(
        folder.gather(GOVERNANCE),
        worked_file.load(GOVERNANCE / "cases" / "tariff-decided.yaml"),
        stores.fresh(),
    )
    assert all(not played.failures for played in made.run())
    return made


def everything(told: Told) -> Iterator[Told]:
    yield told
    for below in told.because:
        yield from everything(below)


def test_a_tariff_leads_back_to_the_vote_the_answer_and_the_comment(player: Player) -> None:
    told = Explainer(player.node.store, player.node.library).explain(
        "core/tariffs#joint-inspection-parcel", 12
    )
    assert told.document["step"] == "decision"
    steps = {each.document["step"] for each in everything(told)}
    assert {
        "revised-draft",
        "answer",
        "comment",
        "record",
        "minutes",
        "vote",
        "attendance",
        "founding-act",
    } <= steps
    hows = {each.how for each in everything(told)}
    assert {
        "governance/resolutions#trade/inspection-fee",
        "answer:guild",
        "comment:guild",
        "vote:inspection-fee/guild",
    } <= hows
    texts = [
        each.document["subject"].get("text")
        for each in everything(told)
        if each.document["step"] == "comment"
    ]
    assert "Small parcels should pay half." in texts


def test_a_document_is_told_once_and_only_so_far(player: Player) -> None:
    explainer = Explainer(player.node.store, player.node.library)
    near = explainer.explain("core/tariffs#joint-inspection", 1)
    assert {each.document["step"] for each in near.because} == {
        "draft",
        "joint-answer",
        "answer",
        "revised-draft",
        "record",
    }
    assert all(not each.because for each in near.because)
    whole = Explainer(player.node.store, player.node.library).explain("core/tariffs#joint-inspection", 20)
    told = [each.document["position"] for each in everything(whole) if each.because]
    assert len(told) == len(set(told))


def test_what_is_not_in_force_has_no_explanation(player: Player) -> None:
    with pytest.raises(Problem) as found:
        Explainer(player.node.store, player.node.library).explain("core/tariffs#nothing")
    assert found.value.code == "no-such-entry"
