"""Several `gardesh serve` processes over one node, papers signed beforehand, and what was acknowledged held to its word."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from gardesh import wire
from gardesh.client import Client, Token
from gardesh.model import receipt
from gardesh.model.checkpoint import verify_extension
from gardesh.model.document import parse, sign
from gardesh.model.jose import PrivateKey
from gardesh.model.policy import Policy
from gardesh.model.receipt import Receipt
from gardesh.model.signer import Verifier
from gardesh.model.tile import consistency_proof, root
from gardesh.model.treehead import TreeHead
from gardesh.record.clock import salt
from gardesh.record.keys import KeyStore
from gardesh.record.log import stored_tiles
from gardesh.record.passphrase import OnePassphrase
from gardesh.record.store import Store

PASSPHRASE = "a-long-enough-passphrase"
GARDESH = str(Path(sys.executable).parent / "gardesh")
WANTED = wire.DraftWanted(step="request", procedure="parks/request")
SEVERAL = """
import json, sys
from gardesh.cli import app
for words in json.loads(sys.argv[1]):
    app(words, standalone_mode=False)
"""
"""Commands one after the other: most of the time that one takes is its start."""
SD_JWT = {"content-type": "application/vc+sd-jwt"}


def environment(home: Path, name: str = "gardesh") -> dict[str, str]:
    return {**os.environ, "GARDESH_HOME": str(home), "GARDESH_PASSPHRASE": PASSPHRASE, "PGAPPNAME": name}


def command(home: Path, *words: str) -> str:
    done = subprocess.run(
        [GARDESH, *words], capture_output=True, text=True, env=environment(home), check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def make_node(folder: Path, url: str) -> Path:
    """A node with its record at `url`, and a citizen `sara`."""
    home = folder / "node"
    several = [
        ["pack", "new", "parks", "--to", str(folder)],
        ["init", "--pack", str(folder / "parks"), "--store", url],
        ["keys", "new", "sara"],
        ["admit", "sara", "--role", "applicant"],
    ]
    words = [sys.executable, "-c", SEVERAL, json.dumps(several)]
    subprocess.run(words, env=environment(home), check=True, capture_output=True, timeout=120)
    (home / "serve.toml").write_text("[limits]\nrate = 0.0\n", encoding="utf-8")
    return home


def key(home: Path, org: str = "sara") -> PrivateKey:
    return KeyStore(home / "keys", OnePassphrase(PASSPHRASE)).load(org)


class Service:
    """A `gardesh serve` process. `name`: by which the database knows its connection."""

    def __init__(self, home: Path, name: str) -> None:
        self.home, self.name = home, name
        self.process = subprocess.Popen(
            [GARDESH, "--json", "serve", "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            text=True, env=environment(home, name),
        )  # fmt: skip
        self.url = ""

    def listens(self) -> Service:
        """Waits until it does."""
        assert self.process.stdout is not None
        self.url = json.loads(self.process.stdout.readline())["url"]
        return self

    def client(self, org: str = "sara") -> Client:
        return Client(self.url, Token(org, key(self.home, org)))

    def freeze(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@contextmanager
def services(home: Path, *names: str) -> Iterator[list[Service]]:
    """Processes that run side by side; those in the list when the block ends are killed."""
    made: list[Service] = []
    try:
        made.extend(Service(home, name) for name in names)
        for service in made:
            service.listens()
        yield made
    finally:
        for service in made:
            service.kill()


class Papers:
    """Wishes of sara, signed without asking anybody. Each has a text of its own."""

    def __init__(self, service: Service) -> None:
        with service.client() as sara:
            self._made = sara.draft(WANTED, "sara")
        self._key, self._count = key(service.home), 0
        self._guard = threading.Lock()

    def next(self) -> bytes:
        with self._guard:
            self._count += 1
            wish = {"applicant": "0499370899", "wish": f"bench {self._count}"}
        return sign(self._made.claims, wish, self._key, salt=salt, disclosable=self._made.disclosable)

    def some(self, count: int) -> list[bytes]:
        return [self.next() for _ in range(count)]


@dataclass
class Heard:
    """What was acknowledged, and what was refused, by whomever."""

    accepted: dict[bytes, list[tuple[int, Receipt]]] = field(default_factory=lambda: defaultdict(list))
    refused: list[str] = field(default_factory=list)
    by: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def submit(self, service: Service, paper: bytes, timeout: float = 60) -> bool:
        """Send it once; whether it was acknowledged."""
        try:
            answer = httpx.post(f"{service.url}/v1/documents", content=paper, headers=SD_JWT, timeout=timeout)
        except httpx.TransportError:
            return False
        if answer.status_code not in (200, 201):
            self.refused.append(answer.json()["code"])
            return False
        told = answer.json()
        assert bytes.fromhex(told["digest"]) == parse(paper).digest
        self.accepted[parse(paper).digest].append((told["position"], receipt.parse(told["receipt"].encode())))
        self.by[service.name] += 1
        return True


class Load:
    """Clients that each send one paper after the other, by turns to each of the services (as the list is then), and the
    same paper again until somebody has acknowledged it."""

    def __init__(self, heard: Heard, papers: Papers, to: list[Service], clients: int = 4) -> None:
        self.heard, self.papers, self.to = heard, papers, to
        self._stop = threading.Event()
        self.faults: list[BaseException] = []
        self._threads = [threading.Thread(target=self._work, args=(n,)) for n in range(clients)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        assert self.faults == []

    def _work(self, turn: int) -> None:
        try:
            while not self._stop.is_set():
                paper = self.papers.next()
                while not self.heard.submit(self.to[turn % len(self.to)], paper):
                    turn += 1
                    if self._stop.wait(0.02):
                        return
                turn += 1
        except BaseException as fault:  # noqa: BLE001 (told by the test)
            self.faults.append(fault)


def wait_for(what: Callable[[], object], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.002)


def keep_their_word(store: Store, heard: Heard, also: Sequence[TreeHead] = ()) -> TreeHead:
    """All that was acknowledged is in the record at its one place and nothing is twice; all checkpoints that were ever
    given or stored, and the heads in `also`, are of this log. Returns its head."""
    rows = store.rows("SELECT position, digest, statement FROM documents ORDER BY position")
    assert [row[0] for row in rows] == list(range(len(rows)))
    assert len({bytes(row[1]) for row in rows}) == len({bytes(row[2]) for row in rows}) == len(rows)
    places = {bytes(digest): position for position, digest, _ in rows}
    for digest, told in heard.accepted.items():
        assert {position for position, _ in told} == {places.get(digest)}
    keys = json.loads(store.setting("log_keys") or b"")
    origin, tiles = (store.setting("origin") or b"").decode(), stored_tiles(store)
    policy = Policy.of_log(origin, [Verifier.parse(each) for each in keys])
    now = TreeHead(origin, len(rows), root(len(rows), tiles))
    notes = {proof.checkpoint for told in heard.accepted.values() for _, proof in told}
    heads = {note: policy.verify(note).head for note in notes}
    for digest, told in heard.accepted.items():
        for position, proof in told:
            assert receipt.check(proof, digest, heads[proof.checkpoint]).position == position
    stored = [policy.verify(bytes(row[0])).head for row in store.rows("SELECT note FROM checkpoints")]
    for head in [*heads.values(), *stored, *also]:
        verify_extension(head, now, consistency_proof(head.size, now.size, tiles))
    return now
