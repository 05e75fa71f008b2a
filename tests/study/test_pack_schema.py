"""The published schemas: every pack that is here follows them, typical mistakes do not, and every field says what it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from gardesh.record import folder
from gardesh.record.yaml_values import parse_yaml
from gardesh.study.pack_schema import published

SCHEMAS = published()
PACKS = (*folder.shipped().iterdir(), *(Path(__file__).parents[1] / "packs").iterdir())
KINDS = {"documents": "document", "procedures": "procedure", "registers": "register", "cases": "case"}
FILES = [
    (path, KINDS.get(path.parent.name, "pack"))
    for pack in sorted(PACKS)
    for path in sorted([pack / "pack.yaml", *(p for f in KINDS for p in pack.glob(f"{f}/*.yaml"))])
    if not path.stem.endswith(".schema")
]


def valid(kind: str, value: Any) -> bool:
    return bool(jsonschema_rs.validator_for(SCHEMAS[kind]).is_valid(value))


@pytest.mark.parametrize(
    ("path", "kind"), FILES, ids=lambda v: f"{v.parents[1].name}/{v.name}" if isinstance(v, Path) else v
)
def test_every_file_of_every_pack_follows_its_schema(path: Path, kind: str) -> None:
    assert valid(kind, parse_yaml(path.name, path.read_bytes()))


STEP: dict[str, Any] = {"by": "office", "needs": ["request"]}


@pytest.mark.parametrize(
    "step",
    [
        {**STEP, "within": "three days"},
        {**STEP, "need": ["request"]},
        {**STEP, "clock": "stop"},
        {**STEP, "decides": ["maybe"]},
        {**STEP, "at_least": -1},
        {**STEP, "needs": "request"},
    ],
)
def test_typical_mistakes_do_not(step: dict[str, Any]) -> None:
    text = {"fa": "درخواست", "en": "Request"}
    made = {"procedure": "p", "title": text, "opens_with": "request", "closes_with": "answer"}
    assert valid("procedure", {**made, "steps": {"request": {"by": "x"}, "answer": STEP}})
    assert not valid("procedure", {**made, "steps": {"request": {"by": "x"}, "answer": step}})


def test_words_that_need_explaining_are_explained() -> None:
    step = SCHEMAS["procedure"]["$defs"]["Step"]["properties"]
    for word in ("by", "key", "until", "rules", "document", "each"):
        assert len(step[word]["description"]) > 15, word
    assert SCHEMAS["procedure"]["$schema"].endswith("2020-12/schema")
