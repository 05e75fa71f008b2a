"""`gardesh import`: documents of other standards, made into subjects to sign; what has no place is reported."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from gardesh.cli import output
from gardesh.cli.files import read_file
from gardesh.exchange.ubl import read_invoice

app = typer.Typer(no_args_is_help=True, help="Make subjects from documents of other standards.")


@app.command()
def ubl(
    file: Annotated[Path, typer.Argument(help="A UBL 2.1 Invoice or CreditNote; - for standard input.")],
    out: Annotated[Path | None, typer.Option("--out", help="Write the subject (JSON) here.")] = None,
    attachments: Annotated[
        Path | None, typer.Option("--attachments", help="Write embedded files into this folder.")
    ] = None,
) -> None:
    """A UBL invoice as the subject of a commercial invoice. Nothing is lost silently: what has no place is listed."""
    found = read_invoice(read_file(file))
    told = found.as_json()
    if out is not None:
        out.write_bytes(msgspec.json.format(msgspec.json.encode(found.subject), indent=2) + b"\n")
    if attachments is not None and found.attachments:
        attachments.mkdir(parents=True, exist_ok=True)
        for name, data in found.attachments.items():
            safe = name.removeprefix("sha256-").replace("/", "_").replace("+", "-").rstrip("=")
            (attachments / safe).write_bytes(data)
    if output.as_json():
        output.emit(told)
        return
    if out is None:
        typer.echo(msgspec.json.format(msgspec.json.encode(found.subject), indent=2).decode())
    for problem in found.problems:
        output.show_problem(problem)
    if found.unplaced:
        output.errors.print(
            output.t("These have no place in a commercial invoice:", "این‌ها در سیاهه‌ی تجاری جایی ندارند:")
        )
        for left in told["unplaced"]:
            output.errors.print(f"  {left['path']}  {left['value']}", markup=False)
    else:
        output.errors.print(
            output.t("Everything in the file found its place.", "همه‌ی محتوای پرونده جای خود را یافت.")
        )
