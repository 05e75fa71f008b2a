"""A case lives on the node that opened it; what closes it counts on another by its proofs (semantics, rule 16)."""

from __future__ import annotations

from pathlib import Path

import pytest

from gardesh.access import Access
from gardesh.exchange.case_file_check import verify
from gardesh.exchange.case_file_selection import export
from gardesh.exchange.evidence import check
from gardesh.inbox import Inbox
from gardesh.model.document import parse
from gardesh.model.problem import Problem
from gardesh.record.blobs import Blobs
from gardesh.record.views import Views
from market import DAY, HOUR, explains_itself, key_of
from two_nodes import ABROAD, HOME, Two, node, recognition

pytestmark = pytest.mark.store


def why_not(two: Two, data: bytes) -> str:
    with pytest.raises(Problem) as found:
        two.bring(data)
    return found.value.code


def test_a_document_of_another_node_fills_the_slot_that_asked_for_it() -> None:
    two = Two()
    assert two.state() == "due"
    asked = two.ask()
    two.wait(HOUR)
    answer = two.answered(asked)
    made = two.bring(two.file(asked))
    assert two.state() == "issued"
    mirror = parse(Views(two.home.store, two.home.node.library).document(made.digest.hex())[3])
    assert (mirror.act, mirror.names, mirror.issuer) == ("mirror", answer.digest.hex(), "clock")
    assert mirror.subject == {"who": "ali", "amount": 3, "list": ["secret"]}
    assert mirror.origin is not None
    assert (mirror.origin.log, mirror.origin.case, mirror.origin.issuer) == (ABROAD, asked, "health")
    two.home.do("city", "grant", {"who": "ali"}, two.case)
    assert two.home.case(two.case).closed_at is not None
    explains_itself(two.home.node)
    explains_itself(two.abroad.node)


@pytest.mark.parametrize("forget", [False, True])
def test_what_changes_there_changes_here(forget: bool) -> None:
    two = Two()
    asked = two.ask()

    def bring() -> str:
        two.bring(two.file(asked))
        if forget:
            two.home.node.sequencer.cases.live.clear()
            two.abroad.node.sequencer.cases.live.clear()
        return two.state()

    assert bring() == "due"  # opened there, and no answer yet
    two.answered(asked, outcome="deficient", deficiencies=[
        {"step": "ask", "field": "/amount", "reason": {"fa": "کم", "en": "too few"}}
    ])  # fmt: skip
    assert bring() == "returned"
    two.abroad.do("ali", "ask", {"who": "ali", "amount": 5}, asked, act="correct")
    assert bring() == "doubtful"  # what was said rests on what was corrected
    two.abroad.do("neighbour", "check", {"who": "ali"}, asked, act="correct")
    two.answer(asked, 5, act="correct")
    assert bring() == "issued"
    two.home.do("city", "grant", {"who": "ali"}, two.case)
    two.abroad.do("neighbour", "check", {}, asked, act="revoke", reach="start")
    assert bring() == "doubtful"
    two.abroad.do("neighbour", "check", {"who": "ali"}, asked)
    assert bring() == "issued"
    two.abroad.do("health", "answer", {}, asked, act="revoke", reach="start")
    assert bring() == "due"
    explains_itself(two.home.node)
    explains_itself(two.abroad.node)


def test_nothing_is_reported_twice_and_nothing_is_mirrored_twice() -> None:
    two = Two()
    asked = two.ask()
    two.answered(asked)
    first, size = two.bring(two.file(asked)), two.home.node.sequencer.size
    again = two.bring(two.whole(asked))
    assert (again.position, two.home.node.sequencer.size) == (first.position, size)
    papers = Views(two.abroad.store, two.abroad.node.library).documents(asked)
    assert [p["act"] for p in papers] == ["issue", "report", "issue", "issue", "report"]


def test_an_older_file_takes_nothing_back() -> None:
    two = Two()
    asked = two.ask()
    two.answered(asked)
    old = two.file(asked)
    two.abroad.do("health", "answer", {}, asked, act="revoke", reach="start")
    made = two.bring(two.file(asked))
    assert two.state() == "due"
    assert two.bring(old).position == made.position
    assert two.state() == "due"


