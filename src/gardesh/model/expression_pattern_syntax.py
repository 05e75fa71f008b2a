"""Reads the patterns of `matches`: the syntax of RE2, without what an expression of law has no need of.

There are characters, `.` (anything but a line feed), `[…]`, `\\d \\w \\s` (ASCII, as in RE2) and their
opposites, `\\xHH`, groups, `|`, `* + ?` and `{m,n}`, `^` and `$` (start and end of the text). Flags, word
boundaries, classes by name, back references and looking around are refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from gardesh.model.expression_values import Failure

MAX_PATTERN: Final = 512
MAX_GROUPS: Final = 20

Ranges = tuple[tuple[int, int], ...]
"""Code points, each range with both its ends."""


@dataclass(frozen=True, slots=True)
class Reads:
    """One character out of ranges, or (with a tie) the start or end of the text."""

    ranges: Ranges | None
    tie: str = ""


@dataclass(frozen=True, slots=True)
class Repeats:
    part: Tree
    least: int
    most: int | None


@dataclass(frozen=True, slots=True)
class Choice:
    branches: tuple[tuple[Tree, ...], ...]


Tree = Reads | Repeats | Choice

_DIGIT = ((48, 57),)
_WORD = ((48, 57), (65, 90), (95, 95), (97, 122))
_SPACE = ((9, 10), (12, 13), (32, 32))
_CLASSES = {"d": _DIGIT, "w": _WORD, "s": _SPACE}
_CONTROL = {"t": 9, "n": 10, "v": 11, "f": 12, "r": 13}
_LAST = 0x10FFFF


def _opposite(ranges: Ranges) -> Ranges:
    found: list[tuple[int, int]] = []
    start = 0
    for low, high in sorted(ranges):
        if low > start:
            found.append((start, low - 1))
        start = max(start, high + 1)
    if start <= _LAST:
        found.append((start, _LAST))
    return tuple(found)


_ANY_BUT_NEWLINE = _opposite(((10, 10),))


_COUNT = re.compile(r"\{([0-9]{1,4})(?:(,)([0-9]{1,4})?)?\}")
_TIMES: dict[str, tuple[int, int | None]] = {"*": (0, None), "+": (1, None), "?": (0, 1)}


def read(source: str) -> Tree:
    """The tree of a pattern. Raises :class:`Failure`."""
    return _Reader(source).whole()


class _Reader:
    def __init__(self, source: str) -> None:
        self.source = source
        self.at = 0
        self.level = 0

    def whole(self) -> Tree:
        if len(self.source) > MAX_PATTERN:
            raise Failure(
                f"the pattern is longer than {MAX_PATTERN} characters",
                f"الگو از {MAX_PATTERN} نویسه بلندتر است",
            )
        tree = self.choice()
        if self.at < len(self.source):
            raise self.malformed()
        return tree

    def malformed(self) -> Failure:
        at = self.at + 1
        return Failure(f"the pattern cannot be read at character {at}", f"الگو در نویسه‌ی {at} خوانده نمی‌شود")

    def sees(self, *texts: str) -> bool:
        return self.source.startswith(texts, self.at)

    def accept(self, text: str) -> bool:
        if self.sees(text):
            self.at += len(text)
            return True
        return False

    def next(self) -> str:
        if self.at >= len(self.source):
            raise self.malformed()
        self.at += 1
        return self.source[self.at - 1]

    def choice(self) -> Tree:
        branches = [self.sequence()]
        while self.accept("|"):
            branches.append(self.sequence())
        return Choice(tuple(branches))

    def sequence(self) -> tuple[Tree, ...]:
        parts: list[Tree] = []
        while self.at < len(self.source) and not self.sees("|", ")"):
            part = self.atom()
            times = self.times()
            parts.append(Repeats(part, *times) if times else part)
        return tuple(parts)

    def times(self) -> tuple[int, int | None] | None:
        times: tuple[int, int | None] | None = None
        if self.sees("*", "+", "?"):
            times = _TIMES[self.next()]
        elif match := _COUNT.match(self.source, self.at):
            self.at = match.end()
            least, comma, most = match.groups()
            times = (int(least), (int(most) if most else None) if comma else int(least))
            if times[1] is not None and times[1] < times[0]:
                raise self.malformed()
        if times is not None:
            self.accept("?")  # a lazy quantifier finds the same texts
            if self.sees("*", "+", "?") or _COUNT.match(self.source, self.at):
                raise self.malformed()
        return times

    def atom(self) -> Tree:
        if self.sees("*", "+", "?", "{"):
            raise self.malformed()
        character = self.next()
        if character == "(":
            return self.group()
        if character == "[":
            return Reads(self.bracket())
        if character in "^$":
            return Reads(None, character)
        if character == ".":
            return Reads(_ANY_BUT_NEWLINE)
        return Reads(self.escaped() if character == "\\" else _only(ord(character)))

    def group(self) -> Tree:
        if self.sees("?") and not self.accept("?:"):
            raise self.malformed()
        self.level += 1
        if self.level > MAX_GROUPS:
            raise self.malformed()
        tree = self.choice()
        self.level -= 1
        if not self.accept(")"):
            raise self.malformed()
        return tree

    def escaped(self) -> Ranges:
        character = self.next()
        if character.lower() in _CLASSES:
            ranges = _CLASSES[character.lower()]
            return ranges if character.islower() else _opposite(ranges)
        if character in _CONTROL:
            return _only(_CONTROL[character])
        if character == "x":
            digits = self.next() + self.next()
            if not re.fullmatch("[0-9a-fA-F]{2}", digits):
                raise self.malformed()
            return _only(int(digits, 16))
        if character.isalnum():
            raise self.malformed()
        return _only(ord(character))

    def bracket(self) -> Ranges:
        opposite = self.accept("^")
        found = [*_only(ord("]"))] if self.accept("]") else []  # in the first place it stands for itself
        while not self.accept("]"):
            found.extend(self.span())
        return _opposite(tuple(found)) if opposite else tuple(found)

    def span(self) -> Ranges:
        lower = self.element()
        if len(lower) != 1 or lower[0][0] != lower[0][1] or not self.sees("-") or self.sees("-]"):
            return lower
        self.at += 1
        upper = self.element()
        if len(upper) != 1 or upper[0][0] != upper[0][1] or upper < lower:
            raise self.malformed()
        return ((lower[0][0], upper[0][0]),)

    def element(self) -> Ranges:
        if self.sees("[:"):
            raise self.malformed()
        character = self.next()
        return self.escaped() if character == "\\" else _only(ord(character))


def _only(code: int) -> Ranges:
    return ((code, code),)
