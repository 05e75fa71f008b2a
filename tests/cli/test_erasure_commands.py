"""Erasure and retention as the how-to page says them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from test_commands import Shell, node, request, template  # noqa: F401

AT = ("--at", "2026-01-04T09:00:00+03:30")


def written(node: Shell, name: str, content: dict[str, Any]) -> str:  # noqa: F811
    path = node.home / f"{name}.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return str(path)


def sent(node: Shell, *words: str, subject: dict[str, Any], at: tuple[str, ...] = AT) -> dict[str, Any]:  # noqa: F811
    paper = node.home / "paper.sd-jwt"
    paper.unlink(missing_ok=True)
    node("sign", *words, "--subject", written(node, "subject", subject), "--out", str(paper), *at)
    accepted: dict[str, Any] = node.json("submit", str(paper), *at)
    return accepted


def test_a_wish_is_erased_and_the_audit_says_by_what(node: Shell, tmp_path: Path) -> None:  # noqa: F811
    first = request(node, "a secret bench")
    sent(node, first["case"], "answer", "--as", "city", "--outcome", "approved", subject={})
    target = {
        "documents": [{"document": first["digest"], "fields": ["wish"]}],
        "ground": "the applicant asks for it",
    }
    backups = str(tmp_path / "backups")
    node("backup", backups)
    asked = sent(node, "core/erasure", "erasure-request", "--as", "sara", subject=target)
    decided = sent(node, asked["case"], "erasure", "--as", "steward", "--outcome", "approved", subject=target)
    told = node.json("audit")
    assert told["whole"] is True
    assert [(e["position"], e["fields"], e["decision"]) for e in told["erased"]] == [
        (first["position"], ["wish"], decided["digest"])
    ]
    assert f"Erased by decision {decided['position']}" in node("audit")
    assert "پاک‌شده به تصمیم" in node("--lang", "fa", "audit")
    assert "a secret bench" not in node("show", first["digest"], "--as", "sara", "--purpose", "a look")
    assert "files of keys were put in the place of old ones" in node("backup", backups)
    assert node.json("verify-restore", backups)["whole"] is True
    assert node.json("rebuild")["differed"] == []


def test_retention_proposes_and_erases_nothing(node: Shell) -> None:  # noqa: F811
    procedure = next((node.home / "parks" / "procedures").glob("request.yaml"))
    procedure.write_text(procedure.read_text("utf-8") + "\nretention: 3mo\n", encoding="utf-8")
    pack = node.home / "parks" / "pack.yaml"
    version = next(line for line in pack.read_text("utf-8").splitlines() if line.startswith("version:"))
    pack.write_text(pack.read_text("utf-8").replace(version, "version: 9.0.0"), encoding="utf-8")
    first = request(node)
    sent(node, first["case"], "answer", "--as", "city", "--outcome", "approved", subject={})
    assert node.json("retention", "--at", "2027-01-01T00:00:00Z") == []
    node("adopt", str(node.home / "parks"), "--at", "2027-01-02T00:00:00Z")
    at = ("--at", "2027-01-03T00:00:00Z")
    (late,) = node.json("retention", *at)
    assert (late["case"], late["procedure"]) == (first["case"], "parks/request")
    assert first["case"][:16] in node("retention", *at)
    asked = node.json("retention", "--request", "sara", *at)
    assert node.json("retention", *at) == []
    assert "Nothing is kept longer" in node("retention", *at)
    before = node.json("audit")["erased"]
    subject = {"cases": [first["case"]], "ground": "retention", "keep": True}
    sent(node, asked["case"], "erasure", "--as", "steward", "--outcome", "approved", subject=subject, at=at)
    assert (before, len(node.json("audit")["erased"]) > 0) == ([], True)
