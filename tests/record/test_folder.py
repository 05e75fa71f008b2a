"""Reading packs: folders, whatever stands in them, and versions made by laying changes over another."""

from __future__ import annotations

from pathlib import Path

import pytest

from gardesh.model.problem import Problem
from gardesh.record import folder
from gardesh.record.folder import merge_patch


def test_a_merge_patch_changes_what_it_names_and_nothing_else() -> None:
    """The cases of RFC 7396, appendix A, in short."""
    given = {"a": {"b": "c", "d": [1, 2]}, "e": 1}
    assert merge_patch(given, {"a": {"b": None, "d": [3]}, "f": {"g": None, "h": 1}}) == {
        "a": {"d": [3]},
        "e": 1,
        "f": {"h": 1},
    }
    assert given == {"a": {"b": "c", "d": [1, 2]}, "e": 1}
    assert merge_patch({"a": 1}, "text") == "text"
    assert merge_patch("text", {"a": 1}) == {"a": 1}


def made(at: Path) -> Path:
    (at / "documents").mkdir(parents=True)
    (at / "pack.yaml").write_text("pack: x")
    return at


@pytest.mark.parametrize("link", ["documents/permit.yaml", "documents", "pack.yaml"])
def test_no_link_leads_out_of_a_pack(tmp_path: Path, link: str) -> None:
    secret = tmp_path / "secret"
    pack = made(tmp_path / "pack")
    if link == "documents":
        secret.mkdir()
        (secret / "permit.yaml").write_text("the passphrase")
        (pack / "documents").rmdir()
    else:
        secret.write_text("the passphrase")
        (pack / link).unlink(missing_ok=True)
    (pack / link).symlink_to(secret)
    try:
        files = folder.read_files(pack)
    except Problem as problem:
        assert problem.code == "pack-malformed"
    else:
        assert b"the passphrase" not in b"".join(files.values())


def test_a_link_within_a_pack_and_what_does_not_belong_to_it(tmp_path: Path) -> None:
    pack = made(tmp_path / "pack")
    (pack / "documents" / "a.yaml").write_text("document: a")
    (pack / "documents" / "b.yaml").symlink_to("a.yaml")
    (pack / "documents" / ".hidden.yaml").write_text("x")
    (pack / "loop").symlink_to(pack)
    assert sorted(folder.read_files(pack)) == ["documents/a.yaml", "documents/b.yaml", "pack.yaml"]


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    pack = made(tmp_path / "pack")
    with (pack / "documents" / "a.yaml").open("wb") as file:
        file.truncate(folder.MAX_FILE + 1)
    with pytest.raises(Problem) as refused:
        folder.read_files(pack)
    assert refused.value.code == "pack-malformed"


def test_a_pack_that_is_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pack = made(tmp_path / "pack")
    monkeypatch.setattr(folder, "MAX_PACK", 1_000)
    for name, size, fits in (("a", 500, True), ("b", 480, True), ("c", 480, False)):
        (pack / "documents" / f"{name}.yaml").write_bytes(b"#" * size)
        if fits:
            folder.read_files(pack)
    with pytest.raises(Problem) as refused:
        folder.read_files(pack)
    assert refused.value.code == "pack-malformed"
