"""Where a request ends, and what is its own, is read in one way or not at all: nothing is smuggled in behind it."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time
from pathlib import Path

import pytest
from served import Served, serving
from test_patience import answer_to, place

from gardesh.node import Node
from market import Market

SECOND = b"GET /v1/second HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
CHUNKED = b"transfer-encoding: chunked\r\n"
BODY = b"2\r\n{}\r\n0\r\n\r\n"


def post(headers: bytes, body: bytes = b"", version: bytes = b"1.1") -> bytes:
    return (
        b"POST /v1/drafts HTTP/"
        + version
        + b"\r\nhost: x\r\ncontent-type: application/json\r\n"
        + headers
        + b"\r\n"
        + body
    )


def get(headers: bytes = b"host: x\r\n", target: bytes = b"/healthz", version: bytes = b"HTTP/1.1") -> bytes:
    return b"GET " + target + b" " + version + b"\r\n" + headers + b"\r\n"


UNCLEAR = {
    "a length and chunks": post(b"content-length: 2\r\n" + CHUNKED, BODY),
    "chunks and a length": post(CHUNKED + b"content-length: 2\r\n", BODY),
    "two lengths": post(b"content-length: 2\r\ncontent-length: 9\r\n", b"{}"),
    "the same length twice": post(b"content-length: 2\r\ncontent-length: 2\r\n", b"{}"),
    **{
        f"length {value!r}": post(b"content-length: " + value + b"\r\n", b"{}")
        for value in (b"2, 2", b"+2", b"-2", b"0x2", b"2a", b"0 2", b"", b"9" * 23, b"18446744073709551618", b"\x0b2", b"2\x00")
    },
    "a space before the colon": post(b"content-length : 2\r\n", b"{}"),
    **{
        f"coding {value!r}": post(b"transfer-encoding: " + value + b"\r\n", BODY)
        for value in (
            b"identity", b"xchunked", b"chunked, identity", b"identity, chunked", b"gzip, chunked", b"chunked, chunked", b"\x0bchunked",
            b'"chunked"', b"chunked;q=1", b"chunked,", b"chunked\x00",
        )
    },
    "two codings": post(CHUNKED + b"transfer-encoding: identity\r\n", BODY),
    "two codings, chunks last": post(b"transfer-encoding: identity\r\n" + CHUNKED, BODY),
    "chunks in 1.0": post(CHUNKED, BODY, b"1.0"),
    "a folded coding": post(b"transfer-encoding:\r\n chunked\r\n", BODY),
    "a folded line": post(b"x: a\r\n\t" + CHUNKED),
    "bare line feeds": b"POST /v1/drafts HTTP/1.1\nhost: x\n" + CHUNKED.replace(b"\r", b"") + b"\n" + BODY,
    "a bare carriage return": get(b"host: x\rx: y\r\n"),
    "a zero byte": get(b"host: x\r\nx: a\0b\r\n"),
    "a line without a name": get(b"host: x\r\n: y\r\n"),
    "a line without a colon": get(b"host: x\r\nxyz\r\n"),
    "a space before the first line": get(b" host: x\r\n"),
    **{
        f"chunk {line!r}": post(CHUNKED, line + b"{}\r\n0\r\n\r\n")
        for line in (
            b"0x2\r\n", b"+2\r\n", b"-2\r\n", b"2 \r\n", b"0_2\r\n", b"1" + b"0" * 15 + b"2\r\n", b"2\n", b"\r\n", b"2;a\nb\r\n",
            b"2;a\rb\r\n",
        )
    },
    "a chunk that is longer": post(CHUNKED, b"2\r\n{}xx0\r\n\r\n"),
    "a chunk without its end": post(CHUNKED, b"2\r\n{}\n0\r\n\r\n"),
    "a length in the trailer": post(CHUNKED, b"2\r\n{}\r\n0\r\ncontent-length: 99\r\n\r\n"),
    "no host": get(b""),
    "two hosts": get(b"host: x\r\nhost: y\r\n"),
    "two hosts in 1.0": get(b"host: x\r\nhost: x\r\n", version=b"HTTP/1.0"),
    **{f"version {v!r}": get(version=v) for v in (b"HTTP/2.0", b"HTTP/1.2", b"HTTP/0.9", b"HTTP/11", b"ICE/1.0")},
    "no version": b"GET /healthz\r\n\r\n",
    "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a tunnel": b"CONNECT other:80 HTTP/1.1\r\nhost: x\r\n\r\n",
    "another expectation": post(b"expect: 200-ok\r\ncontent-length: 2\r\n", b"{}"),
    "a space in the target": get(target=b"/healthz x"),
    "a zero byte in the target": get(target=b"/healthz\0"),
    "a byte that is no character": get(target=b"/health\xffz"),
}  # fmt: skip
CLEAR = {
    "a length": post(b"content-length: 2\r\n", b"{}"),
    "chunks": post(CHUNKED, BODY),
    "chunks in capitals": post(b"Transfer-Encoding: CHUNKED\r\n", BODY),
    "a chunk with an extension": post(CHUNKED, b"2;a=b\r\n{}\r\n0\r\n\r\n"),
    "a body that nobody asked for": get(b"host: x\r\ncontent-length: 10\r\n") + b"GET / HTTP",
    "empty lines before": b"\r\n\r\n" + get(),
}
ENDING = {
    "an upgrade to HTTP/2": get(b"host: x\r\nconnection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__\r\n"),
    "an upgrade to a web socket": get(
        b"host: x\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
        b"sec-websocket-version: 13\r\n"
    ),
    "an expectation, and no body": get(b"host: x\r\nexpect: 100-continue\r\ncontent-length: 60\r\n"),
    "1.0": get(version=b"HTTP/1.0"),
}  # fmt: skip


def told(answer: bytes) -> list[bytes]:
    """The statuses of the answers, with that of the second request marked."""
    found = re.findall(rb"HTTP/1\.1 ([0-9]{3}) |(/v1/second)", answer)
    statuses = [status for status, _ in found if status and status != b"100"]
    return statuses + [b"second"] * any(second for _, second in found)


@pytest.mark.parametrize("sent", UNCLEAR.values(), ids=UNCLEAR)
def test_what_could_be_read_in_two_ways_is_refused_and_ends_the_connection(
    shared: Served, sent: bytes
) -> None:
    answer = told(answer_to(shared, sent + SECOND))
    assert answer in ([b"400"], [b"417"], [b"501"], [b"505"]), answer


@pytest.mark.parametrize("sent", CLEAR.values(), ids=CLEAR)
def test_what_is_read_in_one_way_is_answered_and_so_is_what_follows(shared: Served, sent: bytes) -> None:
    first, *rest = told(answer_to(shared, sent + SECOND))
    assert first in (b"200", b"400", b"401")
    assert rest == [b"404", b"second"]


@pytest.mark.parametrize("sent", ENDING.values(), ids=ENDING)
def test_what_may_be_followed_by_something_else_ends_the_connection(shared: Served, sent: bytes) -> None:
    assert told(answer_to(shared, sent + SECOND)) in ([b"200"], [b"400"], [b"401"])


@pytest.mark.parametrize(
    "bad", ["no host", "a length and chunks", "a line without a colon", "chunk b'+2\\r\\n'"]
)
def test_a_refusal_is_not_taken_for_the_answer_to_another_request(served: Served, bad: str) -> None:
    """Two requests at once, the first still at work: its answer is the first to come, or none does."""
    held, go = threading.Event(), threading.Event()

    def busy(_: Node) -> None:
        held.set()
        go.wait(20)

    thread = threading.Thread(target=lambda: served.do(busy))
    thread.start()
    assert held.wait(20)
    first = b"GET /log/checkpoint HTTP/1.1\r\nhost: x\r\n\r\n"
    try:
        with socket.create_connection(place(served)) as line:
            line.settimeout(20)
            line.sendall(first)
            time.sleep(0.2)
            line.sendall(UNCLEAR[bad])
            threading.Timer(0.5, go.set).start()
            got = b""
            with contextlib.suppress(OSError):
                while piece := line.recv(65_536):
                    got += piece
    finally:
        go.set()
        thread.join()
    assert told(got)[:1] in ([], [b"200"]), got[:200]


@pytest.mark.parametrize("head", [
    b"GET /healthz HTTP/1.1\r\nhost: x\r\ncontent-length: 99999\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\nhost: x\r\n" + CHUNKED + b"\r\n",
])  # fmt: skip
def test_the_rest_of_a_body_that_nobody_reads_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, head: bytes
) -> None:
    """It is answered at once; and whoever then goes on sending by drops does not hold the connection."""
    monkeypatch.setattr("gardesh.web.protocol.SECONDS", 0.5)
    with serving(Market(), tmp_path) as served, socket.create_connection(place(served)) as line:
        line.settimeout(20)
        line.sendall(head)
        assert line.recv(65_536).startswith(b"HTTP/1.1 200 ")
        ended = False
        for _ in range(200):
            try:
                line.sendall(b"1\r\nx\r\n" if CHUNKED in head else b"x")
                line.settimeout(0.1)
                ended = line.recv(100) == b""
            except TimeoutError:
                continue
            except OSError:
                ended = True
            if ended:
                break
        assert ended
