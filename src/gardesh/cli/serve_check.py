"""What a configuration needs of the machine, looked at before a start and without taking anyone's place."""

from __future__ import annotations

import msgspec

from gardesh.cli.home import blobs_at, home, keys, open_store, store_url
from gardesh.listening import ADDRESS_UNUSABLE, listen
from gardesh.model.problem import Problem, define
from gardesh.model.signer import Verifier
from gardesh.node import NOT_A_NODE, begun
from gardesh.record.database import without_password
from gardesh.record.sealing import RECORD_LOCKED
from gardesh.record.sealing_up import SEALED
from gardesh.record.store import HEAD, schema_of
from gardesh.web.configuration import Configuration
from gardesh.web.cosigner import policy_of

STORE_OLDER = define(
    "store-older",
    503,
    en="The store {url} is of schema {stored}, and this version needs {known}; whoever opens it brings it there.",
    fa="انباره‌ی {url} از طرح‌واره‌ی {stored} است و این نسخه {known} می‌خواهد؛ هر که آن را باز کند به‌روزش می‌کند.",
    hint_en="`gardesh upgrade` does it ahead, while services go on.",
    hint_fa="«gardesh upgrade» پیشاپیش این کار را می‌کند و خدمت‌ها به کار خود ادامه می‌دهند.",
)


def check_machine(made: Configuration) -> None:
    """Whether a service with this configuration could start here, as far as that can be seen without the passphrase of the
    keys: its address, its record, the store of attachments, and the files that it names. Who is elsewhere and may come back
    (NATS, witnesses, other nodes, a collector) is not asked. Nothing is changed, and the port is not taken: see `port_taken`.

    Raises `address-unusable`, `not-a-node`, `store-unusable`, `store-older`, `record-locked`, `object-store-unusable`,
    `witness-policy-wrong`, `jetstream-file-wrong`.
    """
    check_address(made.listen.host, made.listen.port)
    url = store_url()
    if url is None:
        raise Problem(NOT_A_NODE, url=str(home()))
    if (stored := schema_of(url)) < HEAD:
        raise Problem(STORE_OLDER, url=without_password(url), stored=stored, known=HEAD)
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


def check_address(host: str, port: int) -> None:
    """Whether the host is one of this machine. Raises `address-unusable`."""
    try:
        listen(host, 0).close()
    except Problem as problem:
        raise Problem(ADDRESS_UNUSABLE, host=host, port=port, reason=problem.worded("reason")) from None


def port_taken(made: Configuration) -> bool:
    """Whether somebody listens at the port: a service of this node that runs, or another program."""
    try:
        listen(made.listen.host, made.listen.port).close()
    except Problem:
        return True
    return False
