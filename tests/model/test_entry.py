from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st
from refusal import value_or_refusal

from gardesh.model.entry import Entry, decode, decode_bundle, encode, encode_bundle, entry_hash
from gardesh.model.problem import Problem

digests = st.binary(min_size=32, max_size=32)
times = st.integers(0, 2**63 - 1)
entries = st.builds(Entry, digests, times)


def test_an_entry_is_the_digest_and_the_time_in_40_bytes() -> None:
    digest = sha256(b"document").digest()
    assert encode(digest, 1_790_000_000_123) == digest + bytes.fromhex("000001a0c4506c7b")


@given(entries)
def test_an_entry_reads_back(entry: Entry) -> None:
    assert decode(encode(*entry)) == entry


@given(entries)
def test_the_leaf_hash_of_an_entry_is_that_of_rfc_6962(entry: Entry) -> None:
    assert entry_hash(*entry) == sha256(b"\x00" + encode(*entry)).digest()


@pytest.mark.parametrize(
    ("digest", "at"), [(b"", 0), (bytes(31), 0), (bytes(33), 0), (bytes(32), -1), (bytes(32), 2**63)]
)
def test_an_entry_that_could_not_be_read_is_not_written(digest: bytes, at: int) -> None:
    for write in (encode, entry_hash):
        with pytest.raises(Problem, match="log-entry-malformed"):
            write(digest, at)


@given(st.binary(max_size=60).filter(lambda raw: len(raw) != 40))
def test_only_40_bytes_are_an_entry(raw: bytes) -> None:
    with pytest.raises(Problem, match="log-entry-malformed"):
        decode(raw)


def test_a_time_past_63_bits_is_refused() -> None:
    raw = bytes(32) + b"\xff" * 8
    with pytest.raises(Problem, match="log-entry-malformed"):
        decode(raw)
    with pytest.raises(Problem, match="entries-bundle-malformed"):
        decode_bundle(b"\x00\x28" + raw)


@given(st.lists(entries, min_size=1, max_size=256))
def test_a_bundle_holds_each_entry_after_its_length(bundle: list[Entry]) -> None:
    raw = encode_bundle(encode(*e) for e in bundle)
    assert raw == b"".join(len(encode(*e)).to_bytes(2, "big") + encode(*e) for e in bundle)
    assert decode_bundle(raw) == bundle


@pytest.mark.parametrize("bundle", [[], [bytes(40)] * 257, [bytes(40), bytes(39)]])
def test_a_bundle_has_1_to_256_entries_of_40_bytes(bundle: list[bytes]) -> None:
    with pytest.raises(Problem, match="entries-bundle-malformed"):
        encode_bundle(bundle)
    with pytest.raises(Problem, match="entries-bundle-malformed"):
        decode_bundle(b"".join(len(e).to_bytes(2, "big") + e for e in bundle))


@pytest.mark.parametrize("prefix", [0, 39, 41, 0x2800])
def test_each_length_in_a_bundle_is_checked(prefix: int) -> None:
    raw = encode_bundle([bytes(40), bytes(40)])
    with pytest.raises(Problem, match="entries-bundle-malformed") as refused:
        decode_bundle(raw[:42] + prefix.to_bytes(2, "big") + raw[44:])
    assert refused.value.params == {"at": 1}


@given(
    st.binary(max_size=200)
    | st.lists(st.binary(min_size=40, max_size=40)).map(lambda e: b"\0\x28".join([b"", *e]))
)
def test_any_bytes_are_a_bundle_or_refused(raw: bytes) -> None:
    bundle = value_or_refusal(decode_bundle, raw, "entries-bundle-malformed")
    assert bundle is None or encode_bundle(encode(*e) for e in bundle) == raw
