"""A node as it is read on a standby of its database: what it is asked for by many, beside the one that takes documents."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from gardesh.intake import Intake
from gardesh.model import reading
from gardesh.model.document import parse
from gardesh.model.problem import Problem
from gardesh.node import NOT_A_NODE, Node, begun, note_read
from gardesh.record import folder
from gardesh.record.blobs import Blobs
from gardesh.record.clock import Clock
from gardesh.record.following import FollowedLog, FollowedStore, Follower
from gardesh.record.key_owners import KeyOwners
from gardesh.record.store import Store
from gardesh.record.views import Views

DOWN = 5.0
"""For so many seconds after the place for reads could not be used, it is not tried again: everybody waits meanwhile."""


class Replica(Node):
    """Answers what a node answers, as of what has come to the standby; takes nothing, and signs nothing.

    Who reads a document is still on record before it is given: that alone is written, where the record is written.
    """

    sequencer: Follower

    def __init__(
        self,
        store: FollowedStore,
        written: Callable[[], Store],
        url: str,
        clock: Clock,
        blobs: Blobs | None = None,
    ) -> None:
        """`written`: opens the record where it is written. `url`: the service that takes documents. `clock`: its key reads the
        node's access tokens. Raises `not-a-node`."""
        if store.setting("origin") is None or not begun(store):
            raise Problem(NOT_A_NODE, url=store.url)
        self.store, self.blobs = store, blobs
        self.library = folder.stored(store)
        followed = FollowedLog(store, url)
        self.log = followed
        self.sequencer = Follower(store, self.library, followed, clock)
        self.intake = Intake(self.sequencer, blobs)
        self.key_owners = KeyOwners(self.sequencer.registers)
        self._open_written, self._written = written, None  # type: tuple[Callable[[], Store], Store | None]
        self._down: tuple[float, Problem] | None = None

    def pass_time(self, now: int) -> None:
        """Take up what has come here since. Raises `store-unusable`."""
        self.sequencer.follow()

    def note_read(self, org: str, position: int, right: reading.Right, purpose: str, now: int) -> None:
        """As `Node.note_read`. Raises `store-unusable` while the record cannot be written; then nothing is given."""
        if self._down is not None and time.monotonic() < self._down[0]:
            raise self._down[1]
        try:
            if self._written is None:
                self._written = self._open_written()
            note_read(self._written, org, position, right, purpose, now)
        except Problem as problem:
            self._down = (time.monotonic() + DOWN, problem)
            raise

    def clock_key(self) -> tuple[str, dict[str, Any]]:
        """As the genesis has it: the key itself is elsewhere."""
        named = parse(Views(self.store, self.library).document("0")[3]).subject["clock"]
        return named["kid"], named["key"]

    def close(self) -> None:
        self.log.close()
        self.store.close()
        if self._written is not None:
            self._written.close()
