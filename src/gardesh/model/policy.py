"""Whose signatures make a checkpoint trusted (C2SP tlog-policy): logs, witnesses, groups of them, a quorum.

A policy comes from its file (:mod:`gardesh.model.policy_file`) or, for one log, from keys at hand
(:meth:`Policy.of_log`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from gardesh.model import note
from gardesh.model.checkpoint import OTHER_LOG, Checkpoint
from gardesh.model.note import Note
from gardesh.model.problem import Problem, define
from gardesh.model.signer import SIGNATURE_MISSING, Verifier, verify
from gardesh.model.treehead import TreeHead

QUORUM_MISSING = define(
    "checkpoint-quorum-missing",
    422,
    en="The witnesses that cosigned this checkpoint are fewer than the quorum {quorum}; missing: {missing}.",
    fa="گواهانی که این نقطهٔ وارسی را امضا کرده‌اند به حد نصاب {quorum} نمی‌رسند؛ نیامده: {missing}.",
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
class TrustedLog:
    """A log that is trusted once every key in `keys` has signed; each bears the log's origin as its name."""

    keys: tuple[Verifier, ...]
    url: str = ""

    @property
    def origin(self) -> str:
        return self.keys[0].name


@dataclass(frozen=True, slots=True)
class Witness:
    """A witness by the name that the policy has for it. A cosignature by any of its keys is its word, and it counts
    once however many there are. `url` is its submission prefix (C2SP tlog-witness), or empty."""

    name: str
    keys: tuple[Verifier, ...]
    url: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Of `members`, `least` have to have witnessed."""

    name: str
    least: int
    members: tuple[Witness | Group, ...]

    def rule(self) -> str:
        """Such as `2 of (a, b, 1 of (c, d))`."""
        return f"{self.least} of ({', '.join(map(_rule, self.members))})"


Quorum = Witness | Group | None


@dataclass(frozen=True, slots=True)
class Policy:
    """A checkpoint is trusted when one of the `logs` has signed it and the witnesses meet the `quorum`.

    No public key appears twice, so nobody is counted for two; a witness has keys that cosign; else
    `checkpoint-policy-invalid`. The witnesses are told apart by their names.
    """

    logs: tuple[TrustedLog, ...]
    witnesses: tuple[Witness, ...] = ()
    quorum: Quorum = None

    def __post_init__(self) -> None:
        seen: set[bytes] = set()
        for log in self.logs:
            if not log.keys or any(key.name != log.origin for key in log.keys):
                raise Problem(POLICY_INVALID, key=log.keys[0].name if log.keys else "log")
        for witness in self.witnesses:
            if not witness.keys or not all(key.cosigns for key in witness.keys):
                raise Problem(POLICY_INVALID, key=witness.name)
        for key in self._keys():
            if key.public in seen:
                raise Problem(POLICY_INVALID, key=key.name)
            seen.add(key.public)
        if len({(v.name, v.key_id) for v in self._keys()}) != len(seen):
            raise Problem(POLICY_INVALID, key="key id")
        if len({w.name for w in self.witnesses}) != len(self.witnesses):
            raise Problem(POLICY_INVALID, key="witness")

    @classmethod
    def of_log(
        cls, origin: str, keys: Sequence[Verifier], witnesses: Sequence[Verifier] = (), quorum: int = 0
    ) -> Policy:
        """Every one of `keys` and any `quorum` of the witnesses. Keys of one name are one witness.

        Raises `checkpoint-policy-invalid` also for a key that is not of `origin`, and for a witness that is.
        """
        for key in keys:
            if key.name != origin:
                raise Problem(POLICY_INVALID, key=key.name)
        named: dict[str, tuple[Verifier, ...]] = {}
        for key in witnesses:
            named[key.name] = (*named.get(key.name, ()), key)
        if not keys or origin in named:
            raise Problem(POLICY_INVALID, key=origin)
        if not 0 <= quorum <= len(named):
            raise Problem(POLICY_INVALID, key="quorum")
        found = tuple(Witness(name, held) for name, held in named.items())
        rule = Group("quorum", quorum, found) if quorum else None
        return cls((TrustedLog(tuple(keys)),), found, rule)

    @property
    def asks_witnesses(self) -> bool:
        """Whether a log's own signature is not enough."""
        return self.quorum is not None

    def for_log(self, origin: str, keys: Sequence[Verifier]) -> Policy:
        """This policy for one log that is known from elsewhere, as a file without `log` lines is meant.

        Raises `checkpoint-policy-invalid` if the file has such lines, and none of them is for a key of that log.
        """
        if self.logs and not any(key in keys for log in self.logs for key in log.keys):
            raise Problem(POLICY_INVALID, key=origin)
        return replace(self, logs=(TrustedLog(tuple(keys)),))

    def judge(self, raw: bytes) -> Checkpoint:
        """The checkpoint in these bytes, signed by its log; who witnessed it and who did not, whatever the quorum.

        An invalid signature by any key of the policy refuses it. Raises `note-malformed`, `note-too-large`,
        `checkpoint-malformed`, `checkpoint-of-another-log`, `checkpoint-not-cosignable`, `note-signature-missing`,
        `note-signature-invalid`.
        """
        signed = note.parse(raw)
        head = TreeHead.parse(signed.text)
        logs = [log for log in self.logs if log.origin == head.origin]
        if not logs:
            expected = " / ".join(dict.fromkeys(log.origin for log in self.logs))
            raise Problem(OTHER_LOG, found=head.origin, expected=expected)
        return self._judged(signed, head, logs)

    def _judged(self, signed: Note, head: TreeHead, logs: Sequence[TrustedLog]) -> Checkpoint:
        times: dict[Verifier, int] = {}
        for key, at in verify(signed, (), self._keys()):
            times[key] = max(at or 0, times.get(key, 0))
        if not any(all(key in times for key in log.keys) for log in logs):
            raise Problem(SIGNATURE_MISSING, name=head.origin)
        witnessed = {
            w.name: max(times[key] for key in w.keys if key in times)
            for w in self.witnesses
            if any(key in times for key in w.keys)
        }
        missing = tuple(w.name for w in self.witnesses if w.name not in witnessed)
        return Checkpoint(head, witnessed, signed, missing)

    def satisfied(self, witnessed: Mapping[str, int] | Iterable[str]) -> bool:
        """Whether the witnesses of these names meet the quorum."""
        return met(self.quorum, frozenset(witnessed))

    def verify(self, raw: bytes) -> Checkpoint:
        """The checkpoint in these bytes, trusted. Raises as `judge`, and `checkpoint-quorum-missing`."""
        checkpoint = self.judge(raw)
        if not self.satisfied(checkpoint.witnessed):
            missing = [shown(name) for name in checkpoint.missing]
            raise Problem(QUORUM_MISSING, quorum=self.rule(), missing=", ".join(missing))
        return checkpoint

    def rule(self) -> str:
        """The quorum in words, such as `2 of (a, b, c)`."""
        return "none" if self.quorum is None else _rule(self.quorum)

    def _keys(self) -> list[Verifier]:
        held = [log.keys for log in self.logs] + [witness.keys for witness in self.witnesses]
        return [key for keys in held for key in keys]


def met(quorum: Quorum, witnessed: frozenset[str]) -> bool:
    """Whether this quorum is met when the witnesses of these names have cosigned (C2SP tlog-policy)."""
    if isinstance(quorum, Group):
        return sum(met(member, witnessed) for member in quorum.members) >= quorum.least
    return quorum is None or quorum.name in witnessed


def _rule(quorum: Witness | Group) -> str:
    return quorum.rule() if isinstance(quorum, Group) else shown(quorum.name)


def shown(name: str) -> str:
    """A name of a policy as it can be printed: bytes of it that are no UTF-8 are written `\\xNN`."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
