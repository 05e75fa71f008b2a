"""kill -9 of each process at any moment, while documents circulate."""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
from pathlib import Path

import httpx
from lane import CLOCK
from run import Run
from services import PASSPHRASE, keep_their_word

from gardesh.exchange.cosigning import collect
from gardesh.exchange.static_log import publish
from gardesh.exchange.static_site import Folder as Site
from gardesh.exchange.witness import Witness
from gardesh.model.policy import Group, Policy
from gardesh.model.policy import Witness as Listed
from gardesh.model.treehead import TreeHead
from gardesh.record.backup_contents import opened
from gardesh.record.backup_place import Folder
from gardesh.record.keys import KeyStore
from gardesh.record.log import stored_tiles
from gardesh.record.passphrase import OnePassphrase
from gardesh.record.pkcs8 import Cost
from gardesh.record.store import Store
from gardesh.study.restoration import restore
from market import ORIGIN, SIGNERS, Market, explains_itself, record_keys
from nats_servers import ids, messages

QUICK = {"gardesh.exchange.stream_cursor:LEASE": 400, "gardesh.exchange.jetstream:STANDBY_SECONDS": 0.1}
"""A lease that runs out sooner."""


def serve_killed(run: Run) -> None:
    """The service, and then it is begun again."""
    run.serve()
    with run.circulation() as circulation:
        run.moment(circulation)
        assert run.service is not None
        run.service.kill()
        run.serve()
        circulation.more(5)


def frozen_beside_another(run: Run) -> None:
    """One of two services stands still; the other writes meanwhile; then it goes on."""
    frozen, other = run.serve(), run.serve()
    services = [frozen, other]
    with run.circulation(timeout=2) as circulation:
        run.service = frozen
        run.moment(circulation)
        frozen.freeze()
        run.service = other
        circulation.more(5)
        frozen.thaw()
        run.service = run.dice.choice(services)
        circulation.more(5)


def database_killed(run: Run) -> None:
    """All processes of the server, or one, which makes the others begin again."""
    server = run.lane.schemas.server
    run.serve()
    with run.circulation() as circulation:
        run.moment(circulation)
        if run.dice.random() < 0.6:
            server.kill()
            server.start()
        else:
            os.kill(run.dice.choice(server.children), signal.SIGKILL)
        server.up()
        circulation.more(5)


def database_restarted(run: Run) -> None:
    """As an operator does it: those who are connected are sent away, or the server ends at once."""
    server = run.lane.schemas.server
    run.serve()
    with run.circulation() as circulation:
        run.moment(circulation)
        server.stop(run.dice.choice(("fast", "immediate")))
        time.sleep(run.dice.random() * 0.2)
        server.start()
        circulation.more(5)


def published(run: Run, place: Path) -> None:
    """The published log is whole: all of one that is published at once, and no more than partial tiles of before."""
    run.command("log", "publish", str(place)).ends()
    fresh = run.logs / "fresh"
    store = Store(run.url)
    publish(store, (place / "checkpoint").read_bytes(), Site(fresh))
    store.close()
    found, whole = tree(place), tree(fresh)
    assert found.items() >= whole.items()
    assert all(".p/" in name for name in found.keys() - whole.keys())


def tree(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes()
        for p in folder.rglob("*")
        if p.is_file() and not p.name.startswith(".")
    }


def publisher_killed(run: Run) -> None:
    """`gardesh log publish`, as often as it takes; each time whatever has a name is whole."""
    run.serve()
    place = run.logs / "published"
    with run.circulation(20, pause=0.02) as circulation:
        for _ in range(2):
            circulation.more(run.dice.randrange(2, 20))
            publishing = run.command("log", "publish", str(place))
            time.sleep(run.dice.random() * 0.25)
            publishing.kill()
            before = tree(place)
            if "checkpoint" in before:
                store = Store(run.url)
                publish(store, before["checkpoint"], Site(run.logs / "then"))
                store.close()
                assert (
                    before.items()
                    >= {n: d for n, d in tree(run.logs / "then").items() if ".p/" not in n}.items()
                )
                shutil.rmtree(run.logs / "then")
        circulation.more(3)
    published(run, place)


def backup_killed(run: Run) -> None:
    """`gardesh backup`; the next one holds all that was acknowledged before it, and is restored."""
    run.serve()
    place = run.logs / "backups"
    with run.circulation(20, pause=0.02) as circulation:
        for _ in range(2):
            circulation.more(run.dice.randrange(2, 20))
            backing = run.command("backup", str(place))
            time.sleep(run.dice.random() * 0.4)
            backing.kill()
        circulation.more(3)
        known = {digest: told for digest, said in run.heard.accepted.copy().items() if (told := list(said))}
        run.command("backup", str(place)).ends()
    restore(opened(Folder(place)), run.logs / "restored", record_keys=lambda _: record_keys())
    market = Market.opened(Store(str(run.logs / "restored" / "node.sqlite")), CLOCK)
    rows = market.store.rows("SELECT digest, position FROM documents")
    places = {bytes(digest): position for digest, position in rows}
    run.counts.lost += sum({places.get(digest)} != {p for p, _ in told} for digest, told in known.items())
    explains_itself(market.node)
    market.node.close()


