"""Registers as of any position of the log: the `World` that expressions look up (design §2)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from typing import Any

import msgspec

from gardesh.model import canonical
from gardesh.model.fold import Change
from gardesh.model.library import MOST_VALUES
from gardesh.model.problem import Problem, define
from gardesh.model.register import BALANCE_EXCEEDED, Effect
from gardesh.record import schema
from gardesh.record.store import Store

NO_SUCH_ENTRY = define(
    "no-such-entry",
    404,
    en="Nothing is in force in the register {register} under {key}.",
    fa="در دفتر ثبت {register} برای {key} چیزی نافذ نیست.",
)
NO_SUCH_REGISTER = define(
    "no-such-register",
    404,
    en="There is no register {register} here; there are: {known}.",
    fa="دفتر ثبتی به نام {register} در اینجا نیست؛ هست: {known}.",
)
KEPT = 50_000
TAIL = 32
"""How many entries of a key are kept in memory at least, once it has as many."""
PAGE = 32
VALID = "AND (since IS NULL OR since <= ?) AND (until IS NULL OR until > ?)"
COLUMNS = "id, position, digest, value, amount, total, since, until, undone_at"
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


@dataclass(slots=True)
class Tail:
    """The last entries of a key, the newest last. `whole`: there are none before them."""

    rows: list[Row]
    whole: bool


class Registers:
    """Entries of all registers. Reads of the newest state are answered from memory (an LRU of keys), older ones by an
    index: neither grows with the entries that a key has."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.next_id = int(store.one("SELECT coalesce(max(id), -1) FROM entries")[0]) + 1
        self._kept: OrderedDict[tuple[str, str], Tail] = OrderedDict()
        self._pending: list[tuple[Any, ...]] = []
        self._undone: list[tuple[int, int]] = []

    # -- the World ----------------------------------------------------------------------------------------

    def value(self, register: str, key: str, position: int, at: int) -> Any:
        """The value in force: entered before `position`, not taken back before it, and valid at `at`."""
        found = self.entry(register, key, position, at)
        return None if found is None else found.value

    def entry(self, register: str, key: str, position: int, at: int) -> Row | None:
        """The entry in force, with the digest of the document that made it."""
        for row in self._backward(register, str(key), position, at):
            if row.undone_at is not None and row.undone_at < position:
                continue
            if (row.since is None or row.since <= at) and (row.until is None or at < row.until):
                return row
        return None

    def last(self, register: str, key: str, position: int) -> Row | None:
        """The last entry of a key before `position`."""
        return next(self._backward(register, str(key), position), None)

    def since(self, row: Row) -> int:
        """When an entry came in force: as it says itself, else when the document that made it was recorded. Of a balance, since
        when it has been what it is."""
        if row.since is not None:
            return row.since
        (recorded,) = self.store.one("SELECT recorded_at FROM documents WHERE position = ?", row.position)
        return int(recorded)

    def values(self, register: str, prefix: str, position: int, at: int) -> list[Any]:
        """The values in force of the keys that begin with `prefix`, in key order; one more than MOST_VALUES at most."""
        return [row.value for _, row in self.live(register, prefix, position, at)]

    def live(self, register: str, prefix: str, position: int, at: int) -> Iterator[tuple[str, Row]]:
        """The entries in force behind `values`, by their keys. Costs a look-up for each key, also of what has ended."""
        found = ((key, self.entry(register, key, position, at)) for key in self._keys(register, prefix))
        return islice(((k, r) for k, r in found if r is not None and r.value is not None), MOST_VALUES + 1)

    def _keys(self, register: str, prefix: str) -> Iterator[str]:
        """The keys that begin with `prefix`, in order."""
        first, more = prefix, True
        while more:
            self.flush()
            page = self._some_keys(register, first, prefix + chr(0x10FFFF), MOST_VALUES)
            yield from page
            more = len(page) == MOST_VALUES
            first = page[-1] + "\x01" if page else first

    def keys_after(self, register: str, key: str | None, most: int) -> list[str]:
        """The first keys behind `key` (None: of all), in order; also those under which nothing is in force."""
        self.flush()
        first = "" if key is None else key + "\x01"
        return self._some_keys(register, first, chr(0x10FFFF), most)

    def key_of(self, register: str, id_: int) -> str | None:
        """The key of an entry of a register, by the entry's number."""
        self.flush()
        row = self.store.one("SELECT register, key FROM entries WHERE id = ?", id_)
        return str(row[1]) if row is not None and row[0] == register else None

    def first_of(self, register: str, key: str) -> int:
        """The number of the first entry that a key ever had: a name of the key that does not say it. See `key_of`."""
        self.flush()
        sql = "SELECT id FROM entries WHERE register = ? AND key = ? ORDER BY position, id LIMIT 1"
        return int(self.store.one(sql, register, key)[0])

    def every_key(self, register: str) -> list[str]:
        """All keys of a register, in order."""
        self.flush()
        return self._some_keys(register, "", chr(0x10FFFF), NOWHERE)

    def _some_keys(self, register: str, first: str, end: str, most: int) -> list[str]:
        """From key to key by the index, however many entries each of them has."""
        rows = self.store.rows(
            "WITH RECURSIVE found(key) AS ("
            " SELECT min(key) FROM entries WHERE register = ? AND key >= ? AND key < ?"
            " UNION ALL SELECT (SELECT min(key) FROM entries WHERE register = ? AND key > found.key AND key < ?)"
            " FROM found WHERE found.key IS NOT NULL)"
            " SELECT key FROM found WHERE key IS NOT NULL LIMIT ?",
            register,
            first,
            end,
            register,
            end,
            most,
        )
        return sorted(str(key) for (key,) in rows)

    def balance(self, register: str, key: str, position: int) -> Decimal:
        row = self.last(register, key, position)
        return ZERO if row is None or row.total is None else row.total

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
        self.flush()
        keys = self._some_keys("core/accreditations", f"{org}/", f"{org}0", NOWHERE)
        own = {name for key in keys if self.holds(org, name := key.partition("/")[2], at)}
        known = self.values("core/recognitions", "", NOWHERE, at)
        return frozenset(own | {v["role"] for v in known if own & set(v.get("accepts", ()))})

    def _backward(self, register: str, key: str, position: int, at: int | None = None) -> Iterator[Row]:
        """The entries of a key before `position`, the newest first; of older ones only those valid at `at`."""
        tail = self._tail(register, key)
        for row in reversed(tail.rows):
            if row.position < position:
                yield row
        before = tail.rows[0].id if tail.rows else 0
        more = not tail.whole
        while more:
            found = self._read(register, key, position, before, PAGE, at)
            yield from found
            more = len(found) == PAGE
            before = found[-1].id if found else 0

    def _tail(self, register: str, key: str) -> Tail:
        name = (register, key)
        found = self._kept.get(name)
        if found is None:
            rows = self._read(register, key, NOWHERE, NOWHERE, TAIL)
            found = self._kept[name] = Tail(rows[::-1], len(rows) < TAIL)
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        else:
            self._kept.move_to_end(name)
        return found

    def _read(
        self, register: str, key: str, position: int, before: int, most: int, at: int | None = None
    ) -> list[Row]:
        self.flush()
        valid = "" if at is None else VALID
        rows = self.store.rows(
            f"SELECT {COLUMNS} FROM entries WHERE register = ? AND key = ? AND position < ? AND id < ?"  # noqa: S608
            f" {valid} ORDER BY position DESC, id DESC LIMIT ?",
            register,
            key,
            position,
            before,
            *(() if at is None else (at, at)),
            most,
        )
        return [_row(r) for r in rows]

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
        tail = self._tail(effect.register, effect.key)
        digest = effect.by or digest
        amount = total = None
        if effect.amount is not None:
            amount = sign * effect.amount
            total = ((tail.rows[-1].total if tail.rows else None) or ZERO) + amount
        raw = _encode(effect.value) if amount is None else None
        value = canonical.decode(raw) if raw is not None else None
        row = Row(self.next_id, position, digest, value, amount, total, effect.since, effect.until, None)
        self.next_id += 1
        tail.rows.append(row)
        if len(tail.rows) > 4 * TAIL:
            del tail.rows[:-TAIL]
            tail.whole = False
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
        for row in self._backward(effect.register, effect.key, NOWHERE):
            same = (row.value, row.since, row.until) == (value, effect.since, effect.until)
            if row.undone_at is None and same and (not effect.by or row.digest == effect.by):
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

    def drop(self, keys: Iterable[tuple[str, str]], next_id: int) -> None:
        """Others have made entries under these keys, or taken some back; the next one is `next_id`."""
        for name in keys:
            self._kept.pop(name, None)
        self.next_id = next_id

    def clear(self) -> None:
        self._kept.clear()
        self._pending.clear()
        self._undone.clear()

    def forget(self) -> None:
        """After a rollback: what is in memory may not be what is stored."""
        self.clear()
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
