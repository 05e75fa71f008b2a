from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from papers import AT, CASE, CLAIMS, ED_KEY, KEY, ORDER, forge, header, payload, refusal, salts
from test_disclosure import subjects

from gardesh.model.canonical import base64url_decode
from gardesh.model.document import Envelope, Limits, parse, present, sign, verify
from gardesh.model.jose import PrivateKey
from gardesh.model.problem import Problem, pointer

SUBJECT: dict[str, Any] = {
    "order": "12345678",
    "goods": [{"hs": "847130", "value": 5, "name": "رایانه"}, {"hs": "851713", "value": 7, "name": "تلفن"}],
    "place": {"city": "تهران", "code": "11369"},
    "weight": Decimal("12.5"),
    "urgent": False,
    "note": None,
}
PAPER = sign(CLAIMS, SUBJECT, KEY, salt=salts(), disclosable=["/goods/*", "/goods/*/value", "/place/*"])
PLAIN = forge(payload(SUBJECT | {"weight": 12}, _sd_alg=...), head=header(typ="vc+jwt"), end="")
DECOY = "A" * 43
PATTERNS = ["/*/*", "/*/*/*", "/*/0", "/a/*"]


def seen(data: bytes) -> dict[str, Any]:
    envelope = parse(data)
    verify(envelope, KEY.public)
    return envelope.subject


@given(
    subjects,
    st.lists(st.sampled_from(PATTERNS), max_size=3),
    st.sampled_from([KEY, ED_KEY]),
    st.integers(0, 2),
)
def test_what_is_signed_is_parsed_and_verified(
    subject: dict[str, Any], patterns: list[str], key: PrivateKey, decoys: int
) -> None:
    data = sign(CLAIMS, subject, key, salt=salts(), disclosable=patterns, decoys=decoys)
    envelope = parse(data)
    verify(envelope, key.public)
    assert envelope.subject == subject
    assert envelope.data == data
    assert envelope.complete is (decoys == 0)
    assert envelope.missing == decoys
    assert (envelope.alg, envelope.kid) == (key.alg, key.kid)


def test_the_envelope_says_what_the_claims_say() -> None:
    envelope = parse(PAPER)
    assert envelope.issuer == "standards"
    assert envelope.type == "trade/permit"
    assert (envelope.pack, envelope.procedure) == ("trade@1.0.0", "import")
    assert (envelope.case, envelope.step, envelope.key) == (CASE, "permit", "standards")
    assert (envelope.act, envelope.outcome) == ("issue", "approved")
    assert envelope.basis == (("order-request", ORDER),)
    assert (envelope.valid_from_ms, envelope.valid_until_ms) == (AT, None)
    assert (envelope.replaces, envelope.names, envelope.for_slot, envelope.reach) == (None, None, None, None)
    assert (envelope.deficiencies, envelope.attachments) == ((), ())
    assert envelope.claims["issuer"] == "urn:gardesh:org:standards"
    assert envelope.claims["_sd_alg"] == "sha-256"


def test_nothing_of_the_subject_is_in_the_signed_part() -> None:
    envelope = parse(PAPER)
    assert envelope.claims["credentialSubject"].keys() == {"_sd"}
    shown = base64url_decode(envelope.signing_input.split(b".")[1]).decode()
    assert not any(word in shown for word in ("goods", "847130", "تهران", "12345678", "12.5"))


def test_fractions_stay_exact() -> None:
    assert parse(PAPER).subject["weight"] == Decimal("12.5")
    assert refusal(lambda: sign(CLAIMS, {"weight": 12.5}, KEY, salt=salts())) == (
        "json-value",
        "/credentialSubject",
    )


def test_the_digest_is_that_of_the_signed_part_whatever_is_shown() -> None:
    whole, part = parse(PAPER), parse(present(PAPER, ["/order"]))
    assert part.digest == whole.digest
    assert part.signed == whole.signed
    assert part != whole
    assert part == parse(part.data)
    assert len({part, whole, parse(PAPER)}) == 2


