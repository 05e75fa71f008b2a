"""How operations describe themselves: one place for the words and examples of the OpenAPI document."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
from litestar.openapi import ResponseSpec
from litestar.openapi.spec import (
    Example,
    OpenAPIHeader,
    OpenAPIMediaType,
    OpenAPIResponse,
    OpenAPIType,
    Operation,
    Parameter,
    RequestBody,
    Schema,
)

from gardesh import wire
from gardesh.web.answer import PROBLEM

SIGNED: list[dict[str, list[str]]] = [{"token": []}, {"signature": []}, {"authority": []}]
"""Who asks has to be known."""
OPEN: list[dict[str, list[str]]] = [{}]
"""Anybody may ask."""

HEX = "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"
CASE = "9b74c9897bac770ffc029102a200c5de8a5c1a0fd1f9e6f1f2a4e3a0f0bb2c31"
KEPT = "\0json:"


def kept(example: Any) -> str:
    """An example in a form that is carried whole: the framework drops members that are null. See `finished`."""
    return KEPT + msgspec.json.encode(example).decode()


def finished(described: Any) -> Any:
    """The description with the examples in it as they were meant."""
    if isinstance(described, dict):
        return {k: finished(v) for k, v in described.items()}
    if isinstance(described, list):
        return [finished(v) for v in described]
    if isinstance(described, str) and described.startswith(KEPT):
        return msgspec.json.decode(described.removeprefix(KEPT))
    return described


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
            examples=[Example(value=kept(example))],
        )
    }


ANYWHERE = (400, 429, 500, 503)
TAKES = (408, 413)
"""Where there is a body: it comes too slowly, or is too large."""
WRITES = 421
"""Where something is written: it is not here, but at the service that this one is a replica of."""


def refuses(*statuses: int) -> dict[int, ResponseSpec]:
    """The problems that an operation can answer with: these, and what any can. Where who asks has to be known (401), it may be
    known and have no rights (403). `problem_examples` gives each an example."""
    return {
        status: ResponseSpec(
            wire.ProblemDetails,
            generate_examples=False,
            description="A problem (RFC 9457).",
            media_type=PROBLEM,
        )
        for status in sorted({*statuses, *ANYWHERE, *((403,) if 401 in statuses else ())})
    }


def takes(kind: str, schema: Schema, example: Any, says: str) -> type[Operation]:
    """An operation with this body."""

    @dataclass
    class Taking(Operation):
        def __post_init__(self) -> None:
            content = {
                kind: OpenAPIMediaType(schema=schema, examples={"example": Example(value=kept(example))})
            }
            self.request_body = RequestBody(content=content, description=says, required=True)

    return Taking


def sent(example: Any) -> type[Operation]:
    """An operation whose JSON body is described by its handler, with an example of it."""

    @dataclass
    class Sent(Operation):
        def __post_init__(self) -> None:
            assert isinstance(self.request_body, RequestBody)
            for media in self.request_body.content.values():
                media.examples = {"example": Example(value=kept(example))}

    return Sent


def shown(value: Any) -> list[Example]:
    """An example of a parameter."""
    return [Example(value=value)]


TEXT = Schema(type=OpenAPIType.STRING)
TAG = f'"{HEX[:32]}"'


@dataclass
class Tagged(Operation):
    """An operation whose answer has an entity tag: who holds it already is told so, without a body (RFC 9110 §13.1.2)."""

    def __post_init__(self) -> None:
        self.asks("If-None-Match", "The ETags of answers that are held already.", TAG)
        self.tells(200, "ETag", "What it is now, for If-None-Match.")
        self.answers(304, "It is what If-None-Match names.")
        self.tells(304, "ETag", "As it was.")

    def asks(self, header: str, says: str, example: str) -> None:
        """It takes this header."""
        asked = Parameter(
            name=header, param_in="header", description=says, required=False, schema=TEXT,
            examples={"example": Example(value=example)},
        )  # fmt: skip
        self.parameters = [*(self.parameters or []), asked]

    def answers(self, status: int, says: str) -> None:
        """It can answer so, without a described body."""
        assert self.responses is not None
        self.responses[str(status)] = OpenAPIResponse(description=says)

    def tells(self, status: int, header: str, says: str) -> None:
        """That answer has this header."""
        assert self.responses is not None
        answer = self.responses[str(status)]
        assert isinstance(answer, OpenAPIResponse)
        answer.headers = {**(answer.headers or {}), header: OpenAPIHeader(description=says, schema=TEXT)}


@dataclass
class InParts(Tagged):
    """And of which a part can be asked for (RFC 9110 §14)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.asks("Range", "The one part that is wanted.", "bytes=1048576-")
        self.asks("If-Range", "The ETag of what the part belongs to; the whole is given of another.", TAG)
        assert self.responses is not None
        whole = self.responses["200"]
        assert isinstance(whole, OpenAPIResponse)
        self.responses["206"] = OpenAPIResponse(description="The part of it.", content=whole.content)
        self.tells(206, "Content-Range", "Which part it is, and of how many bytes.")
