"""The stream of notices beside a service, and as a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from served import serving, until

from gardesh.exchange.stream_cursor import StreamCursor
from market import DAY, Market
from nats_servers import NatsServer, Record, all_of, connect, free_port, ids, messages, server

pytestmark = pytest.mark.store
GARDESH = [str(Path(sys.executable).parent / "gardesh")]


def last(nats: NatsServer) -> int:
    """The last sequence of the stream; 0 when it is not there."""

    async def ask() -> int:
        line = await connect([nats.url])
        try:
            return int((await line.jetstream().stream_info("GARDESH")).state.last_seq)
        except Exception:  # noqa: BLE001 there is no stream yet
            return 0
        finally:
            await line.close()

    return asyncio.run(ask())


def figure(text: str, name: str) -> float:
    return next(float(line.split()[1]) for line in text.splitlines() if line.startswith(f"{name} "))


def test_a_service_works_without_nats_and_publishes_when_it_comes(tmp_path: Path) -> None:
    nats = NatsServer(tmp_path)
    configuration = f"[limits]\nrate = 0\n[jetstream]\nservers = ['{nats.url}']\n"
    try:
        with serving(Market(), tmp_path / "blobs", configuration) as served:
            until(lambda: "jetstream-away" in served.log.getvalue())
            served.do(
                lambda market: (market.area(), market.apply(goods=[{"kind": "food"}]), market.wait(4 * DAY))
            )
            assert served.nobody.get("/readyz").json()["status"] == "ready"
            rows = served.do(
                lambda m: m.store.rows("SELECT id, kind, name, case_id FROM notices ORDER BY id")
            )
            told = [row for row in rows if row[1] != "about"]
            until(lambda: figure(served.nobody.get("/metrics").text, "gardesh_jetstream_lag") == len(rows))
            nats.start()
            until(lambda: last(nats) == len(told))
            until(lambda: figure(served.nobody.get("/metrics").text, "gardesh_jetstream_lag") == 0)
            text = served.nobody.get("/metrics").text
            assert figure(text, "gardesh_jetstream_published_total") == len(told) > 5
            assert figure(text, "gardesh_jetstream_reconnects_total") == 0
            assert figure(text, "gardesh_jetstream_active") == 1
            served.do(lambda market: market.apply("sara"))
            until(lambda: last(nats) > len(told))
        found = messages([nats.url])
        assert [(m.subject, json.loads(m.data)["case"]) for m in found[: len(told)]] == [
            (f"gardesh.{kind}.{name}", case) for _, kind, name, case in told
        ]
    finally:
        nats.kill()


@contextmanager
def worker(record: Record, nats: NatsServer, *more: str) -> Iterator[subprocess.Popen[str]]:
    """`gardesh worker` as a process, on a record that is there."""
    file = record.home / "serve.toml"
    file.write_text(f"[jetstream]\nservers = ['{nats.url}']\n", encoding="utf-8")
    process = subprocess.Popen(
        [*GARDESH, "--json", "worker", *more], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        env={**os.environ, "GARDESH_HOME": str(record.home)},
    )  # fmt: skip
    try:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline()) == {"stream": "GARDESH", "servers": [nats.url]}
        yield process
    finally:
        process.kill()
        process.wait()


def test_a_worker_is_killed_between_publishing_and_its_cursor(tmp_path: Path) -> None:
    """While the test holds the record's write lock, the worker publishes and cannot move its cursor; then it is killed."""
    record = Record(tmp_path)
    place = StreamCursor("GARDESH", "")

    async def consume(line: Any) -> list[int]:
        sub = await line.jetstream().pull_subscribe("gardesh.>", durable="office", stream="GARDESH")
        return ids(await all_of(sub))

    def consumed() -> list[int]:
        async def ask() -> list[int]:
            line = await connect([nats.url])
            try:
                return await consume(line)
            finally:
                await line.close()

        return asyncio.run(ask())

    with server(tmp_path) as nats:
        record.add(10)
        with worker(record, nats) as process:
            until(lambda: place.read(record.store).upto == 9)
            seen = consumed()
            record.add(5000)
            with record.store.writing():
                until(lambda: last(nats) > place.read(record.store).upto + 1)
                process.kill()
                process.wait()
        assert place.read(record.store).upto < last(nats) - 1
        seen += consumed()
        record.store.set(place.name, b"{}")  # the dead worker's lease need not run out for this test
        with worker(record, nats, "--once") as process:
            assert process.wait(timeout=60) == 0
        seen += consumed()
        assert seen == list(range(5010))
        assert ids(messages([nats.url])) == seen


def test_a_worker_stops_when_it_is_told_to_and_gives_counts(tmp_path: Path) -> None:
    record = Record(tmp_path)
    record.add(30)
    port = free_port()
    with server(tmp_path) as nats, worker(record, nats, "--metrics-port", str(port)) as process:
        until(lambda: last(nats) == 30)

        def published() -> bool:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
                return figure(answer.read().decode(), "gardesh_jetstream_published_total") == 30

        until(published)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0
        assert process.stdout is not None
        assert json.loads(process.stdout.read()) == {"published": 30}
    held = StreamCursor("GARDESH", "").read(record.store)
    assert (held.upto, held.holder) == (29, "")


def test_a_worker_says_what_is_missing(tmp_path: Path) -> None:
    record = Record(tmp_path)
    environment = {**os.environ, "GARDESH_HOME": str(record.home)}

    def said(*words: str) -> str:
        done = subprocess.run(
            [*GARDESH, *words], capture_output=True, text=True, env=environment, check=False
        )
        assert done.returncode in (1, 3), done.stdout + done.stderr
        return done.stdout + done.stderr

    assert "jetstream-off" in said("worker")
    (record.home / "serve.toml").write_text(
        "[jetstream]\nservers = ['nats://127.0.0.1:1']\n", encoding="utf-8"
    )
    assert "jetstream-away" in said("worker", "--once")
    (record.home / "serve.toml").write_text(
        "[jetstream]\nservers = ['nats://127.0.0.1:1']\ntoken = 'nowhere'\n", encoding="utf-8"
    )
    assert "jetstream-file-wrong" in said("worker", "--once")
