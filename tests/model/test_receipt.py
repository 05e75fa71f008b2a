from __future__ import annotations

import base64
from dataclasses import replace
from functools import cache
from hashlib import sha256

import naive_tree
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from log_keys import AT, AUDITOR, COURT, GUILD, LOG, LOG_KEYS, LOG_ONLY, ORIGIN, WITNESSES, flip
from refusal import value_or_refusal

from gardesh.model.checkpoint import attach, sign
from gardesh.model.entry import encode
from gardesh.model.policy import Policy
from gardesh.model.problem import Problem
from gardesh.model.receipt import MAX_RECEIPT_BYTES, Receipt, check, parse, verify
from gardesh.model.treehead import TreeHead

SIZE = 13
START = 1_790_000_000_000
DIGESTS = [sha256(b"document %d" % i).digest() for i in range(SIZE)]
ENTRIES = [encode(d, START + i) for i, d in enumerate(DIGESTS)]
HEAD = TreeHead(ORIGIN, SIZE, naive_tree.mth(ENTRIES))
EVERYONE = Policy.of_log(ORIGIN, LOG_KEYS, WITNESSES, 3)


@cache
def checkpoint() -> bytes:
    by = [w.sign(HEAD.text(), AT) for w in (GUILD, AUDITOR, COURT)]
    return attach(sign(HEAD, LOG, AT), by, WITNESSES)


def receipt_of(position: int) -> Receipt:
    proof = tuple(naive_tree.path(position, ENTRIES))
    return Receipt(position, START + position, proof, checkpoint())


@pytest.mark.parametrize("position", range(SIZE))
def test_a_receipt_proves_position_and_time_of_its_document(position: int) -> None:
    receipt = parse(receipt_of(position).encode())
    assert receipt == receipt_of(position)
    assert verify(receipt, DIGESTS[position], EVERYONE) == (position, START + position)


def test_a_receipt_is_a_tlog_proof_of_c2sp() -> None:
    receipt = receipt_of(5)
    lines = receipt.encode().decode().split("\n")
    assert lines[0] == "c2sp.org/tlog-proof@v1"
    assert lines[1] == "extra " + base64.b64encode((START + 5).to_bytes(8, "big")).decode()
    assert lines[2] == "index 5"
    assert [base64.b64decode(h) for h in lines[3:7]] == list(receipt.proof)
    assert lines[7] == ""
    assert "\n".join(lines[8:]).encode() == checkpoint()


def test_the_receipt_of_an_only_entry_has_no_hashes() -> None:
    entry = encode(DIGESTS[0], START)
    only = sign(TreeHead(ORIGIN, 1, naive_tree.mth([entry])), LOG, AT)
    receipt = parse(Receipt(0, START, (), only).encode())
    assert verify(receipt, DIGESTS[0], LOG_ONLY) == (0, START)


def test_a_receipt_holds_for_its_own_document_time_and_position_alone() -> None:
    receipt = receipt_of(5)
    for wrong, digest in (
        (receipt, DIGESTS[6]),
        (replace(receipt, recorded_at=START), DIGESTS[5]),
        (replace(receipt, position=4), DIGESTS[5]),
        (replace(receipt, position=SIZE), DIGESTS[5]),
        (replace(receipt, proof=receipt.proof[:-1]), DIGESTS[5]),
    ):
        with pytest.raises(Problem, match="inclusion-proof-invalid"):
            check(wrong, digest, HEAD)
    with pytest.raises(Problem, match="log-entry-malformed"):
        check(receipt, b"short", HEAD)


def test_a_receipt_is_only_as_good_as_its_checkpoint() -> None:
    unwitnessed = replace(receipt_of(5), checkpoint=sign(HEAD, LOG, AT))
    assert verify(unwitnessed, DIGESTS[5], LOG_ONLY) == (5, START + 5)
    with pytest.raises(Problem, match="checkpoint-quorum-missing"):
        verify(unwitnessed, DIGESTS[5], EVERYONE)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, SIZE - 1), st.data())
