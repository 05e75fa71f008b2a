"""The primary is killed and its standby promoted: what was acknowledged is there, and the log goes on."""

from __future__ import annotations

import random
import threading
import time
from pathlib import Path

import pytest
from services import Heard, Load, Papers, Service, command, keep_their_word, make_node, services, wait_for
from standby import Pair, pair

from gardesh.model.document import parse
from gardesh.record.store import Store
from market import Market
from wrong_papers import signed

pytestmark = pytest.mark.postgresql
PATIENCE = 2.0
"""Seconds after which an answer that waits for the standby is not waited for any more."""


def promoted_under_load(folder: Path, servers: Pair, chance: random.Random) -> None:
    """The primary is killed while two services write; they find the new one by themselves."""
    home = make_node(folder, servers.url)
    heard = Heard()
    with services(home, "a", "b") as running:
        papers = Papers(running[0])
        with Load(heard, papers, running, clients=3):
            wait_for(lambda: len(heard.accepted) > 30)
            time.sleep(chance.random() * 0.3)
            servers.one.kill()
            before = len(heard.accepted)
            servers.two.promote()
            wait_for(lambda: len(heard.accepted) > before + 30)
    assert set(heard.refused) <= {"store-unusable"}
    store = Store(servers.url)
    size = keep_their_word(store, heard).size
    assert '"whole": true' in command(home, "--json", "audit")
    servers.one.start(servers.waits_for)
    with services(home, "c") as (
        late,
    ):  # the URL names the old one first, and it takes writes, but nobody follows it
        assert not heard.submit(late, papers.next(), PATIENCE)
    assert store.one("SELECT count(*) FROM documents") == (size,)
    store.close()


def test_after_a_promotion_all_that_was_acknowledged_is_there_and_the_log_goes_on(tmp_path: Path) -> None:
    with pair() as servers:
        promoted_under_load(tmp_path, servers, random.Random(1))


@pytest.mark.long
@pytest.mark.parametrize("seed", range(2, 10))
def test_whenever_the_primary_is_killed_nothing_acknowledged_is_lost(tmp_path: Path, seed: int) -> None:
    with pair() as servers:
        promoted_under_load(tmp_path, servers, random.Random(seed))


def test_what_no_standby_has_is_not_acknowledged_however_often_it_is_sent(tmp_path: Path) -> None:
    """It stands on the primary when somebody ends the wait for the standby, and after a restart: it may be lost yet."""
    with pair() as servers:
        home, heard = make_node(tmp_path, servers.url), Heard()
        with services(home, "a") as running:
            papers = Papers(running[0])
            assert heard.submit(running[0], papers.next())
            servers.two.stop()
            paper, told = papers.next(), list[bool]()
            sending = threading.Thread(target=lambda: told.append(heard.submit(running[0], paper)))
            sending.start()
            waiting = "FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
            wait_for(lambda: servers.one.run(f"SELECT 1 {waiting}"))
            servers.one.run(f"SELECT pg_cancel_backend(pid) {waiting}")
            sending.join()
            assert (told, heard.refused) == ([False], ["store-unusable"])
            sql = f"SELECT 1 FROM documents WHERE digest = '\\x{parse(paper).digest.hex()}'"
            assert servers.one.run(sql) == [(1,)]
            assert not heard.submit(running[0], paper, PATIENCE)
            running[0].kill()
            servers.one.kill()
            servers.one.start(servers.waits_for)
            running[0] = Service(home, "c").listens()
            assert servers.one.run(sql) == [(1,)]
            assert not heard.submit(running[0], paper, PATIENCE)
            servers.two.start()
            wait_for(lambda: heard.submit(running[0], paper))
            servers.one.kill()
            servers.two.promote()
            wait_for(lambda: heard.submit(running[0], papers.next()))
        store = Store(servers.url)
        assert len(heard.accepted) == 3
        keep_their_word(store, heard)
        store.close()


def test_without_a_synchronous_standby_what_was_acknowledged_can_be_lost() -> None:
    """What the promise rests on: here the standby was away for a moment, and nobody waited for it."""
    with pair("") as servers:
        market = Market(Store(servers.url, create=True))
        known = market.submit(signed(market))
        caught_up = "SELECT replay_lsn = pg_current_wal_lsn() FROM pg_stat_replication"
        wait_for(lambda: servers.one.run(caught_up) == [(True,)])
        servers.two.stop()
        lost = market.submit(signed(market))
        servers.one.kill()
        servers.two.start()
        servers.two.promote()
        rows = Store(servers.url).rows(
            "SELECT position, digest FROM documents WHERE position >= ?", known.position
        )
        assert [(position, bytes(digest)) for position, digest in rows] == [(known.position, known.digest)]
        assert lost.position == known.position + 1
