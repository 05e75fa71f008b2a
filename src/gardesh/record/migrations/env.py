"""Alembic's entry: runs the migrations on the connection that the store gives. Of a record that others may use, each in a
transaction of its own; of a new one, all together."""

from alembic import context

from gardesh.record.online import ONLINE
from gardesh.record.schema import metadata

attributes = context.config.attributes
context.configure(
    connection=attributes["connection"],
    target_metadata=metadata,
    transaction_per_migration=bool(attributes.get(ONLINE)),
)
with context.begin_transaction():
    context.run_migrations()
