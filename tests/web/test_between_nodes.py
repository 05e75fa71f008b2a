"""Two served nodes: evidence that is brought, nodes that are followed and monitored, documents that are sent on."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from served import serving, until
from two_served import ALONE, QUICK, Pair

from gardesh import wire
from gardesh.client import Client, Signature
from gardesh.client.asynchronous import AsyncClient
from gardesh.client.call import Refused, Unexpected
from gardesh.exchange.witness import Witness
from gardesh.exchange.witness_server import WitnessServer
from gardesh.model.policy import Policy
from gardesh.model.policy_file import parse
from gardesh.model.problem import Problem
from gardesh.model.receipt import parse as receipt_of
from gardesh.web.awaiting import LONGEST, Awaiting
from gardesh.web.peers import Bounded
from growing import cosigners
from market import DAY, Market, key_of
from serving import serving as serving_asgi
from two_nodes import ABROAD, HOME, node, recognition

pytestmark = pytest.mark.store
WITNESS = "witness.example/state"


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as made:
        yield made


# -- evidence -----------------------------------------------------------------------------------------------


def test_whoever_has_the_case_file_brings_it(stack: ExitStack, tmp_path: Path) -> None:
    pair = Pair(stack, tmp_path)
    asked = pair.ask()
    pair.answer(asked)
    data = pair.file(asked)
    first = pair.bring("ali", data)
    assert first.status_code == 201, first.text
    assert pair.state() == "issued"
    assert first.headers["location"] == f"/v1/documents/{first.json()['digest']}"
    assert pair.bring("sara", data).json()["position"] == first.json()["position"]
    with Client(pair.home.url, Signature(key_of("ali"), pair.home.seconds)) as ali:
        assert ali.bring(data).case == pair.case


def test_nothing_is_taken_of_nobody_and_nothing_that_proves_nothing(stack: ExitStack, tmp_path: Path) -> None:
    pair = Pair(stack, tmp_path, home=ALONE + "evidence_bytes = 100000\n")
    asked = pair.ask()
    data = pair.file(asked)
    kind = {"content-type": "application/zip"}
    assert pair.home.nobody.post("/v1/evidence", content=data, headers=kind).status_code == 401
    assert pair.bring("ali", data, **{"content-type": "text/plain"}).json()["code"] == "media-type-unknown"
    assert pair.bring("ali", b"PK").status_code == 422
    assert pair.bring("ali", b"x" * 100_001).json()["code"] == "body-too-large"
    for place in range(0, len(data), len(data) // 40):
        damaged = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
        assert pair.bring("ali", damaged).status_code in (400, 403, 409, 422), place
    assert pair.state() == "due"
    assert pair.bring("ali", data).status_code == 201


def test_a_refusal_tells_nothing_of_a_case_to_who_has_no_part_in_it(stack: ExitStack, tmp_path: Path) -> None:
    pair = Pair(stack, tmp_path)
    slot = (pair.case, "grant", "", HOME)  # a slot that follows nothing
    asked = pair.abroad.do(lambda m: m.do("ali", "ask", {"who": "ali"}, procedure="permit", for_slot=slot))
    data = pair.file(asked)
    assert pair.bring("ali", data).json()["code"] == "not-asked"
    told = pair.bring("axa", data)
    assert (told.status_code, told.json()["code"]) == (404, "no-such-case")


# -- following ----------------------------------------------------------------------------------------------


def test_a_node_is_followed_and_what_changes_there_changes_here(stack: ExitStack, tmp_path: Path) -> None:
    pair = Pair(stack, tmp_path, home=QUICK)
    asked = pair.ask()
    pair.answer(asked)
    until(lambda: pair.state() == "issued")
    pair.abroad.do(lambda m: m.do("health", "answer", {}, asked, act="revoke", reach="start"))
    until(lambda: pair.state() == "due")
    assert pair.home.nobody.get("/metrics").text.count('gardesh_evidence_total{outcome="taken"}') == 1


def test_what_is_not_asked_for_yet_is_taken_when_it_is(stack: ExitStack, tmp_path: Path) -> None:
    pair = Pair(stack, tmp_path, home=QUICK)
    own = pair.home.do(
        lambda m: m.do("ali", "ask", {"who": "ali"}, procedure="permit", for_slot=(pair.case, "permit", ""))
    )
    asked = pair.ask()
    pair.answer(asked)
    until(lambda: '"evidence-refused"' in pair.home.log.getvalue())
    assert pair.state() != "issued"
    pair.home.do(lambda m: m.do("ali", "ask", {}, own, act="withdraw"))
    pair.home.market.now += DAY // 24  # by the clock there, what this node asks now is signed too late
    until(lambda: '"http-signature-stale"' in pair.home.log.getvalue())
    pair.abroad.market.now += DAY // 24
    until(lambda: pair.state() == "issued")


@pytest.mark.parametrize("status", [401, 429, 503])
def test_a_node_that_cannot_answer_now_says_nothing_of_the_case(
    stack: ExitStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    """The clock of this node stands: a case that counted as refused would wait for it to go on."""
    texts = wire.Texts(fa="", en="")
    details = wire.ProblemDetails("", status, "not-now", "", texts)
    refusals = [Refused(details), Refused(details)]
    case_file = AsyncClient.case_file

    async def busy(client: AsyncClient, case: str) -> bytes:
        if refusals:
            raise refusals.pop()
        return await case_file(client, case)

    monkeypatch.setattr(AsyncClient, "case_file", busy)
    pair = Pair(stack, tmp_path, home=QUICK)
    pair.answer(pair.ask())
    until(lambda: pair.state() == "issued", 10)
    assert '"not-now"' in pair.home.log.getvalue()
    assert not refusals


def test_a_node_that_is_away_is_said_and_followed_when_it_is_back(stack: ExitStack, tmp_path: Path) -> None:
    pair = Pair(stack, tmp_path, home=QUICK)
    until(lambda: '"followed"' in pair.home.log.getvalue())
    there = pair.abroad.market

    def at(url: str) -> None:
        pair.home.do(lambda m: m.submit(recognition(m, there, url=url, known_as="province")))

    at("http://127.0.0.1:1")
    until(lambda: '"log-file-unavailable"' in pair.home.log.getvalue())
    pair.answer(pair.ask())
    assert pair.state() == "due"
    at(pair.abroad.url)
    until(lambda: pair.state() == "issued")


def test_a_node_that_never_answers_holds_up_no_other(stack: ExitStack, tmp_path: Path) -> None:
    silent = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    slow = QUICK.replace("every_seconds", "timeout_seconds = 120\nevery_seconds")
    pair = Pair(stack, tmp_path, home=slow)
    third = node("third.example/log")
    url = f"http://127.0.0.1:{silent.getsockname()[1]}"
    pair.home.do(lambda m: m.submit(recognition(m, third, url=url, known_as="province")))
    held, _ = silent.accept()  # it is being asked
    try:
        pair.answer(pair.ask())
        until(lambda: pair.state() == "issued")
    finally:
        silent.close()
        held.close()


# -- witnesses ----------------------------------------------------------------------------------------------


def test_what_is_not_witnessed_does_not_count_until_it_is(stack: ExitStack, tmp_path: Path) -> None:
    Witness.create(tmp_path / "witness.sqlite", WITNESS, [c.verifier for c in cosigners(WITNESS)])
    witness = Witness(tmp_path / "witness.sqlite", cosigners(WITNESS))
    stack.callback(witness.close)
    url = stack.enter_context(serving_asgi(WitnessServer(witness)))
    line = f"witness state {cosigners(WITNESS)[0].verifier.vkey()}"
    (tmp_path / "abroad").mkdir()
    (tmp_path / "abroad" / "policy").write_text(f"{line} {url}\nquorum state\n")
    witnessed = '[witnesses]\npolicy = "policy"\nevery_seconds = 0.05\n'
    needed = f"{line}\nquorum state\n"
    pair = Pair(stack, tmp_path, home=QUICK, abroad=ALONE + witnessed, witnesses=needed)
    keys = [s.verifier for s in pair.abroad.market.node.log.signers]
    asked = pair.ask()
    pair.answer(asked)
    assert pair.bring("ali", pair.file(asked)).json()["code"] == "checkpoint-quorum-missing"
    until(lambda: '"checkpoint-quorum-missing"' in pair.home.log.getvalue())
    until(lambda: '"state":"witness-refused"' in pair.abroad.log.getvalue())
    assert pair.state() == "due"
    witness.add_log(keys)
    until(lambda: pair.state() == "issued")
    shown = pair.abroad.nobody.get("/log/checkpoint").content
    assert parse(needed.encode()).for_log(ABROAD, keys).verify(shown).witnessed
    receipt = pair.abroad.by("ali").get(f"/v1/documents/{asked}/receipt").content
    assert parse(needed.encode()).for_log(ABROAD, keys).verify(receipt_of(receipt).checkpoint).witnessed


@pytest.mark.parametrize(
    ("text", "said"),
    [(None, "No such file"), ("witness\n", "policy"), ("quorum none\n", "no address for any witness")],
)
def test_a_policy_that_cannot_be_used_is_said_at_the_start(
    stack: ExitStack, tmp_path: Path, text: str | None, said: str
) -> None:
    if text is not None:
        (tmp_path / "policy").write_text(text)
    market = Market()
    with pytest.raises(Problem) as found:
        stack.enter_context(serving(market, tmp_path, '[witnesses]\npolicy = "policy"\n'))
    assert found.value.code == "witness-policy-wrong"
    assert found.value.params["file"] == str(tmp_path / "policy")
    assert said in found.value.sentence("en")


# -- relay --------------------------------------------------------------------------------------------------


def relayed(pair: Pair, paper: bytes, log: str = ABROAD) -> Any:
    with Client(pair.home.url, Signature(key_of("ali"), pair.home.seconds)) as ali:
        return ali.relay(paper, log, policy=keys_of(pair.abroad.market))


def keys_of(market: Market) -> Policy:
    keys = [s.verifier for s in market.node.log.signers]
    return Policy.of_log(keys[0].name, keys)


def paper_for(pair: Pair, **more: Any) -> bytes:
    slot = (pair.case, "permit", "", HOME)
    subject = {"who": "ali", "amount": 3}
    return bytes(
        pair.abroad.do(lambda m: m.paper("ali", "ask", subject, procedure="permit", for_slot=slot, **more))
    )


def test_a_document_is_sent_on_to_the_node_where_its_case_lives(stack: ExitStack, tmp_path: Path) -> None:
    pair = Pair(stack, tmp_path)
    paper = paper_for(pair)
    made = relayed(pair, paper)
    assert relayed(pair, paper).position == made.position
    assert pair.abroad.do(lambda m: m.case(made.case).opener) == "ali"
    with pytest.raises(Refused) as refused:
        relayed(pair, paper_for(pair, signer=key_of("sara")))
    assert refused.value.code == "issuer-not-signer" or refused.value.status in (401, 403, 422)
    with pytest.raises(Refused, match="node-unknown"):
        relayed(pair, paper, "nobody.example/log")
    told = pair.home.nobody.post(f"/v1/relay?log={ABROAD}", content=paper)
    assert told.status_code == 401


def test_a_node_that_is_silent_and_one_that_may_not_be_sent_to_are_said(
    stack: ExitStack, tmp_path: Path
) -> None:
    pair = Pair(stack, tmp_path, home="[limits]\nrate = 0\n")
    paper = paper_for(pair)
    with pytest.raises(Refused, match="not-relayed"):
        relayed(pair, paper)
    other = Pair(stack, tmp_path / "second", home=ALONE)
    paper = paper_for(other)
    other.home.do(
        lambda m: m.submit(recognition(m, other.abroad.market, url="http://127.0.0.1:1", known_as="province"))
    )
    with pytest.raises(Refused, match="node-silent"):
        relayed(other, paper)


# -- what is remembered, and what is not believed -----------------------------------------------------------


def test_what_was_refused_is_tried_again_further_and_further_apart_and_survives(tmp_path: Path) -> None:
    file = tmp_path / "waiting.json"
    waiting = Awaiting(file)
    assert waiting.refused("a", "not-asked", 0)
    assert not waiting.refused("a", "not-asked", 0)
    assert waiting.refused("b", "not-asked", 0)
    waiting.keep()
    waiting = Awaiting(file)
    assert waiting.due(1999, 9) == []
    assert waiting.due(2000, 9) == ["b"]
    assert waiting.due(4000, 9) == ["b", "a"]
    assert waiting.due(4000, 1) == ["b"]
    assert waiting.refused("a", "evidence-pack", 0)
    for _ in range(60):
        waiting.refused("a", "evidence-pack", 0)
    assert waiting.due(LONGEST, 9) == ["b", "a"]
    waiting.done("b")
    waiting.keep()
    assert list(Awaiting(file).cases) == ["a"]
    file.write_bytes(b"{")
    assert Awaiting(file).cases == {}


def test_what_was_tried_most_often_is_let_go_when_too_many_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gardesh.web.awaiting.MOST", 2)
    waiting = Awaiting(tmp_path / "waiting.json")
    for case in ("a", "a", "b", "c"):
        waiting.refused(case, "not-asked", 0)
    assert sorted(waiting.cases) == ["b", "c"]


@pytest.mark.parametrize("headers", [{}, {"content-encoding": "gzip"}])
def test_an_answer_of_another_node_has_an_end(headers: dict[str, str]) -> None:
    async def endless(scope: Any, receive: Any, send: Any) -> None:
        made = [(k.encode(), v.encode()) for k, v in headers.items()]
        await send({"type": "http.response.start", "status": 200, "headers": made})
        with suppress(Exception):
            for _ in range(64):
                await send({"type": "http.response.body", "body": bytes(65_536), "more_body": True})

    async def ask(url: str) -> None:
        bounded = Bounded(httpx.AsyncHTTPTransport(), 1 << 20)
        async with AsyncClient(url, transport=bounded) as there:
            await there.case_file("a")

    with serving_asgi(endless) as url, pytest.raises(Unexpected, match="an answer that"):
        asyncio.run(ask(url))
