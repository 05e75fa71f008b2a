"""How far a stream is published, and who publishes it: a row of `settings`, which both move in one transaction.

Who holds the lease publishes; another waits until it is given back or runs out. That two publish at once nevertheless,
when clocks differ or a process was asleep, does no harm: the stream itself takes only what follows its last message.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
from msgspec import Struct

from gardesh.record.store import Store

LEASE = 15_000
"""After how many ms without a word of its holder a lease is another's to take."""


class Held(Struct, frozen=True):
    """The row. `upto`: the last notice that the server acknowledged, or that was passed over; `until` in ms."""

    upto: int = -1
    holder: str = ""
    until: int = 0


def newest_notice(store: Store) -> int:
    """The id of the newest notice of the node; -1 when there is none."""
    return int(store.one("SELECT coalesce(max(id), -1) FROM notices")[0])


@dataclass(frozen=True, slots=True)
class Standing:
    """What is so after an attempt to hold the lease. `newest`: the newest notice of the node."""

    held: bool
    upto: int
    newest: int


@dataclass(frozen=True, slots=True)
class StreamCursor:
    """The cursor of one stream, for one `holder` of its lease."""

    stream: str
    holder: str

    @property
    def name(self) -> str:
        return f"jetstream:{self.stream}"

    def read(self, store: Store) -> Held:
        """The row; as at first where there is none."""
        raw = store.setting(self.name)
        return Held() if raw is None else msgspec.json.decode(raw, type=Held)

    def hold(self, store: Store, now: int, upto: int | None = None) -> Standing:
        """Take the lease or hold it for longer; with `upto`, move the cursor. Durable when it returns.

        Where another holds it, nothing is changed, and nothing is written.
        """
        newest, row = newest_notice(store), self.read(store)
        if self._anothers(row, now):
            return Standing(False, row.upto, newest)
        with store.writing():
            row = self.read(store)
            if self._anothers(row, now):
                return Standing(False, row.upto, newest)
            made = Held(row.upto if upto is None else upto, self.holder, now + LEASE)
            store.set(self.name, msgspec.json.encode(made))
        return Standing(True, made.upto, newest)

    def give_back(self, store: Store, upto: int | None = None) -> None:
        """Let another take the lease at once; with `upto`, move the cursor. Harmless where another has it."""
        with store.writing():
            row = self.read(store)
            if row.holder == self.holder:
                made = Held(row.upto if upto is None else upto)
                store.set(self.name, msgspec.json.encode(made))

    def _anothers(self, row: Held, now: int) -> bool:
        """A lease that ends later than one taken now is of a clock that is wrong, and does not count."""
        return row.holder not in ("", self.holder) and now < row.until <= now + 2 * LEASE
