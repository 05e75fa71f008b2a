"""`gardesh case export`, `gardesh case verify`, `gardesh verify`: for those who trust nobody."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from gardesh.cli import output
from gardesh.cli.case_commands import CaseName
from gardesh.cli.case_commands import app as case_app
from gardesh.cli.files import read_file
from gardesh.cli.home import now as clock
from gardesh.cli.home import open_node, open_store
from gardesh.cli.proof_commands import log_policy, trust
from gardesh.exchange import case_file, case_file_check
from gardesh.model import canonical
from gardesh.model.document import parse
from gardesh.model.document import verify as verify_signature
from gardesh.model.jose import PublicKey
from gardesh.model.problem import Problem
from gardesh.model.receipt import parse as parse_receipt
from gardesh.model.receipt import verify as verify_receipt
from gardesh.record.registers import NOWHERE, Registers
from gardesh.record.views import Views

LogKeys = Annotated[
    list[str] | None, typer.Option("--log-key", help="Trust this key (vkey) for the log; may be repeated.")
]


@case_app.command()
def export(
    case: CaseName,
    out: Annotated[Path, typer.Option("--out", help="The file to write.")] = Path("case.gardesh.zip"),
) -> None:
    """Write one file with the whole case, which anyone can check with no network and no database."""
    node = open_node()
    data = case_file.export(node, Views(node.store, node.library).find_case(case))
    out.write_bytes(data)
    node.close()
    if output.as_json():
        output.emit({"file": str(out), "bytes": len(data)})
    output.say("{f}: {n} bytes", "{f}: {n} بایت", f=str(out), n=len(data))


@case_app.command()
def verify(
    file: Annotated[Path, typer.Argument(help="A case file; - for standard input.")],
    log_key: LogKeys = None,
    witness: Annotated[
        list[str] | None, typer.Option("--witness", help="A witness's key (vkey); may be repeated.")
    ] = None,
    quorum: Annotated[
        int, typer.Option("--quorum", min=0, help="How many witnesses must have co-signed.")
    ] = 0,
) -> None:
    """Check a case file: container, checkpoint, proofs, keys in force, signatures. Needs no node."""
    found = case_file_check.verify(read_file(file), trust(log_key or [], witness or [], quorum))
    if output.as_json():
        output.emit(
            {
                "whole": found.whole,
                "case": found.case,
                "origin": found.origin,
                "size": found.size,
                "root": found.root,
                "documents": found.documents,
                "problems": [p.as_dict() for p in found.problems],
            }
        )
    else:
        for problem in found.problems:
            output.show_problem(problem)
        if found.whole:
            output.say(
                "Whole: {d} documents of case {c}, on the log {o} of {s} entries. ✓",
                "درست: {d} سند از پرونده‌ی {c}، در دفتر {o} با {s} درایه. ✓",
                d=found.documents,
                c=found.case[:12],
                o=found.origin,
                s=found.size,
            )
    if not found.whole:
        raise typer.Exit(1)


def verify_document(
    file: Annotated[Path, typer.Argument(help="A document, whole or in part; - for standard input.")],
    key: Annotated[
        Path | None,
        typer.Option("--key", help="The issuer's public JWK; default: what this node's register says."),
    ] = None,
    receipt: Annotated[Path | None, typer.Option("--receipt", help="Its receipt (tlog-proof).")] = None,
    log_key: LogKeys = None,
) -> None:
    """Check one document: its disclosures, its signature, and with --receipt its place on the log."""
    paper = parse(read_file(file).strip())
    if key is not None:
        jwk = canonical.decode(read_file(key))
    else:
        value = Registers(open_store()).value("core/keys", paper.kid, NOWHERE, clock())
        if value is None:
            raise Problem("key-unknown", kid=paper.kid)
        jwk = value["jwk"]
    verify_signature(paper, PublicKey.from_jwk(jwk))
    told: dict[str, Any] = {
        "digest": paper.digest.hex(),
        "issuer": paper.issuer,
        "type": paper.type,
        "shown": paper.subject,
    }
    if receipt is not None:
        policy = trust(log_key or [], [], 0) or log_policy(open_store())
        proven = verify_receipt(parse_receipt(read_file(receipt)), paper.digest, policy)
        told |= {"position": proven.position, "recorded_at": proven.recorded_at}
    if output.as_json():
        output.emit(told)
    output.say("Signed by {o}: {t} ✓", "امضای {o}: {t} ✓", o=paper.issuer, t=paper.type)
    if receipt is not None:
        output.say("On the log at position {p} ✓", "در جایگاه {p} دفتر ✓", p=told["position"])
