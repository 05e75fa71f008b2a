"""The checker of histories finds what is planted, and finds nothing where there is nothing."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from linear import ADD, PUT, READ, TAKE, Balance, Call, Document, Model, linearizable


def balance(*calls: Call, first: int = 10) -> bool:
    return linearizable(calls, Balance(), first)


def document(*calls: Call) -> bool:
    return linearizable(calls, Document(), "a")


def test_what_happens_one_after_the_other_has_to_agree_in_that_order() -> None:
    assert balance(Call(TAKE, 4, True, 0, 1), Call(READ, None, 6, 2, 3), Call(TAKE, 7, False, 4, 5))
    assert not balance(Call(TAKE, 4, True, 0, 1), Call(READ, None, 10, 2, 3))


def test_what_overlaps_may_have_happened_in_any_order() -> None:
    for seen in (10, 6):
        assert balance(Call(TAKE, 4, True, 0, 3), Call(READ, None, seen, 1, 2))
    assert not balance(Call(TAKE, 4, True, 0, 3), Call(READ, None, 7, 1, 2))


@pytest.mark.parametrize(
    ("planted", "calls"),
    [
        ("taken twice", [Call(TAKE, 6, True, 0, 2), Call(TAKE, 6, True, 1, 3)]),
        ("counted twice", [Call(TAKE, 3, True, 0, 1), Call(READ, None, 4, 2, 3)]),
        ("an addition is lost", [Call(ADD, 5, True, 0, 1), Call(READ, None, 10, 2, 3)]),
        ("refused though there is enough", [Call(TAKE, 10, False, 0, 1)]),
        ("seen, and then not", [Call(TAKE, 1, True, 0, 9), Call(READ, None, 9, 1, 2), Call(READ, None, 10, 3, 4)]),
        ("nobody heard it, but it counts twice", [Call(TAKE, 2, None, 0), Call(READ, None, 6, 1, 2)]),
        ("undone after it was seen", [Call(TAKE, 2, None, 0), Call(READ, None, 8, 1, 2), Call(READ, None, 10, 3, 4)]),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_balance_is_found(planted: str, calls: list[Call]) -> None:
    assert not balance(*calls), planted


@pytest.mark.parametrize(
    ("planted", "calls"),
    [
        ("both replaced the same", [Call(PUT, ("a", "b"), True, 0, 3), Call(PUT, ("a", "c"), True, 1, 4)]),
        ("an old one is read", [Call(PUT, ("a", "b"), True, 0, 1), Call(READ, None, "a", 2, 3)]),
        ("a refused one is read", [Call(PUT, ("x", "b"), False, 0, 1), Call(READ, None, "b", 2, 3)]),
        ("refused though nobody was before it", [Call(PUT, ("a", "b"), False, 0, 1)]),
        ("one that nobody sent is read", [Call(READ, None, "z", 0, 1)]),
    ],
)
def test_what_is_wrong_with_a_document_is_found(planted: str, calls: list[Call]) -> None:
    assert not document(*calls), planted


def test_what_nobody_heard_of_happened_late_or_never() -> None:
    unheard = Call(PUT, ("a", "b"), None, 0)
    assert document(unheard, Call(READ, None, "a", 5, 6))
    assert document(unheard, Call(READ, None, "a", 5, 6), Call(READ, None, "b", 7, 8))
    assert document(unheard, Call(PUT, ("a", "c"), True, 5, 6), Call(READ, None, "c", 7, 8))
    assert document(Call(PUT, ("a", "b"), True, 5, 6), unheard)


def recorded(dice: random.Random, count: int, callers: int, broken: str = "") -> list[Call]:
    """What callers see of a real balance of 10 that they ask at once; of one that is `broken` so, if at all."""
    state, shown, history = 10, 10, list[Call]()
    free = [0] * callers
    for at in range(1, count + 1):
        caller = dice.randrange(callers)
        begun = max(free[caller], at * 10 - dice.randrange(30))
        ended = at * 10 + dice.randrange(1, 30)
        free[caller] = ended + 1
        if begun >= at * 10:
            continue
        what, given = dice.choice((READ, ADD, TAKE)), dice.randrange(1, 6)
        answer: Any = True
        if what == READ:
            given, answer = None, shown if broken == "stale" else state
        elif what == TAKE:
            answer = given <= state or broken == "overdrawn"
            state -= given if answer else 0
        elif broken != "forgetful" or dice.random() < 0.7:
            state += given
        if dice.random() < 0.5:
            shown = state
        if what != READ and dice.random() < 0.1:
            answer, ended = None, math.inf  # type: ignore[assignment]
        history.append(Call(what, given, answer, begun, ended))
    return history


@given(st.integers(0, 1 << 30), st.integers(1, 60), st.integers(1, 5))
def test_a_history_of_a_balance_that_is_right_is_explained(seed: int, count: int, callers: int) -> None:
    assert balance(*recorded(random.Random(seed), count, callers))


@pytest.mark.parametrize("broken", ["stale", "overdrawn", "forgetful"])
def test_a_balance_that_is_broken_is_found_out(broken: str) -> None:
    found = [not balance(*recorded(random.Random(seed), 60, 3, broken)) for seed in range(40)]
    assert sum(found) > 20


def explained(history: Sequence[Call], model: Model, first: Any) -> bool:
    """The same question, by trying every order of every choice of those that nobody heard of."""
    unheard = [n for n, call in enumerate(history) if call.ended == math.inf]
    for size in range(len(unheard) + 1):
        for never in itertools.combinations(unheard, size):
            calls = [call for n, call in enumerate(history) if n not in never]
            for order in itertools.permutations(calls):
                if any(a.begun > b.ended for a, b in itertools.combinations(order, 2)):
                    continue
                state = first
                for call in order:
                    state = model.after(state, call)
                    if state is None:
                        break
                else:
                    return True
    return False


calls_of_a_balance = st.tuples(
    st.sampled_from((READ, ADD, TAKE)), st.integers(1, 4), st.integers(0, 8), st.booleans(), st.integers(0, 12),
    st.integers(1, 6), st.booleans(),
).map(
    lambda t: Call(
        t[0], None if t[0] == READ else t[1], t[2] if t[0] == READ else None if t[6] else t[3] or t[0] == ADD, t[4],
        math.inf if t[6] and t[0] != READ else t[4] + t[5],
    )
)  # fmt: skip


@given(st.lists(calls_of_a_balance, max_size=5))
def test_it_finds_what_trying_every_order_finds(history: list[Call]) -> None:
    assert linearizable(history, Balance(), 4) == explained(history, Balance(), 4)
