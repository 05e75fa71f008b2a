"""Witness, cosigning and monitor as people run them: three processes and a folder of static files."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import httpx
import pytest
from test_commands import PASSPHRASE, Shell

from gardesh.cli.witness_commands import configured
from gardesh.exchange.static_log import publish
from gardesh.exchange.static_site import Folder
from gardesh.exchange.witness import Witness
from gardesh.model.policy import Policy
from gardesh.model.policy_file import parse
from gardesh.model.signer import Verifier
from growing import ORIGIN, GrowingLog, cosigners, forked
from serving import serving

NAMES = ("w1.example/w", "w2.example/w")


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    return Shell(tmp_path, monkeypatch)


@contextmanager
def served(home: Path) -> Iterator[str]:
    """`gardesh witness serve` in a process of its own; gives its address."""
    words = [sys.executable, "-c", "from gardesh.cli import main; main()"]
    words += ["--home", str(home), "--json", "witness", "serve", "--port", "0"]
    environment = {**os.environ, "GARDESH_PASSPHRASE": PASSPHRASE}
    process = subprocess.Popen(words, stdout=subprocess.PIPE, env=environment, text=True)
    assert process.stdout is not None
    try:
        yield json.loads(process.stdout.readline())["serving"]
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A node and two witnesses that know its log."""
    home = tmp_path_factory.mktemp("homes")
    with pytest.MonkeyPatch.context() as patch:
        made = Shell(home, patch)
        made("pack", "new", "parks", "--to", str(home))
        told = made.json("init", "--pack", str(home / "parks"))
        for name in NAMES:
            at = ("--home", str(home / name.partition(".")[0]))
            made(*at, "witness", "init", "--name", name)
            made(*at, "witness", "add-log", *told["log_keys"])
    return home


