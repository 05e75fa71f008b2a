"""Making a case file out of a node: which documents, proofs and attachments belong in it."""

from __future__ import annotations

from collections.abc import Iterable

from gardesh.access import Access
from gardesh.access import Found as FoundDocument
from gardesh.exchange.case_file import (
    DOCUMENTS,
    KEYS,
    LINKED,
    LeftOut,
    Part,
    describe,
    files,
    named,
    named_attachments,
)
from gardesh.exchange.case_file_container import write
from gardesh.exchange.case_file_keys import KeyRing
from gardesh.model.document import Envelope, parse
from gardesh.model.key_registration import ADMISSION
from gardesh.model.problem import Problem, define
from gardesh.model.reading import NONE
from gardesh.node import Node
from gardesh.node import shown as permitted
from gardesh.record.views import Views

EMPTY = define(
    "case-file-empty",
    403,
    en="Nothing of the case {case} may be read by you.",
    fa="شما مجاز به خواندن هیچ سندی از پرونده‌ی {case} نیستید.",
)

ERASED = define(
    "case-file-erased",
    409,
    en="Something of the document {document} was erased; a case file that is not for one reader holds its documents whole.",
    fa="بخشی از سند {document} پاک شده است؛ پرونده‌ای که برای یک خواننده نیست سندها را کامل در بر دارد.",
    hint_en="A file for one reader holds what is left.",
    hint_fa="پرونده‌ی ویژه‌ی یک خواننده آنچه را مانده در بر دارد.",
)
Found = tuple[int, Envelope]
"""(recorded_at, document)."""
MOST_LINKED = 200
"""How many linked cases are taken along at most, the nearest first."""
ATTACHMENTS = 64 << 20
"""How many bytes of attachments are taken along, unless another limit is given."""


def export(node: Node, case_id: str, *, linked: bool = True, attachments: int = ATTACHMENTS) -> bytes:
    """The case file of a case: its documents; those of the cases it is linked with (with `linked`; else the single ones
    that it follows); and the documents that registered the keys they are signed with, back to the genesis; each with
    its proof under one checkpoint. Attachments come along up to so many bytes in all, small ones first; what is left
    out is named. Raises `no-such-case`, `case-file-erased`.
    """
    case = node.sequencer.cases.get(case_id)
    own = of_case(node, case_id)
    others = linked_documents(node, case_id, own.values())
    for other in linked_cases(node, case_id) if linked else ():
        others |= of_case(node, other)
    papers = [paper for _, paper in (*own.values(), *others.values())]
    for paper in papers:
        if not paper.complete:
            raise Problem(ERASED, document=paper.digest.hex())
    everything = {p: (KEYS, *found) for p, found in key_documents(node, papers).items()}
    everything |= {p: (LINKED, *found) for p, found in others.items()}
    everything |= {p: (DOCUMENTS, *found) for p, found in own.items()}
    places = sorted(everything)
    note, tree = node.log.covering(places[-1], node.sequencer.last_at)
    receipts = node.log.receipts([(p, everything[p][1]) for p in places], note, tree)
    parts = []
    for place, receipt in zip(places, receipts, strict=True):
        folder, at, paper = everything[place]
        parts.append(Part(place, at, folder, paper, receipt.encode()))
    ring = KeyRing()
    for part in parts:
        ring.register(part.position, part.name, part.paper)
    label = own[max(own)][1].pack
    digest = node.library.get(label).digest.hex()
    procedure = f"{label.partition('@')[0]}/{case.procedure.name}"
    about = describe(case_id, procedure, label, digest, parts[0].paper)
    return write(files(about, note, parts, ring, kept(node, parts, attachments)))


def for_reader(node: Node, case_id: str, access: Access, *, attachments: int = ATTACHMENTS) -> bytes:
    """The case file as one reader may see the case: its documents, and those of other cases that they name, whole or in
    part as the graph gives the right; of its own documents that may not be read, the place on the log alone. Attachments
    come with the documents that may be read whole. Each read is on record when this returns.

    Raises `no-such-case`, and `case-file-empty` where nothing of it may be read.
    """
    access.case(case_id)
    own = of_case(node, case_id)
    others = linked_documents(node, case_id, own.values())
    shown: dict[int, tuple[str, int, Envelope]] = {}
    left: dict[int, Envelope] = {}
    named_here = set().union(*(named(paper) for _, paper in own.values()))
    for folder, found in ((DOCUMENTS, own), (LINKED, others)):
        for position, (at, paper) in found.items():
            right = access.right(FoundDocument(position, at, paper.case or paper.digest.hex(), paper))
            if right != NONE:
                shown[position] = (folder, at, permitted(paper, right))
            elif folder == DOCUMENTS or paper.digest in named_here:
                left[position] = paper
    if not any(folder == DOCUMENTS for folder, _, _ in shown.values()):
        raise Problem(EMPTY, case=case_id)
    for position, (_, _, paper) in shown.items():
        right = "all" if paper.complete else tuple(sorted(paper.subject))
        node.note_read(access.org, position, right, "case file", access.now)
    signed = [paper for _, _, paper in shown.values()]
    everything = {
        p: (KEYS, at, for_keys(paper)) for p, (at, paper) in key_documents(node, signed).items()
    } | shown
    times = {p: found[1] for p, found in everything.items()}
    times |= {p: (own.get(p) or others[p])[0] for p in left}
    places = sorted(times)
    note, tree = node.log.covering(places[-1], node.sequencer.last_at)
    receipts = dict(zip(places, node.log.receipts([(p, times[p]) for p in places], note, tree), strict=True))
    parts = [
        Part(p, at, folder, paper, receipts[p].encode())
        for p, (folder, at, paper) in sorted(everything.items())
    ]
    unshown = [
        LeftOut(p, paper.digest, receipts[p].encode())
        for p, paper in sorted(left.items())
        if p not in everything
    ]
    ring = KeyRing()
    for part in parts:
        ring.register(part.position, part.name, part.paper)
    last = next(part.paper for part in reversed(parts) if part.folder == DOCUMENTS)
    digest = node.library.get(last.pack).digest.hex()
    procedure = f"{last.pack.partition('@')[0]}/{last.procedure.rpartition('/')[2]}"
    about = describe(case_id, procedure, last.pack, digest, parts[0].paper, access.org, unshown)
    whole = [part for part in parts if part.paper.complete]
    return write(files(about, note, parts, ring, kept(node, whole, attachments), unshown))


