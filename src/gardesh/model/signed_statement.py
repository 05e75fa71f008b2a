"""Documents as Signed Statements of SCITT (RFC 9943 §6), and with a log's receipt as Transparent Statements (§7).

A statement is a COSE_Sign1 that the document's issuer signs, with the key that signed the document; its payload is
the document. What its protected header says follows from the document, and from nothing else:

- `alg` and `kid` are of the document's key, the `kid` being the same text (the RFC 7638 thumbprint);
- the content type is `application/vc+sd-jwt` or `application/vc+jwt`; `typ`, where given, is :data:`MEDIA_TYPE`;
- the CWT claim `iss` is the document's issuer, `sub` the URN of its case.

So whoever has the document on the log has on it all that the statement says: the log registers documents, whatever
envelope they came in, and the statement's own signature is not part of the entry. A statement that says anything
else than its document is refused. Documents are in it as they were shown to whoever made it; to show less, send the
document itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from gardesh.model import cose, cose_receipt, document
from gardesh.model.canonical import DEFAULT, Limits
from gardesh.model.cbor import LIMITS
from gardesh.model.claim_forms import ORG_URN
from gardesh.model.cose import (
    ALG,
    CONTENT_TYPE,
    CRIT,
    CWT_CLAIMS,
    ISS,
    KID,
    SUB,
    TYP,
    Label,
    Sign1,
    thumbprint,
)
from gardesh.model.cose_receipt import Proven
from gardesh.model.document import Envelope
from gardesh.model.jose import PublicKey, SigningKey
from gardesh.model.problem import Problem, define
from gardesh.model.signer import Verifier

STATEMENT_DIFFERS = define(
    "statement-differs",
    422,
    en="The statement does not say the same as the document in it: {member}.",
    fa="این اظهار همان را نمی‌گوید که سند درون آن می‌گوید: {member}.",
    hint_en="Its algorithm, key, content type, issuer (iss) and subject (sub) follow from the document.",
    hint_fa="الگوریتم، کلید، نوع محتوا، صادرکننده (iss) و موضوع (sub) آن از خود سند به دست می‌آید.",
)
RECEIPTS_MALFORMED = define(
    "statement-receipts-malformed",
    400,
    en="The receipts of a statement are a list of 1 to {limit} COSE receipts.",
    fa="رسیدهای یک اظهار فهرستی از ۱ تا {limit} رسید COSE است.",
)
RECEIPT_MISSING = define(
    "statement-receipt-missing",
    422,
    en="The statement has no receipt that is of the log {expected}.",
    fa="این اظهار رسیدی از دفتر {expected} ندارد.",
)

RECEIPTS = 394
MAX_RECEIPTS = 16
MEDIA_TYPE = "application/scitt-statement+cose"
CASE_URN = "urn:gardesh:case:"
_ENVELOPE_BYTES = 1 << 16
_PROTECTED = frozenset((ALG, CRIT, CONTENT_TYPE, KID, CWT_CLAIMS, TYP))
_UNPROTECTED = frozenset((RECEIPTS,))


@dataclass(frozen=True, slots=True)
class SignedStatement:
    """A statement as it was read: it says what its document says; neither's signature is verified.

    `receipts` are those that it carries, unread.
    """

    message: Sign1
    document: Envelope
    receipts: tuple[bytes, ...]

    @property
    def data(self) -> bytes:
        """The document's bytes."""
        return self.document.data

    def encode(self) -> bytes:
        return self.message.encode()

    def without_receipts(self) -> SignedStatement:
        """The statement as it is registered (RFC 9943 §6.3): its unprotected header is empty."""
        return SignedStatement(replace(self.message, unprotected={}), self.document, ())

    def with_receipts(self, receipts: Sequence[bytes]) -> SignedStatement:
        """The Transparent Statement with these receipts beside those that it has, each once.

        Raises `statement-receipts-malformed`.
        """
        every = tuple(dict.fromkeys((*self.receipts, *receipts)))
        if not 1 <= len(every) <= MAX_RECEIPTS:
            raise Problem(RECEIPTS_MALFORMED, limit=MAX_RECEIPTS)
        message = replace(self.message, unprotected={RECEIPTS: list(every)})
        return SignedStatement(message, self.document, every)


