"""Persian on a terminal: each line is a right-to-left paragraph of its own, whatever the terminal takes for granted.

Terminals that know the Unicode bidirectional algorithm differ in the direction they give a line: left-to-right always,
or that of its first letter. A line that begins with RLM and is isolated by RLI and PDI (UAX 9) reads the same in both,
and in a file; an RLM before its end keeps the blanks that fill it in their place. So tables and bars are laid out in
reading order, the first column first, and are mirrored as a whole.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from typing import IO, Any, cast

from rich.cells import cell_len
from rich.console import Console

RLM, LRI, RLI, PDI = "\u200f", "\u2066", "\u2067", "\u2069"
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Paragraphs:
    """Standard output or error as it is at the time, with every line made such a paragraph while `persian()`.

    Lines are filled with blanks up to `width` cells: mirrored, they then begin at the right edge.
    """

    def __init__(self, name: str, persian: Callable[[], bool]) -> None:
        self.name, self.persian = name, persian
        self.left_to_right = False
        self.width = 0
        self.line = ""

    def __getattr__(self, name: str) -> Any:
        return getattr(getattr(sys, self.name), name)

    def write(self, text: str) -> int:
        stream = getattr(sys, self.name)
        if not self.persian() or self.left_to_right:
            stream.write(text)
            return len(text)
        for line in text.splitlines(keepends=True):
            content = line.rstrip("\n")
            if content and not self.line:
                stream.write(RLM + RLI)
            stream.write(content)
            self.line += content
            if len(content) < len(line):
                blanks = " " * (self.width - cell_len(CONTROL.sub("", self.line)))
                stream.write(blanks + RLM + PDI + "\n" if self.line else "\n")
                self.line = ""
        return len(text)


class BilingualConsole(Console):
    """A Rich console that writes such paragraphs; on a terminal they fill its width."""

    def __init__(self, name: str, persian: Callable[[], bool]) -> None:
        self.paragraphs = Paragraphs(name, persian)
        super().__init__(file=cast(IO[str], self.paragraphs), highlight=False, emoji=False)

    def print(self, *objects: Any, **options: Any) -> None:
        self.paragraphs.width = self.width if self.is_terminal else 0
        super().print(*objects, **options)

    def print_json(self, *args: Any, **options: Any) -> None:
        """JSON stays left-to-right."""
        self.paragraphs.left_to_right = True
        try:
            super().print_json(*args, **options)
        finally:
            self.paragraphs.left_to_right = False
