"""The store: durable settings, transactions that happen whole or not at all, one writer at a time."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest

from gardesh.model.problem import Problem
from gardesh.record import schema
from gardesh.record.store import HEAD, Store


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "record.sqlite")


def test_what_is_committed_is_synced_before_the_commit_returns(path: str) -> None:
    store = Store(path, create=True)
    assert store.one("PRAGMA journal_mode")[0] == "wal"
    assert store.one("PRAGMA synchronous")[0] == 2  # FULL
    assert store.one("PRAGMA foreign_keys")[0] == 1
    again = Store(path)
    assert (again.one("PRAGMA journal_mode")[0], again.one("PRAGMA synchronous")[0]) == ("wal", 2)


def test_a_write_is_seen_by_others_when_its_block_has_ended_and_not_before(path: str) -> None:
    store, other = Store(path, create=True), Store(path)
    with store.writing():
        store.set("origin", b"one")
        assert store.setting("origin") == b"one"
        assert other.setting("origin") is None
    assert other.setting("origin") == b"one"


def test_a_block_that_raises_leaves_nothing(path: str) -> None:
    store = Store(path, create=True)

    def write_and_fail() -> None:
        with store.writing():
            store.set("origin", b"one")
            store.add(schema.tiles, [(0, 0, b"hash")])
            raise KeyError("origin")

    with pytest.raises(KeyError):
        write_and_fail()
    assert store.setting("origin") is None
    assert store.one("SELECT count(*) FROM tiles")[0] == 0
    with store.writing():
        store.set("origin", b"two")
    assert Store(path).setting("origin") == b"two"


def test_a_value_that_is_set_again_replaces_the_old(path: str) -> None:
    store = Store(path, create=True)
    for value in (b"one", b"two", b""):
        with store.writing():
            store.set("origin", value)
        assert store.setting("origin") == value


def test_of_rows_with_equal_keys_the_last_stands_and_the_others_are_untouched(path: str) -> None:
    store = Store(path, create=True)
    with store.writing():
        store.add(schema.tiles, [(0, 0, b"a"), (0, 1, b"b")])
        store.add(schema.tiles, [(0, 1, b"c"), (0, 2, b"d"), (0, 2, b"e")], replace=True)
        store.add(schema.tiles, [])
    rows = store.rows("SELECT level, number, data FROM tiles ORDER BY level, number")
    assert [tuple(row) for row in rows] == [(0, 0, b"a"), (0, 1, b"c"), (0, 2, b"e")]


def test_a_row_is_not_replaced_unawares(path: str) -> None:
    store = Store(path, create=True)
    with store.writing():
        store.add(schema.tiles, [(0, 0, b"a")])
    with pytest.raises(sqlite3.IntegrityError), store.writing():
        store.add(schema.tiles, [(0, 0, b"b")])
    assert store.one("SELECT data FROM tiles")[0] == b"a"


def test_writers_in_one_process_wait_for_one_another(path: str) -> None:
    store = Store(path, create=True)

    def count(times: int) -> None:
        for _ in range(times):
            with store.writing():
                store.set("n", str(int(store.setting("n") or 0) + 1).encode())

    threads = [threading.Thread(target=count, args=(25,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.setting("n") == b"100"


def test_writers_in_two_processes_wait_for_one_another(path: str) -> None:
    one, other = Store(path, create=True), Store(path)
    inside, done = threading.Event(), threading.Event()

    def hold() -> None:
        with one.writing():
            one.set("n", b"1")
            inside.set()
            done.wait(0.2)

    thread = threading.Thread(target=hold)
    thread.start()
    inside.wait(5)
    with other.writing():
        assert other.setting("n") == b"1"
        other.set("n", b"2")
    thread.join()
    assert one.setting("n") == b"2"


def test_a_full_disk_is_a_problem_and_leaves_nothing(path: str) -> None:
    store = Store(path, create=True)
    pages = store.one("PRAGMA page_count")[0]
    store.run(f"PRAGMA max_page_count = {pages + 3}")

    def write_much() -> None:
        with store.writing():
            store.set("small", b"1")
            store.set("large", b"x" * 1_000_000)

    with pytest.raises(Problem) as refusal:
        write_much()
    assert refusal.value.code == "store-unusable"
    assert "full" in refusal.value.sentence("en")
    assert store.setting("small") is None
    store.run("PRAGMA max_page_count = 1000000")
    with store.writing():
        store.set("small", b"2")
    assert Store(path).setting("small") == b"2"


def test_a_record_that_is_none_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "noise").write_bytes(b"this is no database, whatever its name may be" * 100)
    for name in ("noise", "absent/node.sqlite", "empty.sqlite"):
        with pytest.raises(Problem) as refusal:
            Store(str(tmp_path / name))
        assert refusal.value.code == "store-unusable"


def test_a_record_is_brought_to_the_newest_schema_once(path: str) -> None:
    with Store(path, create=True).writing() as connection:
        assert connection is not None
    store = Store(path, create=True)
    names = {row[0] for row in store.rows("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert {table.name for table in schema.metadata.tables.values()} <= names


def test_a_store_of_an_earlier_schema_is_brought_up_to_date(tmp_path: Path) -> None:
    url = str(tmp_path / "node.sqlite")
    store = Store(url, create=True)
    with store.writing():
        store.run("DROP INDEX documents_of_issuer")
        store.run("UPDATE alembic_version SET version_num = '0001'")
    store.close()
    again = Store(url)
    assert again.one("SELECT 1 FROM sqlite_master WHERE name = 'documents_of_issuer'") is not None
    assert again.one("SELECT version_num FROM alembic_version")[0] == "0002"


def test_a_store_of_a_later_schema_is_left_alone(tmp_path: Path) -> None:
    url = str(tmp_path / "node.sqlite")
    store = Store(url, create=True)
    with store.writing():
        store.run("UPDATE alembic_version SET version_num = '0099'")
    store.close()
    with pytest.raises(Problem) as refusal:
        Store(url)
    assert refusal.value.code == "store-newer"


def test_the_newest_schema_is_the_last_migration() -> None:
    versions = Path(schema.__file__).parent / "migrations" / "versions"
    assert max(f.name.partition("_")[0] for f in versions.glob("0*.py")) == HEAD
