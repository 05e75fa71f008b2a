"""Which keys an organisation ever registered: the register of keys is by key, and this is the other way round."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from gardesh.record.registers import NOWHERE, Registers

KEYS = "core/keys"
FOLLOWING = "SELECT id, register, key, value FROM entries WHERE id > ? ORDER BY id LIMIT 10000"


class KeyOwners:
    """Built from the register when it is first asked, and then from what was entered since: in memory, for one process."""

    def __init__(self, registers: Registers) -> None:
        self.registers = registers
        self._kids: dict[str, set[str]] = {}
        self._seen = -1

    def has_key(self, org: str, at: int) -> bool:
        """Whether any key of the organisation is in force."""
        self._look()
        return any(self._in_force(org, kid, at) for kid in self._kids.get(org, ()))

    def _in_force(self, org: str, kid: str, at: int) -> bool:
        value: Any = self.registers.value(KEYS, kid, NOWHERE, at)
        return isinstance(value, dict) and value.get("state") == "in-force" and value.get("org") == org

    def _look(self) -> None:
        self.registers.flush()
        store = self.registers.store
        if self._seen < 0:
            (self._seen,) = store.one("SELECT coalesce(max(id), 0) FROM entries")
            self._note(
                store.rows("SELECT key, value FROM entries WHERE register = ? AND id <= ?", KEYS, self._seen)
            )
        while rows := store.rows(FOLLOWING, self._seen):
            self._seen = rows[-1][0]
            self._note((key, value) for _, register, key, value in rows if register == KEYS)

    def _note(self, entries: Iterable[Any]) -> None:
        for key, value in entries:
            told = msgspec.json.decode(value) if value is not None else None
            if isinstance(told, dict) and isinstance(told.get("org"), str):
                self._kids.setdefault(told["org"], set()).add(key)
