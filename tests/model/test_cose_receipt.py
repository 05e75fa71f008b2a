from __future__ import annotations

from dataclasses import replace
from functools import cache
from hashlib import sha256
from typing import Any

import cbor2
import naive_tree
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st
from log_keys import GUILD, LOG, ORIGIN, ed25519, flip
from papers import refusal

from gardesh.model import cose
from gardesh.model.cose_receipt import (
    PROFILE,
    CoseReceipt,
    Proven,
    read,
    read_consistency,
    verify,
    verify_consistency,
    write,
    write_consistency,
)
from gardesh.model.entry import encode
from gardesh.model.jose import PrivateKey
from gardesh.model.merkle import consistency_root, inclusion_root, node_hash
from gardesh.model.problem import Problem
from gardesh.model.receipt import Receipt
from gardesh.model.signer import Signer
from gardesh.model.treehead import TreeHead

SIZE = 13
START = 1_790_000_000_123
DIGESTS = [sha256(b"document %d" % i).digest() for i in range(SIZE)]
ENTRIES = [encode(d, START + i) for i, d in enumerate(DIGESTS)]
KEY, VERIFIER = LOG[0].key, LOG[0].verifier


def head(size: int = SIZE) -> TreeHead:
    return TreeHead(ORIGIN, size, naive_tree.mth(ENTRIES[:size]))


@cache
def receipt_of(position: int, size: int = SIZE) -> bytes:
    proof = tuple(naive_tree.path(position, ENTRIES[:size]))
    return write(Receipt(position, START + position, proof, b""), DIGESTS[position], head(size), KEY)


@cache
def consistency_of(old: int, new: int) -> bytes:
    return write_consistency(head(old), head(new), naive_tree.proof(old, ENTRIES[:new]), KEY)


def check(raw: bytes, position: int = 5) -> Proven:
    return verify(read(raw), DIGESTS[position], VERIFIER)


@pytest.mark.parametrize(("position", "size"), [(p, s) for s in range(1, SIZE + 1) for p in range(s)])
def test_a_receipt_proves_position_and_time_under_a_tree_head(position: int, size: int) -> None:
    assert check(receipt_of(position, size), position) == ((position, START + position), head(size))


def test_a_receipt_is_as_rfc_9942_has_it_to_another_reader() -> None:
    """Read by another implementation of CBOR, and verified from the words of the profile alone."""
    tag = cbor2.loads(receipt_of(5))
    protected, unprotected, payload, signature = tag.value
    header = cbor2.loads(protected)
    assert (tag.tag, payload) == (18, None)
    assert (header[1], header[16], header[395]) == (-8, "application/scitt-receipt+cose", 1)
    assert header[4] == sha256(cbor2.dumps({1: 1, -1: 6, -2: VERIFIER.public})).digest()
    claims = header[15]
    assert (claims[1], claims[2]) == (ORIGIN, "urn:gardesh:document:" + DIGESTS[5].hex())
    assert claims[PROFILE] == {"recorded_at": START + 5, "tree_size": SIZE}
    size, index, path = cbor2.loads(unprotected[396][-1][0])
    assert (size, index) == (SIZE, 5)
    digest = bytes.fromhex(claims[2].rpartition(":")[2])
    entry = digest + claims[PROFILE]["recorded_at"].to_bytes(8, "big")
    root = inclusion_root(sha256(b"\0" + entry).digest(), index, size, path)
    signed = cbor2.dumps(["Signature1", protected, b"", root])
    Ed25519PublicKey.from_public_bytes(VERIFIER.public).verify(signature, signed)


