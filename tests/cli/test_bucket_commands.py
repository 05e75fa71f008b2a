"""Attachments, backups and the public log in a bucket, as those who run a node would use one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_attachments import asked, sketch  # noqa: F401 (a fixture)
from test_commands import Shell, node, template  # noqa: F401 (fixtures)

from object_stores import BUCKET, KEY, SECRET, ObjectStore, object_store

pytestmark = pytest.mark.sqlite
AT = ("--at", "2026-01-03T09:00:00+03:30")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    with object_store(tmp_path_factory.mktemp("weed")) as made:
        yield made


def test_a_node_keeps_nothing_but_its_record_and_keys(
    store: ObjectStore,
    node: Shell,  # noqa: F811
    sketch: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    home, said = node.home / "node", ""
    settings = f'[attachments]\nstore = "s3://{BUCKET}/attachments"\n'
    (home / "serve.toml").write_text(settings, encoding="utf-8")
    case = node.json("submit", str(asked(node, "--attach", str(sketch))), *AT)["case"]
    assert not [p for p in (home / "blobs").rglob("*") if p.is_file()]
    assert node.json("attachment", "list", case[:16])[0]["here"] is True
    digest = node.json("attachment", "list", case[:16])[0]["digest"]

    place = f"s3://{BUCKET}/backups"
    said += node("backup", place)
    assert node.json("backup", place)["files"] == 0
    tried = node.json("verify-restore", place)
    assert (tried["whole"], tried["named_attachments"]) == (True, 1)
    again = node.home / "again"
    said += node("restore", place, "--home", str(again))
    assert (again / "blobs" / digest[:2] / digest[2:]).read_bytes() == sketch.read_bytes()

    log = f"s3://{BUCKET}/log"
    assert node.json("log", "publish", log) == {"written": 3, "size": 5}
    said += node("log", "publish", log)
    said += node("--json", "serve", "--check") + node("serve", "--print-config")

    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET + "x")
    for words in (("backup", place), ("log", "publish", log), ("verify-restore", place)):
        for lang in ("en", "fa"):
            told = node("--lang", lang, *words, code=3)
            assert "403" in told
            said += told
    (home / "serve.toml").write_text(settings.replace("s3://", f"s3://{KEY}:{SECRET}@"), encoding="utf-8")
    said += node("serve", "--check", code=1)
    said += node("backup", f"s3://{KEY}:{SECRET}@{BUCKET}/x", code=3)
    assert SECRET not in said
    shutil.rmtree(again)
