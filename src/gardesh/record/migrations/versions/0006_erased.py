"""What decisions have erased."""

from alembic import op

from gardesh.record import schema

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    schema.metadata.create_all(op.get_bind(), tables=[schema.erased])


def downgrade() -> None:
    schema.metadata.drop_all(op.get_bind(), tables=[schema.erased])
