"""A witness on the disk and over HTTP: what it answers, what it remembers, whatever the log tells it."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

import httpx
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from gardesh.exchange.witness import MOST_CONFLICTS, Witness
from gardesh.exchange.witness_server import WitnessServer
from gardesh.model import note
from gardesh.model.merkle import verify_consistency
from gardesh.model.policy import Policy
from gardesh.model.problem import Problem
from gardesh.model.treehead import TreeHead
from gardesh.model.witness import MAX_REQUEST_BYTES, Request
from growing import ORIGIN, START, GrowingLog, cosigners, forked, signers
from serving import serving

NAME = "w.example/one"
KEYS = tuple(s.verifier for s in signers())
NOW = START // 1000
POLICY = Policy.of_log(ORIGIN, KEYS, [c.verifier for c in cosigners(NAME)], 1)


def make(path: Path) -> Witness:
    Witness.create(path, NAME, [c.verifier for c in cosigners(NAME)])
    witness = Witness(path, cosigners(NAME), lambda: NOW)
    assert witness.add_log(KEYS) == ORIGIN
    return witness


@pytest.fixture
def witness(tmp_path: Path) -> Iterator[Witness]:
    made = make(tmp_path / "witness.sqlite")
    yield made
    made.close()


def refused(witness: Witness, body: bytes) -> str:
    with pytest.raises(Problem) as problem:
        witness.add_checkpoint(body)
    return problem.value.code


def test_it_cosigns_with_both_keys_and_remembers_when_it_is_opened_again(witness: Witness) -> None:
    log = GrowingLog(7)
    lines = witness.add_checkpoint(log.request(0))
    assert POLICY.verify(log.note() + lines).witnessed == {NAME: NOW}
    assert [s.key_id for s in note.parse_signatures(lines)] == [c.verifier.key_id for c in cosigners(NAME)]
    again = Witness(witness.book.path, cosigners(NAME), lambda: NOW)
    assert refused(again, log.request(0)) == "witness-other-size"
    assert again.add_checkpoint(log.grow(300).request(7))
    [watched] = witness.logs()
    assert (watched.known.size, watched.known.root, watched.at) == (300, log.head().root, NOW)
    again.close()


def test_the_same_head_is_cosigned_again_and_a_clock_set_back_dates_nothing_back(witness: Witness) -> None:
    log = GrowingLog(7)
    witness.add_checkpoint(log.request(0))
    witness.now = lambda: NOW - 1000
    lines = witness.add_checkpoint(log.request(7))
    assert POLICY.verify(log.note() + lines).witnessed == {NAME: NOW}


def test_a_log_that_lies_gets_nothing(witness: Witness) -> None:
    log, other = GrowingLog(20), forked(5, 20)
    witness.add_checkpoint(log.request(0))
    assert refused(witness, other.request(20)) == "witness-other-root"
    assert refused(witness, other.grow(30).request(20)) == "consistency-proof-invalid"
    assert refused(witness, log.request(0, 9)) == "witness-other-size"
    assert refused(witness, log.request(20, 9)) == "witness-old-size-beyond"
    assert (
        refused(witness, Request(20, other.proof(20), log.grow(30).note()).encode())
        == "consistency-proof-invalid"
    )
    assert refused(witness, GrowingLog(30, "other.example/log").request(0)) == "witness-log-unknown"
    stolen = Request(20, log.proof(20), GrowingLog(30, "other.example/log").note()).encode()
    assert (
        refused(witness, stolen.replace(b"other.example/log\n", ORIGIN.encode() + b"\n", 1))
        == "witness-not-signed"
    )
    assert witness.logs()[0].known.size == 20
    assert witness.add_checkpoint(log.request(20))


def test_two_signed_roots_of_one_size_are_kept_as_evidence(witness: Witness) -> None:
    log = GrowingLog(20)
    witness.add_checkpoint(log.request(0))
    for at in range(19 - MOST_CONFLICTS - 2, 20):
        liar = forked(at, 20)
        for _ in range(2):
            assert refused(witness, liar.request(20)) == "witness-other-root"
        assert refused(witness, liar.request(0)) == "witness-other-size"
    pairs = witness.logs()[0].conflicts
    assert len(pairs) == MOST_CONFLICTS
    for pair in pairs:
        mine, theirs = (Policy.of_log(ORIGIN, KEYS).verify(raw).head for raw in pair)
        assert (mine.size, mine.root) == (20, log.head().root)
        assert (theirs.size, theirs.root != mine.root) == (20, True)


def test_keys_of_a_log_are_replaced_and_what_was_cosigned_stays(witness: Witness) -> None:
    log = GrowingLog(7)
    witness.add_checkpoint(log.request(0))
    witness.add_log(KEYS[1:])
    only_first = note.parse(log.note())
    one = note.Note(only_first.text, only_first.signatures[:1]).encode()
    assert refused(witness, Request(7, (), one).encode()) == "witness-not-signed"
    assert witness.add_checkpoint(log.request(7))
    with pytest.raises(Problem, match="witness-log-keys-apart"):
        witness.add_log((*KEYS, *(s.verifier for s in signers("other.example"))))


def test_a_witness_is_made_once_and_opened_only_where_there_is_one(tmp_path: Path) -> None:
    path = tmp_path / "w" / "witness.sqlite"
    with pytest.raises(Problem, match="not-a-witness"):
        Witness(path)
    with pytest.raises(Problem, match="witness-name-malformed"):
        Witness.create(path, "a name", [])
    make(path).close()
    with pytest.raises(Problem, match="already-a-witness"):
        Witness.create(path, NAME, [])
    path.write_bytes(b"not a database, but long enough to be taken for a file of one" * 20)
    with pytest.raises(Problem, match="store-unusable"):
        Witness(path)


def test_requests_at_once_for_one_log_are_answered_one_after_the_other(witness: Witness) -> None:
    """All start from the same size, so one alone can be first; each winner begins where the last one ended."""
    log = GrowingLog(40)
    witness.add_checkpoint(log.request(0, 1))
    bodies = [log.request(1, size) for size in range(2, 34)]
    answers: dict[int, bytes | str] = {}
    together = threading.Barrier(len(bodies))

    def ask(number: int, body: bytes) -> None:
        mine = Witness(witness.book.path, cosigners(NAME)) if number % 2 else witness
        together.wait()
        try:
            answers[number] = mine.add_checkpoint(body)
        except Problem as problem:
            answers[number] = problem.code

    threads = [threading.Thread(target=ask, args=each) for each in enumerate(bodies)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    won = [number for number, answer in answers.items() if isinstance(answer, bytes)]
    assert len(won) == 1
    assert {a for a in answers.values() if isinstance(a, str)} == {"witness-other-size"}
    assert witness.logs()[0].known.size == won[0] + 2


# -- over HTTP ----------------------------------------------------------------------------------------------


def test_the_protocol_over_http(witness: Witness) -> None:
    log = GrowingLog(300)
    with serving(WitnessServer(witness)) as url, httpx.Client(base_url=url, timeout=30) as client:
        asked = lambda body: client.post("add-checkpoint", content=body)  # noqa: E731
        digest = sha256(ORIGIN.encode()).hexdigest()
        assert client.get("healthz").text == "ok\n"
        assert client.get(f"{digest}/checkpoint").status_code == 404
        done = asked(log.request(0, 7))
        assert done.status_code == 200
        assert POLICY.verify(log.note(7) + done.content).witnessed == {NAME: NOW}
        conflict = asked(log.request(0))
        assert (conflict.status_code, conflict.text, conflict.headers["content-type"]) == (
            409, "7\n", "text/x.tlog.size",
        )  # fmt: skip
        assert asked(log.request(7)).status_code == 200
        served = client.get(f"{digest}/checkpoint")
        assert POLICY.verify(served.content).head == log.head()
        assert len(note.parse(served.content).signatures) == 4
        for body, status in (
            (b"old x\n\n", 400),
            (b"", 400),
            (log.request(300, 7), 400),
            (GrowingLog(1, "other.example").request(0), 404),
            (Request(300, (), forked(5, 300).note()).encode(), 409),
            (Request(300, (bytes(32),), forked(5, 300).note()).encode(), 422),
            (b"o" * (MAX_REQUEST_BYTES + 1), 413),
        ):
            told = asked(body)
            assert (told.status_code, told.headers["content-type"]) == (status, "application/problem+json")
            assert told.json()["detail"] == told.json()["sentences"]["en"]
            assert told.json()["sentences"]["fa"]
        assert client.get("add-checkpoint").status_code == 405
        assert client.post("healthz").status_code == 405
        assert client.get("other").status_code == 404
        assert client.get(f"{digest[:-1]}/checkpoint").status_code == 404


def test_a_body_without_end_is_cut_off(witness: Witness) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(10_000):
            yield b"old 0\n" * 4096

    with serving(WitnessServer(witness)) as url, httpx.Client(timeout=30) as client:
        try:
            assert client.post(url + "add-checkpoint", content=endless()).status_code == 413
        except httpx.TransportError:  # it may hang up while the rest is being sent
            assert client.get(url + "healthz").status_code == 200


# -- never two histories ------------------------------------------------------------------------------------


class TwoHistories(RuleBasedStateMachine):
    """A log with three histories, and a witness that is closed and opened again between any two requests."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "witness.sqlite"
        self.witness = make(self.path)
        self.logs = BRANCHES
        self.cosigned: list[tuple[TreeHead, GrowingLog]] = []

    @rule(number=st.integers(0, 2), size=st.integers(0, 12), old=st.integers(0, 12), shown=st.integers(0, 2))
    def ask(self, number: int, size: int, old: int, shown: int) -> None:
        log, other = self.logs[number], self.logs[shown]
        proof = other.proof(old, size) if old <= size else ()
        self._send(Request(old, proof, log.note(size)).encode(), log, size)

    @rule(number=st.integers(0, 2), more=st.integers(0, 3))
    def ask_from_the_known_size(self, number: int, more: int) -> None:
        old = self.witness.logs()[0].known.size
        size = min(old + more, 12)
        self._send(self.logs[number].request(old, size), self.logs[number], size)

    def _send(self, body: bytes, log: GrowingLog, size: int) -> None:
        try:
            lines = self.witness.add_checkpoint(body)
        except Problem:
            return
        assert POLICY.verify(log.note(size) + lines).witnessed == {NAME: NOW}
        self.cosigned.append((log.head(size), log))

    @precondition(lambda self: self.cosigned)
    @rule()
    def open_again(self) -> None:
        self.witness.close()
        self.witness = Witness(self.path, cosigners(NAME), lambda: NOW)

    @invariant()
    def no_two_heads_contradict_each_other(self) -> None:
        for older, newer in pairwise(self.cosigned):
            (first, _), (second, log) = older, newer
            assert first.size <= second.size
            verify_consistency(
                first.size, first.root, second.size, second.root, log.proof(first.size, second.size)
            )

    def teardown(self) -> None:
        self.witness.close()
        self.folder.cleanup()


BRANCHES = [GrowingLog(12), forked(4, 12), forked(9, 12)]


def test_a_witness_never_cosigns_two_histories() -> None:
    effort = max(1, settings().max_examples // 100)
    run_state_machine_as_test(
        TwoHistories, settings=settings(max_examples=15 * effort, stateful_step_count=25, deadline=None)
    )
