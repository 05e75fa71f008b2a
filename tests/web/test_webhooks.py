"""Webhooks: sent in order, signed, tried again, given up, sent on; and never to where they may not go."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from served import Served, serving, until

from gardesh.exchange import outward, webhook
from gardesh.exchange.outward import Outward
from gardesh.model.problem import Problem
from market import DAY, Market, key_of

LOCAL = '[webhooks]\nallow_http = true\nallow_networks = ["127.0.0.0/8"]\n[limits]\nrate = 0\n'


class Receiver:
    """Whoever takes webhooks: keeps what came, and answers as it is told."""

    def __init__(self) -> None:
        self.came: list[tuple[dict[str, str], dict[str, Any]]] = []
        self.raw: list[bytes] = []
        self.statuses: list[int] = []
        self.status = 200
        self.answering = threading.Event()
        self.answering.set()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                content = self.rfile.read(int(self.headers["content-length"]))
                status = receiver.statuses.pop(0) if receiver.statuses else receiver.status
                headers = {k.lower(): v for k, v in self.headers.items()}
                receiver.raw.append(content)
                receiver.came.append((headers, json.loads(content)))
                receiver.answering.wait(20)
                self.send_response(status)
                if status == 302:
                    self.send_header("location", "http://127.0.0.1:1/elsewhere")
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook?a=b"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def ids(self) -> list[str]:
        return [headers["webhook-id"] for headers, _ in self.came]

    def slots(self) -> list[str]:
        return [body["data"]["slot"] for _, body in self.came]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.server.shutdown()


@pytest.fixture
def local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.setattr("gardesh.web.sender.LOOK", 0.05)
    market = Market()
    market.area()
    with serving(market, tmp_path, LOCAL) as served:
        yield served


def hook(served: Served, url: str, org: str = "neighbour", **more: Any) -> dict[str, Any]:
    answer = served.by(org).post("/v1/webhooks", json={"url": url, **more})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def state(served: Served, org: str = "neighbour") -> dict[str, Any]:
    return dict(served.by(org).get("/v1/webhooks").json()["webhooks"][0])


def outcomes(served: Served, name: str, org: str = "neighbour") -> list[str]:
    told = served.by(org).get(f"/v1/webhooks/{name}/deliveries").json()["deliveries"]
    assert all(d["said"] for d in told)
    return [d["outcome"] for d in reversed(told)]


def soon(served: Served, attempt: int) -> None:
    """Let the time of the node pass until what failed so often is due again."""
    served.market.now += int(webhook.WAITS[attempt - 1] * 1200)


def test_notices_are_sent_signed_and_in_order(local: Served, receiver: Receiver) -> None:
    made = hook(local, receiver.url)
    case = local.do(lambda market: market.apply())
    until(lambda: len(receiver.came) == 2)
    assert receiver.slots() == ["application", "objection"]
    assert [b["data"]["case"] for _, b in receiver.came] == [case, case]
    now = local.market.now // 1000
    for (headers, _), raw in zip(receiver.came, receiver.raw, strict=True):
        assert webhook.verified(made["secret"], headers, raw, now)
        assert not webhook.verified(made["secret"], headers, raw + b" ", now)
        assert not webhook.verified(made["secret"], headers, raw, now + 301)
        assert headers["host"] == receiver.url.split("/")[2]
    until(lambda: outcomes(local, made["id"]) == ["taken", "taken"])
    assert state(local)["acked"] == receiver.came[-1][1]["data"]["id"]
    assert "secret" not in state(local)


def test_what_was_not_taken_is_sent_again_under_the_same_id_and_nothing_overtakes_it(
    local: Served, receiver: Receiver
) -> None:
    receiver.statuses = [500, 302, 429]
    made = hook(local, receiver.url)
    local.do(lambda market: market.apply())
    for count in (1, 2, 3):
        until(lambda count=count: outcomes(local, made["id"]) == ["failed"] * count)
        assert state(local)["attempts"] == count
        soon(local, count)
    until(lambda: len(receiver.came) == 5)
    assert receiver.ids()[:4] == [receiver.ids()[0]] * 4
    assert receiver.slots() == ["application"] * 4 + ["objection"]


def test_what_is_never_taken_is_given_up_and_then_the_webhook_rests(
    local: Served, receiver: Receiver
) -> None:
    receiver.status = 500
    made = hook(local, receiver.url, "city")
    local.do(lambda market: [market.apply(seats=n) for n in (1, 2)])
    count = 0
    while True:
        until(lambda count=count: local.do(recorded) > count)
        count = local.do(recorded)  # what is given up is followed by the next at once
        now = state(local, "city")
        if now["state"] == "paused":
            break
        if now["attempts"]:
            soon(local, now["attempts"])
    assert len(receiver.came) == count == 3 * webhook.ATTEMPTS
    told = outcomes(local, made["id"], "city")
    assert [n for n, outcome in enumerate(told, 1) if outcome == "dead"] == [10, 20, 30]
    assert receiver.slots() == ["application"] * 20 + ["quiet-note"] * 10
    receiver.status = 200
    with local.by("city") as city:
        resumed = city.post(f"/v1/webhooks/{made['id']}/resume", json={}).json()
        assert resumed["state"] == "active"
        until(lambda: receiver.slots()[30:] == ["quiet-note"])
        city.post(f"/v1/webhooks/{made['id']}/resume", json={"after": made["acked"]})
        until(lambda: receiver.slots()[31:] == ["application"] * 2 + ["quiet-note"] * 2)
        beyond = city.post(f"/v1/webhooks/{made['id']}/resume", json={"after": 10_000})
        assert beyond.json()["code"] == "ack-beyond"


def test_what_is_asked_for_again_while_a_notice_is_under_way_comes_again(
    local: Served, receiver: Receiver
) -> None:
    made = hook(local, receiver.url, "city")
    local.do(lambda market: market.apply())
    until(lambda: outcomes(local, made["id"], "city") == ["taken"])
    receiver.answering.clear()
    local.do(lambda market: market.apply(seats=2))
    until(lambda: len(receiver.came) == 2)
    with local.by("city") as city:
        city.post(f"/v1/webhooks/{made['id']}/resume", json={"after": made["acked"]}).raise_for_status()
    receiver.answering.set()
    until(lambda: outcomes(local, made["id"], "city") == ["taken"] * 4)
    assert receiver.ids() == [*receiver.ids()[:2]] * 2
    path = f"/v1/webhooks/{made['id']}/deliveries"
    with local.by("city") as city:
        told, asked, cursor = [], 0, {}
        while asked == 0 or cursor["cursor"] is not None:
            page = city.get(path, params={"limit": 3, **cursor}).json()
            told, asked, cursor = told + page["deliveries"], asked + 1, {"cursor": page["next"]}
        assert (told, asked) == (city.get(path).json()["deliveries"], 2)
        assert city.get(path, params={"cursor": "x"}).json()["code"] == "cursor-malformed"


def recorded(market: Market) -> int:
    """How many attempts are on record."""
    return int(market.store.one("SELECT count(*) FROM deliveries")[0])


def test_who_is_gone_is_sent_no_more(local: Served, receiver: Receiver) -> None:
    receiver.status = 410
    made = hook(local, receiver.url)
    local.do(lambda market: market.apply())
    until(lambda: state(local)["state"] == "paused")
    assert outcomes(local, made["id"]) == ["gone"]


def test_an_address_that_does_not_answer_holds_up_nobody_else(local: Served, receiver: Receiver) -> None:
    hook(local, "http://127.0.0.1:1/nothing", "city")
    hook(local, receiver.url)
    local.do(lambda market: market.apply())
    until(lambda: len(receiver.came) == 2)
    until(lambda: state(local, "city")["said"] == "ConnectError")


def test_a_webhook_is_its_owners(local: Served, receiver: Receiver) -> None:
    made = hook(local, receiver.url)
    path = f"/v1/webhooks/{made['id']}"
    with local.by("sara") as sara:
        assert sara.get("/v1/webhooks").json() == {"webhooks": []}
        assert sara.delete(path).status_code == 404
        assert sara.post(f"{path}/resume", json={}).json()["code"] == "no-such-webhook"
        assert sara.get(f"{path}/deliveries").status_code == 404
    assert local.by("neighbour").delete(path).status_code == 204
    local.do(lambda market: market.apply())
    local.do(lambda market: market.wait(1000))
    assert receiver.came == []


def test_a_webhook_tells_in_the_roles_it_was_made_with(local: Served, receiver: Receiver) -> None:
    assert hook(local, receiver.url, roles=["market-office"])["roles"] == []
    local.do(lambda market: market.apply())
    other = Receiver()
    hook(local, other.url, "sara")
    local.do(lambda market: market.apply("sara"))
    local.do(lambda market: market.wait(4 * DAY))
    assert receiver.came == []
    other.server.shutdown()


def test_a_restart_sends_what_was_not_taken(tmp_path: Path, receiver: Receiver) -> None:
    market = Market()
    market.area()
    store = market.store
    store.close = lambda: None  # type: ignore[method-assign]  # the same record is opened again
    receiver.status = 503
    with serving(market, tmp_path, LOCAL) as served:
        made = hook(served, receiver.url)
        served.do(lambda m: m.apply())
        until(lambda: outcomes(served, made["id"]) == ["failed"])
    receiver.status = 200
    again = Market.opened(store)
    again.now = market.now + 10_000
    with serving(again, tmp_path, LOCAL) as served:
        until(lambda: receiver.slots() == ["application", "application", "objection"])
    assert len(set(receiver.ids())) == 2


@pytest.mark.parametrize("status", [200, 503])
def test_a_clock_that_was_ahead_and_is_right_again_holds_up_nothing(
    tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    """Whether what was sent in that time was taken or not."""
    monkeypatch.setattr("gardesh.web.sender.LOOK", 0.05)
    market = Market()
    market.area()
    store, right = market.store, market.now
    store.close = lambda: None  # type: ignore[method-assign]  # the same record is opened again
    with serving(market, tmp_path, LOCAL) as served:
        made = hook(served, receiver.url)
        market.now += 40 * DAY
        receiver.status = status
        served.do(lambda m: m.apply())
        until(lambda: len(outcomes(served, made["id"])) == (2 if status == 200 else 1))
    receiver.status = 200
    again = Market.opened(store)
    again.now = right
    with serving(again, tmp_path, LOCAL) as served:
        served.do(lambda m: m.apply(seats=3))
        until(lambda: len(set(receiver.ids())) == 4)


def test_how_many_and_where_to_is_limited(tmp_path: Path) -> None:
    with serving(Market(), tmp_path, "[webhooks]\nmost = 1\n") as served:
        for url, code in (
            ("http://example.org/", "address-malformed"),
            ("https://127.0.0.1/", "address-private"),
            ("https://localhost:8443/", "address-private"),
            ("https://[::1]/", "address-private"),
            ("https://10.1.2.3/", "address-private"),
            ("https://169.254.169.254/latest/meta-data", "address-private"),
            ("https://no-such-name.invalid/", "address-unknown"),
            ("https://user:secret@example.org/", "address-malformed"),
            ("ftp://example.org/", "address-malformed"),
            ("nonsense", "address-malformed"),
        ):
            answer = served.by("ali").post("/v1/webhooks", json={"url": url})
            assert (answer.status_code, answer.json()["code"]) == (422, code), url
        first = served.by("ali").post("/v1/webhooks", json={"url": "https://1.1.1.1/"})
        assert first.status_code == 201
        second = served.by("ali").post("/v1/webhooks", json={"url": "https://1.1.1.1/"})
        assert (second.status_code, second.json()["code"]) == (429, "webhooks-too-many")


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "0.0.0.0", "10.0.0.1", "100.64.0.1", "169.254.169.254", "192.168.1.1", "172.16.0.1", "224.0.0.1",
     "255.255.255.255", "::1", "::", "fe80::1", "fc00::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "2002:7f00:1::",
     "64:ff9b::7f00:1", "ff02::1", "2001:db8::1", "240.0.0.1", "192.0.2.1", "198.18.0.1"],
)  # fmt: skip
def test_no_private_address_is_sent_to(address: str) -> None:
    made = Outward(http=True, networks=[], timeout=1)
    assert not made.allowed(ip_address(address))


@given(st.ip_addresses())
def test_what_is_allowed_is_public(address: Any) -> None:
    made = Outward(http=True, networks=["10.0.0.0/8"], timeout=1)
    if made.allowed(address):
        inner = outward.embedded(address)
        assert inner.is_global or inner in outward.ip_network("10.0.0.0/8")


@given(st.text(max_size=60))
def test_no_text_is_an_address_by_accident(text: str) -> None:
    made = Outward(http=True, networks=[], timeout=1)
    try:
        host, port = made.host_of(text)
    except Problem as problem:
        assert problem.code == "address-malformed"
    else:
        assert host
        assert 0 < port < 65_536


def test_the_signature_is_that_of_the_standard() -> None:
    """The example of the Standard Webhooks specification."""
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    content = b'{"test": 2432232314}'
    made = webhook.signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, content)
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_no_name_is_looked_up_for_who_is_not_known(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the node's resolver knows is told to nobody who did not prove who asks."""
    asked: list[str] = []

    async def resolved(_: Outward, url: str) -> Any:
        asked.append(url)
        return ip_address("1.1.1.1")

    monkeypatch.setattr(Outward, "resolved", resolved)
    wanted = {"url": "https://printer.ministry.internal/"}
    for who in (served.nobody, served.by("ali", key=key_of("stranger")), served.by("ali", ahead=-4000)):
        assert who.post("/v1/webhooks", json=wanted).status_code == 401
    assert asked == []
    assert served.by("ali").post("/v1/webhooks", json=wanted).status_code == 201
    assert asked == [wanted["url"]]