def make(data: bytes, key: SigningKey, limits: Limits = DEFAULT) -> SignedStatement:
    """The statement of a document, signed by the key that signed the document.

    Raises `signature-of-another-key` for another key, `signature-wrong`, and as `document.parse`.
    """
    paper = document.parse(data, limits)
    document.verify(paper, key.public)
    header: dict[Label, Any] = {**_header(paper), TYP: MEDIA_TYPE}
    return SignedStatement(cose.sign(header, data, key), paper, ())


def read(raw: bytes, limits: Limits = DEFAULT) -> SignedStatement:
    """The statement in these bytes; `limits` are those of its document.

    Raises `statement-differs` where it says what its document does not, `statement-receipts-malformed`,
    `cose-payload-misplaced` for a detached payload, and as `cose.read`, `cose.only`, `document.parse`.
    """
    bounds = Limits(size=limits.size + _ENVELOPE_BYTES, depth=LIMITS.depth)
    message = cose.read(raw, bounds, _PROTECTED)
    cose.only(message, _PROTECTED, _UNPROTECTED)
    if message.payload is None:
        raise Problem(cose.COSE_PAYLOAD)
    receipts = message.unprotected.get(RECEIPTS)
    if receipts is not None and not _are_receipts(receipts):
        raise Problem(RECEIPTS_MALFORMED, limit=MAX_RECEIPTS)
    paper = document.parse(message.payload, limits)
    if message.alg != paper.alg:
        raise Problem(STATEMENT_DIFFERS, member="alg")
    for label, expected in _header(paper).items():
        if message.protected.get(label) != expected:
            raise Problem(STATEMENT_DIFFERS, member=_NAMES[label])
    if message.protected.get(TYP, MEDIA_TYPE) != MEDIA_TYPE:
        raise Problem(STATEMENT_DIFFERS, member="typ")
    return SignedStatement(message, paper, tuple(receipts or ()))


def verify(statement: SignedStatement, key: PublicKey) -> None:
    """Returns when `key` signed the statement and the document in it.

    Raises `signature-of-another-key`, `signature-wrong`.
    """
    document.verify(statement.document, key)
    cose.verify(statement.message, key)


def verify_transparent(statement: SignedStatement, key: PublicKey, log: Verifier) -> Proven:
    """What the statement's receipt of the log with this key proves; `key` signed the statement and the document.

    Receipts of other logs are not looked at (RFC 9943 §7.1). Raises `statement-receipt-missing` if there is none of
    this log, and as `verify`, `cose_receipt.read`, `cose_receipt.verify`.
    """
    verify(statement, key)
    for raw in statement.receipts:
        if _is_of(raw, log):
            return cose_receipt.verify(cose_receipt.read(raw), statement.document.digest, log)
    raise Problem(RECEIPT_MISSING, expected=log.name)


_NAMES: dict[Label, str] = {CONTENT_TYPE: "content type", KID: "kid", CWT_CLAIMS: "iss, sub"}


def _header(paper: Envelope) -> dict[Label, Any]:
    """What follows from the document. One that opens a case gives the case its name: its own digest."""
    case = paper.case or paper.digest.hex()
    return {
        CONTENT_TYPE: f"application/{paper.typ}",
        KID: paper.kid.encode(),
        CWT_CLAIMS: {ISS: ORG_URN + paper.issuer, SUB: CASE_URN + case},
    }


def _are_receipts(value: Any) -> bool:
    return (
        type(value) is list and 1 <= len(value) <= MAX_RECEIPTS and all(type(raw) is bytes for raw in value)
    )


def _is_of(raw: bytes, log: Verifier) -> bool:
    """Whether a receipt names the key of this log; of a receipt that cannot be read, nothing is known."""
    try:
        message = cose.read(raw, understood=frozenset((*cose.UNDERSTOOD, cose_receipt.VDS)))
    except Problem:
        return False
    return message.protected.get(KID) == thumbprint(log.key)
