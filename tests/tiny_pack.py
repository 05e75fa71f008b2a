"""Packs of a few lines, for what the market has no case of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gardesh.model import pack
from gardesh.model.pack import Pack
from gardesh.record import folder
from gardesh.record.yaml_values import parse_yaml

MANIFEST = """
pack: tiny
version: 1.0.0
title: {fa: کوچک, en: Tiny}
requires: {core: 1.0.0}
roles:
  vendor: {title: {fa: فروشنده, en: Vendor}}
  resident: {title: {fa: ساکن, en: Resident}}
  market-office: {title: {fa: بازار, en: Market office}}
  health-office: {title: {fa: بهداشت, en: Health office}}
"""
DOCUMENT = """
document: %s
title: {fa: سند, en: Document}
about: this.who
schema:
  type: object
  properties: {who: {type: string}, amount: {type: integer}, list: {type: array}}
"""
REGISTER = """
register: purse
title: {fa: کیسه, en: Purse}
kind: balance
"""


def tiny(procedures: Mapping[str, str], types: Sequence[str], version: str = "1.0.0") -> list[Pack]:
    """The pack `tiny` with these procedures, a document type for each name, a balance `purse`; and the core."""
    manifest = MANIFEST.replace("version: 1.0.0", f"version: {version}", 1)
    files = {"pack.yaml": manifest.encode(), "registers/purse.yaml": REGISTER.encode()}
    files |= {f"documents/{name}.yaml": (DOCUMENT % name).encode() for name in types}
    files |= {f"procedures/{name}.yaml": text.encode() for name, text in procedures.items()}
    return [pack.read(files, parse_yaml), folder.read_pack(folder.shipped() / "core")]
