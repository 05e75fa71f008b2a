"""What was sent of one webhook, by an index (docs/explanation/queries.md)."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.execute("CREATE INDEX IF NOT EXISTS deliveries_of_channel ON deliveries (org, channel, id)")
    op.execute("DROP INDEX IF EXISTS deliveries_of_org")


def downgrade() -> None:
    op.execute("CREATE INDEX deliveries_of_org ON deliveries (org, id)")
    op.execute("DROP INDEX deliveries_of_channel")
