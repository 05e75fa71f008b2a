"""Many submitters at once: one transaction for all who wait, one acceptance for one step, receipts for everybody."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import stores
from gardesh.intake import Accepted
from gardesh.model import receipt
from gardesh.model.checkpoint import verify_extension
from gardesh.model.document import parse
from gardesh.model.problem import Problem
from gardesh.record.store import Store
from market import Market, application, explains_itself
from wrong_papers import signed, visit

pytestmark = pytest.mark.store


def at_once(market: Market, papers: Sequence[bytes]) -> list[Accepted | Problem]:
    """Each document from a thread of its own; answers in the order of the documents."""
    answers: list[Any] = [None] * len(papers)
    start = threading.Barrier(len(papers))

    def send(number: int) -> None:
        start.wait()
        try:
            answers[number] = market.node.intake.submit(papers[number], market.now)
        except Problem as problem:
            answers[number] = problem

    threads = [threading.Thread(target=send, args=(n,)) for n in range(len(papers))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
        assert not thread.is_alive()
    return answers


class Slow:
    """Counts the transactions of a store, and holds the first one until so many others wait for theirs."""

    def __init__(self, market: Market, waiting: int) -> None:
        self.transactions = 0
        self.waiting = waiting
        self.queue = market.node.intake._queue
        self.begin = market.store.writing

    @contextmanager
    def writing(self) -> Iterator[Any]:
        self.transactions += 1
        with self.begin() as connection:
            until = time.monotonic() + 20
            while self.transactions == 1 and len(self.queue) < self.waiting and time.monotonic() < until:
                time.sleep(0.001)
            yield connection


@pytest.mark.parametrize("many", [2, 8])
def test_of_officers_who_issue_one_step_at_once_one_is_accepted_and_the_others_learn_of_it(many: int) -> None:
    market = Market()
    case = market.apply(sites=["north"])
    answers = at_once(market, [visit(market, case, "north", "north") for _ in range(many)])
    accepted = [a for a in answers if isinstance(a, Accepted)]
    refusals = [a for a in answers if isinstance(a, Problem)]
    assert len(accepted) == 1
    assert {r.code for r in refusals} == {"slot-taken"}
    assert {r.params["first"] for r in refusals} == {accepted[0].digest.hex()}
    explains_itself(market.node)


def test_one_document_from_many_hands_counts_once() -> None:
    market = Market()
    paper = signed(market)
    answers = at_once(market, [paper] * 8)
    assert len({a.position for a in answers if isinstance(a, Accepted)}) == 1
    explains_itself(market.node)


def test_all_who_wait_share_the_next_transaction(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    market = Market(Store(stores.place(tmp_path), create=True))
    papers = [signed(market) for _ in range(12)]
    slow = Slow(market, waiting=len(papers) - 1)
    monkeypatch.setattr(market.store, "writing", slow.writing)
    answers = at_once(market, papers)
    assert slow.transactions == 2
    assert all(isinstance(a, Accepted) for a in answers)
    checkpoints = {a.receipt.checkpoint for a in answers if isinstance(a, Accepted)}
    assert len(checkpoints) == 2


def test_a_refusal_in_a_shared_transaction_is_its_senders_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    market = Market()
    papers = [signed(market) for _ in range(4)] + [b"noise", signed(market, application(seats=101))]
    monkeypatch.setattr(market.store, "writing", Slow(market, waiting=len(papers) - 1).writing)
    answers = at_once(market, papers)
    assert [getattr(a, "code", "accepted") for a in answers] == [
        *["accepted"] * 4,
        "document-malformed",
        "too-many-seats",
    ]
    explains_itself(market.node)


def test_every_receipt_proves_its_document_under_a_checkpoint_that_all_later_ones_extend() -> None:
    market = Market()
    papers = [signed(market, application("sara"), issuer="sara") for _ in range(40)]
    answers = at_once(market, papers[:20]) + at_once(market, papers[20:])
    heads = []
    for paper, answer in zip(papers, answers, strict=True):
        assert isinstance(answer, Accepted)
        read = receipt.parse(answer.receipt.encode())
        digest = parse(paper).digest
        assert digest == answer.digest
        assert receipt.verify(read, digest, market.policy) == (answer.position, answer.recorded_at)
        heads.append(market.policy.verify(read.checkpoint).head)
    newest = market.policy.verify(market.node.log.checkpoint(market.now)).head
    assert newest.size == market.node.sequencer.size
    tree = market.node.log.edge.tree(market.node.log.full_tile)
    for head in heads:
        verify_extension(head, newest, tree.consistency(head.size))
    assert sorted(a.position for a in answers if isinstance(a, Accepted)) == list(range(8, 48))


def test_a_receipt_of_another_document_or_position_is_refused() -> None:
    market = Market()
    one, other = (market.submit(signed(market)) for _ in range(2))
    with pytest.raises(Problem, match="inclusion-proof-invalid"):
        receipt.verify(one.receipt, other.digest, market.policy)
    moved = receipt.Receipt(other.position, one.recorded_at, one.receipt.proof, other.receipt.checkpoint)
    with pytest.raises(Problem, match="inclusion-proof-invalid"):
        receipt.verify(moved, one.digest, market.policy)
    later = receipt.Receipt(one.position, one.recorded_at + 1, one.receipt.proof, one.receipt.checkpoint)
    with pytest.raises(Problem, match="inclusion-proof-invalid"):
        receipt.verify(later, one.digest, market.policy)


def test_two_processes_on_one_record_take_turns(tmp_path: Path) -> None:
    """Each sees what the other wrote before it writes itself; neither overwrites the other's."""
    path = stores.place(tmp_path)
    first = Market(Store(path, create=True))
    second = Market.opened(Store(path))
    case = first.apply(sites=["a", "b"], goods=[{"kind": "food"}])
    second.do("traffic", "site-visit", {"site": "a"}, case, key="a")
    second.wait(50 * 3_600_000)
    first.now = second.now
    paper = visit(second, case, "b", "b")
    taken = visit(first, case, "b", "b")
    assert first.submit(paper).position == second.submit(paper).position
    with pytest.raises(Problem, match="slot-taken"):
        second.submit(taken)
    third = second.submit(signed(second))
    assert receipt.verify(third.receipt, third.digest, first.policy).position == third.position
    assert first.submit(signed(first)).position == third.position + 1
    explains_itself(first.node)
