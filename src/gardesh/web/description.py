"""How operations describe themselves: one place for the words and examples of the OpenAPI document."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from litestar.datastructures import ResponseHeader
from litestar.openapi import ResponseSpec
from litestar.openapi.spec import Example, OpenAPIMediaType, Operation, RequestBody, Schema

from gardesh import wire
from gardesh.web.answer import PROBLEM

SIGNED: list[dict[str, list[str]]] = [{"token": []}, {"signature": []}]
"""Who asks has to be known."""
OPEN: list[dict[str, list[str]]] = [{}]
"""Anybody may ask."""

HEX = "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"
CASE = "9b74c9897bac770ffc029102a200c5de8a5c1a0fd1f9e6f1f2a4e3a0f0bb2c31"
PROBLEM_EXAMPLE = {
    "type": "urn:gardesh:problem:no-such-document",
    "status": 404,
    "code": "no-such-document",
    "detail": f"There is no document {HEX} here.",
    "sentences": {
        "en": f"There is no document {HEX} here.",
        "fa": f"سندی به شناسه‌ی {HEX} در اینجا نیست.",
    },
    "params": {"name": HEX},
    "instance": "urn:uuid:8d6e1f40-3c1d-4d8f-9a35-1f4a9d1c7f10",
}
ETAG = [ResponseHeader("ETag", description="For If-None-Match.", documentation_only=True)]


def gives(
    shape: Any, example: Any, *, status: int = 200, says: str = "Done.", kind: str = "application/json"
) -> dict[int, ResponseSpec]:
    """The answer of an operation, with its example."""
    return {
        status: ResponseSpec(
            shape,
            generate_examples=False,
            description=says,
            media_type=kind,
            examples=[Example(value=example)],
        )
    }


def refuses(*statuses: int) -> dict[int, ResponseSpec]:
    """The problems that an operation can answer with."""
    return {
        status: ResponseSpec(
            wire.ProblemDetails,
            generate_examples=False,
            description="A problem (RFC 9457).",
            media_type=PROBLEM,
            examples=[Example(value={**PROBLEM_EXAMPLE, "status": status})],
        )
        for status in statuses
    }


def takes(kind: str, schema: Schema, example: Any, says: str) -> type[Operation]:
    """An operation with this body."""

    @dataclass
    class Taking(Operation):
        def __post_init__(self) -> None:
            content = {kind: OpenAPIMediaType(schema=schema, examples={"example": Example(value=example)})}
            self.request_body = RequestBody(content=content, description=says, required=True)

    return Taking
