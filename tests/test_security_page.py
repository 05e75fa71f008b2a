"""The page on security names tests and places that are there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "explanation" / "security.md").read_text()


def test_every_test_that_it_names_is_there() -> None:
    named = set(re.findall(r"`(tests/[a-z_/0-9]+\.py)::(test_[a-z_0-9]+)`", PAGE))
    assert len(named) > 60
    missing = [
        f"{p}::{n}" for p, n in named if not re.search(rf"^def {n}\(", (ROOT / p).read_text(), re.MULTILINE)
    ]
    assert missing == []


def test_every_place_that_it_names_is_there() -> None:
    rows = [line.split("|") for line in PAGE.splitlines() if line.startswith("| ") and line.count("|") == 5]
    places = {place for row in rows for place in re.findall(r"`([a-z_/]+(?:\.py|/))`", row[3])}
    assert len(places) > 25
    assert [p for p in places if not (ROOT / "src" / "gardesh" / p).exists()] == []


def test_every_threat_has_its_control_place_and_test() -> None:
    threats = PAGE.partition("## What it is made of")[0]
    rows = [
        line.split("|")[1:-1] for line in threats.splitlines() if line.startswith("| ") and "---" not in line
    ]
    told = [row for row in rows if row[0].strip() != "threat"]
    assert len(told) > 30
    assert [row[0] for row in told if "tests/" not in row[3] and "the same:" not in row[3]] == []
