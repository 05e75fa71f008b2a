from __future__ import annotations

from hashlib import sha256

import naive_tree
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gardesh.model.merkle import (
    EMPTY_ROOT,
    Frontier,
    inclusion_root,
    leaf_hash,
    node_hash,
    verify_consistency,
    verify_inclusion,
)
from gardesh.model.problem import Problem

# The test inputs of the Certificate Transparency reference implementation, and their tree heads.
CT_INPUTS = [
    bytes.fromhex(h)
    for h in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
CT_ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
CT_PATH_5_OF_8 = [
    "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
]
CT_PROOF_6_OF_8 = [
    "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
    "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
]

sizes = st.integers(1, 70)


def entries(n: int) -> list[bytes]:
    return [b"entry %d" % i for i in range(n)]


def test_hashes_are_domain_separated_as_rfc_6962_says() -> None:
    assert leaf_hash(b"x") == sha256(b"\x00x").digest()
    assert node_hash(b"l" * 32, b"r" * 32) == sha256(b"\x01" + b"l" * 32 + b"r" * 32).digest()
    assert sha256().digest() == EMPTY_ROOT


def test_the_frontier_gives_the_known_roots_of_certificate_transparency() -> None:
    frontier = Frontier()
    roots = [frontier.root().hex()]
    for entry in CT_INPUTS:
        frontier.append(leaf_hash(entry))
        roots.append(frontier.root().hex())
    assert roots == CT_ROOTS


def test_the_known_proofs_of_certificate_transparency_verify() -> None:
    root = bytes.fromhex(CT_ROOTS[8])
    verify_inclusion(leaf_hash(CT_INPUTS[5]), 5, 8, [bytes.fromhex(h) for h in CT_PATH_5_OF_8], root)
    verify_consistency(6, bytes.fromhex(CT_ROOTS[6]), 8, root, [bytes.fromhex(h) for h in CT_PROOF_6_OF_8])


@given(sizes, sizes)
def test_a_frontier_goes_on_from_its_size_and_hashes(first: int, more: int) -> None:
    leaves = [leaf_hash(e) for e in entries(first + more)]
    frontier = Frontier()
    frontier.extend(leaves[:first])
    resumed = Frontier(frontier.size, frontier.hashes)
    resumed.extend(leaves[first:])
    assert frontier.root() == naive_tree.mth(entries(first))
    assert resumed.root() == naive_tree.mth(entries(first + more))


def test_a_copy_of_a_frontier_leaves_the_first_as_it_was() -> None:
    frontier = Frontier()
    frontier.append(leaf_hash(b"a"))
    frontier.copy().append(leaf_hash(b"b"))
    assert frontier.root() == leaf_hash(b"a")


@pytest.mark.parametrize(("size", "hashes"), [(1, 0), (3, 1), (4, 2), (-1, 0), (2**63, 1)])
def test_a_frontier_has_one_hash_for_each_bit_of_its_size(size: int, hashes: int) -> None:
    with pytest.raises(ValueError, match="edge"):
        Frontier(size, [bytes(32)] * hashes)
    with pytest.raises(ValueError, match="32 bytes"):
        Frontier(1, [bytes(31)])


@given(sizes, st.data())
def test_the_rfcs_inclusion_proof_verifies_and_no_other_position_or_size(
    size: int, data: st.DataObject
) -> None:
    index = data.draw(st.integers(0, size - 1))
    log = entries(size)
    proof, root = naive_tree.path(index, log), naive_tree.mth(log)
    verify_inclusion(leaf_hash(log[index]), index, size, proof, root)
    other = data.draw(st.integers(0, 2 * size).filter(lambda i: i != index))
    with pytest.raises(Problem, match="inclusion-proof-invalid"):
        verify_inclusion(leaf_hash(log[index]), other, size, proof, root)
    if other < size:
        with pytest.raises(Problem, match="inclusion-proof-invalid"):
            verify_inclusion(leaf_hash(log[other]), index, size, proof, root)


@given(sizes, st.data())
def test_a_flipped_bit_in_an_inclusion_proof_is_seen(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    log = entries(size)
    given_ = [leaf_hash(log[index]), naive_tree.mth(log), *naive_tree.path(index, log)]
    leaf, root, *proof = flip_one(given_, data)
    with pytest.raises(Problem, match="inclusion-proof-invalid"):
        verify_inclusion(leaf, index, size, proof, root)


@given(sizes, st.data())
def test_a_proof_longer_or_shorter_is_refused(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    log = entries(size)
    proof = naive_tree.path(index, log)
    extra = data.draw(st.sampled_from([b"", bytes(31), bytes(32), bytes(33)]))
    at = data.draw(st.integers(0, len(proof)))
    for wrong in ([*proof[:at], extra, *proof[at:]], proof[:-1]):
        if wrong != proof:
            with pytest.raises(Problem, match="inclusion-proof-invalid"):
                inclusion_root(leaf_hash(log[index]), index, size, wrong)


@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_a_hash_of_another_length_is_refused(length: int) -> None:
    log = entries(2)
    with pytest.raises(Problem, match="inclusion-proof-invalid"):
        inclusion_root(leaf_hash(log[0]), 0, 2, [bytes(length)])
    with pytest.raises(Problem, match="inclusion-proof-invalid"):
        inclusion_root(bytes(length), 0, 2, [leaf_hash(log[1])])
    with pytest.raises(Problem, match="consistency-proof-invalid"):
        verify_consistency(1, leaf_hash(log[0]), 2, naive_tree.mth(log), [bytes(length)])


@given(st.integers(0, 70), st.integers(0, 70))
def test_the_rfcs_consistency_proof_verifies(a: int, b: int) -> None:
    old, new = sorted((a, b))
    log = entries(new)
    proof = naive_tree.proof(old, log) if 0 < old < new else []
    verify_consistency(old, naive_tree.mth(log[:old]), new, naive_tree.mth(log), proof)


@given(st.integers(1, 70), st.integers(1, 70), st.data())
def test_a_flipped_bit_in_a_consistency_proof_is_seen(a: int, b: int, data: st.DataObject) -> None:
    old, new = sorted((a, b))
    log = entries(new)
    proof = naive_tree.proof(old, log) if old < new else []
    older, newer, *flipped = flip_one([naive_tree.mth(log[:old]), naive_tree.mth(log), *proof], data)
    with pytest.raises(Problem, match="consistency-proof-invalid"):
        verify_consistency(old, older, new, newer, flipped)


@given(st.integers(2, 70), st.data())
def test_a_rewritten_log_has_no_consistency_proof(new: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(1, new - 1))
    rewritten = data.draw(st.integers(0, old - 1))
    log = entries(new)
    forged = [*log[:rewritten], b"forged", *log[rewritten + 1 :]]
    for proof in (naive_tree.proof(old, log), naive_tree.proof(old, forged)):
        with pytest.raises(Problem, match="consistency-proof-invalid"):
            verify_consistency(old, naive_tree.mth(log[:old]), new, naive_tree.mth(forged), proof)


@pytest.mark.parametrize(
    ("old", "new", "proof"), [(2, 1, []), (-1, 1, []), (0, 1, [bytes(32)]), (1, 1, [bytes(32)]), (1, 2, [])]
)
def test_sizes_that_cannot_be_and_proofs_out_of_place_are_refused(
    old: int, new: int, proof: list[bytes]
) -> None:
    root = naive_tree.mth(entries(max(new, 0)))
    with pytest.raises(Problem, match="consistency-proof-invalid"):
        verify_consistency(old, EMPTY_ROOT if old == 0 else root, new, root, proof)


def test_an_empty_tree_has_only_the_empty_root() -> None:
    root = leaf_hash(b"a")
    verify_consistency(0, EMPTY_ROOT, 1, root, [])
    for older, newer, new in ((root, root, 1), (EMPTY_ROOT, root, 0)):
        with pytest.raises(Problem, match="consistency-proof-invalid"):
            verify_consistency(0, older, new, newer, [])


def flip_one(hashes: list[bytes], data: st.DataObject) -> list[bytes]:
    which = data.draw(st.integers(0, len(hashes) - 1))
    bit = data.draw(st.integers(0, 255))
    flipped = bytearray(hashes[which])
    flipped[bit >> 3] ^= 1 << (bit & 7)
    return [*hashes[:which], bytes(flipped), *hashes[which + 1 :]]
