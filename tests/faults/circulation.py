"""Documents that circulate while something breaks: cases of the market, signed beforehand, and clients that send them."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator, Sequence, Set

import httpx
from services import SD_JWT, Heard

from gardesh.model import receipt
from gardesh.model.document import parse
from market import Market, application

PATIENCE = 90.0
"""Seconds within which every paper is answered at last."""
AGAIN = frozenset(("store-unusable", "too-busy", "stopping", "storage-full"))
"""What a node says when it could not do it now."""


def papers_of_a_case(market: Market, number: int) -> list[bytes]:
    """Seven documents in two cases; every third case also waits for a health check that never comes."""
    goods = [{"kind": "food" if number % 3 == 0 else "toys"}]
    wish = application(seats=12, goods=goods, sites=["a", "b"], reference=f"A-{number}", vendor=f"v{number}")
    papers: list[bytes] = []

    def give(*args: object, **more: object) -> str:
        papers.append(market.paper(*args, **more))  # type: ignore[arg-type]
        return market.submit(papers[-1]).case

    case = give("ali", "application", wish)
    give("traffic", "site-visit", {"site": "a"}, case, key="a")
    give("ali", "application", {**wish, "note": "amended"}, case, act="correct")
    give("traffic", "site-visit", {"site": "b"}, case, key="b")
    asked = (case, "insurance", "")
    cover = give("ali", "cover-request", {"vendor": f"v{number}"}, procedure="cover", for_slot=asked)
    give("axa", "policy", {"number": f"P-{number}"}, cover)
    give("neighbour", "objection", {"reason": "noise"}, case)
    return papers


class Circulation:
    """Clients that send the papers of their cases one after the other to the service at `url()`, each again until it is
    answered. Ends when told to, and every paper that was sent then has its answer."""

    def __init__(
        self,
        heard: Heard,
        cases: Sequence[Sequence[bytes]],
        url: Callable[[], str],
        clients: int = 3,
        *,
        pause: float = 0.0,
        timeout: float = 20.0,
        never: Set[str] = frozenset(),
    ) -> None:
        """`pause`: of each client, between two papers; `timeout`: for one answer. Both in seconds. `never`: with what codes
        a paper may be refused for good."""
        self.heard, self.url, self.faults = heard, url, list[BaseException]()
        self.pause, self.timeout, self.never = pause, timeout, never
        self.cut = False
        """While it is set, whatever is answered is not heard: the power is off there."""
        self._stop, self._late = threading.Event(), 0.0
        streams = [itertools.chain.from_iterable(cases[n::clients]) for n in range(clients)]
        self._threads = [threading.Thread(target=self._work, args=(stream,)) for stream in streams]

    def __enter__(self) -> Circulation:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._late = time.monotonic() + (PATIENCE if kind is None else 0)
        self._stop.set()
        for thread in self._threads:
            thread.join()
        if self.faults and kind is None:
            raise self.faults[0]

    @property
    def count(self) -> int:
        return len(self.heard.accepted)

    def more(self, count: int, seconds: float = PATIENCE) -> None:
        """Wait until so many more were acknowledged, or all are."""
        wanted, end = self.count + count, time.monotonic() + seconds
        while self.count < wanted and any(t.is_alive() for t in self._threads):
            if self.faults:
                raise self.faults[0]
            assert time.monotonic() < end, (
                f"no {count} more were acknowledged; refused: {self.heard.refused[-3:]}"
            )
            time.sleep(0.002)

    def _work(self, papers: Iterator[bytes]) -> None:
        try:
            with httpx.Client(timeout=self.timeout) as line:
                for paper in papers:
                    time.sleep(self.pause)
                    while not self._sent(line, paper):
                        time.sleep(0.02)
                        assert not self._late or time.monotonic() < self._late, "a paper was never answered"
                    if self._stop.is_set():
                        return
        except BaseException as fault:  # noqa: BLE001 (told by whoever waits)
            self.faults.append(fault)

    def _sent(self, line: httpx.Client, paper: bytes) -> bool:
        """Send it once; whether it was acknowledged, or refused for good."""
        try:
            answer = post(line, self.url(), paper)
        except httpx.TransportError:
            return False
        if self.cut:
            return False
        if answer.status_code >= 400 and answer.json()["code"] in self.never:
            self.heard.refused.append(answer.json()["code"])
            return True
        return heard_of(answer, paper, self.heard)


def post(line: httpx.Client, url: str, paper: bytes) -> httpx.Response:
    return line.post(f"{url}/v1/documents", content=paper, headers=SD_JWT)


def heard_of(answer: httpx.Response, paper: bytes, heard: Heard) -> bool:
    """Whether the paper was acknowledged. A refusal that is not about this moment is a fault."""
    told = answer.json()
    if answer.status_code not in (200, 201):
        heard.refused.append(told["code"])
        assert told["code"] in AGAIN, told
        return False
    digest = parse(paper).digest
    assert bytes.fromhex(told["digest"]) == digest
    place = told["position"], receipt.parse(told["receipt"].encode())
    heard.accepted[digest].append(place)
    return True
