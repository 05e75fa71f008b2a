"""A page about a pack, in Markdown, in one language: what is modelled, by whom, from which source."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from gardesh.model.library import Library
from gardesh.model.pack import Pack
from gardesh.model.procedure import Need, Procedure, Step
from gardesh.model.term import Term

NEVER = 1 << 62
"""An instant after every date of a setting."""

WORDS = {
    "en": {
        "procedures": "Procedures", "step": "Step", "by": "By", "needs": "Needs", "when": "When", "within": "Within",
        "silence": "On silence", "documents": "Documents", "field": "Field", "meaning": "Meaning", "source": "Source",
        "roles": "Offices and roles", "settings": "Settings", "since": "Since", "value": "Value", "lists": "Lists",
        "registers": "Registers", "any": "one of", "assumed": "assumed", "opens": "Opens with", "closes": "closes with",
        "rows": "rows", "rules": "Rules", "kind": "Kind", "each": "for each of", "many": "any number",
        "escalate": "to", "deemed": "deemed", "lapse": "lapses", "approved": "approved", "deficient": "deficient",
        "rejected": "rejected", "comma": ", ", "latest": "latest value", "balance": "balance", "entered": "Entered by",
        "fee": "Fee", "decides": "decides",
    },
    "fa": {
        "procedures": "رویه‌ها", "step": "گام", "by": "نهاد", "needs": "نیازها", "when": "شرط", "within": "مهلت",
        "silence": "معنای سکوت", "documents": "اسناد", "field": "فیلد", "meaning": "معنا", "source": "منبع",
        "roles": "نهادها و نقش‌ها", "settings": "تنظیم‌ها", "since": "از", "value": "مقدار", "lists": "فهرست‌ها",
        "registers": "دفترهای ثبت", "any": "یکی از", "assumed": "فرض", "opens": "گشایش با", "closes": "بستن با",
        "rows": "سطر", "rules": "قاعده‌ها", "kind": "نوع", "each": "برای هر یک از", "many": "هر شمار",
        "escalate": "ارجاع به", "deemed": "فرض می‌شود:", "lapse": "رد شده به شمار می‌آید", "approved": "تأیید",
        "deficient": "نقص", "rejected": "رد", "comma": "، ", "latest": "واپسین مقدار", "balance": "مانده",
        "entered": "ثبت‌شده با", "fee": "کارمزد", "decides": "تصمیم می‌گیرد",
    },
}  # fmt: skip


def describe(library: Library, made: Pack, lang: str) -> str:
    """The page. Everything in it comes from the pack."""
    return "\n".join(_Page(library, made, lang).lines())


class _Page:
    def __init__(self, library: Library, made: Pack, lang: str) -> None:
        self.library, self.pack, self.lang, self.w = library, made, lang, WORDS[lang]

    def text(self, value: Any) -> str:
        found = getattr(value, self.lang, None) if value is not None else None
        if found is None and isinstance(value, dict):
            found = value.get(self.lang)
        return str(found or "").replace("|", "\\|").replace("\n", " ")

    def source(self, part: Any) -> str:
        if getattr(part, "source", None):
            return str(part.source).replace("|", "\\|")
        assumed = getattr(part, "assumed", None)
        return f"{self.w['assumed']}: {assumed}" if assumed else ""

    def table(self, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
        yield "| " + " | ".join(heads) + " |"
        yield "|" + "---|" * len(heads)
        for row in rows:
            yield "| " + " | ".join(row) + " |"
        yield ""

    def lines(self) -> Iterator[str]:
        made = self.pack
        yield f"# {self.text(made.manifest.title)} (`{made.label}`)"
        yield ""
        if made.manifest.description is not None:
            yield self.text(made.manifest.description)
            yield ""
        if made.manifest.roles:
            yield f"## {self.w['roles']}\n"
            yield from self.table(
                ["", "", self.w["source"]],
                [[f"`{n}`", self.text(r.title), self.source(r)] for n, r in made.manifest.roles.items()],
            )
        yield f"## {self.w['procedures']}\n"
        for name in made.procedures:
            yield from self.procedure(self.library.procedure(made.label, name))
        yield f"## {self.w['documents']}\n"
        for document in made.documents.values():
            yield from self.document(document)
        if made.registers:
            yield f"## {self.w['registers']}\n"
            rows = [
                [f"`{n}`", self.text(r.title), self.w[r.kind], self.entered(n), self.source(r)]
                for n, r in made.registers.items()
            ]
            yield from self.table(["", "", self.w["kind"], self.w["entered"], self.w["source"]], rows)
        if made.manifest.settings:
            yield f"## {self.w['settings']}\n"
            yield from self.table(
                ["", "", self.w["since"], self.w["value"], self.w["source"]],
                [
                    [f"`{n}`", self.text(s.title), v.since, str(v.value), self.source(v) or self.source(s)]
                    for n, s in made.manifest.settings.items()
                    for v in s.values
                ],
            )
        if made.lists:
            yield f"## {self.w['lists']}\n"
            rows = [
                [
                    f"`{n}`",
                    self.text(c.title),
                    f"{sum(map(len, c.rows.values()))} {self.w['rows']}",
                    c.date,
                    c.source or c.assumed,
                ]
                for n, c in made.lists.items()
            ]
            yield from self.table(["", "", "", "", self.w["source"]], rows)

    def entered(self, register: str) -> str:
        """The steps of this pack that make entries in it."""
        wanted = self.library.qualify(self.pack, register)
        found = [
            f"`{name}/{step}`"
            for name, procedure in self.pack.procedures.items()
            for step, said in procedure.steps.items()
            if any(self.library.qualify(self.pack, e.register) == wanted for e in said.enters)
        ]
        return self.w["comma"].join(found)

    def role(self, name: str) -> str:
        found = self.library.role(self.pack, name)
        return self.text(found.title) if found is not None else f"`{name}`"

    def term(self, text: str | None) -> str:
        """A term in words; of a setting, the value that is now the newest, and its name."""
        if text is None:
            return ""
        if not text.startswith("setting:"):
            return Term.parse(text).text(self.lang)
        name = text[8:]
        newest = self.library.setting(self.pack, name, NEVER)
        return f"{Term.parse(str(newest)).text(self.lang)} (`{name}`)"

    def procedure(self, procedure: Procedure) -> Iterator[str]:
        goal = self.w["comma"].join(f"`{g.name}`" for g in procedure.goal)
        yield f"### {self.text(procedure.spec.title)} (`{procedure.name}`)\n"
        if procedure.spec.description is not None:
            yield self.text(procedure.spec.description) + "\n"
        yield f"{self.w['opens']} `{procedure.opening.name}`{self.w['comma']}{self.w['closes']} {goal}.\n"
        heads = [self.w[h] for h in ("step", "by", "needs", "when", "within", "silence", "source")]
        yield from self.table(heads, [self.step(procedure, s) for s in procedure.steps])
        rules = [(s, r) for s in procedure.steps for r in s.spec.rules]
        if rules:
            yield f"{self.w['rules']}:\n"
            for step, rule in rules:
                yield f"- `{rule.code}` ({step.name}): {self.text(rule.message)} {self.source(rule)}".rstrip()
            yield ""

    def step(self, procedure: Procedure, step: Step) -> list[str]:
        spec = step.spec
        by = self.role(step.role) if step.role else f"`{spec.by}`" if spec.by else f"← `{spec.from_}`"
        if step.outcomes:
            by += f" ({self.w['decides']})"
        when = []
        if spec.when:
            when.append(f"`{spec.when}`")
        if spec.each:
            when.append(f"{self.w['each']} `{spec.each}`")
        if spec.many:
            when.append(self.w["many"])
        silence = ""
        if spec.on_silence is not None:
            said = spec.on_silence
            silence = self.w["lapse"]
            if said.deemed is not None:
                silence = f"{self.w['deemed']} {self.w[said.deemed]}"
            elif said.escalate is not None:
                silence = f"{self.w['escalate']} {self.role(said.escalate)}"
        fee = spec.fee if isinstance(spec.fee, str) else spec.fee.item if spec.fee is not None else None
        if fee is not None:
            when.append(f"{self.w['fee']}: `{fee}`")
        row = [
            f"**{self.text(step.title)}** `{step.name}`",
            by,
            self.w["comma"].join(self.need(procedure, n) for n in step.needs),
            " ".join(when).replace("|", "\\|"),
            f"`{spec.until}`" if spec.until else self.term(spec.within),
            silence,
            self.source(spec),
        ]
        return row

    def need(self, procedure: Procedure, need: Need) -> str:
        refs = [
            f"`{procedure.steps[r.step].name}`" + (f" ({self.w['comma'].join(r.parts)})" if r.parts else "")
            for r in need.refs
        ]
        return f"{self.w['any']} ({self.w['comma'].join(refs)})" if need.any else refs[0]

    def document(self, document: Any) -> Iterator[str]:
        yield f"### {self.text(document.title)} (`{document.document}`)\n"
        if document.description is not None:
            yield self.text(document.description) + "\n"
        if self.source(document):
            yield f"{self.w['source']}: {self.source(document)}\n"
        heads = [self.w["field"], self.w["meaning"], self.w["kind"], self.w["source"]]
        yield from self.table(heads, list(self.fields(document.schema)))
        if document.rules:
            yield f"{self.w['rules']}:\n"
            for rule in document.rules:
                yield f"- `{rule.code}`: {self.text(rule.message)} {self.source(rule)}".rstrip()
            yield ""

    def fields(self, schema: dict[str, Any], above: str = "") -> Iterator[list[str]]:
        """A row for each field of a schema, those of maps and lists of maps below theirs. `?` marks what may be left
        out."""
        required = set(schema.get("required", ()))
        for name, field in schema.get("properties", {}).items():
            said = field if isinstance(field, dict) else {}
            kind = said.get("format") or said.get("$ref") or said.get("type") or ""
            if "enum" in said:
                kind = self.w["comma"].join(f"`{value}`" for value in said["enum"])
            where = said.get("source") or (f"{self.w['assumed']}" if said.get("assumed") else "")
            mark = f"`{above}{name}`" + ("" if name in required else "?")
            row = [mark, self.text(said.get("title")), str(kind), str(where)]
            yield [cell.replace("|", "\\|") for cell in row]
            items = said.get("items")
            if isinstance(items, dict):
                yield from self.fields(items, f"{above}{name}[].")
            yield from self.fields(said, f"{above}{name}.")
