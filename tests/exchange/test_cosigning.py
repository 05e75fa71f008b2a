"""A log collects cosignatures from real witnesses, from dead ones, and from some that answer what they should not."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from gardesh.exchange.cosigning import MOST_ASKED, Cosigned, collect
from gardesh.exchange.witness import Witness
from gardesh.exchange.witness_server import WitnessServer
from gardesh.model import note
from gardesh.model.note import MAX_NOTE_BYTES
from gardesh.model.policy import Group, Policy
from gardesh.model.policy import Witness as Listed
from gardesh.model.problem import Problem
from gardesh.model.signer import Signer
from gardesh.model.witness import parse
from gardesh.record.log import Log, stored_tiles
from growing import ORIGIN, START, GrowingLog, cosigners, forked
from serving import serving

NAMES = ("a.example", "b.example", "c.example")


def listed(name: str, url: str) -> Listed:
    return Listed(name, tuple(c.verifier for c in cosigners(name)), url)


def policy(log: GrowingLog, *witnesses: Listed, least: int = 1) -> Policy:
    return Policy(Policy.of_log(ORIGIN, log.keys).logs, witnesses, Group("g", least, witnesses))


def ask(log: GrowingLog, *witnesses: Listed, least: int = 1, seconds: float = 20) -> Cosigned:
    return collect(
        log.log.checkpoint(START),
        stored_tiles(log.store),
        policy(log, *witnesses, least=least),
        seconds=seconds,
    )


@contextmanager
def running(folder: Path, name: str, log: GrowingLog) -> Iterator[tuple[Listed, Witness]]:
    path = folder / f"{name}.sqlite"
    if not path.exists():
        Witness.create(path, name, [c.verifier for c in cosigners(name)])
    witness = Witness(path, cosigners(name), lambda: START // 1000)
    witness.add_log(log.keys)
    with serving(WitnessServer(witness)) as url:
        yield listed(name, url), witness
    witness.close()


@pytest.fixture
def log() -> GrowingLog:
    return GrowingLog(7)


@pytest.fixture
def witnesses(tmp_path: Path, log: GrowingLog) -> Iterator[list[tuple[Listed, Witness]]]:
    with ExitStack() as stack:
        yield [stack.enter_context(running(tmp_path, name, log)) for name in NAMES]


def test_all_witnesses_cosign_and_go_on_from_what_they_know(
    log: GrowingLog, witnesses: list[tuple[Listed, Witness]]
) -> None:
    found = [w for w, _ in witnesses]
    for size in (7, 7, 8, 256, 300):
        done = ask(log.grow(size), *found, least=3)
        assert done.satisfied
        assert (set(done.signed), done.missing) == (set(NAMES), {})
        checked = policy(log, *found, least=3).verify(done.note)
        assert checked.head == log.head(size)
        assert len(checked.note.signatures) == 2 + 2 * 3
        log.log.keep_cosigned(size, done.note)
    assert {w.logs()[0].known.size for _, w in witnesses} == {300}


def test_who_does_not_sign_is_named_with_the_reason(
    log: GrowingLog, witnesses: list[tuple[Listed, Witness]]
) -> None:
    one, two, three = (w for w, _ in witnesses)
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with socket.create_server(("127.0.0.1", 0)) as mute:
        slow = listed("slow.example", f"http://127.0.0.1:{mute.getsockname()[1]}")
        dead = listed("dead.example", f"http://127.0.0.1:{port}")
        lost = listed("lost.example", one.url + "elsewhere")
        other = listed("other.example", two.url)
        nowhere = listed("nowhere.example", "")
        odd = listed("odd.example", "http://[")
        done = ask(log, one, slow, dead, lost, other, nowhere, odd, three, least=3, seconds=2)
    assert {*done.signed} == {one.name, three.name}
    assert not done.satisfied
    assert {name: problem.code for name, problem in done.missing.items()} == {
        "slow.example": "witness-too-slow",
        "dead.example": "witness-unreachable",
        "lost.example": "witness-refused",
        "other.example": "witness-cosignature-missing",
        "nowhere.example": "witness-without-address",
        "odd.example": "witness-unreachable",
    }
    assert done.missing["lost.example"].params["status"] == 404
    with pytest.raises(Problem, match="checkpoint-quorum-missing"):
        policy(log, one, slow, three, least=3).verify(done.note)
    assert policy(log, one, slow, three, least=2).verify(done.note).missing == ("slow.example",)


def test_a_log_that_forked_or_was_rolled_back_gets_no_cosignature(
    log: GrowingLog, witnesses: list[tuple[Listed, Witness]]
) -> None:
    one, two = (w for w, _ in witnesses[:2])
    ask(log.grow(20), one)
    assert ask(GrowingLog(9), one).missing[one.name].code == "witness-ahead"
    assert ask(GrowingLog(9), one).missing[one.name].params["seen"] == 20
    for size in (20, 30):
        liar = ask(forked(5, size), one, two)
        assert {*liar.signed} == {two.name}
        assert liar.missing[one.name].params["status"] == (409 if size == 20 else 422)
    assert ask(log, one).satisfied


class Answers:
    """An ASGI application that answers every request alike, or by what it is asked."""

    def __init__(self, *answers: tuple[int, bytes]) -> None:
        self.answers, self.asked, self.longest = list(answers), list[int](), 0

    async def __call__(self, scope: dict, receive: object, send: object) -> None:  # type: ignore[type-arg]
        body, more = b"", True
        while more:
            message = await receive()  # type: ignore[operator]
            body, more = body + message.get("body", b""), message.get("more_body", False)
        self.asked.append(parse(body).old)
        self.longest = max(self.longest, len(body))
        status, told = self.answers[min(len(self.asked), len(self.answers)) - 1]
        await send({"type": "http.response.start", "status": status, "headers": []})  # type: ignore[operator]
        await send({"type": "http.response.body", "body": told})  # type: ignore[operator]


def lines(log: GrowingLog, size: int, name: str = "a.example", at: int = START // 1000) -> bytes:
    text = log.head(size).text()
    return "".join(c.sign(text, at).line() for c in cosigners(name)).encode()


@pytest.mark.parametrize(
    ("answers", "code"),
    [
        ([(200, b"nonsense")], "witness-answer-malformed"),
        ([(200, b"")], "witness-answer-malformed"),
        ([(200, b"x" * (MAX_NOTE_BYTES + 1))], "witness-answer-malformed"),
        ([(409, b"5")], "witness-answer-malformed"),
        ([(409, b"05\n")], "witness-answer-malformed"),
        ([(409, b"8\n")], "witness-ahead"),
        ([(409, b"3\n")], "witness-refused"),
        ([(500, b"")], "witness-refused"),
        ([(302, b"")], "witness-refused"),
        ([(200, lines(GrowingLog(6), 6))], "witness-cosignature-wrong"),
        ([(200, lines(forked(3, 7), 7))], "witness-cosignature-wrong"),
        ([(200, lines(GrowingLog(7), 7, at=0))], "witness-cosignature-wrong"),
        ([(200, lines(GrowingLog(7), 7, "b.example"))], "witness-cosignature-missing"),
    ],
)
def test_what_a_witness_should_not_answer_is_not_taken(
    log: GrowingLog, answers: list[tuple[int, bytes]], code: str
) -> None:
    app = Answers(*answers)
    with serving(app) as url:
        done = ask(log, listed("a.example", url))
    assert done.missing["a.example"].code == code
    assert done.note == log.log.checkpoint(START)
    assert len(app.asked) <= MOST_ASKED


def test_it_is_asked_again_from_the_size_that_it_knows(log: GrowingLog) -> None:
    app = Answers((409, b"3\n"), (409, b"5\n"), (200, lines(log, 7)))
    with serving(app) as url:
        assert ask(log, listed("a.example", url)).satisfied
    assert app.asked == [0, 3, 5]


def test_a_request_stays_small_however_many_have_cosigned(log: GrowingLog) -> None:
    """Some witnesses take 10 kB at most; a cosignature of ML-DSA-44 has 3.3 kB."""
    names = [f"{n}.example" for n in range(5)]
    cosigned = log.note() + b"".join(lines(log, 7, name) for name in names)
    app = Answers((409, b"5\n"), (200, lines(log, 7)))
    with serving(app) as url:
        judge = policy(log, listed("a.example", url), *(listed(name, "") for name in names), least=6)
        done = collect(cosigned, stored_tiles(log.store), judge)
    assert (done.satisfied, done.missing) == (True, {})
    assert len(done.note) > 18_000
    assert app.longest < 5_000


def test_lines_by_other_keys_are_left_out(log: GrowingLog) -> None:
    stranger = Signer.of_notes("stranger.example", log.log.signers[0]._key)  # type: ignore[arg-type]
    more = stranger.sign(log.head().text(), START).line().encode() + lines(log, 7, "b.example")
    with serving(Answers((200, more + lines(log, 7)))) as url:
        done = ask(log, listed("a.example", url))
    assert {s.name for s in note.parse(done.note).signatures} == {ORIGIN, "a.example"}


def test_the_record_keeps_the_cosigned_checkpoint(
    log: GrowingLog, witnesses: list[tuple[Listed, Witness]]
) -> None:
    done = ask(log, witnesses[0][0])
    other = Log(log.store, ORIGIN, log.log.signers)
    log.log.keep_cosigned(7, done.note)
    assert Log(log.store, ORIGIN, log.log.signers).note == done.note == log.log.note
    with log.store.writing():
        other.store_checkpoint(7, other.checkpoint(START))
    assert bytes(log.store.one("SELECT note FROM checkpoints WHERE size = 7")[0]) == done.note
