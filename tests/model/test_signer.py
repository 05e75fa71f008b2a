from __future__ import annotations

import struct
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from log_keys import AT, AUDITOR, GUILD, LOG, ORIGIN, ed25519, flip, mldsa44

from gardesh.model.merkle import EMPTY_ROOT
from gardesh.model.note import Note, Signature, parse
from gardesh.model.problem import Problem
from gardesh.model.signer import SignatureType, Signer, Verifier, verify
from gardesh.model.treehead import TreeHead

# The example of C2SP signed-note.
EXAMPLE_KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
EXAMPLE = (
    "This is an example message.\n\n"
    "— example.com/foo "
    "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
)
HEAD = TreeHead(ORIGIN, 20_852_163, sha256(b"root").digest())
SIGNERS = [*LOG, GUILD, AUDITOR]


def test_the_example_of_c2sp_verifies() -> None:
    key = Verifier.parse(EXAMPLE_KEY)
    assert (key.name, key.type, key.key_id.hex()) == ("example.com/foo", SignatureType.ED25519, "530d903a")
    assert key.vkey() == EXAMPLE_KEY
    assert verify(parse(EXAMPLE.encode()), [key]) == ((key, None),)


@pytest.mark.parametrize("signer", SIGNERS)
def test_key_ids_are_computed_as_c2sp_says(signer: Signer) -> None:
    key = signer.verifier
    hashed = sha256(key.name.encode() + b"\n" + bytes([key.type]) + key.public).digest()
    assert key.key_id == hashed[:4]
    assert Verifier.parse(key.vkey()) == key


def test_the_type_bytes_are_those_that_c2sp_assigns() -> None:
    assert [s.verifier.type for s in (LOG[0], AUDITOR, GUILD)] == [0x01, 0x04, 0x06]


@pytest.mark.parametrize(
    "vkey",
    [
        "",
        "example.com/foo",
        EXAMPLE_KEY + "\n",
        EXAMPLE_KEY.replace("530d903a", "530D903A"),
        EXAMPLE_KEY.replace("530d903a", "530d903b"),
        EXAMPLE_KEY.replace("example.com/foo", "example.com/bar"),
        EXAMPLE_KEY.replace("example.com/foo", ""),
        EXAMPLE_KEY.replace("+Aeky", "+Auky"),
        EXAMPLE_KEY.replace("3U2k", "3U0="),
        EXAMPLE_KEY.replace("+530d903a", ""),
        "a+00000000+",
        "\ud800+00000000+" + EXAMPLE_KEY.rsplit("+", 1)[1],
    ],
)
def test_malformed_verifier_keys_are_refused(vkey: str) -> None:
    with pytest.raises(Problem, match="verifier-key-malformed"):
        Verifier.parse(vkey)


@given(st.text() | st.tuples(st.text(), st.text(), st.binary()).map(lambda p: f"{p[0]}+{p[1]}+AQ=="))
def test_any_text_is_a_verifier_key_or_refused(text: str) -> None:
    with pytest.raises(Problem, match="verifier-key-malformed"):
        Verifier.parse(text)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\u2003b", "a\nb", "\ud800", "n" * 256])
def test_a_name_that_c2sp_does_not_allow_makes_no_key(name: str) -> None:
    with pytest.raises(Problem, match="verifier-key-malformed"):
        Signer.of_notes(name, ed25519("x"))


@pytest.mark.parametrize("signer", SIGNERS)
def test_a_signed_checkpoint_verifies_with_its_time(signer: Signer) -> None:
    note = Note(HEAD.text(), (signer.sign(HEAD.text(), AT),))
    at = AT if signer.verifier.cosigns else None
    assert verify(parse(note.encode()), [signer.verifier]) == ((signer.verifier, at),)


def test_an_ed25519_cosignature_covers_the_header_the_time_and_the_text() -> None:
    signature = AUDITOR.sign(HEAD.text(), AT)
    assert signature.blob[:8] == struct.pack(">Q", AT)
    message = f"cosignature/v1\ntime {AT}\n{HEAD.text()}".encode()
    ed25519("auditor").public_key().verify(signature.blob[8:], message)


@pytest.mark.parametrize(("signer", "seed"), [(GUILD, "guild"), (LOG[1], "log")])
def test_an_ml_dsa_44_cosignature_covers_the_subtree_structure(signer: Signer, seed: str) -> None:
    signature = signer.sign(HEAD.text(), AT)
    name, origin = signer.verifier.name.encode(), ORIGIN.encode()
    message = b"subtree/v1\n\x00" + struct.pack(
        f">B{len(name)}sQB{len(origin)}sQQ32s",
        len(name),
        name,
        AT,
        len(origin),
        origin,
        0,
        HEAD.size,
        HEAD.root,
    )
    assert len(signature.blob) == 8 + 2420
    assert signature.blob[:8] == struct.pack(">Q", AT)
    mldsa44(seed).public_key().verify(signature.blob[8:], message)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(SIGNERS), st.data())
