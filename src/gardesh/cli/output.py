"""What commands print: tables and sentences for people, JSON for programs, in two languages."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from rich.table import Table

from gardesh.cli.right_to_left import LRI, PDI, RLM, BilingualConsole
from gardesh.model.calendar import iso, jalali
from gardesh.model.identifiers import persian_digits
from gardesh.model.problem import Problem


@dataclass
class Settings:
    json: bool = False
    lang: str = "en"
    home: str = "gardesh-home"


settings_ = Settings()
console = BilingualConsole("stdout", lambda: settings_.lang == "fa")
errors = BilingualConsole("stderr", lambda: settings_.lang == "fa")


def configure(*, json: bool, lang: str, home: str) -> None:
    if lang not in ("fa", "en"):
        errors.print("--lang is fa or en")
        sys.exit(2)
    settings_.json, settings_.lang, settings_.home = json, lang, home


def as_json() -> bool:
    return settings_.json


def lang() -> str:
    return settings_.lang


def t(en: str, fa: str, **values: Any) -> str:
    """A sentence in the language asked for. Persian is kept right-to-left, and its digits are Persian."""
    if settings_.lang == "en":
        return en.format_map(values) if values else en
    shown = {k: persian_digits(str(v)) if isinstance(v, int) else v for k, v in values.items()}
    return RLM + (fa.format_map(shown) if shown else fa)


def ltr(text: str) -> str:
    """A code, a pointer, an address or a command: left-to-right also within a Persian line."""
    return f"{LRI}{text}{PDI}" if settings_.lang == "fa" else text


def title(text: Any) -> str:
    """A bilingual text (`Text` or a map) in the language asked for."""
    found = getattr(text, settings_.lang, None) or (
        text.get(settings_.lang) if isinstance(text, dict) else None
    )
    return str(found or text)


def when(ms: int | None) -> str:
    """An instant to the second: ISO in English, Jalali with Persian digits in Persian. `--json` has the ms."""
    if ms is None:
        return "—"
    return jalali(ms) if settings_.lang == "fa" else iso(ms - ms % 1000)


def number(value: object) -> str:
    return persian_digits(str(value)).replace(".", "٫") if settings_.lang == "fa" else str(value)


def percent(share: float) -> str:
    """`39%`; what is less than half a hundredth is said to be less than one."""
    if 0 < share < 0.005:
        return t("<1%", "زیر ۱٪")
    return number(round(share * 100)) + t("%", "٪")


def span(ms: int) -> str:
    """A length of time in words: `2 d 4 h`."""
    days, rest = divmod(ms // 1000, 86_400)
    hours, rest = divmod(rest, 3_600)
    minutes, seconds = divmod(rest, 60)
    units = ((days, "d", "روز"), (hours, "h", "ساعت"), (minutes, "min", "دقیقه"), (seconds, "s", "ثانیه"))
    parts = [f"{number(n)} {fa if settings_.lang == 'fa' else en}" for n, en, fa in units if n]
    joiner = " و " if settings_.lang == "fa" else " "
    return joiner.join(parts[:2]) or t("0 s", "۰ ثانیه")


def say(en: str, fa: str, **values: Any) -> None:
    """A line for people; nothing under `--json`."""
    if not settings_.json:
        console.print(t(en, fa, **values))


def emit(value: Any) -> None:
    """One JSON document on standard output."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")


def emit_line(value: Any) -> None:
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")
    sys.stdout.flush()


def table(headings: Sequence[tuple[str, str]], rows: Sequence[Sequence[str]]) -> None:
    """A table, its columns in reading order: in Persian the first is at the right, for the lines are right-to-left."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        made.add_column(t(*heading), overflow="fold")
    for row in rows:
        made.add_row(*row)
    console.print(made)


def show_problem(problem: Problem) -> None:
    if settings_.json:
        emit(problem.as_dict())
        return
    errors.print(f"[red]{ltr(problem.code)}[/red] {t(problem.sentence('en'), problem.sentence('fa'))}")
    if problem.pointer:
        errors.print(f"  {t('at', 'در')} {ltr(problem.pointer)}", markup=False)
    hint = problem.hint(settings_.lang)
    if hint:
        errors.print(f"  {hint}", markup=False)
