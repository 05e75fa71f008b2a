"""A rebuild and an audit while services go on writing: nothing newer is written over, and nobody goes on from what was mended."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from test_audit import a_history, change

import stores
from gardesh.record.registers import NOWHERE
from gardesh.record.store import Store
from gardesh.study.audit import Auditor
from gardesh.study.rebuilding import rebuild, views_differ
from market import Market, explains_itself, record_keys
from test_several_sequencers import beside, knows

pytestmark = pytest.mark.store


class Interrupted(Store):
    """A store on which others write between what a command has read and what it writes."""

    between: Callable[[], object]

    @contextmanager
    def writing(self) -> Iterator[None]:
        self.between()
        with super().writing():
            yield


def interrupted(market: Market, between: Callable[[], object]) -> Store:
    store = beside(market).store
    store.__class__ = Interrupted
    store.between = between  # type: ignore[attr-defined]
    return store


def test_what_comes_in_while_views_are_derived_is_in_them() -> None:
    market = a_history()
    change(market, "DELETE FROM slots")

    def more() -> None:
        market.apply("sara", goods=[{"kind": "food"}])
        market.wait(market.now)  # the clock has to say something too

    store = interrupted(market, more)
    before = market.node.sequencer.size
    found, differ = rebuild(store, market.node.library, "clock")
    assert found.whole
    assert "slots" in differ
    assert found.documents == market.node.sequencer.size > before + 1
    explains_itself(market.node)


def test_a_service_forgets_what_was_mended() -> None:
    market = a_history()
    other = beside(market)
    change(
        market, "UPDATE entries SET value = ? WHERE register = 'core/organisations' AND key = 'ali'", b"{}"
    )

    def value() -> object:
        return other.sequencer.registers.value("core/organisations", "ali", NOWHERE, market.now)

    assert value() == {}
    assert rebuild(beside(market).store, market.node.library, "clock")[1] == ["entries"]
    assert value() == {}
    other.sequencer.look()
    assert value() == {"legal_id": None, "name": {"en": "ali", "fa": "ali"}}
    other.intake.pass_time(market.now)
    knows(other)


def test_a_rebuild_that_does_not_follow_changes_nothing_and_says_the_first_reason() -> None:
    market = a_history()
    change(market, "DELETE FROM slots")
    change(market, "UPDATE documents SET issuer = 'sara' WHERE position = 12")
    found, differ = rebuild(beside(market).store, market.node.library, "clock")
    assert [p.params["position"] for p in found.problems] == [12]
    assert differ == []
    assert market.store.one("SELECT count(*) FROM slots")[0] == 0


def test_a_rebuild_that_finds_nothing_lets_services_keep_what_they_have() -> None:
    market = a_history()
    other = beside(market)
    assert rebuild(beside(market).store, market.node.library, "clock")[1] == []
    assert not other.sequencer.others.wrote()


def test_an_audit_may_go_on_where_it_ended() -> None:
    market = a_history()
    auditor = Auditor(market.store, market.node.library, "clock")
    with auditor.scratch.writing():
        auditor.follow()
        seen = auditor.found.documents
        market.apply("ali")
        auditor.follow()
        market.area("garden")
        market.node.log.keep_checkpoint()
        found = auditor.run_within()
        assert views_differ(market.store, auditor.scratch) == []
    assert found.whole
    assert found.documents == market.node.sequencer.size == seen + 2
    assert found.root == market.node.log.edge.root().hex()


def test_a_checkpoint_that_was_stored_since_is_compared_too() -> None:
    market = a_history()
    change(market, "DELETE FROM checkpoints")
    auditor = Auditor(market.store, market.node.library, "clock")
    with auditor.scratch.writing():
        auditor.follow()
        other = Market().node.log.checkpoint(market.now)
        change(market, "INSERT INTO checkpoints (size, note) VALUES (?, ?)", market.node.log.size, other)
        assert not auditor.run_within().whole


def test_an_audit_reads_one_state_of_the_record(tmp_path: Path) -> None:
    """As the command does it; what others write meanwhile is for the next one."""
    where = stores.place(tmp_path)
    market = Market(Store(where, create=True))
    market.area()
    store = Store(where)
    store.unlock(record_keys)
    with store.reading():
        auditor = Auditor(store, market.node.library, "clock")
        with auditor.scratch.writing():
            auditor.follow()
            market.apply("ali")
            found = auditor.run_within()
        assert found.whole
        assert found.documents == market.node.sequencer.size - 1
        assert views_differ(store, auditor.scratch) == []
