"""`gardesh serve` as a process: started, stopped, killed, and beside other processes on the same node."""

from __future__ import annotations

import io
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from hashlib import sha256
from pathlib import Path

import httpx
import pytest

from gardesh import wire
from gardesh.client import Client, Refused, Token
from gardesh.model.jose import PrivateKey
from gardesh.model.receipt import parse
from gardesh.record.keys import KeyStore
from gardesh.record.passphrase import OnePassphrase
from gardesh.record.store import HEAD

PASSPHRASE = "a-long-enough-passphrase"
GARDESH = [str(Path(sys.executable).parent / "gardesh")]
WANTED = wire.DraftWanted(step="request", procedure="parks/request")


def command(home: Path, *words: str, code: int = 0) -> str:
    environment = {**os.environ, "GARDESH_HOME": str(home), "GARDESH_PASSPHRASE": PASSPHRASE}
    done = subprocess.run(
        [*GARDESH, *words], capture_output=True, text=True, env=environment, check=False, timeout=120
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A node with the pack that `pack new` makes, a citizen and an office."""
    place = tmp_path_factory.mktemp("template")
    home = place / "node"
    command(home, "pack", "new", "parks", "--to", str(place))
    command(home, "init", "--pack", str(place / "parks"))
    for org, role in (("sara", "applicant"), ("city", "office")):
        command(home, "keys", "new", org)
        command(home, "admit", org, "--role", role)
    return home


@pytest.fixture
def home(template: Path, tmp_path: Path) -> Path:
    shutil.copytree(template, tmp_path / "node")
    return tmp_path / "node"


@contextmanager
def running(
    home: Path, *more: str, log: Path = Path(os.devnull)
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server as a process of its own, and its address."""
    environment = {**os.environ, "GARDESH_HOME": str(home), "GARDESH_PASSPHRASE": PASSPHRASE}
    with log.open("w") as errors:
        process = subprocess.Popen(
            [*GARDESH, "--json", "serve", "--port", "0", *more],
            stdout=subprocess.PIPE, stderr=errors, text=True, env=environment,
        )  # fmt: skip
    try:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["url"]
        yield process, url
    finally:
        process.kill()
        process.wait()


def key(home: Path, org: str) -> PrivateKey:
    return KeyStore(home / "keys", OnePassphrase(PASSPHRASE)).load(org)


def client(home: Path, url: str, org: str = "sara") -> Client:
    return Client(url, Token(org, key(home, org)))


def wish(home: Path, node: Client, text: str = "a bench") -> wire.Accepted:
    return node.issue(WANTED, {"applicant": "0499370899", "wish": text}, "sara", key(home, "sara"))


def test_a_node_is_served_and_stops_when_it_is_told_to(home: Path) -> None:
    with running(home) as (process, url):
        assert httpx.get(f"{url}/healthz").json() == {"status": "alive"}
        assert httpx.get(f"{url}/readyz").json()["status"] == "ready"
        with client(home, url) as sara:
            made = wish(home, sara)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0
    assert made.digest in command(home, "--json", "show", made.case)
    assert '"whole": true' in command(home, "--json", "audit")


def test_what_is_under_way_is_answered_before_the_stop(home: Path) -> None:
    with running(home) as (process, url), client(home, url) as sara:
        upload = sara.begin_upload()
        token = next(iter(sara._http.auth._held.values()))[0]  # type: ignore[union-attr]
        answers: list[httpx.Response] = []
        told = threading.Event()

        def slowly() -> Iterator[bytes]:
            yield b"a" * 70_000
            told.wait(10)
            time.sleep(0.5)
            yield b"b" * 70_000

        def send() -> None:
            headers = {"authorization": f"Bearer {token}", "upload-offset": "0", "upload-complete": "?1"}
            answers.append(
                httpx.patch(f"{url}/v1/uploads/{upload.id}", content=slowly(), headers=headers, timeout=20)
            )

        thread = threading.Thread(target=send)
        thread.start()
        time.sleep(0.3)
        process.send_signal(signal.SIGTERM)
        told.set()
        thread.join()
        assert process.wait(timeout=20) == 0
    assert answers[0].json()["digest"] == sha256(b"a" * 70_000 + b"b" * 70_000).hexdigest()


def test_what_outlasts_the_stop_is_told_so_and_is_no_fault(home: Path) -> None:
    """A body that still comes when the stop has waited: 503, what came of the upload is kept, and nothing is logged as a fault."""
    (home / "serve.toml").write_text("[operations]\nstop_seconds = 1\n", encoding="utf-8")
    with running(home, log=home / "log") as (process, url), client(home, url) as sara:
        upload = sara.begin_upload()
        token = next(iter(sara._http.auth._held.values()))[0]  # type: ignore[union-attr]
        answers: list[httpx.Response] = []

        def slowly() -> Iterator[bytes]:
            yield b"a" * 70_000
            time.sleep(4)
            yield b"b"

        def send() -> None:
            headers = {"authorization": f"Bearer {token}", "upload-offset": "0", "upload-complete": "?1"}
            with suppress(httpx.TransportError):  # the connection may end before the whole body is sent
                answers.append(
                    httpx.patch(f"{url}/v1/uploads/{upload.id}", content=slowly(), headers=headers)
                )

        thread = threading.Thread(target=send)
        thread.start()
        time.sleep(0.5)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0
        thread.join()
    assert [a.json()["code"] for a in answers] in ([], ["stopping"])
    lines = [json.loads(line) for line in (home / "log").read_text(encoding="utf-8").splitlines()]
    assert not [line for line in lines if "fault" in line or "%s" in line.get("says", "")]
    cut = [
        line
        for line in lines
        if line.get("route", "").startswith("/v1/uploads/") and line["method"] == "PATCH"
    ]
    assert [(line["status"], line["code"]) for line in cut] == [(503, "stopping")]
    with running(home) as (_, url), client(home, url) as sara:
        assert sara._http.head(f"{url}/v1/uploads/{upload.id}").headers["upload-offset"] == "70000"


def test_another_process_writes_to_the_same_node(home: Path) -> None:
    with running(home) as (_, url), client(home, url) as sara:
        first = wish(home, sara)
        command(home, "keys", "new", "omid")
        command(home, "admit", "omid", "--role", "applicant")
        second = wish(home, sara, "a fountain")
        assert second.position == first.position + 2
        with client(home, url, "omid") as omid:
            assert list(omid.cases()) == []
    assert '"whole": true' in command(home, "--json", "audit")


def test_a_port_that_is_taken_is_said(home: Path) -> None:
    with running(home) as (_, url):
        told = command(home, "serve", "--port", url.rpartition(":")[2], code=3)
    assert "address-unusable" in told


def test_a_configuration_is_found_checked_and_printed(home: Path) -> None:
    printed = command(home, "serve", "--print-config")
    (home / "serve.toml").write_text(printed.replace("port = 8420", "port = 0"), encoding="utf-8")
    assert "right" in command(home, "serve", "--check")
    (home / "serve.toml").write_text("[listen]\nprot = 1\n", encoding="utf-8")
    told = command(home, "serve", "--check", code=1)
    assert "configuration-wrong" in told
    assert "prot" in told
    assert "file-unreadable" in command(home, "serve", "--config", str(home / "nothing.toml"), code=1)


@pytest.mark.parametrize(
    ("settings", "told", "code"),
    [
        ('[listen]\nhost = "192.0.2.1"\n', "address-unusable", 3),
        ('[witnesses]\npolicy = "policy"\n', "witness-policy-wrong", 1),
        ('[jetstream]\nservers = ["nats://127.0.0.1:1"]\ntoken = "/nowhere"\n', "jetstream-file-wrong", 3),
        ('[operations]\nlog = "all"\n', "requests | faults | none", 1),
        ('[attachments]\nstore = "s3://nowhere/at-all"\n', "object-store-unusable", 3),
    ],
)
def test_what_a_configuration_needs_of_the_machine_is_looked_at(
    home: Path, monkeypatch: pytest.MonkeyPatch, settings: str, told: str, code: int
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    (home / "serve.toml").write_text(settings, encoding="utf-8")
    said = command(home, "serve", "--check", code=code)
    assert told in " ".join(said.split())
    (home / "serve.toml").unlink()
    for key in (home / "keys").glob("node-record*.pem"):
        key.unlink()
    assert "record-locked" in command(home, "serve", "--check", code=3)


def test_a_check_takes_nobodys_place_and_asks_for_no_passphrase(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(home) as (_, url):
        monkeypatch.delenv("GARDESH_PASSPHRASE", raising=False)
        done = subprocess.run(
            [*GARDESH, "--home", str(home), "serve", "--check", "--port", url.rpartition(":")[2]],
            capture_output=True, text=True, check=False, timeout=60, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "listens already" in " ".join(done.stdout.split())


def test_an_older_record_is_left_as_it_is_by_a_check_and_brought_up_by_upgrade(home: Path) -> None:
    with closing(sqlite3.connect(home / "node.sqlite")) as raw:
        raw.execute("UPDATE alembic_version SET version_num = '0006'")
        raw.execute("DROP INDEX entries_undone")
        raw.commit()
        assert "store-older" in command(home, "serve", "--check", code=3)
        assert raw.execute("SELECT version_num FROM alembic_version").fetchone() == ("0006",)
    assert json.loads(command(home, "--json", "upgrade")) == {"from": "0006", "to": HEAD}
    assert "nothing was to be done" in command(home, "upgrade")
    assert "could start here" in command(home, "serve", "--check", "--port", "0")


@pytest.mark.parametrize("seed", range(4))
def test_kill_9_loses_nothing_that_was_acknowledged(home: Path, seed: int) -> None:
    """Four clients submit and upload until the process is killed; then everything that was answered is there."""
    dice = random.Random(seed)
    who = key(home, "sara")
    known: list[wire.Accepted] = []
    uploads: list[str] = []
    with running(home) as (process, url):

        def work(number: int) -> None:
            with Client(url, Token("sara", who), timeout=10) as node:
                for n in range(10_000):
                    try:
                        if n % 10 == 9:
                            data = f"{number}-{n}".encode() * 1000
                            uploads.append(str(node.upload(io.BytesIO(data)).digest))
                        else:
                            known.append(
                                node.issue(
                                    WANTED, {"applicant": "0499370899", "wish": f"{number}/{n}"}, "sara", who
                                )
                            )
                    except (httpx.TransportError, Refused):
                        return

        threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        time.sleep(0.8 + dice.random())
        process.kill()
        for thread in threads:
            thread.join()
    assert known
    assert '"whole": true' in command(home, "--json", "audit")
    with running(home) as (_, url), client(home, url) as sara:
        for made in known:
            assert parse(sara.receipt(made.digest)).position == made.position
        assert sara.node().size > max(made.position for made in known)
        wish(home, sara, "after")
    blobs = {p.parent.name + p.name for p in (home / "blobs").rglob("*") if p.is_file()}
    assert set(uploads) <= blobs


def high_water(pid: int) -> int:
    """The greatest size of a process so far, in kB."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def megabytes(home: Path, count: int) -> None:
    """Send and read an attachment of so many MB: the server does not grow with it."""
    piece = os.urandom(1 << 20)

    class Stream:
        left = count

        def read(self, size: int) -> bytes:
            taken = min(self.left, size >> 20)
            self.left -= taken
            return piece * taken

    with running(home) as (process, url), Client(url, Token("sara", key(home, "sara")), timeout=300) as sara:
        wish(home, sara)
        before = high_water(process.pid)
        sent = sara.upload(Stream())  # type: ignore[arg-type]
        assert sent.digest is not None
        named = [wire.Attachment(sent.digest, count << 20, "application/octet-stream")]
        wanted = wire.DraftWanted(step="request", procedure="parks/request", attachments=named)
        made = sara.issue(wanted, {"applicant": "0499370899", "wish": "a plan"}, "sara", key(home, "sara"))
        seen = sha256()
        for chunk in sara.download(made.digest, sent.digest, "look"):
            seen.update(chunk)
        assert seen.hexdigest() == sent.digest
        assert high_water(process.pid) - before < 40_000


def test_memory_stays_flat(home: Path) -> None:
    megabytes(home, 256)


@pytest.mark.long
def test_memory_stays_flat_with_two_gigabytes(home: Path) -> None:
    megabytes(home, 2048)
