"""`gardesh demo governance`: a concern, a consultation, votes, a rule in force, and a receipt that explains itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.markup import escape

from gardesh.cli import output
from gardesh.cli.telling import Teller
from gardesh.play import Played, Player
from gardesh.record.registers import NOWHERE
from gardesh.study.audit import Auditor
from gardesh.study.explanation import Explainer, Told

NEXT = (
    (
        "gardesh demo governance --public public-register",
        "write its public register, then open public-register/index.html",
        "دفتر همگانی آن را بنویسید و public-register/index.html را باز کنید",
    ),
    (
        "gardesh pack test packs/governance",
        "play every worked case of the pack",
        "همه‌ی پرونده‌های نمونه‌ی بسته",
    ),
    (
        "gardesh pack play packs/governance/cases/tariff-answered.yaml",
        "step through a consultation",
        "یک نظرخواهی را گام به گام ببینید",
    ),
    ("gardesh explain --help", "why a document of your own is as it is", "سندی از خودتان چرا چنین است"),
    ("gardesh --lang fa demo governance", "the same story in Persian", "همین داستان به فارسی"),
)
ENDS = ("comment", "vote")
QUOTED = ("answer", *ENDS)
"""To which documents the receipt is followed back."""


def tell(acts: Iterator[Played], player: Player, teller: Teller, followed: int) -> None:
    """The story, from where it begins itself: what it follows is summed up."""
    teller.opening()
    for played in acts:
        if played.number == followed:
            founding(player, teller)
        if played.number > followed:
            teller.act(played)
    promises(player, teller)
    explained(player, teller)


def founding(player: Player, teller: Teller) -> None:
    registers = player.node.sequencer.registers
    group = registers.value("governance/groups", "trade", NOWHERE, player.now)
    seats = [
        registers.value("governance/seats", f"trade/{s['seat']}", NOWHERE, player.now) for s in group["seats"]
    ]
    teller.say(
        "The working group of trade has {n} seats, {p} of them private. A decision needs {q} seats present, at least "
        "{r} of them private, and more than {m} of the votes cast.",
        "کارگروه تجارت {n} کرسی دارد که {p} تای آن از بخش خصوصی است. تصمیم {q} کرسی حاضر می‌خواهد که دست‌کم {r} کرسی "
        "خصوصی باشد، و بیش از {m} رأی‌های داده‌شده.",
        n=len(seats),
        p=sum(seat["private"] for seat in seats),
        q=group["quorum"]["seats"],
        r=group["quorum"]["private"],
        m=output.percent(float(group["majority"])),
    )
    teller.rest()


def promises(player: Player, teller: Teller) -> None:
    teller.chapter(output.t("What was promised", "آنچه وعده داده شد"))
    kept = player.node.sequencer.registers.values("governance/promises", "", NOWHERE, player.now)
    states = {"kept": ("kept", "انجام‌شده"), "late": ("late", "دیر"), "open": ("open", "باز")}
    teller.grid(
        [
            [
                escape(teller.names.org(p["owner"])),
                escape(p["promise"]),
                f"{output.t('until', 'تا')} {output.ltr(p['due'])}",
                output.t(*states[p["state"]]),
            ]
            for p in kept
        ],
        2,
    )


def receipt(player: Player) -> Told:
    """The explanation of the last payment of the fee."""
    (digest,) = player.node.store.one(
        "SELECT digest FROM documents WHERE step = 'inspection-fee' ORDER BY position DESC LIMIT 1"
    )
    return Explainer(player.node.store, player.node.library).explain(bytes(digest).hex(), 12)


def way(told: Told, step: str) -> list[Told]:
    """The shortest way from a document back to one of that step; empty if there is none."""
    ahead = [[told]]
    while ahead:
        found = ahead.pop(0)
        if found[-1].document["step"] == step:
            return found
        ahead += [[*found, below] for below in found[-1].because]
    return []


def explained(player: Player, teller: Teller) -> None:
    teller.chapter(
        output.t("Why two million? The receipt explains itself", "چرا دو میلیون؟ رسید خود توضیح می‌دهد"),
        output.t(
            "From the receipt back: to the tariff in force, who decided it, the vote, the answer, and the comment that "
            "changed the sum.",
            "از رسید به عقب: تعرفه‌ی نافذ، کسی که ابلاغ کرد، رأی، پاسخ، و نظری که مبلغ را تغییر داد.",
        ),
    )
    told = receipt(player)
    for step in ENDS:
        for depth, each in enumerate(way(told, step)):
            said = each.document
            text = (
                said["subject"].get("text")
                or said["subject"].get("reason")
                or said["subject"].get("vote")
                or ""
            )
            what = escape(teller.names.slot(said["step"]))
            quoted = f" [dim]«{escape(str(text))}»[/]" if text and said["step"] in QUOTED else ""
            arrow = "" if depth == 0 else output.t("← ", "→ ")
            teller.grid(
                [[f"{arrow}[bold]{what}[/], {escape(teller.names.org(said['issuer']))}{quoted}"]], 2 + depth
            )
        output.console.print()
    teller.say(
        "{n} documents led to it, each on the log.",
        "{n} سند به آن رسیده است، هر یک ثبت‌شده در دفتر.",
        n=len(positions(told)),
    )
    teller.rest()


def positions(told: Told) -> set[int]:
    return {told.document["position"]}.union(*(positions(below) for below in told.because))


def summary(player: Player, acts: int) -> dict[str, Any]:
    """For programs: how the story ended."""
    audited = Auditor(player.node.store, player.node.library, player.node.sequencer.clock.name).run()
    told = receipt(player)
    return {
        "acts": acts,
        "organisations": len(player.worked.parties),
        "audit": {"documents": audited.documents, "by_clock": audited.by_clock, "whole": audited.whole},
        "promises": player.node.sequencer.registers.values("governance/promises", "", NOWHERE, player.now),
        "receipt": {
            "document": told.document["document"],
            "rests_on": len(positions(told)),
            "ways": {step: [each.document["step"] for each in way(told, step)] for step in ENDS},
        },
    }
