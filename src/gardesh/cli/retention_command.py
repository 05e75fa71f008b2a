"""What is kept longer than its pack says, and asking for its erasure."""

from __future__ import annotations

from typing import Annotated

import typer

from gardesh import draft as drafting
from gardesh.cli import output
from gardesh.cli.home import keys, open_node
from gardesh.cli.home import now as clock
from gardesh.cli.node_commands import At, tell_accepted
from gardesh.retention import overdue, requests


def retention(
    request: Annotated[
        str | None,
        typer.Option(
            "--request",
            metavar="ORG",
            help="Ask, as this organisation, that these cases be erased: submits the requests.",
        ),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000)] = 1_000,
    at: At = None,
) -> None:
    """List cases whose contents are kept longer than their pack says. Nothing is erased: that takes a decision."""
    node = open_node()
    moment = clock(at)
    node.intake.pass_time(moment)
    late = overdue(node, moment, limit)
    if request is None:
        if output.as_json():
            output.emit([{name: getattr(each, name) for name in each.__slots__} for each in late])
        elif not late:
            output.say("Nothing is kept longer than it may be.", "چیزی بیش از مدت نگهداری نشده است.")
        for each in late if not output.as_json() else ():
            output.say(
                "{c}  {p}: ended {e}, to be kept until {u}",
                "{c}  {p}: پایان {e}، نگهداری تا {u}",
                c=each.case[:16],
                p=each.procedure,
                e=output.when(each.ended_at),
                u=output.when(each.kept_until),
            )
    else:
        procedure = node.library.procedure(node.label_in_force("core", moment), "erasure")
        signer = keys().load(request)
        for subject in requests(late):
            claims = drafting.draft(procedure, None, procedure.opening.name, issuer=request, at=moment)
            tell_accepted(node.intake.submit(drafting.issue(claims, subject, signer, procedure), moment))
    node.close()
