"""The command line. Every command prints for people, or with `--json` for programs, in Persian or English."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from gardesh.cli import case_commands, node_commands, output, pack_commands, proof_commands
from gardesh.model.problem import Problem

app = typer.Typer(
    name="gardesh",
    help="Electronic documents that circulate through a government's digital ecosystems.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (
    node_commands.init, node_commands.admit, node_commands.adopt, node_commands.sign, node_commands.submit,
    node_commands.present, node_commands.tick, case_commands.show, case_commands.plan, case_commands.why,
    case_commands.worklist, proof_commands.audit, proof_commands.rebuild,
):  # fmt: skip
    app.command()(command)
app.add_typer(node_commands.keys_app, name="keys")
app.add_typer(proof_commands.log_app, name="log")
app.add_typer(case_commands.app, name="case")
app.add_typer(pack_commands.app, name="pack")


@app.callback()
def settings(
    json: Annotated[bool, typer.Option("--json", help="Print JSON with stable field names.")] = False,
    lang: Annotated[str, typer.Option("--lang", help="fa or en.", envvar="GARDESH_LANG")] = "en",
    home: Annotated[
        str, typer.Option("--home", help="The node's folder.", envvar="GARDESH_HOME")
    ] = "gardesh-home",
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
