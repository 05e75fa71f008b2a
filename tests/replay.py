"""Taking the documents of one node into another, in other batches and under other conditions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import stores
from gardesh.intake import Accepted
from gardesh.model.fold import CLOCK_ACTS
from gardesh.model.pack import Pack
from gardesh.node import Node
from gardesh.record import folder
from gardesh.record.clock import Clock
from gardesh.record.log import Log
from gardesh.record.store import Store

Given = tuple[int, bytes]
"""A document that somebody sent, and the time at which it was recorded."""


def steady(clock: Clock) -> Clock:
    """The same clock with a salt that never changes: what it signs is the same in every replay."""
    return Clock(clock.name, clock.key, lambda: b"not so random ..")


def given(store: Store) -> list[Given]:
    """What the clock did not make, in log order."""
    rows = store.rows(
        "SELECT d.position, d.recorded_at, d.act, d.digest, d.signed, x.data, x.key FROM documents d JOIN disclosures x"
        " ON x.position = d.position ORDER BY d.position"
    )
    return [
        (at, bytes(signed) + store.tail(position, digest, data, key))
        for position, at, act, digest, signed, data, key in rows
        if act not in CLOCK_ACTS
    ]


def batches(papers: Sequence[Given], size: int) -> Iterator[tuple[int, list[bytes]]]:
    """Documents of one instant, `size` at a time: a batch has one time."""
    start = 0
    while start < len(papers):
        at, end = papers[start][0], start + 1
        while end < len(papers) and end - start < size and papers[end][0] == at:
            end += 1
        yield at, [paper for _, paper in papers[start:end]]
        start = end


def twin(node: Node, packs: Sequence[Pack], store: Store | None = None) -> Node:
    """A node that begins as `node` did, with its keys, and has not seen a document yet."""
    store = store or stores.fresh()
    with store.writing():
        for made in packs:
            folder.keep(store, made)
        store.set("origin", node.log.origin.encode())
    return again(node, store)


def again(node: Node, store: Store) -> Node:
    """The keys of `node`, and the record in `store` as a new process would read it."""
    return Node(store, node.library, Log(store, node.log.origin, node.log.signers), node.sequencer.clock)


def feed(node: Node, papers: Sequence[bytes], at: int) -> None:
    for answer in node.intake.submit_all(papers, at):
        assert isinstance(answer, Accepted), answer