def test_a_case_withdrawn_there_lets_another_be_opened() -> None:
    two = Two()
    first = two.ask()
    two.bring(two.file(first))
    second = two.ask()
    assert why_not(two, two.file(second)) == "not-asked"
    two.abroad.do("ali", "ask", {}, first, act="withdraw")
    two.bring(two.file(first))
    two.answered(second)
    two.bring(two.file(second))
    assert two.state() == "issued"
    explains_itself(two.home.node)


def test_a_case_that_has_ended_there_is_not_followed_again() -> None:
    two = Two()
    asked = two.ask()
    old = two.file(asked)
    two.bring(old)
    two.abroad.do("ali", "ask", {}, asked, act="withdraw")
    ended = two.file(asked)
    made, size = two.bring(ended), two.home.node.sequencer.size
    for forget in (False, True):
        for data in (old, ended):
            if forget:
                two.home.node.sequencer.cases.live.clear()
            assert two.bring(data).position == made.position
            assert (two.state(), two.home.node.sequencer.size) == ("due", size)
    explains_itself(two.home.node)


def test_one_case_at_a_time_fills_a_slot_wherever_it_lives() -> None:
    two = Two()
    here = two.home.do("ali", "ask", {"who": "ali"}, procedure="permit", for_slot=(two.case, "permit", ""))
    there = two.ask()
    assert why_not(two, two.file(there)) == "not-asked"
    two.home.do("ali", "ask", {}, here, act="withdraw")
    two.bring(two.file(there))
    with pytest.raises(Problem, match="not-asked"):
        two.home.do("ali", "ask", {"who": "ali"}, procedure="permit", for_slot=(two.case, "permit", ""))
    explains_itself(two.home.node)


def test_an_office_here_reads_what_its_step_needs_and_no_more() -> None:
    two = Two()
    asked = two.ask()
    two.answered(asked)
    made = two.bring(two.file(asked))
    node, name = two.home.node, made.digest.hex()
    shown, right = node.read("city", name, "grant", two.home.now)
    assert (right, shown.subject) == (("amount",), {"amount": 3})
    assert node.read("ali", name, "mine", two.home.now)[1] == "all"
    with pytest.raises(Problem, match="not-readable"):
        node.read("traffic", name, "curious", two.home.now)


def test_the_node_that_asked_reads_what_opens_and_what_closes_the_case_and_is_told_of_each_report() -> None:
    two = Two()
    two.abroad.submit(two.abroad.admission("abroad", ()))
    asked = two.ask()
    two.answered(asked)
    access = Access(two.abroad.node, "abroad", two.abroad.now)
    told = [n for n in Inbox(access).page(-1).notices if n["case"] == asked]
    assert [(n["reason"], n["slot"], n["type"]) for n in told] == [("read", "answer", "tiny/answer")] * 2
    papers = [d["step"] for d in access.documents(asked, -1, 50)[0]]
    assert papers == [
        "ask",
        "answer",
        "answer",
        "answer",
    ]  # opened, reported, answered, reported; not the check
    found = verify(two.file(asked, "abroad"))
    assert found.whole
    assert (found.reader, len(found.unshown)) == ("abroad", 1)
    two.bring(two.file(asked, "abroad"))
    assert two.state() == "issued"


def test_what_proves_it_is_kept_with_the_mirror_and_shows_no_more(tmp_path: Path) -> None:
    two = Two(Blobs(tmp_path))
    asked = two.ask()
    answer = two.answered(asked)
    made = two.bring(two.whole(asked))
    name = made.digest.hex()
    paper = parse(Views(two.home.store, two.home.node.library).document(name)[3])
    (kept,) = paper.attachments
    digest = bytes.fromhex(kept["id"].rpartition(":")[2])
    proof = b"".join(two.home.node.attachment("ali", name, digest, "proof", two.home.now))
    found = verify(proof, two.abroad.policy)
    assert (found.problems, found.reader) == ([], "abroad")
    shown = [(p.paper.step, p.paper.act, p.paper.subject) for p in found.parts if p.folder == "documents"]
    assert shown == [("ask", "issue", {}), ("answer", "issue", paper.subject), ("answer", "report", {})]
    assert len(found.unshown) == 2  # the check, and the first report
    assert two.bring(proof).position == made.position
    assert answer.digest.hex() == paper.names
    home = export(two.home.node, two.case)
    assert verify(home, two.home.policy).problems == []
    with pytest.raises(Problem, match="not-readable"):
        b"".join(two.home.node.attachment("city", name, digest, "proof", two.home.now))


