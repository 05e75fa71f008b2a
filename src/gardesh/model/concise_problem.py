"""A refusal as Concise Problem Details in CBOR (RFC 9290), which SCRAPI answers with.

It has `title` (-1), `detail` (-2) and, under the URI "urn:gardesh:problem", what the RFC 9457 form has for programs:
`code`, `pointer`, `status`, and the sentence in Persian. Texts without a language are English (RFC 9290 §2). The
member `response-code` is of CoAP, and so is left out over HTTP.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from gardesh.model.cbor import CBOR_MALFORMED
from gardesh.model.cbor import decode as decode_cbor
from gardesh.model.cbor import encode as encode_cbor
from gardesh.model.cose import COSE_ALGORITHM, COSE_PAYLOAD
from gardesh.model.jose import ALGORITHM_NONE, ALGORITHM_UNKNOWN
from gardesh.model.problem import Problem

MEDIA_TYPE = "application/concise-problem-details+cbor"
TITLE, DETAIL = -1, -2
EXTENSION = "urn:gardesh:problem"
_BY_CODE = {
    **dict.fromkeys((COSE_ALGORITHM, ALGORITHM_NONE, ALGORITHM_UNKNOWN), "Bad Signature Algorithm"),
    COSE_PAYLOAD: "Payload Missing",
}
_BY_STATUS = {400: "Malformed request", 404: "Not Found", 429: "Too Many Requests"}


class Concise(NamedTuple):
    """A refusal as it was read: what :func:`encode` writes, but for the title. `en` may end with a hint."""

    code: str
    status: int
    pointer: str
    en: str
    fa: str


def title(problem: Problem) -> str:
    """The title that SCRAPI gives to such an error: one of a few, the same for all problems of a shape."""
    status = problem.kind.status
    return _BY_CODE.get(problem.code) or _BY_STATUS.get(
        status, "Internal error" if status >= 500 else "Rejected"
    )


def encode(problem: Problem) -> bytes:
    """The problem as a CBOR map."""
    hint = problem.hint("en")
    members: dict[Any, Any] = {
        TITLE: title(problem),
        DETAIL: f"{problem.sentence('en')} {hint}" if hint else problem.sentence("en"),
        EXTENSION: {
            "code": problem.code,
            "pointer": problem.pointer,
            "status": problem.kind.status,
            "fa": problem.sentence("fa"),
        },
    }
    return encode_cbor(members)


def read(raw: bytes) -> Concise:
    """The refusal in this CBOR map. Raises Problem, as `cbor.decode`, and for one that :func:`encode` did not write."""
    told = decode_cbor(raw)
    own = told.get(EXTENSION) if type(told) is dict else None
    if type(own) is dict:
        found: list[Any] = [*map(own.get, ("code", "status", "pointer")), told.get(DETAIL), own.get("fa")]
        if [type(value) for value in found] == [str, int, str, str, str]:
            return Concise(*found)
    raise Problem(CBOR_MALFORMED, at=0)
