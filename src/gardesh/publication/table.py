"""Tables that a spreadsheet opens, and JSON Lines that a program reads."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

FORMULA = ("=", "+", "-", "@", "\t", "\r")
NUMBER = re.compile(r"-[0-9]{1,30}([.][0-9]{1,30})?")
_encode = msgspec.json.Encoder(order="deterministic", decimal_format="string").encode


def csv_text(columns: Sequence[str], rows: Iterable[dict[str, Any]]) -> str:
    """RFC 4180 after a byte order mark, by which spreadsheets know the encoding. Nested values are JSON; a text that a
    spreadsheet would take for a formula gets an apostrophe before it."""
    head = "\ufeff" + line(columns)
    return head + "".join(csv_line(columns, row) for row in rows)


def csv_line(columns: Sequence[str], row: dict[str, Any]) -> str:
    return line([cell(row.get(column)) for column in columns])


def line(cells: Sequence[str]) -> str:
    out = io.StringIO()
    csv.writer(out).writerow(cells)
    return out.getvalue()


def cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (dict, list)):
        return _encode(value).decode()
    text = f"{value:f}" if hasattr(value, "as_tuple") else str(value)
    risky = isinstance(value, str) and text.startswith(FORMULA) and not NUMBER.fullmatch(text)
    return f"'{text}" if risky else text


def json_lines(rows: Iterable[Any]) -> bytes:
    return b"".join(_encode(row) + b"\n" for row in rows)


def as_json(value: Any) -> bytes:
    return msgspec.json.format(_encode(value), indent=1) + b"\n"
