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
from gardesh.exchange import case_file_check
from gardesh.exchange.case_file_selection import ATTACHMENTS
from gardesh.exchange.case_file_selection import export as export_case
from gardesh.exchange.document_check import COSE, paper_of
from gardesh.exchange.document_check import verify_document as check_document
from gardesh.intake import ISSUER_MISMATCH, KEY_NOT_IN_FORCE, KEY_UNKNOWN
from gardesh.model import canonical
from gardesh.model.document import Envelope
from gardesh.model.jose import KEY_MALFORMED, PublicKey
from gardesh.model.problem import Problem
from gardesh.record.registers import NOWHERE, Registers
from gardesh.record.store import Store
from gardesh.record.views import Views

LogKeys = Annotated[
    list[str] | None, typer.Option("--log-key", help="Trust this key (vkey) for the log; may be repeated.")
]


@case_app.command()
def export(
    case: CaseName,
    out: Annotated[Path, typer.Option("--out", help="The file to write.")] = Path("case.gardesh.zip"),
    linked: Annotated[
        bool,
        typer.Option(help="With the cases it is linked with, whole; else only single documents it follows."),
    ] = True,
    attachments: Annotated[
        int,
        typer.Option(
            "--attachments", min=0, help="Take attachments along up to so many bytes in all; 0: none."
        ),
    ] = ATTACHMENTS,
) -> None:
    """Write one file with the whole case, which anyone can check with no network and no database."""
    node = open_node()
    case_id = Views(node.store, node.library).find_case(case)
    data = export_case(node, case_id, linked=linked, attachments=attachments)
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
    if (witness or quorum) and not log_key:
        raise typer.BadParameter("--witness and --quorum need --log-key")
    found = case_file_check.verify(read_file(file), trust(log_key or [], witness or [], quorum))
    if output.as_json():
        output.emit(
            {
                "whole": found.whole,
                "case": found.case,
                "procedure": found.procedure,
                "pack": found.pack,
                "origin": found.origin,
                "size": found.size,
                "root": found.root,
                "documents": found.documents,
                "reader": found.reader,
                "in_part": found.in_part,
                "left_out": found.unshown,
                "attachments": found.attachments,
                "attachments_left_out": found.left_out,
                "keys": found.keys,
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
            if found.reader is not None and (found.in_part or found.unshown):
                output.say(
                    "Made for {r}: {p} shown in part, {n} left out. What is shown is checked; what is not shown cannot be.",
                    "برای {r}: {p} سند در بخشی نشان داده شده و {n} کنار گذاشته شده است. تنها آنچه نشان داده شده وارسی شده است.",
                    r=found.reader,
                    p=found.in_part,
                    n=len(found.unshown),
                )
            if found.left_out:
                output.say(
                    "Attachments that are named but not in the file, and not checked: {n}.",
                    "پیوست‌هایی که نام برده شده ولی در فایل نیستند و وارسی نشده‌اند: {n}.",
                    n=len(found.left_out),
                )
            if not log_key:
                output.say(
                    "The log's key is the one that the file names; --log-key checks it against one you know.",
                    "کلید دفتر همان است که خود پرونده می‌گوید؛ با --log-key آن را با کلیدی که می‌شناسید بسنجید.",
                )
    if not found.whole:
        raise typer.Exit(1)


def verify_document(
    file: Annotated[
        Path,
        typer.Argument(
            help="A document, whole or in part, or a COSE Signed Statement of one; - for standard input."
        ),
    ],
    key: Annotated[
        Path | None,
        typer.Option("--key", help="The issuer's public JWK; default: what this node's register says."),
    ] = None,
    receipt: Annotated[
        Path | None, typer.Option("--receipt", help="Its receipt: a tlog-proof, or a COSE receipt.")
    ] = None,
    log_key: LogKeys = None,
) -> None:
    """Check one document: its disclosures, its signature, and with --receipt its place on the log."""
    data = read_file(file)
    data = data if data.startswith(COSE) else data.strip()
    known = given_key(read_file(key)) if key is not None else registered_key(open_store(), paper_of(data))
    proof = read_file(receipt) if receipt is not None else None
    policy = (trust(log_key or [], [], 0) or log_policy(open_store())) if proof is not None else None
    checked = check_document(data, [known], proof, policy)
    paper = checked.paper
    told: dict[str, Any] = {
        "digest": paper.digest.hex(),
        "issuer": paper.issuer,
        "type": paper.type,
        "whole": paper.complete,
        "shown": paper.subject,
    }
    if checked.recorded is not None:
        told |= {"position": checked.recorded.position, "recorded_at": checked.recorded.recorded_at}
    if output.as_json():
        output.emit(told)
    output.say("Signed by {o}: {t} ✓", "امضای {o}: {t} ✓", o=paper.issuer, t=paper.type)
    if checked.recorded is not None:
        output.say("On the log at position {p} ✓", "در جایگاه {p} دفتر ✓", p=told["position"])


def given_key(raw: bytes) -> PublicKey:
    """The key in a JWK file. Raises `key-malformed`, `key-private`, or what is wrong with the JSON."""
    jwk = canonical.decode(raw)
    if type(jwk) is not dict:
        raise Problem(KEY_MALFORMED)
    return PublicKey.from_jwk(jwk)


def registered_key(store: Store, paper: Envelope) -> PublicKey:
    """The issuer's key, in force where the document stands on this log, or now if it does not.

    Raises `key-unknown`, `issuer-mismatch`, `key-not-in-force`.
    """
    row = store.one("SELECT position, recorded_at FROM documents WHERE digest = ?", paper.digest)
    position, at = row if row is not None else (NOWHERE, clock())
    registers = Registers(store)
    # The genesis names its own signer's key: for it, the register is read as the genesis left it.
    value = registers.value("core/keys", paper.kid, max(position, 1), at)
    if value is None:
        raise Problem(KEY_UNKNOWN, kid=paper.kid)
    if value["org"] != paper.issuer:
        raise Problem(ISSUER_MISMATCH, kid=paper.kid, org=value["org"], issuer=paper.issuer)
    if value.get("state") != "in-force":
        raise Problem(KEY_NOT_IN_FORCE, kid=paper.kid, org=paper.issuer)
    return PublicKey.from_jwk(value["jwk"])
