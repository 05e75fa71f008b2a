"""Writing the public register: a folder of static files, put in place whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from gardesh.model.problem import Problem, define
from gardesh.node import Node
from gardesh.publication import table
from gardesh.publication.casepage import CasePages
from gardesh.publication.content import Content, Counts, PublicCase, PublicDocument, properties
from gardesh.publication.documents import Tables
from gardesh.publication.page import WORDS, entrance, render
from gardesh.publication.registerpage import Places, RegisterPage
from gardesh.publication.shown import Shower

NOT_A_PUBLIC_REGISTER = define(
    "not-a-public-register",
    409,
    en="The folder {folder} holds something else than a public register; it is left as it is.",
    fa="پوشه‌ی {folder} چیزی جز دفتر همگانی در خود دارد و دست‌نخورده می‌ماند.",
)
MARK = "gardesh-public.json"
TITLES = {
    "outcome": {"fa": "نتیجه", "en": "Outcome"},
    "currency": {"fa": "ارز", "en": "Currency"},
    "digest": {"fa": "چکیده", "en": "Digest"},
}
"""Fields of register values that no document's schema names."""
Progress = Callable[[int, int], None]
"""Told how many of how many cases are done."""


class Written(dict[str, int]):
    """How many cases, documents, entries and files were written."""


def publish(
    node: Node,
    out: Path,
    now: int,
    *,
    as_of: int | None = None,
    progress: Progress = lambda done, of: None,
) -> Written:
    """Write the public register of a node to the folder `out`, which is empty, or holds an earlier one, or is not yet.

    `as_of`: the registers as they are in force then. Raises `not-a-public-register`; then nothing was changed. What is
    there is exchanged at the end, by two renames; the next run puts back what a crash between them set aside.
    """
    out = out.resolve()
    fresh, stale = out.with_name(f".{out.name}.new"), out.with_name(f".{out.name}.old")
    if not out.exists() and stale.is_dir():
        os.rename(stale, out)
    if out.exists() and not replaceable(out):
        raise Problem(NOT_A_PUBLIC_REGISTER, folder=str(out))
    for left in (fresh, stale):
        shutil.rmtree(left, ignore_errors=True)
    fresh.mkdir(parents=True)
    written = Site(node, fresh, now, as_of).write(progress)
    if out.exists():
        os.rename(out, stale)
    os.rename(fresh, out)
    shutil.rmtree(stale, ignore_errors=True)
    return written


def replaceable(out: Path) -> bool:
    """Whether it is a folder that is empty or holds an earlier public register."""
    return out.is_dir() and ((out / MARK).is_file() or not any(out.iterdir()))