def by_others(
    changes: dict[Any, Any] | None = None,
    *,
    claims: Any = None,
    profile: Any = None,
    proof: Any = None,
    unprotected: Any = None,
    payload: Any = None,
) -> bytes:
    """A receipt signed by the log's key, written by another implementation, with changes; `...` leaves out."""
    said = {1: ORIGIN, 2: "urn:gardesh:document:" + DIGESTS[5].hex()}
    said |= {PROFILE: {"recorded_at": START + 5, "tree_size": SIZE} if profile is None else profile}
    header = {395: 1, 1: -8, 16: "application/scitt-receipt+cose", 4: cose.thumbprint(VERIFIER.key)}
    header = {**header, 15: without({**said, **(claims or {})}), **(changes or {})}
    raw = cbor2.dumps(without(header))
    path = [SIZE, 5, naive_tree.path(5, ENTRIES)] if proof is None else proof
    proofs = {396: {-1: [cbor2.dumps(path)]}} if unprotected is None else unprotected
    signature = KEY.sign(cbor2.dumps(["Signature1", raw, b"", head().root]))
    return cbor2.dumps(cbor2.CBORTag(18, [raw, proofs, payload, signature]))


def without(members: dict[Any, Any]) -> dict[Any, Any]:
    return {name: value for name, value in members.items() if value is not ...}


def test_a_receipt_written_by_another_implementation_verifies() -> None:
    assert check(by_others()) == check(receipt_of(5))
    assert check(by_others({1: -19, 2: [395, 15]})) == check(receipt_of(5))