def test_a_flipped_bit_in_a_note_is_seen(signer: Signer, data: st.DataObject) -> None:
    raw = Note(HEAD.text(), (signer.sign(HEAD.text(), AT),)).encode()
    changed = flip(raw, data.draw(st.integers(0, 8 * len(raw) - 1)))
    with pytest.raises(Problem):
        verify(parse(changed), [signer.verifier])


@pytest.mark.parametrize("signer", [GUILD, AUDITOR])
def test_only_checkpoints_are_cosigned(signer: Signer) -> None:
    with pytest.raises(Problem, match="checkpoint-malformed"):
        signer.sign("a letter\n", AT)
    forged = Signature(signer.verifier.name, signer.verifier.key_id, signer.sign(HEAD.text(), AT).blob)
    with pytest.raises(Problem, match="checkpoint-malformed"):
        verify(Note("a letter\n", (forged,)), [signer.verifier])


def test_ml_dsa_44_signs_no_checkpoint_that_it_cannot_cover() -> None:
    extended = TreeHead(ORIGIN, 0, EMPTY_ROOT, ("extension",)).text()
    long = TreeHead("o" * 256, 0, EMPTY_ROOT).text()
    for text in (extended, long):
        with pytest.raises(Problem, match="checkpoint-not-cosignable"):
            GUILD.sign(text, AT)
        assert AUDITOR.verifier.check(text, AUDITOR.sign(text, AT)) == AT
    plain = GUILD.sign(TreeHead(ORIGIN, 0, EMPTY_ROOT).text(), AT)
    with pytest.raises(Problem, match="checkpoint-not-cosignable"):
        GUILD.verifier.check(extended, plain)


@pytest.mark.parametrize("at", [-1, 2**63])
def test_a_time_past_63_bits_is_neither_signed_nor_believed(at: int) -> None:
    with pytest.raises(Problem, match="note-signature-invalid"):
        GUILD.sign(HEAD.text(), at)
    signature = GUILD.sign(HEAD.text(), AT)
    late = Signature(signature.name, signature.key_id, b"\xff" * 8 + signature.blob[8:])
    with pytest.raises(Problem, match="note-signature-invalid"):
        GUILD.verifier.check(HEAD.text(), late)


def test_signatures_of_unknown_keys_are_ignored() -> None:
    stranger = Signer.of_notes(ORIGIN, ed25519("stranger"))
    text = "a letter\n"
    other_name = Signature("other.example", LOG[0].verifier.key_id, bytes(64))
    note = Note(text, (stranger.sign(text, 0), other_name, LOG[0].sign(text, 0)))
    assert [v.verifier for v in verify(note, [LOG[0].verifier])] == [LOG[0].verifier]


def test_an_invalid_signature_of_a_known_key_refuses_the_note() -> None:
    text = "a letter\n"
    other = TreeHead(ORIGIN, 0, EMPTY_ROOT).text()
    good, bad = LOG[0].sign(text, 0), LOG[0].sign("another\n", 0)
    with pytest.raises(Problem, match="note-signature-invalid"):
        verify(Note(text, (good, bad)), [LOG[0].verifier])
    cosigned = Note(HEAD.text(), (LOG[0].sign(HEAD.text(), 0), AUDITOR.sign(other, AT)))
    with pytest.raises(Problem, match="note-signature-invalid"):
        verify(cosigned, [LOG[0].verifier], [AUDITOR.verifier])


@pytest.mark.parametrize("length", [1, 63, 65])
def test_a_signature_of_another_length_is_refused(length: int) -> None:
    key = LOG[0].verifier
    with pytest.raises(Problem, match="note-signature-invalid"):
        verify(Note("a letter\n", (Signature(key.name, key.key_id, bytes(length)),)), [key])


def test_every_required_key_must_have_signed() -> None:
    note = Note(HEAD.text(), (LOG[0].sign(HEAD.text(), AT),))
    with pytest.raises(Problem, match="note-signature-missing"):
        verify(note, [s.verifier for s in LOG])


def test_a_note_that_no_known_key_signed_is_refused() -> None:
    note = Note("a letter\n", (LOG[0].sign("a letter\n", 0),))
    with pytest.raises(Problem, match="note-signature-missing"):
        verify(note, [], [GUILD.verifier])


def test_one_key_is_not_taken_for_another_with_its_name_and_id() -> None:
    real = LOG[0].verifier
    twin = Signer.of_notes(ORIGIN, ed25519("twin"))
    object.__setattr__(twin.verifier, "key_id", real.key_id)
    note = Note("a letter\n", (twin.sign("a letter\n", 0),))
    with pytest.raises(Problem, match="note-signature-invalid"):
        verify(note, [real], [twin.verifier])
