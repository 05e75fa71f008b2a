"""A case file is checked from itself alone, and any flipped bit of it is found and named."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gardesh import worked
from gardesh.exchange import case_file, case_file_check
from gardesh.play import Player
from gardesh.record import folder

PATH = folder.shipped() / "agriculture" / "cases" / "low-risk.yaml"


def exported(path: Path) -> bytes:
    player = Player(
        folder.gather(path.parents[1]),
        worked.read(path.name, folder.parse_yaml(path.name, path.read_bytes())),
    )
    list(player.run())
    return case_file.export(player.node, player.cases["main"])


@pytest.fixture(scope="module")
def data() -> bytes:
    return exported(PATH)


def contents(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as source:
        return {n: source.read(n) for n in source.namelist()}


def test_an_exported_file_is_whole_and_opens_without_gardesh(data: bytes) -> None:
    found = case_file_check.verify(data)
    assert found.problems == []
    assert found.documents >= 3
    files = contents(data)
    assert files["README.txt"].startswith(b"Gardesh case file")
    assert b"<script" not in files["index.html"]


_DATA = exported(PATH)


@settings(max_examples=150)
@given(st.integers(0, len(_DATA) * 8 - 1))
def test_any_single_flipped_bit_is_found_and_named(bit: int) -> None:
    wrong = bytearray(_DATA)
    wrong[bit // 8] ^= 1 << bit % 8
    found = case_file_check.verify(bytes(wrong))
    assert found.problems
    assert found.problems[0].pointer


@pytest.mark.parametrize(
    "part", ["documents/", "keys/", "receipts/", "decoded/", "index.html", "README.txt", "checkpoint"]
)
def test_an_altered_part_is_named_even_when_the_container_is_made_anew(data: bytes, part: str) -> None:
    files = contents(data)
    name = next(n for n in files if n.startswith(part))
    files[name] = files[name][:-10] + b"x" * 10
    found = case_file_check.verify(case_file.container(files))
    assert "/" + name in [p.pointer for p in found.problems]


def test_a_removed_document_is_missed(data: bytes) -> None:
    files = contents(data)
    name = next(n for n in files if n.startswith("documents/"))
    del files[name]
    assert "/" + name in [p.pointer for p in case_file_check.verify(case_file.container(files)).problems]


def test_receipts_that_changed_places_are_found(data: bytes) -> None:
    files = contents(data)
    one, other = [n for n in files if n.startswith("receipts/")][:2]
    files[one], files[other] = files[other], files[one]
    assert case_file_check.verify(case_file.container(files)).problems


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_without_a_fault(junk: bytes) -> None:
    assert not case_file_check.verify(junk).whole
