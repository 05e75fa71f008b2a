"""`gardesh demo`: a whole import, told as it goes, then checked without trusting anybody."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from gardesh import worked
from gardesh.cli import output
from gardesh.cli.case_commands import show_path, state
from gardesh.exchange import case_file, case_file_check
from gardesh.model import demand
from gardesh.model.case import Case
from gardesh.model.path import critical_path
from gardesh.model.problem import Problem
from gardesh.play import Played, Player
from gardesh.record import folder
from gardesh.record.store import Store
from gardesh.study.audit import Auditor

# World Bank, Doing Business 2015 (data of June 2014), import through a sea port, in days.
AS_IT_WAS = (
    ("documents", "اسناد", 24),
    ("customs", "گمرک", 2),
    ("port", "بندر", 5),
    ("inland", "حمل داخلی", 6),
)
AS_IT_WAS_SOURCE = "http://open-iran.com/trading-across-borders/"


def demo(
    pause: Annotated[
        float, typer.Option("--pause", help="Seconds to rest at each chapter when watched.")
    ] = 1.2,
) -> None:
    """A whole import with its offices: it circulates, waits, is amended, is inspected, leaves; and is checked."""
    begun = time.monotonic()
    watched = sys.stdout.isatty() and not output.as_json()
    teller = Teller(pause if watched else 0.0)
    root = folder.shipped() / "trade"
    packs = folder.gather(root)
    path = root / "cases" / "story.yaml"
    made = worked.read(path.name, folder.parse_yaml(path.name, path.read_bytes()))
    with tempfile.TemporaryDirectory(prefix="gardesh-demo-") as place:
        store = Store(str(Path(place) / "node.sqlite"), create=True)
        player = Player(packs, made, store)
        teller.opening(player)
        for played in player.run():
            teller.act(player, played)
            if played.failures:
                for failure in played.failures:
                    output.errors.print(failure, markup=False)
                raise typer.Exit(1)
        case = player._case("main")
        assert case is not None
        teller.path(case)
        teller.audit(player)
        teller.offline(player, case, Path(place))
        player.node.close()
    teller.end(time.monotonic() - begun)


class Teller:
    """Tells the story, in the language asked for; rests where there is something to see."""

    def __init__(self, pause: float) -> None:
        self.pause = pause
        self.told: list[dict[str, Any]] = []

    def rest(self) -> None:
        if self.pause:
            time.sleep(self.pause)

    def chapter(self, en: str, fa: str, **values: Any) -> None:
        if not output.as_json():
            output.console.print()
            output.console.rule(
                output.t(en, fa, **values), align="right" if output.lang() == "fa" else "left", style="cyan"
            )
            self.rest()

    def opening(self, player: Player) -> None:
        self.chapter(player.worked.title.en, player.worked.title.fa)
        if player.worked.description is not None and not output.as_json():
            output.console.print(output.title(player.worked.description))
        output.say(
            "{n} organisations, each with its own key, were admitted by the steward. Times are those of the story.",
            "{n} سازمان، هر یک با کلید خود، به پذیرش راهبر رسیده‌اند. زمان‌ها زمان‌های داستان است.",
            n=len(player.worked.parties),
        )

    def act(self, player: Player, played: Played) -> None:
        if output.as_json():
            output.emit_line(
                {"act": played.number, "at": played.at, "by": played.act.by, "code": played.code}
            )
            return
        note = played.act.note
        if note is not None:
            self.chapter(note.en, note.fa)
        verb, what = played.act.verb
        name = f"{what}:{played.act.key}" if played.act.key else what
        for row in played.by_clock:
            output.console.print(
                f"  {output.when(row['at'])}  ⏱ {output.t('silence', 'سکوت')}: {row['slot']} → {row['act']}",
                markup=False,
            )
        if verb not in ("looks", "waits"):
            mark = "[green]✓[/green]" if played.accepted else f"[yellow]✗ {played.code}[/yellow]"
            outcome = (
                f" [{OUTCOMES[played.act.outcome]}]" + output.t(*SAID[played.act.outcome]) + "[/]"
                if played.act.outcome
                else ""
            )
            output.console.print(
                f"  {output.when(played.at)}  {mark} {played.act.by}: {DONE(verb)} {name}{outcome}"
            )
        if played.problem is not None:
            output.console.print(
                "      " + output.t(played.problem.sentence("en"), played.problem.sentence("fa")),
                markup=False,
            )
        if note is not None:
            self.waits(player, played)

    def waits(self, player: Player, played: Played) -> None:
        """Whom the file waits for, at this moment."""
        case = player._case(played.act.case)
        rows = demand.rows(case) if case is not None else []
        for row in rows:
            if not row["waits_on"]:
                shown = demand.shown_state(row["state"], row["deadline"], player.now)
                line = f"      … {row['slot']}: {state(shown)} — {row['by'] or row['role'] or row.get('from') or ''}"
                if row["deadline"]:
                    line += f" ({output.t('until', 'تا')} {output.when(row['deadline'])})"
                output.console.print(line, style="dim", markup=False)
        self.rest()

    def path(self, case: Case) -> None:
        if output.as_json():
            return
        self.chapter("Whom the file waited for: the critical path", "پرونده در انتظار که بود: مسیر بحرانی")
        pieces = critical_path(case)
        show_path(pieces)
        assert case.closed_at is not None
        tiled = sum(p.until - p.since for p in pieces) == case.closed_at - case.opened_at
        output.say(
            "The pieces tile the time from opening to closing: {ok}.",
            "تکه‌ها زمان از گشایش تا بستن را بی‌درز می‌پوشانند: {ok}.",
            ok=output.t("yes", "آری") if tiled else output.t("NO", "نه"),
        )
        self.chapter("With papers, as published", "با کاغذ، چنان که منتشر شده")
        total = sum(d for _, _, d in AS_IT_WAS)
        rows = [[output.t(en, fa), output.number(days), "█" * days] for en, fa, days in AS_IT_WAS]
        output.table([("part", "بخش"), ("days", "روز"), ("", "")], rows)
        output.say(
            "{n} days in all, by the World Bank's count of 2014 ({s}). A published figure of other cases, not a measurement "
            "of this story; and the times of the story are its author's, not a forecast.",
            "روی هم {n} روز، به شمارش بانک جهانی در ۲۰۱۴ ({s}). این رقمی منتشرشده از پرونده‌های دیگر است، نه سنجشی از این "
            "داستان؛ و زمان‌های داستان از نویسنده‌ی آن است، نه پیش‌بینی.",
            n=total,
            s=AS_IT_WAS_SOURCE,
        )
        self.rest()

    def audit(self, player: Player) -> None:
        self.chapter("The audit: every decision derived again", "حسابرسی: هر تصمیم از نو به دست می‌آید")
        found = Auditor(player.node.store, player.node.library, player.node.sequencer.clock.name).run()
        output.say(
            "{d} documents read in log order, {c} of them by the clock: every acceptance follows from those before. {ok}",
            "{d} سند به ترتیب دفتر خوانده شد، {c} سند از ساعت گره: هر پذیرش از اسناد پیشین به دست می‌آید. {ok}",
            d=found.documents,
            c=found.by_clock,
            ok="✓" if found.whole else "✗",
        )
        if not found.whole:
            raise found.problems[0]
        self.rest()

    def offline(self, player: Player, case: Case, place: Path) -> None:
        self.chapter(
            "The offline check: one file, no network, no database",
            "وارسی بی‌شبکه: یک پرونده، بی شبکه و بی پایگاه داده",
        )
        data = case_file.export(player.node, case.id)
        (place / "case.gardesh.zip").write_bytes(data)
        begun = time.perf_counter()
        found = case_file_check.verify(data)
        spent = round((time.perf_counter() - begun) * 1000)
        if found.problems:
            raise found.problems[0]
        output.say(
            "{k} kB, {d} documents: signatures, keys in force, inclusion proofs, checkpoint checked in {m} ms ✓",
            "{k} کیلوبایت، {d} سند: امضاها، اعتبار کلیدها، گواه‌های شمول و نقطه‌ی وارسی در {m} میلی‌ثانیه سنجیده شد ✓",
            k=len(data) // 1000,
            d=found.documents,
            m=spent,
        )
        at = len(data) // 2
        bad = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        try:
            problems = case_file_check.verify(bad).problems
        except Problem as problem:
            problems = [problem]
        output.say(
            "Now one bit of it is flipped, at byte {n}:", "اکنون یک بیت آن در بایت {n} وارونه می‌شود:", n=at
        )
        if not problems:
            output.errors.print(output.t("the flipped bit went unseen", "بیت وارونه دیده نشد"))
            raise typer.Exit(1)
        first = problems[0]
        if not output.as_json():
            output.console.print(f"  [yellow]{first.code}[/yellow] {first.pointer}")
            output.console.print("  " + output.t(first.sentence("en"), first.sentence("fa")), markup=False)
        self.rest()

    def end(self, seconds: float) -> None:
        self.chapter("What to try next", "اکنون چه بیازمایید")
        output.say("Done in {s} seconds.", "در {s} ثانیه انجام شد.", s=round(seconds))
        for command, en, fa in NEXT:
            if not output.as_json():
                output.console.print(f"  [bold]{command}[/bold]  {output.t(en, fa)}")


OUTCOMES = {"approved": "green", "deficient": "yellow", "rejected": "red"}
SAID = {"approved": ("approved", "تأیید"), "deficient": ("deficient", "نقص"), "rejected": ("rejected", "رد")}
VERBS = {
    "issues": ("issues", "صادر می‌کند"),
    "corrects": ("corrects", "اصلاح می‌کند"),
    "confirms": ("confirms", "دوباره تأیید می‌کند"),
    "withdraws": ("withdraws", "پس می‌گیرد"),
    "revokes": ("revokes", "ابطال می‌کند"),
    "withdraws_case": ("withdraws the case", "از پرونده انصراف می‌دهد"),
    "signs": ("signs", "امضا می‌کند"),
    "sends": ("sends", "می‌فرستد"),
    "forges": ("someone forges", "کسی جعل می‌کند"),
    "rotates_key": ("rotates its key", "کلیدش را عوض می‌کند"),
    "revokes_key": ("the steward revokes a key", "راهبر کلیدی را باطل می‌کند"),
}


def DONE(verb: str) -> str:
    return output.t(*VERBS.get(verb, (verb, verb)))


NEXT = (
    (
        "gardesh pack test packs/trade",
        "play all worked cases of the trade pack",
        "همه‌ی پرونده‌های نمونه‌ی بسته‌ی تجارت",
    ),
    (
        "gardesh pack play packs/trade/cases/permit-refused.yaml",
        "step through one, slot by slot",
        "یکی را گام به گام ببینید",
    ),
    ("gardesh --lang fa demo", "the same story in Persian", "همین داستان به فارسی"),
    ("docs/tutorial/", "write a pack of your own", "بسته‌ای از خود بنویسید"),
)
