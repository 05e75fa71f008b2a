"""The case file: one ZIP that anyone can check with no network and no database, and open without Gardesh.

Deterministic: entries sorted, stored uncompressed, with fixed times and attributes, and everything in it but the
documents, receipts and the checkpoint rendered from these. So the whole can be made again from its contents, and any
flipped bit of it is found.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from gardesh.exchange.case_file_keys import KeyRing
from gardesh.exchange.case_file_page import page, readme
from gardesh.model import canonical
from gardesh.model.document import Envelope, parse

if TYPE_CHECKING:  # who only checks a file needs no node
    from gardesh.node import Node

FORMAT = "gardesh-case-file/1"
DOCUMENTS, LINKED, KEYS = "documents", "linked", "keys"
CHECKPOINT, MANIFEST, KEY_LIST = "checkpoint", "manifest.json", "keys.json"


class Part(NamedTuple):
    """A document in its place: what the case file is made of. `folder` is one of `documents`, `linked`, `keys`."""

    position: int
    recorded_at: int
    folder: str
    paper: Envelope
    receipt: bytes

    @property
    def name(self) -> str:
        return f"{self.folder}/{self.position:010d}-{self.paper.step}.sd-jwt"

    @property
    def receipt_name(self) -> str:
        return f"receipts/{self.position:010d}.tlog-proof"


# -- making ---------------------------------------------------------------------------------------------------


def export(node: Node, case_id: str) -> bytes:
    """The case file of a case: its documents, those it follows in other cases, and the documents that registered the
    keys they are signed with, back to the genesis; each with its proof under one checkpoint. Raises `no-such-case`."""
    case = node.sequencer.cases.get(case_id)
    positions = node.store.rows("SELECT position FROM documents WHERE case_id = ?", case_id)
    own = {p: document(node, p) for (p,) in positions}
    linked = linked_documents(node, case_id, own.values())
    pack = case.procedure.pack
    papers = [paper for _, paper in (*own.values(), *linked.values())]
    registering = key_documents(node, papers, pack.label)
    everything = {p: (KEYS, *found) for p, found in registering.items()}
    everything |= {p: (LINKED, *found) for p, found in linked.items()}
    everything |= {p: (DOCUMENTS, *found) for p, found in own.items()}
    places = sorted(everything)
    note = node.log.checkpoint(node.sequencer.last_at)
    receipts = node.log.receipts([(p, everything[p][1]) for p in places], note)
    parts = []
    for place, receipt in zip(places, receipts, strict=True):
        folder, at, paper = everything[place]
        parts.append(Part(place, at, folder, paper, receipt.encode()))
    ring = KeyRing()
    for part in parts:
        ring.register(part.position, part.name, part.paper)
    about = describe(case_id, case.procedure.label, pack.label, pack.digest.hex(), parts[0].paper)
    return container(files(about, note, parts, ring))


def describe(case: str, procedure: str, pack: str, pack_digest: str, genesis: Envelope) -> dict[str, Any]:
    """The manifest but for its list of files."""
    log = genesis.subject["log"]
    return {
        "format": FORMAT,
        "case": case,
        "procedure": procedure,
        "pack": pack,
        "pack_digest": pack_digest,
        "origin": log["origin"],
        "log_keys": list(log["keys"]),
        "genesis": genesis.digest.hex(),
    }


def files(about: dict[str, Any], note: bytes, parts: Sequence[Part], ring: KeyRing) -> dict[str, bytes]:
    """Every file of the case file by its name: they follow from the documents, the receipts and the checkpoint."""
    made: dict[str, bytes] = {CHECKPOINT: note, KEY_LIST: plain(ring.listing()), "README.txt": readme()}
    for part in parts:
        made[part.name] = part.paper.data
        made[part.receipt_name] = part.receipt
        made[f"decoded/{part.position:010d}.json"] = decoded(part)
    shown = [(p.folder == LINKED, p.position, p.recorded_at, p.paper) for p in parts if p.folder != KEYS]
    made["index.html"] = page(about, shown)
    listed = {n: {"size": len(d), "sha256": hashlib.sha256(d).hexdigest()} for n, d in made.items()}
    made[MANIFEST] = plain({**about, "files": listed})
    return made


def plain(value: Any) -> bytes:
    """JSON for people, written one way: canonical, then indented."""
    return msgspec.json.format(canonical.encode(value), indent=2) + b"\n"


def decoded(part: Part) -> bytes:
    """A document as plain JSON, for who has no tools."""
    paper = part.paper
    said = {"position": part.position, "recorded_at": part.recorded_at, "digest": paper.digest.hex()}
    return plain({**said, "kid": paper.kid, "claims": paper.claims, "subject": paper.subject})


def container(files: dict[str, bytes]) -> bytes:
    """The one ZIP that these files make."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as made:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.create_system, entry.external_attr = 3, 0o644 << 16
            made.writestr(entry, files[name])
    return out.getvalue()


# -- which documents ------------------------------------------------------------------------------------------

Found = tuple[int, Envelope]
"""(recorded_at, document)."""


def document(node: Node, position: int) -> Found:
    at, signed, tail = node.store.one(
        "SELECT d.recorded_at, d.signed, x.data FROM documents d JOIN disclosures x ON x.position = d.position"
        " WHERE d.position = ?",
        position,
    )
    return int(at), parse(bytes(signed) + bytes(tail))


def position_of(node: Node, digest: bytes) -> int | None:
    row = node.store.one("SELECT position FROM documents WHERE digest = ?", digest)
    return None if row is None else int(row[0])


def named(paper: Envelope) -> set[bytes]:
    """The digests of the documents that a document rests upon, replaces or names."""
    others = (paper.replaces, paper.names)
    return {digest for _, digest in paper.basis} | {bytes.fromhex(o) for o in others if o is not None}


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
            if slot.head is None or (link := slot.head.link) is None:
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
        above = opening.case or (opening.for_slot.case if opening.for_slot is not None else None)
        if above is None:
            return set()
        current = above
    return way


def key_documents(node: Node, papers: Iterable[Envelope], label: str) -> dict[int, Found]:
    """The genesis, the document that adopted the pack, and those that registered, retired or revoked the keys of
    these documents, and of those in turn."""
    found: dict[int, Found] = {}
    queue = [("core/packs", label), *{("core/keys", p.kid) for p in papers}]
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
