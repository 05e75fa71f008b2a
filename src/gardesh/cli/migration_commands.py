"""Moving open cases to another version of their pack, and what that would change: migrate."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any

import typer

from gardesh import draft as drafting
from gardesh.cli import output
from gardesh.cli.case_commands import state
from gardesh.cli.home import keys, open_node
from gardesh.cli.home import now as clock
from gardesh.cli.node_commands import At, tell_accepted
from gardesh.model.migration import Moved, differences
from gardesh.node import Node
from gardesh.record.views import Views


def migrate(
    origin: Annotated[str, typer.Argument(metavar="FROM", help="The earlier version, as trade@1.0.0.")],
    to: Annotated[
        str, typer.Argument(metavar="TO", help="The version to go on under; it was adopted before.")
    ],
    case: Annotated[
        list[str] | None,
        typer.Option("--case", help="Only this case; may be repeated. Default: all that are open."),
    ] = None,
    preview: Annotated[
        bool, typer.Option("--preview", help="Show what would change, slot by slot, and change nothing.")
    ] = False,
    steward: Annotated[str, typer.Option("--steward")] = "steward",
    at: At = None,
) -> None:
    """Move open cases to another version of their pack: their documents are folded again under it."""
    node = open_node()
    moment = clock(at)
    views = Views(node.store, node.library)
    named = [views.find_case(name) for name in case] if case else None
    subject: dict[str, Any] = {"from": origin, "to": to}
    if named is not None:
        subject["cases"] = named
    if preview:
        node.intake.pass_time(moment)
        show_moves(node.sequencer.moves.planned(origin, subject, moment))
    else:
        tell_accepted(submit(node, subject, steward, moment))
    node.close()


def submit(node: Node, subject: dict[str, Any], steward: str, moment: int) -> Any:
    core = next(label for label in node.library.packs if label.startswith("core@"))
    procedure = node.library.procedure(core, "migration")
    claims = drafting.draft(procedure, None, "migration", issuer=steward, at=moment)
    paper = drafting.issue(claims, subject, keys().load(steward), procedure)
    return node.intake.submit(paper, moment)


def show_moves(moves: list[Moved]) -> None:
    """How many cases move, and of each step how many slots change from which state to which."""
    told = {moved.case.id: differences(moved) for moved in moves}
    sums = Counter(
        (row["slot"].partition(":")[0], row["before"], row["after"], row["asked"])
        for rows in told.values()
        for row in rows
    )
    if output.as_json():
        names = ("step", "before", "after", "asked", "slots")
        changes = [dict(zip(names, (*what, count), strict=True)) for what, count in sorted(sums.items())]
        output.emit({"cases": len(moves), "changes": changes, "each": told})
        return
    output.say("Cases: {n}", "پرونده‌ها: {n}", n=len(moves))
    if not sums:
        output.say("Nothing changes for anybody.", "برای هیچ‌کس چیزی دگرگون نمی‌شود.")
        return
    headings = [
        ("step", "گام"),
        ("before", "پیش از آن"),
        ("after", "پس از آن"),
        ("asked for", "خواسته می‌شود"),
        ("slots", "شمار"),
    ]
    yes = {"yes": output.t("yes", "آری"), "no": output.t("no", "نه")}
    rows = [
        [step, state(before), state(after), yes[asked], output.number(count)]
        for (step, before, after, asked), count in sorted(sums.items())
    ]
    output.table(headings, rows)
