"""Asking: cases, plan, why, worklists, documents."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from gardesh.cli import output
from gardesh.cli.home import now as clock
from gardesh.cli.home import open_node, open_views
from gardesh.model.document import Envelope, parse
from gardesh.model.path import Piece, by_office, critical_path
from gardesh.model.problem import Problem
from gardesh.model.slot import DUE
from gardesh.record.cases import Cases
from gardesh.record.registers import Registers
from gardesh.record.views import Views

app = typer.Typer(no_args_is_help=True, help="List, export and verify cases.")
CaseName = Annotated[
    str,
    typer.Argument(
        help="The case: the beginning of its id, or a business key such as order-number=12345678."
    ),
]
At = Annotated[str | None, typer.Option("--at", help="As of this instant (ISO 8601); default: now.")]

STATES = {
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


def who(wait: dict[str, Any]) -> str:
    return str(wait.get("by") or wait.get("role") or wait.get("from") or "—")


@app.command("list")
def list_cases(
    opener: Annotated[
        str | None, typer.Option("--opener", help="Only those this organisation opened.")
    ] = None,
    status: Annotated[str | None, typer.Option("--status", help="open, closed or withdrawn.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000)] = 50,
) -> None:
    """The newest cases."""
    _, _, views = open_views()
    rows = views.cases(opener, status, limit)
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
    """What can be issued now, by whom and until when; and what is not known yet."""
    _, _, views = open_views()
    found = views.plan(views.find_case(case), clock(at))
    if output.as_json():
        output.emit(found)
        return
    output.console.print(f"[bold]{found['case'][:12]}[/bold]  {state(found['status'])}")
    show_waits(found["due"] + found["returned"])
    for wait in found["unknown"]:
        output.say(
            "{slot}: not known before {waits}",
            "{slot}: تا رسیدن {waits} معلوم نیست",
            slot=wait["slot"],
            waits="، ".join(wait["waits_on"]) if output.lang() == "fa" else ", ".join(wait["waits_on"]),
        )
    if not (found["due"] or found["returned"] or found["unknown"]):
        output.say("Nothing is waiting.", "چیزی در انتظار نیست.")


def show_waits(waits: list[dict[str, Any]]) -> None:
    if waits:
        headings = [("slot", "جایگاه"), ("state", "وضعیت"), ("who", "با"), ("since", "از"), ("until", "تا")]
        output.table(
            headings,
            [
                [w["slot"], state(w["state"]), who(w), output.when(w["since"]), output.when(w["deadline"])]
                for w in waits
            ],
        )


def why(case: CaseName, at: At = None) -> None:
    """The chain of waits that holds the case back; of a closed case, its critical path."""
    store, library, views = open_views()
    case_id = views.find_case(case)
    found = views.why(case_id, clock(at))
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
    output.console.print(f"[bold]{case_id[:12]}[/bold]  {state(found['status'])}")
    for node in found["goal"]:
        show_chain(node, 0)


def show_chain(node: dict[str, Any], depth: int) -> None:
    line = f"{'  ' * depth}{'└ ' if depth else ''}{node['slot']}  {state(node['state'])}"
    if node["state"] in ("due", "overdue", "returned", "refused"):
        line += f"  {output.t('waits on', 'در انتظارِ')} {who(node)}, {output.t('since', 'از')} {output.when(node['since'])}"
        if node["deadline"] is not None:
            line += f", {output.t('until', 'تا')} {output.when(node['deadline'])}"
    if node.get("shown_above"):
        line += "  ↑"
    output.console.print(line, markup=False)
    for below in node["waits_on"]:
        show_chain(below, depth + 1)


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
                output.number(f"{r['calendar_ms'] * 100 // total}%"),
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
    rows = views.worklist(org, Registers(store).roles(org, moment), moment, limit)
    if output.as_json():
        output.emit(rows)
        return
    if not rows:
        output.say("Nothing waits on {org}.", "چیزی در انتظار {org} نیست.", org=org)
        return
    headings = [("case", "پرونده"), ("slot", "جایگاه"), ("state", "وضعیت"), ("since", "از"), ("until", "تا")]
    output.table(
        headings,
        [
            [
                r["case"][:12],
                r["slot"],
                state(r["state"]),
                output.when(r["since"]),
                output.when(r["deadline"]),
            ]
            for r in rows
        ],
    )


def show(
    name: Annotated[str, typer.Argument(help="A case, or a document by its digest or position.")],
    document: Annotated[
        bool, typer.Option("--document", "-d", help="The document, where a case has the same name.")
    ] = False,
    raw: Annotated[bool, typer.Option("--raw", help="The document's bytes as they were signed.")] = False,
    reader: Annotated[
        str | None,
        typer.Option(
            "--as", help="Read it as this organisation: only what its steps need; the read is recorded."
        ),
    ] = None,
    purpose: Annotated[str, typer.Option("--purpose", help="With --as: why it is read.")] = "",
    readers: Annotated[bool, typer.Option("--readers", help="Who read the document.")] = False,
) -> None:
    """Show a case with its documents, or one document."""
    if readers or reader is not None:
        return show_read(name, reader, purpose, raw, readers)
    _, _, views = open_views()
    if not document:
        try:
            return show_case(views, views.find_case(name))
        except Problem as problem:
            if problem.code != "no-such-case":
                raise
    position, at, case_id, data = views.document(name)
    if raw:
        typer.echo(data.decode())
        return None
    told = {"position": position, "recorded_at": at, "case": case_id, **content(parse(data))}
    return tell_document(told)


def show_read(name: str, reader: str | None, purpose: str, raw: bool, readers: bool) -> None:
    """Read as an organisation, or see who did."""
    node = open_node()
    if reader is not None:
        paper, right = node.read(reader, name, purpose, clock())
        if raw:
            typer.echo(paper.data.decode())
        else:
            tell_document({**content(paper), "right": right if isinstance(right, str) else list(right)})
    if readers:
        rows = node.readers(name)
        if output.as_json():
            output.emit(rows)
        else:
            headings = [("at", "زمان"), ("reader", "خواننده"), ("fields", "فیلدها"), ("purpose", "هدف")]
            output.table(
                headings, [[output.when(r["at"]), r["reader"], r["fields"], r["purpose"]] for r in rows]
            )
    node.close()


def content(envelope: Envelope) -> dict[str, Any]:
    """A document's own fields, with stable names."""
    return {
        "digest": envelope.digest.hex(),
        "issuer": envelope.issuer,
        "type": envelope.type,
        "step": envelope.step,
        "key": envelope.key or "",
        "act": envelope.act,
        "outcome": envelope.outcome,
        "basis": {slot: digest.hex() for slot, digest in envelope.basis},
        "subject": envelope.subject,
    }


