"""What only a server can do: lose connections, stop, refuse; the store says so, loses nothing and goes on."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, event

import stores
from gardesh.model.document import parse
from gardesh.model.problem import Problem
from gardesh.record import schema
from gardesh.record.log import Log
from gardesh.record.store import HEAD, Store, schema_of
from market import Market, contents, explains_itself
from wrong_papers import signed

pytestmark = pytest.mark.postgresql


@pytest.fixture
def url(tmp_path: Path) -> str:
    return stores.place(tmp_path)


@pytest.fixture(scope="module")
def server() -> Iterator[stores.Server]:
    """A server that may be stopped: not the one of the session."""
    stores.database()  # or why there is none
    made = stores.Server()
    yield made
    made.stop()


def cut(store: Store) -> None:
    """End the store's connection, as a network or an administrator would."""
    with psycopg.connect(stores.database(), autocommit=True) as other:
        (pid,) = store.one("SELECT pg_backend_pid()")
        other.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))


def refused(store: Store, name: str = "origin") -> Problem:
    with pytest.raises(Problem) as refusal, store.writing():
        store.set(name, b"lost")
    assert refusal.value.code == "store-unusable"
    assert refusal.value.sentence("en") != refusal.value.sentence("fa")
    return refusal.value


def test_after_a_lost_connection_the_next_call_connects_again(url: str) -> None:
    store = Store(url, create=True)
    with store.writing():
        store.set("origin", b"one")
    cut(store)
    assert store.setting("origin") == b"one"
    cut(store)
    with store.writing():
        store.set("origin", b"two")
    cut(store)
    assert [bytes(row[0]) for row in store.each("SELECT value FROM settings")] == [b"two"]


@pytest.mark.parametrize("after", [False, True])
def test_a_connection_that_is_lost_inside_a_write_fails_the_write_whole(url: str, after: bool) -> None:
    store = Store(url, create=True)

    def write() -> None:
        with store.writing():
            store.set("first", b"1")
            cut(store)
            if after:
                assert store.setting("first") is None
            store.set("second", b"2")

    with pytest.raises(Problem) as refusal:
        write()
    assert refusal.value.code == "store-unusable"
    assert store.rows("SELECT name FROM settings") == []
    with store.writing():
        store.set("third", b"3")
    assert [row[0] for row in Store(url).rows("SELECT name FROM settings")] == ["third"]


