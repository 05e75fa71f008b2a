"""Cuts the text of an expression into tokens, and reads its numbers and texts (CEL, langdef.md)."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import NamedTuple, NoReturn

from gardesh.model.problem import Problem, define

SYNTAX = define(
    "expression-syntax",
    422,
    en="The expression cannot be read at line {line}, column {column}: {reason_en}.",
    fa="عبارت در سطر {line}، ستون {column} خوانده نمی‌شود: {reason_fa}.",
    hint_en="The language of expressions is described in docs/reference/language.md.",
    hint_fa="زبان عبارت‌ها در docs/reference/language.md شرح داده شده است.",
)

MAX_SOURCE = 8192
MAX_DIGITS = 38

_TOKEN = re.compile(
    r"""(?P<space>[ \t\r\n\f]+|//[^\n]*)
    |(?P<number>0[xX][0-9a-fA-F]+|(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
    |(?P<raw>[rR](?:\"\"\"[\s\S]*?\"\"\"|'''[\s\S]*?'''|"[^"\r\n]*"|'[^'\r\n]*'))
    |(?P<text>\"\"\"(?:[^\\]|\\[\s\S])*?\"\"\"|'''(?:[^\\]|\\[\s\S])*?'''
        |"(?:[^"\\\r\n]|\\.)*"|'(?:[^'\\\r\n]|\\.)*')
    |(?P<quoted>`[A-Za-z0-9_.\-/\ ]+`)
    |(?P<name>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<sign>&&|\|\||==|!=|<=|>=|[-+*/%<>!?:.,()\[\]{}])""",
    re.VERBOSE,
)
_ESCAPE = re.compile(
    r"\\(?:([abfnrtv\\?\"'`])|[xX]([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-3][0-7]{2})|())"
)
_SIMPLE = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


class Token(NamedTuple):
    kind: str
    text: str
    at: int


def refuse(source: str, at: int, en: str, fa: str) -> NoReturn:
    """Raises `expression-syntax` with the place: `position`, `line`, `column` and `caret` (a marked line)."""
    start = source.rfind("\n", 0, at) + 1
    line = source[start:].partition("\n")[0]
    raise Problem(
        SYNTAX,
        source=source[:MAX_SOURCE],
        position=at,
        line=source.count("\n", 0, at) + 1,
        column=at - start + 1,
        caret=f"{line}\n{' ' * (at - start)}^",
        reason_en=en,
        reason_fa=fa,
    )


def tokens(source: str) -> list[Token]:
    found: list[Token] = []
    at = 0
    while at < len(source):
        match = _TOKEN.match(source, at)
        if match is None and source[at] in "\"'":
            refuse(
                source, at, "the closing quote of this text is missing", "گیومه‌ی پایانی این متن جا افتاده است"
            )
        if match is None:
            refuse(source, at, "this character has no meaning here", "این نویسه در اینجا معنایی ندارد")
        kind = str(match.lastgroup)
        if kind != "space":
            found.append(Token(kind, match.group(), at))
        at = match.end()
        if kind == "number" and at < len(source) and (source[at].isalnum() or source[at] == "_"):
            refuse(source, at, "a number must end before a letter", "عدد نباید به حرف چسبیده باشد")
    found.append(Token("end", "", len(source)))
    return found


def number(source: str, token: Token) -> int | Decimal:
    """The value of a number: an integer, or an exact decimal if it has a point or an exponent."""
    if token.text[:2] in ("0x", "0X"):
        value: int | Decimal = int(token.text, 16) if len(token.text) <= MAX_DIGITS else 10**MAX_DIGITS
    elif token.text.isdigit():
        value = int(token.text) if len(token.text) <= MAX_DIGITS else 10**MAX_DIGITS
    else:
        value = Decimal(token.text)
    places = abs(value.adjusted()) if isinstance(value, Decimal) else len(str(value)) - 1
    if places >= MAX_DIGITS or len(token.text) > 2 * MAX_DIGITS:
        refuse(
            source, token.at, f"a number has at most {MAX_DIGITS} digits", f"عدد حداکثر {MAX_DIGITS} رقم دارد"
        )
    return value


def text(source: str, token: Token) -> str:
    """The value of a text in quotes, its escapes replaced unless it is raw."""
    prefix = 1 if token.kind == "raw" else 0
    body = token.text[prefix:]
    quotes = 3 if len(body) >= 6 and body[:3] in ('"""', "'''") else 1
    inner = body[quotes:-quotes]
    if token.kind == "raw":
        return inner
    return _ESCAPE.sub(lambda match: _escaped(source, token.at + quotes + match.start(), match), inner)


def _escaped(source: str, at: int, match: re.Match[str]) -> str:
    simple, *codes, octal, _ = match.groups()
    if simple:
        return _SIMPLE.get(simple, simple)
    code = int(octal, 8) if octal else int(next((c for c in codes if c), "110000"), 16)
    if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
        refuse(source, at, "this escape has no meaning", "این نویسه‌ی گریز معنایی ندارد")
    return chr(code)