def test_a_presentation_shows_what_is_asked_for_and_no_sibling() -> None:
    assert seen(present(PAPER, ["/order"])) == {"order": "12345678"}
    assert seen(present(PAPER, ["/goods/1/value"])) == {
        "goods": [{"hs": "851713", "name": "تلفن", "value": 7}]
    }
    assert seen(present(PAPER, ["/goods/*/hs"])) == {
        "goods": [{"hs": "847130", "name": "رایانه"}, {"hs": "851713", "name": "تلفن"}]
    }
    assert seen(present(PAPER, ["/goods/0", "/place/city"])) == {
        "goods": [SUBJECT["goods"][0]],
        "place": {"city": "تهران"},
    }
    assert seen(present(PAPER, [])) == {}
    assert seen(present(PAPER, ["/x", "/goods/7"])) == {}
    assert seen(present(PAPER, [""])) == SUBJECT
    assert present(PAPER, [""]) == PAPER


def test_a_part_can_be_shown_of_a_part() -> None:
    part = present(PAPER, ["/goods/1", "/order"])
    assert seen(present(part, ["/goods/0/hs"])) == {"goods": [{"hs": "851713", "name": "تلفن"}]}
    assert seen(present(part, ["/place"])) == {}
    assert refusal(lambda: present(PAPER, ["goods"]))[0] == "pointer-malformed"


def test_a_part_is_not_complete() -> None:
    part = parse(present(PAPER, ["/order"]))
    assert (part.complete, part.missing) == (False, len(SUBJECT) - 1)
    assert parse(PAPER).complete


@given(subjects, st.lists(st.sampled_from(PATTERNS), max_size=3), st.data())
def test_any_part_verifies_and_shows_only_what_was_chosen(
    subject: dict[str, Any], patterns: list[str], data: st.DataObject
) -> None:
    whole = sign(CLAIMS, subject, KEY, salt=salts(), disclosable=patterns)
    chosen = data.draw(st.lists(st.sampled_from(sorted(subject)), unique=True)) if subject else []
    shown = seen(present(whole, [pointer(name) for name in chosen]))
    assert shown == {name: subject[name] for name in chosen}


@given(st.lists(st.sampled_from(range(len(parse(PAPER).places))), unique=True))
def test_any_place_can_be_shown_with_what_lies_around_it_hidden(numbers: list[int]) -> None:
    envelope = parse(PAPER)
    wanted = [envelope.places[n] for n in numbers]
    part = parse(envelope.show(pointer(*place) for place in wanted))
    expected = {
        d
        for d, place in zip(envelope.disclosures, envelope.places, strict=True)
        if any(place == w[: len(place)] or w == place[: len(w)] for w in wanted)
    }
    assert set(part.disclosures) == expected


def test_every_flipped_byte_is_found() -> None:
    for at in range(len(PAPER)):
        for flip in (0x01, 0x20, 0x80):
            mutated = bytearray(PAPER)
            mutated[at] ^= flip
            with pytest.raises(Problem):
                verify(parse(bytes(mutated)), KEY.public)


@given(st.data())
def test_every_cut_and_every_swap_is_found_or_shows_less(data: st.DataObject) -> None:
    start, end = sorted(data.draw(st.tuples(*[st.integers(0, len(PAPER))] * 2)))
    mutated = (
        PAPER[:start] + data.draw(st.sampled_from([b"", PAPER[:start], PAPER[end:], b"~"])) + PAPER[end:]
    )
    try:
        envelope = parse(mutated)
        verify(envelope, KEY.public)
    except Problem:
        return
    assert envelope.digest == parse(PAPER).digest
    assert set(envelope.disclosures) <= set(parse(PAPER).disclosures)


