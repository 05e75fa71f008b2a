"""What a document's type asks of its subject: the JSON Schema, and the rules over `this` alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jsonschema_rs

from gardesh.model import identifiers, money
from gardesh.model.expression import Expression, Unknown
from gardesh.model.library import Library, Moment, compile_expression
from gardesh.model.pack import MALFORMED, DocumentType, Pack
from gardesh.model.problem import Problem, RuleBroken, Wording, define, pointer
from gardesh.model.schema_reason import field_of, in_persian
from gardesh.model.subject_schema import DIALECT

SCHEMA_VIOLATED = define(
    "schema-violated",
    422,
    en="The field does not follow its schema: {reason}.",
    fa="مقدار این فیلد با طرح‌واره‌ی آن سازگار نیست: {reason}.",
)
LINEAR = jsonschema_rs.RegexOptions()
"""Patterns are matched in linear time; those that cannot be, with look-around or a reference back, are refused."""
SHARED = {f"gardesh:{name}": schema for name, schema in money.SHARED_DEFS.items()}


@dataclass(frozen=True, slots=True)
class TypeRule:
    code: str
    check: Expression
    fa: str
    en: str
    at: str


class CheckedType:
    """A document type, compiled once per pack version."""

    def __init__(self, library: Library, pack: Pack, declared: DocumentType) -> None:
        self.declared = declared
        self.pack = pack
        schema = plain({"$schema": DIALECT, **declared.schema})
        try:
            self._validator = jsonschema_rs.Draft202012Validator(
                schema,
                pattern_options=LINEAR,
                validate_formats=True,
                formats=identifiers.schema_formats(),
                retriever=_shared,
            )
        except (ValueError, jsonschema_rs.ValidationError) as error:
            file = f"documents/{declared.document}.yaml"
            raise Problem(
                MALFORMED, f"/{file}/schema", file=file, reason=str(error).splitlines()[0]
            ) from None
        self.rules = [
            TypeRule(r.code, compile_expression(library, pack, r.check), r.message.fa, r.message.en, r.at)
            for r in declared.rules
        ]
        self.identifiers = {
            kind: compile_expression(library, pack, source) for kind, source in declared.identifiers.items()
        }

    def check_schema(self, subject: dict[str, Any]) -> None:
        """Raises `schema-violated` at the first field that is wrong; needs no state."""
        if self._validator.is_valid(subject):
            return
        error = next(self._validator.iter_errors(subject))
        keyword, found = error.kind.name, error.kind.as_dict()
        where = "/credentialSubject" + pointer(*error.instance_path, *field_of(keyword, found))
        raise Problem(SCHEMA_VIOLATED, where, reason=Wording(error.message, in_persian(keyword, found)))

    def check_rules(self, this: dict[str, Any], moment: Moment) -> None:
        """Raises the code of the first rule that is not kept."""
        for rule in self.rules:
            kept = rule.check.guard({"this": this}, moment)
            if type(kept) is Unknown or not kept:
                raise RuleBroken(rule.code, rule.fa, rule.en, "/credentialSubject" + rule.at)


def _shared(uri: str) -> Any:
    if uri in SHARED:
        return SHARED[uri]
    raise ValueError(f"there is no shared schema {uri}")


def plain(schema: Any) -> Any:
    """A schema without what only Gardesh reads (`once-only`, `source`, bilingual titles)."""
    if isinstance(schema, dict):
        return {
            k: plain(v)
            for k, v in schema.items()
            if not (k in ("title", "description") and isinstance(v, dict) and set(v) <= {"fa", "en"})
        }
    if isinstance(schema, list):
        return [plain(v) for v in schema]
    return schema


Compile = Callable[[Pack, str], CheckedType]


class Types:
    """Checked types by the pack that asks and the qualified type."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self._known: dict[tuple[str, str], CheckedType | None] = {}

    def get(self, asking: Pack, name: str) -> CheckedType | None:
        """The type `name` as `asking` means it; None when there is none."""
        key = (asking.label, name)
        if key not in self._known:
            declared = self.library.document_type(asking, name)
            owner = self.library.pack_named(asking, name.partition("/")[0]) if "/" in name else asking
            self._known[key] = CheckedType(self.library, owner, declared) if declared is not None else None
        return self._known[key]
