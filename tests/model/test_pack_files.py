"""The files of a pack: how they are called, and what a type's schema may not be."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import msgspec
import pytest

from gardesh.model import pack
from gardesh.model.pack import digest_of
from gardesh.model.problem import Problem
from gardesh.record.yaml_values import parse_yaml
from tiny_pack import tiny

MADE = tiny({}, ["request"])[0]


def refusal(files: dict[str, bytes]) -> Problem:
    with pytest.raises(Problem) as refused:
        pack.read({**MADE.files, **files}, parse_yaml)
    assert refused.value.code == "pack-malformed"
    return refused.value


@pytest.mark.parametrize("name", ["documents/../../x.txt", "documents/./x.txt", "documents//x.txt", "/documents/x.txt", "documents/\0",
                                  "documents/a\nb.txt", "documents\\..\\x.txt", "../documents/x.txt", "documents/\u202etxt"])  # fmt: skip
def test_a_file_that_is_called_so_is_no_part_of_a_pack(name: str) -> None:
    assert "not called so" in refusal({name: b""}).params["reason"]


def test_no_two_packs_have_one_digest_by_a_name_with_a_line_in_it() -> None:
    """The digest is over lines, each with a name: a name with a line end in it is as two files."""
    first, second = "documents/request.yaml", "pack.yaml"
    name = f"{first}\n{sha256(MADE.files[second]).hexdigest()}  {second}"
    others = {path: data for path, data in MADE.files.items() if path not in (first, second)}
    twin = {**others, name: MADE.files[first]}
    assert sorted(MADE.files)[:2] == [first, second]
    assert digest_of(twin) == digest_of(MADE.files)
    assert "not called so" in refusal({name: MADE.files[first]}).params["reason"]


DOUBLED = {f"a{n}": {"allOf": [{"$ref": f"#/$defs/a{n - 1}"}] * 2} for n in range(1, 41)}


@pytest.mark.parametrize(
    "schema",
    [
        {"$defs": {"a0": {"type": "object"}, **DOUBLED}, "$ref": "#/$defs/a40"},
        {"$defs": {"a": {"properties": {"x": {"$ref": "#/$defs/a"}}}}, "$ref": "#/$defs/a"},
        {"$ref": "http://169.254.169.254/latest/meta-data"},
        {"$ref": "file:///etc/passwd"},
        {"properties": ["x"]},
        {"required": [{"x": 1}]},
    ],
    ids=["doubles", "leads back", "elsewhere", "a file", "no map", "no names"],
)
def test_a_schema_that_is_not_bounded_is_refused_when_the_pack_is_read(schema: dict[str, Any]) -> None:
    said = {"document": "request", "title": {"fa": "س", "en": "d"}, "schema": schema}
    told = refusal({"documents/request.yaml": msgspec.json.encode(said)})
    assert told.pointer == "/documents/request.yaml/schema"
