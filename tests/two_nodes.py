"""Two nodes that recognise each other: a case on one waits for a case on the other."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from gardesh.access import Access
from gardesh.exchange.case_file_selection import export, for_reader
from gardesh.exchange.evidence import bring
from gardesh.intake import Accepted
from gardesh.model.jose import PrivateKey
from gardesh.node import Node
from gardesh.record.blobs import Blobs
from gardesh.record.store import Store
from market import CLOCK_KEY, Market, record_keys
from tiny_pack import tiny

HOME, ABROAD = "province.example/log", "ministry.example/log"
TRADE = """
procedure: trade
title: {fa: بازرگانی, en: Trade}
opens_with: request
closes_with: grant
withdrawal: {until: grant}
steps:
  request: {by: vendor}
  permit: {from: tiny/permit, needs: [request], within: 5d}
  grant: {by: market-office, needs: [request, {permit: [amount]}]}
"""
PERMIT = """
procedure: permit
title: {fa: پروانه, en: Permit}
opens_with: ask
closes_with: answer
withdrawal: {until: answer}
steps:
  ask: {by: vendor}
  check: {by: resident, needs: [ask], revokes: {}}
  answer: {by: health-office, needs: [ask, check], decides: [approved, deficient, rejected], revokes: {}}
"""
PACKS = tiny({"trade": TRADE, "permit": PERMIT}, ("request", "grant", "ask", "check", "answer"))


def clock_of(origin: str) -> PrivateKey:
    return CLOCK_KEY if origin == HOME else PrivateKey.from_secret("EdDSA", sha256(origin.encode()).digest())


def node(origin: str, blobs: Blobs | None = None) -> Market:
    return Market(made=PACKS, origin=origin, clock=clock_of(origin), blobs=blobs)


def copy(of: Market) -> Market:
    """The node as it is, once more, with the same keys (in SQLite): whoever runs it can make two of it."""
    made = Market.__new__(Market)
    made.now, made.packs, made.store = of.now, of.packs, Store(":memory:", create=True)
    of.store.database.raw.backup(made.store.database.raw)
    clock = of.node.sequencer.clock
    made.node = Node.open(
        made.store, signers=of.node.log.signers, clock=(clock.name, clock.key), record_keys=record_keys
    )
    return made


def recognition(of: Market, known: Market, **changes: Any) -> bytes:
    """What the steward of `of` says of the node `known`."""
    said = {
        "origin": known.node.log.origin,
        "org": "abroad",
        "genesis": genesis(known),
        "keys": [s.verifier.vkey() for s in known.node.log.signers],
        "procedures": ["tiny/permit"],
        "known_as": "abroad",
    }
    return of.core("node-recognition", {**said, **changes})


def genesis(market: Market) -> str:
    (digest,) = market.store.one("SELECT digest FROM documents WHERE position = 0")
    return bytes(digest).hex()


class Two:
    """`home`, where the trade case lives, and `abroad`, where permits are given; each recognises the other."""

    def __init__(self, blobs: Blobs | None = None, **changes: Any) -> None:
        self.home, self.abroad = node(HOME, blobs), node(ABROAD)
        self.home.submit(recognition(self.home, self.abroad, **changes))
        self.abroad.submit(recognition(self.abroad, self.home))
        self.case = self.home.do("ali", "request", {"who": "ali"}, procedure="trade")

    def wait(self, ms: int) -> None:
        for market in (self.home, self.abroad):
            market.wait(ms)

    def ask(self, org: str = "ali", case: str | None = None, step: str = "permit", log: str = HOME) -> str:
        """Open the case abroad for the slot at home."""
        slot = (case or self.case, step, "", log)
        return self.abroad.do(org, "ask", {"who": org, "amount": 3}, procedure="permit", for_slot=slot)

    def answered(self, asked: str, amount: int = 3, outcome: str = "approved", **more: Any) -> Accepted:
        self.abroad.do("neighbour", "check", {"who": "ali"}, asked)
        return self.answer(asked, amount, outcome, **more)

    def answer(self, asked: str, amount: int = 3, outcome: str = "approved", **more: Any) -> Accepted:
        subject = {"who": "ali", "amount": amount, "list": ["secret"]}
        return self.abroad.submit(
            self.abroad.paper("health", "answer", subject, asked, outcome=outcome, **more)
        )

    def file(self, asked: str, org: str = "ali") -> bytes:
        """The case file as a reader abroad gets it."""
        return for_reader(self.abroad.node, asked, Access(self.abroad.node, org, self.abroad.now))

    def whole(self, asked: str) -> bytes:
        return export(self.abroad.node, asked)

    def bring(self, data: bytes) -> Accepted:
        return bring(self.home.node, data, self.home.now)

    def state(self) -> str:
        """Of the slot that follows."""
        case = self.home.case(self.case)
        return case.steps[case.procedure.by_name["permit"].index].slots[""].state
