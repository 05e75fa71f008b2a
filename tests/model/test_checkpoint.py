from __future__ import annotations

from functools import cache
from hashlib import sha256

import naive_tree
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from log_keys import (
    AT,
    AUDITOR,
    COURT,
    GUILD,
    LOG,
    LOG_KEYS,
    LOG_ONLY,
    ORIGIN,
    WITNESSES,
    ed25519,
    flip,
    mldsa44,
)

from gardesh.model import note
from gardesh.model.checkpoint import attach, sign, verify_extension
from gardesh.model.policy import Policy
from gardesh.model.problem import Problem
from gardesh.model.signer import Signer, Verifier
from gardesh.model.treehead import TreeHead

HEAD = TreeHead(ORIGIN, 3, sha256(b"root").digest())
TEXT = HEAD.text()


@cache
def signed() -> bytes:
    return sign(HEAD, LOG, AT)


@cache
def cosigned(*witnesses: int) -> bytes:
    by = [(GUILD, AUDITOR, COURT)[i].sign(TEXT, AT + i) for i in witnesses]
    return attach(signed(), by, WITNESSES)


def test_a_checkpoint_bears_both_signatures_of_its_log() -> None:
    checkpoint = LOG_ONLY.verify(signed())
    assert checkpoint.head == HEAD
    assert checkpoint.witnessed == {}
    assert [s.key_id for s in checkpoint.note.signatures] == [k.key_id for k in LOG_KEYS]


@pytest.mark.parametrize("signers", [LOG[:1], LOG[1:], (GUILD,)])
def test_a_checkpoint_without_one_of_the_logs_keys_is_refused(signers: tuple[Signer, ...]) -> None:
    with pytest.raises(Problem, match="note-signature-missing"):
        LOG_ONLY.verify(sign(HEAD, signers, AT))


@pytest.mark.parametrize(("quorum", "by"), [(0, ()), (1, (2,)), (2, (0, 2)), (2, (0, 1, 2)), (3, (0, 1, 2))])
def test_a_quorum_of_witnesses_makes_a_checkpoint_trusted(quorum: int, by: tuple[int, ...]) -> None:
    checkpoint = Policy.of_log(ORIGIN, LOG_KEYS, WITNESSES, quorum).verify(cosigned(*by))
    assert checkpoint.witnessed == {WITNESSES[i].name: AT + i for i in by}
    assert {*checkpoint.missing} == {w.name for i, w in enumerate(WITNESSES) if i not in by}


@pytest.mark.parametrize(("quorum", "by"), [(1, ()), (2, (1,)), (3, (0, 1))])
def test_fewer_witnesses_than_the_quorum_refuse_it(quorum: int, by: tuple[int, ...]) -> None:
    with pytest.raises(Problem, match="checkpoint-quorum-missing") as refused:
        Policy.of_log(ORIGIN, LOG_KEYS, WITNESSES, quorum).verify(cosigned(*by))
    missing = [w.name for i, w in enumerate(WITNESSES) if i not in by]
    named = ", ".join(w.name for w in WITNESSES)
    assert refused.value.params == {"quorum": f"{quorum} of ({named})", "missing": ", ".join(missing)}


def test_a_witness_with_two_keys_counts_once() -> None:
    name = AUDITOR.verifier.name
    second = Signer.of_checkpoints(name, mldsa44("auditor"))
    keys = (AUDITOR.verifier, second.verifier, GUILD.verifier)
    raw = attach(signed(), [AUDITOR.sign(TEXT, AT), second.sign(TEXT, AT + 5)], keys)
    assert Policy.of_log(ORIGIN, LOG_KEYS, keys, 1).verify(raw).witnessed == {name: AT + 5}
    with pytest.raises(Problem, match="checkpoint-quorum-missing"):
        Policy.of_log(ORIGIN, LOG_KEYS, keys, 2).verify(raw)


def test_one_witness_signing_twice_counts_once() -> None:
    raw = signed() + b"".join(GUILD.sign(TEXT, at).line().encode() for at in (AT, AT + 9, AT + 4))
    assert Policy.of_log(ORIGIN, LOG_KEYS, WITNESSES, 1).verify(raw).witnessed == {
        GUILD.verifier.name: AT + 9
    }
    with pytest.raises(Problem, match="checkpoint-quorum-missing"):
        Policy.of_log(ORIGIN, LOG_KEYS, WITNESSES, 2).verify(raw)


def test_an_invalid_cosignature_of_a_known_witness_refuses_the_checkpoint() -> None:
    other = TreeHead(ORIGIN, 4, HEAD.root).text()
    raw = signed() + GUILD.sign(other, AT).line().encode()
    LOG_ONLY.verify(raw)
    with pytest.raises(Problem, match="note-signature-invalid"):
        Policy.of_log(ORIGIN, LOG_KEYS, WITNESSES).verify(raw)


