"""`gardesh attachment`: keep files that documents name by their digest, list and read them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gardesh.cli import output
from gardesh.cli.home import blobs, open_node, open_views
from gardesh.cli.home import now as clock
from gardesh.cli.node_commands import attached
from gardesh.model.document import parse
from gardesh.model.problem import Problem
from gardesh.record.blobs import NO_SUCH_BLOB

app = typer.Typer(
    no_args_is_help=True,
    help="Attachments of documents: files of any size, named by their SHA-256. GARDESH_ATTACHMENT_LIMIT limits one file's bytes.",
)
Document = Annotated[str, typer.Argument(help="The document: its position, or the beginning of its digest.")]


@app.command()
def put(
    files: Annotated[list[Path], typer.Argument(help="The files to keep.", exists=True, dir_okay=False)],
) -> None:
    """Keep files here, so that documents may name them. The same file again changes nothing."""
    claims = [attached(file) for file in files]
    if output.as_json():
        output.emit(claims)
        return
    for claim in claims:
        output.say(
            "{d}  {s} bytes  {n}", "{d}  {s} بایت  {n}", d=claim["id"][-64:], s=claim["size"], n=claim["name"]
        )


@app.command("list")
def list_attachments(document: Document) -> None:
    """The attachments that a document names, and whether they are here."""
    _, _, views = open_views()
    paper = parse(views.document(document)[3])
    kept = blobs()
    rows = [
        {
            "digest": named["id"][-64:],
            "size": named["size"],
            "media_type": named["mediaType"],
            "name": named.get("name"),
            "here": kept.size_of(bytes.fromhex(named["id"][-64:])) == named["size"],
        }
        for named in paper.attachments
    ]
    if output.as_json():
        output.emit(rows)
        return
    if not rows:
        output.say("The document names no attachment.", "سند پیوستی را نام نمی‌برد.")
        return
    here = {True: output.t("here", "هست"), False: output.t("missing", "نیست")}
    output.table(
        [("digest", "چکیده"), ("bytes", "بایت"), ("type", "نوع"), ("name", "نام"), ("", "")],
        [
            [r["digest"], output.number(r["size"]), r["media_type"], r["name"] or "—", here[r["here"]]]
            for r in rows
        ],
    )


@app.command()
def get(
    document: Document,
    digest: Annotated[str, typer.Argument(help="The attachment: the beginning of its digest.")],
    reader: Annotated[str, typer.Option("--as", help="The organisation that reads; the read is recorded.")],
    out: Annotated[Path, typer.Option("--out", help="Where to write it.")],
    purpose: Annotated[str, typer.Option("--purpose", help="What it is read for.")] = "",
) -> None:
    """Write an attachment to a file, for who may read its document whole."""
    node = open_node()
    _, _, views = open_views()
    paper = parse(views.document(document)[3])
    names = [a["id"][-64:] for a in paper.attachments if a["id"][-64:].startswith(digest.lower())]
    if len(names) != 1:
        raise Problem(NO_SUCH_BLOB, digest=digest)
    pieces = node.attachment(reader, document, bytes.fromhex(names[0]), purpose, clock())
    written = 0
    partial = out.with_name(out.name + ".part")
    try:
        with partial.open("wb") as target:
            for piece in pieces:
                written += target.write(piece)
        partial.replace(out)
    finally:
        partial.unlink(missing_ok=True)
    node.close()
    if output.as_json():
        output.emit({"file": str(out), "bytes": written, "digest": names[0]})
    output.say("{f}: {n} bytes", "{f}: {n} بایت", f=str(out), n=written)
