"""What was erased of documents, as it is noted beside them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import groupby
from typing import Any

from gardesh.model.document import Envelope
from gardesh.model.slot import Erased
from gardesh.record.store import Store


def erased_of_case(store: Store, case_id: str) -> dict[int, Erased]:
    """What was erased of the documents of a case, by their positions."""
    return _by_position(
        store.rows('SELECT position, field, "by", stand_in FROM erased WHERE case_id = ?', case_id)
    )


def erased_of(store: Store, position: int) -> Erased | None:
    """What was erased of a document."""
    rows = store.rows('SELECT position, field, "by", stand_in FROM erased WHERE position = ?', position)
    return _by_position(rows).get(position)


def _by_position(rows: Iterable[Any]) -> dict[int, Erased]:
    found: dict[int, Erased] = {}
    for position, of in groupby(sorted(rows, key=lambda r: r[0]), key=lambda r: r[0]):
        some = list(of)
        at = max((by for _, _, by, _ in some if by is not None), default=-1)
        fields = frozenset(field for _, field, by, _ in some if by is not None)
        found[position] = Erased(at, fields, {field: bytes(made).hex() for _, field, _, made in some})
    return found


def as_erased(paper: Envelope, erased: Erased | None) -> Envelope:
    """The document, with what was erased of it said."""
    return paper if erased is None else replace(paper, erased=erased)
