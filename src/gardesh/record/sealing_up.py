"""Sealing what an older version of Gardesh left in the clear: in small transactions, between which others work."""

from __future__ import annotations

from gardesh.record import schema
from gardesh.record.store import Store

SEALED = "sealed"
"""A setting: nothing lies in the clear any more."""
AT_ONCE = 500
NEXT = (
    "SELECT d.position, d.digest, d.case_id, x.data, x.key FROM documents d JOIN disclosures x"
    " ON x.position = d.position WHERE d.position > ? ORDER BY d.position LIMIT ?"
)


def seal_up(store: Store) -> int:
    """Seal all disclosures that lie in the clear; how many there were.

    It may be interrupted at any moment and goes on the next time. At the end nothing of what was in the clear is in the
    files of the database any more, as far as it can be asked for that (`Database.wipe`).
    """
    if store.setting(SEALED) is not None:
        return 0
    done, last = 0, -1
    while True:
        with store.writing():
            rows = store.rows(NEXT, last, AT_ONCE)
            done += _sealed(store, [row for row in rows if row[4] is None])
        if not rows:
            break
        last = int(rows[-1][0])
    if done:
        store.database.wipe(["disclosures", "mirrors"])
    with store.writing():
        store.set(SEALED, b"yes")
    return done


def _sealed(store: Store, rows: list[tuple[int, bytes, str, bytes, None]]) -> int:
    """One page, in the open transaction. Keys are looked up anew: others may have written since the last page."""
    sealing = store.sealing
    assert sealing is not None
    sealing.forget()
    made = []
    for position, digest, case_id, data, _ in rows:
        number, sealed = sealing.seal(case_id, position, bytes(digest), bytes(data), first=False)
        made.append((position, sealed, number))
    sealing.flush()
    store.add(schema.disclosures, made, replace=True)
    return len(made)
