"""What registers hold, for who asks: as of a date, entry by entry, and as far as the documents behind them may be read."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from gardesh.access import LOOKED, Access
from gardesh.model.calendar import iso
from gardesh.model.pack import RegisterFile
from gardesh.model.problem import Problem
from gardesh.node import Node
from gardesh.record.registers import NO_SUCH_ENTRY, NO_SUCH_REGISTER, Row


def entry(node: Node, register: str, key: str, at: int, access: Access | None) -> dict[str, Any]:
    """What a register holds in force under a key at an instant. Raises `no-such-register`, `no-such-entry`.

    Public registers are open to all; of others, who may read the document behind an entry whole may read the entry. Without
    an organisation (`access` None), public registers only.
    """
    declared = declared_register(node, register)
    missing = Problem(NO_SUCH_ENTRY, register=register, key=key)
    row = in_force(node, declared, register, key, recorded_until(node, at), at)
    if row is None:
        raise missing
    if not declared.public and (
        access is None or not access.reads_whole(behind(node, declared, register, key, row))
    ):
        raise missing
    return told(node, register, key, row)


def entries(
    node: Node, register: str, at: int, access: Access | None, after: str | None, limit: int
) -> tuple[list[dict[str, Any]], int | None]:
    """What a register holds in force at an instant, in the order of the keys, from behind the key `after`: each entry that
    `entry` would show. And where a next page begins, if there may be one: `Registers.key_of` knows the key.

    Looks at LOOKED keys, or documents behind them, at most (and at those behind the last key): it costs the same however
    long the log is. Raises `no-such-register`.
    """
    declared = declared_register(node, register)
    shown: list[dict[str, Any]] = []
    if not declared.public and access is None:
        return shown, None
    registers, size = node.sequencer.registers, recorded_until(node, at)
    keys = registers.keys_after(register, after, LOOKED)
    looked = 0
    for key in keys:
        looked += 1
        row = in_force(node, declared, register, key, size, at)
        if row is not None and not declared.public:
            documents = behind(node, declared, register, key, row)
            looked += len(documents)
            row = row if access is not None and access.reads_whole(documents) else None
        if row is not None:
            shown.append(told(node, register, key, row))
        full = len(shown) == limit or looked >= LOOKED
        if full and (key != keys[-1] or len(keys) == LOOKED):
            return shown, registers.first_of(register, key)
    return shown, None


def in_force(node: Node, declared: RegisterFile, register: str, key: str, size: int, at: int) -> Row | None:
    """The entry of a key in force at an instant, when the log held `size` documents; of a balance, its last posting then."""
    registers = node.sequencer.registers
    if declared.kind == "balance":
        return registers.last(register, key, size)
    row = registers.entry(register, key, size, at)
    return None if row is None or row.value is None else row


def behind(node: Node, declared: RegisterFile, register: str, key: str, row: Row) -> list[bytes]:
    """The documents behind an entry: of a balance, all that were posted to it, but no more than LOOKED + 1."""
    if declared.kind != "balance":
        return [row.digest]
    sql = "SELECT DISTINCT digest FROM entries WHERE register = ? AND key = ? LIMIT ?"
    return [bytes(digest) for (digest,) in node.store.rows(sql, register, key, LOOKED + 1)]


def told(node: Node, register: str, key: str, row: Row) -> dict[str, Any]:
    """An entry as the API gives it. Instants are ISO 8601; amounts decimal texts."""
    value: dict[str, Any] = (
        {"balance": str(row.total or Decimal(0))} if row.total is not None else {"value": row.value}
    )
    return {
        "register": register,
        "key": key,
        **value,
        "document": row.digest.hex(),
        "position": row.position,
        "since": iso(node.sequencer.registers.since(row)),
        "until": iso(row.until) if row.until is not None else None,
    }


def declared_register(node: Node, name: str) -> RegisterFile:
    """The register of that name, as the newest adopted version of its pack that has it declares it: cases under an older
    version go on entering in what a newer one has dropped. What packs declare is no secret.

    Raises `no-such-register`, which names those that there are.
    """
    found = {
        f"{p.name}/{n}": r for p in map(node.library.get, node.adopted()) for n, r in p.registers.items()
    }
    if name not in found:
        raise Problem(NO_SUCH_REGISTER, register=name, known=", ".join(sorted(found)))
    return found[name]


def recorded_until(node: Node, at: int) -> int:
    """How many documents had been recorded at an instant: recorded_at never goes back along the log."""
    if at >= node.sequencer.last_at:
        return node.sequencer.size
    low, high = 0, node.sequencer.size
    while low < high:
        middle = (low + high) // 2
        (recorded,) = node.store.one("SELECT recorded_at FROM documents WHERE position = ?", middle)
        low, high = (middle + 1, high) if recorded <= at else (low, middle)
    return low
