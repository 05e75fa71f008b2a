"""`gardesh register`: what is in force in a register, on any date, and all that was ever entered in it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from gardesh.cli import output
from gardesh.cli.home import now as clock
from gardesh.cli.home import open_views
from gardesh.model.instant import parse_as_of
from gardesh.model.library import Library
from gardesh.model.pack import RegisterFile
from gardesh.model.problem import Problem
from gardesh.publication import table
from gardesh.record.ledger import ledger
from gardesh.record.registers import NO_SUCH_REGISTER, NOWHERE, Registers

app = typer.Typer(
    no_args_is_help=True, help="Registers: what documents enter, as of any date, and tables of it."
)
Name = Annotated[str, typer.Argument(help="pack/register, e.g. core/tariffs.")]
COLUMNS = (
    "recorded_at",
    "position",
    "document",
    "type",
    "issuer",
    "case",
    "key",
    "amount",
    "balance",
    "value",
)
"""Of the table of entries; then `since`, `until`, `ended_at`."""
DATES = ("since", "until", "ended_at")


def registers_of(library: Library) -> dict[str, RegisterFile]:
    """Every register by its full name."""
    return {f"{p.name}/{n}": r for p in library.packs.values() for n, r in p.registers.items()}


def known(library: Library, name: str) -> RegisterFile:
    """Raises `no-such-register`."""
    every = registers_of(library)
    if name not in every:
        raise Problem(NO_SUCH_REGISTER, register=name, known=", ".join(sorted(every)))
    return every[name]


@app.command("list")
def list_() -> None:
    """The registers of this node, and how many keys each has."""
    store, library, _ = open_views()
    held = Registers(store)
    rows: list[dict[str, Any]] = [
        {
            "register": name,
            "title": {"fa": r.title.fa, "en": r.title.en},
            "kind": r.kind,
            "public": r.public,
            "keys": len(held.every_key(name)),
        }
        for name, r in sorted(registers_of(library).items())
    ]
    if output.as_json():
        output.emit(rows)
        return
    kinds = {"latest": ("latest", "آخرین مقدار"), "balance": ("balance", "مانده")}
    headings = [("register", "دفتر"), ("title", "عنوان"), ("kind", "گونه"), ("keys", "کلیدها")]
    output.table(
        headings,
        [
            [
                output.ltr(r["register"]),
                output.title(r["title"]),
                output.t(*kinds[r["kind"]]),
                output.number(r["keys"]),
            ]
            for r in rows
        ],
    )


@app.command()
def show(
    name: Name,
    key: Annotated[str, typer.Argument(help="Only this key.")] = "",
    as_of: Annotated[
        str,
        typer.Option("--as-of", help="As in force, and as the log stood, then: 2026-03-21, or an instant."),
    ] = "",
) -> None:
    """What is in force in a register now, or was at any date; of a balance, what it holds."""
    store, library, _ = open_views()
    register = known(library, name)
    held, at = Registers(store), parse_as_of(as_of) if as_of else clock()
    position = NOWHERE
    if as_of:
        (last,) = store.one("SELECT max(position) FROM documents WHERE recorded_at <= ?", at)
        position = -1 if last is None else int(last) + 1
    rows: list[dict[str, Any]] = []
    for each in [key] if key else held.every_key(name):
        balance = register.kind == "balance"
        entry = held.last(name, each, position) if balance else held.entry(name, each, position, at)
        value = None if entry is None else entry.total if balance else entry.value
        if entry is not None and value is not None:
            row = {"key": each, "value": value, "position": entry.position, "document": entry.digest.hex()}
            rows.append({**row, "since": held.since(entry), "until": entry.until})
    if output.as_json():
        output.emit(rows)
        return
    headings = [("key", "کلید"), ("value", "مقدار"), ("from", "از"), ("until", "تا")]
    output.table(
        headings,
        [
            [
                output.ltr(r["key"]),
                output.ltr(table.cell(r["value"])),
                output.when(r["since"]),
                output.when(r["until"]),
            ]
            for r in rows
        ],
    )
    if not rows:
        output.say("Nothing is in force here.", "چیزی در اینجا نافذ نیست.")


@app.command()
def entries(
    name: Name,
    key: Annotated[str, typer.Option("--key", help="Only this key.")] = "",
    csv: Annotated[
        Path | None, typer.Option("--csv", help="Write a table that a spreadsheet opens.", dir_okay=False)
    ] = None,
    lines: Annotated[Path | None, typer.Option("--jsonl", help="Write JSON Lines.", dir_okay=False)] = None,
) -> None:
    """All that was ever entered in a register, in the order of the log, with the document that did: its ledger."""
    store, library, _ = open_views()
    balance = known(library, name).kind == "balance"
    if csv is None and lines is None:
        shown = list(ledger(store, name, key))
        if output.as_json():
            output.emit(shown)
            return
        last = [("amount", "مبلغ"), ("balance", "مانده")] if balance else [("value", "مقدار")]
        headings = [("recorded", "ثبت"), ("document", "سند"), ("key", "کلید"), *last]
        output.table(
            headings,
            [
                [
                    r["recorded_at"],
                    output.ltr(r["document"][:12]),
                    output.ltr(r["key"]),
                    *(output.ltr(table.cell(r[column[0]])) for column in last),
                ]
                for r in shown
            ],
        )
        return
    count = 0
    if csv is not None:
        columns = (*COLUMNS, *DATES)
        rows = (table.csv_line(columns, row).encode() for row in ledger(store, name, key))
        count = write(csv, table.csv_text(columns, ()).encode(), rows)
    if lines is not None:
        count = write(lines, b"", (table.json_lines([row]) for row in ledger(store, name, key)))
    if output.as_json():
        output.emit({"entries": count})


def write(path: Path, head: bytes, rows: Iterable[bytes]) -> int:
    """Returns how many rows were written."""
    count = 0
    with path.open("wb") as file:
        file.write(head)
        for row in rows:
            file.write(row)
            count += 1
    output.say("{f}: {n} entries", "{f}: {n} ثبت", f=str(path), n=output.number(count))
    return count
