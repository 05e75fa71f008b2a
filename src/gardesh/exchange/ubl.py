"""UBL 2.1 invoices and credit notes (OASIS; EN 16931, Peppol BIS 3) as subjects of a commercial invoice.

Nothing is lost silently: what the subject has no place for, or what does not have the form it should, is listed
with its path. Files inside the invoice come out as bytes, named in the subject by digest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import yaml

from gardesh.exchange import invoice_sums
from gardesh.exchange.invoice_layout import INVOICE
from gardesh.exchange.xml_layout import Reading
from gardesh.exchange.xml_tree import Leftover, Limits, leftovers, parse
from gardesh.model.problem import Problem, define

_UBL = "urn:oasis:names:specification:ubl:schema:xsd:"
PREFIXES: Final = {
    f"{_UBL}Invoice-2": "",
    f"{_UBL}CreditNote-2": "",
    f"{_UBL}CommonAggregateComponents-2": "cac",
    f"{_UBL}CommonBasicComponents-2": "cbc",
    f"{_UBL}CommonExtensionComponents-2": "ext",
    "http://www.w3.org/2001/XMLSchema-instance": "xsi",
}
KINDS: Final = {"Invoice": "invoice", "CreditNote": "credit-note"}

NOT_UBL: Final = define(
    "ubl-not-an-invoice",
    422,
    en="The file is not a UBL 2 invoice or credit note; its root is {root}.",
    fa="این پرونده صورتحساب یا برگشت از صورتحساب UBL 2 نیست؛ ریشه‌ی آن {root} است.",
)
INCOMPLETE: Final = define(
    "invoice-incomplete",
    422,
    en="The invoice gives no {what_en}.",
    fa="«{what_fa}» در صورتحساب نیست.",
    hint_en="Look among the values that were not placed, and complete the document before it is signed.",
    hint_fa="در میان مقدارهای بی‌جا جست‌وجو کنید و سند را پیش از امضا کامل کنید.",
)
CURRENCY_ASSUMED: Final = define(
    "invoice-currency-assumed",
    422,
    en="{count} amounts name no currency; that of the invoice was taken.",
    fa="{count} مبلغ ارز ندارد؛ ارز صورتحساب به کار رفت.",
)


@dataclass(frozen=True, slots=True)
class Imported:
    """What was read. `problems` do not stop the import: what is missing, and what does not add up.

    The subject follows :func:`subject_schema` if none of them is `invoice-incomplete`. `attachments` maps the
    digests that the subject names (Subresource Integrity, SHA-256) to bytes.
    """

    subject: dict[str, Any]
    unplaced: tuple[Leftover, ...]
    problems: tuple[Problem, ...]
    attachments: dict[str, bytes]

    def as_json(self) -> dict[str, Any]:
        """For programs; without the bytes of attachments. Field names are stable."""
        unplaced = []
        for left in self.unplaced:
            reason = {"reason": {"en": left.flaw.en, "fa": left.flaw.fa}} if left.flaw else {}
            unplaced.append({"path": left.path, "value": left.value, **reason})
        return {
            "subject": self.subject,
            "unplaced": unplaced,
            "problems": [problem.as_dict() for problem in self.problems],
            "attachments": [{"digest": d, "size": len(data)} for d, data in self.attachments.items()],
        }


def read_invoice(data: bytes, limits: Limits | None = None) -> Imported:
    """An invoice from its XML.

    Raises `xml-malformed`, `xml-forbidden` (document type, entities), `xml-too-large` and `ubl-not-an-invoice`;
    every other shortcoming is among the result's `problems` or `unplaced`.
    """
    root = parse(data, PREFIXES, limits)
    if root.name not in KINDS:
        raise Problem(NOT_UBL, root=root.name[:200])
    reading = Reading()
    currency = root.all("cbc:DocumentCurrencyCode")
    if currency:
        reading.currency = currency[0].leaf.text
    subject = {"kind": KINDS[root.name], **(INVOICE.read(root, root.leaf, reading) or {})}
    problems = [
        Problem(INCOMPLETE, at, what_en=missing.en.lower(), what_fa=missing.fa)
        for at, missing in INVOICE.missing(subject)
    ]
    if reading.assumed_currency:
        problems.append(Problem(CURRENCY_ASSUMED, "/currency", count=reading.assumed_currency))
    problems += invoice_sums.warnings(subject)
    attachments = {digest: data for leaf, digest, data in reading.attachments if leaf.taken}
    return Imported(subject, tuple(leftovers(root)), tuple(problems), attachments)


def subject_schema(language: str | None = None) -> dict[str, Any]:
    """The JSON Schema 2020-12 of the subject.

    Titles in `language`; without one in both, as packs write them. Money and quantities are the shared
    `gardesh:money` and `gardesh:quantity`, identifiers have the formats of `gardesh.model.identifiers`.
    """
    schema = INVOICE.schema(language)
    title: Any = {"fa": "نوع", "en": "Kind"}
    kind = {
        "type": "string",
        "enum": list(KINDS.values()),
        "title": title if language is None else title[language],
    }
    return {
        **schema,
        "required": ["kind", *schema["required"]],
        "properties": {"kind": kind, **schema["properties"]},
    }


class _Compact(yaml.SafeDumper):
    """One line for each schema without parts of its own; nothing said by reference."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def represent_dict(self, data: Any) -> yaml.MappingNode:
        held = [value for name, value in data.items() if name != "title"]
        flow = not any(isinstance(value, dict) for value in held)
        return self.represent_mapping("tag:yaml.org,2002:map", data, flow_style=flow)

    def represent_list(self, data: Any) -> yaml.SequenceNode:
        return self.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=True)


_Compact.add_representer(dict, _Compact.represent_dict)
_Compact.add_representer(list, _Compact.represent_list)


def schema_text() -> str:
    """`subject_schema()` as the YAML of `packs/trade/documents/commercial-invoice.schema.yaml`."""
    head = (
        "# The subject of a commercial invoice: the fields of a UBL 2.1 invoice (EN 16931) and of trade.\n"
        "# Written by gardesh.exchange.ubl.schema_text(), from the layout that also reads UBL; do not edit.\n"
    )
    body = yaml.dump(subject_schema(), Dumper=_Compact, allow_unicode=True, sort_keys=False, width=200)
    return head + str(body)
