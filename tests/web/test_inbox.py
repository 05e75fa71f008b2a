"""The inbox over HTTP, and events as they come."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from served import Served, Signing, serving, until

from market import DAY, Market, key_of

pytestmark = pytest.mark.store


def test_an_inbox_is_read_and_acknowledged(served: Served) -> None:
    served.do(lambda market: (market.area(), market.apply()))
    with served.by("neighbour") as who:
        first = who.get("/v1/inbox").json()
        slots = [(n["reason"], n["slot"]) for n in first["notices"] if n["type"] != "core/admission"]
        assert slots == [("read", "application"), ("act", "objection")]
        assert who.get("/v1/inbox").json() == first
        told = who.post("/v1/inbox/ack", json={"upto": first["upto"]}).json()
        assert told == {"consumer": "default", "acked": first["upto"]}
        assert who.get("/v1/inbox").json()["notices"] == []
        assert who.get("/v1/inbox", params={"consumer": "archive"}).json() == first
        assert who.get("/v1/inbox", params={"after": -1}).json() == first
        beyond = who.post("/v1/inbox/ack", json={"upto": first["upto"] + 1})
        assert (beyond.status_code, beyond.json()["code"]) == (400, "ack-beyond")
        assert who.post("/v1/inbox/ack", json={"upto": "x"}).json()["code"] == "request-malformed"
        assert who.get("/v1/inbox", params={"consumer": "A b"}).json()["code"] == "request-malformed"
    assert served.by("sara").get("/v1/inbox").json()["notices"][0]["type"] == "core/admission"
    assert served.nobody.get("/v1/inbox").status_code == 401


class Stream:
    """A stream that is read in a thread of its own, event by event."""

    def __init__(self, served: Served, org: str, **headers: str) -> None:
        self.events: list[tuple[int, dict[str, object]]] = []
        self.ends: list[dict[str, object]] = []
        self.closed = threading.Event()
        self.opened = threading.Event()
        self.client = httpx.Client(base_url=served.url, auth=Signing(key_of(org), served.seconds), timeout=60)
        self.headers = headers
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()
        assert self.opened.wait(20)

    def read(self) -> None:
        try:
            with self.client.stream("GET", "/v1/inbox/stream", headers=self.headers) as response:
                self.status = response.status_code
                self.opened.set()
                event: dict[str, str] = {}
                for line in response.iter_lines():
                    name, _, value = line.partition(": ")
                    if line:
                        event[name] = value
                        continue
                    if event.get("event") == "notice":
                        self.events.append((int(event["id"]), json.loads(event["data"])))
                    elif event.get("event") == "end":
                        self.ends.append(json.loads(event["data"]))
                    event = {}
        except httpx.HTTPError:
            pass
        finally:
            self.opened.set()
            self.closed.set()

    def close(self) -> None:
        self.client.close()


@contextmanager
def stream(served: Served, org: str, **headers: str) -> Iterator[Stream]:
    made = Stream(served, org, **headers)
    try:
        yield made
    finally:
        made.close()


def test_events_come_as_they_happen_and_go_on_where_the_line_was_cut(served: Served) -> None:
    served.do(lambda market: market.area())
    with stream(served, "city") as city:
        until(lambda: len(city.events) == 1)  # its own admission
        case = served.do(lambda market: market.apply())
        until(lambda: len(city.events) == 2)
        last = city.events[-1][0]
    served.market.now += 4 * DAY
    with stream(served, "city", **{"last-event-id": str(last)}) as again:
        until(lambda: [e["slot"] for _, e in again.events if e["case"] == case] == ["quiet-note"])
        assert all(id_ > last for id_, _ in again.events)


def test_a_stream_ends_with_the_key(served: Served) -> None:
    with stream(served, "city") as city:
        until(lambda: len(city.events) == 1)
        revoke = {"kid": key_of("city").kid, "reason": "lost"}
        served.do(lambda market: market.submit(market.core("key-revocation", revoke)))
        made = served.nobody.post(
            "/v1/documents",
            content=served.do(lambda m: m.admission("omid", ["vendor"])),
            headers={"content-type": "application/vc+sd-jwt"},
        )
        assert made.status_code == 201
        assert city.closed.wait(20)
        assert city.ends[0]["code"] == "key-not-in-force"


def test_open_streams_are_limited_and_given_back(tmp_path: Path) -> None:
    with serving(Market(), tmp_path, "[limits]\nstreams = 2\n") as served:
        with stream(served, "ali"), stream(served, "ali"):
            until(lambda: served.server.service.streams["ali"] == 2)
            refused = served.by("ali").get("/v1/inbox/stream")
            assert (refused.status_code, refused.json()["code"]) == (429, "streams-too-many")
            with stream(served, "sara") as sara:
                assert sara.status == 200
        until(lambda: not served.server.service.streams)
        with stream(served, "ali") as again:
            assert again.status == 200


def test_a_stop_ends_the_streams(tmp_path: Path) -> None:
    with serving(Market(), tmp_path) as served:
        made = Stream(served, "ali")
        until(lambda: len(made.events) == 1)
    assert made.closed.wait(20)


@pytest.mark.parametrize("beyond", ["9" * 20, "9" * 18, "0"])
def test_a_stream_behind_a_notice_that_cannot_be_goes_on(
    served: Served, monkeypatch: pytest.MonkeyPatch, beyond: str
) -> None:
    monkeypatch.setattr("gardesh.web.inbox.QUIET", 1.0)
    with httpx.Client(base_url=served.url, timeout=20) as client:
        auth = Signing(key_of("ali"), served.seconds)
        with client.stream("GET", "/v1/inbox/stream", auth=auth, headers={"last-event-id": beyond}) as line:
            lines = line.iter_lines()
            alive = 0
            while alive < 2:
                alive += next(lines) == ": alive"
    assert '"fault"' not in served.log.getvalue()
