"""Patterns for `matches`, matched in linear time.

A pattern becomes an automaton that reads each character of the text once, whatever the pattern (Thompson
1968), so neither a careless nor a hostile pattern can hold up a node. As in RE2 and CEL, a pattern is
found anywhere in the text unless `^` and `$` tie it.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import Final

from gardesh.model.expression_pattern_syntax import Ranges, Reads, Repeats, Tree, read
from gardesh.model.expression_values import Failure

MAX_STATES: Final = 2000
_MAX_CACHED: Final = 5000

States = frozenset[int]


@dataclass(slots=True)
class _State:
    """Reads one character of `ranges` and goes to `out`; or, with no ranges, goes on to all of `out` freely.

    `tie` is "^" or "$" for a state that is passed only there.
    """

    ranges: Ranges | None = None
    out: list[int] = field(default_factory=list)
    tie: str = ""


class Pattern:
    """A compiled pattern."""

    def __init__(self, tree: Tree) -> None:
        self._states: list[_State] = []
        start, self._end = _Builder(self._states).build(tree)
        self._first = self._close({start}, at_start=True)
        self._again = self._close({start}, at_start=False)
        self._cache: dict[tuple[States, str], States] = {}

    @property
    def size(self) -> int:
        return len(self._states)

    def found_in(self, text: str) -> bool:
        """Whether some part of the text matches."""
        current = self._first
        cache = self._cache
        for character in text:
            if self._end in current:
                return True
            following = cache.get((current, character))
            if following is None:
                following = self._step(current, character)
            current = following
        return self._end in self._close(set(current), at_start=not text, at_end=True)

    def _step(self, current: States, character: str) -> States:
        code = ord(character)
        reached: set[int] = set()
        for index in current:
            state = self._states[index]
            if state.ranges is not None and any(low <= code <= high for low, high in state.ranges):
                reached.update(state.out)
        following = self._close(reached, at_start=False) | self._again
        if len(self._cache) >= _MAX_CACHED:
            self._cache.clear()
        self._cache[current, character] = following
        return following

    def _close(self, reached: set[int], *, at_start: bool, at_end: bool = False) -> States:
        """All that is reached without reading. States tied to the end stay in, for the end may yet come."""
        waiting = list(reached)
        closed = set(reached)
        while waiting:
            state = self._states[waiting.pop()]
            passes = not state.tie or (at_start if state.tie == "^" else at_end)
            if state.ranges is None and passes:
                fresh = [index for index in state.out if index not in closed]
                closed.update(fresh)
                waiting.extend(fresh)
        return frozenset(closed)


Piece = tuple[int, int]
"""A part of the automaton: its first state, and the last, from which what follows goes on."""


class _Builder:
    """Turns a tree of what was read into states."""

    def __init__(self, states: list[_State]) -> None:
        self.states = states

    def add(self, ranges: Ranges | None = None, tie: str = "") -> int:
        if len(self.states) >= MAX_STATES:
            raise Failure("the pattern repeats too much", "تکرارهای الگو بیش از اندازه است")
        self.states.append(_State(ranges, [], tie))
        return len(self.states) - 1

    def link(self, source: int, target: int) -> None:
        self.states[source].out.append(target)

    def build(self, tree: Tree) -> Piece:
        if isinstance(tree, Reads):
            state = self.add(tree.ranges, tree.tie)
            return state, state
        if isinstance(tree, Repeats):
            return self.repeat(tree)
        first, last = self.add(), self.add()
        for branch in tree.branches:
            at = first
            for part in branch:
                begin, end = self.build(part)
                self.link(at, begin)
                at = end
            self.link(at, last)
        return first, last

    def repeat(self, tree: Repeats) -> Piece:
        first = at = self.add()
        for _ in range(tree.least):
            begin, end = self.build(tree.part)
            self.link(at, begin)
            at = end
        last = self.add()
        self.link(at, last)
        if tree.most is None:
            begin, end = self.build(tree.part)
            self.link(last, begin)
            self.link(end, last)
            return first, last
        for _ in range(tree.most - tree.least):
            begin, end = self.build(tree.part)
            self.link(at, begin)
            self.link(end, last)
            at = end
        return first, last


@functools.lru_cache(maxsize=256)
def pattern(source: str) -> Pattern:
    """The compiled pattern. Raises :class:`Failure` for one that cannot be read, or is too large."""
    return Pattern(read(source))
