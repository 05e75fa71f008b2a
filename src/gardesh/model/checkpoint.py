"""Checkpoints (C2SP tlog-checkpoint): a log's signed tree heads, and the cosignatures of witnesses on them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gardesh.model import note
from gardesh.model.merkle import verify_consistency
from gardesh.model.note import Note, Signature
from gardesh.model.problem import Problem, define
from gardesh.model.signer import Signer, Verifier, verify
from gardesh.model.treehead import TreeHead

OTHER_LOG = define(
    "checkpoint-of-another-log",
    422,
    en="This checkpoint is of the log {found}, not of {expected}.",
    fa="این نقطهٔ وارسی از آنِ دفتر {found} است، نه {expected}.",
)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A verified checkpoint: the tree head, and the witnesses that cosigned it with the latest time of each
    (POSIX s; 0 where a cosignature does not say). `missing` are those of the policy that did not.

    A policy (:mod:`gardesh.model.policy`) makes it.
    """

    head: TreeHead
    witnessed: Mapping[str, int]
    note: Note
    missing: tuple[str, ...] = ()


def sign(head: TreeHead, signers: Sequence[Signer], at: int) -> bytes:
    """A checkpoint signed with each of the log's keys. `at` (POSIX s) is the time that an ML-DSA-44 signature
    states. The caller sees to it that `head` extends all that it signed before."""
    text = head.text()
    return Note(text, tuple(signer.sign(text, at) for signer in signers)).encode()


def attach(raw: bytes, cosignatures: Iterable[Signature], witnesses: Sequence[Verifier]) -> bytes:
    """The checkpoint with those cosignatures added that are by these witnesses and not on it already.

    Of each key the newest of them stands, in place of an earlier one, so that asking again lets no note grow. What
    other keys signed is left out. Raises `note-signature-invalid` and as :meth:`Verifier.check`.
    """
    signed = note.parse(raw)
    added = [s for s in dict.fromkeys(cosignatures) if s not in signed.signatures]
    known = [s for s in added if any(w.made(s) for w in witnesses)]
    if not known:
        return raw
    newest: dict[Verifier, tuple[int, Signature]] = {}
    for signature, (key, at) in zip(
        known, verify(Note(signed.text, tuple(known)), (), witnesses), strict=True
    ):
        if key not in newest or (at or 0) > newest[key][0]:
            newest[key] = (at or 0, signature)
    kept = tuple(s for s in signed.signatures if not any(key.made(s) for key in newest))
    return Note(signed.text, kept + tuple(s for _, s in newest.values())).encode()


def verify_extension(old: TreeHead, new: TreeHead, proof: Sequence[bytes]) -> None:
    """Check that `new` is a later or the same state of the log of `old`, by a consistency proof.

    Raises `checkpoint-of-another-log`, `consistency-proof-invalid`.
    """
    if new.origin != old.origin:
        raise Problem(OTHER_LOG, found=new.origin, expected=old.origin)
    verify_consistency(old.size, old.root, new.size, new.root, proof)
