"""`gardesh demo` tells its story to the end, in both languages and to programs."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest


def run(*words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", "from gardesh.cli import main; main()", *words, "demo"],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("words", "seen"),
    [
        ((), ["slot-taken", "signature-wrong", "escalate", "critical path", "case-file-"]),
        (("--lang", "fa"), ["slot-taken", "مسیر بحرانی", "حسابرسی", "۱۴۰۴"]),
    ],
)
def test_the_story_reaches_its_turning_points(words: tuple[str, ...], seen: list[str]) -> None:
    told = run(*words)
    for what in seen:
        assert what in told


def test_for_programs_every_line_is_json() -> None:
    lines = [json.loads(line) for line in run("--json").splitlines()]
    assert [line["code"] for line in lines if line["code"]].count("slot-taken") == 1
