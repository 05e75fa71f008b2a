"""`python -m bench.failover [ROUNDS]`: how long after the kill of one service another accepts, over one PostgreSQL database.

Two `gardesh serve` processes; clients submit to both, so that whoever is killed writes at that moment. Measured is from
`kill -9` of the one to the first answer of the other to a document that was sent to it after the kill. Then the same with a
process that is frozen while it holds the lock. The server is started beside, with the settings it has by default.
"""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psycopg

from bench.stores import server
from bench.table import Table, machine
from gardesh import wire
from gardesh.client import Client, Token
from gardesh.model.document import sign
from gardesh.record.clock import salt
from gardesh.record.keys import KeyStore
from gardesh.record.passphrase import OnePassphrase

PASSPHRASE = "a-long-enough-passphrase"
GARDESH = str(Path(sys.executable).parent / "gardesh")
HOLDS = (
    "SELECT 1 FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
    " WHERE l.locktype = 'advisory' AND l.granted AND a.application_name = %s"
)


def environment(home: Path, name: str) -> dict[str, str]:
    return {**os.environ, "GARDESH_HOME": str(home), "GARDESH_PASSPHRASE": PASSPHRASE, "PGAPPNAME": name}


def make_node(folder: Path, url: str) -> Path:
    home = folder / "node"
    for words in (
        ("pack", "new", "parks", "--to", str(folder)),
        ("init", "--pack", str(folder / "parks"), "--store", url),
        ("keys", "new", "sara"),
        ("admit", "sara", "--role", "applicant"),
    ):
        subprocess.run([GARDESH, *words], env=environment(home, "make"), check=True, capture_output=True)
    (home / "serve.toml").write_text("[limits]\nrate = 0.0\n", encoding="utf-8")
    return home


class Service:
    def __init__(self, home: Path, name: str) -> None:
        self.name = name
        words = [GARDESH, "--json", "serve", "--port", "0"]
        self.process = subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment(home, name)
        )
        assert self.process.stdout is not None
        self.url = str(json.loads(self.process.stdout.readline())["url"])

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


@dataclass
class Clients:
    """Each sends one wish after the other to one of the services, as the list is then."""

    home: Path
    to: list[Service]
    stop: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.key = KeyStore(self.home / "keys", OnePassphrase(PASSPHRASE)).load("sara")
        with Client(self.to[0].url, Token("sara", self.key)) as sara:
            self.made = sara.draft(wire.DraftWanted(step="request", procedure="parks/request"), "sara")
        self.threads = [threading.Thread(target=self._work, args=(n,)) for n in range(4)]
        for thread in self.threads:
            thread.start()

    def send(self, service: Service) -> bool:
        wish = {"applicant": "0499370899", "wish": "a bench"}
        paper = sign(self.made.claims, wish, self.key, salt=salt, disclosable=self.made.disclosable)
        kind = {"content-type": "application/vc+sd-jwt"}
        try:
            answer = httpx.post(f"{service.url}/v1/documents", content=paper, headers=kind, timeout=120)
        except httpx.TransportError:
            return False
        return answer.status_code == 201

    def _work(self, number: int) -> None:
        while not self.stop.is_set():
            if not self.send(self.to[number % 2]):
                time.sleep(0.02)

    def end(self) -> None:
        self.stop.set()
        for thread in self.threads:
            thread.join()


def until_accepted(clients: Clients, watcher: psycopg.Connection[Any], n: int, sign_: int) -> float:
    """Seconds from the signal to the one, while it holds the lock, to an acceptance by the other."""
    victim, other = clients.to[n % 2], clients.to[1 - n % 2]
    while watcher.execute(HOLDS, (victim.name,)).fetchone() is None:
        pass
    victim.process.send_signal(sign_)
    begun = time.perf_counter()
    while not clients.send(other):
        pass
    return time.perf_counter() - begun


def main() -> None:
    rounds = int(sys.argv.pop(1)) if len(sys.argv) > 1 else 20
    print(machine(), flush=True)
    table = Table()
    with tempfile.TemporaryDirectory(prefix="gardesh-bench-") as place, server(Path(place)) as url:
        home = make_node(Path(place), url)
        clients = Clients(home, [Service(home, "one"), Service(home, "two")])
        try:
            with psycopg.connect(url, autocommit=True) as watcher:
                killed = []
                for n in range(rounds):
                    time.sleep(0.3)
                    killed.append(until_accepted(clients, watcher, n, signal.SIGKILL) * 1e3)
                    clients.to[n % 2].process.wait()
                    clients.to[n % 2] = Service(home, clients.to[n % 2].name)
                frozen = []
                for n in range(3):
                    time.sleep(0.3)
                    frozen.append(until_accepted(clients, watcher, n, signal.SIGSTOP))
                    clients.to[n % 2].process.send_signal(signal.SIGCONT)
        finally:
            clients.stop.set()
            for service in clients.to:
                service.end()
            clients.end()
    table.add("kill -9 to the first acceptance by the other, median", statistics.median(killed), "ms")
    table.add("the longest of them", max(killed), "ms")
    table.add("a frozen holder of the lock to the same, the longest", max(frozen), "s")


if __name__ == "__main__":
    main()
