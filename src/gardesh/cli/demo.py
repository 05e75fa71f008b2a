"""`gardesh demo`: a whole import, told as it goes, then checked without trusting anybody."""

from __future__ import annotations

import io
import os
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from gardesh import hosts, worked_file
from gardesh.cli import demo_governance, demo_nodes, output, path_chart
from gardesh.cli.case_commands import piece_row
from gardesh.cli.telling import Teller
from gardesh.exchange import case_file_check, case_file_selection
from gardesh.hosts import ENCLOSED
from gardesh.model.case import Case
from gardesh.model.path import by_office, critical_path
from gardesh.model.problem import Problem, define
from gardesh.play import Played, Player
from gardesh.publication.site import publish
from gardesh.record import folder
from gardesh.record.store import Store
from gardesh.study.audit import Auditor

UNSEEN = define(
    "changed-byte-unseen",
    500,
    en="Byte {at} of the case file was changed, and the check did not see it.",
    fa="بایت {at} فایل پرونده عوض شد و وارسی آن را ندید.",
)
OTHERWISE = define(
    "story-went-otherwise",
    500,
    en="The story did not go as it is written, at act {act}: {reason}",
    fa="داستان در کنش {act} چنان که نوشته شده نرفت: {reason}",
)


class Story(StrEnum):
    IMPORT = "import"
    GOVERNANCE = "governance"
    NODES = "nodes"


PACKS = {Story.IMPORT: "trade", Story.GOVERNANCE: "governance"}
PLACES = 64
"""At how many more places, evenly over the file, a bit is flipped."""


def demo(
    which: Annotated[
        Story,
        typer.Argument(
            help="import: goods through their offices; governance: a rule and its making; nodes: several, and witnesses."
        ),
    ] = Story.IMPORT,
    public: Annotated[
        Path | None, typer.Option("--public", help="Also write the public register of the story here.")
    ] = None,
    pause: Annotated[
        float, typer.Option("--pause", help="Seconds to rest after each chapter's words, when watched.")
    ] = 1.8,
) -> None:
    """A whole import with its offices, the making of a rule with the private sector at the table, or several nodes; then
    checked."""
    begun = time.monotonic()
    if which is Story.NODES:
        if ENCLOSED not in os.environ and hosts.allowed():
            words = hosts.enclosed(
                [sys.executable, "-c", "from gardesh.cli import main; main()", *sys.argv[1:]]
            )
            os.execvpe(words[0], words, {**os.environ, ENCLOSED: "1"})  # noqa: S606
        with tempfile.TemporaryDirectory(prefix="gardesh-demo-") as place:
            rest = max(0.0, pause) if sys.stdout.isatty() else 0.0
            demo_nodes.tell(Path(place), lambda: time.sleep(rest))
        return
    path = folder.shipped() / PACKS[which] / "cases" / "story.yaml"
    made = worked_file.load(path)
    with tempfile.TemporaryDirectory(prefix="gardesh-demo-") as place:
        player = Player(
            worked_file.packs(path, made), made, Store(str(Path(place) / "node.sqlite"), create=True)
        )
        try:
            if output.as_json():
                lines(player, which)
            else:
                watched = sys.stdout.isatty()
                teller = Teller(player, max(0.0, pause) if watched else 0.0)
                if which is Story.IMPORT:
                    tell(player, teller)
                else:
                    demo_governance.tell(story(player), player, teller, worked_file.followed(path))
                    audit(player, teller)
                ending(round((time.monotonic() - begun) * 1000), which)
            if public is not None:
                publish(player.node, public, player.now)
        finally:
            player.node.close()


def story(player: Player) -> Iterator[Played]:
    """The acts of the story as they are played. Raises when one does not go as it is written."""
    for played in player.run():
        yield played
        if played.failures:
            raise Problem(OTHERWISE, "", act=played.number, reason="; ".join(played.failures))


def main_case(player: Player) -> Case:
    return player.node.sequencer.cases.get(player.cases["main"])


# -- for programs -------------------------------------------------------------------------------------------


def lines(player: Player, which: Story) -> None:
    """One JSON object for each act, then one with the summary; nothing else."""
    acts = 0
    for played in story(player):
        acts += 1
        output.emit_line(act_row(played))
    if which is Story.GOVERNANCE:
        output.emit_line({"summary": demo_governance.summary(player, acts)})
        return
    case = main_case(player)
    pieces = critical_path(case)
    data = case_file_selection.export(player.node, case.id)
    found, flipped = case_file_check.verify(data), flip(data, inside(data))
    audited = Auditor(player.node.store, player.node.library, player.node.sequencer.clock.name).run()
    output.emit_line(
        {
            "summary": {
                "acts": acts, "organisations": len(player.worked.parties), "case": case.id,
                "opened_at": case.opened_at, "closed_at": case.closed_at,
                "path": [piece_row(p) for p in pieces], "by_office": by_office(pieces),
                "phases_ms": path_chart.phases(case),
                "published": [asdict(figure) for figure in path_chart.AS_IT_WAS],
                "audit": {"documents": audited.documents, "by_clock": audited.by_clock, "whole": audited.whole},
                "offline": {
                    "bytes": len(data), "documents": found.documents, "whole": found.whole,
                    "changed_byte": {"at": flipped[0], "code": flipped[1].code, "pointer": flipped[1].pointer},
                },
            }
        }
    )  # fmt: skip
    if not (audited.whole and found.whole):
        raise typer.Exit(1)


