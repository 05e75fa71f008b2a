"""Slots and their heads: what a case holds, step by step (semantics, rules 1-3 and 7)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec

NOT_APPLICABLE = "not-applicable"
UNDECIDED = "unknown"
ISSUED = "issued"
RETURNED = "returned"
REFUSED = "refused"
DOUBTFUL = "doubtful"
DUE = "due"
OVERDUE = "overdue"
BLOCKED = "blocked"

WINDOW = "*"
"""The key that stands for the window of a `many` step, and for an `each` of which it is not known how often."""

Place = tuple[int, str]
"""A slot of a case: the index of its step, and its key."""

BY_OUTCOME = {"approved": ISSUED, "deficient": RETURNED, "rejected": REFUSED}

NONE_APPLIED, EXEMPT = -1, -2
"""In the place of an alternative: none applied; or the need is newer than the document, and does not concern it."""
LACKING = b"lacking"
"""The print of what a document would have to rest on and does not: never that of anything."""

_encode = msgspec.json.Encoder(order="deterministic").encode


@dataclass(slots=True, frozen=True)
class Rest:
    """What a document rested on for one need: which alternative (or NONE_APPLIED, EXEMPT) and a print of its content."""

    choice: int
    print: bytes


@dataclass(slots=True, frozen=True)
class Link:
    """Another case's slot that a head mirrors; `log` is the origin of the log where that case lives, if not this one."""

    case: str
    step: str
    key: str
    log: str = ""


@dataclass(frozen=True, slots=True)
class Erased:
    """What of a document was destroyed. `at`: the position of the last decision that did so; -1: none did.

    `stand_ins` are told apart as the contents were that they stand for: what was equal still is.
    """

    at: int
    fields: frozenset[str]
    stand_ins: Mapping[str, str]


@dataclass(slots=True)
class Head:
    """The last document of a slot that nobody corrected, withdrew or revoked.

    `at` is its `recorded_at` in ms and `position` its place in the log. `rest` is the basis it stands on, or the one
    its last confirmation put in place; `stands_by` names the document that did so.
    """

    digest: bytes
    issuer: str
    at: int
    position: int
    key: str
    subject: dict[str, Any]
    outcome: str = "approved"
    decides: bool = False
    expires: int | None = None
    rest: tuple[Rest, ...] = ()
    stands_by: bytes = b""
    deficiencies: tuple[dict[str, Any], ...] = ()
    silent: bool = False
    link: Link | None = None
    whole: bool = True
    about: tuple[str, ...] = ()
    effects: tuple[Any, ...] = ()
    counting: bool = False
    begun: int = 0
    ended: int | None = None
    """From which turn of its case until which it was the head."""
    taken_back: bool = False
    erased: Erased | None = None
    mends: bool = True
    """Whether its slot was not issued when it came: whoever needs it could not go on before."""
    _value: dict[str, Any] | None = None
    _prints: tuple[tuple[tuple[str, ...], bytes], ...] = ()

    @property
    def value(self) -> dict[str, Any]:
        """As expressions see it: the subject's fields, `outcome` and `meta`."""
        if self._value is None:
            meta = {
                "issuer": self.issuer,
                "key": self.key,
                "digest": self.digest.hex(),
                "at": self.at,
                "date": datetime.fromtimestamp(self.at / 1000, UTC).date().isoformat(),
            }
            self._value = {**self.subject, "outcome": self.outcome, "meta": meta}
        return self._value

    def print(self, parts: tuple[str, ...]) -> bytes:
        """A digest of what is relied on: the outcome and the content of the named parts (of all, if none is named).

        Two documents with equal prints are the same to whoever needs those parts: early cutoff (rule 4).
        """
        for known, found in self._prints:
            if known == parts:
                return found
        subject = self.subject if self.erased is None else {**self.subject, **self.erased.stand_ins}
        content = {p: subject.get(p) for p in parts} if parts else subject
        found = hashlib.sha256(_encode((self.outcome, content))).digest()
        self._prints += ((parts, found),)
        return found


@dataclass(slots=True)
class Slot:
    """One slot. `since` is when its state began; `term_start` when it became both due and demanded.

    `kept` says that the head's own basis is unchanged as far as is known; `sound` that all below it is too.
    """

    head: Head | None = None
    element: Any = None
    applies: bool = True
    state: str = UNDECIDED
    kept: bool = False
    sound: bool = False
    since: int = 0
    demanded: bool = False
    waits_on: tuple[tuple[int, str], ...] = ()
    term_start: int | None = None
    deadline: int | None = None
    used_ms: int = 0
    escalated: bool = False
    seen: Head | None = None
    past: tuple[Head, ...] = ()
    reliances: tuple[tuple[str, int, tuple[Rest, ...]], ...] = ()
    """Who relied on what this slot needs, in which turn of the case, and on which alternatives (rule 23)."""
    told: tuple[Any, ...] | None = None
    """What was last made known of it to those whom it concerns (`record.notices`)."""


@dataclass(slots=True)
class StepState:
    """All slots of a step, and what those who need or read it see."""

    applies: bool | None = None
    slots: dict[str, Slot] = field(default_factory=dict)
    open_keys: set[str] = field(default_factory=set)
    """Keys of applicable slots that are not issued."""
    returned_keys: set[str] = field(default_factory=set)
    wants: dict[str, int] = field(default_factory=dict)
    """How many wait for a slot, by its key; for the whole step, by the empty key."""
    ever: bool = False
    """Whether a document was ever accepted here."""
    version: int = 0
    window: Slot = field(default_factory=Slot)
    """Of a `many` step: its window, `due` while open, `issued` once closed."""
    window_rest: tuple[Rest, ...] | None = None
    """What the window rests on since it opened, as a document would."""
    window_closed: int | None = None
    _cache: dict[Any, Any] = field(default_factory=dict)

    def changed(self) -> None:
        self.version += 1
        self._cache.clear()
