"""What a witness decides (C2SP tlog-witness): its requests, its refusals, and that it never cosigns two histories."""

from __future__ import annotations

from hashlib import sha256
from itertools import pairwise

import naive_tree
import pytest
from hypothesis import given
from hypothesis import strategies as st
from log_keys import AT, AUDITOR, GUILD, LOG, LOG_KEYS, ORIGIN, ed25519, flip
from refusal import value_or_refusal

from effort import tries
from gardesh.model import note
from gardesh.model.checkpoint import sign
from gardesh.model.merkle import EMPTY_ROOT
from gardesh.model.note import Note
from gardesh.model.problem import Problem
from gardesh.model.signer import Signer
from gardesh.model.treehead import TreeHead
from gardesh.model.witness import (
    MAX_REQUEST_BYTES,
    Known,
    Request,
    cosign,
    extends,
    origin_of,
    parse,
    read_size,
    signed_by,
    write_size,
)

ENTRIES = [b"entry %d" % n for n in range(40)]
OTHERS = ENTRIES[:7] + [b"other %d" % n for n in range(7, 40)]
hashes = st.binary(min_size=32, max_size=32)


def head(size: int, entries: list[bytes] = ENTRIES) -> TreeHead:
    return TreeHead(ORIGIN, size, naive_tree.mth(entries[:size]))


def request(
    old: int, size: int, entries: list[bytes] = ENTRIES, *, by: tuple[Signer, ...] = LOG[:1]
) -> Request:
    proof = naive_tree.proof(old, entries[:size]) if 0 < old < size else []
    return Request(old, tuple(proof), sign(head(size, entries), by, AT))


def known(size: int = 0) -> Known:
    return Known(ORIGIN, LOG_KEYS, size, head(size).root)


def decide(state: Known | None, asked: Request) -> Known:
    submitted = signed_by(state, asked.checkpoint)
    assert state is not None
    return extends(state, asked, submitted.head)


def refused(state: Known | None, asked: Request) -> tuple[int, str]:
    with pytest.raises(Problem) as problem:
        decide(state, asked)
    return problem.value.kind.status, problem.value.code


@pytest.mark.parametrize(("old", "size"), [(0, 0), (0, 1), (0, 9), (5, 9), (8, 9), (9, 9), (1, 40)])
def test_what_extends_the_known_tree_is_cosigned(old: int, size: int) -> None:
    for by in (LOG[:1], LOG[1:], LOG):
        assert decide(known(old), request(old, size, by=by)) == known(size)


def test_refusals_have_the_status_that_the_standard_gives() -> None:
    asked = request(5, 9)
    stranger = Signer.of_notes(ORIGIN, ed25519("stranger"))
    broken = Signer(LOG[0].verifier, ed25519("stranger"))
    proof = asked.proof
    assert refused(None, asked) == (404, "witness-log-unknown")
    assert refused(Known("other.example", LOG_KEYS), asked) == (404, "witness-log-unknown")
    assert refused(known(5), request(5, 9, by=(stranger,))) == (403, "witness-not-signed")
    assert refused(known(5), request(5, 9, by=(LOG[1], broken))) == (403, "witness-not-signed")
    assert refused(known(5), Request(10, proof, asked.checkpoint)) == (400, "witness-old-size-beyond")
    assert refused(known(4), asked) == (409, "witness-other-size")
    assert refused(known(12), asked) == (409, "witness-other-size")
    inconsistent = (422, "consistency-proof-invalid")
    assert refused(known(5), Request(5, proof[:-1], asked.checkpoint)) == inconsistent
    assert refused(known(5), Request(5, (*proof, proof[0]), asked.checkpoint)) == inconsistent
    assert refused(known(5), Request(5, (), asked.checkpoint)) == inconsistent
    assert refused(known(0), Request(0, proof, request(0, 9).checkpoint)) == inconsistent
    assert refused(known(9), request(9, 9, OTHERS)) == (409, "witness-other-root")
    assert refused(known(9), Request(9, proof, request(9, 9).checkpoint)) == inconsistent
    assert refused(known(9), request(9, 12, OTHERS)) == inconsistent


