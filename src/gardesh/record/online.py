"""Indexes of migrations, made while services go on to write: what grows with the log is not locked while it is read through.

For migrations alone. On PostgreSQL an index of a record that is in use is made CONCURRENTLY, outside a transaction; one that
was left half made (`indisvalid` is false) is made anew. SQLite has one writer, and knows no such thing.
"""

from __future__ import annotations

from alembic import op

ONLINE = "online"
"""The attribute of Alembic's configuration that says that the record may be in use by others."""


def make_index(name: str, on: str) -> None:
    """The index `name` on a table: `on` is as SQL has it behind ON. Harmless where it is."""
    _concurrently(name, f"CREATE INDEX {{how}} IF NOT EXISTS {name} ON {on}", mend=True)


def drop_index(name: str) -> None:
    """Harmless where there is none."""
    _concurrently(name, f"DROP INDEX {{how}} IF EXISTS {name}", mend=False)


def _concurrently(name: str, sql: str, *, mend: bool) -> None:
    context = op.get_context()
    config = context.config
    if context.dialect.name != "postgresql" or config is None or not config.attributes.get(ONLINE):
        op.execute(sql.format(how=""))
        return
    with context.autocommit_block():
        patience = op.get_bind().exec_driver_sql("SHOW lock_timeout").scalar_one()
        op.execute("SET lock_timeout = 0")  # it waits for whoever was writing when it began
        if mend:
            found = op.get_bind().exec_driver_sql(
                "SELECT 1 FROM pg_index WHERE indexrelid = to_regclass(%s) AND NOT indisvalid", (name,)
            )
            if found.first() is not None:
                op.execute(f"DROP INDEX CONCURRENTLY {name}")
        op.execute(sql.format(how="CONCURRENTLY"))
        op.execute(f"SET lock_timeout = '{patience}'")  # what comes after holds locks that others wait for
