"""Writes that the server refuses in the middle, as when its disk is full: each is refused as such, and then writing goes on."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

import stores
from gardesh.model.problem import Problem
from gardesh.record.store import Store
from market import Market, application, explains_itself

pytestmark = pytest.mark.postgresql
FULL = """
CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full'; END $$;
CREATE TRIGGER full_disk BEFORE INSERT ON %s EXECUTE FUNCTION full_disk();
"""


@pytest.mark.parametrize("table", ["documents", "notices", "disclosures"])
def test_however_often_a_write_fails_nothing_else_is_said_of_it(tmp_path: Path, table: str) -> None:
    url = stores.place(tmp_path)
    market = Market(Store(url, create=True))
    cases = [market.apply(seats=n) for n in range(1, 3)]
    with psycopg.connect(url, autocommit=True) as line:
        for round_ in range(4):
            line.execute((FULL % table).encode())
            for n in range(8):
                papers = [
                    market.paper("ali", "application", application(seats=10 * round_ + n + 3)),
                    market.paper("neighbour", "objection", {"reason": "noise"}, cases[n % 2]),
                ]
                with pytest.raises(Problem) as refused:
                    market.node.intake.submit_all(papers[: 1 + n % 2], market.now)
                assert refused.value.code == "store-unusable"
            line.execute("DROP FUNCTION full_disk CASCADE")
            market.apply(seats=round_ + 3)
    explains_itself(market.node)
    market.node.close()