def tell_document(told: dict[str, Any]) -> None:
    if output.as_json():
        output.emit(told)
        return
    for field, value in told.items():
        if field in ("subject", "basis"):
            continue
        shown = output.when(value) if field == "recorded_at" else str(value)
        output.console.print(f"{field:>12}  {shown}", markup=False)
    output.console.print_json(data=told["subject"], default=str)


def show_case(views: Views, case_id: str) -> None:
    row, documents = views.case(case_id), views.documents(case_id)
    if output.as_json():
        slots = [dict(zip(("step", "key", "state", "head", "at"), s, strict=True)) for s in row.slots]
        output.emit(
            {
                "case": row.id,
                "procedure": f"{row.pack} {row.procedure}",
                "opener": row.opener,
                "status": row.status,
                "opened_at": row.opened_at,
                "closed_at": row.closed_at,
                "slots": slots,
                "documents": documents,
            }  # fmt: skip
        )
        return
    output.console.print(
        f"[bold]{row.id}[/bold]\n{row.pack} {row.procedure}  {row.opener}  {state(row.status)}"
    )
    output.table(
        [("step", "گام"), ("key", "کلید"), ("state", "وضعیت"), ("document", "سند"), ("at", "زمان")],
        [
            [s[0], s[1], state(DUE if s[2] == DUE else s[2]), (s[3] or "—")[:12], output.when(s[4])]
            for s in row.slots
            if s[2] != "not-applicable"
        ],
    )
    output.say("{n} documents", "{n} سند", n=len(documents))
