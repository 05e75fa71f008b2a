from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from papers import AT, CASE, CLAIMS, ORDER, refusal

from gardesh.model.claim_elsewhere import Origin, SlotName, Standing
from gardesh.model.claim_forms import (
    read_slot_urn,
    read_sri,
    read_time,
    write_slot_urn,
    write_sri,
    write_time,
)
from gardesh.model.claims import attachment, compose, read

HASH = sha256(b"blob").digest()
MISTAKE = {
    "step": "order-request",
    "field": "/goods/0/hs",
    "reason": {"fa": "کد نادرست است", "en": "wrong code"},
}
FULL: dict[str, Any] = {
    "type": "trade/permit",
    "issuer": "standards",
    "valid_from_ms": AT,
    "valid_until_ms": AT + 1,
    "pack": "trade@1.0.0",
    "procedure": "import",
    "case": CASE,
    "step": "permit",
    "key": "استاندارد ۱",
    "act": "revoke",
    "outcome": "deficient",
    "reach": "now",
    "replaces": ORDER.hex(),
    "names": HASH.hex(),
    "for_slot": SlotName(CASE, "permit", "standards", "ministry.example/log"),
    "standing": Standing(3, True, False, AT),
    "origin": Origin("ministry.example/log", CASE, "ali", "standards-office", 7, AT),
    "basis": (("order-request", ORDER), ("permit:۱۲الف۳۴۵-۱۱", HASH)),
    "deficiencies": (MISTAKE, {**MISTAKE, "key": "a", "field": ""}),
    "attachments": (
        attachment(HASH, "application/pdf", 12, "پیش‌فاکتور.pdf"),
        attachment(ORDER, "image/png", 0),
    ),
}
FORMS: dict[str, list[Any]] = {
    "@context": [
        ["https://www.w3.org/ns/credentials/v2"],
        "https://www.w3.org/ns/credentials/v2",
        [{"@vocab": "x"}],
    ],
    "type": [
        "VerifiableCredential",
        ["VerifiableCredential"],
        ["urn:gardesh:type:trade:permit", "VerifiableCredential"],
    ],
    "type/1": [
        "permit",
        "urn:gardesh:type:trade",
        "urn:gardesh:type:trade:permit:x",
        "urn:gardesh:type:Trade:permit",
        1,
    ],
    "issuer": [
        "standards",
        {"id": "urn:gardesh:org:standards"},
        "urn:gardesh:org:",
        "urn:gardesh:org:a b",
        1,
        ["x"],
    ],
    "validFrom": [
        "2026-01-03",
        "2026-01-03T08:00:00",
        "2026-02-30T08:00:00Z",
        "2026-01-03T24:00:00Z",
        1,
        "٢026-01-03T08:00:00Z",
    ],
    "validUntil": ["now", None, "2026-01-03T08:60:00Z", "2026-01-03T08:00:00+15:00"],
    "id": [1, "permit", None],
    "iat": ["1", 1.5, True, None],
    "relatedResource": [{}, [1], [{"id": "urn:gardesh:slot:x"}], None],
    "relatedResource/0/id": [
        "order-request",
        "urn:gardesh:slot:",
        "urn:gardesh:slot:x:",
        "urn:gardesh:slot:X",
        1,
        "urn:x:y",
    ],
    "relatedResource/0/digestSRI": [
        "sha256-",
        "sha384-" + "A" * 64,
        "sha256-" + "A" * 42 + "B=",
        write_sri(ORDER) + " ",
        1,
    ],
    "attachments": [{}, [1], None],
    "attachments/0/id": [f"urn:gardesh:blob:{ORDER.hex()}", HASH.hex(), None],
    "attachments/0/digestSRI": [write_sri(ORDER)[:-1], None],
    "attachments/0/mediaType": ["pdf", "", "a/b; c", 1],
    "attachments/0/size": [-1, "1", True, None],
    "attachments/0/name": ["", "a\nb", 1],
    "circulation": [[], "x"],
    "circulation/pack": ["trade", "trade@1", "trade@1.0.0-x", "Trade@1.0.0", "trade@1.0.0 ", 1],
    "circulation/procedure": ["Import", "a/b/c", "", 1],
    "circulation/case": [CASE.upper(), CASE[1:], CASE + "0", "x" * 64, 1],
    "circulation/step": ["Permit", "a_b", "-a", "a-", "a--b", "a:b", "", 1],
    "circulation/key": ["", "a\0", "a\u202eb", "x" * 201, 1, None],
    "circulation/act": ["Issue", "", 1],
    "circulation/outcome": ["yes", None, ["approved"], True],
    "circulation/from": ["later", None],
    "circulation/replaces": ["x", 1],
    "circulation/names": ["x", 1],
    "circulation/for": ["x", []],
    "circulation/for/case": ["x", 1],
    "circulation/for/step": ["X"],
    "circulation/for/key": ["", None],
    "circulation/for/log": ["", "a b", "a+b", "x" * 257, 1, None],
    "circulation/standing": [
        [],
        {},
        {"number": 1},
        {"number": 0, "sound": True},
        {"number": 1, "sound": 1},
        "x",
    ],
    "circulation/standing/number": [True, 1.5, -1, 1 << 53],
    "circulation/standing/ended": [1, None],
    "circulation/standing/expires": ["soon", 1, None],
    "circulation/origin": [[], {}, "x"],
    "circulation/origin/log": ["a\nb", 1],
    "circulation/origin/case": ["x"],
    "circulation/origin/opener": ["ali", 1],
    "circulation/origin/issuer": ["ali", None],
    "circulation/origin/position": [-1, "7", True],
    "circulation/origin/recordedAt": ["now", 1],
    "circulation/deficiencies": [{}, "x", None],
    "circulation/deficiencies/0": ["x"],
    "circulation/deficiencies/0/field": ["goods", 1, None],
    "circulation/deficiencies/0/reason": [
        "wrong",
        {"en": "x"},
        {"fa": "x", "en": 1},
        {"fa": "x", "en": "x", "de": "x"},
    ],
    "circulation/deficiencies/1/key": [""],
}


