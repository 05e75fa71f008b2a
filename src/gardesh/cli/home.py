"""The node's folder on this machine: `node.sqlite`, `keys/`, `blobs/`; opened for reading or for writing."""

from __future__ import annotations

import os
import time
from pathlib import Path

import typer

from gardesh.cli import output
from gardesh.model.calendar import parse_instant
from gardesh.model.library import Library
from gardesh.model.problem import Problem
from gardesh.node import NOT_A_NODE, Node
from gardesh.record import folder
from gardesh.record.blobs import DEFAULT_LIMIT, Blobs
from gardesh.record.keys import KeyStore
from gardesh.record.passphrase import KeyringPassphrases, OnePassphrase, Passphrases
from gardesh.record.store import Store
from gardesh.record.views import Views


def home() -> Path:
    return Path(output.settings_.home)


def store_path() -> Path:
    return home() / "node.sqlite"


def now(at: str | None = None) -> int:
    """The instant `at` if given, else the clock's, in ms."""
    return parse_instant(at) if at else time.time_ns() // 1_000_000


def open_store() -> Store:
    """The record, for reading. Raises `not-a-node` where there is none."""
    if not store_path().is_file():
        raise Problem(NOT_A_NODE, url=str(home()))
    return Store(str(store_path()))


def open_views() -> tuple[Store, Library, Views]:
    store = open_store()
    library = folder.stored(store)
    return store, library, Views(store, library)


def passphrases(*, fresh: bool = False) -> Passphrases:
    """Where the passphrase of the keys comes from: GARDESH_PASSPHRASE, the keyring (GARDESH_KEYRING=1), or a prompt."""
    if os.environ.get("GARDESH_KEYRING"):
        return KeyringPassphrases()
    text = os.environ.get("GARDESH_PASSPHRASE")
    if text is None:
        text = typer.prompt(
            output.t("Passphrase of the keys", "گذرواژه‌ی کلیدها"),
            hide_input=True,
            confirmation_prompt=fresh,
            err=True,
        )
    return OnePassphrase(text)


def keys(*, fresh: bool = False) -> KeyStore:
    return KeyStore(home() / "keys", passphrases(fresh=fresh))


def blobs() -> Blobs:
    """The attachments. GARDESH_ATTACHMENT_LIMIT is the most bytes that one may have; default 8 GiB."""
    text = os.environ.get("GARDESH_ATTACHMENT_LIMIT", str(DEFAULT_LIMIT))
    if not text.isdecimal():
        raise typer.BadParameter(f"GARDESH_ATTACHMENT_LIMIT is a number of bytes, not {text!r}")
    return Blobs(home() / "blobs", int(text))


CLOCK_KEY, LOG_KEY = "node-clock", "node-log"


def open_node() -> Node:
    """The node, with its keys: for whatever writes. Raises `not-a-node`, `key-passphrase-wrong`."""
    store = open_store()
    held = keys()
    origin = (store.setting("origin") or b"").decode()
    signers = held.load_log(LOG_KEY).signers(origin)
    kept = blobs()
    kept.clean()
    return Node.open(store, signers=signers, clock=(CLOCK_KEY, held.load(CLOCK_KEY)), blobs=kept)
