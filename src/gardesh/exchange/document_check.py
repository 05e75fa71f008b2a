"""Checking one document, whole or in part: its signature by one of some keys, and its place on a log."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gardesh.model import cose_receipt
from gardesh.model.document import Envelope, parse, verify
from gardesh.model.jose import PublicKey
from gardesh.model.policy import Policy
from gardesh.model.problem import Problem, define
from gardesh.model.receipt import Recorded
from gardesh.model.receipt import parse as parse_receipt
from gardesh.model.receipt import verify as verify_receipt
from gardesh.model.signer import SignatureType

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

UNWITNESSED = define(
    "cose-receipt-unwitnessed",
    422,
    en="A COSE receipt shows no witnesses, and the policy asks for some.",
    fa="رسید COSE گواهی نشان نمی‌دهد و خط‌مشی گواه می‌خواهد.",
    hint_en="Ask the log for a C2SP receipt of the document: it holds the witnessed checkpoint.",
    hint_fa="از دفتر رسید C2SP سند را بخواهید: نقطه‌ی وارسی گواهی‌شده در آن است.",
)
COSE = b"\xd2"
"""How a COSE_Sign1 begins (RFC 9052 §2); a C2SP receipt is text."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A document whose signature was verified. `recorded` is its place on the log, if a receipt was given."""

    paper: Envelope
    key: PublicKey
    recorded: Recorded | None


def verify_document(
    data: bytes, keys: Iterable[PublicKey], receipt: bytes | None = None, policy: Policy | None = None
) -> Checked:
    """Check a document as it was shown. Whose the keys are, and whether they were in force, is for the caller to know.
    `receipt`: a C2SP tlog-proof, or a COSE receipt (RFC 9942), which no witness signs.

    Raises Problem: as `document.parse`, `document-key-not-given`, `signature-of-another-key`, `signature-wrong`,
    `receipt-log-unknown`, `cose-receipt-unwitnessed`, and as `parse` and `verify` of `receipt`, `read` and `verify` of
    `cose_receipt`.
    """
    paper = parse(data)
    key = next((k for k in keys if k.kid == paper.kid), None)
    if key is None:
        raise Problem(NO_KEY, kid=paper.kid)
    verify(paper, key)
    recorded = None
    if receipt is not None:
        if policy is None:
            raise Problem(LOG_UNKNOWN)
        made = proven_by_cose if receipt.startswith(COSE) else proven_by_proof
        recorded = made(receipt, paper.digest, policy)
    return Checked(paper, key, recorded)


def proven_by_proof(receipt: bytes, digest: bytes, policy: Policy) -> Recorded:
    return verify_receipt(parse_receipt(receipt), digest, policy)


def proven_by_cose(receipt: bytes, digest: bytes, policy: Policy) -> Recorded:
    if policy.quorum is not None:
        raise Problem(UNWITNESSED)
    read = cose_receipt.read(receipt)
    log = next((log for log in policy.logs if log.origin == read.origin), policy.logs[0])
    key = next((k for k in log.keys if k.type == SignatureType.ED25519), log.keys[0])
    return cose_receipt.verify(read, digest, key).recorded
