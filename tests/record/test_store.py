"""The store: durable settings, transactions that happen whole or not at all, one writer at a time."""

from __future__ import annotations

import threading
from contextlib import nullcontext
from pathlib import Path

import pytest

import stores
from gardesh.model.problem import Problem
from gardesh.record import schema
from gardesh.record.store import HEAD, Store

pytestmark = pytest.mark.store


@pytest.fixture
def path(tmp_path: Path) -> str:
    return stores.place(tmp_path)


@pytest.mark.sqlite
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
    with pytest.raises(stores.INTEGRITY), store.writing():
        store.add(schema.tiles, [(0, 0, b"b")])
    assert store.one("SELECT data FROM tiles")[0] == b"a"


def test_a_write_does_not_begin_inside_another(path: str) -> None:
    store = Store(path, create=True)
    with store.writing():
        store.set("origin", b"one")
        with pytest.raises(RuntimeError), store.writing():
            store.set("origin", b"two")
    assert Store(path).setting("origin") == b"one"


def test_text_is_ordered_and_compared_byte_by_byte(path: str) -> None:
    """Whatever the language of the database: capitals first, and Persian by its code points."""
    store, names = (
        Store(path, create=True),
        ["b", "a", "B", "A", "a-b", "a b", "ab", "é", "ی", "ي", "گ", "😀", "\uffee"],
    )
    with store.writing():
        for name in names:
            store.set(name, name.encode())
    ordered = [row[0] for row in store.rows("SELECT name FROM settings ORDER BY name")]
    assert ordered == sorted(names, key=str.encode)
    after = [row[0] for row in store.rows("SELECT name FROM settings WHERE name > ? ORDER BY name", "a")]
    assert after == ordered[ordered.index("a") + 1 :]
    assert store.one("SELECT min(name), max(name) FROM settings") == (ordered[0], ordered[-1])


def test_values_come_back_as_they_were_given(path: str) -> None:
    store = Store(path, create=True)
    odd = "50 % of “?” and %s, \t\n\\ ' \" 😀"
    row = ("x", "p", "q", odd, -(1 << 62), (1 << 62), True, 0, None)
    with store.writing():
        store.add(schema.cases, [row, ("y", *row[1:6], False, 1, 2)])
        store.add(schema.settings, [("all", bytes(range(256))), ("view", memoryview(b"\0view"))])
    assert [tuple(r) for r in store.rows("SELECT * FROM cases ORDER BY id")] == [
        row,
        ("y", *row[1:6], 0, 1, 2),
    ]
    assert store.one("SELECT id FROM cases WHERE opener = ? AND NOT withdrawn", odd)[0] == "y"
    assert (
        store.one(
            "SELECT count(*) FROM cases WHERE opener LIKE '50 % of%' AND opener <> 'a?b'",
        )[0]
        == 2
    )
    assert (store.setting("all"), store.setting("view")) == (bytes(range(256)), b"\0view")


@pytest.mark.parametrize("inside", [False, True])
def test_what_no_text_can_hold_is_found_nowhere_and_harms_nothing(path: str, inside: bool) -> None:
    store = Store(path, create=True)
    with store.writing() if inside else nullcontext():
        store.set("before", b"1")
        assert store.setting("be\0fore") is None
        store.set("after", b"2")
    assert [row[0] for row in store.rows("SELECT name FROM settings ORDER BY name")] == ["after", "before"]


def test_a_long_answer_is_given_piece_by_piece_as_it_stood_when_it_was_asked_for(path: str) -> None:
    store, other = Store(path, create=True), Store(path)
    with store.writing():
        store.add(schema.tiles, [(0, number, b"x") for number in range(2_500)])
        assert sum(1 for _ in store.each("SELECT number FROM tiles WHERE number < ?", 1_100)) == 1_100
    rows = store.each("SELECT number FROM tiles WHERE level = ? ORDER BY number", 0)
    again = store.each("SELECT number FROM tiles ORDER BY number DESC")
    assert (next(rows)[0], next(again)[0]) == (0, 2_499)
    with other.writing():
        other.run("DELETE FROM tiles WHERE number > 100")
    assert [row[0] for row in rows] == list(range(1, 2_500))
    assert next(again)[0] == 2_498


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


@pytest.mark.sqlite
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


@pytest.mark.sqlite
def test_a_record_that_is_none_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "noise").write_bytes(b"this is no database, whatever its name may be" * 100)
    for name in ("noise", "absent/node.sqlite", "empty.sqlite"):
        with pytest.raises(Problem) as refusal:
            Store(str(tmp_path / name))
        assert refusal.value.code == "store-unusable"


def test_a_record_is_brought_to_the_newest_schema_once(path: str) -> None:
    store = Store(path, create=True)
    with store.writing():
        store.set("origin", b"one")
    again = Store(path, create=True)
    assert again.setting("origin") == b"one"
    for table in schema.metadata.tables:
        assert again.one(f"SELECT count(*) FROM {table}")[0] == (table == "settings")


def test_a_store_of_an_earlier_schema_is_brought_up_to_date(path: str) -> None:
    store = Store(path, create=True)
    with store.writing():
        store.run("DROP INDEX documents_of_issuer")
        store.run("DROP INDEX deliveries_of_channel")
        store.run("UPDATE alembic_version SET version_num = '0001'")
    store.close()
    again = Store(path)
    assert again.one("SELECT version_num FROM alembic_version")[0] == HEAD
    with again.writing():
        for name in ("documents_of_issuer", "deliveries_of_channel"):
            again.run(f"DROP INDEX {name}")  # it would fail where there is none


def test_a_store_of_a_later_schema_is_left_alone(path: str) -> None:
    store = Store(path, create=True)
    with store.writing():
        store.run("UPDATE alembic_version SET version_num = '0099'")
    store.close()
    with pytest.raises(Problem) as refusal:
        Store(path)
    assert refusal.value.code == "store-newer"


def test_the_newest_schema_is_the_last_migration() -> None:
    versions = Path(schema.__file__).parent / "migrations" / "versions"
    assert max(f.name.partition("_")[0] for f in versions.glob("0*.py")) == HEAD
