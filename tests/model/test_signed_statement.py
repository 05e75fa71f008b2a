from __future__ import annotations

from functools import cache
from hashlib import sha256
from typing import Any

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from log_keys import GUILD, LOG, ORIGIN, ed25519, flip
from papers import CASE, CLAIMS, ED_KEY, KEY, forge, header, payload, refusal, salts

from gardesh.model import cose, cose_receipt, document
from gardesh.model.canonical import Limits
from gardesh.model.cose_receipt import write
from gardesh.model.entry import entry_hash
from gardesh.model.jose import PrivateKey
from gardesh.model.merkle import node_hash
from gardesh.model.problem import Problem
from gardesh.model.receipt import Receipt
from gardesh.model.signed_statement import (
    MAX_RECEIPTS,
    SignedStatement,
    make,
    read,
    verify,
    verify_transparent,
)
from gardesh.model.signer import Signer, Verifier
from gardesh.model.treehead import TreeHead

AT = 1_790_000_000_123
SUBJECT = {"goods": ["tea", "rice"], "value": 12}
LOG_KEY: Verifier = LOG[0].verifier
THIRD = PrivateKey.from_secret("ES256", sha256(b"a third").digest())


@cache
def paper(key: PrivateKey = KEY) -> bytes:
    return document.sign(CLAIMS, SUBJECT, key, salt=salts(), disclosable=["/goods/*"])


@cache
def receipt_for(digest: bytes, origin: str = ORIGIN, seed: str = "log") -> bytes:
    """The receipt of the second of two entries, by a log."""
    first = entry_hash(sha256(b"before").digest(), AT - 1)
    head = TreeHead(origin, 2, node_hash(first, entry_hash(digest, AT)))
    return write(Receipt(1, AT, (first,), b""), digest, head, Signer.of_notes(origin, ed25519(seed)).key)


@cache
def transparent(key: PrivateKey = KEY) -> bytes:
    statement = make(paper(key), key)
    return statement.with_receipts([receipt_for(statement.document.digest)]).encode()


@pytest.mark.parametrize("key", [KEY, ED_KEY])
def test_a_statement_gives_its_document_back(key: PrivateKey) -> None:
    statement = read(make(paper(key), key).encode())
    verify(statement, key.public)
    assert statement.data == paper(key)
    assert statement.document == document.parse(paper(key))
    assert statement == make(paper(key), key)
    assert statement.receipts == ()


@pytest.mark.parametrize("typ", ["vc+sd-jwt", "vc+jwt"])
def test_a_statement_is_as_rfc_9943_has_it_to_another_reader(typ: str) -> None:
    data = forge(payload(SUBJECT), head=header(typ=typ), end="~" if typ == "vc+sd-jwt" else "")
    tag = cbor2.loads(make(data, KEY).encode())
    protected, unprotected, signed, signature = tag.value
    assert (tag.tag, unprotected, signed) == (18, {}, data)
    assert cbor2.loads(protected) == {
        1: -7,
        3: f"application/{typ}",
        4: KEY.kid.encode(),
        15: {1: "urn:gardesh:org:standards", 2: f"urn:gardesh:case:{CASE}"},
        16: "application/scitt-statement+cose",
    }
    KEY.public.verify(cbor2.dumps(["Signature1", protected, b"", data]), signature)


def test_the_document_that_opens_a_case_names_the_case() -> None:
    circulation = {k: v for k, v in CLAIMS["circulation"].items() if k != "case"}
    data = forge(payload(SUBJECT, circulation=circulation))
    statement = read(make(data, KEY).encode())
    assert statement.document.case is None
    assert statement.message.protected[15][2] == "urn:gardesh:case:" + statement.document.digest.hex()


def test_only_the_key_of_the_document_makes_a_statement_of_it() -> None:
    for other in (THIRD, ED_KEY):
        assert refusal(lambda o=other: make(paper(), o))[0] == "signature-of-another-key"
    forged = forge(payload(SUBJECT), head=header(kid=KEY.kid), key=THIRD)
    assert refusal(lambda: make(forged, KEY))[0] == "signature-wrong"


