"""What was sent of one webhook, by an index (docs/explanation/queries.md)."""

from alembic import op

from gardesh.record.online import drop_index, make_index

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    make_index("deliveries_of_channel", "deliveries (org, channel, id)")
    drop_index("deliveries_of_org")


def downgrade() -> None:
    op.execute("CREATE INDEX deliveries_of_org ON deliveries (org, id)")
    op.execute("DROP INDEX deliveries_of_channel")