PATH = naive_tree.path(5, ENTRIES)
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"changes": {395: 2}}, "vds"),
    ({"changes": {395: True}}, "vds"),
    ({"changes": {395: ...}}, "vds"),
    ({"changes": {16: "application/scitt-statement+cose"}}, "typ"),
    ({"changes": {16: ...}}, "typ"),
    ({"changes": {4: ...}}, "kid"),
    ({"payload": head().root}, "payload"),
    ({"changes": {15: ...}}, "cwt-claims"),
    ({"claims": {1: ...}}, "cwt-claims"),
    ({"claims": {1: 1}}, "cwt-claims"),
    ({"claims": {2: b""}}, "cwt-claims"),
    ({"claims": {6: START // 1000}}, "cwt-claims"),
    ({"claims": {PROFILE: ...}}, "cwt-claims"),
    ({"claims": {1: "x" * 256}}, "iss"),
    ({"claims": {2: DIGESTS[5].hex()}}, "sub"),
    ({"claims": {2: "urn:gardesh:document:" + DIGESTS[5].hex().upper()}}, "sub"),
    ({"profile": {}}, "recorded_at, tree_size"),
    ({"profile": []}, "recorded_at, tree_size"),
    ({"profile": {"recorded_at": START + 5}}, "recorded_at, tree_size"),
    ({"profile": {"recorded_at": -1, "tree_size": SIZE}}, "recorded_at, tree_size"),
    ({"profile": {"recorded_at": 2**63, "tree_size": SIZE}}, "recorded_at, tree_size"),
    ({"profile": {"recorded_at": START + 5, "tree_size": SIZE, "x": 1}}, "recorded_at, tree_size"),
    ({"profile": {"recorded_at": START + 5, "tree_size": SIZE + 1}}, "tree_size"),
    ({"proof": [SIZE + 1, 5, PATH]}, "tree_size"),
    ({"proof": [SIZE, SIZE, PATH]}, "tree_size"),
    ({"proof": [SIZE, -1, PATH]}, "vdp"),
    ({"proof": [SIZE, 5]}, "vdp"),
    ({"proof": [SIZE, 5, {}]}, "vdp"),
    ({"proof": [SIZE, True, PATH]}, "vdp"),
    ({"proof": [SIZE, 5, [*PATH, b""]]}, "vdp"),
    ({"proof": [SIZE, 5, ["x" * 32]]}, "vdp"),
    ({"proof": [SIZE, 5, [bytes(32)] * 64]}, "vdp"),
    ({"proof": {}}, "vdp"),
    ({"unprotected": {}}, "vdp"),
    ({"unprotected": {396: []}}, "vdp"),
    ({"unprotected": {396: {-1: []}}}, "vdp"),
    ({"unprotected": {396: {-1: [[SIZE, 5, PATH]]}}}, "vdp"),
    ({"unprotected": {396: {-1: [cbor2.dumps([SIZE, 5, PATH])] * 2}}}, "vdp"),
    ({"unprotected": {396: {-2: [cbor2.dumps([5, SIZE, PATH])]}}}, "vdp"),
    ({"unprotected": {396: {-1: [cbor2.dumps([SIZE, 5, PATH])], -2: []}}}, "vdp"),
]


@pytest.mark.parametrize(("changes", "part"), WRONG)
def test_what_is_not_of_the_profile_is_refused_by_its_part(changes: dict[str, Any], part: str) -> None:
    with pytest.raises(Problem) as refused:
        read(by_others(**changes))
    assert (refused.value.code, refused.value.params) == ("cose-receipt-malformed", {"part": part})


def test_labels_without_a_meaning_here_are_refused() -> None:
    assert refusal(lambda: read(by_others({33: b""})))[0] == "cose-header-unknown"
    proofs = {396: {-1: [cbor2.dumps([SIZE, 5, PATH])]}}
    assert refusal(lambda: read(by_others(unprotected={**proofs, 99: 0})))[0] == "cose-header-unknown"


@pytest.mark.parametrize(
    ("receipt", "code"),
    [
        (replace(read(receipt_of(5)), recorded_at=START), "signature-wrong"),
        (replace(read(receipt_of(5)), position=4), "signature-wrong"),
        (replace(read(receipt_of(5)), position=SIZE), "inclusion-proof-invalid"),
        (replace(read(receipt_of(5)), proof=tuple(PATH[:-1])), "inclusion-proof-invalid"),
        (replace(read(receipt_of(5)), proof=tuple(reversed(PATH))), "signature-wrong"),
        (read(receipt_of(6)), "cose-receipt-of-another-document"),
        (replace(read(receipt_of(5)), origin="other.example/log"), "cose-receipt-of-another-log"),
    ],
)
def test_a_receipt_holds_for_its_own_document_time_position_and_log_alone(
    receipt: CoseReceipt, code: str
) -> None:
    assert refusal(lambda: verify(receipt, DIGESTS[5], VERIFIER))[0] == code


def test_a_receipt_is_checked_with_the_key_of_its_log() -> None:
    other = Signer.of_notes(ORIGIN, ed25519("other")).verifier
    assert refusal(lambda: verify(read(receipt_of(5)), DIGESTS[5], other))[0] == "cose-of-another-key"
    forged = by_others({4: cose.thumbprint(other.key)})
    assert refusal(lambda: verify(read(forged), DIGESTS[5], other))[0] == "signature-wrong"
    for unfit in (LOG[1], GUILD):
        assert refusal(lambda u=unfit: verify(read(receipt_of(5)), DIGESTS[5], u.verifier))[0] in (
            "verifier-key-malformed",
            "cose-receipt-of-another-log",
        )
        assert refusal(lambda u=unfit: u.key)[0] == "verifier-key-malformed"


def test_the_root_alone_would_not_prove_the_position() -> None:
    """The last of three leaves and the second of two have the same path to the same root: the size is signed too."""
    leaf = sha256(b"\0" + ENTRIES[2]).digest()
    path = naive_tree.path(2, ENTRIES[:3])
    assert inclusion_root(leaf, 2, 3, path) == inclusion_root(leaf, 1, 2, path)
    raw = receipt_of(2, 3).replace(cbor2.dumps([3, 2, path]), cbor2.dumps([2, 1, path]))
    assert raw != receipt_of(2, 3)
    assert refusal(lambda: check(raw, 2))[0] == "cose-receipt-malformed"


@pytest.mark.parametrize(("position", "size"), [(5, SIZE), (12, SIZE), (2, 3), (0, 1)])
def test_every_flipped_bit_of_a_receipt_is_found(position: int, size: int) -> None:
    raw = receipt_of(position, size)
    assert [bit for bit in range(8 * len(raw)) if _holds(flip(raw, bit), position)] == []


def _holds(raw: bytes, position: int) -> bool:
    try:
        check(raw, position)
    except Problem:
        return False
    return True


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200), st.integers(0, 600), st.integers(0, 600))
def test_any_bytes_are_a_receipt_or_a_problem(junk: bytes, start: int, end: int) -> None:
    good, other = receipt_of(5), consistency_of(5, 13)
    for raw in (junk, good[:start] + junk + good[end:], other[:start] + junk + other[end:]):
        for act in (read, read_consistency):
            try:
                act(raw)
            except Problem:
                continue
            assert raw in (good, other) or not _holds(raw, 5)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"position": 4}, "inclusion-proof-invalid"),
        ({"recorded_at": START}, "inclusion-proof-invalid"),
        ({"proof": ()}, "inclusion-proof-invalid"),
    ],
)
def test_no_receipt_is_signed_that_does_not_hold(changes: dict[str, Any], code: str) -> None:
    receipt = replace(Receipt(5, START + 5, tuple(PATH), b""), **changes)
    assert refusal(lambda: write(receipt, DIGESTS[5], head(), KEY))[0] == code


