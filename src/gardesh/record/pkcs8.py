"""Private keys encrypted under a passphrase: PKCS#8 (RFC 5958) with scrypt (RFC 7914 §7) and AES-256-CBC.

`cryptography` writes PKCS#8 with 2,048 rounds of PBKDF2, which a passphrase of a person does not withstand; it
reads scrypt, and so does OpenSSL (`openssl pkey -in …`). So the few bytes around the secret are written here.
"""

from __future__ import annotations

import secrets
import unicodedata
from dataclasses import dataclass
from textwrap import wrap

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from cryptography.hazmat.primitives.padding import PKCS7

from gardesh.model.c2sp import write_base64

_SEQUENCE, _INTEGER, _OCTETS, _OBJECT = 0x30, 0x02, 0x04, 0x06
_PBES2 = "2a864886f70d01050d"
_SCRYPT = "2b06010401da47040b"
_AES256_CBC = "60864801650304012a"


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost parameters of scrypt. A derivation takes 128·n·r bytes of memory, p times over."""

    n: int = 1 << 14
    r: int = 8
    p: int = 5


DEFAULT_COST = Cost()
"""0.1 s and 16 MiB; more memory would go beyond what OpenSSL allows scrypt when it reads a key."""


def secret_of(passphrase: str) -> bytes:
    """A passphrase as bytes, the same however its letters are composed (RFC 8265 §4.2: NFC, UTF-8)."""
    return unicodedata.normalize("NFC", passphrase).encode()


def encrypt(pkcs8: bytes, passphrase: str, cost: Cost = DEFAULT_COST) -> bytes:
    """The PEM block ENCRYPTED PRIVATE KEY of a private key in DER, with a salt and an IV of its own."""
    salt, iv = secrets.token_bytes(16), secrets.token_bytes(16)
    key = Scrypt(salt=salt, length=32, n=cost.n, r=cost.r, p=cost.p).derive(secret_of(passphrase))
    padder, cipher = PKCS7(128).padder(), Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    ciphertext = cipher.update(padder.update(pkcs8) + padder.finalize()) + cipher.finalize()
    costs = _integer(cost.n) + _integer(cost.r) + _integer(cost.p)
    derivation = _der(_SEQUENCE, _object(_SCRYPT), _der(_SEQUENCE, _der(_OCTETS, salt), costs))
    encryption = _der(_SEQUENCE, _object(_AES256_CBC), _der(_OCTETS, iv))
    algorithm = _der(_SEQUENCE, _object(_PBES2), _der(_SEQUENCE, derivation, encryption))
    lines = wrap(write_base64(_der(_SEQUENCE, algorithm, _der(_OCTETS, ciphertext))), 64)
    block = ["-----BEGIN ENCRYPTED PRIVATE KEY-----", *lines, "-----END ENCRYPTED PRIVATE KEY-----", ""]
    return "\n".join(block).encode()


def _der(tag: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content


def _integer(value: int) -> bytes:
    return _der(_INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def _object(identifier: str) -> bytes:
    return _der(_OBJECT, bytes.fromhex(identifier))
