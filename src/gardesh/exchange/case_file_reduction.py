"""A case file reduced to some of its documents: a file for one reader, whose proofs and checkpoint are the same."""

from __future__ import annotations

from collections.abc import Mapping

from gardesh.exchange.case_file import DOCUMENTS, KEYS, LeftOut, describe, files
from gardesh.exchange.case_file_check import Verification
from gardesh.exchange.case_file_container import write
from gardesh.exchange.case_file_keys import KeyRing
from gardesh.model.document import parse


def reduced(found: Verification, reader: str, shown: Mapping[bytes, bytes]) -> bytes:
    """The file that was found whole, with these documents alone, by their digests, each as far as it is given here; the
    other documents of the case are left out by name, attachments and documents of other cases altogether. What registered
    the keys stays."""
    parts, left, ring = [], list(found.left), KeyRing()
    for part in found.parts:
        if part.paper.digest in shown:
            parts.append(part._replace(paper=parse(shown[part.paper.digest])))
        elif part.folder == KEYS:
            parts.append(part)
        elif part.folder == DOCUMENTS:
            left.append(LeftOut(part.position, part.paper.digest, part.receipt))
    left.sort()
    for part in parts:
        ring.register(part.position, part.name, part.paper)
    genesis = found.parts[0].paper
    about = describe(found.case, found.procedure, found.pack, found.pack_digest, genesis, reader, left)
    return write(files(about, found.checkpoint, parts, ring, {}, left))
