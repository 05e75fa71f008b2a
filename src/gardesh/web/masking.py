"""What a refusal does not tell: of a case in which the issuer of a document has no part, not even that it is there."""

from __future__ import annotations

from collections.abc import Sequence

from gardesh.access import Access
from gardesh.intake import Answer
from gardesh.model.document import parse, verify
from gardesh.model.problem import Problem
from gardesh.node import Node
from gardesh.record.cases import NO_SUCH_CASE
from gardesh.web import authentication


def masked(node: Node, documents: Sequence[bytes], answers: Sequence[Answer]) -> list[Answer]:
    """What became of documents, as their issuers may know it."""
    return [
        _masked(node, document, told) if isinstance(told, Problem) else told
        for document, told in zip(documents, answers, strict=True)
    ]


def _masked(node: Node, document: bytes, told: Problem) -> Problem:
    """To who has no part in a case, the case is not there: not when it is read, nor when a document is sent to it.

    Who only says whose the document is, and did not sign it, was refused before the case was looked at: that is told as it
    is, whether or not whom they name has a part in the case.
    """
    if told.code == NO_SUCH_CASE or told.kind.status < 402:
        return told
    try:
        paper = parse(document)
        org, key = authentication.in_force(node, paper.kid, node.sequencer.last_at)
        verify(paper, key)
    except Problem:
        return told
    if (
        org != paper.issuer
        or paper.case is None
        or Access(node, paper.issuer, node.sequencer.last_at).takes_part(paper.case)
    ):
        return told
    return Problem(NO_SUCH_CASE, "/circulation/case", case=paper.case)
