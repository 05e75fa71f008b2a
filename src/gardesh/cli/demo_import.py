"""The chapters of `gardesh demo nodes` in which an import on one node waits for a permit that another node gives."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from gardesh import wire, worked_file
from gardesh.cli import output
from gardesh.client import Client, Token
from gardesh.record import folder
from gardesh.record.keys import KeyStore
from gardesh.record.passphrase import OnePassphrase
from gardesh.worked import Act, Party

if TYPE_CHECKING:
    from gardesh.cli.demo_nodes import Story

CASE = "high-risk-plant"
TRADE, AGRICULTURE = "trade", "agriculture"
FOLLOWING = "[nodes]\nfollow = true\nallow_http = true\nevery_seconds = 0.3\ntimeout_seconds = 5\n"
SLOT = "plant-order-permit"
SEEDED = {"core/tariffs": ("tariff", "item"), "core/companies": ("company", "legal_id")}
PATIENCE = 90.0


class Import:
    """A worked case of the trade pack, acted by its parties on two nodes: what is of the linked case, on the other."""

    def __init__(self, story: Story) -> None:
        self.story = story
        self.worked = worked_file.load(folder.shipped() / "trade" / "cases" / f"{CASE}.yaml")
        self.cases: dict[str, str] = {}
        self.trader = next(str(a.by) for a in self.worked.acts if a.issues == "order-request")

    def tell(self) -> None:
        self.nodes()
        acts = iter([a for a in self.worked.acts if a.issues is not None and a.refused is None])
        self.begun(acts)
        self.apart(acts)
        self.together(acts)

    def nodes(self) -> None:
        """Two more nodes with the same packs; each knows the parties, and recognises the other."""
        self.story.chapter("An import over two nodes", "وارداتی روی دو گره")
        for name in (TRADE, AGRICULTURE):
            self.story.node(name, ())
            for org, party in self.worked.parties.items():
                assert isinstance(party, Party)
                self.story.share_key(self.story.place / name, org)
                words = [w for role in party.roles for w in ("--role", role)]
                words += ["--legal-id", party.legal_id] if party.legal_id else []
                self.story.command(name, "admit", org, *words)
            self.story.serve(name, FOLLOWING)
            self.seed(name)
        counts = {TRADE: ("--procedure", "agriculture/import-permit"), AGRICULTURE: ()}
        for name, other in ((TRADE, AGRICULTURE), (AGRICULTURE, TRADE)):
            keys = [w for key in self.story.log_keys(other) for w in ("--log-key", key)]
            known = (self.story.urls[other], "--org", other, "--known-as", name)
            self.story.command(name, "recognise", *known, *keys, *counts[name])
        self.story.say(
            "Order registration has a node, plant protection another; each has recognised the other, by its log's keys.",
            "ثبت سفارش یک گره دارد و حفظ نباتات گرهی دیگر؛ هر یک دیگری را با کلیدهای دفترش به رسمیت شناخته است.",
        )

    def seed(self, name: str) -> None:
        """The base data that the case begins with, entered by the steward."""
        steward = KeyStore(self.story.place / name / "keys", OnePassphrase(self.story.passphrase)).load(
            "steward"
        )
        with Client(self.story.urls[name], Token("steward", steward)) as client:
            for register, values in self.worked.registers.items():
                procedure, member = SEEDED[register]
                for key, value in values.items():
                    subject = {member: key, **({"value": value} if procedure == "tariff" else value)}
                    wish = wire.DraftWanted(step=procedure, procedure=f"core/{procedure}")
                    client.issue(wish, subject, "steward", steward)

    # -- the chapters -------------------------------------------------------------------------------------

    def begun(self, acts: Any) -> None:
        for act in acts:
            self.act(act)
            if act.issues == "import-permit-request":
                break
        wait(lambda: self.follows(), "the case there is not known here")
        self.story.say(
            "The order of saplings waits for a permit; the trader asked for it on the other node, and {s} is due there.",
            "سفارش نهال در انتظار مجوز است؛ بازرگان آن را در گره دیگر خواست و {s} آنجا در نوبت است.",
            s=output.ltr(SLOT),
        )  # fmt: skip

    def apart(self, acts: Any) -> None:
        self.story.chapter("The line is cut", "خط قطع می‌شود")
        self.story.cut(TRADE, AGRICULTURE)
        for act in acts:
            self.act(act)
            if act.issues == "import-permit":
                break
        self.story.say(
            "Plant protection went on, class, conditions, sample, permit; of all that the order's node has heard nothing.",
            "حفظ نباتات کار خود را کرد: رده، شرایط، نمونه، مجوز؛ گره سفارش از این‌ها هیچ نشنیده است.",
        )
        self.story.mend(TRADE, AGRICULTURE)
        begun = time.monotonic()
        wait(lambda: self.state() == "issued", "the permit does not count")
        self.story.facts["caught_up_s"] = round(time.monotonic() - begun, 1)
        self.story.say(
            "The line is back: {s} s later the permit counts here, under its issuer's signature, with the proof kept.",
            "خط برگشت: {s} ثانیه بعد مجوز اینجا به حساب آمد، با امضای صادرکننده‌اش و اثباتی که نگه داشته شد.",
            s=self.story.facts["caught_up_s"],
        )  # fmt: skip

    def together(self, acts: Any) -> None:
        for act in acts:
            self.act(act)
        self.story.facts["order"] = self.state("order-registration")
        found = json.loads(self.story.command(TRADE, "--json", "audit"))
        self.story.must(found["whole"], "the audit of the node that asked is not whole")
        self.story.say(
            "The order is registered, and an audit of its node checks the other's proof again.",
            "سفارش ثبت شد و حسابرسی گره آن، اثبات گره دیگر را دوباره می‌سنجد.",
        )

    # -- acting -------------------------------------------------------------------------------------------

    def act(self, act: Act) -> None:
        """One document, drafted, signed and submitted by its party, where its case lives."""
        assert act.issues is not None
        assert act.by is not None
        name = AGRICULTURE if act.case == "plant" else TRADE
        case = self.cases.get(act.case)
        slot = None
        if act.for_ is not None:
            slot = wire.SlotName(
                case=self.cases[act.for_.case], step=act.for_.step, key="", log=self.story.origin(TRADE)
            )
        opening = act.procedure or self.worked.procedure
        wish = wire.DraftWanted(
            step=act.issues, case=case, key=act.key or "", outcome=act.outcome, for_slot=slot,
            procedure=None if case is not None else opening if "/" in opening else f"trade/{opening}",
        )  # fmt: skip
        with self.story.client(name, act.by) as client:
            made = client.issue(wish, act.subject or {}, act.by, self.story.key(act.by))
        self.cases.setdefault(act.case, made.case)

    def state(self, step: str = SLOT) -> str:
        with self.story.client(TRADE, self.trader) as trader:
            return next((s.state for s in trader.case(self.cases["main"]).slots if s.step == step), "")

    def follows(self) -> bool:
        """Whether the order's node has heard of the case on the other."""
        with self.story.client(TRADE, self.trader) as trader:
            return any(d.act == "mirror" for d in trader.documents(self.cases["main"]))


def wait(true: Callable[[], bool], what: str) -> None:
    """Until it is true. Raises `demo-broken` when it does not become so."""
    from gardesh.cli.demo_nodes import must

    begun = time.monotonic()
    while not true():
        must(time.monotonic() - begun < PATIENCE, what)
        time.sleep(0.2)
