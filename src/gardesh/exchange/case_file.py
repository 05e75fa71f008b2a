"""The case file: one ZIP that anyone can check with no network and no database, and open without Gardesh.

Deterministic: entries sorted, stored uncompressed, with fixed times and attributes, and everything in it but the
documents, receipts and the checkpoint rendered from these. So the whole can be made again from its contents, and any
flipped bit of it is found.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from gardesh.exchange.case_file_keys import KeyRing
from gardesh.exchange.case_file_page import page, readme
from gardesh.model.document import Envelope

FORMAT = "gardesh-case-file/1"
DOCUMENTS, LINKED, KEYS, ATTACHED = "documents", "linked", "keys", "attachments"
CHECKPOINT, MANIFEST, KEY_LIST = "checkpoint", "manifest.json", "keys.json"


_encode = msgspec.json.Encoder(order="sorted", decimal_format="number").encode


def receipt_name(position: int) -> str:
    return f"receipts/{position:010d}.tlog-proof"


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
        return receipt_name(self.position)


class LeftOut(NamedTuple):
    """A document that a case file for one reader does not show: its place on the log, and the proof of it."""

    position: int
    digest: bytes
    receipt: bytes


def describe(
    case: str,
    procedure: str,
    pack: str,
    pack_digest: str,
    genesis: Envelope,
    reader: str | None = None,
    left: Sequence[LeftOut] = (),
) -> dict[str, Any]:
    """The manifest but for its list of files. `reader`: for whom the file is, where not for all who may read the whole."""
    log = genesis.subject["log"]
    rows = [{"position": one.position, "digest": one.digest.hex()} for one in left]
    for_one = {} if reader is None else {"reader": reader, "left_out": rows}
    return {
        **for_one,
        "format": FORMAT,
        "case": case,
        "procedure": procedure,
        "pack": pack,
        "pack_digest": pack_digest,
        "origin": log["origin"],
        "log_keys": list(log["keys"]),
        "genesis": genesis.digest.hex(),
    }


def files(
    about: dict[str, Any],
    note: bytes,
    parts: Sequence[Part],
    ring: KeyRing,
    attachments: Mapping[str, bytes],
    left: Sequence[LeftOut] = (),
) -> dict[str, bytes]:
    """Every file of the case file by its name: they follow from the documents, the receipts, the checkpoint and the
    attachments that are there."""
    made: dict[str, bytes] = {CHECKPOINT: note, KEY_LIST: plain(ring.listing()), "README.txt": readme()}
    for part in parts:
        made[part.name] = part.paper.data
        made[part.receipt_name] = part.receipt
        made[f"decoded/{part.position:010d}.json"] = decoded(part)
    for one in left:
        made[receipt_name(one.position)] = one.receipt
    shown = [(p.folder == LINKED, p.position, p.recorded_at, p.paper) for p in parts if p.folder != KEYS]
    known = named_attachments(parts)
    made |= {f"{ATTACHED}/{digest}": attachments[digest] for digest in known if digest in attachments}
    made["index.html"] = page(about, shown, attachments.keys())
    listed = {n: {"size": len(d), "sha256": hashlib.sha256(d).hexdigest()} for n, d in made.items()}
    absent = [
        {"sha256": digest, "size": size, "media_type": kind}
        for digest, (size, kind) in sorted(known.items())
        if digest not in attachments
    ]
    linked = Counter(p.paper.case or p.paper.digest.hex() for p in parts if p.folder == LINKED)
    with_ = [{"case": case, "documents": count} for case, count in sorted(linked.items())]
    made[MANIFEST] = plain({**about, "linked_cases": with_, "attachments_left_out": absent, "files": listed})
    return made


def plain(value: Any) -> bytes:
    """JSON for people, written one way: members in order, indented, numbers as they were signed."""
    return msgspec.json.format(_encode(value), indent=2) + b"\n"


def decoded(part: Part) -> bytes:
    """A document as plain JSON, for who has no tools."""
    paper = part.paper
    said = {"position": part.position, "recorded_at": part.recorded_at, "digest": paper.digest.hex()}
    return plain({**said, "kid": paper.kid, "claims": paper.claims, "subject": paper.subject})


def named(paper: Envelope) -> set[bytes]:
    """The digests of the documents of this log that a document rests upon, replaces or names."""
    others = (paper.replaces, None if paper.origin is not None else paper.names)
    return {digest for _, digest in paper.basis} | {bytes.fromhex(o) for o in others if o is not None}


def named_attachments(parts: Iterable[Part]) -> dict[str, tuple[int, str]]:
    """The attachments that these documents name: by the digest in hex, (bytes, media type)."""
    return {
        str(named["id"])[-64:]: (int(named["size"]), str(named["mediaType"]))
        for part in parts
        for named in part.paper.attachments
    }
