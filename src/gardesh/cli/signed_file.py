"""What `sign` and `sign-draft` give: a document, or the COSE Signed Statement of it, in a file or on standard output."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gardesh.cli import output
from gardesh.model import signed_statement
from gardesh.model.canonical import Limits
from gardesh.model.jose import SigningKey

Cose = Annotated[
    bool,
    typer.Option("--cose", help="Write it as a COSE Signed Statement (SCITT), which POST /entries takes."),
]


def give(paper: bytes, key: SigningKey, cose: bool, out: Path | None) -> None:
    """Write a document that `key` has signed; with `cose`, the statement of it, which the same key signs."""
    if cose:
        paper = signed_statement.make(paper, key, Limits(size=len(paper))).encode()
    if out is not None:
        out.write_bytes(paper)
        output.say("Signed: {f}", "امضا شد: {f}", f=str(out))
    elif cose:
        typer.echo(paper, nl=False)
    else:
        typer.echo(paper.decode())