def test_a_flipped_bit_in_a_receipt_is_seen(position: int, data: st.DataObject) -> None:
    raw = receipt_of(position).encode()
    proof_part = 8 * (len(raw) - len(checkpoint()))
    bit = data.draw(st.integers(0, proof_part - 1) | st.integers(0, 8 * len(raw) - 1))
    with pytest.raises(Problem):
        verify(parse(flip(raw, bit)), DIGESTS[position], EVERYONE)


@given(st.binary(max_size=300), st.integers(0, 400), st.integers(0, 400))
def test_any_bytes_are_a_receipt_or_refused(junk: bytes, start: int, end: int) -> None:
    good = receipt_of(5).encode()
    for raw in (junk, good[:start] + junk + good[end:]):
        receipt = value_or_refusal(parse, raw, "receipt-malformed")
        assert receipt is None or receipt.encode() == raw


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("proof@v1", "proof@v2", 1),
        ("c2sp", "\nc2sp", 1),
        ("extra ", "", 2),
        ("extra ", "extra  ", 2),
        ("extra ", "Extra ", 2),
        ("extra AA", "extra AAAA", 2),
        ("index 5", "index 05", 3),
        ("index 5", "index -5", 3),
        ("index 5", "index 9223372036854775808", 3),
        ("index 5", "place 5", 3),
        ("index 5\n", "index 5\n\n", None),
        ("index 5\n", "index 5\nAAAA\n", 4),
        ("index 5\n", "index 5\n" + "A" * 43 + "=\n" * 1, None),
        ("\n", "\r\n", 1),
    ],
)
def test_a_malformed_receipt_is_refused_at_its_line(old: str, new: str, line: int | None) -> None:
    raw = receipt_of(5).encode().decode().replace(old, new, 1).encode()
    with pytest.raises(Problem) as refused:
        verify(parse(raw), DIGESTS[5], EVERYONE)
    if line is not None:
        assert (refused.value.code, refused.value.params) == ("receipt-malformed", {"line": line})


def test_the_extra_line_is_needed() -> None:
    lines = receipt_of(5).encode().split(b"\n")
    with pytest.raises(Problem, match="receipt-malformed"):
        parse(b"\n".join([lines[0], *lines[2:]]))


@pytest.mark.parametrize("size", [0, 7, 9])
def test_the_time_has_one_spelling(size: int) -> None:
    receipt = receipt_of(5)
    extra = (START + 5).to_bytes(size, "big") if size else b""
    raw = receipt.encode().replace(base64.b64encode((START + 5).to_bytes(8, "big")), base64.b64encode(extra))
    assert raw != receipt.encode()
    with pytest.raises(Problem, match="receipt-malformed"):
        parse(raw)


def test_proof_and_size_are_bounded() -> None:
    with pytest.raises(Problem, match="receipt-malformed"):
        Receipt(0, 0, (bytes(32),) * 64, b"")
    longest = Receipt(2**63 - 2, 2**63 - 1, (bytes(32),) * 63, b"note")
    assert parse(longest.encode()) == longest
    longer = longest.encode().replace(b"\n\n", b"\n" + b"A" * 43 + b"=\n\n")
    with pytest.raises(Problem, match="receipt-malformed"):
        parse(longer)
    with pytest.raises(Problem, match="receipt-too-large"):
        parse(bytes(MAX_RECEIPT_BYTES + 1))


@pytest.mark.parametrize(
    ("position", "at", "proof"),
    [(-1, 0, ()), (0, -1, ()), (2**63 - 1, 0, ()), (0, 2**63, ()), (0, 0, (b"",))],
)
def test_a_receipt_that_could_not_be_read_is_not_made(
    position: int, at: int, proof: tuple[bytes, ...]
) -> None:
    with pytest.raises(Problem, match="receipt-malformed"):
        Receipt(position, at, proof, b"")
