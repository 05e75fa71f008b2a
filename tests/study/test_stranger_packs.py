"""Packs of strangers: whatever stands in their files, they are read, linted, compared and drawn, or refused; nothing else."""

from __future__ import annotations

import contextlib
import copy
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from effort import tries
from gardesh.model import pack
from gardesh.model.library import Library
from gardesh.model.problem import Problem
from gardesh.record.yaml_values import parse_yaml
from gardesh.study.lint import lint
from gardesh.study.pack_difference import differences
from gardesh.study.pack_page import describe
from market import packs

MARKET, *OTHERS = packs()
VALUES = {path: parse_yaml(path, data) for path, data in MARKET.files.items() if path.endswith(".yaml")}
ODD = st.sampled_from(
    [None, True, 0, -1, 10**30, 1.5, "", "x", "\n", "a\n", "../../x", "each", "this", "true", "1 / 0", "register('x', this)", "core/keys",
     "licence", "application", "9999999d", "0d", "1mo", "setting:nothing", [], [[]], {}, {"x": {}}, {"any": []}, {"any": [{"any": []}]},
     {"$ref": "#"}, {"fa": 1}, "2026-02-30", ["a", "a"], {"step": []}, "\ud800".encode("utf-8", "replace").decode(), "x" * 9000]
)  # fmt: skip


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(place for key, each in inner for place in places(each, (*at, key)))]


PLACES = [(path, place) for path, value in VALUES.items() for place in places(value) if place]


@st.composite
def changed(draw: st.DrawFn) -> dict[str, bytes]:
    """The files of the market with up to three changes: something left out, put elsewhere, or made another thing."""
    values = copy.deepcopy(VALUES)
    for _ in range(draw(st.integers(1, 2))):
        path, place = draw(st.sampled_from(PLACES))
        within: Any = values[path]
        try:
            for key in place[:-1]:
                within = within[key]
            how = draw(st.sampled_from(["leave out", "odd", "another's", "add"]))
            if how == "leave out":
                del within[place[-1]]
            elif how == "odd":
                within[place[-1]] = draw(ODD)
            elif how == "add" and isinstance(within[place[-1]], dict):
                within[place[-1]][
                    draw(st.sampled_from(["x", "each", "when", "$ref", "many", "any", "enum", "a\n"]))
                ] = draw(ODD)
            else:
                other_path, other = draw(st.sampled_from(PLACES))
                found: Any = VALUES[other_path]
                for key in other:
                    found = found[key]
                within[place[-1]] = copy.deepcopy(found)
        except (KeyError, IndexError, TypeError):
            continue
    return {**MARKET.files, **{path: msgspec.json.encode(value) for path, value in values.items()}}


@tries(60)
@given(changed())
def test_a_changed_pack_is_read_or_refused(files: dict[str, bytes]) -> None:
    library = Library()
    try:
        made = pack.read(files, parse_yaml)
        for each in (*OTHERS, made):
            library.add(each)
    except Problem:
        return
    for finding in lint(library, made):
        assert finding.en
        assert finding.fa
    differences(MARKET, made)
    with contextlib.suppress(Problem):
        describe(library, made, "fa")
