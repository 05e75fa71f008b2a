"""Telling a played case as a story: chapters, acts, who is asked again, and whom the file waits for."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from typing import Any

from rich.cells import cell_len
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from gardesh.cli import output
from gardesh.cli.naming import Names
from gardesh.model import demand
from gardesh.model.case import Case
from gardesh.play import Played, Player
from gardesh.worked import Act

SENTENCES = {
    "issues": ("{who}: {what}", "{who}: {what}"),
    "corrects": ("{who} amends: {what}", "{who} اصلاح می‌کند: {what}"),
    "confirms": ("{who} confirms: {what}", "{who} دوباره تأیید می‌کند: {what}"),
    "withdraws": ("{who} takes back: {what}", "{who} پس می‌گیرد: {what}"),
    "revokes": ("{who} revokes: {what}", "{who} ابطال می‌کند: {what}"),
    "withdraws_case": ("{who} withdraws the case", "{who} از پرونده انصراف می‌دهد"),
    "signs": ("{who} signs: {what}", "{who} امضا می‌کند: {what}"),
    "sends": ("{who} sends what was signed: {what}", "{who} امضاشده را می‌فرستد: {what}"),
    "forges": ("A digit of {who}'s paper is changed: {what}", "رقمی از سند {who} عوض می‌شود: {what}"),
    "rotates_key": ("{who} takes a new key", "{who} کلید تازه می‌گیرد"),
    "revokes_key": ("The steward revokes a key of {who}", "راهبر کلیدی از {who} را باطل می‌کند"),
}
OUTCOMES = {
    "approved": ("green", "approved", "تأیید"),
    "deficient": ("yellow", "deficient", "نقص"),
    "rejected": ("red", "rejected", "رد"),
}
MOMENT = 14
"""The cells of the longest moment, `۳۱ اردیبهشت ۱۰:۰۵` apart."""
DIGEST = re.compile(r"\b([0-9a-f]{12})[0-9a-f]{52}\b")
STANDING, SHAKEN = "issued", ("due", "blocked", "overdue")


class Teller:
    """Tells the story in the language asked for. `pause` seconds rest after each chapter's words; 0: none."""

    def __init__(self, player: Player, pause: float) -> None:
        self.player, self.pause = player, pause
        self.names = Names(player)
        self.chapters = 0
        self.before: dict[str, dict[str, str]] = {}

    def rest(self, share: float = 1.0) -> None:
        if self.pause:
            time.sleep(self.pause * share)

    # -- the frame ----------------------------------------------------------------------------------------

    def chapter(self, title: str, prose: str = "", aside: str = "") -> None:
        """A rule with the title in it, then the words."""
        width = output.console.width
        shown = f"── {title} "
        aside = f" {aside}" if aside and cell_len(shown) + cell_len(aside) + 4 <= width else ""
        line = "─" * max(0, width - cell_len(shown) - cell_len(aside))
        output.console.print()
        output.console.print(
            f"[cyan]── [/][bold]{escape(title)}[/] [cyan]{line}[/][dim]{aside}[/]",
            no_wrap=True,
            overflow="ellipsis",
        )
        if prose:
            output.console.print(Padding(escape(prose), (0, 2, 1, 2)))
            self.rest()

    def opening(self) -> None:
        worked = self.player.worked
        self.chapter(output.title(worked.title), output.title(worked.description or ""))
        self.say(
            "{n} organisations take part, each with keys of its own.",
            "{n} سازمان در آن دست دارند، هر یک با کلید خود.",
            n=len(self.names.parties),
        )

    def say(self, en: str, fa: str, **values: Any) -> None:
        """A sentence of our own, in line with the words of a chapter."""
        output.console.print(Padding(output.t(en, fa, **values), (0, 2)))

    def grid(self, rows: Sequence[Sequence[str]], indent: int, *fixed: int, first: int = 0) -> None:
        """Columns in reading order; those of `fixed` are not wrapped, and the first has at least `first` cells."""
        made = Table.grid(padding=(0, 1))
        for i in range(len(rows[0])):
            made.add_column(no_wrap=i in fixed, overflow="fold", min_width=None if i else first)
        for row in rows:
            made.add_row(*row)
        output.console.print(Padding(made, (0, 0, 0, indent)))

    # -- the acts -----------------------------------------------------------------------------------------

    def act(self, played: Played) -> None:
        act = played.act
        note = act.note
        if note is not None:
            title, _, prose = output.title(note).strip().partition("\n")
            self.chapters += 1
            number = output.number(self.chapters)
            self.chapter(f"{number}. {title}", " ".join(prose.split()), self.names.day(played.at))
        rows = [self.by_clock(row) for row in played.by_clock if row["act"] != "reuse"]
        if act.verb[0] not in ("looks", "waits"):
            rows.append(self.row(played))
        if rows:
            self.grid(rows, 2, 0, 1, first=MOMENT)
        self.touched(played)
        if note is not None:
            self.waiting(self.case(act.case))
        self.rest(0.05)

    def case(self, name: str) -> Case | None:
        case_id = self.player.cases.get(name)
        return self.player.node.sequencer.cases.get(case_id) if case_id is not None else None

    def row(self, played: Played) -> list[str]:
        act = played.act
        mark = "[green]✓[/]" if played.accepted else "[yellow]✗[/]"
        lines = [self.sentence(act)]
        if act.outcome is not None:
            colour, en, fa = OUTCOMES[act.outcome]
            lines[0] += f" [{colour}]— {output.t(en, fa)}[/]"
        for reason in act.deficiencies:
            what = self.names.slot(reason["step"], reason.get("key", ""))
            why = output.title(reason["reason"])
            lines.append(escape(f"{what} {output.ltr(reason['field'])}: {why}"))
        if act.verb[0] == "sends" and played.digest is not None:
            lines.append(f"[dim]{output.ltr(f'{played.digest[:12]}…')}[/]")
        if played.problem is not None:
            said = output.t(played.problem.sentence("en"), played.problem.sentence("fa"))
            said = DIGEST.sub(lambda m: output.ltr(f"{m[1]}…"), said)
            lines.append(f"[yellow]{output.ltr(str(played.code))}[/] {escape(said)}")
        return [f"[dim]{self.names.moment(played.at)}[/]", mark, "\n".join(lines)]

    def sentence(self, act: Act) -> str:
        verb, what = act.verb
        by, key = act.by, act.key
        if verb in ("sends", "forges"):
            signed = next((a for a in self.player.worked.acts if a.as_ == what), act)
            what, by, key = signed.verb[1], by or signed.by, signed.key
        en, fa = SENTENCES.get(verb, ("{who} {what}", "{who} {what}"))
        who = f"[bold]{escape(self.names.org(by or what))}[/]"
        return output.t(en, fa, who=who, what=escape(self.names.slot(what, key)))

    def by_clock(self, row: dict[str, Any]) -> list[str]:
        """A term has passed: what the clock of the node did."""
        name, _, key = row["slot"].partition(":")
        step = self.names.steps.get(name)
        silence = step.spec.on_silence if step is not None else None
        case = self.case(row["case"])
        role = demand.role_of(case, step, key) if case is not None and step is not None else None
        who = self.names.holder(role) if role is not None else "—"
        said = {
            "escalate": (
                "The term of {who} has passed: {what} is referred to {whom}",
                "مهلت {who} گذشت: {what} به {whom} ارجاع شد",
            ),
            "deem": (
                "The term of {who} has passed: {what} counts as approved",
                "مهلت {who} گذشت: {what} تأییدشده شمرده می‌شود",
            ),
            "lapse": ("The term has passed: {what} lapses", "مهلت گذشت: {what} از دست رفت"),
        }.get(row["act"], ("{what}: {act}", "{what}: {act}"))
        told = output.t(
            *said,
            who=f"[bold]{escape(who)}[/]",
            what=escape(self.names.slot(row["slot"])),
            whom=f"[bold]{escape(self.names.holder(str(getattr(silence, 'escalate', None) or '')))}[/]",
            act=row["act"],
        )
        return [f"[dim]{self.names.moment(row['at'])}[/]", "[magenta]◷[/]", told]

    # -- what an act does to others -----------------------------------------------------------------------

    def touched(self, played: Played) -> None:
        """Which slots that stood are asked again, or became doubtful, or stand again by themselves."""
        now = {name: row["state"] for name, row in played.slots.items()}
        was = self.before.get(played.act.case, {})
        self.before[played.act.case] = now
        if played.act.verb[0] not in ("corrects", "confirms") or not played.accepted:
            return
        own = f"{played.act.verb[1]}:{played.act.key}" if played.act.key else played.act.verb[1]
        moved = {n: (was.get(n), s) for n, s in now.items() if n != own and was.get(n) != s}
        asked = [n for n, (a, b) in moved.items() if a == STANDING and b in SHAKEN]
        doubtful = [n for n, (a, b) in moved.items() if a == STANDING and b == "doubtful"]
        again = [n for n, (a, b) in moved.items() if a in ("doubtful", *SHAKEN) and b == STANDING]
        lines = []
        if asked:
            lines.append((output.t("asked again", "دوباره پرسیده می‌شود"), asked, "yellow"))
        if doubtful:
            lines.append((output.t("doubtful", "محل تردید"), doubtful, "yellow"))
        if again:
            lines.append((output.t("stands again by itself", "خودبه‌خود برجاست"), again, "green"))
        if asked or doubtful:
            still = [n for n, s in now.items() if s == STANDING and was.get(n) == STANDING and n != own]
            lines.append((output.t("untouched", "دست‌نخورده"), still, "green"))
        rows = [[f"[{colour}]{label}[/]", escape(self.listed(names))] for label, names, colour in lines]
        if rows:
            self.grid(rows, 4, 0)

    def listed(self, slots: Sequence[str]) -> str:
        """The titles of these slots, each once, with how many where there are several."""
        counts: dict[str, int] = {}
        for name in slots:
            shown = self.names.slot(name)
            counts[shown] = counts.get(shown, 0) + 1
        comma = "، " if output.lang() == "fa" else ", "
        return comma.join(f"{s} ×{output.number(n)}" if n > 1 else s for s, n in counts.items()) or "—"

    def waiting(self, case: Case | None) -> None:
        """Whom the file waits for, at this moment."""
        rows = []
        for wait in demand.rows(case) if case is not None else []:
            if wait["waits_on"]:
                continue
            who, what, until = self.names.who(wait), self.names.slot(wait["slot"]), ""
            lacking = next(iter(wait.get("deficiencies", ())), None)
            if case is not None and lacking is not None:
                who, what = self.mender(case, lacking["step"], lacking.get("key", ""))
            if wait["deadline"]:
                late = demand.shown_state(wait["state"], wait["deadline"], self.player.now) == "overdue"
                until = output.t("until {at}", "تا {at}", at=self.names.moment(wait["deadline"]))
                until = f"[red]{until}[/]" if late else until
            rows.append([f"[dim]…[/] {escape(who)}", f"[dim]{escape(what)}[/]", until])
        if rows:
            label = output.t("The file now waits for", "پرونده اکنون در انتظارِ")
            output.console.print(f"  [dim]{label}[/]")
            self.grid(rows, 4, 2)

    def mender(self, case: Case, step_name: str, key: str) -> tuple[str, str]:
        """Who must mend what an office found lacking, and the document."""
        role = demand.role_of(case, case.procedure.by_name[step_name], key)
        return self.names.org(demand.holder_of(case, role) or role or ""), self.names.slot(step_name, key)
