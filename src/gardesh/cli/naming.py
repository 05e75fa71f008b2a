"""What people call things: organisations, roles, steps, slots and moments, in the language asked for."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

import jdatetime

from gardesh.cli import output
from gardesh.model.identifiers import persian_digits
from gardesh.model.procedure import Step
from gardesh.play import Player
from gardesh.worked import Party

MONTHS_EN = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
MONTHS_FA = (
    "فروردین", "اردیبهشت", "خرداد", "تیر", "مرداد", "شهریور", "مهر", "آبان", "آذر", "دی", "بهمن", "اسفند",
)  # fmt: skip
DAYS_EN = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
DAYS_FA = ("دوشنبه", "سه‌شنبه", "چهارشنبه", "پنجشنبه", "جمعه", "شنبه", "یکشنبه")


class Names:
    """The titles of a played case. What has none is called by its id."""

    def __init__(self, player: Player) -> None:
        self.zone = datetime.fromisoformat(player.worked.start).tzinfo or timezone(timedelta())
        self.parties: dict[str, Any] = {
            org: said if isinstance(said, Party) else Party(roles=[said] if isinstance(said, str) else said)
            for org, said in player.worked.parties.items()
        }
        self.clock = player.node.sequencer.clock.name
        self.roles = {name: role for p in player.packs.values() for name, role in p.manifest.roles.items()}
        self.roles |= player.own.manifest.roles
        self.steps: dict[str, Step] = {}
        library = player.node.library
        for pack in sorted(library.packs.values(), key=lambda p: p.name == player.own.name):
            for name in pack.procedures:
                self.steps |= library.procedure(pack.label, name).by_name
        worked = library.qualify(player.own, player.worked.procedure)
        owner, _, name = worked.partition("/")
        self.steps |= library.procedure(player.packs[owner].label, name).by_name

    def org(self, org: str) -> str:
        """By its name; a role, where the path has only that, by who plays it."""
        if org == self.clock:
            return output.t("the node's clock", "ساعت گره")
        party = self.parties.get(org)
        if party is None:
            return self.holder(org)
        return output.title(party.name) if party.name is not None else org

    def role(self, role: str) -> str:
        return output.title(self.roles[role].title) if role in self.roles else role

    def holder(self, role: str) -> str:
        """The organisation that plays the role, where the story has only one; else the role."""
        holders = [org for org, party in self.parties.items() if role in party.roles]
        return self.org(holders[0]) if len(holders) == 1 else self.role(role)

    def who(self, wait: Mapping[str, Any]) -> str:
        """On whom a slot waits, from its row of `plan`."""
        if wait.get("by"):
            return self.org(str(wait["by"]))
        return self.holder(str(wait["role"])) if wait.get("role") else str(wait.get("from") or "—")

    def slot(self, name: str, key: str = "") -> str:
        """`permit:standards` as people say it. The key is told where the office alone does not tell it."""
        step_name, _, of = name.partition(":")
        key = key or of
        step = self.steps.get(step_name)
        if step is None:
            return name
        shown = output.title(step.title)
        if not key or step.role_field is not None:
            return shown
        return f"{shown} {output.number(key)}" if key.isdigit() else f"{shown} ({self.holder(key)})"

    def moment(self, ms: int) -> str:
        """Day of the month and time of day: `3 Jan 10:05`, `۱۳ دی ۱۰:۰۵`, in the zone of the story."""
        local = datetime.fromtimestamp(ms / 1000, self.zone)
        if output.lang() == "en":
            return f"{local.day} {MONTHS_EN[local.month - 1]} {local:%H:%M}"
        day = jdatetime.date.fromgregorian(date=local.date())
        return persian_digits(f"{day.day} {MONTHS_FA[day.month - 1]} {local:%H:%M}")

    def day(self, ms: int) -> str:
        """`Sat 3 Jan 2026`, `شنبه ۱۳ دی ۱۴۰۴`."""
        local = datetime.fromtimestamp(ms / 1000, self.zone)
        if output.lang() == "en":
            return f"{DAYS_EN[local.weekday()]} {local.day} {MONTHS_EN[local.month - 1]} {local.year}"
        day = jdatetime.date.fromgregorian(date=local.date())
        return persian_digits(f"{DAYS_FA[local.weekday()]} {day.day} {MONTHS_FA[day.month - 1]} {day.year}")
