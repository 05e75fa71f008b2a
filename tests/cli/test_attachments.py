"""Attachments on the command line: kept, named by a document, taken along, read by who may."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from test_commands import Shell, node, template  # noqa: F401 (fixtures)

AT = ("--at", "2026-01-03T09:00:00+03:30")


def asked(shell: Shell, *more: str) -> Path:
    subject = shell.home / "subject.json"
    subject.write_text(json.dumps({"applicant": "0499370899", "wish": "a bench"}), encoding="utf-8")
    paper = shell.home / "request.sd-jwt"
    words = (
        "sign",
        "parks/request",
        "request",
        "--as",
        "sara",
        "--subject",
        str(subject),
        "--out",
        str(paper),
    )
    shell(*words, *more, *AT)
    return paper


@pytest.fixture
def sketch(node: Shell) -> Path:  # noqa: F811
    path = node.home / "sketch.png"
    path.write_bytes(b"\x89PNG and the rest")
    return path


def test_an_attachment_goes_with_its_document(node: Shell, sketch: Path) -> None:  # noqa: F811
    case = node.json("submit", str(asked(node, "--attach", str(sketch))), *AT)["case"]
    (listed,) = node.json("attachment", "list", case[:16])
    assert (listed["name"], listed["size"], listed["media_type"], listed["here"]) == (
        "sketch.png",
        17,
        "image/png",
        True,
    )
    out = node.home / "out.png"
    words = ("attachment", "get", case[:16], listed["digest"][:10], "--out", str(out))
    node(*words, "--as", "sara", "--purpose", "a look")
    assert out.read_bytes() == sketch.read_bytes()
    assert node.json("attachment", "get", *words[2:], "--as", "stranger", code=1)["code"] == "not-readable"
    readers: Any = node.json("show", case[:16], "--document", "--readers")
    assert [(r["reader"], r["purpose"]) for r in readers] == [("sara", "a look")]
    file = node.home / "case.zip"
    node("case", "export", case, "--out", str(file))
    assert node.json("case", "verify", str(file))["attachments"] == 1
    node("case", "export", case, "--out", str(file), "--attachments", "0", "--no-linked")
    found = node.json("case", "verify", str(file))
    assert (found["whole"], found["attachments_left_out"]) == (True, [listed["digest"]])


def test_a_document_whose_attachment_is_not_here_is_refused_until_it_is(node: Shell, sketch: Path) -> None:  # noqa: F811
    paper = asked(node, "--attach", str(sketch))
    kept = next(p for p in (node.home / "node" / "blobs").rglob("*") if p.is_file())
    kept.unlink()
    refused = node.json("submit", str(paper), *AT, code=1)
    assert (refused["code"], refused["pointer"]) == ("attachment-missing", "/attachments/0")
    assert node.json("attachment", "put", str(sketch))[0]["size"] == 17
    first = node.json("submit", str(paper), *AT)
    kept.unlink()
    assert node.json("submit", str(paper), *AT)["position"] == first["position"]


def test_the_limit_is_a_setting(node: Shell, sketch: Path) -> None:  # noqa: F811
    node.patch.setenv("GARDESH_ATTACHMENT_LIMIT", "10")
    assert node.json("attachment", "put", str(sketch), code=1)["code"] == "blob-too-large"
    node.patch.setenv("GARDESH_ATTACHMENT_LIMIT", "much")
    assert "number of bytes" in node("attachment", "put", str(sketch), code=2)
