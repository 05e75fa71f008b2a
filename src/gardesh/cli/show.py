"""`gardesh show`: a case, a document, what an organisation may read, and who has read; and a document in part."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from gardesh.cli import output
from gardesh.cli.case_commands import state
from gardesh.cli.files import read_file
from gardesh.cli.home import now as clock
from gardesh.cli.home import open_node, open_views
from gardesh.cli.titles import Titles
from gardesh.model import reading
from gardesh.model.demand import slot_id
from gardesh.model.disclosure import names_something
from gardesh.model.document import Envelope, parse
from gardesh.model.problem import Problem, define
from gardesh.node import Node
from gardesh.record.erased import erased_of
from gardesh.record.views import Views

NO_SUCH_FIELD = define(
    "no-such-field",
    422,
    en="The document shows nothing at {field}.",
    fa="سند در {field} چیزی نشان نمی‌دهد.",
    hint_en="A field is a JSON pointer into the subject, as /goods/0/hs; * stands for any; `gardesh show` prints the subject.",
    hint_fa="فیلد اشاره‌گر JSON در موضوع سند است، مانند ‎/goods/0/hs‎؛ * یعنی هر کدام؛ «gardesh show» موضوع را چاپ می‌کند.",
)


def show(
    name: Annotated[
        str,
        typer.Argument(
            help="A case, or a document by its digest or position; what is a position is one first."
        ),
    ],
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
    if not document and not views.is_position(name):
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
    gone = erased_of(views.store, position)
    if gone is not None and gone.fields:
        told |= {"erased": sorted(gone.fields), "erased_by": gone.at}
    return tell_document(told)


def show_read(name: str, reader: str | None, purpose: str, raw: bool, readers: bool) -> None:
    """Read as an organisation, or see who did. Of a case: what the organisation may read of it."""
    node = open_node()
    if reader is not None and not readers and (case_id := case_named(Views(node.store, node.library), name)):
        show_rights(node, case_id, reader)
        node.close()
        return
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


def case_named(views: Views, name: str) -> str | None:
    """The case that `name` names, where no document is called so."""
    try:
        views.document(name)
    except Problem:
        try:
            return views.find_case(name)
        except Problem:
            return None
    return None


def show_rights(node: Node, case_id: str, reader: str) -> None:
    """Which documents of a case an organisation may read now, and how much of each."""
    case, now = node.sequencer.cases.get(case_id), clock()
    roles, known_as = node.sequencer.registers.roles(reader, now), node.known_as(reader, now)
    rows: list[dict[str, Any]] = []
    for step, steps in zip(case.procedure.steps, case.steps, strict=True):
        for key, slot in sorted(steps.slots.items()):
            if slot.head is not None:
                found = reading.right(case, reader, roles, step.name, key, slot.head, known_as)
                right = found if isinstance(found, str) else list(found)
                rows.append({"slot": slot_id(step, key), "head": slot.head.digest.hex(), "right": right})
    if output.as_json():
        output.emit(rows)
        return
    titles = Titles(case.procedure)
    words = {"all": output.t("all of it", "همه"), "none": output.t("nothing", "هیچ")}
    headings = [("slot", "جایگاه"), ("document", "سند"), ("may read", "حق خواندن")]
    shown = [
        [titles.slot(r["slot"]), r["head"][:12], words.get(str(r["right"])) or ", ".join(r["right"])]
        for r in rows
    ]
    output.table(headings, shown)


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


FIELDS = {
    "position": ("position", "جایگاه در دفتر"),
    "recorded_at": ("recorded at", "زمان ثبت"),
    "case": ("case", "پرونده"),
    "digest": ("digest", "چکیده"),
    "issuer": ("issuer", "صادرکننده"),
    "type": ("type", "نوع"),
    "step": ("step", "گام"),
    "key": ("key", "کلید"),
    "act": ("act", "کنش"),
    "outcome": ("outcome", "نتیجه"),
    "right": ("may read", "حق خواندن"),
    "erased": ("erased", "پاک‌شده"),
    "erased_by": ("by position", "با تصمیم جایگاه"),
}


def tell_document(told: dict[str, Any]) -> None:
    if output.as_json():
        output.emit(told)
        return
    for field, value in told.items():
        if field in ("subject", "basis"):
            continue
        shown = output.when(value) if field == "recorded_at" else value
        if value is None or value == "":
            continue
        shown = ", ".join(shown) if isinstance(shown, list) else str(shown)
        name = output.t(*FIELDS[field])
        output.console.print(f"{name:>12}  {shown}", markup=False)
    output.console.print_json(data=told["subject"], default=str)


def show_case(views: Views, case_id: str) -> None:
    row, documents = views.case(case_id), views.documents(case_id)
    if output.as_json():
        output.emit(
            {
                "case": row.id,
                "procedure": f"{row.pack} {row.procedure}",
                "opener": row.opener,
                "status": row.status,
                "opened_at": row.opened_at,
                "closed_at": row.closed_at,
                "slots": views.slots(case_id),
                "documents": documents,
            }  # fmt: skip
        )
        return
    titles = Titles(views.procedure(row))
    output.console.print(
        f"[bold]{row.id}[/bold]\n{row.pack} {row.procedure}  {row.opener}  {state(row.status)}"
    )
    output.table(
        [("step", "گام"), ("key", "کلید"), ("state", "وضعیت"), ("document", "سند"), ("at", "زمان")],
        [
            [
                titles.slot(s["step"]),
                s["key"],
                state(s["state"]),
                (s["head"] or "—")[:12],
                output.when(s["at"]),
            ]
            for s in views.slots(case_id)
            if s["state"] != "not-applicable"
        ],
    )
    output.say("Documents: {n}", "اسناد: {n}", n=len(documents))


def present(
    file: Annotated[Path, typer.Argument(help="A document; - for standard input.")],
    field: Annotated[
        list[str], typer.Option("--field", help="JSON pointer of a field to show; may be repeated.")
    ],
    out: Annotated[Path | None, typer.Option("--out")] = None,
) -> None:
    """Show a document in part: only the disclosures of these fields, still under the issuer's signature."""
    paper = parse(read_file(file).strip())
    for named in field:
        if not names_something(paper.subject, named):
            raise Problem(NO_SUCH_FIELD, named, field=named)
    shown = paper.show(field)
    if out is None:
        typer.echo(shown.decode())
    else:
        out.write_bytes(shown)
