"""Registers as of any position of the log: the `World` that expressions look up (design §2)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import msgspec

from gardesh.model import canonical
from gardesh.model.fold import Change
from gardesh.model.library import MOST_VALUES
from gardesh.model.problem import Problem
from gardesh.model.register import BALANCE_EXCEEDED, Effect
from gardesh.record import schema
from gardesh.record.store import Store

KEPT = 50_000
ZERO = Decimal(0)
NOWHERE = 1 << 62
_encode = msgspec.json.Encoder(order="deterministic", decimal_format="number").encode


@dataclass(slots=True)
class Row:
    """One entry of a register. For a balance, `total` is what remains after it."""

    id: int
    position: int
    digest: bytes
    value: Any
    amount: Decimal | None
    total: Decimal | None
    since: int | None
    until: int | None
    undone_at: int | None


class Registers:
    """Entries of all registers. Reads of the newest state are answered from memory (an LRU of keys)."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.next_id = int(store.one("SELECT coalesce(max(id), -1) FROM entries")[0]) + 1
        self._kept: OrderedDict[tuple[str, str], list[Row]] = OrderedDict()
        self.fresh: list[Row] = []
        self._pending: list[tuple[Any, ...]] = []
        self._undone: list[tuple[int, int]] = []

    # -- the World ----------------------------------------------------------------------------------------

    def value(self, register: str, key: str, position: int, at: int) -> Any:
        """The value in force: entered before `position`, not taken back before it, and valid at `at`."""
        found = self.entry(register, key, position, at)
        return None if found is None else found.value

    def entry(self, register: str, key: str, position: int, at: int) -> Row | None:
        """The entry in force, with the digest of the document that made it."""
        for row in reversed(self._rows(register, str(key))):
            if row.position >= position or (row.undone_at is not None and row.undone_at < position):
                continue
            if (row.since is None or row.since <= at) and (row.until is None or at < row.until):
                return row
        return None

    def last(self, register: str, key: str, position: int) -> Row | None:
        """The last entry of a balance before `position`."""
        return next((r for r in reversed(self._rows(register, str(key))) if r.position < position), None)

    def values(self, register: str, prefix: str, position: int, at: int) -> list[Any]:
        """The values in force of the keys that begin with `prefix`, in key order, of its first keys."""
        found = (self.value(register, key, position, at) for key in self.keys(register, prefix))
        return [value for value in found if value is not None]

    def keys(self, register: str, prefix: str) -> list[str]:
        """The first keys that begin with `prefix`, in order."""
        self.flush()
        rows = self.store.rows(
            "SELECT DISTINCT key FROM entries WHERE register = ? AND key >= ? AND key < ? ORDER BY key LIMIT ?",
            register,
            prefix,
            prefix + chr(0x10FFFF),
            MOST_VALUES + 1,
        )
        return [str(key) for (key,) in rows]

    def balance(self, register: str, key: str, position: int) -> Decimal:
        for row in reversed(self._rows(register, str(key))):
            if row.position < position and row.total is not None:
                return row.total
        return ZERO

    def holds(self, org: str, role: str, at: int) -> bool:
        return self.held(org, role, NOWHERE, at)

    def held(self, org: str, role: str, position: int, at: int) -> bool:
        """Whether the organisation was accredited when the log held `position` documents: for the role, or for another
        one that was recognised for it."""
        if self._accredited(org, role, position, at):
            return True
        known = self.value("core/recognitions", role, position, at)
        others = known.get("accepts", []) if isinstance(known, dict) else []
        return any(self._accredited(org, other, position, at) for other in others)

    def _accredited(self, org: str, role: str, position: int, at: int) -> bool:
        value = self.value("core/accreditations", f"{org}/{role}", position, at)
        return isinstance(value, dict) and value.get("state") == "in-force"

    def roles(self, org: str, at: int) -> frozenset[str]:
        """The roles that an organisation is accredited for."""
        rows = self.store.rows(
            "SELECT DISTINCT key FROM entries WHERE register = 'core/accreditations' AND key >= ? AND key < ?",
            f"{org}/",
            f"{org}0",
        )
        own = {name for row in rows if self.holds(org, name := str(row[0]).partition("/")[2], at)}
        known = self.values("core/recognitions", "", NOWHERE, at)
        return frozenset(own | {v["role"] for v in known if own & set(v.get("accepts", ()))})

    def _rows(self, register: str, key: str) -> list[Row]:
        name = (register, key)
        found = self._kept.get(name)
        if found is None:
            found = [_row(r) for r in self._read(register, key)]
            self._kept[name] = found
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        else:
            self._kept.move_to_end(name)
        return found

    def _read(self, register: str, key: str) -> list[Any]:
        self.flush()
        return self.store.rows(
            "SELECT id, position, digest, value, amount, total, since, until, undone_at FROM entries"
            " WHERE register = ? AND key = ? ORDER BY id",
            register,
            key,
        )

    # -- writing ------------------------------------------------------------------------------------------

    def check(self, changes: Iterable[Change]) -> None:
        """Whether these changes together leave every balance at zero or above. Raises `balance-exceeded`."""
        sums: dict[tuple[str, str], Decimal] = {}
        for effect, sign in changes:
            if effect.amount is not None:
                name = (effect.register, effect.key)
                sums[name] = sums.get(name, ZERO) + sign * effect.amount
        for (register, key), change in sums.items():
            held = self.balance(register, key, NOWHERE)
            if change < 0 and held + change < 0:
                raise Problem(
                    BALANCE_EXCEEDED,
                    "/credentialSubject",
                    register=register,
                    key=key,
                    balance=str(held),
                    amount=str(-change),
                )

    def enter(self, changes: Iterable[Change], position: int, digest: bytes) -> None:
        """Enter changes that were checked; `digest` is the document's whose acceptance made them."""
        for effect, sign in changes:
            if effect.amount is None and sign < 0:
                self._undo(effect, position)
            else:
                self._add(effect, sign, position, digest)

    def _add(self, effect: Effect, sign: int, position: int, digest: bytes) -> None:
        rows = self._rows(effect.register, effect.key)
        amount = total = None
        if effect.amount is not None:
            amount = sign * effect.amount
            total = (rows[-1].total or ZERO) + amount if rows else amount
        raw = _encode(effect.value) if amount is None else None
        value = canonical.decode(raw) if raw is not None else None
        row = Row(self.next_id, position, digest, value, amount, total, effect.since, effect.until, None)
        self.next_id += 1
        rows.append(row)
        self._pending.append(
            (
                row.id,
                effect.register,
                effect.key,
                position,
                digest,
                raw,
                None if amount is None else str(amount),
                None if total is None else str(total),
                row.since,
                row.until,
                None,
            )
        )

    def _undo(self, effect: Effect, position: int) -> None:
        value = canonical.decode(_encode(effect.value))
        for row in reversed(self._rows(effect.register, effect.key)):
            if row.undone_at is None and row.value == value and row.since == effect.since:
                row.undone_at = position
                self._undone.append((position, row.id))
                return

    def flush(self) -> None:
        """Write what is pending to the open transaction."""
        if self._pending:
            pending, self._pending = self._pending, []
            self.store.add(schema.entries, pending)
        undone, self._undone = self._undone, []
        for position, id_ in undone:
            self.store.run("UPDATE entries SET undone_at = ? WHERE id = ?", position, id_)

    def forget(self) -> None:
        """After a rollback: what is in memory may not be what is stored."""
        self._kept.clear()
        self._pending.clear()
        self._undone.clear()
        self.next_id = int(self.store.one("SELECT coalesce(max(id), -1) FROM entries")[0]) + 1


def _row(raw: Any) -> Row:
    id_, position, digest, value, amount, total, since, until, undone_at = raw
    return Row(
        id_,
        position,
        bytes(digest),
        canonical.decode(bytes(value)) if value is not None else None,
        Decimal(amount) if amount is not None else None,
        Decimal(total) if total is not None else None,
        since,
        until,
        undone_at,
    )
