"""A node whose record is in a PostgreSQL database, from the command line."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from test_commands import Shell

import stores

pytestmark = pytest.mark.postgresql
AT = ("--at", "2026-01-03T08:00:00+03:30")


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    return Shell(tmp_path, monkeypatch)


def test_every_command_uses_the_database_that_init_was_told_of(node: Shell, tmp_path: Path) -> None:
    url = stores.place(tmp_path).replace("postgres:@", "postgres:se-cret@")
    node("pack", "new", "parks", "--to", str(tmp_path))
    told = node.json("init", "--pack", str(tmp_path / "parks"), "--store", url, *AT)
    assert told["store"] == url.replace("se-cret", "***")
    kept = tmp_path / "node" / "store-url"
    assert kept.read_text(encoding="utf-8").strip() == url
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert not (tmp_path / "node" / "node.sqlite").exists()
    for org, role in (("sara", "applicant"), ("city", "office")):
        node("keys", "new", org)
        node("admit", org, "--role", role, *AT)
    subject, paper = tmp_path / "subject.json", tmp_path / "request.sd-jwt"
    subject.write_text(json.dumps({"applicant": "0499370899", "wish": "a bench"}), encoding="utf-8")
    words = ("--as", "sara", "--subject", str(subject), "--out", str(paper))
    node("sign", "parks/request", "request", *words, *AT)
    case = node.json("submit", str(paper), *AT)["case"]
    assert [w["slot"] for w in node.json("plan", case[:12])["due"]] == ["answer"]
    assert node.json("audit")["documents"] == 4
    assert node.json("rebuild") == {"documents": 4, "differed": []}


def test_a_database_holds_one_node_and_a_folder_one_record(node: Shell, tmp_path: Path) -> None:
    url = stores.place(tmp_path)
    node("init", "--store", url, *AT)
    assert "already-a-node" in node("init", "--store", stores.place(tmp_path), *AT, code=1)
    assert "already-a-node" in node("init", *AT, code=1)
    node.patch.setenv("GARDESH_HOME", str(tmp_path / "other"))
    assert "already-a-node" in node("init", "--store", url, *AT, code=1)
    assert not (tmp_path / "other").exists()


def test_what_is_no_database_is_refused_before_anything_is_made(node: Shell, tmp_path: Path) -> None:
    for url in (
        "mysql://some:se-cret@where/what",
        "postgresql://some:se-cret@/what?host=/nowhere",
        "node.db",
    ):
        said = node("init", "--store", url, *AT, code=3)
        assert "store-unusable" in said
        assert "se-cret" not in said
    assert not (tmp_path / "node").exists()


def test_a_database_that_is_gone_is_said_by_every_command(node: Shell, tmp_path: Path) -> None:
    (tmp_path / "node").mkdir()
    (tmp_path / "node" / "store-url").write_text("postgresql:///absent?host=/nowhere\n", encoding="utf-8")
    for words in (("case", "list"), ("audit",), ("tick",), ("register", "show", "core/keys")):
        assert "store-unusable" in node(*words, code=3)
