"""The page of one public register: what is in force, who entered it, and how many there are of each kind."""

from __future__ import annotations

from typing import Any

from gardesh.model.pack import Pack, RegisterFile, Text
from gardesh.publication.content import Content, Entry
from gardesh.publication.page import WORDS
from gardesh.publication.shown import Shower

Places = dict[bytes, tuple[str, Text]]


class RegisterPage:
    """`places`: where the published documents stand, by their digests, and what they are called."""

    def __init__(self, content: Content, pack: Pack, register: RegisterFile, places: Places) -> None:
        self.content, self.pack, self.register, self.places = content, pack, register, places
        self.name = f"{pack.name}/{register.register}"
        self.here = f"register/{self.name}.html"
        self.entries = list(content.entries(pack, register))
        self.tally = content.tally(register, self.entries)

    def title(self, shower: Shower) -> str:
        return shower.say(self.register.title)

    def values(self) -> dict[str, Any]:
        balance = self.register.kind == "balance"
        return {
            "register_name": self.name,
            "unit": self.register.unit if balance else None,
            "as_of_shown": lambda s: s.moment(self.content.as_of),
            "tally": self.tallied,
            "tally_titles": self.heads,
            "entries": lambda s: [self.shown(s, entry) for entry in self.entries],
        }

    def heads(self, shower: Shower) -> list[str]:
        return [shower.title(field) for field in self.register.tally]

    def tallied(self, shower: Shower) -> list[tuple[list[str], str]]:
        fields, shower = self.register.tally, shower.named(self.register.names)
        return [
            (
                [str(shower.value(v, None, f)["text"]) for f, v in zip(fields, values, strict=True)],
                shower.number(n),
            )
            for values, n in self.tally
        ]

    def rows(self) -> list[dict[str, Any]]:
        """As JSON, with stable names; `since` and `until` in ms."""
        return [
            {
                "key": entry.key,
                "value": entry.value,
                "position": entry.row.position,
                "document": entry.row.digest.hex(),
                "since": entry.row.since,
                "until": entry.row.until,
            }
            for entry in self.entries
        ]

    def shown(self, shower: Shower, entry: Entry) -> dict[str, Any]:
        cited = self.places.get(entry.row.digest)
        w, row = WORDS[shower.lang], entry.row
        since = f"{w['from']} {shower.moment(row.since)} " if row.since is not None else ""
        until = f"{w['to']} {shower.moment(row.until)}" if row.until is not None else ""
        tree = shower.named(self.register.names).value(entry.value)
        return {
            "key": entry.key,
            "anchor": f"k-{entry.key}",
            "href": f"../../{cited[0]}" if cited else "",
            "by": shower.say(cited[1]) if cited else "",
            "position": shower.number(row.position),
            "tree": tree if "fields" in tree else {"fields": [(w["value"], tree)]},
            "term": f"{w['valid']} {since}{until}" if since or until else "",
        }
