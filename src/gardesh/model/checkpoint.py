"""Checkpoints (C2SP tlog-checkpoint): a log's signed tree heads, and whose signatures make one trusted."""

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
QUORUM_MISSING = define(
    "checkpoint-quorum-missing",
    422,
    en="{found} of the {quorum} witnesses that are required have cosigned this checkpoint.",
    fa="از {quorum} گواهِ لازم، {found} گواه این نقطهٔ وارسی را امضا کرده‌اند.",
    hint_en="Ask the log again a little later: witnesses cosign after the log has signed.",
    hint_fa="اندکی بعد دوباره از دفتر بپرسید: گواهان پس از دفتر امضا می‌کنند.",
)
POLICY_INVALID = define(
    "checkpoint-policy-invalid",
    400,
    en="No checkpoint can be judged by this policy: {key} is out of place.",
    fa="با این خط‌مشی نمی‌توان دربارهٔ نقطهٔ وارسی داوری کرد: {key} در آن نابه‌جاست.",
    hint_en="Log keys are named as the origin; no key serves twice; a quorum is of the witnesses there are.",
    hint_fa="کلیدهای دفتر به نام مبدأ آن‌اند؛ هر کلید یک بار می‌آید؛ حد نصاب از شمار گواهان بیشتر نیست.",
)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A verified checkpoint: the tree head, and the witnesses that cosigned it with the latest time of each
    (POSIX s; 0 where a cosignature does not say)."""

    head: TreeHead
    witnessed: Mapping[str, int]
    note: Note


@dataclass(frozen=True, slots=True)
class Policy:
    """Whose signatures make a checkpoint trusted: every key in `log`, and `quorum` of the witnesses.

    A witness is counted once by its name, whatever keys it has. A log key bears the origin as its name, a
    witness another one, and no public key appears twice, so nobody is counted for two. Else:
    `checkpoint-policy-invalid`.
    """

    origin: str
    log: tuple[Verifier, ...]
    witnesses: tuple[Verifier, ...] = ()
    quorum: int = 0

    def __post_init__(self) -> None:
        for key in self.log:
            if key.name != self.origin:
                raise Problem(POLICY_INVALID, key=key.name)
        seen: set[bytes] = set()
        for key in (*self.log, *self.witnesses):
            if key.public in seen or (key in self.witnesses and (key.name == self.origin or not key.cosigns)):
                raise Problem(POLICY_INVALID, key=key.name)
            seen.add(key.public)
        if len({(v.name, v.key_id) for v in (*self.log, *self.witnesses)}) != len(seen) or not self.log:
            raise Problem(POLICY_INVALID, key=self.origin)
        if not 0 <= self.quorum <= len({w.name for w in self.witnesses}):
            raise Problem(POLICY_INVALID, key="quorum")

    def verify(self, raw: bytes) -> Checkpoint:
        """The checkpoint in these bytes, trusted. An invalid signature of any key of the policy refuses it.

        Raises `note-malformed`, `note-too-large`, `checkpoint-malformed`, `checkpoint-of-another-log`,
        `checkpoint-not-cosignable`, `note-signature-missing`, `note-signature-invalid`,
        `checkpoint-quorum-missing`.
        """
        signed = note.parse(raw)
        head = TreeHead.parse(signed.text)
        if head.origin != self.origin:
            raise Problem(OTHER_LOG, found=head.origin, expected=self.origin)
        witnessed: dict[str, int] = {}
        for verifier, at in verify(signed, self.log, self.witnesses):
            if verifier in self.witnesses:
                witnessed[verifier.name] = max(at or 0, witnessed.get(verifier.name, 0))
        if len(witnessed) < self.quorum:
            raise Problem(QUORUM_MISSING, found=len(witnessed), quorum=self.quorum)
        return Checkpoint(head, witnessed, signed)


def sign(head: TreeHead, signers: Sequence[Signer], at: int) -> bytes:
    """A checkpoint signed with each of the log's keys. `at` (POSIX s) is the time that an ML-DSA-44 signature
    states. The caller sees to it that `head` extends all that it signed before."""
    text = head.text()
    return Note(text, tuple(signer.sign(text, at) for signer in signers)).encode()


def attach(raw: bytes, cosignatures: Iterable[Signature], witnesses: Sequence[Verifier]) -> bytes:
    """The checkpoint with those cosignatures added that are by these witnesses and not on it already.

    What other keys signed is left out. Raises `note-signature-invalid` and as :meth:`Verifier.check`.
    """
    signed = note.parse(raw)
    added = [s for s in dict.fromkeys(cosignatures) if s not in signed.signatures]
    known = [s for s in added if any(w.made(s) for w in witnesses)]
    if not known:
        return raw
    verify(Note(signed.text, tuple(known)), (), witnesses)
    return Note(signed.text, signed.signatures + tuple(known)).encode()


def verify_extension(old: TreeHead, new: TreeHead, proof: Sequence[bytes]) -> None:
    """Check that `new` is a later or the same state of the log of `old`, by a consistency proof.

    Raises `checkpoint-of-another-log`, `consistency-proof-invalid`.
    """
    if new.origin != old.origin:
        raise Problem(OTHER_LOG, found=new.origin, expected=old.origin)
    verify_consistency(old.size, old.root, new.size, new.root, proof)
