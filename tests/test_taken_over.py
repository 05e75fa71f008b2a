"""A database that went on without the last document: a standby took over that had not been waited for."""

from __future__ import annotations

from pathlib import Path

from gardesh.node import Node
from gardesh.record import folder
from gardesh.record.database import opened
from gardesh.record.log import Log
from gardesh.record.store import Store
from market import SIGNERS, Market, explains_itself, record_keys


def test_a_standby_that_had_not_the_last_document_is_read_anew(tmp_path: Path) -> None:
    """As many documents as this process knew, and more: but not the same. A copy of a file stands for the standby."""
    first, standby = tmp_path / "first.sqlite", tmp_path / "standby.sqlite"
    market = Market(Store(str(first), create=True))
    market.area()
    mine = market.node
    mine.store.database.raw.execute("VACUUM INTO ?", (str(standby),))  # type: ignore[attr-defined]
    market.apply()
    mine.store.database = opened(str(standby))  # connected anew
    store = Store(str(standby))
    store.unlock(record_keys)
    log = Log(store, mine.log.origin, SIGNERS)
    other = Node(store, folder.stored(store), log, mine.sequencer.clock)
    market.node = other
    market.apply("sara")
    market.area("harbour")
    mine.sequencer.look()
    assert mine.log.edge.root() == other.log.edge.root()
    market.node = mine
    mine.intake.pass_time(market.now)
    market.apply(reference="x")
    explains_itself(mine)
