"""Disclosures at rest: sealed with AES-256-GCM under a key of their document, which comes of a random key of its case.

The key of a case is stored wrapped under a record key, which a file of the node holds under its passphrase. A document's
key is derived from its case's (HKDF-Expand of RFC 5869, over the document's digest), so that sealing costs no row of its
own; or it is stored by itself, wrapped too, once the key of its case was destroyed. What is sealed is bound to the
document's digest and position.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from gardesh.model.problem import Problem, define
from gardesh.record import schema

if TYPE_CHECKING:
    from gardesh.record.store import Store

RECORD_LOCKED = define(
    "record-locked",
    503,
    en="The contents of documents are sealed under a record key that is not here: {key}.",
    fa="محتوای سندها با کلید دفتری مهر شده است که در اینجا نیست: {key}.",
    hint_en="Its file is among the keys of the node: node-record….pem in the folder keys.",
    hint_fa="پرونده‌ی آن در میان کلیدهای گره است: node-record….pem در پوشه‌ی keys.",
)
CONTENTS_DAMAGED = define(
    "contents-damaged",
    500,
    en="The contents of document {position} cannot be opened: {reason}.",
    fa="محتوای سند {position} باز نمی‌شود: {reason}.",
    hint_en="`gardesh audit` says what else is wrong; restore the node from a backup.",
    hint_fa="«gardesh audit» می‌گوید چه چیز دیگری نادرست است؛ گره را از پشتیبان بازگردانید.",
)
NONCE, KEY, NAME = 12, 32, 8
LIVE = "SELECT number, wrapped FROM case_keys WHERE length(wrapped) > 0 AND"
KEPT = 10_000
"""How many keys of cases are kept in memory."""


@dataclass(frozen=True, slots=True, repr=False)
class RecordKey:
    """What the keys of cases are wrapped under. `name` is told in the clear: of eight bytes, no secret."""

    name: bytes
    secret: bytes

    def wrap(self, key: bytes, number: int, case_id: str) -> bytes:
        nonce = os.urandom(NONCE)
        bound = number.to_bytes(8, "big") + case_id.encode()
        return self.name + nonce + AESGCM(self.secret).encrypt(nonce, key, bound)

    def unwrap(self, wrapped: bytes, number: int, case_id: str) -> bytes:
        """Raises InvalidTag."""
        bound = number.to_bytes(8, "big") + case_id.encode()
        return AESGCM(self.secret).decrypt(wrapped[NAME : NAME + NONCE], wrapped[NAME + NONCE :], bound)


RecordKeys = Callable[[], Sequence[RecordKey]]
"""The record keys at hand, the newest last. Asked only when one is needed that was not seen yet."""


class Sealing:
    """Seals and opens the disclosures of one store.

    Sealing belongs to the one sequencer, which writes `pending` and forgets with its memory; opening may be done by any
    process with the record keys.
    """

    def __init__(self, store: Store, keys: RecordKeys) -> None:
        self.store, self._ask = store, keys
        self._records: dict[bytes, RecordKey] = {}
        self._newest: RecordKey | None = None
        self._by_number: OrderedDict[int, bytes] = OrderedDict()
        self._of_case: OrderedDict[str, int] = OrderedDict()
        self._next: int | None = None
        self._pending: list[tuple[Any, ...]] = []

    # -- record keys --------------------------------------------------------------------------------------

    def newest(self) -> RecordKey:
        """The one that new keys are wrapped under. Raises `record-locked`."""
        if self._newest is None:
            self.look_again()
        if self._newest is None:
            raise Problem(RECORD_LOCKED, key="")
        return self._newest

    def look_again(self) -> None:
        """Ask for the record keys: others may have come."""
        found = list(self._ask())
        self._records = {key.name: key for key in found}
        self._newest = found[-1] if found else None

    def _unwrapped(self, wrapped: bytes, number: int, case_id: str) -> bytes:
        """Raises `record-locked`, InvalidTag."""
        name = wrapped[:NAME]
        if name not in self._records:
            self.look_again()
        if name not in self._records:
            raise Problem(RECORD_LOCKED, key=name.hex())
        return self._records[name].unwrap(wrapped, number, case_id)

    # -- sealing ------------------------------------------------------------------------------------------

    def seal(
        self, case_id: str, position: int, digest: bytes, tail: bytes, *, first: bool
    ) -> tuple[int | None, bytes]:
        """The number of the key, and the disclosures sealed. `first`: it is known that the case has no key yet."""
        number = self._of_case.get(case_id)
        if number is None:
            number = self._number_of(case_id, first)
        key = self._by_number.get(number)
        if key is None:
            row = self.store.one("SELECT wrapped FROM case_keys WHERE number = ?", number)
            key = self._keep(number, self._unwrapped(bytes(row[0]), number, case_id))
        return number, enclose(derived(key, digest), position, digest, tail)

    def _number_of(self, case_id: str, first: bool) -> int:
        row = None
        if not first:
            self.flush()
            row = self.store.one(
                f"{LIVE} case_id = ? AND position IS NULL ORDER BY number DESC LIMIT 1",
                case_id,
            )
        if row is None:
            number, key = self.made(case_id), os.urandom(KEY)
            self.add(number, case_id, None, key)
        else:
            number, key = int(row[0]), self._unwrapped(bytes(row[1]), int(row[0]), case_id)
        self._keep(number, key)
        self._of_case[case_id] = number
        if len(self._of_case) > KEPT:
            self._of_case.popitem(last=False)
        return number

    def made(self, case_id: str) -> int:
        """The number for a new key."""
        if self._next is None:
            (last,) = self.store.one("SELECT coalesce(max(number), 0) FROM case_keys")
            self._next = int(last) + 1
        self._next += 1
        return self._next - 1

    def add(self, number: int, case_id: str, position: int | None, key: bytes) -> None:
        """A new key: of a case, or of the document at `position` alone."""
        self._pending.append((number, case_id, position, self.newest().wrap(key, number, case_id)))

    def flush(self) -> None:
        """Write new keys to the open transaction."""
        pending, self._pending = self._pending, []
        self.store.add(schema.case_keys, pending)

    def look(self) -> None:
        """Others may have made keys: the next number is asked for anew."""
        self._next = None

    def forget(self) -> None:
        """After a rollback, or when others have destroyed some: what is in memory may not be what is stored."""
        self._by_number.clear()
        self._of_case.clear()
        self._pending.clear()
        self._next = None

    def _keep(self, number: int, key: bytes) -> bytes:
        self._by_number[number] = key
        if len(self._by_number) > KEPT:
            self._by_number.popitem(last=False)
        return key

    # -- destroying ---------------------------------------------------------------------------------------

    def destroy(self, case_id: str, positions: Set[int]) -> None:
        """Destroy the keys that open what the documents of a case at these positions disclosed, in the open transaction: the
        key of the case, and their own. Every other document of the case keeps its key, stored by itself from here on."""
        self.flush()
        gone: list[int] = []
        for number, wrapped in self.store.rows(f"{LIVE} case_id = ? AND position IS NULL", case_id):
            key = self._unwrapped(bytes(wrapped), number, case_id)
            rows = self.store.rows(
                "SELECT d.position, d.digest FROM documents d JOIN disclosures x ON x.position = d.position"
                " WHERE d.case_id = ? AND x.key = ?",
                case_id,
                number,
            )
            for position, digest in rows:
                if position not in positions:
                    self.add(self.made(case_id), case_id, position, derived(key, bytes(digest)))
            gone.append(number)
        own = self.store.rows(
            "SELECT number, position FROM case_keys WHERE case_id = ? AND position IS NOT NULL AND length(wrapped) > 0",
            case_id,
        )
        gone += [number for number, position in own if position in positions]
        self.flush()
        (change,) = self.store.one("SELECT coalesce(max(change), 0) + 1 FROM key_changes")
        for number in gone:
            self.store.run("UPDATE case_keys SET wrapped = ? WHERE number = ?", b"", number)
        self.store.add(schema.key_changes, [(number, change) for number in gone], replace=True)
        for number in gone:
            self._by_number.pop(number, None)
        self._of_case.pop(case_id, None)

    # -- opening ------------------------------------------------------------------------------------------

    def open(self, position: int, digest: bytes, number: int, data: bytes) -> bytes:
        """The disclosures. Raises `contents-damaged`, `record-locked`."""
        try:
            return disclose(self._key(position, digest, number), position, digest, data)
        except InvalidTag:
            # They may have been sealed anew between the two reads.
            row = self.store.one("SELECT key, data FROM disclosures WHERE position = ?", position)
            if row is not None and row[0] is not None and bytes(row[1]) != data:
                try:
                    return disclose(self._key(position, digest, row[0]), position, digest, bytes(row[1]))
                except InvalidTag:
                    pass
        raise Problem(CONTENTS_DAMAGED, position=position, reason="they are not what was sealed")

    def _key(self, position: int, digest: bytes, number: int) -> bytes:
        """Raises `contents-damaged`, `record-locked`, InvalidTag."""
        known = self._by_number.get(number)
        if known is not None:
            return derived(known, digest)
        sql = "SELECT number, case_id, position, wrapped FROM case_keys WHERE"
        row = self.store.one(f"{sql} number = ?", number)
        if row is None or not row[3]:
            row = self.store.one(f"{sql} position = ? AND length(wrapped) > 0", position)
        if row is None:
            raise Problem(CONTENTS_DAMAGED, position=position, reason=f"there is no key {number}")
        number, case_id, alone, wrapped = row
        key = self._unwrapped(bytes(wrapped), number, case_id)
        return derived(self._keep(number, key), digest) if alone is None else key


def derived(case_key: bytes, digest: bytes) -> bytes:
    """The key of a document, from that of its case."""
    return HKDFExpand(SHA256(), KEY, b"gardesh document\0" + digest).derive(case_key)


def enclose(key: bytes, position: int, digest: bytes, tail: bytes) -> bytes:
    nonce = os.urandom(NONCE)
    return nonce + AESGCM(key).encrypt(nonce, tail, digest + position.to_bytes(8, "big"))


def disclose(key: bytes, position: int, digest: bytes, data: bytes) -> bytes:
    """Raises InvalidTag."""
    if len(data) < NONCE + 16:
        raise InvalidTag
    return AESGCM(key).decrypt(data[:NONCE], data[NONCE:], digest + position.to_bytes(8, "big"))
