"""Which entries of registers were taken back lately, by an index: for a process that takes up what others wrote."""

from alembic import op

from gardesh.record.online import make_index

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    make_index("entries_undone", "entries (undone_at) WHERE undone_at IS NOT NULL")


def downgrade() -> None:
    op.execute("DROP INDEX entries_undone")