@pytest.mark.parametrize(("old", "new"), [(o, n) for n in range(2, SIZE + 1) for o in range(1, n)])
def test_a_consistency_receipt_leads_from_a_tree_head_to_a_later_one(old: int, new: int) -> None:
    receipt = read_consistency(consistency_of(old, new))
    assert (receipt.old_size, receipt.new_size) == (old, new)
    assert verify_consistency(receipt, head(old), VERIFIER) == head(new)


def test_a_consistency_receipt_is_as_rfc_9942_has_it_to_another_reader() -> None:
    protected, unprotected, payload, signature = cbor2.loads(consistency_of(5, SIZE)).value
    claims = cbor2.loads(protected)[15]
    assert claims == {1: ORIGIN, 2: ORIGIN, PROFILE: {"tree_size": SIZE}}
    assert cbor2.loads(unprotected[396][-2][0]) == [5, SIZE, naive_tree.proof(5, ENTRIES)]
    assert payload is None
    signed = cbor2.dumps(["Signature1", protected, b"", head().root])
    Ed25519PublicKey.from_public_bytes(VERIFIER.public).verify(signature, signed)


def test_a_consistency_receipt_holds_for_its_own_tree_head_alone() -> None:
    receipt = read_consistency(consistency_of(5, SIZE))
    for old in (head(6), TreeHead(ORIGIN, 5, head(6).root)):
        assert (
            refusal(lambda o=old: verify_consistency(receipt, o, VERIFIER))[0] == "consistency-proof-invalid"
        )
    elsewhere = replace(head(5), origin="other.example/log")
    assert (
        refusal(lambda: verify_consistency(receipt, elsewhere, VERIFIER))[0] == "cose-receipt-of-another-log"
    )
    other = Signer.of_notes(ORIGIN, ed25519("other")).verifier
    assert refusal(lambda: verify_consistency(receipt, head(5), other))[0] == "cose-of-another-key"


def test_a_consistency_receipt_is_of_the_log_about_itself() -> None:
    proof = {396: {-2: [cbor2.dumps([5, SIZE, naive_tree.proof(5, ENTRIES)])]}}
    said = {"profile": {"tree_size": SIZE}, "unprotected": proof}
    right = read_consistency(by_others(claims={2: ORIGIN}, **said))
    assert verify_consistency(right, head(5), VERIFIER) == head()
    with pytest.raises(Problem) as refused:
        read_consistency(by_others(claims={2: "other.example/log"}, **said))
    assert refused.value.params == {"part": "sub"}


def test_no_consistency_receipt_is_signed_that_does_not_hold() -> None:
    proof = naive_tree.proof(5, ENTRIES)
    for old, new, path in ((head(5), head(12), proof), (head(5), head(5), []), (head(6), head(), proof)):
        with pytest.raises(Problem, match="consistency-proof-invalid"):
            write_consistency(old, new, path, KEY)
    with pytest.raises(Problem, match="consistency-proof-invalid"):
        write_consistency(TreeHead(ORIGIN, 0, sha256(b"").digest()), head(), [], KEY)


