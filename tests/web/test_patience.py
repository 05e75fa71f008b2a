"""Clients that are slow, large or many do not keep the others out."""

from __future__ import annotations

import contextlib
import json
import select
import socket
import threading
import time
from pathlib import Path

import pytest
from served import Served, serving, until

from gardesh.model.problem import Problem
from market import Market, application, key_of


def place(served: Served) -> tuple[str, int]:
    host, port = served.url.removeprefix("http://").split(":")
    return host, int(port)


def answer_to(served: Served, sent: bytes) -> bytes:
    with socket.create_connection(place(served)) as line:
        line.settimeout(20)
        with contextlib.suppress(OSError):
            line.sendall(sent)
        parts = b""
        with contextlib.suppress(OSError):
            while piece := line.recv(65_536):
                parts += piece
    return parts


@pytest.mark.parametrize("head", [
    b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\nhost: x\r\n\r\n",
    b"GET / HTTP/1.1\r\nhost: x\r\nx-long: " + b"y" * 400_000,
    b"GET / HTTP/1.1\r\nhost: x\r\n" + b"a: b\r\n" * 20_000 + b"\r\n",
    b"POST /v1/documents HTTP/1.1\r\nhost: x\r\n" + b"".join(b"h%d: v\r\n" % n for n in range(9_000)) + b"content-length: 5\r\n\r\nabcde",
])  # fmt: skip
def test_a_head_that_is_too_large_is_refused(shared: Served, head: bytes) -> None:
    assert answer_to(shared, head).startswith(b"HTTP/1.1 431 ") or answer_to(shared, head) == b""
    assert shared.nobody.get("/healthz").status_code == 200


def test_a_large_body_behind_a_small_head_is_not_taken_for_a_head(shared: Served) -> None:
    body = b"x" * 300_000
    sent = (
        b"POST /v1/documents HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 300000\r\n\r\n"
        + body
    )
    assert answer_to(shared, sent).startswith(b"HTTP/1.1 400 ")


def test_who_connects_and_says_nothing_is_let_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gardesh.web.protocol.SECONDS", 0.3)
    with serving(Market(), tmp_path) as served:
        for sent in (b"", b"GET / HT", b"GET / HTTP/1.1\r\nhost: x\r\n"):
            with socket.create_connection(place(served)) as line:
                line.settimeout(10)
                line.sendall(sent)
                with contextlib.suppress(ConnectionResetError):
                    assert line.recv(100) == b""
        assert served.nobody.get("/healthz").status_code == 200


def test_one_address_does_not_hold_all_connections(tmp_path: Path) -> None:
    with serving(Market(), tmp_path, "[limits]\nconnections_per_client = 5\n") as served:
        lines = [socket.create_connection(place(served)) for _ in range(20)]
        refused = 0
        for line in lines:
            line.settimeout(2)
            try:
                line.sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
                refused += line.recv(100) == b""
            except OSError:
                refused += 1
        assert refused == 15
        for line in lines:
            line.close()
        until(lambda: served.nobody.get("/healthz").status_code == 200 if fresh(served) else False)


def fresh(served: Served) -> bool:
    """Whether a new connection is let in again."""
    with socket.create_connection(place(served)) as line:
        line.settimeout(5)
        with contextlib.suppress(OSError):
            line.sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
            return bool(line.recv(10))
    return False


def test_who_does_not_read_what_was_asked_for_is_not_waited_for(tmp_path: Path) -> None:
    market = Market()
    market.area()
    with serving(market, tmp_path, "[limits]\nidle_seconds = 0.5\n") as served:
        blobs = served.server.service.blobs
        import io

        digest, size = blobs.put(io.BytesIO(bytes(30 << 20)), "ali")
        named = {"id": f"urn:gardesh:blob:{digest.hex()}"}
        from gardesh.model.document import attachment

        claim = attachment(digest, "application/octet-stream", size)
        assert claim["id"].endswith(named["id"][-64:])
        case = served.do(lambda m: m.do("ali", "application", application(), attachments=[claim]))
        token = served.token("ali")
        path = f"/v1/documents/{case}/attachments/{digest.hex()}?purpose=x"
        with socket.create_connection(place(served)) as line:
            line.sendall(f"GET {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\r\n".encode())
            until(lambda: '"code":"reader-slow"' in served.log.getvalue())


def test_small_bodies_are_limited_and_deep_ones_refused(shared: Served) -> None:
    with shared.by("ali") as ali:
        large = ali.post("/v1/drafts", content=b'{"step": "' + b"x" * (2 << 20) + b'"}')
        assert (large.status_code, large.json()["code"]) == (413, "body-too-large")
        deep = ali.post("/v1/drafts", content=b'{"step": "a", "deficiencies": ' + b"[" * 100_000)
        assert (deep.status_code, deep.json()["code"]) == (400, "request-malformed")


def test_a_slow_small_body_is_not_waited_for(tmp_path: Path) -> None:
    with serving(Market(), tmp_path, "[limits]\nidle_seconds = 0.2\n") as served:
        sent = b"POST /v1/drafts HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: 50\r\n\r\n{"
        assert answer_to(served, sent).startswith(b"HTTP/1.1 408 ")


