"""For fuzzing a reader: it gives a value or refuses with the one code that is its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from gardesh.model.problem import Problem

T = TypeVar("T")
G = TypeVar("G")


def value_or_refusal(read: Callable[[G], T], given: G, code: str) -> T | None:
    """What `read` gives, `None` where it refuses with `code`; any other error goes on."""
    try:
        return read(given)
    except Problem as problem:
        if problem.code != code:
            raise
        return None
