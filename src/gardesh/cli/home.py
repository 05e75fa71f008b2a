"""The node's folder on this machine: `node.sqlite` or `store-url`, `keys/`, `blobs/`; opened for reading or for writing."""

from __future__ import annotations

import getpass
import os
import time
import warnings
from contextlib import suppress
from pathlib import Path

import typer

from gardesh.cli import output
from gardesh.model.calendar import parse_instant
from gardesh.model.library import Library
from gardesh.model.problem import Problem, define
from gardesh.node import ALREADY_A_NODE, NOT_A_NODE, Node, begun
from gardesh.record import folder
from gardesh.record.blobs import DEFAULT_LIMIT, Blobs
from gardesh.record.clock import Clock
from gardesh.record.database import STORE_UNUSABLE, is_server, with_parameter, without_password
from gardesh.record.following import FollowedStore
from gardesh.record.founding import new_clock_key
from gardesh.record.keys import KeyStore
from gardesh.record.node_folder import BLOBS, KEYS, RECORD, URL
from gardesh.record.passphrase import KeyringPassphrases, OnePassphrase, Passphrases
from gardesh.record.sealing import RECORD_LOCKED
from gardesh.record.sealing_up import SEALED
from gardesh.record.store import Store
from gardesh.record.views import Views
from gardesh.replica import Replica
from gardesh.web import configuration

PASSPHRASE_MISSING = define(
    "passphrase-missing",
    401,
    en="The passphrase of the keys is needed, and nobody is at a terminal to be asked for it.",
    fa="گذرواژه‌ی کلیدها لازم است و کسی پشت پایانه نیست که پرسیده شود.",
    hint_en="Set GARDESH_PASSPHRASE, or GARDESH_KEYRING=1 for the machine's keyring.",
    hint_fa="GARDESH_PASSPHRASE را تنظیم کنید، یا برای دسته‌کلید دستگاه GARDESH_KEYRING=1 را.",
)
SERVE = "serve.toml"
"""The configuration of a service, in the node's folder; what it says of attachments holds for every command."""


def home() -> Path:
    return Path(output.settings_.home)


def store_path() -> Path:
    return home() / RECORD


def url_path() -> Path:
    return home() / URL


def store_url() -> str | None:
    """Where the node's record is: a PostgreSQL database if `init` was told of one, else a file; None: nowhere yet."""
    try:
        return url_path().read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return str(store_path()) if store_path().is_file() else None
    except (OSError, UnicodeDecodeError) as error:
        raise Problem(STORE_UNUSABLE, url=str(url_path()), reason=str(error)) from None


def place_for(url: str | None) -> str:
    """Where the record of a new node can be: in the PostgreSQL database `url`, by default in a file of the folder.

    Raises `already-a-node`, `store-unusable`.
    """
    if store_url() is not None:
        raise Problem(ALREADY_A_NODE, url=str(home()))
    if url is None:
        return str(store_path())
    if not is_server(url):
        raise Problem(STORE_UNUSABLE, url=without_password(url), reason="it is no PostgreSQL database")
    store = Store(url, create=True)
    if begun(store):
        raise Problem(ALREADY_A_NODE, url=store.url)
    store.close()
    return url


