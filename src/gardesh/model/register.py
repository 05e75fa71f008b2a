"""Registers: what documents enter, and how that is taken back (design §2).

A register holds the latest value of each key, or a balance that may not go below zero. A document's entries
are its *effects*; they count while its slot's head counts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from gardesh.model.library import Moment
from gardesh.model.problem import Problem, define
from gardesh.model.procedure import CompiledEntry, Step

BALANCE_EXCEEDED = define(
    "balance-exceeded",
    409,
    en="The balance {register} of {key} holds {balance}; {amount} cannot be taken.",
    fa="مانده‌ی {register} برای {key} برابر {balance} است؛ {amount} را نمی‌توان برداشت.",
)
ENTRY_UNUSABLE = define(
    "entry-unusable",
    422,
    en="The entry in {register} cannot be made: {reason}.",
    fa="ثبت در {register} ممکن نیست: {reason}.",
)
LONGEST_KEY = 2_000
"""Bytes of a text that a record is searched by: an index of any database that keeps records takes so many."""
_UNSEARCHABLE = re.compile("[\0\uffff]")


@dataclass(frozen=True, slots=True)
class Effect:
    """One entry of a document in a register. `amount` is signed and only set for a balance."""

    register: str
    key: str
    value: Any = None
    amount: Decimal | None = None
    since: int | None = None
    until: int | None = None
    by: bytes = b""
    """The document whose entry it is."""


def effects_of(step: Step, env: Mapping[str, Any], moment: Moment) -> tuple[Effect, ...]:
    """What the document `this` in `env` enters. Raises `entry-unusable` for a key or an amount that is none."""
    out = []
    for entry in step.enters:
        items = [None] if entry.each is None else entry.each.items(env, moment)
        if not isinstance(items, list):
            raise Problem(ENTRY_UNUSABLE, "/credentialSubject", register=entry.register, reason="no list")
        for item in items:
            seen = env if entry.each is None else {**env, "item": item}
            if entry.when is None or entry.when.guard(seen, moment) is True:
                out.append(_effect(entry, seen, moment, step.calendar))
    return tuple(out)


def _effect(entry: CompiledEntry, env: Mapping[str, Any], moment: Moment, calendar: str) -> Effect:
    key = entry.key.evaluate(env, moment)
    if not isinstance(key, (str, int, Decimal)) or isinstance(key, bool) or key == "":
        raise Problem(ENTRY_UNUSABLE, "/credentialSubject", register=entry.register, reason="no key")
    if not searchable(str(key)):
        reason = f"its key has more than {LONGEST_KEY} bytes, or U+0000 or U+FFFF"
        raise Problem(ENTRY_UNUSABLE, "/credentialSubject", register=entry.register, reason=reason)
    clock = moment.library.calendar(moment.pack, calendar)
    since = _instant(entry.since, env, moment, clock.start_of)
    until = _instant(entry.until, env, moment, clock.end_of)
    if entry.amount is not None:
        amount = _amount(entry.amount.evaluate(env, moment), entry.register)
        return Effect(entry.register, str(key), None, amount * entry.sign, since, until)
    if entry.value is None:
        value = {k: v for k, v in env["this"].items() if k not in ("meta", "outcome")}
    else:
        value = entry.value.evaluate(env, moment)
    return Effect(entry.register, str(key), value, None, since, until)


def searchable(text: str) -> bool:
    """Whether a record can be searched by the text: it is not too long, and has neither U+0000 nor U+FFFF, which stand
    for no character."""
    if len(text) * 4 > LONGEST_KEY and len(text.encode()) > LONGEST_KEY:
        return False
    return _UNSEARCHABLE.search(text) is None


def _amount(value: Any, register: str) -> Decimal:
    try:
        if isinstance(value, bool) or value is None:
            raise InvalidOperation
        amount = Decimal(value)
        if not amount.is_finite() or amount < 0:
            raise InvalidOperation
    except (InvalidOperation, TypeError, ValueError):
        raise Problem(ENTRY_UNUSABLE, "/credentialSubject", register=register, reason="no quantity") from None
    return amount


def _instant(made: Any, env: Mapping[str, Any], moment: Moment, read: Callable[[str], int]) -> int | None:
    """A day alone begins an entry with it, and ends it with it, on the calendar's clock."""
    if made is None:
        return None
    value = made.evaluate(env, moment)
    return read(str(value)) if value is not None else None