def test_unknown_signatures_are_ignored_and_not_kept() -> None:
    text = head(3).text()
    stranger = Signer.of_notes("x.example", ed25519("x"))
    raw = Note(text, tuple(s.sign(text, AT) for s in (stranger, GUILD, *LOG))).encode()
    assert [s.name for s in signed_by(known(), raw).note.signatures] == [ORIGIN, ORIGIN]
    assert origin_of(raw) == ORIGIN


def test_an_empty_log_with_another_root_is_refused_as_the_standard_says() -> None:
    text = TreeHead(ORIGIN, 0, EMPTY_ROOT).text().split("\n")
    other = head(1).text().split("\n")
    wrong = "\n".join((text[0], "0", other[2], ""))
    raw = Note(wrong, (LOG[0].sign(wrong, AT),)).encode()
    assert refused(known(), Request(0, (), raw)) == (422, "witness-empty-tree-wrong")
    stranger = Signer.of_notes("other.example", ed25519("x")).sign(wrong, AT)
    assert refused(known(), Request(0, (), Note(wrong, (stranger,)).encode())) == (403, "witness-not-signed")
    assert refused(None, Request(0, (), raw)) == (404, "witness-log-unknown")
    letter = f"{ORIGIN}\nzero\n"
    raw = Note(letter, (LOG[0].sign(letter, AT),)).encode()
    assert refused(known(), Request(0, (), raw)) == (400, "checkpoint-malformed")


def test_extension_lines_are_cosigned_by_the_type_that_covers_them() -> None:
    extended = TreeHead(ORIGIN, 3, head(3).root, ("extension",))
    assert [s.name for s in cosign(extended, (GUILD, AUDITOR), AT)] == [AUDITOR.verifier.name]
    assert [s.name for s in cosign(head(3), (GUILD, AUDITOR), AT)] == [
        GUILD.verifier.name,
        AUDITOR.verifier.name,
    ]
    with pytest.raises(Problem, match="checkpoint-not-cosignable"):
        cosign(extended, (GUILD,), AT)


def test_cosignatures_verify_and_say_when() -> None:
    for signer, line in zip((GUILD, AUDITOR), cosign(head(3), (GUILD, AUDITOR), AT + 7), strict=True):
        assert signer.verifier.check(head(3).text(), line) == AT + 7


@given(st.integers(0, 2**63 - 1), st.lists(hashes, max_size=63), st.binary(max_size=99))
def test_a_request_reads_back(old: int, proof: list[bytes], checkpoint: bytes) -> None:
    made = Request(old, tuple(proof), checkpoint)
    assert parse(made.encode()) == made


@given(st.binary(max_size=200) | st.text(alphabet="old 019\n=A").map(str.encode), st.integers(0, 400))
def test_any_bytes_are_a_request_or_refused(junk: bytes, at: int) -> None:
    base = request(5, 9).encode()
    for raw in (junk, b"old " + junk, base[:at] + junk, base[:at] + junk + base[at:]):
        found = value_or_refusal(parse, raw, "witness-request-malformed")
        assert found is None or found.encode() == raw


@pytest.mark.parametrize(
    ("raw", "line"),
    [
        (b"", 1),
        (b"old 00\n\nx", 1),
        (b"old -1\n\nx", 1),
        (b"old 9223372036854775808\n\nx", 1),
        (b"old 5", 1),
        (b"old 5\n", 2),
        (b"old 5\r\n\nx", 1),
        (b"old 5\nAAAA\n\nx", 2),
        (b"old 5\n" + b"A" * 43 + b"=\n" * 1 + b"!\n\nx", 3),
        (b"old 5\n" + (b"A" * 43 + b"=\n") * 64 + b"\nx", 65),
    ],
)
def test_a_malformed_request_is_refused_with_the_line(raw: bytes, line: int) -> None:
    with pytest.raises(Problem, match="witness-request-malformed") as problem:
        parse(raw)
    assert problem.value.params["line"] == line


