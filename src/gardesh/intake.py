"""The one way in: every document, from the command line, a peer or the clock, is accepted or refused here.

What needs no state (envelope, signature when the key is known, schema of a known type) is checked before the
write lock is taken; what depends on the log is checked inside it, in log order (design §5).
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Protocol

from gardesh.model.document import Envelope, parse, verify
from gardesh.model.jose import PublicKey
from gardesh.model.problem import Problem, define
from gardesh.model.receipt import Receipt
from gardesh.record.clock import Evidence
from gardesh.record.places import Place
from gardesh.record.registers import NOWHERE
from gardesh.record.sequence import Sequencer
from gardesh.record.spoiled import Spoiled

KEY_UNKNOWN = define(
    "key-unknown",
    401,
    en="No organisation has registered the key {kid}.",
    fa="هیچ سازمانی کلید {kid} را ثبت نکرده است.",
)
KEY_NOT_IN_FORCE = define(
    "key-not-in-force",
    401,
    en="The key {kid} of {org} is not in force now.",
    fa="کلید {kid} از {org} اکنون معتبر نیست.",
)
ISSUER_MISMATCH = define(
    "issuer-mismatch",
    401,
    en="The key {kid} belongs to {org}, not to {issuer}.",
    fa="کلید {kid} از آنِ {org} است، نه {issuer}.",
)
INCOMPLETE = define(
    "document-incomplete",
    422,
    en="{missing} of the document's disclosures are withheld, or are decoys. A document is submitted whole.",
    fa="{missing} افشای سند ارائه نشده یا ساختگی است. سند باید کامل فرستاده شود.",
)


ATTACHMENT_MISSING = define(
    "attachment-missing",
    422,
    en="The attachment {digest} of {size} bytes is not here.",
    fa="پیوست {digest} با {size} بایت در اینجا نیست.",
    hint_en="Who issues the document sends its attachments first, as they are named; what another has sent does not count for them.",
    hint_fa="صادرکننده‌ی سند نخست خودش پیوست‌ها را همان‌گونه که نام برده شده‌اند می‌فرستد؛ آنچه دیگری فرستاده به جای آن به حساب نمی‌آید.",
)


class Attachments(Protocol):
    """Where the node keeps attachments."""

    def size_of(self, digest: bytes) -> int | None:
        """The size in bytes of the attachment of this SHA-256; None if it is not here."""
        ...

    def held_by(self, digest: bytes, owner: str) -> bool:
        """Whether that organisation brought it, or may name it as if it had."""
        ...


@dataclass(frozen=True, slots=True)
class Accepted:
    """An accepted document: its place on the log, and the receipt that proves it."""

    digest: bytes
    position: int
    recorded_at: int
    case: str
    receipt: Receipt


Answer = Accepted | Problem


@dataclass(slots=True)
class Checked:
    """A document that passed what needs no state. `verified_by` is the key that its signature was checked with; when it
    was, its attachments were `looked` for too, and `missing` says which is not here."""

    envelope: Envelope
    verified_by: str | None
    looked: bool = False
    missing: Problem | None = None


class Intake:
    """Submissions to one node. `submit` may be called from many threads: they share a transaction (group commit)."""

    def __init__(self, sequencer: Sequencer, attachments: Attachments | None = None) -> None:
        """`attachments`: a document is refused unless those it names are there. Without, nobody asks: so it is in an
        audit, for what a document means never depends on them."""
        self.sequencer = sequencer
        self.attachments = attachments
        self._keys: dict[str, PublicKey] = {}
        self._queue: deque[tuple[Checked | Problem, int, Future[Answer]]] = deque()
        self._lock = threading.Lock()

    def submit(self, document: bytes, now: int) -> Accepted:
        """Accept one document, or raise the Problem that says why not; nothing of a refused one is stored.

        When this returns, the document is durable and inside a signed checkpoint. Sending it again returns
        the same position.
        """
        done: Future[Answer] = Future()
        self._queue.append((self._checked(document), now, done))
        if not done.done():
            with self._lock:
                self._drain()
        answer = done.result()
        if isinstance(answer, Problem):
            raise answer
        return answer

    def submit_all(self, documents: Sequence[bytes], now: int) -> list[Answer]:
        """A bundle in one transaction; each document has its own answer, in order."""
        checked = [self._checked(d) for d in documents]
        with self._lock:
            return self._sequence(checked, now)

    def bring(self, proven: Evidence, now: int) -> Accepted:
        """Mirror what another node has proven (see `Follows.bring`); durable, and under a signed checkpoint, when this
        returns. What is known already, or older than what is known, gives the place of that. Raises Problem."""
        with self._lock:
            try:
                with self.sequencer.batch(now) as batch:
                    place = self.sequencer.follows.bring(proven, batch.now)
            except Spoiled as spoiled:
                raise spoiled.problem from None
            (receipt,) = self.sequencer.receipts([(place.position, place.recorded_at)])
        return Accepted(place.digest, place.position, place.recorded_at, place.case, receipt)

    def pass_time(self, now: int) -> int:
        """Let everything that fell due up to `now` be recorded; returns the number of documents this made."""
        with self._lock:
            before = self.sequencer.size
            self._sequence([], now)
            return self.sequencer.size - before

    def _drain(self) -> None:
        batch = []
        while self._queue:
            batch.append(self._queue.popleft())
        if not batch:
            return
        try:
            answers = self._sequence([b[0] for b in batch], max(b[1] for b in batch))
        except BaseException as error:
            for _, _, done in batch:
                done.set_exception(error)
            raise
        for (_, _, done), answer in zip(batch, answers, strict=True):
            done.set_result(answer)

    # -- without state ------------------------------------------------------------------------------------

    def _checked(self, document: bytes) -> Checked | Problem:
        try:
            return self._looked(self.check(document))
        except Problem as problem:
            return problem

    def check(self, document: bytes) -> Checked:
        """Envelope, and signature when its key is known already. Raises Problem."""
        envelope = parse(document)
        key = self._keys.get(envelope.kid)
        if key is None:
            return Checked(envelope, None)
        verify(envelope, key)
        return Checked(envelope, envelope.kid)

    def _looked(self, item: Checked | Problem) -> Checked | Problem:
        """Looked for its attachments before the transaction: they may be on another machine, and none waits for that."""
        if isinstance(item, Checked) and item.verified_by is not None and not item.looked:
            try:
                item.missing, item.looked = self._missing(item.envelope), True
            except Problem as problem:
                return problem
        return item

    def _missing(self, envelope: Envelope) -> Problem | None:
        """Which attachment is not here, or not of who names it. None is ever taken away again."""
        if self.attachments is None:
            return None
        for n, named in enumerate(envelope.attachments):
            digest = named["id"].rpartition(":")[2]
            raw = bytes.fromhex(digest)
            here = self.attachments.size_of(raw) == named["size"]
            if not here or not self.attachments.held_by(raw, envelope.issuer):
                return Problem(ATTACHMENT_MISSING, f"/attachments/{n}", digest=digest, size=named["size"])
        return None

    # -- in log order -------------------------------------------------------------------------------------

    def _sequence(self, checked: Sequence[Checked | Problem], now: int) -> list[Answer]:
        """One transaction; when one of the documents spoils it, each by itself."""
        try:
            return self._together(checked, now)
        except Spoiled as spoiled:
            if not checked:
                raise spoiled.problem from None
            if len(checked) == 1:
                return [spoiled.problem]
        return [self._sequence([item], now)[0] for item in checked]

    def _together(self, checked: Sequence[Checked | Problem], now: int) -> list[Answer]:
        places: list[Place | Problem] = []
        sequencer = self.sequencer
        checked = [self._looked(item) for item in checked]
        with sequencer.batch(now) as batch:
            sequencer.places.recall(item.envelope for item in checked if isinstance(item, Checked))
            for item in checked:
                try:
                    places.append(item if isinstance(item, Problem) else self._one(item, batch.now))
                except Problem as problem:
                    places.append(problem)
        found = [(p.position, p.recorded_at) for p in places if not isinstance(p, Problem)]
        receipts = iter(sequencer.receipts(found))
        return [
            p
            if isinstance(p, Problem)
            else Accepted(p.digest, p.position, p.recorded_at, p.case, next(receipts))
            for p in places
        ]

    def _one(self, item: Checked, now: int) -> Place:
        envelope = item.envelope
        known = self.sequencer.places.of(envelope)
        if known is not None and known.digest == envelope.digest:
            return known
        self._signer(item, now, late=known is not None)
        if known is not None:
            return known
        if not envelope.complete:
            raise Problem(INCOMPLETE, "/credentialSubject", missing=envelope.missing)
        missing = item.missing if item.looked else self._missing(envelope)
        if missing is not None:
            raise missing
        return self.sequencer.accept(envelope, now)

    def _signer(self, item: Checked, now: int, *, late: bool) -> None:
        """The signature, judged by the key in force at this position of the log.

        `late`: the same statement was accepted before, and its key may have been retired since.
        """
        envelope = item.envelope
        value = self.key(envelope, now)
        if value["org"] != envelope.issuer:
            raise Problem(
                ISSUER_MISMATCH, "/issuer", kid=envelope.kid, org=value["org"], issuer=envelope.issuer
            )
        if value.get("state") != "in-force" and not late:
            raise Problem(KEY_NOT_IN_FORCE, "", kid=envelope.kid, org=value["org"])
        if item.verified_by is None:
            key = PublicKey.from_jwk(value["jwk"])
            verify(envelope, key)
            self._keys[envelope.kid] = key

    def key(self, envelope: Envelope, now: int) -> dict[str, Any]:
        """What the register says of the key. Before the genesis, the genesis speaks for itself."""
        if self.sequencer.size == 0:
            first: dict[str, Any] = self.sequencer.gate.genesis_key(envelope)
            return first
        value = self.sequencer.registers.value("core/keys", envelope.kid, NOWHERE, now)
        if value is None:
            raise Problem(KEY_UNKNOWN, "", kid=envelope.kid)
        found: dict[str, Any] = value
        return found
