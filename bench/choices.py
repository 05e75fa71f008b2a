"""`python -m bench.choices`: what the libraries of the stack do on this machine, each in plain calls, alone.

The figures that `docs/decisions/` quotes. A second or two each.
"""

from __future__ import annotations

import json
import sqlite3
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema_rs
import msgspec
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from bench.table import machine

DOCUMENT: Any = {
    "issuer": "urn:gardesh:org:customs",
    "type": ["VerifiableCredential", "urn:gardesh:type:trade:permit"],
    "credentialSubject": {
        "_sd": ["x" * 43] * 20,
        "goods": [{"hs": "08061000", "weight": {"value": "12", "unit": "KGM"}}] * 5,
    },
}
SCHEMA = {
    "type": "object",
    "required": ["goods"],
    "properties": {
        "goods": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["hs"],
                "properties": {"hs": {"type": "string", "pattern": "^[0-9]{8}$"}},
            },
        }
    },
}


def rate(work: Callable[[], object], seconds: float = 0.6) -> float:
    """How often a second: the best of three."""
    best = 0.0
    for _ in range(3):
        count, begun = 0, time.perf_counter()
        while (spent := time.perf_counter() - begun) < seconds / 3:
            for _ in range(20):
                work()
            count += 20
        best = max(best, count / spent)
    return best


def appends(batch: int) -> float:
    """Rows of 1 kB a second, durable (WAL, synchronous=FULL), so many to a transaction."""
    with tempfile.TemporaryDirectory() as folder:
        store = sqlite3.connect(Path(folder) / "x.sqlite", isolation_level=None)
        store.execute("PRAGMA journal_mode=WAL")
        store.execute("PRAGMA synchronous=FULL")
        store.execute("CREATE TABLE log (position INTEGER PRIMARY KEY, data BLOB)")
        rows = [(b"x" * 1000,)] * batch

        def append() -> None:
            store.execute("BEGIN IMMEDIATE")
            store.executemany("INSERT INTO log (data) VALUES (?)", rows)
            store.execute("COMMIT")

        found = rate(append) * batch
        store.close()
        return found


def main() -> None:
    raw = msgspec.json.encode(DOCUMENT)
    decode = msgspec.json.Decoder().decode
    validator = jsonschema_rs.validator_for(SCHEMA)
    subject = DOCUMENT["credentialSubject"]
    p256, ed, ml = (
        ec.generate_private_key(ec.SECP256R1()),
        Ed25519PrivateKey.generate(),
        MLDSA44PrivateKey.generate(),
    )
    es256 = ec.ECDSA(hashes.SHA256())
    signed = p256.sign(raw, es256), ed.sign(raw), ml.sign(raw)
    rows: list[tuple[str, float]] = [
        ("decode JSON, msgspec", rate(lambda: decode(raw))),
        ("decode JSON, standard library", rate(lambda: json.loads(raw))),
        ("JSON Schema, jsonschema-rs", rate(lambda: validator.is_valid(subject))),
        ("ES256 sign", rate(lambda: p256.sign(raw, es256))),
        ("ES256 verify", rate(lambda: p256.public_key().verify(signed[0], raw, es256))),
        ("Ed25519 sign", rate(lambda: ed.sign(raw))),
        ("Ed25519 verify", rate(lambda: ed.public_key().verify(signed[1], raw))),
        ("ML-DSA-44 sign", rate(lambda: ml.sign(raw))),
        ("ML-DSA-44 verify", rate(lambda: ml.public_key().verify(signed[2], raw))),
        ("SQLite durable rows, one a transaction", appends(1)),
        ("SQLite durable rows, 100 a transaction", appends(100)),
    ]
    print(f"{machine()}\n")
    for name, found in rows:
        print(f"{name:<42} {found:>12,.0f} a second")


if __name__ == "__main__":
    main()
