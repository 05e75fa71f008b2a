"""Whether a history of concurrent calls can be explained by calls that happened one after the other, each at some instant
between its begin and its end (linearizability, Herlihy and Wing 1990; searched as by Wing and Gong, with Lowe's memory)."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

READ = "read"
ADD, TAKE = "add", "take"
PUT = "put"


@dataclass(frozen=True, slots=True)
class Call:
    """`given`: what was asked for; `answer`: what was said, None when nobody heard it; then it has no end, for it may happen
    at any time, or never."""

    what: str
    given: Any
    answer: Any
    begun: int
    ended: float = math.inf


class Model(Protocol):
    """How one thing behaves when it is asked by one caller alone."""

    def after(self, state: Any, call: Call) -> Hashable | None:
        """The state after the call; None where the call would not have been answered so."""


class Balance:
    """A quantity that is added to and taken from, and never goes below zero. A state is a whole number."""

    def after(self, state: int, call: Call) -> int | None:
        if call.what == READ:
            return state if call.answer == state else None
        if call.what == ADD:
            return state + call.given
        enough = call.given <= state
        if call.answer is not None and call.answer != enough:
            return None
        return state - call.given if enough else state


class Document:
    """A document that is replaced by who names the newest. A state is the newest's digest."""

    def after(self, state: str, call: Call) -> str | None:
        if call.what == READ:
            return state if call.answer == state else None
        replaced, made = call.given
        newest = replaced == state
        if call.answer is not None and call.answer != newest:
            return None
        return str(made) if newest else state


def linearizable(history: Sequence[Call], model: Model, first: Hashable) -> bool:
    """Whether some order explains it, from the state `first` on. `history`: of one thing."""
    calls = sorted(history, key=lambda call: call.begun)
    needed = sum(1 << n for n, call in enumerate(calls) if call.ended != math.inf)
    seen: set[tuple[int, Hashable]] = set()
    open_ends: list[tuple[int, Hashable]] = [(0, first)]
    while open_ends:
        done, state = open_ends.pop()
        if done & needed == needed:
            return True
        for n in candidates(calls, done):
            following = model.after(state, calls[n])
            if following is None:
                continue
            reached = (done | 1 << n, following)
            if reached not in seen:
                seen.add(reached)
                open_ends.append(reached)
    return False


def candidates(calls: Sequence[Call], done: int) -> list[int]:
    """Which calls can be the next: no other that is left had ended before they began."""
    found: list[int] = []
    earliest = math.inf
    for n, call in enumerate(calls):
        if call.begun > earliest:
            break
        if not done >> n & 1:
            found.append(n)
            earliest = min(earliest, call.ended)
    found.sort(key=lambda n: calls[n].ended, reverse=True)  # the one that ends first is tried first
    return found
