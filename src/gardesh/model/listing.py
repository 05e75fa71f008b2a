"""Code lists: a CSV with its title, source and date, looked up by the longest matching code.

The first lines of the file are comments: `# title-en:`, `# title-fa:`, `# key:` (the column that holds the
code), `# source:`, `# date:`, and `# assumed:` where no source was found. An HS heading covers its
subheadings: `lookup("8471.30…")` finds the row of `8471` when no longer code is listed.
"""

from __future__ import annotations

import csv
import io
from typing import Any

from msgspec import Struct

from gardesh.model.problem import Problem, define

LIST_MALFORMED = define(
    "list-malformed",
    422,
    en="The list {file} cannot be used: {reason}",
    fa="فهرست {file} قابل استفاده نیست: {reason}",
)


class CodeList(Struct, frozen=True, kw_only=True):
    """A list and where it comes from. `rows` maps a code to its rows, in file order."""

    title: dict[str, str]
    key: str
    columns: tuple[str, ...]
    rows: dict[str, tuple[dict[str, Any], ...]]
    longest: int
    """The length of the longest code listed: no more of a code that is looked up is read."""
    source: str = ""
    date: str = ""
    assumed: str = ""

    def lookup(self, code: str) -> dict[str, Any] | None:
        """The first row of the longest listed code that begins `code`, or None."""
        for length in range(min(len(code), self.longest), 0, -1):
            found = self.rows.get(code[:length])
            if found:
                return found[0]
        found = self.rows.get("*")
        return found[0] if found else None

    def covering(self, code: str) -> list[dict[str, Any]]:
        """Every row whose code begins `code`, the longest code first."""
        out: list[dict[str, Any]] = []
        for length in range(min(len(code), self.longest), 0, -1):
            out.extend(self.rows.get(code[:length], ()))
        out.extend(self.rows.get("*", ()))
        return out


def read(path: str, data: bytes) -> CodeList:
    """A list from its bytes. Raises `list-malformed`."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Problem(LIST_MALFORMED, f"/{path}", file=path, reason="it is not UTF-8") from None
    lines = text.splitlines()
    about: dict[str, str] = {}
    begins = next((n for n, line in enumerate(lines) if not line.startswith("#")), len(lines))
    for line in lines[:begins]:
        name, _, value = line[1:].partition(":")
        about[name.strip()] = value.strip()
    try:
        return _read(path, about, csv.DictReader(io.StringIO("\n".join(lines[begins:]))))
    except csv.Error as error:
        raise Problem(LIST_MALFORMED, f"/{path}", file=path, reason=str(error)) from None


def _read(path: str, about: dict[str, str], table: csv.DictReader[str]) -> CodeList:
    columns = tuple(table.fieldnames or ())
    key = about.get("key", columns[0] if columns else "")
    if key not in columns:
        raise Problem(LIST_MALFORMED, f"/{path}", file=path, reason=f"there is no column {key!r}")
    if not about.get("source") and not about.get("assumed"):
        raise Problem(
            LIST_MALFORMED, f"/{path}", file=path, reason="it names neither its source nor that it is assumed"
        )
    rows: dict[str, list[dict[str, Any]]] = {}
    for number, row in enumerate(table, 1):
        if None in row or None in row.values():
            raise Problem(
                LIST_MALFORMED,
                f"/{path}/{number}",
                file=path,
                reason=f"row {number} has not {len(columns)} fields",
            )
        rows.setdefault(row[key], []).append(dict(row))
    return CodeList(
        title={"en": about.get("title-en", path), "fa": about.get("title-fa", path)},
        key=key,
        columns=columns,
        rows={code: tuple(found) for code, found in rows.items()},
        longest=max(map(len, rows), default=0),
        source=about.get("source", ""),
        date=about.get("date", ""),
        assumed=about.get("assumed", ""),
    )