def dropped(served: Served, head: bytes, body: bytes, size: int, pause: float) -> bytes:
    """The answer to a body that is sent in pieces of `size`, with a pause after each."""
    with socket.create_connection(place(served)) as line:
        line.settimeout(20)
        line.sendall(head)
        for at in range(0, len(body), size):
            try:
                line.sendall(body[at : at + size])
            except OSError:
                break
            if select.select([line], [], [], pause)[0]:
                break
        parts = b""
        with contextlib.suppress(OSError):
            while piece := line.recv(65_536):
                parts += piece
    return parts


@pytest.mark.parametrize(
    ("path", "kind"), [("/v1/documents", "application/vc+sd-jwt"), ("/v1/drafts", "application/json")]
)
def test_a_body_by_drops_is_not_waited_for(tmp_path: Path, path: str, kind: str) -> None:
    """No pause is long enough to end it, and there is no end to the pauses."""
    with serving(Market(), tmp_path, "[limits]\nidle_seconds = 1.0\nslowest_bytes = 1000\n") as served:
        head = f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: {kind}\r\nconnection: close\r\ncontent-length: 900000\r\n\r\n"
        told = dropped(served, head.encode(), b"x" * 900_000, 1, 0.05)
        assert told.startswith(b"HTTP/1.1 408 ")
        assert b'"code":"request-trickles"' in told
        steady = head.replace("900000", "4000")
        told = dropped(served, steady.encode(), b"x" * 4_000, 400, 0.25)
        assert told.startswith(b"HTTP/1.1 400 ")


def test_a_large_document_by_nobody_is_not_even_read(served: Served) -> None:
    """Its payload would take long to read."""
    head = b"eyJhbGciOiJFUzI1NiIsImtpZCI6" + b"a" * 60
    stranger = served.do(
        lambda m: m.paper("ali", "application", application(), signer=key_of("stranger")) if m.area() else b""
    )
    first, _, rest = stranger.partition(b".")
    padded = (
        first
        + b"."
        + rest.partition(b".")[0]
        + b"A" * 200_000
        + b"."
        + rest.rpartition(b".")[2].partition(b"~")[0]
        + b"~"
    )
    begun = time.perf_counter()
    answer = served.nobody.post("/v1/documents", content=padded)
    assert answer.json()["code"] == "key-unknown"
    known = served.do(lambda m: m.paper("ali", "application", application()))
    wrong = (
        known.partition(b".")[0]
        + b"."
        + b"A" * 200_000
        + b"."
        + known.partition(b"~")[0].rpartition(b".")[2]
        + b"~"
    )
    assert served.nobody.post("/v1/documents", content=wrong).json()["code"] == "signature-wrong"
    assert served.nobody.post("/v1/documents", content=head + b"A" * 100_000).status_code == 400
    assert time.perf_counter() > begun


def test_many_bytes_do_not_queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gardesh.web.desk.MOST_BYTES", 100_000)
    with serving(Market(), tmp_path) as served:
        held = threading.Event()
        busy = threading.Thread(target=lambda: served.do(lambda _: held.wait(20)))
        busy.start()
        body = json.dumps(["x" * 60_000]).encode()
        codes: list[int] = []

        def send() -> None:
            codes.append(served.nobody.post("/v1/documents/bundle", content=body).status_code)

        threads = [threading.Thread(target=send) for _ in range(4)]
        for thread in threads:
            thread.start()
        until(lambda: codes.count(503) == 3)
        held.set()
        for thread in [*threads, busy]:
            thread.join()
        assert sorted(codes) == [200, 503, 503, 503]


def test_a_fault_in_passing_time_stops_nobody(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    faults: list[str] = []

    def broken(*_: object) -> int:
        faults.append("x")
        raise MemoryError

    monkeypatch.setattr(served.market.node.intake, "pass_time", broken)
    until(lambda: len(faults) > 1)
    assert served.nobody.get("/readyz").status_code == 200
    assert '"fault":"MemoryError"' in served.log.getvalue()


def test_a_record_that_cannot_be_written_is_not_ready(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    paper = served.do(lambda m: (m.area(), m.paper("ali", "application", application()))[1])

    def full(*_: object) -> object:
        raise Problem("store-unusable", url="sqlite:////secret/place", reason="disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(served.market.node.intake, "submit_all", full)
        refused = served.nobody.post("/v1/documents", content=paper)
        assert (refused.status_code, refused.json()["code"]) == (503, "store-unusable")
        assert "secret" not in refused.text
        assert "disk" not in refused.text
        assert '"reason":"disk is full"' in served.log.getvalue()
        ready = served.nobody.get("/readyz")
        assert (ready.status_code, ready.json()["code"]) == (503, "store-unusable")
    assert served.nobody.post("/v1/documents", content=paper).status_code == 201
    assert served.nobody.get("/readyz").status_code == 200


def test_what_is_sent_to_a_case_tells_nothing_of_it_to_outsiders(served: Served) -> None:
    served.do(lambda m: m.area())
    case = served.do(lambda m: m.apply())
    for org in ("axa", "sara"):
        for step in ("health-check", "licence", "application"):
            paper = served.do(lambda m, org=org, step=step: m.paper(org, step, {}, case))
            told = served.nobody.post("/v1/documents", content=paper).json()
            assert told["code"] == "no-such-case", (org, step, told)
    part = served.nobody.post(
        "/v1/documents", content=served.do(lambda m: m.paper("ali", "licence", {}, case))
    )
    assert part.json()["code"] != "no-such-case"
