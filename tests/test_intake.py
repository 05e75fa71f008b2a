"""The one way in: the order of its checks, documents sent again, signatures made over, and time."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from effort import tries
from gardesh.intake import Accepted, Intake
from gardesh.model import receipt
from gardesh.model.canonical import base64url_decode, base64url_encode
from gardesh.model.document import parse, present, sign
from gardesh.model.problem import Problem
from gardesh.record.clock import salt
from market import (
    CLOCK_KEY,
    DAY,
    HOUR,
    START,
    Market,
    application,
    contents,
    explains_itself,
    key_of,
    licence,
    refused,
)
from wrong_papers import NOBODY, claims, signed, visit

pytestmark = pytest.mark.store

ORDER_OF_P256 = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def with_signature(paper: bytes, change: Any) -> bytes:
    signed_part, end, tail = paper.partition(b"~")
    head, _, signature = signed_part.rpartition(b".")
    return head + b"." + base64url_encode(change(base64url_decode(signature))).encode() + end + tail


def made_over(signature: bytes) -> bytes:
    """Another ES256 signature over the same, which anybody can make: (r, n - s) for (r, s)."""
    return signature[:32] + (ORDER_OF_P256 - int.from_bytes(signature[32:])).to_bytes(32, "big")


def spoiled(signature: bytes) -> bytes:
    return signature[:40] + bytes([signature[40] ^ 1]) + signature[41:]


# -- the order of the checks ------------------------------------------------------------------------------


def test_of_several_faults_the_one_that_is_looked_for_first_is_told() -> None:
    market = Market()
    market.submit(market.core("key-revocation", {"kid": key_of("sara").kid, "reason": "lost"}))
    wrong: dict[str, Any] = {"act": "bless", "pack": "market@2.0.0", "step": "parade", "case": "0" * 64}
    subject: dict[str, Any] = {"seats": 101}

    def paper(org: str = "neighbour", key: Any = None, decoys: int = 0) -> bytes:
        made = claims(market, issuer=org, **wrong)
        return sign(made, subject, key or key_of(org), salt=salt, decoys=decoys)

    told = [
        refused(market, paper(key=NOBODY)[:-1]).code,
        refused(market, with_signature(paper(key=NOBODY, decoys=1), spoiled)).code,
        refused(market, with_signature(paper("ali", key_of("traffic"), 1), spoiled)).code,
        refused(market, with_signature(paper("sara", decoys=1), spoiled)).code,
        refused(market, with_signature(paper(decoys=1), spoiled)).code,
        refused(market, paper(decoys=1)).code,
        refused(market, paper()).code,
    ]
    wrong["act"] = "issue"
    told.append(refused(market, paper()).code)
    del wrong["case"]
    told.append(refused(market, paper()).code)
    wrong["pack"], wrong["step"] = "market@1.0.0", "site-visit"
    told.append(refused(market, paper()).code)
    wrong["case"] = market.apply(goods=[{"kind": "food"}])
    told.append(refused(market, paper()).code)
    wrong["step"] = "application"
    told.append(refused(market, paper()).code)
    subject |= application(seats=101)
    told.append(refused(market, paper()).code)
    subject["seats"] = 1
    told.append(refused(market, paper()).code)
    told.append(refused(market, paper("ali")).code)
    assert told == [
        "document-unterminated",
        "key-unknown",
        "issuer-mismatch",
        "key-not-in-force",
        "signature-wrong",
        "document-incomplete",
        "not-allowed",
        "no-such-case",
        "no-such-pack",
        "no-such-case",
        "wrong-type",
        "schema-violated",
        "too-many-seats",
        "not-accredited",
        "slot-taken",
    ]


# -- sent again -------------------------------------------------------------------------------------------


def test_a_document_that_is_sent_again_has_the_same_place_and_a_valid_receipt() -> None:
    market = Market()
    paper = signed(market)
    first = market.submit(paper)
    market.area()
    before = contents(market.store)
    again = market.submit(paper, after=DAY)
    assert (again.position, again.recorded_at, again.case) == (
        first.position,
        first.recorded_at,
        first.case,
    )
    assert receipt.verify(again.receipt, first.digest, market.policy) == (first.position, START)
    assert contents(market.store) == before


def test_in_one_batch_a_document_counts_once_too() -> None:
    market = Market()
    paper = signed(market)
    answers = market.node.intake.submit_all([paper, paper, paper], market.now)
    places = {(a.position, a.digest) for a in answers if isinstance(a, Accepted)}
    assert len(places) == 1
    explains_itself(market.node)


def test_what_is_shown_of_an_accepted_document_is_that_document() -> None:
    market = Market()
    paper = signed(market)
    first = market.submit(paper)
    assert market.submit(present(paper, ["/vendor"])).position == first.position


def test_it_is_known_again_when_its_key_is_no_more_in_force() -> None:
    market = Market()
    paper = signed(market)
    first = market.submit(paper)
    market.submit(market.core("key-revocation", {"kid": key_of("ali").kid, "reason": "lost"}))
    assert market.submit(paper).position == first.position
    assert market.submit(with_signature(paper, made_over)).position == first.position
    assert refused(market, signed(market)).code == "key-not-in-force"


def test_a_signature_made_over_by_a_stranger_does_not_count_twice() -> None:
    market = Market()
    paper = signed(market)
    other = with_signature(paper, made_over)
    assert parse(other).digest != parse(paper).digest
    first = market.submit(paper)
    again = market.submit(other)
    assert (again.position, again.digest) == (first.position, first.digest)
    assert receipt.verify(again.receipt, first.digest, market.policy).position == first.position
    explains_itself(market.node)


@pytest.mark.parametrize("warm", [True, False])
def test_a_known_statement_with_a_wrong_signature_is_refused(warm: bool) -> None:
    """Whatever keys the node has in memory: what it answers must follow from the record alone."""
    market = Market()
    paper = signed(market)
    market.submit(paper)
    if not warm:
        market.node.intake = Intake(market.node.sequencer)
    assert refused(market, with_signature(paper, spoiled)).code == "signature-wrong"


# -- time -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("written", [START - 400 * DAY, START + 400 * DAY])
def test_the_time_that_counts_is_the_nodes_and_not_what_the_document_says(written: int) -> None:
    market = Market()
    accepted = market.submit(signed(market, valid_from_ms=written))
    assert accepted.recorded_at == market.now
    assert market.case(accepted.case).opened_at == market.now
    explains_itself(market.node)


def test_time_never_goes_back() -> None:
    market = Market()
    market.apply()
    late = market.submit(signed(market), after=DAY).recorded_at
    for back in (1, HOUR, 3 * DAY):
        answer = market.node.intake.submit(signed(market), market.now - back)
        assert answer.recorded_at == late == market.now
    explains_itself(market.node)


def test_time_that_passed_without_a_document_does_not_go_back_either() -> None:
    """The window closes at the third day; what is sent then with an earlier clock is judged after it."""
    market = Market()
    case = market.apply()
    objection = market.paper("neighbour", "objection", {"reason": "noise"}, case)
    market.wait(3 * DAY + HOUR)
    with pytest.raises(Problem, match="window-closed"):
        market.node.intake.submit(objection, START + DAY)
    accepted = market.node.intake.submit(signed(market), START + DAY)
    assert accepted.recorded_at == START + 3 * DAY + HOUR
    explains_itself(market.node)


def test_silence_is_recorded_before_what_comes_after_the_term() -> None:
    market = Market()
    case = market.apply(goods=[{"kind": "food"}])
    answer = market.paper("health", "health-check", {}, case, outcome="rejected")
    market.now += 30 * DAY
    assert refused_late(market, answer) == "slot-taken"
    rows = market.store.rows("SELECT act, recorded_at FROM documents ORDER BY position DESC LIMIT 1")
    assert [tuple(row) for row in rows] == [("deem", START + 32 * HOUR)]
    explains_itself(market.node)


def refused_late(market: Market, paper: bytes) -> str:
    with pytest.raises(Problem) as refusal:
        market.submit(paper)
    return refusal.value.code


# -- one batch --------------------------------------------------------------------------------------------


def test_a_refusal_in_a_batch_leaves_what_was_accepted_before_it_in_the_same_case() -> None:
    """The case was opened in this batch: when it has to be folded again, the store does not know it yet."""
    market = Market()
    area = market.paper("city", "area", {"area": "square", "seats": 2}, procedure="area")
    opened = parse(area).digest.hex()
    case = market.apply()
    market.wait(4 * DAY)
    market.do("city", "quiet-note", {"area": "square"}, case)
    taking = market.paper("city", "licence", licence(), case, outcome="approved")
    taken_back = signed(
        market,
        {},
        type="market/area",
        issuer="city",
        procedure="area",
        step="area",
        act="revoke",
        replaces=opened,
        reach="start",
        case=opened,
    )
    answers = market.node.intake.submit_all([area, taking, taken_back], market.now)
    assert [getattr(a, "code", "accepted") for a in answers] == ["accepted", "accepted", "balance-exceeded"]
    assert market.case(opened).closed_at == market.now
    explains_itself(market.node)


def test_what_a_batch_changed_before_a_refusal_in_the_same_case_is_in_the_views() -> None:
    market, scratch = Market(), Market()
    for each in (market, scratch):
        each.area(seats=1)
    opening = signed(market)
    for each in (market, scratch):
        case = each.submit(opening).case
        each.wait(4 * DAY)
    note = scratch.paper("city", "quiet-note", {"area": "square"}, case)
    scratch.submit(note)
    taking = scratch.paper("city", "licence", licence(), case, outcome="approved")
    answers = market.node.intake.submit_all([note, taking], market.now)
    assert [getattr(a, "code", "accepted") for a in answers] == ["accepted", "balance-exceeded"]
    assert contents(market.store)["waits"] == contents(scratch.store)["waits"]
    explains_itself(market.node)


def test_each_document_of_a_bundle_has_its_own_answer() -> None:
    market = Market()
    case = market.apply(sites=["a", "b"])
    papers = [
        visit(market, case, "a", "a"),
        b"noise",
        visit(market, case, "b", "a"),
        visit(market, case, "a", "a"),
        visit(market, case, "b", "b"),
    ]
    answers = market.node.intake.submit_all(papers, market.now)
    assert [getattr(a, "code", "accepted") for a in answers] == [
        *("accepted", "document-malformed", "another-site", "slot-taken", "accepted")
    ]
    explains_itself(market.node)


# -- nonsense, well signed --------------------------------------------------------------------------------

names = st.sampled_from(
    ["application", "health-check", "site-visit", "objection", "licence", "insurance", "area"]
)
digests = st.sampled_from(["main", "head", "0" * 64])
said = st.fixed_dictionaries(
    {
        "issuer": st.sampled_from(["ali", "sara", "city", "health", "traffic", "neighbour", "clock"]),
        "procedure": st.sampled_from(["licence", "area", "cover", "stall", "core/admission"]),
        "step": names,
        "type": names.map("market/{}".format),
        "act": st.sampled_from(
            ["issue", "correct", "confirm", "withdraw", "revoke", "deem", "reuse", "bless"]
        ),
    },
    optional={
        "case": digests,
        "key": st.sampled_from(["north", "*", "x"]),
        "outcome": st.sampled_from(["approved", "deficient", "rejected"]),
        "replaces": digests,
        "names": digests,
        "reach": st.sampled_from(["start", "now"]),
        "for_slot": st.tuples(digests, names, st.sampled_from(["", "north"])),
        "basis": st.lists(st.tuples(names, st.just(b"\1" * 32)), unique_by=lambda b: b[0], max_size=2),
        "valid_until_ms": st.sampled_from([START, START + DAY]),
    },
)
subjects = st.sampled_from(
    [{}, application(), application(seats=90), licence(), {"site": "north"}, {"reason": "x"}]
)


@given(st.lists(st.tuples(said, subjects), min_size=5, max_size=25))
@tries(30)
def test_whatever_is_signed_is_accepted_or_refused_and_the_record_stays_sound(
    papers: list[tuple[dict[str, Any], dict[str, Any]]],
) -> None:
    market = Market()
    market.area()
    main = market.apply(goods=[{"kind": "food"}], sites=["north"])

    def named(value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(named(each) for each in value)
        return main if value in ("main", "head") else value

    for changes, subject in papers:
        changes = {
            name: named(value) if name in ("case", "replaces", "names", "for_slot") else value
            for name, value in changes.items()
        }
        signer = CLOCK_KEY if changes["issuer"] == "clock" else key_of(changes["issuer"])
        try:
            paper = sign(claims(market, valid_from_ms=START, **changes), subject, signer, salt=salt)
            market.submit(paper, after=HOUR)
        except Problem as problem:
            assert problem.sentence("fa")
    explains_itself(market.node)


def test_after_a_write_that_failed_the_next_batch_writes_though_nothing_came(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a node on a disk that failed would say that it is ready, for an empty transaction asks nothing of the disk."""
    market.area()
    ran: list[str] = []
    run = market.store.run
    monkeypatch.setattr(market.store, "run", lambda sql, *values: (ran.append(sql), run(sql, *values))[1])

    def failing(*_: object) -> None:
        raise Problem("store-unusable", url="x", reason="read-only")

    market.node.intake.pass_time(market.now)
    assert ran == []
    with monkeypatch.context() as patch:
        patch.setattr(market.node.log, "append", failing)
        with pytest.raises(Problem):
            market.apply("ali")
    market.node.intake.pass_time(market.now)
    assert any(sql.startswith("UPDATE settings") for sql in ran)
    ran.clear()
    market.node.intake.pass_time(market.now)
    assert ran == []
