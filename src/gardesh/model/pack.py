"""The pack language: what the files of a pack may say.

Each class is one file or one part of a file; their fields, types and docstrings are also published as
JSON Schema (:func:`schemas`), so that an editor completes and checks a pack while it is written.
Nothing here runs: `procedure.py` compiles what was read here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from gardesh.model import listing
from gardesh.model.form_reason import worded
from gardesh.model.problem import Problem, define
from gardesh.model.subject_schema import SchemaRefused, check_bounds

MALFORMED = define(
    "pack-malformed",
    422,
    en="The pack file {file} does not follow the pack language: {reason}",
    fa="پرونده‌ی {file} از زبان بسته پیروی نمی‌کند: {reason}",
    hint_en="The language is described in docs/reference/language.md; `gardesh pack lint` checks a pack.",
    hint_fa="زبان بسته در docs/reference/language.md شرح داده شده است؛ «gardesh pack lint» بسته را وارسی می‌کند.",
)

Name = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=64)]
Reference = Annotated[str, Meta(pattern=r"^([a-z][a-z0-9-]*/)?[a-z][a-z0-9-]*$", max_length=130)]
Expression = Annotated[str, Meta(min_length=1, max_length=8192)]
TermText = Annotated[
    str,
    Meta(
        pattern=r"^([0-9]+(wd|wh|d|h|m|mo)|setting:[a-z][a-z0-9-]*)$",
        description="7wd, 12wh, 30d, 48h, 90m, 3mo",
    ),
]
Outcome = Literal["approved", "deficient", "rejected"]


class Text(Struct, frozen=True, forbid_unknown_fields=True):
    """A text in both languages."""

    fa: str
    en: str


class Part(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Common to everything a rule-maker writes: where it comes from."""

    source: str | None = None
    """The public source, as an address or a citation."""
    assumed: str | bool | None = None
    """Why this had to be assumed, when no source was found."""


