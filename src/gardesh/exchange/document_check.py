"""Checking one document, whole or in part: its signature by one of some keys, and its place on a log."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gardesh.model import cose_receipt, signed_statement
from gardesh.model.document import Envelope, parse, verify
from gardesh.model.jose import PublicKey
from gardesh.model.policy import Policy
from gardesh.model.problem import Problem, define
from gardesh.model.receipt import Recorded
from gardesh.model.receipt import parse as parse_receipt
from gardesh.model.receipt import verify as verify_receipt

NO_KEY = define(
    "document-key-not-given",
    422,
    en="The document is signed with the key {kid}, which is not among the keys given.",
    fa="سند با کلید {kid} امضا شده که در میان کلیدهای داده‌شده نیست.",
    hint_en="Get the issuer's key from its registration, not from whoever gave you the document.",
    hint_fa="کلید صادرکننده را از ثبت آن بگیرید، نه از کسی که سند را به شما داده است.",
)
LOG_UNKNOWN = define(
    "receipt-log-unknown",
    400,
    en="A receipt proves something only under the key of a log that you trust; none was given.",
    fa="رسید تنها با کلید دفتری که به آن اعتماد دارید چیزی را اثبات می‌کند؛ کلیدی داده نشده است.",
)

COSE = b"\xd2"
"""How a COSE_Sign1 begins (RFC 9052 §2); a C2SP receipt is text."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A document whose signature was verified. `recorded` is its place on the log, if a receipt was given."""

    paper: Envelope
    key: PublicKey
    recorded: Recorded | None


def paper_of(data: bytes) -> Envelope:
    """The document in these bytes, or in the Signed Statement that they are; no signature is verified.

    Raises as `document.parse`, and of a statement as `signed_statement.read`.
    """
    return signed_statement.read(data).document if data.startswith(COSE) else parse(data)


def verify_document(
    data: bytes, keys: Iterable[PublicKey], receipt: bytes | None = None, policy: Policy | None = None
) -> Checked:
    """Check a document as it was shown, or the Signed Statement of one (RFC 9943): then its signature too. Whose the keys
    are, and whether they were in force, is for the caller to know. `receipt`: a C2SP tlog-proof, or a COSE receipt (RFC
    9942), which no witness signs.

    Raises Problem: as `paper_of`, `document-key-not-given`, `signature-of-another-key`, `signature-wrong`,
    `receipt-log-unknown`, and as `parse` and `verify` of `receipt`, `cose_receipt.verify_by`.
    """
    statement = signed_statement.read(data) if data.startswith(COSE) else None
    paper = parse(data) if statement is None else statement.document
    key = next((k for k in keys if k.kid == paper.kid), None)
    if key is None:
        raise Problem(NO_KEY, kid=paper.kid)
    if statement is not None:
        signed_statement.verify(statement, key)
    else:
        verify(paper, key)
    recorded = None
    if receipt is not None:
        if policy is None:
            raise Problem(LOG_UNKNOWN)
        made = cose_receipt.verify_by if receipt.startswith(COSE) else proven_by_proof
        recorded = made(receipt, paper.digest, policy)
    return Checked(paper, key, recorded)


def proven_by_proof(receipt: bytes, digest: bytes, policy: Policy) -> Recorded:
    return verify_receipt(parse_receipt(receipt), digest, policy)
