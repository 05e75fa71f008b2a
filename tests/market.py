"""A node of the market pack with its organisations admitted, and documents signed as their offices would."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

import stores
from gardesh import draft as drafting
from gardesh.intake import Accepted
from gardesh.model.case import Case
from gardesh.model.document import compose, sign
from gardesh.model.jose import PrivateKey
from gardesh.model.pack import Pack
from gardesh.model.policy import Policy
from gardesh.model.problem import Problem
from gardesh.model.signer import Signer
from gardesh.node import Node
from gardesh.record import folder, schema
from gardesh.record.blobs import Blobs
from gardesh.record.clock import salt
from gardesh.record.keys import _record_key
from gardesh.record.sealing import RecordKey
from gardesh.record.sealing_up import SEALED
from gardesh.record.store import Store
from gardesh.study.audit import Auditor
from gardesh.study.rebuilding import views_differ

FOLDER = Path(__file__).parent / "packs" / "market"
ORIGIN = "gardesh.example/market"
START = 1_767_603_600_000  # Monday 2026-01-05T09:00:00Z
HOUR, DAY = 3_600_000, 86_400_000
ROLES: dict[str, tuple[str, ...]] = {
    "ali": ("vendor",),
    "sara": ("vendor",),
    "city": ("market-office",),
    "health": ("health-office",),
    "traffic": ("traffic-office",),
    "neighbour": ("resident",),
    "axa": ("insurer",),
}


@cache
def packs() -> Sequence[Pack]:
    return folder.gather(FOLDER)


def key_of(org: str) -> PrivateKey:
    return PrivateKey.from_secret("ES256", sha256(org.encode()).digest())


CLOCK_KEY = PrivateKey.from_secret("EdDSA", sha256(b"clock").digest())
RECORD_SECRET = X25519PrivateKey.from_private_bytes(sha256(b"record").digest())
RECORD_KEY = _record_key(RECORD_SECRET)


def log_keys_of(origin: str) -> tuple[Ed25519PrivateKey, MLDSA44PrivateKey]:
    seed = sha256(b"log" if origin == ORIGIN else origin.encode()).digest()
    return Ed25519PrivateKey.from_private_bytes(seed), MLDSA44PrivateKey.from_seed_bytes(seed)


def signers_of(origin: str, name: str = "") -> tuple[Signer, Signer]:
    """The keys of a log; `name`: the same keys under another name."""
    ed25519, mldsa = log_keys_of(origin)
    return Signer.of_notes(name or origin, ed25519), Signer.of_checkpoints(name or origin, mldsa)


SIGNERS = signers_of(ORIGIN)


def record_keys() -> list[RecordKey]:
    return [RECORD_KEY]


class Market:
    """A node with the seven organisations of `ROLES`, each with one key. Time stands still at `now`."""

    def __init__(
        self,
        store: Store | None = None,
        made: Sequence[Pack] | None = None,
        origin: str = ORIGIN,
        clock: PrivateKey = CLOCK_KEY,
        blobs: Blobs | None = None,
        name: str = "clock",
    ) -> None:
        """`name`: as which organisation the node signs."""
        self.now = START
        self.packs = made or packs()
        self.store = store or stores.fresh()
        self.node = Node.create(
            self.store,
            self.packs,
            origin=origin,
            signers=signers_of(origin),
            clock=(name, clock),
            steward=("steward", key_of("steward")),
            steward_name={"fa": "راهبر", "en": "Steward"},
            record_keys=record_keys,
            now=self.now,
        )
        self.node.blobs = blobs
        admissions = [self.admission(org, roles) for org, roles in ROLES.items()]
        for answer in self.node.intake.submit_all(admissions, self.now):
            assert isinstance(answer, Accepted), answer

    @classmethod
    def opened(cls, store: Store, name: str = "clock") -> Market:
        """The node that was made in this store, as another process reads it."""
        market = cls.__new__(cls)
        market.store, market.packs = store, packs()
        market.node = Node.open(store, signers=SIGNERS, clock=(name, CLOCK_KEY), record_keys=record_keys)
        market.now = market.node.sequencer.last_at
        return market

    @property
    def policy(self) -> Policy:
        return Policy.of_log(self.node.log.origin, tuple(s.verifier for s in self.node.log.signers))

    # -- documents ----------------------------------------------------------------------------------------

    def core(self, procedure: str, subject: dict[str, Any], org: str = "steward") -> bytes:
        """A document of the core pack: it opens and closes a case of its own."""
        claims = compose(
            type=f"core/{procedure}",
            issuer=org,
            valid_from_ms=self.now,
            pack="core@1.0.0",
            procedure=procedure,
            step=procedure,
        )
        return sign(claims, subject, key_of(org), salt=salt)

    def admission(self, org: str, roles: Sequence[str]) -> bytes:
        key = key_of(org)
        keys = [{"kid": key.kid, "jwk": dict(key.public.jwk)}]
        name = {"fa": org, "en": org}
        return self.core("admission", {"org": org, "name": name, "keys": keys, "roles": list(roles)})

    def accreditation(self, org: str, role: str, state: str) -> bytes:
        return self.core("accreditation", {"org": org, "role": role, "state": state})

    def case(self, case_id: str) -> Case:
        return self.node.sequencer.cases.get(case_id)

    def paper(
        self,
        org: str,
        step: str,
        subject: dict[str, Any] | None = None,
        case: str | None = None,
        *,
        procedure: str = "licence",
        signer: PrivateKey | None = None,
        **draft: Any,
    ) -> bytes:
        """A document of the market pack as it can be drafted now, signed by the organisation's key."""
        live = self.case(case) if case is not None else None
        made = live.procedure if live else self.node.library.procedure(self.packs[0].label, procedure)
        claims = drafting.draft(made, live, step, issuer=org, at=self.now, **draft)
        return drafting.issue(claims, subject or {}, signer or key_of(org), made)

    # -- what the tests do most ---------------------------------------------------------------------------

    def submit(self, paper: bytes, after: int = 0) -> Accepted:
        self.now += after
        return self.node.intake.submit(paper, self.now)

    def do(self, org: str, step: str, subject: dict[str, Any] | None = None, *args: Any, **more: Any) -> str:
        """Issue a document; returns the case."""
        return self.submit(self.paper(org, step, subject, *args, **more)).case

    def area(self, name: str = "square", seats: int = 20) -> str:
        return self.do("city", "area", {"area": name, "seats": seats}, procedure="area")

    def apply(self, vendor: str = "ali", **changes: Any) -> str:
        return self.do(vendor, "application", application(vendor, **changes))

    def wait(self, ms: int) -> int:
        self.now += ms
        return self.node.intake.pass_time(self.now)

    def licensed(self, number: str = "L-1", **changes: Any) -> str:
        """A case with its licence issued, opened now and gone through the window for objections."""
        case = self.apply(**changes)
        self.wait(4 * DAY)
        self.do("city", "quiet-note", {"area": "square"}, case)
        self.do("city", "licence", licence(number), case, outcome="approved")
        return case


