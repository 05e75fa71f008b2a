"""Signed Statements (SCITT) on the command line: made by `sign --cose`, checked by `verify`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from test_commands import Shell, node, template  # noqa: F401 (fixtures)

from gardesh.model import signed_statement

AT = ("--at", "2026-01-03T09:00:00+03:30")


def test_a_document_is_signed_as_a_statement_and_checked_with_its_receipt(node: Shell) -> None:  # noqa: F811
    subject, out = node.home / "subject.json", node.home / "request.cose"
    subject.write_text(json.dumps({"applicant": "0499370899", "wish": "a bench"}), encoding="utf-8")
    words = ("sign", "parks/request", "request", "--as", "sara", "--subject", str(subject), "--cose", *AT)
    assert "Signed" in node(*words, "--out", str(out))
    statement = signed_statement.read(out.read_bytes())
    assert statement.document.subject == {"applicant": "0499370899", "wish": "a bench"}
    paper = node.home / "request.sd-jwt"
    paper.write_bytes(statement.data)
    position = node.json("submit", str(paper), *AT)["position"]
    receipt = node.home / "receipt.cose"
    node("log", "prove", str(position), "--cose", "--out", str(receipt))
    for file in (out, paper):
        told = node.json("verify", str(file), "--receipt", str(receipt))
        assert (told["digest"], told["position"]) == (statement.document.digest.hex(), position)
    other = signed_statement.read(printed(words))
    assert other.document.digest != statement.document.digest
    out.write_bytes(statement.encode()[:-1])
    assert node.json("verify", str(out), code=1)["code"].startswith("cbor-")


def printed(words: tuple[str, ...]) -> bytes:
    """What the command writes to standard output, in a process of its own: bytes, and nothing beside them."""
    program = str(Path(sys.executable).parent / "gardesh")
    return subprocess.run([program, *words], capture_output=True, check=True, timeout=60).stdout
