"""Worked cases that go on where another ends, and that hold later versions of a pack."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gardesh import worked, worked_file
from gardesh.model.problem import Problem
from gardesh.play import Player
from gardesh.record import folder

pytestmark = pytest.mark.store

PARKS = Path(__file__).parent / "packs" / "market"
FIRST = """
case: asked
title: {fa: درخواست, en: Asked}
start: 2026-01-03T08:00:00+03:30
procedure: area
parties: {city: market-office}
acts:
  - {by: city, issues: area, subject: {area: square, seats: 3}, then: {case: closed}}
"""
SECOND = """
case: goes-on
title: {fa: ادامه, en: It goes on}
start: 2027-01-01T00:00:00Z
follows: asked
procedure: area
versions:
  - {of: market, version: 1.1.0, changes: {procedures/area.yaml: {title: {fa: میدان, en: Place}}}}
parties: {ali: vendor}
acts:
  - {by: steward, issues: pack-adoption, procedure: core/pack-adoption, case: adoption,
     subject: {label: market@1.1.0, digest: {$pack: market@1.1.0}}}
  - {by: city, issues: area, subject: {area: park, seats: 1}}
  - {by: city, issues: area, case: third, subject: {area: {$of: {case: asked, step: area, field: area}}, seats: 1}}
"""


def written(folder_: Path, **files: str) -> Path:
    cases = folder_ / "cases"
    cases.mkdir()
    for name, text in files.items():
        (cases / f"{name.replace('_', '-')}.yaml").write_text(text, encoding="utf-8")
    return cases


def test_a_case_goes_on_where_another_ends_and_a_version_comes_into_force(tmp_path: Path) -> None:
    cases = written(tmp_path, asked=FIRST, goes_on=SECOND)
    made = worked_file.load(cases / "goes-on.yaml")
    player = Player(folder.gather(PARKS), made)
    found = [played.failures for played in player.run()]
    assert found == [[]] * 4
    labels = {
        name: player.node.sequencer.cases.get(case).procedure.pack.label
        for name, case in player.cases.items()
    }
    assert labels == {
        "asked": "market@1.0.0", "adoption": "core@1.0.0", "main": "market@1.1.0", "third": "market@1.1.0",
    }  # fmt: skip
    third = player.node.sequencer.cases.get(player.cases["third"])
    assert third.steps[0].slots[""].head.subject["area"] == "square"  # type: ignore[union-attr]


@pytest.mark.parametrize("text", [SECOND, SECOND.replace("follows: asked", "follows: goes-on")])
def test_what_is_followed_has_to_be_there_and_be_another(tmp_path: Path, text: str) -> None:
    cases = written(tmp_path, goes_on=text)
    with pytest.raises(Problem) as found:
        worked_file.load(cases / "goes-on.yaml")
    assert (found.value.code, found.value.pointer) == ("case-file-malformed", "/follows")


MADE = {
    "title": {"fa": "م", "en": "m"}, "start": "2026-01-03T08:00:00Z", "procedure": "licence", "parties": {"ali": "vendor"},
    "acts": [{"by": "ali", "issues": "application", "subject": {"a": [1]}}],
}  # fmt: skip
ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abint", max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(
    st.dictionaries(st.sampled_from([*MADE, "follows", "versions", "packs", "registers"]), ANY, max_size=2),
    ANY,
)
def test_any_values_are_a_worked_case_or_refused(changes: dict[str, Any], act: Any) -> None:
    for value in (
        act,
        {**MADE, **changes},
        {**MADE, "acts": [act]},
        {**MADE, "acts": [{**MADE["acts"][0], "then": act}]},
    ):  # type: ignore[index]
        try:
            worked.read("x.yaml", value)
        except Problem as problem:
            assert problem.code == "case-file-malformed"
