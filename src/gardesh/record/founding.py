"""Keys that a new node or organisation begins with."""

from __future__ import annotations

import secrets

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from gardesh.model.jose import PrivateKey
from gardesh.model.signer import Signer
from gardesh.record.sealing import RecordKey


def new_org_key() -> PrivateKey:
    """A fresh P-256 key, for ES256."""
    return PrivateKey(ec.generate_private_key(ec.SECP256R1()))


def new_clock_key() -> PrivateKey:
    """A fresh Ed25519 key for a node's clock."""
    return PrivateKey(Ed25519PrivateKey.generate())


def new_log_signers(origin: str) -> list[Signer]:
    """Fresh Ed25519 and ML-DSA-44 keys for the log `origin`."""
    return [
        Signer.of_notes(origin, Ed25519PrivateKey.generate()),
        Signer.of_checkpoints(origin, MLDSA44PrivateKey.generate()),
    ]


def new_record_key() -> RecordKey:
    """A fresh record key."""
    return RecordKey(secrets.token_bytes(8), secrets.token_bytes(32))
