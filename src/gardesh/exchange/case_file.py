"""The case file: one ZIP that anyone can check with no network and no database, and open without Gardesh.

Deterministic: entries sorted, stored uncompressed, with fixed times and attributes. So the whole container can be made
again from its contents, and any flipped bit of it is found.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterable
from typing import Any

import msgspec

from gardesh.exchange.case_file_page import page, readme
from gardesh.model.document import Envelope, parse
from gardesh.node import Node

FORMAT = "gardesh-case-file/1"
KEY_TYPES = frozenset({"core/genesis", "core/admission", "core/key-rotation", "core/key-revocation"})
_encode = msgspec.json.Encoder(order="deterministic", decimal_format="string").encode


def export(node: Node, case_id: str) -> bytes:
    """The case file of a case: its documents, those it follows in other cases, and the documents that registered the
    keys they are signed with, back to the genesis; each with its proof under one checkpoint."""
    case = node.sequencer.cases.get(case_id)
    own = {row[0] for row in node.store.rows("SELECT position FROM documents WHERE case_id = ?", case_id)}
    for state in case.steps:
        for slot in state.slots.values():
            if slot.head is not None and slot.head.link is not None:
                own.add(position_of(node, slot.head.digest))
    papers = {p: document(node, p) for p in sorted(own)}
    registering = key_documents(node, [paper for _, paper in papers.values()])
    everything = {**registering, **papers}
    note = node.log.checkpoint(node.sequencer.last_at)
    places = sorted(everything)
    receipts = node.log.receipts([(p, everything[p][0]) for p in places], note)
    files: dict[str, bytes] = {"checkpoint": note}
    rows = []
    for place, receipt in zip(places, receipts, strict=True):
        at, paper = everything[place]
        folder = "documents" if place in papers else "keys"
        files[f"{folder}/{place:010d}-{paper.step}.sd-jwt"] = paper.data
        files[f"receipts/{place:010d}.tlog-proof"] = receipt.encode()
        files[f"decoded/{place:010d}.json"] = decoded(place, at, paper)
        if place in papers:
            rows.append((place, at, paper))
    pack = case.procedure.pack
    about = {
        "format": FORMAT,
        "case": case_id,
        "procedure": case.procedure.label,
        "pack": pack.label,
        "pack_digest": pack.digest.hex(),
        "origin": node.log.origin,
        "genesis": registering[0][1].digest.hex() if 0 in registering else "",
    }
    return pack_files(about, files, rows)


def pack_files(
    about: dict[str, Any], files: dict[str, bytes], rows: list[tuple[int, int, Envelope]]
) -> bytes:
    """The ZIP of these files, with the README, the page and the manifest that go with them."""
    full = {**files, "README.txt": readme(), "index.html": page(about, rows)}
    listed = {name: {"size": len(d), "sha256": hashlib.sha256(d).hexdigest()} for name, d in full.items()}
    full["manifest.json"] = _encode({**about, "files": listed})
    return container(full)


def container(files: dict[str, bytes]) -> bytes:
    """The one ZIP that these files make."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as made:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.create_system, entry.external_attr = 3, 0o644 << 16
            made.writestr(entry, files[name])
    return out.getvalue()


def decoded(position: int, at: int, paper: Envelope) -> bytes:
    """A document as plain JSON, for who has no tools."""
    return _encode(
        {
            "position": position,
            "recorded_at": at,
            "digest": paper.digest.hex(),
            "claims": paper.claims,
            "subject": paper.subject,
        }
    )


def position_of(node: Node, digest: bytes) -> int:
    (position,) = node.store.one("SELECT position FROM documents WHERE digest = ?", digest)
    return int(position)


def document(node: Node, position: int) -> tuple[int, Envelope]:
    """(recorded_at, document) at a position."""
    at, signed, tail = node.store.one(
        "SELECT d.recorded_at, d.signed, x.data FROM documents d JOIN disclosures x ON x.position = d.position"
        " WHERE d.position = ?",
        position,
    )
    return int(at), parse(bytes(signed) + bytes(tail))


def key_documents(node: Node, papers: Iterable[Envelope]) -> dict[int, tuple[int, Envelope]]:
    """The documents that registered, retired or revoked the keys of these documents, and of those in turn."""
    found: dict[int, tuple[int, Envelope]] = {0: document(node, 0)}
    queue = [found[0][1].kid, *(p.kid for p in papers)]
    seen: set[str] = set()
    while queue:
        kid = queue.pop()
        if kid in seen:
            continue
        seen.add(kid)
        for (position,) in node.store.rows(
            "SELECT DISTINCT position FROM entries WHERE register = 'core/keys' AND key = ? ORDER BY position",
            kid,
        ):
            if position not in found:
                found[position] = document(node, position)
                queue.append(found[position][1].kid)
    return dict(sorted(found.items()))
