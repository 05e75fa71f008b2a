"""What other processes have written to the same record: taken up as it is, so that what is in memory of all else stays.

A case that nobody else touched is as it was. One that others touched is folded again when it is asked for: by a document, by
a mirror of another case, or by time, which only reaches the cases that were to wake by then.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from gardesh.model.entry import entry_hash
from gardesh.record import folder

if TYPE_CHECKING:
    from gardesh.record.sequence import Sequencer

MOST = 1_000
"""How many documents, entries or mirrors are taken up; after more it is better to forget everything."""
AT_ONCE = 100
"""How many cases are asked for with one question."""
EVERYTHING = frozenset({"core/packs", "core/migrations", "core/erasures"})
"""Registers whose entries change what cases mean that they do not name."""


REBUILT = "rebuilt"
"""The setting that counts how often views were put in the place of others that differed."""
Stand = tuple[int, bytes | None, bytes | None]
"""Where a record stands: the next position, the newest time, how often it was rebuilt."""


class Others:
    """What others wrote to the record of one sequencer. Belongs to it."""

    def __init__(self, sequencer: Sequencer) -> None:
        self.at = sequencer
        self.store = sequencer.store
        self.found: Stand = (0, None, None)

    def wrote(self) -> bool:
        """Whether the record is not as the sequencer left it. One question."""
        self.found = self._stands()
        return self.found != (self.at.position, self.at.time, self.at.rebuilt)

    def _stands(self) -> Stand:
        last, time, rebuilt = self.store.one(
            "SELECT (SELECT max(position) FROM documents), (SELECT value FROM settings WHERE name = 'time'),"
            " (SELECT value FROM settings WHERE name = 'rebuilt')"
        )
        time, rebuilt = (None if value is None else bytes(value) for value in (time, rebuilt))
        return 0 if last is None else last + 1, time, rebuilt

    def take_up(self) -> bool:
        """Bring memory to what the record held when it was last asked whether others `wrote`. Returns False when it is too much
        for that, or of such a kind that everything is to be forgotten; then memory is as it was.

        Outside a transaction others may go on writing meanwhile: what of that was seen already is taken up once more the next
        time. Raises `store-unusable`; then memory is to be forgotten.
        """
        at, registers, cases = self.at, self.at.registers, self.at.cases
        size, time, rebuilt = self.found
        if not at.position <= size <= at.position + MOST or rebuilt != at.rebuilt:
            return False
        if int(time or 0) >= at.horizon[0]:  # who woke by then is not known here
            return False
        documents = self.store.rows(
            "SELECT digest, recorded_at, case_id FROM documents WHERE position >= ? AND position < ? ORDER BY position",
            at.position - 1,
            size,
        )
        if at.position:
            # The last one that is known; another, where a standby took over that had not all of them.
            known, *documents = documents or [(b"", 0, "")]
            if bytes(known[0]) != at.newest:
                return False
        if len(documents) != size - at.position:
            return False
        folder.bring(self.store, at.library)
        entered = self.store.rows(
            "SELECT id, register, key FROM entries WHERE id >= ? ORDER BY id LIMIT ?", registers.next_id, MOST
        )
        # What time does alone counts to the document before it.
        undone = self.store.rows(
            "SELECT register, key FROM entries WHERE undone_at >= ? LIMIT ?", at.position - 1, MOST
        )
        mirrors = self.store.rows(
            "SELECT id, target_case FROM mirrors WHERE id >= ? ORDER BY id LIMIT ?", cases.next_mirror, MOST
        )
        keys = {(register, key) for register, key in (*(e[1:] for e in entered), *undone)}
        woken = self._woken(int(time or 0))
        if max(map(len, (entered, undone, mirrors, woken))) >= MOST or any(r in EVERYTHING for r, _ in keys):
            return False
        while at.wakes and at.wakes[0][0] <= int(time or 0):
            heapq.heappop(at.wakes)
        touched = {case_id for _, _, case_id in documents} | {case_id for _, case_id in mirrors}
        self._cases(touched | woken)
        cases.next_mirror = mirrors[-1][0] + 1 if mirrors else cases.next_mirror
        cases.notices.look()
        registers.drop(keys, entered[-1][0] + 1 if entered else registers.next_id)
        if self.store.sealing is not None:
            self.store.sealing.look()
        at.log.take_up([entry_hash(bytes(digest), recorded_at) for digest, recorded_at, _ in documents])
        at.time, at.position = time, size
        if documents:
            at.newest = bytes(documents[-1][0])
        at.last_at = max(at.last_at, documents[-1][1] if documents else 0, int(time or 0))
        return True

    def _woken(self, time: int) -> set[str]:
        """The cases that time may have changed until then."""
        wakes = self.at.wakes
        if not wakes or wakes[0][0] > time:
            return set()
        return {case_id for at, case_id in wakes if at <= time}

    def _cases(self, touched: set[str]) -> None:
        """Forget the folds of these cases, and learn when they wake."""
        cases = self.at.cases
        for case_id in touched:
            cases.live.pop(case_id, None)
            cases.waking.pop(case_id, None)
        cases.links.clear()  # a link goes with the case that follows, and may be one of any other
        for some in pieces(sorted(touched)):
            marks = ", ".join("?" for _ in some)
            rows = self.store.rows(
                f"SELECT id, wakes_at FROM cases WHERE id IN ({marks}) AND wakes_at IS NOT NULL",  # noqa: S608
                *some,
            )
            for case_id, wakes in rows:
                cases.waking[case_id] = wakes
                heapq.heappush(self.at.wakes, (wakes, case_id))


def pieces(names: Sequence[str]) -> Iterator[Sequence[str]]:
    """So many at once; of two lengths alone, for a database that prepares its statements."""
    for first in range(0, len(names), AT_ONCE):
        some = names[first : first + AT_ONCE]
        yield some if len(some) == 1 else [*some, *[""] * (AT_ONCE - len(some))]
