"""Concurrent clients that ask for one balance and replace one document, through several services, while whoever writes is
killed; and whether what they were told can have happened."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import httpx
import psycopg
from circulation import AGAIN, PATIENCE, heard_of, post
from fund import ORG, WHO, paper
from linear import ADD, PUT, READ, TAKE, Balance, Call, Document, linearizable
from nursery import Serving
from run import Run
from services import Heard, wait_for

from gardesh.client import Client, Refused, Token
from gardesh.model.document import parse
from market import key_of

REFUSED = frozenset(("balance-exceeded", "nothing-to-replace"))
"""That there is not enough; that another was before."""
FIRST = 5


class Caller:
    """A client that asks for one after the other, each of any of the services, and the same again until it is answered;
    half of what was not answered it leaves alone."""

    def __init__(
        self, heard: Heard, services: Sequence[Serving], seed: int, sheet: str, stop: threading.Event
    ) -> None:
        self.heard, self.services, self.dice, self.stop = heard, services, random.Random(seed), stop
        self.sheet = self.newest = sheet
        self.balance, self.document = list[Call](), list[Call]()
        self.line = httpx.Client(timeout=5)
        self._numbers = itertools.count(seed << 20)

    def work(self) -> None:
        for act in itertools.cycle((self.purse, self.look, self.replace, self.read)):
            if self.stop.is_set():
                return
            act()

    def look(self) -> None:
        self.asked(self.balance, lambda node: int(str(node.entry("tiny/purse", WHO).balance)))

    def read(self) -> None:
        def newest(node: Client) -> str:
            slots = node.case(self.sheet).slots
            return str(next(slot.head for slot in slots if slot.step == "sheet"))

        self.newest = self.asked(self.document, newest) or self.newest

    def purse(self) -> None:
        what, amount = self.dice.choice(((ADD, 1), (TAKE, 1), (TAKE, 2), (TAKE, 3)))
        step = "deposit" if what == ADD else "withdrawal"
        made = paper(step, {"who": WHO, "amount": amount, "list": [next(self._numbers)]})
        self.sent(self.balance, what, amount, made)

    def replace(self) -> None:
        subject = {"who": WHO, "list": [next(self._numbers)]}
        made = paper("sheet", subject, case=self.sheet, act="correct", replaces=self.newest)
        if self.sent(self.document, PUT, (self.newest, parse(made).digest.hex()), made):
            self.newest = parse(made).digest.hex()

    def asked(self, history: list[Call], question: Callable[[Client], Any]) -> Any:
        """A question that is not answered changes nothing, and is not in the history."""
        begun = time.monotonic_ns()
        try:
            with Client(self.dice.choice(self.services).url, Token(ORG, key_of(ORG)), timeout=5) as node:
                found = question(node)
        except httpx.TransportError:
            return None
        except Refused as refused:
            assert refused.code in AGAIN, refused
            return None
        history.append(Call(READ, None, found, begun, time.monotonic_ns()))
        return found

    def sent(self, history: list[Call], what: str, given: Any, made: bytes) -> bool | None:
        begun, late = time.monotonic_ns(), time.monotonic() + PATIENCE
        while time.monotonic() < late:
            answer = self.answered(made)
            if answer is not None:
                history.append(Call(what, given, answer, begun, time.monotonic_ns()))
                return answer
            if self.dice.random() < 0.5:
                history.append(Call(what, given, None, begun))
                return None
            time.sleep(0.01)
        raise AssertionError("it was never answered")

    def answered(self, made: bytes) -> bool | None:
        """Whether it was done, when somebody says so."""
        try:
            told = post(self.line, self.dice.choice(self.services).url, made)
        except httpx.TransportError:
            return None
        if told.status_code >= 400 and told.json()["code"] in REFUSED:
            return False
        return True if heard_of(told, made, self.heard) else None


def sequencer_killed(run: Run) -> None:
    """Three services over one PostgreSQL database, or one over SQLite; who has the lock is killed, twice."""
    services = [serve_as(run, n) for n in range(3 if run.store == "postgresql" else 1)]
    made = paper("sheet", {"who": WHO, "list": []})
    begin = [paper("deposit", {"who": WHO, "amount": FIRST, "list": [-1]}), made]
    with httpx.Client(timeout=20) as line:
        for each in begin:
            assert heard_of(post(line, run.where(), each), each, run.heard)
    first, stop = parse(made).digest.hex(), threading.Event()
    callers = [Caller(run.heard, services, run.dice.randrange(1 << 20), first, stop) for _ in range(4)]
    faults = list[BaseException]()

    def work(caller: Caller) -> None:
        try:
            caller.work()
        except BaseException as fault:  # noqa: BLE001 (told by whoever waits)
            faults.append(fault)

    threads = [threading.Thread(target=work, args=(caller,)) for caller in callers]
    for thread in threads:
        thread.start()

    def more(count: int) -> None:
        wanted = asked(callers) + count
        wait_for(lambda: faults or asked(callers) >= wanted)

    try:
        for _ in range(2):
            more(run.dice.randrange(5, 30))
            victim = who_writes(run, services)
            services[victim].kill()
            time.sleep(run.dice.random() * 0.1)
            services[victim] = serve_as(run, victim)
        more(10)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    if faults:
        raise faults[0]
    balance = [call for caller in callers for call in caller.balance]
    document = [call for caller in callers for call in caller.document]
    run.notes += [("balance", balance), ("document", document)]
    assert linearizable(balance, Balance(), FIRST)
    assert linearizable(document, Document(), first)


def asked(callers: Sequence[Caller]) -> int:
    return sum(len(caller.balance) + len(caller.document) for caller in callers)


def who_writes(run: Run, services: Sequence[Serving]) -> int:
    """Which service has the lock of the record; any, when none has it."""
    for _ in range(100 if len(services) > 1 else 0):
        try:
            rows = run.lane.schemas.server.run(
                "SELECT a.application_name FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
                " WHERE l.locktype = 'advisory' AND l.granted AND a.application_name LIKE 'site-serve%'"
            )
        except psycopg.Error:
            continue
        if rows:
            names = [service.name for service in services]
            return names.index(str(rows[0][0]))
    return run.dice.randrange(len(services))


def serve_as(run: Run, number: int) -> Serving:
    return run.serve(name=f"site-serve-{number}")
