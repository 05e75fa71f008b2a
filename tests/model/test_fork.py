"""The proof of a fork as a file: what it proves, and what does not count as one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from refusal import value_or_refusal

from gardesh.model import fork as forks
from gardesh.model.fork import Fork
from gardesh.model.policy import Policy
from gardesh.model.problem import Problem
from growing import ORIGIN, GrowingLog, forked

POLICY = Policy.of_log(ORIGIN, GrowingLog().keys)


def test_two_consistent_checkpoints_are_no_fork() -> None:
    log, other = GrowingLog(30), forked(7, 30)
    for fork, code in (
        (Fork(log.note(9), log.note(), log.head(9).root, log.proof(9)), "fork-not-shown"),
        (Fork(log.note(), log.note(), log.head().root), "fork-not-shown"),
        (Fork(log.note(9), log.note(), other.head(9).root, log.proof(9)), "consistency-proof-invalid"),
        (Fork(log.note(), other.note(9), other.head().root, ()), "consistency-proof-invalid"),
        (
            Fork(GrowingLog(9, "other.example").note(), log.note(), log.head().root),
            "checkpoint-of-another-log",
        ),
        (Fork(log.note(9).replace(b"9", b"8", 1), log.note(), log.head().root), "note-signature-invalid"),
    ):
        with pytest.raises(Problem, match=code):
            fork.check(POLICY)
    Fork(other.note(9), log.note(), log.head(9).root, log.proof(9)).check(POLICY)


@given(st.binary(max_size=200), st.integers(0, 800), st.integers(0, 800))
def test_any_bytes_are_a_fork_or_refused(junk: bytes, start: int, end: int) -> None:
    base = FORK.encode()
    for raw in (junk, base[:start] + junk + base[end:]):
        found = value_or_refusal(forks.parse, raw, "fork-malformed")
        assert found is None or forks.parse(found.encode()) == found


FORK = Fork(b"first\n", b"second\n", bytes(32), (bytes(32), bytes(32)))
