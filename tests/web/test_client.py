"""The client against a real node: what an office does with it, waiting and not waiting."""

from __future__ import annotations

import asyncio
import io
import os
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from served import Served, serving, until

from gardesh import access, register_access, wire
from gardesh.client import AsyncClient, Client, ClientCredentials, Refused, Signature, Token, Unexpected
from gardesh.client import call as calls
from gardesh.client.retrying import pause
from gardesh.exchange import case_file_check
from gardesh.model import concise_problem, cose_receipt, signed_statement
from gardesh.model.calendar import iso
from gardesh.model.cbor import encode
from gardesh.model.document import parse
from gardesh.model.entry import decode_bundle, entry_hash
from gardesh.model.policy import Group
from gardesh.model.problem import Problem
from market import DAY, Market, application, key_of, licence

pytestmark = pytest.mark.store


@pytest.fixture
def area(served: Served) -> Served:
    served.do(lambda market: market.area())
    return served


def client(served: Served, org: str, **more: Any) -> Client:
    who = Token(org, key_of(org), clock=served.seconds)
    return Client(served.url, who, policy=served.market.policy, clock=served.seconds, **more)


def issue(node: Client, org: str, step: str, subject: dict[str, Any], **more: Any) -> wire.Accepted:
    return node.issue(wire.DraftWanted(step=step, **more), subject, org, key_of(org))


def test_a_case_goes_through_its_offices_over_http(area: Served) -> None:
    with client(area, "ali") as ali, client(area, "city") as city:
        opened = issue(ali, "ali", "application", application(), procedure="market/licence")
        assert opened.case == opened.digest
        assert [c.case for c in ali.cases()] == [opened.case]
        assert ali.case(opened.case).status == "open"
        assert {w.step for w in ali.plan(opened.case).due} == {"objection"}
        assert list(city.worklist()) == []
        area.market.now += 4 * DAY
        until(lambda: [w.slot for w in city.worklist()] == ["quiet-note"])
        assert ali.why(opened.case).goal[0].state == "blocked"
        issue(city, "city", "quiet-note", {"area": "square"}, case=opened.case)
        made = issue(city, "city", "licence", licence(), case=opened.case, outcome="approved")
        assert [d.step for d in ali.documents(opened.case)] == ["application", "licence"]
        read = parse(ali.read(made.digest, "to hang it up"))
        assert read.subject == licence()
        assert [(r.reader, r.purpose) for r in city.readers(made.digest)] == [("ali", "to hang it up")]
        assert opened.case in [c.case for c in city.cases("worked")]
        assert opened.case not in [c.case for c in city.cases("opened")]
        assert ali.receipt(made.digest).startswith(b"c2sp.org/tlog-proof@v1\n")


def test_both_clients_have_the_same_methods() -> None:
    def names(kind: type) -> set[str]:
        return {n for n in vars(kind) if not n.startswith("_")}

    assert names(Client) == names(AsyncClient)


def test_the_client_that_does_not_wait(area: Served) -> None:
    async def work() -> None:
        who = Signature(key_of("ali"), clock=area.seconds)
        async with AsyncClient(area.url, who, policy=area.market.policy, clock=area.seconds) as ali:
            wanted = wire.DraftWanted(step="application", procedure="market/licence")
            opened = await ali.issue(wanted, application(), "ali", key_of("ali"))
            assert [c.case async for c in ali.cases()] == [opened.case]
            assert (await ali.case(opened.case)).opener == "ali"
            assert [d.position async for d in ali.documents(opened.case)] == [opened.position]
            assert parse(await ali.read(opened.digest, "mine")).subject == application()
            assert [r.reader async for r in ali.readers(opened.digest)] == ["ali"]
            assert [w async for w in ali.worklist()] == []
            assert (await ali.node()).size == opened.position + 1
            assert (await ali.checkpoint()).startswith(b"gardesh.example/market\n")
            sent = await ali.upload(io.BytesIO(b"plan of the stall"))
            assert sent.digest == sha256(b"plan of the stall").hexdigest()

    asyncio.run(work())


def test_a_refusal_keeps_its_code_and_both_sentences(served: Served) -> None:
    with client(served, "ali", lang="fa") as ali, pytest.raises(Refused) as caught:
        ali.submit(b"not a document")
    assert caught.value.code == "document-malformed"
    assert caught.value.details.detail == caught.value.details.sentences.fa
    assert caught.value.details.sentences.en != caught.value.details.sentences.fa