def by_others(
    changes: dict[Any, Any] | None = None,
    *,
    data: bytes | None = None,
    key: PrivateKey = KEY,
    unprotected: Any = None,
    detached: bool = False,
) -> bytes:
    """A statement written by another implementation of CBOR; a label that is changed to `...` is left out."""
    data = paper() if data is None else data
    said = {1: "urn:gardesh:org:standards", 2: f"urn:gardesh:case:{CASE}"}
    members = {15: said, 4: KEY.kid.encode(), 3: "application/vc+sd-jwt", 1: -7, **(changes or {})}
    raw = cbor2.dumps({label: value for label, value in members.items() if value is not ...})
    signature = key.sign(cbor2.dumps(["Signature1", raw, b"", data]))
    parts = [raw, unprotected or {}, None if detached else data, signature]
    return cbor2.dumps(cbor2.CBORTag(18, parts))


def test_a_statement_written_by_another_implementation_is_read() -> None:
    for changes in ({}, {1: -9}, {2: [15, 3]}, {16: "application/scitt-statement+cose"}):
        statement = read(by_others(changes))
        verify(statement, KEY.public)
        assert statement.data == paper()


@pytest.mark.parametrize(
    ("changes", "member"),
    [
        ({1: -8}, "alg"),
        ({4: THIRD.kid.encode()}, "kid"),
        ({4: cose.thumbprint(KEY.public)}, "kid"),
        ({4: ...}, "kid"),
        ({3: "application/vc+jwt"}, "content type"),
        ({3: 50}, "content type"),
        ({3: ...}, "content type"),
        ({15: {1: "urn:gardesh:org:customs", 2: f"urn:gardesh:case:{CASE}"}}, "iss, sub"),
        ({15: {1: "urn:gardesh:org:standards", 2: "urn:gardesh:case:" + "0" * 64}}, "iss, sub"),
        ({15: {1: "urn:gardesh:org:standards"}}, "iss, sub"),
        ({15: {1: "urn:gardesh:org:standards", 2: f"urn:gardesh:case:{CASE}", 6: 1}}, "iss, sub"),
        ({15: ...}, "iss, sub"),
        ({16: "application/scitt-receipt+cose"}, "typ"),
        ({16: 277}, "typ"),
    ],
)
def test_a_statement_that_says_other_than_its_document_is_refused(
    changes: dict[Any, Any], member: str
) -> None:
    with pytest.raises(Problem) as refused:
        read(by_others(changes))
    assert (refused.value.code, refused.value.params) == ("statement-differs", {"member": member})


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (by_others({33: b""}), "cose-header-unknown"),
        (by_others({2: [33], 33: b""}), "cose-header-critical"),
        (by_others(unprotected={33: b""}), "cose-header-unknown"),
        (by_others({1: -35}), "cose-algorithm-unknown"),
        (by_others(detached=True), "cose-payload-misplaced"),
        (by_others(data=b"{}"), "document-malformed"),
        (by_others(unprotected={394: []}), "statement-receipts-malformed"),
        (by_others(unprotected={394: b""}), "statement-receipts-malformed"),
        (by_others(unprotected={394: [[b""]]}), "statement-receipts-malformed"),
        (by_others(unprotected={394: [b""] * (MAX_RECEIPTS + 1)}), "statement-receipts-malformed"),
        (by_others({394: [b""]}), "cose-header-unknown"),
        (by_others() + b"\0", "cbor-malformed"),
        (receipt_for(bytes(32)), "cose-header-unknown"),
    ],
)
def test_what_is_no_statement_of_a_document_is_refused(raw: bytes, code: str) -> None:
    assert refusal(lambda: read(raw))[0] == code


def test_limits_are_those_of_the_document() -> None:
    size = len(paper())
    assert read(by_others(), Limits(size=size)).data == paper()
    assert refusal(lambda: read(by_others(), Limits(size=size - 1)))[0] == "input-too-long"
    assert refusal(lambda: read(bytes(1 << 21)))[0] == "input-too-long"


def test_both_signatures_are_checked() -> None:
    verify(read(by_others()), KEY.public)
    assert refusal(lambda: verify(read(by_others(key=THIRD)), KEY.public))[0] == "signature-wrong"
    assert refusal(lambda: verify(read(by_others()), THIRD.public))[0] == "signature-of-another-key"
    forged = forge(payload(SUBJECT), head=header(kid=KEY.kid), key=THIRD)
    assert refusal(lambda: verify(read(by_others(data=forged)), KEY.public))[0] == "signature-wrong"


