"""Bringing a record to the schema of this version: upgrade."""

from __future__ import annotations

from gardesh.cli import output
from gardesh.cli.home import home, store_url
from gardesh.model.problem import Problem
from gardesh.node import NOT_A_NODE
from gardesh.record.store import HEAD, Store, schema_of


def upgrade() -> None:
    """Bring the record to the schema of this version, while services go on (PostgreSQL); every command that opens it does so too.

    Idempotent; after an interruption, run it again. There is no way back: make a backup before.
    """
    url = store_url()
    if url is None:
        raise Problem(NOT_A_NODE, url=str(home()))
    before = schema_of(url)
    Store(url).close()
    if output.as_json():
        output.emit({"from": before, "to": HEAD})
    if before == HEAD:
        output.say(
            "The record has schema {to}; nothing was to be done.",
            "طرح‌واره‌ی انباره {to} است؛ کاری نبود.",
            to=HEAD,
        )
    else:
        output.say(
            "The record went from schema {a} to {to}.",
            "طرح‌واره‌ی انباره از {a} به {to} رسید.",
            a=before,
            to=HEAD,
        )