def test_a_node_whose_batch_lost_its_connection_takes_it_again(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    market = Market(Store(url, create=True))
    papers, before = [signed(market) for _ in range(3)], contents(market.store)
    original = Log.append
    with monkeypatch.context() as patch:
        patch.setattr(Log, "append", lambda log, entries: (cut(log.store), original(log, entries))[1])
        with pytest.raises(Problem) as refusal:
            market.node.intake.submit_all(papers, market.now)
    assert refusal.value.code == "store-unusable"
    assert contents(market.store) == before
    assert [a.position for a in map(market.submit, papers)] == [8, 9, 10]
    explains_itself(market.node)


def test_while_the_server_is_gone_all_is_refused_and_afterwards_nothing_is_half_known(
    server: stores.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory cannot be made anew while there is no server: it is empty then, and made anew with the next batch."""
    market = Market(Store(server.url, create=True))
    case = market.apply(sites=["a"])
    papers, before = [signed(market) for _ in range(3)], contents(market.store)
    original = Log.append
    with monkeypatch.context() as patch:
        patch.setattr(
            Log, "append", lambda log, entries: (server.halt("immediate"), original(log, entries))[1]
        )
        with pytest.raises(Problem) as refusal:
            market.node.intake.submit_all(papers, market.now)
    assert refusal.value.code == "store-unusable"
    refused(market.store)
    with pytest.raises(Problem):
        market.submit(papers[0])
    with pytest.raises(Problem):
        Store(server.url)
    server.start()
    assert contents(market.store) == before
    with pytest.raises(Problem) as refusal:
        market.case(parse(papers[0]).digest.hex())
    assert refusal.value.code == "no-such-case"
    assert market.case(case).opener == "ali"
    assert contents(market.store) == before
    assert [a.position for a in map(market.submit, papers)] == [9, 10, 11]
    explains_itself(market.node)


def test_no_transaction_stays_open_between_two_calls(url: str) -> None:
    store = Store(url, create=True)
    (pid,) = store.one("SELECT pg_backend_pid()")
    with psycopg.connect(stores.database(), autocommit=True) as other:

        def state() -> Any:
            return other.execute("SELECT state FROM pg_stat_activity WHERE pid = %s", (pid,)).fetchone()

        store.rows("SELECT name FROM settings")
        next(store.each("SELECT version_num FROM alembic_version"))
        assert state() == ("idle",)
        with pytest.raises(psycopg.ProgrammingError):
            store.rows("SELECT nothing")
        assert state() == ("idle",)
        with store.writing():
            assert state() == ("idle in transaction",)
        assert state() == ("idle",)
        with pytest.raises(KeyError), store.writing():
            raise KeyError
        assert state() == ("idle",)


def test_a_write_in_which_a_statement_failed_does_not_pass_for_committed(url: str) -> None:
    store = Store(url, create=True)

    def write() -> None:
        with store.writing():
            store.set("origin", b"one")
            with pytest.raises(psycopg.ProgrammingError):
                store.rows("SELECT nothing")

    with pytest.raises(Problem) as refusal:
        write()
    assert refusal.value.code == "store-unusable"
    assert store.setting("origin") is None


def test_a_full_disk_is_a_problem_and_leaves_nothing(url: str) -> None:
    """The server says so of one table, when the row comes."""
    store = Store(url, create=True)
    full = "RAISE EXCEPTION USING ERRCODE = 'disk_full', MESSAGE = 'could not extend file: No space left on device'"
    store.run(f"CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {full}; END $$")
    store.run("CREATE TRIGGER full_disk BEFORE INSERT ON tiles EXECUTE FUNCTION full_disk()")

    def write() -> None:
        with store.writing():
            store.set("origin", b"one")
            store.add(schema.tiles, [(0, 0, b"x"), (0, 1, b"x")])

    with pytest.raises(Problem) as refusal:
        write()
    assert refusal.value.code == "store-unusable"
    assert "No space left" in refusal.value.sentence("en")
    assert store.setting("origin") is None
    store.run("DROP TRIGGER full_disk ON tiles")
    with store.writing():
        store.add(schema.tiles, [(0, 0, b"x")])


def test_a_record_that_another_program_holds_is_a_problem(url: str) -> None:
    one, other = Store(url, create=True), Store(url)
    other.run("SET lock_timeout = '20ms'")
    with one.writing():
        assert "lock timeout" in refused(other).sentence("en")
    with other.writing():
        other.set("origin", b"two")
    assert one.setting("origin") == b"two"


def test_every_text_is_compared_byte_by_byte_whatever_the_database_does(url: str) -> None:
    store = Store(url, create=True)
    rows = store.rows(
        "SELECT table_name, column_name, collation_name FROM information_schema.columns"
        " WHERE table_schema = current_schema() AND data_type IN ('text', 'character varying')"
    )
    texts = {(t, c): collation for t, c, collation in rows if t != "alembic_version"}
    assert texts[("entries", "key")] == texts[("cases", "id")] == "C"
    assert set(texts.values()) == {"C"}


@pytest.mark.parametrize(
    ("said", "kept"), [("off", "on"), ("local", "local"), ("remote_apply", "remote_apply")]
)
def test_a_commit_is_durable_whatever_the_database_is_set_to(url: str, said: str, kept: str) -> None:
    Store(url, create=True).close()
    store = Store(f"{url}%20-csynchronous_commit%3D{said}")
    assert store.one("SHOW synchronous_commit") == (kept,)


@pytest.mark.parametrize("scheme", ["postgresql", "postgresql+psycopg", "postgres"])
def test_a_database_goes_by_any_of_its_schemes_and_no_password_is_told(url: str, scheme: str) -> None:
    secret = url.replace("postgresql://postgres:@", f"{scheme}://postgres:se:cr%40et@") + "&password=se-cret"
    store = Store(secret, create=True)
    assert Store(url).one("SELECT count(*) FROM settings")[0] == 0
    assert "cr" not in store.url.partition("?")[0]
    assert "se-cret" not in store.url
    with pytest.raises(Problem) as refusal:
        Store(secret.replace("/gardesh_", "/absent_"))
    assert refusal.value.code == "store-unusable"
    assert "cr" not in refusal.value.params["url"].partition("?")[0]


def test_a_database_that_holds_no_record_is_a_problem(url: str) -> None:
    base, _, rest = stores.database().partition("?")
    with psycopg.connect(stores.database(), autocommit=True) as other:
        other.execute("CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'")
    latin = f"{base.rpartition('/')[0]}/latin?{rest}"
    for wrong, word in (
        (url, "alembic_version"),
        (latin, "UTF8"),
        (f"{base}?host=/nowhere", "nowhere"),
        (f"{base}?no=option", "no"),
        ("mysql://somebody@somewhere/something", "PostgreSQL"),
    ):
        with pytest.raises(Problem) as refusal:
            Store(wrong)
        assert refusal.value.code == "store-unusable"
        assert word in refusal.value.sentence("en")


def older(url: str) -> None:
    """The record as an earlier version had it."""
    store = Store(url, create=True)
    with store.writing():
        store.set("origin", b"one")
        store.run("DROP INDEX documents_of_issuer")
        store.run("DROP INDEX entries_undone")
        store.run("UPDATE alembic_version SET version_num = '0001'")
    store.close()


def valid(store: Store, name: str) -> bool:
    return bool(store.one("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(?)", name)[0])


def test_an_older_record_is_migrated_while_a_service_goes_on_to_write(url: str) -> None:
    """Indexes are made concurrently, and no migration waits for the writer's next pause, nor the writer for it."""
    writer = Store(url, create=True)
    older(url)
    said: list[str] = []

    def hear(conn: Any, cursor: Any, statement: str, *_: Any) -> None:
        said.append(statement)

    over = threading.Event()
    written: list[int] = []

    def write() -> None:
        while not over.is_set():
            with writer.writing():
                writer.set("count", b"%d" % len(written))
            written.append(1)

    thread = threading.Thread(target=write)
    thread.start()
    event.listen(Engine, "before_cursor_execute", hear)
    try:
        found = Store(url)
    finally:
        event.remove(Engine, "before_cursor_execute", hear)
        over.set()
        thread.join()
    assert schema_of(url) == HEAD
    assert valid(found, "documents_of_issuer")
    assert valid(found, "entries_undone")
    made = [text for text in said if "CREATE INDEX" in text]
    assert made
    assert all("CONCURRENTLY" in text for text in made)
    patience = [text for text in said if text.startswith("SET lock_timeout")]
    assert patience[0] == "SET lock_timeout = 0"
    assert patience[-1] == "SET lock_timeout = '30s'"
    assert written
    assert found.setting("count") == b"%d" % (len(written) - 1)
    found.close()
    writer.close()


def test_an_index_that_was_left_half_made_is_made_anew(url: str) -> None:
    older(url)
    half = Store(url, create=True)
    half.close()
    with psycopg.connect(url, autocommit=True) as other:
        other.execute(
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid = to_regclass('documents_of_issuer')"
        )
        other.execute("UPDATE alembic_version SET version_num = '0001'")
    found = Store(url)
    assert valid(found, "documents_of_issuer")
    assert schema_of(url) == HEAD
    found.close()


def test_several_that_begin_to_migrate_do_it_once(url: str) -> None:
    older(url)
    with ThreadPoolExecutor(4) as pool:
        stores_ = list(pool.map(lambda _: Store(url), range(4)))
    assert {store.setting("origin") for store in stores_} == {b"one"}
    assert schema_of(url) == HEAD
    for store in stores_:
        store.close()