@pytest.mark.parametrize("key", [KEY, ED_KEY])
def test_a_transparent_statement_proves_position_and_time_of_its_document(key: PrivateKey) -> None:
    statement = read(transparent(key))
    proven = verify_transparent(statement, key.public, LOG_KEY)
    assert proven.recorded == (1, AT)
    assert (proven.head.origin, proven.head.size) == (ORIGIN, 2)
    unprotected = cbor2.loads(transparent(key)).value[1]
    assert (list(unprotected), list(unprotected[394])) == ([394], [receipt_for(statement.document.digest)])
    assert statement.without_receipts() == make(paper(key), key)
    assert statement.without_receipts().encode() == make(paper(key), key).encode()


def test_the_receipt_of_a_document_holds_for_its_statement_with_less_shown() -> None:
    digest = document.parse(paper()).digest
    statement = make(document.present(paper(), ["/value"]), KEY).with_receipts([receipt_for(digest)])
    assert len(statement.data) < len(paper())
    assert verify_transparent(read(statement.encode()), KEY.public, LOG_KEY).recorded == (1, AT)


def test_receipts_of_other_logs_stand_beside_the_one_that_is_checked() -> None:
    statement = read(transparent())
    elsewhere = receipt_for(statement.document.digest, "other.example/log", "elsewhere")
    other = Signer.of_notes("other.example/log", ed25519("elsewhere")).verifier
    both = read(
        by_others(unprotected={394: [b"not a receipt", elsewhere, *statement.receipts]})
    ).with_receipts([elsewhere])
    assert len(both.receipts) == 3
    assert verify_transparent(both, KEY.public, LOG_KEY).head.origin == ORIGIN
    assert verify_transparent(both, KEY.public, other).head.origin == "other.example/log"
    for key, log in ((statement, other), (read(by_others()), LOG_KEY)):
        missing = refusal(lambda s=key, v=log: verify_transparent(s, KEY.public, v))
        assert missing[0] == "statement-receipt-missing"
    assert (
        refusal(lambda: verify_transparent(both, KEY.public, GUILD.verifier))[0] == "verifier-key-malformed"
    )


def test_the_receipt_of_another_document_makes_nothing_transparent() -> None:
    statement = make(paper(), KEY).with_receipts([receipt_for(bytes(32))])
    with pytest.raises(Problem, match="cose-receipt-of-another-document"):
        verify_transparent(statement, KEY.public, LOG_KEY)


def test_a_transparent_statement_has_a_bounded_number_of_receipts() -> None:
    statement = make(paper(), KEY)
    assert refusal(lambda: statement.with_receipts([]))[0] == "statement-receipts-malformed"
    many = [bytes([n]) for n in range(MAX_RECEIPTS + 1)]
    assert len(statement.with_receipts(many[1:]).receipts) == MAX_RECEIPTS
    assert refusal(lambda: statement.with_receipts(many))[0] == "statement-receipts-malformed"


@pytest.mark.parametrize("key", [KEY, ED_KEY])
def test_every_flipped_bit_of_a_transparent_statement_is_found(key: PrivateKey) -> None:
    raw = transparent(key)
    assert verify_transparent(read(raw), key.public, LOG_KEY)
    assert [bit for bit in range(8 * len(raw)) if _holds(flip(raw, bit), key)] == []


def _holds(raw: bytes, key: PrivateKey) -> bool:
    try:
        verify_transparent(read(raw), key.public, LOG_KEY)
    except Problem:
        return False
    return True


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=100), st.integers(0, 2500), st.integers(0, 2500))
def test_any_bytes_are_a_statement_or_a_problem(junk: bytes, start: int, end: int) -> None:
    good = transparent()
    for raw in (junk, good[:start] + junk + good[end:]):
        try:
            statement = read(raw)
        except Problem:
            continue
        assert isinstance(statement, SignedStatement)
        assert raw == good or not _holds(raw, KEY)


VALUES = st.sampled_from([-7, b"k", "t", {}, {1: "a"}, [], [1]])


@given(st.dictionaries(st.sampled_from([1, 2, 3, 4, 15, 16, 394]), VALUES))
def test_any_header_is_that_of_the_document_or_refused(changes: dict[int, Any]) -> None:
    try:
        said = read(by_others(changes)).message.protected
    except Problem:
        return
    assert said[1] == -7
    assert said[15] == {1: "urn:gardesh:org:standards", 2: f"urn:gardesh:case:{CASE}"}


def test_a_receipt_in_a_statement_is_a_receipt_by_itself() -> None:
    statement = read(transparent())
    receipt = cose_receipt.read(statement.receipts[0])
    assert cose_receipt.verify(receipt, statement.document.digest, LOG_KEY).recorded == (1, AT)