def for_keys(paper: Envelope) -> Envelope:
    """A document that registered keys, as anybody may see it: of an admission, whose the keys are."""
    return permitted(paper, ("keys", "org")) if paper.type == ADMISSION and paper.disclosures else paper


def kept(node: Node, parts: Iterable[Part], limit: int) -> dict[str, bytes]:
    """The attachments that fit, by their digest in hex."""
    found: dict[str, bytes] = {}
    sizes = sorted((size, digest) for digest, (size, _) in named_attachments(parts).items())
    for size, digest in sizes if node.blobs is not None else ():
        if size <= limit and node.blobs is not None and node.blobs.size_of(bytes.fromhex(digest)) == size:
            found[digest] = b"".join(node.blobs.read(bytes.fromhex(digest)))
            limit -= size
    return found


def of_case(node: Node, case_id: str) -> dict[int, Found]:
    rows = node.store.rows("SELECT position FROM documents WHERE case_id = ?", case_id)
    return {p: document(node, p) for (p,) in rows}


def linked_cases(node: Node, case_id: str) -> list[str]:
    """The cases that this one opened or was opened for, those of these in turn, and so on.

    A case of which one document served here (`reuse`) is not one: what else it holds concerns somebody else.
    """
    found: list[str] = []
    ahead = [case_id]
    while ahead and len(found) < MOST_LINKED:
        current = ahead.pop(0)
        if current != case_id:
            found.append(current)
        rows = node.store.rows(
            "SELECT source_case, target_case, target_step FROM links WHERE source_case = ? OR target_case = ?"
            " ORDER BY source_case, target_case",
            current,
            current,
        )
        for source, target, step_name in rows:
            step = node.sequencer.cases.get(target).procedure.by_name.get(step_name)
            other = source if target == current else target
            if step is not None and step.reuse_about is None and other not in (case_id, *found, *ahead):
                ahead.append(other)
    return found


def document(node: Node, position: int) -> Found:
    _, at, _, data = Views(node.store, node.library).document(str(position))
    return at, parse(data)


def position_of(node: Node, digest: bytes) -> int | None:
    row = node.store.one("SELECT position FROM documents WHERE digest = ?", digest)
    return None if row is None else int(row[0])


def linked_documents(node: Node, case_id: str, own: Iterable[Found]) -> dict[int, Found]:
    """Documents of other cases that this one follows or rests upon, with those that show how the cases hang together."""
    wanted = {bytes.fromhex(case_id)}
    known = set()
    for _, paper in own:
        wanted |= named(paper)
        known.add(paper.digest)
    positions = set()
    for state in node.sequencer.cases.get(case_id).steps:
        for slot in state.slots.values():
            if slot.head is None or (link := slot.head.link) is None or link.log:
                continue
            wanted.add(slot.head.digest)
            wanted |= _way(node, link.case, case_id)
            rows = node.store.rows(
                "SELECT position FROM documents WHERE case_id = ? AND step = ? AND key = ? AND act = 'reuse'",
                link.case,
                link.step,
                link.key,
            )
            positions |= {p for (p,) in rows} if link.case != case_id else set()
    positions |= {p for d in wanted - known if (p := position_of(node, d)) is not None}
    return {p: document(node, p) for p in sorted(positions)}


def _way(node: Node, start: str, case_id: str) -> set[bytes]:
    """The documents that opened the cases from `start` up to `case_id`, if a way leads there."""
    way: set[bytes] = set()
    current = start
    while current != case_id:
        digest = bytes.fromhex(current)
        position = position_of(node, digest)
        if position is None or digest in way:
            return set()
        way.add(digest)
        _, opening = document(node, position)
        asked = opening.for_slot
        above = opening.case or (asked.case if asked is not None and not asked.log else None)
        if above is None:
            return set()
        current = above
    return way


def key_documents(node: Node, papers: Iterable[Envelope]) -> dict[int, Found]:
    """The genesis, the documents that adopted the packs or moved cases between their versions, and those that registered,
    retired or revoked the keys of these documents, and of those in turn."""
    found: dict[int, Found] = {}
    about = {("core/packs", p.pack) for p in papers} | {("core/migrations", p.pack) for p in papers}
    queue = sorted(about | {("core/keys", p.kid) for p in papers})
    seen = set(queue)

    def take(position: int) -> None:
        if position not in found:
            found[position] = document(node, position)
            signer = ("core/keys", found[position][1].kid)
            if signer not in seen:
                seen.add(signer)
                queue.append(signer)

    take(0)
    while queue:
        register, key = queue.pop()
        for entered, undone in node.store.rows(
            "SELECT position, undone_at FROM entries WHERE register = ? AND key = ?", register, key
        ):
            take(entered)
            if undone is not None:
                take(undone)
    return found
