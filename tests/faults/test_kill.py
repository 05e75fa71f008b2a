"""kill -9 at random moments under load: nothing acknowledged is lost, nothing counts twice, writing goes on."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from base64 import b64decode
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest
from circulation import papers_of_a_case

import stores
from gardesh.model import receipt
from gardesh.model.checkpoint import verify_extension
from gardesh.model.document import parse
from gardesh.model.problem import Problem
from gardesh.model.tile import consistency_proof, root
from gardesh.record.log import stored_tiles
from gardesh.record.store import Store
from market import Market, application, explains_itself

pytestmark = pytest.mark.store

HERE = Path(__file__).parent
THREADS = 4
CASES = 48


@pytest.fixture(scope="module")
def streams() -> list[list[bytes]]:
    """What each thread sends, signed beforehand. The first node that a store sees has the same organisations."""
    market = Market()
    cases = [papers_of_a_case(market, number) for number in range(CASES)]
    return [[paper for case in cases[n::THREADS] for paper in case] for n in range(THREADS)]


@dataclass
class Killed:
    """What a writer said before it was killed."""

    accepted: dict[bytes, tuple[int, receipt.Receipt]] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    done: bool = False

    def hear(self, lines: bytes) -> None:
        for line in lines.split(b"\n")[:-1]:  # what follows the last newline was cut off
            word, *said = line.decode().split()
            if word == "accepted":
                proof = receipt.parse(b64decode(said[2]))
                self.accepted[bytes.fromhex(said[0])] = (int(said[1]), proof)
            elif word == "refused":
                self.refused.append(said[0])
            elif word in ("done", "created"):
                self.done = True


def start(*args: str) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(HERE.parent)}
    return subprocess.Popen(
        [sys.executable, str(HERE / "writer.py"), *args], stdout=subprocess.PIPE, env=environment, bufsize=0
    )


def kill_after(process: subprocess.Popen[bytes], lines: int, seconds: float) -> Killed:
    """Kill it so long after so many lines; then take what is still in the pipe."""
    assert process.stdout is not None
    heard = b""
    while heard.count(b"\n") < lines:
        more = os.read(process.stdout.fileno(), 1 << 16)
        if not more:
            break
        heard += more
    time.sleep(seconds)
    process.kill()
    rest, _ = process.communicate(timeout=30)
    killed = Killed()
    killed.hear(heard + rest)
    return killed


def hold_to_its_word(path: str, acknowledged: dict[bytes, tuple[int, receipt.Receipt]]) -> Market:
    """The record has every acknowledged document at its place, none twice, and is what its checkpoints sign."""
    market = Market.opened(Store(path))
    rows = market.store.rows("SELECT position, digest, statement FROM documents ORDER BY position")
    assert [row[0] for row in rows] == list(range(len(rows)))
    assert len({row[1] for row in rows}) == len({row[2] for row in rows}) == len(rows)
    places = {bytes(digest): position for position, digest, _ in rows}
    assert {d: places.get(d) for d in acknowledged} == {d: p for d, (p, _) in acknowledged.items()}
    explains_itself(market.node)
    tiles, now = stored_tiles(market.store), market.policy.verify(market.node.log.checkpoint(market.now)).head
    assert (now.size, now.root) == (len(rows), root(len(rows), tiles))
    heads = {
        proof.checkpoint: market.policy.verify(proof.checkpoint).head for _, proof in acknowledged.values()
    }
    for digest, (position, proof) in acknowledged.items():
        assert receipt.check(proof, digest, heads[proof.checkpoint]).position == position
    for head in heads.values():
        verify_extension(head, now, consistency_proof(head.size, now.size, tiles))
    return market


def rounds(folder: Path, streams: list[list[bytes]], count: int, chance: random.Random) -> int:
    """Kill a writer so often on one record, checking after each; returns how many documents were left unsent."""
    path, sending = stores.place(folder), folder / "papers"
    Market(Store(path, create=True)).node.close()
    acknowledged: dict[bytes, tuple[int, receipt.Receipt]] = {}
    for _ in range(count):
        left = [[p for p in stream if parse(p).digest not in acknowledged] for stream in streams]
        sending.write_bytes(msgspec.msgpack.encode(left))
        process = start("write", path, str(sending))
        killed = kill_after(process, 1 + chance.randrange(2, 40), chance.random() * 0.02)
        assert set(killed.refused) <= {"case-withdrawn"}
        acknowledged |= killed.accepted
        market = hold_to_its_word(path, acknowledged)
        market.submit(market.paper("sara", "application", application("sara")))
        market.node.close()
        if killed.done:
            break
    return sum(parse(p).digest not in acknowledged for stream in streams for p in stream)


@pytest.mark.parametrize("seed", range(2))
def test_nothing_acknowledged_is_lost_when_the_writer_is_killed(
    tmp_path: Path, streams: list[list[bytes]], seed: int
) -> None:
    assert rounds(tmp_path, streams, 10, random.Random(seed)) > 0


@pytest.mark.long
@pytest.mark.parametrize("seed", range(2, 24))
def test_nothing_acknowledged_is_lost_however_often_the_writer_is_killed(
    tmp_path: Path, streams: list[list[bytes]], seed: int
) -> None:
    rounds(tmp_path, streams, 10, random.Random(seed))


@pytest.mark.parametrize("delay", [0.0, 0.01, 0.03, 0.06, 0.1])
def test_a_node_whose_making_was_killed_is_made_anew_or_is_whole(tmp_path: Path, delay: float) -> None:
    path = stores.place(tmp_path)
    killed = kill_after(start("create", path), 1, delay)
    try:
        market = Market.opened(Store(path))
    except Problem as problem:
        assert problem.code in ("not-a-node", "store-unusable")
        assert not killed.done
        market = Market(Store(path, create=True))
    explains_itself(market.node)
    market.now += 1
    for org in ("ali", "city"):
        if not market.node.sequencer.registers.roles(org, market.now):
            return
    market.apply()
    explains_itself(market.node)
