"""`gardesh pack diff`: what a new version of a pack changes, in words."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from gardesh.cli import output
from gardesh.record import folder
from gardesh.study.pack_difference import differences

MARKS = {"added": "[green]+[/]", "removed": "[red]−[/]", "changed": "[yellow]~[/]"}
TITLES = {
    "step": ("Steps", "گام‌ها"),
    "wait": ("What waits for what", "چه در انتظار چیست"),
    "reader": ("Who reads what", "چه کسی چه می‌خواند"),
    "paper": ("Papers", "سندها"),
    "deadline": ("Deadlines and silence", "مهلت‌ها و سکوت"),
    "rule": ("Rules", "قاعده‌ها"),
    "decision": ("Who decides", "چه کسی تصمیم می‌گیرد"),
    "register": ("Registers", "دفترهای ثبت"),
    "setting": ("Settings", "تنظیم‌ها"),
    "other": ("Other", "دیگر"),
}


def diff(
    old: Annotated[
        Path, typer.Argument(help="The folder of the version in force.", exists=True, file_okay=False)
    ],
    new: Annotated[Path, typer.Argument(help="The folder of the new version.", exists=True, file_okay=False)],
) -> None:
    """Say in words what a new version of a pack changes: steps, waits, papers, deadlines, rules, who reads what."""
    found = differences(folder.read_pack(old), folder.read_pack(new))
    if output.as_json():
        output.emit([each.as_dict() for each in found])
        return
    topic = ""
    for each in found:
        if each.topic != topic:
            topic = each.topic
            output.console.print(f"[bold]{output.t(*TITLES[topic])}[/]")
        output.console.print(f"  {MARKS[each.kind]} {escape(output.t(each.en, each.fa))}", soft_wrap=True)
    if not found:
        output.say("Nothing is different.", "تفاوتی نیست.")