def test_a_bundle_has_receipts_that_verify(area: Served) -> None:
    market = area.market
    papers = area.do(lambda m: [m.paper(o, "application", application(o)) for o in ("ali", "sara")])
    with client(area, "ali") as ali:
        told = ali.submit_all([*papers, b"nothing"])
    assert [a.problem is None for a in told.answers] == [True, True, False]
    assert told.answers[2].problem is not None
    assert told.answers[2].problem.pointer == "/2"
    for paper, item in zip(papers, told.answers, strict=False):
        receipt = calls.receipt_of(told, item)
        assert market.policy.verify(receipt.checkpoint)
        assert item.digest == parse(paper).digest.hex()


def test_pages_follow_each_other(area: Served) -> None:
    def five(market: Market) -> None:
        for _ in range(5):
            market.wait(1000)
            market.apply()
        market.wait(4 * DAY)

    area.do(five)
    with client(area, "ali") as ali:
        whole = [c.case for c in ali.cases()]
        assert len(whole) == 5
        pieces, cursor = [], None
        while True:
            page = ali.run(calls.get("/v1/cases", wire.Cases, limit=2, cursor=cursor))
            pieces += [c.case for c in page.cases]
            if (cursor := page.next) is None:
                break
        assert pieces == whole
    with client(area, "city") as city:
        whole_work = [(w.case, w.slot) for w in city.worklist()]
        assert len(whole_work) == 5
        work, cursor = [], None
        while True:
            page_ = city.run(calls.get("/v1/worklist", wire.Worklist, limit=2, cursor=cursor))
            work += [(w.case, w.slot) for w in page_.work]
            if (cursor := page_.next) is None:
                break
        assert work == whole_work


