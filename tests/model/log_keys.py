"""Fixed keys for the tests of a log, and the texts that they sign."""

from __future__ import annotations

from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from gardesh.model.policy import Policy
from gardesh.model.signer import Signer

ORIGIN = "log.example/gardesh"
AT = 1_790_000_000


def ed25519(seed: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(sha256(seed.encode()).digest())


def mldsa44(seed: str) -> MLDSA44PrivateKey:
    return MLDSA44PrivateKey.from_seed_bytes(sha256(seed.encode()).digest())


LOG = (Signer.of_notes(ORIGIN, ed25519("log")), Signer.of_checkpoints(ORIGIN, mldsa44("log")))
GUILD = Signer.of_checkpoints("guild.example/witness", mldsa44("guild"))
AUDITOR = Signer.of_checkpoints("audit.example/witness", ed25519("auditor"))
COURT = Signer.of_checkpoints("court.example/witness", mldsa44("court"))

LOG_KEYS = tuple(s.verifier for s in LOG)
WITNESSES = (GUILD.verifier, AUDITOR.verifier, COURT.verifier)
LOG_ONLY = Policy.of_log(ORIGIN, LOG_KEYS)


def flip(raw: bytes, bit: int) -> bytes:
    flipped = bytearray(raw)
    flipped[bit >> 3] ^= 1 << (bit & 7)
    return bytes(flipped)
