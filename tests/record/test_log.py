"""The log on disk: opened again at any size it is the log that it was; its proofs come from what is stored."""

from __future__ import annotations

from functools import cache
from hashlib import sha256

import pytest

import stores
from gardesh.model import cose_receipt, receipt
from gardesh.model.edge import TileEdge
from gardesh.model.entry import entry_hash
from gardesh.model.merkle import verify_consistency, verify_inclusion
from gardesh.model.policy import Policy
from gardesh.model.tile import consistency_proof, inclusion_proof, root
from gardesh.model.treehead import TreeHead
from gardesh.record import schema
from gardesh.record.founding import new_log_signers
from gardesh.record.log import Log, stored_tiles
from gardesh.record.store import Store

pytestmark = pytest.mark.store

ORIGIN = "gardesh.example/log"
SIGNERS = new_log_signers(ORIGIN)
POLICY = Policy.of_log(ORIGIN, tuple(s.verifier for s in SIGNERS))
SIZES = (0, 1, 2, 255, 256, 257, 511, 512, 513, 65_535, 65_536, 65_537)
AT = 1_767_600_000_000


def entry(position: int) -> tuple[bytes, int]:
    return sha256(b"document %d" % position).digest(), AT + position


@cache
def roots() -> dict[int, bytes]:
    """The root of each size, from an edge that was never stored."""
    edge, found = TileEdge(), {0: TileEdge().root()}
    for position in range(SIZES[-1]):
        edge.append([entry_hash(*entry(position))])
        if edge.size in SIZES or edge.size <= 3:
            found[edge.size] = edge.root()
    return found


def append(store: Store, log: Log, size: int) -> None:
    """Entries up to `size`, as the sequencer would write them in one batch."""
    entries = [entry(position) for position in range(log.size, size)]
    with store.writing():
        rows = [
            (position, digest, sha256(digest).digest(), at, "", "", "", "", "", "issue", b"")
            for position, (digest, at) in enumerate(entries, log.size)
        ]
        store.add(schema.documents, rows)
        edge = log.append(entries)
        pen = log.begin_checkpoint(edge, AT)
    log.adopt(edge, pen.result())


def grown(*sizes: int) -> tuple[Store, Log]:
    store = stores.fresh()
    log = Log(store, ORIGIN, SIGNERS)
    for size in sizes:
        append(store, log, size)
    return store, log


@pytest.mark.parametrize("size", SIZES)
def test_a_log_that_is_opened_again_has_the_same_root_and_goes_on(size: int) -> None:
    store, log = grown(size)
    again = Log(store, ORIGIN, SIGNERS)
    assert again.size == log.size == size
    assert again.edge.root() == log.edge.root() == roots()[size]
    assert root(size, stored_tiles(store)) == roots()[size]
    append(store, again, size + 300)
    append(store, log_of := Log(store, ORIGIN, SIGNERS), size + 301)
    fresh = TileEdge()
    fresh.append(entry_hash(*entry(position)) for position in range(size + 301))
    assert log_of.edge.root() == fresh.root()


def test_in_what_batches_it_grew_leaves_no_trace() -> None:
    one, _ = grown(513)
    many, _ = grown(1, 2, 255, 256, 257, 300, 511, 512, 513)
    tiles = "SELECT level, number, data FROM tiles ORDER BY level, number"
    assert [tuple(r) for r in one.rows(tiles)] == [tuple(r) for r in many.rows(tiles)]
    assert one.one("SELECT count(*) FROM tiles")[0] == 2


@pytest.mark.parametrize("size", [1, 255, 256, 257, 513, 65_537])
def test_receipts_hold_before_and_after_it_is_opened_again(size: int) -> None:
    store, log = grown(size)
    asked = sorted({0, size // 2, max(size - 257, 0), size - 1})
    for each in (log, Log(store, ORIGIN, SIGNERS)):
        note = each.checkpoint(AT)
        found = each.receipts([(position, entry(position)[1]) for position in asked], note)
        for position, made in zip(asked, found, strict=True):
            assert receipt.verify(made, entry(position)[0], POLICY) == (position, entry(position)[1])


@pytest.mark.parametrize("size", [1, 2, 256, 257, 513])
def test_cose_receipts_are_under_the_tree_head_of_the_checkpoint(size: int) -> None:
    store, log = grown(size)
    for each in (log, Log(store, ORIGIN, SIGNERS)):
        head = POLICY.verify(each.checkpoint(AT)).head
        for position in {0, size // 2, size - 1}:
            made = cose_receipt.read(each.cose_receipt(position, *entry(position)))
            proven = cose_receipt.verify(made, entry(position)[0], SIGNERS[0].verifier)
            assert proven == ((position, entry(position)[1]), head)


@pytest.mark.parametrize("size", [2, 256, 257, 513, 65_537])
def test_proofs_come_from_the_stored_tiles_alone(size: int) -> None:
    store, log = grown(size)
    tiles, now = stored_tiles(store), log.edge.root()
    for position in {0, 1, size // 2, size - 1}:
        proof = inclusion_proof(position, size, tiles)
        verify_inclusion(entry_hash(*entry(position)), position, size, proof, now)
    for old in (s for s in (1, 2, 255, 256, 257, 512) if s <= size and s in roots()):
        verify_consistency(old, roots()[old], size, now, consistency_proof(old, size, tiles))


def test_the_checkpoint_is_of_what_is_stored_and_signed_with_both_keys() -> None:
    store, log = grown(300)
    for each in (log, Log(store, ORIGIN, SIGNERS)):
        found = POLICY.verify(each.checkpoint(AT))
        assert found.head == TreeHead(ORIGIN, 300, roots_at(300))
        assert len(found.note.signatures) == 2


def roots_at(size: int) -> bytes:
    edge = TileEdge()
    edge.append(entry_hash(*entry(position)) for position in range(size))
    return edge.root()


def test_a_batch_that_is_not_committed_leaves_the_log_as_it_was() -> None:
    store, log = grown(255)
    before = log.edge.root()

    def append_and_fail() -> None:
        with store.writing():
            edge = log.append([entry(255), entry(256)])
            log.begin_checkpoint(edge, AT)
            raise KeyError

    with pytest.raises(KeyError):
        append_and_fail()
    assert (log.size, log.edge.root()) == (255, before)
    assert store.one("SELECT count(*) FROM tiles")[0] == 0
    assert POLICY.verify(log.checkpoint(AT)).head.size == 255
    append(store, log, 257)
    assert log.edge.root() == roots()[257]


def test_the_newest_checkpoint_is_kept_when_the_log_is_closed() -> None:
    store, log = grown(3)
    log.keep_checkpoint()
    note = log.note
    again = Log(store, ORIGIN, SIGNERS)
    assert again.note == note == bytes(store.one("SELECT note FROM checkpoints WHERE size = 3")[0])
    append(store, again, 4)
    assert Log(store, ORIGIN, SIGNERS).note == b""


def test_another_process_appending_is_seen_when_the_log_is_read_again() -> None:
    store, log = grown(10)
    other = Log(store, ORIGIN, SIGNERS)
    append(store, other, 260)
    log.reload()
    assert (log.size, log.edge.root()) == (260, other.edge.root())
    assert POLICY.verify(log.checkpoint(AT)).head.size == 260
