"""All that was ever entered in a register, entry by entry, with the document that did."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from gardesh.model.instant import iso
from gardesh.record.store import Store

ENTRIES = (
    "SELECT d.recorded_at, e.position, e.digest, d.type, d.issuer, d.case_id, e.key, e.amount, e.total,"
    " e.value, e.since, e.until, u.recorded_at FROM entries e JOIN documents d ON d.digest = e.digest"
    " LEFT JOIN documents u ON u.position = e.undone_at WHERE e.register = ?"
)
ORDERED = " ORDER BY e.id"


def ledger(store: Store, register: str, key: str = "") -> Iterator[dict[str, Any]]:
    """The entries of a register, or of one of its keys, in the order of the log, with stable names.

    Instants are ISO 8601; amounts and balances decimal texts. `ended_at`: when the entry was taken back.
    """
    only = " AND e.key = ?" if key else ""
    for row in store.each(f"{ENTRIES}{only}{ORDERED}", register, *((key,) if key else ())):
        yield _told(row)


def _told(row: Any) -> dict[str, Any]:
    at, position, digest, type_, issuer, case, key, amount, total, value, since, until, ended = row
    return {
        "recorded_at": iso(at),
        "position": position,
        "document": bytes(digest).hex(),
        "type": type_,
        "issuer": issuer,
        "case": case,
        "key": key,
        "amount": amount,
        "balance": total,
        "value": None if value is None else msgspec.json.Decoder().decode(bytes(value)),
        "since": None if since is None else iso(since),
        "until": None if until is None else iso(until),
        "ended_at": None if ended is None else iso(ended),
    }
