"""Lines in Persian are right-to-left paragraphs; others are left as they are."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from gardesh.cli.right_to_left import PDI, RLI, RLM, BilingualConsole


def console(lang: str) -> BilingualConsole:
    return BilingualConsole("stdout", lambda: lang == "fa")


def test_each_persian_line_is_isolated(capsys: pytest.CaptureFixture[str]) -> None:
    console("fa").print("یک\n\nدو")
    first, empty, second, _ = capsys.readouterr().out.split("\n")
    assert first == f"{RLM}{RLI}یک{RLM}{PDI}"
    assert empty == ""
    assert second == f"{RLM}{RLI}دو{RLM}{PDI}"


def test_english_is_not_touched(capsys: pytest.CaptureFixture[str]) -> None:
    console("en").print("one\ntwo")
    assert capsys.readouterr().out == "one\ntwo\n"


def test_json_stays_left_to_right(capsys: pytest.CaptureFixture[str]) -> None:
    made = console("fa")
    made.print_json(data={"name": "نام"})
    made.print("نام")
    shown, _, after = capsys.readouterr().out.partition("}\n")
    assert RLI not in shown
    assert after.startswith(RLM + RLI)


def test_on_a_terminal_lines_fill_the_width(capsys: pytest.CaptureFixture[str]) -> None:
    made = console("fa")
    made.paragraphs.width = 30
    made.paragraphs.write("\x1b[1mبیمه‌ی آریا\x1b[0m")
    made.paragraphs.write(" ۳\n")
    line = capsys.readouterr().out.removesuffix("\n").replace("\x1b[1m", "").replace("\x1b[0m", "")
    assert cell_len(line) == 30
    assert line.endswith(f" {RLM}{PDI}")
