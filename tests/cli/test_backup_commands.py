"""`backup`, `restore` and `verify-restore` as those who run a node would use them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from test_attachments import asked, sketch  # noqa: F401 (a fixture)
from test_commands import Shell, node, request, template  # noqa: F401 (fixtures)

import stores

AT = ("--at", "2026-01-03T09:00:00+03:30")


@pytest.fixture
def to(node: Shell) -> str:  # noqa: F811
    return str(node.home / "backups")


def test_a_node_is_backed_up_and_made_again(node: Shell, to: str, sketch: Path) -> None:  # noqa: F811
    case = node.json("submit", str(asked(node, "--attach", str(sketch))), *AT)["case"]
    done = node.json("backup", to)
    assert (done["number"], done["new"], done["documents"], done["attachments"]) == (1, True, 5, 1)
    assert done["written"] == sum(p.stat().st_size for p in Path(to).rglob("*") if p.is_file())
    again = node.json("backup", to)
    assert (again["number"], again["new"], again["files"], again["root"]) == (1, False, 0, done["root"])
    tried = node.json("verify-restore", to)
    assert (tried["whole"], tried["documents"], tried["named_attachments"]) == (True, 5, 1)
    assert (tried["root"], tried["registers"]["core/keys"]) == (done["root"], 5)
    home = node.home / "again"
    told = node.json("restore", to, "--home", str(home))
    assert (told["size"], told["root"], told["older"]) == (5, done["root"], False)
    assert told["keys"] == ["city", "node-clock", "node-log", "node-record", "sara", "steward", "stranger"]
    before = {words: node.json(*words) for words in (("case", "list"), ("keys", "list"), ("audit",))}
    shutil.rmtree(node.home / "node")
    node.patch.setenv("GARDESH_HOME", str(home))
    assert {words: node.json(*words) for words in before} == before
    assert node.json("attachment", "list", case[:16])[0]["here"] is True
    assert node.json("rebuild")["differed"] == []
    accepted = request(node, "another bench")
    assert accepted["position"] == 5
    assert node.json("audit")["whole"] is True
    assert node.json("backup", to)["documents"] == 1


def test_what_people_are_told(node: Shell, to: str) -> None:  # noqa: F811
    assert "Backup 1: 4 new documents" in node("backup", to)
    assert "Nothing is new since backup 1" in node("backup", to)
    request(node)
    assert "پشتیبان ۲" in node("--lang", "fa", "backup", to)
    assert "restores to a whole node" in node("verify-restore", to)
    assert "گرهی سالم" in node("--lang", "fa", "verify-restore", to)
    said = node("restore", to, "--home", str(node.home / "new"))
    assert "5 documents" in said
    assert "checkpoint of more than 5 documents" in said
    assert "older state" not in said
    said = node("restore", to, "--size", "4", "--home", str(node.home / "old"))
    assert "This is an older state: there is a backup of 5 documents" in said
    said = node("--lang", "fa", "restore", to, "--size", "4", "--home", str(node.home / "old-fa"))
    assert "دوشاخه" in said
    assert "no-backup-of-this-size" in node(
        "restore", to, "--size", "3", "--home", str(node.home / "x"), code=1
    )
    assert "home-not-empty" in node("restore", to, code=1)


def test_the_home_of_all_commands_serves_too(node: Shell, to: str) -> None:  # noqa: F811
    node("backup", to)
    node("--home", str(node.home / "other"), "restore", to)
    assert (node.home / "other" / "node.sqlite").is_file()


def test_keys_may_be_left_out(node: Shell, to: str) -> None:  # noqa: F811
    node("backup", to, "--without-keys")
    assert not (Path(to) / "keys").exists()
    home = node.home / "new"
    assert "record-locked" in node("restore", to, "--home", str(home), code=3)
    assert "record-locked" in node("verify-restore", to, code=3)
    given = ("--record-keys", str(node.home / "node" / "keys"))
    assert "restores to a whole node" in node("verify-restore", to, *given)
    assert "put them into" in node("restore", to, "--home", str(home), *given)
    shutil.copytree(node.home / "node" / "keys", home / "keys")
    node.patch.setenv("GARDESH_HOME", str(home))
    assert request(node)["position"] == 4


def test_a_missing_attachment_is_told_and_the_rest_is_safe(node: Shell, to: str, sketch: Path) -> None:  # noqa: F811
    node.json("submit", str(asked(node, "--attach", str(sketch))), *AT)
    kept = next(p for p in (node.home / "node" / "blobs").rglob("*") if p.is_file())
    kept.unlink()
    assert "no-such-blob" in node("backup", to, code=1)
    assert len(node.json("backup", to, code=1)["missing"]) == 1
    found = node.json("verify-restore", to, code=1)
    assert (found["whole"], [p["code"] for p in found["problems"]]) == (False, ["no-such-blob"])
    assert "no-such-blob" in node("verify-restore", to, code=1)
    assert "no-such-blob" in node("restore", to, "--home", str(node.home / "new"))


def test_damage_and_wrong_words_are_refused(node: Shell, to: str) -> None:  # noqa: F811
    assert "no-backup-here" in node("restore", to, "--home", str(node.home / "new"), code=1)
    node("backup", to)
    (segment,) = (Path(to) / "documents").iterdir()
    data = segment.read_bytes()
    segment.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    assert segment.name in node("restore", to, "--home", str(node.home / "new"), code=1)
    assert not (node.home / "new").exists()
    found = node.json("verify-restore", to, code=1)
    assert (found["whole"], found["problems"][0]["params"]["file"]) == (False, f"documents/{segment.name}")
    assert "backup-place-unusable" in node("backup", "s3://bucket/backups", code=3)
    words = ("restore", to, "--home", str(node.home / "new"), "--store", "mysql://some:se-cret@where/what")
    said = node(*words, code=3)
    assert "store-unusable" in said
    assert "se-cret" not in said
    node.patch.setenv("GARDESH_HOME", str(node.home / "nowhere"))
    assert "not-a-node" in node("backup", to, code=1)


def test_the_passphrase_is_needed_only_for_a_checkpoint_that_is_not_stored(node: Shell, to: str) -> None:  # noqa: F811
    node.patch.delenv("GARDESH_PASSPHRASE")
    assert node.json("backup", to)["new"] is True


@pytest.mark.postgresql
def test_a_node_moves_into_a_database_and_between_databases(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell = Shell(tmp_path, monkeypatch)
    shell("pack", "new", "parks", "--to", str(tmp_path))
    shell("init", "--pack", str(tmp_path / "parks"), "--at", "2026-01-03T08:00:00+03:30")
    for org, role in (("sara", "applicant"), ("city", "office")):
        shell("keys", "new", org)
        shell("admit", org, "--role", role, "--at", "2026-01-03T08:00:00+03:30")
    to, position = str(tmp_path / "backups"), 3
    for name in ("first", "second"):
        shell("backup", to)
        url = stores.place(tmp_path)
        told = shell.json("restore", to, "--home", str(tmp_path / name), "--store", url)
        assert told["size"] == position
        shell.patch.setenv("GARDESH_HOME", str(tmp_path / name))
        assert request(shell, name)["position"] == position
        assert shell.json("audit")["whole"] is True
        position += 1
    shell("backup", to)
    assert shell.json("verify-restore", to)["documents"] == position
    shell("restore", to, "--home", str(tmp_path / "file"))
    shell.patch.setenv("GARDESH_HOME", str(tmp_path / "file"))
    assert shell.json("audit")["documents"] == position