def test_a_checkpoint_of_another_log_is_refused() -> None:
    other = TreeHead("other.example/log", 3, HEAD.root)
    with pytest.raises(Problem, match="checkpoint-of-another-log"):
        LOG_ONLY.verify(sign(other, LOG, AT))


def test_a_note_that_is_no_checkpoint_is_refused() -> None:
    letter = note.Note("a letter\n", (LOG[0].sign("a letter\n", AT),))
    with pytest.raises(Problem, match="checkpoint-malformed"):
        LOG_ONLY.verify(letter.encode())


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_flipped_bit_in_a_checkpoint_is_seen(data: st.DataObject) -> None:
    raw = cosigned(0, 1, 2)
    changed = flip(raw, data.draw(st.integers(0, 8 * len(raw) - 1)))
    with pytest.raises(Problem):
        Policy.of_log(ORIGIN, LOG_KEYS, WITNESSES, 3).verify(changed)


@given(st.binary(max_size=300), st.integers(0, 8000), st.integers(0, 8000))
def test_any_bytes_are_a_checkpoint_or_refused(junk: bytes, start: int, end: int) -> None:
    for raw in (junk, signed()[:start] + junk + signed()[end:]):
        if raw != signed():
            try:
                LOG_ONLY.verify(raw)
            except Problem:
                continue
            assert raw.startswith(TEXT.encode())


def test_only_new_cosignatures_of_known_witnesses_are_attached() -> None:
    line = GUILD.sign(TEXT, AT)
    stranger = Signer.of_checkpoints("x.example", ed25519("x")).sign(TEXT, AT)
    once = attach(signed(), [stranger, line, line], WITNESSES)
    assert once == signed() + line.line().encode()
    assert attach(once, [line], WITNESSES) == once
    assert attach(signed(), [stranger], WITNESSES) == signed()


def test_a_later_cosignature_takes_the_place_of_an_earlier_one_of_its_key() -> None:
    early, late, other = GUILD.sign(TEXT, AT), GUILD.sign(TEXT, AT + 9), COURT.sign(TEXT, AT)
    raw = attach(signed(), [early, other], WITNESSES)
    raw = attach(raw, [GUILD.sign(TEXT, AT + 4), late, early], WITNESSES)
    assert raw == signed() + (other.line() + late.line()).encode()


def test_an_invalid_cosignature_is_not_attached() -> None:
    wrong = GUILD.sign(TreeHead(ORIGIN, 4, HEAD.root).text(), AT)
    with pytest.raises(Problem, match="note-signature-invalid"):
        attach(signed(), [wrong], WITNESSES)


@pytest.mark.parametrize(
    ("log", "witnesses", "quorum"),
    [
        ((), WITNESSES, 0),
        ((GUILD.verifier,), (), 0),
        ((*LOG_KEYS, LOG_KEYS[0]), (), 0),
        (LOG_KEYS, (LOG_KEYS[1],), 0),
        (LOG_KEYS, (Signer.of_checkpoints("w.example", mldsa44("log")).verifier,), 0),
        (LOG_KEYS, (*WITNESSES, Signer.of_checkpoints("w.example", mldsa44("guild")).verifier), 0),
        (LOG_KEYS, (Signer.of_checkpoints(ORIGIN, mldsa44("other")).verifier,), 0),
        (LOG_KEYS, (Signer.of_notes("w.example", ed25519("w")).verifier,), 0),
        (LOG_KEYS, WITNESSES, 4),
        (LOG_KEYS, WITNESSES, -1),
    ],
)
def test_a_policy_in_which_someone_could_count_twice_is_refused(
    log: tuple[Verifier, ...], witnesses: tuple[Verifier, ...], quorum: int
) -> None:
    with pytest.raises(Problem, match="checkpoint-policy-invalid"):
        Policy.of_log(ORIGIN, log, witnesses, quorum)


def test_a_later_state_of_the_log_is_shown_by_a_consistency_proof() -> None:
    log = [b"entry %d" % i for i in range(9)]
    old, new = (TreeHead(ORIGIN, n, naive_tree.mth(log[:n])) for n in (5, 9))
    verify_extension(old, new, naive_tree.proof(5, log))
    with pytest.raises(Problem, match="consistency-proof-invalid"):
        verify_extension(old, new, naive_tree.proof(4, log))
    with pytest.raises(Problem, match="checkpoint-of-another-log"):
        verify_extension(old, TreeHead("other.example/log", 9, new.root), naive_tree.proof(5, log))