def application(vendor: str = "ali", **changes: Any) -> dict[str, Any]:
    subject = {"vendor": vendor, "area": "square", "seats": 2, "goods": [{"kind": "cloth"}], "sites": []}
    return {**subject, **changes}


def licence(number: str = "L-1", seats: int = 2) -> dict[str, Any]:
    return {"number": number, "area": "square", "seats": seats}


def refused(market: Market, paper: bytes) -> Problem:
    """Why the document is refused. Whatever the record holds must be the same after it."""
    before = contents(market.store)
    try:
        market.submit(paper)
    except Problem as problem:
        assert contents(market.store) == before
        return problem
    raise AssertionError("it was accepted")


TABLES = (
    *(
        "documents",
        "disclosures",
        "tiles",
        "cases",
        "slots",
        "waits",
        "migrations",
        "entries",
        "links",
        "mirrors",
        "subjects",
    ),
    *("identifiers", "reads", "packs"),
)


def contents(store: Store) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of the record and its views, disclosures opened. Checkpoints are not among them: they may be signed anew."""
    found = {
        name: sorted(map(tuple, store.rows(f"SELECT * FROM {name}")), key=repr)
        for name in TABLES
        if name != "disclosures"
    }
    return {**found, "disclosures": tails(store)}


def tails(store: Store) -> list[tuple[int, bytes]]:
    """What the documents disclose, by their positions."""
    if store.sealing is None:
        store.unlock(record_keys)
    rows = store.rows(
        "SELECT d.position, d.digest, x.data, x.key FROM documents d JOIN disclosures x ON x.position = d.position"
        " ORDER BY d.position"
    )
    return [(position, store.tail(position, digest, data, key)) for position, digest, data, key in rows]


def unsealed(market: Market) -> None:
    """The record as the version before left it: in the clear, without keys."""
    clear = tails(market.store)
    with market.store.writing():
        market.store.add(schema.disclosures, [(p, data, None) for p, data in clear], replace=True)
        market.store.run("DELETE FROM case_keys")
        market.store.run("DELETE FROM settings WHERE name = ?", SEALED)


def explains_itself(node: Node) -> None:
    """The audit is whole, the root is the log's, and the views are those that the documents make."""
    auditor = Auditor(node.store, node.library, node.sequencer.clock.name)
    found = auditor.run()
    assert [p.sentence("en") for p in found.problems] == []
    assert found.documents == node.sequencer.size == node.log.size
    assert found.root == node.log.edge.root().hex()
    assert views_differ(node.store, auditor.scratch) == []
