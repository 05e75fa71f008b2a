"""The audit: whatever is changed in a record is found, and a record that was not changed is whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import stores
from effort import tries
from gardesh.model import checkpoint, pack
from gardesh.model.document import parse
from gardesh.model.jose import PrivateKey
from gardesh.model.treehead import TreeHead
from gardesh.record import schema
from gardesh.record.yaml_values import parse_yaml
from gardesh.study.audit import Audit, Auditor
from gardesh.study.rebuilding import copy_views, views_differ
from market import DAY, HOUR, SIGNERS, Market, application, explains_itself

pytestmark = pytest.mark.store


def moved_on(market: Market) -> None:
    """Open cases go on under a next version of the pack, which says the same."""
    old = market.packs[0]
    text = old.files["pack.yaml"].replace(old.manifest.version.encode(), b"9.0.0", 1)
    made = pack.read({**old.files, "pack.yaml": text}, parse_yaml)
    market.node.add_pack(made)
    market.submit(market.core("pack-adoption", {"label": made.label, "digest": made.digest.hex()}))
    market.submit(market.core("migration", {"from": old.label, "to": made.label}))


def told(market: Market) -> Audit:
    return Auditor(market.store, market.node.library, "clock").run()


def a_history() -> Market:
    """Seventeen documents, two of them by the clock, one batch each; the last checkpoint is kept."""
    market = Market()
    market.area()
    case = market.apply(goods=[{"kind": "food"}], sites=["north"])
    market.do("health", "hygiene-card", {"vendor": "ali", "number": "H-1"}, case)
    market.wait(3 * DAY + HOUR)
    market.do("traffic", "site-visit", {"site": "north"}, case, key="north")
    market.do("city", "quiet-note", {"area": "square"}, case)
    subject = {"number": "L-1", "area": "square", "seats": 2}
    market.do("city", "licence", subject, case, outcome="approved")
    market.apply("sara", goods=[{"kind": "food"}])
    market.wait(3 * DAY)
    market.node.log.keep_checkpoint()
    return market


def change(market: Market, sql: str, *values: Any) -> None:
    with market.store.writing():
        market.store.run(sql, *values)


def first_of_the_clock(market: Market) -> int:
    row = market.store.one("SELECT min(position) FROM documents WHERE issuer = 'clock'")
    return int(row[0])


def test_a_record_that_nobody_touched_is_whole() -> None:
    market = a_history()
    found = told(market)
    assert found.whole
    assert (found.documents, found.by_clock) == (market.node.sequencer.size, 2)
    assert found.cases == market.store.one("SELECT count(*) FROM cases")[0]
    explains_itself(market.node)


def test_an_empty_record_is_whole() -> None:
    found = Auditor(stores.fresh(), Market().node.library, "clock").run()
    assert (found.whole, found.documents) == (True, 0)


def changed(value: bytes) -> bytes:
    return value[:-1] + bytes([value[-1] ^ 1])


COLUMNS = [c.name for c in schema.documents.columns if c.name != "position"]


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("position", [0, 9, -1, "clock"])
def test_a_changed_column_is_found_at_its_document(column: str, position: int | str) -> None:
    market = a_history()
    size = market.node.sequencer.size
    place = first_of_the_clock(market) if position == "clock" else int(position) % size
    (value,) = market.store.one(f"SELECT {column} FROM documents WHERE position = ?", place)
    other = value + 1 if isinstance(value, int) else value + "!" if isinstance(value, str) else changed(value)
    change(market, f"UPDATE documents SET {column} = ? WHERE position = ?", other, place)
    found = told(market)
    assert [p.code for p in found.problems] == ["audit-differs"]
    assert int(found.problems[0].params["position"]) in (place, place + 1, size)
    assert found.problems[0].sentence("fa") != found.problems[0].sentence("en")


@given(data=st.data())
@tries(40)
def test_any_flipped_bit_of_a_document_is_found(data: st.DataObject) -> None:
    market = a_history()
    position = data.draw(st.integers(0, market.node.sequencer.size - 1))
    table, column = data.draw(st.sampled_from([("documents", "signed"), ("disclosures", "data")]))
    (raw,) = market.store.one(f"SELECT {column} FROM {table} WHERE position = ?", position)
    bit = data.draw(st.integers(0, len(raw) * 8 - 1))
    flipped = bytearray(raw)
    flipped[bit // 8] ^= 1 << bit % 8
    change(market, f"UPDATE {table} SET {column} = ? WHERE position = ?", bytes(flipped), position)
    found = told(market)
    assert [int(p.params["position"]) for p in found.problems] == [position]


def last_removed(market: Market) -> None:
    for table in ("documents", "disclosures"):
        change(market, f"DELETE FROM {table} WHERE position = ?", market.node.sequencer.size - 1)


def one_removed(market: Market) -> None:
    change(market, "DELETE FROM documents WHERE position = 10")


def disclosures_removed(market: Market) -> None:
    change(market, "DELETE FROM disclosures WHERE position = 10")


def two_exchanged(market: Market) -> None:
    for old, new in ((9, -1), (10, 9), (-1, 10)):
        for table in ("documents", "disclosures"):
            change(market, f"UPDATE {table} SET position = ? WHERE position = ?", new, old)


def silence_removed(market: Market) -> None:
    """As if the office had been in time: what came after it moves up."""
    place = first_of_the_clock(market)
    for table in ("documents", "disclosures"):
        change(market, f"DELETE FROM {table} WHERE position >= ?", place)
    change(market, "DELETE FROM checkpoints WHERE size > ?", place)


def silence_of_another_time(market: Market) -> None:
    change(
        market,
        "UPDATE documents SET recorded_at = recorded_at - 1 WHERE position = ?",
        first_of_the_clock(market),
    )


def added(market: Market, paper: bytes) -> None:
    """Written past the intake, as the operator of a node could."""
    market.now += HOUR
    envelope, position = parse(paper), market.node.sequencer.size
    row = (
        *(position, envelope.digest, envelope.statement, market.now, envelope.case or envelope.digest.hex()),
        *(envelope.issuer, envelope.type, envelope.step, envelope.key or "", envelope.act, envelope.signed),
    )
    with market.store.writing():
        market.store.add(schema.documents, [row])
        market.store.add(schema.disclosures, [(position, envelope.tail, None)])


def one_that_no_rule_allows(market: Market) -> None:
    added(market, market.paper("city", "application", application("city")))


def one_of_a_stranger(market: Market) -> None:
    key = PrivateKey.from_secret("ES256", b"\5" * 32)
    added(market, market.paper("ali", "application", application(), signer=key))


def one_that_the_clock_did_not_owe(market: Market) -> None:
    added(market, market.core("company", {"legal_id": "10380284790"}, org="sara"))


def checkpoint_of_another_tree(market: Market) -> None:
    size = market.node.log.size
    head = TreeHead(market.node.log.origin, size, b"\1" * 32)
    note = checkpoint.sign(head, SIGNERS, market.now // 1000)
    change(market, "UPDATE checkpoints SET note = ? WHERE size = ?", note, size)


def checkpoint_by_another_key(market: Market) -> None:
    note = checkpoint.sign(
        TreeHead(market.node.log.origin, market.node.log.size, market.node.log.edge.root()), SIGNERS[:1], 0
    )
    change(market, "UPDATE checkpoints SET note = ? WHERE size = ?", note, market.node.log.size)


DEEDS: list[Callable[[Market], None]] = [
    *(
        last_removed,
        one_removed,
        disclosures_removed,
        two_exchanged,
        silence_removed,
        silence_of_another_time,
    ),
    *(one_that_no_rule_allows, one_of_a_stranger, one_that_the_clock_did_not_owe),
    *(checkpoint_of_another_tree, checkpoint_by_another_key),
]


@pytest.mark.parametrize("deed", DEEDS, ids=lambda d: d.__name__)
def test_what_the_operator_of_a_node_might_do_is_found(deed: Callable[[Market], None]) -> None:
    market = a_history()
    deed(market)
    assert not told(market).whole


@pytest.mark.parametrize("table", [t.name for t in schema.VIEWS])
def test_views_that_were_changed_are_named_and_derived_again_byte_for_byte(table: str) -> None:
    market = a_history()
    market.apply(goods=[{"kind": "food"}], reference="A-9")  # the card serves again: links and mirrors
    moved_on(market)
    auditor = Auditor(market.store, market.node.library, "clock")
    assert auditor.run().whole
    change(market, f"DELETE FROM {table}")
    filled = auditor.scratch.one(f"SELECT count(*) FROM {table}")[0]
    assert views_differ(market.store, auditor.scratch) == ([table] if filled else [])
    with market.store.writing():
        copy_views(auditor.scratch, market.store)
    assert views_differ(market.store, auditor.scratch) == []
    again = Market.opened(market.store)
    again.apply(goods=[{"kind": "food"}])
    explains_itself(again.node)
    assert filled or table == "tiles"
