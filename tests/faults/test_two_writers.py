"""Two processes that submit at once to one record: the log stays one and whole, and nothing counts twice."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from circulation import papers_of_a_case
from test_kill import Killed, hold_to_its_word, start

import stores
from gardesh.model.document import parse
from gardesh.record.store import Store
from market import Market, application

pytestmark = pytest.mark.store
CASES = 8


def test_two_processes_that_submit_at_once_make_one_log(tmp_path: Path) -> None:
    """Each sends cases of its own, and both the same others: these get one place, which both are told."""
    maker = Market()
    cases = [papers_of_a_case(maker, number) for number in range(CASES)]
    own, shared = cases[: CASES // 2], cases[CASES // 2 :]
    path = stores.place(tmp_path)
    Market(Store(path, create=True)).node.close()
    writers = []
    for number in range(2):
        sending = tmp_path / f"papers-{number}"
        streams = [[p for case in half for p in case] for half in (own[number::2], shared)]
        sending.write_bytes(msgspec.msgpack.encode(streams))
        writers.append(start("write", path, str(sending)))
    heard = [Killed(), Killed()]
    for writer, killed in zip(writers, heard, strict=True):
        lines, _ = writer.communicate(timeout=120)
        killed.hear(lines)
        assert writer.returncode == 0
        assert killed.done
        assert set(killed.refused) <= {"case-withdrawn"}
    one, other = (killed.accepted for killed in heard)
    both = {parse(paper).digest for case in shared for paper in case}
    assert set(one) & set(other) <= both
    assert len(set(one) & set(other)) > len(both) / 2
    for digest in set(one) & set(other):
        assert one[digest][0] == other[digest][0]
    market = hold_to_its_word(path, one | other)
    market.submit(market.paper("sara", "application", application("sara")))
    market.node.close()