def worker_killed(run: Run) -> None:
    """`gardesh worker`: each notice is on NATS once, in order, when it is begun again."""
    name = streaming(run)
    run.serve()
    with run.circulation(20, pause=0.02) as circulation:
        for _ in range(2):
            worker = run.command("worker", times=QUICK)
            circulation.more(run.dice.randrange(2, 20))
            time.sleep(run.dice.random() * 0.4)
            worker.kill()
        circulation.more(3)
    streamed(run, name)


def nats_killed(run: Run) -> None:
    """The server of the stream, under a worker that goes on; each notice is there once, in order."""
    name, nats = streaming(run), run.lane.nats
    run.serve()
    worker = run.command("worker", times=QUICK)
    with run.circulation(20, pause=0.02) as circulation:
        for _ in range(2):
            circulation.more(run.dice.randrange(2, 20))
            time.sleep(run.dice.random() * 0.3)
            nats.kill()
            time.sleep(run.dice.random() * 0.2)
            nats.start()
        circulation.more(3)
    assert not worker.ended, worker.said()
    worker.kill()
    streamed(run, name)


def streaming(run: Run) -> str:
    """Have this node's notices published to a stream of its own; its name."""
    nats, name = run.lane.nats, f"S{run.lane.number()}"
    with (run.home / "serve.toml").open("a", encoding="utf-8") as file:
        file.write(f"[jetstream]\nservers = ['{nats.url}']\nstream = '{name}'\nprefix = '{name.lower()}'\n")
    return name


def streamed(run: Run, name: str) -> None:
    """Publish what is left, and compare the stream with the record: each once, in order."""
    nats = run.lane.nats
    run.service and run.service.kill()
    ends = False
    for _ in range(40):  # a lease of the killed may have to run out
        ends = run.command("worker", "--once", times=QUICK).ends(None) == 0
        if ends:
            break
        time.sleep(0.1)
    assert ends
    found = ids(messages([nats.url], f"{name.lower()}.>", name))
    store = Store(run.url)
    told = [row[0] for row in store.rows("SELECT id FROM notices WHERE kind <> 'about' ORDER BY id")]
    store.close()
    run.counts.notices += len(told)
    run.counts.lost += len(set(told) - set(found))
    run.counts.doubled += len(found) - len(set(found))
    assert found == told


WITNESS = "w.example/faults"


class Watching:
    """A witness of the node of a run, and the checkpoints that it cosigned."""

    def __init__(self, run: Run) -> None:
        self.run, self.home = run, run.logs / "witness"
        passphrase = OnePassphrase(PASSPHRASE)
        made = KeyStore(self.home / "keys", passphrase, Cost(n=16, p=1)).create_log("witness")
        self.keys = tuple(c.verifier for c in made.cosigners(WITNESS))
        self.log = tuple(s.verifier for s in SIGNERS)
        Witness.create(self.home / "witness.sqlite", WITNESS, self.keys)
        known = Witness(self.home / "witness.sqlite")
        known.add_log(self.log)
        known.close()
        self.heads: list[TreeHead] = []
        self.begin()

    def begin(self) -> None:
        self.process = self.run.command("--json", "witness", "serve", "--port", "0", home=self.home)
        listed = Listed(WITNESS, self.keys, self.process.line()["serving"])
        self.policy = Policy(Policy.of_log(ORIGIN, self.log).logs, (listed,), Group("g", 1, (listed,)))

    def cosign(self, store: Store) -> bool:
        """The newest checkpoint; whether it was cosigned."""
        newest = httpx.get(f"{self.run.where()}/log/checkpoint").content
        done = collect(newest, stored_tiles(store), self.policy, seconds=10)
        if done.satisfied:
            self.heads.append(self.policy.verify(done.note).head)
        return done.satisfied


def witness_killed(run: Run) -> None:
    """`gardesh witness serve`: what it cosigned it does not forget, and it cosigns what follows."""
    run.serve()
    watching, store = Watching(run), Store(run.url)
    with run.circulation(20, pause=0.02) as circulation:
        for _ in range(2):
            circulation.more(run.dice.randrange(1, 8))
            killer = threading.Timer(run.dice.random() * 0.15, watching.process.kill)
            killer.start()
            while watching.cosign(store):
                pass
            killer.join()
            known = Witness(watching.home / "witness.sqlite")
            assert known.logs()[0].known.size >= max((h.size for h in watching.heads), default=0)
            known.close()
            watching.begin()
            assert watching.cosign(store)
    keep_their_word(store, run.heard, watching.heads)
    store.close()
