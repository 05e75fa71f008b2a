"""Several services over one PostgreSQL database: one is killed or freezes in the middle of writing, the others go on."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from services import Heard, Load, Papers, Service, command, keep_their_word, make_node, services, wait_for

import stores
from gardesh.model.document import parse
from gardesh.model.problem import Problem
from gardesh.record.postgresql import BEGIN
from gardesh.record.store import Store

pytestmark = pytest.mark.postgresql
SHORT_WAITS = "%20-cidle_in_transaction_session_timeout%3D1s%20-clock_timeout%3D2s"
BUNDLE = 200


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    return stores.place(tmp_path_factory.mktemp("place")) + SHORT_WAITS


@pytest.fixture(scope="module")
def home(url: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_node(tmp_path_factory.mktemp("failover"), url)


@pytest.fixture
def watcher() -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(stores.database(), autocommit=True) as made:
        yield made


def holder(watcher: psycopg.Connection[Any], name: str) -> Any:
    """Since how many ms this service holds the lock, and whether the server waits for it; None when it does not."""
    return watcher.execute(
        "SELECT extract(epoch FROM clock_timestamp() - a.xact_start) * 1000, a.wait_event_type = 'Client'"
        " FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
        " WHERE l.locktype = 'advisory' AND l.granted AND a.application_name = %s",
        (name,),
    ).fetchone()


def whole(home: Path) -> None:
    assert '"whole": true' in command(home, "--json", "audit")


def kills(home: Path, url: str, watcher: psycopg.Connection[Any], count: int, chance: random.Random) -> None:
    """So often one of two services is killed while it writes, and started again."""
    heard = Heard()
    with services(home, "one", "two") as running, Load(heard, Papers(running[0]), running, clients=2):
        for n in range(count):
            victim, other = running[n % 2], running[1 - n % 2]
            wait_for(lambda name=victim.name: holder(watcher, name))
            time.sleep(chance.random() * 0.02)
            victim.kill()
            before = heard.by[other.name]
            wait_for(lambda name=other.name, before=before: heard.by[name] > before + 5)
            running[n % 2] = Service(home, victim.name).listens()
            before = heard.by[victim.name]
            wait_for(lambda name=victim.name, before=before: heard.by[name] > before + 5)
    assert set(heard.refused) <= {"store-unusable"}
    store = Store(url)
    keep_their_word(store, heard)
    store.close()
    whole(home)


def test_a_service_that_is_killed_is_stood_in_for_by_the_other(
    home: Path, url: str, watcher: psycopg.Connection[Any]
) -> None:
    kills(home, url, watcher, 2, random.Random(1))


@pytest.mark.long
@pytest.mark.parametrize("seed", range(2, 6))
def test_services_that_are_killed_again_and_again_lose_nothing(
    home: Path, url: str, watcher: psycopg.Connection[Any], seed: int
) -> None:
    kills(home, url, watcher, 20, random.Random(seed))


def frozen(victim: Service, watcher: psycopg.Connection[Any], papers: list[bytes]) -> tuple[Any, list[Any]]:
    """Send a bundle, and freeze the service while it holds the lock for it: a thread that waits for the answer, and where
    the answer will be."""
    answers: list[Any] = []

    def send() -> None:
        body = [paper.decode() for paper in papers]
        answers.append(httpx.post(f"{victim.url}/v1/documents/bundle", json=body, timeout=120))

    sending = threading.Thread(target=send)
    sending.start()
    wait_for(lambda: (held := holder(watcher, victim.name)) and held[0] > 25)
    victim.freeze()
    return sending, answers


def frozen_and_fenced(one: Service, two: Service, watcher: Any, papers: Papers, ended_by: str) -> Heard:
    """`one` freezes while it holds the lock, and goes on when its transaction was ended: what was acknowledged since."""
    heard = Heard()
    for _ in range(10):  # until it was frozen before its commit was under way
        sent = papers.some(BUNDLE)
        sending, answers = frozen(one, watcher, sent)
        time.sleep(0.1)
        held = holder(watcher, one.name)
        if held and held[1]:
            break
        one.thaw()
        sending.join()
    assert held
    if ended_by == "an operator":
        sql = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = %s"
        watcher.execute(sql, (one.name,))
    assert heard.submit(two, papers.next())
    assert holder(watcher, one.name) is None
    with two.client() as sara:
        size = sara.node().size
    one.thaw()
    sending.join()
    assert (answers[0].status_code, answers[0].json()["code"]) == (503, "store-unusable")
    with two.client() as sara:
        assert sara.node().size == size
    for paper in sent[:20]:
        assert heard.submit(one, paper)
        assert heard.submit(two, paper)
    assert [len(told) for told in heard.accepted.values()] == [1] + [2] * 20
    with Load(heard, papers, [one, two], clients=2):
        wait_for(lambda: min(heard.by[one.name], heard.by[two.name]) > 40)
    assert heard.refused == []
    return heard


def test_a_service_that_freezes_with_the_lock_cannot_write_when_it_goes_on(
    home: Path, url: str, watcher: psycopg.Connection[Any]
) -> None:
    with services(home, "one", "two") as (one, two):
        papers = Papers(one)
        first = frozen_and_fenced(one, two, watcher, papers, "its silence")
        second = frozen_and_fenced(two, one, watcher, papers, "an operator")
    store = Store(url)
    for heard in (first, second):
        keep_their_word(store, heard)
    store.close()
    whole(home)


def test_who_freezes_in_the_middle_of_sending_is_ended_by_who_waits(
    url: str, watcher: psycopg.Connection[Any]
) -> None:
    """The server does not count the silence of a pipeline: to it, the connection is active."""
    store = Store(stores.place(Path()) + SHORT_WAITS, create=True)
    line = psycopg.connect(url, autocommit=True)
    line.pgconn.enter_pipeline_mode()
    for statement in BEGIN.split(";"):
        line.pgconn.send_query_params(statement.encode(), None)
    line.pgconn.send_flush_request()
    line.pgconn.flush()
    sql = "SELECT state, wait_event FROM pg_stat_activity WHERE pid = %s"
    pid = line.info.backend_pid
    wait_for(lambda: watcher.execute(sql, (pid,)).fetchone() == ("active", "ClientRead"))
    with store.writing():
        store.set("origin", b"mine")
    assert watcher.execute(sql, (pid,)).fetchone() is None
    line.close()
    assert store.setting("origin") == b"mine"
    store.close()


def test_who_writes_slowly_is_not_taken_for_frozen(watcher: psycopg.Connection[Any]) -> None:
    """Others are refused, and it goes on."""
    place = stores.place(Path())
    one, other = Store(place, create=True), Store(place)
    other.run("SET lock_timeout = '20ms'")
    with one.writing():
        one.set("origin", b"one")
        with pytest.raises(Problem) as refusal, other.writing():
            other.set("origin", b"other")
        assert refusal.value.code == "store-unusable"
    assert other.setting("origin") == b"one"


def test_a_reader_that_takes_its_time_is_not_ended(url: str) -> None:
    """A backup holds no lock, and may be long between two questions."""
    store = Store(url)
    with store.reading():
        (size,) = store.one("SELECT count(*) FROM settings")
        time.sleep(1.5)
        assert store.one("SELECT count(*) FROM settings") == (size,)
    store.close()


def test_a_pack_that_another_process_adopted_is_known_to_all(home: Path, tmp_path: Path) -> None:
    command(home, "pack", "new", "parks", "--to", str(tmp_path))
    manifest = tmp_path / "parks" / "pack.yaml"
    manifest.write_text(
        manifest.read_text(encoding="utf-8").replace("\nversion: 1.0.0", "\nversion: 1.1.0"), encoding="utf-8"
    )
    heard = Heard()
    with services(home, "one") as running:
        old = running[0]
        command(home, "adopt", str(tmp_path / "parks"))
        running.append(Service(home, "two").listens())
        paper = Papers(running[1]).next()
        assert heard.submit(running[1], paper)
        assert parse(paper).pack == "parks@1.1.0"
        assert heard.submit(old, Papers(running[1]).next())
        with old.client() as sara:
            assert sara.plan(parse(paper).digest.hex()).case == parse(paper).digest.hex()
    assert heard.refused == []
