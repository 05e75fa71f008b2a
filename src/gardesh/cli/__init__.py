"""The command line. Every command prints for people, or with `--json` for programs, in Persian or English."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from gardesh.cli import (
    attachment_commands,
    backup_commands,
    case_commands,
    case_file_commands,
    client_commands,
    cosign_command,
    demo,
    explain_command,
    import_commands,
    migration_commands,
    monitor_command,
    node_commands,
    output,
    pack_commands,
    pack_diff,
    peer_commands,
    proof_commands,
    public_command,
    register_commands,
    retention_command,
    serve_command,
    show,
    upgrade_command,
    witness_commands,
    worker_command,
)
from gardesh.cli.files import FILE_UNUSABLE
from gardesh.model.os_reason import of_os
from gardesh.model.problem import Problem, define
from gardesh.process import seldom_collect

INTERNAL_FAULT = define(
    "internal-fault",
    500,
    en="This is a fault of Gardesh, not yours: {fault}",
    fa="این خطا از گردش است، نه از شما: {fault}",
    hint_en="Nothing was half written. GARDESH_DEBUG=1 shows where; please report it.",
    hint_fa="چیزی نیمه‌کاره نوشته نشد. با GARDESH_DEBUG=1 جای آن دیده می‌شود؛ لطفاً گزارش کنید.",
)

app = typer.Typer(
    name="gardesh",
    help="Electronic documents that circulate through a government's digital ecosystems.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (
    node_commands.init, node_commands.admit, node_commands.adopt, migration_commands.migrate, node_commands.sign, node_commands.submit,
    show.present, node_commands.tick, show.show, case_commands.plan, case_commands.why,
    case_commands.worklist, explain_command.explain, public_command.public, proof_commands.audit, proof_commands.rebuild,
    backup_commands.backup, backup_commands.restore, backup_commands.verify_restore, retention_command.retention,
):  # fmt: skip
    app.command()(command)
app.command()(upgrade_command.upgrade)
app.command()(serve_command.serve)
app.command()(worker_command.worker)
app.command()(peer_commands.recognise)
app.command()(peer_commands.bring)
app.command()(client_commands.token)
app.command("sign-draft")(client_commands.sign_draft)
app.command("verify")(case_file_commands.verify_document)
app.command()(monitor_command.monitor)
app.command()(demo.demo)
app.add_typer(attachment_commands.app, name="attachment")
app.add_typer(node_commands.keys_app, name="keys")
proof_commands.log_app.command()(cosign_command.cosign)
proof_commands.log_app.command("check-fork")(monitor_command.check_fork)
app.add_typer(proof_commands.log_app, name="log")
app.add_typer(case_commands.app, name="case")
pack_commands.app.command("diff")(pack_diff.diff)
app.add_typer(pack_commands.app, name="pack")
app.add_typer(register_commands.app, name="register")
app.add_typer(import_commands.app, name="import")
app.add_typer(witness_commands.app, name="witness")


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
    """Run the command line.

    Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 the store cannot be used, 70 a fault of Gardesh itself,
    130 interrupted.
    """
    seldom_collect()
    try:
        app()
    except Problem as problem:
        output.show_problem(problem)
        sys.exit(3 if problem.kind.status == 503 else 1)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as fault:  # the last stop: a fault of ours must not look like the user's
        if os.environ.get("GARDESH_DEBUG"):
            raise
        if isinstance(fault, OSError) and fault.filename is not None:
            output.show_problem(Problem(FILE_UNUSABLE, file=str(fault.filename), reason=of_os(fault)))
            sys.exit(1)
        output.show_problem(Problem(INTERNAL_FAULT, fault=f"{type(fault).__name__}: {fault}"))
        sys.exit(70)
