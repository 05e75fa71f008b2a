"""`gardesh public`: the public register as a folder of static files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress

from gardesh.cli import output
from gardesh.cli.home import now as clock
from gardesh.cli.home import open_node
from gardesh.model.instant import parse_as_of
from gardesh.publication.site import publish


def public(
    out: Annotated[Path, typer.Argument(help="The folder to write: new, empty, or an earlier one.")],
    as_of: Annotated[
        str, typer.Option("--as-of", help="Registers as they are in force then: 2026-03-21, or an instant.")
    ] = "",
    at: Annotated[str | None, typer.Option("--at", help="Write it as of this instant; default: now.")] = None,
) -> None:
    """Write the public register: rules, drafts open for comment, comments and answers, minutes and votes, grants,
    concerns; as pages in both languages and as data, each document signed and with its receipt."""
    node = open_node()
    moment = clock(at)
    with Progress(
        console=output.errors, transient=True, disable=output.as_json() or not output.errors.is_terminal
    ) as bar:
        task = bar.add_task(output.t("Writing the public register", "نوشتن دفتر همگانی"), total=None)
        written = publish(
            node,
            out,
            moment,
            as_of=parse_as_of(as_of) if as_of else None,
            progress=lambda done, of: bar.update(task, completed=done, total=of),
        )
    node.close()
    if output.as_json():
        output.emit({"folder": str(out), **written})
    output.say(
        "{f}: {c} cases, {d} documents, {e} entries in force. Open {f}/index.html.",
        "{f}: {c} پرونده، {d} سند، {e} ثبت نافذ. {f}/index.html را باز کنید.",
        f=str(out),
        c=output.number(written["cases"]),
        d=output.number(written["documents"]),
        e=output.number(written["entries"]),
    )
