"""Disclosures at rest: nothing that documents say lies in the clear, and nothing is opened but what was sealed."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from contextlib import suppress
from pathlib import Path
from typing import Any
from zlib import decompress

import pytest
from cryptography.exceptions import InvalidTag

import stores
from backed_up import Kept
from gardesh.model.document import parse
from gardesh.model.problem import Problem
from gardesh.node import Node
from gardesh.record import schema, sealing_up
from gardesh.record.keys import KeyStore
from gardesh.record.passphrase import OnePassphrase
from gardesh.record.pkcs8 import Cost
from gardesh.record.sealing import RecordKey, derived, disclose, enclose
from gardesh.record.sealing_up import seal_up
from gardesh.record.store import Store
from gardesh.study.audit import Auditor
from market import RECORD_KEY, Market, application, contents, explains_itself, tails, unsealed

pytestmark = pytest.mark.store
SECRET = "a word that is nowhere else"


def at_rest(store: Store) -> bytes:
    """All that the database keeps in any column of any table."""
    return repr(
        [list(map(stored, store.rows(f"SELECT * FROM {name}"))) for name in schema.metadata.tables]
    ).encode()


def stored(row: Any) -> list[Any]:
    return [bytes(v) if isinstance(v, memoryview) else v for v in row]


def disclosure_of(market: Market) -> bytes:
    """The bytes of the disclosure that holds the secret."""
    found = [d for _, tail in tails(market.store) for d in tail.split(b"~") if SECRET.encode() in decoded(d)]
    assert len(found) == 1
    return found[0]


def decoded(disclosure: bytes) -> bytes:
    return urlsafe_b64decode(disclosure + b"=" * (-len(disclosure) % 4))


def test_what_a_document_says_is_nowhere_in_the_store() -> None:
    market = Market()
    market.apply(note=SECRET)
    kept = at_rest(market.store)
    assert disclosure_of(market) not in kept
    assert SECRET.encode() not in kept
    assert SECRET.encode() in decoded(disclosure_of(market))


def test_nothing_of_it_is_in_a_backup(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    kept.market.apply(note=SECRET)
    kept.back_up()
    secret = disclosure_of(kept.market)
    for name, data in kept.files.items():
        raw = data
        if name.startswith(("documents/", "settings/")):
            raw = decompress(data)
        assert secret not in raw
        assert SECRET.encode() not in raw


def test_each_case_has_one_key_and_each_document_a_key_of_its_own() -> None:
    market = Market()
    case = market.apply(goods=[{"kind": "food"}])
    market.do("health", "hygiene-card", {"vendor": "ali", "number": "H-1"}, case)
    other = market.apply("sara")
    rows = market.store.rows("SELECT case_id, count(*), max(position) FROM case_keys GROUP BY case_id")
    (cases,) = market.store.one("SELECT count(*) FROM cases")
    assert (len(rows), {count for _, count, _ in rows}, {alone for *_, alone in rows}) == (cases, {1}, {None})
    used = market.store.rows(
        "SELECT DISTINCT d.case_id, x.key FROM documents d JOIN disclosures x ON x.position = d.position"
    )
    assert len(used) == len({key for _, key in used}) == cases
    assert {case, other} <= {id_ for id_, _ in used}
    assert derived(b"k" * 32, b"one") != derived(b"k" * 32, b"other")


def test_what_is_sealed_is_bound_to_its_document_and_its_position() -> None:
    key, digest = b"k" * 32, b"d" * 32
    sealed = enclose(key, 7, digest, b"~tail~")
    assert disclose(key, 7, digest, sealed) == b"~tail~"
    assert enclose(key, 7, digest, b"~tail~") != sealed
    for wrong in ((b"K" * 32, 7, digest, sealed), (key, 8, digest, sealed), (key, 7, b"D" * 32, sealed)):
        with pytest.raises(InvalidTag):
            disclose(*wrong)
    with pytest.raises(InvalidTag):
        disclose(key, 7, digest, sealed[:20])


def test_a_wrapped_key_is_of_its_case_and_number_alone() -> None:
    wrapped = RECORD_KEY.wrap(b"k" * 32, 3, "case")
    assert RECORD_KEY.unwrap(wrapped, 3, "case") == b"k" * 32
    for wrong in ((4, "case"), (3, "other")):
        with pytest.raises(InvalidTag):
            RECORD_KEY.unwrap(wrapped, *wrong)


@pytest.mark.parametrize("keys", [[], [RecordKey(b"another!", b"o" * 32)]])
def test_without_its_record_key_a_record_is_not_read(keys: list[RecordKey]) -> None:
    market = Market()
    market.apply(note=SECRET)
    market.store.unlock(lambda: keys)
    with pytest.raises(Problem) as refusal:
        tails(market.store)
    assert refusal.value.code == "record-locked"


@pytest.mark.parametrize("spoil", ["flip", "swap", "cut", "no key"])
def test_an_audit_says_which_document_is_not_what_was_sealed(spoil: str) -> None:
    market = Market()
    market.apply(note="one")
    market.apply("sara", note="two")
    size = market.node.log.size
    sealed = {
        p: (bytes(d), k) for p, d, k in market.store.rows("SELECT position, data, key FROM disclosures")
    }
    (one, key), (two, _) = sealed[size - 2], sealed[size - 1]
    with market.store.writing():
        if spoil == "no key":
            market.store.run("DELETE FROM case_keys WHERE number = ?", key)
        else:
            wrong = {"flip": one[:-1] + bytes([one[-1] ^ 1]), "swap": two, "cut": one[:10]}[spoil]
            market.store.add(schema.disclosures, [(size - 2, wrong, key)], replace=True)
    assert market.store.sealing is not None
    market.store.sealing.forget()
    audit = Auditor(market.store, market.node.library, "clock").run()
    assert [(p.pointer, p.params["position"]) for p in audit.problems] == [(f"/{size - 2}", size - 2)]


def test_a_record_of_the_version_before_is_sealed_when_it_is_opened(tmp_path: Path) -> None:
    market = Market(Store(stores.place(tmp_path), create=True))
    case = market.apply(goods=[{"kind": "food"}], note=SECRET)
    market.do("health", "hygiene-card", {"vendor": "ali", "number": "H-1"}, case)
    before, secret = contents(market.store), disclosure_of(market)
    unsealed(market)
    assert secret in at_rest(market.store)
    again = Market.opened(market.store)
    assert secret not in at_rest(again.store)
    assert contents(again.store) == before
    if stores.kind == "sqlite":
        assert all(secret not in file.read_bytes() for file in tmp_path.iterdir())
    explains_itself(again.node)
    again.apply("sara")
    explains_itself(again.node)
    assert seal_up(again.store) == 0


def test_the_schema_before_is_brought_up_to_date(tmp_path: Path) -> None:
    """There, mirrored heads held what the documents say, and disclosures had no key."""
    url = stores.place(tmp_path)
    market = Market(Store(url, create=True))
    market.area()
    case = market.apply(seats=12, note=SECRET)
    cover = market.do(
        "ali", "cover-request", {"vendor": "ali"}, procedure="cover", for_slot=(case, "insurance", "")
    )
    market.do("axa", "policy", {"number": "P-1"}, cover)
    before, store = contents(market.store), market.store
    assert before["mirrors"]
    unsealed(market)
    with store.writing():
        for id_, *_, head in store.rows("SELECT * FROM mirrors WHERE head IS NOT NULL"):
            old = json.dumps({**json.loads(bytes(head)), "subject": {"number": "P-1"}}).encode()
            store.run("UPDATE mirrors SET head = ? WHERE id = ?", old, id_)
        store.run("ALTER TABLE disclosures DROP COLUMN key")
        store.run("DROP TABLE case_keys")
        store.run("DROP TABLE key_changes")
        store.run("UPDATE alembic_version SET version_num = '0004'")
    store.close()
    again = Market.opened(Store(url))
    after = contents(again.store)
    mirrors = [after.pop("mirrors"), before.pop("mirrors")]
    assert after == before
    heads = [[json.loads(bytes(m[-1])) for m in rows] for rows in mirrors]
    assert heads[0] == heads[1]
    assert "subject" not in heads[0][0]
    again.node.sequencer.cases.forget()
    assert again.case(case).steps[again.case(case).procedure.by_name["insurance"].index].slots[
        ""
    ].head.subject == {"number": "P-1"}


def test_sealing_goes_on_where_it_was_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    market = Market()
    for n in range(4):
        market.apply(reference=f"A-{n}")
    before = contents(market.store)
    unsealed(market)
    monkeypatch.setattr(sealing_up, "AT_ONCE", 3)
    pages = 0
    real = sealing_up._sealed

    def two(store: Store, rows: Any) -> int:
        nonlocal pages
        pages += 1
        if pages == 3:
            raise KeyboardInterrupt
        return real(store, rows)

    monkeypatch.setattr(sealing_up, "_sealed", two)
    with pytest.raises(KeyboardInterrupt):
        seal_up(market.store)
    assert market.store.one("SELECT count(*) FROM disclosures WHERE key IS NOT NULL")[0] == 6
    assert seal_up(market.store) == market.node.log.size - 6
    assert contents(market.store) == before
    explains_itself(Market.opened(market.store).node)


def test_a_submission_that_fails_leaves_no_key() -> None:
    market = Market()
    (before,) = market.store.one("SELECT count(*) FROM case_keys")
    paper = parse(market.paper("ali", "application", application()))
    with suppress(ZeroDivisionError), market.node.sequencer.batch(market.now) as batch:
        market.node.sequencer.accept(paper, batch.now)
        raise ZeroDivisionError
    assert market.store.one("SELECT count(*) FROM case_keys")[0] == before
    case = market.apply()
    assert market.store.one("SELECT count(*) FROM case_keys WHERE case_id = ?", case)[0] == 1
    explains_itself(market.node)


def test_record_keys_are_kept_under_the_passphrase(tmp_path: Path) -> None:
    keys = KeyStore(tmp_path / "keys", OnePassphrase("a-long-enough-passphrase"), Cost(n=16, p=1))
    assert (keys.record_names(), keys.load_records()) == ([], [])
    made = keys.create_record()
    keys.create("ali")
    assert keys.load_records() == [made]
    assert made.secret not in (tmp_path / "keys" / "node-record.pem").read_bytes()
    for refused, code in ((keys.load, "key-of-a-record"), (keys.load_log, "key-not-of-a-log")):
        with pytest.raises(Problem) as refusal:
            refused("node-record")
        assert refusal.value.code == code
    other = KeyStore(tmp_path / "keys", OnePassphrase("another-passphrase"))
    with pytest.raises(Problem) as refusal:
        other.load_records()
    assert refusal.value.code == "key-passphrase-wrong"


def test_a_node_is_opened_with_its_record_key_alone(tmp_path: Path) -> None:
    market = Market(Store(stores.place(tmp_path), create=True))
    case = market.apply(goods=[{"kind": "food"}])
    node = Node.open(
        market.store, signers=(), clock=("clock", market.node.sequencer.clock.key), record_keys=list
    )
    with pytest.raises(Problem) as refusal:
        node.sequencer.cases.get(case)
    assert refusal.value.code == "record-locked"
