"""Consumers of notices: slow, dead, and dying again and again."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random

import httpx
from circulation import PATIENCE
from run import Run
from services import wait_for

from gardesh import wire
from gardesh.client import Client, Refused, Signature
from gardesh.client import call as calls
from gardesh.client.call import problem_of
from market import key_of

ORG = "city"
TIMES = {"gardesh.web.sender:LOOK": 0.05, "gardesh.exchange.webhook:WAITS": (0.1,) * 500}
"""Tried again sooner, and never given up."""


class Receiver:
    """Whoever takes webhooks. `fails`: how often it does not take one; `slow`: how long it thinks, in s at most."""

    def __init__(self, dice: Random, fails: float = 0.0, slow: float = 0.0) -> None:
        self.taken, self.fails, self.slow = list[int](), fails, slow
        guard, receiver = threading.Lock(), self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                content = self.rfile.read(int(self.headers["content-length"]))
                with guard:
                    failing, pause = dice.random() < receiver.fails, dice.random() * receiver.slow
                time.sleep(pause)
                if failing:
                    self.send_response(503)
                else:
                    name = self.headers["webhook-id"]
                    assert name == f"notice-{json.loads(content)['data']['id']}"
                    receiver.taken.append(int(name.removeprefix("notice-")))
                    self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.handle_error = lambda *_: None  # type: ignore[method-assign]  # who sent was killed
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"

    def __enter__(self) -> Receiver:
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()


@dataclass
class Hook:
    id: str
    first: int
    """The newest notice when it was made."""


def hooked(run: Run, receiver: Receiver | str) -> Hook:
    """A webhook of the organisation."""
    url = receiver if isinstance(receiver, str) else receiver.url
    with httpx.Client(auth=Signature(key_of(ORG)), timeout=20) as line:
        answer = line.post(f"{run.where()}/v1/webhooks", json={"url": url})
    assert answer.status_code == 201, answer.text
    made = answer.json()
    return Hook(made["id"], made["acked"])


def settled(run: Run, hook: Hook, receiver: Receiver, again: int = 0) -> None:
    """All notices since the hook was made are taken, each once, but for those that a death or a line lost the answer of:
    `again`, at most."""
    told = inbox(run, "webhook", hook.first)  # of what comes later, nothing is asked
    wait_for(lambda: set(told) <= set(receiver.taken), PATIENCE)
    twice = sum(n - 1 for n in Counter(receiver.taken).values())
    run.counts.notices += len(told)
    run.counts.lost += len(set(told) - set(receiver.taken))
    run.counts.doubled += max(0, twice - again)
    firsts = list(dict.fromkeys(receiver.taken))
    assert firsts == sorted(firsts), "one overtook another"


def inbox(run: Run, consumer: str, after: int = -1) -> list[int]:
    """The ids of all notices behind one, as the organisation may see them now."""
    found = list[int]()
    with run.client(ORG) as node:
        while True:
            page = node.inbox(consumer, after)
            found += [notice.id for notice in page.notices]
            after = page.upto
            if not page.more:
                return found


def webhook_consumers(run: Run) -> None:
    """One takes its time and refuses now and then, one never answers, one is not there; the service may be killed."""
    with (run.home / "serve.toml").open("a", encoding="utf-8") as file:
        file.write("timeout_seconds = 1.0\n")
    service, deaths = run.serve(TIMES), 0
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        Receiver(run.dice, fails=0.1, slow=0.05) as receiver,
        run.circulation(8, pause=0.02) as circulation,
    ):
        hooked(run, f"http://127.0.0.1:{silent.getsockname()[1]}/")
        hooked(run, "http://127.0.0.1:1/")
        hook = hooked(run, receiver)
        run.moment(circulation, 2, 15)
        if run.dice.random() < 0.5:
            service.kill()
            deaths += 1
            run.serve(TIMES)
        circulation.more(5)
        receiver.fails = receiver.slow = 0.0
        settled(run, hook, receiver, deaths)


class Follower:
    """One that follows the stream of events, acknowledges now and then, and dies now and then."""

    def __init__(self, run: Run) -> None:
        self.run, self.dice = run, Random(run.dice.random())
        self.seen, self.acked, self.doubled = list[int](), -1, 0
        self.stop = threading.Event()
        self.fault: BaseException | None = None
        self.thread = threading.Thread(target=self.live)

    def live(self) -> None:
        try:
            while not self.stop.is_set():
                self.life()
        except BaseException as fault:  # noqa: BLE001 (told by whoever waits)
            self.fault = fault

    def life(self) -> None:
        last = self.acked
        try:
            with self.run.client(ORG) as node:
                for notice in once(node, "follower"):
                    assert notice.id > last, "it came out of its turn"
                    last = notice.id
                    self.doubled += notice.id <= self.acked
                    self.seen.append(notice.id)
                    if self.dice.random() < 0.3:
                        node.ack(notice.id, "follower")
                        self.acked = notice.id
                    if self.stop.is_set() or self.dice.random() < 0.1:
                        return
        except (httpx.TransportError, Refused):
            time.sleep(0.05)


def once(node: Client, consumer: str) -> Iterator[wire.Notice]:
    """What comes on one line, until it is quiet for a while or cut."""
    with node._http.stream("GET", "/v1/inbox/stream", params={"consumer": consumer}, timeout=0.5) as response:
        if not response.is_success:
            response.read()
            raise problem_of(response)
        yield from map(calls.notice, calls.events(response))


def stream_consumers(run: Run) -> None:
    """One dies again and again, one opens its stream and never reads; the service may be killed."""
    service = run.serve()
    follower = Follower(run)
    with (
        run.circulation(12, pause=0.01) as circulation,
        run.client(ORG) as dead,
        dead._http.stream("GET", "/v1/inbox/stream", params={"consumer": "dead"}) as silent,
    ):
        assert silent.is_success
        follower.thread.start()
        try:
            run.moment(circulation, 5, 25)
            if run.dice.random() < 0.5:
                service.kill()
                run.serve()
            circulation.more(10)
        finally:
            follower.stop.set()
            follower.thread.join()
    if follower.fault is not None:
        raise follower.fault
    told = inbox(run, "all")
    rest = inbox(run, "follower", follower.acked)
    run.counts.notices += len(told)
    run.counts.lost += len(set(told) - set(follower.seen) - set(rest))
    run.counts.doubled += follower.doubled
    assert [n for n in told if n > follower.acked] == rest
