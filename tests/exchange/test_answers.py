"""What another machine answers is read within bounds: a log that is watched, a witness that is asked."""

from __future__ import annotations

import asyncio
import gzip
import tracemalloc
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gardesh.exchange import answers
from gardesh.exchange.answers import AnswerUnbounded
from gardesh.exchange.cosigning import collect
from gardesh.exchange.log_source import Web
from gardesh.model.policy import Group, Policy, Witness
from gardesh.model.problem import Problem
from gardesh.record.log import stored_tiles
from growing import ORIGIN, START, GrowingLog, cosigners
from serving import serving

MOST = 8_192
BOMB = gzip.compress(bytes(64 << 20), 9)
"""64 MiB in 64 KiB."""


class Answer:
    """Answers every request with these pieces, under these headers, with a pause after each piece."""

    def __init__(self, *pieces: bytes, coding: str = "", pause: float = 0) -> None:
        self.pieces, self.pause = pieces, pause
        self.headers = [(b"content-encoding", coding.encode())] if coding else []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.headers})
        for piece in self.pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            await asyncio.sleep(self.pause)
        await send({"type": "http.response.body", "body": b""})


def got(app: Answer, most: int = MOST, seconds: float = 20) -> bytes | str:
    """What is read of it, or why not; and that it was read in little room."""
    with serving(app) as url:
        log = Web(url, seconds)
        tracemalloc.start()
        try:
            return log.get("tile/0/000", most)
        except Problem as problem:
            assert problem.code == "log-file-unavailable"
            return str(problem.params["reason"])
        finally:
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            log.close()
            assert peak < 8 << 20


def test_a_file_is_read_as_it_is_and_compressed_once() -> None:
    tile = bytes(range(256)) * 32
    assert got(Answer(tile)) == tile
    assert got(Answer(tile[:100], tile[100:])) == tile
    assert got(Answer(gzip.compress(tile), coding="gzip")) == tile
    assert got(Answer(tile * 2)) == (tile * 2)[: MOST + 1]


@pytest.mark.parametrize(
    ("body", "coding"),
    [(BOMB, "gzip"), (gzip.compress(BOMB), "gzip"), (BOMB * 20, "gzip"), (bytes(4 << 20), "")],
    ids=["a bomb", "a bomb in a parcel", "many bombs", "much"],
)
def test_no_more_is_read_than_was_asked_for(body: bytes, coding: str) -> None:
    told = got(Answer(body, coding=coding))
    assert len(told) <= MOST + 1


@pytest.mark.parametrize("coding", ["gzip, gzip", "gzip,gzip,gzip", "deflate", "br", "zstd", "x" * 100])
def test_another_coding_is_not_undone(coding: str) -> None:
    assert str(got(Answer(gzip.compress(BOMB), coding=coding))).startswith("it is coded as")


def test_what_is_no_gzip_is_refused() -> None:
    assert str(got(Answer(b"plain", coding="gzip"))).startswith("it is no gzip")


def test_a_file_by_drops_is_not_waited_for() -> None:
    """Never so slowly that one pause is too long."""
    assert str(got(Answer(*[b"x"] * 30, pause=0.1), seconds=0.25)).startswith("it took longer than 1.0 s")


@given(st.binary(max_size=300), st.booleans(), st.integers(0, 400), st.integers(0, 40), st.binary(max_size=3))
def test_whatever_comes_is_bounded(data: bytes, packed: bool, most: int, at: int, junk: bytes) -> None:
    raw = gzip.compress(data) if packed else data
    spoilt = raw[:at] + junk + raw[at + len(junk) :]
    answer = httpx.Response(200, headers={"content-encoding": "gzip"}, stream=httpx.ByteStream(spoilt))
    try:
        found = answers.read(answer, most, 20)
    except AnswerUnbounded:
        return
    assert len(found) <= most + 1
    if spoilt == gzip.compress(data):
        assert found == data[: most + 1]


@pytest.mark.parametrize("coding", ["gzip", "gzip, gzip", "deflate"])
def test_a_witness_that_answers_with_a_bomb_is_refused(coding: str) -> None:
    log = GrowingLog(7)
    with serving(Answer(BOMB, coding=coding)) as url:
        listed = Witness("a.example", tuple(c.verifier for c in cosigners("a.example")), url)
        policy = Policy(Policy.of_log(ORIGIN, log.keys).logs, (listed,), Group("g", 1, (listed,)))
        tracemalloc.start()
        done = collect(log.log.checkpoint(START), stored_tiles(log.store), policy, seconds=20)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert done.missing["a.example"].code == "witness-answer-malformed"
    assert peak < 8 << 20
