"""Worked cases: what a `cases/*.yaml` file may say. They are read like law and played by the product itself."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import Struct

from gardesh.model.form_reason import worded
from gardesh.model.pack import Name, Outcome, Text
from gardesh.model.problem import Problem, define

CASE_FILE_MALFORMED = define(
    "case-file-malformed",
    422,
    en="The worked case {file} cannot be read: {reason}",
    fa="پرونده‌ی نمونه‌ی {file} خوانده نشد: {reason}",
    hint_en="The format is described in docs/reference/language.md, under cases.",
    hint_fa="قالب آن در docs/reference/language.md در بخش cases آمده است.",
)


State = Literal[
    "not-applicable", "unknown", "issued", "returned", "refused", "doubtful", "due", "overdue", "blocked"
]


class Party(Struct, forbid_unknown_fields=True, kw_only=True):
    roles: list[Name] = []
    name: Text | None = None
    legal_id: str | None = None


class Then(Struct, forbid_unknown_fields=True, kw_only=True):
    """What must be so after the act."""

    states: dict[str, State] = {}
    case: Literal["open", "closed", "withdrawn"] | None = None
    due: list[str] | None = None
    why: list[str] | None = None
    deadline: dict[str, str] = {}
    balance: dict[str, dict[str, str]] = {}
    register: dict[str, dict[str, Any]] = {}
    reads: dict[str, dict[str, str | list[str]]] = {}
    documents: int | None = None
    clock: list[str] | None = None
    of: str | None = None


class ForSlot(Struct, forbid_unknown_fields=True, kw_only=True):
    case: str = "main"
    step: str
    key: str = ""


class Act(Struct, forbid_unknown_fields=True, kw_only=True, rename="kebab", omit_defaults=True):
    """One act: one document, or a wait, or a look."""

    by: str | None = None
    issues: str | None = None
    corrects: str | None = None
    confirms: str | None = None
    withdraws: str | None = None
    revokes: str | None = None
    withdraws_case: bool = False
    signs: str | None = None
    sends: str | None = None
    forges: str | None = None
    waits: str | None = None
    rotates_key: str | None = None
    revokes_key: str | None = None
    looks: bool = False
    case: str = "main"
    procedure: str | None = None
    for_: ForSlot | None = msgspec.field(default=None, name="for")
    key: str = ""
    subject: dict[str, Any] | None = None
    change: dict[str, Any] | None = None
    outcome: Outcome | None = None
    deficiencies: list[dict[str, Any]] = []
    valid_until: str | None = msgspec.field(default=None, name="valid_until")
    attachments: list[dict[str, Any]] = []
    reach: Literal["start", "now"] | None = None
    after: str | None = None
    at: str | None = None
    as_: str | None = msgspec.field(default=None, name="as")
    opened_case: str | None = None
    refused: str | None = None
    pointer: str | None = None
    then: Then | None = None
    note: Text | None = None

    @property
    def verb(self) -> tuple[str, str]:
        """What the act does, and to which step or name."""
        for name in VERBS:
            value = getattr(self, name)
            if value:
                return name, value if isinstance(value, str) else ""
        return "", ""


VERBS = (
    "issues", "corrects", "confirms", "withdraws", "revokes", "withdraws_case", "signs", "sends", "forges", "waits",
    "rotates_key", "revokes_key", "looks",
)  # fmt: skip


class Version(Struct, forbid_unknown_fields=True, kw_only=True):
    """A later version of a pack, kept at hand but not in force: the pack with some of its files changed."""

    of: Name
    version: str
    changes: dict[str, Any]
    """By the path of a file: a JSON merge patch of what it says, or null to leave the file out."""


class WorkedCase(Struct, forbid_unknown_fields=True, kw_only=True):
    case: Name
    title: Text
    description: Text | None = None
    source: str | None = None
    start: str
    follows: Name | None = None
    """Another file of the folder whose acts are played first; `start` is then that file's."""
    versions: list[Version] = []
    packs: list[Name] = []
    """Further packs that take part, beside the folder's own and those that it requires."""
    procedure: str
    parties: dict[str, Name | list[Name] | Party]
    registers: dict[str, dict[str, Any]] = {}
    acts: list[Act]


def schema() -> dict[str, Any]:
    """The JSON Schema of a worked case, for editors."""
    return {
        **msgspec.json.schema(WorkedCase),
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:gardesh:schema:pack:case",
    }


def read(file: str, value: Any) -> WorkedCase:
    """A worked case from plain values. Raises `case-file-malformed`, pointing at the place."""
    try:
        made = msgspec.convert(value, WorkedCase)
    except msgspec.ValidationError as error:
        reason, _, place = str(error).partition(" - at `")
        where = place.rstrip("`").lstrip("$").replace(".", "/").replace("[", "/").replace("]", "")
        raise Problem(
            CASE_FILE_MALFORMED, where, file=file, reason=worded(reason, place.rstrip("`"))
        ) from None
    for i, act in enumerate(made.acts):
        said = [v for v in VERBS if getattr(act, v)]
        if len(said) != 1:
            reason = f"act {i + 1} must have exactly one verb, it has: {', '.join(said) or 'none'}"
            raise Problem(CASE_FILE_MALFORMED, f"/acts/{i}", file=file, reason=reason)
        if act.by is None and said[0] in VERBS[:7]:
            raise Problem(
                CASE_FILE_MALFORMED, f"/acts/{i}/by", file=file, reason=f"act {i + 1} does not say by whom"
            )
    return made
