"""A node: a record on this machine, its keys at hand, and everything that can be asked of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from gardesh.intake import Intake
from gardesh.model.document import compose, sign
from gardesh.model.jose import SigningKey
from gardesh.model.library import Library
from gardesh.model.pack import Pack
from gardesh.model.problem import Problem, define
from gardesh.model.signer import Signer
from gardesh.record import folder
from gardesh.record.clock import Clock, salt
from gardesh.record.log import Log
from gardesh.record.sequence import Sequencer
from gardesh.record.store import Store

ALREADY_A_NODE = define(
    "already-a-node",
    409,
    en="There is already a node in {url}.",
    fa="در {url} پیش‌تر گرهی ساخته شده است.",
)
NOT_A_NODE = define(
    "not-a-node",
    404,
    en="There is no node in {url}; `gardesh init` makes one.",
    fa="در {url} گرهی نیست؛ «gardesh init» یکی می‌سازد.",
)


class Node:
    """One node. Made by `create` or `open`; `intake` is the way in, `sequencer` holds the state."""

    def __init__(self, store: Store, library: Library, log: Log, clock: Clock) -> None:
        self.store = store
        self.library = library
        self.log = log
        self.sequencer = Sequencer(store, library, log, clock)
        self.intake = Intake(self.sequencer)

    @classmethod
    def create(
        cls,
        store: Store,
        packs: Iterable[Pack],
        *,
        origin: str,
        signers: Sequence[Signer],
        clock: tuple[str, SigningKey],
        steward: tuple[str, SigningKey],
        steward_name: dict[str, str],
        now: int,
    ) -> Node:
        """A new node: its packs are kept, and the genesis is the first entry of its log.

        Durable when it returns. Raises `already-a-node`.
        """
        if store.setting("origin") is not None:
            raise Problem(ALREADY_A_NODE, url=store.url)
        library = Library()
        with store.writing():
            for made in packs:
                library.add(made)
                folder.keep(store, made)
            store.set("origin", origin.encode())
            store.set("log_keys", msgspec.json.encode([s.verifier.vkey() for s in signers]))
        node = cls(store, library, Log(store, origin, signers), Clock(*clock))
        label = next(p.label for p in library.packs.values() if p.name == "core")
        claims = compose(
            type="core/genesis",
            issuer=steward[0],
            valid_from_ms=now,
            pack=label,
            procedure="genesis",
            step="genesis",
            act="issue",
        )
        subject: dict[str, Any] = {
            "steward": {
                "org": steward[0],
                "name": steward_name,
                "kid": steward[1].kid,
                "key": public_jwk(steward[1]),
            },
            "clock": {"org": clock[0], "kid": clock[1].kid, "key": public_jwk(clock[1])},
            "log": {"origin": origin, "keys": [s.verifier.vkey() for s in signers]},
            "packs": [{"label": p.label, "digest": p.digest.hex()} for p in library.packs.values()],
        }
        node.intake.submit(sign(claims, subject, steward[1], salt=salt), now)
        return node

    @classmethod
    def open(cls, store: Store, *, signers: Sequence[Signer], clock: tuple[str, SigningKey]) -> Node:
        """A node that was made before. Raises `not-a-node`."""
        origin = store.setting("origin")
        if origin is None:
            raise Problem(NOT_A_NODE, url=store.url)
        return cls(store, folder.stored(store), Log(store, origin.decode(), signers), Clock(*clock))

    def add_pack(self, made: Pack) -> None:
        """Keep a pack beside the record, so that its adoption can be decided; durable when it returns."""
        with self.store.writing():
            folder.keep(self.store, made)
        self.library.add(made)

    def close(self) -> None:
        self.log.close()
        self.store.close()


def public_jwk(key: SigningKey) -> dict[str, Any]:
    """The public half of a signing key."""
    return dict(key.public.jwk)
