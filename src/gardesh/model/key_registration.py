"""The documents by which keys are registered: that what they register are keys, under their own names.

What is no key would be found only by who verifies with it: whoever reads a case file, since it carries the documents that
its keys come from.
"""

from __future__ import annotations

from typing import Any

from gardesh.model.jose import PublicKey
from gardesh.model.problem import Problem, define, pointer

GENESIS, ADMISSION, ROTATION = "core/genesis", "core/admission", "core/key-rotation"
MISNAMED = define(
    "key-misnamed",
    422,
    en="The key is called {given} here; its RFC 7638 thumbprint is {kid}.",
    fa="نام این کلید {given} نوشته شده است؛ اثرانگشتِ RFC 7638 آن {kid} است.",
)


def check_keys(type_: str, subject: dict[str, Any]) -> None:
    """Whether each key that a document of this type registers is one. Raises `key-malformed`, `key-misnamed`.

    `subject` follows its schema.
    """
    if type_ == GENESIS:
        for name in ("steward", "clock"):
            _check(subject[name], "key", pointer("credentialSubject", name))
    elif type_ in (ADMISSION, ROTATION):
        for n, said in enumerate(subject["keys"]):
            _check(said, "jwk", pointer("credentialSubject", "keys", n))


def _check(said: dict[str, Any], member: str, place: str) -> None:
    try:
        key = PublicKey.from_jwk(said[member])
    except Problem as problem:
        raise problem.at(f"{place}/{member}") from None
    if said["kid"] != key.kid:
        raise Problem(MISNAMED, f"{place}/kid", given=said["kid"], kid=key.kid)