def changed(path: str, value: Any) -> dict[str, Any]:
    """The full claims with another value at `path`; `...` leaves the member out."""
    claims = copy.deepcopy(compose(**FULL))
    *above, last = [int(p) if p.isdigit() else p for p in path.split("/")]
    node: Any = claims
    for step in above:
        node = node[step]
    if value is ...:
        del node[last]
    else:
        node[last] = value
    return claims


def test_what_is_composed_is_read_again() -> None:
    assert read(compose(**FULL)) == FULL


def test_what_is_left_out_reads_as_nothing() -> None:
    least = {k: FULL[k] for k in ("type", "issuer", "valid_from_ms", "pack", "procedure", "step", "act")}
    statement = read(compose(**least))
    assert {k: v for k, v in statement.items() if v is not None and v != ()} == least


def test_the_claims_are_those_of_the_vc_data_model() -> None:
    claims = compose(**FULL)
    assert claims["@context"][0] == "https://www.w3.org/ns/credentials/v2"
    assert claims["type"] == ["VerifiableCredential", "urn:gardesh:type:trade:permit"]
    assert claims["issuer"] == "urn:gardesh:org:standards"
    assert claims["validFrom"] == "2026-01-03T08:00:00Z"
    assert claims["validUntil"] == "2026-01-03T08:00:00.001Z"
    assert claims["relatedResource"][0] == {
        "id": "urn:gardesh:slot:order-request",
        "digestSRI": write_sri(ORDER),
    }
    assert claims["circulation"]["from"] == "now"
    assert claims["circulation"]["for"] == {
        "case": CASE, "step": "permit", "key": "standards", "log": "ministry.example/log",
    }  # fmt: skip


@pytest.mark.parametrize(("path", "value"), [(path, value) for path, bad in FORMS.items() for value in bad])
def test_a_claim_of_another_form_is_refused_at_its_place(path: str, value: Any) -> None:
    code, pointer = refusal(lambda: read(changed(path, value)))
    assert code in ("claim-malformed", "claim-missing")
    assert pointer.startswith("/" + path)


