"""Two nodes that are served and recognise each other: a case on one waits for a case on the other."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
from served import Served, serving

from gardesh.node import public_jwk
from market import CLOCK_KEY, Market
from two_nodes import ABROAD, HOME, node, recognition

QUICK = "[nodes]\nfollow = true\nallow_http = true\nevery_seconds = 0.05\n[limits]\nrate = 0\n"
ALONE = "[nodes]\nallow_http = true\n[limits]\nrate = 0\n"


class Pair:
    """`home`, where a trade case waits for a permit, and `abroad`, where permits are given; both are served."""

    def __init__(
        self, stack: ExitStack, place: Path, home: str = ALONE, abroad: str = ALONE, **said: Any
    ) -> None:
        self.stack, self.place = stack, place
        there, here = node(ABROAD), node(HOME)
        self.case = here.do("ali", "request", {"who": "ali"}, procedure="trade")
        self.abroad = self.serve(there, "abroad", abroad)
        self.abroad.do(lambda market: self.known_there(market, here))
        here.submit(recognition(here, there, url=self.abroad.url, known_as="province", **said))
        self.home = self.serve(here, "home", home)

    def serve(self, market: Market, name: str, configuration: str) -> Served:
        (self.place / name).mkdir(parents=True, exist_ok=True)
        return self.stack.enter_context(serving(market, self.place / name, configuration))

    @staticmethod
    def known_there(market: Market, here: Market) -> None:
        key = {"kid": CLOCK_KEY.kid, "jwk": public_jwk(CLOCK_KEY)}
        name = {"fa": "استان", "en": "Province"}
        admitted = {"org": "province", "name": name, "keys": [key], "roles": ["member"]}
        market.submit(market.core("admission", admitted))
        market.submit(recognition(market, here, org="province"))

    def ask(self, served: Served | None = None) -> str:
        """Open the case abroad for the slot at home."""
        subject, slot = {"who": "ali", "amount": 3}, (self.case, "permit", "", HOME)
        return str(
            (served or self.abroad).do(
                lambda market: market.do("ali", "ask", subject, procedure="permit", for_slot=slot)
            )
        )

    def answer(self, asked: str, amount: int = 3, served: Served | None = None) -> None:
        def both(market: Market) -> None:
            market.do("neighbour", "check", {"who": "ali"}, asked)
            subject = {"who": "ali", "amount": amount}
            market.submit(market.paper("health", "answer", subject, asked, outcome="approved"))

        (served or self.abroad).do(both)

    def state(self) -> str:
        """Of the slot at home that waits."""

        def state(market: Market) -> str:
            case = market.case(self.case)
            return case.steps[case.procedure.by_name["permit"].index].slots[""].state

        return str(self.home.do(state))

    def file(self, asked: str, served: Served | None = None) -> bytes:
        return (served or self.abroad).by("ali").get(f"/v1/cases/{asked}/file").content

    def bring(self, org: str, data: bytes, **headers: str) -> httpx.Response:
        kind = {"content-type": "application/zip", **headers}
        return self.home.by(org).post("/v1/evidence", content=data, headers=kind)