def make_store(place: str) -> Store:
    """An empty record there; the folder keeps the URL of a database, for nobody else to read."""
    home().mkdir(mode=0o700, parents=True, exist_ok=True)
    store = Store(place, create=True)
    if is_server(place):
        descriptor = os.open(url_path(), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(place + "\n")
    return store


def now(at: str | None = None) -> int:
    """The instant `at` if given, else the clock's, in ms."""
    return parse_instant(at) if at else time.time_ns() // 1_000_000


def open_store() -> Store:
    """The record, for reading; the passphrase is asked for when contents are read. Raises `not-a-node` where there is none."""
    url = store_url()
    if url is None:
        raise Problem(NOT_A_NODE, url=str(home()))
    store = Store(url)
    store.unlock(lambda: keys().load_records())
    return store


def open_views() -> tuple[Store, Library, Views]:
    store = open_store()
    library = folder.stored(store)
    return store, library, Views(store, library)


def passphrases(*, fresh: bool = False) -> Passphrases:
    """Where the passphrase of the keys comes from: GARDESH_PASSPHRASE, the keyring (GARDESH_KEYRING=1), or a prompt, when the
    first key is opened; of new keys at once, before anything is made."""
    if os.environ.get("GARDESH_KEYRING"):
        return KeyringPassphrases()
    text = os.environ.get("GARDESH_PASSPHRASE")
    if text is not None:
        return OnePassphrase(text)
    typed = TypedPassphrase(fresh)
    if fresh:
        typed.of("")
    return typed


class TypedPassphrase:
    """One that a person is asked for, once. Raises `passphrase-missing` where nobody can be asked."""

    def __init__(self, fresh: bool) -> None:
        self.fresh = fresh
        self._text: str | None = None

    def new(self, name: str) -> str:
        return self.of(name)

    def of(self, name: str) -> str:
        if self._text is None:
            with warnings.catch_warnings():
                warnings.simplefilter("error", getpass.GetPassWarning)  # it would be typed for all to see
                try:
                    self._text = str(
                        typer.prompt(
                            output.t("Passphrase of the keys", "گذرواژه‌ی کلیدها"),
                            hide_input=True,
                            confirmation_prompt=self.fresh,
                            err=True,
                        )
                    )
                except getpass.GetPassWarning:
                    typer.echo(err=True)  # the question stands on that line
                    raise Problem(PASSPHRASE_MISSING) from None
        return self._text


def keys(*, fresh: bool = False) -> KeyStore:
    if fresh:
        home().mkdir(mode=0o700, parents=True, exist_ok=True)
    return KeyStore(home() / KEYS, passphrases(fresh=fresh))


def blobs() -> Blobs:
    """The attachments. GARDESH_ATTACHMENT_LIMIT is the most bytes that one may have; default 8 GiB."""
    text = os.environ.get("GARDESH_ATTACHMENT_LIMIT", str(DEFAULT_LIMIT))
    if not text.isdecimal():
        raise typer.BadParameter(f"GARDESH_ATTACHMENT_LIMIT is a number of bytes, not {text!r}")
    kept = home() / SERVE
    return blobs_at(configuration.load(kept).attachments.store if kept.is_file() else "", int(text))


def blobs_at(store: str, limit: int) -> Blobs:
    """Attachments as a configuration has it: `store` is a bucket, or empty for the node's folder."""
    if not store:
        return Blobs(home() / BLOBS, limit)
    from gardesh.record.object_blobs import ObjectBlobs  # the library is large, and few need it
    from gardesh.record.object_store import opened

    return ObjectBlobs(home() / BLOBS, limit, opened(store, lasting=False))


CLOCK_KEY, LOG_KEY = "node-clock", "node-log"


def open_node() -> Node:
    """The node, with its keys: for whatever writes. Raises `not-a-node`, `key-passphrase-wrong`."""
    store = open_store()
    held = keys()
    if not held.record_names() and store.setting(SEALED) is None:
        with suppress(Problem):  # another process may have made it in this moment
            held.create_record()
    origin = (store.setting("origin") or b"").decode()
    signers = held.load_log(LOG_KEY).signers(origin)
    kept = blobs()
    kept.clean()
    clock = (CLOCK_KEY, held.load(CLOCK_KEY))
    return Node.open(store, signers=signers, clock=clock, record_keys=held.load_records, blobs=kept)


def open_replica(of: str) -> Replica:
    """The node as a standby of its database has it; `of`: the service that takes documents. Access tokens are read where the
    node's clock key is among the keys; of other keys the record keys alone are used, which have to be there. Raises
    `not-a-node`, `store-unusable`, `record-locked`."""
    url = store_url()
    if url is None:
        raise Problem(NOT_A_NODE, url=str(home()))
    known = (home() / KEYS / f"{CLOCK_KEY}.pem").is_file()
    clock = Clock(CLOCK_KEY, keys().load(CLOCK_KEY) if known else new_clock_key())
    writes = with_parameter(url, "target_session_attrs", "read-write") if is_server(url) else url
    store, held = FollowedStore(url), keys()
    if store.setting(SEALED) is not None and not held.record_names():
        raise Problem(RECORD_LOCKED, key="node-record….pem")
    store.unlock(held.load_records)
    return Replica(store, lambda: Store(writes), of, clock)
