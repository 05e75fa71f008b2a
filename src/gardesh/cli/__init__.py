"""The command line. Every command prints for people, or with `--json` for programs, in Persian or English."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from gardesh.cli import output, pack_commands
from gardesh.model.problem import Problem

app = typer.Typer(
    name="gardesh",
    help="Electronic documents that circulate through a government's digital ecosystems.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(pack_commands.app, name="pack")


@app.callback()
def settings(
    json: Annotated[bool, typer.Option("--json", help="Print JSON with stable field names.")] = False,
    lang: Annotated[str, typer.Option("--lang", help="fa or en.", envvar="GARDESH_LANG")] = "en",
    home: Annotated[str, typer.Option("--home", help="The node's folder.", envvar="GARDESH_HOME")] = "gardesh-home",
) -> None:
    """Settings for every command."""
    output.configure(json=json, lang=lang, home=home)


def main() -> None:
    """Run the command line. Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 the store cannot be used."""
    try:
        app()
    except Problem as problem:
        output.show_problem(problem)
        sys.exit(3 if problem.kind.status == 503 else 1)
    except KeyboardInterrupt:
        sys.exit(130)
