"""A node that shows two histories, over HTTP: each lie is found and named by who follows it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from served import until
from two_served import ALONE, QUICK, Pair

from gardesh.access import Access
from gardesh.exchange.case_file_selection import for_reader
from two_nodes import HOME, copy, recognition


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as made:
        yield made


def test_of_a_node_with_two_histories_nothing_more_is_taken(stack: ExitStack, tmp_path: Path) -> None:
    pair = Pair(stack, tmp_path, home=QUICK)
    asked = pair.ask()
    until(lambda: '"followed"' in pair.home.log.getvalue())
    until(lambda: (tmp_path / "home" / "peers").is_dir())
    liar = pair.abroad.do(copy)
    pair.answer(asked, amount=4)
    until(lambda: pair.state() == "issued")
    lying = pair.serve(liar, "lying", ALONE)  # the same keys, and another history
    pair.answer(asked, amount=5, served=lying)
    lying.do(lambda m: m.do("health", "answer", {}, asked, act="revoke", reach="start"))
    pair.home.do(lambda m: m.submit(recognition(m, liar, url=lying.url, known_as="province")))
    until(lambda: '"log-forked"' in pair.home.log.getvalue())
    assert "gardesh_forked_logs 1.0" in pair.home.nobody.get("/metrics").text
    for served in (lying, pair.abroad):
        assert pair.bring("ali", pair.file(asked, served)).json()["code"] == "log-forked"
    assert pair.state() == "issued"


def test_a_case_file_beside_the_log_that_is_served_is_found(stack: ExitStack, tmp_path: Path) -> None:
    """Nothing served is wrong: the lie is in the file alone, signed by the same keys."""
    pair = Pair(stack, tmp_path, home=QUICK)
    until(lambda: '"followed"' in pair.home.log.getvalue())
    liar = pair.abroad.do(copy)
    asked = liar.do(
        "ali",
        "ask",
        {"who": "ali", "amount": 3},
        procedure="permit",
        for_slot=(pair.case, "permit", "", HOME),
    )
    pair.ask()  # what is served goes on otherwise
    until(lambda: pair.home.do(lambda m: ("permit", "") in m.case(pair.case).abroad))
    told = pair.bring("ali", for_reader(liar.node, asked, Access(liar.node, "ali", liar.now)))
    assert told.json()["code"] == "log-forked"
    assert pair.home.do(lambda m: m.case(pair.case).abroad)[("permit", "")].case != asked
