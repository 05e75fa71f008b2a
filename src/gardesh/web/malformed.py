"""What is wrong with the form of a request: the place in its body, and the reason in both languages."""

from __future__ import annotations

import re

from litestar.exceptions import HTTPException

from gardesh.model.form_reason import in_persian
from gardesh.model.problem import Problem, define, pointer

REQUEST_MALFORMED = define(
    "request-malformed",
    400,
    en="{where} of the request is not as it should be: {reason}.",
    fa="{where} در درخواست درست نیست: {reason}.",
)
MISSING = "it is missing"
DEEP = "it is nested too deep"
TWICE = "it is there twice"
NOT_KNOWN = "it is not known here"
ONE_OF_THEM = "exactly one of them is given"
FIELD = re.compile("Object (?:missing required|contains unknown) field `(.+)`")
PARAMETER = re.compile("(?:query|header|path) parameter '([^']{1,100})'")


class Malformed(Problem):
    """A request whose form is wrong. `where`: a member of the body, a parameter, or the body; `pointer`: for a member."""

    def __init__(self, where: str, reason: str, pointer: str = "") -> None:
        super().__init__(REQUEST_MALFORMED, pointer, where=where[:100], reason=reason[:300].rstrip("."))

    def sentence(self, lang: str) -> str:
        if lang != "fa":
            return super().sentence(lang)
        where, reason = self.params["where"], self.params["reason"]
        return self.kind.fa.format(where="بدنه" if where == "body" else where, reason=in_persian(reason))


def in_body(reason: str, place: str = "") -> Malformed:
    """What a decoder says of a body at a place, such as `attachments[0].size`."""
    parts: list[str | int] = [
        int(part[1:-1]) if part.startswith("[") else part
        for part in re.findall(r"\[\d{1,9}\]|[^.\[\]]{1,200}", place)
    ]
    field = FIELD.fullmatch(reason)
    if field is not None:
        parts.append(field[1])
    return Malformed(place or "body", MISSING if reason == "'data'" else reason, pointer(*parts))


def of_json(error: Exception) -> Malformed:
    """What msgspec says of a body."""
    reason, _, place = str(error).partition(" - at `$")
    return in_body(reason, place.rstrip("`").removeprefix("."))


def of_http(error: HTTPException) -> Malformed:
    """What the framework says of a request."""
    first = error.extra[0] if isinstance(error.extra, list) and error.extra else None
    if isinstance(first, dict):
        key, reason = str(first.get("key", "")), str(first.get("message") or error.detail)
        if first.get("source") in (None, "body"):
            return in_body(reason, "" if key == "data" else key)
        return Malformed(key.replace("_", "-") if first["source"] == "header" else key, reason)
    named = PARAMETER.search(str(error.detail))
    if named is not None:
        return Malformed(named[1], MISSING if "Missing" in error.detail else str(error.detail))
    return in_body(str(error.detail))
