"""Where accepted documents stand on the log, found by their statements."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from gardesh.model.document import Envelope
from gardesh.record.store import Store

AT_ONCE = 100
"""How many documents are looked up with one question."""


class Place(NamedTuple):
    """Where an accepted document stands."""

    position: int
    recorded_at: int
    case: str
    digest: bytes


class Places:
    """The places of the documents of one batch: those it has accepted so far, and those that were stored before."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._found: dict[bytes, Place | None] = {}

    def clear(self) -> None:
        """A new batch begins."""
        self._found.clear()

    def note(self, statement: bytes, place: Place) -> None:
        """A document was accepted in this batch."""
        self._found[statement] = place

    def of(self, paper: Envelope) -> Place | None:
        """Where a document stands that was accepted before. Known by its statement: an ES256 signature can be turned
        into another valid one by anybody, and must not count twice."""
        if paper.statement not in self._found:
            self.recall([paper])
        return self._found[paper.statement]

    def recall(self, papers: Iterable[Envelope]) -> None:
        """Look up which of these documents are stored, many with one question."""
        asked = [s for s in dict.fromkeys(p.statement for p in papers) if s not in self._found]
        self._found |= dict.fromkeys(asked)
        for first in range(0, len(asked), AT_ONCE):
            some = asked[first : first + AT_ONCE]
            if len(some) > 1:
                some += [b""] * (
                    AT_ONCE - len(some)
                )  # two statements for a database to prepare, not a hundred
            marks = ", ".join("?" for _ in some)
            rows = self.store.rows(
                f"SELECT position, recorded_at, case_id, digest, statement FROM documents WHERE statement IN ({marks})",  # noqa: S608
                *some,
            )
            for position, at, case_id, digest, statement in rows:
                self._found[bytes(statement)] = Place(position, at, case_id, bytes(digest))
