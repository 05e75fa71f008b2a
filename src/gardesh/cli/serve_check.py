"""What a configuration needs of the machine, looked at before a start and without taking anyone's place."""

from __future__ import annotations

import msgspec

from gardesh.cli.home import blobs_at, home, keys, open_store, store_url
from gardesh.listening import listen
from gardesh.model.problem import Problem
from gardesh.model.signer import Verifier
from gardesh.node import NOT_A_NODE, begun
from gardesh.record.sealing import RECORD_LOCKED
from gardesh.record.sealing_up import SEALED
from gardesh.web.configuration import Configuration
from gardesh.web.cosigner import policy_of


def check_machine(made: Configuration) -> None:
    """Whether a service with this configuration could start here, as far as that can be seen without the passphrase of the
    keys: its address, its record, the store of attachments, and the files that it names. Who is elsewhere and may come back
    (NATS, witnesses, other nodes, a collector) is not asked. The port is not taken: a service may be at it.

    Raises `address-unusable`, `not-a-node`, `store-unusable`, `record-locked`, `object-store-unusable`, `witness-policy-wrong`,
    `jetstream-file-wrong`.
    """
    listen(made.listen.host, 0).close()
    if store_url() is None:
        raise Problem(NOT_A_NODE, url=str(home()))
    store = open_store()
    try:
        if not begun(store):
            raise Problem(NOT_A_NODE, url=str(home()))
        if store.setting(SEALED) is not None and not keys().record_names():
            raise Problem(RECORD_LOCKED, key="node-record….pem")
        names = msgspec.json.decode(store.setting("log_keys") or b"[]", type=list[str])
        origin = (store.setting("origin") or b"").decode()
    finally:
        store.close()
    policy_of(made.witnesses.policy, home(), origin, [Verifier.parse(name) for name in names])
    if made.attachments.store:
        blobs_at(made.attachments.store, made.limits.attachment_bytes).size_of(bytes(32))
    if made.jetstream.servers:
        from gardesh.exchange.nats_line import secrets_of  # the library is large, and few need it

        for server in made.jetstream.servers:
            secrets_of(made.jetstream, server, lambda: None)
