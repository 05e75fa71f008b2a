"""What commands print: tables and sentences for people, JSON for programs, in two languages."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from gardesh.model.calendar import iso, jalali
from gardesh.model.identifiers import persian_digits
from gardesh.model.problem import Problem


@dataclass
class Settings:
    json: bool = False
    lang: str = "en"
    home: str = "gardesh-home"


settings_ = Settings()
console = Console(highlight=False, soft_wrap=False)
errors = Console(stderr=True, highlight=False)
RLM = "\u200f"


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


def title(text: Any) -> str:
    """A bilingual text (`Text` or a map) in the language asked for."""
    found = getattr(text, settings_.lang, None) or (
        text.get(settings_.lang) if isinstance(text, dict) else None
    )
    return str(found or text)


def when(ms: int | None) -> str:
    """An instant: ISO in English, Jalali with Persian digits in Persian."""
    if ms is None:
        return "—"
    return jalali(ms) if settings_.lang == "fa" else iso(ms)


def number(value: object) -> str:
    return persian_digits(str(value)) if settings_.lang == "fa" else str(value)


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
    """A table; in Persian its columns run from right to left."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    order = list(range(len(headings)))
    if settings_.lang == "fa":
        order.reverse()
    for i in order:
        made.add_column(
            t(*headings[i]), justify="right" if settings_.lang == "fa" else "left", overflow="fold"
        )
    for row in rows:
        made.add_row(*(row[i] for i in order))
    console.print(made)


def show_problem(problem: Problem) -> None:
    if settings_.json:
        emit(problem.as_dict())
        return
    errors.print(f"[red]{problem.code}[/red] {t(problem.sentence('en'), problem.sentence('fa'))}")
    if problem.pointer:
        errors.print(f"  {t('at', 'در')} {problem.pointer}", markup=False)
    hint = problem.hint(settings_.lang)
    if hint:
        errors.print(f"  {hint}", markup=False)
