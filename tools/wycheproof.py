"""Hold signatures against the vectors of Project Wycheproof: `python tools/wycheproof.py FOLDER`.

FOLDER is `testvectors_v1` of a checkout of https://github.com/C2SP/wycheproof. What the product verifies with is called as the
product calls it. Prints a line for each file; ends with 1 if any vector is judged otherwise than Wycheproof does.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey

from gardesh.model.canonical import base64url_encode
from gardesh.model.jose import PublicKey
from gardesh.model.problem import Problem

Verify = Callable[[bytes, bytes, dict[str, Any]], None]


def p256(group: dict[str, Any]) -> Verify:
    x, y = (int(group["publicKey"][name], 16).to_bytes(32) for name in ("wx", "wy"))
    key = PublicKey.from_jwk(
        {"kty": "EC", "crv": "P-256", "x": base64url_encode(x), "y": base64url_encode(y)}
    )
    return lambda message, signature, _: key.verify(message, signature)


def ed25519(group: dict[str, Any]) -> Verify:
    x = base64url_encode(bytes.fromhex(group["publicKey"]["pk"]))
    key = PublicKey.from_jwk({"kty": "OKP", "crv": "Ed25519", "x": x})
    return lambda message, signature, _: key.verify(message, signature)


def mldsa44(group: dict[str, Any]) -> Verify:
    """As `model/signer.py` calls it, but for the context, which notes have none of."""
    key = MLDSA44PublicKey.from_public_bytes(bytes.fromhex(group["publicKey"]))
    return lambda message, signature, test: key.verify(signature, message, bytes.fromhex(test.get("ctx", "")))


FILES: dict[str, Callable[[dict[str, Any]], Verify]] = {
    "ecdsa_secp256r1_sha256_p1363_test.json": p256,
    "ed25519_test.json": ed25519,
    "mldsa_44_verify_test.json": mldsa44,
}


def judged(read: Callable[[dict[str, Any]], Verify], group: dict[str, Any], test: dict[str, Any]) -> str:
    try:
        read(group)(bytes.fromhex(test["msg"]), bytes.fromhex(test["sig"]), test)
    except (Problem, InvalidSignature, ValueError):
        return "invalid"
    return "valid"


def main(folder: Path) -> int:
    others = 0
    for name, read in FILES.items():
        asked = [(g, t) for g in json.loads((folder / name).read_bytes())["testGroups"] for t in g["tests"]]
        wrong = [t["tcId"] for g, t in asked if judged(read, g, t) != t["result"]]
        valid = sum(t["result"] == "valid" for _, t in asked)
        print(f"{name}: {len(asked)} vectors, {valid} valid; judged otherwise: {wrong or 'none'}")
        others += len(wrong)
    return int(others > 0)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
