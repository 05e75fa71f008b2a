"""Asking what waits: cases, plan, why, worklists."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Any

import typer

from gardesh.cli import output
from gardesh.cli.home import now as clock
from gardesh.cli.home import open_views
from gardesh.cli.titles import Titles
from gardesh.expectation import returned_to
from gardesh.model.case import Case
from gardesh.model.path import Piece, by_office, critical_path
from gardesh.record.cases import Cases
from gardesh.record.registers import Registers

app = typer.Typer(no_args_is_help=True, help="List, export and verify cases.")
CaseName = Annotated[
    str,
    typer.Argument(
        help="The case: the beginning of its id, or a business key such as order-number=12345678."
    ),
]
At = Annotated[str | None, typer.Option("--at", help="As of this instant (ISO 8601); default: now.")]

STATES = {
    "new": ("new", "تازه"),
    "gone": ("gone", "دیگر نیست"),
    "due": ("due", "سررسید"),
    "overdue": ("overdue", "گذشته از مهلت"),
    "blocked": ("blocked", "در انتظار"),
    "unknown": ("not known yet", "هنوز نامعلوم"),
    "issued": ("issued", "صادر شده"),
    "returned": ("returned", "برگشت برای رفع نقص"),
    "refused": ("refused", "رد شده"),
    "doubtful": ("doubtful", "محل تردید"),
    "not-applicable": ("not applicable", "موضوعیت ندارد"),
    "open": ("open", "باز"),
    "closed": ("closed", "بسته"),
    "withdrawn": ("withdrawn", "انصراف داده"),
}


def state(name: str) -> str:
    return output.t(*STATES.get(name, (name, name)))


class Status(StrEnum):
    """The state of a case."""

    open = "open"
    closed = "closed"
    withdrawn = "withdrawn"


@app.command("list")
def list_cases(
    opener: Annotated[
        str | None, typer.Option("--opener", help="Only those this organisation opened.")
    ] = None,
    status: Annotated[Status | None, typer.Option("--status", help="Only those in this state.")] = None,
    rests_on: Annotated[
        str | None,
        typer.Option("--rests-on", help="Only those in which a document of this organisation stands."),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000)] = 50,
) -> None:
    """The newest cases."""
    _, _, views = open_views()
    rows = views.cases(opener, status, limit, rests_on)
    if output.as_json():
        output.emit(rows)
        return
    if not rows:
        output.say("There are no cases yet.", "هنوز پرونده‌ای نیست.")
        return
    headings = [
        ("case", "پرونده"),
        ("procedure", "رویه"),
        ("opener", "گشاینده"),
        ("opened", "گشایش"),
        ("state", "وضعیت"),
    ]
    output.table(
        headings,
        [
            [r["case"][:12], r["procedure"], r["opener"], output.when(r["opened_at"]), state(r["status"])]
            for r in rows
        ],
    )


def plan(case: CaseName, at: At = None) -> None:
    """What can be issued now, by whom and until when; what was returned; and what is not known yet."""
    store, library, views = open_views()
    moment = clock(at)
    found = views.plan(views.find_case(case), moment)
    for wait in found["returned"]:
        name_mender(wait, Cases(store, library, Registers(store)).get(found["case"]))
    if output.as_json():
        output.emit(found)
        return
    titles = Titles(views.procedure(views.case(found["case"])))
    output.console.print(f"[bold]{found['case'][:12]}[/bold]  {state(found['status'])}")
    show_waits(found["due"] + found["returned"], titles)
    tell_more(found["more"], titles)
    for wait in found["returned"]:
        show_deficiencies(wait, titles)
    for wait in found["unknown"]:
        output.say(
            "{slot}: not known before {waits}",
            "{slot}: تا رسیدن {waits} معلوم نیست",
            slot=titles.slot(wait["slot"]),
            waits=output.t(", ", "، ").strip("\u200f").join(map(titles.slot, wait["waits_on"])),
        )
    if not (found["due"] or found["returned"] or found["unknown"]):
        output.say("Nothing is waiting.", "چیزی در انتظار نیست.")
    tell_time(found["due"] + found["returned"], found["at"], moment)


def name_mender(wait: dict[str, Any], case: Case) -> None:
    """Put into the row of a returned slot who is to mend what was found wrong."""
    wait["returned_to"] = returned_to(case, wait.get("deficiencies") or ())


def show_deficiencies(wait: dict[str, Any], titles: Titles) -> None:
    for said in wait.get("deficiencies") or ():
        reason = said.get("reason") or {}
        output.console.print(
            f"  {titles.slot(wait['slot'])}: {titles.slot(str(said.get('step')))}"
            f" {output.ltr(str(said.get('field') or ''))} {reason.get(output.lang(), '')}",
            markup=False,
        )


def tell_more(more: dict[str, int], titles: Titles) -> None:
    for step, count in more.items():
        output.say(
            "{step}: {count} more wait.",
            "{step}: {count} جایگاه دیگر در انتظار است.",
            step=titles.slot(step),
            count=output.number(count),
        )


def tell_time(waits: list[dict[str, Any]], seen: int, now: int) -> None:
    """Nothing here records: what a term means that passed since the case was last looked at is `tick`'s to write."""
    if any(w["deadline"] is not None and seen < w["deadline"] <= now for w in waits):
        output.say(
            "Terms have passed since {t}; `gardesh tick` records what that means.",
            "از {t} تاکنون مهلت‌هایی گذشته است؛ «gardesh tick» معنای آن را ثبت می‌کند.",
            t=output.when(seen),
        )