def test_an_attachment_is_sent_in_parts_and_taken_up_again(
    area: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gardesh.client.synchronous.PART", 1000)
    data = os.urandom(4500)
    with client(area, "ali") as ali:
        upload = ali.begin_upload()
        ali.run(calls.append(upload.id, 0, data[:1700], False))
        sent = ali.upload(io.BytesIO(data), upload)
        assert (sent.digest, sent.offset) == (sha256(data).hexdigest(), 4500)
        assert sent.digest is not None
        named = wire.Attachment(sent.digest, 4500, "application/pdf", "نقشه.pdf")
        wanted = wire.DraftWanted(step="application", procedure="market/licence", attachments=[named])
        opened = ali.issue(wanted, application(), "ali", key_of("ali"))
        assert b"".join(ali.download(opened.digest, sent.digest, "look")) == data
        assert b"".join(ali.download(opened.digest, sent.digest, "look", first=4000)) == data[4000:]
        empty = ali.upload(io.BytesIO(b""))
        assert empty.digest == sha256(b"").hexdigest()


def test_what_a_draft_says_is_checked_before_it_is_signed(area: Served) -> None:
    with client(area, "ali") as ali:
        wanted = wire.DraftWanted(step="application", procedure="market/licence")
        made = ali.draft(wanted, "ali")
        for path, value in (
            (("issuer",), "urn:gardesh:org:sara"),
            (("circulation", "step"), "licence"),
            (("circulation", "procedure"), "area"),
            (("circulation", "pack"), "other@1.0.0"),
            (("circulation", "outcome"), "approved"),
            (("circulation", "case"), "0" * 64),
            (("validUntil",), "2030-01-01T00:00:00Z"),
            (("validFrom",), "1999-01-01T00:00:00Z"),
            (("id",), "urn:x"),
            (("iat",), 1),
            (("circulation", "replaces"), "0" * 64),
            (("circulation", "from"), "start"),
            (("circulation", "names"), "0" * 64),
        ):
            claims = msgspec.json.decode(msgspec.json.encode(made.claims))
            place = claims
            for name in path[:-1]:
                place = place[name]
            place[path[-1]] = value
            with pytest.raises((Unexpected, Problem)):
                calls.checked(wire.Draft(claims, None, None), wanted, "ali", area.market.now)


def test_what_is_lost_on_the_way_is_sent_again(area: Served) -> None:
    paper = area.do(lambda market: market.paper("ali", "application", application()))
    lost: list[str] = []

    class Losing(httpx.HTTPTransport):
        """The first answer to each request never comes: the request was carried out."""

        def handle_request(self, request: httpx.Request) -> httpx.Response:
            response = super().handle_request(request)
            if request.url.path not in lost:
                lost.append(request.url.path)
                response.read()
                raise httpx.ReadError("cut off")
            return response

    with Client(area.url, policy=area.market.policy, transport=Losing(), clock=area.seconds) as node:
        told = node.submit(paper)
    assert lost == ["/v1/documents"]
    assert told.digest == parse(paper).digest.hex()
    assert area.market.node.sequencer.size == told.position + 1


def test_waits_grow_and_obey_the_node() -> None:
    assert pause(0, "3") == 3
    assert pause(0, "3600") == 10
    assert all(0.05 <= pause(0, None) <= 0.1 for _ in range(50))
    assert pause(9, "soon") >= 5


def test_something_else_at_the_address_is_said(served: Served) -> None:
    with Client(served.url) as node, pytest.raises(Unexpected):
        node.run(calls.get("/healthz", wire.NodeInfo))


def test_a_token_is_asked_for_once_and_again_when_it_expires(area: Served) -> None:
    with client(area, "ali") as ali:
        for _ in range(3):
            list(ali.cases())
        assert tokens_minted(area) == 1
        area.market.now += 299_000
        list(ali.cases())
        assert tokens_minted(area) == 2


def tokens_minted(served: Served) -> int:
    return sum('"route":"/token"' in line for line in served.log.getvalue().splitlines())


def test_an_entry_of_a_public_register_as_of_an_instant(area: Served) -> None:
    area.do(lambda market: market.licensed("L-1"))
    issued = area.market.now
    with Client(area.url) as anybody:
        found = anybody.entry("market/licences", "L-1")
        sql = "SELECT digest FROM documents WHERE type = 'market/licence'"
        assert found.document == area.do(lambda market: bytes(market.store.one(sql)[0]).hex())
        assert anybody.entry("market/licences", "L-1", iso(issued)) == found
        for register, key, at, code in (
            ("market/licences", "L-1", iso(issued - 1), "no-such-entry"),
            ("market/licences", "L-2", None, "no-such-entry"),
            ("market/seats", "square", None, "no-such-entry"),
            ("market/nothing", "square", None, "no-such-register"),
            ("nothing/seats", "square", None, "no-such-register"),
            ("market/licences", "L-1", "1405-09-05", "instant-before-1900"),
        ):
            with pytest.raises(Refused) as caught:
                anybody.entry(register, key, at)
            assert caught.value.code == code
        assert found.since == iso(issued)


def test_the_entries_of_a_register_come_page_by_page(area: Served) -> None:
    for name in ("L-1", "L-3", "L-2"):
        area.do(lambda market, name=name: market.licensed(name))
    second = area.market.now
    area.do(lambda market: market.licensed("L-4"))
    with Client(area.url) as anybody:
        names = ["L-1", "L-2", "L-3", "L-4"]
        one_by_one = [anybody.entry("market/licences", name) for name in names]
        assert list(anybody.entries("market/licences")) == one_by_one
        assert [e.key for e in anybody.entries("market/licences", iso(second))] == names[:3]
        assert list(anybody.entries("market/seats")) == []
        with pytest.raises(Refused) as caught:
            list(anybody.entries("market/nothing"))
        assert caught.value.code == "no-such-register"
        assert "market/licences" in caught.value.details.sentences.fa


def test_a_page_of_a_register_costs_no_more_than_it_may(
    area: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pages end after what was looked at, also of a register that is not public, and the whole is still found."""
    with Client(area.url) as anybody:
        assert list(anybody.entries("market/licences")) == []
    for name in ("L-1", "L-2", "L-3"):
        area.do(lambda market, name=name: market.licensed(name))
    with Client(area.url) as anybody, client(area, "city") as city:
        whole = list(anybody.entries("market/licences"))
        seats = list(city.entries("market/seats"))
        assert [(e.key, e.since) for e in seats] == [("square", whole[-1].since)]
        for module in (access, register_access):
            monkeypatch.setattr(module, "LOOKED", 1)
        assert list(anybody.entries("market/licences")) == whole
        assert list(city.entries("market/seats")) == []  # more postings than are looked at


def test_a_kind_of_key_that_no_pack_has_is_refused(area: Served) -> None:
    with client(area, "ali") as ali:
        assert list(ali.search("application", "none")) == []
        with pytest.raises(Refused) as caught:
            list(ali.search("applicatiom", "none"))
    assert caught.value.code == "identifier-kind-unknown"
    told = caught.value.details.sentences
    assert "application, " in told.en
    assert "application, " in told.fa


def test_notices_come_one_by_one_and_are_acknowledged(area: Served) -> None:
    with client(area, "ali") as ali, client(area, "neighbour") as neighbour:
        first = neighbour.inbox()
        neighbour.ack(first.upto)
        assert neighbour.inbox().notices == []
        came = neighbour.notices()
        opened = issue(ali, "ali", "application", application(), procedure="market/licence")
        told = [next(came), next(came)]
        assert [(n.case, n.reason, n.slot) for n in told] == [
            (opened.case, "read", "application"), (opened.case, "act", "objection"),
        ]  # fmt: skip
        assert neighbour.ack(told[-1].id, "archive").acked == told[-1].id
        came.close()


def test_notices_as_they_come_on_an_event_loop(area: Served) -> None:
    async def work() -> list[str]:
        who = Token("neighbour", key_of("neighbour"), clock=area.seconds)
        async with AsyncClient(area.url, who) as neighbour:
            found: list[str] = []
            async for notice in neighbour.notices(after=-1):
                found.append(notice.slot)
                if len(found) == 3:
                    return found
        return found

    area.do(lambda market: market.apply())
    assert asyncio.run(work()) == ["admission", "application", "objection"]


def test_a_case_is_taken_away_as_far_as_it_may_be_read(area: Served) -> None:
    case = area.do(lambda market: market.licensed())
    with client(area, "ali") as ali, client(area, "city") as city, client(area, "sara") as sara:
        for who, org in ((ali, "ali"), (city, "city")):
            found = case_file_check.verify(who.case_file(case), area.market.policy)
            assert [p.sentence("en") for p in found.problems] == []
            assert (found.case, found.reader) == (case, org)
        assert "case file" in [r.purpose for r in ali.readers(case)]
        with pytest.raises(Refused) as caught:
            sara.case_file(case)
        assert caught.value.code == "no-such-case"


class Lying(httpx.HTTPTransport):
    """A node that answers with something else, for what `paths` name."""

    def __init__(self, **answers: Any) -> None:
        super().__init__()
        self.answers = answers
        self.asked: list[httpx.Request] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        response = super().handle_request(request)
        for part, change in self.answers.items():
            if part in request.url.path:
                response.read()
                content = change(response.content)
                return httpx.Response(
                    response.status_code, content=content, headers={"content-type": "application/json"}
                )
        return response


def test_a_receipt_of_something_else_is_not_taken(area: Served) -> None:
    first, second = area.do(lambda m: [m.paper(o, "application", application(o)) for o in ("ali", "sara")])
    with Client(area.url, policy=area.market.policy) as node:
        other = msgspec.json.encode(node.submit(first))
    with (
        Client(area.url, policy=area.market.policy, transport=Lying(documents=lambda _: other)) as node,
        pytest.raises(Unexpected),
    ):
        node.submit(second)

    def moved(raw: bytes) -> bytes:
        return msgspec.json.encode({**msgspec.json.decode(raw), "position": 999})

    with (
        Client(area.url, policy=area.market.policy, transport=Lying(documents=moved)) as node,
        pytest.raises(Unexpected),
    ):
        node.submit(second)

    def swapped(raw: bytes) -> bytes:
        told = msgspec.json.decode(raw)
        return msgspec.json.encode({**told, "answers": told["answers"][::-1]})

    with (
        Client(area.url, policy=area.market.policy, transport=Lying(bundle=swapped)) as node,
        pytest.raises(Unexpected),
    ):
        node.submit_all([first, second])
    digest = parse(first).digest.hex()
    with Client(area.url, Token("ali", key_of("ali"), clock=area.seconds), policy=area.market.policy,
                transport=Lying(receipt=lambda _: b"rubbish", **{digest: lambda _: second})) as node:  # fmt: skip
        with pytest.raises(Problem):
            node.receipt(digest)
        with pytest.raises(Unexpected):
            node.read(digest, "look")


def test_an_upload_that_becomes_something_else_is_not_taken(area: Served) -> None:
    def other(raw: bytes) -> bytes:
        told = msgspec.json.decode(raw)
        return msgspec.json.encode({**told, "digest": "e" * 64 if told["digest"] else None})

    who = Token("ali", key_of("ali"), clock=area.seconds)
    with Client(area.url, who, transport=Lying(uploads=other)) as node, pytest.raises(Unexpected):
        node.upload(io.BytesIO(b"hello"))


def test_what_is_no_private_key_is_told_at_once(tmp_path: Path) -> None:
    key = key_of("ali")
    assert Signature(key).key is key
    wrong: list[Any] = ["city", b"city", tmp_path, key.public, {"kty": "EC"}, None]
    for given in wrong:
        with pytest.raises(TypeError, match=f"a private key of gardesh .*, not {type(given).__name__}"):
            Signature(given)
        with pytest.raises(TypeError, match="Token takes a private key"):
            Token("city", given)
        if given is not None:
            with pytest.raises(TypeError, match="ClientCredentials takes a private key"):
                ClientCredentials("https://authority.example/token", "city", key=given)
    with pytest.raises(TypeError, match="not str"):
        Signature("city", key)  # type: ignore[arg-type]


def test_an_upload_is_cancelled(area: Served) -> None:
    with client(area, "ali") as ali:
        upload = ali.begin_upload()
        ali.run(calls.append(upload.id, 0, b"a part", False))
        ali.cancel_upload(upload)
        for gone in (ali.cancel_upload, lambda u: ali.upload(io.BytesIO(b"a part of it"), u)):
            with pytest.raises((Refused, Unexpected)):
                gone(upload)


class LosingDeletes(httpx.HTTPTransport):
    """The first answer to a removal never comes: it was carried out."""

    lost = False

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = super().handle_request(request)
        if request.method == "DELETE" and not self.lost:
            self.lost = True
            response.read()
            raise httpx.ReadError("cut off")
        return response


def test_a_removal_whose_answer_was_lost_is_a_removal(area: Served) -> None:
    with client(area, "ali", transport=LosingDeletes()) as ali:
        ali.cancel_upload(ali.begin_upload())
        with pytest.raises(Refused) as caught:
            ali.cancel_upload(wire.Upload("0" * 32, 0, None))
        assert caught.value.status == 404


@pytest.fixture
def hooked(tmp_path: Path) -> Iterator[Served]:
    """A market whose node may send to this machine, where nobody takes anything."""
    market = Market()
    market.area()
    allowed = '[webhooks]\nallow_http = true\nallow_networks = ["127.0.0.0/8"]\n[limits]\nrate = 0\n'
    with serving(market, tmp_path, allowed) as served:
        yield served


def test_webhooks_are_made_sent_to_and_removed(hooked: Served) -> None:
    with client(hooked, "neighbour") as neighbour:
        before = neighbour.inbox().upto
        made = neighbour.make_webhook("http://127.0.0.1:9/hook", ["member"])
        assert made.secret.startswith("whsec_")
        assert [(h.id, h.roles, h.state) for h in neighbour.webhooks()] == [(made.id, ["member"], "active")]
        assert list(neighbour.deliveries(made.id)) == []
        sent = neighbour.resume_webhook(made.id, -1)
        assert sent.acked < before
        until(lambda: [d.outcome for d in neighbour.deliveries(made.id)] == ["failed"])
        assert neighbour.resume_webhook(made.id).state == "active"
        neighbour.remove_webhook(made.id)
        assert neighbour.webhooks() == []
        for gone in (
            neighbour.remove_webhook,
            neighbour.resume_webhook,
            lambda w: list(neighbour.deliveries(w)),
        ):
            with pytest.raises(Refused) as caught:
                gone(made.id)
            assert caught.value.status == 404


def test_webhooks_on_an_event_loop(hooked: Served) -> None:
    async def work() -> None:
        who = Token("neighbour", key_of("neighbour"), clock=hooked.seconds)
        async with AsyncClient(hooked.url, who) as neighbour:
            made = await neighbour.make_webhook("http://127.0.0.1:9/hook")
            assert [h.id for h in await neighbour.webhooks()] == [made.id]
            assert (await neighbour.resume_webhook(made.id)).id == made.id
            assert [d async for d in neighbour.deliveries(made.id)] == []
            await neighbour.remove_webhook(made.id)
            assert await neighbour.webhooks() == []
            upload = await neighbour.begin_upload()
            await neighbour.cancel_upload(upload)
            with pytest.raises(Refused):
                await neighbour.cancel_upload(upload)

    asyncio.run(work())


def test_the_log_is_read_tile_by_tile(area: Served) -> None:
    with Client(area.url) as anybody:
        head = area.market.policy.verify(anybody.checkpoint()).head
        hashes = anybody.tile(0, 0, head.size)
        entries = decode_bundle(anybody.entry_bundle(0, head.size))
        assert hashes == b"".join(entry_hash(e.digest, e.recorded_at) for e in entries)
        for beyond in (lambda: anybody.tile(0, 0), lambda: anybody.entry_bundle(1)):
            with pytest.raises(Refused) as caught:
                beyond()
            assert caught.value.code == "tile-path-unknown"

    async def work() -> bytes:
        async with AsyncClient(area.url) as anybody:
            assert await anybody.entry_bundle(0, 1)
            return await anybody.tile(0, 0, head.size)

    assert asyncio.run(work()) == hashes


def test_a_statement_is_registered_and_its_receipt_verified(area: Served) -> None:
    first, second = area.do(lambda m: [m.paper(o, "application", application(o)) for o in ("ali", "sara")])
    made = signed_statement.make(first, key_of("ali"))
    other = signed_statement.make(second, key_of("sara"))
    with Client(area.url, policy=area.market.policy) as node:
        receipt = node.register_statement(made.encode())
        proven = cose_receipt.verify_by(receipt, made.document.digest, area.market.policy)
        assert area.do(lambda m: m.node.sequencer.size) == proven.position + 1
        with pytest.raises(Refused) as caught:
            node.register_statement(b"nothing")
        assert caught.value.code.startswith("cbor-")
        assert caught.value.status == 400
        assert caught.value.details.sentences.fa != caught.value.details.sentences.en
    with (
        Client(area.url, policy=area.market.policy, transport=Lying(entries=lambda _: receipt)) as node,
        pytest.raises(Problem) as of_another,
    ):
        node.register_statement(other.encode())
    assert of_another.value.code == "cose-receipt-of-another-document"

    witnessed = replace(area.market.policy, quorum=Group("some", 0, ()))
    with Client(area.url, policy=witnessed) as node, pytest.raises(Problem) as unwitnessed:
        node.register_statement(made.encode())
    assert unwitnessed.value.code == "cose-receipt-unwitnessed"

    async def work() -> bytes:
        async with AsyncClient(area.url, policy=area.market.policy) as node:
            return await node.register_statement(made.encode())

    assert cose_receipt.verify_by(asyncio.run(work()), made.document.digest, area.market.policy) == proven


def test_a_concise_problem_that_no_node_writes_is_not_read() -> None:
    for told in ([], {}, {-2: "no", "urn:gardesh:problem": {"code": "x"}}, {"urn:gardesh:problem": 1}):
        kind = {"content-type": concise_problem.MEDIA_TYPE}
        request = httpx.Request("POST", "https://node.example/entries")
        answer = httpx.Response(400, content=encode(told), headers=kind, request=request)
        assert isinstance(calls.problem_of(answer), Unexpected)


def test_pages_that_lead_in_a_circle_end(area: Served) -> None:
    def circle(_: bytes) -> bytes:
        return b'{"cases": [], "next": "WzFd"}'

    who = Token("ali", key_of("ali"), clock=area.seconds)
    with Client(area.url, who, transport=Lying(cases=circle)) as node, pytest.raises(Unexpected):
        list(node.cases())


def test_a_token_goes_to_the_node_that_gave_it_alone(area: Served, tmp_path: Path) -> None:
    who = Token("ali", key_of("ali"), clock=area.seconds)
    with Client(area.url, who) as first:
        list(first.cases())
    with serving(Market(), tmp_path) as other:
        seen = Lying()
        with Client(other.url, who, transport=seen) as second:
            list(second.cases())
        mine = {v[0] for v in who._held.values()}
        assert len(mine) == 2
        assert [r.url.path for r in seen.asked] == ["/token", "/v1/cases"]


def test_a_token_that_is_refused_says_why(area: Served) -> None:
    who = Token("ali", key_of("ali"), roles=["market-office"], clock=area.seconds)
    with Client(area.url, who) as node, pytest.raises(Refused) as caught:
        list(node.cases())
    assert caught.value.code == "scope-too-wide"


def test_a_decision_without_an_outcome_is_not_drafted(area: Served) -> None:
    case = area.do(lambda market: market.apply(goods=[{"kind": "food"}]))
    with client(area, "health") as health:
        for outcome in (None, "perhaps"):
            wanted = wire.DraftWanted(step="health-check", case=case, outcome=outcome)
            with pytest.raises(Refused) as caught:
                health.draft(wanted, "health")
            assert (caught.value.code, caught.value.details.pointer) == ("wrong-outcome", "/outcome")
        with pytest.raises(Refused) as caught:
            health.draft(wire.DraftWanted(step="application", procedure="market/nothing"), "health")
        assert caught.value.code == "no-such-procedure"
