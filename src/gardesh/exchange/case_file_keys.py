"""The keys that a case file proves: which were registered, retired and revoked, and where on the log.

What the procedures of the core pack enter into `core/keys`, derived from the documents alone. Where a document of a
key was corrected, what it entered before no longer counts; where it was withdrawn or revoked, nothing of it does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from gardesh.model.document import Envelope, verify
from gardesh.model.jose import PublicKey
from gardesh.model.key_registration import ADMISSION, GENESIS, ROTATION
from gardesh.model.problem import Problem, define

REVOCATION, ADOPTION = "core/key-revocation", "core/pack-adoption"
REGISTERING = frozenset({GENESIS, ADMISSION, ROTATION, REVOCATION, ADOPTION})
IN_FORCE, RETIRED, REVOKED = "in-force", "retired", "revoked"

KEY_DOCUMENT = define(
    "case-file-key-document",
    422,
    en="{part} registers a key in a way that cannot be read.",
    fa="{part} کلیدی را به شکلی ثبت کرده که خواندنی نیست.",
)
KEY_NOT_IN_FORCE = define(
    "case-file-key-not-in-force",
    422,
    en="{part}: no document before it in the log gives {issuer} the key {kid}, or it was retired or revoked.",
    fa="{part}: هیچ سندی پیش از آن در دفتر کلید {kid} را به {issuer} نمی‌دهد، یا آن کلید کنار رفته یا ابطال شده است.",
)


@dataclass(slots=True)
class KeyRow:
    """What one document said of one key. `document` is its name in the file."""

    kid: str
    org: str
    key: PublicKey
    state: str
    position: int
    document: str
    counts: bool = True


class KeyRing:
    """Keys and packs as of the documents registered so far. Documents are taken in log order."""

    def __init__(self) -> None:
        self.rows: dict[str, list[KeyRow]] = {}
        self.packs: dict[str, str] = {}
        self._of_case: dict[str, list[KeyRow]] = {}

    def current(self, kid: str) -> KeyRow | None:
        """What the newest document that counts says of a key."""
        return next((row for row in reversed(self.rows.get(kid, ())) if row.counts), None)

    def check(self, name: str, paper: Envelope) -> None:
        """That the issuer's key is in force, and signed it. Raises `case-file-key-not-in-force`, `signature-wrong`."""
        row = self.current(paper.kid)
        if row is None or row.state != IN_FORCE or row.org != paper.issuer:
            raise Problem(KEY_NOT_IN_FORCE, "/" + name, part=name, issuer=paper.issuer, kid=paper.kid)
        verify(paper, row.key)

    def register(self, position: int, name: str, paper: Envelope) -> None:
        """Take in a document, whatever it is. Raises `case-file-key-document`."""
        kind = paper.type
        if kind not in REGISTERING or not paper.pack.startswith("core@") or f"core/{paper.step}" != kind:
            return
        case = paper.case or paper.digest.hex()
        if paper.act == "confirm":
            return
        for row in self._of_case.pop(case, ()):
            row.counts = False
        if paper.act not in ("issue", "correct") or paper.outcome not in (None, "approved"):
            return
        try:
            rows = [
                KeyRow(kid, org, key, state, position, name) for kid, org, key, state in self._said(paper)
            ]
            self.packs.update(_packs(paper))
        except (Problem, KeyError, TypeError, AttributeError):
            raise Problem(KEY_DOCUMENT, "/" + name, part=name) from None
        self._of_case[case] = rows
        for row in rows:
            self.rows.setdefault(row.kid, []).append(row)

    def _said(self, paper: Envelope) -> Iterator[tuple[str, str, PublicKey, str]]:
        """(kid, organisation, key, state) for each key that the document speaks of."""
        said = paper.subject
        if paper.type == GENESIS:
            for each in (said["steward"], said["clock"]):
                yield _name(each["kid"]), _name(each["org"]), PublicKey.from_jwk(each["key"]), IN_FORCE
        elif paper.type in (ADMISSION, ROTATION):
            org = _name(said["org"]) if paper.type == ADMISSION else paper.issuer
            for each in said["keys"]:
                yield _name(each["kid"]), org, PublicKey.from_jwk(each["jwk"]), IN_FORCE
            for kid in said.get("retires", ()) if paper.type == ROTATION else ():
                # A key may be retired that no document of this file is signed with, nor registers.
                if (row := self.current(_name(kid))) is not None:
                    yield kid, row.org, row.key, RETIRED
        elif paper.type == REVOCATION and (row := self.current(_name(said["kid"]))) is not None:
            yield row.kid, row.org, row.key, REVOKED

    def listing(self) -> list[dict[str, Any]]:
        """Each registration, retirement and revocation that counts, in log order."""
        rows = sorted(
            (row for rows in self.rows.values() for row in rows if row.counts),
            key=lambda r: (r.position, r.kid),
        )
        return [
            {
                "kid": row.kid,
                "org": row.org,
                "state": row.state,
                "jwk": dict(row.key.jwk),
                "position": row.position,
                "document": row.document,
            }
            for row in rows
        ]


def _packs(paper: Envelope) -> dict[str, str]:
    """The packs, by label, whose digests the document states."""
    if paper.type == GENESIS:
        return {_name(p["label"]): _name(p["digest"]) for p in paper.subject["packs"]}
    if paper.type == ADOPTION:
        return {_name(paper.subject["label"]): _name(paper.subject["digest"])}
    return {}


def _name(value: Any) -> str:
    if type(value) is not str:
        raise TypeError
    return value
