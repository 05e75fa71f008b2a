"""The pages of one public case: its documents in log order, what it waits for, and what a new text changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from markupsafe import Markup

from gardesh.model import demand
from gardesh.publication.content import Content, PublicCase, PublicDocument, properties
from gardesh.publication.page import WORDS
from gardesh.publication.shown import Node, Path, Shower, differences

EACH = 200
"""How many documents are on one page; the log only grows, so a document stays on its page."""
MOST_CHANGES = 200


class CasePages:
    def __init__(self, content: Content, case: PublicCase, now: int) -> None:
        self.content, self.case, self.now = content, case, now
        self.documents: list[PublicDocument] = []
        self.page_of: dict[str, int] = {}
        self.last: dict[tuple[str, str], PublicDocument] = {}
        self.against: dict[str, PublicDocument] = {}

    def add(self, document: PublicDocument) -> None:
        """Documents come in log order."""
        paper = document.paper
        step = self.case.procedure.by_name.get(paper.step)
        slot = (paper.step, paper.key or "")
        if paper.act == "correct" and slot in self.last:
            self.against[document.digest] = self.last[slot]
        elif paper.act == "issue" and step is not None and step.spec.revises is not None:
            older = self.last.get((step.spec.revises, "")) or self.last.get((step.spec.revises, slot[1]))
            if older is not None:
                self.against[document.digest] = older
        if paper.act in ("issue", "correct"):
            self.last[slot] = document
        self.page_of[document.digest] = len(self.documents) // EACH
        self.documents.append(document)

    def place(self, document: PublicDocument) -> str:
        """Its permanent address, under the folder of a language."""
        return f"case/{self.case.row.id}/{self.href(document.digest)}"

    # -- the pages ----------------------------------------------------------------------------------------

    def pages(self) -> Iterator[tuple[str, Callable[[Shower], str], dict[str, Any]]]:
        """(address, title, values) of each page."""
        count = max(1, -(-len(self.documents) // EACH))
        for number in range(count):
            part = self.documents[number * EACH : (number + 1) * EACH]
            row = self.case.row
            yield (
                f"case/{row.id}/{page_name(number)}",
                self.title,
                {
                    "status": row.status,
                    "state": lambda s: WORDS[s.lang][f"status_{self.case.row.status}"],
                    "procedure": lambda s: s.say(self.case.procedure.spec.title),
                    "opened": lambda s: s.moment(self.case.row.opened_at),
                    "closed": lambda s: self.closed(s),
                    "age": lambda s: s.days(self.now - self.case.row.opened_at) if self.case.row.status == "open" else "",
                    "windows": lambda s: [self.shown_window(s, w) for w in self.windows()],
                    "waits": self.leaves,
                    "more": self.more,
                    "pages": lambda s, n=number: self.links(s, n, count),
                    "documents": lambda s, docs=part: [self.shown(s, d) for d in docs],
                },
            )  # fmt: skip

    def title(self, shower: Shower) -> str:
        if self.case.titled:
            return shower.say(self.case.name)
        return f"{shower.say(self.case.procedure.spec.title)} {self.case.name or self.case.row.id[:8]}"

    def closed(self, shower: Shower) -> str:
        at = self.case.row.closed_at
        return "" if at is None else shower.moment(at)

    def more(self, shower: Shower) -> list[str]:
        said = WORDS[shower.lang]["more"]
        return [
            f"{self.step_title(shower, step)}: {said.format(count=shower.number(n))}"
            for step, n in self.case.more.items()
        ]

    @staticmethod
    def links(shower: Shower, number: int, count: int) -> Markup:
        if count == 1:
            return Markup("")
        shown = (
            Markup("<strong>{}</strong>").format(shower.number(i + 1))
            if i == number
            else Markup('<a href="{}">{}</a>').format(page_name(i), shower.number(i + 1))
            for i in range(count)
        )
        return Markup("<p>{} {}</p>").format(WORDS[shower.lang]["page"], Markup(" ").join(shown))

    def step_title(self, shower: Shower, name: str) -> str:
        step = self.case.procedure.by_name.get(name)
        return shower.say(step.title) if step is not None else name

    def role(self, shower: Shower, name: str | None) -> str:
        found = self.content.library.role(self.case.procedure.pack, name) if name else None
        return shower.say(found.title) if found is not None else name or "—"

    def leaves(self, shower: Shower) -> list[dict[str, Any]]:
        """What an open case waits for, where something can be done now."""
        waits = self.case.waits if self.case.row.status == "open" else []
        return [self.wait(shower, w) for w in waits if not w["waits_on"]]

    def wait(self, shower: Shower, wait: dict[str, Any]) -> dict[str, Any]:
        state = demand.shown_state(wait["state"], wait["deadline"], self.now)
        who = (
            shower.say(self.content.organisation(wait["by"]))
            if wait["by"]
            else self.role(shower, wait["role"])
        )
        step = self.step_title(shower, wait["step"])
        return {
            "step": f"{step}: {wait['key']}" if wait["key"] else step,
            "who": who,
            "until": shower.moment(wait["deadline"]) if wait["deadline"] is not None else "—",
            "state": WORDS[shower.lang].get(state, state),
            "tag": state,
        }

    def shown(self, shower: Shower, document: PublicDocument) -> dict[str, Any]:
        """A document as its page tells it: whole, or as a difference from the text that it replaces."""
        w, paper = WORDS[shower.lang], document.paper
        older = self.against.get(document.digest)
        changes = self.changes(older, document) if older is not None else []
        step = self.case.procedure.by_name.get(paper.step)
        title = shower.say(
            step.title if step is not None and paper.act == "issue" else document.declared.title
        )
        clock = self.content.node.sequencer.clock.name
        return {
            "digest": document.digest,
            "key_file": document.key_file,
            "title": title,
            "key": paper.key,
            "outcome": w.get(paper.outcome or "", paper.outcome),
            "outcome_tag": paper.outcome,
            "by": w["clock"] if paper.issuer == clock else shower.say(self.content.organisation(paper.issuer)),
            "at": shower.moment(document.recorded_at),
            "act": "" if paper.act == "issue" else w.get(paper.act, paper.act),
            "tree": self.tree(shower, document, older),
            "deficiencies": [self.deficiency(shower, d) for d in paper.deficiencies],
            "changes": [self.change(shower, document, c) for c in changes],
            "against": shower.say(older.declared.title) if older is not None else "",
            "against_href": self.href(older.digest) if older is not None else "",
            "basis": list(self.basis(shower, document)),
            "position": shower.number(document.position),
            "signed": document.data is not None,
        }  # fmt: skip

    def tree(self, shower: Shower, document: PublicDocument, older: PublicDocument | None) -> Node:
        """What it says; of a correction only what changed, and of a term that passed to whom it is referred."""
        act = document.paper.act
        if act == "escalate":
            to = self.role(shower, str(document.subject.get("to")))
            return {"fields": [(WORDS[shower.lang]["referred_to"], {"text": to})]}
        if act == "correct" and older is not None:
            return {"fields": []}
        return shower.subject(document.subject, document.declared)

    def deficiency(self, shower: Shower, said: dict[str, Any]) -> str:
        where = " · ".join(
            filter(None, (self.step_title(shower, said["step"]), said.get("key"), said.get("field")))
        )
        return f"{where}: {shower.say(said['reason'])}"

    @staticmethod
    def change(shower: Shower, document: PublicDocument, change: tuple[Path, Any, Any]) -> dict[str, Any]:
        path, old, new = change
        where, schema = shower.place(path, document.declared.schema)
        shown = (None if value is None else shower.value(value, schema) for value in (old, new))
        return {"path": where, **dict(zip(("old", "new"), shown, strict=True))}

    @staticmethod
    def changes(older: PublicDocument, document: PublicDocument) -> list[tuple[Path, Any, Any]]:
        """Of two types, only the fields that both know are compared."""
        both = properties(older.declared).keys() & properties(document.declared).keys()
        old, new = ({n: v for n, v in d.subject.items() if n in both} for d in (older, document))
        return list(islice(differences(old, new), MOST_CHANGES))

    def basis(self, shower: Shower, document: PublicDocument) -> Iterator[dict[str, str]]:
        for slot, digest in document.paper.basis:
            if digest.hex() in self.page_of:
                name, _, key = slot.partition(":")
                title = self.step_title(shower, name)
                yield {"href": self.href(digest.hex()), "title": f"{title} {key}" if key else title}

    def href(self, digest: str) -> str:
        return f"{page_name(self.page_of[digest])}#d-{digest[:16]}"

    # -- what overviews say of it -------------------------------------------------------------------------

    def windows(self) -> list[dict[str, Any]]:
        return [{**w, "pages": self} for w in self.case.windows] if self.case.row.status == "open" else []

    def summary(self) -> dict[str, Any]:
        row = self.case.row
        self.documents, self.last, self.against = [], {}, {}
        return {
            "windows": self.windows(),
            "pages": self,
            "row": {
                "case": row.id, "pack": row.pack, "procedure": row.procedure, "opener": row.opener, "opened_at": row.opened_at,
                "closed_at": row.closed_at, "status": row.status, "name": self.case.name,
                "waits": [{k: w[k] for k in ("slot", "state", "role", "by", "since", "deadline")} for w in self.case.waits],
            },
        }  # fmt: skip

    @staticmethod
    def shown_window(shower: Shower, window: dict[str, Any]) -> dict[str, Any]:
        w, pages = WORDS[shower.lang], window["pages"]
        end = window["deadline"]
        return {
            "href": f"case/{pages.case.row.id}/index.html",
            "name": pages.title(shower),
            "procedure": shower.say(pages.case.procedure.spec.title),
            "step": pages.step_title(shower, window["step"]),
            "role": pages.role(shower, window["role"]),
            "until": w["no_end"] if end is None else w["until"].format(day=shower.moment(end)),
        }

    @staticmethod
    def shown_summary(shower: Shower, case: PublicCase, said: dict[str, Any], now: int) -> dict[str, Any]:
        w, pages, row = WORDS[shower.lang], said["pages"], case.row
        leaves = (
            [pages.wait(shower, x) for x in case.waits if not x["waits_on"]] if row.status == "open" else []
        )
        return {
            "href": f"case/{row.id}/index.html",
            "name": pages.title(shower),
            "status": row.status,
            "state": w[f"status_{row.status}"],
            "opened": shower.moment(row.opened_at),
            "age": shower.days((row.closed_at or now) - row.opened_at) if row.status != "withdrawn" else "—",
            "waits": w["comma"].join(f"{x['step']} ({x['who']})" for x in leaves[:3]),
        }


def page_name(number: int) -> str:
    return "index.html" if number == 0 else f"{number + 1}.html"
