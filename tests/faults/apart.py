"""Nodes on hosts of their own, with wires between them that are slow, lose packets and are cut; some of the nodes lie.

Run by `test_namespaces.py`, in a network namespace.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from gardesh import wire
from gardesh.client import Client, Signature
from gardesh.client.call import Refused
from gardesh.hosts import Host, Network, Wire
from gardesh.model.signer import SignatureType
from growing import cosigners
from market import key_of, signers_of
from two_nodes import ABROAD, HOME, clock_of
from waiting import until

HERE = Path(__file__).parent
CONFIGURATION = "[nodes]\nfollow = true\nallow_http = true\nevery_seconds = 0.2\ntimeout_seconds = 5\n[limits]\nrate = 0\n"
WITNESSED = '[witnesses]\npolicy = "policy"\nevery_seconds = 0.2\ntimeout_seconds = 2\n'
WITNESSES = ("state", "guild", "university")
HOUR = 3_600_000


class Place:
    """A node that runs on a host."""

    def __init__(self, net: Network, folder: Path, origin: str, host: Host) -> None:
        self.net, self.folder, self.origin, self.host = net, folder, origin, host
        self.url = f"http://{host.address}:8420"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, skew: int = 0, configuration: str = CONFIGURATION) -> Place:
        words = [sys.executable, str(HERE / "remote.py"), str(self.folder), self.origin, self.host.address]
        self.process = subprocess.Popen(self.host.command([*words, str(skew), configuration]))
        self.skew = skew / 1000
        until(self.alive, 60)
        return self

    def alive(self) -> bool:
        """Asked on the host itself, whatever the wires are."""
        assert self.process is not None
        assert self.process.poll() is None
        script = f"import socket; socket.create_connection(({self.host.address!r}, 8420), 2)"
        words = self.host.command([sys.executable, "-S", "-E", "-c", script])
        return subprocess.run(words, capture_output=True, check=False).returncode == 0

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait()

    def said(self) -> str:
        return (self.folder / "log").read_text(encoding="utf-8")

    def by(self, org: str) -> Client:
        clock = lambda: time.time() + self.skew  # noqa: E731
        return Client(self.url, Signature(key_of(org), clock), timeout=20, clock=clock)

    def issue(self, org: str, step: str, subject: dict[str, Any], **more: Any) -> wire.Accepted:
        with self.by(org) as client:
            return client.issue(wire.DraftWanted(step=step, **more), subject, org, key_of(org))


class World:
    """`home`, where a trade case waits for a permit, `abroad`, where permits are given, and three witnesses of abroad."""

    def __init__(self, net: Network, folder: Path) -> None:
        self.net, self.folder = net, folder
        self.home = Place(net, folder / "home", HOME, net.host())
        self.abroad = Place(net, folder / "abroad", ABROAD, net.host())
        self.witnesses: dict[str, Host] = {}
        self.processes: list[subprocess.Popen[bytes]] = []
        self.policy = ""

    def begin(self, *, witnessed: bool = False, skew: int = 0) -> None:
        (self.folder / "abroad").mkdir()
        configuration = CONFIGURATION
        if witnessed:
            self.start_witnesses()
            configuration += WITNESSED
        self.home.start()
        self.abroad.start(skew, configuration)
        key = {"kid": clock_of(HOME).kid, "jwk": dict(clock_of(HOME).public.jwk)}
        admitted = {
            "org": "province",
            "name": {"fa": "استان", "en": "Province"},
            "keys": [key],
            "roles": ["member"],
        }
        self.abroad.issue("steward", "admission", admitted, procedure="core/admission")
        self.recognise(self.abroad, self.home, org="province")
        more = {"witnesses": self.policy} if witnessed else {}
        self.recognise(self.home, self.abroad, known_as="province", **more)
        self.case = self.home.issue("ali", "request", {"who": "ali"}, procedure="tiny/trade").case

    def start_witnesses(self) -> None:
        lines, needed = [], []
        for name in WITNESSES:
            host = self.net.host()
            keys = [s.verifier.vkey() for s in signers_of(ABROAD)]
            words = [
                sys.executable,
                str(HERE / "cosigning.py"),
                str(self.folder / f"{name}.sqlite"),
                name,
                host.address,
            ]
            self.processes.append(subprocess.Popen(host.command([*words, *keys])))
            self.witnesses[name] = host
            (key,) = [
                s.verifier.vkey()
                for s in cosigners(name)
                if s.verifier.type == SignatureType.COSIGNATURE_MLDSA44
            ]
            lines.append(f"witness {name} {key} http://{host.address}:7380/")
            needed.append(f"witness {name} {key}")
        rule = ["group two-of-three 2 " + " ".join(WITNESSES), "quorum two-of-three", ""]
        (self.folder / "abroad" / "policy").write_text("\n".join([*lines, *rule]), encoding="utf-8")
        self.policy = "\n".join([*needed, *rule])

    def recognise(self, at: Place, known: Place, **said: Any) -> None:
        with known.by("steward") as client:
            told = client.node()
        subject = {
            "origin": told.origin, "org": "abroad", "genesis": told.genesis, "keys": told.log_keys,
            "procedures": ["tiny/permit"], "url": known.url, **said,
        }  # fmt: skip
        at.issue("steward", "node-recognition", subject, procedure="core/node-recognition")

    def ask(self, at: Place | None = None) -> str:
        slot = wire.SlotName(case=self.case, step="permit", key="", log=HOME)
        made = (at or self.abroad).issue(
            "ali", "ask", {"who": "ali", "amount": 3}, procedure="tiny/permit", for_slot=slot
        )
        return made.case

    def answer(self, asked: str, at: Place | None = None, amount: int = 3) -> None:
        place = at or self.abroad
        place.issue("neighbour", "check", {"who": "ali"}, case=asked)
        place.issue("health", "answer", {"who": "ali", "amount": amount}, case=asked, outcome="approved")

    def state(self) -> str:
        """Of the slot at home that waits."""
        with self.home.by("ali") as ali:
            return next(s.state for s in ali.case(self.case).slots if s.step == "permit")

    def bring(self, data: bytes) -> str:
        """The code of the refusal, or nothing."""
        with self.home.by("ali") as ali:
            try:
                ali.bring(data)
            except Refused as refused:
                return refused.code
        return ""

    def file(self, asked: str, at: Place | None = None) -> bytes:
        with (at or self.abroad).by("ali") as ali:
            return ali.case_file(asked)

    def another(self, name: str = "liar") -> Place:
        """The node abroad as it is now, once more, with its keys and its address: whom it is shown to, `see` says."""
        self.abroad.stop()
        shutil.copytree(self.abroad.folder, self.folder / name)
        (self.folder / name / "log").unlink(missing_ok=True)
        made = Place(self.net, self.folder / name, ABROAD, self.net.host(self.abroad.host.address))
        self.abroad.start(configuration=CONFIGURATION + (WITNESSED if self.policy else ""))
        return made

    def see(self, host: Host, place: Place) -> None:
        """From here on that host reaches this node under the address of the node abroad."""
        self.net.views[(host, self.abroad.host.packed)] = place.host

    def close(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with Network() as net:
        made = World(net, tmp_path)
        try:
            yield made
        finally:
            made.home.stop()
            made.abroad.stop()
            made.close()


def test_slow_wires_that_lose_packets_only_take_longer(world: World) -> None:
    world.begin(witnessed=True)
    world.net.usual = Wire(delay=0.05, loss=0.05)
    world.answer(world.ask())
    until(lambda: world.state() == "issued", 90)


def test_while_the_nodes_are_apart_each_goes_on_and_afterwards_nothing_is_missing(world: World) -> None:
    world.begin()
    asked = world.ask()
    until(lambda: '"followed"' in world.home.said(), 30)
    world.net.between(world.home.host, world.abroad.host, Wire(cut=True))
    world.answer(asked)
    paper = {"who": "ali"}
    assert world.home.issue("ali", "request", paper, procedure="tiny/trade").position > 0
    until(lambda: '"log-file-unavailable"' in world.home.said(), 60)
    assert world.state() == "due"
    world.net.between(world.home.host, world.abroad.host, None)
    until(lambda: world.state() == "issued", 60)


def test_without_enough_witnesses_nothing_counts_until_they_are_back(world: World) -> None:
    world.begin(witnessed=True)
    until(lambda: '"quorum":true' in world.abroad.said(), 60)
    for name in ("guild", "university"):
        world.net.between(world.abroad.host, world.witnesses[name], Wire(cut=True))
    asked = world.ask()
    world.answer(asked)
    until(lambda: '"quorum":false' in world.abroad.said(), 60)
    assert world.bring(world.file(asked)) == "checkpoint-quorum-missing"
    assert world.state() == "due"
    world.net.between(world.abroad.host, world.witnesses["guild"], None)
    until(lambda: world.state() == "issued", 60)


def test_a_second_history_is_found_by_who_saw_the_first(world: World) -> None:
    world.begin()
    asked = world.ask()
    until(lambda: '"followed"' in world.home.said(), 30)
    liar = world.another()
    world.answer(asked)
    until(lambda: world.state() == "issued", 60)
    liar.start()
    world.see(world.home.host, liar)
    world.see(world.net.here, liar)
    world.answer(asked, liar, amount=9)
    until(lambda: '"log-forked"' in world.home.said(), 60)
    assert world.bring(world.file(asked, liar)) == "log-forked"
    liar.stop()


def test_who_saw_one_history_alone_is_kept_from_it_by_the_witnesses(world: World) -> None:
    """A split view from the beginning: home never saw the other history, and only witnesses can tell."""
    world.begin(witnessed=True)
    until(lambda: '"quorum":true' in world.abroad.said(), 60)
    world.net.between(world.home.host, world.abroad.host, Wire(cut=True))
    liar = world.another()
    world.ask()
    until(lambda: cosigned(world), 60)
    liar.start(configuration=CONFIGURATION + WITNESSED)
    world.see(world.home.host, liar)
    world.see(world.net.here, liar)
    for host in world.witnesses.values():
        world.net.views[(host, world.abroad.host.packed)] = liar.host
    asked = world.ask(liar)
    world.answer(asked, liar, amount=9)
    until(lambda: "witness-ahead" in liar.said() or "witness-refused" in liar.said(), 60)
    assert world.bring(world.file(asked, liar)) == "checkpoint-quorum-missing"
    assert world.state() == "due"
    liar.stop()


def cosigned(world: World) -> bool:
    with world.abroad.by("ali") as ali:
        size = ali.node().size
    shown = httpx.get(world.abroad.url + "/log/checkpoint").text
    return int(shown.splitlines()[1]) == size


def test_an_entry_that_is_withheld_from_the_log_is_found_by_what_proves_it(world: World) -> None:
    world.begin()
    until(lambda: '"followed"' in world.home.said(), 30)
    world.net.between(world.home.host, world.abroad.host, Wire(cut=True))
    liar = world.another("without")
    asked = world.ask()
    world.answer(asked)
    proof = world.file(asked)  # whoever has it brings it
    liar.start()
    world.see(world.home.host, liar)
    assert world.bring(proof) in ("log-file-unavailable", "log-tiles-wrong")
    world.see(world.net.here, liar)
    for _ in range(6):
        world.ask(liar)
    until(lambda: world.bring(proof) == "log-forked", 60)
    assert world.state() == "due"
    liar.stop()


@pytest.mark.parametrize(("skew", "code"), [(-2 * HOUR, "evidence-backdated"), (2 * HOUR, "evidence-ahead")])
def test_a_clock_that_is_off_is_found(world: World, skew: int, code: str) -> None:
    world.begin(skew=skew)
    asked = world.ask()
    world.answer(asked)
    assert world.bring(world.file(asked)) == code
    assert world.state() == "due"


def test_the_receipt_of_another_node_proves_nothing_of_this_one(world: World) -> None:
    world.begin()
    third = Place(world.net, world.folder / "third", "third.example/log", world.net.host()).start()
    world.recognise(third, world.home, org="province")
    asked = world.ask(third)
    world.answer(asked, third)
    data = world.file(asked, third)
    assert world.bring(data) == "node-unknown"
    # The steward recognises it with the keys of the node abroad.
    renamed = [key.verifier.vkey() for key in signers_of(ABROAD, "third.example/log")]
    world.recognise(world.home, third, keys=renamed)
    assert world.bring(data) in ("note-signature-missing", "note-signature-invalid")
    assert world.state() == "due"
    third.stop()
