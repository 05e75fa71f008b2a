"""The node's folder on this machine: `node.sqlite`, `keys/`, `blobs/`; opened for reading or for writing."""

from __future__ import annotations

import time
from pathlib import Path

from gardesh.cli import output
from gardesh.model.calendar import parse_instant
from gardesh.model.library import Library
from gardesh.model.problem import Problem
from gardesh.node import NOT_A_NODE
from gardesh.record import folder
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
