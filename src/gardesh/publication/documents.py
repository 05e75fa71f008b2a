"""The documents of the public register, one by one: as JSON, under their signatures, with receipts, and in tables."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO, TextIO

from gardesh.model.instant import iso
from gardesh.publication import table
from gardesh.publication.content import PublicDocument, properties

COLUMNS = ("position", "recorded_at", "case", "step", "key", "act", "issuer", "outcome", "digest")


class Tables:
    """Two tables for each type, written as the documents come: JSON Lines with all, CSV with a column for each field."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.counts: dict[str, int] = {}
        self._files: dict[str, tuple[TextIO, BinaryIO, list[str]]] = {}

    @staticmethod
    def stem(name: str) -> str:
        return name.replace("/", "-")

    def add(self, document: PublicDocument) -> None:
        name = document.paper.type
        if name not in self._files:
            self._files[name] = self._begin(document)
        text, lines, fields = self._files[name]
        row = document.row()
        flat = {field: document.subject.get(field) for field in fields}
        flat |= {column: row[column] for column in COLUMNS} | {"recorded_at": iso(document.recorded_at)}
        text.write(table.csv_line([*COLUMNS, *fields], flat))
        lines.write(table.json_lines([row]))
        self.counts[name] = self.counts.get(name, 0) + 1

    def _begin(self, document: PublicDocument) -> tuple[TextIO, BinaryIO, list[str]]:
        self.folder.mkdir(parents=True, exist_ok=True)
        stem = self.folder / self.stem(document.paper.type)
        fields = [f for f, s in properties(document.declared).items() if s.get("private") is not True]
        fields = [f for f in fields if f not in COLUMNS]
        text = stem.with_suffix(".csv").open("w", encoding="utf-8", newline="")
        text.write(table.csv_text([*COLUMNS, *fields], ()))
        return text, stem.with_suffix(".jsonl").open("wb"), fields

    def close(self) -> int:
        """Returns how many files there are."""
        for text, lines, _ in self._files.values():
            text.close()
            lines.close()
        return 2 * len(self._files)
