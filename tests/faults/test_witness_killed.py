"""`kill -9` of a witness, between what it stores and what it answers, and at any other moment."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from witnessing import NAME

from gardesh.exchange.witness import Witness
from gardesh.model.merkle import verify_consistency
from gardesh.model.policy import Policy
from gardesh.model.treehead import TreeHead
from gardesh.model.witness import read_size
from growing import ORIGIN, GrowingLog, cosigners, forked

HERE = Path(__file__).parent
LOG = GrowingLog(64)
POLICY = Policy.of_log(ORIGIN, LOG.keys, [c.verifier for c in cosigners(NAME)], 1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "witness.sqlite"
    Witness.create(made, NAME, [c.verifier for c in cosigners(NAME)])
    witness = Witness(made)
    witness.add_log(LOG.keys)
    witness.close()
    return made


@contextmanager
def process(path: Path, dies_after: int = 0) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A witness in a process of its own, and its address. It is dead when the block has ended."""
    port_file = path.with_name(f"port-{time.monotonic_ns()}")
    words = [sys.executable, str(HERE / "witnessing.py"), str(path), str(port_file), str(dies_after)]
    environment = {**os.environ, "PYTHONPATH": str(HERE.parent)}
    started = subprocess.Popen(words, env=environment)
    try:
        while not port_file.exists():
            assert started.poll() is None
            time.sleep(0.01)
        yield started, f"http://127.0.0.1:{port_file.read_text(encoding='ascii')}/add-checkpoint"
    finally:
        started.kill()
        started.wait()


def cosigned(url: str, body: bytes) -> httpx.Response | None:
    try:
        return httpx.post(url, content=body, timeout=30)
    except httpx.TransportError:
        return None


def size_of(path: Path) -> int:
    witness = Witness(path)
    size = witness.logs()[0].known.size
    witness.close()
    return size


def test_what_was_stored_before_the_kill_binds_the_witness_after_it(path: Path) -> None:
    with process(path, dies_after=1) as (started, url):
        assert cosigned(url, LOG.request(0, 20)) is None
        assert started.wait() == -9
    assert size_of(path) == 20
    with process(path) as (_, url):
        refused = cosigned(url, forked(5, 30).request(0, 30))
        assert refused is not None
        assert (refused.status_code, read_size(refused.content)) == (409, 20)
        refused = cosigned(url, forked(5, 20).request(20))
        assert refused is not None
        assert (refused.status_code, read_size(refused.content)) == (409, None)  # another root of that size
        answered = cosigned(url, LOG.request(20))
        assert answered is not None
        assert POLICY.verify(LOG.note() + answered.content).head == LOG.head()


def test_nothing_that_was_answered_is_forgotten_however_it_is_killed(path: Path) -> None:
    """Two histories are offered by turns while it is killed again and again; what it answered is one history."""
    chance, answered = random.Random(7), []
    logs = (LOG, forked(9, 64))
    for _ in range(8):
        size = size_of(path)
        with process(path, dies_after=chance.randrange(1, 6)) as (started, url):
            while size < 64 and started.poll() is None:
                grown = min(64, size + chance.randrange(1, 5))
                log = chance.choice(logs)
                answer = cosigned(url, log.request(size, grown))
                if answer is None:
                    break
                if answer.status_code == 200:
                    assert POLICY.verify(log.note(grown) + answer.content).head == log.head(grown)
                    answered.append((log, grown))
                    size = grown
        assert size_of(path) >= size
    assert len(answered) > 3
    witness = Witness(path)
    known = witness.logs()[0].known
    witness.close()
    last = next(log for log in logs if log.head(known.size).root == known.root)
    for log, size in answered:
        head: TreeHead = log.head(size)
        verify_consistency(size, head.root, known.size, known.root, last.proof(size, known.size))
