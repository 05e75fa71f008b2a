"""Whether the documents of a case file belong together: those of the case, what they name, and linked cases."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from gardesh.exchange.case_file import DOCUMENTS, LINKED, Part, named
from gardesh.exchange.case_file_container import INCOMPLETE, flaw
from gardesh.model.document import Envelope
from gardesh.model.merkle import EMPTY_ROOT
from gardesh.model.problem import Problem, define

FOREIGN = define(
    "case-file-foreign",
    422,
    en="{part} neither belongs to this case nor is linked with it.",
    fa="{part} نه از این پرونده است و نه به آن پیوسته است.",
)
REFERENCE = define(
    "case-file-reference-missing",
    422,
    en="{part} names the document {digest}, which is not in the case file.",
    fa="{part} سند {digest} را نام می‌برد که در پرونده نیست.",
)


def belonging(parts: Sequence[Part], case: str, left: Collection[bytes] | None = None) -> list[Problem]:
    """What does not belong to the case, and what its documents name that is not here. `left`: the documents that a file
    for one reader leaves out; None for a file that is whole.

    A linked document is one that a document of the case names, or of a case that was opened from here or for a slot
    here; so are in turn those that it names or opened.
    """
    problems: list[Problem] = []
    here = {p.paper.digest for p in parts} | set(left or ())
    own = [p for p in parts if p.folder == DOCUMENTS]
    linked = [p for p in parts if p.folder == LINKED]
    many = {p.paper.step for p in own if p.paper.key is not None}
    for part in own:
        if case_of(part.paper) != case:
            problems.append(flaw(FOREIGN, part.name))
        missing = named(part.paper) - here - roots(part.paper, many, bool(linked) or left is not None)
        problems += [flaw(REFERENCE, part.name, digest=digest.hex()) for digest in sorted(missing)]
    if re.fullmatch("[0-9a-f]{64}", case) is None or bytes.fromhex(case) not in here:
        problems.append(flaw(INCOMPLETE, f"{DOCUMENTS}/{case}"))
    cases = {case} | {p.paper.digest.hex() for p in own} | {a for p in own for a in _above(p.paper)}
    digests: set[bytes] = set().union(*(named(p.paper) for p in own))
    while near := [p for p in linked if _near(p.paper, cases, digests)]:
        for part in near:
            linked.remove(part)
            cases |= {part.paper.digest.hex(), case_of(part.paper), *_above(part.paper)}
            digests |= named(part.paper)
    return problems + [flaw(FOREIGN, part.name) for part in linked]


def roots(paper: Envelope, many: set[str], linked: bool) -> set[bytes]:
    """What in a basis is, or may be, the root over all slots of a step, which names no single document.

    Steps that have many slots are told by their documents in the file; a step that follows other cases may have none.
    """
    return {d for slot, d in paper.basis if ":" not in slot and (slot in many or d == EMPTY_ROOT or linked)}


def case_of(paper: Envelope) -> str:
    """The case that a document was issued in; the one that opens a case gives it its name."""
    return paper.case or paper.digest.hex()


def _above(paper: Envelope) -> list[str]:
    """The case of this log for a slot of which the document opens one."""
    return [paper.for_slot.case] if paper.for_slot is not None and not paper.for_slot.log else []


def _near(paper: Envelope, cases: set[str], digests: set[bytes]) -> bool:
    """Whether a document of another case is linked, given the cases and digests known to be."""
    near = {paper.digest.hex(), case_of(paper), *_above(paper)}
    return paper.digest in digests or not near.isdisjoint(cases)