def test_receipts_of_one_kind_are_not_read_as_the_other() -> None:
    for act, raw in ((read, consistency_of(5, SIZE)), (read_consistency, receipt_of(5))):
        assert refusal(lambda a=act, r=raw: a(r))[0] == "cose-receipt-malformed"


@pytest.mark.parametrize(("old", "new"), [(5, SIZE), (4, 8)])
def test_every_flipped_bit_of_a_consistency_receipt_is_found(old: int, new: int) -> None:
    def holds(raw: bytes) -> bool:
        try:
            verify_consistency(read_consistency(raw), head(old), VERIFIER)
        except Problem:
            return False
        return True

    raw = consistency_of(old, new)
    assert holds(raw)
    assert [bit for bit in range(8 * len(raw)) if holds(flip(raw, bit))] == []


# The examples of the working group, whose key is not published: two receipts of one log of five entries.
INCLUSION = bytes.fromhex(
    "d2845840a40126044a746573742d6b65792d3119018b010fa101782868747470733a2f2f7472616e73706172656e63792d73"
    "6572766963652e6578616d706c652e636f6da119018ca12081586a8305038358203d06455dd33da4e9bbd8090677a2d0955e"
    "6dffe4b92069605a468920d1198095582033a5211719e06238a191c7244a7633187da2c9aaa5bc6dec54e2cbb49825543458"
    "204d75742d9ea02f7767dcd554a7878ff22cdb208be9f3d35f7aa7700b57e741c0f6584034e81008fb0e4e52165766874545"
    "0df608d0e5c015dffc5d607dd78236c2908f4e2b643817d9191d0abd7c074aff2b1bfda519ab3fab210ff2e0a1de275de6a7"
)
CONSISTENCY = bytes.fromhex(
    "d2845840a40126044a746573742d6b65792d3119018b010fa101782868747470733a2f2f7472616e73706172656e63792d73"
    "6572766963652e6578616d706c652e636f6da119018ca12181588c8303058458203d06455dd33da4e9bbd8090677a2d0955e"
    "6dffe4b92069605a468920d119809558209"
    "87ba8093cabe31046a77bbe9aa4b5f62675d943386c7fbbe249cbaca5da242d582033a5211719e06238a191c7244a763318"
    "7da2c9aaa5bc6dec54e2cbb49825543458204d75742d9ea02f7767dcd554a7878ff22cdb208be9f3d35f7aa7700b57e741c0"
    "f65840a1373d8ba837eedb7680692e7bda76569acd2f92259ad482c7076f201c8657910f5623b1ecaa40d845a5d1a49f3f5b"
    "d8927096384cfccea52933f448523fe685"
)


def test_the_examples_of_the_working_group_are_read_and_agree_on_one_root() -> None:
    included, extended = cose.read(INCLUSION), cose.read(CONSISTENCY)
    assert included.protected == {
        1: -7,
        4: b"test-key-1",
        395: 1,
        15: {1: "https://transparency-service.example.com"},
    }
    size, index, path = cbor2.loads(included.unprotected[396][-1][0])
    old, new, proof = cbor2.loads(extended.unprotected[396][-2][0])
    assert (size, index, old, new) == (5, 3, 3, 5)
    before = node_hash(path[1], path[0])
    assert inclusion_root(proof[1], index, size, path) == consistency_root(old, before, new, proof)
    assert (included.encode(), extended.encode()) == (INCLUSION, CONSISTENCY)


def test_the_examples_of_the_working_group_are_not_receipts_of_a_gardesh_log() -> None:
    for act, raw in ((read, INCLUSION), (read_consistency, CONSISTENCY)):
        assert refusal(lambda a=act, r=raw: a(r))[0] == "cose-receipt-malformed"


def test_the_log_signs_with_the_key_of_its_notes() -> None:
    assert isinstance(KEY, PrivateKey)
    assert VERIFIER.key == KEY.public
    assert cose.key_map(VERIFIER.key)[-2] == VERIFIER.public
