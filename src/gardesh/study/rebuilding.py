"""The views of a record, derived again from its documents, compared with those that are there, and put in their place."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice, zip_longest

from sqlalchemy import Boolean

from gardesh.model.library import Library
from gardesh.record import folder, schema
from gardesh.record.others import REBUILT
from gardesh.record.store import Store
from gardesh.study.audit import AT_ONCE, Audit, Auditor


def rebuild(
    store: Store, library: Library, clock_name: str, progress: Callable[[int], None] = lambda n: None
) -> tuple[Audit, list[str]]:
    """Derive all views again and put them in place where they differ; nothing is changed when the audit finds anything.
    Returns what it found, and the names of the tables that differed.

    Services may go on: all documents that are there at the beginning are replayed while others write; only what came since,
    the comparison and the change keep them waiting. They then forget what they have in memory.
    """
    auditor = Auditor(store, library, clock_name)
    with auditor.scratch.writing():
        with store.reading():
            auditor.follow(progress)
        with store.writing():
            folder.bring(store, library)
            found = auditor.run_within(progress)
            differ = views_differ(store, auditor.scratch) if found.whole else []
            if differ:
                copy_views(auditor.scratch, store)
                store.set(REBUILT, str(int(store.setting(REBUILT) or 0) + 1).encode())
    return found, differ


def copy_views(source: Store, target: Store) -> None:
    """Replace the derived tables of `target` by those of `source`, in the open transaction."""
    for table in schema.VIEWS:
        target.run(f"DELETE FROM {table.name}")  # noqa: S608
        columns = ", ".join(f'"{c.name}"' for c in table.columns)
        order = ", ".join(f'"{c.name}"' for c in table.primary_key.columns)
        rows = source.each(f"SELECT {columns} FROM {table.name} ORDER BY {order}")  # noqa: S608
        truths = {
            n for n, c in enumerate(table.columns) if isinstance(c.type, Boolean)
        }  # SQLite says 0 and 1
        while some := list(islice(rows, AT_ONCE)):
            target.add(table, [tuple(bool(v) if n in truths else v for n, v in enumerate(r)) for r in some])
            target.one("SELECT 1")  # until the database has them: it ends what is silent for long


def views_differ(one: Store, other: Store) -> list[str]:
    """The names of the derived tables that are not the same, byte for byte."""
    wrong = []
    for table in schema.VIEWS:
        columns = ", ".join(f'"{c.name}"' for c in table.columns)
        order = ", ".join(f'"{c.name}"' for c in table.primary_key.columns)
        sql = f"SELECT {columns} FROM {table.name} ORDER BY {order}"  # noqa: S608
        pairs = zip_longest(one.each(sql), other.each(sql))
        if any(a is None or b is None or tuple(a) != tuple(b) for a, b in pairs):
            wrong.append(table.name)
    return wrong
