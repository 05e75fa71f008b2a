"""The first schema: the record, the log's tiles and checkpoints, and the views."""

from alembic import op

from gardesh.record.schema import metadata

revision = "0001"
down_revision = None


def upgrade() -> None:
    metadata.create_all(op.get_bind())


def downgrade() -> None:
    metadata.drop_all(op.get_bind())
