"""Admitting an organisation whose key was made elsewhere, and what is said when a name is wrong."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from test_commands import Shell, node, shell, template

__all__ = ["node", "shell", "template"]


def elsewhere(node: Shell, name: str) -> Path:
    """A key made in another folder, its public half exported."""
    other = node.home / "elsewhere"
    node("--home", str(other), "keys", "new", name)
    file = node.home / f"{name}.jwk.json"
    node("--home", str(other), "keys", "export", name, "--out", str(file))
    return file


def test_a_key_that_was_made_elsewhere_is_admitted(node: Shell) -> None:
    file = elsewhere(node, "omid")
    jwk = json.loads(file.read_text(encoding="utf-8"))
    assert "d" not in jwk
    node("admit", "omid", "--key", str(file), "--role", "applicant")
    assert jwk["kid"] in node("--json", "register", "show", "core/keys")
    private = node.home / "private.json"
    private.write_text(json.dumps({**jwk, "d": jwk["x"]}), encoding="utf-8")
    assert "key-private" in node("admit", "mina", "--key", str(private), "--role", "applicant", code=1)
    assert node.json("keys", "export", "sara")["kty"] == "EC"


def test_a_role_that_no_pack_has_is_refused_with_those_there_are(node: Shell) -> None:
    file = elsewhere(node, "omid")
    told = node("admit", "omid", "--key", str(file), "--role", "offce", code=1)
    assert "no-such-role" in told
    assert "office" in told
    assert "نقش" in node("--lang", "fa", "admit", "omid", "--key", str(file), "--role", "offce", code=1)


def test_the_keys_of_the_log_are_printed_for_who_verifies(node: Shell) -> None:
    keys = node("log", "key").split()
    assert len(keys) == 2
    assert node.json("log", "key") == keys
    checkpoint = node("log", "checkpoint")
    assert checkpoint.startswith(keys[0].split("+")[0])


def test_a_procedure_that_is_not_there_is_said(node: Shell) -> None:
    told = node("sign", "parks/requst", "request", "--as", "sara", code=1)
    assert "no-such-procedure" in told
    assert "request" in told


@pytest.mark.parametrize("file", ["node.sqlite"])
def test_a_record_is_for_its_owner_alone(shell: Shell, file: str) -> None:
    shell("pack", "new", "parks", "--to", str(shell.home))
    shell("init", "--pack", str(shell.home / "parks"))
    home = shell.home / "node"
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert stat.S_IMODE((home / file).stat().st_mode) == 0o600