@pytest.fixture
def copied(homes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    shutil.copytree(homes, tmp_path, dirs_exist_ok=True)
    return Shell(tmp_path, monkeypatch)


def at(shell: Shell, name: str) -> tuple[str, str]:
    return ("--home", str(shell.home / name))


def keys(shell: Shell, name: str, url: str) -> str:
    told = shell.json(*at(shell, name), "witness", "key", "--url", url)
    return f"{told['policy'][0]}\n".replace(told["name"], name, 1)


def test_a_node_collects_cosignatures_and_others_follow_it(copied: Shell) -> None:
    policy, out = copied.home / "policy", copied.home / "cosigned"
    with served(copied.home / "w1") as one, served(copied.home / "w2") as two:
        text = keys(copied, "w1", one) + keys(copied, "w2", two)
        policy.write_text(text + "group both all w1 w2\nquorum both\n", encoding="utf-8")
        told = copied.json("log", "cosign", "--policy", str(policy), "--out", str(out))
        assert (told["satisfied"], [*told["signed"]], told["missing"]) == (True, ["w1", "w2"], {})
        for lang in ("en", "fa"):
            assert "w2" in copied("--lang", lang, "log", "cosign", "--policy", str(policy))
        again = copied.json("log", "cosign", "--policy", str(policy))
        assert again["checkpoint"].count("\n— ") == 4
    node = [Verifier.parse(v) for v in json.loads(_setting(copied, "log_keys"))]
    whole = parse(policy.read_bytes()).for_log(node[0].name, node)
    assert whole.verify(out.read_bytes()).missing == ()
    assert whole.verify(copied("log", "checkpoint").encode()).missing == ()
    folder, state = copied.home / "public", copied.home / "seen.sqlite"
    copied("log", "publish", str(folder))
    watched = copied.home / "watching"
    watched.write_text("".join(f"log {k.vkey()}\n" for k in node[:1]) + policy.read_text(), encoding="utf-8")
    seen = copied.json("monitor", str(folder), "--policy", str(watched), "--state", str(state), "--once")
    assert (seen["new"], seen["findings"]) == (seen["size"], [])
    row = copied.json(*at(copied, "w1"), "witness", "list")[0]
    assert (row["size"], row["conflicts"]) == (seen["size"], [])
    assert copied.json("audit")["whole"] is True


def _setting(shell: Shell, name: str) -> bytes:
    from gardesh.record.store import Store

    store = Store(str(shell.home / "node" / "node.sqlite"))
    value = store.setting(name)
    store.close()
    assert value is not None
    return value


def test_a_quorum_that_is_missed_is_said_and_what_came_is_kept(copied: Shell) -> None:
    policy = copied.home / "policy"
    with served(copied.home / "w1") as one:
        text = keys(copied, "w1", one) + keys(copied, "w2", "http://127.0.0.1:1/")
        policy.write_text(text + "group both all w1 w2\nquorum both\n", encoding="utf-8")
        told = copied.json("log", "cosign", "--policy", str(policy), code=1)
        for lang in ("en", "fa"):
            said = copied("--lang", lang, "log", "cosign", "--policy", str(policy), code=1)
            assert "witness-unreachable" in said
    assert (told["satisfied"], [*told["signed"]]) == (False, ["w1"])
    assert told["missing"]["w2"]["code"] == "witness-unreachable"
    node = [Verifier.parse(v) for v in json.loads(_setting(copied, "log_keys"))]
    judged = (
        parse(policy.read_bytes()).for_log(node[0].name, node).judge(copied("log", "checkpoint").encode())
    )
    assert judged.missing == ("w2",)


def test_a_witness_says_what_it_is_in_both_languages(copied: Shell) -> None:
    for lang in ("en", "fa"):
        assert "localhost/gardesh" in copied("--lang", lang, *at(copied, "w1"), "witness", "list")
    printed = copied(*at(copied, "w1"), "witness", "key", "--url", "https://w.example/")
    assert parse(f"{printed}quorum {NAMES[0]}\n".encode()).witnesses[0].url == "https://w.example/"
    told = copied.json(*at(copied, "w1"), "witness", "init", "--name", NAMES[0], code=1)
    assert told["code"] == "already-a-witness"
    assert copied.json("witness", "list", code=1)["code"] == "not-a-witness"
    assert copied.json("witness", "init", "--name", "a b", code=1)["code"] == "witness-name-malformed"
    told = copied.json(*at(copied, "w1"), "witness", "serve", "--host", "192.0.2.1", code=3)
    assert told["code"] == "address-unusable"


def test_a_witness_whose_making_was_interrupted_is_made_with_its_keys(copied: Shell) -> None:
    before = copied.json(*at(copied, "w1"), "witness", "key")["keys"]
    for file in (copied.home / "w1").glob("witness.sqlite*"):
        file.unlink()
    copied(*at(copied, "w1"), "witness", "init", "--name", NAMES[0])
    assert copied.json(*at(copied, "w1"), "witness", "key")["keys"] == before


# -- monitor ------------------------------------------------------------------------------------------------


class Watched:
    def __init__(self, shell: Shell) -> None:
        self.shell, self.folder = shell, shell.home / "served"
        self.proof = shell.home / "proof.json"
        vkeys = [v.vkey() for v in GrowingLog().keys]
        self.keys = [word for vkey in vkeys for word in ("--log-key", vkey)]

    def show(self, log: GrowingLog, size: int | None = None) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        publish(log.store, log.note(size), Folder(self.folder))

    def words(self) -> tuple[str, ...]:
        state, proof = str(self.shell.home / "seen.sqlite"), str(self.proof)
        return ("monitor", str(self.folder), *self.keys, "--state", state, "--proof", proof, "--once")


def test_a_monitor_says_by_its_exit_code_what_it_saw(shell: Shell) -> None:
    watched, log = Watched(shell), GrowingLog(300)
    assert shell.json(*watched.words(), code=1)["params"]["path"] == "checkpoint"
    watched.show(log)
    assert shell.json(*watched.words())["new"] == 300
    assert "300" in shell(*watched.words())
    assert "تاریخ" in shell("--lang", "fa", *watched.words())
    watched.show(log, 200)
    assert shell.json(*watched.words(), code=11)["code"] == "log-head-smaller"
    watched.show(log.grow(400))
    tile = watched.folder / "tile" / "0" / "001.p" / "144"
    kept = tile.read_bytes()
    tile.write_bytes(kept[:-1])
    assert shell.json(*watched.words(), code=13)["code"] == "tile-broken"
    tile.write_bytes(kept[:-1] + b"\0")
    assert shell.json(*watched.words(), code=13)["code"] == "log-tiles-wrong"
    tile.unlink()
    assert shell.json(*watched.words(), code=12)["code"] == "log-file-unavailable"
    (watched.folder / "checkpoint").unlink()
    assert shell.json(*watched.words(), code=12)["params"]["path"] == "checkpoint"
    (watched.folder / "checkpoint").write_bytes(GrowingLog(1, "other.example").note())
    assert shell.json(*watched.words(), code=1)["code"] == "checkpoint-of-another-log"
    watched.show(log.add([(bytes(32), 5)]))
    assert shell.json(*watched.words(), code=14)["findings"][0]["code"] == "log-time-went-back"
    assert "log-time-went-back" in shell(*watched.words(), code=14)
    for words in (("monitor", str(watched.folder), "--once"), ("log", "check-fork", str(tile))):
        shell(*words, code=1)


def test_a_monitor_that_runs_on_stops_at_a_fork(shell: Shell) -> None:
    watched, log = Watched(shell), GrowingLog(30)
    watched.show(log)
    words = [sys.executable, "-c", "from gardesh.cli import main; main()", "--json", *watched.words()[:-1]]
    process = subprocess.Popen([*words, "--every", "0.1"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        assert json.loads(process.stdout.readline())["new"] == 30
        publish(log.grow(50).store, log.note(), Folder(watched.folder))
        while json.loads(process.stdout.readline())["size"] != 50:
            pass
        watched.show(forked(7, 60))
        process.communicate(timeout=60)
        assert process.returncode == 10
    finally:
        process.kill()
        process.wait()
    assert watched.proof.is_file()


def test_a_fork_is_printed_written_and_can_be_checked_by_others(shell: Shell) -> None:
    watched, log, other = Watched(shell), GrowingLog(300), forked(7, 500)
    watched.show(log)
    shell(*watched.words())
    watched.show(other)
    said = shell(*watched.words(), code=10)
    for head in (log.head(), other.head()):
        assert head.text() in said
    told = shell.json(*watched.words(), code=10)
    policy = Policy.of_log(ORIGIN, log.keys)
    assert policy.verify(told["first_checkpoint"].encode()).head == log.head()
    assert policy.verify(told["second_checkpoint"].encode()).head == other.head()
    checked = shell.json("log", "check-fork", str(watched.proof), *watched.keys)
    assert checked["first_checkpoint"] == told["first_checkpoint"]
    watched.proof.write_bytes(watched.proof.read_bytes().replace(b"\\n500\\n", b"\\n501\\n"))
    told = shell.json("log", "check-fork", str(watched.proof), *watched.keys, code=1)
    assert told["code"] == "note-signature-invalid"
    assert shell.json("log", "check-fork", str(watched.proof), code=1)["code"] == "log-key-not-given"


def test_who_connects_to_a_witness_and_says_nothing_is_let_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many connections as it takes in all, and then somebody who asks."""
    monkeypatch.setattr("gardesh.web.protocol.SECONDS", 0.5)
    made = cosigners("w.example")
    Witness.create(tmp_path / "w.sqlite", "w.example", [c.verifier for c in made])
    witness = Witness(tmp_path / "w.sqlite", made)
    with serving(configured(witness)) as url, ExitStack() as held:
        place = ("127.0.0.1", int(url.rstrip("/").rpartition(":")[2]))
        lines = [held.enter_context(socket.create_connection(place)) for _ in range(256)]
        for line in lines:
            with suppress(ConnectionError):
                line.sendall(b"GET /healthz HTTP/1.1\r\n")
        for line in lines:
            line.settimeout(20)
            with suppress(ConnectionError):
                assert line.recv(100) == b""
        assert httpx.get(url + "healthz", timeout=20).status_code == 200
    witness.close()