# -- what is refused ------------------------------------------------------------------------------------------


def test_a_node_that_is_not_recognised_proves_nothing() -> None:
    two = Two()
    asked = two.ask()
    two.answered(asked)
    other = node(HOME)
    with pytest.raises(Problem, match="node-unknown"):
        check(other.node, two.file(asked), other.now)


def test_nor_is_a_case_opened_for_a_node_that_is_not_recognised() -> None:
    two = Two()
    with pytest.raises(Problem, match="node-unknown"):
        two.ask(log="stranger.example/log")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"procedures": []}, "node-procedure"),
        ({"genesis": "0" * 64}, "evidence-another-node"),
        ({"keys": [s.verifier.vkey() for s in node(HOME).node.log.signers]}, "checkpoint-"),
    ],
)
def test_what_the_register_says_of_the_node_decides(changes: dict[str, object], code: str) -> None:
    two = Two(**changes)
    asked = two.ask()
    two.answered(asked)
    assert why_not(two, two.file(asked)).startswith(code)


def test_a_recognition_that_was_taken_back_counts_no_more() -> None:
    two = Two()
    asked = two.ask()
    two.answered(asked)
    two.home.submit(recognition(two.home, two.abroad, procedures=[]))
    assert why_not(two, two.file(asked)) == "node-procedure"


def test_who_may_not_fill_the_slot_here_does_not_fill_it_from_there() -> None:
    two = Two()
    asked = two.ask("sara")
    two.answered(asked)
    assert why_not(two, two.file(asked, "sara")) == "not-asked"


def test_an_organisation_of_the_same_name_is_not_the_same() -> None:
    """Who opened the case there is known here by the key, not by the name that the other node gives it."""
    two = Two()
    two.home.submit(two.home.core("key-revocation", {"kid": key_of("ali").kid, "reason": "lost"}))
    asked = two.ask()
    two.answered(asked)
    assert why_not(two, two.file(asked)) == "not-asked"


def test_a_report_for_another_case_or_another_node_fills_nothing() -> None:
    two = Two()
    assert why_not(two, two.file(two.ask(case="ab" * 32))) == "no-such-case"
    assert why_not(two, two.file(two.ask(step="grant"))) == "not-asked"
    third = node("third.example/log")
    two.abroad.submit(recognition(two.abroad, third))
    assert why_not(two, two.file(two.ask(log="third.example/log"))) == "evidence-no-report"
    own = two.abroad.do("ali", "ask", {"who": "ali"}, procedure="permit")
    assert why_not(two, two.file(own)) == "evidence-no-report"


def test_what_is_shown_in_part_does_not_close_the_case_here() -> None:
    two = Two()
    asked = two.ask()
    two.answered(asked)
    assert why_not(two, two.file(asked, "neighbour")) in (
        "evidence-no-report",
        "evidence-closing",
        "evidence-opening",
    )


def test_a_clock_that_runs_ahead_and_one_that_is_put_back_are_found() -> None:
    ahead = Two()
    ahead.abroad.now += DAY
    asked = ahead.ask()
    ahead.answered(asked)
    assert why_not(ahead, ahead.file(asked)) == "evidence-ahead"
    ahead.home.wait(DAY)
    assert ahead.bring(ahead.file(asked)).position > 0
    back = Two()
    back.home.now += DAY
    case = back.home.do("ali", "request", {"who": "ali"}, procedure="trade")
    asked = back.ask(case=case)
    assert why_not(back, back.file(asked)) == "evidence-backdated"


def test_every_flipped_bit_is_found(tmp_path: Path) -> None:
    two = Two()
    asked = two.ask()
    two.answered(asked)
    data = two.file(asked)
    size = two.home.node.sequencer.size
    for n in range(0, len(data), max(1, len(data) // 150)):
        broken = bytearray(data)
        broken[n] ^= 1 << (n % 8)
        with pytest.raises(Problem):
            two.bring(bytes(broken))
    assert two.home.node.sequencer.size == size


def test_nobody_but_the_clock_mirrors_and_reports() -> None:
    two = Two()
    for act in ("mirror", "report"):
        with pytest.raises(Problem, match="not-allowed"):
            two.home.do("ali", "request", {}, two.case, act=act)