def test_a_request_has_its_limits() -> None:
    assert len(parse(b"old 5\n" + (b"A" * 43 + b"=\n") * 63 + b"\nx").proof) == 63
    with pytest.raises(Problem, match="witness-request-too-large"):
        parse(b"old 0\n\n" + b"x" * MAX_REQUEST_BYTES)
    for old, proof in ((-1, ()), (2**63, ()), (1, (b"short",)), (1, (bytes(32),) * 64)):
        with pytest.raises(Problem, match="witness-request-malformed"):
            Request(old, proof, b"x").encode()


@given(st.integers(0, 2**63 - 1), st.binary(max_size=30))
def test_the_size_of_a_conflict_reads_back_and_nothing_else_does(size: int, junk: bytes) -> None:
    assert read_size(write_size(size)) == size
    found = read_size(junk)
    assert found is None or write_size(found) == junk
    assert read_size(b"%d" % size) is None
    assert read_size(b"0%d\n" % size) is None


# -- no two histories ---------------------------------------------------------------------------------------

BRANCHES = [ENTRIES, OTHERS, ENTRIES[:20] + OTHERS[20:], OTHERS[:3] + ENTRIES[:37]]


@st.composite
def requests(draw: st.DrawFn) -> Request:
    """Requests of a log that lies: proofs of one branch with the head of another, wrong sizes, wrong hashes."""
    told, shown = draw(st.sampled_from(BRANCHES)), draw(st.sampled_from(BRANCHES))
    size = draw(st.integers(0, 12))
    old = draw(st.integers(0, 13))
    made = request(old if old <= size else 0, size, told)
    proof = request(min(old, size), size, shown).proof if draw(st.booleans()) else made.proof
    if proof and draw(st.integers(0, 9)) == 0:
        proof = (flip(proof[0], draw(st.integers(0, 255))), *proof[1:])
    return Request(old, proof, made.checkpoint)


def never_two_histories(asked: list[Request]) -> list[TreeHead]:
    """Gives what a witness cosigns of these requests; fails if any two of it contradict each other."""
    state, cosigned = known(), []
    for each in asked:
        try:
            state = decide(state, each)
        except Problem as problem:
            assert problem.code in (
                "witness-other-size",
                "witness-old-size-beyond",
                "witness-other-root",
                "consistency-proof-invalid",
            )
            continue
        cosigned.append(signed_by(state, each.checkpoint).head)
    roots = {(head(size, branch).root): (branch, size) for branch in BRANCHES for size in range(13)}
    for older, newer in pairwise(cosigned):
        branch, size = roots[newer.root]
        assert (newer.size, older.size <= size) == (size, True)
        assert naive_tree.mth(branch[: older.size]) == older.root
    return cosigned


@tries(300)
@given(st.lists(requests(), max_size=12))
def test_no_requests_make_a_witness_cosign_two_histories(asked: list[Request]) -> None:
    never_two_histories(asked)


@tries(100)
@given(
    st.lists(st.tuples(st.integers(0, 12), st.sampled_from(range(len(BRANCHES)))), min_size=3, max_size=12)
)
def test_a_log_that_knows_the_size_cannot_change_branches_behind_the_fork(
    steps: list[tuple[int, int]],
) -> None:
    """The log asks for the size first, as an honest client would, and always proves from there on some branch."""
    asked, size = [], 0
    for grown, number in steps:
        if grown >= size:
            each = request(size, grown, BRANCHES[number])
            asked.append(each)
            if never_two_histories(asked)[-1:] == [head(grown, BRANCHES[number])]:
                size = grown
    assert size == (never_two_histories(asked) or [head(0)])[-1].size


def test_a_flipped_bit_in_a_request_is_not_cosigned_as_another_head() -> None:
    asked = request(5, 9)
    raw = asked.encode()
    for bit in range(0, 8 * len(raw), 7):
        try:
            after = decide(known(5), parse(flip(raw, bit)))
        except Problem:
            continue
        assert after == known(9)


def test_what_is_hashed_is_the_standard() -> None:
    assert head(0).root == sha256(b"").digest() == EMPTY_ROOT
    assert note.parse(request(0, 2).checkpoint).text == head(2).text()