class Role(Part, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A role that organisations are accredited for."""

    title: Text
    description: Text | None = None
    kind: Literal["office", "private", "person", "node"] = "office"


class DefinedFunction(Part, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A named expression over parameters, callable from every expression of the pack."""

    params: list[str]
    value: Expression


class SettingValue(Part, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One value of a setting and the date from which it holds."""

    since: str
    value: Any


class Setting(Part, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A value that a rule-maker may change, by the date from which it holds."""

    title: Text
    values: list[SettingValue]


class Check(Part, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What must be true of a pack's settings at every date from which one of them holds. Lint evaluates it."""

    code: Name
    check: Expression
    message: Text


class Manifest(Part, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`pack.yaml`."""

    pack: Name
    version: Annotated[str, Meta(pattern=r"^[0-9]+\.[0-9]+\.[0-9]+$")]
    title: Text
    description: Text | None = None
    requires: dict[Name, str] = {}
    """Other packs this one refers to, and the version it was written against."""
    calendar: Reference | None = None
    """The calendar of issuers that have none of their own."""
    roles: dict[Name, Role] = {}
    functions: dict[str, DefinedFunction] = {}
    settings: dict[Name, Setting] = {}
    checks: list[Check] = []


class Rule(Part, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A check that must be true for a document to be accepted."""

    code: Name
    check: Expression
    message: Text
    at: str = ""
    """JSON pointer into the subject that the refusal points at."""


class DocumentType(Part, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`documents/<name>.yaml`: a type of document."""

    document: Name
    title: Text
    description: Text | None = None
    schema: dict[str, Any]
    """JSON Schema 2020-12 of the subject. `title` may be {fa, en}; `once-only: register.field` says that the
    field is filled in from base data; `private: true` keeps a field of a public document out of the public register;
    `names` beside an `enum` says what its values are called;
    `source` and `assumed` may stand beside any property."""
    public: bool = False
    """Everybody may read it in the public register, all of it but the fields that are marked `private`."""
    disclosable: list[str] | None = None
    """JSON pointers (with * for any element) that can be shown apart. Default: every field of the subject."""
    about: Expression | None = None
    """Whom or what the document is about: an expression over `this`; the index of `reuse`, and a right to read."""
    valid_for: TermText | None = None
    """The longest time from `validFrom` to `validUntil`; what states no end gets this one."""
    rules: list[Rule] = []
    """Checks over `this` alone."""
    identifiers: dict[Name, Expression] = {}
    """Business keys that find the document: kind to expression over `this`."""


class Ways(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Who may correct, withdraw, revoke or confirm, and until when."""

    by: list[Name] = []
    """Roles beside the issuer itself."""
    until: Name | list[Name] | None = None
    """Allowed until that step, or the first of these, has a document."""
    allowed: bool = True

    @property
    def limits(self) -> list[str]:
        return [] if self.until is None else [self.until] if isinstance(self.until, str) else self.until


class NeedPart(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A need on one step, said in full."""

    parts: list[str] = []
    """Fields of the subject that are relied on; none named means the whole."""
    key: Literal["each"] | None = None
    """`each`: only the slot of the needed step that has this slot's own key."""


class AnyNeed(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Alternatives: one that applies must stand."""

    any: list[Name | dict[Name, list[str] | NeedPart]]


Need = Name | dict[str, list[Any] | NeedPart]
"""A step's name; or {step: [fields]}; or {step: {parts: [...], key: each}}; or {any: [needs]}."""


class Silence(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the passing of a term means. Exactly one of the three."""

    escalate: Name | None = None
    """To that role; the slot stays due."""
    deemed: Outcome | None = None
    """The clock issues the document with that outcome."""
    subject: dict[str, Any] = {}
    """The subject of the deemed document."""
    lapse: bool = False
    """The slot is refused by lapse."""


class Reuse(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Once-only: a valid document of another case serves here."""

    about: Expression
    """What the document must be about: an expression over this case's documents."""
    at_most: TermText | None = None
    """Not older than this."""


class Entry(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a document enters in a register once it is accepted with outcome approved (or none)."""

    register: Reference
    key: Expression
    value: Expression | None = None
    """For a register of the latest: the value; the whole subject if not given."""
    adds: Expression | None = None
    takes: Expression | None = None
    """For a balance: a quantity added or taken. A document that would bring the balance below zero is refused."""
    when: Expression | None = None
    each: Expression | None = None
    """A list: one entry per element, which the other expressions read as `item`."""
    since: Expression | None = None
    until: Expression | None = None


class Fee(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A fee that is due with a step."""

    item: Name
    prepaid: Name | None = None
    """The step whose document is the payment receipt; this step waits for it."""


class AnswerTerm(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    within: TermText
    on_silence: Silence = Silence(lapse=True)


class Step(Part, frozen=True, forbid_unknown_fields=True, kw_only=True, rename={"from_": "from"}):
    """A step of a procedure: an office that makes a document when what it needs stands."""

    title: Text | None = None
    document: Reference | None = None
    """Its type; default: the step's own name."""
    by: str | None = None
    """A role; or, with `each`, `each.<field>`: the field of the element that names the role."""
    needs: list[Need] = []
    """What must stand before: steps, or named parts of them, or `any` of several."""
    when: Expression | None = None
    """Whether the step applies: true, false, or not known before the documents that it reads have come."""
    each: Expression | None = None
    """A list: the step has one slot per element."""
    key: str | None = None
    """With `each` over maps: the field that names the slot (default `key`; of documents, their own slot's key)."""
    many: bool = False
    """Any number of documents, while the window (`within` or `until`) is open."""
    at_least: Annotated[int, Meta(ge=0)] = 0
    """How many of a `many` must stand before its window closes."""
    within: TermText | None = None
    """How long it may take, from when it can be done: 7wd, 12wh, 30d, 48h, 90m, 3mo, or setting:name."""
    until: Expression | None = None
    """In the place of `within`: the instant or the last day that the documents name, which the step needs."""
    on_silence: Silence | None = None
    """What the passing of the term means: escalate, deemed, or lapse."""
    answer_within: AnswerTerm | None = None
    """The applicant's own term when the document was returned as deficient."""
    clock: Literal["restart", "resume"] = "restart"
    """How the office's term goes on after a deficiency was mended."""
    calendar: Reference | None = None
    rules: list[Rule] = []
    """Checks over `this`, `each`, and the documents that the step needs."""
    decides: bool | list[Outcome] = False
    """The document carries an outcome: approved, deficient or rejected."""
    from_: Reference | None = None
    """The procedure whose case, when it closes, fills this slot."""
    opens: Reference | None = None
    """The procedure of which this document opens a case."""
    reuse: Reuse | None = None
    """A valid document of this type about the same subject in another case serves here: once-only."""
    fee: Name | Fee | None = None
    """An item whose price is due with the step; with `prepaid`, the step waits for that receipt."""
    enters: list[Entry] = []
    """What the document enters in registers while it counts."""
    corrects: Ways | None = None
    """Who may replace the document, and until which step. By default its issuer, until the case is closed."""
    withdraws: Ways | None = None
    revokes: Ways | None = None
    confirms: Ways | None = None
    reads: Literal["direct", "deep"] = "direct"
    """`deep`: the holder also reads what the documents that it needs rest on."""
    revises: Name | None = None
    """The step whose document this one is a new text of: it is shown as a difference from that one."""
    optional: bool = False
    """May be issued although nothing waits for it."""


class BoundTo(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The organisation that an expression over the case's documents names."""

    org: Expression


class Withdrawal(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    until: Name | list[Name] = []
    """The opener may withdraw the case until that step, or the first of these, has a document."""

    @property
    def limits(self) -> list[str]:
        return [self.until] if isinstance(self.until, str) else self.until


class Migration(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What becomes of a case that opened under an earlier version and is moved to this one."""

    renames: dict[Name, Name] = {}
    """Of earlier steps: the step here that takes their documents."""
    drops: list[Name] = []
    """Earlier steps whose documents stay readable and count for nothing any more."""
    keeps: list[Name] = []
    """Steps here whose earlier documents stand although they lack what is newly needed."""


class ProcedureFile(Part, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`procedures/<name>.yaml`."""

    procedure: Name
    title: Text
    description: Text | None = None
    opens_with: Name
    closes_with: Name | list[Name]
    binds: dict[Name, Literal["opener", "any"] | BoundTo] = {}
    withdrawal: Withdrawal | None = None
    migration: Migration | None = None
    calendar: Reference | None = None
    retention: TermText | None = None
    """How long after a case is closed or withdrawn its contents are kept; after that `gardesh retention` proposes to erase
    them. That of the newest version in force counts, for all cases. Without it, for good."""
    steps: dict[Name, Step]
    phases: dict[Name, list[Name]] = {}
    """Clocks kept apart: a name to the first and the last step it is measured between."""


class RegisterFile(Part, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`registers/<name>.yaml`."""

    register: Name
    title: Text
    description: Text | None = None
    kind: Literal["latest", "balance"] = "latest"
    unit: str | None = None
    public: bool = False
    """Everybody may read it in the public register."""
    tally: list[str] = []
    """Fields of its values: the public register counts the entries in force by them."""
    names: dict[str, dict[str, Text]] = {}
    """What the values of a field are called, by the field: `state: {held: {fa: …, en: …}}`."""


class Pack(Struct, frozen=True, kw_only=True):
    """A pack as read: its manifest, its parts by name, and the digest that names it."""

    manifest: Manifest
    documents: dict[str, DocumentType]
    procedures: dict[str, ProcedureFile]
    registers: dict[str, RegisterFile]
    lists: dict[str, listing.CodeList]
    calendars: dict[str, dict[str, Any]]
    digest: bytes
    files: dict[str, bytes]

    @property
    def name(self) -> str:
        return self.manifest.pack

    @property
    def label(self) -> str:
        """`name@version`, as documents name it."""
        return f"{self.manifest.pack}@{self.manifest.version}"


FOLDERS = ("documents", "procedures", "registers", "lists", "calendars")


def belongs(path: str) -> bool:
    """Whether a file is part of the rules (and so of the digest), not of the worked cases or the README."""
    return path == "pack.yaml" or path.partition("/")[0] in FOLDERS


def digest_of(files: Mapping[str, bytes]) -> bytes:
    """SHA-256 over the sorted lines `<sha256 hex>  <path>` of the files that belong to the rules."""
    lines = [f"{hashlib.sha256(files[p]).hexdigest()}  {p}\n" for p in sorted(files) if belongs(p)]
    return hashlib.sha256("".join(lines).encode()).digest()


def read(files: Mapping[str, bytes], parse_yaml: Any) -> Pack:
    """A pack from its files (`path` inside the pack to bytes).

    `parse_yaml` turns bytes into plain values; it is given, because reading YAML is the shell's choice.
    Raises `pack-malformed`, pointing at `/<file>/<place>`.
    """
    if "pack.yaml" not in files:
        raise Problem(MALFORMED, "/pack.yaml", file="pack.yaml", reason="it is missing")
    for path in files:
        if not path.isprintable() or "\\" in path or {"", ".", ".."} & set(path.split("/")):
            raise Problem(
                MALFORMED, "/pack.yaml", file=repr(path), reason="a file of a pack is not called so"
            )
    kept = {p: files[p] for p in sorted(files) if belongs(p)}
    parts: dict[str, dict[str, Any]] = {folder: {} for folder in FOLDERS}
    for path, data in kept.items():
        folder, _, rest = path.partition("/")
        if not rest:
            continue
        stem, _, ending = rest.rpartition(".")
        if folder == "lists" and ending == "csv":
            parts["lists"][stem] = listing.read(path, data)
        elif ending in ("yaml", "yml") and folder != "lists" and not stem.endswith(".schema"):
            parts[folder][stem] = _part(folder, path, stem, parse_yaml(path, data))
    return Pack(
        manifest=_convert(Manifest, "pack.yaml", parse_yaml("pack.yaml", kept["pack.yaml"])),
        documents=parts["documents"],
        procedures=parts["procedures"],
        registers=parts["registers"],
        lists=parts["lists"],
        calendars=parts["calendars"],
        digest=digest_of(kept),
        files=kept,
    )


_KINDS: dict[str, tuple[type[Any], str]] = {
    "documents": (DocumentType, "document"),
    "procedures": (ProcedureFile, "procedure"),
    "registers": (RegisterFile, "register"),
}


def _part(folder: str, path: str, stem: str, value: Any) -> Any:
    if folder == "calendars":
        return value
    kind, field = _KINDS[folder]
    made = _convert(kind, path, value)
    if getattr(made, field) != stem:
        raise Problem(
            MALFORMED, f"/{path}/{field}", file=path, reason=f"{field} must be {stem!r}, as the file is named"
        )
    if isinstance(made, DocumentType):
        try:
            check_bounds(made.schema)
        except SchemaRefused as error:
            raise Problem(MALFORMED, f"/{path}/schema", file=path, reason=str(error)) from None
    return made


def _convert(kind: type[Any], path: str, value: Any) -> Any:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        reason, _, place = str(error).partition(" - at `")
        where = place.rstrip("`").lstrip("$").replace("[...]", "/*").replace(".", "/")
        where = where.replace("[", "/").replace("]", "")
        raise Problem(
            MALFORMED, f"/{path}{where}", file=path, reason=worded(reason, place.rstrip("`"))
        ) from None


def schemas() -> dict[str, dict[str, Any]]:
    """The JSON Schema of each kind of file, by kind: pack, document, procedure, register."""
    kinds: Iterable[tuple[str, type[Any]]] = (
        ("pack", Manifest),
        ("document", DocumentType),
        ("procedure", ProcedureFile),
        ("register", RegisterFile),
    )
    out = {}
    for name, kind in kinds:
        schema = msgspec.json.schema(kind)
        schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
        schema["$id"] = f"urn:gardesh:schema:pack:{name}"
        out[name] = schema
    return out