def act_row(played: Played) -> dict[str, Any]:
    act = played.act
    verb, what = act.verb
    return {
        "act": played.number, "at": played.at, "case": act.case, "by": act.by, "verb": verb, "what": what,
        "key": act.key, "outcome": act.outcome, "accepted": played.accepted, "code": played.code,
        "pointer": played.pointer, "position": played.position, "digest": played.digest,
        "by_clock": played.by_clock, "note": {"fa": act.note.fa, "en": act.note.en} if act.note else None,
    }  # fmt: skip


# -- for people ---------------------------------------------------------------------------------------------


def tell(player: Player, teller: Teller) -> None:
    teller.opening()
    for played in story(player):
        teller.act(played)
    case = main_case(player)
    path(case, teller)
    audit(player, teller)
    offline(player, case, teller)


def path(case: Case, teller: Teller) -> None:
    pieces = critical_path(case)
    teller.chapter(
        output.t("For whom the file waited", "پرونده در انتظار که بود"),
        output.t(
            "The critical path: at every moment the one office that everything else waited for. "
            "It is derived from the documents, and its pieces tile the time without gap or overlap.",
            "مسیر بحرانی: در هر لحظه همان یک نهادی که همه‌ی کارهای دیگر چشم‌به‌راهش بود. "
            "از خود اسناد به دست می‌آید و تکه‌هایش زمان را بی درز و بی هم‌پوشانی می‌پوشاند.",
        ),
    )
    path_chart.staircase(pieces, teller.names)
    teller.rest()
    output.console.print(f"\n  [bold]{output.t('By office', 'به تفکیک نهاد')}[/]")
    path_chart.offices(pieces, teller.names)
    calendar, hours = path_chart.totals(pieces)
    teller.say(
        "In all {all}, of which {hours} office hours.",
        "روی هم {all}، که {hours} ساعت آن اداری بود.",
        all=calendar,
        hours=hours,
    )
    teller.rest()
    as_it_was(case, teller)


def as_it_was(case: Case, teller: Teller) -> None:
    teller.chapter(
        output.t("With papers, as others have published it", "با کاغذ، چنان که دیگران منتشر کرده‌اند")
    )
    path_chart.published()
    teller.say(
        "Published figures of other cases, not measurements of ours. The World Bank's four make {n} days of an import by "
        "sea. Sources: {a} and {b}",
        "این‌ها ارقام منتشرشده‌ی پرونده‌های دیگر است، نه سنجش ما. چهار رقم بانک جهانی روی هم {n} روز برای یک واردات دریایی "
        "می‌شود. منبع: {a} و {b}",
        n=sum(int(f.days) for f in path_chart.AS_IT_WAS if f.source == path_chart.WORLD_BANK),
        a=output.ltr(path_chart.WORLD_BANK),
        b=output.ltr(path_chart.CUSTOMS),
    )
    comma = "؛ " if output.lang() == "fa" else "; "
    spans = path_chart.phases(case).items()
    teller.say(
        "The clocks of this story: {spans}. Its author chose them; they are no forecast and no measurement.",
        "ساعت‌های این داستان: {spans}. این‌ها را نویسنده برگزیده است؛ نه پیش‌بینی است و نه سنجش.",
        spans=comma.join(
            f"{output.t(*path_chart.PHASES.get(n, (n, n)))} {output.span(ms)}" for n, ms in spans
        ),
    )
    teller.rest()


def audit(player: Player, teller: Teller) -> None:
    teller.chapter(
        output.t("The audit: every decision derived again", "حسابرسی: هر تصمیم از نو به دست می‌آید"),
        output.t(
            "A second, empty node reads the log from its first line and must come to the same decisions.",
            "گرهی دیگر و تهی، دفتر را از سطر نخست می‌خواند و باید به همان تصمیم‌ها برسد.",
        ),
    )
    found = Auditor(player.node.store, player.node.library, player.node.sequencer.clock.name).run()
    if not found.whole:
        raise found.problems[0]
    teller.say(
        "[green]✓[/] {d} documents, {c} of them by the clock: each follows from those before it.",
        "[green]✓[/] {d} سند، که {c} تای آن از ساعت گره است: هر یک از سندهای پیش از خود به دست می‌آید.",
        d=found.documents,
        c=found.by_clock,
    )
    teller.rest()


