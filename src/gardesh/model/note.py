"""Signed notes (C2SP signed-note v1.0.0): their text and signature lines, read strictly.

A note is a text that ends in a newline, an empty line, and lines `— <key name> <base64(key id || blob)>`.
Who signs and how is :mod:`gardesh.model.signer`; nothing that this module gives has been verified.
"""

from __future__ import annotations

from dataclasses import dataclass

from gardesh.model.c2sp import read_base64, read_text, write_base64, write_text
from gardesh.model.problem import Problem, define

MAX_NOTE_BYTES = 1 << 18
"""C2SP asks for at least 16 signatures of up to 5 kB; this leaves room for twice that."""
MAX_SIGNATURES = 64

NOTE_MALFORMED = define(
    "note-malformed",
    400,
    en="Line {line} breaks the format of C2SP signed-note.",
    fa="سطر {line} با قالب یادداشت امضاشدهٔ C2SP signed-note سازگار نیست.",
)
NOTE_TOO_LARGE = define(
    "note-too-large",
    413,
    en="A signed note may have {bytes} bytes and {signatures} signatures at most.",
    fa="یادداشت امضاشده حداکثر {bytes} بایت و {signatures} امضا می‌تواند داشته باشد.",
)


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature line. `blob` is what follows the key id; that of a cosignature begins with its time."""

    name: str
    key_id: bytes
    blob: bytes

    def line(self) -> str:
        return f"— {self.name} {write_base64(self.key_id + self.blob)}\n"


@dataclass(frozen=True, slots=True)
class Note:
    """A text that ends in a newline, and its signatures, in their order. Nothing in it is verified."""

    text: str
    signatures: tuple[Signature, ...]

    def encode(self) -> bytes:
        """The note's bytes. Raises `note-malformed` or `note-too-large` for a note that would not parse."""
        raw = write_text("".join((self.text, "\n", *(s.line() for s in self.signatures))))
        if raw is None or parse(raw) != self:
            raise Problem(NOTE_MALFORMED, line=1)
        return raw


def parse(raw: bytes) -> Note:
    """The note in these bytes; `parse(raw).encode() == raw`. Raises `note-malformed`, `note-too-large`."""
    text, signed, lines = _text(raw).rpartition("\n\n")
    if not signed:
        raise Problem(NOTE_MALFORMED, line=1)
    text += "\n"
    return Note(text, _signatures(lines, text.count("\n") + 2))


def parse_signatures(raw: bytes) -> tuple[Signature, ...]:
    """One or more signature lines alone, as a witness answers. Raises `note-malformed`, `note-too-large`."""
    return _signatures(_text(raw), 1)


def _text(raw: bytes) -> str:
    if len(raw) > MAX_NOTE_BYTES:
        raise Problem(NOTE_TOO_LARGE, bytes=MAX_NOTE_BYTES, signatures=MAX_SIGNATURES)
    text = read_text(raw)
    if text is None:
        raise Problem(NOTE_MALFORMED, line=1)
    return text


def _signatures(text: str, first: int) -> tuple[Signature, ...]:
    *lines, end = text.split("\n")
    if end or not lines:
        raise Problem(NOTE_MALFORMED, line=first + len(lines))
    if len(lines) > MAX_SIGNATURES:
        raise Problem(NOTE_TOO_LARGE, bytes=MAX_NOTE_BYTES, signatures=MAX_SIGNATURES)
    return tuple(_signature(line, number) for number, line in enumerate(lines, first))


def _signature(line: str, number: int) -> Signature:
    dash, name, encoded = parts if len(parts := line.split(" ")) == 3 else ("", "", "")
    raw = read_base64(encoded)
    if dash != "—" or not is_key_name(name) or raw is None or len(raw) < 5:
        raise Problem(NOTE_MALFORMED, line=number)
    return Signature(name, raw[:4], raw[4:])


def is_key_name(name: str) -> bool:
    """Whether C2SP allows this key name: not empty, no Unicode space, no plus, no control character."""
    return bool(name) and "+" not in name and not any(map(str.isspace, name)) and write_text(name) is not None
