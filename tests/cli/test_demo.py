"""`gardesh demo` tells its story to the end, in both languages and to programs."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gardesh import hosts, worked_file
from gardesh.record import folder

ACTS = 100
"""The story stays a story: no more acts than this."""


def run(*words: str, columns: int = 80, which: tuple[str, ...] = ()) -> str:
    done = subprocess.run(
        [sys.executable, "-c", "from gardesh.cli import main; main()", *words, "demo", *which],
        capture_output=True, text=True, check=False, timeout=400,
        env={**os.environ, "COLUMNS": str(columns), "PYTHONIOENCODING": "utf-8"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


@pytest.fixture(scope="module")
def told() -> list[dict[str, Any]]:
    return [json.loads(line) for line in run("--json").splitlines()]


def in_order(text: str, turns: list[str]) -> None:
    at = 0
    for turn in turns:
        found = text.find(turn, at)
        assert found >= 0, f"after {text[max(0, at - 80) : at]!r} comes no {turn!r}"
        at = found


def test_the_story_reaches_its_turning_points_in_english() -> None:
    in_order(
        run(),
        [
            "mixed-priority", "The file now waits for", "Atomic Energy Organisation", "deficient",
            "referred to", "Trade Promotion Organisation", "asked again", "doubtful", "stands again by itself",
            "untouched", "counts as approved", "signature-wrong", "slot-taken", "Currency allocation",
            "Kotaj and route", "value-differs", "Exit slip 3", "Record of the exit",
            "For whom the file waited", "█", "By office", "%", "Published figures", "The audit", "✓",
            "The offline check", "case-file-", "duty-assessment", "What to try next", "gardesh case export",
        ],
    )  # fmt: skip


def test_the_story_reaches_its_turning_points_in_persian() -> None:
    text = run("--lang", "fa")
    in_order(
        text,
        [
            "شنبه ۱۳ دی ۱۴۰۴", "mixed-priority", "پرونده اکنون در انتظارِ", "سازمان انرژی اتمی", "نقص", "ارجاع شد",
            "دوباره پرسیده می‌شود", "محل تردید", "خودبه‌خود برجاست", "تأییدشده شمرده می‌شود", "signature-wrong",
            "slot-taken", "مسیر قرمز", "value-differs", "بیجک ۳", "مسیر بحرانی", "به تفکیک نهاد", "ارقام منتشرشده",
            "حسابرسی", "وارسی بی‌شبکه", "case-file-", "اکنون چه بیازمایید",
        ],
    )  # fmt: skip
    for line in filter(None, text.splitlines()):
        assert (line[:2], line[-2:]) == ("\u200f\u2067", "\u200f\u2069"), line
        assert line.count("\u2066") + line.count("\u2067") == line.count("\u2069"), line


@pytest.mark.parametrize("columns", [60, 100])
def test_the_words_keep_within_the_screen(columns: int) -> None:
    text, _, after = run(columns=columns).partition("What to try next")
    assert after
    assert max(len(line) for line in text.splitlines()) <= columns


def test_for_programs_there_is_one_line_for_each_act_and_a_summary(told: list[dict[str, Any]]) -> None:
    *acts, last = told
    assert [row["act"] for row in acts] == list(range(1, len(acts) + 1))
    assert last["summary"]["acts"] == len(acts) <= ACTS
    codes = [row["code"] for row in acts if row["code"]]
    assert codes == ["mixed-priority", "signature-wrong", "slot-taken", "value-differs"]
    assert [c["act"] for row in acts for c in row["by_clock"]] == ["escalate", "deem"]
    assert 10 <= sum(row["note"] is not None for row in acts) <= 14


def test_the_summary_says_how_the_case_ended(told: list[dict[str, Any]]) -> None:
    summary = told[-1]["summary"]
    path = summary["path"]
    assert (path[0]["since"], path[-1]["until"]) == (summary["opened_at"], summary["closed_at"])
    assert all(a["until"] == b["since"] for a, b in itertools.pairwise(path))
    total = sum(row["calendar_ms"] for row in summary["by_office"].values())
    assert total == summary["closed_at"] - summary["opened_at"]
    assert summary["audit"]["whole"]
    assert summary["audit"]["by_clock"] == 2
    offline = summary["offline"]
    assert offline["whole"]
    assert offline["documents"] > 40
    assert offline["changed_byte"]["pointer"].endswith("-duty-assessment.sd-jwt")


def test_at_least_fourteen_organisations_issue_a_document(told: list[dict[str, Any]]) -> None:
    issuers = {
        row["by"] for row in told[:-1] if row["accepted"] and row["position"] is not None and row["by"]
    }
    assert len(issuers) >= 14
    file = folder.shipped() / "trade" / "cases" / "story.yaml"
    story = worked_file.load(file)
    assert set(issuers) <= set(story.parties)


def test_the_making_of_a_rule_is_told_in_english(tmp_path: Path) -> None:
    out = tmp_path / "public"
    text = run(which=("governance", "--public", str(out)))
    in_order(
        text,
        [
            "5 seats, 2 of them private",
            "A commission raises the concern",
            "no-quorum",
            "lead-time-too-short",
            "not-the-fee",
            "The promise is kept",
            "Why two million?",
            "Comment, Small firms' commission",
            "Three million is too much",
            "Vote, Parisa (chamber)",
            "105 documents",
        ],
    )
    assert (out / "en" / "index.html").is_file()


def test_the_making_of_a_rule_is_told_in_persian() -> None:
    in_order(run("--lang", "fa", which=("governance",)), ["۵ کرسی", "حد نصاب نیست", "چرا دو میلیون؟", "نظر"])


def test_for_programs_the_receipt_leads_to_the_comment_and_the_vote() -> None:
    rows = [json.loads(line) for line in run("--json", which=("governance",)).splitlines()]
    said = rows[-1]["summary"]
    assert said["audit"]["whole"]
    assert said["promises"][0]["state"] == "kept"
    assert said["receipt"]["ways"]["comment"] == ["inspection-fee", "decision", "answer", "comment"]
    assert said["receipt"]["ways"]["vote"][-1] == "vote"


def test_nodes_count_what_others_prove_keep_what_they_acknowledged_and_cannot_lie_unseen() -> None:
    found = json.loads(run("--json", which=("nodes",)))
    assert found["hosts"] == hosts.allowed()
    assert found["order"] == "issued"
    assert found["acknowledged"] == found["kept"] > 0
    assert found["audit_whole"]
    assert len(found["cosigned_by"]) == 2
    first, second = found["fork"]
    assert first["origin"] == second["origin"] == "province.example/log"
    assert first["root"] != second["root"]
    assert second["size"] == first["size"] + 1