def offline(player: Player, case: Case, teller: Teller) -> None:
    teller.chapter(
        output.t(
            "The offline check: one file, no network, no database",
            "وارسی بی‌شبکه: یک فایل، بی شبکه و بی پایگاه داده",
        ),
        output.t(
            "The case leaves as one file. Whoever holds it can check it alone, without trusting this node.",
            "پرونده در یک فایل بیرون می‌رود. هر که آن را دارد، تنها و بی اعتماد به این گره می‌تواند بسنجدش.",
        ),
    )
    data = case_file_selection.export(player.node, case.id)
    begun = time.perf_counter()
    found = case_file_check.verify(data)
    spent = max(1, round((time.perf_counter() - begun) * 1000))
    if found.problems:
        raise found.problems[0]
    teller.say(
        "[green]✓[/] {k} kB, {d} documents: signatures, keys in force, proofs, checkpoint; {m} ms.",
        "[green]✓[/] {k} کیلوبایت، {d} سند: امضاها، اعتبار کلیدها، گواه‌ها و نقطه‌ی وارسی؛ {m} میلی‌ثانیه.",
        k=len(data) // 1000,
        d=found.documents,
        m=spent,
    )
    at, problem = flip(data, inside(data))
    teller.say(
        "Now somebody changes one bit, in the duty assessment (byte {n} of the file):",
        "اکنون کسی یک بیت را در محاسبه‌ی حقوق ورودی عوض می‌کند (بایت {n} فایل):",
        n=at,
    )
    said = output.t(problem.sentence("en"), problem.sentence("fa"))
    teller.grid(
        [["[yellow]✗[/]", f"[yellow]{output.ltr(problem.code)}[/] {escape(output.ltr(problem.pointer))}"]], 2
    )
    teller.grid([["", escape(said)]], 3)
    for i in range(PLACES):
        flip(data, i * (len(data) - 1) // (PLACES - 1))
    teller.say(
        "And at {n} more places, evenly over the file: [green]all found[/].",
        "و در {n} جای دیگر، پخش در سراسر فایل: [green]همه یافته شد[/].",
        n=PLACES,
    )
    teller.rest()


def inside(data: bytes) -> int:
    """The place of a byte in the middle of the duty assessment that the case file carries."""
    with zipfile.ZipFile(io.BytesIO(data)) as opened:
        entry = next(e for e in opened.infolist() if e.filename.endswith("-duty-assessment.sd-jwt"))
        return data.index(opened.read(entry), entry.header_offset) + entry.file_size // 3


def flip(data: bytes, at: int) -> tuple[int, Problem]:
    """Change one bit of the case file, and what the check then says first. Raises `changed-byte-unseen`."""
    changed = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
    problems = case_file_check.verify(changed).problems
    if not problems:
        raise Problem(UNSEEN, "", at=at)
    return at, problems[0]


NEXT = (
    ("gardesh case export --help", "take a case away in one file", "پرونده‌ای را در یک فایل بیرون ببرید"),
    ("gardesh pack test packs/trade", "play every worked case of the pack", "همه‌ی پرونده‌های نمونه‌ی بسته"),
    (
        "gardesh pack play packs/trade/cases/permit-refused.yaml",
        "step through one, slot by slot",
        "یکی را گام به گام ببینید",
    ),
    (
        "gardesh pack play packs/trade/cases/story.yaml --html story.html",
        "this story as a page",
        "همین داستان، در یک صفحه",
    ),
    ("gardesh demo nodes", "several nodes, one killed, one lying", "چند گره، یکی کشته‌شده و یکی دروغ‌گو"),
    ("gardesh demo governance", "how the rules themselves are made", "قانون خود چگونه ساخته می‌شود"),
    ("gardesh --lang fa demo", "the same story in Persian", "همین داستان به فارسی"),
    ("docs/tutorial/", "write a pack of your own", "بسته‌ای از خود بنویسید"),
)


def ending(milliseconds: int, which: Story) -> None:
    title = output.t("What to try next", "اکنون چه بیازمایید")
    output.console.print(f"\n[cyan]──[/] [bold]{title}[/]")
    for command, en, fa in NEXT if which is Story.IMPORT else demo_governance.NEXT:
        if output.lang() == "fa" and "--lang" in command:
            command, fa = command.replace("--lang fa ", ""), "همین داستان به انگلیسی"
        output.console.print(f"  [bold]{output.ltr(command)}[/]", soft_wrap=True)
        output.console.print(f"      {output.t(en, fa)}")
    output.say("\n  Told in {s}.", "\n  در {s} گفته شد.", s=output.span(max(1000, milliseconds)))