def show_waits(waits: list[dict[str, Any]], titles: Titles) -> None:
    if waits:
        headings = [("slot", "جایگاه"), ("state", "وضعیت"), ("who", "با"), ("since", "از"), ("until", "تا")]
        output.table(
            headings,
            [
                [
                    titles.slot(w["slot"]),
                    state(w["state"]),
                    titles.who(w),
                    output.when(w["since"]),
                    output.when(w["deadline"]),
                ]
                for w in waits
            ],
        )


def why(case: CaseName, at: At = None) -> None:
    """The chain of waits that holds the case back; of a closed case, its critical path."""
    store, library, views = open_views()
    case_id = views.find_case(case)
    moment = clock(at)
    found = views.why(case_id, moment)
    if any("deficiencies" in node for node in nodes(found["goal"])):
        live = Cases(store, library, Registers(store)).get(case_id)
        for node in nodes(found["goal"]):
            if "deficiencies" in node:
                name_mender(node, live)
    if found["status"] == "closed":
        live = Cases(store, library, Registers(store)).get(case_id)
        pieces = critical_path(live)
        if output.as_json():
            output.emit(
                {**found, "critical_path": [piece_row(p) for p in pieces], "by_office": by_office(pieces)}
            )
            return
        show_path(pieces)
        return
    if output.as_json():
        output.emit(found)
        return
    titles = Titles(views.procedure(views.case(case_id)))
    output.console.print(f"[bold]{case_id[:12]}[/bold]  {state(found['status'])}")
    for node in found["goal"]:
        show_chain(node, 0, titles)
    tell_more(found["more"], titles)
    tell_time(list(nodes(found["goal"])), found["at"], moment)


def nodes(chain: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Every node of a chain of waits, from the goal down."""
    for node in chain:
        yield node
        yield from nodes(node["waits_on"])


CHAIN = {
    "en": ("  waits on {who}, since {since}", ", until {until}"),
    "fa": ("  در انتظارِ {who}، از {since}", "، تا {until}"),
}


def show_chain(node: dict[str, Any], depth: int, titles: Titles) -> None:
    line = f"{'  ' * depth}{'└ ' if depth else ''}{titles.slot(node['slot'])}  {state(node['state'])}"
    if node["state"] in ("due", "overdue", "returned", "refused"):
        waits, until = CHAIN[output.lang()]
        line += waits.format(who=titles.who(node), since=output.when(node["since"]))
        if node["deadline"] is not None:
            line += until.format(until=output.when(node["deadline"]))
    if node.get("shown_above"):
        line += "  ↑"
    output.console.print(line, markup=False)
    for below in node["waits_on"]:
        show_chain(below, depth + 1, titles)


def piece_row(piece: Piece) -> dict[str, Any]:
    return {
        "since": piece.since, "until": piece.until, "office": piece.office, "slot": piece.slot, "act": piece.act,
        "kind": piece.kind, "working_ms": piece.working_ms, "resting_ms": piece.resting_ms,
    }  # fmt: skip


def show_path(pieces: list[Piece], width: int = 40) -> None:
    """The critical path: a bar for each piece, then the total of each office."""
    total = max(1, sum(p.until - p.since for p in pieces))
    rows = []
    for piece in pieces:
        share = (piece.until - piece.since) / total
        bar = "█" * round(share * width) or "▏"
        rows.append(
            [
                piece.office,
                piece.slot,
                output.span(piece.until - piece.since),
                output.span(piece.working_ms),
                bar,
            ]
        )
    headings = [
        ("office", "نهاد"),
        ("for", "برای"),
        ("calendar time", "زمان تقویمی"),
        ("working time", "وقت اداری"),
        ("", ""),
    ]
    output.table(headings, rows)
    output.say("In all {t}:", "روی هم {t}:", t=output.span(total))
    offices = sorted(by_office(pieces).items(), key=lambda o: -o[1]["calendar_ms"])
    output.table(
        [
            ("office", "نهاد"),
            ("calendar time", "زمان تقویمی"),
            ("working time", "وقت اداری"),
            ("share", "سهم"),
        ],
        [
            [
                o,
                output.span(r["calendar_ms"]),
                output.span(r["working_ms"]),
                output.percent(r["calendar_ms"] / total),
            ]
            for o, r in offices
        ],
    )


def worklist(
    org: Annotated[str, typer.Argument(help="The organisation.")],
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000)] = 50,
    at: At = None,
) -> None:
    """What waits on an organisation, by deadline."""
    store, _, views = open_views()
    moment = clock(at)
    roles = Registers(store).roles(org, moment)
    rows = views.worklist(org, roles, moment, limit)
    if output.as_json():
        output.emit(rows)
        return
    if not rows:
        output.say("Nothing waits on {org}.", "چیزی در انتظار {org} نیست.", org=org)
        if not roles:
            output.say("It holds no role on this log.", "در این دفتر نقشی ندارد.")
        return
    headings = [("case", "پرونده"), ("slot", "جایگاه"), ("state", "وضعیت"), ("since", "از"), ("until", "تا")]
    output.table(
        headings,
        [
            [
                r["case"][:12],
                Titles(views.procedure(views.case(r["case"]))).slot(r["slot"]),
                state(r["state"]),
                output.when(r["since"]),
                output.when(r["deadline"]),
            ]
            for r in rows
        ],
    )
