"""The critical path of a case as bars: a staircase in time, then a bar for each office; and published figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from rich.cells import cell_len
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from gardesh.cli import output
from gardesh.cli.naming import Names
from gardesh.model.case import Case
from gardesh.model.path import Piece, by_office

PHASES = {
    "order-to-shipment": ("order to shipment", "سفارش تا حمل"),
    "arrival-to-exit": ("arrival to exit", "ورود تا خروج"),
    "kotaj-to-permit": ("kotaj to customs permit", "کوتاژ تا پروانه"),
}


@dataclass(frozen=True, slots=True)
class Published:
    """A figure that somebody else published, of other cases."""

    en: str
    fa: str
    days: float
    source: str


WORLD_BANK = "open-iran.com/trading-across-borders"
CUSTOMS = "iribnews.ir/fa/news/5656492"
AS_IT_WAS = (
    Published("World Bank 2014: documents", "بانک جهانی ۲۰۱۴: اسناد", 24, WORLD_BANK),
    Published("World Bank 2014: customs", "بانک جهانی ۲۰۱۴: گمرک", 2, WORLD_BANK),
    Published("World Bank 2014: port", "بانک جهانی ۲۰۱۴: بندر", 5, WORLD_BANK),
    Published("World Bank 2014: inland", "بانک جهانی ۲۰۱۴: حمل داخلی", 6, WORLD_BANK),
    Published("Customs 1404: kotaj to permit, mean", "گمرک ۱۴۰۴: کوتاژ تا پروانه، میانگین", 7, CUSTOMS),
    Published("Customs 1404: plant protection", "گمرک ۱۴۰۴: حفظ نباتات", 4.7, CUSTOMS),
    Published("Customs 1404: veterinary", "گمرک ۱۴۰۴: دامپزشکی", 8.4, CUSTOMS),
    Published("Customs 1404: food and drug", "گمرک ۱۴۰۴: غذا و دارو", 10.5, CUSTOMS),
    Published("Customs 1404: standards", "گمرک ۱۴۰۴: استاندارد", 14.7, CUSTOMS),
)


def bar(share: float, width: int) -> str:
    """A bar of this share of `width` cells, to half a cell at the end where it is read to; a sliver for the smallest."""
    full, rest = divmod(round(share * width * 2), 2)
    return "█" * full + ("▌" if rest and output.lang() == "en" else "▐" if rest else "") or "▏"


def room(texts: Sequence[Sequence[str]]) -> int:
    """The cells that are left for bars beside these columns, at least a quarter of the width and at most 60."""
    taken = sum(max(cell_len(row[i]) for row in texts) + 2 for i in range(len(texts[0])))
    whole = output.console.width - 2
    return max(whole // 4, min(60, whole - taken))


def show(texts: Sequence[Sequence[str]], drawn: Sequence[str], colour: str) -> None:
    """Rows of text, each with its bar."""
    made = Table.grid(padding=(0, 2, 0, 0))
    made.add_column(overflow="fold")
    for _ in texts[0]:
        made.add_column(no_wrap=True)
    for row, line in zip(texts, drawn, strict=True):
        made.add_row(*(escape(text) for text in row), f"[{colour}]{line}[/]")
    output.console.print(Padding(made, (0, 0, 0, 2)))


def staircase(pieces: Sequence[Piece], names: Names) -> None:
    """Each stay of the file with one office, where it lies in the time of the case."""
    begun, total = pieces[0].since, max(1, pieces[-1].until - pieces[0].since)
    stays = []
    for office, group in groupby(pieces, key=lambda p: p.office):
        stay = list(group)
        stays.append((names.org(office), stay[0].since, stay[-1].until))
    texts = [(name, output.span(until - since)) for name, since, until in stays]
    width, drawn = room(texts), []
    for _, since, until in stays:
        left = min(width - 1, round((since - begun) / total * width))
        long = round((until - begun) / total * width) - left
        drawn.append(" " * left + ("█" * long or "▏"))
    show(texts, drawn, "cyan")


def offices(pieces: Sequence[Piece], names: Names) -> None:
    """A bar for each office: how long the file waited for it, and its share of the whole."""
    total = max(1, sum(p.until - p.since for p in pieces))
    found = sorted(
        ((row["calendar_ms"], names.org(office)) for office, row in by_office(list(pieces)).items()),
        reverse=True,
    )
    texts = [(name, output.span(ms), output.percent(ms / total)) for ms, name in found]
    width = room(texts)
    show(texts, [bar(ms / found[0][0], width) for ms, _ in found], "cyan")


def totals(pieces: Sequence[Piece]) -> tuple[str, str]:
    """Of the whole path: calendar time in words, and working hours."""
    hours = sum(p.working_ms for p in pieces) // 3_600_000
    return output.span(pieces[-1].until - pieces[0].since), output.number(hours)


def phases(case: Case) -> dict[str, int]:
    """How long (ms) the phases of the procedure took, by name: from the first document of one step to the last of
    another."""
    out = {}
    for name, (first, last) in case.procedure.spec.phases.items():
        begins = [r.at for r in case.records.values() if r.step == first]
        ends = [r.at for r in case.records.values() if r.step == last]
        if begins and ends:
            out[name] = max(ends) - min(begins)
    return out


def published() -> None:
    """What others measured, a bar for each figure."""
    texts = [
        (output.t(f.en, f.fa), output.t("{n} days", "{n} روز", n=output.number(f"{f.days:g}")))
        for f in AS_IT_WAS
    ]
    width, most = room(texts), max(f.days for f in AS_IT_WAS)
    show(texts, [bar(f.days / most, width) for f in AS_IT_WAS], "magenta")