@settings(max_examples=300)
@given(st.binary(max_size=200) | st.text("~.{}[]eyJ0_-", max_size=80).map(str.encode))
def test_any_bytes_are_refused_with_a_problem(data: bytes) -> None:
    with pytest.raises(Problem):
        parse(data)


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["_sd", "...", DECOY]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["_sd", "...", "_sd_alg", "a", "b"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=200)
@given(st.data())
def test_any_claims_and_disclosures_are_read_or_refused_with_a_problem(data: st.DataObject) -> None:
    claims = payload(data.draw(junk))
    for name in data.draw(st.lists(st.sampled_from(sorted(claims)), max_size=2)):
        claims[name] = data.draw(junk)
    for name in data.draw(
        st.lists(st.sampled_from(["case", "key", "for", "deficiencies", "outcome"]), max_size=2)
    ):
        claims["circulation"] = {**CLAIMS["circulation"], name: data.draw(junk)}
    disclosures = data.draw(st.lists(st.text("WyJAQ-_0", max_size=8), max_size=2))
    try:
        envelope = parse(forge(json.dumps(claims, ensure_ascii=False).encode(), disclosures))
    except Problem:
        return
    assert isinstance(envelope, Envelope)
    assert envelope.missing <= json.dumps(claims).count(DECOY)


@pytest.mark.long
@settings(max_examples=20_000, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(PAPER) - 1), st.integers(0, 255)), min_size=1, max_size=4))
def test_any_mutation_is_found(changes: list[tuple[int, int]]) -> None:
    mutated = bytearray(PAPER)
    for at, byte in changes:
        mutated[at] = byte
    if mutated == PAPER:
        return
    with pytest.raises(Problem):
        verify(parse(bytes(mutated)), KEY.public)


def test_a_plain_jwt_shows_all() -> None:
    envelope = parse(PLAIN)
    verify(envelope, KEY.public)
    assert envelope.subject == SUBJECT | {"weight": 12}
    assert (envelope.typ, envelope.complete, envelope.disclosures) == ("vc+jwt", True, ())
    assert (envelope.tail, envelope.data) == (b"", PLAIN)
    assert present(PLAIN, ["/order"]) == PLAIN


def test_a_subject_of_nothing_ends_in_one_tilde() -> None:
    data = sign(CLAIMS, {}, KEY, salt=salts())
    assert data.endswith(b"~")
    assert data.count(b"~") == 1
    assert parse(data).tail == b"~"
    assert parse(data).complete


def test_a_signature_needs_no_randomness() -> None:
    assert sign(CLAIMS, SUBJECT, KEY, salt=salts()) == sign(CLAIMS, SUBJECT, KEY, salt=salts())


def test_what_could_not_be_parsed_is_not_signed() -> None:
    def signing(claims: dict[str, Any], subject: dict[str, Any], **more: Any) -> tuple[str, str]:
        return refusal(lambda: sign(claims, subject, KEY, salt=salts(), **more))

    assert signing({**CLAIMS, "issuer": "x"}, {}) == ("claim-malformed", "/issuer")
    assert signing({**CLAIMS, "credentialSubject": {}}, {})[0] == "claim-unknown"
    assert signing(CLAIMS, {"a": "x" * (1 << 20)})[0] == "input-too-long"
    assert signing(CLAIMS, {str(n): n for n in range(2001)})[0] == "disclosures-too-many"
    assert signing(CLAIMS, {"a": {"_sd": []}}) == ("disclosure-name-reserved", "/credentialSubject/a")
    assert signing(CLAIMS, {"a": 1, "b": 2}, limits=Limits(disclosures=1))[0] == "disclosures-too-many"
    assert signing(CLAIMS, {"a": 1}, disclosable=["goods"]) == ("pointer-malformed", "/credentialSubject")


def test_what_is_printed_of_an_envelope_holds_nothing_personal() -> None:
    envelope = parse(PAPER)
    assert repr(envelope) == f"Envelope({envelope.digest.hex()[:16]}… trade/permit by standards, 12 shown)"
    assert envelope != PAPER