@pytest.mark.parametrize(
    "path",
    [
        "issuer",
        "validFrom",
        "circulation",
        "circulation/pack",
        "circulation/procedure",
        "circulation/step",
        "circulation/act",
        "circulation/for/case",
        "circulation/deficiencies/0/step",
        "attachments/0/mediaType",
    ],
)
def test_a_claim_that_is_missing_is_named(path: str) -> None:
    assert refusal(lambda: read(changed(path, ...))) == ("claim-missing", "/" + path)


@pytest.mark.parametrize(
    "path",
    [
        *("vc", "vp", "exp", "nbf", "iss", "sub", "cnf", "proof", "credentialStatus", "_sd", "..."),
        *("circulation/_sd", "circulation/status", "circulation/for/x", "circulation/deficiencies/0/x"),
        *("circulation/deficiencies/0/reason/_sd_alg", "relatedResource/0/mediaType", "attachments/0/url"),
    ],
)
def test_a_claim_without_a_meaning_here_is_refused(path: str) -> None:
    code, pointer = refusal(lambda: read(changed(path, "x")))
    assert code in ("claim-unknown", "claim-malformed")
    assert ("/" + path).startswith(pointer)


def test_an_id_and_the_time_of_signing_may_be_said() -> None:
    assert read({**CLAIMS, "id": "urn:uuid:0", "iat": 1767427200}) == read(CLAIMS)


def test_deficiencies_need_a_deficient_outcome() -> None:
    assert refusal(lambda: compose(**{**FULL, "outcome": "approved"})) == (
        "claim-malformed",
        "/circulation/deficiencies",
    )


def test_validity_does_not_run_backwards() -> None:
    assert refusal(lambda: compose(**{**FULL, "valid_until_ms": AT - 1})) == (
        "validity-reversed",
        "/validUntil",
    )


def test_a_slot_stands_once_in_a_basis() -> None:
    twice = [("order-request", ORDER), ("order-request", HASH)]
    assert refusal(lambda: compose(**{**FULL, "basis": twice})) == ("basis-slot-twice", "/relatedResource/1")


@given(st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)), st.integers(-840, 840))
def test_an_instant_is_the_same_in_every_offset(local: datetime, minutes: int) -> None:
    when = local.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    ms = (when - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    assert read_time(when.isoformat(), "") == ms
    if 1 < when.astimezone(UTC).year < 9999:
        assert read_time(write_time(ms), "") == ms


@given(st.text(max_size=30))
def test_any_text_is_a_time_or_refused(text: str) -> None:
    assert refusal(lambda: read_time(text, "/validFrom")) == ("claim-malformed", "/validFrom")


keys = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp", "Cf"]), min_size=1, max_size=20)


@given(keys)
def test_a_slot_with_any_key_has_a_urn_that_is_ascii(key: str) -> None:
    urn = write_slot_urn(f"permit:{key}")
    assert urn.isascii()
    assert " " not in urn
    assert read_slot_urn(urn, "") == f"permit:{key}"


@pytest.mark.parametrize(
    "urn",
    [
        *("urn:gardesh:slot:permit:%61", "urn:gardesh:slot:permit:%d9", "urn:gardesh:slot:permit:ی"),
        *("urn:gardesh:slot:permit:%D9%8A%0A", "urn:gardesh:slot:permit:%2", "urn:gardesh:slot:permit:%zz"),
        *("permit", "urn:gardesh:org:permit", "urn:gardesh:slot:urn:gardesh:slot:permit\n"),
    ],
)
def test_a_slot_has_one_urn(urn: str) -> None:
    assert refusal(lambda: read_slot_urn(urn, "/id")) == ("claim-malformed", "/id")


@given(st.binary(min_size=32, max_size=32))
def test_a_digest_comes_back_from_its_sri(digest: bytes) -> None:
    assert read_sri(write_sri(digest), "") == digest