class Site:
    def __init__(self, node: Node, out: Path, now: int, as_of: int | None) -> None:
        self.node, self.out, self.now = node, out, now
        self.content = Content(node, as_of if as_of is not None else now)
        self.note = node.log.checkpoint(node.sequencer.last_at)
        titles: dict[str, Any] = dict(TITLES)
        names: dict[str, dict[str, Any]] = {}
        for pack in self.content.packs:
            for declared in pack.documents.values():
                for name, schema in properties(declared).items():
                    titles.setdefault(name, schema.get("title"))
                    if "names" in schema:
                        names.setdefault(name, schema["names"])
        self.showers = [Shower(lang, titles, names) for lang in ("fa", "en")]
        self.dated = as_of is not None
        self.written = Written(cases=0, documents=0, entries=0, files=0)
        self.summaries: list[tuple[PublicCase, dict[str, Any]]] = []
        self.counts: dict[str, Counts] = {}
        self.keys: set[str] = set()
        self.places: Places = {}
        self.abouts = {shower.lang: self.about(shower) for shower in self.showers}
        self.tables = Tables(out / "data" / "documents")

    # -- files --------------------------------------------------------------------------------------------

    def put(self, name: str, data: str | bytes) -> None:
        path = self.out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        self.written["files"] += 1

    def about(self, shower: Shower) -> dict[str, Any]:
        head = self.node.log.edge
        return {
            "origin": self.node.log.origin,
            "size": shower.number(head.size),
            "root": head.root().hex()[:16],
            "command": "gardesh verify DIGEST.vc --key KID.jwk --receipt DIGEST.proof --log-key …",
            "written": shower.moment(self.now),
            "as_of": shower.moment(self.content.as_of) if self.dated else "",
        }

    def page(self, template: str, here: str, title: Callable[[Shower], str], **values: Any) -> None:
        """A page in both languages. Values that are callables are asked for what they are in the language."""
        for shower in self.showers:
            said = {k: v(shower) if callable(v) else v for k, v in values.items()}
            text = render(template, here, shower, self.abouts[shower.lang], title=title(shower), **said)
            self.put(f"{shower.lang}/{here}", text)

    # -- all of it ----------------------------------------------------------------------------------------

    def write(self, progress: Progress) -> Written:
        total = self.content.count()
        for done, case in enumerate(self.content.cases(), 1):
            if case is not None:
                self.case(case)
            progress(done, total)
        self.written["files"] += self.tables.close()
        registers = [
            RegisterPage(self.content, *each, self.places) for each in self.content.public_registers()
        ]
        for each in registers:
            self.page("register", each.here, each.title, **each.values())
            self.put(f"data/register/{each.name}.json", table.as_json(each.rows()))
            self.written["entries"] += len(each.entries)
        self.overview(registers)
        self.put("data/checkpoint", self.note)
        self.put("index.html", entrance())
        self.put("data/log-keys", "".join(f"{key}\n" for key in self.node.log.vkeys))
        self.put(
            MARK, table.as_json({"origin": self.node.log.origin, "size": self.node.log.size, **self.written})
        )
        return self.written

    def case(self, case: PublicCase) -> None:
        pages = CasePages(self.content, case, self.now)
        for document in self.content.documents(case.row.id):
            pages.add(document)
            self.document(document)
            self.places[document.paper.digest] = (pages.place(document), document.declared.title)
        for here, title, values in pages.pages():
            self.page("case", here, title, **values)
        self.summaries.append((case, pages.summary()))
        counted = self.counts.setdefault(case.procedure.label, Counts(case.procedure.spec.title))
        counted.add(case.row)
        self.written["cases"] += 1

    def document(self, document: PublicDocument) -> None:
        name = f"data/document/{document.digest}"
        self.put(f"{name}.json", table.as_json(document.row()))
        if document.data is not None:
            self.put(f"{name}.vc", document.data)
        if document.paper.kid not in self.keys:
            self.keys.add(document.paper.kid)
            known = self.content.registers.value(
                "core/keys", document.paper.kid, max(document.position, 1), document.recorded_at
            )
            self.put(f"data/key/{document.key_file}.jwk", table.as_json(known["jwk"]))
        receipt = self.node.log.receipts([(document.position, document.recorded_at)], self.note)[0]
        self.put(f"{name}.proof", receipt.encode())
        self.tables.add(document)
        self.written["documents"] += 1

    # -- overviews ----------------------------------------------------------------------------------------

    def overview(self, registers: list[RegisterPage]) -> None:
        windows = [w for _, said in self.summaries for w in said["windows"]]

        def shown_windows(s: Shower) -> list[dict[str, Any]]:
            return [CasePages.shown_window(s, w) for w in windows]

        def cards(s: Shower) -> list[dict[str, Any]]:
            w = WORDS[s.lang]
            said = (
                (w["cases"], len(self.summaries), "cases.html"),
                (w["open_now"], len(windows), "open.html"),
                (w["in_force"], sum(len(r.entries) for r in registers), "in-force.html"),
                (w["documents"], self.written["documents"], "data.html"),
            )
            return [{"title": t, "count": s.number(n), "href": h, "more": w["more_link"]} for t, n, h in said]

        self.page(
            "index", "index.html", lambda s: WORDS[s.lang]["register"], cards=cards, windows=shown_windows
        )
        self.page("open", "open.html", lambda s: WORDS[s.lang]["open_now"], windows=shown_windows)
        self.page("cases", "cases.html", lambda s: WORDS[s.lang]["cases"], groups=self.groups)
        self.page(
            "in-force",
            "in-force.html",
            lambda s: WORDS[s.lang]["in_force"],
            as_of_shown=lambda s: s.moment(self.content.as_of),
            registers=lambda s: [
                {
                    "href": r.here,
                    "title": r.title(s),
                    "count": s.number(len(r.entries)),
                    "pack": s.say(r.pack.manifest.title),
                }
                for r in registers
            ],
        )
        self.statistics(registers)
        self.put("data/cases.jsonl", table.json_lines(said["row"] for _, said in self.summaries))
        self.page(
            "data",
            "data.html",
            lambda s: WORDS[s.lang]["data"],
            files=lambda s: list(self.files(s, registers)),
        )

    def groups(self, shower: Shower) -> list[dict[str, Any]]:
        """The cases by procedure, the open ones first and the oldest of them first."""
        by: dict[str, list[tuple[PublicCase, dict[str, Any]]]] = {}
        for case, said in self.summaries:
            by.setdefault(case.procedure.label, []).append((case, said))
        return [
            {
                "title": shower.say(found[0][0].procedure.spec.title),
                "cases": [
                    CasePages.shown_summary(shower, case, said, self.now)
                    for case, said in sorted(
                        found, key=lambda f: (f[0].row.status != "open", f[0].row.opened_at)
                    )
                ],
            }
            for _, found in sorted(by.items())
        ]

    def statistics(self, registers: list[RegisterPage]) -> None:
        def rows(s: Shower) -> list[dict[str, Any]]:
            return [
                {
                    "title": s.say(c.title), "opened": s.number(c.opened), "closed": s.number(c.closed), "withdrawn": s.number(c.withdrawn),
                    "open": s.number(c.open), "median": s.days(c.median_ms) if c.median_ms is not None else "—",
                    "oldest": s.days(self.now - c.oldest) if c.oldest is not None else "—",
                }
                for _, c in sorted(self.counts.items())
            ]  # fmt: skip

        tallied = [r for r in registers if r.register.tally]
        self.page(
            "statistics",
            "statistics.html",
            lambda s: WORDS[s.lang]["statistics"],
            rows=rows,
            tallies=lambda s: [
                {"title": r.title(s), "href": r.here, "heads": r.heads(s), "rows": r.tallied(s)}
                for r in tallied
            ],
        )
        tallies = {
            r.name: [
                {**dict(zip(r.register.tally, values, strict=True)), "count": n} for values, n in r.tally
            ]
            for r in tallied
        }
        procedures = {
            name: {"opened": c.opened, "closed": c.closed, "withdrawn": c.withdrawn, "median_ms": c.median_ms}
            for name, c in sorted(self.counts.items())
        }
        self.put("data/statistics.json", table.as_json({"procedures": procedures, "tallies": tallies}))

    def files(self, shower: Shower, registers: list[RegisterPage]) -> Iterator[dict[str, Any]]:
        w = WORDS[shower.lang]
        cases = [("JSON Lines", "data/cases.jsonl")]
        yield {"title": w["cases"], "count": shower.number(len(self.summaries)), "links": cases}
        yield {"title": w["statistics"], "count": "", "links": [("JSON", "data/statistics.json")]}
        yield {"title": w["checkpoint"], "count": "", "links": [("C2SP", "data/checkpoint")]}
        yield {"title": w["log_keys"], "count": "", "links": [("vkey", "data/log-keys")]}
        for name, count in sorted(self.tables.counts.items()):
            stem = f"data/documents/{self.tables.stem(name)}"
            links = [("CSV", f"{stem}.csv"), ("JSON Lines", f"{stem}.jsonl")]
            pack, _, own = name.partition("/")
            declared = next((p.documents.get(own) for p in self.content.packs if p.name == pack), None)
            title = shower.say(declared.title) if declared is not None else name
            yield {"title": title, "count": shower.number(count), "links": links}
        for each in registers:
            links = [("JSON", f"data/register/{each.name}.json")]
            yield {"title": each.title(shower), "count": shower.number(len(each.entries)), "links": links}
