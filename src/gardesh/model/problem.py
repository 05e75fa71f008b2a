"""What can go wrong for a caller: a stable code, the place, a sentence in Persian and English.

Every refusal in Gardesh is a :class:`Problem` (RFC 9457 calls it a problem detail). The module that can
raise one defines it beside its code with :func:`define`; the catalogue is the reference page of codes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of problem. `status` is the HTTP status and decides the exit code of the command line."""

    code: str
    status: int
    en: str
    fa: str
    hint_en: str = ""
    hint_fa: str = ""


CATALOGUE: dict[str, Kind] = {}


def define(code: str, status: int, *, en: str, fa: str, hint_en: str = "", hint_fa: str = "") -> str:
    """Enter a kind of problem in the catalogue and return its code. Sentences are `str.format` templates.

    A code is defined once and never changes its meaning; defining it twice is a programming error.
    """
    if code in CATALOGUE:
        raise ValueError(f"problem {code!r} is defined twice")
    CATALOGUE[code] = Kind(code, status, en, fa, hint_en, hint_fa)
    return code


@dataclass(frozen=True, slots=True)
class Wording:
    """A part of a sentence that is said in both languages: a parameter of a problem."""

    en: str
    fa: str

    def __str__(self) -> str:
        return self.en


class Problem(Exception):
    """A refusal. `pointer` is an RFC 6901 JSON pointer into what was given ("" for the whole).

    `params` fill the sentence and are given to programs as they are (a `Wording` in English): JSON-ready, no
    secrets, no personal data beyond what the caller sent.
    """

    def __init__(self, code: str, pointer: str = "", **params: Any) -> None:
        self.kind = CATALOGUE[code]
        self.code = code
        self.pointer = pointer
        self.params: Mapping[str, Any] = {k: str(v) if type(v) is Wording else v for k, v in params.items()}
        self._worded = {k: v for k, v in params.items() if type(v) is Wording}
        super().__init__(f"{code} at {pointer or '/'}: {self.sentence('en')}")

    def sentence(self, lang: str) -> str:
        if lang == "fa":
            return self.kind.fa.format_map(
                _Lenient({**self.params, **{k: w.fa for k, w in self._worded.items()}})
            )
        return self.kind.en.format_map(_Lenient(self.params))

    def worded(self, param: str) -> Wording:
        """A parameter of it, as it is said in both languages."""
        return self._worded.get(param) or Wording(str(self.params[param]), str(self.params[param]))

    def reason(self) -> Wording:
        """Its sentence as the reason within another."""
        return Wording(self.sentence("en").rstrip("."), self.sentence("fa").rstrip("."))

    def hint(self, lang: str) -> str:
        return (self.kind.hint_fa if lang == "fa" else self.kind.hint_en).format_map(_Lenient(self.params))

    def as_dict(self) -> dict[str, Any]:
        """The RFC 9457 members, with `code` and `pointer` as extensions. Field names are stable."""
        out: dict[str, Any] = {
            "type": f"urn:gardesh:problem:{self.code}",
            "status": self.kind.status,
            "code": self.code,
            "pointer": self.pointer,
            "detail": {"en": self.sentence("en"), "fa": self.sentence("fa")},
            "params": dict(self.params),
        }
        if self.kind.hint_en:
            out["hint"] = {"en": self.hint("en"), "fa": self.hint("fa")}
        return out

    def at(self, prefix: str) -> Problem:
        """The same problem, seen from further out: its pointer under `prefix`."""
        return Problem(self.code, prefix + self.pointer, **{**self.params, **self._worded})


class RuleBroken(Problem):
    """A pack's own rule was not kept: the code and the sentences are the pack's."""

    def __init__(self, code: str, fa: str, en: str, pointer: str = "", **params: Any) -> None:
        self.kind = Kind(code, 422, en, fa)
        self.code = code
        self.pointer = pointer
        self.params = params
        self._worded = {}
        Exception.__init__(self, f"{code} at {pointer or '/'}: {en}")

    def at(self, prefix: str) -> Problem:
        return RuleBroken(self.code, self.kind.fa, self.kind.en, prefix + self.pointer, **self.params)


class _Lenient(dict[str, Any]):
    def __init__(self, params: Mapping[str, Any]) -> None:
        super().__init__(params)

    def __missing__(self, key: str) -> str:
        return "{" + key + "}"


def pointer(*parts: str | int) -> str:
    """An RFC 6901 pointer from its parts, escaped."""
    return "".join("/" + str(p).replace("~", "~0").replace("/", "~1") for p in parts)
